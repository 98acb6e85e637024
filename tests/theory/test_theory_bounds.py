"""Finite-n bounds, widths, the crossing of E chi, and deep networks."""

import itertools
import math
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from reference.rays import CASES, count_rays, expected_rays

from polyinj.errors import InputError
from polyinj.theory import gordon
from polyinj.theory.crossing import euler_crossing, euler_crossing_coefficients, euler_crossing_estimate
from polyinj.theory.deep import (
    deep_noninjectivity_bound,
    deep_sufficient_expansivity,
    deep_sufficient_width,
    profile_noninjectivity_bound,
    ray_expansivity,
    region_expansivity,
)
from polyinj.theory.euler import euler_rate, exact_noninjectivity_probability, noninjectivity_bound
from polyinj.theory.gordon import gordon_bound
from polyinj.theory.thresholds import gordon_threshold, lifted_gordon_threshold
from polyinj.theory.widths import best_noninjectivity_bound, sufficient_width


def test_gordon_bound_holds_where_the_probability_is_known():
    for m in range(5, 200, 12):
        assert gordon_bound(m, 2) >= exact_noninjectivity_probability(m, 2)
    assert gordon_bound(200, 2) < 1e-6
    assert gordon_bound(28, 10) == 1.0


@pytest.mark.parametrize(("m", "n", "seed"), [(30, 2, 1), (60, 5, 2), (120, 10, 3)])
def test_gordon_bound_agrees_with_sampling_of_its_expectation(m, n, seed):
    s, estimate = gordon._best_exponent(m, n, n - 1)
    rng = np.random.default_rng(seed)
    entries = np.sort(np.maximum(rng.standard_normal((20_000, m)), 0), axis=1)[:, : m - n + 1]
    samples = 2 * (1 - 2 * s) ** (-n / 2) * np.exp(-s * (entries**2).sum(axis=1))
    # Six standard errors: false alarm below 1e-8.
    assert abs(samples.mean() - math.exp(estimate)) < 6 * samples.std() / math.sqrt(len(samples))
    bound = gordon_bound(m, n)
    assert bound == 1.0 if estimate >= 0 else math.exp(estimate) < bound < 1.001 * math.exp(estimate)


def test_gordon_bound_is_the_better_one_in_between_and_has_gordons_threshold():
    assert gordon_bound(8300, 1000) < 0.02 < noninjectivity_bound(8300, 1000)
    assert noninjectivity_bound(9200, 1000) < gordon_bound(9200, 1000)
    assert gordon_bound(math.ceil(20_000 * (gordon_threshold() + 0.2)), 20_000) < 1e-2
    assert gordon_bound(math.floor(20_000 * (gordon_threshold() - 0.02)), 20_000) == 1.0


@pytest.mark.slow
def test_sufficient_width():
    for n in (1, 2):
        for delta in (0.5, 0.03, 1e-9):
            m = sufficient_width(n, delta)
            assert exact_noninjectivity_probability(m, n) <= delta < exact_noninjectivity_probability(m - 1, n)
    for n, delta in [(3, 0.1), (10, 1e-3), (60, 0.5)]:
        m = sufficient_width(n, delta)
        assert best_noninjectivity_bound(m, n) <= delta < best_noninjectivity_bound(m - 1, n)
    assert sufficient_width(10, 1e-300) < 10**4


@pytest.mark.parametrize("delta", [0, 1, -1, math.nan, "x"])
def test_delta_outside_the_open_interval_is_refused(delta):
    with pytest.raises(InputError, match=r"delta is .*; expected a finite number above 0 and below 1"):
        sufficient_width(4, delta)
    with pytest.raises(InputError, match="delta is"):
        deep_sufficient_width(4, 2, delta)


def test_sizes_outside_the_domain_are_refused():
    with pytest.raises(InputError, match=r"n is 1; expected an integer, at least 2; for n = 1"):
        gordon_bound(5, 1)
    with pytest.raises(InputError, match=r"n is 3; expected an integer, at least 20"):
        euler_crossing_estimate(3)
    for function in (deep_sufficient_expansivity, region_expansivity):
        with pytest.raises(InputError, match="depth is 0; expected an integer, at least 1"):
            function(0)


def test_crossings():
    known = [(10, 6.7210), (20, 7.4390), (50, 7.9342), (100, 8.1213), (200, 8.2239), (400, 8.2797)]
    for n, value in known:
        assert euler_crossing(n) == pytest.approx(value, abs=5.1e-5)
    assert euler_crossing(1) == 1


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_the_expansion_of_the_crossing(n):
    exact = euler_crossing(n)
    c0, c1, c2 = euler_crossing_coefficients()
    assert abs(c0 + c1 * math.log(n) / n + c2 / n - exact) < 0.5 * (math.log(n) / n) ** 2
    assert abs(euler_crossing_estimate(n) - exact) < 10 / n**2


def test_coefficients_of_the_crossing():
    c0, c1, _ = euler_crossing_coefficients()
    slope = (euler_rate(c0 + 1e-5) - euler_rate(c0 - 1e-5)) / 2e-5
    assert c1 == pytest.approx(1 / slope, rel=1e-8)


def test_roots_of_the_union_over_cones():
    known = [9.0886, 21.1791, 29.4365, 37.9868, 46.7971, 55.8363, 65.0784, 74.5022]
    assert [region_expansivity(depth) for depth in range(1, 9)] == pytest.approx(known, abs=5.1e-5)


def test_expansivity_over_rays_grows_with_the_logarithm_of_the_depth():
    values = [ray_expansivity(depth) for depth in range(2, 12)]
    assert all(low < high for low, high in itertools.pairwise(values))
    assert all(value < region_expansivity(depth) for depth, value in enumerate(values, 2))
    for depth in (10**2, 10**4, 10**8, 10**100):
        value = ray_expansivity(depth)
        limit = math.log2(depth) + 3 * math.log2(value) + 3 / math.log(2) - 2
        assert value == pytest.approx(limit, abs=4 / value)


def test_the_fit_over_all_depths():
    depths = np.arange(2, 257)
    slope, constant = np.polyfit(np.log(depths), [ray_expansivity(int(depth)) for depth in depths], 1)
    assert (slope, constant) == pytest.approx((1.79, 14.03), abs=0.005)


def test_one_expansivity_suffices_at_every_depth():
    assert deep_sufficient_expansivity(1) == pytest.approx(lifted_gordon_threshold(), abs=1e-14)
    assert deep_sufficient_expansivity(2) == deep_sufficient_expansivity(10**9) < ray_expansivity(2)


def exact_layer_bound(m, n, layer):
    total = Fraction(0)
    for j in range(n):
        few = Fraction(sum(comb(m - j, p) for p in range(min(2 * n, m - j + 1))), 2 ** (m - j))
        total += comb(m, j) * comb((layer - 1) * m, n - 1 - j) * few
    return 2 * total / n


@pytest.mark.parametrize(("m", "n", "depth"), [(60, 1, 3), (80, 3, 2), (120, 6, 4), (200, 10, 3)])
def test_deep_bound_agrees_with_the_sum_in_fractions(m, n, depth):
    exact = Fraction(noninjectivity_bound(m, n)) + sum(exact_layer_bound(m, n, k) for k in range(2, depth + 1))
    bound = deep_noninjectivity_bound(m, n, depth)
    assert Fraction(bound) >= min(exact, 1)
    assert bound == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("widths", [(3, 80, 50, 60), (2, 40, 30)])
def test_the_bound_of_a_profile_agrees_with_the_sum_in_fractions(widths):
    n, first, *later = widths
    exact, below = Fraction(noninjectivity_bound(first, n)), first
    for m in later:
        for j in range(n):
            few = Fraction(sum(comb(m - j, p) for p in range(2 * n)), 2 ** (m - j))
            exact += comb(m, j) * comb(below, n - 1 - j) * few * Fraction(2, n)
        below += m
    bound = profile_noninjectivity_bound(widths)
    assert Fraction(bound) >= exact
    assert bound == pytest.approx(float(exact), rel=1e-14)
    assert bound < 0.5


def test_profiles_outside_the_domain_are_refused():
    assert profile_noninjectivity_bound((5, 40, 9)) == 1.0
    with pytest.raises(InputError, match="widths are"):
        profile_noninjectivity_bound((5,))
    with pytest.raises(InputError, match="a width is 0"):
        profile_noninjectivity_bound((5, 40, 0))


def test_deep_bound_is_trivial_where_it_must_be():
    assert deep_noninjectivity_bound(30, 2, 1) == noninjectivity_bound(30, 2)
    assert deep_noninjectivity_bound(9, 5, 2) == deep_noninjectivity_bound(20, 5, 2) == 1.0


@pytest.mark.slow
def test_deep_width_matches_the_expansivity():
    for depth in (1, 2, 5):
        m = deep_sufficient_width(200, depth, 0.01)
        assert deep_noninjectivity_bound(m, 200, depth) <= 0.01 < deep_noninjectivity_bound(m - 1, 200, depth)
    assert m / 200 == pytest.approx(ray_expansivity(5), rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "named"), CASES)
def test_the_lemma_on_rays(n, m, named):
    """2 prod P(K_k > p_k), against exact counts; six standard errors: false alarm below 1e-7 in all eight cases."""
    counts = count_rays(n, m, named, 8_000, np.random.default_rng(11))
    assert abs(counts.mean() - expected_rays(m, named)) <= 6 * counts.std() / math.sqrt(len(counts))
