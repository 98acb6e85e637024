"""The two questions of a layer for the compiled searches: the count and the rank, on one thread or several workers."""

from __future__ import annotations

import time
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.injectivity.annealing import active_together, can_anneal
from polyinj.injectivity.driver import Accept, Outcome, Search, accepted, run
from polyinj.injectivity.heuristics import Schedule
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.problem import Problem
from polyinj.injectivity.spreading import SPREAD_AFTER, search_spread
from polyinj.injectivity.start import Start
from polyinj.injectivity.work_sharing import search_together

# A count of so many inputs is arranged anew after so many nodes, one after the first annealing: with fewer inputs that
# costs what it saves. What rows have in common weighs so many times what their inner product does.
_REARRANGE_COLUMNS, _REARRANGE_AFTER, _COMMON_WEIGHT = 18, 101, 3.0
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
    executor: Executor | None = None,
) -> Outcome:
    """Is there an admissible direction with at most `budget` positive rows (of those with nonzero weights)?

    A direction of a heuristic that is accepted ends the search. On an executor `accept` has to be problem.witness.
    """
    start = Start(problem, budget, record, memory_limit)
    schedule = schedule or Schedule()
    try:
        search = start()
    except ValueError:  # In doubles the vectors do not span.
        return Outcome(Status.STUCK)
    before = None
    if problem.columns >= _REARRANGE_COLUMNS and can_anneal(problem) and limits.leave(0) > _REARRANGE_AFTER:
        before = _search(search, start, replace(limits, nodes=_REARRANGE_AFTER), accept, 1, schedule, None)
        if before.status != Status.RUNNING or not limits.leave(before.nodes):
            return _with_blocks(before, search, record)
        search = replace(start, common=_COMMON_WEIGHT * active_together(problem))()
        limits = replace(limits, nodes=None if limits.nodes is None else limits.nodes - before.nodes)
    start = replace(start, blocks=search.blocks)
    outcome = _search(search, start, limits, accept, workers, schedule, executor)
    if before is not None:
        outcome.count_in(before)
        outcome.tried = before.tried + outcome.tried
    return _with_blocks(outcome, search, record)


def _with_blocks(outcome: Outcome, search: Search, record: bool) -> Outcome:
    """The outcome of a count, with the rows of each block where the proof is recorded."""
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
    executor: Executor | None = None,
) -> Outcome:
    """Is there an admissible direction whose positive rows do not span? One that a heuristic finds ends the search."""
    start = Start(problem, None, record, memory_limit)
    try:
        search = start()
    except ValueError:  # In doubles the vectors do not span.
        return Outcome(Status.STUCK)
    return _search(search, start, limits, problem.witness, workers, schedule, executor)


def _search(
    search: Search,
    start: Start,
    limits: Limits,
    accept: Accept,
    workers: int,
    schedule: Schedule | None,
    executor: Executor | None,
) -> Outcome:
    """Run the search, over the executor or on several threads if it is not easy; `start` makes one like it."""
    schedule = schedule or Schedule()
    problem, record = start.problem, start.record
    tried: list[NDArray[np.float64]] = []
    hard = time.monotonic() + _EASY_SECONDS
    most = 2**62 if limits.nodes is None else limits.nodes
    if executor is not None:
        workers, most = 1, min(most, SPREAD_AFTER)
    while True:
        # Up to the next heuristic exactly, so that nodes do not depend on the time.
        stage = replace(limits, nodes=min(schedule.due_at, most))
        direction = run(search, problem, stage, accept, pause=lambda: workers > 1 and time.monotonic() > hard)
        if direction is not None or search.status != Status.RUNNING or not limits.leave(search.nodes):
            break
        heuristic = schedule.take(search.nodes)
        if heuristic is None:
            if executor is not None:
                outcome = search_spread(search, start, limits, executor, schedule)
            else:
                outcome = search_together(search, start, problem, limits, accept, record, workers, schedule)
            outcome.tried = tried + outcome.tried
            return outcome
        direction = accepted(heuristic(limits), accept, tried)
        if direction is not None:
            break
    outcome = Outcome.of(search, direction, record)
    outcome.tried = tried
    return outcome
