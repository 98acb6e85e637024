"""Two cones and a linear map on each: have they points x != y with one image? Exact linear algebra and Farkas' lemma.

The columns are the outputs of the rays of both, those of the second cone negated; the inputs are the rays, likewise.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from polyinj.exact import algebra
from polyinj.exact.farkas import Combination, farkas


def mix(shares: Sequence[Fraction | int], rows: Sequence[Sequence[Fraction | int]]) -> list[Fraction]:
    """The combination of the rows."""
    columns = zip(*rows, strict=True)
    return [Fraction(algebra.dot(shares, line)) for line in columns]


def kernel_is_diagonal(columns: algebra.IntegerRows, inputs: algebra.IntegerRows) -> bool:
    """Whether coefficients that combine the (signed) outputs to 0 also combine the (signed) inputs to 0."""
    both = [[*output, *point] for output, point in zip(columns, inputs, strict=True)]
    return algebra.rank(columns) == algebra.rank(both)


def largest_support(columns: algebra.IntegerRows) -> tuple[list[Fraction], list[int]]:
    """Nonnegative coefficients of a relation of the columns with the largest support, and a row of Farkas' lemma.

    The row is >= 0 on all columns, and > 0 on those outside the support.
    """
    point = [Fraction(0)] * len(columns)
    row = [0] * len(columns[0])
    for k, column in enumerate(columns):
        if point[k] or algebra.product([row], column) != [0]:
            continue
        rest = [c for j, c in enumerate(columns) if j != k]
        found = farkas(rest, [-entry for entry in column])
        if isinstance(found, Combination):
            shares = [*found.multipliers[:k], Fraction(1), *found.multipliers[k:]]
            point = [a + b for a, b in zip(point, shares, strict=True)]
        else:
            row = [a + b for a, b in zip(row, found.row, strict=True)]
    return point, row


def off_diagonal(
    point: list[Fraction], support: list[int], columns: algebra.IntegerRows, inputs: algebra.IntegerRows
) -> list[Fraction]:
    """Coefficients with x != y: the point at hand, or one beside it; columns and inputs are those of its support."""
    shares = list(point)
    if any(mix([shares[k] for k in support], inputs)):
        return shares
    relations = algebra.kernel([list(line) for line in zip(*columns, strict=True)], len(columns))
    move = next(k for k in relations if any(mix(k, inputs)))
    step = min(shares[k] / abs(c) for k, c in zip(support, move, strict=True) if c) / 2
    for k, c in zip(support, move, strict=True):
        shares[k] += step * c
    return shares
