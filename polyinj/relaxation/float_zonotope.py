"""Zonotopes in floating point: outputs of each layer as values at the centre, generators and a box part.

For each input of the box and each neuron before its ReLU, with |e_t| <= scale_t,

    |the neuron - value - sum_t form_t e_t| <= loose

with forms as they are stored. The generators of the first layer are its rows, which all boxes share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from polyinj.relaxation.float_layers import FloatLayer
from polyinj.relaxation.float_relu import Zones
from polyinj.relaxation.layer_bounds import Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Forms, Workspace, middle, outward, reach
from polyinj.relaxation.rules import Relaxation


@dataclass(frozen=True, slots=True, eq=False)
class _Zonotope:
    """Of the neurons of a layer: forms (boxes, rows, terms), or None in the first; `spread` bounds |form| scale."""

    value: Floats
    forms: Forms | None
    scale: Floats
    spread: Floats
    loose: Floats

    def bounds(self) -> Bounds:
        """Of the neurons."""
        radius = DOUBLE.grown(self.spread + self.loose, 1)
        return Bounds(*outward(self.value, radius, radius))


def zonotope_bounds(
    layers: list[FloatLayer], box: Bounds, relaxation: Relaxation, space: Workspace
) -> Iterator[Bounds]:
    """Bounds of each layer, for boxes of shape (boxes, n)."""
    first = layers[0]
    centre, radius = middle(box.lower, box.upper)
    rounded = DOUBLE.share(first.columns + 1) * first.sizes(np.abs(centre))
    state = _Zonotope(first.image(centre), None, radius, first.spread(radius), rounded)
    inside = bounds = box
    for k, layer in enumerate(layers):
        if k:
            zones = Zones.of(bounds, layers[k - 1].relu, relaxation, layer.rounding)
            state = _pass(state, zones, layer, first, relaxation, space, k)
        bounds = state.bounds()
        if relaxation.meets_box and k:
            bounds = bounds.meet(layer.interval(inside))
        yield bounds
        inside = bounds.after(layer.relu)


def _pass(
    state: _Zonotope,
    zones: Zones,
    layer: FloatLayer,
    first: FloatLayer,
    relaxation: Relaxation,
    space: Workspace,
    number: int,
) -> _Zonotope:
    """The neurons of the next layer, behind ReLUs in the zones."""
    rounding, half = layer.rounding, 0.5 * zones.height
    used = zones.unstable.any(axis=0) & (not relaxation.widens_box_part)
    boxes, before = state.scale.shape
    terms = before + np.count_nonzero(used)
    slopes = zones.slope.astype(rounding.dtype)[:, None, :]
    scaled = np.multiply(layer.matrix, slopes, out=space.take("scaled", boxes, layer.rows, layer.columns))
    forms = space.take(f"forms {number % 2}", boxes, layer.rows, terms)
    if state.forms is None:
        first.pull(scaled, forms[..., :before])
    else:
        np.matmul(scaled, state.forms, out=forms[..., :before])
    np.multiply(layer.matrix[:, used], half[:, None, used].astype(rounding.dtype), out=forms[..., before:])
    scale = np.concatenate([state.scale, np.ones((boxes, terms - before))], axis=-1)

    centre = zones.slope * state.value + half
    # How far the neurons before, relaxed, lie from `centre`: a share of it is what rounding does to forms.
    radius = zones.slope * (state.spread + state.loose) + half
    total = (state.spread + state.loose + half).sum(axis=-1, keepdims=True) + scale.sum(axis=-1, keepdims=True) + 1
    loose = zones.slope * state.loose + (half if relaxation.widens_box_part else 0)
    loose = loose + rounding.share(layer.columns + 3) * (radius + rounding.tiny * total)
    loose = loose + DOUBLE.share(layer.columns + 3) * np.abs(centre)
    loose = layer.spread(DOUBLE.grown(loose, 8)) + DOUBLE.share(layer.columns + 3) * np.abs(layer.bias)
    loose = DOUBLE.grown(loose + 2 * rounding.tiny * total, 8)
    absolute = np.abs(forms, out=space.take("absolute", *forms.shape))
    return _Zonotope(layer.image(centre), forms, scale, reach(absolute, scale, rounding), loose)
