"""Where trials run: processes on this machine, unless the caller brings an executor."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from polyinj.errors import InputError

T = TypeVar("T")


def local_processes(workers: int | None = None) -> Executor:
    """An executor of processes on this machine, by default one a usable core; a single worker is this process.

    Processes are spawned: nothing is inherited, so results cannot depend on the state of the parent.
    """
    if workers is None:
        workers = len(os.sched_getaffinity(0))
    if workers < 1:
        raise InputError(f"workers is {workers}; expected an integer >= 1")
    return InProcess() if workers == 1 else LocalProcesses(workers)


class InProcess(Executor):
    """Runs each call at once, here."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class LocalProcesses(Executor):
    """Spawned processes that end with this one, however it ends, and can be started anew when one was killed."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # The workers wait for the end of this pipe: it closes when this process dies, even by kill -9.
        self._end, self._alive = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            self._workers, mp_context=context, initializer=_prepare_worker, initargs=(self._end,)
        )

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return self._pool.submit(fn, *args, **kwargs)

    def restart(self) -> None:
        """Give up the processes, and the calls they run, for new ones."""
        self._stop(at_once=True)
        self._start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._stop(at_once=False, wait=wait, cancel_futures=cancel_futures)

    def _stop(self, at_once: bool, wait: bool = True, cancel_futures: bool = True) -> None:
        if at_once:
            self._alive.close()
        self._pool.shutdown(wait, cancel_futures=cancel_futures)
        self._alive.close()
        self._end.close()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        # After an error or Ctrl-C nobody waits for the batches under way.
        self._stop(at_once=kind is not None)


def _prepare_worker(end: Connection) -> None:
    """In a new process: leave Ctrl-C to the parent, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        # Nothing is ever sent: readable means closed.
        end.poll(None)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
