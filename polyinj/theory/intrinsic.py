"""Conic intrinsic volumes of the union of orthants with few positive coordinates, exactly."""

from __future__ import annotations

from fractions import Fraction

from polyinj.exact.orthant_volumes import orthant_union_intrinsic_volumes
from polyinj.theory.domain import read_max_positive, read_sizes


def conic_intrinsic_volumes(m: int, n: int, max_positive: int | None = None) -> list[Fraction]:
    """Conic intrinsic volumes v_0, ..., v_m of {y in R^m : at most max_positive coordinates are > 0}.

    By default that is C_{m,n} = {fewer than n coordinates are > 0}: the layer x -> ReLU(Wx) with W of shape (m, n) and
    generic rows is injective exactly when the range of W meets C_{m,n} only in the origin.

    Parameters
    ----------
    m, n : int
        Both at least 1.
    max_positive : int, optional
        At least 0; n - 1 by default.

    Returns
    -------
    list of Fraction, length m + 1
        Of the valuation: entries may be negative; they sum to 1.

    Raises
    ------
    InputError
        Not integers, or too small.

    Examples
    --------
    >>> [str(v) for v in conic_intrinsic_volumes(3, 2)]
    ['-1/4', '0', '3/4', '1/2']
    >>> [str(v) for v in conic_intrinsic_volumes(3, 2, max_positive=0)]
    ['1/8', '3/8', '3/8', '1/8']
    """
    m, n = read_sizes(m, n)
    return orthant_union_intrinsic_volumes(m, read_max_positive(max_positive, n))
