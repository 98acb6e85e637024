"""Normalisations of preactivations, on pairs of vectors: none of them has an epsilon or learned parameters.

Without an epsilon they do not depend on the scale, as the formulas that theory studies; a channel or an input without
variance becomes 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyinj.propagation.vector_pairs import Pairs, Scaled, add


def batch_norm(pairs: Pairs, counted: int) -> Pairs:
    """Each channel less its mean, over its standard deviation (Ioffe and Szegedy 2015).

    Both are taken over the inputs of the first `counted` pairs; other pairs are only carried along.
    """
    x, y = pairs.first, pairs.second()
    logs = np.concatenate([x.logs[:counted], y.logs[:counted]])
    greatest = float(np.max(logs, initial=-np.inf))
    scale = np.full(len(x.logs), greatest if np.isfinite(greatest) else 0.0)
    first = x.on_scale(scale)
    batch = np.concatenate([first[:counted], y.on_scale(scale)[:counted]])
    mean = batch.mean(axis=0)
    deviation = np.sqrt(np.square(batch - mean).mean(axis=0))
    inverse = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    difference = pairs.difference()
    step = Scaled.of(difference.values * inverse, difference.logs - scale)
    return Pairs(Scaled.of((first - mean) * inverse), step, np.zeros(len(scale)))


def layer_norm(pairs: Pairs, counted: int) -> Pairs:
    """Each vector less the mean of its entries, over their standard deviation (Ba et al. 2016)."""
    x, d = pairs.first, pairs.step
    first, step = (Scaled.of(v.values - v.values.mean(axis=1, keepdims=True), v.logs) for v in (x, d))
    half = 0.5 * np.log(x.values.shape[1])
    # y = (x + d) / |x + d|: the step on the scale of |x|, and what |x + d| adds to it. x = 0 leaves d alone.
    scale = np.where(np.isfinite(first.logs), first.logs, np.where(np.isfinite(step.logs), step.logs, 0.0))
    centred = Pairs(first.shifted(-scale), step.shifted(-scale), np.zeros(len(scale)))
    along, _, height = centred.decomposed()
    sum_ = add(centred.first, centred.step)
    with np.errstate(divide="ignore", invalid="ignore"):
        small = 0.5 * np.log1p(2 * along + along * along + height * height)
    growth = np.where(centred.step.logs < -1, small, sum_.logs)
    growth = np.where(np.isfinite(growth), growth, 0.0)
    return Pairs(centred.first.shifted(half), centred.step.shifted(half), -growth)


NORMALISATIONS: dict[str, Callable[[Pairs, int], Pairs]] = {"batch": batch_norm, "layer": layer_norm}
