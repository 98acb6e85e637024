"""Many matrices: draw, apply a statistic, keep the numbers.

Trial t of an ensemble of shape (m, n) draws from SeedSequence(seed, spawn_key=(n, m, t)): the same matrix alone, in any
batch, beside any other ensemble and on any executor.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError, PolyinjError
from polyinj.simulation.ensembles import Ensemble
from polyinj.simulation.executors import LocalProcesses, local_processes
from polyinj.simulation.progress import Note, RunProgress
from polyinj.simulation.schedule import Scheduler, Work
from polyinj.simulation.store.fingerprint import (
    array_sha256,
    check_picklable,
    describe_ensemble,
    describe_statistic,
    readable,
)
from polyinj.simulation.store.store import Store
from polyinj.simulation.trials import Batch, Failure, Statistic, matrix_of, one_thread_each, undecided


@dataclass(frozen=True, slots=True)
class Simulation:
    """Values of a statistic on many matrices.

    Attributes
    ----------
    columns : tuple of str
        Names of the numbers; ("value",) for a statistic that returns a bare number.
    values : ndarray of float64, shape (trials, len(columns))
        Row k is trial start + k of the job; start is 0 in `simulate`.
    seed : int
        The seed that repeats the run.
    seconds : ndarray of float64, shape (trials,)
        Time in the statistic, by the clock of the worker.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    seed: int
    seconds: NDArray[np.float64]

    def __repr__(self) -> str:
        open_ = f", {self.undecided} undecided" if self.undecided else ""
        names = ", ".join(self.columns) if len(self.columns) <= 8 else f"{len(self.columns)} columns"
        return f"Simulation({len(self.values)} trials of {names}{open_}; seed={self.seed})"

    def column(self, name: str) -> NDArray[np.float64]:
        """The values of one column, shape (trials,)."""
        if name not in self.columns:
            raise InputError(f"column is {name!r}; allowed are {', '.join(self.columns)}")
        values: NDArray[np.float64] = self.values[:, self.columns.index(name)]
        return values

    @property
    def undecided(self) -> int:
        """Trials without an answer since their budget was spent: "undecided" is not 0, or a number is nan."""
        return int(undecided(self.columns, self.values).sum())


@dataclass(frozen=True, slots=True)
class Job:
    """Trials start..trials-1 of one statistic on one ensemble."""

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
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Simulation:
    """Apply a statistic to independent random matrices.

    Parameters
    ----------
    ensemble : Ensemble
        Law of the matrices, for instance GaussianEnsemble(m, n); anything with `shape` and `sample(rng)`.
    statistic : callable
        Maps an (m, n) matrix to a number or to a dict of numbers; a module-level function, so that it can be sent to
        other processes. Ready ones are in `polyinj.simulation.statistics`; functools.partial sets their budgets.
    trials : int
        Number of matrices, at least 1.
    seed : int or None
        None draws a seed and stores it in the result; with a store that has one, None takes that.
    executor : concurrent.futures.Executor, optional
        Where trials run; by default processes on this machine. The result does not depend on it.
    store : path or Store, optional
        File that keeps every trial as it is done. What it has is read, only missing trials run. It holds one ensemble
        family, statistic and seed; more trials and other shapes may be added.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        trials < 1, a negative seed, a statistic that assumes general position with an ensemble that does not declare
        it, or a store of other trials.
    StoreError
        The store is damaged, in use by another process, or cannot be written.
    PolyinjError
        With a store: some trials failed; all others are stored, and running again retries those.
    Exception
        Without a store, what a trial raised.

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
    (result,) = simulate_jobs(
        [Job(ensemble, statistic, trials)], seed=seed, executor=executor, store=store, progress=progress
    )
    return result


def simulate_jobs(
    jobs: Sequence[Job],
    *,
    seed: int | None,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
    note: Note | None = None,
) -> list[Simulation]:
    """`simulate` for several ensembles at once, so that no worker waits for the end of one of them.

    With a store the jobs have one ensemble family and one statistic, and no shape twice. `note(index, batch)` is called
    with the index of a job and more of its trials: once with those that the store has, then with each batch. The text
    that it returns for the latter is shown below the progress bar.
    """
    _check_jobs(jobs, seed)
    with ExitStack() as stack:
        if store is not None and not isinstance(store, Store):
            store = stack.enter_context(Store(store))
        if store is not None:
            seed = _begin(store, jobs, seed)
        elif seed is None:
            seed = secrets.randbits(63)
        tables = [_Table(job, store) for job in jobs]
        works = [Work(job.ensemble, job.statistic, table.missing()) for job, table in zip(jobs, tables, strict=True)]
        if executor is None:
            executor = stack.enter_context(local_processes())
        if isinstance(executor, LocalProcesses):
            for job in jobs:
                check_picklable("ensemble", job.ensemble)
                check_picklable("statistic", job.statistic)
        total = sum(job.trials - job.start for job in jobs)
        for index, table in enumerate(tables):
            if note is not None and table.known.any():
                note(index, table.stored())
        try:
            done = total - sum(work.left for work in works)
            with one_thread_each(), RunProgress(progress, total, done, note) as shown:
                for index, batch in Scheduler(works, seed, executor).run():
                    tables[index].fill(batch)
                    if store is not None:
                        m, n = jobs[index].ensemble.shape
                        store.add(n, m, batch)
                    elif batch.failures:
                        _raise(batch.failures[0], jobs[index], seed)
                    shown.advance(index, batch)
        finally:
            if store is not None:
                store.flush()
        _report_failures(jobs, tables, store)
        return [table.simulation(seed) for table in tables]


def _check_jobs(jobs: Sequence[Job], seed: int | None) -> None:
    if seed is not None and (not isinstance(seed, Integral) or seed < 0):
        raise InputError(f"seed is {seed!r}; expected an integer >= 0, or None to draw one")
    for job in jobs:
        if not isinstance(job.trials, Integral) or job.trials < 1:
            raise InputError(f"trials is {job.trials!r}; expected an integer >= 1")
        if not 0 <= job.start < job.trials:
            raise InputError(f"start is {job.start}; expected 0 to trials - 1 = {job.trials - 1}")
        function = job.statistic.func if isinstance(job.statistic, partial) else job.statistic
        if getattr(function, "assumes_general_position", False) and not getattr(job.ensemble, "continuous", False):
            raise InputError(
                f"the statistic {getattr(function, '__name__', function)} assumes that any n rows are independent, "
                f"which {type(job.ensemble).__name__} does not declare; use one that proves ranks, such as "
                "decision_by_rank, or set `continuous = True` on an ensemble whose entries have a density"
            )


def _begin(store: Store, jobs: Sequence[Job], seed: int | None) -> int:
    """Tell the store what comes; the seed."""
    if seed is None:
        seed = secrets.randbits(63) if store.is_new else store.design.seed
    ensembles = [describe_ensemble(job.ensemble) for job in jobs]
    statistics = [describe_statistic(job.statistic) for job in jobs]
    for what, found in (("ensemble family", ensembles), ("statistic", statistics)):
        texts = sorted({description.text for description in found})
        if len(texts) > 1:
            raise InputError(
                f"the jobs have more than one {what} ({', '.join(map(readable, texts))}); a store holds one: use "
                "a store for each"
            )
    shapes = [job.ensemble.shape for job in jobs]
    if twice := {shape for shape in shapes if shapes.count(shape) > 1}:
        raise InputError(f"shape {min(twice)} occurs in more than one job; expected one job a shape with a store")
    store.begin(ensembles[0], statistics[0], seed)
    store.request(
        (n, m, job.trials, array_sha256(matrix_of(job.ensemble, seed, 0)))
        for job, (m, n) in zip(jobs, shapes, strict=True)
    )
    return seed


@dataclass(slots=True)
class _Table:
    """The rows of one job: read from the store at first, then filled by batches."""

    job: Job
    store: Store | None
    columns: tuple[str, ...] = ()
    values: NDArray[np.float64] = field(init=False)
    seconds: NDArray[np.float64] = field(init=False)
    known: NDArray[np.bool_] = field(init=False)
    failures: list[Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = self.job.trials - self.job.start
        if self.store is None:
            self.values, self.seconds = np.zeros((size, 0)), np.full(size, np.nan)
            self.known = np.zeros(size, dtype=bool)
            return
        m, n = self.job.ensemble.shape
        found = self.store.trials(n, m, self.job.start, self.job.trials)
        self.columns, self.values, self.seconds, self.known = found.columns, found.values, found.seconds, found.known

    def missing(self) -> list[tuple[int, int]]:
        """Trials without values, as ranges start..stop-1."""
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self.known, [True]])))
        return [(int(low), int(high)) for low, high in (edges.reshape(-1, 2) + self.job.start)]

    def stored(self) -> Batch:
        """The trials that the store had, as a batch that took no time."""
        trials = np.flatnonzero(self.known) + self.job.start
        values, seconds = self.values[self.known], self.seconds[self.known]
        return Batch(self.job.start, self.job.trials, trials, self.columns, values, seconds, (), 0.0, ("", 0, 0))

    def fill(self, batch: Batch) -> None:
        self.failures += batch.failures
        if not len(batch.trials):
            return
        if not self.columns:
            self.columns = batch.columns
            self.values = np.full((len(self.known), len(self.columns)), np.nan)
        if batch.columns != self.columns:
            raise InputError(
                f"trial {batch.trials[0]} returned columns {batch.columns}; another trial returned {self.columns}"
            )
        rows = batch.trials - self.job.start
        assert not self.known[rows].any(), "each trial comes once"
        self.values[rows], self.seconds[rows], self.known[rows] = batch.values, batch.seconds, True

    def simulation(self, seed: int) -> Simulation:
        assert self.known.all()
        return Simulation(self.columns, self.values, seed, self.seconds)


def _raise(failure: Failure, job: Job, seed: int) -> None:
    m, n = job.ensemble.shape
    where = f"in trial {failure.trial} of shape {m, n}, seed {seed}"
    if failure.error is None:
        raise PolyinjError(f"{where}: {failure.traceback}")
    failure.error.add_note(where)
    raise failure.error


def _report_failures(jobs: Sequence[Job], tables: Sequence[_Table], store: Store | None) -> None:
    failed = [(job, failure) for job, table in zip(jobs, tables, strict=True) for failure in table.failures]
    if not failed or store is None:
        return
    job, first = min(failed, key=lambda pair: (pair[0].ensemble.shape[::-1], pair[1].trial))
    reason = first.traceback.strip().splitlines()[-1]
    raise PolyinjError(
        f"{len(failed)} of {sum(job.trials - job.start for job in jobs)} trials failed, the first one trial "
        f"{first.trial} of shape {job.ensemble.shape}: {reason}; all others are in {store.path}, with the tracebacks; "
        "running again retries the failed ones"
    )
