"""A proven bound of P(not injective) for Gaussian layers from Gordon's theorem."""

from __future__ import annotations

from math import lgamma, log, log1p

import numpy as np
from flint import acb, arb, fmpz
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, logsumexp, ndtr

from polyinj.errors import InputError
from polyinj.exact.precision import precision
from polyinj.theory.domain import read_sizes
from polyinj.theory.euler import round_up

# Beyond this the normal density is below the least float by far, whatever the other factors are.
REACH = 48


def gordon_bound(m: int, n: int) -> float:
    """A proven upper bound of P(x -> ReLU(Wx) is not injective) for Gaussian W, rounded up and at most 1.

    `lifted_gordon_bound` is better and takes longer.

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
    >>> gordon_bound(8000, 1000) < 0.5
    True
    """
    m, n = read_sizes(m, n)
    if n < 2:
        raise InputError(f"n is {n}; expected an integer, at least 2; for n = 1 the probability is 2^(1-m)")
    if m <= 3 * n - 2:
        return 1.0
    s, moment, estimate = _best_exponent(m, n)
    if estimate >= 0:
        return 1.0
    with precision(128):
        factor = 2 * (1 - 2 * arb(s)) ** (-arb(n) / 2)
        return min(1.0, round_up(factor * exponential_moment(m, n, s, moment)))


def exponential_moment(m: int, n: int, s: float, estimate: float) -> arb:
    """E exp(-s Y), with Y as in `gordon_bound`, enclosed to 30 bits where exp(estimate) is about its size."""
    root, scale = (1 + 2 * arb(s)).sqrt(), arb(2).sqrt()
    unit = arb(estimate).exp()
    sets = m * arb(fmpz.bin_uiui(m - 1, n - 2))
    constant = sets / ((2 * arb.pi()).sqrt() * unit)

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
        for part, ends in ((below, (-REACH, 0)), (above, (0, REACH)))
    )
    beyond = (arb(REACH) / scale).erfc() / 2
    return (left + right).real * unit + arb(0, 1) * sets * (beyond ** (n - 1) + beyond ** (m - n + 2))


def log_exponential_moments(m: int, n: int, s: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln E exp(-s Y) for each s, in floating point."""
    t = np.linspace(-8, 8, 4001)
    constant = log(m) + lgamma(m) - lgamma(n - 1) - lgamma(m - n + 2) + log(t[1] - t[0]) - log(2 * np.pi) / 2
    root = np.sqrt(1 + 2 * s)[:, np.newaxis]
    inner = np.where(t < 0, log_ndtr(t), np.log(0.5 + (ndtr(np.maximum(t, 0) * root) - 0.5) / root))
    exponents = constant - t * t / 2 + (n - 2) * log_ndtr(-t) + (m - n + 1) * inner
    return np.asarray(logsumexp(exponents, axis=1), dtype=np.float64)


def _best_exponent(m: int, n: int) -> tuple[float, float, float]:
    """The s in (0, 1/2) that minimises the bound, ln E exp(-s Y) and the logarithm of the bound there, as floats."""

    def log_bound(s: float) -> float:
        return float(log(2) + log_exponential_moments(m, n, np.array([s]))[0] - n / 2 * log1p(-2 * s))

    found = minimize_scalar(log_bound, bounds=(0.0, 0.4999), method="bounded")
    s = float(found.x)
    return s, float(log_exponential_moments(m, n, np.array([s]))[0]), float(found.fun)
