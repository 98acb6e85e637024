"""The lifted Gordon bound: against exact probabilities, simulation, sampling of its parts, and its threshold."""

import math

import numpy as np
import pytest
from flint import acb, arb, fmpz
from scipy.integrate import quad
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import log_ndtr, ndtr

from polyinj import Verdict, decide_injectivity
from polyinj.errors import InputError
from polyinj.exact.precision import precision
from polyinj.fitting.intervals import clopper_pearson
from polyinj.theory import lifted_gordon, thresholds
from polyinj.theory.euler import exact_noninjectivity_probability, noninjectivity_bound
from polyinj.theory.gordon import exponential_moment, gordon_bound, log_exponential_moments
from polyinj.theory.lifted_gordon import estimate_lifted_gordon_bound, lifted_gordon_bound
from polyinj.theory.parisi import parisi_functional
from polyinj.theory.rates import BITS, binomial_rate
from polyinj.theory.widths import best_noninjectivity_bound


@pytest.mark.slow
def test_it_holds_where_the_probability_is_known():
    for m in (5, 8, 13, 20, 40):
        assert lifted_gordon_bound(m, 2) >= exact_noninjectivity_probability(m, 2)
    assert lifted_gordon_bound(40, 2) < 1e-6
    assert lifted_gordon_bound(28, 10) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("n", "ratio"), [(3, 6.0), (4, 6.5), (5, 7.0), (6, 6.5), (7, 7.0), (8, 7.0)])
def test_it_is_never_below_simulation(n, ratio):
    m, trials = round(ratio * n), 300
    bound = lifted_gordon_bound(m, n)
    lost = sum(not _is_injective(np.random.default_rng([n, t]).standard_normal((m, n))) for t in range(trials))
    # A wrong alarm in one of 10^6 runs.
    assert clopper_pearson(lost, trials, level=1 - 2e-6)[0] <= bound < 1


def _is_injective(weights):
    return decide_injectivity(weights, rank_proof=False, certificate=False).verdict is Verdict.INJECTIVE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "delta", "ratio", "least"),
    [
        (10, 0.5, 7.1, lifted_gordon_bound),
        (10, 0.01, 8.2, lifted_gordon_bound),
        (10, 1e-6, 10.2, best_noninjectivity_bound),
        (100, 0.5, 7.42, lifted_gordon_bound),
        (100, 0.01, 7.60, lifted_gordon_bound),
        (100, 1e-6, 7.94, lifted_gordon_bound),
        (1000, 0.01, 7.467, lifted_gordon_bound),
        (1000, 1e-6, 7.514, lifted_gordon_bound),
    ],
)
def test_widths_that_suffice(n, delta, ratio, least):
    m = round(ratio * n)
    assert least(m, n) <= delta
    assert gordon_bound(m, n) > delta
    assert (n, delta) == (10, 1e-6) or noninjectivity_bound(m, n) > delta
    # Half a unit of the last digit less does not suffice.
    digits = 0.05 if n == 10 else 0.005 if n == 100 else 0.0005
    assert estimate_lifted_gordon_bound(math.floor((ratio - 2 * digits) * n), n) > delta


@pytest.mark.parametrize(
    ("m", "n", "s", "share"),
    [
        (5, 2, 0.05, 1e-3),
        (20, 2, 100.0, 1e-3),
        (30, 3, 0.3, 1e-3),
        (75, 10, 30.0, 1e-3),
        (760, 100, 0.3, 1e-3),
        (60, 10, 1e5, 0.01),
        (20, 2, 1e8, 4.0),
    ],
)
def test_the_exponential_moment_is_a_little_above_its_integral(m, n, s, share):
    with precision(128):
        excess = exponential_moment(m, n - 1, s) / integrated_moment(m, n, s) - 1
        assert 0 < excess < share


def integrated_moment(m, n, s):
    """E exp(-s Y) enclosed by Arb's integration, slowly for many inputs."""
    root, scale = (1 + 2 * arb(s)).sqrt(), arb(2).sqrt()
    unit = arb(log_exponential_moments(m, n - 1, np.array([s]))[0]).exp()
    constant = m * arb(fmpz.bin_uiui(m - 1, n - 2)) / ((2 * arb.pi()).sqrt() * unit)

    def integrand(t, inner):
        return constant * (-t * t / 2).exp() * ((t / scale).erfc() / 2) ** (n - 2) * inner ** (m - n + 1)

    # Beyond 48 the integrand is nothing against the tolerances here; A is analytic on either side of 0.
    below = acb.integral(lambda t, _: integrand(t, (-t / scale).erfc() / 2), -48, 0, rel_tol=arb(2) ** -30)
    above = acb.integral(
        lambda t, _: integrand(t, (1 + (t * root / scale).erf() / root) / 2), 0, 48, rel_tol=arb(2) ** -30
    )
    return (below + above).real * unit


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "c", "seed"), [(9, 3, 2.0, 1), (30, 5, 4.0, 2), (70, 10, 6.0, 3)])
def test_the_moment_agrees_with_sampling(m, n, c, seed):
    rest = np.sort(np.random.default_rng(seed).standard_normal((200_000, m)), axis=1)[:, : m - n + 1]
    length = np.sqrt((np.maximum(rest, 0) ** 2).sum(axis=1))
    samples = np.exp(-c * np.where(length > 0, length, rest[:, -1]))
    with precision(BITS):
        mean = lifted_gordon._root_moment(m, n - 1, c, lifted_gordon._estimated_moments(m, n - 1))
        mean = float(mean + lifted_gordon._nothing_left(m, n - 1, arb(c), mean))
    # Six standard errors; and above the mean by less than a percent.
    error = 6 * samples.std() / math.sqrt(len(samples))
    assert samples.mean() - error < mean < 1.01 * samples.mean() + error


@pytest.mark.parametrize(("n", "c"), [(2, 0.5), (3, 4.0), (11, 6.0)])
def test_the_moment_of_the_length(n, c):
    integral, _ = quad(lambda r: r ** (n - 1) * math.exp(c * r - r * r / 2), 0, 40)
    with precision(BITS):
        found = float(lifted_gordon._length_moment(n, arb(c)))
    assert found == pytest.approx(integral / (2 ** (n / 2 - 1) * math.gamma(n / 2)), rel=1e-9)


@pytest.mark.slow
def test_the_estimate_is_a_little_below_the_bound():
    for m, n in [(20, 3), (75, 10), (300, 40), (760, 100)]:
        assert 0.99 < estimate_lifted_gordon_bound(m, n) / lifted_gordon_bound(m, n) <= 1


def test_many_inputs_far_below_the_threshold():
    assert estimate_lifted_gordon_bound(200_000, 60_000) == lifted_gordon_bound(200_000, 60_000) == 1.0


def test_one_input_is_refused():
    with pytest.raises(InputError, match=r"n is 1; expected an integer, at least 2; for n = 1"):
        lifted_gordon_bound(5, 1)


def test_the_threshold_is_the_limit():
    threshold = thresholds.lifted_gordon_threshold()
    assert thresholds.enclose_threshold("lifted-gordon").rad() < arb(10) ** -25
    assert threshold == pytest.approx(7.448639, abs=5e-7)
    assert estimate_lifted_gordon_bound(math.ceil(3000 * (threshold + 0.03)), 3000) < 1e-6
    assert estimate_lifted_gordon_bound(math.floor(3000 * (threshold - 0.01)), 3000) == 1.0


def constant_order(chi, c):
    """R and S of the Parisi functional at c(q) = c in the limit q_0 -> 0, in closed form."""
    root, ratio = math.sqrt(2 * chi), math.sqrt(1 + c / chi)
    mean = 0.5 + (ndtr(root * ratio) - 0.5) / ratio + math.exp(-c) * ndtr(-root)
    return -math.log(mean) / c, math.log1p(c / chi) / (2 * c)


def test_constant_order_functions_have_the_same_threshold():
    """The least (1 + S)/R over chi and constant c is the lifted threshold."""

    def expansivity(theta):
        reward, penalty = constant_order(*np.exp(theta))
        return (1 + penalty) / reward

    found = minimize(expansivity, [-1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-15})
    assert found.fun == pytest.approx(thresholds.lifted_gordon_threshold(), abs=1e-13)
    # The closed form is the limit of the functional, which is larger by a multiple of q_0.
    chi, c = np.exp(found.x)
    reward, penalty = constant_order(chi, c)
    gaps = [parisi_functional(7.45, chi, [q], [c]) - (7.45 * reward - penalty) for q in (1e-2, 1e-4)]
    assert 0 < gaps[1] < gaps[0] / 50 < 1e-3


# ---- The claims of the docstrings about the threshold, by intervals ----


def test_stationary_points_are_numbered_by_w():
    """On 11/8 <= w <= 13/8: r and alpha increase with w, and F decreases along the curve."""
    with precision(BITS):
        ends = [arb(11 / 8 + k / 512) for k in range(129)]
        ratios = [thresholds.lifted_ratio(end, arb(1)) for end in ends]
        for k in range(128):
            w, r = ends[k].union(ends[k + 1]), ratios[k].union(ratios[k + 1])
            t = w / r
            b, density = thresholds._truncated_square(w), thresholds._normal_density(w)
            mills = thresholds._normal_tail(t) / thresholds._normal_density(t)
            rise = (w * w + w * b / density + 1 - t * mills) / (mills - t * t * mills + t)
            assert rise > 0
            numerator = r / 2 + arb(1) / 2 - thresholds._normal_tail(w)
            growth = ((rise / 2 + density) * b - numerator * w * w * density) / (b * b)
            alpha = thresholds.lifted_expansivity(w, r, arb(1))
            inner = (alpha - 1) * b / r
            assert growth > 0
            assert (alpha / (alpha - 1)).log() + inner.log() < 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("budget", "alpha", "ends", "cells"),
    [(1, 7.44866, (1.3, 1.5), 3000), (0.5, 5.3175, (1.4, 1.6), 500), (4, 17.357, (1.1, 1.3), 500)],
)
def test_the_stationary_point_is_the_maximum(budget, alpha, ends, cells):
    """Just above the threshold F(alpha, c0) < 0: every s > 0 lies in a cell with a bound below 0."""
    with precision(BITS):
        threshold = float(thresholds.enclose_threshold("lifted-gordon", budget))
        assert threshold < alpha < 1.0006 * threshold
        w = brentq(lambda w: threshold - _alpha_of(w, budget), *ends, xtol=1e-13)
        ratio = float(thresholds.lifted_ratio(arb(w), arb(budget)))
        c0 = ratio - 1 / ratio
        a, c = arb(alpha), arb(c0)
        r = (c + (c * c + 4).sqrt()) / 2
        fixed = -c * c / 2 + c * r - (r * r - 1) / 2 + r.log()
        s = [arb(float(x)) for x in np.geomspace(0.04, 60, cells)]
        values = [_largest(a, one, budget) for one in s]
        # Below the first cell E exp(-s Y) <= 1; beyond the last it is less than there.
        assert fixed - c * c / (4 * s[0]) < 0
        assert fixed + values[-1] < 0
        for k in range(len(s) - 1):
            middle = (s[k] + s[k + 1]) / 2
            for end in (k, k + 1):
                # The convex part is below its chord, the concave -c^2/(4 s) below its tangent: both linear.
                tangent = -c * c / (4 * middle) + c * c / (4 * middle * middle) * (s[end] - middle)
                assert fixed + values[end] + tangent < 0


def test_the_exponent_bends_by_less_than_three_halves_of_its_slope():
    """s L'' <= (3/2) (-L'), the inequality that makes the stationary point the maximum, by differences."""
    rng = np.random.default_rng(3)
    for _ in range(40):
        b, s = np.exp(rng.uniform((-3, -3), (4, 5)))
        alpha = b * rng.uniform(2.05, 40)
        step = 1e-3 * s
        below, at, above = (_exponent(one, b, alpha) for one in (s - step, s, s + step))
        assert s * (above - 2 * at + below) / step**2 <= 1.5 * (below - above) / (2 * step)
        # The minimum over theta is the maximum over t.
        t = np.linspace(0, 9, 4001)
        rho = math.sqrt(1 + 2 * s)
        inner = np.log(0.5 + (ndtr(t * rho) - 0.5) / rho)
        entropy = alpha * math.log(alpha) - b * math.log(b) - (alpha - b) * math.log(alpha - b)
        assert at == pytest.approx(float((entropy + b * log_ndtr(-t) + (alpha - b) * inner).max()), abs=1e-3 * alpha)


def _exponent(s, b, alpha):
    rho = math.sqrt(1 + 2 * s)

    def value(logarithm):
        t = math.exp(logarithm / 2)
        inner = 0.5 + (ndtr(rho * t) - 0.5) / rho + math.exp(-s * t * t) * ndtr(-t)
        return b * s * t * t + alpha * math.log(inner)

    return minimize_scalar(value, bounds=(-14, 5), method="bounded", options={"xatol": 1e-11}).fun


def _alpha_of(w, budget):
    b = arb(budget)
    return float(thresholds.lifted_expansivity(arb(w), thresholds.lifted_ratio(arb(w), b), b))


def _largest(alpha, s, b):
    """An upper bound of the maximum over t of alpha H(b/alpha) + b ln Q(t) + (alpha-b) ln A_s(t), concave in t."""
    rho = float((1 + 2 * s).sqrt())

    def slope(t, exact=False):
        if exact:
            density, tail = thresholds._normal_density(t), thresholds._normal_tail(t)
            return -b * density / tail + (alpha - b) * density * (-s * t * t).exp() / _inner(t, s)
        inner = 0.5 + (ndtr(t * rho) - 0.5) / rho
        log_density = -t * t / 2 - math.log(2 * math.pi) / 2
        return (
            -b * math.exp(log_density - log_ndtr(-t))
            + (float(alpha) - b) * math.exp(log_density - float(s) * t * t) / inner
        )

    t = brentq(slope, 0.0, 6.0, xtol=1e-14)
    step = arb(2) ** -34
    rising, falling = slope(arb(t) - step, exact=True), slope(arb(t) + step, exact=True)
    assert rising > 0 > falling
    tail, inner = thresholds._normal_tail(arb(t)), _inner(arb(t), s)
    value = binomial_rate(alpha, arb(b)) + b * tail.log() + (alpha - b) * inner.log()
    return value + step * (abs(rising) + abs(falling))


def _inner(t, s):
    rho = (1 + 2 * s).sqrt()
    return arb(1) / 2 + (arb(1) / 2 - thresholds._normal_tail(t * rho)) / rho
