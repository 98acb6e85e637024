"""What each operator of ONNX does to a chain: one function an operator, in `OPERATORS`."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.exact.lossless import multiply
from polyinj.networks.onnx.graph import GraphReader
from polyinj.networks.onnx.input import FLOATS
from polyinj.networks.onnx.names import layer_name

Attributes = dict[str, Any]


def _gemm(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.only_first(node)
    matrix, offset = reader.weights(node, 1), reader.optional_weights(node, 2)
    alpha, beta = float(attributes.get("alpha", 1.0)), float(attributes.get("beta", 1.0))
    if not (isfinite(alpha) and isfinite(beta)):
        raise InputError(f"alpha is {alpha} and beta {beta}; expected finite numbers")
    if attributes.get("transA"):
        raise InputError("transA puts the batch last; expected transA = 0")
    if matrix.ndim != 2:
        raise InputError(f"the weights have shape {matrix.shape}; expected a matrix")
    matrix = matrix if attributes.get("transB") else matrix.T
    reader.chain.multiply(matrix, None, layer_name(node))
    if reader.chain.view.ndim != 2:
        raise InputError(f"what comes in has {reader.chain.view.ndim} axes; expected 2; flatten it first")
    # alpha and beta are float32; their products with float32 weights are exact in float64.
    if alpha != 1:
        reader.chain.scale(np.array(alpha), layer_name(node))
    if offset is not None and beta != 0:
        reader.chain.shift(offset if beta == 1 else multiply(offset, np.array(beta)), layer_name(node))


def _matmul(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    if node.input[0] == reader.tensor:
        reader.only_first(node)
        reader.chain.multiply(reader.weights(node, 1).T, None, layer_name(node))
    elif reader.chain.view.ndim == 1:
        reader.chain.multiply(reader.weights(node, 0), None, layer_name(node))
    else:
        raise InputError("the weights stand left of a batch; expected them on the right")


def _conv(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.only_first(node)
    kernel, bias = reader.weights(node, 1), reader.optional_weights(node, 2)
    axes = kernel.ndim - 2
    window = kernel.shape[2:]
    stride = list(attributes.get("strides", [1] * axes))
    dilation = list(attributes.get("dilations", [1] * axes))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    pads = list(attributes.get("pads", [0] * (2 * axes)))
    if axes < 1 or tuple(attributes.get("kernel_shape", window)) != window or len(pads) != 2 * axes:
        raise InputError(
            f"kernel_shape {attributes.get('kernel_shape', 'not given')} and pads {pads} do not fit a kernel of shape "
            f"{kernel.shape}"
        )
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER") or (auto != "NOTSET" and any(pads)):
        raise InputError(
            f"auto_pad is {auto!r} beside pads {pads}; expected SAME_UPPER, SAME_LOWER, VALID, or pads alone"
        )
    if bias is not None and bias.shape != kernel.shape[:1]:
        raise InputError(f"the bias has shape {bias.shape}; expected ({kernel.shape[0]},)")
    padding = list(zip(pads[:axes], pads[axes:], strict=True))
    if auto.startswith("SAME"):
        padding = []
        for size, width, jump, step in zip(reader.chain.view.shape[2:], window, stride, dilation, strict=True):
            if jump < 1:
                raise InputError(f"strides are {stride}; expected positive numbers")
            missing = max((-(-size // jump) - 1) * jump + (width - 1) * step + 1 - size, 0)
            small, large = missing // 2, missing - missing // 2
            padding.append((small, large) if auto == "SAME_UPPER" else (large, small))
    reader.chain.convolve(
        kernel,
        bias,
        layer_name(node),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=attributes.get("group", 1),
    )


def _batch_normalization(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.only_first(node)
    training = attributes.get("training_mode", 0) or len([name for name in node.output if name]) > 1
    if training or not attributes.get("spatial", 1) or (reader.opset < 7 and not attributes.get("is_test", 0)):
        raise InputError("it normalises by the batch, as in training; export the model for inference")
    gain, offset, mean, variance = (reader.weights(node, index, mixed=True) for index in range(1, 5))
    for values in (gain, offset, variance):
        if values.shape != mean.shape or mean.ndim != 1:
            raise InputError(
                f"scale, bias, mean and variance have shapes {gain.shape}, {offset.shape}, {mean.shape}, "
                f"{variance.shape}; expected one length, the number of channels"
            )
    reader.chain.normalise(mean, variance, attributes.get("epsilon", 1e-5), gain, offset, layer_name(node))


def _add(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.chain.shift(_other(reader, node, attributes), layer_name(node))


def _sub(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    other = _other(reader, node, attributes)
    if node.input[0] == reader.tensor:
        reader.chain.shift(-other, layer_name(node))
    else:
        reader.chain.scale(np.array(-1.0), layer_name(node))
        reader.chain.shift(other, layer_name(node))


def _mul(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.chain.scale(_other(reader, node, attributes), layer_name(node))


def _div(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.only_first(node)
    reader.chain.scale(_other(reader, node, attributes), layer_name(node), divide=True)


def _other(reader: GraphReader, node: Any, attributes: Attributes) -> NDArray[Any]:
    """The stored operand of an operation on two tensors."""
    if "axis" in attributes:
        raise InputError(f"it broadcasts along an axis, as before opset 7 (this is {reader.opset}); convert the model")
    index = 1 if node.input[0] == reader.tensor else 0
    return reader.weights(node, index)


def _relu(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.chain.relu(layer_name(node))


def _identity(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    pass


def _dropout(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.only_first(node)
    training = reader.stored_input(node, 2)
    drops = not attributes.get("is_test", 0) if reader.opset < 7 else training is not None and training.any()
    if drops:
        raise InputError("it drops at random, as in training; export the model for inference")


def _cast(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    from onnx import TensorProto

    to = attributes["to"]
    target = to.decode(errors="replace") if isinstance(to, bytes) else str(TensorProto.DataType.Name(to))
    if target not in FLOATS:
        raise InputError(f"it casts to {target}; expected a float type")
    if any(new < old for new, old in zip(FLOATS[target], FLOATS[reader.elem], strict=True)):
        raise InputError(f"it casts {reader.elem} to {target}, which rounds: different numbers become one; remove it")
    reader.elem = target


def _flatten(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    view = reader.chain.view
    axis = attributes.get("axis", 1)
    axis += view.ndim if axis < 0 else 0
    if not 0 <= axis <= view.ndim:
        raise InputError(f"axis is {attributes['axis']}, but the tensor has shape {view.shape}")
    reader.keep_batch(axis == 1)
    reader.chain.reshape((prod(view.shape[:axis]), -1))


def _reshape(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    reader.only_first(node)
    target = reader.stored_input(node, 1)
    target = np.array(attributes.get("shape", [])) if target is None else target
    shape = [int(length) for length in target.ravel()]
    if min(shape, default=0) < -1:
        raise InputError(f"the shape {shape} has a negative length")
    view = reader.chain.view
    if not attributes.get("allowzero"):
        shape = [view.shape[i] if length == 0 and i < view.ndim else length for i, length in enumerate(shape)]
        first_is_kept = bool(target.size) and int(target.ravel()[0]) == 0
    else:
        first_is_kept = False
    if reader.batch:
        # A first length of -1 is the batch where the others hold one input.
        reader.keep_batch(bool(shape) and (first_is_kept or shape[0] in (reader.batch, -1)))
        shape[0] = 1
    reader.chain.reshape(tuple(shape))


def _transpose(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    axes = range(reader.chain.view.ndim)
    perm = list(attributes.get("perm", reversed(axes)))
    if sorted(perm) != list(axes):
        raise InputError(f"perm is {perm}; expected each of the {len(axes)} axes once")
    reader.keep_batch(perm[:1] == [0])
    reader.chain.view = reader.chain.view.transpose(perm)


def _squeeze(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    view = reader.chain.view
    axes = _axes(reader, node, attributes, view.ndim)
    if axes is None:
        axes = tuple(axis for axis in range(bool(reader.batch), view.ndim) if view.shape[axis] == 1)
    reader.keep_batch(0 not in axes)
    reader.chain.view = view.squeeze(axes)


def _unsqueeze(reader: GraphReader, node: Any, attributes: Attributes) -> None:
    axes = _axes(reader, node, attributes, reader.chain.view.ndim, new=True)
    if axes is None:
        raise InputError("its axes are left out")
    reader.keep_batch(0 not in axes)
    reader.chain.view = np.expand_dims(reader.chain.view, axes)


def _axes(
    reader: GraphReader, node: Any, attributes: Attributes, ndim: int, *, new: bool = False
) -> tuple[int, ...] | None:
    """Axes of a tensor, or of the one with the `new` axes, counted from 0."""
    reader.only_first(node)
    stored = reader.stored_input(node, 1)
    given = attributes.get("axes") if stored is None else stored.ravel().tolist()
    if given is None:
        return None
    ndim += len(given) * new
    axes = tuple(int(axis) + ndim * (axis < 0) for axis in given)
    if not axes or len(set(axes)) < len(axes) or not all(0 <= axis < ndim for axis in axes):
        raise InputError(f"axes is {list(given)}; expected different axes of {ndim}")
    return axes


OPERATORS: dict[str, Callable[[GraphReader, Any, Attributes], None]] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Conv": _conv,
    "Div": _div,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "Identity": _identity,
    "MatMul": _matmul,
    "Mul": _mul,
    "Relu": _relu,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Sub": _sub,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
