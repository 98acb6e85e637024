"""Linear algebra over the integers: products, ranks, kernels and echelon forms, all exact (python-flint)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd
from operator import mul
from typing import TypeVar

import flint

IntegerRows = list[list[int]]
Vectors = tuple[tuple[int, ...], ...]

Exact = TypeVar("Exact", int, Fraction)


def dot(a: Iterable[int] | Iterable[Exact], b: Iterable[Exact]) -> Exact:
    """The inner product of two vectors of equal length; the integer 0 where they have no entries."""
    total: Exact = sum(map(mul, a, b))
    return total


def coprime(row: list[int]) -> list[int]:
    """The row divided by the gcd of its entries."""
    divisor = gcd(*row)
    return [value // divisor for value in row] if divisor > 1 else row


def product(rows: Sequence[Sequence[int]], x: Sequence[int]) -> list[int]:
    """The integers rows x; ValueError where a row is not as long as x."""
    return [sum(a * b for a, b in zip(row, x, strict=True)) for row in rows]


def rank(rows: Sequence[Sequence[int]]) -> int:
    """Rank of an integer matrix; 0 for no rows."""
    return int(flint.fmpz_mat([list(row) for row in rows]).rank()) if rows else 0


def determinant(rows: Sequence[Sequence[int]]) -> int:
    """Determinant of a square integer matrix."""
    return int(flint.fmpz_mat([list(row) for row in rows]).det())


def kernel(rows: Sequence[Sequence[int]], columns: int) -> list[list[int]]:
    """A basis of {x : rows x = 0} in coprime integers; columns is the length of x (rows may be none)."""
    if not rows:
        return [[int(i == j) for j in range(columns)] for i in range(columns)]
    basis, nullity = flint.fmpz_mat([list(row) for row in rows]).nullspace()
    return [coprime([int(basis[i, j]) for i in range(columns)]) for j in range(nullity)]


def pivot_columns(rows: Sequence[Sequence[int]]) -> list[int]:
    """The lexicographically first independent columns of an integer matrix."""
    reduced, _, rank = flint.fmpz_mat([list(row) for row in rows]).rref()
    return [next(j for j in range(reduced.ncols()) if reduced[i, j] != 0) for i in range(rank)]


def independent_rows(rows: Sequence[Sequence[int]]) -> list[int]:
    """Indices of the rows that are no combination of those before them."""
    return [pivot(row) for row in echelon(list(zip(*rows, strict=True)))]


def echelon(rows: Sequence[Sequence[int]]) -> Vectors:
    """Reduced echelon form of the row space: coprime integers, positive pivots, zero rows dropped."""
    if not rows:
        return ()
    form, _, rank = flint.fmpz_mat([list(row) for row in rows]).rref()
    columns = len(rows[0])
    basis = [coprime([int(form[i, j]) for j in range(columns)]) for i in range(rank)]
    return tuple(tuple(row) if row[pivot(row)] > 0 else tuple(-v for v in row) for row in basis)


def pivot(row: Sequence[int]) -> int:
    """Index of the first nonzero entry."""
    return next(j for j, value in enumerate(row) if value)


def reduce_modulo(lines: Vectors, vector: Sequence[int]) -> tuple[int, ...]:
    """The representative of a vector modulo lines in reduced echelon form: zero at their pivots, coprime."""
    reduced = list(vector)
    for line in lines:
        at = pivot(line)
        if factor := reduced[at]:
            reduced = [line[at] * value - factor * along for value, along in zip(reduced, line, strict=True)]
    return tuple(coprime(reduced))
