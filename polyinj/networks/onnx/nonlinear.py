"""Operators of ONNX that are piecewise linear, and functions that keep verdicts at the end of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.networks.builder import Tensor
from polyinj.networks.endings import ended
from polyinj.networks.onnx.affine import read_windows, reduced_axes
from polyinj.networks.onnx.graph import Step
from polyinj.networks.piecewise import absolute, clip, leaky_relu, maximum, minimum, subtract
from polyinj.networks.windows import Windows, largest


def relu(step: Step) -> Tensor:
    """max(x, 0)."""
    return step.builder.relu(step.tensor(), step.name)


def leaky(step: Step) -> Tensor:
    """x or alpha x."""
    return leaky_relu(step.builder, step.tensor(), np.array(float(step.attributes.get("alpha", 0.01))), step.name)


def prelu(step: Step) -> Tensor:
    """x or slope x, a slope an entry or a channel."""
    tensor, slope = step.tensor(), step.weights(1)
    if step.opset < 7 and slope.ndim == 1 and len(slope) > 1:
        slope = slope.reshape(-1, *[1] * (len(tensor.shape) - 2))
    return leaky_relu(step.builder, tensor, slope, step.name)


def clip_between(step: Step) -> Tensor:
    """Clip: x cut to an interval."""
    if step.opset < 11:
        given = [(step.attributes.get(key, side), side) for key, side in (("min", -np.inf), ("max", np.inf))]
        if not all(np.isfinite(value) or value == side for value, side in given):
            raise InputError(f"it cuts to [{given[0][0]}, {given[1][0]}]; expected numbers")
        lower, upper = (None if np.isinf(value) else np.array(float(value)) for value, _ in given)
        return clip(step.builder, step.tensor(), lower, upper, step.name)
    lower, upper = _bound(step, 1, -np.inf), _bound(step, 2, np.inf)
    return clip(step.builder, step.tensor(), lower, upper, step.name)


def _bound(step: Step, index: int, open_side: float) -> NDArray[Any] | None:
    value = step.stored(index)
    if value is None or (value.size == 1 and value.dtype.kind == "f" and (value == open_side).all()):
        return None
    return step.weights(index).reshape(())


def hard_sigmoid(step: Step) -> Tensor:
    """alpha x + beta cut to [0, 1]."""
    alpha, beta = (np.array(float(step.attributes.get(key, value))) for key, value in (("alpha", 0.2), ("beta", 0.5)))
    line = step.builder.shift(step.builder.scale(step.tensor(), alpha, step.name), beta, step.name)
    return clip(step.builder, line, np.array(0.0), np.array(1.0), step.name)


def of_several(step: Step) -> Tensor:
    """Max and Min of several tensors."""
    return (maximum if step.node.op_type == "Max" else minimum)(step.builder, step.operands(), step.name)


def modulus(step: Step) -> Tensor:
    """|x|."""
    return absolute(step.builder, step.tensor(), step.name)


def reduce_largest(step: Step) -> Tensor:
    """ReduceMax and ReduceMin over some axes."""
    tensor = step.tensor()
    view = tensor.view
    axes = reduced_axes(step, view.ndim)
    if not axes:
        return tensor
    smallest = step.node.op_type == "ReduceMin"
    kept = [axis for axis in range(view.ndim) if axis not in axes]
    shape = tuple(1 if axis in axes else view.shape[axis] for axis in range(view.ndim))
    shape = shape if step.attributes.get("keepdims", 1) else tuple(view.shape[axis] for axis in kept)
    taps = view.transpose([*axes, *kept]).reshape(-1, *(view.shape[axis] for axis in kept))
    found = (minimum if smallest else maximum)(step.builder, [tensor.moved(np.asarray(tap)) for tap in taps], step.name)
    return found.reshape(shape)


def max_pool(step: Step) -> Tensor:
    """The largest entries of windows."""
    if len([name for name in step.node.output if name]) > 1:
        raise InputError("it also says where the largest entries stand, which is no continuous map")
    tensor = step.tensor()
    windows = read_windows(step, tuple(step.attributes.get("kernel_shape", ())), tensor.shape[2:])
    return largest(step.builder, tensor, windows, step.name, ceil=bool(step.attributes.get("ceil_mode", 0)))


def global_max_pool(step: Step) -> Tensor:
    """The largest entry of each channel."""
    tensor = step.tensor()
    return largest(step.builder, tensor, Windows.of(tensor.shape[2:]), step.name, ceil=False)


def increasing(step: Step) -> Tensor:
    """A function that increases strictly in each entry."""
    kind = step.node.op_type
    for key in ("alpha", "gamma") if kind in ("Elu", "Celu", "Selu") else ():
        if not step.attributes.get(key, 1.0) > 0:
            raise InputError(
                f"{key} is {step.attributes[key]}; expected a positive number, with which {kind} increases strictly"
            )
    return ended(step.computed(0, ended=True), kind)


def softmax(step: Step) -> Tensor:
    """Softmax and LogSoftmax: of x minus its first entry along the axis, which changes neither."""
    tensor = step.tensor()
    ndim, view = len(tensor.shape), tensor.view
    if step.opset < 13:
        axis = step.axis(ndim, 1)
        first = view[(*[slice(None)] * axis, *[slice(0, 1)] * (ndim - axis))]
    else:
        axis = step.axis(ndim, -1)
        first = np.take(view, [0], axis=axis)
    step.keep_batch(axis > 0)
    first = np.broadcast_to(first, view.shape)
    rest = view != first
    if not rest.any():
        raise InputError(f"it is a {step.node.op_type} of one entry, which is constant")
    moved = subtract(step.builder, tensor.moved(view[rest]), tensor.moved(first[rest]), step.name)
    moved, zero = step.builder.join([moved, step.builder.constant(np.zeros(()))])
    places = np.full(view.shape, int(zero.view))
    places[rest] = moved.view
    return ended(moved.moved(places), f"{step.node.op_type} (of the outputs minus the first of them)")


def log(step: Step) -> Tensor:
    """Of a Softmax, which is positive."""
    tensor = step.computed(0, ended=True)
    if not tensor.ending.startswith("Softmax") or "," in tensor.ending:
        raise InputError("it is not defined everywhere; it is read behind a Softmax only")
    return ended(tensor, "Log")
