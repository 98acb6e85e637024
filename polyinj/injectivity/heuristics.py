"""Heuristics of branch and bound: each looks for a point with few active rows, longer and later than the one before.

A heuristic returns a direction. Whether that is a witness, the search asks in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count

from polyinj.injectivity.annealing import Direction, anneal, can_anneal
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.local_search import fewest_active
from polyinj.injectivity.problem import Problem

# The first heuristic, after 20 nodes, is a local search of n steps. Annealing number k, of 250 2^k steps, comes after
# 100 4^k nodes: a tenth of the first 100 nodes' time, and ever less of more nodes.
_LOCAL_SEARCH_AFTER = 20
_ANNEALING_AFTER, _ANNEALING_STEPS = 100, 250
# Annealing steps for a layer beyond the size of the search: a quarter of a second at (700, 100), 14 s at (5500, 784).
_STEPS_ALONE = 3_750

# Within limits, a direction of the homogeneous system; None if it has none.
Heuristic = Callable[[Limits], Direction | None]


class Schedule:
    """Heuristics, each with the number of nodes after which it is due."""

    def __init__(self, heuristics: Iterable[tuple[int, Heuristic]] = ()) -> None:
        self._left = iter(heuristics)
        self._next = next(self._left, None)

    @property
    def due_at(self) -> int:
        """Nodes after which the next heuristic is due; 2^62 if none is left."""
        return 2**62 if self._next is None else self._next[0]

    def take(self, nodes: int) -> Heuristic | None:
        """The next heuristic, if it is due after this number of nodes; the caller calls it."""
        if self._next is None or nodes < self._next[0]:
            return None
        heuristic = self._next[1]
        self._next = next(self._left, None)
        return heuristic


def local_search_then_annealing(problem: Problem) -> Schedule:
    """A short local search, then ever longer annealings."""
    return Schedule(_local_search_first(problem))


def annealing_only(problem: Problem) -> Schedule:
    """Ever longer annealings."""
    return Schedule(_annealings(problem))


def short_local_search(problem: Problem, limits: Limits) -> Direction | None:
    """A local search of n steps: it finds most witnesses at once."""
    return fewest_active(problem, limits, stop_at=problem.columns - 1, steps=problem.columns)


def heuristic_alone(problem: Problem, limits: Limits, workers: int) -> Direction | None:
    """What is done for a layer too large to search: annealing, or a short local search where that does not apply."""
    if not can_anneal(problem):
        return short_local_search(problem, limits)
    return anneal(problem, limits, seed=0, steps=_STEPS_ALONE, workers=workers)


def _local_search_first(problem: Problem) -> Iterator[tuple[int, Heuristic]]:
    yield _LOCAL_SEARCH_AFTER, partial(short_local_search, problem)
    yield from _annealings(problem)


def _annealings(problem: Problem) -> Iterator[tuple[int, Heuristic]]:
    if can_anneal(problem):
        for k in count():
            yield _ANNEALING_AFTER * 4**k, partial(anneal, problem, seed=k, steps=_ANNEALING_STEPS * 2**k, workers=1)
