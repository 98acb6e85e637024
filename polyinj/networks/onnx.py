"""Read a chain of affine operations and ReLUs from an ONNX file, with the `onnx` package alone.

What is read is the function of one input that a runtime computes, but for the rounding of floating point. What a
runtime would compute otherwise, such as integer division, is refused at the node that does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError, printable
from polyinj.networks.builder import LARGEST_MATRIX, Chain
from polyinj.networks.lossless import multiply, read_tensor
from polyinj.networks.network import Network

# Operations that only move stored values, or shapes; evaluated where constants pass through them.
_MOVING = {"Constant", "ConstantOfShape", "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}
_MOVING |= {"Cast", "Concat", "Gather", "Slice"}
_DOMAINS = ("", "ai.onnx")
# Bits of significand and of exponent: a type holds the values of another that has no more of either.
_FLOATS = {"FLOAT16": (11, 5), "BFLOAT16": (8, 8), "FLOAT": (24, 8), "DOUBLE": (53, 11)}


def read_onnx(file: Path, *, input_shape: tuple[int, ...] | None = None, until: str | None = None) -> Network:
    """Read a network from an .onnx file; see `polyinj.networks.files.read_network`."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise InputError(f"reading {file} needs the package onnx; try: pip install 'polyinj[onnx]'") from None
    try:
        model = onnx.load(str(file), load_external_data=False)
        _refuse_external_data(model, file)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, OSError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        first = next(iter(str(error).strip().splitlines()), "not decodable")
        raise InputError(f"{file} is not a valid ONNX model: {printable(first, 300)}") from None
    return _Walk.of(model, file, input_shape).to_the_end(until)


def _refuse_external_data(model: Any, file: Path) -> None:
    import onnx

    stored = [*model.graph.initializer]
    stored += [a.t for node in model.graph.node for a in node.attribute if a.type == onnx.AttributeProto.TENSOR]
    for tensor in stored:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "another file")
            raise InputError(
                f"{file} keeps {_quoted(tensor.name)} outside, in {printable(where)}; only self-contained files are "
                "read; save the model again with its data inside (onnx.save with save_as_external_data=False)"
            )


@dataclass(slots=True)
class _Walk:
    """The way from the input through the graph."""

    file: Path
    graph: Any
    opset: int
    chain: Chain
    batch: int | None
    """The length of axis 0 where the file fixes it to more than 1: that axis then stays first, for the batch."""
    tensor: str
    elem: str
    """The type of the tensor's entries."""
    stored: dict[str, Any]
    made_by: dict[str, Any]
    values: dict[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any, file: Path, input_shape: tuple[int, ...] | None) -> _Walk:
        graph = model.graph
        if graph.sparse_initializer:
            raise InputError(f"{file} has sparse initializers; only dense ones are read")
        stored = {tensor.name: tensor for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in stored]
        if len(inputs) != 1:
            names = _listed([value.name for value in inputs])
            raise InputError(f"{file} has {len(inputs)} inputs ({names}); expected a chain with one")
        elem = _input_type(inputs[0], file)
        batch, shape = _input_shape(inputs[0], file, input_shape)
        made_by = {name: node for node in graph.node for name in node.output if name}
        chain = Chain(str(file), shape)
        return cls(file, graph, _opset(model, file), chain, batch, inputs[0].name, elem, stored, made_by)

    def to_the_end(self, until: str | None) -> Network:
        passed = [self.tensor]
        outputs = [value.name for value in self.graph.output]
        if until is None and len(outputs) != 1:
            raise InputError(
                f"{self.file} has {len(outputs)} outputs ({_listed(outputs)}), which together may be injective where "
                "one is not; expected one; --until and the name of a tensor reads the map to that tensor alone"
            )
        end = outputs[0] if until is None else until
        while self.tensor != end:
            readers = self._readers()
            if not readers:
                break
            if len(readers) > 1:
                raise InputError(
                    f"{self.file}: the tensor {_quoted(self.tensor)} is read by {len(readers)} nodes "
                    f"({', '.join(map(_title, readers[:4]))}); expected a chain{self._way_out()}"
                )
            self._step(readers[0])
            passed.append(self.tensor)
        if until is not None and self.tensor != until:
            raise InputError(f"{self.file} has no tensor {until!r} on its chain; there are {_listed(passed)}")
        if until is None and self.tensor != end:
            raise InputError(f"{self.file}: the chain ends at {_quoted(self.tensor)}, which is no output of the model")
        return self.chain.finish()

    def _readers(self) -> list[Any]:
        """The nodes that read the tensor; those that read only its shape become constants, as exporters mean them."""
        readers = [node for node in self.graph.node if self.tensor in node.input]
        for node in readers:
            if _is_shape(node):
                ends = {attribute.name: attribute.i for attribute in node.attribute}
                shape = self.chain.view.shape
                shape = (self.batch, *shape[1:]) if self.batch else shape
                self.values[node.output[0]] = np.array(shape[slice(ends.get("start"), ends.get("end"))], dtype=np.int64)
        return [node for node in readers if not _is_shape(node)]

    def _step(self, node: Any) -> None:
        import onnx

        handler = _HANDLERS.get(node.op_type) if node.domain in _DOMAINS else None
        if handler is None:
            raise InputError(
                f"{self.file}: the node {_title(node)} is not supported; a chain of {', '.join(sorted(_HANDLERS))} is "
                f"read{self._way_out()}"
            )
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        try:
            handler(self, node, attributes)
        except RecursionError:
            raise InputError(
                f"{self.file}: node {_title(node)}: its stored values pass through too many nodes"
            ) from None
        except (ValueError, IndexError, OverflowError) as error:  # InputError, or NumPy on what does not fit
            raise InputError(f"{self.file}: node {_title(node)}: {error}") from None
        self.tensor = node.output[0]

    def _way_out(self) -> str:
        if self.tensor in {value.name for value in self.graph.input}:
            return ""
        return f"; --until {printable(self.tensor)} reads the part before it"

    def stored_input(self, node: Any, index: int) -> NDArray[Any] | None:
        """The stored value of an input of a node; None where an optional input is left out."""
        left_out = index >= len(node.input) or not node.input[index]
        return None if left_out else self._value(node.input[index])

    def optional_weights(self, node: Any, index: int, *, mixed: bool = False) -> NDArray[Any] | None:
        """The stored value of an input as exact numbers; None where it is left out.

        Its type is that of the tensor, since no operation converts; `mixed`: any type of floats.
        """
        value = self.stored_input(node, index)
        if value is None:
            return None
        numbers = read_tensor(value, _quoted(node.input[index]))
        kind = self._type_of(node.input[index], value)
        if kind not in _FLOATS if mixed else kind != self.elem:
            raise InputError(
                f"{_quoted(node.input[index])} holds {kind}; expected {self.elem}, the type of {_quoted(self.tensor)}"
            )
        return numbers

    def weights(self, node: Any, index: int, *, mixed: bool = False) -> NDArray[Any]:
        """The stored value of an input as exact numbers."""
        value = self.optional_weights(node, index, mixed=mixed)
        if value is None:
            raise InputError(f"its input {index} is left out")
        return value

    def _type_of(self, name: str, value: NDArray[Any]) -> str:
        from onnx import TensorProto, helper

        stored = self.stored.get(name)
        number = helper.np_dtype_to_tensor_dtype(value.dtype) if stored is None else stored.data_type
        return str(TensorProto.DataType.Name(number))

    def _value(self, name: str) -> NDArray[Any]:
        from onnx import helper, numpy_helper
        from onnx.reference import ReferenceEvaluator

        if name in self.stored:
            return np.asarray(numpy_helper.to_array(self.stored[name]))
        if name not in self.values:
            node = self.made_by.get(name)
            if node is None or node.op_type not in _MOVING or node.domain not in _DOMAINS:
                what = "the input of the model" if node is None else f"computed by {_title(node)}"
                raise InputError(f"{_quoted(name)} is {what}; expected a stored value")
            feeds = {given: self._value(given) for given in node.input if given}
            _check_moved(node, [feeds.get(given) for given in node.input])
            inputs = [helper.make_tensor_value_info(given, 0, None) for given in feeds]
            outputs = [helper.make_tensor_value_info(name, 0, None)]
            part = helper.make_model(
                helper.make_graph([node], "constant", inputs, outputs),
                opset_imports=[helper.make_opsetid("", self.opset)],
            )
            try:
                results: Any = ReferenceEvaluator(part).run(None, feeds)
            except Exception as error:  # whatever onnx raises where values do not fit
                raise InputError(
                    f"{_quoted(name)} cannot be computed by {_title(node)}: {type(error).__name__}"
                ) from None
            self.values[name] = np.asarray(results[0])
        return self.values[name]

    def keep_batch(self, kept: bool) -> None:
        """Refuse to move the first axis where it holds several inputs: what is read is the map of one of them."""
        if self.batch and not kept:
            raise InputError(f"it moves the first axis, which holds a batch of {self.batch}; export with a batch of 1")

    def only_first(self, node: Any) -> None:
        if node.input[0] != self.tensor or list(node.input).count(self.tensor) > 1:
            raise InputError(f"{_quoted(self.tensor)} is expected as its first input, and only there")


def _title(node: Any) -> str:
    return f"{_quoted(node.name or node.output[0])} ({printable(node.op_type)})"


def _quoted(name: str) -> str:
    return f"'{printable(name)}'"


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(printable, names[:20])) or "none"
    return f"{shown}, ..." if len(names) > 20 else shown


def _is_shape(node: Any) -> bool:
    return bool(node.op_type == "Shape" and node.domain in _DOMAINS)


def _check_moved(node: Any, values: list[NDArray[Any] | None]) -> None:
    """Refuse what would make a small file large in memory, and values that are no dense arrays."""
    sizes = [0 if value is None else value.size for value in values]
    size = sum(sizes)
    if node.op_type == "ConstantOfShape" and values[0] is not None:
        size = prod(int(length) for length in values[0].ravel())
    if node.op_type == "Gather":
        size = prod(sizes)
    if size > LARGEST_MATRIX:
        raise InputError(f"{_title(node)} makes up to {size} values; allowed are {LARGEST_MATRIX}")
    if any(attribute.name == "sparse_value" for attribute in node.attribute):
        raise InputError(f"{_title(node)} holds a sparse tensor; only dense ones are read")


def _opset(model: Any, file: Path) -> int:
    """The version of the standard operators."""
    from onnx.defs import onnx_opset_version

    versions = {entry.version for entry in model.opset_import if entry.domain in _DOMAINS} or {1}
    if len(versions) > 1 or max(versions) > onnx_opset_version():
        given = " and ".join(map(str, sorted(versions)))
        raise InputError(f"{file} is of opset {given}; expected one of at most {onnx_opset_version()}")
    for function in model.functions:
        if function.domain in _DOMAINS:
            raise InputError(f"{file} defines its own {_quoted(function.name)} among the standard operators")
    return int(versions.pop())


def _input_type(value: Any, file: Path) -> str:
    """The type of the input's entries: one of `_FLOATS`."""
    from onnx import TensorProto

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise InputError(f"{file}: the input {_quoted(value.name)} is a {kind}; expected a tensor")
    elem = str(TensorProto.DataType.Name(value.type.tensor_type.elem_type))
    if elem not in _FLOATS:
        raise InputError(
            f"{file}: the input {_quoted(value.name)} holds {elem}; expected {', '.join(_FLOATS)}: a network is "
            "read as a function of real numbers"
        )
    return elem


def _input_shape(value: Any, file: Path, given: tuple[int, ...] | None) -> tuple[int | None, tuple[int, ...] | None]:
    """The length of the batch axis where it is fixed to more than 1, and the shape of the input with a batch of one."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None, None if given is None else _bounded((1, *given), file)
    # Some exporters write 0 or -1 for a length that is open.
    lengths = [axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in kind.shape.dim]
    shown = _listed([axis.dim_param or str(axis.dim_value or "?") for axis in kind.shape.dim])
    if given is not None:
        one = lengths if len(lengths) == 1 else lengths[1:]
        if len(one) != len(given) or any(a not in (None, b) for a, b in zip(one, given, strict=True)):
            raise InputError(f"the input shape {given} does not fit {file}, whose input has the shape ({shown})")
        one = list(given)
    elif len(lengths) == 1 and lengths[0]:
        one = lengths
    elif len(lengths) == 2:
        one = lengths[1:]
    elif len(lengths) < 2 or not all(lengths[1:]):
        raise InputError(
            f"{file} leaves the shape ({shown}) of its input open; give the shape of one input, such as "
            "--input-shape 1,28,28"
        )
    else:
        one = lengths[1:]
    single = len(lengths) == 1
    batch = None if single or lengths[0] == 1 else lengths[0]
    known = tuple(length for length in one if length)
    return batch, None if len(known) < len(one) else _bounded(known if single else (1, *known), file)


def _bounded(shape: tuple[int, ...], file: Path) -> tuple[int, ...]:
    if prod(shape) > LARGEST_MATRIX:
        raise InputError(f"{file}: an input of shape {shape} has {prod(shape)} entries; allowed are {LARGEST_MATRIX}")
    return shape


def _gemm(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.only_first(node)
    matrix, offset = walk.weights(node, 1), walk.optional_weights(node, 2)
    alpha, beta = float(attributes.get("alpha", 1.0)), float(attributes.get("beta", 1.0))
    if not (isfinite(alpha) and isfinite(beta)):
        raise InputError(f"alpha is {alpha} and beta {beta}; expected finite numbers")
    if attributes.get("transA"):
        raise InputError("transA puts the batch last; expected transA = 0")
    if matrix.ndim != 2:
        raise InputError(f"the weights have shape {matrix.shape}; expected a matrix")
    matrix = matrix if attributes.get("transB") else matrix.T
    walk.chain.multiply(matrix, None, _name(node))
    if walk.chain.view.ndim != 2:
        raise InputError(f"what comes in has {walk.chain.view.ndim} axes; expected 2; flatten it first")
    # alpha and beta are float32; their products with float32 weights are exact in float64.
    if alpha != 1:
        walk.chain.scale(np.array(alpha), _name(node))
    if offset is not None and beta != 0:
        walk.chain.shift(offset if beta == 1 else multiply(offset, np.array(beta)), _name(node))


def _matmul(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    if node.input[0] == walk.tensor:
        walk.only_first(node)
        walk.chain.multiply(walk.weights(node, 1).T, None, _name(node))
    elif walk.chain.view.ndim == 1:
        walk.chain.multiply(walk.weights(node, 0), None, _name(node))
    else:
        raise InputError("the weights stand left of a batch; expected them on the right")


def _conv(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.only_first(node)
    kernel, bias = walk.weights(node, 1), walk.optional_weights(node, 2)
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
        for size, width, jump, step in zip(walk.chain.view.shape[2:], window, stride, dilation, strict=True):
            if jump < 1:
                raise InputError(f"strides are {stride}; expected positive numbers")
            missing = max((-(-size // jump) - 1) * jump + (width - 1) * step + 1 - size, 0)
            small, large = missing // 2, missing - missing // 2
            padding.append((small, large) if auto == "SAME_UPPER" else (large, small))
    walk.chain.convolve(
        kernel,
        bias,
        _name(node),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=attributes.get("group", 1),
    )


def _batch_normalization(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.only_first(node)
    training = attributes.get("training_mode", 0) or len([name for name in node.output if name]) > 1
    if training or not attributes.get("spatial", 1) or (walk.opset < 7 and not attributes.get("is_test", 0)):
        raise InputError("it normalises by the batch, as in training; export the model for inference")
    gain, offset, mean, variance = (walk.weights(node, index, mixed=True) for index in range(1, 5))
    for values in (gain, offset, variance):
        if values.shape != mean.shape or mean.ndim != 1:
            raise InputError(
                f"scale, bias, mean and variance have shapes {gain.shape}, {offset.shape}, {mean.shape}, "
                f"{variance.shape}; expected one length, the number of channels"
            )
    walk.chain.normalise(mean, variance, attributes.get("epsilon", 1e-5), gain, offset, _name(node))


def _add(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.chain.shift(_other(walk, node, attributes), _name(node))


def _sub(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    other = _other(walk, node, attributes)
    if node.input[0] == walk.tensor:
        walk.chain.shift(-other, _name(node))
    else:
        walk.chain.scale(np.array(-1.0), _name(node))
        walk.chain.shift(other, _name(node))


def _mul(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.chain.scale(_other(walk, node, attributes), _name(node))


def _div(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.only_first(node)
    walk.chain.scale(_other(walk, node, attributes), _name(node), divide=True)


def _other(walk: _Walk, node: Any, attributes: dict[str, Any]) -> NDArray[Any]:
    """The stored operand of an operation on two tensors."""
    if "axis" in attributes:
        raise InputError(f"it broadcasts along an axis, as before opset 7 (this is {walk.opset}); convert the model")
    index = 1 if node.input[0] == walk.tensor else 0
    return walk.weights(node, index)


def _relu(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.chain.relu(_name(node))


def _identity(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    pass


def _dropout(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.only_first(node)
    training = walk.stored_input(node, 2)
    drops = not attributes.get("is_test", 0) if walk.opset < 7 else training is not None and training.any()
    if drops:
        raise InputError("it drops at random, as in training; export the model for inference")


def _cast(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    from onnx import TensorProto

    to = attributes["to"]
    target = to.decode(errors="replace") if isinstance(to, bytes) else str(TensorProto.DataType.Name(to))
    if target not in _FLOATS:
        raise InputError(f"it casts to {target}; expected a float type")
    if any(new < old for new, old in zip(_FLOATS[target], _FLOATS[walk.elem], strict=True)):
        raise InputError(f"it casts {walk.elem} to {target}, which rounds: different numbers become one; remove it")
    walk.elem = target


def _flatten(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    view = walk.chain.view
    axis = attributes.get("axis", 1)
    axis += view.ndim if axis < 0 else 0
    if not 0 <= axis <= view.ndim:
        raise InputError(f"axis is {attributes['axis']}, but the tensor has shape {view.shape}")
    walk.keep_batch(axis == 1)
    walk.chain.reshape((prod(view.shape[:axis]), -1))


def _reshape(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.only_first(node)
    target = walk.stored_input(node, 1)
    target = np.array(attributes.get("shape", [])) if target is None else target
    shape = [int(length) for length in target.ravel()]
    if min(shape, default=0) < -1:
        raise InputError(f"the shape {shape} has a negative length")
    view = walk.chain.view
    if not attributes.get("allowzero"):
        shape = [view.shape[i] if length == 0 and i < view.ndim else length for i, length in enumerate(shape)]
        first_is_kept = bool(target.size) and int(target.ravel()[0]) == 0
    else:
        first_is_kept = False
    if walk.batch:
        # A first length of -1 is the batch where the others hold one input.
        walk.keep_batch(bool(shape) and (first_is_kept or shape[0] in (walk.batch, -1)))
        shape[0] = 1
    walk.chain.reshape(tuple(shape))


def _transpose(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    axes = range(walk.chain.view.ndim)
    perm = list(attributes.get("perm", reversed(axes)))
    if sorted(perm) != list(axes):
        raise InputError(f"perm is {perm}; expected each of the {len(axes)} axes once")
    walk.keep_batch(perm[:1] == [0])
    walk.chain.view = walk.chain.view.transpose(perm)


def _squeeze(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    view = walk.chain.view
    axes = _axes(walk, node, attributes, view.ndim)
    if axes is None:
        axes = tuple(axis for axis in range(bool(walk.batch), view.ndim) if view.shape[axis] == 1)
    walk.keep_batch(0 not in axes)
    walk.chain.view = view.squeeze(axes)


def _unsqueeze(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    axes = _axes(walk, node, attributes, walk.chain.view.ndim, new=True)
    if axes is None:
        raise InputError("its axes are left out")
    walk.keep_batch(0 not in axes)
    walk.chain.view = np.expand_dims(walk.chain.view, axes)


def _axes(
    walk: _Walk, node: Any, attributes: dict[str, Any], ndim: int, *, new: bool = False
) -> tuple[int, ...] | None:
    """Axes of a tensor, or of one with so many new axes, counted from 0."""
    walk.only_first(node)
    stored = walk.stored_input(node, 1)
    given = attributes.get("axes") if stored is None else stored.ravel().tolist()
    if given is None:
        return None
    ndim += len(given) * new
    axes = tuple(int(axis) + ndim * (axis < 0) for axis in given)
    if not axes or len(set(axes)) < len(axes) or not all(0 <= axis < ndim for axis in axes):
        raise InputError(f"axes is {list(given)}; expected different axes of {ndim}")
    return axes


def _name(node: Any) -> str:
    return printable(node.name or node.output[0])


_HANDLERS: dict[str, Callable[[_Walk, Any, dict[str, Any]], None]] = {
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
