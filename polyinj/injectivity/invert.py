"""Going back through a ReLU layer: the input from the output, how stably, and where it cannot be done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.layer import Layer, read_layer
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.errors import InputError
from polyinj.exact.algebra import rank
from polyinj.exact.arrays import integer_rows, read_matrix, read_vector
from polyinj.geometry.arrangement import Arrangement
from polyinj.injectivity.collide import active_rows
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Verdict
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.singular import LeastSingularValue
from polyinj.injectivity.spectral import bound_below
from polyinj.injectivity.spectral_descent import Cell, descend

_UNIT = 2.0**-53
_CHUNK = 1024
_RESTARTS = 60


def reconstruct(
    weights: ArrayLike, outputs: ArrayLike, bias: ArrayLike | None = None, *, tolerance: float = 1e-9
) -> NDArray[np.float64]:
    """The input x that a layer maps to y = ReLU(W x + b): least squares on the rows where y is positive.

    Parameters
    ----------
    weights : array_like, shape (m, n)
    outputs : array_like, shape (m,) or (k, m)
        One output, or one a row.
    bias : array_like, shape (m,), optional
    tolerance : float
        Largest error accepted in entry i of ReLU(W x + b) - y, as a multiple of sum_j |w_ij x_j| + |b_i| + |y_i|.

    Returns
    -------
    ndarray of float64, shape (n,) or (k, n)

    Raises
    ------
    InputError
        An output that is not in the range of the layer to the tolerance, or whose positive rows do not determine x:
        their smallest singular value is at most max(m, n) 2^-52 times the largest one of W. In an injective layer this
        happens only where some w_i.x + b_i vanishes.

    Examples
    --------
    >>> reconstruct([[1, 0], [0, 1], [-1, 0], [0, -1]], [3, 0, 0, 2])
    array([ 3., -2.])
    """
    matrix = _doubles(read_matrix(weights), "weights")
    rows, columns = matrix.shape
    shift = np.zeros(rows) if bias is None else _doubles(read_vector(bias, rows), "bias")
    single = np.ndim(outputs) == 1
    batch = _doubles(read_matrix(np.atleast_2d(np.asarray(outputs)), "outputs"), "outputs")
    if batch.shape[1] != rows:
        raise InputError(
            f"outputs has shape {np.shape(outputs)}; expected ({rows},) or (k, {rows}), one entry a neuron"
        )
    # Powers of two make the largest weight, and the largest output or bias, about 1: no product overflows.
    matrix, down = _near_one(matrix)
    threshold = max(rows, columns) * 2 * _UNIT * np.linalg.norm(matrix, 2)
    inputs = np.empty((len(batch), columns))
    for t, y in enumerate(batch):
        active = y > 0
        known = 0
        scaled, up = _near_one(np.stack([y, shift]))
        if active.any():
            left, singular, right = np.linalg.svd(matrix[active], full_matrices=False)
            known = int(np.count_nonzero(singular > threshold))
        if known < columns:
            raise InputError(
                f"outputs[{t}] has {int(active.sum())} positive entries, whose rows have rank {known}; "
                f"x in R^{columns} is determined only by rank {columns}"
            )
        x = right.T @ ((left.T @ (scaled[0] - scaled[1])[active]) / singular)
        image = np.maximum(matrix @ x + scaled[1], 0.0)
        scale = np.abs(matrix) @ np.abs(x) + np.abs(scaled[1]) + np.abs(scaled[0])
        if (wrong := np.abs(image - scaled[0]) > tolerance * scale).any():
            i = int(np.argmax(wrong))
            with np.errstate(over="ignore"):
                found = np.ldexp(image[i], up)
            raise InputError(
                f"outputs[{t}, {i}] is {y[i]!r}, and the layer gives {found!r} at the x found: "
                f"no input has this output to the tolerance {tolerance}"
            )
        with np.errstate(over="ignore"):
            inputs[t] = np.ldexp(x, up - down)
        if not np.isfinite(inputs[t]).all():
            raise InputError(f"the input of outputs[{t}] is beyond the range of doubles; try smaller outputs")
    return inputs[0] if single else inputs


def _doubles(exact: NDArray[Any], name: str) -> NDArray[np.float64]:
    try:
        return exact.astype(np.float64)
    except OverflowError:
        raise InputError(f"{name} has an entry beyond the range of doubles; expected entries below 1.8e308") from None


def _near_one(array: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """The array times 2^-exponent, its largest entry in [1/2, 1] unless all are 0, and the exponent."""
    exponent = int(np.frexp(np.abs(array).max())[1])
    return np.ldexp(array, -exponent), exponent


@dataclass(frozen=True, slots=True)
class InverseLipschitz:
    """The smallest singular value of the active rows, at its least over all cells.

    Attributes
    ----------
    lower, upper : float
        It lies between these; 0 twice if and only if the layer is not injective, where this is known.
    exact : bool
        Whether every cell was covered. After enumeration the ends are equal, and right to one part in 10^12, whatever
        the largest singular value; below the normal range, 2e-308, they are up to two doubles apart. After branch and
        bound they differ by a millionth.
    method : str
        How each end was got.
    active_rows : tuple of int
        The rows active in a cell where the upper end is attained.
    """

    lower: float
    upper: float
    exact: bool
    method: str
    active_rows: tuple[int, ...]


def inverse_lipschitz(
    weights: ArrayLike,
    *,
    cell_limit: int = 200_000,
    node_limit: int = 1_000_000,
    time_limit: float | None = None,
    seed: int = 0,
) -> InverseLipschitz:
    """The least smallest singular value s of the active rows over all cells of a layer x -> ReLU(W x).

    It is the best constant in a small neighbourhood of every point inside a cell, and everywhere
    |ReLU(W x) - ReLU(W y)| >= (s / 2) |x - y|: let z = (x + y) / 2. Where w_i.x and w_i.y are both positive, entry i of
    the images differs by |w_i.(x - y)|. Where w_i is active at z and only one of them is positive, that one is the
    larger in absolute value, so the entries differ by at least half of |w_i.(x - y)|. The rows active at z are among
    these. (Puthawala et al. 2020, arXiv 2006.08464, have a constant that falls with the number of rows.)

    Parameters
    ----------
    weights : array_like, shape (m, n)
    cell_limit : int
        Cells are enumerated when there are at most so many, 2 (C(m-1, 0) + ... + C(m-1, n-1)) in general position.
        Beyond it, the upper end comes from a descent over cells, and branch and bound over signs of rows proves the
        lower one, a share 1/16, 1/4, 1/2, 3/4, 9/10 or 1 of the upper one, as far as the limits allow; see
        `polyinj.injectivity.spectral`. A layer that is not injective has 0.
    node_limit : int
        Nodes of all branch and bounds together.
    time_limit : float, optional
        Seconds, positive, for all of it.
    seed : int
        Seed of the descent.

    Returns
    -------
    InverseLipschitz
        Floats leave the cells that could be least, by certain bounds, and rationals decide among them: see
        `polyinj.injectivity.singular`. Of branch and bound the lower end allows for rounding, as stated in
        `polyinj.injectivity.spectral`, and the upper one is the value of its cell.

    Raises
    ------
    InputError
        Unreadable weights, limits that are not positive.

    Examples
    --------
    >>> inverse_lipschitz([[1, 0], [0, 1], [-1, 0], [0, -2]]).upper
    1.0
    """
    for name, value in (("node_limit", node_limit), ("time_limit", time_limit)):
        if value is not None and not value > 0:
            raise InputError(f"{name} is {value}; expected a positive number" + " or None" * (name == "time_limit"))
    exact = read_matrix(weights)
    rows, columns = exact.shape
    if rank(integer_rows(exact)) < columns:
        return InverseLipschitz(0.0, 0.0, True, "the weights have rank below the number of columns", ())
    least = LeastSingularValue(exact)
    if 2 * sum(comb(rows - 1, k) for k in range(columns)) <= cell_limit:
        for sets in _active_sets(exact):
            least.offer(sets)
            if least.is_zero:
                break
        return InverseLipschitz(*least.ends(), True, "every cell", _indices(least.active))
    limits = Limits(node_limit, None if time_limit is None else time.monotonic() + time_limit)
    return _interval(read_layer(weights), least, limits, seed)


def _interval(layer: Layer, least: LeastSingularValue, limits: Limits, seed: int) -> InverseLipschitz:
    left = None if limits.deadline is None else max(limits.deadline - time.monotonic(), 1e-3)
    decision = decide_injectivity(layer.weights, node_limit=limits.nodes, time_limit=left)
    if decision.verdict is Verdict.NOT_INJECTIVE:
        assert decision.best_witness is not None
        rows = tuple(active_rows(layer, decision.best_witness.point))
        return InverseLipschitz(0.0, 0.0, True, "a point whose active rows do not span", rows)
    matrix = least.scaled
    starts = []
    if decision.best_witness is not None:
        point = [Fraction(entry) for entry in decision.best_witness.point]
        longest = max(map(abs, point))
        starts = [np.array([float(entry / longest) for entry in point])]
    found = descend(matrix, starts, _RESTARTS, seed, limits)
    if found is None:
        # No random point is surely in a cell: rows are beyond the range of doubles.
        found = Cell.of(matrix, next(_active_sets(layer.weights))[0])
    proof = decision.certificate
    circuits = proof.circuits if isinstance(proof, InjectivityProof) else np.zeros((0, 1), dtype=np.int32)
    bound = bound_below(layer.system(), matrix, circuits, found, limits)
    share = f"; lower: branch and bound over signs of rows, {bound.nodes} nodes, {'all' if bound.closed else 'not all'}"
    method = f"upper: descent over cells from few active rows and {_RESTARTS} random points, seed {seed}{share} closed"
    # Rows too small for the scaled matrix, whose signs are not known, can only make the value larger.
    least.offer((bound.best.active | ~matrix.any(axis=1))[None])
    upper = least.ends()[1]
    lower = 0.0 if bound.lower <= 0 else float(np.nextafter(np.ldexp(bound.lower, least.exponent), 0))
    closed = bound.closed or least.is_zero
    return InverseLipschitz(min(lower, upper), upper, closed, method, _indices(least.active))


def _indices(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())


def _active_sets(matrix: NDArray[Any]) -> Iterator[NDArray[np.bool_]]:
    """Active sets of all open cells, in chunks of shape (k, m), k <= 1024; rows of zeros are left out."""
    for signs in Arrangement(matrix).iter_cells():
        for start in range(0, len(signs), _CHUNK):
            yield signs[start : start + _CHUNK] > 0


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
