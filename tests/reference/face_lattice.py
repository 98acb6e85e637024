"""The slow, obvious reference of the enumeration: covectors as compositions of cocircuits, all in Fractions."""

from fractions import Fraction
from itertools import combinations


def _kernel(rows, columns):
    """A basis of {x : rows x = 0} by Gauss-Jordan elimination."""
    rows = [[Fraction(entry) for entry in row] for row in rows]
    pivots = []
    for column in range(columns):
        chosen = next((i for i in range(len(pivots), len(rows)) if rows[i][column]), None)
        if chosen is None:
            continue
        k = len(pivots)
        rows[k], rows[chosen] = rows[chosen], rows[k]
        rows[k] = [entry / rows[k][column] for entry in rows[k]]
        for i, row in enumerate(rows):
            if i != k and row[column]:
                rows[i] = [a - row[column] * b for a, b in zip(row, rows[k], strict=True)]
        pivots.append(column)
    basis = []
    for free in (c for c in range(columns) if c not in pivots):
        x = [Fraction(int(c == free)) for c in range(columns)]
        for i, column in enumerate(pivots):
            x[column] = -rows[i][free]
        basis.append(x)
    return basis


def rank(rows, columns):
    """Rank by elimination in Fractions."""
    return columns - len(_kernel(rows, columns))


def _signs(rows, x):
    values = (sum(Fraction(a) * b for a, b in zip(row, x, strict=True)) for row in rows)
    return tuple((value > 0) - (value < 0) for value in values)


def _compose(x, y):
    return tuple(a or b for a, b in zip(x, y, strict=True))


def covectors(rows):
    """All covectors of a central arrangement and their linear dimensions: the closure of its cocircuits.

    A cocircuit is the sign vector of a line, modulo the lineality space, on which all but rank - 1 independent rows
    vanish; every covector is a composition of cocircuits.
    """
    n = len(rows[0])
    r = rank(rows, n)
    lineality = _kernel(rows, n)
    cocircuits = set()
    for tight in combinations(rows, r - 1) if r else ():
        if rank(tight, n) == r - 1:
            for x in _kernel([*tight, *lineality], n):
                cocircuits |= {_signs(rows, x), _signs(rows, [-entry for entry in x])}
    found = {(0,) * len(rows)}
    fresh = found
    while fresh:
        fresh = {_compose(x, y) for x in fresh for y in cocircuits} - found
        found = found | fresh
    return {x: n - rank([row for row, sign in zip(rows, x, strict=True) if sign == 0], n) for x in found}


def affine_covectors(rows, offsets):
    """Sign vectors of w_i.x + b_i and dimensions of the faces: the part x_0 = 1 of the cone over the arrangement."""
    n = len(rows[0])
    lifted = [[*row, offset] for row, offset in zip(rows, offsets, strict=True)]
    central = covectors([*lifted, [0] * n + [1]])
    return {x[:-1]: dimension - 1 for x, dimension in central.items() if x[-1] > 0}


def face_counts(faces, m, n):
    """F[d][p] of a dict of sign vectors and dimensions."""
    table = [[0] * (m + 1) for _ in range(n + 1)]
    for x, dimension in faces.items():
        table[dimension][sum(sign > 0 for sign in x)] += 1
    return table
