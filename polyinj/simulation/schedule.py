"""Cut jobs into batches of about a second and keep the workers of an executor busy with them.

The cost of a trial is measured, for each job by itself: its first batch is one trial, the next ones grow by a factor
of at most 4. So 10^6 trials of a millisecond are some thousand batches, and trials of minutes are one batch each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass, field
from pickle import PicklingError

from polyinj.errors import InputError, PolyinjError
from polyinj.simulation.ensembles import Ensemble
from polyinj.simulation.executors import InProcess, LocalProcesses
from polyinj.simulation.trials import Batch, Statistic, run_batch

TARGET_SECONDS = 1.0
# When little is left it is spread over the workers, in batches that are still worth sending.
_LEAST_SECONDS = 0.05
_GROWTH = 4
# Batches in flight at first; once the workers are known, two for each of them and two more.
_FIRST_WINDOW = 8
# How often the workers may die, or lose it otherwise, under a batch.
_TRIES = 3


@dataclass(slots=True)
class Work:
    """Trials of one job that are to run, as ranges start..stop-1, and what they cost so far."""

    ensemble: Ensemble
    statistic: Statistic
    ranges: list[tuple[int, int]]
    in_flight: int = 0
    trials: int = 0
    seconds: float = 0.0
    largest: int = 0

    @property
    def left(self) -> int:
        """Trials not yet sent."""
        return sum(stop - start for start, stop in self.ranges)

    @property
    def cost(self) -> float:
        """Mean seconds of a trial; at least what the clock can tell."""
        return max(self.seconds / self.trials, 1e-6)

    def take(self, limit_seconds: float) -> tuple[int, int] | None:
        """The next range to send; None while the first one, which tells the cost, is under way."""
        if self.trials == 0:
            if self.in_flight:
                return None
            size = 1
        else:
            size = max(1, min(int(min(TARGET_SECONDS, limit_seconds) / self.cost), _GROWTH * self.largest))
        start, stop = self.ranges.pop(0)
        if start + size < stop:
            self.ranges.insert(0, (start + size, stop))
        return start, min(start + size, stop)

    def finished(self, batch: Batch) -> None:
        """Learn from a batch."""
        size = batch.stop - batch.start
        self.trials += size
        self.seconds += batch.elapsed
        self.largest = max(self.largest, size)


@dataclass(slots=True)
class _Task:
    """A batch on its way, and how often it was lost."""

    index: int
    start: int
    stop: int
    losses: int = 0


@dataclass(slots=True)
class Scheduler:
    """Runs work on an executor; every trial comes back in exactly one batch."""

    works: Sequence[Work]
    seed: int
    executor: Executor
    _running: dict[Future[Batch], _Task] = field(default_factory=dict)
    _again: list[_Task] = field(default_factory=list)
    _workers: set[tuple[str, int, int]] = field(default_factory=set)

    def run(self) -> Iterator[tuple[int, Batch]]:
        """Pairs (which work, batch) as they come; the order between batches is that of their ends."""
        try:
            while True:
                self._fill()
                if not self._running:
                    return
                for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                    task = self._running.pop(future, None)
                    if task is None:
                        continue
                    batch = self._result(future, task)
                    if batch is not None:
                        work = self.works[task.index]
                        work.in_flight -= 1
                        work.finished(batch)
                        self._workers.add(batch.worker)
                        yield task.index, batch
        finally:
            for future in self._running:
                future.cancel()

    def _fill(self) -> None:
        window = 1 if isinstance(self.executor, InProcess) else max(_FIRST_WINDOW, 2 * len(self._workers) + 2)
        while len(self._running) < window:
            task = self._again.pop() if self._again else self._next()
            if task is None:
                return
            work = self.works[task.index]
            try:
                future = self.executor.submit(
                    run_batch, work.ensemble, work.statistic, self.seed, task.start, task.stop
                )
            except BrokenExecutor as error:
                self._lost(task, error)
                continue
            self._running[future] = task

    def _next(self) -> _Task | None:
        known = [work for work in self.works if work.ranges and work.trials]
        share = float("inf")
        if all(work.trials for work in self.works if work.ranges):
            left = sum(work.left * work.cost for work in known)
            share = max(left / (2 * max(len(self._workers), 1)), _LEAST_SECONDS)
        for index, work in enumerate(self.works):
            if work.ranges and (taken := work.take(share)) is not None:
                work.in_flight += 1
                return _Task(index, *taken)
        return None

    def _result(self, future: Future[Batch], task: _Task) -> Batch | None:
        """What the future holds; None where it was lost and will be sent again."""
        try:
            return future.result()
        except (PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                f"the ensemble or the statistic cannot be sent to the workers ({error}); expected a function, or an "
                "object of a class, at the top level of a module that they can import"
            ) from error
        except (Exception, CancelledError) as error:
            self._lost(task, error)
            return None

    def _lost(self, task: _Task, error: BaseException) -> None:
        """The executor lost a batch, since a worker died or was lost from sight: send it again, unless lost too often.

        run_batch answers for whatever a trial raises, so the fault is not the statistic's, unless it kills processes.
        """
        lost = [task]
        if isinstance(error, BrokenExecutor):
            # All batches of a broken pool are lost, and it takes no others.
            lost += self._running.values()
            self._running.clear()
        for one in lost:
            one.losses += 1
        if task.losses >= _TRIES or (
            isinstance(error, BrokenExecutor) and not isinstance(self.executor, LocalProcesses)
        ):
            m, n = self.works[task.index].ensemble.shape
            raise PolyinjError(
                f"a worker died, {task.losses} times with trials {task.start}..{task.stop - 1} of shape {m, n} under "
                f"way ({error or type(error).__name__}); check that memory suffices, and in a script call polyinj "
                "below `if __name__ == '__main__':`, since workers import the script"
            ) from error
        if isinstance(error, BrokenExecutor) and isinstance(self.executor, LocalProcesses):
            self.executor.restart()
        self._again += lost
