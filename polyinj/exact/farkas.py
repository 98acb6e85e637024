"""Farkas' lemma in integers: a vector as a nonnegative combination of generators, or a row that separates it.

First the nonnegative least squares of scipy, in float64, proposes generators; an exact solve turns them into a proof
or refuses them. Where that fails, phase one of the simplex method decides:

    minimise the sum of s   subject to   sum_i lambda_i g_i + s = b (rows signed so that b >= 0),   lambda, s >= 0,

revised: a step solves two systems with the basis, over the rationals, and prices all generators by one product of
integer matrices. The entering column has the most negative reduced cost; after a step of length 0 it is the first with
a negative one (Bland 1977) until there is progress, so the method ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import fmpq_mat, fmpz_mat
from scipy.optimize import nnls

from polyinj.exact import algebra


@dataclass(frozen=True, slots=True)
class Combination:
    """target = sum of multipliers[i] generators[i], all multipliers >= 0, those > 0 on independent generators."""

    multipliers: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class SeparatingRow:
    """An integer row with row.g >= 0 for every generator g and row.target < 0."""

    row: tuple[int, ...]


def farkas(generators: Sequence[Sequence[int]], target: Sequence[int]) -> Combination | SeparatingRow:
    """Decide whether the target lies in the cone of the generators: one of the two results exists, never both (Farkas).

    Parameters
    ----------
    generators : sequence of vectors of int
        Possibly none.
    target : vector of int, length n >= 1

    Returns
    -------
    Combination or SeparatingRow

    Examples
    --------
    >>> farkas([[1, 0], [1, 2]], [2, 2])
    Combination(multipliers=(Fraction(1, 1), Fraction(1, 1)))
    >>> farkas([[1, 0], [1, 2]], [1, 3])
    SeparatingRow(row=(2, -1))
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
    space = algebra.kernel(zero, columns)
    if not positive:
        return [0] * columns
    found = farkas([[*algebra.product(space, row), 1] for row in positive], [0] * len(space) + [1])
    if isinstance(found, Combination):
        return None
    return algebra.coprime([algebra.dot(found.row, entries) for entries in zip(*space, strict=True)])


def propose(generators: Sequence[Sequence[int]], target: Sequence[int]) -> Combination | SeparatingRow | None:
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
    if min(algebra.product(generators, row), default=0) < 0:
        return None
    return SeparatingRow(tuple(algebra.coprime(row)))


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


def simplex(generators: Sequence[Sequence[int]], target: Sequence[int]) -> Combination | SeparatingRow:
    """As `farkas`, in exact arithmetic from beginning to end."""
    count, n = len(generators), len(target)
    flip = [-1 if value < 0 else 1 for value in target]
    vectors = [[sign * entry for sign, entry in zip(flip, vector, strict=True)] for vector in generators]
    artificial = [[int(i == j) for j in range(n)] for i in range(n)]
    table, columns = fmpz_mat(count, n, [entry for vector in vectors for entry in vector]), [*vectors, *artificial]
    right = [abs(value) for value in target]
    basis, bland = list(range(count, count + n)), False
    while True:
        matrix = fmpz_mat([columns[c] for c in basis])
        cost = fmpz_mat([[int(c >= count)] for c in basis])
        dual, _ = fmpq_mat(matrix).solve(fmpq_mat(cost)).numer_denom()
        gains = [int(gain) for gain in (table * dual).entries()]
        objective = sum(a * int(b) for a, b in zip(right, dual.entries(), strict=True))
        if objective == 0 or max(gains, default=0) <= 0:
            break
        entering = next(j for j, gain in enumerate(gains) if gain > 0) if bland else gains.index(max(gains))
        sides = fmpz_mat([list(pair) for pair in zip(right, columns[entering], strict=True)])
        solved, _ = fmpq_mat(matrix.transpose()).solve(fmpq_mat(sides)).numer_denom()
        shares = [(int(solved[i, 0]), int(solved[i, 1])) for i in range(n)]
        step, _, leaving = min((Fraction(a, b), basis[i], i) for i, (a, b) in enumerate(shares) if b > 0)
        bland = step == 0
        basis[leaving] = entering
    if objective:
        return SeparatingRow(
            tuple(algebra.coprime([-sign * int(entry) for sign, entry in zip(flip, dual.entries(), strict=True)]))
        )
    weights = fmpq_mat(matrix.transpose()).solve(fmpq_mat(fmpz_mat([[value] for value in right])))
    multipliers = [Fraction(0)] * count
    for i, column in enumerate(basis):
        if column < count:
            multipliers[column] = Fraction(int(weights[i, 0].p), int(weights[i, 0].q))
    return Combination(tuple(multipliers))
