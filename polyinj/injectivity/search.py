"""Drive the compiled searches: within limits, with exact answers to what doubles leave open, on several threads.

A search runs in slices of about 50 ms, between which limits and Ctrl-C are seen. On several threads the first levels of
the tree are searched by one; the subtrees that it leaves open go to a pool, and their proofs are spliced into its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from fractions import Fraction
from threading import Event
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj._search import (
    EXHAUSTED,
    RUNNING,
    STUCK,
    UNSETTLED,
    WITNESS,
    CountSearch,
    RankSearch,
    choose_blocks,
    splice,
)
from polyinj.geometry import exact
from polyinj.injectivity.collide import active_rows
from polyinj.injectivity.gordan import alternative
from polyinj.injectivity.layer import Layer, System

_SLICE_SECONDS = 0.05
_EASY_NODES = 2_000
_CUTS = (5, 8, 11)
_SUBTREES_A_WORKER = 24

_BALANCED_BITS = 30
_MOVES, _MOVE_SIZE = 8, 2.0**-20

# The direction found in doubles, or one beside it, if it is a witness in exact arithmetic; else None.
Accept = Callable[[NDArray[np.float64]], NDArray[np.float64] | None]


@dataclass(slots=True)
class Limits:
    """What a search may use; `stop` ends it from another thread."""

    nodes: int | None = None
    deadline: float | None = None
    stop: Event = field(default_factory=Event)

    def leave(self, used: int) -> int:
        """Nodes that may still be visited: 0 when a limit is reached."""
        if self.stop.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline):
            return 0
        return 2**62 if self.nodes is None else max(self.nodes - used, 0)


@dataclass(frozen=True, slots=True)
class Problem:
    """The homogeneous system of a layer in doubles, each row scaled; its exact form is at hand where these fall short.

    Where columns are of very different size they are scaled too: column j by 2^-exponents[j].
    """

    layer: Layer
    rows: NDArray[np.float64]
    sides: NDArray[np.float64] | None
    error: float
    exponents: NDArray[np.int64]

    @classmethod
    def of(cls, layer: Layer) -> Problem:
        lifted, exponents = _balanced(layer.lifted())
        rows, row_error = exact.float_rows(lifted)
        sides, side_error = None, 0.0
        if integers := layer.sides():
            scales = [Fraction(2) ** -exponent for exponent in exponents.tolist()]
            entries = [[entry * scale for entry, scale in zip(row, scales, strict=True)] for row in integers]
            sides, side_error = exact.float_rows(exact.read_matrix(np.array(entries, dtype=object)))
        return cls(layer, rows, sides, max(row_error, side_error), exponents)

    @property
    def columns(self) -> int:
        """n, the number of inputs."""
        return int(self.layer.weights.shape[1])

    def point(self, direction: NDArray[np.float64] | None) -> list[Fraction] | None:
        """The input that a direction of the homogeneous system stands for, exactly; None outside the open domain."""
        if direction is None:
            return None
        scales = [Fraction(2) ** -exponent for exponent in self.exponents.tolist()]
        return self.input([Fraction(entry) * scale for entry, scale in zip(direction.tolist(), scales, strict=True)])

    def direction(self, z: Sequence[int]) -> NDArray[np.float64]:
        """An integer direction of the homogeneous system in the coordinates of `rows`, rounded, largest entry 1."""
        scaled = [entry * Fraction(2) ** exponent for entry, exponent in zip(z, self.exponents.tolist(), strict=True)]
        size = max(map(abs, scaled))
        return np.array([entry / size for entry in scaled], dtype=np.float64)

    def input(self, z: list[Fraction]) -> list[Fraction] | None:
        """The same for an exact direction."""
        if any(sum((a * b for a, b in zip(side, z, strict=True)), Fraction(0)) <= 0 for side in self.layer.sides()):
            return None
        return z if self.layer.is_linear else [entry / z[-1] for entry in z[:-1]]

    def witness(self, direction: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        """The direction, or one beside it, if it is admissible and its active rows do not span R^n: exactly; else None.

        In doubles a direction may lie on a hyperplane that it was meant to avoid. A small move only loses active rows.
        """
        if direction is None or not np.isfinite(direction).all() or not direction.any():
            return None
        if (found := self._loses_information(direction)) is not None:
            return direction if found else None
        for move in np.random.default_rng(0).standard_normal((_MOVES, len(direction))):
            beside = direction + _MOVE_SIZE * np.abs(direction).max() * move
            if self._loses_information(beside):
                return np.asarray(beside)
        return None

    def _loses_information(self, direction: NDArray[np.float64]) -> bool | None:
        """True is exact; None: exactly false, but the direction is near a hyperplane and one beside it may do."""
        vectors = self.rows if self.sides is None else np.vstack([self.rows, self.sides])
        values = vectors @ direction
        size = np.abs(vectors) @ np.abs(direction)
        certain = bool((np.abs(values) > 4 * len(direction) * (2.0**-53 + self.error) * size + 1e-300).all())
        weights = self.rows[:, : self.columns]
        if certain:
            if not (values[len(self.rows) :] > 0).all():
                return False
            active = weights[(values[: len(self.rows)] > 0) & weights.any(axis=1)]
            if len(active) < self.columns:
                return True
            singular = np.linalg.svd(active, compute_uv=False)
            if singular[-1] > 1e-9 * singular[0]:
                return False
        point = self.point(direction)
        if point is not None:
            rows = exact.integer_rows(self.layer.weights)
            if exact.rank([rows[i] for i in active_rows(self.layer, point)]) < self.columns:
                return True
        return False if certain else None

    @property
    def well_conditioned(self) -> bool:
        """Whether doubles can tell that the vectors span: else only the search in rationals applies.

        The scale of rows and columns does not matter. The backward error of singular values is a small multiple of
        m n u, far below the 1e-9 asked for.
        """
        vectors = self.rows if self.sides is None else np.vstack([self.rows, self.sides])
        for axis in (0, 1):
            lengths = np.linalg.norm(vectors, axis=axis, keepdims=True)
            vectors = vectors / np.where(lengths > 0, lengths, 1)
        wide = vectors.shape[0] < vectors.shape[1]
        return not wide and bool(np.linalg.svd(vectors, compute_uv=False)[-1] > 1e-9)

    def corner(self) -> list[Fraction] | None:
        """Where rows and sides are as many as their dimension, hence independent: a direction without active row.

        Such a system has no circuit, so no search is needed (nor possible).
        """
        if len(self.rows) + (0 if self.sides is None else len(self.sides)) > self.rows.shape[1]:
            return None
        system = self.layer.system()
        vectors = [*system.rows, *system.sides]
        right = [-1] * len(system.rows) + [1] * len(system.sides)
        solved = flint.fmpq_mat(flint.fmpz_mat(vectors)).solve(flint.fmpq_mat(len(vectors), 1, right))
        return [Fraction(int(solved[i, 0].p), int(solved[i, 0].q)) for i in range(len(vectors))]


def _balanced(matrix: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The matrix with columns of like size and the powers of two taken out; as it is where that would not be exact."""
    none = np.zeros(matrix.shape[1], dtype=np.int64)
    if matrix.dtype != np.float64:
        return matrix, none
    _, exponents = np.frexp(np.abs(matrix).max(axis=0))
    if int(exponents.max()) - int(exponents.min()) < _BALANCED_BITS:
        return matrix, none
    scaled = np.ldexp(matrix, -exponents)
    exact_scaling = np.isfinite(scaled).all() and np.array_equal(np.ldexp(scaled, exponents), matrix)
    return (scaled, exponents.astype(np.int64)) if exact_scaling else (matrix, none)


@dataclass(slots=True)
class Outcome:
    """How a search ended: "exhausted", "witness", or a limit ("running", "memory", "stuck")."""

    status: str
    direction: NDArray[np.float64] | None = None
    blocks: list[list[int]] = field(default_factory=list)
    circuits: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 1), dtype=np.int32))
    trees: list[NDArray[np.int32]] = field(default_factory=list)
    nodes: int = 0
    pivots: int = 0
    degenerate: bool = False


def search_count(
    problem: Problem,
    budget: int,
    limits: Limits,
    accept: Accept,
    *,
    record: bool,
    memory_limit: int,
    workers: int = 1,
) -> Outcome:
    """Is there an admissible direction with at most `budget` positive rows (of those with nonzero weights)?"""
    blocks = choose_blocks(problem.rows, problem.sides, linear=problem.columns)

    def start() -> CountSearch:
        return CountSearch(
            problem.rows,
            problem.error,
            problem.sides,
            budget=budget,
            blocks=blocks,
            record=record,
            memory_limit=memory_limit,
        )

    outcome = _search(problem, start, limits, accept, record, workers)
    outcome.blocks = [np.flatnonzero(blocks == block).tolist() for block in range(int(blocks.max()) + 1)]
    return outcome


def search_rank(problem: Problem, limits: Limits, *, record: bool, memory_limit: int, workers: int = 1) -> Outcome:
    """Is there an admissible direction whose positive rows do not span?"""

    def start() -> RankSearch:
        return RankSearch(
            problem.rows,
            problem.error,
            problem.sides,
            linear=problem.columns,
            record=record,
            memory_limit=memory_limit,
        )

    return _search(problem, start, limits, problem.witness, record, workers)


def _search(
    problem: Problem, start: Callable[[], Any], limits: Limits, accept: Accept, record: bool, workers: int
) -> Outcome:
    search = start()
    if workers == 1:
        return _outcome(search, run(search, problem, limits, accept), record)
    easy = Limits(min(_EASY_NODES, limits.leave(0)), limits.deadline, limits.stop)
    direction = run(search, problem, easy, accept)
    if search.status != RUNNING or not limits.leave(search.nodes):
        return _outcome(search, direction, record)
    for cut in _CUTS:
        trunk = start()
        trunk.leave_open_below(cut)
        direction = run(trunk, problem, limits, accept)
        if trunk.status != EXHAUSTED or len(trunk.open_subtrees()) >= workers * _SUBTREES_A_WORKER:
            break
    outcome = _outcome(trunk, direction, record)
    if trunk.status == EXHAUSTED:
        _search_subtrees(outcome, trunk.open_subtrees(), problem, start, limits, accept, record, workers)
    return outcome


def _search_subtrees(
    outcome: Outcome,
    subtrees: list[tuple[int, list[int]]],
    problem: Problem,
    start: Callable[[], Any],
    limits: Limits,
    accept: Accept,
    record: bool,
    workers: int,
) -> None:
    """Search the open subtrees of an outcome on several threads, and complete it."""
    parts: list[Any] = [None] * len(subtrees)
    here = Limits(limits.leave(outcome.nodes), limits.deadline)

    def work(index: int) -> tuple[Any, NDArray[np.float64] | None]:
        rotation, literals = subtrees[index]
        search = start()
        search.assume(rotation, literals)
        direction = run(search, problem, here, accept)
        if record and search.status == EXHAUSTED:
            circuits, trees = search.proof()
            parts[index] = circuits, trees[rotation]
        return search, direction

    with ThreadPoolExecutor(workers) as pool:
        running: set[Future[Any]] = {pool.submit(work, index) for index in range(len(subtrees))}
        try:
            while running:
                done, running = wait(running, timeout=_SLICE_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    search, direction = future.result()
                    outcome.nodes += search.nodes
                    outcome.pivots += search.pivots
                    outcome.degenerate |= search.degenerate
                    if search.status != EXHAUSTED:
                        outcome.status = search.status if direction is None else WITNESS
                        outcome.direction = direction
                        return
                if not limits.leave(outcome.nodes):
                    outcome.status = RUNNING
                    return
        finally:
            # Ctrl-C, a limit and a witness end the other subtrees at their next slice.
            here.stop.set()
            for future in running:
                future.cancel()
    if record:
        outcome.circuits, outcome.trees = splice(outcome.circuits, outcome.trees, parts)


def _outcome(search: Any, direction: NDArray[np.float64] | None, record: bool) -> Outcome:
    status = search.status if direction is None else WITNESS
    outcome = Outcome(status, direction, nodes=search.nodes, pivots=search.pivots, degenerate=search.degenerate)
    if record and search.status == EXHAUSTED:
        outcome.circuits, outcome.trees = search.proof()
    return outcome


def run(search: Any, problem: Problem, limits: Limits, accept: Accept) -> NDArray[np.float64] | None:
    """Run one search until it ends or a limit is reached, as its status then says; the witness, if it found one.

    A witness that is rejected does not end it.
    """
    nodes = 20
    while allowed := limits.leave(search.nodes):
        started = time.monotonic()
        status = search.run(min(nodes, allowed))
        if status == UNSETTLED:
            search.settle(_relation_signs(search.pending, problem.layer.system()))
        elif status == WITNESS:
            if (witness := accept(search.best_direction)) is not None:
                return witness
        elif status == STUCK:
            system = problem.layer.system()
            literals = [-literal for literal in search.decided]
            literals += [-(len(system.rows) + k + 1) for k in range(len(system.sides))]
            found = alternative([signed_vector(system, literal) for literal in literals])
            if found.circuit is None:
                assert found.direction is not None
                return accept(problem.direction(found.direction))
            search.admit([literals[place] for place in found.circuit])
        elif status != RUNNING:
            return None
        elif time.monotonic() - started < _SLICE_SECONDS / 2:
            nodes *= 2
        elif time.monotonic() - started > _SLICE_SECONDS:
            nodes = max(nodes // 2, 1)
    return None


def _relation_signs(pending: Sequence[int], system: System) -> list[int] | None:
    """The signs of the multipliers of signed columns (rows, then sides); None if there is not one relation."""
    columns = [signed_vector(system, literal) for literal in pending]
    relations = exact.kernel([list(line) for line in zip(*columns, strict=True)], len(columns))
    if len(relations) != 1:
        return None
    signs = [(x > 0) - (x < 0) for x in relations[0]]
    return signs if 1 in signs else [-sign for sign in signs]


def signed_vector(system: System, literal: int) -> list[int]:
    """The vector that a literal brings into a circuit: R_i or S_k, negated with the literal."""
    row = [*system.rows, *system.sides][abs(literal) - 1]
    return row if literal > 0 else [-entry for entry in row]
