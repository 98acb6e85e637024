"""Where trials run: processes on this machine, unless the caller brings an executor."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, TypeVar

from polyinj.errors import InputError

T = TypeVar("T")


def local_processes(workers: int | None = None) -> Executor:
    """An executor of so many processes on this machine, by default one a usable core; one worker stays in this process.

    Processes are spawned: nothing is inherited, so results cannot depend on the state of the parent.
    """
    if workers is None:
        workers = len(os.sched_getaffinity(0))
    if workers < 1:
        raise InputError(f"workers is {workers}; expected an integer >= 1")
    if workers == 1:
        return _InProcess()
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


class _InProcess(Executor):
    """Runs each call at once, here."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
