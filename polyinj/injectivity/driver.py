"""Run a compiled search in slices of about 50 ms, within limits, with exact answers to what doubles leave open.

Between two slices limits and Ctrl-C are seen, and a search on several threads can give a part of itself away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.certificates.layer import System
from polyinj.exact import algebra
from polyinj.exact.gordan import alternative
from polyinj.injectivity._branch_and_bound import CountSearch, RankSearch
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.problem import Problem

_SLICE_SECONDS = 0.05

# A compiled branch and bound.
Search = CountSearch | RankSearch
# A direction, of doubles or of Fractions, or one beside it, if it is a witness in exact arithmetic; else None.
Accept = Callable[[NDArray[Any]], NDArray[Any] | None]


@dataclass(slots=True)
class Outcome:
    """How a search ended.

    Attributes
    ----------
    status : Status
        DONE: proved. WITNESS, STUCK, or a limit: RUNNING (nodes or time), OUT_OF_MEMORY.
    direction : ndarray or None
        The witness, in doubles; in Fractions where its cell is too narrow for those.
    nearest : ndarray or None
        The direction with the fewest active rows that branch and bound came to, `fewest` by its count.
    tried : list of ndarrays
        What heuristics returned and was no witness.
    blocks, circuits, trees
        The proof, where it is recorded and complete.
    nodes, pivots : int
    degenerate : bool
        The rows have a dependency: they are not in general position.
    """

    status: Status
    direction: NDArray[Any] | None = None
    nearest: NDArray[np.float64] | None = None
    fewest: int = 2**31
    tried: list[NDArray[np.float64]] = field(default_factory=list)
    blocks: list[list[int]] = field(default_factory=list)
    circuits: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 1), dtype=np.int32))
    trees: list[NDArray[np.int32]] = field(default_factory=list)
    nodes: int = 0
    pivots: int = 0
    degenerate: bool = False

    @classmethod
    def of(cls, search: Search, direction: NDArray[Any] | None, record: bool) -> Outcome:
        """How one search ended, with its proof where it is recorded and complete."""
        outcome = cls(search.status if direction is None else Status.WITNESS, direction)
        outcome.add(search)
        if record and search.status == Status.DONE:
            outcome.circuits, outcome.trees = search.proof()
        return outcome

    def count_in(self, other: Outcome) -> None:
        """Add what another search has used, whether it found a dependency, and how near it came to a witness."""
        self.nodes += other.nodes
        self.pivots += other.pivots
        self.degenerate |= other.degenerate
        if other.fewest < self.fewest:
            self.fewest, self.nearest = other.fewest, other.nearest

    def join(self, part: Outcome) -> None:
        """Add what the search of a part has used and found; the first part that does not end DONE ends the whole."""
        self.count_in(part)
        if self.status == Status.DONE:
            self.status, self.direction = part.status, part.direction

    def add(self, search: Search) -> None:
        """Add what a search has used, whether it found a dependency, and how near it came to a witness."""
        self.nodes += search.nodes
        self.pivots += search.pivots
        self.degenerate |= search.degenerate
        if search.best_count < min(self.fewest, len(search.blocks) + 1):
            self.fewest, self.nearest = search.best_count, search.best_direction


def run(
    search: Search,
    problem: Problem,
    limits: Limits,
    accept: Accept,
    pause: Callable[[], bool] = lambda: False,
) -> NDArray[Any] | None:
    """Run one search until it ends or a limit is reached, as its status then says; the witness, if it found one.

    A witness that is rejected does not end it. `pause` is called between slices and ends the run by True.
    """
    nodes = 20
    while allowed := limits.leave(search.nodes):
        started = time.monotonic()
        status = search.run(min(nodes, allowed))
        if status == Status.UNCERTAIN:
            search.settle(_relation_signs(search.pending, problem.layer.system()))
        elif status == Status.WITNESS:
            if (witness := accept(search.best_direction)) is not None:
                return witness
        elif status == Status.STUCK:
            system = problem.layer.system()
            literals = [-literal for literal in search.decided]
            literals += [-(len(system.rows) + k + 1) for k in range(len(system.sides))]
            found = alternative([signed_vector(system, literal) for literal in literals])
            if found.circuit is None:
                assert found.direction is not None
                return accept(problem.direction(found.direction))
            search.admit([literals[place] for place in found.circuit])
        elif status != Status.RUNNING or pause():
            return None
        elif time.monotonic() - started < _SLICE_SECONDS / 2:
            nodes *= 2
        elif time.monotonic() - started > _SLICE_SECONDS:
            nodes = max(nodes // 2, 1)
    return None


def accepted(
    direction: NDArray[np.float64] | None, accept: Accept, tried: list[NDArray[np.float64]]
) -> NDArray[Any] | None:
    """The witness at or beside the direction of a heuristic; without one, the direction joins those tried."""
    if direction is None:
        return None
    witness = accept(direction)
    if witness is None:
        tried.append(direction)
    return witness


def _relation_signs(pending: Sequence[int], system: System) -> list[int] | None:
    """The signs of the multipliers of signed columns (rows, then sides); None where they make no clause.

    That is where there is not one relation, or where it names a row without weights, which no clause may.
    """
    columns = [signed_vector(system, literal) for literal in pending]
    relations = algebra.kernel([list(line) for line in zip(*columns, strict=True)], len(columns))
    if len(relations) != 1:
        return None
    spanning = set(system.spanning_rows)
    named = (abs(literal) - 1 for literal, x in zip(pending, relations[0], strict=True) if x)
    if any(row < len(system.rows) and row not in spanning for row in named):
        return None
    signs = [(x > 0) - (x < 0) for x in relations[0]]
    return signs if 1 in signs else [-sign for sign in signs]


def signed_vector(system: System, literal: int) -> list[int]:
    """The vector that a literal brings into a circuit: R_i or S_k, negated with the literal."""
    row = [*system.rows, *system.sides][abs(literal) - 1]
    return row if literal > 0 else [-entry for entry in row]
