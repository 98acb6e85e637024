"""Bounds of a ReLU network on a box, layer by layer: one code for float64, rationals, and functions along a line.

Arrays have any leading (batch) axes. With dtype object the entries are numbers that add, multiply, divide and compare
(Fractions, or what stands for them), and everything is exact. With float64 the bounds hold in exact arithmetic:

- a sum of k products is off by at most gamma = (k + 8) 2^-52 times the sum of their absolute values, whatever the order
  of summation (twice and more than the usual (k u) / (1 - k u), u = 2^-53, so the bound may itself be computed in
  floats), plus less than 1e-300 where products underflow;
- slopes are any numbers in [0, 1], so their rounding needs no care: intercepts are computed for the slope that is used,
  and rounded up;
- what rounding may have changed is kept as a radius of its own: in the box part of a zonotope, or, where linear forms
  are substituted, as error times the magnitude of what the form multiplies, taken off the constant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from polyinj.relaxation.rules import Array, Relaxation

_TINY = 1e-300
_BOX = Relaxation("box")


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

    def split(self, relu: Array) -> tuple[Array, Array, Array]:
        """Which neurons are active (l >= 0, or no ReLU), dead (u <= 0, not active), unstable."""
        active = (self.lower >= 0).astype(bool) | ~relu
        dead = np.zeros(active.shape, dtype=bool)
        dead[~active] = self.upper[~active] <= 0
        return active, dead, ~(active | dead)


def bound_layers(layers: list[AffineLayer], box: Bounds, relaxation: Relaxation) -> list[Bounds]:
    """Bounds of Wh + b of every layer for all inputs in the box."""
    match relaxation.form:
        case "box":
            return list(_box_bounds(layers, box))
        case "forward":
            return list(_zonotope_bounds(layers, box, relaxation))
        case "symbolic":
            return list(_symbolic_bounds(layers, box))
    found: list[Bounds] = list(_box_bounds(layers[:-1], box)) if relaxation.hidden_by_box else []
    slopes = [_linear_bounds(layer, bounds, relaxation) for layer, bounds in zip(layers, found, strict=False)]
    for k in range(len(found), len(layers)):
        found.append(_substitute(layers[: k + 1], found, slopes, box))
        slopes.append(_linear_bounds(layers[k], found[-1], relaxation))
    return found


def positive(values: Array) -> Array:
    """max(x, 0) of each entry; of objects as (x + |x|) / 2, so that only absolute values are taken."""
    return np.maximum(values, 0.0) if _rounds(values) else _half(values + np.abs(values))


def _half(values: Array) -> Array:
    # An object may be the int 0, which / 2 would make a float.
    return values / 2 if _rounds(values) else values * Fraction(1, 2)


def _larger(a: Array, b: Array) -> Array:
    return np.maximum(a, b) if _rounds(a) else b + positive(a - b)


def _rounds(values: Array) -> bool:
    return values.dtype == np.float64


def _times(matrix: Array, vector: Array) -> Array:
    product: Array = (matrix @ vector[..., None])[..., 0]
    return product


def _reach(form: Array, magnitude: Array) -> Array:
    """The largest |f(x)| of linear forms f where |x| <= magnitude, for coefficients that may have underflown."""
    reach: Array = _times(form, magnitude) + _TINY * magnitude.sum(axis=-1, keepdims=True)
    return reach


def _slack(magnitude: Array, terms: int) -> Array:
    """How far the rounded sum of that many products may be off, from the sum of their absolute values."""
    return (terms + 8) * 2.0**-52 * magnitude + _TINY if _rounds(magnitude) else np.zeros_like(magnitude)


def _up(values: Array, terms: int) -> Array:
    """Nonnegative sums of that many products, rounded up."""
    return values + 2 * _slack(values, terms) if _rounds(values) else values


def _outward(lower: Array, upper: Array) -> Bounds:
    if _rounds(lower):
        lower, upper = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
    return Bounds(lower, upper)


def _box_bounds(layers: list[AffineLayer], box: Bounds) -> Iterable[Bounds]:
    inside = box
    for layer in layers:
        centre = _half(inside.lower + inside.upper)
        radius = _half(inside.upper - inside.lower)
        if _rounds(centre):
            radius = _up(np.maximum(inside.upper - centre, centre - inside.lower), 1)
        absolute, terms = np.abs(layer.weights), layer.weights.shape[-1]
        value = _times(layer.weights, centre) + layer.bias
        reach = _up(_times(absolute, radius), terms)
        if _rounds(value):
            reach = _up(reach + _slack(_times(absolute, np.abs(centre)) + np.abs(layer.bias), terms + 1), 1)
        bounds = _outward(value - reach, value + reach)
        yield bounds
        inside = bounds.after(layer.relu)


def _zonotope_bounds(layers: list[AffineLayer], box: Bounds, relaxation: Relaxation) -> Iterable[Bounds]:
    centre, radius = _half(box.lower + box.upper), _half(box.upper - box.lower)
    spread = _diagonal(radius)
    loose = np.zeros_like(centre)
    if _rounds(centre):
        spread = _diagonal(_up(np.maximum(box.upper - centre, centre - box.lower), 1))
    for layer in layers:
        weights, terms = layer.weights, layer.weights.shape[-1]
        absolute = np.abs(weights)
        exact = not _rounds(centre)
        loose = _up(_times(absolute, loose), terms)
        if not exact:
            sizes = np.abs(centre) + np.abs(spread).sum(axis=-1)
            loose = loose + _slack(_times(absolute, sizes) + np.abs(layer.bias), terms + spread.shape[-1] + 1)
        centre, spread = _times(weights, centre) + layer.bias, weights @ spread
        reach = _up(np.abs(spread).sum(axis=-1) + loose, spread.shape[-1] + 1)
        bounds = _outward(centre - reach, centre + reach)
        yield bounds
        if layer.relu.any():
            centre, spread, loose = _relax_zonotope(layer.relu, bounds, relaxation, centre, spread, loose)


def _relax_zonotope(
    relu: Array, bounds: Bounds, relaxation: Relaxation, centre: Array, spread: Array, loose: Array
) -> tuple[Array, Array, Array]:
    active, _, unstable = bounds.split(relu)
    slopes, height = np.zeros_like(centre), np.zeros_like(centre)
    slopes[active] = 1
    low, high = bounds.lower[unstable], bounds.upper[unstable]
    slope = relaxation.slopes(low, high)
    slopes[unstable] = slope
    height[unstable] = _up(_larger(-slope * low, (1 - slope) * high), 2)
    loose = slopes * loose
    if _rounds(centre):
        sizes = np.abs(slopes * centre) + np.abs(slopes[..., None] * spread).sum(axis=-1) + height
        loose[unstable] = _up(loose + _slack(sizes, spread.shape[-1] + 3), 2)[unstable]
    centre, spread = slopes * centre + _half(height), slopes[..., None] * spread
    if relaxation.widens_box_part:
        loose[unstable] = _up(loose + _half(height), 1)[unstable]
        return centre, spread, loose
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
    """below * x <= ReLU(x) <= above * x + intercept for x in the bounds of a layer."""

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
    intercept[unstable] = _up(np.maximum(-chord * low, (1 - chord) * high), 2) if _rounds(low) else -chord * low
    return _Linear(below, above, intercept)


def _substitute(layers: list[AffineLayer], found: list[Bounds], slopes: list[_Linear | None], box: Bounds) -> Bounds:
    """Bounds of the last of the layers: its rows, and their negatives, as linear forms of ever earlier layers."""
    last = layers[-1]
    form = np.concatenate([last.weights, -last.weights], axis=-2)
    constant = np.concatenate([last.bias, -last.bias], axis=-1)
    for k in range(len(layers) - 2, -1, -1):
        layer, linear = layers[k], slopes[k]
        rounded = _rounds(form)
        lost = np.zeros_like(constant)
        if linear is not None:
            plus = positive(form)
            minus = form - plus
            steps = _times(minus, linear.intercept)
            form = plus * linear.below[..., None, :] + minus * linear.above[..., None, :]
            if rounded:
                size = np.abs(form)
                lost = _slack(_reach(size, found[k].magnitude()), form.shape[-1] + 2)
                lost = lost + _slack(np.abs(steps) + np.abs(constant), form.shape[-1] + 2)
            constant = constant + steps
        if rounded:
            size, terms = np.abs(form), form.shape[-1]
            before = found[k - 1].after(layers[k - 1].relu).magnitude() if k else box.magnitude()
            sizes = _reach(size, _reach(np.abs(layer.weights), before) + np.abs(layer.bias)) + np.abs(constant)
            lost = lost + _slack(sizes, 2 * terms + layer.weights.shape[-1] + 2)
        constant = constant + _times(form, layer.bias) - _up(lost, 2)
        form = form @ layer.weights
    plus = positive(form)
    value = _times(plus, box.lower) + _times(form - plus, box.upper) + constant
    if _rounds(value):
        sizes = _reach(np.abs(form), box.magnitude()) + np.abs(constant)
        value = value - 2 * _slack(sizes, 2 * form.shape[-1] + 2)
    rows = last.weights.shape[-2]
    return _outward(value[..., :rows], -value[..., rows:])


def _symbolic_bounds(layers: list[AffineLayer], box: Bounds) -> Iterable[Bounds]:
    """Pairs of linear forms of the input, lower and upper, for every neuron."""
    eye = _diagonal(np.ones_like(box.lower))
    low = high = eye
    low_constant = high_constant = np.zeros_like(box.lower)
    for layer in layers:
        plus = positive(layer.weights)
        minus = layer.weights - plus
        below = _times(plus, low_constant) + _times(minus, high_constant) + layer.bias
        above = _times(plus, high_constant) + _times(minus, low_constant) + layer.bias
        if _rounds(below):
            reach = [
                _reach(np.abs(form), box.magnitude()) + np.abs(constant)
                for form, constant in ((low, low_constant), (high, high_constant))
            ]
            lost = _slack(_reach(np.abs(layer.weights), _larger(*reach)) + np.abs(layer.bias), 2 * low.shape[-2] + 3)
            below, above = below - 2 * lost, above + 2 * lost
        low, high = plus @ low + minus @ high, plus @ high + minus @ low
        low_constant, high_constant = below, above
        bounds = Bounds(_least(low, below, box), -_least(-high, -above, box))
        yield bounds
        if layer.relu.any():
            active, dead, unstable = bounds.split(layer.relu)
            low, high, low_constant, high_constant = (a.copy() for a in (low, high, low_constant, high_constant))
            low[~active], low_constant[~active] = 0, 0
            high[dead], high_constant[dead] = 0, 0
            flat = unstable.copy()
            flat[unstable] = _least(high, high_constant, box)[unstable] < 0
            high[flat], high_constant[flat] = 0, bounds.upper[flat]


def _least(form: Array, constant: Array, box: Bounds) -> Array:
    """The minimum of linear forms on the box, rounded down."""
    plus = positive(form)
    value = _times(plus, box.lower) + _times(form - plus, box.upper) + constant
    if _rounds(value):
        sizes = _reach(np.abs(form), box.magnitude()) + np.abs(constant)
        value = np.nextafter(value - 2 * _slack(sizes, 2 * form.shape[-1] + 2), -np.inf)
    return value


def as_objects(layers: list[AffineLayer], convert: Any) -> list[AffineLayer]:
    """The layers with every entry converted to an object."""
    ufunc = np.frompyfunc(convert, 1, 1)
    return [AffineLayer(ufunc(layer.weights), ufunc(layer.bias), layer.relu) for layer in layers]
