"""A proven bound of P(not injective) for Gaussian layers from Gordon's theorem."""

from __future__ import annotations

from math import lgamma, log, log1p, sqrt

import numpy as np
from flint import arb
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, logsumexp, ndtr

from polyinj.errors import InputError
from polyinj.exact.precision import precision
from polyinj.theory.domain import always_meets, read_max_positive, read_sizes
from polyinj.theory.euler import round_up

# The integrand is summed over cells on which its logarithm bends by at most this, as far as it is within e^-_NEGLIGIBLE
# of its greatest value, but over at most 2 _CELLS of them.
_BEND, _NEGLIGIBLE, _CELLS = 1 / 100, 14.0, 400

_MOST_ROWS = 10**12


def gordon_bound(m: int, n: int, max_positive: int | None = None) -> float:
    """A proven upper bound of P(x -> ReLU(Wx) is not injective) for Gaussian W, rounded up and at most 1.

    `lifted_gordon_bound` is better and takes longer.

    Parameters
    ----------
    m, n : int
        n at least 2, m at most 10^12.
    max_positive : int, optional
        At least 1; bounds P(some x != 0 has at most max_positive active rows). n - 1 by default.

    Returns
    -------
    float

    Raises
    ------
    InputError
        Not integers, or too small.

    Notes
    -----
    Some x has at most k = max_positive active rows exactly when some unit x and some set T of k rows have u.Wx <= 0 for
    all u >= 0 that vanish on T (for generic W; k = n - 1: the layer is not injective). Gordon's theorem compares the
    process u.Wx + gamma, indexed by (x, T) and unit such u, with g.u + h.x, where g in R^m, h in R^n and gamma are
    independent and standard normal:

        P(min max (u.Wx + gamma) >= 0) >= P(min max (g.u + h.x) >= 0) >= P(Y > |h|^2),

    where Y is the sum of the squared positive parts of all but the k largest entries of g. If some x has so few active
    rows, the left event needs gamma >= 0, independently. So P(some x) <= 2 P(Y <= |h|^2), and by Markov's inequality,
    for every 0 < s < 1/2,

        P(some x) <= 2 (1 - 2 s)^(-n/2) E exp(-s Y).

    Given that the k-th largest entry is t, the smaller ones are independent below t, whence

        E exp(-s Y) = m C(m-1, k-1) int phi(t) Phi(-t)^(k-1) A(t)^(m-k) dt,
        A(t) = int_{-oo}^t phi(z) exp(-s max(z, 0)^2) dz.

    s minimises a floating point estimate; for that s the integral is bounded by `exponential_moment`, by sums of
    tangents to a concave logarithm. (Gordon 1988; Maillard et al. 2023 use the asymptotic version.)

    Examples
    --------
    >>> gordon_bound(8000, 1000) < 0.5
    True
    """
    m, n, k = read_comparison(m, n, max_positive)
    if always_meets(m, n, k):
        return 1.0
    s, estimate = _best_exponent(m, n, k)
    if estimate >= 0:
        return 1.0
    with precision(128):
        factor = 2 * (1 - 2 * arb(s)) ** (-arb(n) / 2)
        return min(1.0, round_up(factor * exponential_moment(m, k, s)))


def read_comparison(m: int, n: int, max_positive: int | None) -> tuple[int, int, int]:
    """(m, n, k) as ints, where a comparison bounds what has no closed form: n >= 2 and k >= 1."""
    m, n = read_sizes(m, n)
    if m > _MOST_ROWS:
        raise InputError(f"m is {m}; expected at most {_MOST_ROWS}, beyond which doubles find no peak")
    if n < 2:
        raise InputError(
            f"n is {n}; expected an integer, at least 2; for n = 1 the probability is exact_noninjectivity_probability"
        )
    k = read_max_positive(max_positive, n)
    if k < 1:
        raise InputError(f"max_positive is {k}; expected at least 1; for 0 the probability is wendel_probability")
    return m, n, k


def exponential_moment(m: int, k: int, s: float) -> arb:
    """An upper bound of E exp(-s Y), with Y as in `gordon_bound`: for s up to 100 less than a thousandth above it.

    h, the logarithm of the integrand, is concave: phi(z) exp(-s max(z, 0)^2) is log-concave, so its distribution
    function A is, as Phi(-t) is. A tangent at t_i is therefore above h, and as sinh x <= x exp(x^2/6),

        int exp(h) over a cell of width d around t_i <= d exp(h(t_i) + (h'(t_i) d)^2 / 24),

    while beyond the first and the last cell the tangents are the bound. What that gives away is about d^2 |h''| / 24,
    and more where s is so large that h'' is no longer that of the peak all over it (A bends at 0 over a width s^-1/2).
    """
    d, cells, _ = _cells(m, k, s)
    root, scale = (1 + 2 * arb(s)).sqrt(), arb(2).sqrt()
    sets = arb(m + 1).lgamma() - arb(k).lgamma() - arb(m - k + 1).lgamma() - (2 * arb.pi()).log() / 2

    def tangent(t: arb) -> tuple[arb, arb]:
        """h and h' at t."""
        density = (-t * t / 2).exp() / (2 * arb.pi()).sqrt()
        tail = (t / scale).erfc() / 2
        if t < 0:
            inner, slope = (-t / scale).erfc() / 2, density
        else:
            inner, slope = (1 + (t * root / scale).erf() / root) / 2, density * (-arb(s) * t * t).exp()
        h = sets - t * t / 2 + (k - 1) * tail.log() + (m - k) * inner.log()
        return h, -t - (k - 1) * density / tail + (m - k) * slope / inner

    found = [tangent(arb(float(t))) for t in cells]
    inside = sum(((h + (slope * d) ** 2 / 24).exp() for h, slope in found), arb(0)) * d
    (first, rise), (last, fall) = found[0], found[-1]
    if not (rise > 0 > fall):
        raise ArithmeticError(f"the integrand for m = {m}, k = {k}, s = {s} has no certain peak between the cells")
    return inside + (first - rise * d / 2).exp() / rise - (last + fall * d / 2).exp() / fall


def log_exponential_moments(m: int, k: int, s: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln E exp(-s Y) for each s, in floating point."""
    constant = lgamma(m + 1) - lgamma(k) - lgamma(m - k + 1) - log(2 * np.pi) / 2
    sums = [log(d) + logsumexp(h) for d, _, h in (_cells(m, k, float(one)) for one in s)]
    return np.array(sums) + constant


def _log_integrand(m: int, k: int, s: float, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln of exp(-t^2/2) Phi(-t)^(k-1) A(t)^(m-k), in floating point."""
    root = sqrt(1 + 2 * s)
    inner = np.where(t < 0, log_ndtr(t), np.log(0.5 + (ndtr(np.maximum(t, 0) * root) - 0.5) / root))
    return np.asarray(-t * t / 2 + (k - 1) * log_ndtr(-t) + (m - k) * inner)


def _cells(m: int, k: int, s: float) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Width d of the cells, a power of two, their centres, multiples of d, and the logarithm of the integrand there."""
    peak, reach = 0.0, 16.0
    while reach > 1e-7:
        t = np.linspace(peak - reach, peak + reach, 33)
        peak, reach = float(t[np.argmax(_log_integrand(m, k, s, t))]), reach / 15
    d = 0.25
    while True:
        before, middle, after = _log_integrand(m, k, s, np.array([peak - d, peak, peak + d]))
        if middle - (before + after) / 2 <= _BEND:
            break
        d /= 2
    cells = np.asarray(d * (round(peak / d) + np.arange(-_CELLS, _CELLS + 1)), dtype=np.float64)
    h = _log_integrand(m, k, s, cells)
    seen = h > h.max() - _NEGLIGIBLE
    return d, cells[seen], h[seen]


def _best_exponent(m: int, n: int, k: int) -> tuple[float, float]:
    """The s in (0, 1/2) that minimises the bound, and the logarithm of the bound there, as floats."""

    def log_bound(s: float) -> float:
        return float(log(2) + log_exponential_moments(m, k, np.array([s]))[0] - n / 2 * log1p(-2 * s))

    found = minimize_scalar(log_bound, bounds=(0.0, 0.4999), method="bounded")
    return float(found.x), float(found.fun)
