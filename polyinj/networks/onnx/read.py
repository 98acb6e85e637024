"""Read a network of affine maps and ReLUs from an ONNX file, with the `onnx` package alone.

What is read is the function of the inputs that a runtime computes, but for the rounding of floating point. What a
runtime would compute otherwise, such as integer division, is refused at the node that does it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from polyinj.errors import InputError
from polyinj.networks.endings import ending_note
from polyinj.networks.network import Network
from polyinj.networks.onnx.file import load_model
from polyinj.networks.onnx.graph import GraphReader, Step, is_shape
from polyinj.networks.onnx.input import DOMAINS
from polyinj.networks.onnx.names import listed, quoted, title
from polyinj.networks.onnx.operators import OPERATORS


def read_onnx(
    file: Path, *, input_shape: tuple[int, ...] | None = None, until: str | None = None, external_data: bool = False
) -> Network:
    """Read a network from an .onnx file; see `polyinj.networks.files.read_network`."""
    reader = GraphReader.of(load_model(file, external_data=external_data), file, input_shape)
    outputs = [value.name for value in reader.graph.output] if until is None else [until]
    if not outputs:
        raise InputError(f"{file} has no output; expected at least one")
    inputs = list(reader.tensors)
    way = _way(reader, outputs)
    left = Counter(name for node in way for name in set(node.input))
    left.update(outputs)
    passed = [*inputs]
    for node in way:
        if any(name in reader.tensors for name in node.input):
            _step(reader, node)
            passed += [name for name in node.output if name in reader.tensors]
        for name in set(node.input):
            left[name] -= 1
            if not left[name]:
                reader.tensors.pop(name, None)
    if until is not None and until not in reader.tensors:
        raise InputError(f"{file} has no tensor {until!r} that depends on its input; there are {listed(passed)}")
    for name in outputs:
        if name not in reader.tensors:
            raise InputError(f"{file}: the output {quoted(name)} does not depend on the input")
    tensors = [reader.tensors[name] for name in outputs]
    return reader.builder.finish(tensors, reader.input_shape, _note(reader, inputs, outputs))


def _way(reader: GraphReader, outputs: list[str]) -> list[Any]:
    """The nodes that the outputs depend on, each behind those that it reads; all where an output is none of theirs."""
    needed = set(outputs)
    way = []
    for node in reversed(reader.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            way.append(node)
    made = {name for node in way for name in node.output} | set(reader.tensors)
    return way[::-1] if made.issuperset(outputs) else list(reader.graph.node)


def _note(reader: GraphReader, inputs: list[str], outputs: list[str]) -> str:
    """What the file does beside the map that was read."""
    notes = []
    if len(inputs) > 1:
        notes.append(f"its inputs {listed(inputs)} stand one behind the other")
    if len(outputs) > 1:
        notes.append(f"its outputs {listed(outputs)} stand one behind the other")
    notes += [ending_note(quoted(name), reader.tensors[name]) for name in outputs]
    return "; ".join(filter(None, notes))


def _step(reader: GraphReader, node: Any) -> None:
    import onnx

    if is_shape(node):
        _keep_shape(reader, node)
        return
    step = Step(reader, node, {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute})
    handler = OPERATORS.get(node.op_type) if node.domain in DOMAINS else None
    if handler is None:
        raise InputError(
            f"{reader.file}: the node {title(node)} is not supported; networks of {', '.join(sorted(OPERATORS))} are "
            f"read{step.way_out()}"
        )
    try:
        made = handler(step)
    except RecursionError:
        raise InputError(f"{reader.file}: node {title(node)}: its stored values pass through too many nodes") from None
    except (ValueError, IndexError, OverflowError, TypeError) as error:  # InputError, or NumPy on what does not fit
        raise InputError(f"{reader.file}: node {title(node)}: {error}{step.way_out()}") from None
    kind = reader.types[step.first] if node.op_type != "Cast" else _target(step)
    for name, tensor in zip(node.output, made if isinstance(made, list) else [made], strict=False):
        reader.builder.count(tensor.view.size)
        reader.tensors[name], reader.types[name] = tensor, kind


def _target(step: Step) -> str:
    from onnx import TensorProto

    to = step.attributes["to"]
    return to.decode() if isinstance(to, bytes) else str(TensorProto.DataType.Name(to))


def _keep_shape(reader: GraphReader, node: Any) -> None:
    """The shape of a tensor is a constant, as exporters mean it."""
    ends = {attribute.name: attribute.i for attribute in node.attribute}
    shape = reader.tensors[node.input[0]].shape
    shape = (reader.batch, *shape[1:]) if reader.batch else shape
    found = np.prod(shape) if node.op_type == "Size" else shape[slice(ends.get("start"), ends.get("end"))]
    reader.constants.values[node.output[0]] = np.array(found, dtype=np.int64)
