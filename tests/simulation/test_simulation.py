"""Simulations: repeatable on any executor, right at a stated false-alarm rate."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from scipy.stats import binom, norm

from polyinj import GaussianEnsemble, InputError, simulate
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.executors import local_processes
from polyinj.simulation.statistics import decision, decision_and_euler_characteristic, depth, euler_characteristic
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


@pytest.mark.slow
@pytest.mark.parametrize("m", range(4, 13))
def test_probability_in_the_plane(m):
    trials = 1500
    injective = in_process(GaussianEnsemble(m, 2), decision, trials, 20).column("injective").sum()
    p = 1 - m * (m - 2) / 2 ** (m - 1)
    tail = FALSE_ALARM / 9 / 2
    assert binom.ppf(tail, trials, p) <= injective <= binom.isf(tail, trials, p)


@pytest.mark.slow
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


@pytest.mark.slow
def test_mean_face_counts():
    run = in_process(GaussianEnsemble(7, 3), table, 2000, 40)
    expected = expected_face_counts(7, 3)
    quantile = norm.isf(FALSE_ALARM / len(run.columns) / 2)
    for name in run.columns:
        d, p = map(int, name.split(","))
        values = run.column(name)
        limit = 1.1 * quantile * values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - float(expected[d, p])) <= limit
