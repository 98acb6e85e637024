"""Two points far apart that differ by a multiple of a given vector, in a polyhedron around a point that is known.

The polyhedron is {x : R x + c <= 0, low <= x <= high}, cut by a ball if there is one. Maximise t over (x, t) with x and
x + t v in it: a linear program, if there is no ball, solved nearly by affine scaling (Dikin 1967): of the ellipsoid of
the logarithmic barrier around the iterate take the highest point in t, and go along the line to it nearly as far as the
polyhedron reaches. A few steps do, each as dear as the solution of n equations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST_STEPS = 10
_REACH = 0.9
# Beyond this size the first chord is taken as it is.
_LARGEST_COLUMNS = 600

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where both ends of a chord have to lie; everything in doubles."""

    rows: Floats
    shifts: Floats
    low: Floats
    high: Floats
    centre: Floats
    radius: float

    def slacks(self, x: Floats) -> Floats:
        """How far a point is from each wall; all positive inside."""
        offset = x - self.centre
        ball = self.radius**2 - offset @ offset
        return np.concatenate([-(self.rows @ x + self.shifts), x - self.low, self.high - x, [ball]])

    def reach(self, x: Floats, move: Floats) -> float:
        """The largest step from an inner point along a vector that stays inside; infinite where nothing stops it."""
        slacks = self.slacks(x)
        speeds = np.concatenate([self.rows @ move, -move, move])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            walls = np.where(speeds > 0, slacks[:-1] / speeds, np.inf).min(initial=np.inf)
        if not np.isfinite(self.radius):
            return float(walls)
        # |offset + s move|^2 = radius^2
        a, b = move @ move, (x - self.centre) @ move
        return float(min(walls, slacks[-1] / (b + np.sqrt(b * b + a * slacks[-1]))) if a else walls)

    def curvature(self, x: Floats) -> Floats:
        """The Hessian of the logarithmic barrier at an inner point."""
        slacks, k, n = self.slacks(x), len(self.rows), len(x)
        scaled = self.rows / slacks[:k, None]
        hessian = scaled.T @ scaled
        hessian[np.diag_indices(n)] += 1 / slacks[k : k + n] ** 2 + 1 / slacks[k + n : k + 2 * n] ** 2
        if np.isfinite(self.radius):
            offset = x - self.centre
            hessian[np.diag_indices(n)] += 2 / slacks[-1]
            hessian += 4 * np.outer(offset, offset) / slacks[-1] ** 2
        return np.asarray(hessian)


def long_chord(around: Surroundings, start: Floats, v: Floats) -> tuple[Floats, float]:
    """x and t, such that x and x + t v are inside and far apart; t = 0 where doubles do not do."""
    with np.errstate(all="ignore"):
        if not (around.slacks(start) > 0).all():
            return start, 0.0
        back, ahead = around.reach(start, -v), around.reach(start, v)
        if not (np.isfinite([back, ahead]).all() and back + ahead > 0):
            return start, 0.0
        x, t = start - back * v, back + ahead
        if len(start) > _LARGEST_COLUMNS or not len(around.rows):
            return x, t
        try:
            return _lengthened(around, start - _REACH * back * v, _REACH * t, v)
        except np.linalg.LinAlgError:
            return x, t


def _lengthened(around: Surroundings, x: Floats, t: float, v: Floats) -> tuple[Floats, float]:
    best = x, t
    # In few dimensions the first chord is a fifth of the longest or more.
    for _ in range(max(1, min(len(x) // 2 - 2, _MOST_STEPS))):
        one, other = around.curvature(x), around.curvature(x + t * v)
        # In (x, t): one + other, other v; v other, v other v. The highest point solves H d = (0, 1).
        along = other @ v
        moved = np.linalg.solve(one + other, np.column_stack([along]))[:, 0]
        dt = float(1 / (v @ along - along @ moved))
        dx = np.asarray(-moved * dt, dtype=np.float64)
        step = _REACH * min(around.reach(x, dx), around.reach(x + t * v, dx + dt * v))
        x, t = x + step * dx, t + step * dt
        if not (np.isfinite(x).all() and np.isfinite(t) and t > best[1]):
            break
        best = x, t
    return best
