"""Does a homogeneous system of strict inequalities and equations have a solution? Exactly, by pivots on integers."""

from __future__ import annotations

from math import gcd

import flint

from polyinj.geometry import exact


def solve_strictly(positive: exact.IntegerRows, zero: exact.IntegerRows, columns: int) -> list[int] | None:
    """Coprime integers x with a.x > 0 for the rows a of `positive` and c.x = 0 for those of `zero`; None if none.

    With a basis of the solutions of the equations, a.x > 0 becomes A y >= 1 (scale y). The slacks s = A y - 1 of an
    independent set of rows serve as coordinates, s_rest = M s_basis + q; the criss-cross method exchanges the first
    negative slack with the first slack that helps it, and ends after finitely many steps (least index rule; Terlaky
    1985, Wang 1987): with q >= 0, or with a row that cannot become positive.

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
    if not space:
        return None
    reduced = flint.fmpz_mat(positive) * flint.fmpz_mat(space).transpose()
    kept = pivot_columns(reduced)
    basis = pivot_columns(reduced.transpose())
    rows = [[int(reduced[i, j]) for j in kept] for i in range(reduced.nrows())]
    tight = _criss_cross(rows, basis) if kept else None
    if tight is None:
        return None
    y = flint.fmpq_mat(flint.fmpz_mat([rows[i] for i in tight])).solve(flint.fmpq_mat(len(tight), 1, [1] * len(tight)))
    numerators, _ = y.numer_denom()
    x = [sum(int(numerators[k, 0]) * space[j][i] for k, j in enumerate(kept)) for i in range(columns)]
    divisor = gcd(*x)
    return [entry // divisor for entry in x]


def pivot_columns(matrix: flint.fmpz_mat) -> list[int]:
    """The lexicographically first independent columns."""
    reduced, _, rank = matrix.rref()
    return [next(j for j in range(matrix.ncols()) if reduced[i, j] != 0) for i in range(rank)]


def _criss_cross(rows: exact.IntegerRows, basis: list[int]) -> list[int] | None:
    """Rows whose slacks may all be zero with no slack negative; None when some slack is negative wherever they are."""
    rest = [i for i in range(len(rows)) if i not in basis]
    start = flint.fmpq_mat(flint.fmpz_mat([rows[i] for i in basis])).inv()
    if not rest:
        return basis
    product = (flint.fmpq_mat(flint.fmpz_mat([rows[i] for i in rest])) * start).tolist()
    # The last column is q: all basis slacks are zero where A y = 1 on the basis.
    table = [[*row, sum(row, flint.fmpq(-1))] for row in product]
    while True:
        negative = min((i for i, row in zip(rest, table, strict=True) if row[-1] < 0), default=None)
        if negative is None:
            return basis
        r = rest.index(negative)
        helper = min((j for j, c in zip(basis, table[r], strict=False) if c > 0), default=None)
        if helper is None:
            return None
        c = basis.index(helper)
        table = _exchange(table, r, c)
        rest[r], basis[c] = helper, negative


def _exchange(table: list[list[flint.fmpq]], r: int, c: int) -> list[list[flint.fmpq]]:
    """Solve row r for column c and insert it into the others."""
    pivot = table[r][c]
    solved = [-entry / pivot for entry in table[r]]
    solved[c] = 1 / pivot
    result = []
    for i, row in enumerate(table):
        factor = row[c]
        if i == r:
            result.append(solved)
        elif factor == 0:
            result.append(row)
        else:
            result.append(
                [
                    factor * s if j == c else entry + factor * s
                    for j, (entry, s) in enumerate(zip(row, solved, strict=True))
                ]
            )
    return result
