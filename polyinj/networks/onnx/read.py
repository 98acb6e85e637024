"""Read a chain of affine operations and ReLUs from an ONNX file, with the `onnx` package alone.

What is read is the function of one input that a runtime computes, but for the rounding of floating point. What a
runtime would compute otherwise, such as integer division, is refused at the node that does it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polyinj.errors import InputError, printable
from polyinj.networks.network import Network
from polyinj.networks.onnx.graph import GraphReader
from polyinj.networks.onnx.input import DOMAINS
from polyinj.networks.onnx.names import listed, quoted, title
from polyinj.networks.onnx.operators import OPERATORS


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
    return _read_chain(GraphReader.of(model, file, input_shape), until)


def _refuse_external_data(model: Any, file: Path) -> None:
    import onnx

    stored = [*model.graph.initializer]
    stored += [a.t for node in model.graph.node for a in node.attribute if a.type == onnx.AttributeProto.TENSOR]
    for tensor in stored:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "another file")
            raise InputError(
                f"{file} keeps {quoted(tensor.name)} outside, in {printable(where)}; only self-contained files are "
                "read; save the model again with its data inside (onnx.save with save_as_external_data=False)"
            )


def _read_chain(reader: GraphReader, until: str | None) -> Network:
    passed = [reader.tensor]
    outputs = [value.name for value in reader.graph.output]
    if until is None and len(outputs) != 1:
        raise InputError(
            f"{reader.file} has {len(outputs)} outputs ({listed(outputs)}), which together may be injective where "
            "one is not; expected one; --until and the name of a tensor reads the map to that tensor alone"
        )
    end = outputs[0] if until is None else until
    while reader.tensor != end:
        nodes = reader.next_nodes()
        if not nodes:
            break
        if len(nodes) > 1:
            raise InputError(
                f"{reader.file}: the tensor {quoted(reader.tensor)} is read by {len(nodes)} nodes "
                f"({', '.join(map(title, nodes[:4]))}); expected a chain{reader.way_out()}"
            )
        _step(reader, nodes[0])
        passed.append(reader.tensor)
    if until is not None and reader.tensor != until:
        raise InputError(f"{reader.file} has no tensor {until!r} on its chain; there are {listed(passed)}")
    if until is None and reader.tensor != end:
        raise InputError(f"{reader.file}: the chain ends at {quoted(reader.tensor)}, which is no output of the model")
    return reader.chain.finish()


def _step(reader: GraphReader, node: Any) -> None:
    import onnx

    handler = OPERATORS.get(node.op_type) if node.domain in DOMAINS else None
    if handler is None:
        raise InputError(
            f"{reader.file}: the node {title(node)} is not supported; a chain of {', '.join(sorted(OPERATORS))} is "
            f"read{reader.way_out()}"
        )
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    try:
        handler(reader, node, attributes)
    except RecursionError:
        raise InputError(f"{reader.file}: node {title(node)}: its stored values pass through too many nodes") from None
    except (ValueError, IndexError, OverflowError) as error:  # InputError, or NumPy on what does not fit
        raise InputError(f"{reader.file}: node {title(node)}: {error}") from None
    reader.tensor = node.output[0]
