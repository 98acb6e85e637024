"""Descent along lines: look for a cell whose active rows have a small singular value, fast, without proof.

A line through a point crosses at most m + 1 cells. The Gram matrix of the active rows changes by one row from each to
the next, so their smallest singular values come from one call. The descent moves to the best cell of a random line
until several lines in a row bring nothing, and starts again elsewhere. Lines are cut to the domain.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from polyinj.injectivity.cell_finder import CellFinder, is_inside, product_error
from polyinj.injectivity.domain_lines import clip_lines, draw_inputs
from polyinj.injectivity.limits import Limits

Floats = NDArray[np.float64]

_LINES_WITHOUT_GAIN = 20
# Lines are this many times the size of the point long, on a domain that is no cone.
_REACHES = (1.0, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class CellValue:
    """The smallest singular value of the active rows of a cell, these rows, and an input in it."""

    value: float
    active: NDArray[np.bool_]
    point: tuple[Fraction, ...]

    @classmethod
    def of(cls, matrix: Floats, active: NDArray[np.bool_], point: tuple[Fraction, ...]) -> Self:
        """The cell with these active rows."""
        few = int(active.sum()) < matrix.shape[1]
        return cls(0.0 if few else float(np.linalg.svd(matrix[active], compute_uv=False)[-1]), active, point)


class Descent:
    """Cells of a layer in its domain, for a matrix with largest entry about 1 to which its weights round."""

    def __init__(self, finder: CellFinder, matrix: Floats) -> None:
        n = matrix.shape[1]
        self.matrix, self.layer = matrix, finder.layer
        self.grams = matrix[:, :, None] * matrix[:, None, :]
        self.nonzero = matrix.any(axis=1)
        # Unit rows of the hyperplanes, in the scale of the weights.
        self.weights, self.bias = finder.floats[:, :n], finder.floats[:, n:].sum(axis=1)

    def descend(
        self, starts: Iterable[Floats], restarts: int, random: np.random.Generator, limits: Limits
    ) -> CellValue | None:
        """The cell with the smallest value from the starts and random points; None if no point is surely in a cell."""
        domain = None if self.layer.is_linear and self.layer.domain is None else self.layer.domain
        drawn, scale = draw_inputs(random, restarts, domain, self.weights, self.bias)
        incumbent: CellValue | None = None
        for point in [*starts, *drawn]:
            cell = self._from(point, scale, random)
            if cell is not None and (incumbent is None or cell.value < incumbent.value):
                incumbent = cell
            if not limits.leave(0) and incumbent is not None:
                break
        return incumbent

    def _from(self, point: Floats, scale: float, random: np.random.Generator) -> CellValue | None:
        """The cell where a descent from a point ends; None if the point is surely in no open cell."""
        incumbent = self._better(point, math.inf)
        barren = 0
        while barren < _LINES_WITHOUT_GAIN:
            reach = 1.0 if self.layer.is_linear else scale * _REACHES[barren % len(_REACHES)]
            nearer = self._best_on_line(point, reach * random.standard_normal(len(point)))
            level = math.inf if incumbent is None else incumbent.value * (1 - 1e-9)
            cell = None if nearer is None else self._better(nearer, level)
            barren += 1
            if nearer is not None and cell is not None:
                length = np.linalg.norm(nearer) if self.layer.is_linear else 1.0
                incumbent, point, barren = cell, nearer / length, 0
        return incumbent

    def _best_on_line(self, point: Floats, direction: Floats) -> Floats | None:
        """A point of the line in the cell with the smallest singular value, as far as rounding lets see."""
        at, along = self.weights @ point + self.bias, self.weights @ direction
        crossed = np.flatnonzero(along)
        times = -at[crossed] / along[crossed]
        order = np.argsort(times)
        crossed, times = crossed[order], times[order]
        if not len(times):
            return None
        # Before the first crossing rows with a negative slope are active; each crossing adds its row or takes it away.
        first = self.grams[(along < 0) | ((along == 0) & (at >= 0))].sum(axis=0)
        steps = np.sign(along[crossed])[:, None, None] * self.grams[crossed]
        passed = np.concatenate([first[None], first + np.cumsum(steps, axis=0)])
        low, high = (float(part[0]) for part in clip_lines(point[None], direction[None], self.layer.domain))
        lows = np.clip(np.concatenate([[max(low, times[0] - 2.0)], times]), low, high)
        highs = np.clip(np.concatenate([times, [min(high, times[-1] + 2.0)]]), low, high)
        met = np.flatnonzero(highs > lows)
        if not len(met):
            return None
        place = met[int(np.linalg.eigvalsh(passed[met])[:, 0].argmin())]
        return np.asarray(point + (lows[place] + highs[place]) / 2 * direction)

    def _better(self, point: Floats, level: float) -> CellValue | None:
        """The cell of a point, if its value is below the level, no sign is open, and the domain holds the point."""
        products = self.weights @ point + self.bias
        size = np.abs(self.weights) @ np.abs(point) + np.abs(self.bias)
        if (np.abs(products) <= 2 * product_error(len(point) + 1) * size + 1e-300)[self.nonzero].any():
            return None
        cell = CellValue.of(self.matrix, (products > 0) & self.nonzero, ())
        if not cell.value < level:
            return None
        exact = [Fraction(entry) for entry in point.tolist()]
        exact = self.layer.input(exact if self.layer.is_linear else [*exact, Fraction(1)])
        return replace(cell, point=tuple(exact)) if is_inside(self.layer.domain, exact) else None
