"""Crossings from counts: models, intervals, their coverage, extrapolation, and where the next trials go."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import binom, chi2, norm

from polyinj import InputError
from polyinj.fitting import intervals
from polyinj.fitting.adaptive import expected_width, place_trials
from polyinj.fitting.counts import Counts
from polyinj.fitting.crossing import compare_links, estimate_crossings
from polyinj.fitting.intervals import isotonic_crossings
from polyinj.fitting.links import LINKS
from polyinj.fitting.response import check_fit, fit_response, scored_deviances
from polyinj.fitting.scaling import ANSATZ, extrapolate
from polyinj.theory.crossing import euler_crossing, euler_crossing_coefficients

# Every statistical test below fails by chance with probability at most this, for a seed drawn at random.
FALSE_ALARM = 1e-6
GRID = np.arange(40, 64, 2)


def gumbel(m):
    """A curve of the model, bent; it passes 1/2 at 50."""
    x = (m - 50) / 5
    return np.exp(-np.exp(-(-np.log(np.log(2)) + x + 0.06 * x**2)))


def plane(m):
    """P(injective) at n = 2, which no model contains."""
    return 1 - m * (m - 2) / 2.0 ** (m - 1)


PLANE_HALF = 7 + (1 / 2 - plane(7)) / (plane(8) - plane(7))


def drawn(curve, grid, trials, rng):
    return Counts(grid, [trials] * len(grid), rng.binomial(trials, curve(grid)), [0] * len(grid))


def certain(curve, grid, trials=10**6):
    """As many successes as expected."""
    return Counts(grid, [trials] * len(grid), np.rint(trials * curve(grid)), [0] * len(grid))


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_links_are_distribution_functions(link):
    x = np.linspace(-2, 2, 41)
    rises, falls = link.log_probabilities(x)
    assert_allclose(np.exp(rises) + np.exp(falls), 1)
    assert (np.diff(rises) > 0).all()
    step = 1e-6
    slope = (np.exp(link.log_probabilities(x + step)[0]) - np.exp(link.log_probabilities(x - step)[0])) / (2 * step)
    assert_allclose(np.exp(link.log_density(x)), slope, rtol=1e-6, atol=1e-10)
    assert_allclose(link.information(x), slope**2 / (np.exp(rises) * np.exp(falls)), rtol=1e-5, atol=1e-8)
    assert_allclose(link.score_factor(x), slope / (np.exp(rises) * np.exp(falls)), rtol=1e-4, atol=1e-8)
    for p in (1e-3, 0.5, 0.9):
        assert np.exp(link.log_probabilities(np.array([link.quantile(p)]))[0][0]) == pytest.approx(p)
    far = np.array([-1e6, 1e6])
    assert np.isfinite([*link.log_probabilities(far), link.information(far), link.score_factor(far)]).all()


def test_a_fit_to_what_is_expected_is_the_curve():
    fit = fit_response(certain(gumbel, GRID), LINKS["loglog"])
    assert fit.value((0.5,)) == pytest.approx(50, abs=1e-3)
    assert_allclose(fit.probabilities(), gumbel(GRID), atol=1e-4)
    assert fit.deviance() < 1e-3
    # x + 0.06 x^2 = rise, solved for each level.
    places = [50 + 5 * (np.sqrt(1 + 0.24 * rise) - 1) / 0.12 for rise in -np.log(np.log([10, 10 / 9]) / np.log(2))]
    assert_allclose([fit.value((0.1,)), fit.value((0.9,))], places, atol=1e-2)
    assert fit.value((0.1, 0.9)) == pytest.approx(places[1] - places[0], abs=1e-2)
    low, high = fit.interval((0.5,))
    assert 49.9 < low < fit.value((0.5,)) < high < 50.1


def test_intervals_are_where_the_profile_falls_by_half_a_quantile():
    """Slow reference: maximise over the other two coefficients with the quantity fixed at each end."""
    counts = drawn(gumbel, GRID, 60, np.random.default_rng(1))
    fit = fit_response(counts, LINKS["loglog"])
    z = fit.scaled(counts.positions)

    def log_likelihood(b):
        from polyinj.fitting.response import _objective

        return _objective(counts, fit.link, z, b)

    def profile(fixed_place, level):
        at = float(fit.scaled(np.array([fixed_place]))[0])
        rise = fit.link.quantile(level)

        def loss(free):
            slope, bend = free
            return -log_likelihood(np.array([rise - slope * at - bend * at**2, slope, bend]))

        return -minimize(loss, fit.coefficients[1:], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).fun

    for level in (0.1, 0.5, 0.9):
        for end in fit.interval((level,)):
            assert fit.maximum - profile(end, level) == pytest.approx(chi2.ppf(0.95, 1) / 2, abs=0.02)


def test_separated_counts_have_finite_estimates():
    counts = Counts([4, 5, 6, 7, 8], [20] * 5, [0, 0, 20, 20, 20], [0] * 5)
    fit = fit_response(counts, LINKS["loglog"])
    assert 5 < fit.value((0.5,)) < 6
    low, high = fit.interval((0.5,))
    assert 4.5 < low < 5.5 < high < 6.5


def test_scored_deviances_are_those_of_refits():
    rng = np.random.default_rng(2)
    fit = fit_response(drawn(gumbel, GRID, 200, rng), LINKS["loglog"])
    tables = rng.binomial(200, fit.probabilities(), size=(8, len(GRID)))
    again = [fit_response(Counts(GRID, fit.counts.trials, table, 0 * table), fit.link).deviance() for table in tables]
    assert_allclose(scored_deviances(fit, tables), again, atol=0.1)


@pytest.mark.slow
def test_the_check_rejects_rarely_when_right_and_mostly_when_wrong():
    rng = np.random.default_rng(3)
    tables = 60
    right = sum(
        check_fit(fit_response(drawn(gumbel, GRID, 100, rng), LINKS["loglog"]), seed=0, resamples=99) <= 0.05
        for _ in range(tables)
    )
    # Refitting is to first order exact; a true level of 0.08 is allowed for.
    assert right <= binom.isf(FALSE_ALARM, tables, 0.08)
    wrong = check_fit(fit_response(certain(lambda m: np.where(m < 50, 0.1, 0.9), GRID, 100), LINKS["loglog"]), seed=0)
    assert wrong <= 0.01


def coverage(curve, truth, grid, trials, tables, monkeypatch, seed):
    monkeypatch.setattr(intervals, "_RESAMPLES", 200)
    rng = np.random.default_rng(seed)
    estimates = [
        estimate_crossings(drawn(curve, grid, trials, rng), (0.5,), seed=k).reported.at[0] for k in range(tables)
    ]
    return sum(found.low <= truth <= found.high for found in estimates)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("curve", "truth", "grid"),
    [
        pytest.param(gumbel, 50, GRID, id="the model"),
        pytest.param(plane, PLANE_HALF, np.arange(5, 14), id="exact n = 2"),
        pytest.param(lambda m: norm.cdf((m - 50) / 6), 50, GRID, id="normal"),
    ],
)
def test_coverage_of_the_reported_interval(curve, truth, grid, monkeypatch):
    tables = 30
    covered = coverage(curve, truth, grid, 150, tables, monkeypatch, seed=4)
    # Nominal 0.95; by chance fewer than this with probability 1e-6 if the coverage is 0.93.
    assert covered >= binom.ppf(FALSE_ALARM, tables, 0.93)


@pytest.mark.slow
def test_a_model_that_does_not_fit_is_not_reported():
    step = certain(lambda m: np.where(m < 50, 0.1, np.where(m < 56, 0.5, 0.95)), GRID, 300)
    found = estimate_crossings(step, seed=0)
    assert found.model == "isotonic"
    assert found.fit_p_value < 0.01
    assert found.reported is found.isotonic
    assert estimate_crossings(certain(gumbel, GRID, 100), seed=0).model == "loglog"


def test_few_positions_have_no_checked_model():
    found = estimate_crossings(Counts([1, 2, 3], [50] * 3, [5, 20, 45], [0] * 3), seed=0)
    assert found.model == "isotonic"
    assert found.parametric is None
    assert np.isnan(found.fit_p_value)


@pytest.mark.slow
def test_crossings_outside_the_grid_are_not_invented():
    for curve in (lambda m: gumbel(m) / 3, lambda m: 1 - (1 - gumbel(m)) / 3):
        found = estimate_crossings(certain(curve, GRID, 200), (0.1, 0.5, 0.9), seed=0)
        for estimate in (found.parametric, found.isotonic):
            assert np.isnan([estimate.at[1].value, estimate.at[1].low, estimate.at[1].high, estimate.width.value]).all()


def test_links_are_compared_by_deviance():
    fits = compare_links(certain(gumbel, GRID, 2000), seed=0)
    assert fits[0].link == "loglog"
    assert [fit.deviance for fit in fits] == sorted(fit.deviance for fit in fits)
    assert fits[0].p_value > 0.5 > 0.01 > fits[-1].p_value
    assert {fit.degrees_of_freedom for fit in fits} == {len(GRID) - 3}


@pytest.mark.slow
def test_undecided_trials_widen_every_interval_both_ways():
    decided = certain(gumbel, GRID, 200)
    lost = np.minimum(10, decided.successes)
    open_ = Counts(GRID, decided.trials, decided.successes - lost, np.minimum(2 * lost, 200 - decided.successes + lost))
    narrow, wide = (estimate_crossings(counts, seed=0) for counts in (decided, open_))
    for before, after in ((narrow.parametric, wide.parametric), (narrow.isotonic, wide.isotonic)):
        for a, b in zip((*before.at, before.width), (*after.at, after.width), strict=True):
            assert b.low < a.low < a.high < b.high


@pytest.mark.slow
def test_undecided_trials_count_as_whatever_is_worst():
    """The interval contains that of every way to settle them, of many tried."""
    rng = np.random.default_rng(5)
    decided = drawn(gumbel, GRID, 100, rng)
    undecided = rng.binomial(decided.successes, 0.1)
    counts = Counts(GRID, decided.trials, decided.successes - undecided, undecided)
    widened = estimate_crossings(counts, (0.5,), seed=0).parametric.at[0]
    for _ in range(10):
        settled = counts.settled(rng.random(len(GRID)) < 0.5)
        low, high = fit_response(settled, LINKS["loglog"]).interval((0.5,))
        assert widened.low <= low + 1e-4
        assert high - 1e-4 <= widened.high


def isotonic_half(successes, open_cases=None, trials=100):
    open_cases = [0] * len(successes) if open_cases is None else open_cases
    counts = Counts(np.arange(len(successes)), [trials] * len(successes), successes, open_cases)
    return isotonic_crossings(counts, (0.5,), seed=0).at[0]


def test_the_isotonic_crossing_interpolates_and_smooths():
    crossing = isotonic_half([0, 25, 75, 100])
    assert crossing.value == 1.5
    assert 1 < crossing.low < 1.5 < crossing.high < 2
    assert isotonic_half([0, 48, 44, 60, 100]).value == pytest.approx(2 + (50 - 46) / (60 - 46))


def test_the_isotonic_width_is_the_distance_of_its_crossings():
    found = isotonic_crossings(certain(gumbel, GRID, 500), seed=0)
    assert found.width.value == found.at[2].value - found.at[0].value
    assert found.width.low < found.width.value < found.width.high


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [5, 5], [1], [0, 0]), "have shapes"),
        (([], [], [], []), "have shapes"),
        (([2, 1], [5, 5], [1, 1], [0, 0]), "positions are"),
        (([1, np.nan], [5, 5], [1, 1], [0, 0]), "positions are"),
        (([1, 2], [5, 0], [1, 0], [0, 0]), "do not fit together"),
        (([1, 2], [5, 5], [4, 1], [2, 0]), "do not fit together"),
        (([1, 2], [5, 5], [-1, 1], [0, 0]), "do not fit together"),
    ],
)
def test_bad_counts(arguments, message):
    with pytest.raises(InputError, match=message):
        Counts(*arguments)


def test_bad_options():
    counts = certain(gumbel, GRID, 100)
    with pytest.raises(InputError, match="link is 'log'; allowed are logit"):
        estimate_crossings(counts, seed=0, link="log")
    for levels in ((), (0.5, 0.1), (0, 0.5), (0.5, 1)):
        with pytest.raises(InputError, match="levels are"):
            estimate_crossings(counts, levels, seed=0)
    with pytest.raises(InputError, match="four positions"):
        compare_links(Counts([1], [1], [1], [0]), seed=0)


@pytest.mark.parametrize("ansatz", ANSATZ)
def test_an_ansatz_recovers_its_own_sequence(ansatz):
    n = np.arange(2, 17)
    values = 6.7 + sum((k + 1) * -2 * term(n.astype(float)) for k, term in enumerate(ANSATZ[ansatz]))
    found = extrapolate(n, values, np.full(len(n), 0.01))
    fits = [fit for fit in found.fits if fit.ansatz == ansatz]
    assert_allclose([fit.limit for fit in fits], 6.7, atol=1e-6)
    assert [fit.smallest_n for fit in fits] == list(range(2, 2 + len(fits)))
    assert fits[-1].degrees_of_freedom == 2
    assert_allclose(fits[0].at(n), values)
    low, high = found.spread()
    assert low < 6.7 < high


@pytest.mark.slow
def test_limits_scatter_as_their_standard_errors_say():
    rng = np.random.default_rng(6)
    n, error, tables = np.arange(4, 17), 0.02, 100
    fits = [
        extrapolate(n, 6.7 - 4 / n + error * rng.standard_normal(len(n)), [error] * len(n)).fits[0]
        for _ in range(tables)
    ]
    pulls = np.array([(fit.limit - 6.7) / fit.stderr for fit in fits])
    assert abs(pulls.mean()) <= norm.isf(FALSE_ALARM / 4) / np.sqrt(tables)
    assert chi2.ppf(FALSE_ALARM / 4, tables) <= (pulls**2).sum() <= chi2.isf(FALSE_ALARM / 4, tables)
    total = sum(fit.chi_square for fit in fits)
    freedom = sum(fit.degrees_of_freedom for fit in fits)
    assert chi2.ppf(FALSE_ALARM / 4, freedom) <= total <= chi2.isf(FALSE_ALARM / 4, freedom)


def test_the_right_ansatz_finds_the_euler_threshold_and_others_miss_it():
    """E chi = 1 is crossed at c0 + c1 ln(n)/n + c2/n + ...: a sequence of known limit."""
    n = [50, 70, 100, 140, 200, 280, 400]
    found = extrapolate(n, [euler_crossing(k) for k in n], [1e-4] * len(n))
    limits = {fit.ansatz: fit.limit for fit in found.fits if fit.smallest_n == 100}
    assert limits["a + b ln(n)/n + c/n"] == pytest.approx(euler_crossing_coefficients()[0], abs=0.01)
    assert abs(limits["a + b n^(-2/3)"] - 8.3446) > 0.03
    assert "a + b/n" not in {fit.ansatz for fit in found.accepted() if fit.smallest_n == 50}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([2, 3, 4], [1] * 3, [1] * 3), "at least 4"),
        (([2, 3, 4, 5], [1] * 4, [1] * 3), "at least 4"),
        (([2, 3, 3, 5], [1] * 4, [1] * 4), "that increase"),
        (([2, 3, 4, 5], [1, 1, np.nan, 1], [1] * 4), "not finite or not positive"),
        (([2, 3, 4, 5], [1] * 4, [1, 1, 0, 1]), "not finite or not positive"),
    ],
)
def test_bad_sequences(arguments, message):
    with pytest.raises(InputError, match=message):
        extrapolate(*arguments)


def search(curve, *, floor, guess, width, rng):
    """The loop of `locate_transition` on drawn counts; all counts."""
    cells, total = {}, 0
    while True:
        counts, costs = None, np.array([])
        if cells:
            places = sorted(cells)
            trials, successes = np.array([cells[m] for m in places]).T
            counts, costs = Counts(places, trials, successes, 0 * trials), 1 + 10 * curve(np.array(places))
            if total > 200 and expected_width(counts) < width:
                return counts
        assert total < 20_000
        for placement in place_trials(counts, costs, max(64, total // 3), floor=floor, guess=guess):
            cell = cells.setdefault(placement.position, np.zeros(2, dtype=int))
            cell += (placement.trials, rng.binomial(placement.trials, curve(np.array(placement.position))))
            total += placement.trials


@pytest.mark.slow
@pytest.mark.parametrize("guess", [20, 50, 200])
def test_a_search_narrows_the_crossing_from_any_guess(guess):
    counts = search(gumbel, floor=19, guess=guess, width=0.8, rng=np.random.default_rng(7))
    found = estimate_crossings(counts, (0.5,), seed=0).reported.at[0]
    # Five standard errors.
    assert abs(found.value - 50) <= 5 * (found.high - found.low) / 3.92
    near = (counts.positions > 44) & (counts.positions < 56)
    assert counts.trials[near].sum() > counts.trials.sum() / 2
    # An even design over the same positions would need more trials for the same width.
    even = drawn(gumbel, np.arange(38, 70, 2), int(counts.trials.sum()) // 16, np.random.default_rng(8))
    assert expected_width(even) > expected_width(counts)


def test_placements_have_the_trials_asked_for_and_stay_above_the_floor():
    counts = drawn(gumbel, np.arange(44, 60, 4), 30, np.random.default_rng(9))
    for trials in (1, 7, 64, 1000):
        placements = place_trials(counts, np.ones(4), trials, floor=19, guess=50)
        assert sum(placement.trials for placement in placements) == trials
        assert all(placement.position > 19 for placement in placements)
        assert placements == place_trials(counts, np.ones(4), trials, floor=19, guess=50)


def test_dear_trials_are_avoided():
    counts = drawn(gumbel, np.arange(44, 60, 4), 60, np.random.default_rng(10))
    dear = place_trials(counts, np.array([1, 1, 9, 9.0]), 400, floor=19, guess=50)
    cheap = place_trials(counts, np.ones(4), 400, floor=19, guess=50)

    def mean_position(placements):
        return sum(placement.trials * placement.position for placement in placements) / 400

    assert mean_position(dear) < mean_position(cheap)
