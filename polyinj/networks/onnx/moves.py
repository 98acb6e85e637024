"""Operators of ONNX that only move entries of tensors, or repeat them, leave them out or put numbers beside them."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from polyinj.errors import InputError
from polyinj.networks.builder import Tensor, check_size
from polyinj.networks.onnx.graph import Step
from polyinj.networks.onnx.input import FLOATS


def identity(step: Step) -> Tensor:
    """x."""
    return step.computed(0, ended=True)


def dropout(step: Step) -> Tensor:
    """x, as in inference."""
    training = step.stored(2)
    drops = not step.attributes.get("is_test", 0) if step.opset < 7 else training is not None and training.any()
    if drops:
        raise InputError("it drops at random, as in training; export the model for inference")
    return step.computed(0, ended=True)


def cast(step: Step) -> Tensor:
    """x in a type that holds its values."""
    from onnx import TensorProto

    to = step.attributes["to"]
    target = to.decode(errors="replace") if isinstance(to, bytes) else str(TensorProto.DataType.Name(to))
    if target not in FLOATS:
        raise InputError(f"it casts to {target}; expected a float type")
    if any(new < old for new, old in zip(FLOATS[target], FLOATS[step.elem], strict=True)):
        raise InputError(f"it casts {step.elem} to {target}, which rounds: different numbers become one; remove it")
    return step.computed(0, ended=True)


def flatten(step: Step) -> Tensor:
    """A matrix of the same entries."""
    tensor = step.computed(0, ended=True)
    axis = step.attributes.get("axis", 1)
    axis += len(tensor.shape) if axis < 0 else 0
    if not 0 <= axis <= len(tensor.shape):
        raise InputError(f"axis is {step.attributes['axis']}, but the tensor has shape {tensor.shape}")
    step.keep_batch(axis == 1)
    return tensor.reshape((prod(tensor.shape[:axis]), -1))


def reshape(step: Step) -> Tensor:
    """The same entries in another shape."""
    tensor = step.computed(0, ended=True)
    shape = step.integers(1, "shape") or []
    if min(shape, default=0) < -1:
        raise InputError(f"the shape {shape} has a negative length")
    first_is_kept = False
    if not step.attributes.get("allowzero"):
        first_is_kept = bool(shape) and shape[0] == 0
        old = tensor.shape
        shape = [old[i] if length == 0 and i < len(old) else length for i, length in enumerate(shape)]
    if step.reader.batch:
        # A first length of -1 is the batch where the others hold one input.
        step.keep_batch(bool(shape) and (first_is_kept or shape[0] in (step.reader.batch, -1)))
        shape[0] = 1
    return tensor.reshape(tuple(shape))


def transpose(step: Step) -> Tensor:
    """Axes in another order."""
    tensor = step.computed(0, ended=True)
    axes = range(len(tensor.shape))
    perm = list(step.attributes.get("perm", reversed(axes)))
    if sorted(perm) != list(axes):
        raise InputError(f"perm is {perm}; expected each of the {len(axes)} axes once")
    step.keep_batch(perm[:1] == [0])
    return tensor.moved(tensor.view.transpose(perm))


def squeeze(step: Step) -> Tensor:
    """Without axes of length 1."""
    tensor = step.computed(0, ended=True)
    axes = _axes(step, len(tensor.shape))
    if axes is None:
        axes = tuple(axis for axis in range(bool(step.reader.batch), len(tensor.shape)) if tensor.shape[axis] == 1)
    step.keep_batch(0 not in axes)
    return tensor.moved(tensor.view.squeeze(axes))


def unsqueeze(step: Step) -> Tensor:
    """With more axes of length 1."""
    tensor = step.computed(0, ended=True)
    axes = _axes(step, len(tensor.shape), new=True)
    if axes is None:
        raise InputError("its axes are left out")
    step.keep_batch(0 not in axes)
    return tensor.moved(np.expand_dims(tensor.view, axes))


def _axes(step: Step, ndim: int, *, new: bool = False) -> tuple[int, ...] | None:
    """Axes of a tensor, or of the one with the `new` axes, counted from 0."""
    given = step.integers(1, "axes")
    if given is None:
        return None
    ndim += len(given) * new
    axes = tuple(axis + ndim * (axis < 0) for axis in given)
    if not axes or len(set(axes)) < len(axes) or not all(0 <= axis < ndim for axis in axes):
        raise InputError(f"axes is {given}; expected different axes of {ndim}")
    return axes


def concat(step: Step) -> Tensor:
    """Tensors side by side."""
    parts = step.builder.join(step.operands())
    axis = step.axis(len(parts[0].shape), 1)
    step.keep_batch(axis > 0)
    sizes = [list(part.shape) for part in parts]
    if len({len(size) for size in sizes}) > 1 or len({tuple(s[:axis] + s[axis + 1 :]) for s in sizes}) > 1:
        raise InputError(f"tensors of shapes {', '.join(str(part.shape) for part in parts)} do not fit side by side")
    check_size((sum(part.view.size for part in parts),))
    names = dict.fromkeys(part.name for part in parts if part.name)
    notes = dict.fromkeys(part.rounding for part in parts if part.rounding)
    joined = replace(parts[0], name=", ".join(names), rounding="; ".join(notes))
    return joined.moved(np.concatenate([part.view for part in parts], axis=axis))


def split(step: Step) -> list[Tensor]:
    """A tensor in parts along an axis."""
    tensor = step.tensor()
    axis = step.axis(len(tensor.shape), 0)
    step.keep_batch(axis > 0)
    number, length = len(step.node.output), tensor.shape[axis]
    sizes = step.integers(1, "split")
    if sizes is None:
        each = -(-length // number)
        sizes = [min(each, length - k * each) for k in range(number)]
    if len(sizes) != number or sum(sizes) != length or min(sizes) < 1:
        raise InputError(f"parts of {sizes} entries do not make the {length} of axis {axis} in {number} outputs")
    ends = np.cumsum(sizes)[:-1]
    return [tensor.moved(view) for view in np.split(tensor.view, ends, axis=axis)]


def cut(step: Step) -> Tensor:
    """Slice: every so many entries of some axes."""
    tensor = step.tensor()
    starts, ends = step.integers(1, "starts"), step.integers(2, "ends")
    if starts is None or ends is None or len(starts) != len(ends):
        raise InputError(f"starts is {starts} and ends {ends}; expected one of each an axis")
    axes = step.integers(3, "axes") or list(range(len(starts)))
    steps = step.integers(4) or [1] * len(starts)
    if not len(axes) == len(steps) == len(starts):
        raise InputError(f"axes is {axes} and steps {steps}; expected {len(starts)} of each")
    view = tensor.view
    for start, end, axis, stride in zip(starts, ends, axes, steps, strict=True):
        axis += view.ndim * (axis < 0)
        if not 0 <= axis < view.ndim or stride == 0:
            raise InputError(f"axis {axis} and step {stride} do not fit a tensor of shape {view.shape}")
        length = view.shape[axis]
        low, high = (0, length) if stride > 0 else (-1, length - 1)
        first, last = (min(max(end_of + length * (end_of < 0), low), high) for end_of in (start, end))
        taken = range(max(first, 0) if stride > 0 else first, last, stride)
        step.keep_batch(axis > 0)
        view = np.take(view, np.array(taken, dtype=np.int64), axis=axis)
        check_size(view.shape)
    return tensor.moved(view)


def gather(step: Step) -> Tensor:
    """Chosen entries of an axis."""
    tensor, chosen = step.tensor(), step.stored(1)
    if chosen is None or chosen.dtype.kind not in "iu":
        raise InputError("its indices are no stored integers")
    axis = step.axis(len(tensor.shape), 0)
    step.keep_batch(axis > 0)
    length = tensor.shape[axis]
    if chosen.size == 0 or chosen.min() < -length or chosen.max() >= length:
        raise InputError(f"its indices leave the axis of length {length}")
    check_size((tensor.view.size // length, chosen.size))
    return tensor.moved(np.take(tensor.view, chosen % length, axis=axis))


def pad(step: Step) -> Tensor:
    """Numbers, or entries of the tensor, around it."""
    tensor = step.tensor()
    mode = step.attributes.get("mode", b"constant").decode(errors="replace")
    pads = step.integers(1, "pads" if step.opset > 1 else "paddings")
    ndim = len(tensor.shape)
    axes = step.integers(3) or list(range(ndim))
    if pads is None or len(pads) != 2 * len(axes) or mode not in ("constant", "reflect", "edge", "wrap"):
        raise InputError(f"mode is {mode!r} and pads {pads}; expected constant, reflect, edge or wrap, two an axis")
    sides = [(0, 0)] * ndim
    for axis, before, behind in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        if not -ndim <= axis < ndim:
            raise InputError(f"axes is {axes}; expected axes of {ndim}")
        sides[axis] = (before, behind)
    step.keep_batch(sides[0] == (0, 0))
    # Negative padding cuts.
    cuts = tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(sides, tensor.shape, strict=True))
    tensor = tensor.moved(tensor.view[cuts])
    grown = [(max(a, 0), max(b, 0)) for a, b in sides]
    check_size([n + a + b for n, (a, b) in zip(tensor.shape, grown, strict=True)])
    if mode != "constant":
        if mode == "reflect" and any(max(pair) >= n for pair, n in zip(grown, tensor.shape, strict=True)):
            raise InputError(f"it reflects more than there is: pads {pads}, shape {tensor.shape}")
        return tensor.moved(np.pad(tensor.view, grown, mode=mode))
    if step.opset < 11:
        value = np.array(float(step.attributes.get("value", 0.0)))
    else:
        given = step.optional_weights(2)
        value = np.zeros(()) if given is None else given.reshape(())
    tensor, number = step.builder.join([tensor, step.builder.constant(value)])
    return tensor.moved(np.pad(tensor.view, grown, constant_values=int(number.view)))


def expand(step: Step) -> Tensor:
    """The tensor repeated along axes of length 1."""
    tensor, shape = step.tensor(), step.integers(1)
    if shape is None or min(shape, default=1) < 1:
        raise InputError(f"the shape is {shape}; expected positive lengths")
    if step.reader.batch and len(shape) >= len(tensor.shape):
        # The length of the batch changes nothing there.
        step.keep_batch(len(shape) == len(tensor.shape) and shape[0] in (step.reader.batch, 1))
        shape[0] = 1
    check_size(shape)
    try:
        wide = np.broadcast_shapes(tensor.shape, tuple(shape))
    except ValueError:
        raise InputError(f"a tensor of shape {tensor.shape} does not broadcast to {shape}") from None
    check_size(wide)
    return tensor.moved(np.broadcast_to(tensor.view, wide))


def tile(step: Step) -> Tensor:
    """The tensor repeated."""
    tensor, repeats = step.tensor(), step.integers(1)
    if repeats is None or len(repeats) != len(tensor.shape) or min(repeats, default=1) < 1:
        raise InputError(f"repeats is {repeats}; expected one positive number an axis of {tensor.shape}")
    step.keep_batch(repeats[:1] == [1])
    check_size([size * times for size, times in zip(tensor.shape, repeats, strict=True)])
    return tensor.moved(np.tile(tensor.view, repeats))


def depth_and_space(step: Step) -> Tensor:
    """DepthToSpace and SpaceToDepth: channels become places, or places channels."""
    tensor, block = step.tensor(), int(step.attributes.get("blocksize", 0))
    if len(tensor.shape) != 4 or block < 1:
        raise InputError(f"blocksize is {block} and the tensor has shape {tensor.shape}; expected 4 axes")
    batch, channels, height, width = tensor.shape
    if step.node.op_type == "SpaceToDepth":
        parts = tensor.reshape((batch, channels, height // block, block, width // block, block))
        turned = parts.view.transpose(0, 3, 5, 1, 2, 4)
        return tensor.moved(turned.reshape(batch, channels * block**2, height // block, width // block))
    columns_first = step.attributes.get("mode", b"DCR") == b"DCR"
    inner = channels // block**2
    shape = (
        (batch, block, block, inner, height, width) if columns_first else (batch, inner, block, block, height, width)
    )
    order = (0, 3, 4, 1, 5, 2) if columns_first else (0, 1, 4, 2, 5, 3)
    turned = tensor.reshape(shape).view.transpose(order)
    return tensor.moved(turned.reshape(batch, inner, height * block, width * block))


def where(step: Step) -> Tensor:
    """Entries of one tensor or of another, as stored marks say."""
    marks = step.stored(0)
    if marks is None or marks.dtype != np.bool_:
        raise InputError("its condition is no stored marks")
    first, second = step.builder.join(step.operands(range(1, 3)))
    step.keep_inputs_apart(marks.shape, first.shape, second.shape)
    views = np.broadcast_arrays(marks, first.view, second.view)
    return first.moved(np.where(*views))
