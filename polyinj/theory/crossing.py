"""Where E chi = 1 at finite n, and its expansion alpha_n = c0 + c1 ln(n)/n + c2/n + O((ln n)^2 / n^2).

The top intrinsic volumes of C_{m,n} are v_(m-j) = 2^-m C(m, j) K_{n-1}(j-1; m-1) (see
`polyinj.exact.orthant_volumes`) and E chi = 2 (v_(m-n+1) + v_(m-n+3) + ...), the leading term being j = n-1. At
m = alpha n, alpha > 4 + 2 sqrt 2:

- K_{n-1}(n-2; m-1) is the coefficient of s^(n-1) in (1-s)^(n-2) (1+s)^(m-n+1), so with psi(s) = ln(1-s) +
  (alpha-1) ln(1+s) - ln s and its first saddle s > 0 it is exp(n psi) (1+s) (1-s)^-2 (2 pi n psi'')^-1/2 (1 + O(1/n));
- C(m, n-1) = C(m, n) / (alpha-1 + 1/n), and Stirling gives C(m, n) = exp(n alpha H(1/alpha)) (alpha / (2 pi n
  (alpha-1)))^1/2 (1 + O(1/n));
- lowering j by 2 multiplies by ((1+s) / ((1-s) (alpha-1)))^2, which is s^2 at the saddle: a geometric sum.

Hence ln E chi = n rate(alpha) - ln n + a(alpha) + O(1/n), with rate = `euler_rate`, s = 1/t there, and

    a = ln 2 - ln(alpha-1) + (1/2) ln(alpha / (2 pi (alpha-1))) + ln(1+s) - 2 ln(1-s) - (1/2) ln(2 pi psi'')
        - ln(1-s^2).

Expanding around the zero alpha* of the rate: c0 = alpha*, c1 = 1 / rate'(alpha*), c2 = -a(alpha*) / rate'(alpha*).
"""

from __future__ import annotations

from math import isqrt, log, pi, sqrt

from scipy.optimize import brentq

from polyinj.errors import InputError
from polyinj.theory.domain import read_count, read_max_positive
from polyinj.theory.euler import euler_rate, log_expected_euler_characteristic
from polyinj.theory.thresholds import euler_threshold

# Beyond, the search takes more than some seconds.
_MOST_POSITIVE = 1_000_000


def euler_crossing(n: int, max_positive: int | None = None) -> float:
    """m/n where E chi falls through 1 for the last time, ln E chi interpolated linearly between integers m.

    Parameters
    ----------
    n : int
        At least 1; 10^4 takes a fraction of a second.
    max_positive : int, optional
        At least 0 and at most 10^6; n - 1 by default.

    Raises
    ------
    InputError
        Not integers, or outside their ranges.

    Notes
    -----
    Beyond m = 7n (for k = max_positive, beyond 2n + 2k + 3 sqrt(nk) + 1), above the oscillations, ln E chi decreases,
    and bisection finds the crossing; where it lies below, as it does for small n, m is lowered from there one by one.

    Examples
    --------
    >>> [round(euler_crossing(n), 4) for n in (10, 100)]
    [6.721, 8.1213]
    """
    n = read_count(n, "n")
    k = read_max_positive(max_positive, n)
    if max_positive is not None and k > _MOST_POSITIVE:
        raise InputError(f"max_positive is {k}; expected at most {_MOST_POSITIVE}; try euler_rate, which asks for k/n")
    low = 7 * n if k == n - 1 else 2 * n + 2 * k + isqrt(9 * n * k) + 1
    high = 9 * n + 1 if k == n - 1 else 2 * low
    if _log(low, n, k) < 0:
        while _log(low, n, k) < 0:
            low -= 1
        high = low + 1
    while _log(high, n, k) >= 0:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _log(middle, n, k) >= 0 else (low, middle)
    above, below = _log(low, n, k), _log(high, n, k)
    return (low + above / (above - below)) / n


def _log(m: int, n: int, k: int) -> float:
    """ln E chi where E chi > 0, and below 0 where it is not."""
    sign, value = log_expected_euler_characteristic(m, n, k)
    return value if sign > 0 else -1.0


def euler_crossing_coefficients() -> tuple[float, float, float]:
    """(c0, c1, c2) of the expansion c0 + c1 ln(n)/n + c2/n of `euler_crossing`.

    Examples
    --------
    >>> [round(c, 6) for c in euler_crossing_coefficients()]
    [8.344633, -2.652404, -10.033107]
    """
    threshold = euler_threshold()
    slope = _rate_slope(threshold)
    return threshold, 1 / slope, -_offset(threshold) / slope


def euler_crossing_estimate(n: int) -> float:
    """The root of n rate(alpha) - ln n + a(alpha): right up to O(1/n^2), the logarithms resummed.

    Raises
    ------
    InputError
        n is no integer or less than 20 (there the crossing lies in the oscillations).

    Examples
    --------
    >>> round(euler_crossing_estimate(1000), 4), round(euler_crossing(1000), 4)
    (8.3163, 8.3163)
    """
    n = read_count(n, "n", 20)
    low, high = 4 + 2 * sqrt(2) + 1e-3, euler_threshold() + 1
    return float(brentq(lambda alpha: n * euler_rate(alpha) - log(n) + _offset(alpha), low, high, xtol=1e-14))


def _saddle(alpha: float) -> float:
    return 2 / (alpha - 2 + sqrt(alpha * alpha - 8 * alpha + 8))


def _rate_slope(alpha: float) -> float:
    """The derivative of the rate: only the explicit alpha counts at the saddle."""
    return log(alpha * (1 + _saddle(alpha)) / (2 * (alpha - 1)))


def _offset(alpha: float) -> float:
    """a(alpha) of the module's docstring."""
    s = _saddle(alpha)
    curvature = 1 / s**2 - 1 / (1 - s) ** 2 - (alpha - 1) / (1 + s) ** 2
    stirling = log(alpha / (2 * pi * (alpha - 1))) / 2 - log(2 * pi * curvature) / 2
    return log(2) - log(alpha - 1) + stirling + log(1 + s) - 2 * log(1 - s) - log(1 - s * s)
