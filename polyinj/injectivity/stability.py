"""How stably clipped or rectified measurements, and several layers, can be inverted: constants with both ends proven.

Clipping, c(t) = max(-L, min(t, L)): on a convex domain let s be the least smallest singular value, over the open cells,
of the rows with |w_i.x| < L. Let z be the middle of x and y. If a row is clipped at both, on different sides, the
images are 2 L apart. Otherwise entry i of the images differs by at least half of |w_i.(x - y)| for each row with
|w_i.z| <= L: clipped at neither, by all of it; clipped at x alone, say w_i.x >= L, then w_i.x + w_i.y <= 2 L, so that
L - w_i.y >= w_i.x - L. These rows hold those that are not clipped in some cell beside z. Hence

    |c(Wx) - c(Wy)| >= min(s / 2, 2 L / diameter) |x - y|,

and no constant above s serves within the cell of s. (Freeman, Haider 2025, arXiv:2502.09898, have such bounds, by their
abstract optimal up to a constant factor; this is our statement, on any convex domain.)

Phase retrieval, x -> |Wx|, with x and -x taken for one: the best constant is exactly the root of

    min over sets S of rows of  l(S) + l(all others),   l(S): least eigenvalue of the sum of w_i w_i' over S.

With u = x - y and v = x + y, entry i of the images differs by min(|w_i.u|, |w_i.v|): by |w_i.u| on some S, by |w_i.v|
on the others. So the square of the distance is at least l(S) |u|^2 + l(others) |v|^2, and min(|u|, |v|) is the
distance of x and y; at unit eigenvectors u and v of the best S it is no more. (Freeman and Haider compare the constant
with the strong complement property, which `complement` measures.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.domain import Ball, Box, squared_length
from polyinj.certificates.layer import Layer, read_layer
from polyinj.errors import BudgetExceeded, InputError
from polyinj.exact import arrays
from polyinj.injectivity.cell_finder import CellFinder
from polyinj.injectivity.inverse_lipschitz import active_sets, inverse_lipschitz, most_cells
from polyinj.injectivity.singular import LeastSingularValue, certain_singular_values

_MOST_ROWS = 20
_CHUNK = 4096
# What an enumerated value may be off by, as a share, with room to spare: see `InverseLipschitz`.
_RIGHT = 2.0**-38


@dataclass(frozen=True, slots=True)
class Stability:
    """The best constant of |F(x) - F(y)| >= c |x - y| lies in [lower, upper].

    Attributes
    ----------
    lower, upper : float
    rows : tuple of int
        The rows that show the upper end: those not clipped in a cell, or the set S.
    method : str
    """

    lower: float
    upper: float
    rows: tuple[int, ...]
    method: str


@dataclass(frozen=True, slots=True)
class PhaseRetrieval(Stability):
    """The constant of phase retrieval; complement: the least over S of the larger singular value of S and the others.

    Its square times 1 and 2 encloses that of the constant.
    """

    complement: float


def clipping_stability(
    weights: ArrayLike, level: float | Fraction, domain: Box | Ball, *, cell_limit: int = 200_000
) -> Stability:
    """How stably x is found from W x clipped to [-level, level], on a box with finite sides or a ball.

    Parameters
    ----------
    weights : array_like, shape (m, n)
    level : float or Fraction
        Positive.
    domain : Box or Ball
    cell_limit : int
        Largest number of cells of the 2 m hyperplanes and the sides that are enumerated; 20,000 on a ball.

    Raises
    ------
    InputError
        Unreadable weights, a level that is not positive, a domain without finite sides.
    BudgetExceeded
        More cells than that.

    Examples
    --------
    >>> found = clipping_stability([[1, 0], [0, 1], [1, 1], [1, -1]], 1, Box([-1, -1], [1, 1]))
    >>> round(found.lower, 9), round(found.upper, 9), found.rows
    (0.5, 1.0, (0, 1, 3))
    """
    matrix = arrays.read_matrix(weights)
    m = len(matrix)
    height = arrays.read_number(level, "level")
    if height <= 0:
        raise InputError(f"level is {float(height)}; expected a positive number")
    if not isinstance(domain, Box | Ball) or (isinstance(domain, Box) and None in (*domain.lower, *domain.upper)):
        raise InputError(f"domain is {domain!r}; expected a Ball or a Box with finite sides")
    rows = np.array([[Fraction(e) for e in row] for row in matrix.tolist()], dtype=object)
    layer = read_layer(np.concatenate([rows, -rows]), np.array([height] * (2 * m), dtype=object), domain)
    if (cells := most_cells(layer)) > cell_limit:
        raise BudgetExceeded(f"there are up to {cells} cells, more than cell_limit={cell_limit}, or too many on a ball")
    least = LeastSingularValue(matrix)
    _offer_unclipped(layer, least)
    low, high = least.ends()
    sides = [] if isinstance(domain, Ball) else zip(domain.lower, domain.upper, strict=True)
    lengths = [Fraction(high or 0) - Fraction(low or 0) for low, high in sides]
    square = 4 * domain.radius**2 if isinstance(domain, Ball) else squared_length(lengths)
    across = math.sqrt(float(4 * height**2 / square)) * (1 - 2.0**-50)
    chosen = tuple(np.flatnonzero(least.active).tolist())
    return Stability(min(low / 2 * (1 - _RIGHT), across), high * (1 + _RIGHT), chosen, "every cell")


def _offer_unclipped(layer: Layer, least: LeastSingularValue) -> None:
    """All sets of rows that are not clipped in some cell of the domain; each row stands twice in the layer."""
    m = len(layer.weights) // 2
    finder = CellFinder(layer)
    neurons = [i for i, row in enumerate(layer.weights.tolist()) if any(row)]
    for sides in active_sets(layer):
        patterns: dict[bytes, list[NDArray[np.bool_]]] = {}
        # Rows of zeros are never clipped, and add nothing.
        unclipped = sides[:, :m] & sides[:, m:]
        for chosen, pattern in zip(unclipped, sides, strict=True):
            patterns.setdefault(chosen.tobytes(), []).append(pattern)

        def meets(chosen: NDArray[np.bool_], known: dict[bytes, list[NDArray[np.bool_]]] = patterns) -> bool:
            signs = ([1 if pattern[i] else -1 for i in neurons] for pattern in known[chosen.tobytes()])
            return any(finder.find(neurons, each) is not None for each in signs)

        least.offer(unclipped, None if finder.ball is None else meets)
        if least.is_zero:
            return


def phase_retrieval_stability(weights: ArrayLike) -> PhaseRetrieval:
    """The constant of x -> |W x| on R^n with x and -x taken for one, to rounding, over all sets of at most 20 rows.

    Raises
    ------
    InputError
        Unreadable weights.
    BudgetExceeded
        More than 20 rows.

    Examples
    --------
    >>> found = phase_retrieval_stability([[1, 0], [0, 1], [1, 1]])
    >>> round(found.upper**2, 9), found.lower > 0.61
    (0.381966011, True)
    """
    matrix = arrays.read_matrix(weights)
    m = len(matrix)
    if m > _MOST_ROWS:
        raise BudgetExceeded(f"{m} rows have 2^{m - 1} sets to compare; at most {_MOST_ROWS} rows are")
    least = LeastSingularValue(matrix)
    scaled, lower, upper, best, complement = least.scaled, math.inf, math.inf, 0, math.inf
    for start in range(0, 1 << (m - 1), _CHUNK):
        codes = np.arange(start, min(start + _CHUNK, 1 << (m - 1)))
        sets = (codes[:, None] >> np.arange(m) & 1).astype(bool)
        (values, bounds), (others, more) = (_values(scaled, part) for part in (sets, ~sets))
        squares = values**2 + others**2
        lower = min(lower, float((np.maximum(bounds, 0) ** 2 + np.maximum(more, 0) ** 2).min()))
        complement = min(complement, float(np.maximum(values, others).min()))
        place = int(squares.argmin())
        if squares[place] < upper:
            upper, best = float(squares[place]), int(codes[place])
    chosen = best >> np.arange(m) & 1 > 0
    square = sum(_exact_value(matrix, part) ** 2 for part in (chosen, ~chosen))
    unit = math.ldexp(1.0, least.exponent)
    return PhaseRetrieval(
        math.sqrt(lower) * (1 - _RIGHT) * unit,
        math.sqrt(square) * (1 + _RIGHT),
        tuple(np.flatnonzero(chosen).tolist()),
        f"all {1 << (m - 1)} pairs of sets",
        complement * unit,
    )


def _values(scaled: NDArray[np.float64], sets: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest singular values of sets of rows as computed, and certain lower bounds; 0 for fewer rows than columns."""
    values, bounds = certain_singular_values(np.where(sets[:, :, None], scaled, 0.0))
    few = sets.sum(axis=1) < scaled.shape[1]
    return np.where(few, 0.0, values), np.where(few, 0.0, bounds)


def _exact_value(matrix: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    least = LeastSingularValue(matrix)
    least.offer(chosen[None])
    return least.ends()[1]


def layers_stability(
    layers: Sequence[tuple[ArrayLike, ArrayLike | None]], *, domain: Box | Ball | None = None, node_limit: int = 200_000
) -> float:
    """A constant c with |F(x) - F(y)| >= c |x - y| for a chain F of ReLU layers on a domain; 0 where none is proven.

    The product of half the constants of `inverse_lipschitz`, of the first layer on the domain, and of each later one on
    the orthant that its inputs are in. The best constant may be much larger.

    Examples
    --------
    >>> both = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    >>> layer = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    >>> round(layers_stability([(both, None), (layer, None)]), 9)
    0.25
    """
    if not layers:
        raise InputError("layers is empty; expected at least one pair (weights, bias)")
    product = 1.0
    for place, (weights, bias) in enumerate(layers):
        where = domain if place == 0 else Box.nonnegative(arrays.read_matrix(weights).shape[1])
        product *= inverse_lipschitz(weights, bias, domain=where, node_limit=node_limit).lower / 2 * (1 - _RIGHT)
    return product
