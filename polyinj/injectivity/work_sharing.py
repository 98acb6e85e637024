"""One search on several threads.

A thread without work takes the largest open part of another's search: a whole rotation, or the negative subtree nearest
to the root. Nothing is searched twice, and no thread waits while there is something to share; at the end the proofs of
the parts are put together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Condition

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.injectivity._branch_and_bound import splice
from polyinj.injectivity.driver import Accept, Outcome, Search, accepted, run
from polyinj.injectivity.heuristics import Schedule
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.problem import Problem


def search_together(
    search: Search,
    start: Callable[[], Search],
    problem: Problem,
    limits: Limits,
    accept: Accept,
    record: bool,
    workers: int,
    schedule: Schedule,
) -> Outcome:
    """Complete a search that has begun, on `workers` threads; `start` makes searches with the same arguments.

    What is proved does not depend on the threads; the proof and its number of nodes do, on who is faster.
    """
    team = _Team(search, start, problem, limits, accept, record, schedule)
    with ThreadPoolExecutor(workers) as pool:
        try:
            threads = [pool.submit(team.work) for _ in range(workers)]
            wait(threads, return_when=FIRST_EXCEPTION)
        finally:
            # Also after Ctrl-C or an exception: the others end at their next slice.
            team.dismiss()
    for thread in threads:
        thread.result()
    return team.outcome


class _Team(Limits):
    """What the threads share. As limits it counts the nodes of all searches together."""

    def __init__(
        self,
        search: Search,
        start: Callable[[], Search],
        problem: Problem,
        limits: Limits,
        accept: Accept,
        record: bool,
        schedule: Schedule,
    ) -> None:
        super().__init__(limits.nodes, limits.deadline)
        self.root = search
        self.start, self.problem, self.accept, self.record = start, problem, accept, record
        self.outcome = Outcome(Status.DONE)
        self.changed = Condition()
        # Searches to take up; under way are those that run.
        self.waiting: deque[tuple[int | None, int, Search]] = deque([(None, 0, search)])
        self.under_way: list[Search] = []
        self.idle = 0
        # Parts given away, and the circuits and tree of those that are done, by number.
        self.parts = 0
        self.proofs: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}
        self.schedule, self.in_heuristic = schedule, False

    def leave(self, used: int) -> int:
        with self.changed:
            return super().leave(self._nodes)

    @property
    def _nodes(self) -> int:
        return self.outcome.nodes + sum(int(search.nodes) for search in self.under_way)

    def work(self) -> None:
        """What one thread does until nothing is left."""
        while (task := self._take()) is not None:
            self._complete(*task)

    def dismiss(self) -> None:
        """End all searches at their next slice."""
        with self.changed:
            self.stop.set()
            self.changed.notify_all()

    def _take(self) -> tuple[int | None, int, Search] | None:
        with self.changed:
            self.idle += 1
            while not self.waiting and self.under_way and not self.stop.is_set():
                self.changed.wait()
            self.idle -= 1
            if self.stop.is_set() or not self.waiting:
                return None
            task = self.waiting.popleft()
            self.under_way.append(task[2])
            return task

    def _complete(self, number: int | None, rotation: int, search: Search) -> None:
        direction = run(search, self.problem, self, self.accept, pause=lambda: self._pause(search))
        with self.changed:
            self.under_way.remove(search)
            self.outcome.add(search)
            if search.status != Status.DONE:
                if self.outcome.status == Status.DONE:
                    self.outcome.status = search.status if direction is None else Status.WITNESS
                    self.outcome.direction = direction
                self.stop.set()
            elif self.record:
                self._keep_proof(number, rotation, search)
            self.changed.notify_all()

    def _pause(self, search: Search) -> bool:
        """What a thread does between slices; True ends its run."""
        self._share(search)
        return self._finds_witness()

    def _share(self, search: Search) -> None:
        """Give a part of this search to a thread without work."""
        with self.changed:
            if self.idle > len(self.waiting) and not self.stop.is_set():
                number = self.parts
                given = search.give_away(number)
                if given is not None:
                    rotation, literals = given
                    part = self.start()
                    part.assume(rotation, literals)
                    self.parts += 1
                    self.waiting.append((number, rotation, part))
                    self.changed.notify()

    def _finds_witness(self) -> bool:
        """Whether the heuristic that is due, one at a time, finds a witness: that ends all searches."""
        with self.changed:
            heuristic = None if self.in_heuristic else self.schedule.take(self._nodes)
            self.in_heuristic |= heuristic is not None
        if heuristic is None:
            return False
        witness = accepted(heuristic(self), self.accept, self.outcome.tried)
        with self.changed:
            self.in_heuristic = False
            if witness is not None:
                self.outcome.status, self.outcome.direction = Status.WITNESS, witness
        if witness is not None:
            self.dismiss()
        return witness is not None

    def _keep_proof(self, number: int | None, rotation: int, search: Search) -> None:
        """Of one part; of the whole where it is the last."""
        if number is not None:
            circuits, trees = search.proof()
            self.proofs[number] = circuits, trees[rotation]
        if self.outcome.status == Status.DONE and not self.under_way and not self.waiting:
            circuits, trees = self.root.proof()
            self.outcome.circuits, self.outcome.trees = splice(circuits, trees, self.proofs)
