"""Look for a point where few rows are active: a walk on rays, fast, without proof that there is no better one.

A ray on which n - 1 independent rows are zero stands for the cell beside it where those are negative. A step leaves
one of them; the others span a pencil, in which one sort by angle counts the active rows of every ray, and the walk
takes the best that no recent step forbids (csrc/witness.c). It starts at -mean of the normalised rows, later anywhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj._search import WitnessSearch
from polyinj.errors import InputError
from polyinj.injectivity.ball import BallCover
from polyinj.injectivity.collide import active_rows
from polyinj.injectivity.domain import Ball, Box
from polyinj.injectivity.layer import Layer, read_layer
from polyinj.injectivity.run import Limits
from polyinj.injectivity.search import Problem

_STEPS_A_SLICE = 64


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
    time_limit: float,
) -> Witness | None:
    """Look for a point whose active rows do not span R^n: the sign that x -> ReLU(Wx + b) loses information.

    Parameters
    ----------
    weights : array_like, shape (m, n), of rank n
    bias : array_like, shape (m,), optional
    domain : Box or Ball, optional
    seed : int
        Seed of the restarts, at least 0.
    time_limit : float
        Seconds, positive.

    Returns
    -------
    Witness or None
        The witness holds in exact arithmetic; None proves nothing.

    Raises
    ------
    InputError
        Bad input; more unknowns than rows and sides.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.random.default_rng(0).standard_normal((108, 18))
    >>> find_witness(weights, seed=0, time_limit=10).active
    17
    """
    if seed < 0 or not time_limit > 0:
        raise InputError(f"seed is {seed} and time_limit {time_limit}; expected seed >= 0 and time_limit > 0")
    layer = read_layer(weights, bias, domain)
    limits = Limits(deadline=time.monotonic() + time_limit)
    if isinstance(domain, Ball) and not layer.is_linear:
        return _witness_in_ball(layer, limits, seed)
    problem = Problem.of(layer)
    corner = problem.corner()
    if corner is not None:
        return Witness.at(problem.layer, problem.input(corner))
    direction = fewest_active(problem, limits, stop_at=problem.columns - 1, seed=seed)
    return Witness.at(problem.layer, problem.point(problem.witness(direction)))


def _witness_in_ball(layer: Layer, limits: Limits, seed: int) -> Witness | None:
    """Walk in polyhedra around the ball, each cut from the last where the walk ended in a witness outside."""
    cover = BallCover(layer)
    while limits.leave(0):
        problem = Problem.of(cover.layer)
        direction = fewest_active(problem, limits, stop_at=problem.columns - 1, seed=seed)
        point = problem.point(problem.witness(direction))
        if point is None:
            return None
        if (found := cover.exclude(point)) is not None:
            return Witness.at(layer, found)
    return None


def fewest_active(
    problem: Problem, limits: Limits, *, stop_at: int, seed: int = 0, steps: int = 2**62
) -> NDArray[np.float64] | None:
    """The direction with the fewest positive rows that a walk of so many steps meets; None if none was admissible.

    The walk stops where at most `stop_at` rows are positive.
    """
    walk = WitnessSearch(problem.rows, problem.sides, seed=seed, linear=problem.columns)
    while walk.steps < steps and limits.leave(0):
        if walk.run(min(_STEPS_A_SLICE, steps - walk.steps), stop_at):
            break
    admissible = walk.best_count <= len(problem.rows)
    return walk.best_direction if admissible else None
