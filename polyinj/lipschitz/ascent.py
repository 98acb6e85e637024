"""Inputs with a large Jacobian, in floats: random points, each moved along random lines.

    repeat: a random line through the point; sort its crossings with the hyperplanes; add up the Jacobians on the way,
            and go to the piece of the line, within the domain, where the norm is largest

A line costs one sort and k updates, and the norm never falls. What comes out is a proposal for a lower bound, and
counts only after its Jacobian was computed exactly. So nothing here minds overflow: points that are not finite are of
no use, and no harm.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.domain import Ball, Box, Domain
from polyinj.lipschitz.jacobians import Jacobians
from polyinj.lipschitz.operator_norm import float_norms, round_down

Floats = NDArray[np.float64]


@np.errstate(all="ignore")
def draw_inputs(
    rng: np.random.Generator, count: int, domain: Domain | None, weights: Floats, bias: Floats
) -> tuple[Floats, float]:
    """Points of a domain, shape (count, n), and a scale of length.

    Uniform in a ball and between the finite sides of a box; where a side has no end, exponential from the other one;
    on R^n normal, times e to the power of another normal number, at the scale of the distances |b_i| / |w_i|.
    """
    n = weights.shape[1]
    lengths = np.linalg.norm(weights, axis=1)
    far = np.abs(bias) / np.where(lengths > 0, lengths, 1.0)
    scale = float(np.median(far[far > 0])) if (far > 0).any() else 1.0
    normal = rng.standard_normal((count, n))
    if isinstance(domain, Ball):
        radius = _double(domain.radius)
        unit = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        centre = np.array([_double(entry) for entry in domain.centre])
        return centre + unit * radius * rng.random((count, 1)) ** (1 / n), radius
    points = scale * normal * np.exp(rng.standard_normal((count, 1)))
    if isinstance(domain, Box):
        uniform, away = rng.random((count, n)), scale * rng.exponential(size=(count, n))
        for j, (low, high) in enumerate(zip(domain.lower, domain.upper, strict=True)):
            if low is not None and high is not None:
                points[:, j] = _double(low) + (_double(high) - _double(low)) * uniform[:, j]
            elif low is not None:
                points[:, j] = _double(low) + away[:, j]
            elif high is not None:
                points[:, j] = _double(high) - away[:, j]
    return points, scale


@np.errstate(all="ignore")
def ascend(
    jacobians: Jacobians, rows: Floats, norm: float, rng: np.random.Generator, *, starts: int, lines: int
) -> list[Floats]:
    """The points where `starts` random points end after `lines` lines each, that with the largest Jacobian first.

    `rows` are the hyperplanes of the neurons in floats, as `CellFinder.floats`.
    """
    layer, steps = jacobians.layer, jacobians.steps
    n = jacobians.shape[1]
    weights, bias = rows[:, :n], rows[:, n:].sum(axis=1)
    points, scale = draw_inputs(rng, starts, layer.domain, weights, bias)
    each = np.arange(starts)
    values = np.zeros(starts)
    for _ in range(lines):
        directions = scale * rng.standard_normal(points.shape)
        slopes = directions @ weights.T
        crossings = -(points @ weights.T + bias) / slopes
        crossings = np.where(np.isfinite(crossings), crossings, np.inf)
        order = np.argsort(crossings, axis=1)
        at = np.take_along_axis(crossings, order, axis=1)
        turns = np.take_along_axis(np.where(slopes > 0, 1.0, -1.0), order, axis=1)[:, :, None] * steps[order]
        start = jacobians.base_floats + (slopes < 0) @ steps
        path = np.concatenate([start[:, None], start[:, None] + np.cumsum(turns, axis=1)], axis=1)
        norms = float_norms(path.reshape(-1, path.shape[2]), jacobians.shape, norm).reshape(starts, -1)
        first, last = _clip(points, directions, layer.domain)
        low = np.maximum(np.column_stack([np.full(starts, -np.inf), at]), first[:, None])
        high = np.minimum(np.column_stack([at, np.full(starts, np.inf)]), last[:, None])
        # A piece must be wide enough for a point inside it to be rounded to another one inside it.
        is_wide = high - low > 1e-9 * (1 + np.abs(np.where(np.isfinite(low), low, high)))
        norms = np.where(is_wide, norms, -np.inf)
        best = norms.argmax(axis=1)
        moved = np.isfinite(norms[each, best])
        a, b = low[each, best], high[each, best]
        a, b = np.where(np.isfinite(a), a, np.minimum(b, 1) - 2), np.where(np.isfinite(b), b, np.maximum(a, -1) + 2)
        place = np.where(moved, a + (0.1 + 0.8 * rng.random(starts)) * (b - a), 0.0)
        points = points + place[:, None] * directions
        values = np.where(moved, norms[each, best], values)
    return [points[i] for i in np.argsort(-values)]


def _double(value: Fraction) -> np.float64:
    """Near the value; infinite beyond the range of doubles."""
    near = round_down(value)
    return np.float64(math.inf if near == np.finfo(np.float64).max else near)


def _clip(points: Floats, directions: Floats, domain: Domain | None) -> tuple[Floats, Floats]:
    """The parts of the lines x + t u in the domain."""
    count = len(points)
    first, last = np.full(count, -np.inf), np.full(count, np.inf)
    if isinstance(domain, Ball):
        offset = points - np.array([_double(entry) for entry in domain.centre])
        a, b = (directions**2).sum(axis=1), (directions * offset).sum(axis=1)
        root = np.sqrt(np.maximum(b**2 - a * ((offset**2).sum(axis=1) - _double(domain.radius) ** 2), 0.0))
        return (-b - root) / a, (-b + root) / a
    if isinstance(domain, Box):
        for j, sides in enumerate(zip(domain.lower, domain.upper, strict=True)):
            for side in sides:
                if side is not None:
                    at = (_double(side) - points[:, j]) / directions[:, j]
                    is_first = (directions[:, j] > 0) == (side is sides[0])
                    first = np.where(is_first, np.maximum(first, at), first)
                    last = np.where(is_first, last, np.minimum(last, at))
    return first, last
