"""Where trials run makes no difference, and a killed worker loses nothing and counts nothing twice."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from polyinj import GaussianEnsemble, InputError, PolyinjError, simulate
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.executors import InProcess, LocalProcesses, local_processes
from polyinj.simulation.schedule import Scheduler, Work
from polyinj.simulation.statistics import depth
from polyinj.simulation.store.reader import StoreReader
from polyinj.simulation.trials import Batch

SEED = 12
SHAPES = [(9, 3), (12, 3), (12, 4)]
TRIALS = 100


def slow_depth(matrix):
    time.sleep(0.002)
    return depth(matrix)


def jobs(trials=TRIALS):
    return [Job(GaussianEnsemble(m, n), slow_depth, trials) for m, n in SHAPES]


def tables(**options):
    return [run.values for run in simulate_jobs(jobs(), seed=SEED, progress=False, **options)]


@pytest.fixture(scope="module")
def alone():
    """The tables of one worker in this process."""
    return tables(executor=InProcess())


def same(found, expected):
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


class KillOne:
    """Kill -9 the worker of the third batch; count the trials that come back."""

    def __init__(self):
        self.batches = self.trials = 0

    def __call__(self, index, batch):
        self.batches += 1
        self.trials += len(batch.trials)
        if self.batches == 3:
            assert batch.worker[1] != os.getpid()
            os.kill(batch.worker[1], signal.SIGKILL)
        return ""


@pytest.mark.slow
def test_two_local_workers_one_killed(alone, tmp_path):
    killer = KillOne()
    with LocalProcesses(2) as executor:
        found = tables(executor=executor, store=tmp_path / "sweep.db", note=killer)
    assert killer.batches > 3
    assert killer.trials == TRIALS * len(SHAPES)
    assert same(found, alone)
    with StoreReader(tmp_path / "sweep.db") as store:
        assert [cell.done for cell in store.cells()] == [TRIALS] * len(SHAPES)


@pytest.mark.slow
def test_dask_workers_one_killed(alone, tmp_path):
    from distributed import Client, LocalCluster

    killer = KillOne()
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
        client.get_executor() as executor,
    ):
        before = set(client.run(os.getpid).values())
        found = tables(executor=executor, store=tmp_path / "sweep.db", note=killer)
        assert len(before) == 2
        assert set(client.run(os.getpid).values()) != before
    assert killer.trials == TRIALS * len(SHAPES)
    assert same(found, alone)


def test_threads(alone):
    with ThreadPoolExecutor(3) as executor:
        assert same(tables(executor=executor), alone)


def suicide(matrix):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_statistic_that_kills_its_process_ends_the_run():
    with (
        LocalProcesses(1) as executor,
        pytest.raises(PolyinjError, match=r"died, 3 times with trials 0..0 of shape \(9, 3\)"),
    ):
        simulate(GaussianEnsemble(9, 3), suicide, 2, seed=0, executor=executor, progress=False)
    # A pool that polyinj did not make cannot be made anew.
    with ProcessPoolExecutor(1) as executor, pytest.raises(PolyinjError, match="died, 1 times"):
        simulate(GaussianEnsemble(9, 3), suicide, 2, seed=0, executor=executor, progress=False)


class Forgetful(InProcess):
    """Loses every third call, as a cluster does whose worker was lost from sight."""

    def __init__(self):
        self.calls = 0

    def submit(self, fn, /, *args, **kwargs):
        self.calls += 1
        if self.calls % 3 == 0:
            future = Future()
            future.set_exception(ConnectionError("worker lost"))
            return future
        return super().submit(fn, *args, **kwargs)


@pytest.mark.slow
def test_lost_batches_are_sent_again(alone):
    executor = Forgetful()
    assert same(tables(executor=executor), alone)
    assert executor.calls > 3


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path):
    program = f"""
        import os, time
        from polyinj import GaussianEnsemble, simulate
        from polyinj.simulation.executors import local_processes

        def announce(matrix):
            open({str(tmp_path)!r} + f"/{{os.getpid()}}", "w").close()
            time.sleep(60)

        if __name__ == "__main__":
            with local_processes(2) as executor:
                simulate(GaussianEnsemble(2, 2), announce, 9, seed=0, executor=executor, progress=False)
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(program))
    parent = subprocess.Popen([sys.executable, script])

    def workers():
        return [int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()]

    wait_until(workers)
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers()))


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.02)


def batch(start, stop, cost, worker=0):
    trials = np.arange(start, stop)
    return Batch(
        start, stop, trials, ("value",), np.zeros((len(trials), 1)), np.full(len(trials), cost), (),
        cost * len(trials), ("here", worker, 0),
    )  # fmt: skip


class Instant(InProcess):
    """Answers at once, as if trials of an ensemble with m rows had cost m milliseconds, on 8 workers in turn."""

    def __init__(self):
        self.calls = []

    def submit(self, fn, ensemble, statistic, seed, start, stop):
        self.calls.append((ensemble.m, start, stop))
        future = Future()
        future.set_result(batch(start, stop, ensemble.m * 1e-3, len(self.calls) % 8))
        return future


def test_batches_take_about_a_second():
    executor = Instant()
    works = [Work(GaussianEnsemble(m, 1), depth, [(0, trials)]) for m, trials in ((1, 10**6), (200, 300), (5000, 20))]
    seen = np.zeros(10**6, dtype=int)
    for index, done in Scheduler(works, 0, executor).run():
        if index == 0:
            seen[done.start : done.stop] += 1
    assert (seen == 1).all()
    cheap, dear, minutes = ([(b - a) * m for m, a, b in executor.calls if m == size] for size in (1, 200, 5000))
    # Seconds a batch, in milliseconds: growing by 4 from one trial, then 1000.
    assert cheap[:6] == [1, 4, 16, 64, 256, 1000]
    assert 1000 <= len(cheap) <= 1010
    assert max(dear) == 1000
    assert set(minutes) == {5000}
    assert len(minutes) == 20


def test_the_last_batches_are_shared_out():
    executor = Instant()
    list(Scheduler([Work(GaussianEnsemble(1, 1), depth, [(0, 4000)])], 0, executor).run())
    sizes = [b - a for _, a, b in executor.calls]
    assert max(sizes) < 1000
    assert sum(sizes) == 4000
    # A 16th of what is left, down to 50 ms.
    assert sizes[-5:-1] == [50] * 4


def blas_threads(matrix):
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


@pytest.mark.slow
def test_workers_use_one_thread_each():
    with threadpool_limits(2), ThreadPoolExecutor(2) as threads, LocalProcesses(2) as processes:
        before = threadpool_info()
        for executor in (threads, processes):
            run = simulate(GaussianEnsemble(3, 2), blas_threads, 40, seed=0, executor=executor, progress=False)
            assert (run.values == 1).all()
        assert threadpool_info() == before
        assert blas_threads(None) == 2


@pytest.mark.parametrize("statistic", [lambda matrix: 1.0, np.vectorize(lambda x: x)])
def test_what_cannot_be_sent_is_refused(statistic):
    refused = pytest.raises(InputError, match=r"statistic .* cannot be sent .* at the top level of a module")
    with refused, local_processes(2) as executor:
        simulate(GaussianEnsemble(3, 2), statistic, 4, seed=0, executor=executor, progress=False)
    with ProcessPoolExecutor(1) as executor, pytest.raises(InputError, match="cannot be sent to the workers"):
        simulate(GaussianEnsemble(3, 2), statistic, 4, seed=0, executor=executor, progress=False)


def test_a_note_is_shown_below_the_bar(capsys):
    simulate_jobs(
        [Job(GaussianEnsemble(5, 2), depth, 20)],
        seed=0,
        executor=InProcess(),
        note=lambda index, batch: f"job {index} at {batch.stop}",
    )
    shown = capsys.readouterr().err
    assert "20/20" in shown
    assert "job 0 at 20" in shown
