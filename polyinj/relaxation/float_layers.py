"""Layers in floating point: what bounds ask of an affine map, every rounding bounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polyinj.relaxation.layer_bounds import AffineLayer, Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Forms, Rounding, middle, outward
from polyinj.relaxation.rules import Array


@dataclass(frozen=True, slots=True, eq=False)
class FloatLayer:
    """h -> Wh + b for batches of vectors, in float64, and of forms, whose products are those of `rounding`.

    `matrix` is W in the type of forms; where that rounds, each entry is off by at most one roundoff, a term more for
    the sums of `pull`.
    """

    weights: Floats
    absolute: Floats
    bias: Floats
    relu: Array
    matrix: Forms
    rounding: Rounding

    @classmethod
    def of(cls, layer: AffineLayer, rounding: Rounding) -> FloatLayer:
        """The same layer; weights and biases float64."""
        weights = np.ascontiguousarray(layer.weights)
        matrix = weights.astype(rounding.dtype, copy=False)
        return cls(weights, np.abs(weights), layer.bias, layer.relu, matrix, rounding)

    @property
    def rows(self) -> int:
        """Neurons."""
        return len(self.bias)

    @property
    def columns(self) -> int:
        """Inputs."""
        return int(self.weights.shape[1])

    def image(self, points: Floats) -> Floats:
        """Wh + b of vectors, shape (..., n) to (..., m), rounded: off by share(n + 1) times `sizes` of |h|."""
        values: Floats = points @ self.weights.T
        values += self.bias
        return values

    def spread(self, radii: Floats) -> Floats:
        """|W| r of vectors of nonnegative numbers, rounded up."""
        return DOUBLE.grown(radii @ self.absolute.T, self.columns)

    def sizes(self, magnitudes: Floats) -> Floats:
        """|W| |h| + |b|, rounded up: not less than |Wh + b|, nor than any part of it."""
        return DOUBLE.grown(self.spread(magnitudes) + np.abs(self.bias), 1)

    def pull(self, forms: Forms, out: Forms) -> Forms:
        """F W of forms F, shape (..., rows, m) to (..., rows, n), into `out`: off by share(m + 2) |F| |W|."""
        np.matmul(forms.reshape(-1, self.rows), self.matrix, out=out.reshape(-1, self.columns))
        return out

    def interval(self, inside: Bounds) -> Bounds:
        """Bounds of Wh + b for h in a box."""
        centre, radius = middle(inside.lower, inside.upper)
        share = DOUBLE.share(self.columns + 1)
        # One sum for |W| r and for what rounding does to the value at the centre, share |W| |c|.
        reach = self.spread(DOUBLE.grown(radius + share * np.abs(centre), 2))
        reach = DOUBLE.grown(reach + share * np.abs(self.bias), 2)
        return Bounds(*outward(self.image(centre), reach, reach))
