"""A ball as domain: search a polyhedron around it, and cut off what lies outside.

    cuts: the sides of the cube around the ball
    repeat: search the polyhedron of the cuts
            injective there: injective on the ball, and the proof names its cuts
            a witness z:     let the rows outside a flat be the ones that are inactive at z; every point of the cell
                             where they are inactive is a witness, and p is the point nearest to the centre in it
                             p inside the ball: a witness in the ball, beside p
                             else cut by the half-space that touches the ball in the direction of p

By Cauchy and Schwarz a cut d with |d| >= radius loses no point of the ball. Each round cuts off one cell of finitely
many, so the rounds end. Before it cuts, a cell may be left for one nearer to the centre: over the row that keeps p away
the most, as long as the active rows do not span.

Floating point proposes p, its multipliers and d; whether p is inside and whether d cuts off the whole cell is decided
in rationals. Where rounding leaves a doubt, p comes from exact projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from polyinj.certificates.domain import Ball, squared_length
from polyinj.certificates.layer import Layer, LayerName, read_layer
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.exact import algebra, arrays
from polyinj.exact.arrays import Point
from polyinj.exact.lossless import shorten
from polyinj.geometry.cone_definition import ConeDefinition
from polyinj.geometry.exact_projection import project_exactly
from polyinj.injectivity.collide import active_rows

# Bits that cuts are rounded to, and by how much they are longer than the radius.
_BITS, _SLACK = 26, 2.0**-22
# How far behind the hyperplanes a witness in the ball is sought: the farthest is tried first.
_DEPTHS = tuple(2.0**-k for k in (0, 1, 2, 3, 5, 8, 12, 17, 23, 30, 38))
_STEPS = 100

Floats = NDArray[np.float64]


@dataclass(slots=True)
class BallCover:
    """The polyhedron around the ball that is the domain of a layer, in coordinates y = (x - centre) / scale.

    The scale is a power of two that brings the radius to [1, 2).
    """

    original: Layer
    scale: Fraction = field(init=False)
    local: Layer = field(init=False)
    radius: Fraction = field(init=False)
    rows: algebra.IntegerRows = field(init=False)
    lifted: algebra.IntegerRows = field(init=False)
    sizes: list[Fraction] = field(init=False)
    normals: Floats = field(init=False)
    heights: Floats = field(init=False)
    cuts: list[Point] = field(init=False)

    def __post_init__(self) -> None:
        ball = self.original.domain
        assert isinstance(ball, Ball)
        numerator, denominator = ball.radius.as_integer_ratio()
        exponent = numerator.bit_length() - denominator.bit_length()
        exponent -= ball.radius < Fraction(2) ** exponent
        self.scale = Fraction(2) ** exponent
        self.radius = ball.radius / self.scale
        n = ball.columns
        weights = arrays.fractions(self.original.weights)
        bias = (
            [Fraction(0)] * len(weights) if self.original.bias is None else map(Fraction, self.original.bias.tolist())
        )
        moved = [b + algebra.dot(row, ball.centre) for row, b in zip(weights, bias, strict=True)]
        scaled = [[entry * self.scale for entry in row] for row in weights]
        self.local = read_layer(shorten(np.array(scaled)), shorten(np.array(moved)), Ball.at_origin(n, self.radius))
        self.rows = arrays.integer_rows(self.original.weights)
        self.lifted = arrays.integer_rows(self.local.lifted())
        floats, _ = arrays.float_rows(self.local.lifted())
        lengths = np.linalg.norm(floats[:, :-1], axis=1, keepdims=True)
        floats = floats / np.where(lengths > 0, lengths, 1.0)
        self.normals, self.heights = floats[:, :-1], floats[:, -1]
        self.sizes = [_ratio(row, unit) for row, unit in zip(self.lifted, floats.tolist(), strict=True)]
        units = [[Fraction(int(i == j)) for i in range(n)] for j in range(n)]
        self.cuts = [tuple(sign * self.radius * entry for entry in unit) for unit in units for sign in (-1, 1)]

    @property
    def layer(self) -> Layer:
        """The layer in the coordinates y, on the polyhedron."""
        return self.local.covered(self.cuts)

    def proof(self, local: InjectivityProof) -> InjectivityProof:
        """What a proof about `layer` says of the original one. Clauses do not mind linear maps of R^N."""
        first = len(self.rows) + 2
        # Side 0 is t > 0, side k + 1 is cut k, so -(m + 2 + k) names it. Only the cuts that a clause names are kept.
        is_cut = local.circuits <= -first
        named, places = np.unique(-first - local.circuits[is_cut], return_inverse=True)
        circuits = local.circuits.copy()
        circuits[is_cut] = -first - places
        cuts = tuple(tuple(self.scale * entry for entry in self.cuts[k]) for k in named.tolist())
        return replace(local, layer=LayerName.of(self.original), circuits=circuits, cuts=cuts)

    def exclude(self, point: Sequence[Fraction]) -> list[Fraction] | None:
        """Cut off a witness, given in coordinates y; a witness in the open ball, in coordinates x, if one is found."""
        ball = self.local.domain
        assert isinstance(ball, Ball)
        if ball.surrounds(point):
            return self._input(point)
        first = self._outside(active_rows(self.local, point))
        assert first is not None, "the active rows were checked not to span"
        nearer = self._approach(first)
        for outside in [nearer, first] if nearer != first else [first]:
            cut = self._cut(*self._combined(outside, self._nearest(outside)[1]))
            if cut is None and (found := self._inside(outside)) is not None:
                return self._input(found)
            # The cell that is left for a nearer one comes again, unless the cut takes this point of it too.
            if cut is not None and (outside is first or algebra.dot(cut, point) >= squared_length(cut)):
                self.cuts.append(cut)
                return None
        return self._settle(first, point)

    def _input(self, point: Sequence[Fraction]) -> list[Fraction]:
        ball = self.original.domain
        assert isinstance(ball, Ball)
        return [c + self.scale * entry for c, entry in zip(ball.centre, point, strict=True)]

    def _outside(self, active: Sequence[int]) -> list[int] | None:
        """The rows outside the flat of the active ones, of which a few are released if the flat is small; None: R^n.

        A row in the flat may be active too without any loss, so it need not bound the cell.
        """
        normals = algebra.kernel([self.rows[i] for i in active], self.local.weights.shape[1])
        if not normals:
            return None
        return [i for i, row in enumerate(self.rows) if any(algebra.product(normals, row))]

    def _nearest(self, outside: list[int], depth: float = 0.0) -> tuple[Floats, Floats]:
        """(y, u), in floats: the point nearest to 0 where these rows are <= -depth, and its multipliers: y = -u @ w.

        Least distance programming (Lawson, Hanson 1974, chapter 23): min |y| subject to G y >= h is the nonnegative
        least squares problem min |E u - f| with E = (G'; h'), f = (0, ..., 0, 1) and residual (r, s): y = -r / s.
        """
        normals, heights = self.normals[outside], self.heights[outside] + depth
        target = np.append(np.zeros(normals.shape[1]), 1.0)
        try:
            weights, _ = nnls(np.vstack([-normals.T, heights]), target, maxiter=30 * sum(normals.shape))
        except RuntimeError:
            weights = np.zeros(len(outside))
        with np.errstate(all="ignore"):
            share = 1.0 - float(weights @ heights)
            near, multipliers = -(weights @ normals) / share, weights / share
        if not (share > 0 and np.isfinite(near).all() and np.isfinite(multipliers).all()):
            return np.full(normals.shape[1], np.inf), np.zeros(len(outside))
        return near, multipliers

    def _approach(self, outside: list[int]) -> list[int]:
        """Another cell of witnesses, as near to the centre as single steps over one hyperplane lead."""
        near, multipliers = self._nearest(outside)
        for _ in range(_STEPS):
            length = float(np.linalg.norm(near))
            if not length > 0.0 or not np.isfinite(length):
                break
            values = self.normals @ near + self.heights
            inactive = set(outside)
            positive = [i for i in range(len(self.rows)) if i not in inactive and values[i] > 1e-9]
            for place in np.argsort(-multipliers):
                if multipliers[place] <= 0:
                    return outside
                candidate = self._outside([*positive, outside[place]])
                if candidate is None:
                    continue
                moved, weights = self._nearest(candidate)
                if np.linalg.norm(moved) < length * (1 - 1e-6):
                    outside, near, multipliers = candidate, moved, weights
                    break
            else:
                return outside
        return outside

    def _combined(self, outside: list[int], multipliers: Floats) -> tuple[list[Fraction], Fraction]:
        """(d, e) with d = -sum u_i w_i and e = sum u_i b_i for the multipliers u >= 0: in the cell d.y >= e."""
        combined = [Fraction(0)] * len(self.lifted[0])
        for i, multiplier in zip(outside, multipliers.tolist(), strict=True):
            if multiplier > 0:
                share = Fraction(multiplier) / self.sizes[i]
                combined = [a + share * b for a, b in zip(combined, self.lifted[i], strict=True)]
        return [-entry for entry in combined[:-1]], combined[-1]

    def _cut(self, direction: list[Fraction], height: Fraction) -> Point | None:
        """A cut that excludes every y of the cube with direction.y >= height; None where that cuts the ball.

        The exact one is the nearest point of that half-space. A short cut near t direction, t = radius / |direction|,
        excludes it within the cube if its squared length is at most t height - radius |cut - t direction|_1.
        """
        square = squared_length(direction)
        if height <= 0 or height**2 < self.radius**2 * square:
            return None
        t = Fraction(float(self.radius) / float(square) ** 0.5)
        short = tuple(Fraction(round(entry * t * (1 + _SLACK) * 2**_BITS), 2**_BITS) for entry in direction)
        missed = sum((abs(a - t * b) for a, b in zip(short, direction, strict=True)), Fraction(0))
        if self.radius**2 <= squared_length(short) <= t * height - self.radius * missed:
            return short
        return tuple(height / square * entry for entry in direction)

    def _inside(self, outside: list[int]) -> list[Fraction] | None:
        """A witness in the open ball, away from the hyperplanes of these rows as far as possible."""
        ball = self.local.domain
        assert isinstance(ball, Ball)
        for depth in _DEPTHS:
            near, _ = self._nearest(outside, depth)
            if not np.linalg.norm(near) < float(self.radius):
                continue
            point = [Fraction(entry) for entry in near.tolist()]
            if ball.surrounds(point) and self._outside(active_rows(self.local, point)) is not None:
                return point
        return None

    def _settle(self, outside: list[int], witness: Sequence[Fraction]) -> list[Fraction] | None:
        """A cut of the cell of a witness, or a witness in the ball, by exact projection."""
        ball = self.local.domain
        assert isinstance(ball, Ball)
        rays = tuple((*(-entry for entry in self.lifted[i][:-1]), self.lifted[i][-1]) for i in outside)
        n = len(witness)
        lifted = project_exactly(ConeDefinition("rays", n + 1, rays, ()), [Fraction(0)] * n + [Fraction(1)]).projection
        near = [entry / (1 - lifted[-1]) for entry in lifted[:-1]]
        if (cut := self._cut(near, squared_length(near))) is not None:
            self.cuts.append(cut)
            return None
        towards = [b - a for a, b in zip(near, witness, strict=True)]
        step = min(Fraction(1, 2), ball.step_inside(near, towards))
        return self._input([a + step * b for a, b in zip(near, towards, strict=True)])


def _ratio(row: Sequence[int], unit: Sequence[float]) -> Fraction:
    """How many times longer a row is than the vector in doubles along it."""
    place = max(range(len(row)), key=lambda j: abs(row[j]))
    return row[place] / Fraction(unit[place]) if row[place] else Fraction(1)
