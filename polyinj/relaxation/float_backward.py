"""Backward relaxations in floating point: forms of the last layer, substituted down to the input.

For each neuron, and its negative, of the layer that is bounded, the invariant of the substitution is

    the neuron >= F h + C - E    for the outputs h of the layer reached, of every input of the box,

with F and C as they are stored, and E >= 0 for what was rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from polyinj.relaxation.float_layers import FloatLayer
from polyinj.relaxation.float_relu import Lines
from polyinj.relaxation.layer_bounds import Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Forms, Rounding, Workspace, middle, outward, reach, times
from polyinj.relaxation.rules import Relaxation

# Of the forms of the boxes that are substituted at once.
_PART_BYTES = 6 << 20
# Multiplications that leaving out zeros must save for a box, to be worth copying the rest.
_WORTH_COPYING = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One layer as the substitution passes it, y = Wh + b and then its ReLUs.

    `value` is what F y is worth but for F W: b, or for the first layer Wc + b, c the centre of the box. `sizes` bound
    |W| |h| + |b|, and `inputs` the sum of |h|, which underflow is multiplied by.
    """

    layer: FloatLayer
    lines: Lines | None
    value: Floats
    sizes: Floats
    inputs: Floats

    def of(self, boxes: slice) -> _Step:
        """For some of the boxes."""
        lines = self.lines and self.lines.of_boxes(boxes)
        return _Step(self.layer, lines, self.value[boxes], self.sizes[boxes], self.inputs[boxes])


def backward_bounds(
    layers: list[FloatLayer], box: Bounds, relaxation: Relaxation, space: Workspace
) -> Iterator[Bounds]:
    """Bounds of each layer, for boxes of shape (boxes, n)."""
    centre, radius = middle(box.lower, box.upper)
    steps: list[_Step] = []
    inside = box
    for k, layer in enumerate(layers):
        magnitude = inside.magnitude()
        sizes = layer.sizes(magnitude)
        if k == 0 or (relaxation.hidden_by_box and k < len(layers) - 1):
            bounds = layer.interval(inside)
        else:
            bounds = _substitute(layer, sizes, magnitude, steps, radius, space)
            if relaxation.meets_box:
                bounds = bounds.meet(layer.interval(inside))
        yield bounds
        lines = Lines.of(bounds, layer.relu, relaxation, layer.rounding) if layer.relu.any() else None
        value = layer.image(centre) if k == 0 else np.broadcast_to(layer.bias, sizes.shape)
        total = magnitude.sum(axis=-1, keepdims=True)
        # What underflows in W, b or Wc + b stands behind F.
        steps.append(_Step(layer, lines, value, sizes + layer.rounding.tiny * (total + 1), total))
        inside = bounds.after(layer.relu)


def _substitute(
    last: FloatLayer, sizes: Floats, magnitude: Floats, steps: list[_Step], radius: Floats, space: Workspace
) -> Bounds:
    boxes, rows = len(radius), last.rows
    # The rows as they are stored may be rounded.
    lost = last.rounding.unit * sizes + last.rounding.tiny * magnitude.sum(axis=-1, keepdims=True)
    least = np.empty((boxes, 2 * rows))
    widest = max(last.columns, *(step.layer.columns for step in steps))
    at_once = max(1, _PART_BYTES // (2 * rows * widest * last.matrix.itemsize))
    for start in range(0, boxes, at_once):
        part = slice(start, start + at_once)
        least[part] = _least(last, lost[part], [step.of(part) for step in steps], radius[part], space)
    return Bounds(least[:, :rows], -least[:, rows:])


def _least(last: FloatLayer, lost: Floats, steps: list[_Step], radius: Floats, space: Workspace) -> Floats:
    """Lower bounds of the neurons and of their negatives, shape (boxes, 2 rows)."""
    rounding, boxes, rows = last.rounding, len(radius), last.rows
    # All boxes share the rows of W, so their signs are taken apart once.
    forms = np.concatenate([last.matrix, -last.matrix])[None]
    plus, minus = np.maximum(forms, 0), np.minimum(forms, 0)
    constant = np.broadcast_to(np.concatenate([last.bias, -last.bias]), (boxes, 2 * rows))
    lost = np.concatenate([lost, lost], axis=-1)
    for step in reversed(steps):
        if step is not steps[-1] and step.lines is not None:
            plus = np.maximum(forms, 0, out=space.take("plus", *forms.shape))
            minus = np.minimum(forms, 0, out=forms)
        forms, shift, error = _pass(step, forms, plus, minus, rounding, space)
        constant = constant + shift
        lost = lost + error + DOUBLE.share(2) * (np.abs(constant) + np.abs(shift))
        forms = _pull(step, forms, space)
    width = reach(np.abs(forms, out=forms), radius, rounding)
    lost = DOUBLE.grown(lost + width + DOUBLE.share(2) * np.abs(constant), 2 * len(steps) + 4)
    return outward(constant, lost, lost)[0]


def _pass(
    step: _Step, forms: Forms, plus: Forms, minus: Forms, rounding: Rounding, space: Workspace
) -> tuple[Forms, Floats, Floats]:
    """Forms G of y for forms F of ReLU(y), in parts by sign; what they add to C, and to E with their product G W."""
    terms, boxes = step.layer.rows, len(step.value)
    absolute = space.take("absolute", boxes, *forms.shape[1:])
    shift = error = np.zeros(())
    if step.lines is None:
        np.abs(forms, out=absolute)
        forms = np.broadcast_to(forms, absolute.shape)
    else:
        below, above = (slopes.astype(rounding.dtype)[:, None, :] for slopes in (step.lines.below, step.lines.above))
        shift = times(minus, step.lines.intercept)
        error = (rounding.share(terms) + DOUBLE.share(1)) * np.abs(shift)
        forms = np.multiply(plus, below, out=space.take("passed", *absolute.shape))
        lowered = np.multiply(minus, above, out=space.take("lowered", *absolute.shape))
        np.subtract(forms, lowered, out=absolute)
        forms += lowered
    # Of G its own rounding; of G W and G (b or Wc + b) sums of as many terms as y has, and W rounded; of Wc + b, its
    # own sum. Each is a share of |G| (|W| |h| + |b|).
    share = rounding.share(2 * terms) + DOUBLE.share(step.layer.columns + 1)
    error = error + share * reach(absolute, step.sizes, rounding)
    underflow = rounding.tiny * (step.inputs + step.sizes.sum(axis=-1, keepdims=True) + 1)
    return forms, shift + times(forms, step.value), error + 2 * underflow


def _pull(step: _Step, forms: Forms, space: Workspace) -> Forms:
    """G W, without the columns of G that are zero in a box: those of its dead neurons."""
    boxes, rows, terms = forms.shape
    pulled = space.take("pulled", boxes, rows, step.layer.columns)
    dead = np.zeros((boxes, terms), dtype=bool) if step.lines is None else step.lines.dead
    if dead.sum() * rows * step.layer.columns < _WORTH_COPYING * boxes:
        return step.layer.pull(forms, pulled)
    for form, out, zero in zip(forms, pulled, dead, strict=True):
        kept = np.flatnonzero(~zero)
        narrow, matrix = space.take("narrow", rows, len(kept)), space.take("kept", len(kept), step.layer.columns)
        # Indices are in range; the other modes copy once more.
        np.take(form, kept, axis=1, out=narrow, mode="clip")
        np.take(step.layer.matrix, kept, axis=0, out=matrix, mode="clip")
        np.matmul(narrow, matrix, out=out)
    return pulled
