"""The triangle relaxation as linear programs, in floating point: what continuous and tight is, slowly.

The graph of a ReLU on [l, u], l < 0 < u, is replaced by its convex hull, the triangle y >= 0, y >= z, y <= u (z - l) /
(u - l). l and u of every neuron are least and greatest values of the same program for the layers before (Salman et al.
2019, arXiv:1902.08722).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

Floats = NDArray[np.float64]


def triangle_bound(layers: Sequence[tuple[Floats, Floats]], lower: Sequence[float], upper: Sequence[float]) -> float:
    """The least value of the one output of layers (weights, bias), ReLU between them, on a box."""
    bounds: list[tuple[float | None, float | None]] = list(zip(lower, upper, strict=True))
    rows: list[Floats] = []
    right: list[float] = []
    first = 0

    def least(row: Floats) -> float:
        above = np.array([np.pad(one, (0, len(bounds) - len(one))) for one in rows]) if rows else None
        found = linprog(np.pad(row, (first, 0)), A_ub=above, b_ub=right or None, bounds=bounds, method="highs")
        assert found.status == 0, found.message
        return float(found.fun)

    for weights, bias in layers[:-1]:
        ends = [(least(row) + shift, shift - least(-row)) for row, shift in zip(weights, bias, strict=True)]
        before = len(bounds)
        for k, ((low, high), row, shift) in enumerate(zip(ends, weights, bias, strict=True)):
            output = np.zeros(before + k + 1)
            output[-1] = 1
            inner = np.pad(row, (first, k + 1))
            bounds.append((0.0, None if high > 0 else 0.0))
            if high > 0:
                slope = 1.0 if low >= 0 else high / (high - low)
                rows += [inner - output, output - slope * inner]
                right += [-shift, slope * (shift - min(low, 0.0))]
        first = before
    ((weights, bias),) = layers[-1:]
    return least(weights[0]) + float(bias[0])
