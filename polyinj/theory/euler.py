"""Expected Euler characteristic, expected face counts and what follows for P(not injective) at finite (m, n).

W is a random (m, n) matrix whose rows are in general position and whose law is unchanged when any one row changes sign
(Gaussian rows, for example). C_{m,n} is the set of points of R^m with fewer than n positive coordinates and chi is the
Euler characteristic of C_{m,n} cap range(W) cap (unit sphere): 0 when the layer ReLU(Wx) is injective.
"""

from __future__ import annotations

import cmath
from fractions import Fraction
from math import comb, inf, log, nextafter, sqrt
from typing import Any

import numpy as np
from flint import arb, fmpq, fmpz
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.exact.precision import DOUBLE, precision
from polyinj.theory.domain import read_real, read_sizes
from polyinj.theory.euler_sum import binomial_sum, binomial_sum_ball, numerator, numerator_ball

# Up to this m * n the exact integers take some hundredths of a second.
_EXACT_WORK = 10**8
_PRECISIONS = (128, 256, 512)


def expected_euler_characteristic(m: int, n: int) -> Fraction:
    """E chi of C_{m,n} cap range(W) cap (unit sphere), exactly.

    Parameters
    ----------
    m, n : int
        Rows and columns, both at least 1. For m < n the range is all of R^m and chi is that of its sphere.

    Returns
    -------
    Fraction

    Raises
    ------
    InputError
        m or n is no integer or less than 1.

    Notes
    -----
    The spherical Crofton formula gives E chi = 2 (v_{m-n+1} + v_{m-n+3} + ...) with v the conic intrinsic volumes of
    C_{m,n}. The recurrence of `polyinj.exact.orthant_volumes` makes that min(n, m-n) steps on integers of O(m) bits.

    Examples
    --------
    >>> expected_euler_characteristic(8, 2)
    Fraction(7, 16)
    """
    m, n = read_sizes(m, n)
    return Fraction(int(numerator(m, n)), 1 << (m - 1))


def log_expected_euler_characteristic(m: int, n: int) -> tuple[int, float]:
    """Sign and natural logarithm of E chi, without overflow or cancellation, for m up to 10^6 and beyond.

    Parameters
    ----------
    m, n : int
        Both at least 1.

    Returns
    -------
    (sign, log) : int, float
        sign(E chi) and ln |E chi|; (0, -inf) where E chi = 0. The sign is proven; the logarithm is accurate to a few
        units in the last place, or to 1e-18 absolutely where E chi is near 1.

    Raises
    ------
    InputError
        m or n is no integer or less than 1.

    Notes
    -----
    Where the exact integers of `expected_euler_characteristic` are cheap they are used. Beyond that the terms of the
    same sum are computed as Arb balls through the ratio of neighbours, r' = (a - b / r) / c: a map of the line, so that
    balls follow its derivative and do not widen as the balls of the linear recurrence would (128 bits leave more than
    80 correct ones at m = 10^6, n = 10^5, in a fraction of a second). For m/n > 4 + 2 sqrt 2 all terms are positive, as
    n lies below the first zero of the Krawtchouk polynomial. A ball that leaves the sign open is computed again
    with more bits, and in the end exactly.

    Examples
    --------
    >>> log_expected_euler_characteristic(8, 4)
    (0, -inf)
    >>> sign, value = log_expected_euler_characteristic(10**6, 10**5)
    >>> sign, round(value, 6)
    (1, -68834.859918)
    """
    m, n = read_sizes(m, n)
    for bits in _PRECISIONS if m >= n and m * n > _EXACT_WORK else ():
        with precision(bits):
            total = numerator_ball(m, n)
            if (total > 0 or total < 0) and total.rel_accuracy_bits() > 60:
                value = abs(total).log() - (m - 1) * arb(2).log()
                return (1 if total > 0 else -1), float(value)
    exact = fmpq(numerator(m, n), fmpz(1) << (m - 1))
    if exact == 0:
        return 0, -inf
    with precision(_PRECISIONS[0]):
        return (1 if exact > 0 else -1), float(arb(abs(exact)).log())


def expected_face_counts(m: int, n: int) -> NDArray[Any]:
    """Expected numbers of faces of the arrangement of the m hyperplanes w_i-perp in R^n.

    Parameters
    ----------
    m, n : int
        Both at least 1.

    Returns
    -------
    ndarray of Fraction, shape (n + 1, m + 1)
        Entry [d, p]: faces of linear dimension d on which p rows are positive. For m >= n the origin is the face
        [0, 0]; for m < n the smallest face is the kernel, [n - m, 0], and every sign vector occurs.

    Raises
    ------
    InputError
        m or n is no integer or less than 1.

    Notes
    -----
    With z zeros, C(m, z) flats carry 2 sum_{i < n-z} C(m-z-1, i) faces each (Zaslavsky 1975), whose other m - z signs
    are uniform.

    Examples
    --------
    >>> [[str(f) for f in row] for row in expected_face_counts(2, 2)]
    [['1', '0', '0'], ['2', '2', '0'], ['1', '2', '1']]
    """
    m, n = read_sizes(m, n)
    counts = np.full((n + 1, m + 1), Fraction(0), dtype=object)
    for z in range(min(m, n)):
        faces = comb(m, z) * count_cells(m - z, n - z)
        for p in range(m - z + 1):
            counts[n - z, p] = Fraction(faces * comb(m - z, p), 1 << (m - z))
    counts[n - min(m, n), 0] = Fraction(1)
    return counts


def count_cells(m: int, n: int) -> int:
    """Cells of a central arrangement of m >= 1 hyperplanes in general position in R^n: 2 sum_{i<n} C(m-1, i).

    >>> count_cells(3, 2), count_cells(5, 3)
    (6, 22)
    """
    m, n = read_sizes(m, n)
    return 2 * int(binomial_sum(m - 1, n - 1))


def euler_rate(alpha: float) -> float:
    """Growth rate of E chi: the limit of (1/n) ln |E chi| at m = alpha n.

    Between 4 - 2 sqrt 2 and 4 + 2 sqrt 2 = 6.828 E chi oscillates in sign and this is the rate of its envelope; below,
    E chi tends to 1 or grows from there. The root of the rate is the Euler threshold 8.3446.

    Parameters
    ----------
    alpha : float
        Aspect ratio m/n, above 1.

    Raises
    ------
    InputError
        alpha is no finite number above 1.

    Notes
    -----
    Saddle point of the generating polynomial of the intrinsic volumes: with H the entropy in nats, alpha H(1/alpha) -
    alpha ln 2 + ln(t-1) + (alpha-1) ln((t+1)/t) at t = (alpha - 2 + sqrt(alpha^2 - 8 alpha + 8)) / 2. Below the
    oscillations that is the rate of E chi - 1.

    Examples
    --------
    >>> round(euler_rate(8.0), 12), abs(euler_rate(8.344632960854723)) < 1e-14
    (0.126316652657, True)
    """
    alpha = read_real(alpha, "alpha", above=1)
    root = cmath.sqrt(alpha * alpha - 8 * alpha + 8)
    t = (alpha - 2 + root) / 2
    entropy = alpha * log(alpha) - (alpha - 1) * log(alpha - 1)
    rate = entropy - alpha * log(2) + log(abs(t - 1)) + (alpha - 1) * log(abs((t + 1) / t))
    return max(rate, 0.0) if alpha < 4 - 2 * sqrt(2) else rate


def noninjectivity_bound(m: int, n: int) -> float:
    """A proven upper bound of P(x -> ReLU(Wx) is not injective), rounded up and at most 1.

    Parameters
    ----------
    m, n : int
        Both at least 1.

    Returns
    -------
    float
        Not below the exact bound min(1, 2 sum_{i<n} C(m-1, i) * sum_{p<n} C(m-n, p) / 2^m), so never 0.

    Raises
    ------
    InputError
        m or n is no integer or less than 1.

    Notes
    -----
    If the layer is not injective, take a cell with the fewest positive rows: it has fewer than n. Each of its facet
    rows is negative, as crossing a positive one would lead to fewer positives, and it has at least n facets. The signs
    of a cell are uniform and independent of the cell's unsigned shape, so a given one of the 2 sum_{i<n} C(m-1, i)
    cells is such a cell with probability at most sum_{p<n} C(m-n, p) / 2^m. In balls of 256 bits.

    Examples
    --------
    >>> noninjectivity_bound(1, 1), round(noninjectivity_bound(90, 10), 7)
    (1.0, 0.0003049)
    """
    m, n = read_sizes(m, n)
    if m < n:
        return 1.0
    with precision(256):
        bound = 2 * binomial_sum_ball(m - 1, n - 1) * binomial_sum_ball(m - n, n - 1) * arb(2) ** -m
    return min(1.0, round_up(bound))


def round_up(ball: arb) -> float:
    """The least float that is no less than any point of the ball, infinity where there is none."""
    with precision(DOUBLE):
        upper = ball.upper()
    value = float(upper)
    while arb(value) < upper:
        value = nextafter(value, inf)
    return value


def exact_noninjectivity_probability(m: int, n: int) -> Fraction:
    """P(x -> ReLU(Wx) is not injective) where it depends on nothing but general position and sign symmetry.

    Parameters
    ----------
    m, n : int
        Both at least 1; n <= 2, or any n where m <= 3n - 2.

    Returns
    -------
    Fraction
        2^(1-m) for n = 1; m (m-2) / 2^(m-1) for n = 2 and m >= 4; 1 for n >= 2 and m <= 3n - 2.

    Raises
    ------
    InputError
        m or n is no integer or less than 1, or the probability depends on the law of the rows (n >= 3, m >= 3n - 1).

    Notes
    -----
    n = 1: not injective when all signs agree. n = 2: antipodal points turn the rows into m points in cyclic order with
    uniform signs; counted from there. m <= 3n - 2: the depth of a point in general position is at most
    floor((m-n+1)/2) < n.

    Examples
    --------
    >>> exact_noninjectivity_probability(8, 2), exact_noninjectivity_probability(7, 3)
    (Fraction(3, 8), Fraction(1, 1))
    """
    m, n = read_sizes(m, n)
    if n == 1:
        return Fraction(1, 1 << (m - 1))
    if m <= 3 * n - 2:
        return Fraction(1)
    if n == 2:
        return Fraction(m * (m - 2), 1 << (m - 1))
    raise InputError(
        f"P(not injective) at m = {m}, n = {n} depends on the law of the rows; exact values exist for n <= 2 and for "
        "m <= 3n - 2; try noninjectivity_bound"
    )


def wendel_probability(m: int, n: int) -> Fraction:
    """P(some x has w_i.x < 0 for every row): the layer then sends an open cone to 0.

    Wendel, "A problem in geometric probability" (1962): 2^(1-m) sum_{k<n} C(m-1, k), under general position and sign
    symmetry.

    Raises
    ------
    InputError
        m or n is no integer or less than 1.

    Examples
    --------
    >>> wendel_probability(4, 2)
    Fraction(1, 2)
    """
    m, n = read_sizes(m, n)
    return Fraction(count_cells(m, n), 1 << m)
