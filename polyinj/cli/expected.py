"""The shell command `polyinj expected`."""

from __future__ import annotations

import json
import math
from typing import Annotated

import typer

from polyinj.theory.crossing import euler_crossing
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print what theory says of a random Gaussian layer with m neurons and n inputs."""
    sign, logarithm = log_expected_euler_characteristic(m, n)
    values: dict[str, object] = {
        "cells of the arrangement": count_cells(m, n),
        "E chi": sign * math.exp(min(logarithm, 700.0)),
        "ln |E chi|": logarithm,
        "P(not injective) <= (minimal cells)": noninjectivity_bound(m, n),
    }
    if n >= 2:
        values["P(not injective) <= (Gordon)"] = gordon_bound(m, n)
        values["P(not injective) <= (lifted Gordon)"] = lifted_gordon_bound(m, n)
    if n <= 2:
        values["P(not injective)"] = float(exact_noninjectivity_probability(m, n))
    values["P(some input has no active neuron)"] = float(wendel_probability(m, n))
    values["m/n where E chi last crosses 1"] = euler_crossing(n)
    if as_json:
        print(json.dumps({"m": m, "n": n, **values}, indent=1))
        return
    for name, value in values.items():
        print(f"{name:36} {value if isinstance(value, int) else format(value, '.10g')}")
