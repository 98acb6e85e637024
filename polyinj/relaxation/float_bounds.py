"""Bounds of a ReLU network on boxes in float64 or float32 that hold in exact arithmetic.

What `layer_bounds` does in rationals, with these rules for rounding:

- matrices of linear forms are multiplied in the type asked for (float64 or float32); constants, values at the centre of
  the box, bounds of neurons and bounds of errors are float64 always;
- a form is kept as its coefficients and a value, which is exact for the coefficients as they are stored: of a product
  the error of each coefficient is multiplied by the magnitude of what it stands before, and taken off the constant;
- slopes are any numbers in [0, 1], so their rounding needs no care: intercepts are computed for the slope that is used,
  and rounded up;
- a bound that is not finite is refused at once: no sign is read off it.

Boxes are taken in blocks whose forms fit into the cache, one block after another in the same memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from polyinj.errors import InputError
from polyinj.relaxation.float_backward import backward_bounds
from polyinj.relaxation.float_forward import forward_bounds
from polyinj.relaxation.float_layers import FloatLayer, float_layer
from polyinj.relaxation.layer_bounds import AffineLayer, Bounds
from polyinj.relaxation.rounding import Rounding, Workspace, keep_memory
from polyinj.relaxation.rules import Relaxation

# Of the forms of a block.
_BLOCK_BYTES = 12 << 20
_MOST_BOXES = 1024
# Of the vectors of a block, one entry a neuron.
_VECTOR_BYTES = 1 << 19


def bound_in_floats(layers: list[AffineLayer], box: Bounds, relaxation: Relaxation, rounding: Rounding) -> list[Bounds]:
    """Bounds of Wh + b of every layer for all inputs in the box, as `bound_layers`, rounded outward.

    Parameters
    ----------
    layers : list of AffineLayer
        float64, weights (m, n).
    box : Bounds
        float64, shape (..., n).
    relaxation : Relaxation
    rounding : Rounding

    Returns
    -------
    list of Bounds, each of shape (..., m) and of the type of `rounding`

    Raises
    ------
    InputError
        A bound that overflows.
    """
    keep_memory()
    with np.errstate(all="ignore"):
        ready = [float_layer(layer, rounding) for layer in layers]
    leading = box.lower.shape[:-1]
    lower, upper = (side.reshape(-1, side.shape[-1]) for side in (box.lower, box.upper))
    found = _unfilled(ready, len(lower), rounding)
    boxes, space = _boxes_of_a_block(ready, relaxation, rounding), Workspace(rounding.dtype)
    # What overflows is refused.
    with np.errstate(all="ignore"):
        for start in range(0, len(lower), boxes):
            part = slice(start, start + boxes)
            bounds = _bounds(ready, Bounds(lower[part], upper[part]), relaxation, space)
            for whole, block in zip(found, bounds, strict=True):
                whole.lower[part], whole.upper[part] = rounding.narrow(block.lower, block.upper)
                if not (np.isfinite(whole.lower[part]).all() and np.isfinite(whole.upper[part]).all()):
                    hint = "float64" if rounding.dtype == "float32" else "exact=True"
                    raise InputError(f"bounds overflow {rounding.dtype}; scale the network down, or try {hint}")
    return [Bounds(*(side.reshape(*leading, side.shape[-1]) for side in (b.lower, b.upper))) for b in found]


def _unfilled(layers: list[FloatLayer], boxes: int, rounding: Rounding) -> list[Bounds]:
    """Room for the bounds of all layers: one array, which the next call finds again where this one is given back."""
    ends = np.cumsum([2 * boxes * layer.rows for layer in layers])
    whole = np.empty(ends[-1], dtype=rounding.dtype)
    parts = (part.reshape(2, boxes, -1) for part in np.split(whole, ends[:-1]))
    return [Bounds(lower, upper) for lower, upper in parts]


def _bounds(layers: list[FloatLayer], box: Bounds, relaxation: Relaxation, space: Workspace) -> Iterator[Bounds]:
    match relaxation.form:
        case "box":
            return _box_bounds(layers, box)
        case "forward":
            return forward_bounds(layers, box, relaxation, space)
    return backward_bounds(layers, box, relaxation, space)


def _box_bounds(layers: list[FloatLayer], box: Bounds) -> Iterator[Bounds]:
    inside = box
    for layer in layers:
        bounds = layer.interval(inside)
        yield bounds
        inside = bounds.after(layer.relu)


def _boxes_of_a_block(layers: list[FloatLayer], relaxation: Relaxation, rounding: Rounding) -> int:
    inputs, widest = layers[0].columns, max(layer.rows for layer in layers)
    if relaxation.form == "box":
        return max(1, min(_MOST_BOXES, _VECTOR_BYTES // (8 * max(inputs, widest))))
    # Forward rules carry forms of all boxes of a block; substitution takes these in parts of its own.
    entries = 2 * widest * inputs if relaxation.form == "forward" else max(inputs, widest)
    return max(1, min(_MOST_BOXES, _BLOCK_BYTES // (entries * np.dtype(rounding.dtype).itemsize)))
