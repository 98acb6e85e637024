"""Read a chain of affine operations and ReLUs from an ONNX file, with the `onnx` package alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.networks.model import Network
from polyinj.networks.readers.chain import Chain
from polyinj.networks.readers.lossless import multiply, read_tensor

# Operations that only move stored values, or shapes; evaluated where constants pass through them.
_MOVING = {"Constant", "ConstantOfShape", "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}
_MOVING |= {"Cast", "Concat", "Gather", "Slice"}


def read_onnx(file: Path, *, input_shape: tuple[int, ...] | None = None, until: str | None = None) -> Network:
    """Read a network from an .onnx file; see `polyinj.networks.weights.read_network`."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise InputError(f"reading {file} needs the package onnx; try: pip install 'polyinj[onnx]'") from None
    try:
        model = onnx.load(str(file), load_external_data=False)
        _refuse_external_data(model, file)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        first = next(iter(str(error).strip().splitlines()), "not decodable")
        raise InputError(f"{file} is not a valid ONNX model: {first}") from None
    return _Walk.of(model, file, input_shape).to_the_end(until)


def _refuse_external_data(model: Any, file: Path) -> None:
    import onnx

    stored = [*model.graph.initializer]
    stored += [a.t for node in model.graph.node for a in node.attribute if a.type == onnx.AttributeProto.TENSOR]
    for tensor in stored:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "another file")
            raise InputError(
                f"{file} keeps {tensor.name!r} outside, in {where}; only self-contained files are read; save the model "
                "again with its data inside (onnx.save with save_as_external_data=False)"
            )


@dataclass(slots=True)
class _Walk:
    """The way from the input through the graph."""

    file: Path
    graph: Any
    opset: int
    chain: Chain
    batch: int | None
    tensor: str
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
            names = ", ".join(value.name for value in inputs) or "none"
            raise InputError(f"{file} has {len(inputs)} inputs ({names}); expected a chain with one")
        batch, shape = _input_shape(inputs[0], file, input_shape)
        opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)
        made_by = {name: node for node in graph.node for name in node.output if name}
        return cls(file, graph, opset, Chain(str(file), shape), batch, inputs[0].name, stored, made_by)

    def to_the_end(self, until: str | None) -> Network:
        passed = [self.tensor]
        while self.tensor != until:
            readers = self._readers()
            if not readers:
                break
            if len(readers) > 1:
                raise InputError(
                    f"{self.file}: the tensor {self.tensor!r} is read by {len(readers)} nodes "
                    f"({', '.join(map(_title, readers))}); expected a chain{self._way_out()}"
                )
            self._step(readers[0])
            passed.append(self.tensor)
        if until is not None and self.tensor != until:
            raise InputError(f"{self.file} has no tensor {until!r} on its chain; there are {', '.join(passed)}")
        if until is None and self.tensor not in {value.name for value in self.graph.output}:
            raise InputError(f"{self.file}: the chain ends at {self.tensor!r}, which is no output of the model")
        return self.chain.finish()

    def _readers(self) -> list[Any]:
        """The nodes that read the tensor; those that read only its shape become constants, as exporters mean them."""
        readers = [node for node in self.graph.node if self.tensor in node.input]
        for node in readers:
            if node.op_type == "Shape":
                ends = {attribute.name: attribute.i for attribute in node.attribute}
                shape = self.chain.view.shape[slice(ends.get("start"), ends.get("end"))]
                self.values[node.output[0]] = np.array(shape, dtype=np.int64)
        return [node for node in readers if node.op_type != "Shape"]

    def _step(self, node: Any) -> None:
        import onnx

        handler = _HANDLERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if handler is None:
            raise InputError(
                f"{self.file}: the node {_title(node)} is not supported; a chain of {', '.join(sorted(_HANDLERS))} is "
                f"read{self._way_out()}"
            )
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        try:
            handler(self, node, attributes)
        except (ValueError, IndexError) as error:  # InputError, or NumPy on axes and shapes that do not fit
            raise InputError(f"{self.file}: node {_title(node)}: {error}") from None
        self.tensor = node.output[0]

    def _way_out(self) -> str:
        if self.tensor in {value.name for value in self.graph.input}:
            return ""
        return f"; --until {self.tensor} reads the part before it"

    def stored_input(self, node: Any, index: int) -> NDArray[Any] | None:
        """The stored value of an input of a node; None where an optional input is left out."""
        left_out = index >= len(node.input) or not node.input[index]
        return None if left_out else self._value(node.input[index])

    def optional_weights(self, node: Any, index: int) -> NDArray[Any] | None:
        """The stored value of an input as exact numbers; None where it is left out."""
        value = self.stored_input(node, index)
        return None if value is None else read_tensor(value, repr(node.input[index]))

    def weights(self, node: Any, index: int) -> NDArray[Any]:
        """The stored value of an input as exact numbers."""
        value = self.optional_weights(node, index)
        if value is None:
            raise InputError(f"its input {index} is left out")
        return value

    def _value(self, name: str) -> NDArray[Any]:
        from onnx import helper, numpy_helper
        from onnx.reference import ReferenceEvaluator

        if name in self.stored:
            return np.asarray(numpy_helper.to_array(self.stored[name]))
        if name not in self.values:
            node = self.made_by.get(name)
            if node is None or node.op_type not in _MOVING:
                what = "the input of the model" if node is None else f"computed by {_title(node)}"
                raise InputError(f"{name!r} is {what}; expected a stored value")
            feeds = {given: self._value(given) for given in node.input if given}
            inputs = [helper.make_tensor_value_info(given, 0, None) for given in feeds]
            outputs = [helper.make_tensor_value_info(name, 0, None)]
            part = helper.make_model(
                helper.make_graph([node], "constant", inputs, outputs),
                opset_imports=[helper.make_opsetid("", self.opset)],
            )
            results: Any = ReferenceEvaluator(part).run(None, feeds)
            self.values[name] = np.asarray(results[0])
        return self.values[name]

    def only_first(self, node: Any) -> None:
        if node.input[0] != self.tensor or list(node.input).count(self.tensor) > 1:
            raise InputError(f"{self.tensor!r} is expected as its first input, and only there")


def _title(node: Any) -> str:
    return f"{(node.name or node.output[0])!r} ({node.op_type})"


def _input_shape(value: Any, file: Path, given: tuple[int, ...] | None) -> tuple[int | None, tuple[int, ...] | None]:
    """The length of the batch axis where it is fixed, and the shape of the input with a batch of one."""
    if given is not None:
        return None, (1, *given)
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None, None
    lengths = [axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim]
    if len(lengths) == 1 and lengths[0]:
        return None, (lengths[0],)
    if len(lengths) == 2 and not lengths[1]:
        return None, None
    if len(lengths) < 2 or not all(lengths[1:]):
        shown = ", ".join(axis.dim_param or str(axis.dim_value or "?") for axis in kind.shape.dim)
        raise InputError(
            f"{file} leaves the shape ({shown}) of its input open; give the shape of one input, such as "
            "--input-shape 1,28,28"
        )
    return lengths[0], (1, *(int(length) for length in lengths[1:] if length))


def _gemm(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.only_first(node)
    matrix, offset = walk.weights(node, 1), walk.optional_weights(node, 2)
    if attributes.get("transA"):
        raise InputError("transA puts the batch last; expected transA = 0")
    if matrix.ndim != 2:
        raise InputError(f"the weights have shape {matrix.shape}; expected a matrix")
    matrix = matrix if attributes.get("transB") else matrix.T
    walk.chain.multiply(matrix, None, _name(node))
    # alpha and beta are float32; their products with float32 weights are exact in float64.
    if (alpha := attributes.get("alpha", 1.0)) != 1:
        walk.chain.scale(np.array(float(alpha)), _name(node))
    if offset is not None and (beta := attributes.get("beta", 1.0)) != 0:
        walk.chain.shift(offset if beta == 1 else multiply(offset, np.array(float(beta))), _name(node))


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
    stride = list(attributes.get("strides", [1] * axes))
    dilation = list(attributes.get("dilations", [1] * axes))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    pads = list(attributes.get("pads", [0] * (2 * axes)))
    padding = list(zip(pads[:axes], pads[axes:], strict=False))
    if auto == "VALID":
        padding = [(0, 0)] * axes
    elif auto != "NOTSET":
        padding = []
        for size, window, jump, step in zip(
            walk.chain.view.shape[2:], kernel.shape[2:], stride, dilation, strict=False
        ):
            missing = max((-(-size // jump) - 1) * jump + (window - 1) * step + 1 - size, 0)
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
    gain, offset, mean, variance = (walk.weights(node, index) for index in range(1, 5))
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
    training = walk.stored_input(node, 2)
    if training is not None and training.any():
        raise InputError("it drops at random, as in training; export the model for inference")


def _cast(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    if attributes["to"] not in floats:
        raise InputError(f"it casts to {TensorProto.DataType.Name(attributes['to'])}; expected a float type")


def _flatten(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    view = walk.chain.view
    axis = attributes.get("axis", 1)
    axis += view.ndim if axis < 0 else 0
    walk.chain.reshape((int(np.prod(view.shape[:axis], dtype=np.int64)), -1))


def _reshape(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.only_first(node)
    target = walk.stored_input(node, 1)
    target = np.array(attributes["shape"]) if target is None else target
    shape = [int(length) for length in target.ravel()]
    view = walk.chain.view
    if not attributes.get("allowzero"):
        shape = [view.shape[i] if length == 0 and i < view.ndim else length for i, length in enumerate(shape)]
    if shape and walk.batch and shape[0] == walk.batch:
        shape[0] = 1
    walk.chain.reshape(tuple(shape))


def _transpose(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    walk.chain.view = walk.chain.view.transpose(attributes.get("perm"))


def _squeeze(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    axes = _axes(walk, node, attributes)
    walk.chain.view = walk.chain.view.squeeze(axes)


def _unsqueeze(walk: _Walk, node: Any, attributes: dict[str, Any]) -> None:
    axes = _axes(walk, node, attributes)
    assert axes is not None
    walk.chain.view = np.expand_dims(walk.chain.view, axes)


def _axes(walk: _Walk, node: Any, attributes: dict[str, Any]) -> tuple[int, ...] | None:
    stored = walk.stored_input(node, 1)
    axes = attributes.get("axes") if stored is None else stored.tolist()
    return None if axes is None else tuple(int(axis) for axis in axes)


def _name(node: Any) -> str:
    return str(node.name or node.output[0])


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
