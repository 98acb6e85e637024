"""The shell command `polyinj expected`."""

from __future__ import annotations

import json
import math
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
        "E chi": sign * math.exp(min(logarithm, 700.0)),
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
        print(json.dumps({"m": m, "n": n, **budget, **values}, indent=1))
        return
    width = max(36, *map(len, values))
    for name, value in values.items():
        print(f"{name:{width}} {value if isinstance(value, int) else format(value, '.10g')}")
