"""One search over an executor: its subtrees are parts, and their proofs are put together at the end.

A part that turns out long gives its largest open subtrees away, as new parts. When, and which, depends on nodes alone:
the nodes of a search that ends DONE are those of one worker, however many there are, and also after a worker died.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.errors import PolyinjError
from polyinj.injectivity._branch_and_bound import splice
from polyinj.injectivity.driver import Outcome, Search, accepted, run
from polyinj.injectivity.heuristics import Schedule
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.start import Start

# A search is spread after so many nodes, and a part gives subtrees away after as many more, some tenths of a second.
SPREAD_AFTER = 2_000
# Subtrees that a part gives away at a time: those nearest to its root, which are the largest.
_GIVEN_AT_ONCE = 4
# Numbers of the subtrees that one part may give away.
_NUMBERS = 1 << 12
# How often the workers may die, or lose it otherwise, under a part.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A subtree: below these signed rows of one rotation. What it gives away is numbered from `first` on."""

    number: int
    rotation: int
    literals: list[int]
    first: int


@dataclass(slots=True)
class Done:
    """How a part ended; its subtrees given away are (number, rotation, signed rows)."""

    outcome: Outcome
    given: list[tuple[int, int, list[int]]]


def run_part(start: Start, part: Part, nodes: int | None, seconds: float | None) -> Done:
    """Search a part, on the worker that has it, within limits."""
    limits = Limits(nodes, None if seconds is None else time.monotonic() + seconds)
    search = start()
    search.assume(part.rotation, part.literals)
    return _run(search, start, limits, part.first)


def search_spread(search: Search, start: Start, limits: Limits, executor: Executor, schedule: Schedule) -> Outcome:
    """Complete a search that has begun, on an executor; `start` makes searches with the same arguments.

    Raises
    ------
    PolyinjError
        The workers died under one part three times, or the executor is broken and cannot `restart`.
    """
    return _Spread(start, limits, executor, schedule).complete(search)


def _run(search: Search, start: Start, limits: Limits, first: int, most: int = _GIVEN_AT_ONCE) -> Done:
    """Run a search to its end. It gives subtrees away between slices: at most `most`, then a few at a time."""
    given: list[tuple[int, int, list[int]]] = []
    while True:
        if search.nodes:
            given += _given_away(search, range(first + len(given), first + min(len(given) + most, _NUMBERS)))
            most = _GIVEN_AT_ONCE
        until = search.nodes + SPREAD_AFTER
        stage = replace(limits, nodes=until if limits.nodes is None else min(until, limits.nodes))
        direction = run(search, start.problem, stage, start.problem.witness)
        if direction is not None or search.status != Status.RUNNING or not limits.leave(search.nodes):
            return Done(Outcome.of(search, direction, start.record), given)


def _given_away(search: Search, numbers: Iterable[int]) -> list[tuple[int, int, list[int]]]:
    given = []
    for number in numbers:
        taken = search.give_away(number)
        if taken is None:
            break
        given.append((number, *taken))
    return given


@dataclass(slots=True)
class _Spread:
    """A search on its way over an executor."""

    start: Start
    limits: Limits
    executor: Executor
    schedule: Schedule
    outcome: Outcome = field(default_factory=lambda: Outcome(Status.DONE))
    # Parts to send, those under way with how often they were lost, and where the next part numbers what it gives.
    waiting: list[tuple[Part, int]] = field(default_factory=list)
    running: dict[Future[Done], tuple[Part, int]] = field(default_factory=dict)
    numbered: int = 0
    proofs: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = field(default_factory=dict)

    def complete(self, search: Search) -> Outcome:
        """The outcome of the whole; the search that has begun goes on here, after all it has was given away."""
        begun = _run(search, self.start, self.limits, self._numbers(), most=_NUMBERS)
        self._take(begun)
        try:
            while self._goes_on() and (self.waiting or self.running):
                self._send()
                for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                    # A broken executor loses all its parts at once.
                    if future in self.running:
                        self._receive(future)
                self._try_heuristic()
        finally:
            for future in self.running:
                future.cancel()
        if self.start.record and self.outcome.status == Status.DONE:
            self.outcome.circuits, self.outcome.trees = splice(begun.outcome.circuits, begun.outcome.trees, self.proofs)
        return self.outcome

    def _numbers(self) -> int:
        self.numbered += _NUMBERS
        return self.numbered - _NUMBERS

    def _goes_on(self) -> bool:
        """Whether nothing has ended the search; RUNNING where a limit does."""
        if self.outcome.status == Status.DONE and not self.limits.leave(self.outcome.nodes):
            self.outcome.status = Status.RUNNING
        return self.outcome.status == Status.DONE

    def _take(self, done: Done) -> None:
        self.outcome.join(done.outcome)
        for number, rotation, literals in done.given:
            self.waiting.append((Part(number, rotation, literals, self._numbers()), 0))

    def _send(self) -> None:
        """All that waits; the executor has a queue."""
        nodes = None if self.limits.nodes is None else self.limits.leave(self.outcome.nodes)
        while self.waiting:
            part, losses = self.waiting.pop()
            seconds = None if self.limits.deadline is None else max(self.limits.deadline - time.monotonic(), 1e-3)
            try:
                future = self.executor.submit(run_part, self.start, part, nodes, seconds)
            except BrokenExecutor as error:
                self._lost(part, losses, error)
                continue
            self.running[future] = part, losses

    def _receive(self, future: Future[Done]) -> None:
        part, losses = self.running.pop(future)
        try:
            done = future.result()
        except PolyinjError:
            raise
        except (Exception, CancelledError) as error:
            # Each executor has errors of its own for workers that died.
            self._lost(part, losses, error)
            return
        if done.outcome.trees:
            self.proofs[part.number] = done.outcome.circuits, done.outcome.trees[part.rotation]
        self._take(done)

    def _lost(self, part: Part, losses: int, error: BaseException) -> None:
        """A worker died: its part is sent again, unless lost too often. A broken executor is started anew if it can."""
        restart: Callable[[], None] | None = getattr(self.executor, "restart", None)
        if losses + 1 >= _TRIES or (isinstance(error, BrokenExecutor) and restart is None):
            raise PolyinjError(
                f"a worker died, {losses + 1} times with a part of the search under way "
                f"({error or type(error).__name__}); check that memory suffices, and in a script call polyinj below "
                "`if __name__ == '__main__':`, since workers import the script"
            ) from error
        self.waiting.append((part, losses + 1))
        if isinstance(error, BrokenExecutor) and restart is not None:
            self.waiting += [(one, lost + 1) for one, lost in self.running.values()]
            self.running.clear()
            restart()

    def _try_heuristic(self) -> None:
        """The heuristic that is due looks for a witness here: that ends the search."""
        heuristic = self.schedule.take(self.outcome.nodes) if self.outcome.status == Status.DONE else None
        if heuristic is None:
            return
        witness = accepted(heuristic(self.limits), self.start.problem.witness, self.outcome.tried)
        if witness is not None:
            self.outcome.status, self.outcome.direction = Status.WITNESS, witness
