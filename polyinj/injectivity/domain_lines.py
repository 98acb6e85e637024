"""Random inputs of a domain, and the parts of lines in it: in floats, for searches that propose.

Nothing here minds overflow: points that are not finite are of no use, and no harm.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.domain import Ball, Box, Domain

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
def clip_lines(points: Floats, directions: Floats, domain: Domain | None) -> tuple[Floats, Floats]:
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


def _double(value: Fraction) -> np.float64:
    """Near the value; infinite beyond the range of doubles."""
    try:
        return np.float64(float(value))
    except OverflowError:
        return np.float64(math.inf if value > 0 else -math.inf)
