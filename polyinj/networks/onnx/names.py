"""How messages name the parts of an ONNX file."""

from __future__ import annotations

from typing import Any

from polyinj.errors import printable


def title(node: Any) -> str:
    return f"{quoted(node.name or node.output[0])} ({printable(node.op_type)})"


def quoted(name: str) -> str:
    return f"'{printable(name)}'"


def listed(names: list[str]) -> str:
    shown = ", ".join(map(printable, names[:20])) or "none"
    return f"{shown}, ..." if len(names) > 20 else shown


def layer_name(node: Any) -> str:
    return printable(node.name or node.output[0])
