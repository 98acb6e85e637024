"""How much of each point a ReLU layer keeps: the rank of the rows that are active there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.exact.algebra import rank
from polyinj.exact.arrays import integer_rows, read_matrix, read_vector

_UNIT = 2.0**-53


@dataclass(frozen=True, slots=True, eq=False)
class ActiveRank:
    """How much of each point a layer keeps.

    Attributes
    ----------
    active_count : ndarray of int64, shape (k,)
        Number of rows with w_i.x + b_i >= 0.
    active_rank : ndarray of int64, shape (k,)
        Rank of their weights, exact.
    columns : int
        The rank n that determines a point.
    """

    active_count: NDArray[np.int64]
    active_rank: NDArray[np.int64]
    columns: int

    @property
    def loses_information(self) -> NDArray[np.bool_]:
        """Shape (k,): whether the layer is constant on some segment through the point."""
        return self.active_rank < self.columns


def active_rank(weights: ArrayLike, points: ArrayLike, bias: ArrayLike | None = None) -> ActiveRank:
    """Number and exact rank of the active rows at each point: where does a layer x -> ReLU(W x + b) lose information?

    Parameters
    ----------
    weights : array_like, shape (m, n)
    points : array_like, shape (k, n)
    bias : array_like, shape (m,), optional

    Raises
    ------
    InputError
        Unreadable input, or shapes that do not fit.

    Examples
    --------
    >>> found = active_rank([[1, 0], [0, 1], [-1, 0]], [[1, 1], [1, -1]])
    >>> found.active_count, found.active_rank, found.loses_information
    (array([2, 1]), array([2, 1]), array([False,  True]))
    """
    matrix, places = read_matrix(weights), read_matrix(points, "points")
    rows, columns = matrix.shape
    if places.shape[1] != columns:
        raise InputError(f"points has shape {places.shape}; expected (k, {columns}), one entry a column of the weights")
    active = _active(matrix, places, np.zeros(rows) if bias is None else read_vector(bias, rows))
    integers = integer_rows(matrix)
    patterns, place = np.unique(active, axis=0, return_inverse=True)
    ranks = [rank([integers[i] for i in np.flatnonzero(pattern)]) for pattern in patterns]
    return ActiveRank(active.sum(axis=1), np.array(ranks, dtype=np.int64)[place.reshape(-1)], columns)


def _active(matrix: NDArray[Any], places: NDArray[Any], shift: NDArray[Any]) -> NDArray[np.bool_]:
    """Exact signs of places @ matrix.T + shift >= 0, shape (k, m): in doubles where they are certain."""
    try:
        w, x, b = (array.astype(np.float64) for array in (matrix, places, shift))
    except OverflowError:
        # Nothing is certain in doubles.
        w, x, b = (np.full(array.shape, np.nan) for array in (matrix, places, shift))
    with np.errstate(all="ignore"):
        values = x @ w.T + b
        # Reading to double costs two roundings a product, the sum n + 1 more; the last term is for underflow.
        gamma = (matrix.shape[1] + 8) * _UNIT
        size = np.abs(x) @ np.abs(w).T + np.abs(b)
        tiny = 2.0**-1000 * (1 + np.abs(x).sum(axis=1)[:, None] + np.abs(w).sum(axis=1))
        certain = np.abs(values) > gamma * size + tiny
    active = values >= 0
    for t, i in np.argwhere(~certain).tolist():
        terms = zip(matrix[i].tolist(), places[t].tolist(), strict=True)
        active[t, i] = sum((Fraction(a) * Fraction(c) for a, c in terms), Fraction(shift[i])) >= 0
    return active
