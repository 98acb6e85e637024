"""Points at which a network is looked at: random ones of its domain, and how far they may move there."""

from __future__ import annotations

import numpy as np

from polyinj.certificates.domain import Ball, Box
from polyinj.deep.float_pieces import Floats

# How large Gaussian points are; what goes into a network is of the order of 1.
SCALES = (1.0, 8.0, 64.0, 0.125)
# A share of the way to the centre of the domain that keeps points off its boundary.
_PULL = 1e-3


def draw_points(domain: Box | Ball | None, columns: int, count: int, scale: float, rng: np.random.Generator) -> Floats:
    """Random points in the interior of the domain, shape (count, columns): `scale` is that of directions without end.

    Where a box has both sides, uniform between them; one side, at a Gaussian distance; none, Gaussian. In a ball
    uniform.
    """
    gaussian = rng.standard_normal((count, columns))
    if isinstance(domain, Ball):
        lengths = np.linalg.norm(gaussian, axis=1, keepdims=True)
        radii = rng.random((count, 1)) ** (1 / columns) * float(domain.radius)
        return pull_inside(domain, _centre(domain) + gaussian / lengths * radii)
    points = gaussian * scale
    if domain is None:
        return points
    low, high = sides(domain)
    above, below = np.isfinite(low), np.isfinite(high)
    points = np.where(above & ~below, np.where(above, low, 0) + np.abs(points), points)
    points = np.where(below & ~above, np.where(below, high, 0) - np.abs(points), points)
    both = above & below
    low, high = np.where(both, low, 0), np.where(both, high, 0)
    return pull_inside(domain, np.where(both, low + (high - low) * rng.random((count, columns)), points))


def pull_inside(domain: Box | Ball | None, points: Floats) -> Floats:
    """The points, those outside the domain and at its boundary moved a little way into it."""
    if domain is None:
        return points
    if isinstance(domain, Ball):
        offsets = points - _centre(domain)
        lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
        most = (1 - _PULL) * float(domain.radius)
        return np.asarray(_centre(domain) + offsets * np.minimum(1, most / np.maximum(lengths, 1e-300)))
    low, high = sides(domain)
    width = np.where(np.isfinite(low) & np.isfinite(high), high - low, 1.0)
    return np.clip(points, low + _PULL * width, high - _PULL * width)


def sides(box: Box) -> tuple[Floats, Floats]:
    """The sides in doubles, with infinities."""
    low = [-np.inf if side is None else float(side) for side in box.lower]
    high = [np.inf if side is None else float(side) for side in box.upper]
    return np.array(low), np.array(high)


def _centre(ball: Ball) -> Floats:
    return np.array([float(entry) for entry in ball.centre])
