"""Budgets other than n - 1: bounds against exact probabilities and simulation, thresholds, and the replica energy."""

import math
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from flint import arb
from scipy.optimize import brentq, minimize
from scipy.special import ndtr

from polyinj.errors import InputError
from polyinj.fitting.intervals import clopper_pearson
from polyinj.geometry.arrangement import Arrangement
from polyinj.geometry.sweep import sweep
from polyinj.theory.crossing import euler_crossing
from polyinj.theory.euler import (
    euler_rate,
    exact_noninjectivity_probability,
    expected_euler_characteristic,
    expected_face_counts,
    noninjectivity_bound,
)
from polyinj.theory.gordon import gordon_bound
from polyinj.theory.lifted_gordon import estimate_lifted_gordon_bound, lifted_gordon_bound
from polyinj.theory.replica import replica_energy, replica_threshold
from polyinj.theory.thresholds import ENCLOSED, enclose_threshold, known_thresholds
from polyinj.theory.widths import best_noninjectivity_bound, sufficient_width


@pytest.mark.slow
def test_the_defaults_are_the_budget_of_injectivity():
    for bound in (noninjectivity_bound, gordon_bound):
        assert bound(110, 10) == bound(110, 10, 9) < bound(110, 10, 10)
    assert euler_crossing(12) == euler_crossing(12, 11)
    assert [float(enclose_threshold(name)) for name in ENCLOSED] == [
        float(enclose_threshold(name, 1.0)) for name in ENCLOSED
    ]
    assert replica_threshold(1) == replica_threshold(1, budget=1.0)


def test_the_mean_over_all_flips_of_one_matrix_is_exact():
    """General position settles how many faces each flat has; the flips of rows make their signs uniform."""
    m, n = 6, 3
    rows = np.array([[(i + 1) ** power for power in range(n)] for i in range(m)])
    flipped = [Arrangement(rows * np.array(flips)[:, None]) for flips in product((-1, 1), repeat=m)]
    for k in (0, 1, 4):
        chi = sum(arrangement.euler_characteristic(k) for arrangement in flipped)
        assert chi == 2**m * expected_euler_characteristic(m, n, k)
        counts = sum(arrangement.face_counts(k) for arrangement in flipped)
        assert (counts == 2**m * expected_face_counts(m, n, k)).all()


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 3])
def test_bounds_hold_where_the_probability_is_known(k):
    for m in range(2 * k + 3, 8 * k + 40, 6):
        assert gordon_bound(m, 2, k) >= exact_noninjectivity_probability(m, 2, k)
    if k == 3:
        assert lifted_gordon_bound(30, 2, k) >= exact_noninjectivity_probability(30, 2, k)
    assert gordon_bound(2 * k + 2, 2, k) == lifted_gordon_bound(2 * k + 2, 2, k) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "k"), [(24, 3, 1), (40, 3, 6)])
def test_bounds_are_never_below_simulation(m, n, k):
    trials = 200
    rng = np.random.default_rng([m, n, k])
    met = sum(int(sweep(rng.standard_normal((m, n))).depth <= k) for _ in range(trials))
    # A wrong alarm in one of 10^6 runs.
    low, _ = clopper_pearson(met, trials, level=1 - 2e-6)
    assert low <= gordon_bound(m, n, k)
    # The least of the three.
    assert low <= best_noninjectivity_bound(m, n, k) < 1


@pytest.mark.slow
def test_the_estimate_of_the_lifted_bound_is_a_little_below_it():
    bound = lifted_gordon_bound(110, 10, 15)
    assert 0.99 < estimate_lifted_gordon_bound(110, 10, 15) / bound <= 1
    assert 0 < bound < gordon_bound(110, 10, 15)


@pytest.mark.slow
def test_sufficient_widths():
    for n, k in [(1, 2), (2, 4), (5, 0)]:
        m = sufficient_width(n, 0.05, k)
        assert exact_noninjectivity_probability(m, n, k) <= Fraction(1, 20)
        assert exact_noninjectivity_probability(m - 1, n, k) > Fraction(1, 20)
    m = sufficient_width(3, 0.05, 1)
    assert best_noninjectivity_bound(m, 3, 1) <= 0.05 < best_noninjectivity_bound(m - 1, 3, 1)


def test_what_comparison_does_not_bound_is_refused():
    for bound in (gordon_bound, lifted_gordon_bound):
        with pytest.raises(InputError, match="max_positive is 0; expected at least 1; for 0 the probability is wendel"):
            bound(30, 4, 0)
        with pytest.raises(InputError, match="n is 1; expected an integer, at least 2; for n = 1"):
            bound(30, 1, 3)


# ---- Thresholds ----


def root(g, low, high):
    return brentq(g, low, high, xtol=1e-13)


def rate(a, b):
    return a * math.log(a) - b * math.log(b) - (a - b) * math.log(a - b)


@pytest.mark.slow
@pytest.mark.parametrize(("b", "high"), [(2.0, 18.0)])
def test_thresholds_agree_with_floating_point(b, high):
    found = {name: float(enclose_threshold(name, b)) for name in ENCLOSED}
    assert all(enclose_threshold(name, b).rad() < 1e-25 for name in ENCLOSED)
    assert found["mean-direction"] == pytest.approx(root(lambda a: a * ndtr(-(a**-0.5)) - b, 0.1, high), abs=1e-11)
    assert found["gordon"] == pytest.approx(replica_threshold(0, budget=b).value, abs=1e-11)
    assert euler_rate(found["euler"], b) == pytest.approx(0, abs=1e-13)
    cells = root(lambda a: rate(a, 1) + rate(a - 1, b) - a * math.log(2), 2 + 2 * b, high)
    assert found["minimal-cells"] == pytest.approx(cells, abs=1e-11)
    moment = root(lambda a: rate(a, 1) + rate(a, b) - a * math.log(2), 2 + 2 * b, high)
    assert found["first-moment"] == pytest.approx(moment, abs=1e-11)

    def constant_order(theta):
        chi, c = np.exp(theta)
        ratio = math.sqrt(1 + c / chi)
        mean = 0.5 + (ndtr(math.sqrt(2 * chi) * ratio) - 0.5) / ratio + math.exp(-c) * ndtr(-math.sqrt(2 * chi))
        return (b + math.log1p(c / chi) / (2 * c)) / (-math.log(mean) / c)

    least = minimize(constant_order, [-1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14})
    assert found["lifted-gordon"] == pytest.approx(least.fun, abs=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("b", [0.1, 2.0])
def test_rows_of_every_budget_are_in_order_and_proven_where_they_say_so(b):
    rows = known_thresholds(b)
    assert all(low.upper < high.lower for low, high in pairwise(rows))
    assert rows[0].name == "mean-direction"
    assert {row.name for row in rows} == {*ENCLOSED, "1-rsb"} - ({"lifted-gordon"} if b < 0.25 else set())
    assert [row.name for row in rows if row.status == "nonrigorous"] == ["1-rsb"]


@pytest.mark.slow
@pytest.mark.parametrize(("b", "n"), [(0.5, 1000)])
def test_finite_bounds_have_these_thresholds(b, n):
    k = round(b * n)
    for name, bound, slack in (
        ("minimal-cells", noninjectivity_bound, 0.1),
        ("gordon", gordon_bound, 0.9),
        ("lifted-gordon", estimate_lifted_gordon_bound, 0.1),
    ):
        threshold = float(enclose_threshold(name, b))
        assert bound(math.ceil((threshold + slack) * n), n, k) < 1e-2
        assert bound(math.floor((threshold - 0.03) * n), n, k) == 1.0


def test_the_expected_euler_characteristic_crosses_near_its_threshold():
    for b in (0.5, 2.0):
        places = [euler_crossing(n, round(b * n)) for n in (20, 80, 320)]
        gaps = [float(enclose_threshold("euler", b)) - place for place in places]
        assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] > 0
    # One orthant: E chi is the probability that it is met, 1 up to m = n.
    assert euler_crossing(7, 0) == 1
    assert expected_euler_characteristic(7, 7, 0) == 1


@pytest.mark.slow
def test_the_replica_energy_is_the_budget_at_its_threshold():
    for levels, budget in product((0, 1), (0.3, 2.5)):
        found = replica_threshold(levels, budget=budget)
        assert found.budget == budget
        assert replica_energy(found.value, levels).value == pytest.approx(budget, abs=1e-9)


@pytest.mark.parametrize("budget", [0, -1, 1e-7, 100, math.nan, "x", True])
def test_budgets_outside_are_refused(budget):
    for function in (lambda: enclose_threshold("gordon", budget), lambda: replica_threshold(0, budget=budget)):
        with pytest.raises(InputError, match=r"budget is .*; expected a finite number above 1e-07 and below 100"):
            function()


def test_small_budgets_have_no_lifted_threshold():
    with pytest.raises(InputError, match=r"budget is 0\.2; lifted-gordon expects at least 0\.25; try gordon"):
        enclose_threshold("lifted-gordon", 0.2)
    assert arb(4.0118) < enclose_threshold("gordon", 0.25) < arb(4.0119)
