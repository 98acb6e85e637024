"""The stored values of an ONNX graph, and what nodes make of them before any input is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.networks.network import LARGEST_MATRIX
from polyinj.networks.onnx.input import DOMAINS
from polyinj.networks.onnx.names import quoted, title

# Operations that only move stored values, evaluated where constants pass through them.
_MOVING = {"Constant", "ConstantOfShape", "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}
_MOVING |= {"Cast", "Concat", "Gather", "Slice", "Expand", "Tile", "Split"}
# Arithmetic with lengths, as exporters write it: of few values.
_COUNTING = {
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Mod",
    "Neg",
    "Abs",
    "Min",
    "Max",
    "Range",
    "Equal",
    "Not",
    "And",
    "Or",
    "Less",
}
_COUNTING |= {"Greater", "Where", "ReduceProd", "ReduceSum", "ReduceMin", "ReduceMax", "Shape", "Size", "Floor", "Ceil"}
_MOST_COUNTED = 64


@dataclass(slots=True)
class Constants:
    """Stored tensors by name, the nodes by what they make, and values found so far."""

    stored: dict[str, Any]
    made_by: dict[str, Any]
    opset: int
    values: dict[str, NDArray[Any]] = field(default_factory=dict)

    def value(self, name: str) -> NDArray[Any]:
        """The value of a name; InputError where it depends on an input, or takes more than moving stored values."""
        from onnx import numpy_helper

        if name in self.stored:
            try:
                return np.asarray(numpy_helper.to_array(self.stored[name]))
            except KeyError:
                kind = self.stored[name].data_type
                raise InputError(f"{quoted(name)} has entries of the unknown type {kind}; expected floats") from None
        if name not in self.values:
            node = self.made_by.get(name)
            if node is None or node.op_type not in _MOVING | _COUNTING or node.domain not in DOMAINS:
                what = "the input of the model" if node is None else f"computed by {title(node)}"
                raise InputError(f"{quoted(name)} is {what}; expected a stored value")
            feeds = {given: self.value(given) for given in node.input if given}
            _check_made(node, [feeds.get(given) for given in node.input])
            self.values.update(zip(node.output, self._run(node, feeds), strict=False))
        return self.values[name]

    def kind(self, name: str, value: NDArray[Any]) -> str:
        """The type of its entries, as ONNX names it."""
        from onnx import TensorProto, helper

        stored = self.stored.get(name)
        number = helper.np_dtype_to_tensor_dtype(value.dtype) if stored is None else stored.data_type
        return str(TensorProto.DataType.Name(number))

    def _run(self, node: Any, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        inputs = [helper.make_tensor_value_info(given, 0, None) for given in feeds]
        outputs = [helper.make_tensor_value_info(made, 0, None) for made in node.output if made]
        part = helper.make_model(
            helper.make_graph([node], "constant", inputs, outputs),
            opset_imports=[helper.make_opsetid("", self.opset)],
        )
        try:
            with np.errstate(all="ignore"):
                results: Any = ReferenceEvaluator(part).run(None, feeds)
        except Exception as error:  # whatever onnx raises where values do not fit
            raise InputError(
                f"{quoted(node.output[0])} cannot be computed by {title(node)}: {type(error).__name__}"
            ) from None
        return [np.asarray(result) for result in results]


def _check_made(node: Any, values: Sequence[NDArray[Any] | None]) -> None:
    """Refuse what would make a small file large in memory, and values that are no dense arrays."""
    sizes = [0 if value is None else value.size for value in values]
    size = sum(sizes)
    if node.op_type in ("ConstantOfShape", "Expand", "Tile") and values[-1] is not None:
        size = prod(max(int(length), 1) for length in values[-1].ravel()) * max(sizes[0], 1)
    if node.op_type == "ConstantOfShape" and values[0] is not None:
        size = prod(int(length) for length in values[0].ravel())
    if node.op_type == "Gather":
        size = prod(sizes)
    if node.op_type == "Range":
        start, limit, step = (
            float(np.ravel(value)[0]) if value is not None and value.size else 0.0 for value in values
        )
        size = abs(int((limit - start) / step)) + 1 if step else 0
    if size > LARGEST_MATRIX:
        raise InputError(f"{title(node)} makes up to {size} values; allowed are {LARGEST_MATRIX}")
    if node.op_type in _COUNTING and node.op_type != "Shape" and size > _MOST_COUNTED:
        raise InputError(
            f"{quoted(node.output[0])} is computed by {title(node)} from {size} values, which a runtime rounds; "
            "expected a stored value"
        )
    if any(attribute.name == "sparse_value" for attribute in node.attribute):
        raise InputError(f"{title(node)} holds a sparse tensor; only dense ones are read")
