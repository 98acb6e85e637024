"""The way from the input of an ONNX graph to a tensor, and the stored values that nodes on it read."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError, printable
from polyinj.exact.lossless import read_tensor
from polyinj.networks.builder import Chain
from polyinj.networks.network import LARGEST_MATRIX
from polyinj.networks.onnx.input import DOMAINS, FLOATS, read_input_shape, read_input_type, read_opset
from polyinj.networks.onnx.names import listed, quoted, title

# Operations that only move stored values, or shapes; evaluated where constants pass through them.
_MOVING = {"Constant", "ConstantOfShape", "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}
_MOVING |= {"Cast", "Concat", "Gather", "Slice"}


@dataclass(slots=True)
class GraphReader:
    """Where the way from the input through the graph has come to, and what it has read."""

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
    def of(cls, model: Any, file: Path, input_shape: tuple[int, ...] | None) -> GraphReader:
        graph = model.graph
        if graph.sparse_initializer:
            raise InputError(f"{file} has sparse initializers; only dense ones are read")
        stored = {tensor.name: tensor for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in stored]
        if len(inputs) != 1:
            names = listed([value.name for value in inputs])
            raise InputError(f"{file} has {len(inputs)} inputs ({names}); expected a chain with one")
        elem = read_input_type(inputs[0], file)
        batch, shape = read_input_shape(inputs[0], file, input_shape)
        made_by = {name: node for node in graph.node for name in node.output if name}
        chain = Chain(str(file), shape)
        return cls(file, graph, read_opset(model, file), chain, batch, inputs[0].name, elem, stored, made_by)

    def next_nodes(self) -> list[Any]:
        """The nodes that read the tensor; those that read only its shape become constants, as exporters mean them."""
        readers = [node for node in self.graph.node if self.tensor in node.input]
        for node in readers:
            if _is_shape(node):
                ends = {attribute.name: attribute.i for attribute in node.attribute}
                shape = self.chain.view.shape
                shape = (self.batch, *shape[1:]) if self.batch else shape
                self.values[node.output[0]] = np.array(shape[slice(ends.get("start"), ends.get("end"))], dtype=np.int64)
        return [node for node in readers if not _is_shape(node)]

    def way_out(self) -> str:
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
        numbers = read_tensor(value, quoted(node.input[index]))
        kind = self._type_of(node.input[index], value)
        if kind not in FLOATS if mixed else kind != self.elem:
            raise InputError(
                f"{quoted(node.input[index])} holds {kind}; expected {self.elem}, the type of {quoted(self.tensor)}"
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
            if node is None or node.op_type not in _MOVING or node.domain not in DOMAINS:
                what = "the input of the model" if node is None else f"computed by {title(node)}"
                raise InputError(f"{quoted(name)} is {what}; expected a stored value")
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
                    f"{quoted(name)} cannot be computed by {title(node)}: {type(error).__name__}"
                ) from None
            self.values[name] = np.asarray(results[0])
        return self.values[name]

    def keep_batch(self, kept: bool) -> None:
        """Refuse to move the first axis where it holds several inputs: what is read is the map of one of them."""
        if self.batch and not kept:
            raise InputError(f"it moves the first axis, which holds a batch of {self.batch}; export with a batch of 1")

    def only_first(self, node: Any) -> None:
        if node.input[0] != self.tensor or list(node.input).count(self.tensor) > 1:
            raise InputError(f"{quoted(self.tensor)} is expected as its first input, and only there")


def _is_shape(node: Any) -> bool:
    return bool(node.op_type == "Shape" and node.domain in DOMAINS)


def _check_moved(node: Any, values: list[NDArray[Any] | None]) -> None:
    """Refuse what would make a small file large in memory, and values that are no dense arrays."""
    sizes = [0 if value is None else value.size for value in values]
    size = sum(sizes)
    if node.op_type == "ConstantOfShape" and values[0] is not None:
        size = prod(int(length) for length in values[0].ravel())
    if node.op_type == "Gather":
        size = prod(sizes)
    if size > LARGEST_MATRIX:
        raise InputError(f"{title(node)} makes up to {size} values; allowed are {LARGEST_MATRIX}")
    if any(attribute.name == "sparse_value" for attribute in node.attribute):
        raise InputError(f"{title(node)} holds a sparse tensor; only dense ones are read")
