"""The steepest direction along the unit sphere that random great circles find, in floats: a constant from below.

    repeat: a random great circle through each point; go to its point, of many, where the gradient less its part along
            the radius is longest

On the sphere the Lipschitz constant is the largest such length over the cells that meet it, for geodesic and for
straight distances alike (short distances are the steepest). What is found is attained, up to rounding; a longer one may
exist.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DRAWN, _KEPT, _ROUNDS = 20_000, 64, 60
_ANGLES = np.linspace(0, 2 * np.pi, 128, endpoint=False)
# Rounds look at whole circles and at parts of them.
_REACHES = (1.0, 0.3, 0.1, 0.03)


def longest_on_sphere(weights: Floats, bias: Floats, output: Floats, seed: int) -> float:
    """The longest tangential gradient of x -> output . ReLU(weights x + bias) found on the unit sphere of R^d, d >= 2.

    Examples
    --------
    >>> weights = np.array([[1.0, 0.0], [1.0, 0.0]])  # a cap of height 1/4: its constant on the sphere is 7^(1/2)
    >>> found = longest_on_sphere(weights, np.array([-0.75, -1.0]), np.array([4.0, -4.0]), seed=0)
    >>> bool(0.99 < found / 7**0.5 <= 1 + 1e-9)
    True
    """
    rng = np.random.default_rng(seed)
    points = _unit(rng.standard_normal((_DRAWN, weights.shape[1])))
    lengths = _tangential(weights, bias, output, points)
    points = points[np.argsort(-lengths)[:_KEPT]]
    each = np.arange(len(points))
    longest = float(lengths.max())
    for _ in range(_ROUNDS):
        away = rng.standard_normal(points.shape)
        away = _unit(away - (away * points).sum(axis=1, keepdims=True) * points)
        angles = _ANGLES[:, None] * rng.choice(_REACHES)
        circle = points[:, None] * np.cos(angles) + away[:, None] * np.sin(angles)
        lengths = _tangential(weights, bias, output, circle)
        points = circle[each, lengths.argmax(axis=1)]
        longest = max(longest, float(lengths.max()))
    return longest


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _tangential(weights: Floats, bias: Floats, output: Floats, points: Floats) -> Floats:
    """Lengths of the gradients at points of the sphere less their parts along the radius."""
    gradients = ((points @ weights.T + bias > 0) * output) @ weights
    along = (gradients * points).sum(axis=-1)
    return np.asarray(np.sqrt(np.maximum((gradients**2).sum(axis=-1) - along**2, 0)))
