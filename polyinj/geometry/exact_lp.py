"""Farkas' lemma in integers: a vector as a nonnegative combination of generators, or a row that separates it.

First the nonnegative least squares of scipy, in float64, proposes generators; an exact solve turns them into a proof
or refuses them. Where that fails, phase one of the simplex method decides:

    minimise the sum of s   subject to   sum_i lambda_i g_i + s = b (rows signed so that b >= 0),   lambda, s >= 0,

in a tableau of integers over one common denominator, the determinant of the basis (Edmonds 1967): every pivot divides
exactly, so entries are minors of the input and no fraction is ever reduced. The entering column has the most negative
reduced cost; after a pivot without progress it is the first with a negative one (Bland 1977) until there is progress,
so the walk ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any

import numpy as np
from flint import fmpq_mat, fmpz_mat
from numpy.typing import NDArray
from scipy.optimize import nnls

from polyinj.geometry import exact
from polyinj.geometry.exact_cone import coprime


@dataclass(frozen=True, slots=True)
class Combination:
    """target = sum of multipliers[i] generators[i], all multipliers >= 0, those > 0 on independent generators."""

    multipliers: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Separation:
    """An integer row with row.g >= 0 for every generator g and row.target < 0."""

    row: tuple[int, ...]


def farkas(generators: Sequence[Sequence[int]], target: Sequence[int]) -> Combination | Separation:
    """Decide whether the target lies in the cone of the generators: one of the two results exists, never both (Farkas).

    Parameters
    ----------
    generators : sequence of vectors of int
        Possibly none.
    target : vector of int, length n >= 1

    Returns
    -------
    Combination or Separation

    Examples
    --------
    >>> farkas([[1, 0], [1, 2]], [2, 2])
    Combination(multipliers=(Fraction(1, 1), Fraction(1, 1)))
    >>> farkas([[1, 0], [1, 2]], [1, 3])
    Separation(row=(2, -1))
    """
    proposed = propose(generators, target)
    return simplex(generators, target) if proposed is None else proposed


def solve_strictly(positive: Sequence[Sequence[int]], zero: Sequence[Sequence[int]], columns: int) -> list[int] | None:
    """Coprime integers x with a.x > 0 for the rows a of `positive` and c.x = 0 for those of `zero`; None if none.

    In a basis of the solutions of the equations: y with a.y > 0 for all a exists unless a combination of the a with
    weights that sum to 1 is zero (Gordan), which is `farkas` for the vectors (a, 1) and the target (0, 1).

    Examples
    --------
    >>> solve_strictly([[1, 0], [-1, 1]], [], 2)
    [1, 2]
    >>> solve_strictly([[1, 0], [-1, 0]], [], 2) is None
    True
    """
    space = exact.kernel(zero, columns)
    if not positive:
        return [0] * columns
    found = farkas([[*exact.product(space, row), 1] for row in positive], [0] * len(space) + [1])
    if isinstance(found, Combination):
        return None
    return coprime([sum(map(mul, found.row, entries)) for entries in zip(*space, strict=True)])


def propose(generators: Sequence[Sequence[int]], target: Sequence[int]) -> Combination | Separation | None:
    """As `farkas`, exact too, but None where floating point names the wrong generators.

    The nearest point of the cone to the target is a combination of independent generators, the support of the least
    squares. Solved exactly on those, it is the target, or the step from the target to it is the separating row.
    """
    try:
        support = _support(generators, target)
        shares, scale = _nearest([generators[i] for i in support], target)
    except (RuntimeError, ZeroDivisionError):
        return None
    if min(shares, default=0) < 0:
        return None
    step = [sum(c * generators[i][j] for c, i in zip(shares, support, strict=True)) for j in range(len(target))]
    row = [value - scale * entry for value, entry in zip(step, target, strict=True)]
    if not any(row):
        multipliers = {i: Fraction(share, scale) for i, share in zip(support, shares, strict=True)}
        return Combination(tuple(multipliers.get(i, Fraction(0)) for i in range(len(generators))))
    if min(exact.product(generators, row), default=0) < 0:
        return None
    return Separation(tuple(coprime(row)))


def _support(generators: Sequence[Sequence[int]], target: Sequence[int]) -> list[int]:
    """The generators that the nearest point of their cone to the target is made of, in float64."""
    if not generators:
        return []
    scaled = [[value / (max(map(abs, vector)) or 1) for value in vector] for vector in (*generators, target)]
    columns = np.array(scaled).T
    weights, _ = nnls(columns[:, :-1], columns[:, -1], maxiter=10 * sum(columns.shape))
    return [int(i) for i in np.flatnonzero(weights)]


def _nearest(vectors: Sequence[Sequence[int]], target: Sequence[int]) -> tuple[list[int], int]:
    """Weights of independent vectors in the point of their span nearest to target: numerators, denominator > 0."""
    if not vectors:
        return [], 1
    chosen = fmpz_mat([list(vector) for vector in vectors])
    right = chosen * fmpz_mat([[value] for value in target])
    numerators, scale = fmpq_mat(chosen * chosen.transpose()).solve(fmpq_mat(right)).numer_denom()
    return [int(numerators[i, 0]) for i in range(len(vectors))], int(scale)


def simplex(generators: Sequence[Sequence[int]], target: Sequence[int]) -> Combination | Separation:
    """As `farkas`, in integers from beginning to end."""
    count, n = len(generators), len(target)
    flip = [-1 if value < 0 else 1 for value in target]
    tableau = np.zeros((n + 1, count + n + 1), dtype=object)
    for i in range(n):
        tableau[i, :count] = [flip[i] * generator[i] for generator in generators]
        tableau[i, count + i] = 1
        tableau[i, -1] = flip[i] * target[i]
    tableau[n, :count] = -tableau[:n, :count].sum(axis=0)
    tableau[n, -1] = -tableau[:n, -1].sum()
    basis = list(range(count, count + n))
    denominator = _minimise(tableau, basis, count)
    if tableau[n, -1]:
        # The reduced cost of the artificial variable i is 1 - y_i, with y the dual vector.
        dual = [flip[i] * (tableau[n, count + i] - denominator) for i in range(n)]
        return Separation(tuple(coprime(dual)))
    multipliers = [Fraction(0)] * count
    for i, column in enumerate(basis):
        if column < count:
            multipliers[column] = Fraction(tableau[i, -1], denominator)
    return Combination(tuple(multipliers))


def _minimise(tableau: NDArray[Any], basis: list[int], count: int) -> int:
    """Pivot on the first `count` columns until no reduced cost is negative; returns the common denominator."""
    n = len(basis)
    denominator, bland = 1, False
    while True:
        costs = tableau[n, :count].tolist()
        if not tableau[n, -1] or min(costs, default=0) >= 0:
            return denominator
        entering = next(j for j, c in enumerate(costs) if c < 0) if bland else costs.index(min(costs))
        column, right = tableau[:n, entering], tableau[:n, -1]
        candidates = [(Fraction(right[i], column[i]), basis[i], i) for i in range(n) if column[i] > 0]
        step, _, leaving = min(candidates)
        bland = step == 0
        denominator = _pivot(tableau, leaving, entering, denominator)
        basis[leaving] = entering


def _pivot(tableau: NDArray[Any], leaving: int, entering: int, denominator: int) -> int:
    row, element = tableau[leaving].copy(), tableau[leaving, entering]
    tableau *= element
    tableau -= np.outer(tableau[:, entering] // element, row)
    tableau //= denominator
    tableau[leaving] = row
    return int(element)
