"""Many matrices: draw, apply a statistic, keep the numbers.

Trial t of an ensemble of shape (m, n) draws from SeedSequence(seed, spawn_key=(n, m, t)): the same matrix alone, in any
batch, beside any other ensemble and on any executor.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from polyinj.errors import InputError, PolyinjError
from polyinj.simulation.ensembles import Ensemble
from polyinj.simulation.executors import local_processes

Statistic = Callable[[NDArray[Any]], "float | Mapping[str, float]"]

_BATCH = 25
_BATCHES_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Simulation:
    """Values of a statistic on many matrices.

    Attributes
    ----------
    columns : tuple of str
        Names of the numbers; ("value",) for a statistic that returns a bare number.
    values : ndarray of float64, shape (trials, len(columns))
        Row t is trial t.
    seed : int
        The seed that repeats the run.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    seed: int

    def __repr__(self) -> str:
        return f"Simulation({len(self.values)} trials of {', '.join(self.columns)}; seed={self.seed})"

    def column(self, name: str) -> NDArray[np.float64]:
        """The values of one column, shape (trials,)."""
        if name not in self.columns:
            raise InputError(f"column is {name!r}; allowed are {', '.join(self.columns)}")
        values: NDArray[np.float64] = self.values[:, self.columns.index(name)]
        return values


@dataclass(frozen=True, slots=True)
class Job:
    """Trials start, ..., start + trials - 1 of one statistic on one ensemble."""

    ensemble: Ensemble
    statistic: Statistic
    trials: int
    start: int = 0


def simulate(
    ensemble: Ensemble,
    statistic: Statistic,
    trials: int,
    *,
    seed: int | None,
    executor: Executor | None = None,
    progress: bool = True,
) -> Simulation:
    """Apply a statistic to independent random matrices.

    Parameters
    ----------
    ensemble : Ensemble
        Law of the matrices, for instance GaussianEnsemble(m, n).
    statistic : callable
        Maps an (m, n) matrix to a number or to a dict of numbers; a module-level function, so that it can be sent to
        other processes. Ready ones are in `polyinj.simulation.statistics`.
    trials : int
        Number of matrices, at least 1.
    seed : int or None
        None draws a seed and stores it in the result.
    executor : concurrent.futures.Executor, optional
        Where trials run; by default processes on this machine. The result does not depend on it.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        trials < 1 or a negative seed.

    Examples
    --------
    >>> from polyinj import GaussianEnsemble, simulate
    >>> from polyinj.simulation.statistics import depth
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as threads:
    ...     run = simulate(GaussianEnsemble(8, 2), depth, 100, seed=1, executor=threads, progress=False)
    >>> run
    Simulation(100 trials of value; seed=1)
    """
    (result,) = simulate_jobs([Job(ensemble, statistic, trials)], seed=seed, executor=executor, progress=progress)
    return result


def simulate_jobs(
    jobs: Sequence[Job], *, seed: int | None, executor: Executor | None = None, progress: bool = True
) -> list[Simulation]:
    """`simulate` for several jobs at once, so that no worker waits for the end of one of them.

    Row k of a result is trial `start` + k of its job.
    """
    if seed is None:
        seed = secrets.randbits(63)
    if seed < 0:
        raise InputError(f"seed is {seed}; expected an integer >= 0, or None to draw one")
    for job in jobs:
        if job.trials < 1:
            raise InputError(f"trials is {job.trials}; expected an integer >= 1")
        if job.start < 0:
            raise InputError(f"start is {job.start}; expected an integer >= 0, the number of the first trial")
    if executor is not None:
        return _run(jobs, seed, executor, progress)
    with local_processes() as processes:
        return _run(jobs, seed, processes, progress)


def _run(jobs: Sequence[Job], seed: int, executor: Executor, progress: bool) -> list[Simulation]:
    batches = [
        (index, start, min(start + _BATCH, job.trials))
        for index, job in enumerate(jobs)
        for start in range(0, job.trials, _BATCH)
    ]
    batches.reverse()
    results: list[list[Mapping[str, float]]] = [[{}] * job.trials for job in jobs]
    running: dict[Future[list[Mapping[str, float]]], tuple[int, int, int]] = {}
    with _progress_bar(progress) as bar:
        task = bar.add_task("trials", total=sum(job.trials for job in jobs))
        try:
            while batches or running:
                while batches and len(running) < _BATCHES_IN_FLIGHT:
                    index, start, stop = batches.pop()
                    job = jobs[index]
                    first, last = job.start + start, job.start + stop
                    future = executor.submit(run_batch, job.ensemble, job.statistic, seed, first, last)
                    running[future] = index, start, stop
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index, start, stop = running.pop(future)
                    results[index][start:stop] = future.result()
                    bar.advance(task, stop - start)
        except BrokenProcessPool:
            raise PolyinjError(
                "a worker process died; in a script, call polyinj below `if __name__ == '__main__':`, since workers "
                "import the script, and check that memory suffices"
            ) from None
        finally:
            for future in running:
                future.cancel()
    return [_simulation(rows, seed) for rows in results]


def run_batch(ensemble: Ensemble, statistic: Statistic, seed: int, start: int, stop: int) -> list[Mapping[str, float]]:
    """Trials start..stop-1: what one task computes in a worker."""
    m, n = ensemble.shape
    values: list[Mapping[str, float]] = []
    for trial in range(start, stop):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n, m, trial)))
        value = statistic(ensemble.sample(rng))
        values.append(value if isinstance(value, Mapping) else {"value": value})
    return values


def _simulation(rows: list[Mapping[str, float]], seed: int) -> Simulation:
    columns = tuple(rows[0])
    for trial, row in enumerate(rows):
        if tuple(row) != columns:
            raise InputError(f"trial {trial} returned columns {tuple(row)}; trial 0 returned {columns}")
    return Simulation(columns, np.array([[row[name] for name in columns] for row in rows], dtype=np.float64), seed)


def _progress_bar(shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
    )
