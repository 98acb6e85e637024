"""Bounds of a ReLU network on a box, layer by layer and exactly: one code for rationals and functions along a line.

Arrays have dtype object and any leading (batch) axes; their entries are numbers that add, multiply, divide and compare:
Fractions, or what stands for them. `float_bounds` computes the same in floating point, rounded outward.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from polyinj.relaxation.rules import Array, Relaxation


@dataclass(frozen=True, slots=True, eq=False)
class AffineLayer:
    """h -> Wh + b, weights (..., m, n), bias (..., m), with a ReLU behind the rows marked in `relu`, shape (m,)."""

    weights: Array
    bias: Array
    relu: Array


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Entrywise bounds, each of shape (..., m)."""

    lower: Array
    upper: Array

    def after(self, relu: Array) -> Bounds:
        """Of the outputs of the layer, which has ReLUs behind the marked rows."""
        if not relu.any():
            return self
        positives = positive(self.lower), positive(self.upper)
        if relu.all():
            return Bounds(*positives)
        return Bounds(np.where(relu, positives[0], self.lower), np.where(relu, positives[1], self.upper))

    def magnitude(self) -> Array:
        """The largest absolute value."""
        return np.maximum(-self.lower, self.upper)

    def meet(self, other: Bounds) -> Bounds:
        """What both enclose."""
        return Bounds(_larger(self.lower, other.lower), -_larger(-self.upper, -other.upper))

    def split(self, relu: Array) -> tuple[Array, Array, Array]:
        """Which neurons are active (l >= 0, or no ReLU), dead (u <= 0, not active), unstable."""
        active = ((self.lower >= 0) | ~relu).astype(bool)
        dead = np.zeros(active.shape, dtype=bool)
        dead[~active] = self.upper[~active] <= 0
        return active, dead, ~(active | dead)


def bound_layers(layers: list[AffineLayer], box: Bounds, relaxation: Relaxation) -> list[Bounds]:
    """Bounds of Wh + b of every layer for all inputs in the box."""
    match relaxation.form:
        case "box":
            return list(_box_bounds(layers, box))
        case "zonotope":
            return list(_zonotope_bounds(layers, box, relaxation))
        case "forward":
            return list(_forward_bounds(layers, box, relaxation))
    return list(_backward_bounds(layers, box, relaxation))


def positive(values: Array) -> Array:
    """max(x, 0) of each entry; of objects as (x + |x|) / 2, so that only absolute values are taken."""
    return np.maximum(values, 0.0) if values.dtype != object else _half(values + np.abs(values))


def _half(values: Array) -> Array:
    # An object may be the int 0, which / 2 would make a float.
    half: Array = values * Fraction(1, 2)
    return half


def _larger(a: Array, b: Array) -> Array:
    return np.maximum(a, b) if a.dtype != object else b + positive(a - b)


def _times(matrix: Array, vector: Array) -> Array:
    product: Array = (matrix @ vector[..., None])[..., 0]
    return product


def _through_interval(layer: AffineLayer, inside: Bounds) -> Bounds:
    """Of Wh + b for h in a box."""
    value = _times(layer.weights, _half(inside.lower + inside.upper)) + layer.bias
    reach = _times(np.abs(layer.weights), _half(inside.upper - inside.lower))
    return Bounds(value - reach, value + reach)


def _box_bounds(layers: list[AffineLayer], box: Bounds) -> Iterable[Bounds]:
    inside = box
    for layer in layers:
        bounds = _through_interval(layer, inside)
        yield bounds
        inside = bounds.after(layer.relu)


def _met(bounds: Bounds, layer: AffineLayer, inside: Bounds, relaxation: Relaxation) -> Bounds:
    """The bounds that a rule decides by: its own, or where it asks for them those of the layer's interval too."""
    return bounds.meet(_through_interval(layer, inside)) if relaxation.meets_box else bounds


def _zonotope_bounds(layers: list[AffineLayer], box: Bounds, relaxation: Relaxation) -> Iterable[Bounds]:
    centre, spread = _half(box.lower + box.upper), _diagonal(_half(box.upper - box.lower))
    loose, inside = np.zeros_like(centre), box
    for layer in layers:
        loose = _times(np.abs(layer.weights), loose)
        centre, spread = _times(layer.weights, centre) + layer.bias, layer.weights @ spread
        reach = np.abs(spread).sum(axis=-1) + loose
        bounds = _met(Bounds(centre - reach, centre + reach), layer, inside, relaxation)
        yield bounds
        if layer.relu.any():
            centre, spread, loose = _relax_zonotope(layer.relu, bounds, relaxation, centre, spread, loose)
        inside = bounds.after(layer.relu)


def _relax_zonotope(
    relu: Array, bounds: Bounds, relaxation: Relaxation, centre: Array, spread: Array, loose: Array
) -> tuple[Array, Array, Array]:
    active, _, unstable = bounds.split(relu)
    slopes, height = np.zeros_like(centre), np.zeros_like(centre)
    slopes[active] = 1
    low, high = bounds.lower[unstable], bounds.upper[unstable]
    slope = relaxation.slopes(low, high)
    slopes[unstable] = slope
    height[unstable] = _larger(-slope * low, (1 - slope) * high)
    loose = slopes * loose
    centre, spread = slopes * centre + _half(height), slopes[..., None] * spread
    if relaxation.widens_box_part:
        return centre, spread, loose + _half(height)
    # Columns of neurons that are stable in every network of the batch are zero: left out.
    used = unstable.reshape(-1, unstable.shape[-1]).any(axis=0)
    return centre, np.concatenate([spread, _diagonal(_half(height))[..., used]], axis=-1), loose


def _diagonal(entries: Array) -> Array:
    size = entries.shape[-1]
    matrix = np.zeros((*entries.shape, size), dtype=entries.dtype)
    matrix[..., range(size), range(size)] = entries
    return matrix


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """below * x <= ReLU(x) <= above * x + intercept for x in the bounds of a layer; rows without ReLU pass."""

    below: Array
    above: Array
    intercept: Array


def _linear_bounds(layer: AffineLayer, bounds: Bounds, relaxation: Relaxation) -> _Linear | None:
    if not layer.relu.any():
        return None
    active, _, unstable = bounds.split(layer.relu)
    below, above, intercept = (np.zeros_like(bounds.lower) for _ in range(3))
    below[active] = above[active] = 1
    low, high = bounds.lower[unstable], bounds.upper[unstable]
    below[unstable] = relaxation.slopes(low, high)
    chord = high / (high - low)
    above[unstable] = chord
    intercept[unstable] = -chord * low
    return _Linear(below, above, intercept)


def _backward_bounds(layers: list[AffineLayer], box: Bounds, relaxation: Relaxation) -> Iterable[Bounds]:
    steps: list[_Linear | None] = []
    inside = box
    for k, layer in enumerate(layers):
        if relaxation.hidden_by_box and k < len(layers) - 1:
            bounds = _through_interval(layer, inside)
        else:
            bounds = _met(_substitute(layers[: k + 1], steps, box), layer, inside, relaxation)
        yield bounds
        steps.append(_linear_bounds(layer, bounds, relaxation))
        inside = bounds.after(layer.relu)


def _substitute(layers: list[AffineLayer], steps: list[_Linear | None], box: Bounds) -> Bounds:
    """Bounds of the last of the layers: its rows, and their negatives, as linear forms of ever earlier layers."""
    last = layers[-1]
    form = np.concatenate([last.weights, -last.weights], axis=-2)
    constant = np.concatenate([last.bias, -last.bias], axis=-1)
    for layer, linear in zip(reversed(layers[:-1]), reversed(steps), strict=True):
        if linear is not None:
            plus = positive(form)
            minus = form - plus
            form = plus * linear.below[..., None, :] + minus * linear.above[..., None, :]
            constant = constant + _times(minus, linear.intercept)
        constant = constant + _times(form, layer.bias)
        form = form @ layer.weights
    value = _least(form, constant, box)
    rows = last.weights.shape[-2]
    return Bounds(value[..., :rows], -value[..., rows:])


def _forward_bounds(layers: list[AffineLayer], box: Bounds, relaxation: Relaxation) -> Iterable[Bounds]:
    """Pairs of linear forms of the input, lower and upper, for every neuron."""
    eye = _diagonal(np.ones_like(box.lower))
    low = high = eye
    low_constant = high_constant = np.zeros_like(box.lower)
    inside = box
    for layer in layers:
        plus = positive(layer.weights)
        minus = layer.weights - plus
        below = _times(plus, low_constant) + _times(minus, high_constant) + layer.bias
        above = _times(plus, high_constant) + _times(minus, low_constant) + layer.bias
        low, high = plus @ low + minus @ high, plus @ high + minus @ low
        low_constant, high_constant = below, above
        bounds = _met(Bounds(_least(low, below, box), -_least(-high, -above, box)), layer, inside, relaxation)
        yield bounds
        linear: _Linear | None
        if relaxation.flattens:
            linear = _flattened(layer, bounds, _least(high, high_constant, box))
        else:
            linear = _linear_bounds(layer, bounds, relaxation)
        if linear is not None:
            low, high = low * linear.below[..., None], high * linear.above[..., None]
            low_constant = low_constant * linear.below
            high_constant = high_constant * linear.above + linear.intercept
        inside = bounds.after(layer.relu)


def _flattened(layer: AffineLayer, bounds: Bounds, least: Array) -> _Linear:
    """Of symbolic: 0 below; above what the upper form gives where it is nowhere negative, else the number u."""
    active, dead, unstable = bounds.split(layer.relu)
    below, above, intercept = (np.zeros_like(bounds.lower) for _ in range(3))
    below[active] = 1
    flat = unstable.copy()
    flat[unstable] = least[unstable] < 0
    above[~(dead | flat)] = 1
    intercept[flat] = bounds.upper[flat]
    return _Linear(below, above, intercept)


def _least(form: Array, constant: Array, box: Bounds) -> Array:
    """The minimum of linear forms on the box."""
    plus = positive(form)
    return _times(plus, box.lower) + _times(form - plus, box.upper) + constant


def as_objects(layers: list[AffineLayer], convert: Any) -> list[AffineLayer]:
    """The layers with every entry of weights and biases converted to an object."""
    ufunc = np.frompyfunc(convert, 1, 1)
    return [AffineLayer(ufunc(layer.weights), ufunc(layer.bias), layer.relu) for layer in layers]
