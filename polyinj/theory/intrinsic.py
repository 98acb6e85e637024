"""Conic intrinsic volumes of the union of orthants that decides injectivity, exactly."""

from __future__ import annotations

from fractions import Fraction

from polyinj.exact.orthant_volumes import orthant_union_intrinsic_volumes
from polyinj.theory.domain import read_sizes


def conic_intrinsic_volumes(m: int, n: int) -> list[Fraction]:
    """Conic intrinsic volumes v_0, ..., v_m of C_{m,n} = {y in R^m : fewer than n coordinates are > 0}.

    The layer x -> ReLU(Wx) with W of shape (m, n) and generic rows is injective exactly when the range of W meets
    C_{m,n} only in the origin.

    Parameters
    ----------
    m, n : int
        Both at least 1.

    Returns
    -------
    list of Fraction, length m + 1
        Of the valuation: entries may be negative; they sum to 1.

    Raises
    ------
    InputError
        m or n is no integer or less than 1.

    Examples
    --------
    >>> [str(v) for v in conic_intrinsic_volumes(3, 2)]
    ['-1/4', '0', '3/4', '1/2']
    """
    m, n = read_sizes(m, n)
    return orthant_union_intrinsic_volumes(m, n - 1)
