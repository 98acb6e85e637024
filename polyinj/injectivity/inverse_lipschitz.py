"""How stably a ReLU layer can be inverted: the least smallest singular value of the active rows over all cells."""

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
from polyinj.exact.arrays import integer_rows, read_matrix
from polyinj.geometry.arrangement import Arrangement
from polyinj.injectivity.collide import active_rows
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Verdict
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.singular import LeastSingularValue
from polyinj.injectivity.spectral import bound_below
from polyinj.injectivity.spectral_descent import CellValue, descend

_UNIT = 2.0**-53
_CHUNK = 1024
_RESTARTS = 60


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
    these. (Freeman and Haider 2025, arXiv 2502.09898, prove that the best constant everywhere lies in [s / 2, s], with
    biases too. Puthawala et al. 2020, arXiv 2006.08464, have one that falls with the number of rows.)

    Parameters
    ----------
    weights : array_like, shape (m, n)
    cell_limit : int
        Largest number of cells that are enumerated, 2 (C(m-1, 0) + ... + C(m-1, n-1)) in general position.
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
        found = CellValue.of(matrix, next(_active_sets(layer.weights))[0])
    proof = decision.certificate
    circuits = proof.circuits if isinstance(proof, InjectivityProof) else np.zeros((0, 1), dtype=np.int32)
    bound = bound_below(layer.system(), matrix, circuits, found, limits)
    share = f"; lower: branch and bound over signs of rows, {bound.nodes} nodes, {'all' if bound.closed else 'not all'}"
    method = f"upper: descent over cells from few active rows and {_RESTARTS} random points, seed {seed}{share} closed"
    # Rows too small for the scaled matrix, whose signs are not known, can only make the value larger.
    least.offer((bound.incumbent.active | ~matrix.any(axis=1))[None])
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
