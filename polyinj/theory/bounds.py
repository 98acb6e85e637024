"""Proven bounds of P(not injective) for Gaussian layers from Gordon's theorem, and the widths they allow."""

from __future__ import annotations

from fractions import Fraction
from math import lgamma, log, log1p, sqrt

import numpy as np
from flint import acb, arb, fmpz
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, ndtr

from polyinj.errors import InputError
from polyinj.exact.precision import precision
from polyinj.theory.domain import read_count, read_real, read_sizes
from polyinj.theory.euler import exact_noninjectivity_probability, noninjectivity_bound, round_up

# Beyond this the normal density is below the least float by far, whatever the other factors are.
_REACH = 48


def gordon_bound(m: int, n: int) -> float:
    """A proven upper bound of P(x -> ReLU(Wx) is not injective) for Gaussian W, rounded up and at most 1.

    It is the better one beside `noninjectivity_bound` for large n and aspect ratios between 7.65 and about 9.

    Parameters
    ----------
    m, n : int
        n at least 2.

    Returns
    -------
    float

    Raises
    ------
    InputError
        m or n is no integer or too small.

    Notes
    -----
    The layer is not injective exactly when some unit x and some set T of n - 1 rows have u.Wx <= 0 for all u >= 0 that
    vanish on T (for generic W). Gordon's theorem compares the process u.Wx + gamma, indexed by (x, T) and unit such u,
    with g.u + h.x, where g in R^m, h in R^n and gamma are independent and standard normal:

        P(min max (u.Wx + gamma) >= 0) >= P(min max (g.u + h.x) >= 0) >= P(Y > |h|^2),

    where Y is the sum of the squared positive parts of all but the n - 1 largest entries of g. If the layer is not
    injective, the left event needs gamma >= 0, independently. So P(not injective) <= 2 P(Y <= |h|^2), and by Markov's
    inequality, for every 0 < s < 1/2,

        P(not injective) <= 2 (1 - 2 s)^(-n/2) E exp(-s Y).

    Given that the (n-1)-st largest entry is t, the smaller ones are independent below t, whence

        E exp(-s Y) = m C(m-1, n-2) int phi(t) Phi(-t)^(n-2) A(t)^(m-n+1) dt,
        A(t) = int_{-oo}^t phi(z) exp(-s max(z, 0)^2) dz.

    s minimises a floating point estimate; for that s the integral is enclosed by Arb, its tails bounded by those of
    m normal variables. (Gordon 1988; Maillard et al. 2023 use the asymptotic version.)

    Examples
    --------
    >>> gordon_bound(8000, 1000) < 0.5 < noninjectivity_bound(8000, 1000)
    True
    """
    m, n = read_sizes(m, n)
    if n < 2:
        raise InputError(f"n is {n}; expected an integer, at least 2; for n = 1 the probability is 2^(1-m)")
    if m <= 3 * n - 2:
        return 1.0
    s, estimate = _best_exponent(m, n)
    if estimate >= 0:
        return 1.0
    with precision(128):
        factor = 2 * (1 - 2 * arb(s)) ** (-arb(n) / 2)
        constant = factor * m * arb(fmpz.bin_uiui(m - 1, n - 2)) / (2 * arb.pi()).sqrt()
        tail = factor * m * (arb(_REACH) / arb(2).sqrt()).erfc()
        scale = arb(estimate).exp()
        return min(1.0, round_up(_integral(m, n, arb(s), constant / scale) * scale + tail))


def _integral(m: int, n: int, s: arb, constant: arb) -> arb:
    """constant times int exp(-t^2/2) Phi(-t)^(n-2) A(t)^(m-n+1) over |t| <= _REACH, in all about 1, to 30 bits."""
    root, scale = (1 + 2 * s).sqrt(), arb(2).sqrt()

    def integrand(t: acb, inner: acb) -> acb:
        return constant * (-t * t / 2).exp() * ((t / scale).erfc() / 2) ** (n - 2) * inner ** (m - n + 1)

    def below(t: acb, _: bool) -> acb:
        return integrand(t, (-t / scale).erfc() / 2)

    def above(t: acb, _: bool) -> acb:
        return integrand(t, (1 + (t * root / scale).erf() / root) / 2)

    # A is analytic on either side of 0.
    tolerance = arb(2) ** -30
    left, right = (
        acb.integral(part, *ends, abs_tol=tolerance, rel_tol=tolerance)
        for part, ends in ((below, (-_REACH, 0)), (above, (0, _REACH)))
    )
    return (left + right).real


def _best_exponent(m: int, n: int) -> tuple[float, float]:
    """The s in (0, 1/2) that minimises the bound, and the logarithm of the bound there, in floating point."""
    t = np.linspace(-8, 8, 4001)
    constant = log(2 * m) + lgamma(m) - lgamma(n - 1) - lgamma(m - n + 2)
    constant += log(t[1] - t[0]) - log(2 * np.pi) / 2
    fixed = constant - t * t / 2 + (n - 2) * log_ndtr(-t)

    def log_bound(s: float) -> float:
        root = sqrt(1 + 2 * s)
        inner = np.where(t < 0, log_ndtr(t), np.log(0.5 + (ndtr(np.maximum(t, 0) * root) - 0.5) / root))
        exponents = fixed + (m - n + 1) * inner
        top = exponents.max()
        return float(top + np.log(np.exp(exponents - top).sum()) - n / 2 * log1p(-2 * s))

    found = minimize_scalar(log_bound, bounds=(0.0, 0.4999), method="bounded")
    return float(found.x), float(found.fun)


def sufficient_width(n: int, delta: float) -> int:
    """A width m that makes P(x -> ReLU(Wx) is not injective) <= delta for Gaussian W of shape (m, n).

    Parameters
    ----------
    n : int
        At least 1.
    delta : float
        In (0, 1).

    Returns
    -------
    int
        For n <= 2 the least such m, from the exact probability. Beyond, the least m at which `noninjectivity_bound` or
        `gordon_bound` is at most delta while neither is at m - 1. More rows never hurt.

    Raises
    ------
    InputError
        n is no integer or less than 1, or delta is outside (0, 1).

    Examples
    --------
    >>> [sufficient_width(n, 0.01) for n in (1, 2, 3, 10, 100)]
    [8, 16, 24, 83, 870]
    """
    n, delta = read_count(n, "n"), read_real(delta, "delta", 0, 1)

    def suffices(m: int) -> bool:
        if n <= 2:
            return exact_noninjectivity_probability(m, n) <= Fraction(delta)
        return noninjectivity_bound(m, n) <= delta or gordon_bound(m, n) <= delta

    low, high = max(1, 3 * n - 2), 9 * n + 8
    while not suffices(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
