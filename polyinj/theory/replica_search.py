"""Optima of the Parisi functional over chi and step functions c with k steps: energies at alpha, or thresholds.

Newton steps in a trust region, in coordinates that keep chi > 0, 0 < q_0 < ... < q_{k-1} < 1 and 0 < c_0 < ... <
c_{k-1} by themselves; the Hessian comes from differences of the adjoint gradient. Level k starts from the solution of
level k-1, resampled at steps equally spaced in sqrt(1-q), as c grows like (1-q)^-1/2 at q = 1. The functional is not
concave: the first levels take several starts, and what is found is a stationary point of checked second order, not a
proven global one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import inf, log

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, ndtr

from polyinj.errors import InputError
from polyinj.theory.parisi import RESOLUTION, Vector, parisi_terms, truncated_moment

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReplicaSolution:
    """A stationary point of the Parisi functional.

    value is an energy (alpha given) or a threshold (alpha None), error the estimate of its numerical error: quadrature
    and distance to the stationary point, for the limit k -> oo also the extrapolation. c is 0 below q[0] and c[i] on
    [q[i], q[i+1]), the last step ending at 1. Fewer steps than levels mean that more did not improve the value.
    gradient is the largest entry of the gradient in the coordinates of the search, curvature the smallest eigenvalue
    of the Hessian there, positive at a strict optimum. sequence holds the values of levels 0, 1, ..., levels. A
    threshold is where the energy reaches the budget.
    """

    value: float
    error: float
    chi: float
    q: tuple[float, ...]
    c: tuple[float, ...]
    levels: int
    alpha: float | None
    kappa: float
    gradient: float
    curvature: float
    sequence: tuple[float, ...]
    budget: float = 1.0

    def order_parameter(self, q: ArrayLike) -> Vector:
        """c at the given overlaps in [0, 1], any shape.

        >>> from polyinj.theory.replica import replica_threshold
        >>> replica_threshold(1).order_parameter([0.5, 0.9]).round(6).tolist()
        [0.0, 3.286658]
        """
        overlaps = np.asarray(q, dtype=float)
        if not ((overlaps >= 0) & (overlaps <= 1)).all():
            raise InputError("overlaps lie in [0, 1]")
        steps = np.array([0.0, *self.c])
        return np.asarray(steps[np.searchsorted(self.q, overlaps, side="right")])


@dataclass(frozen=True, slots=True)
class _Problem:
    """The energy at alpha, or with alpha None the threshold where it reaches the budget."""

    alpha: float | None
    kappa: float
    budget: float


def solve(alpha: float | None, levels: int, kappa: float, budget: float = 1.0) -> ReplicaSolution:
    """Climb from level 0 to the wanted one, each level from the solution before it."""
    problem = _Problem(alpha, kappa, budget)
    best = _symmetric(problem)
    if best.value == 0 and kappa <= 0:
        # The constraints w_i.x <= kappa |x| cut out a convex set, where replica symmetry is exact: no step helps.
        return replace(best, levels=levels, sequence=(0.0,) * (levels + 1))
    sequence = [best.value]
    for level in range(1, levels + 1):
        below = best
        # Without a first step there is nothing to refine.
        starts = _first_starts(below.chi) if level == 1 else _next_starts(below) if below.q else []
        for start in starts:
            found = _optimise(start, problem)
            if found is not None and (found.value > best.value if alpha else found.value < best.value):
                best = found
            # Beyond the first levels a second start has never found anything else.
            if level > 3 and best is not below:
                break
        sequence.append(best.value)
    return replace(best, levels=levels, sequence=tuple(sequence))


def _symmetric(problem: _Problem) -> ReplicaSolution:
    """Level 0 in closed form: alpha E[(Z-kappa)^2; kappa < Z < kappa+t] = 1, e = alpha Q(kappa+t), t = sqrt(2 chi).

    The moment increases with t, so the root is unique; there is none, and e = 0, where alpha E[(Z-kappa)_+^2] <= 1.
    """
    alpha, kappa, budget = problem.alpha, problem.kappa, problem.budget
    if alpha is not None and alpha * truncated_moment(inf, kappa) <= 1:
        return ReplicaSolution(0.0, 0.0, inf, (), (), 0, alpha, kappa, 0.0, 0.0, (0.0,))

    def excess(t: float) -> float:
        return truncated_moment(t, kappa) - (float(ndtr(-kappa - t)) / budget if alpha is None else 1 / alpha)

    t = brentq(excess, 0.0, 60.0, xtol=1e-15, rtol=4 * np.finfo(float).eps)
    return _solution(np.array([log(t * t / 2)]), problem)


def _first_starts(chi: float) -> list[Vector]:
    scale = chi if chi < inf else 10.0
    grid = product((0.3 * scale, 0.1 * scale), (0.6, 0.85), (2.0, 8.0))
    return [_encode(start, np.array([q]), np.array([c])) for start, q, c in grid]


def _next_starts(below: ReplicaSolution) -> list[Vector]:
    """One more step: resampled at equal steps of sqrt(1-q), or the last step split in two."""
    q, c = np.array(below.q), np.array(below.c)
    k = len(q)
    edges = np.sqrt(1 - np.append(q, 1.0))
    finer = np.interp(np.arange(k + 2) / (k + 1), np.arange(k + 1) / k, edges)
    middles, finer_middles = (edges[1:] + edges[:-1]) / 2, (finer[1:] + finer[:-1]) / 2
    resampled = np.interp(-finer_middles, -middles, c * middles) / finer_middles
    resampled = np.maximum.accumulate(resampled) * (1 + 1e-3 * np.arange(k + 1))
    split = np.append(q, (3 + q[-1]) / 4), np.append(c, 2 * c[-1])
    return [_encode(below.chi, 1 - finer[:-1] ** 2, resampled), _encode(below.chi, *split)]


def _optimise(start: Vector, problem: _Problem) -> ReplicaSolution | None:
    """The stationary point that Newton steps reach from a start; None where they run off to the boundary."""
    found = minimize(
        lambda theta: _objective(theta, problem),
        start,
        jac=True,
        hess=lambda theta: _hessian(theta, problem),
        method="trust-exact",
        options={"gtol": 1e-9, "maxiter": 60, "initial_trust_radius": 0.5, "max_trust_radius": 3.0},
    )
    return _solution(found.x, problem) if np.abs(found.jac).max() < 1e-6 else None


def _solution(theta: Vector, problem: _Problem) -> ReplicaSolution:
    chi, q, c, _ = _decode(theta)
    value, gradient = _objective(theta, problem)
    finer, _ = _objective(theta, problem, 1.6 * RESOLUTION)
    hessian = _hessian(theta, problem)
    distance = abs(gradient @ np.linalg.solve(hessian, gradient)) / 2
    return ReplicaSolution(
        value=-value if problem.alpha else value,
        error=float(abs(finer - value) + distance + 16 * np.spacing(abs(value))),
        chi=chi,
        q=tuple(q.tolist()),
        c=tuple(c.tolist()),
        levels=len(q),
        alpha=problem.alpha,
        kappa=problem.kappa,
        gradient=float(np.abs(gradient).max()),
        curvature=float(np.linalg.eigvalsh(hessian)[0]),
        sequence=(),
        budget=problem.budget,
    )


def _objective(theta: Vector, problem: _Problem, resolution: float = RESOLUTION) -> tuple[float, Vector]:
    """S - alpha R, or (budget + S) / R where alpha is None, with its gradient; infinite out of numerical reach."""
    chi, q, c, jacobian = _decode(theta)
    widths = np.diff(np.concatenate([[0.0], q, [1.0]]))
    if not 1e-6 < chi < 1e3 or widths.min() < 1e-6 or c.max(initial=0.0) > 600:
        return inf, np.zeros_like(theta)
    alpha = problem.alpha
    terms = parisi_terms(chi, q, c, problem.kappa, resolution)
    if alpha is not None:
        value, gradient = terms.penalty - alpha * terms.reward, terms.penalty_gradient - alpha * terms.reward_gradient
    else:
        value = (problem.budget + terms.penalty) / terms.reward
        gradient = (terms.penalty_gradient - value * terms.reward_gradient) / terms.reward
    return value, gradient @ jacobian


def _hessian(theta: Vector, problem: _Problem, step: float = 1e-4) -> Matrix:
    rows = [
        (_objective(theta + e, problem)[1] - _objective(theta - e, problem)[1]) / (2 * step)
        for e in step * np.eye(len(theta))
    ]
    return (np.array(rows) + np.array(rows).T) / 2


def _encode(chi: float, q: Vector, c: Vector) -> Vector:
    """Free coordinates: ln chi, the logits of the ratios of successive 1 - q, the logarithms of the jumps of c."""
    ratios = (1 - q) / np.append(1.0, 1 - q[:-1])
    return np.concatenate([[log(chi)], np.log(ratios / (1 - ratios)), np.log(np.diff(np.append(0.0, c)))])


def _decode(theta: Vector) -> tuple[float, Vector, Vector, Matrix]:
    """chi, q, c and the Jacobian of (chi, q, c) in the free coordinates."""
    k = len(theta) // 2
    with np.errstate(over="ignore"):
        chi, ratios, jumps = float(np.exp(theta[0])), expit(theta[1 : k + 1]), np.exp(theta[k + 1 :])
    remainders = np.cumprod(ratios)
    jacobian = np.zeros((2 * k + 1, 2 * k + 1))
    jacobian[0, 0] = chi
    jacobian[1 : k + 1, 1 : k + 1] = -np.tril(np.outer(remainders, 1 - ratios))
    jacobian[k + 1 :, k + 1 :] = np.tril(np.broadcast_to(jumps, (k, k)))
    return chi, 1 - remainders, np.cumsum(jumps), jacobian
