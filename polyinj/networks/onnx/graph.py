"""The tensors of an ONNX graph that depend on its inputs, and one node on the way from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError, printable
from polyinj.exact.lossless import read_tensor
from polyinj.networks.builder import Builder, Tensor
from polyinj.networks.onnx.constants import Constants
from polyinj.networks.onnx.input import DOMAINS, FLOATS, read_input_shape, read_input_type, read_opset
from polyinj.networks.onnx.names import layer_name, quoted


@dataclass(slots=True)
class GraphReader:
    """What has been read of a graph: for each name that depends on an input, its tensor and the type of its entries."""

    file: Path
    graph: Any
    opset: int
    builder: Builder
    constants: Constants
    batch: int | None = None
    """The length of axis 0 where the file fixes it to more than 1: that axis then stays first, for the batch."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    input_shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, model: Any, file: Path, input_shape: tuple[int, ...] | None) -> GraphReader:
        """With its inputs read."""
        graph = model.graph
        if graph.sparse_initializer:
            raise InputError(f"{file} has sparse initializers; only dense ones are read")
        stored = {tensor.name: tensor for tensor in graph.initializer}
        made_by = {name: node for node in graph.node for name in node.output if name}
        opset = read_opset(model, file)
        reader = cls(file, graph, opset, Builder(str(file)), Constants(stored, made_by, opset))
        reader._read_inputs([value for value in graph.input if value.name not in stored], input_shape)
        return reader

    def _read_inputs(self, inputs: list[Any], given: tuple[int, ...] | None) -> None:
        if not inputs:
            raise InputError(f"{self.file} has no input; expected at least one")
        if given is not None and len(inputs) > 1:
            raise InputError(
                f"the input shape {given} is for one input, but {self.file} has {len(inputs)}; expected a file that "
                "stores their shapes"
            )
        self.types = {value.name: read_input_type(value, self.file) for value in inputs}
        shapes = [read_input_shape(value, self.file, given, self._first_columns) for value in inputs]
        batches = {shape.batch for shape in shapes}
        self.batch = batches.pop() if len(batches) == 1 else None
        for value, shape in zip(inputs, shapes, strict=True):
            # First axes of different lengths are no batch.
            longer = (shape.batch, *shape.whole[1:]) if shape.batch and not self.batch else shape.whole
            self.tensors[value.name] = self.builder.input(longer)
        self.input_shape = shapes[0].single if len(inputs) == 1 else (self.builder.inputs,)

    def _first_columns(self, name: str) -> int | None:
        """How long the vectors are that the first matrix takes, where only what keeps shapes stands before it."""
        for _ in range(len(self.graph.node)):
            readers = [node for node in self.graph.node if name in node.input and not is_shape(node)]
            if len(readers) != 1 or readers[0].domain not in DOMAINS:
                return None
            (node,) = readers
            if node.op_type in ("Gemm", "MatMul") and node.input[0] == name and len(node.input) > 1:
                try:
                    matrix = self.constants.value(node.input[1])
                except InputError:  # it is said where the node is read
                    return None
                turned = any(a.name == "transB" and a.i for a in node.attribute)
                return int(matrix.shape[-1 if turned else 0]) if matrix.ndim == 2 else None
            if node.op_type not in ("Identity", "Dropout", "Cast", "Relu", "Flatten", "LeakyRelu", "Abs", "Neg"):
                return None
            name = node.output[0]
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """One node that reads tensors which depend on an input; `attributes` by name."""

    reader: GraphReader
    node: Any
    attributes: dict[str, Any]

    @property
    def builder(self) -> Builder:
        """Of the network."""
        return self.reader.builder

    @property
    def opset(self) -> int:
        """Of the file."""
        return self.reader.opset

    @property
    def name(self) -> str:
        """What the layer is called that this node makes."""
        return layer_name(self.node)

    @property
    def first(self) -> str:
        """The first of its inputs that depends on an input of the graph."""
        return str(next(name for name in self.node.input if name in self.reader.tensors))

    @property
    def elem(self) -> str:
        """The type of the entries of that."""
        return self.reader.types[self.first]

    def is_computed(self, index: int) -> bool:
        """Whether an input depends on an input of the graph."""
        return index < len(self.node.input) and self.node.input[index] in self.reader.tensors

    def tensor(self) -> Tensor:
        """Its first input, where nothing else it reads depends on an input of the graph."""
        computed = [name for name in self.node.input if name in self.reader.tensors]
        if computed != [self.node.input[0]]:
            raise InputError(f"{quoted(self.first)} is expected as its first input, and only there")
        return self.computed(0)

    def computed(self, index: int, *, ended: bool = False) -> Tensor:
        """An input that depends on an input of the graph; one behind a function such as Sigmoid only if `ended`."""
        name = self.node.input[index]
        tensor = self.reader.tensors[name]
        if tensor.ending and not ended:
            raise InputError(
                f"{quoted(name)} comes out of {tensor.ending}, which is not piecewise linear; that is read at the end "
                "of a network only"
            )
        if self.reader.types[name] != self.elem:
            raise InputError(f"it reads {self.elem} and {self.reader.types[name]}; expected one type")
        return tensor

    def operands(self, indices: range | None = None) -> list[Tensor]:
        """Its inputs, stored ones as tensors of numbers."""
        found = [
            self.computed(index) if self.is_computed(index) else self.builder.constant(self.weights(index))
            for index in indices or range(len(self.node.input))
        ]
        self.keep_inputs_apart(*(tensor.shape for tensor in found))
        return found

    def stored(self, index: int) -> NDArray[Any] | None:
        """The stored value of an input; None where an optional input is left out."""
        left_out = index >= len(self.node.input) or not self.node.input[index]
        return None if left_out else self.reader.constants.value(self.node.input[index])

    def integers(self, index: int, attribute: str = "") -> list[int] | None:
        """Stored integers of an input, or where it is left out of an attribute; None where both are."""
        value = self.stored(index)
        if value is None:
            given = self.attributes.get(attribute)
            return None if given is None else [int(entry) for entry in np.ravel(given)]
        if value.dtype.kind not in "iu":
            raise InputError(f"{quoted(self.node.input[index])} holds {value.dtype}; expected integers")
        return [int(entry) for entry in value.ravel()]

    def optional_weights(self, index: int, *, mixed: bool = False) -> NDArray[Any] | None:
        """The stored value of an input as exact numbers; None where it is left out.

        Its type is that of the tensor, since no operation converts; `mixed`: any type of floats.
        """
        value = self.stored(index)
        if value is None:
            return None
        name = self.node.input[index]
        numbers = read_tensor(value, quoted(name))
        kind = self.reader.constants.kind(name, value)
        if kind not in FLOATS if mixed else kind != self.elem:
            raise InputError(f"{quoted(name)} holds {kind}; expected {self.elem}, the type of {quoted(self.first)}")
        return numbers

    def weights(self, index: int, *, mixed: bool = False) -> NDArray[Any]:
        """The stored value of an input as exact numbers."""
        value = self.optional_weights(index, mixed=mixed)
        if value is None:
            raise InputError(f"its input {index} is left out")
        return value

    def axis(self, ndim: int, default: int) -> int:
        """The attribute `axis` of a tensor with so many axes, counted from 0."""
        given = int(self.attributes.get("axis", default))
        axis = given + ndim * (given < 0)
        if not 0 <= axis < ndim:
            raise InputError(f"axis is {given}, but the tensor has {ndim} axes")
        return axis

    def keep_batch(self, kept: bool) -> None:
        """Refuse to work along the first axis where it holds several inputs: what is read is the map of one of them."""
        if self.reader.batch and not kept:
            raise InputError(
                f"it works along the first axis, which holds a batch of {self.reader.batch}; export with a batch of 1, "
                "or give the whole shape as that of one input (--input-shape)"
            )

    def keep_inputs_apart(self, *shapes: tuple[int, ...]) -> None:
        """Refuse operands of these shapes that give inputs of a batch different numbers, or one input to another."""
        ndim = max(map(len, shapes))
        computed = [self.reader.tensors[name] for name in self.node.input if name in self.reader.tensors]
        whole = [shape for shape in shapes if len(shape) == ndim]
        self.keep_batch(all(len(t.shape) == ndim for t in computed) and all(shape[:1] in ((1,), ()) for shape in whole))

    def way_out(self) -> str:
        """What to try where this node is not read."""
        if self.first in {value.name for value in self.reader.graph.input}:
            return ""
        return f"; --until {printable(self.first)} reads the part before it"


def is_shape(node: Any) -> bool:
    """Whether a node reads the shape of a tensor alone."""
    return bool(node.op_type in ("Shape", "Size") and node.domain in DOMAINS)
