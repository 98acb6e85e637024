"""The input of an ONNX model: its type, and its shape for a batch of one; and the version of the operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class InputShape:
    """The shape of one input.

    Attributes
    ----------
    batch : int or None
        The length of the batch axis where the file fixes it to more than 1.
    whole, single : tuple of int
        With a batch axis of length 1, where there is one, and without.
    """

    batch: int | None
    whole: tuple[int, ...]
    single: tuple[int, ...]


def read_input_shape(
    value: Any, file: Path, given: tuple[int, ...] | None, first_columns: Callable[[str], int | None]
) -> InputShape:
    """The shape of an input, as stored or as given; of a vector of open length that which the first matrix takes."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        one = given or _vector(first_columns(value.name))
        if one is None:
            raise InputError(f"{file} stores no shape of its input; give it, such as --input-shape 1,28,28")
        return _bounded(None, (1, *one), one, file)
    # Some exporters write 0 or -1 for a length that is open.
    lengths = [axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in kind.shape.dim]
    shown = listed([axis.dim_param or str(axis.dim_value or "?") for axis in kind.shape.dim])
    if given is not None and len(lengths) > 1 and given == tuple(lengths):
        return _bounded(None, given, given, file)
    single = len(lengths) == 1
    one_of = lengths if single else lengths[1:]
    if given is not None:
        if len(one_of) != len(given) or any(a not in (None, b) for a, b in zip(one_of, given, strict=True)):
            raise InputError(f"the input shape {given} does not fit {file}, whose input has the shape ({shown})")
        one = given
    elif len(lengths) == 2 and not lengths[1]:
        one = _vector(first_columns(value.name))
    else:
        one = tuple(length for length in one_of if length)
        one = one if one and len(one) == len(one_of) else None
    if one is None:
        raise InputError(
            f"{file} leaves the shape ({shown}) of its input open; give the shape of one input, such as "
            "--input-shape 1,28,28"
        )
    batch = None if single or lengths[0] == 1 else lengths[0]
    return _bounded(batch, one if single else (1, *one), one, file)


def _vector(length: int | None) -> tuple[int, ...] | None:
    return (length,) if length else None


def _bounded(batch: int | None, whole: tuple[int, ...], single: tuple[int, ...], file: Path) -> InputShape:
    if prod(whole) > LARGEST_MATRIX:
        raise InputError(f"{file}: an input of shape {whole} has {prod(whole)} entries; allowed are {LARGEST_MATRIX}")
    return InputShape(batch, whole, single)
