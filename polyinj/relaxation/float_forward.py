"""Forward relaxations in floating point: for each neuron a linear form of the input below it and one above.

With c the centre of the box, for each input x of it and each neuron before its ReLU,

    low (x - c) + value_low <= the neuron <= high (x - c) + value_high

with forms as they are stored. Those of the first layer are its rows, which all boxes share; later the low ones of all
neurons stand before the high ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from polyinj.relaxation.float_layers import FloatLayer
from polyinj.relaxation.float_relu import Lines
from polyinj.relaxation.layer_bounds import Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Forms, Workspace, down, middle, reach, up
from polyinj.relaxation.rules import Relaxation


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Of one layer: forms (boxes, 2 rows, n), or None in the first; `width` is at least |form| r, by low and high."""

    low: Floats
    high: Floats
    forms: Forms | None
    low_width: Floats
    high_width: Floats

    def bounds(self) -> Bounds:
        """Of the neurons."""
        return Bounds(down(self.low - self.low_width), up(self.high + self.high_width))

    def least(self) -> Floats:
        """The minimum of the form above, rounded down."""
        return down(self.high - self.high_width)


def forward_bounds(layers: list[FloatLayer], box: Bounds, relaxation: Relaxation, space: Workspace) -> Iterator[Bounds]:
    """Bounds of each layer, for boxes of shape (boxes, n)."""
    first = layers[0]
    centre, radius = middle(box.lower, box.upper)
    lost = DOUBLE.share(first.terms + 2) * first.sizes(np.abs(centre))
    value, width = first.image(centre), first.spread(radius)
    state = _Pairs(value - lost, value + lost, None, width, width)
    inside = bounds = box
    for k, layer in enumerate(layers):
        if k:
            relu = layers[k - 1].relu
            if relaxation.flattens:
                lines = Lines.flattened(bounds, relu, state.least())
            else:
                lines = Lines.of(bounds, relu, relaxation, layer.rounding)
            state = _pass(state, lines, layer, first, radius, space, k)
        bounds = state.bounds()
        if relaxation.meets_box and k:
            bounds = bounds.meet(layer.interval(inside))
        yield bounds
        inside = bounds.after(layer.relu)


def _pass(
    state: _Pairs, lines: Lines, layer: FloatLayer, first: FloatLayer, radius: Floats, space: Workspace, number: int
) -> _Pairs:
    """The neurons of the next layer, behind ReLUs between the lines."""
    rounding, boxes, terms = layer.rounding, len(radius), 2 * layer.columns
    forms = space.take(f"forms {number % 2}", boxes, 2 * layer.rows, first.columns)
    _multiply(layer, lines, state.forms, first, forms, space)

    # What rounding does to forms is a share of |form| r of the neurons before, and of values, of |value|.
    share = DOUBLE.share(terms + 5)
    low, high = lines.below * state.low, lines.above * state.high + lines.intercept
    widest = np.maximum(lines.below * state.low_width, lines.above * state.high_width)
    total = (state.low_width + state.high_width).sum(axis=-1, keepdims=True) + radius.sum(axis=-1, keepdims=True) + 1
    largest = np.maximum(np.abs(low), np.abs(high) + 2 * lines.intercept)
    lost = rounding.share(terms + 3) * (widest + rounding.tiny * total) + share * largest
    lost = DOUBLE.grown(layer.spread(DOUBLE.grown(lost, 8)) + share * np.abs(layer.bias), 2)
    lost = DOUBLE.grown(lost + 2 * rounding.tiny * total, 2)
    weights = layer.dense()
    plus, minus = np.maximum(weights, 0), np.minimum(weights, 0)
    below = low @ plus.T + high @ minus.T + layer.bias
    above = high @ plus.T + low @ minus.T + layer.bias
    widths = reach(np.abs(forms, out=space.take("absolute", *forms.shape)), radius, rounding)
    rows = layer.rows
    return _Pairs(
        down(below - lost),
        up(above + lost),
        forms,
        widths[:, :rows],
        widths[:, rows:],
    )


def _multiply(
    layer: FloatLayer, lines: Lines, before: Forms | None, first: FloatLayer, forms: Forms, space: Workspace
) -> None:
    """The forms of a layer: each entry of W times the form, below or above, that its sign asks for."""
    dtype, rows, columns = layer.rounding.dtype, layer.rows, layer.columns
    boxes = len(forms)
    matrix = layer.matrix()
    plus, minus = np.maximum(matrix, 0), np.minimum(matrix, 0)
    below, above = lines.below.astype(dtype)[:, None, :], lines.above.astype(dtype)[:, None, :]
    if before is None:
        scaled = space.take("scaled", boxes, 2 * rows, columns)
        scaled[:, :rows] = plus * below + minus * above
        scaled[:, rows:] = minus * below + plus * above
        first.pull(scaled, forms)
        return
    scaled = space.take("scaled", boxes, 2 * rows, 2 * columns)
    np.multiply(plus, below, out=scaled[:, :rows, :columns])
    np.multiply(minus, above, out=scaled[:, :rows, columns:])
    np.multiply(minus, below, out=scaled[:, rows:, :columns])
    np.multiply(plus, above, out=scaled[:, rows:, columns:])
    np.matmul(scaled, before, out=forms)
