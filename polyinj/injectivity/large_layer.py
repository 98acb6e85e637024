"""Layers of more inputs than branch and bound takes: a witness, if one is found, or nothing is known.

First what costs little: a descent by products with the weights (smooth_descent.py), its point checked by signs. Then
the rank of the weights, modulo a prime, and longer heuristics. Before a step whose time cannot be cut short, the limit
on time is asked whether it leaves enough.
"""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.domain import Cover
from polyinj.certificates.layer import Layer
from polyinj.exact import arrays
from polyinj.exact.kernel_vector import kernel_vector
from polyinj.injectivity.case import Case
from polyinj.injectivity.decision import Decision
from polyinj.injectivity.heuristics import heuristic_alone
from polyinj.injectivity.smooth_descent import SmoothDescent

# Steps of the descents.
_STEPS = (60, 250)
# Multiplications over m n^2: of an elimination modulo a prime with what leads to it, and of what heuristics begin with.
_ELIMINATION, _SETTING_UP = 8, 4
# Rows beyond n with which the rank is n unless the rows are special.
_MORE_ROWS = 16
_PRIME = 2**31 - 1


def decide_large(case: Case) -> Decision:
    """The verdict where there are more inputs than branch and bound takes."""
    layer = case.layer
    m, n = layer.weights.shape
    if m < n:
        return case.not_injective(any_point(layer))
    if (decision := descend(case)) is not None:
        return decision
    if not case.limits.allow(_ELIMINATION * n**3):
        return case.undecided("time_limit")
    if _rank_is_short(layer):
        return case.not_injective(any_point(layer))
    if m <= n + 1 and (corner := case.problem.corner()) is not None:
        return case.not_injective(case.problem.input(corner))
    if not case.limits.allow(_SETTING_UP * m * n**2):
        return case.undecided("time_limit")
    return _search(case)


def any_point(layer: Layer) -> list[Fraction]:
    """A point in the interior of the domain."""
    return [Fraction(0)] * layer.weights.shape[1] if layer.domain is None else layer.domain.interior_point()


def descend(case: Case) -> Decision | None:
    """Descents of a smoothed count; UNDECIDED when the time is over, None where they find no witness."""
    if isinstance(case.layer.domain, Cover):
        return None
    descent = SmoothDescent(case.layer)
    for steps in _STEPS:
        few = descent.run(steps, case.limits)
        for point in descent.points() if few else descent.points()[-1:]:
            if (decision := case.loses_at(point)) is not None:
                return decision
        if not case.limits.leave(0):
            return case.undecided("time_limit")
    # Of a box that is narrower than doubles no other point may be at hand.
    return case.loses_at(any_point(case.layer))


def _search(case: Case) -> Decision:
    """A longer heuristic: annealing, or a short local search where that does not apply."""
    direction = heuristic_alone(case.problem, case.limits, case.workers)
    if direction is not None and not isinstance(case.layer.domain, Cover):
        point = case.problem.point(direction)
        if point is not None and (decision := case.loses_at(point)) is not None:
            return decision
    decision = case.loses_along(direction)
    if decision is not None:
        return decision
    return case.undecided("size" if case.limits.leave(0) else "time_limit")


def _rank_is_short(layer: Layer) -> bool:
    """Whether the weights have rank below n, exactly: full rank modulo a prime is full rank."""
    m, n = layer.weights.shape
    for rows in (min(m, n + _MORE_ROWS), m):
        residues = _residues(layer.weights[:rows])
        if flint.nmod_mat(rows, n, residues.ravel().tolist(), _PRIME).rank() == n:
            return False
    return kernel_vector(arrays.integer_rows(layer.weights), n) is not None


def _residues(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Each row times a power of two, or a positive integer, modulo the prime."""
    if weights.dtype != np.float64:
        return np.array([[entry % _PRIME for entry in row] for row in arrays.integer_rows(weights)], dtype=np.int64)
    mantissa, exponent = np.frexp(weights)
    integers = np.ldexp(mantissa, 53).astype(np.int64) % _PRIME
    # 2^31 is 1 modulo the prime.
    return np.asarray(integers * (1 << (exponent.astype(np.int64) % 31)) % _PRIME)
