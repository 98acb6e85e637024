"""Layers of one input, in closed form.

Row i is active on a ray: {x >= -b_i / w_i} for w_i > 0, {x <= -b_i / w_i} for w_i < 0. The layer is injective iff these
rays cover the open domain, and then two of them, or one, do: one circuit of the homogeneous system says so.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.layer import Layer
from polyinj.exact import algebra


def uncovered_point(layer: Layer) -> list[Fraction] | None:
    """A point of the open domain where no row with a nonzero weight is active; None if there is none."""
    low, high = _domain(layer)
    for weight, bias in _weights_and_biases(layer):
        end = -bias / weight
        if weight > 0:
            high = end if high is None else min(high, end)
        else:
            low = end if low is None else max(low, end)
    if low is not None and high is not None:
        return [(low + high) / 2] if low < high else None
    point = [low + 1 if low is not None else high - 1 if high is not None else Fraction(0)]
    return layer.input(point) if layer.is_linear else point


def covering_circuit(layer: Layer) -> NDArray[np.int32]:
    """The literals of a circuit that shows the domain to be covered, shape (1, size)."""
    ends: dict[bool, tuple[Fraction, int]] = {}
    for i, (weight, bias) in enumerate(_weights_and_biases(layer, keep_zeros=True)):
        if weight:
            reach = bias / abs(weight)
            ends[weight > 0] = max(ends.get(weight > 0, (reach, i)), (reach, i))
    system = layer.system()
    vectors = {i + 1: system.rows[i] for _, i in ends.values()}
    vectors |= {-(len(system.rows) + k + 1): [-entry for entry in side] for k, side in enumerate(system.sides)}
    for size in range(2, system.dimension + 2):
        for literals in combinations(sorted(vectors, reverse=True), size):
            relations = algebra.kernel(list(zip(*(vectors[a] for a in literals), strict=True)), size)
            signs = {(entry > 0) - (entry < 0) for entry in relations[0]} if len(relations) == 1 else set()
            if literals[0] > 0 and signs in ({1}, {-1}):
                return np.array([literals], dtype=np.int32)
    raise AssertionError("a covered domain has a covering circuit")


def _domain(layer: Layer) -> tuple[Fraction | None, Fraction | None]:
    facets = [] if layer.domain is None else layer.domain.facets()
    low = [Fraction(-shift, slope) for slope, shift in facets if slope > 0]
    high = [Fraction(-shift, slope) for slope, shift in facets if slope < 0]
    return max(low, default=None), min(high, default=None)


def _weights_and_biases(layer: Layer, keep_zeros: bool = False) -> list[tuple[Fraction, Fraction]]:
    biases = [0] * len(layer.weights) if layer.bias is None else layer.bias.tolist()
    pairs = [(Fraction(w), Fraction(b)) for (w,), b in zip(layer.weights.tolist(), biases, strict=True)]
    return [pair for pair in pairs if keep_zeros or pair[0]]
