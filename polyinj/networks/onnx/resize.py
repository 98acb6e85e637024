"""Resize and Upsample of ONNX by nearest neighbours."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.networks.builder import Tensor, check_size
from polyinj.networks.onnx.graph import Step


def resize(step: Step) -> Tensor:
    """Resize and Upsample by nearest neighbours."""
    tensor = step.tensor()
    attributes = step.attributes
    mode = attributes.get("mode", b"nearest").decode(errors="replace")
    where = attributes.get("coordinate_transformation_mode", b"half_pixel").decode(errors="replace")
    nearest = attributes.get("nearest_mode", b"round_prefer_floor").decode(errors="replace")
    if step.node.op_type == "Upsample" or step.opset < 11:
        where, nearest = "asymmetric", "floor"
    ratios = _ratios(step, tensor.shape)
    if mode != "nearest" or where not in _PLACES or nearest not in _NEAREST:
        raise InputError(f"it resizes by {mode}, {where}, {nearest}; expected nearest neighbours, of the whole tensor")
    step.keep_batch(ratios[0] == (Fraction(1), tensor.shape[0]))
    check_size([out for _, out in ratios])
    view = tensor.view
    for axis, (ratio, out) in enumerate(ratios):
        size = view.shape[axis]
        if out != size or ratio != 1:
            if max(out, size) > _LONGEST:
                raise InputError(f"it resizes an axis from {size} to {out} entries; allowed are {_LONGEST}")
            places = [Fraction(_PLACES[where](k, ratio, size, out)) for k in range(out)]
            _refuse_ties([place for place in places if place], ratio, nearest, where)
            view = np.take(view, np.clip([_NEAREST[nearest](place) for place in places], 0, size - 1), axis=axis)
    return tensor.moved(view)


# Of places in float32, for axes that are not longer.
_NEAR, _LONGEST = Fraction(1, 1000), 1 << 12
_PLACES: dict[str, Any] = {
    "half_pixel": lambda k, ratio, size, out: (k + Fraction(1, 2)) / ratio - Fraction(1, 2),
    "pytorch_half_pixel": lambda k, ratio, size, out: (k + Fraction(1, 2)) / ratio - Fraction(1, 2) if out > 1 else 0,
    "asymmetric": lambda k, ratio, size, out: k / ratio,
    "align_corners": lambda k, ratio, size, out: Fraction(k * (size - 1), out - 1) if out > 1 else 0,
}
_NEAREST: dict[str, Any] = {
    "floor": floor,
    "ceil": ceil,
    "round_prefer_floor": lambda place: ceil(place - Fraction(1, 2)),
    "round_prefer_ceil": lambda place: floor(place + Fraction(1, 2)),
}


def _refuse_ties(places: list[Fraction], ratio: Fraction, nearest: str, where: str) -> None:
    """InputError where a runtime's float32 may fall on the other side of the edge between two neighbours."""
    edge = Fraction(1, 2) if nearest.startswith("round") else Fraction(0)
    # Of corners that are aligned no ratio is rounded.
    exact = where == "align_corners" or Fraction(float(np.float32(float(ratio)))) == ratio
    for place in places:
        distance = abs(place - edge - round(place - edge))
        if (distance and distance < _NEAR) or (not distance and not exact):
            raise InputError(
                f"it resizes by {float(ratio)}, where the nearest neighbour of {float(place)} depends on rounding"
            )


def _ratios(step: Step, shape: tuple[int, ...]) -> list[tuple[Fraction, int]]:
    """For each axis the ratio of the lengths and the new length."""
    old = step.node.op_type == "Upsample" or step.opset < 11
    scales = step.stored(1 if old else 2)
    if scales is None or not scales.size:
        scales = np.array(step.attributes.get("scales", []))
    sizes = None if old else step.integers(3)
    axes = [axis + len(shape) * (axis < 0) for axis in step.attributes.get("axes", range(len(shape)))]
    given: NDArray[Any] | list[int] = sizes if sizes else scales
    if len(given) != len(axes) or not np.isfinite(given).all() or not (np.asarray(given) > 0).all():
        raise InputError(f"sizes are {sizes} and scales {scales}; expected one positive number an axis of {shape}")
    if sizes and step.attributes.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        raise InputError("it keeps the aspect ratio; expected sizes that are taken as they are")
    found = [(Fraction(1), length) for length in shape]
    for axis, number in zip(axes, np.asarray(given).tolist(), strict=True):
        if not 0 <= axis < len(shape):
            raise InputError(f"axes is {axes}; expected axes of {len(shape)}")
        length = int(number) if sizes else floor(Fraction(number) * shape[axis])
        found[axis] = (Fraction(length, shape[axis]) if sizes else Fraction(number), length)
    return found
