"""One vector of the kernel of an integer matrix, by p-adic lifting; no basis of the whole kernel, which costs more.

Modulo a large prime the rows A have rank r, r independent rows and r independent columns, the pivots P; the others are
free. If r is the number of columns, the rows span over the rationals too, for certain. Else give integers g to the free
columns F and solve A_P y = -A_F g, restricted to the independent rows, a square system that is regular over the
rationals, since it is so modulo the prime (FLINT lifts the solution p-adically, Dixon 1982). Where the rank over the
rationals is r as well, the vector is annihilated by all rows; whether it is, is checked. Another prime is taken if not:
then this one divides a minor of the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj.exact.algebra import coprime, kernel, product

_PRIMES = (2**61 - 1, 2**62 - 57, 2**63 - 25)
_SHARES = 1 << 12


def kernel_vector(
    rows: Sequence[Sequence[int]], columns: int, near: NDArray[np.float64] | None = None
) -> list[int] | None:
    """A nonzero integer vector v with rows v = 0, coprime; None, for certain, where the rows span.

    Parameters
    ----------
    rows : integers, shape (k, columns); k may be 0
    columns : int
    near : ndarray of float64, shape (columns,), optional
        Of a kernel of several dimensions, which vector: one near this one, if that lies in the kernel.
    """
    for prime in _PRIMES:
        pivots = _pivots(rows, columns, prime)
        if len(pivots) == columns:
            return None
        free = sorted(set(range(columns)) - set(pivots))
        chosen: Sequence[int] = range(len(rows))
        if len(pivots) < len(rows):
            chosen = _pivots(list(zip(*rows, strict=True)), len(rows), prime)
        v = _solution([rows[i] for i in chosen], pivots, free, _shares(free, near))
        others = set(range(len(rows))) - set(chosen)
        if not any(product([rows[i] for i in others], v)):
            return coprime(v)
    basis = kernel(rows, columns)
    return basis[0] if basis else None


def _pivots(rows: Sequence[Sequence[int]], columns: int, prime: int) -> Sequence[int]:
    """The first independent columns modulo a prime."""
    if not rows:
        return []
    reduced, rank = flint.nmod_mat(len(rows), columns, [entry for row in rows for entry in row], prime).rref()
    if rank == columns:
        return range(columns)
    found: list[int] = []
    for i in range(rank):
        # The pivot of a row lies behind that of the row above.
        found.append(next(j for j in range(found[-1] + 1 if found else 0, columns) if int(reduced[i, j])))
    return found


def _shares(free: Sequence[int], near: NDArray[np.float64] | None) -> list[int]:
    """What the free columns get: short integers in proportion to a vector, not all zero."""
    if near is not None and len(free) > 1 and (size := np.abs(near[free]).max()) > 0:
        return [int(share) for share in np.rint(near[free] / size * _SHARES)]
    return [1] + [0] * (len(free) - 1)


def _solution(
    rows: Sequence[Sequence[int]], pivots: Sequence[int], free: Sequence[int], shares: list[int]
) -> list[int]:
    """The vector with these shares, times a positive integer, on the free columns that the rows annihilate."""
    v = [0] * (len(pivots) + len(free))
    scale = 1
    if pivots:
        square = flint.fmpz_mat([[row[j] for j in pivots] for row in rows])
        right = [-sum(row[j] * share for j, share in zip(free, shares, strict=True) if share) for row in rows]
        quotients: Any = square.solve(flint.fmpz_mat(len(rows), 1, right))
        solved, denominator = quotients.numer_denom()
        scale = int(denominator)
        for i, j in enumerate(pivots):
            v[j] = int(solved[i, 0])
    for j, share in zip(free, shares, strict=True):
        v[j] = share * scale
    return v
