"""Witnesses: points whose active rows do not span R^n, found fast, without proof that there is none elsewhere.

On R^n with 12 inputs or more annealing looks for them (annealing.py), otherwise local search on rays (local_search.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import Layer, read_layer
from polyinj.certificates.signs import row_signs, spanning_rows
from polyinj.errors import InputError
from polyinj.exact import algebra, arrays
from polyinj.injectivity.annealing import anneal, anneal_once, can_anneal, round_lengths
from polyinj.injectivity.ball import BallCover
from polyinj.injectivity.collide import active_rows
from polyinj.injectivity.exact_search import search_exactly
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.local_search import fewest_active
from polyinj.injectivity.problem import Problem
from polyinj.injectivity.products import Device
from polyinj.injectivity.smooth_descent import SmoothDescent


@dataclass(frozen=True, slots=True)
class Witness:
    """A point and the number of rows that are active there, {i : w_i.x + b_i >= 0}, counted exactly."""

    point: tuple[Fraction, ...]
    active: int

    @classmethod
    def at(cls, layer: Layer, point: list[Fraction] | None) -> Witness | None:
        """The witness at a point; None for no point."""
        return None if point is None else cls(tuple(point), len(active_rows(layer, point)))

    @classmethod
    def along(cls, problem: Problem, direction: NDArray[np.float64]) -> Witness | None:
        """The witness at the point of a direction of the homogeneous system; None outside the open domain."""
        point, active = problem.point(direction), problem.count_active(direction)
        return None if point is None or active is None else cls(tuple(point), active)


def find_witness(
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    domain: Box | Ball | None = None,
    seed: int,
    time_limit: float | None = None,
    steps: int | None = None,
    workers: int = 1,
    device: Device | None = None,
) -> Witness | None:
    """Look for a point whose active rows do not span R^n: the sign that x -> ReLU(Wx + b) loses information.

    Parameters
    ----------
    weights : array_like, shape (m, n), of rank n
    bias : array_like, shape (m,), optional
    domain : Box or Ball, optional
    seed : int
        Seed of the random starts, at least 0.
    time_limit : float, optional
        Seconds, positive.
    steps : int, optional
        Steps of the search, at least 1: unlike seconds, they find the same on a slow machine. At least one of the two
        limits is needed. In a ball, steps in each of the polyhedra around it.
    workers : int
        Threads, at least 1. What `steps` find does not depend on them.
    device : "numpy", "jax" or None
        None: the compiled search below. Else one point descends at a time, by products with the weights alone, for
        layers too large to be conditioned: in doubles by numpy, or in single precision by jax, on a GPU where it finds
        one (extra `training`). The rank of the weights is not looked at then.

    Returns
    -------
    Witness or None
        The witness holds in exact arithmetic; None proves nothing.

    Raises
    ------
    InputError
        Bad input; no limit; weights of rank below n.

    Notes
    -----
    With n >= 12 inputs and no domain, a step moves 16 points down a smoothed count of active rows, at a cost of
    64 m n multiplications; a bias is left aside, since it cannot make a layer injective that is not without it, and the
    witness lies far out. Otherwise a step of a local search on the rays of the arrangement sorts the rows up to n
    times, and one thread works.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.random.default_rng(0).standard_normal((600, 100))
    >>> find_witness(weights, seed=0, steps=10_000).active
    98
    """
    _check_limits(seed, time_limit, steps, workers)
    layer = read_layer(weights, bias, domain)
    limits = Limits(deadline=None if time_limit is None else time.monotonic() + time_limit)
    if device is not None:
        return _descend(SmoothDescent(layer, device), layer, limits, seed, steps)
    if isinstance(domain, Ball) and not layer.is_linear:
        _check_rank(layer)
        return _witness_in_ball(layer, limits, seed, steps)
    problem = Problem.of(layer)
    well_conditioned = problem.well_conditioned
    if not (problem.sides is None and well_conditioned):
        _check_rank(layer)
    corner = problem.corner()
    if corner is not None:
        return Witness.at(problem.layer, problem.input(corner))
    if not well_conditioned:
        # In doubles the rows do not span, which local search needs.
        _, found = search_exactly(layer, replace(limits, nodes=steps), budget=None)
        return None if found is None else Witness.at(layer, problem.input(found))
    direction = _search(problem, limits, seed, steps, workers)
    return Witness.at(problem.layer, problem.point(problem.witness(direction)))


def _descend(descent: SmoothDescent, layer: Layer, limits: Limits, seed: int, steps: int | None) -> Witness | None:
    """Descents, each twice as long as the one before: from minus the mean row, then from random starts."""
    columns = layer.weights.shape[1]
    for number, length in enumerate(round_lengths(steps)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        few = descent.run(length, limits, np.asarray(rng.standard_normal(columns)) if number else None)
        for point in descent.points() if few else []:
            active = row_signs(layer, point) >= 0
            if layer.domain is not None and not layer.domain.surrounds(tuple(point)):
                continue
            if (active & spanning_rows(layer)).sum() < columns:
                return Witness(tuple(point), int(active.sum()))
        if not limits.leave(0):
            return None
    return None


def _witness_in_ball(layer: Layer, limits: Limits, seed: int, steps: int | None) -> Witness | None:
    """Local search in polyhedra around the ball, each cut from the last where that ended in a witness outside."""
    cover = BallCover(layer)
    while limits.leave(0):
        problem = Problem.of(cover.layer)
        if not problem.well_conditioned:
            return None
        direction = fewest_active(
            problem, limits, stop_at=problem.columns - 1, seed=seed, steps=2**62 if steps is None else steps
        )
        point = problem.point(problem.witness(direction))
        if point is None:
            return None
        if (found := cover.exclude(point)) is not None:
            return Witness.at(layer, found)
    return None


def closest_to_witness(weights: ArrayLike, *, seed: int, steps: int) -> Witness:
    """The point with the fewest active rows, perhaps n or more, that the search of `find_witness` finds."""
    _check_limits(seed, None, steps, 1)
    layer = read_layer(weights)
    _check_rank(layer)
    problem = Problem.of(layer)
    corner = problem.corner()
    found = Witness.at(problem.layer, corner or problem.point(_search(problem, Limits(), seed, steps, 1)))
    assert found is not None, "on R^n every direction is admissible"
    return found


def annealed_active(weights: ArrayLike, *, seed: int, steps: int) -> int:
    """The fewest active rows at a point of one anneal of `steps` steps, counted exactly.

    Unlike a search for witnesses it neither ends at one nor takes shorter rounds before: it is an upper bound of the
    Tukey depth that falls as the anneal slows down.

    Raises
    ------
    InputError
        Bad input, or fewer than 12 columns.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.random.default_rng(0).standard_normal((325, 50))
    >>> [annealed_active(weights, seed=0, steps=steps) for steps in (30, 100, 300, 1000)]
    [85, 55, 49, 47]
    """
    _check_limits(seed, None, steps, 1)
    problem = Problem.of(read_layer(weights))
    if not can_anneal(problem):
        raise InputError(f"weights has {problem.columns} columns; an anneal needs 12 or more: use tukey_depth")
    active = problem.count_active(anneal_once(problem, seed=seed, steps=steps))
    assert active is not None, "on R^n every direction is admissible"
    return active


def _search(problem: Problem, limits: Limits, seed: int, steps: int | None, workers: int) -> NDArray[np.float64] | None:
    """The direction with the fewest active rows that is found by the method that suits the size."""
    if can_anneal(problem):
        return anneal(problem, limits, seed=seed, steps=steps, workers=workers)
    return fewest_active(problem, limits, stop_at=problem.columns - 1, seed=seed, steps=steps or 2**62)


def _check_rank(layer: Layer) -> None:
    n, found = layer.weights.shape[1], algebra.rank(arrays.integer_rows(layer.weights))
    if found < n:
        raise InputError(
            f"weights has rank {found}; expected rank {n}, as many as columns; decide_injectivity answers for any rank"
        )


def _check_limits(seed: int, time_limit: float | None, steps: int | None, workers: int) -> None:
    if seed < 0:
        raise InputError(f"seed is {seed}; expected an integer >= 0")
    if time_limit is None and steps is None:
        raise InputError("neither time_limit nor steps is given; expected at least one of them")
    if time_limit is not None and not time_limit > 0:
        raise InputError(f"time_limit is {time_limit}; expected a positive number of seconds")
    if steps is not None and steps < 1:
        raise InputError(f"steps is {steps}; expected an integer >= 1")
    if workers < 1:
        raise InputError(f"workers is {workers}; expected an integer >= 1")
