"""The input of an ONNX model: its type, and its shape for a batch of one; and the version of the operators."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from polyinj.errors import InputError
from polyinj.networks.network import LARGEST_MATRIX
from polyinj.networks.onnx.names import listed, quoted

DOMAINS = ("", "ai.onnx")
# Bits of significand and of exponent: a type holds the values of another that has no more of either.
FLOATS = {"FLOAT16": (11, 5), "BFLOAT16": (8, 8), "FLOAT": (24, 8), "DOUBLE": (53, 11)}


def read_opset(model: Any, file: Path) -> int:
    """The version of the standard operators."""
    from onnx.defs import onnx_opset_version

    versions = {entry.version for entry in model.opset_import if entry.domain in DOMAINS} or {1}
    if len(versions) > 1 or max(versions) > onnx_opset_version():
        given = " and ".join(map(str, sorted(versions)))
        raise InputError(f"{file} is of opset {given}; expected one of at most {onnx_opset_version()}")
    for function in model.functions:
        if function.domain in DOMAINS:
            raise InputError(f"{file} defines its own {quoted(function.name)} among the standard operators")
    return int(versions.pop())


def read_input_type(value: Any, file: Path) -> str:
    """The type of the input's entries: one of `FLOATS`."""
    from onnx import TensorProto

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise InputError(f"{file}: the input {quoted(value.name)} is a {kind}; expected a tensor")
    elem = str(TensorProto.DataType.Name(value.type.tensor_type.elem_type))
    if elem not in FLOATS:
        raise InputError(
            f"{file}: the input {quoted(value.name)} holds {elem}; expected {', '.join(FLOATS)}: a network is "
            "read as a function of real numbers"
        )
    return elem


def read_input_shape(
    value: Any, file: Path, given: tuple[int, ...] | None
) -> tuple[int | None, tuple[int, ...] | None]:
    """The length of the batch axis where it is fixed to more than 1, and the shape of the input with a batch of one."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None, None if given is None else _bounded((1, *given), file)
    # Some exporters write 0 or -1 for a length that is open.
    lengths = [axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in kind.shape.dim]
    shown = listed([axis.dim_param or str(axis.dim_value or "?") for axis in kind.shape.dim])
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
