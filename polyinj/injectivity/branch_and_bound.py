"""The two questions of a layer for the compiled searches: the count and the rank, on one thread or several."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.injectivity._branch_and_bound import CountSearch, RankSearch
from polyinj.injectivity.driver import Accept, Outcome, Search, accepted, run
from polyinj.injectivity.heuristics import Schedule
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.problem import Problem
from polyinj.injectivity.work_sharing import search_together

# A search that is done within this time is not worth starting threads.
_EASY_SECONDS = 0.01


def search_count(
    problem: Problem,
    budget: int,
    limits: Limits,
    accept: Accept,
    *,
    record: bool,
    memory_limit: int,
    workers: int = 1,
    schedule: Schedule | None = None,
) -> Outcome:
    """Is there an admissible direction with at most `budget` positive rows (of those with nonzero weights)?

    A direction of a heuristic that is accepted ends the search.
    """

    def start(blocks: NDArray[np.int32] | None = None) -> CountSearch:
        return CountSearch(
            problem.rows,
            problem.error,
            problem.sides,
            budget=budget,
            linear=problem.columns,
            blocks=blocks,
            record=record,
            memory_limit=memory_limit,
        )

    try:
        search = start()
    except ValueError:  # In doubles the vectors do not span.
        return Outcome(Status.STUCK)
    outcome = _search(problem, search, lambda: start(search.blocks), limits, accept, record, workers, schedule)
    if record:
        outcome.blocks = [[] for _ in range(int(search.blocks.max()) + 1)]
        for row, block in enumerate(search.blocks.tolist()):
            if block >= 0:
                outcome.blocks[block].append(row)
    return outcome


def search_rank(
    problem: Problem,
    limits: Limits,
    *,
    record: bool,
    memory_limit: int,
    workers: int = 1,
    schedule: Schedule | None = None,
) -> Outcome:
    """Is there an admissible direction whose positive rows do not span? One that a heuristic finds ends the search."""

    def start() -> RankSearch:
        return RankSearch(
            problem.rows,
            problem.error,
            problem.sides,
            linear=problem.columns,
            record=record,
            memory_limit=memory_limit,
        )

    try:
        search = start()
    except ValueError:  # In doubles the vectors do not span.
        return Outcome(Status.STUCK)
    return _search(problem, search, start, limits, problem.witness, record, workers, schedule)


def _search(
    problem: Problem,
    search: Search,
    another: Callable[[], Search],
    limits: Limits,
    accept: Accept,
    record: bool,
    workers: int,
    schedule: Schedule | None,
) -> Outcome:
    """Run the search, on several threads if it is not easy; `another` makes one with the same arguments."""
    schedule = schedule or Schedule()
    tried: list[NDArray[np.float64]] = []
    hard = time.monotonic() + _EASY_SECONDS
    while True:
        # Up to the next heuristic exactly, so that nodes do not depend on the time.
        stage = replace(limits, nodes=min(schedule.due_at, 2**62 if limits.nodes is None else limits.nodes))
        direction = run(search, problem, stage, accept, pause=lambda: workers > 1 and time.monotonic() > hard)
        if direction is not None or search.status != Status.RUNNING or not limits.leave(search.nodes):
            break
        heuristic = schedule.take(search.nodes)
        if heuristic is None:
            outcome = search_together(search, another, problem, limits, accept, record, workers, schedule)
            outcome.tried = tried + outcome.tried
            return outcome
        direction = accepted(heuristic(limits), accept, tried)
        if direction is not None:
            break
    outcome = Outcome.of(search, direction, record)
    outcome.tried = tried
    return outcome
