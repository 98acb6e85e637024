"""Substitution in floating point: bounds of a layer from linear bounds of the ReLUs of all layers before.

Zonotopes are bounded so too: with two parallel lines below and above a ReLU, substitution gives the bounds of the
zonotope whose new error terms lie between the lines (Salman et al. 2019).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from polyinj.relaxation.float_layers import FloatLayer
from polyinj.relaxation.float_relu import Lines
from polyinj.relaxation.layer_bounds import Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Workspace, middle
from polyinj.relaxation.rules import Relaxation
from polyinj.relaxation.substitution import Step, substitute


def backward_bounds(
    layers: list[FloatLayer], box: Bounds, relaxation: Relaxation, space: Workspace
) -> Iterator[Bounds]:
    """Bounds of each layer, for boxes of shape (boxes, n)."""
    centre, radius = middle(box.lower, box.upper)
    steps: list[Step] = []
    inside, loose = box, np.zeros_like(box.lower)
    for k, layer in enumerate(layers):
        magnitude = inside.magnitude()
        sizes, total = layer.sizes(magnitude), magnitude.sum(axis=-1, keepdims=True)
        tiny = layer.rounding.tiny * (total + 1)
        if relaxation.widens_box_part:
            loose = layer.spread(loose)
        if k == 0 or (relaxation.hidden_by_box and k < len(layers) - 1):
            bounds = layer.interval(inside)
        else:
            # The rows as they are stored may be rounded.
            lost = layer.rounding.unit * sizes + tiny + (loose if relaxation.widens_box_part else 0)
            bounds = substitute(layer, lost, steps, radius, parallel=relaxation.form == "zonotope", space=space)
        if relaxation.meets_box and k:
            bounds = bounds.meet(layer.interval(inside))
        yield bounds
        lines = Lines.of(bounds, layer.relu, relaxation, layer.rounding) if layer.relu.any() else None
        value = layer.image(centre) if k == 0 else np.broadcast_to(layer.bias, sizes.shape)
        steps.append(Step(layer, lines, value, sizes + tiny, total, forgets=relaxation.widens_box_part))
        loose = _box_part(loose, lines) if relaxation.widens_box_part else loose
        inside = bounds.after(layer.relu)


def _box_part(loose: Floats, lines: Lines | None) -> Floats:
    return loose if lines is None else DOUBLE.grown(lines.above * loose + 0.5 * lines.intercept, 2)
