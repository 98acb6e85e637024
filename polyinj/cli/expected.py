"""The shell command `polyinj expected`."""

from __future__ import annotations

import json
import math
import sys
from decimal import Decimal
from typing import Annotated

import typer

from polyinj.theory.crossing import euler_crossing
from polyinj.theory.domain import always_meets
from polyinj.theory.euler import (
    count_cells,
    exact_noninjectivity_probability,
    log_expected_euler_characteristic,
    noninjectivity_bound,
    wendel_probability,
)
from polyinj.theory.gordon import gordon_bound
from polyinj.theory.lifted_gordon import lifted_gordon_bound

# ln of the largest float, rounded down.
_LARGEST = 709.0


def expected(
    n: Annotated[int, typer.Option(help="Inputs.")],
    m: Annotated[int, typer.Option(help="Neurons.")],
    max_positive: Annotated[
        int | None, typer.Option(help="Ask for inputs with at most this many active neurons; by default n - 1: a loss.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print what theory says of a random Gaussian layer with m neurons and n inputs.

    --max-positive K asks for any number of active neurons: the Tukey depth of the origin among m random points is at
    most K, some perceptron makes at most K errors on m random patterns.
    """
    sign, logarithm = log_expected_euler_characteristic(m, n, max_positive)
    event = "P(not injective)" if max_positive is None else f"P(some input: <= {max_positive} active)"
    values: dict[str, object] = {
        "cells of the arrangement": count_cells(m, n),
        "E chi": sign * math.exp(logarithm) if logarithm < _LARGEST else None,
        "ln |E chi|": logarithm,
        f"{event} <= (minimal cells)": noninjectivity_bound(m, n, max_positive),
    }
    if n >= 2 and max_positive != 0:
        values[f"{event} <= (Gordon)"] = gordon_bound(m, n, max_positive)
        values[f"{event} <= (lifted Gordon)"] = lifted_gordon_bound(m, n, max_positive)
    if n <= 2 or (max_positive is not None and (max_positive == 0 or always_meets(m, n, max_positive))):
        values[event] = float(exact_noninjectivity_probability(m, n, max_positive))
    values["P(some input has no active neuron)"] = float(wendel_probability(m, n))
    values["m/n where E chi last crosses 1"] = euler_crossing(n, max_positive)
    if as_json:
        budget = {} if max_positive is None else {"max_positive": max_positive}
        _print_json({"m": m, "n": n, **budget, **values})
        return
    width = max(36, *map(len, values))
    for name, value in values.items():
        print(f"{name:{width}} {_shown(value)}")


def _shown(value: object) -> str:
    if value is None:
        return "beyond floating point; its logarithm follows"
    if isinstance(value, int):
        # A count too long to read is shown as a number, which Decimal has room for.
        return str(value) if value < 10**60 else format(Decimal(value), ".9e")
    return format(value, ".10g")


def _print_json(values: dict[str, object]) -> None:
    """With every digit of a count, of which Python writes no more than 4300 unless told to."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        print(json.dumps(values, indent=1))
    finally:
        sys.set_int_max_str_digits(limit)
