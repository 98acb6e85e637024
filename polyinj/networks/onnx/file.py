"""An ONNX file as a checked model: its nodes in order, and its values inside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from polyinj.errors import InputError, printable
from polyinj.networks.network import LARGEST_MATRIX
from polyinj.networks.onnx.names import quoted

_MOST_NODES = 100_000
# The first version of the format that lists initializers apart from inputs.
_APART = 4
_SHOWN = 400


def load_model(file: Path, *, external_data: bool) -> Any:
    """The model of a file, as the runtime accepts it.

    Raises
    ------
    InputError
        No model, one that the package onnx finds invalid, or one with data in other files.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise InputError(f"reading {file} needs the package onnx; try: pip install 'polyinj[onnx]'") from None
    try:
        model = onnx.load(str(file), load_external_data=False)
        if len(model.graph.node) > _MOST_NODES:
            raise InputError(f"{file} has {len(model.graph.node)} nodes; allowed are {_MOST_NODES}")
        for tensor in _external(model):
            if not external_data:
                raise InputError(
                    f"{file} keeps {quoted(tensor.name)} outside, in {_location(tensor)}; read it with "
                    "external_data=True (--external-data), or save the model again with its data inside (onnx.save "
                    "with save_as_external_data=False)"
                )
            _load_external(tensor, file)
        sort_nodes(model.graph, file)
        _check(model)
    except (DecodeError, onnx.checker.ValidationError, OSError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        told = " ".join(str(error).split()) or "not decodable"
        raise InputError(f"{file} is not a valid ONNX model: {printable(told, _SHOWN)}") from None
    return model


def _check(model: Any) -> None:
    """onnx.checker, which wants shapes of outputs and asks more of old files than a runtime does."""
    import onnx

    checked = type(model)()
    checked.CopyFrom(model)
    checked.ir_version = max(checked.ir_version, _APART)
    if not checked.opset_import:
        checked.opset_import.add(domain="", version=1)
    for value in [*checked.graph.output, *checked.graph.input]:
        kind = value.type.WhichOneof("value")
        if kind is None and value in checked.graph.output:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        if value.type.WhichOneof("value") == "tensor_type":
            value.type.tensor_type.shape.SetInParent()
    onnx.checker.check_model(checked)


def sort_nodes(graph: Any, file: Path) -> None:
    """Put each node behind those that it reads, in the order of the file where that is one."""
    made = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    waits = [{made[name] for name in node.input if name in made} for node in graph.node]
    if all(max(needed, default=-1) < place for place, needed in enumerate(waits)):
        return
    readers: dict[int, list[int]] = {}
    for place, needed in enumerate(waits):
        for other in needed:
            readers.setdefault(other, []).append(place)
    open_needs = [len(needed) for needed in waits]
    ready = [place for place, needed in enumerate(open_needs) if not needed]
    order: list[int] = []
    for place in ready:
        order.append(place)
        for reader in readers.get(place, []):
            open_needs[reader] -= 1
            if not open_needs[reader]:
                ready.append(reader)
    if len(order) < len(waits):
        stuck = next(place for place, needed in enumerate(open_needs) if needed)
        raise InputError(
            f"{file}: the node {quoted(graph.node[stuck].name or graph.node[stuck].output[0])} waits for itself"
        )
    nodes = [graph.node[place] for place in order]
    sorted_nodes = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(sorted_nodes)


def _external(model: Any) -> Iterator[Any]:
    import onnx

    stored = [*model.graph.initializer]
    stored += [a.t for node in model.graph.node for a in node.attribute if a.type == onnx.AttributeProto.TENSOR]
    yield from (tensor for tensor in stored if tensor.data_location == onnx.TensorProto.EXTERNAL)


def _entries(tensor: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _location(tensor: Any) -> str:
    return printable(_entries(tensor).get("location", "another file"))


def _load_external(tensor: Any, file: Path) -> None:
    """Read the data of a tensor from a file beside the model, or below: by no link, and no more than it takes."""
    import numpy as np
    from onnx import TensorProto, helper

    where = f"{file} keeps {quoted(tensor.name)} in {_location(tensor)}"
    given = _entries(tensor)
    parts = Path(given.get("location", "")).parts
    if not parts or os.path.isabs(given["location"]) or ".." in parts or "\0" in given["location"]:
        raise InputError(f"{where}; expected a file in the folder of the model, or below")
    path = file.absolute().parent
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise InputError(f"{where}, which is a link; expected a file in the folder of the model")
    if not path.is_file():
        raise InputError(f"{where}, which is no file")
    number = prod(tensor.dims)
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    except KeyError:
        raise InputError(f"{where}, with entries of type {tensor.data_type}; expected floats or integers") from None
    if min(tensor.dims, default=1) < 0 or number > LARGEST_MATRIX:
        raise InputError(f"{where}, with shape {tuple(tensor.dims)}; allowed are {LARGEST_MATRIX} entries")
    size = number * dtype.itemsize
    offset, length = (int(given.get(key) or default) for key, default in (("offset", 0), ("length", size)))
    if length != size or offset < 0 or offset + size > path.stat().st_size:
        raise InputError(f"{where}, {length} bytes from {offset} on; expected {size}, of {path.stat().st_size} there")
    with path.open("rb") as stream:
        stream.seek(offset)
        tensor.raw_data = stream.read(size)
    del tensor.external_data[:]
    tensor.data_location = TensorProto.DEFAULT
