"""What a worker does: trials of one ensemble, each from its own seed sequence, with its cost and its failure if any."""

from __future__ import annotations

import math
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

# Matrices that are drawn at once, by entries: 64 kB.
_GROUP_ENTRIES = 1 << 13


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
    # An ensemble of several matrices side by side says what shape these make.
    expected = getattr(ensemble, "sample_shape", (m, n))
    if matrix.shape != expected:
        raise InputError(f"the ensemble says its samples have shape {expected}; one has {matrix.shape}")
    return matrix


def run_batch(ensemble: Ensemble, statistic: Statistic, seed: int, start: int, stop: int) -> Batch:
    """Trials start..stop-1; never raises for what a trial raises."""
    began = time.perf_counter()
    _limit_worker()
    rows: dict[int, list[float]] = {}
    seconds: dict[int, float] = {}
    failures: list[Failure] = []
    columns: tuple[str, ...] = ()
    # A few trials at a time: all are drawn, then all decided, then all read. Between two runs of the statistic, which
    # fills the caches with its own, each of these steps would take three times as long.
    group = max(1, _GROUP_ENTRIES // math.prod(ensemble.shape))
    for first in range(start, stop, group):
        trials = range(first, min(first + group, stop))
        matrices = {trial: _attempt(trial, matrix_of, ensemble, seed, trial) for trial in trials}
        answers: dict[int, Any] = {}
        for trial, matrix in matrices.items():
            entered = time.perf_counter()
            answers[trial] = matrix if isinstance(matrix, Failure) else _attempt(trial, statistic, matrix)
            seconds[trial] = time.perf_counter() - entered
        for trial, answer in answers.items():
            row = answer if isinstance(answer, Failure) else _attempt(trial, _numbers, answer, columns)
            if isinstance(row, Failure):
                failures.append(row)
            else:
                columns, rows[trial] = row
    return Batch(
        start,
        stop,
        np.array(list(rows), dtype=np.int64),
        columns,
        np.array(list(rows.values()), dtype=np.float64).reshape(len(rows), len(columns)),
        np.array([seconds[trial] for trial in rows], dtype=np.float64),
        tuple(failures),
        time.perf_counter() - began,
        (socket.gethostname(), os.getpid(), threading.get_ident()),
    )


def _attempt(trial: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function gives, or the Failure of the trial if it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        return Failure(trial, traceback.format_exc(), _survivor(error))


def _numbers(value: Any, expected: tuple[str, ...]) -> tuple[tuple[str, ...], list[float]]:
    """The names and numbers that a statistic returned; the names are the expected ones, if any are."""
    named = value if isinstance(value, Mapping) else {"value": value}
    columns = tuple(named)
    if expected and columns != expected:
        raise InputError(f"the statistic returned columns {columns}; for another trial it returned {expected}")
    row = []
    for name, entry in named.items():
        if isinstance(entry, str | bytes):
            raise InputError(f"the statistic returned {name} = {entry!r}; expected a number")
        number = float(entry)
        if number != entry and number == number:
            raise InputError(f"the statistic returned {name} = {entry}, which no float64 holds; return its logarithm")
        row.append(number)
    return columns, row


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
    """BLAS with one thread, for the trials of a run that happen in this process; OpenMP too, in this thread."""
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
