"""Expected Euler characteristic, expected face counts and what follows for P(not injective) at finite (m, n).

W is a random (m, n) matrix whose rows are in general position and whose law is unchanged when any one row changes sign
(Gaussian rows, for example). C_{m,n} is the set of points of R^m with fewer than n positive coordinates and chi is the
Euler characteristic of C_{m,n} cap range(W) cap (unit sphere): 0 when the layer ReLU(Wx) is injective.

`max_positive`, k, replaces the n - 1 positive coordinates that C_{m,n} allows. For m >= n the set is empty, and chi =
0, unless some x != 0 has at most k active rows (w_i.x >= 0; a small move makes rows that are 0 negative). So "not
injective" then reads "the Tukey depth of the origin among the rows is at most k", and with rows -y_i x_i, "some
perceptron sign(w.x) without bias has at most k errors on m patterns x_i with labels y_i" (Gaussian patterns, or random
labels: then the law is as above).
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
from polyinj.theory.domain import always_meets, read_max_positive, read_real, read_sizes
from polyinj.theory.euler_sum import binomial_sum, binomial_sum_ball, numerator, numerator_ball

# Up to this m * n the exact integers take some hundredths of a second.
_EXACT_WORK = 10**8
_PRECISIONS = (128, 256, 512)


def expected_euler_characteristic(m: int, n: int, max_positive: int | None = None) -> Fraction:
    """E chi of {y : at most max_positive coordinates are > 0} cap range(W) cap (unit sphere), exactly.

    Parameters
    ----------
    m, n : int
        Rows and columns, both at least 1. For m < n the range is all of R^m; where also max_positive >= m, chi is that
        of a sphere.
    max_positive : int, optional
        At least 0; n - 1 by default, where the set is C_{m,n}.

    Returns
    -------
    Fraction

    Raises
    ------
    InputError
        Not integers, or too small.

    Notes
    -----
    The spherical Crofton formula gives E chi = 2 (v_{m-n+1} + v_{m-n+3} + ...) with v the conic intrinsic volumes of
    the union of orthants. The recurrence of `polyinj.exact.orthant_volumes` makes that min(n, m-n) steps on integers of
    O(m) bits.

    Examples
    --------
    >>> expected_euler_characteristic(8, 2)
    Fraction(7, 16)
    >>> expected_euler_characteristic(8, 2, max_positive=2)
    Fraction(21, 16)
    """
    m, n = read_sizes(m, n)
    return Fraction(int(numerator(m, n, read_max_positive(max_positive, n))), 1 << (m - 1))


def log_expected_euler_characteristic(m: int, n: int, max_positive: int | None = None) -> tuple[int, float]:
    """Sign and natural logarithm of E chi, without overflow or cancellation, for m up to 10^6 and beyond.

    Parameters
    ----------
    m, n, max_positive : int
        As for `expected_euler_characteristic`.

    Returns
    -------
    (sign, log) : int, float
        sign(E chi) and ln |E chi|; (0, -inf) where E chi = 0. The sign is proven; the logarithm is accurate to a few
        units in the last place, or to 1e-18 absolutely where E chi is near 1.

    Raises
    ------
    InputError
        Not integers, or too small.

    Notes
    -----
    Where the exact integers of `expected_euler_characteristic` are cheap they are used. Beyond that the terms of the
    same sum are computed as Arb balls through the ratio of neighbours, r' = (a - b / r) / c: a map of the line, so that
    balls follow its derivative and do not widen as the balls of the linear recurrence would (128 bits leave more than
    80 correct ones at m = 10^6, n = 10^5, in a fraction of a second). For m/n > 4 + 2 sqrt 2 all terms are positive, as
    n lies below the first zero of the Krawtchouk polynomial; so for every k = b n and m/n > 2 + 2 b + 2 sqrt(2 b). A
    ball that leaves the sign open is computed again with more bits, and in the end exactly.

    Examples
    --------
    >>> log_expected_euler_characteristic(8, 4)
    (0, -inf)
    >>> sign, value = log_expected_euler_characteristic(10**6, 10**5)
    >>> sign, round(value, 6)
    (1, -68834.859918)
    """
    m, n = read_sizes(m, n)
    k = read_max_positive(max_positive, n)
    for bits in _PRECISIONS if m >= n and m > k and m * n > _EXACT_WORK else ():
        with precision(bits):
            total = numerator_ball(m, n, k)
            if (total > 0 or total < 0) and total.rel_accuracy_bits() > 60:
                value = abs(total).log() - (m - 1) * arb(2).log()
                return (1 if total > 0 else -1), float(value)
    exact = fmpq(numerator(m, n, k), fmpz(1) << (m - 1))
    if exact == 0:
        return 0, -inf
    with precision(_PRECISIONS[0]):
        return (1 if exact > 0 else -1), float(arb(abs(exact)).log())


def expected_face_counts(m: int, n: int, max_positive: int | None = None) -> NDArray[Any]:
    """Expected numbers of faces of the arrangement of the m hyperplanes w_i-perp in R^n.

    Parameters
    ----------
    m, n : int
        Both at least 1.
    max_positive : int, optional
        At least 0; by default all faces count.

    Returns
    -------
    ndarray of Fraction, shape (n + 1, m + 1)
        Entry [d, p]: faces of linear dimension d on which p rows are positive. Columns beyond max_positive are zero, as
        in `Arrangement.face_counts`. For m >= n the origin is the face [0, 0]; for m < n the smallest face is the
        kernel, [n - m, 0], and every sign vector occurs.

    Raises
    ------
    InputError
        Not integers, or too small.

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
    last = m if max_positive is None else read_max_positive(max_positive, n)
    counts = np.full((n + 1, m + 1), Fraction(0), dtype=object)
    for z in range(min(m, n)):
        faces = comb(m, z) * count_cells(m - z, n - z)
        for p in range(min(m - z, last) + 1):
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


def euler_rate(alpha: float, budget: float = 1.0) -> float:
    """Growth rate of E chi: the limit of (1/n) ln |E chi| at m = alpha n, max_positive = budget n.

    Between 2 + 2b - 2 sqrt(2b) and 2 + 2b + 2 sqrt(2b), b the budget, E chi oscillates in sign and this is the rate of
    its envelope. Below, E chi tends to 1, or for alpha > 2 to chi of a sphere, and the rate is 0, or it grows. For b =
    1 the oscillations end at 4 + 2 sqrt 2 = 6.828, and the root of the rate is the Euler threshold 8.3446.

    Parameters
    ----------
    alpha : float
        Aspect ratio m/n, above 1 and above the budget.
    budget : float
        Positive rows allowed, divided by n; 1 for injectivity.

    Raises
    ------
    InputError
        alpha is no finite number above 1 and the budget, or the budget is not above 0.

    Notes
    -----
    Saddle point of the generating polynomial of the intrinsic volumes: with H the entropy in nats, alpha H(1/alpha) -
    alpha ln 2 + ln(t-1) + (alpha-1) ln((t+1)/t) + (b-1) ln t at t = (alpha - 2 + sqrt(alpha^2 - 4 (1+b) alpha + 4 (1 +
    b^2))) / (2b), from the term v_{m-n+1}; with s = 1/t, the next one is s / (s + b (1-s)) < 1 times as large, above
    the oscillations. Below them that is the rate of E chi - 1, or of E chi less that of the sphere.

    Examples
    --------
    >>> round(euler_rate(8.0), 12), abs(euler_rate(8.344632960854723)) < 1e-14
    (0.126316652657, True)
    """
    b = read_real(budget, "budget", above=0)
    alpha = read_real(alpha, "alpha", above=max(1.0, b))
    root = cmath.sqrt(alpha * alpha - 4 * (1 + b) * alpha + 4 * (1 + b * b))
    # The coefficient of s^k, k = b n, is read at the saddle s = 1/t next to 0, or beyond the middle next to infinity.
    t = (alpha - 2 + (root if (alpha > 2) == (2 * b < alpha) else -root)) / (2 * b)
    entropy = alpha * log(alpha) - (alpha - 1) * log(alpha - 1)
    rate = entropy - alpha * log(2) + log(abs(t - 1)) + (alpha - 1) * log(abs((t + 1) / t)) + (b - 1) * log(abs(t))
    return max(rate, 0.0) if alpha < 2 + 2 * b - 2 * sqrt(2 * b) else rate


def noninjectivity_bound(m: int, n: int, max_positive: int | None = None) -> float:
    """A proven upper bound of P(x -> ReLU(Wx) is not injective), rounded up and at most 1.

    Parameters
    ----------
    m, n : int
        Both at least 1.
    max_positive : int, optional
        At least 0; bounds P(some x != 0 has at most max_positive active rows). n - 1 by default.

    Returns
    -------
    float
        Not below the exact bound min(1, 2 sum_{i<n} C(m-1, i) * sum_{p<=k} C(m-n, p) / 2^m), k = max_positive, so never
        0. At k = 0 that is the probability itself (`wendel_probability`).

    Raises
    ------
    InputError
        Not integers, or too small.

    Notes
    -----
    If some x has at most k active rows, take a cell with the fewest positive rows: it has at most k. Each of its facet
    rows is negative, as crossing a positive one would lead to fewer positives, and it has at least n facets. The signs
    of a cell are uniform and independent of the cell's unsigned shape, so a given one of the 2 sum_{i<n} C(m-1, i)
    cells is such a cell with probability at most sum_{p<=k} C(m-n, p) / 2^m. (n = 1: the facet 0 lies on all rows, and
    C(m, p) takes the place of C(m-n, p).) In balls of 256 bits.

    Examples
    --------
    >>> noninjectivity_bound(1, 1), round(noninjectivity_bound(90, 10), 7)
    (1.0, 0.0003049)
    """
    m, n = read_sizes(m, n)
    k = read_max_positive(max_positive, n)
    if m < n:
        return 1.0
    with precision(256):
        bound = 2 * binomial_sum_ball(m - 1, n - 1) * binomial_sum_ball(m - n if n > 1 else m, k) * arb(2) ** -m
    return min(1.0, round_up(bound))


def round_up(ball: arb) -> float:
    """The least float that is no less than any point of the ball, infinity where there is none."""
    with precision(DOUBLE):
        upper = ball.upper()
    value = float(upper)
    while arb(value) < upper:
        value = nextafter(value, inf)
    return value


def exact_noninjectivity_probability(m: int, n: int, max_positive: int | None = None) -> Fraction:
    """P(x -> ReLU(Wx) is not injective) where it depends on nothing but general position and sign symmetry.

    Parameters
    ----------
    m, n : int
        Both at least 1; n <= 2, or any n where max_positive = 0 or m <= n + 2 max_positive.
    max_positive : int, optional
        At least 0: P(some x != 0 has at most max_positive active rows). n - 1 by default.

    Returns
    -------
    Fraction
        With k = max_positive: 1 for m <= n + 2k; beyond, 2^(1-m) sum_{p<=k} C(m, p) for n = 1 and (m-2k) 2^(1-m)
        sum_{i>=0} C(m, k - i (m-2k)) for n = 2; `wendel_probability` for k = 0. By default: 2^(1-m) for n = 1, m (m-2)
        / 2^(m-1) for n = 2 and m >= 4, 1 for n >= 2 and m <= 3n - 2.

    Raises
    ------
    InputError
        Not integers, or too small, or the probability depends on the law of the rows (n >= 3, m > n + 2k, k > 0).

    Notes
    -----
    n = 1: one of the two directions has few positive signs. m <= n + 2k: the depth of a point in general position is at
    most floor((m-n+1)/2). n = 2: antipodal points turn the rows into m points in cyclic order with uniform signs, and
    the positive rows, seen while x turns by half a turn, number m/2 + S_j - S_m/2 with S_0, ..., S_m a simple random
    walk; the depth exceeds k when |S_j - S_m/2| < b = m/2 - k for all j. Reflected at -b and b, these walks number
    sum_s sum_i (C[s + 4ib] - C[2b + 4ib]), s over the 2b - 1 values of S_m in (-2b, 2b), C[d] the number of walks to d.
    The first sums run over all walks but those with S_m an odd multiple of 2b, T in number, and the second are T each:
    2^m - 2b T.

    Examples
    --------
    >>> exact_noninjectivity_probability(8, 2), exact_noninjectivity_probability(7, 3)
    (Fraction(3, 8), Fraction(1, 1))
    >>> exact_noninjectivity_probability(8, 2, max_positive=2)
    Fraction(7, 8)
    """
    m, n = read_sizes(m, n)
    k = read_max_positive(max_positive, n)
    if always_meets(m, n, k):
        return Fraction(1)
    if k == 0:
        return wendel_probability(m, n)
    if n == 1:
        return Fraction(int(binomial_sum(m, k)), 1 << (m - 1))
    if n == 2:
        gap = m - 2 * k
        return Fraction(gap * sum(comb(m, place) for place in range(k, -1, -gap)), 1 << (m - 1))
    raise InputError(
        f"P(not injective) at m = {m}, n = {n} depends on the law of the rows; exact values exist for n <= 2, for "
        f"max_positive = 0 and for m <= n + 2 max_positive, here {n + 2 * k}; try noninjectivity_bound"
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
