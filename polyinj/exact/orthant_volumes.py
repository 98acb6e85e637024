"""Conic intrinsic volumes of unions of orthants, exactly.

The union U of the closed orthants of R^m with at most k positive coordinates is not convex, but the conic intrinsic
volumes v_0, ..., v_m extend to finite unions of cones as valuations. U is the disjoint union of the relatively open
orthant faces with at most k positives, so with d the dimension of a face and p its positives

    v_j(U) = sum_{d >= j} C(m, d) sum_{p <= min(k, d)} C(d, p) (-1)^(d-j) C(d, j) 2^-d,

    sum_j v_j t^j = 2^-m sum_{p <= k} C(m, p) (t-1)^p (t+1)^(m-p).

Read from the top, the coefficients of that polynomial are Krawtchouk numbers: for j >= 1

    2^m v_(m-j) = C(m, j) sum_{p <= k} K_p(j; m) = C(m, j) K_k(j-1; m-1),

where K_k(x; N) is the coefficient of s^k in (1-s)^x (1+s)^(N-x). Their difference equation in x gives each coefficient
from the two before it, by exact integer divisions.
"""

from __future__ import annotations

from fractions import Fraction

from flint import fmpz


def orthant_union_intrinsic_volumes(m: int, max_positive: int) -> list[Fraction]:
    """Conic intrinsic volumes v_0, ..., v_m of {y in R^m : at most max_positive coordinates are > 0}.

    They are those of the valuation: they may be negative, and they sum to 1. For max_positive >= m the set is R^m.

    Parameters
    ----------
    m, max_positive : int
        m >= 1, max_positive >= 0; not checked.

    Returns
    -------
    list of Fraction, length m + 1

    Notes
    -----
    Amelunxen, Lotz, McCoy, Tropp, "Living on the edge" (2014), section 5, for convex cones; the formula for the union
    is in the docstring of this module. O(m) operations on integers of O(m) bits.

    Examples
    --------
    The negative orthant of the plane, and the union of three quadrants:

    >>> [str(v) for v in orthant_union_intrinsic_volumes(2, 0)]
    ['1/4', '1/2', '1/4']
    >>> [str(v) for v in orthant_union_intrinsic_volumes(2, 1)]
    ['-1/4', '1/2', '3/4']
    """
    k = max_positive
    if k >= m:
        return [Fraction(0)] * m + [Fraction(1)]
    top = [sum(fmpz.bin_uiui(m, p) for p in range(k + 1))]
    before, term = fmpz(0), m * fmpz.bin_uiui(m - 1, k)
    for j in range(1, m + 1):
        top.append(term)
        before, term = term, ((m - 1 - 2 * k) * j * term - (j - 1) * (m - j + 1) * before) // (j * (j + 1))
    return [Fraction(int(numerator), 1 << m) for numerator in reversed(top)]
