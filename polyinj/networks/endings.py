"""Strictly monotone functions at the end of a network, which keep its verdicts."""

from __future__ import annotations

from dataclasses import replace

from polyinj.errors import printable
from polyinj.networks.builder import Tensor


def ended(tensor: Tensor, ending: str) -> Tensor:
    """The tensor, behind a strictly monotone function."""
    return replace(tensor, ending=f"{tensor.ending}, {ending}" if tensor.ending else ending)


def ending_note(what: str, tensor: Tensor) -> str:
    """What is said of a network that is read before its end; '' for any other."""
    if not tensor.ending:
        return ""
    return (
        f"{what} is read before its end, {printable(tensor.ending)}, which maps different values to different ones: "
        "verdicts hold behind it too"
    )
