"""The sum behind the expected Euler characteristic: every second conic intrinsic volume, by a recurrence.

The cone is {y in R^m : at most k coordinates are > 0}, cut by a random subspace of n dimensions. In integers of O(m)
bits, or in Arb balls; with them the binomial sums that it and the union bounds need.
"""

from __future__ import annotations

from collections.abc import Iterator

from flint import arb, fmpz


def numerator(m: int, n: int, k: int) -> fmpz:
    """2^(m-1) E chi; for m < n the subspace is R^m."""
    n = min(m, n)
    if k >= m:
        return fmpz(1 + (-1) ** (n - 1)) << (m - 1)
    first, term, steps = _sum(m, n, k)
    total, before = fmpz(first if first is not None else binomial_sum(m, k)), fmpz(0)
    for counts, p, q, r in steps:
        if counts:
            total += term
        before, term = term, (q * term - r * before) // p
    return total


def numerator_ball(m: int, n: int, k: int) -> arb:
    """2^(m-1) E chi as a ball in the working precision, not finite where a term is too near 0; m >= n, m > k."""
    first, start, steps = _sum(m, n, k)
    total = arb(first) if first is not None else binomial_sum_ball(m, k)
    term, inverse = arb(start), arb(0)
    for counts, p, q, r in steps:
        if counts:
            total += term
        ratio = (q - r * inverse) / p
        inverse = 1 / ratio
        term *= ratio
    return total


def _sum(m: int, n: int, k: int) -> tuple[fmpz | None, fmpz, Iterator[tuple[bool, int, int, int]]]:
    """The sum 2^(m-1) E chi = (first summand) + (every second term, counted from the last), m >= n, m > k.

    The terms follow p t[i+1] = q t[i] - r t[i-1] from t[0], t[-1] = 0. From the top volumes, t = 2^m v_(m-j) for j =
    1, ..., n-1; or from the bottom ones, t = -2^m v_j for j = 0, ..., m-n-1, as the volumes of either parity sum to
    1/2. The shorter sum is taken: beyond the middle, the recurrence from the far end loses all accuracy. A first
    summand of None stands for 2^m v_m = C(m, 0) + ... + C(m, k).
    """
    a = m - 1 - 2 * k
    corner = fmpz.bin_uiui(m - 1, k)
    if 2 * n <= m:
        top = (((n - 1 - j) % 2 == 0, j * (j + 1), a * j, (j - 1) * (m - j + 1)) for j in range(1, n))
        return (None if n % 2 else fmpz(0)), m * corner, top
    bottom = (
        ((m - n - 1 - j) % 2 == 0, (j + 1) * (m - 1 - j), a * (m - j), (m - j) * (m - j + 1)) for j in range(m - n)
    )
    return fmpz(1) << (m - 1), (-1) ** (k + 1) * corner, bottom


def binomial_sum(m: int, k: int) -> fmpz:
    """C(m, 0) + ... + C(m, k)."""
    total = term = fmpz(1)
    for p in range(1, min(k, m) + 1):
        term = term * (m - p + 1) // p
        total += term
    return total


def binomial_sum_ball(m: int, k: int) -> arb:
    """C(m, 0) + ... + C(m, k) as a ball in the working precision: positive terms only, exact while they fit."""
    total = term = arb(1)
    for p in range(1, min(k, m) + 1):
        term = term * (m - p + 1) / p
        total += term
    return total
