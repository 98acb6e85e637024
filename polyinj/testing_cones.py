"""Hypothesis strategies for subspaces, cones and unions of orthants.

Needs the extra `polyinj[testing]`. All strategies shrink towards few rows, few columns and small integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from polyinj.geometry.cone import Cone
from polyinj.geometry.orthants import OrthantUnion


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
