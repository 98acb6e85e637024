"""Simulations: repeatable on any executor, right at a stated false-alarm rate."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from math import inf

import numpy as np
import pytest
from scipy.stats import binom, norm

from polyinj import GaussianEnsemble, InputError, estimate_transition, simulate
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.executors import local_processes
from polyinj.simulation.intervals import clopper_pearson, half_crossing
from polyinj.simulation.statistics import decision, decision_and_euler_characteristic, depth, euler_characteristic
from polyinj.simulation.transition import Transition
from polyinj.theory.euler import expected_euler_characteristic, expected_face_counts

# Every statistical test below fails by chance with probability at most this, for a seed drawn at random.
FALSE_ALARM = 1e-6


def in_process(ensemble, statistic, trials, seed):
    return simulate(ensemble, statistic, trials, seed=seed, executor=local_processes(1), progress=False)


def test_a_trial_is_the_same_alone_in_batches_and_on_any_executor():
    ensemble = GaussianEnsemble(9, 3)
    alone = in_process(ensemble, depth, 60, 5).values
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2) as processes:
        for executor in (threads, processes):
            run = simulate(ensemble, depth, 60, seed=5, executor=executor, progress=False)
            assert (run.values == alone).all()
    assert (in_process(ensemble, depth, 7, 5).values == alone[:7]).all()
    beside = simulate_jobs(
        [Job(GaussianEnsemble(7, 2), depth, 30), Job(ensemble, depth, 60)],
        seed=5,
        executor=local_processes(1),
        progress=False,
    )
    assert (beside[1].values == alone).all()
    assert not (in_process(ensemble, depth, 60, 6).values == alone).all()


def test_trial_t_draws_from_its_own_seed_sequence():
    run = in_process(GaussianEnsemble(9, 3), depth, 5, 11)
    for trial in range(5):
        rng = np.random.default_rng(np.random.SeedSequence(11, spawn_key=(3, 9, trial)))
        assert run.values[trial, 0] == depth(rng.standard_normal((9, 3)))


def test_a_job_may_start_at_a_later_trial():
    ensemble = GaussianEnsemble(9, 3)
    whole = in_process(ensemble, depth, 80, 5).values
    (rest,) = simulate_jobs([Job(ensemble, depth, 80, start=30)], seed=5, executor=local_processes(1), progress=False)
    assert (rest.values == whole[30:]).all()
    for start in (-1, 50):
        with pytest.raises(InputError, match=f"start is {start}"):
            simulate_jobs([Job(ensemble, depth, 50, start=start)], seed=5, progress=False)


def test_a_drawn_seed_is_stored_and_repeats_the_run():
    first = simulate(GaussianEnsemble(6, 2), depth, 20, seed=None, executor=local_processes(1), progress=False)
    assert (in_process(GaussianEnsemble(6, 2), depth, 20, first.seed).values == first.values).all()
    assert str(first.seed) in repr(first)


def test_columns_are_named():
    run = in_process(GaussianEnsemble(8, 2), decision_and_euler_characteristic, 10, 0)
    assert run.columns == ("injective", "not_injective", "undecided", "chi")
    assert run.column("chi").shape == (10,)
    with pytest.raises(InputError, match="allowed are injective"):
        run.column("euler")


def uneven(matrix):
    return {"a": 1.0} if matrix[0, 0] > 0 else {"b": 1.0}


def failing(matrix):
    raise InputError("this matrix is not liked")


def test_trouble_in_a_statistic_reaches_the_caller():
    with pytest.raises(InputError, match="returned columns"):
        in_process(GaussianEnsemble(2, 2), uneven, 30, 0)
    with pytest.raises(InputError, match="not liked"):
        in_process(GaussianEnsemble(2, 2), failing, 30, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials is 0; expected an integer >= 1"),
        ({"trials": -4}, "trials is -4"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_arguments(arguments, message):
    arguments = {"trials": 3, "seed": 0, "progress": False} | arguments
    with pytest.raises(InputError, match=message):
        simulate(GaussianEnsemble(3, 2), depth, **arguments)
    with pytest.raises(InputError, match="workers is 0"):
        local_processes(0)
    with pytest.raises(InputError, match="at least one row"):
        GaussianEnsemble(0, 2)


@pytest.mark.parametrize("m", range(4, 13))
def test_probability_in_the_plane(m):
    trials = 1500
    injective = in_process(GaussianEnsemble(m, 2), decision, trials, 20).column("injective").sum()
    p = 1 - m * (m - 2) / 2 ** (m - 1)
    tail = FALSE_ALARM / 9 / 2
    assert binom.ppf(tail, trials, p) <= injective <= binom.isf(tail, trials, p)


@pytest.mark.parametrize(
    ("m", "n"), [(1, 1), (4, 1), (4, 2), (7, 2), (6, 3), (9, 3), (12, 3), (8, 4), (12, 4), (20, 4)]
)
def test_mean_euler_characteristic(m, n):
    chi = in_process(GaussianEnsemble(m, n), euler_characteristic, 2000, 30).column("value")
    # Normal approximation for 2000 trials of a bounded integer; the standard error is estimated, hence the factor 1.1.
    limit = 1.1 * norm.isf(FALSE_ALARM / 10 / 2) * chi.std(ddof=1) / np.sqrt(len(chi))
    assert abs(chi.mean() - float(expected_euler_characteristic(m, n))) <= limit


def table(matrix):
    from polyinj import Arrangement

    counts = Arrangement(matrix).face_counts()
    return {f"{d},{p}": float(counts[d, p]) for d in range(counts.shape[0]) for p in range(counts.shape[1])}


def test_mean_face_counts():
    run = in_process(GaussianEnsemble(7, 3), table, 2000, 40)
    expected = expected_face_counts(7, 3)
    quantile = norm.isf(FALSE_ALARM / len(run.columns) / 2)
    for name in run.columns:
        d, p = map(int, name.split(","))
        values = run.column(name)
        limit = 1.1 * quantile * values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - float(expected[d, p])) <= limit


def test_clopper_pearson_reference_values():
    assert clopper_pearson(0, 10) == (0.0, pytest.approx(1 - 0.025 ** (1 / 10)))
    assert clopper_pearson(10, 10) == (pytest.approx(0.025 ** (1 / 10)), 1.0)
    low, high = clopper_pearson(3, 20)
    assert binom.sf(2, 20, low) == pytest.approx(0.025)
    assert binom.cdf(3, 20, high) == pytest.approx(0.025)


def half(successes, open_cases=None, trials=100):
    successes = np.array(successes)
    open_cases = np.zeros_like(successes) if open_cases is None else np.array(open_cases)
    return half_crossing(
        np.arange(len(successes), dtype=float), successes, open_cases, np.full_like(successes, trials), seed=0
    )


def test_half_crossing_interpolates_and_covers():
    crossing = half([0, 25, 75, 100])
    assert crossing.value == 1.5
    assert 1 < crossing.low < 1.5 < crossing.high < 2


def test_half_crossing_outside_the_grid_is_not_invented():
    for successes in ([60, 80, 100], [0, 10, 30]):
        crossing = half(successes)
        assert np.isnan([crossing.value, crossing.low, crossing.high]).all()


def test_half_crossing_smooths_against_the_noise():
    assert half([0, 48, 44, 60, 100]).value == pytest.approx(2 + (50 - 46) / (60 - 46))


def test_open_cases_widen_the_interval_both_ways():
    decided = half([0, 40, 60, 100])
    open_ = half([0, 30, 50, 90], [0, 20, 20, 10])
    assert open_.low < decided.low < decided.high < open_.high


def small_transition(**options):
    return estimate_transition([2, 3], [1, 2, 3.4, 3.5, 4, 6], 40, seed=3, progress=False, **options)


def test_same_seed_same_table_whatever_the_workers():
    one, two = small_transition(workers=1), small_transition(workers=2)
    assert repr(one.rows) == repr(two.rows)
    assert repr(one.half_points) == repr(two.half_points)


def test_transition_table():
    run = small_transition(workers=1, chi_max_n=2)
    assert [(row.n, row.m) for row in run.rows] == [(2, m) for m in (2, 4, 7, 8, 12)] + [
        (3, m) for m in (3, 6, 10, 12, 18)
    ]
    for row in run.rows:
        assert row.aspect_ratio == row.m / row.n
        assert row.injective + row.not_injective + row.undecided == row.trials == 40
        assert 0 <= row.p_low <= row.p_injective <= row.p_high <= 1
        assert row.expected_chi == float(expected_euler_characteristic(row.m, row.n))
        assert np.isnan(row.mean_chi) == (row.n > 2)
    assert run.column("n").tolist() == [row.n for row in run.rows]
    assert "seed=3" in repr(run)


def test_transition_saves_and_loads(tmp_path):
    run = small_transition(workers=1, chi_max_n=2)
    paths = run.save(tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)
    assert repr(Transition.load(tmp_path / "new").rows) == repr(run.rows)
    assert (tmp_path / "new" / "transition.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "new" / "transition.csv").read_text().splitlines()) == len(run.rows) + 1


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    run = small_transition(workers=1, chi_max_n=2)
    (tmp_path / "transition.csv").write_text("older")

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        run.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["transition.csv"]
    assert (tmp_path / "transition.csv").read_text() == "older"


def test_loading_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="no saved transition"):
        Transition.load(tmp_path)
    (tmp_path / "transition.json").write_text('{"format": "other"}')
    with pytest.raises(InputError, match="no saved transition"):
        Transition.load(tmp_path)


@pytest.mark.parametrize(
    ("n", "ratios", "message"),
    [
        ([], [2], "empty"),
        ([2], [], "empty"),
        ([0], [2], "n is 0"),
        ([2], [0.5], "aspect ratio is 0.5"),
        ([2], [inf], "aspect ratio is inf"),
    ],
)
def test_bad_designs(n, ratios, message):
    with pytest.raises(InputError, match=message):
        estimate_transition(n, ratios, 10, seed=0, progress=False)
