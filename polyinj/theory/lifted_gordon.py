"""Lifted Gordon: a proven bound of P(not injective) that is exponentially better than `gordon_bound`.

**Theorem.** Let W be an (m, n) matrix of independent standard normal entries, m >= n >= 2, 1 <= k < m, g in R^m and h
in R^n standard normal, g_(k+1) the (k+1)-st largest entry of g, and Y the sum of the squared positive parts of all
entries of g but its k largest. Put N = sqrt(Y) where Y > 0, and N = g_(k+1) <= 0 where no positive entry is left. For
every c > 0

    P(some unit x has at most k rows with w.x >= 0) <= exp(-c^2/2) E exp(c |h|) E exp(-c N).

Almost surely any n rows are independent, and then x -> ReLU(Wx) is not injective exactly when there is such an x for k
= n - 1 (Puthawala et al. 2020, Theorem 2), the default here.

*Proof.* 1. For a set T of k rows let U_T be the unit vectors u >= 0 of R^m that vanish on T, and

    M = min over unit x and over T of max over u in U_T of u.Wx.

For y in R^m the maximum of u.y over U_T is the length of the positive part of y outside T, where that is not 0, else
the largest entry outside T. So there is such an x only if M <= 0, and P(some x) <= E exp(-c M).

2. With a standard normal gamma, independent of W, compare the Gaussian processes

    X = u.Wx + gamma,    X' = g.u + h.x    over (x, T, u), |x| = |u| = 1.

Both are centred with variance 2. Cov(X(x,u), X(y,v)) - Cov(X'(x,u), X'(y,v)) = (u.v)(x.y) + 1 - u.v - x.y = (1 -
u.v)(1 - x.y) >= 0, and = 0 for x = y. Take i = (x, T) for the outer and u for the inner index. Gordon's theorem (1985,
Theorem 1.1; the inequality of Slepian-Gordon) says, for every choice of levels l(i, u) in (-oo, oo],

    P(for all i there is u with X(i, u) >= l(i, u)) >= P(for all i there is u with X'(i, u) >= l(i, u)).

The levels may depend on both indices. Take l(i, u) = t for u in U_T and infinity elsewhere: the inner index set U_T
then depends on the outer index. For finite nets of x and of u this is the finite theorem; both processes are
continuous, so it holds for the spheres. As t is any number, M + gamma is stochastically at least

    min over x, T of max over u in U_T of (g.u + h.x) = min_T max_{U_T} g.u - |h| = N - |h|:

removing the k largest entries of g makes the maximum least.

3. exp(-c t) decreases, so E exp(-c (M + gamma)) <= E exp(-c (N - |h|)). gamma is independent of M: the left side is
exp(c^2/2) E exp(-c M). g and h are independent. QED

Gordon's bound applies step 2 to the event M <= 0 alone. That the comparison may be applied to exp(-c M) as well, with
a gain, is the lifting of M. Stojnic (arXiv:1306.3770 and later work; arXiv:2410.20646 for the capacity of ReLU
injectivity); the bound at finite (m, n), its evaluation and the threshold below are ours.

**Evaluation.** exp(-c sqrt y) is the mean of exp(-y c^2 / (2 z^2)) over standard normal z. L(s) = E exp(-s Y), the
integral of `gordon_bound`, decreases and is log-convex in s, so between two values of s it lies below the exponential
through upper bounds of both, whose mean over z has a closed form. The nodes cost nothing but time: the bound holds for
any. Where no positive entry is left, exp(-c N) - 1 is added, a one-dimensional integral.

**Threshold.** Let m = alpha n, k = b n, c = c0 sqrt n and n -> oo. The logarithm of the bound over n tends to

    F(alpha, c0) = -c0^2/2 + max_r (c0 r - (r^2 - 1)/2 + ln r) + max_{s,t} (-c0^2/(4s) + alpha H(b/alpha) + b ln Q(t) +
                   (alpha-b) ln A_s(t)),    A_s(t) = 1/2 + (Phi(t rho) - 1/2)/rho,  rho = sqrt(1 + 2s),

Q the normal tail, H the entropy in nats. It is stationary in c0, r, s and t where c0 = r - 1/r, rho = r, and with w =
t r and B = Phi(w) - 1/2 - w phi(w)

    B / phi(w) = r Q(t) / (b phi(t)),    alpha - b = (r/2 + Phi(w) - 1/2) / B,

and there F = ln r + alpha H(b/alpha) + b ln Q(t) + (alpha-b) ln A_s(t): its zero is the threshold, alpha = 7.448638...
for b = 1. At that c0 the stationary point is the maximum over all s and t, and F decreases in alpha: above the
threshold P(some x) -> 0, for every b.

*Why it is the maximum.* For every theta = t^2 > 0, Y >= sum_i min(max(g_i, 0)^2, theta) - k theta, so with Z = A_s(t) +
exp(-s theta) Q(t) the exponent of E exp(-s Y) is at most

    L(s) = min over theta of  b s theta + alpha ln Z,

which is the maximum over t above. In the law of g tilted by exp(-s min(max(g, 0)^2, theta)) let T = exp(-s theta) Q(t)
/ Z be the share beyond t, m0 and V0 mean and variance of max(g, 0)^2 given g < t, and eta = phi(t) / (2 t Q(t)). T
decreases in theta from 1/2; at the minimum it is b / alpha, and there implicit differentiation gives

    -L'(s) = (alpha - b) m0,    L''(s) = (alpha - b) (V0 + T (theta - m0)^2 eta / (s (1-T) + eta)).

Here T eta / (1-T) = phi(w) / (2 t A), m0 = B / (r^3 A) and V0 <= (3 B - w^3 phi(w)) / (r^5 A), with r^2 = 1 + 2s and A
= A_s(t). So

    r^3 A s L'' / (alpha - b) <= (1 - r^-2) (3 B - w^3 phi(w)) / 2 + w^3 phi(w) / 2 <= 3 B / 2,

as w^3 phi(w) <= 3 B: s L'' <= (3/2) (-L'), and s sqrt(-L'(s)) increases. The derivative of -c0^2/(4s) + L(s) is c0^2 /
(4 s^2) + L'(s), positive below the one s with c0 = 2 s sqrt(-L'(s)) and negative above. At fixed s and theta the
exponent has the derivative ln Z < 0 in alpha. QED

The threshold is also a stationary value, numerically the least, of (b + S)/R of the replica functional at constant c
(docs/theory.md), which with t = sqrt(2 chi), r = sqrt(1 + c/chi), c = t^2 (r^2 - 1)/2 and g = A_s(t) + exp(-c) Q(t) is
(b c + ln r) / (-ln g). Call it alpha. As exp(-c) phi(t) = phi(w), it is stationary in t where alpha exp(-c) Q(t) = b g
and in r where alpha B = r g. Divided by one another these are the first of the two equations above; the former alone,
as g - exp(-c) Q(t) = A_s(t), gives alpha - b = r A_s(t) / B, the second; and then alpha ln g = alpha H(b/alpha) + b ln
Q(t) + (alpha-b) ln A_s(t) - b c, so that alpha = (b c + ln r) / (-ln g) says F = 0.
"""

from __future__ import annotations

from math import exp, lgamma, log, sqrt

import numpy as np
from flint import acb, arb, fmpz
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, logsumexp

from polyinj.exact.precision import precision
from polyinj.theory.domain import always_meets, read_max_positive
from polyinj.theory.euler import round_up
from polyinj.theory.gordon import exponential_moment, log_exponential_moments, read_comparison
from polyinj.theory.rates import BITS

# Steps between nodes z where the integrand is within e^-12 of its largest value, their growth beyond, and the longest
# relative to z.
_FINE, _GROWTH, _RATIO = 0.12, 1.3, 0.15
# Beyond this the normal density is below the least float by far, whatever the other factors are.
REACH = 48
_NEGLIGIBLE = 12.0
# Values of s at which the estimate knows E exp(-s Y); it interpolates between them.
_EXPONENTS = np.geomspace(1e-4, 1e4, 81)


def lifted_gordon_bound(m: int, n: int, max_positive: int | None = None) -> float:
    """A proven upper bound of P(x -> ReLU(Wx) is not injective) for Gaussian W, rounded up and at most 1.

    The theorem of this module, with the best c. For n >= 20 and aspect ratios up to 9 it is the best bound here.

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

    Examples
    --------
    >>> from polyinj import gordon_bound
    >>> lifted_gordon_bound(760, 100) < 0.02, gordon_bound(760, 100)
    (True, 1.0)
    """
    m, n, k = read_comparison(m, n, max_positive)
    if always_meets(m, n, k):
        return 1.0
    moments = _estimated_moments(m, k)
    c, estimate = _best_lift(m, n, k, moments)
    if estimate >= 0:
        return 1.0
    with precision(BITS):
        lift = (-(arb(c) ** 2) / 2).exp() * _length_moment(n, arb(c))
        mean = _root_moment(m, k, c, moments)
        mean += _nothing_left(m, k, arb(c), mean)
        return min(1.0, round_up(lift * mean))


def estimate_lifted_gordon_bound(m: int, n: int, max_positive: int | None = None) -> float:
    """The bound in floating point, nothing proven: some parts in a thousand below it, much faster.

    For n >= 2, 1 <= max_positive < m/3.
    """
    k = read_max_positive(max_positive, n)
    return exp(min(0.0, _best_lift(m, n, k, _estimated_moments(m, k))[1]))


def _estimated_moments(m: int, k: int) -> CubicSpline:
    """ln E exp(-s Y) as a function of ln s, in floating point."""
    return CubicSpline(np.log(_EXPONENTS), log_exponential_moments(m, k, _EXPONENTS))


def _best_lift(m: int, n: int, k: int, moments: CubicSpline) -> tuple[float, float]:
    """The c that minimises the bound, and the logarithm of the bound there, in floating point."""
    t = np.linspace(-12, 0, 2001)[:-1]
    density = log(m) + lgamma(m) - lgamma(k + 1) - lgamma(m - k) - log(2 * np.pi) / 2 + log(t[1] - t[0])
    density = density - t * t / 2 + k * log_ndtr(-t) + (m - k - 1) * log_ndtr(t)

    def log_bound(c: float) -> float:
        z, values = _integrand(c, moments)
        lengths = np.linspace(0, sqrt(n) + c + 12, 4001)[1:]
        powers = c * lengths - lengths**2 / 2 + (n - 1) * np.log(lengths)
        length = logsumexp(powers) + log(lengths[0]) - (n / 2 - 1) * log(2) - lgamma(n / 2)
        left = logsumexp(values) + log(z[1] - z[0])
        nothing_left = logsumexp(density - c * t + np.log1p(-np.exp(c * t)))
        return float(length - c * c / 2 + np.logaddexp(left, nothing_left))

    found = minimize_scalar(log_bound, bounds=(0.05 * sqrt(n), 12 * sqrt(n)), method="bounded")
    return float(found.x), float(found.fun)


def _integrand(c: float, moments: CubicSpline) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A grid of z > 0 and there ln(2 phi(z) E exp(-Y c^2/(2 z^2))), in floating point."""
    z = np.linspace(0, 3 * c + 40, 6001)[1:]
    logarithms = np.log(np.clip(c * c / (2 * z * z), _EXPONENTS[0], _EXPONENTS[-1]))
    return z, moments(logarithms) - z * z / 2 + log(2 / np.pi) / 2


def _length_moment(n: int, c: arb) -> arb:
    """E exp(c |h|), h standard normal in R^n.

    The integrals I_k of r^(k-1) exp(c r - r^2/2) over r > 0 obey I_(k+2) = k I_k + c I_(k+1), by parts.
    """
    last = (c * c / 2).exp() * (2 * arb.pi()).sqrt() * (1 + (c / arb(2).sqrt()).erf()) / 2
    current = 1 + c * last
    for k in range(1, n - 1):
        last, current = current, k * last + c * current
    return current / (arb(2) ** (arb(n) / 2 - 1) * (arb(n) / 2).gamma())


def _root_moment(m: int, k: int, c: float, moments: CubicSpline) -> arb:
    """An upper bound of E exp(-c sqrt Y), a little above it."""
    z = _nodes(c, moments)
    near = [c * c / (2 * float(node) ** 2) for node in z]
    s = [arb(c) ** 2 / (2 * arb(float(node)) ** 2) for node in z]
    with precision(64):
        # A little below s, where the moment is a little larger.
        upper = [exponential_moment(m, k, one * (1 - 2.0**-50)).upper() for one in near]
    root, lift = arb(2).sqrt(), arb(c)
    # Below the first node E exp(-s Y) is less than at it; beyond the last it is at most 1.
    total = upper[0] * (arb(z[0]) / root).erf() + (arb(z[-1]) / root).erfc()
    for i in range(len(z) - 1):
        rate = max(0.0, float((upper[i + 1] / upper[i]).log()) / (near[i] - near[i + 1]))
        start = max((upper[j] * (arb(rate) * s[j]).exp()).upper() for j in (i, i + 1))
        shift = lift * arb(rate).sqrt()

        def primitive(node: arb, shift: arb = shift) -> arb:
            inner, outer = (node - shift / node) / root, (node + shift / node) / root
            return -((-shift).exp() * inner.erfc() + shift.exp() * outer.erfc()) / 2

        total += start * (primitive(arb(z[i + 1])) - primitive(arb(z[i])))
    return total


def _nodes(c: float, moments: CubicSpline) -> NDArray[np.float64]:
    """Values of z: dense where the integrand is not negligible, then ever wider apart until its parts alone are.

    Near 0 the ratios of neighbours are bounded, since s goes to infinity there.
    """
    z, values = _integrand(c, moments)
    least = values.max() - _NEGLIGIBLE
    seen = z[values > least]
    known = z[(values + z * z / 2 > least) & (-z * z / 2 > least)]
    below, above, step = [float(seen[0])], [float(seen[0])], _FINE
    while below[-1] > known[0]:
        step = min(_GROWTH * step, _RATIO * below[-1])
        below.append(below[-1] - step)
    step = _FINE
    while above[-1] < known[-1]:
        step = min(_FINE if above[-1] < seen[-1] else _GROWTH * step, _RATIO * above[-1])
        above.append(above[-1] + step)
    return np.array(below[:0:-1] + above)


def _nothing_left(m: int, k: int, c: arb, unit: arb) -> arb:
    """E (exp(-c g) - 1) where g, the (k+1)-st largest of m normal variables, is negative; to 2^-30 of the unit."""
    sets = m * arb(fmpz.bin_uiui(m - 1, k))
    constant = sets / ((2 * arb.pi()).sqrt() * unit)
    scale = arb(2).sqrt()

    def density(t: acb, _: bool) -> acb:
        left, right = (-t / scale).erfc() / 2, (t / scale).erfc() / 2
        return constant * (-t * t / 2).exp() * right**k * left ** (m - k - 1) * ((-c * t).exp() - 1)

    tolerance = arb(2) ** -30
    inside = acb.integral(density, -REACH, 0, abs_tol=tolerance, rel_tol=tolerance).real * unit
    beyond = (arb(REACH) / scale).erfc() / 2
    return inside + arb(0, 1) * sets * beyond ** (m - k - 1) * (c * c / 2).exp()
