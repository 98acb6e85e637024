"""Does some point of a domain have given signs at given neurons? Floats find, rationals decide.

The signs ask for z with s_i R_i z > 0, and S z > 0 for the sides of the domain (as in `Layer.system`). Nonnegative
least squares proposes either z or multipliers lambda >= 0 of few rows that sum to zero (Gordan: one of the two exists).
A z is accepted if each product is positive beyond a bound of its rounding; multipliers, if those of the exact rows have
one sign. Where neither holds, `solve_strictly` decides.

A ball is no polyhedron. A cell that exists in R^n meets the open ball iff its closure has a point nearer to the centre
than the radius. Least distance programming proposes the nearest point p and its multipliers u >= 0; with
d = sum u_i w_i and e = -sum u_i h_i, d.y >= e in the cell, so by Cauchy and Schwarz e >= r |d| shows that it misses the
open ball. A point on the way from p to one inside the cell shows that it meets it. Where rounding leaves a doubt, p
comes from exact projection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from polyinj.certificates.domain import Ball, Box, Domain
from polyinj.certificates.layer import Layer
from polyinj.exact import algebra, arrays
from polyinj.exact.farkas import solve_strictly
from polyinj.geometry.cone_definition import ConeDefinition
from polyinj.geometry.exact_projection import project_exactly

Floats = NDArray[np.float64]

_UNIT, _TINY = 2.0**-53, 1e-300
_STEPS = tuple(2.0**-k for k in range(1, 40))


@dataclass(frozen=True, slots=True)
class CellPoint:
    """The signs exist. `point` is a strict z in floats, or None where only rationals are fine enough."""

    point: Floats | None


@dataclass(slots=True, eq=False)
class CellFinder:
    """Cells of the neurons of a layer that meet the interior of its domain."""

    layer: Layer
    rows: algebra.IntegerRows = field(init=False)
    sides: algebra.IntegerRows = field(init=False)
    floats: Floats = field(init=False)
    side_floats: Floats = field(init=False)
    ball: Ball | None = field(init=False)

    def __post_init__(self) -> None:
        lifted = self.layer.lifted()
        self.rows, self.sides = arrays.integer_rows(lifted) if len(lifted) else [], self.layer.sides()
        dimension = self.layer.weights.shape[1] + (not self.layer.is_linear)
        self.floats, self.side_floats = _unit_rows(self.rows, dimension), _unit_rows(self.sides, dimension)
        domain = self.layer.domain
        self.ball = domain if isinstance(domain, Ball) and not self.layer.is_linear else None

    def sign(self, neuron: int, point: Floats) -> int:
        """The sign of a neuron at a float z, where it is certain; else 0."""
        row = self.floats[neuron]
        value, size = float(row @ point), float(np.abs(row) @ np.abs(point))
        return 0 if abs(value) <= product_error(len(row)) * size + _TINY else (1 if value > 0 else -1)

    def find(self, neurons: Sequence[int], signs: Sequence[int]) -> CellPoint | None:
        """Whether a point of the open domain has these signs at these neurons."""
        factors = np.array(signs, dtype=np.float64)[:, None]
        rows = np.concatenate([factors * self.floats[list(neurons)], self.side_floats])
        if not len(rows):
            return CellPoint(np.ones(self.floats.shape[1]))
        found = self._cone(rows, neurons, signs)
        if found is None or self.ball is None:
            return found
        if found.point is not None and self._surrounds(found.point):
            return found
        return self._meet_ball(rows, neurons, signs, found.point)

    def witness(self, neurons: Sequence[int], signs: Sequence[int], point: Floats | None) -> list[Fraction]:
        """The input, in rationals, at a point that `find` found, or another one with the same signs."""
        if point is not None:
            return self._input([Fraction(entry) for entry in point.tolist()])
        if self.ball is None:
            return self._input(self._exact_point(neurons, signs))
        near, inner = self._exact_nearest(neurons, signs), self._input(self._exact_point(neurons, signs))
        between = ([p + step * (q - p) for p, q in zip(near, inner, strict=True)] for step in ever_smaller_steps())
        return next(point for point in between if self.ball.surrounds(point))

    def _input(self, z: Sequence[Fraction]) -> list[Fraction]:
        return self.layer.input(z)

    def _signed(self, neurons: Sequence[int], signs: Sequence[int]) -> algebra.IntegerRows:
        signed = [[s * entry for entry in self.rows[i]] for i, s in zip(neurons, signs, strict=True)]
        return [*signed, *self.sides]

    def refuted(self, neurons: Sequence[int], signs: Sequence[int], lengths: Floats | None = None) -> list[int]:
        """Of signs that `find` refused some that no point has, for each neuron; 0 for the others, mostly many.

        Neurons of greater length are preferred.
        """
        rows = np.array(signs, dtype=np.float64)[:, None] * self.floats[list(neurons)]
        if lengths is not None:
            rows = rows * lengths[:, None]
        weights = _balance(np.concatenate([rows, self.side_floats]))
        places: Sequence[int] = [] if weights is None else np.flatnonzero(weights).tolist()
        if not self._cancel(places, neurons, signs):
            places = range(len(neurons)) if self.ball is None else self._beside_ball(neurons, signs)
        refused = [0] * len(self.rows)
        for place in places:
            if place < len(neurons):
                refused[neurons[place]] = signs[place]
        return refused

    def _beside_ball(self, neurons: Sequence[int], signs: Sequence[int]) -> Sequence[int]:
        """The places of signs that already keep a cell out of the ball: those that hold its nearest point."""
        assert self.ball is not None
        rows = np.array(signs, dtype=np.float64)[:, None] * self.floats[list(neurons)]
        lengths = np.linalg.norm(rows[:, :-1], axis=1)
        if lengths.all():
            centre = np.array([float(entry) for entry in self.ball.centre])
            heights = -(rows[:, -1] + rows[:, :-1] @ centre) / lengths
            _, multipliers = least_distance(rows[:, :-1] / lengths[:, None], heights)
            places: list[int] = np.flatnonzero(multipliers > 0).tolist()
            few = [neurons[place] for place in places], [signs[place] for place in places]
            if places and self.find(*few) is None:
                return places
        return range(len(neurons))

    def _cone(self, rows: Floats, neurons: Sequence[int], signs: Sequence[int]) -> CellPoint | None:
        weights = _balance(rows)
        if weights is None:
            return self._settle(neurons, signs)
        point = weights @ rows
        size = float(np.abs(point).max())
        if size > 0:
            point /= size
            if (rows @ point > product_error(len(point)) * (np.abs(rows) @ np.abs(point)) + _TINY).all():
                return CellPoint(point)
        return None if self._cancel(np.flatnonzero(weights).tolist(), neurons, signs) else self._settle(neurons, signs)

    def _cancel(self, support: Sequence[int], neurons: Sequence[int], signs: Sequence[int]) -> bool:
        """Whether some of these signed rows and sides, with positive multipliers, have the sum 0: exactly."""
        signed = self._signed(neurons, signs)
        combinations = algebra.kernel(list(zip(*(signed[i] for i in support), strict=True)), len(support))
        return any(min(multipliers) >= 0 or max(multipliers) <= 0 for multipliers in combinations)

    def _settle(self, neurons: Sequence[int], signs: Sequence[int]) -> CellPoint | None:
        exists = solve_strictly(self._signed(neurons, signs), [], self.floats.shape[1]) is not None
        return CellPoint(None) if exists else None

    def _exact_point(self, neurons: Sequence[int], signs: Sequence[int]) -> list[Fraction]:
        point = solve_strictly(self._signed(neurons, signs), [], self.floats.shape[1])
        assert point is not None, "the cell was found to exist"
        return [Fraction(entry) for entry in point]

    def _surrounds(self, point: Floats) -> bool:
        assert self.ball is not None
        return self.ball.surrounds(self._input([Fraction(entry) for entry in point.tolist()]))

    def _meet_ball(
        self, rows: Floats, neurons: Sequence[int], signs: Sequence[int], inner: Floats | None
    ) -> CellPoint | None:
        assert self.ball is not None
        signed = self._signed(neurons, signs)
        # The side t > 0 is no hyperplane of the cell, and a row of a neuron that is constant neither.
        places = [k for k, row in enumerate(signed) if any(row[:-1])]
        centre = np.array([float(entry) for entry in self.ball.centre])
        if not places:
            middle = np.append(centre, 1.0)
            return CellPoint(middle if self._surrounds(middle) else None)
        lengths = np.linalg.norm(rows[places, :-1], axis=1)
        if not lengths.all():
            return self._settle_ball(neurons, signs)
        normals = rows[places, :-1] / lengths[:, None]
        heights = -(rows[places, -1] + rows[places, :-1] @ centre) / lengths
        near, multipliers = least_distance(normals, heights)
        combined = [Fraction(0)] * len(signed[0])
        for k, multiplier in zip(places, (multipliers / lengths).tolist(), strict=True):
            if multiplier > 0:
                share = Fraction(multiplier) / _ratio(signed[k], rows[k])
                combined = [a + share * b for a, b in zip(combined, signed[k], strict=True)]
        level = -combined[-1] - sum((d * c for d, c in zip(combined, self.ball.centre, strict=False)), Fraction(0))
        if level > 0 and level**2 >= self.ball.radius**2 * sum(entry * entry for entry in combined[:-1]):
            return None
        if inner is not None and near is not None:
            start = inner[:-1] / inner[-1]
            for step in _STEPS:
                point = np.append(centre + near + step * (start - centre - near), 1.0)
                certain = rows @ point > product_error(len(point)) * (np.abs(rows) @ np.abs(point)) + _TINY
                if certain.all() and self._surrounds(point):
                    return CellPoint(point)
        return self._settle_ball(neurons, signs)

    def _settle_ball(self, neurons: Sequence[int], signs: Sequence[int]) -> CellPoint | None:
        assert self.ball is not None
        return CellPoint(None) if self.ball.surrounds(self._exact_nearest(neurons, signs)) else None

    def _exact_nearest(self, neurons: Sequence[int], signs: Sequence[int]) -> list[Fraction]:
        """The point of the closure nearest to the centre of the ball, in the manner of `BallCover._settle`."""
        assert self.ball is not None
        centre = self.ball.centre
        rays = []
        for row in self._signed(neurons, signs):
            if any(row[:-1]):
                height = row[-1] + sum((w * c for w, c in zip(row, centre, strict=False)), Fraction(0))
                rays.append(_integers([*row[:-1], -height]))
        n = len(centre)
        lifted = project_exactly(
            ConeDefinition("rays", n + 1, tuple(rays), ()), [Fraction(0)] * n + [Fraction(1)]
        ).projection
        return [c + entry / (1 - lifted[-1]) for c, entry in zip(centre, lifted[:-1], strict=True)]


def is_inside(domain: Domain | None, point: Sequence[Fraction]) -> bool:
    """Whether a point is in the interior of a domain."""
    if isinstance(domain, Ball):
        return domain.surrounds(point)
    if isinstance(domain, Box):
        return all(
            (a is None or a < x) and (b is None or x < b)
            for a, x, b in zip(domain.lower, point, domain.upper, strict=True)
        )
    return True


def ever_smaller_steps() -> Iterator[Fraction]:
    """1, 1/2, 1/4, 1/16, 1/256, ...: what needs a step below 2^-1000 meets one soon."""
    step = Fraction(1)
    while True:
        yield step
        step = step * step if step < 1 else step / 2


def product_error(length: int) -> float:
    """Bounds the rounding of a dot product with a rounded row, as a share of the sum of the sizes of its terms."""
    return (length + 8) * 2 * _UNIT


def _balance(rows: Floats) -> Floats | None:
    """Multipliers >= 0, of sum 1 about, of the least combination of rows; None where least squares give up."""
    generators = np.vstack([rows.T, np.ones(len(rows))])
    target = np.zeros(len(generators))
    target[-1] = 1.0
    try:
        weights, _ = nnls(generators, target, maxiter=10 * sum(generators.shape))
    except RuntimeError:
        return None
    return np.asarray(weights)


def _unit_rows(rows: algebra.IntegerRows, columns: int) -> Floats:
    """Integer rows over their largest entry: each entry is right to one half-ulp, and one more where it is scaled."""
    if not rows:
        return np.zeros((0, columns))
    sizes = [max(map(abs, row)) or 1 for row in rows]
    floats = np.array([[entry / size for entry in row] for row, size in zip(rows, sizes, strict=True)])
    lengths = np.linalg.norm(floats, axis=1, keepdims=True)
    unit: Floats = floats / np.where(lengths > 0, lengths, 1.0)
    return unit


def least_distance(normals: Floats, heights: Floats) -> tuple[Floats | None, Floats]:
    """(y, u): the point nearest to 0 where normals y >= heights, and multipliers (Lawson, Hanson 1974, chapter 23)."""
    target = np.append(np.zeros(normals.shape[1]), 1.0)
    try:
        weights, _ = nnls(np.vstack([normals.T, heights]), target, maxiter=30 * sum(normals.shape))
    except RuntimeError:
        return None, np.zeros(len(normals))
    share = 1.0 - float(weights @ heights)
    if share <= 0:
        return None, weights
    return (weights @ normals) / share, weights / share


def _ratio(row: Sequence[int], unit: Floats) -> Fraction:
    """How many times longer an integer row is than its double."""
    place = max(range(len(row)), key=lambda j: abs(row[j]))
    return row[place] / Fraction(float(unit[place]))


def _integers(row: Sequence[Any]) -> tuple[int, ...]:
    return tuple(arrays.integer_rows(np.array([[Fraction(entry) for entry in row]], dtype=object))[0])
