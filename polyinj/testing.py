"""Hypothesis strategies for matrices, sign vectors, subspaces and cones, for tests of polyinj and of code that uses it.

Needs the extra `polyinj[testing]`. All strategies shrink towards few rows, few columns and small integers.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from polyinj.exact import algebra
from polyinj.geometry.cone import Cone
from polyinj.geometry.orthants import OrthantUnion

Strategy = st.SearchStrategy[NDArray[Any]]


def shapes(max_rows: int = 8, max_columns: int = 3, *, tall: bool = True) -> st.SearchStrategy[tuple[int, int]]:
    """Shapes (m, n); with tall, m >= n."""
    return st.integers(1, max_columns).flatmap(lambda n: st.tuples(st.integers(n if tall else 1, max_rows), st.just(n)))


def integer_matrices(max_rows: int = 8, max_columns: int = 3, *, bound: int = 2, tall: bool = False) -> Strategy:
    """Integer matrices, int64, shape (m, n), entries in -bound..bound.

    A small bound makes them rich in zero, repeated, antiparallel and dependent rows.

    Examples
    --------
    >>> from hypothesis import given
    >>> from polyinj.testing import integer_matrices
    >>> @given(integer_matrices())
    ... def entries_are_small(matrix):
    ...     assert abs(matrix).max() <= 2
    >>> entries_are_small()
    """
    entries = st.integers(-bound, bound)

    def fill(shape: tuple[int, int]) -> Strategy:
        row = st.lists(entries, min_size=shape[1], max_size=shape[1])
        return st.lists(row, min_size=shape[0], max_size=shape[0]).map(np.array)

    return shapes(max_rows, max_columns, tall=tall).flatmap(fill)


@st.composite
def general_position_matrices(
    draw: st.DrawFn, max_rows: int = 8, max_columns: int = 3, *, bound: int = 9
) -> NDArray[np.int64]:
    """Integer matrices, shape (m, n) with m >= n, any n rows linearly independent.

    Built row by row: a row in the span of n - 1 earlier ones is replaced by a point of the moment curve, of which at
    most n - 1 lie in any hyperplane, so that no draw is wasted.
    """
    m, n = draw(shapes(max_rows, max_columns))
    rows: list[list[int]] = []
    for i in range(m):
        row = draw(st.lists(st.integers(-bound, bound), min_size=n, max_size=n))
        step = 0
        while not _extends(rows, row, n):
            step += 1
            row = [(i + step) ** power for power in range(n)]
        rows.append(row)
    return np.array(rows)


def _extends(rows: list[list[int]], row: list[int], n: int) -> bool:
    """Whether `row` is in general position to rows that are: independent of any n - 1 of them."""
    size = min(n - 1, len(rows))
    return all(algebra.rank([*chosen, row]) == size + 1 for chosen in combinations(rows, size))


@st.composite
def nearly_dependent_matrices(draw: st.DrawFn, max_rows: int = 8, max_columns: int = 3) -> NDArray[np.float64]:
    """Float matrices, shape (m, n) with 2 <= n <= m, whose last row is a combination of earlier ones up to a few ulps.

    The last row may also be dependent exactly, or the combination of one row only (nearly parallel rows).
    """
    matrix = draw(integer_matrices(max_rows, max_columns, bound=3, tall=True).filter(lambda a: a.shape[1] >= 2))
    rows = matrix / draw(st.sampled_from([1.0, 3.0, 7.0]))
    weights = draw(st.lists(st.integers(-2, 2), min_size=len(rows) - 1, max_size=len(rows) - 1))
    assume(any(weights))
    rows[-1] = np.array(weights) @ rows[:-1]
    column = draw(st.integers(0, rows.shape[1] - 1))
    for _ in range(draw(st.integers(0, 3))):
        rows[-1, column] = np.nextafter(rows[-1, column], np.inf)
    return np.asarray(rows)


def sign_vectors(length: int) -> st.SearchStrategy[NDArray[np.int8]]:
    """Vectors in {-1, 0, +1}^length, int8; shrink to zeros."""
    entry = st.sampled_from([0, 1, -1])
    return st.lists(entry, min_size=length, max_size=length).map(lambda signs: np.array(signs, dtype=np.int8))


def positive_scalings(rows: int) -> st.SearchStrategy[list[Fraction]]:
    """Positive rationals, one a row."""
    size = st.integers(1, 9)
    return st.lists(st.builds(Fraction, size, size), min_size=rows, max_size=rows)


def rational_rotations(columns: int) -> st.SearchStrategy[list[list[Fraction]]]:
    """Orthogonal matrices with rational entries: products of reflections I - 2 v v^T / v.v."""
    vector = st.lists(st.integers(-3, 3), min_size=columns, max_size=columns).filter(any)
    return st.lists(vector, max_size=2).map(lambda vectors: _reflections(vectors, columns))


def _reflections(vectors: list[list[int]], columns: int) -> list[list[Fraction]]:
    matrix = [[Fraction(i == j) for j in range(columns)] for i in range(columns)]
    for v in vectors:
        norm = sum(entry * entry for entry in v)
        for row in matrix:
            along = 2 * sum((a * b for a, b in zip(row, v, strict=True)), Fraction(0)) / norm
            row[:] = [a - along * b for a, b in zip(row, v, strict=True)]
    return matrix


@st.composite
def _rows(draw: st.DrawFn, least: int, most: int, columns: int, bound: int) -> NDArray[np.int64]:
    row = st.lists(st.integers(-bound, bound), min_size=columns, max_size=columns)
    return np.array(draw(st.lists(row, min_size=least, max_size=most)), dtype=np.int64).reshape(-1, columns)


@st.composite
def subspaces(
    draw: st.DrawFn,
    ambient_dimension: int | None = None,
    max_dimension: int = 3,
    *,
    max_ambient: int = 6,
    bound: int = 2,
) -> NDArray[np.int64]:
    """Integer matrices, shape (m, n) with m the ambient dimension, whose range is the subspace.

    Rows and columns may be zero, repeated or dependent, so the dimension may be less than n, also 0.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(subspaces(4))
    ... def lie_in_four_dimensions(matrix):
    ...     assert Cone.subspace(matrix).ambient_dimension == 4
    >>> lie_in_four_dimensions()
    """
    m = draw(st.integers(1, max_ambient)) if ambient_dimension is None else ambient_dimension
    n = draw(st.integers(1, max_dimension))
    return draw(_rows(m, m, n, bound))


@st.composite
def cones(
    draw: st.DrawFn,
    ambient_dimension: int | None = None,
    *,
    max_ambient: int = 4,
    max_rows: int = 7,
    bound: int = 2,
    floats: bool = False,
) -> Cone:
    """Cones of inequalities (and equations) or of rays (and lines) with small integer entries.

    A small bound makes them rich in zero, repeated, antiparallel and redundant rows, lines and flat cones; the whole
    space and {0} occur. With floats, the entries are float64, some divided by 3, so the cones are not exact.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(cones())
    ... def has_a_dual(cone):
    ...     assert cone.dual().dual() == cone
    >>> has_a_dual()
    """
    n = draw(st.integers(1, max_ambient)) if ambient_dimension is None else ambient_dimension
    rows: NDArray[Any] = draw(_rows(1, max_rows, n, bound))
    equalities: NDArray[Any] = draw(_rows(0, 1, n, bound))
    if floats:
        rows, equalities = rows / draw(st.sampled_from([1.0, 3.0])), equalities.astype(np.float64)
    make = draw(st.sampled_from([Cone.from_inequalities, Cone.from_rays]))
    return make(rows, equalities)


@st.composite
def orthant_unions(draw: st.DrawFn, m: int | None = None, *, max_m: int = 6) -> OrthantUnion:
    """Unions of orthants of R^m with at most max_positive positives, max_positive from 0 to m.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(orthant_unions())
    ... def holds_the_origin(union):
    ...     assert union.contains([0] * union.m)
    >>> holds_the_origin()
    """
    size = draw(st.integers(1, max_m)) if m is None else m
    return OrthantUnion(size, draw(st.integers(0, size)))
