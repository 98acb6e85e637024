"""What a worker does: trials of one ensemble, each from its own seed sequence, with its cost and its failure if any."""

from __future__ import annotations

import os
import pickle
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from polyinj.errors import InputError
from polyinj.simulation.ensembles import Ensemble

Statistic = Callable[[NDArray[Any]], "float | Mapping[str, float]"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What a trial raised: the traceback as text, and the exception where it survives pickling."""

    trial: int
    traceback: str
    error: Exception | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Trials start..stop-1 of one ensemble.

    Attributes
    ----------
    trials : ndarray of int64, shape (k,)
        Those that gave numbers, increasing.
    columns : tuple of str
        Names of the numbers; empty if every trial failed.
    values : ndarray of float64, shape (k, len(columns))
    seconds : ndarray of float64, shape (k,)
        Time in the statistic.
    failures : tuple of Failure
        The other trials.
    elapsed : float
        Seconds that the whole batch took.
    worker : tuple
        Who ran it: host, process, thread.
    """

    start: int
    stop: int
    trials: NDArray[np.int64]
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    seconds: NDArray[np.float64]
    failures: tuple[Failure, ...]
    elapsed: float
    worker: tuple[str, int, int]

    @property
    def undecided(self) -> int:
        """Trials whose budget was spent."""
        return int(undecided(self.columns, self.values).sum())


def undecided(columns: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows hold no answer, since a budget was spent: the column "undecided" is not 0, or a number is nan."""
    open_ = np.isnan(values).any(axis=1)
    if "undecided" in columns:
        open_ |= values[:, columns.index("undecided")] != 0
    return np.asarray(open_)


def matrix_of(ensemble: Ensemble, seed: int, trial: int) -> NDArray[Any]:
    """The matrix of trial t: drawn from SeedSequence(seed, spawn_key=(n, m, t)), whatever runs beside it."""
    m, n = ensemble.shape
    matrix = ensemble.sample(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n, m, trial))))
    if matrix.shape != (m, n):
        raise InputError(f"the ensemble says its shape is {m, n}; its sample has {matrix.shape}")
    return matrix


def run_batch(ensemble: Ensemble, statistic: Statistic, seed: int, start: int, stop: int) -> Batch:
    """Trials start..stop-1; never raises for what a trial raises."""
    began = time.perf_counter()
    trials: list[int] = []
    rows: list[list[float]] = []
    seconds: list[float] = []
    failures: list[Failure] = []
    columns: tuple[str, ...] = ()
    _limit_worker()
    for trial in range(start, stop):
        try:
            matrix = matrix_of(ensemble, seed, trial)
            entered = time.perf_counter()
            value = statistic(matrix)
            spent = time.perf_counter() - entered
            named = value if isinstance(value, Mapping) else {"value": value}
            columns = columns or tuple(named)
            row = _numbers(named, columns, trials)
        except Exception as error:
            failures.append(Failure(trial, traceback.format_exc(), _survivor(error)))
            continue
        trials.append(trial)
        rows.append(row)
        seconds.append(spent)
    if not trials:
        columns = ()
    return Batch(
        start,
        stop,
        np.array(trials, dtype=np.int64),
        columns,
        np.array(rows, dtype=np.float64).reshape(len(rows), len(columns)),
        np.array(seconds, dtype=np.float64),
        tuple(failures),
        time.perf_counter() - began,
        (socket.gethostname(), os.getpid(), threading.get_ident()),
    )


def _numbers(value: Mapping[str, float], columns: tuple[str, ...], before: Sequence[int]) -> list[float]:
    if tuple(value) != columns:
        first = f"trial {before[0]}" if before else "an earlier trial"
        raise InputError(f"the statistic returned columns {tuple(value)}; {first} returned {columns}")
    row = []
    for name, entry in value.items():
        if isinstance(entry, str | bytes):
            raise InputError(f"the statistic returned {name} = {entry!r}; expected a number")
        number = float(entry)
        if number != entry and number == number:
            raise InputError(f"the statistic returned {name} = {entry}, which no float64 holds; return its logarithm")
        row.append(number)
    return row


def _survivor(error: Exception) -> Exception | None:
    """The exception if it comes out of pickling as it was: others would break the executor that carries them."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        return None
    return error if type(copy) is type(error) else None


class _Process:
    """How many runs keep the libraries of this process to one thread."""

    limiting = 0


@contextmanager
def one_thread_each() -> Iterator[None]:
    """BLAS and OpenMP with one thread, for the trials of a run that happen in this process."""
    with threadpool_limits(1):
        _Process.limiting += 1
        try:
            yield
        finally:
            _Process.limiting -= 1


def _limit_worker() -> None:
    """The same in the process of a worker, where it is for good: the workers are the parallelism."""
    if not _Process.limiting:
        threadpool_limits(1)
        _Process.limiting = 1
