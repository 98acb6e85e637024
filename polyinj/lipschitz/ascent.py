"""Inputs with a large Jacobian, in floats: random points, each moved along random lines.

    repeat: a random line through the point; sort its crossings with the hyperplanes; add up the Jacobians on the way,
            and go to the piece of the line, within the domain, where the norm is largest

A line costs one sort and k updates, and the norm never falls. What comes out is a proposal for a lower bound, and
counts only after its Jacobian was computed exactly. So nothing here minds overflow: points that are not finite are of
no use, and no harm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyinj.injectivity.domain_lines import clip_lines, draw_inputs
from polyinj.lipschitz.jacobians import Jacobians
from polyinj.lipschitz.operator_norm import float_norms

Floats = NDArray[np.float64]


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
        first, last = clip_lines(points, directions, layer.domain)
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
