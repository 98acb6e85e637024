"""A witness of a large layer by one descent of a smoothed count of active rows: two products of the weights a step.

The count of active rows is replaced by a sum of E(h / s + margin), h the value of a row of length sqrt(n) at x of
length 1, as in annealing (csrc/annealing.h); here one point moves, from minus the mean of the unit rows, where few rows
are active already, and the weights are neither copied nor transformed. Up to m/n of about 3.5 the start is a witness of
a Gaussian layer, at m/n = 4 some 15 steps find one, at 5 about 50, at 6 about 120.

On R^n, on a box that is a cone and on a ball around 0 without bias points are directions; a bias is left aside, and the
point lies far out. On other boxes and balls x = centre + radius y, and y moves in [-1, 1]^n or in the unit ball. Every
step ends with the projection to the domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import Layer
from polyinj.exact.arrays import float_rows
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.products import Device, products

_FIRST_SCALE, _LAST_SCALE, _MARGIN, _FRICTION = 0.45, 0.012, 0.25, 0.95
# Lengths of rows at which neither their squares nor those of values leave the range of doubles.
_LEAST, _MOST = 1e-140, 1e140
_FARTHEST = 1e300
# Coordinates stay this far from the walls of the domain, in units of its size.
_OFF_WALL = 1e-4
_BITS = (16, 24, 40)

Floats = NDArray[np.float64]


class SmoothDescent:
    """Descents on a layer.

    Attributes
    ----------
    fewest : int
        The fewest active rows with nonzero weights, in doubles, at a point that was visited.
    best : ndarray, shape (n,)
        Where, in the coordinates y; None before the first descent.
    """

    def __init__(self, layer: Layer, device: Device = "numpy") -> None:
        rows, bias = layer.weights, layer.bias
        columns = rows.shape[1]
        if not _is_tame(rows):
            scaled, _ = float_rows(rows if bias is None else layer.lifted())
            rows, bias = scaled[:, :columns], None if bias is None else scaled[:, -1]
        self._layer, self._rows, self._bias = layer, rows, bias
        self._place = _Place.of(layer)
        lengths = np.sqrt(np.einsum("ij,ij,j->i", rows, rows, self._place.radius**2, optimize=False))
        self._spanning = lengths > 0
        self._inverse = np.where(self._spanning, np.sqrt(columns) / np.where(self._spanning, lengths, 1), 0.0)
        self._shift = np.zeros(len(rows))
        if self._place.is_local:
            self._shift = (rows @ self._place.centre + (0 if bias is None else bias)) * self._inverse
        self._products = products(device, rows, self._inverse)
        self.fewest = len(rows) + 1
        self.best: Floats | None = None

    def run(self, steps: int, limits: Limits, start: Floats | None = None) -> bool:
        """Descend over a number of steps; whether fewer than n rows were active at a point, in doubles.

        From minus the mean of the unit rows, or from another start.
        """
        place, n = self._place, self._rows.shape[1]
        if start is None:
            start = -place.radius * self._products.force(np.ones(len(self._rows)))
        y = place.projected(start, begin=True)
        velocity, scale, ratio = np.zeros(n), _FIRST_SCALE, (_LAST_SCALE / _FIRST_SCALE) ** (1 / steps)
        for _ in range(steps):
            values = self._products.values(place.radius * y) + self._shift
            active = int((values >= 0).sum() - (~self._spanning).sum())
            if active < self.fewest:
                self.fewest, self.best = active, y
            if active < n or not limits.leave(0):
                break
            u = np.maximum(values / scale + _MARGIN, 0)
            force = place.radius * self._products.force(u / (1 + u * u) ** 2)
            velocity = _FRICTION * velocity - scale / n * force
            y = place.projected(y + velocity)
            scale *= ratio
        return bool(self.fewest < n)

    def points(self) -> list[list[Fraction]]:
        """The best point of the descents in short rationals, then in longer ones."""
        return [] if self.best is None else [self._rational(self._place.input(self.best), bits) for bits in _BITS]

    def _rational(self, x: Floats, bits: int) -> list[Fraction]:
        down = bits - int(np.frexp(np.abs(x).max())[1])
        short = self._place.rounded(np.ldexp(x, down))
        point = [Fraction(int(entry)) for entry in short.tolist()]
        if self._place.is_local:
            return [entry * Fraction(2) ** -down for entry in point]
        if self._bias is None:
            return self._layer.input(point)
        # So far out that the bias keeps inactive rows inactive.
        values = self._rows @ short
        against = (values < 0) & (self._bias > 0)
        with np.errstate(over="ignore"):
            height = (self._bias[against] / -values[against]).max(initial=1.0)
        far = Fraction(2) ** (int(np.frexp(min(height, _FARTHEST))[1]) + 1)
        return [entry * far for entry in point]


class _Place:
    """Where y moves: coordinates of the domain in which its size is about 1."""

    def __init__(self, centre: Floats, radius: Floats, low: Floats, high: Floats, kind: type | None) -> None:
        self.centre, self.radius, self.low, self.high = centre, radius, low, high
        self.kind = kind

    @classmethod
    def of(cls, layer: Layer) -> _Place:
        domain, columns = layer.domain, layer.weights.shape[1]
        zero, one = np.zeros(columns), np.ones(columns)
        if isinstance(domain, Ball) and not layer.is_linear:
            return cls(_doubles(domain.centre), one * float(domain.radius), -np.inf * one, np.inf * one, Ball)
        if not isinstance(domain, Box):
            return cls(zero, one, -np.inf * one, np.inf * one, None)
        lower, upper = _doubles(domain.lower, -np.inf), _doubles(domain.upper, np.inf)
        if domain.acts_as_cone:
            off = _OFF_WALL / np.sqrt(columns)
            return cls(zero, one, np.where(lower == 0, off, -np.inf), np.where(upper == 0, -off, np.inf), None)
        bounded = np.isfinite(lower) & np.isfinite(upper)
        with np.errstate(invalid="ignore"):
            middle = np.where(bounded, (lower + upper) / 2, np.where(np.isfinite(lower), lower, upper))
            radius = np.where(bounded, (upper - lower) / 2, np.maximum(1, np.abs(middle)))
        centre, radius = np.where(np.isfinite(middle), middle, 0.0), np.where(np.isfinite(radius), radius, 1.0)
        # Between sides that are one double there is nothing to move along.
        radius = np.maximum(radius, np.finfo(np.float64).tiny)
        low, high = (lower - centre) / radius, (upper - centre) / radius
        return cls(centre, radius, low + _OFF_WALL, high - _OFF_WALL, Box)

    @property
    def is_local(self) -> bool:
        """Whether y is a point of a bounded or shifted domain, not a direction."""
        return self.kind is not None

    def projected(self, y: Floats, *, begin: bool = False) -> Floats:
        """Into the domain; a direction to length about 1, and so any point to begin with."""
        y = np.minimum(np.maximum(y, self.low), self.high)
        length = float(np.linalg.norm(y))
        if self.kind is Box:
            if begin and length:
                y = np.minimum(np.maximum(y * (np.sqrt(len(y)) / 2 / length), self.low), self.high)
            return np.asarray(y)
        if self.kind is Ball and not begin and length <= 1 - _OFF_WALL:
            return np.asarray(y)
        if not length:
            return np.full(len(y), (1 - _OFF_WALL) / np.sqrt(len(y)))
        return np.asarray(y * ((1 - _OFF_WALL) / length))

    def input(self, y: Floats) -> Floats:
        return np.asarray(self.centre + self.radius * y)

    def rounded(self, x: Floats) -> Floats:
        """To integers, off the walls of a cone."""
        short = np.rint(x)
        if not self.is_local:
            short = np.where(self.low > -np.inf, np.maximum(short, 1), short)
            short = np.where(self.high < np.inf, np.minimum(short, -1), short)
        return np.asarray(short)


def _is_tame(weights: NDArray[Any]) -> bool:
    """Whether doubles hold the squares of all lengths."""
    if weights.dtype != np.float64:
        return False
    lengths = np.sqrt(np.einsum("ij,ij->i", weights, weights))
    return bool((((lengths > _LEAST) & (lengths < _MOST)) | ~weights.any(axis=1)).all())


def _doubles(sides: Sequence[Fraction | None], none: float = 0.0) -> Floats:
    """The sides as doubles, infinite beyond their range."""
    found = []
    for side in sides:
        try:
            found.append(none if side is None else float(side))
        except OverflowError:
            found.append(np.inf if side is not None and side > 0 else -np.inf)
    return np.array(found)
