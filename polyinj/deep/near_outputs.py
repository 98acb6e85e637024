"""Where a network has fewer than 2n outputs, pairs of points with the same output: Gauss-Newton from many starts.

f(x) = f(y) is a system of k equations in 2n unknowns, so where regions A and B have images that meet, they meet in a
set of dimension 2n - k. Newton's shortest steps lead there from points that are far apart; some end at x = y.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from polyinj.certificates.domain import Ball, Box
from polyinj.deep.float_pieces import FloatNetwork, Floats
from polyinj.deep.probes import SCALES, draw_points, pull_inside

_ROUNDS = 40
# Entries of all Jacobians of the starts together.
_ENTRIES, _STARTS = 1 << 23, 48
# Misses and distances, over the sizes of outputs and of inputs, and the longest step.
_MISSED, _APART, _LONGEST = 1e-9, 1e-2, 0.5

FloatPair = tuple[Floats, Floats]


def meeting_outputs(
    network: FloatNetwork, domain: Box | Ball | None, seed: int, deadline: float | None = None
) -> Iterator[FloatPair]:
    """Pairs of points, apart from each other, with nearly the same values in the last layer; the farthest first."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    widest = max(len(bias) for _, bias, _ in network.layers)
    starts = max(4, min(_STARTS, _ENTRIES // (widest * network.inputs)))
    for scale in SCALES:
        points = draw_points(domain, network.inputs, 2 * starts, scale, rng)
        x, y = points[:starts], points[starts:]
        size = float(np.median(np.linalg.norm(x - y, axis=1)))
        for _ in range(_ROUNDS):
            if deadline is not None and time.monotonic() > deadline:
                return
            x, y = _step(network, x, y, _LONGEST * size)
            x, y = pull_inside(domain, x), pull_inside(domain, y)
        of_x, of_y = network.values(x)[-1], network.values(y)[-1]
        with np.errstate(all="ignore"):
            missed = np.abs(of_x - of_y).max(axis=1) / np.abs(of_x).max(axis=1)
        apart = np.linalg.norm(x - y, axis=1) / size
        found = np.flatnonzero((missed < _MISSED) & (apart > _APART))
        for k in found[np.argsort(-apart[found])].tolist():
            if deadline is not None and time.monotonic() > deadline:
                return
            yield x[k], y[k]


def _step(network: FloatNetwork, x: Floats, y: Floats, longest: float) -> tuple[Floats, Floats]:
    """The shortest step that makes the outputs equal if no neuron changes its sign."""
    n = x.shape[1]
    at_x, at_y = network.pieces(x), network.pieces(y)
    jacobian = np.concatenate([at_x.slopes, -at_y.slopes], axis=2)
    missed = at_x.outputs - at_y.outputs
    # Where doubles overflow a start stays where it is.
    finite = np.isfinite(jacobian).all(axis=(1, 2)) & np.isfinite(missed).all(axis=1)
    jacobian, missed = np.where(finite[:, None, None], jacobian, 0), np.where(finite[:, None], missed, 0)
    with np.errstate(all="ignore"):
        step = -(np.linalg.pinv(jacobian) @ missed[:, :, None])[:, :, 0]
        lengths = np.linalg.norm(step, axis=1, keepdims=True)
        step = np.nan_to_num(step * np.minimum(1, longest / np.maximum(lengths, 1e-300)))
    return x + step[:, :n], y + step[:, n:]
