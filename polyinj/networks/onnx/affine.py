"""Operators of ONNX that are affine where all but one of their operands are stored."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, prod
from operator import lt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyinj.errors import InputError
from polyinj.exact.lossless import multiply
from polyinj.networks.builder import Tensor, check_entries
from polyinj.networks.endings import ended
from polyinj.networks.onnx.graph import Step
from polyinj.networks.piecewise import negate, subtract
from polyinj.networks.windows import Windows, average, convolve, convolve_transposed


def gemm(step: Step) -> Tensor:
    """alpha x W + beta c, W turned where transB says so."""
    attributes = step.attributes
    if step.is_computed(2) and not step.is_computed(1):
        offset = None
        step.computed(0)
    else:
        step.tensor()
        offset = step.optional_weights(2)
    matrix = step.weights(1)
    alpha, beta = float(attributes.get("alpha", 1.0)), float(attributes.get("beta", 1.0))
    if not (isfinite(alpha) and isfinite(beta)):
        raise InputError(f"alpha is {alpha} and beta {beta}; expected finite numbers")
    if attributes.get("transA"):
        raise InputError("transA puts the batch last; expected transA = 0")
    if matrix.ndim != 2:
        raise InputError(f"the weights have shape {matrix.shape}; expected a matrix")
    tensor = step.builder.multiply(step.computed(0), matrix if attributes.get("transB") else matrix.T, step.name)
    if len(tensor.shape) != 2:
        raise InputError(f"what comes in has {len(tensor.shape)} axes; expected 2; flatten it first")
    # alpha and beta are float32; their products with float32 weights are exact in float64.
    if alpha != 1:
        tensor = step.builder.scale(tensor, np.array(alpha), step.name)
    if step.is_computed(2) and beta != 0:
        return step.builder.add(tensor, step.builder.scale(step.computed(2), np.array(beta), step.name), step.name)
    if offset is not None and beta != 0:
        return step.builder.shift(tensor, offset if beta == 1 else multiply(offset, np.array(beta)), step.name)
    return tensor


def matmul(step: Step) -> Tensor:
    """x W, or W x where x has axes for it."""
    builder = step.builder
    if step.is_computed(0):
        tensor, matrix = step.tensor(), step.weights(1)
        if matrix.ndim == 1:
            out = builder.multiply(tensor, matrix[None], step.name)
            return out.moved(out.view[..., 0])
        if matrix.ndim > 2 and prod(matrix.shape[:-2]) == 1:
            return builder.multiply(tensor, matrix.reshape(matrix.shape[-2:]).T, step.name)
        return builder.multiply(tensor, matrix.T, step.name)
    tensor, matrix = step.computed(1), step.weights(0)
    if len(tensor.shape) == 1:
        return builder.multiply(tensor, matrix, step.name)
    if len(tensor.shape) == 2 and tensor.shape[1] != 1:
        raise InputError("the weights stand left of a batch; expected them on the right")
    step.keep_batch(len(tensor.shape) > 2)
    turned = tensor.moved(tensor.view.swapaxes(-1, -2))
    out = builder.multiply(turned, matrix.reshape(matrix.shape[-2:]) if matrix.ndim > 2 else matrix, step.name)
    return out.moved(out.view.swapaxes(-1, -2))


def read_windows(step: Step, window: tuple[int, ...], sizes: tuple[int, ...]) -> Windows:
    """Strides, dilations and padding of a node."""
    axes, attributes = len(window), step.attributes
    stride = list(attributes.get("strides", [1] * axes))
    dilation = list(attributes.get("dilations", [1] * axes))
    auto = attributes.get("auto_pad", b"NOTSET").decode(errors="replace")
    pads = list(attributes.get("pads", [0] * (2 * axes)))
    if axes < 1 or tuple(attributes.get("kernel_shape", window)) != window or len(pads) != 2 * axes:
        raise InputError(
            f"kernel_shape {attributes.get('kernel_shape', 'not given')} and pads {pads} do not fit a window of shape "
            f"{window}"
        )
    if not len(stride) == len(dilation) == len(sizes) == axes:
        raise InputError(
            f"strides {stride} and dilations {dilation} do not fit {len(sizes)} axes and a window {window}"
        )
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER") or (auto != "NOTSET" and any(pads)):
        raise InputError(
            f"auto_pad is {auto!r} beside pads {pads}; expected SAME_UPPER, SAME_LOWER, VALID, or pads alone"
        )
    if auto.startswith("SAME") and max(dilation) > 1:
        raise InputError(f"auto_pad is {auto} beside dilations {dilation}, which runtimes take differently; give pads")
    if auto.startswith("SAME") and step.node.op_type.endswith("Pool") and any(map(lt, window, stride)):
        raise InputError(f"auto_pad is {auto} for a window shorter than its stride; give pads")
    windows = Windows.of(window, stride, list(zip(pads[:axes], pads[axes:], strict=True)), dilation)
    return windows.same(sizes, odd_behind=auto == "SAME_UPPER") if auto.startswith("SAME") else windows


def _kernel(step: Step) -> tuple[Tensor, NDArray[Any], NDArray[Any] | None, int]:
    """The tensor, the kernel, the bias and the number of groups of a convolution."""
    tensor, kernel, bias = step.tensor(), step.weights(1), step.optional_weights(2)
    if kernel.ndim < 3 or len(tensor.shape) != kernel.ndim:
        raise InputError(
            f"a kernel of shape {kernel.shape} does not fit a tensor of shape {tensor.shape}; expected "
            "(batch, channels, *spatial)"
        )
    return tensor, kernel, bias, int(step.attributes.get("group", 1))


def _with_bias(step: Step, tensor: Tensor, bias: NDArray[Any] | None) -> Tensor:
    if bias is None:
        return tensor
    if bias.shape != tensor.shape[1:2]:
        raise InputError(f"the bias has shape {bias.shape}; expected ({tensor.shape[1]},)")
    return step.builder.shift(tensor, bias.reshape(-1, *[1] * (len(tensor.shape) - 2)), step.name)


def conv(step: Step) -> Tensor:
    """A convolution with stored kernel."""
    tensor, kernel, bias, groups = _kernel(step)
    windows = read_windows(step, kernel.shape[2:], tensor.shape[2:])
    return _with_bias(step, convolve(step.builder, tensor, kernel, windows, groups, step.name), bias)


def conv_transpose(step: Step) -> Tensor:
    """A transposed convolution with stored kernel."""
    tensor, kernel, bias, groups = _kernel(step)
    sizes, axes = tensor.shape[2:], kernel.ndim - 2
    attributes = step.attributes
    extra = list(attributes.get("output_padding", [0] * axes))
    auto = attributes.get("auto_pad", b"NOTSET").decode(errors="replace")
    plain = {k: v for k, v in attributes.items() if k != "auto_pad"}
    windows = read_windows(Step(step.reader, step.node, plain), kernel.shape[2:], sizes)
    if len(extra) != axes or min(extra) < 0:
        raise InputError(f"output_padding is {extra}; expected {axes} numbers of at least 0")
    shape = attributes.get("output_shape")
    if auto.startswith("SAME") and shape is None:
        shape = [size * jump for size, jump in zip(sizes, windows.stride, strict=True)]
    if shape is not None:
        if len(shape) != axes:
            raise InputError(f"output_shape is {list(shape)}; expected {axes} lengths")
        padding: list[tuple[int, int]] = []
        for size, jump, more, reach, out in zip(sizes, windows.stride, extra, windows.reach, shape, strict=True):
            total = jump * (size - 1) + more + reach - int(out)
            if total < 0 and "output_shape" not in attributes:
                raise InputError(f"auto_pad is {auto} for a window shorter than its stride; give pads")
            extra[len(padding)] += max(-total, 0)
            total = max(total, 0)
            small = total // 2
            padding.append((small, total - small) if auto == "SAME_UPPER" else (total - small, small))
        windows = Windows.of(windows.window, windows.stride, padding, windows.dilation)
    made = convolve_transposed(step.builder, tensor, kernel, windows, extra, groups, step.name)
    return _with_bias(step, made, bias)


def batch_normalization(step: Step) -> Tensor:
    """As in inference."""
    tensor = step.tensor()
    training = step.attributes.get("training_mode", 0) or len([name for name in step.node.output if name]) > 1
    old = step.opset < 7 and not step.attributes.get("is_test", 0)
    if training or not step.attributes.get("spatial", 1) or old:
        raise InputError("it normalises by the batch, as in training; export the model for inference")
    gain, offset, mean, variance = (step.weights(index, mixed=True) for index in range(1, 5))
    for values in (gain, offset, variance):
        if values.shape != mean.shape or mean.ndim != 1:
            raise InputError(
                f"scale, bias, mean and variance have shapes {gain.shape}, {offset.shape}, {mean.shape}, "
                f"{variance.shape}; expected one length, the number of channels"
            )
    epsilon = step.attributes.get("epsilon", 1e-5)
    return step.builder.normalise(tensor, mean, variance, epsilon, gain, offset, step.name)


def _operands(step: Step) -> tuple[Tensor | None, Tensor | None, NDArray[Any]]:
    """The operands that depend on an input, and the stored one where there is one."""
    if "axis" in step.attributes:
        raise InputError(f"it broadcasts along an axis, as before opset 7 (this is {step.opset}); convert the model")
    first, second = (step.computed(k, ended=True) if step.is_computed(k) else None for k in (0, 1))
    if first is not None and second is not None:
        step.keep_inputs_apart(first.shape, second.shape)
        return step.computed(0), step.computed(1), np.zeros(())
    return first, second, step.weights(1 if second is None else 0)


def add(step: Step) -> Tensor:
    """x + y, x + c or c + x."""
    first, second, other = _operands(step)
    if first is not None and second is not None:
        return step.builder.add(first, second, step.name)
    return _entrywise(step, first or second, other, lambda x: step.builder.shift(x, other, step.name))


def sub(step: Step) -> Tensor:
    """x - y, x - c or c - x."""
    first, second, other = _operands(step)
    if first is not None and second is not None:
        return subtract(step.builder, first, second, step.name)
    if first is not None:
        return _entrywise(step, first, other, lambda x: step.builder.shift(x, -other, step.name))
    return _entrywise(
        step, second, other, lambda x: step.builder.shift(negate(step.builder, x, step.name), other, step.name)
    )


def mul(step: Step) -> Tensor:
    """x c or c x."""
    first, second, other = _operands(step)
    if first is not None and second is not None:
        raise InputError("it multiplies two tensors that depend on the input; expected a stored value")
    if (first or second).ending and not other.all():  # type: ignore[union-attr]
        raise InputError("it multiplies by 0 what comes out of a function that is read at the end of a network only")
    return _entrywise(step, first or second, other, lambda x: step.builder.scale(x, other, step.name))


def div(step: Step) -> Tensor:
    """x / c."""
    first, second, other = _operands(step)
    if first is None or second is not None:
        raise InputError("it divides by a tensor that depends on the input; expected a stored value")
    return _entrywise(step, first, other, lambda x: step.builder.scale(x, other, step.name, divide=True))


def neg(step: Step) -> Tensor:
    """-x."""
    return _entrywise(step, step.computed(0, ended=True), np.zeros(()), lambda x: negate(step.builder, x, step.name))


def _entrywise(step: Step, tensor: Any, other: NDArray[Any], change: Callable[[Tensor], Tensor]) -> Tensor:
    """The change, of the tensor in the shape to which it and the other operand broadcast.

    Behind a function that ends the network the change is part of that, since it is one-to-one.
    """
    try:
        shape = np.broadcast_shapes(tensor.shape, other.shape)
    except ValueError:
        shape = tensor.shape  # which the change refuses
    # The first axis is left alone: more than one input may stand there when the file runs.
    grown = shape != tensor.shape and len(shape) == len(tensor.shape) and shape[:1] == tensor.shape[:1]
    if tensor.ending and grown:
        raise InputError(f"it repeats what comes out of {tensor.ending}; that is read at the end of a network only")
    changed = change(tensor.moved(np.broadcast_to(tensor.view, shape)) if grown else tensor)
    return ended(tensor, step.node.op_type) if tensor.ending else changed


def add_all(step: Step) -> Tensor:
    """Sum, and Mean, of several tensors."""
    tensors = step.operands()
    total = tensors[0]
    for tensor in tensors[1:]:
        total = step.builder.add(total, tensor, step.name)
    if step.node.op_type == "Sum" or len(tensors) == 1:
        return total
    return step.builder.scale(total, np.array(float(len(tensors))), step.name, divide=True)


def reduce(step: Step) -> Tensor:
    """ReduceSum and ReduceMean over some axes."""
    tensor = step.tensor()
    view = tensor.view
    axes = reduced_axes(step, view.ndim)
    if not axes:
        return tensor
    kept = [axis for axis in range(view.ndim) if axis not in axes]
    shape = [1 if axis in axes else view.shape[axis] for axis in range(view.ndim)]
    order = view.transpose([*kept, *axes]).reshape(prod(view.shape[axis] for axis in kept), -1)
    rows, taps = order.shape
    check_entries(rows, view.size, view.size)
    ones = sparse.csr_array(
        (np.ones(view.size), np.arange(view.size), np.arange(0, view.size + 1, taps)), shape=(rows, view.size)
    )
    out = tuple(shape) if step.attributes.get("keepdims", 1) else tuple(view.shape[axis] for axis in kept)
    total = step.builder.transform(tensor.moved(order.ravel()), ones, out, step.name)
    if step.node.op_type == "ReduceSum":
        return total
    return step.builder.scale(total, np.array(float(taps)), step.name, divide=True)


def reduced_axes(step: Step, ndim: int) -> tuple[int, ...]:
    """The axes over which a node reduces, counted from 0; none where it passes its input on."""
    given = step.integers(1, "axes")
    if not given:
        if step.attributes.get("noop_with_empty_axes"):
            return ()
        given = list(range(ndim))
    axes = tuple(sorted({axis + ndim * (axis < 0) for axis in given}))
    if not all(0 <= axis < ndim for axis in axes):
        raise InputError(f"axes is {given}; expected axes of {ndim}")
    step.keep_batch(0 not in axes)
    return axes


def average_pool(step: Step) -> Tensor:
    """Means over windows."""
    tensor = step.tensor()
    windows = read_windows(step, tuple(step.attributes.get("kernel_shape", ())), tensor.shape[2:])
    ceil, padded = bool(step.attributes.get("ceil_mode", 0)), bool(step.attributes.get("count_include_pad", 0))
    return average(step.builder, tensor, windows, step.name, ceil=ceil, padded=padded)


def global_average_pool(step: Step) -> Tensor:
    """The mean of each channel."""
    tensor = step.tensor()
    return average(step.builder, tensor, Windows.of(tensor.shape[2:]), step.name, ceil=False, padded=False)
