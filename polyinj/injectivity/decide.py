"""Is one ReLU layer injective? The verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import comb

from numpy.typing import ArrayLike

from polyinj.geometry import exact
from polyinj.geometry.sweep import direction_beside_ray, sweep
from polyinj.injectivity.collide import find_direction

# Rays that the sweep visits in seconds.
_REACHABLE_RAYS = 20_000_000


class Verdict(Enum):
    """What is known; UNDECIDED is never a guess."""

    INJECTIVE = "injective"
    NOT_INJECTIVE = "not injective"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one layer x -> ReLU(Wx).

    Attributes
    ----------
    verdict : Verdict
    depth : int or None
        Tukey depth of the origin among the rows, where it was computed; injective means depth >= n.
    direction : tuple of int, or None
        For NOT_INJECTIVE: a point whose active rows {i : w_i.x >= 0} do not span R^n.
    """

    verdict: Verdict
    depth: int | None
    direction: tuple[int, ...] | None


def decide_injectivity(weights: ArrayLike) -> Decision:
    """Decide exactly whether x -> ReLU(Wx) is injective on R^n.

    Parameters
    ----------
    weights : array_like, shape (m, n)
        Rows are neurons, in general position unless m < n; float64, float32, int or Fraction, read exactly.

    Returns
    -------
    Decision
        UNDECIDED where the sweep of all rays would take too long and a short search found no witness.

    Raises
    ------
    InputError
        Bad input, or rows that are not in general position.

    Examples
    --------
    >>> decide_injectivity([[1, 0], [0, 1], [-1, -1]]).verdict
    <Verdict.NOT_INJECTIVE: 'not injective'>
    """
    matrix = exact.read_matrix(weights)
    rows = exact.integer_rows(matrix)
    m, n = matrix.shape
    if exact.rank(rows) < n:
        return Decision(Verdict.NOT_INJECTIVE, None, tuple(exact.kernel(rows, n)[0]))
    if comb(m, n - 1) <= _REACHABLE_RAYS:
        found = sweep(matrix)
        direction = direction_beside_ray(rows, found.tight, found.depth)
        injective = found.depth >= n
        verdict = Verdict.INJECTIVE if injective else Verdict.NOT_INJECTIVE
        return Decision(verdict, found.depth, None if injective else tuple(direction))
    guess = find_direction(exact.float_rows(matrix)[0])
    point = [int(entry * 2**40) for entry in guess]
    active = [row for row, value in zip(rows, exact.product(rows, point), strict=True) if value >= 0]
    if exact.rank(active) < n:
        return Decision(Verdict.NOT_INJECTIVE, None, tuple(point))
    return Decision(Verdict.UNDECIDED, None, None)
