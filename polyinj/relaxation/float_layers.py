"""Layers in floating point: what bounds ask of an affine map, every rounding bounded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy

import numpy as np
from scipy import sparse

from polyinj.relaxation.layer_bounds import AffineLayer, Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Forms, Rounding, Workspace, middle, outward
from polyinj.relaxation.rules import Array
from polyinj.relaxation.sparsity import Pattern, pattern_of

# A matrix of that many entries or more is searched for zeros; its blocks are used where they have at most that share
# of its entries.
_SEARCHED = 1 << 14
_SHARE = 1 / 8
# Of what groups read of the vectors that are multiplied at once.
_READ_BYTES = 1 << 20


class FloatLayer(ABC):
    """h -> Wh + b for batches of vectors, in float64, and of forms, whose products are those of `rounding`.

    W in the type of forms may be rounded: each entry is off by at most one roundoff, a term more for the sums of
    `pull`.
    """

    def __init__(self, layer: AffineLayer, rounding: Rounding) -> None:
        self.bias: Floats = layer.bias
        self.relu: Array = layer.relu
        self.rounding = rounding
        self.rows, self.columns = map(int, layer.weights.shape[-2:])

    # The most entries that are not 0 of a row of W.
    terms: int

    @abstractmethod
    def _times(self, points: Floats) -> Floats:
        """Wh of vectors, shape (..., n) to (..., m), as a new array."""

    @abstractmethod
    def _absolute_times(self, sizes: Floats) -> Floats:
        """|W| r."""

    @abstractmethod
    def dense(self) -> Floats:
        """W entry by entry, shape (m, n)."""

    @abstractmethod
    def matrix(self) -> Forms:
        """W entry by entry in the type of forms."""

    @abstractmethod
    def pull(self, forms: Forms, out: Forms) -> Forms:
        """F W of forms F, shape (..., m) to (..., n), into `out`: off by share(m + 2) |F| |W|."""

    def image(self, points: Floats) -> Floats:
        """Wh + b of vectors, shape (..., n) to (..., m), rounded: off by share(terms + 1) times `sizes` of |h|."""
        values = self._times(points)
        values += self.bias
        return values

    def spread(self, radii: Floats) -> Floats:
        """|W| r of vectors of nonnegative numbers, rounded up."""
        return DOUBLE.grown(self._absolute_times(radii), self.terms)

    def sizes(self, magnitudes: Floats) -> Floats:
        """|W| |h| + |b|, rounded up: not less than |Wh + b|, nor than any part of it."""
        return DOUBLE.grown(self.spread(magnitudes) + np.abs(self.bias), 1)

    def interval(self, inside: Bounds) -> Bounds:
        """Bounds of Wh + b for h in a box."""
        centre, radius = middle(inside.lower, inside.upper)
        share = DOUBLE.share(self.terms + 1)
        # One sum for |W| r and for what rounding does to the value at the centre, share |W| |c|.
        reach = self.spread(DOUBLE.grown(radius + share * np.abs(centre), 2))
        reach = DOUBLE.grown(reach + share * np.abs(self.bias), 2)
        return Bounds(*outward(self.image(centre), reach, reach))


class DenseLayer(FloatLayer):
    """A layer whose matrix is held entry by entry."""

    def __init__(self, layer: AffineLayer, rounding: Rounding) -> None:
        super().__init__(layer, rounding)
        self._weights = np.ascontiguousarray(layer.weights)
        self.terms = self.columns
        self._absolute = np.abs(self._weights)
        self._matrix = self._weights.astype(rounding.dtype, copy=False)

    def _times(self, points: Floats) -> Floats:
        return np.asarray(points @ self._weights.T)

    def _absolute_times(self, sizes: Floats) -> Floats:
        return np.asarray(sizes @ self._absolute.T)

    def dense(self) -> Floats:
        """W."""
        return self._weights

    def matrix(self) -> Forms:
        """W in the type of forms."""
        return self._matrix

    def pull(self, forms: Forms, out: Forms) -> Forms:
        """F W of forms F."""
        np.matmul(forms.reshape(-1, self.rows), self._matrix, out=out.reshape(-1, self.columns))
        return out


class SparseLayer(FloatLayer):
    """A layer of few entries, such as a convolution: products go by groups of rows that read the same columns."""

    def __init__(self, weights: sparse.csr_array, layer: AffineLayer, rounding: Rounding) -> None:
        super().__init__(layer, rounding)
        self.pattern = pattern_of(weights)
        self.terms = self.pattern.support.shape[1]
        self._blocks = _Blocks(self.pattern, weights.data)
        self._absolute = self._blocks.absolute()
        # What stands behind the entries is the 0 that patterns fill up with.
        self.data = np.append(weights.data, 0).astype(rounding.dtype, copy=False)
        self._weights = weights
        self._back: _Blocks | None = None

    def _times(self, points: Floats) -> Floats:
        return self._blocks.times(points)

    def _absolute_times(self, sizes: Floats) -> Floats:
        return self._absolute.times(sizes)

    def dense(self) -> Floats:
        """W."""
        return np.asarray(self._weights.toarray())

    def matrix(self) -> Forms:
        """W in the type of forms."""
        return self.dense().astype(self.rounding.dtype, copy=False)

    def pull(self, forms: Forms, out: Forms) -> Forms:
        """F W of forms F."""
        if self._back is None:
            order = self._weights.copy()
            order.data = np.arange(len(order.data), dtype=np.float64)
            back = sparse.csr_array(order.T)
            back.sort_indices()
            self._back = _Blocks(pattern_of(back), self.data[back.data.astype(np.int64)])
        out[...] = self._back.times(forms)
        return out


class _Blocks:
    """A matrix as the blocks of a pattern."""

    def __init__(self, pattern: Pattern, data: Forms) -> None:
        self._pattern = pattern
        self._blocks = pattern.blocks(np.append(data, data.dtype.type(0))).transpose(0, 2, 1)
        # Where a group is filled up the block is 0, so any column will do.
        self._support = np.where(pattern.support < pattern.shape[1], pattern.support, 0).ravel()
        self._space = Workspace(data.dtype)

    def absolute(self) -> _Blocks:
        """Of the absolute values."""
        made = copy(self)
        made._blocks = np.abs(self._blocks)
        return made

    def times(self, vectors: Forms) -> Forms:
        """W v of vectors, shape (..., n) to (..., m)."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        groups, width, rows = self._blocks.shape
        product = np.empty((len(flat), self._pattern.shape[0]), dtype=flat.dtype)
        at_once = max(1, _READ_BYTES // (groups * width * flat.itemsize))
        for start in range(0, len(flat), at_once):
            part = flat[start : start + at_once]
            read = self._space.take("read", len(part), groups * width)
            # Indices are in range; the other modes copy once more.
            np.take(part, self._support, axis=1, out=read, mode="clip")
            found = self._space.take("found", len(part), groups, rows)
            blockwise = read.reshape(-1, groups, width).transpose(1, 0, 2)
            np.matmul(blockwise, self._blocks, out=found.transpose(1, 0, 2))
            np.take(
                found.reshape(len(part), -1),
                self._pattern.place,
                axis=1,
                out=product[start : start + at_once],
                mode="clip",
            )
        return product.reshape(*vectors.shape[:-1], -1)


def float_layer(layer: AffineLayer, rounding: Rounding) -> FloatLayer:
    """The same layer; weights, dense or a csr_array, and biases float64."""
    weights = layer.weights
    if sparse.issparse(weights) or (weights.size >= _SEARCHED and np.count_nonzero(weights) <= _SHARE * weights.size):
        weights = sparse.csr_array(weights)
    else:
        return DenseLayer(layer, rounding)
    weights.sort_indices()
    if pattern_of(weights).area <= _SHARE * weights.shape[0] * weights.shape[1]:
        return SparseLayer(weights, layer, rounding)
    return DenseLayer(AffineLayer(weights.toarray(), layer.bias, layer.relu), rounding)
