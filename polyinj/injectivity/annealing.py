"""Annealing: look for a point where few rows are active, in many dimensions, by descent of a smoothed count.

The count of active rows is replaced by a sum of E((w_i.x) / s + margin), smooth, bounded, zero where a row is well
inactive (csrc/annealing.h). At a large scale s the sum is nearly convex; as s falls, rows are given up one by one, and
the count follows. A slow fall ends lower, as in simulated annealing; so rounds from random starts take turns, each
twice as long as the one before, until one finds a witness or the steps are used up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.injectivity._annealing import STARTS, Annealing
from polyinj.injectivity._conditioning import conditioned
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.problem import Problem

# In units of the spread of w_i.x over the rows at random x; what found the fewest active rows at (n, m) = (200, 1300).
_FIRST_SCALE, _LAST_SCALE = 0.45, 0.012
_MARGIN = 0.25
_RATE, _FRICTION = 1.0, 0.95
_SHORTEST_ROUND = 250
# Points, and steps of each, whose active rows show which rows are active together.
_COMPANY, _COMPANY_STEPS = 256, 100
_SLICE_OPERATIONS = 1e8
# Largest ratio of singular values at which rows are only scaled: Gaussian layers do not depend on the linear algebra
# library, not even by a rounding.
_WELL_CONDITIONED = 10.0

# With fewer inputs local search on rays does as well.
_LEAST_COLUMNS = 12

Direction = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a round found: the fewest active rows, where, and whether that is a witness."""

    active: int
    direction: Direction
    is_witness: bool


def can_anneal(problem: Problem) -> bool:
    """Whether annealing suits the layer: on all of R^n, and not too small."""
    return problem.layer.domain is None and problem.columns >= _LEAST_COLUMNS


@dataclass(frozen=True, slots=True)
class _Descent:
    """The scaled rows of a layer, and the way back from their points; R as `_scaled` returns it."""

    problem: Problem
    vectors: NDArray[np.float32]
    back: NDArray[np.float64] | None

    @classmethod
    def of(cls, problem: Problem) -> _Descent:
        weights = problem.rows[:, : problem.columns]
        return cls(problem, *_scaled(weights[weights.any(axis=1)]))

    def direction(self, point: Direction) -> Direction:
        """As a direction of the homogeneous system."""
        x = point if self.back is None else np.linalg.solve(self.back, point).astype(np.float64)
        return _far_out(self.problem, x)

    def begin(self, length: int, *, seed: int, key: int) -> Annealing:
        """A fall of the scale over `length` steps, from starts drawn from SeedSequence(seed, spawn_key=(key,))."""
        search = Annealing(self.vectors)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
        search.start(
            rng.standard_normal((self.problem.columns, STARTS), dtype=np.float32),
            _FIRST_SCALE,
            (_LAST_SCALE / _FIRST_SCALE) ** (1 / length),
            margin=_MARGIN,
            rate=_RATE,
            friction=_FRICTION,
        )
        return search

    def slices(self, search: Annealing, length: int) -> Iterator[int]:
        """How many steps to run next, until there are `length`: some tenths of a second each."""
        most = max(1, int(_SLICE_OPERATIONS / (4 * self.vectors.size * STARTS)))
        while search.steps < length:
            yield min(most, length - search.steps)


def anneal(problem: Problem, limits: Limits, *, seed: int, steps: int | None, workers: int) -> Direction | None:
    """The direction with the fewest active rows of rounds of `steps` steps in all; the first witness ends them.

    A step moves 16 points. Rounds are numbered and results taken in that order, so that the answer does not depend on
    `workers`, the number of threads. A bias is left aside: far out on the ray of a witness of the weights alone it
    changes no sign.
    """
    limits = Limits(around=limits)
    descent = _Descent.of(problem)

    def play(number: int, length: int) -> _Found:
        search = descent.begin(length, seed=seed, key=number)
        for steps_now in descent.slices(search, length):
            if not limits.leave(0):
                break
            if search.run(steps_now, problem.columns - 1) == Status.WITNESS:
                # Single precision may have taken a row for inactive that is not: then the round goes on.
                witness = problem.witness(descent.direction(search.best_point))
                if witness is not None:
                    return _Found(search.best_count, witness, True)
        return _Found(search.best_count, descent.direction(search.best_point), False)

    return _first_witness(play, round_lengths(steps), limits, workers)


def anneal_once(problem: Problem, *, seed: int, steps: int) -> Direction:
    """The direction with the fewest active rows of one fall of `steps` steps, which no witness ends.

    Starts are those of SeedSequence(seed, spawn_key=(steps,)).
    """
    descent = _Descent.of(problem)
    search = descent.begin(steps, seed=seed, key=steps)
    for steps_now in descent.slices(search, steps):
        search.run(steps_now, -1)
    return descent.direction(search.best_point)


def active_together(problem: Problem) -> NDArray[np.float64]:
    """How rows are active together where few are: their covariances, shape (m, m), zero on the diagonal.

    Over the ends of short falls from 256 starts; the same on every processor.
    """
    descent = _Descent.of(problem)
    ends = []
    for key in range(_COMPANY // STARTS):
        search = descent.begin(_COMPANY_STEPS, seed=0, key=key)
        search.run(_COMPANY_STEPS, -1)
        # Sums in one order: linear algebra libraries round each in their own.
        values = np.zeros((len(descent.vectors), STARTS), dtype=np.float32)
        for column, coordinate in zip(descent.vectors.T, search.points, strict=True):
            values += column[:, None] * coordinate
        ends.append(values > 0)
    active = np.zeros((len(problem.rows), _COMPANY))
    active[problem.rows[:, : problem.columns].any(axis=1)] = np.hstack(ends)
    often = active.sum(axis=1)
    covariance = (active @ active.T - np.outer(often, often) / _COMPANY) / _COMPANY
    np.fill_diagonal(covariance, 0)
    return covariance


def round_lengths(steps: int | None) -> Iterator[int]:
    """Lengths of the rounds, doubling; the last one takes what is left of the steps."""
    for number in count():
        length = _SHORTEST_ROUND << number
        if steps is not None and steps < 3 * length:
            yield steps
            return
        yield length
        steps = None if steps is None else steps - length


def _first_witness(
    play: Callable[[int, int], _Found], lengths: Iterator[int], limits: Limits, workers: int
) -> Direction | None:
    """The first witness in the order of the rounds, else the direction with the fewest active rows."""
    numbered = enumerate(lengths)
    running: deque[Future[_Found]] = deque()
    incumbent: _Found | None = None
    with ThreadPoolExecutor(workers) as pool:
        try:
            while limits.leave(0):
                while len(running) < workers and (task := next(numbered, None)) is not None:
                    running.append(pool.submit(play, *task))
                if not running:
                    break
                found = running.popleft().result()
                if found.is_witness or incumbent is None or found.active < incumbent.active:
                    incumbent = found
                if found.is_witness:
                    break
        finally:
            # A witness, a limit and Ctrl-C end the other rounds at their next slice.
            limits.stop.set()
    return None if incumbent is None else incumbent.direction


def _scaled(weights: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """Rows of length sqrt(n) for the descent, and R if x = R^-1 z leads back from their points z; None for x = z."""
    columns = weights.shape[1]
    unit = weights / np.abs(weights).max(axis=1, keepdims=True)
    unit /= np.sqrt((unit * unit).sum(axis=1, keepdims=True))
    back = None
    spectrum = np.linalg.eigvalsh(unit.T @ unit)
    if spectrum[-1] > _WELL_CONDITIONED**2 * spectrum[0]:
        unit, back = conditioned(weights)
    return np.ascontiguousarray(unit * np.sqrt(columns), dtype=np.float32), back


def _far_out(problem: Problem, x: Direction) -> Direction:
    """x as a direction of the homogeneous system, so near infinity that a bias keeps inactive rows inactive."""
    if problem.layer.is_linear:
        return x
    values, bias = problem.rows[:, : problem.columns] @ x, problem.rows[:, problem.columns]
    against = (values < 0) & (bias > 0)
    height = (-values[against] / bias[against]).min(initial=1.0) / 2
    return np.append(x, height)
