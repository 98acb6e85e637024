"""Descent along lines: look for a cell whose active rows have a small singular value, fast, without proof.

A line through a point crosses at most m + 1 cells. The Gram matrix of the active rows changes by one row from each to
the next, so their smallest singular values come from one call. The descent moves to the best cell of a random line
until several lines in a row bring nothing, and starts again elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from polyinj.injectivity.limits import Limits

_LINES_WITHOUT_GAIN = 20


@dataclass(frozen=True, slots=True, eq=False)
class CellValue:
    """The smallest singular value of the active rows of a cell, and these rows."""

    value: float
    active: NDArray[np.bool_]

    @classmethod
    def of(cls, matrix: NDArray[np.float64], active: NDArray[np.bool_]) -> Self:
        """The cell with these active rows."""
        few = int(active.sum()) < matrix.shape[1]
        return cls(0.0 if few else float(np.linalg.svd(matrix[active], compute_uv=False)[-1]), active)


def descend(
    matrix: NDArray[np.float64], starts: Iterable[NDArray[np.float64]], restarts: int, seed: int, limits: Limits
) -> CellValue | None:
    """The cell with the smallest value from the starts and random points; None if no point is surely in a cell."""
    n = matrix.shape[1]
    random = np.random.default_rng(np.random.SeedSequence(seed))
    grams = matrix[:, :, None] * matrix[:, None, :]
    incumbent: CellValue | None = None
    for point in [*starts, *random.standard_normal((restarts, n))]:
        cell = _descend(matrix, grams, point, random)
        if cell is not None and (incumbent is None or cell.value < incumbent.value):
            incumbent = cell
        if not limits.leave(0) and incumbent is not None:
            break
    return incumbent


def _descend(
    matrix: NDArray[np.float64], grams: NDArray[np.float64], point: NDArray[np.float64], random: np.random.Generator
) -> CellValue | None:
    """The cell where a descent from a point ends; None if the point is surely in no open cell."""
    incumbent = _cell_at(matrix, point)
    barren = 0
    while barren < _LINES_WITHOUT_GAIN:
        nearer = _best_on_line(matrix, grams, point, random.standard_normal(len(point)))
        cell = None if nearer is None else _cell_at(matrix, nearer)
        if nearer is not None and cell is not None and (incumbent is None or cell.value < incumbent.value * (1 - 1e-9)):
            incumbent, point, barren = cell, nearer / np.linalg.norm(nearer), 0
        else:
            barren += 1
    return incumbent


def _best_on_line(
    matrix: NDArray[np.float64],
    grams: NDArray[np.float64],
    point: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """A point of the line in the cell with the smallest singular value, as far as rounding lets see."""
    at, along = matrix @ point, matrix @ direction
    crossed = np.flatnonzero(along)
    times = -at[crossed] / along[crossed]
    order = np.argsort(times)
    crossed, times = crossed[order], times[order]
    if not len(times):
        return None
    # Before the first crossing rows with a negative slope are active; each crossing adds its row or takes it away.
    first = grams[(along < 0) | ((along == 0) & (at >= 0))].sum(axis=0)
    steps = np.sign(along[crossed])[:, None, None] * grams[crossed]
    passed = np.concatenate([first[None], first + np.cumsum(steps, axis=0)])
    place = int(np.linalg.eigvalsh(passed)[:, 0].argmin())
    ends = np.concatenate([[times[0] - 1.0], times, [times[-1] + 1.0]])
    return np.asarray(point + (ends[place] + ends[place + 1]) / 2 * direction)


def _cell_at(matrix: NDArray[np.float64], point: NDArray[np.float64]) -> CellValue | None:
    """The cell of a point; None where rounding leaves a sign open."""
    products, size = matrix @ point, np.abs(matrix) @ np.abs(point)
    nonzero = matrix.any(axis=1)
    if (np.abs(products) <= 4 * (len(point) + 2) * 2.0**-53 * size + 1e-300)[nonzero].any():
        return None
    return CellValue.of(matrix, (products > 0) & nonzero)
