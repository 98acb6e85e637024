"""At which layer two inputs of a network become one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from polyinj.deep.exact_piece import ExactLayer, ExactPiece, common_denominator, exact_layers
from polyinj.errors import InputError
from polyinj.exact.arrays import read_number
from polyinj.networks.network import Network


def first_merging_layer(network: Network, x: Sequence[Any], y: Sequence[Any]) -> int | None:
    """The first layer, from 1, behind which two different inputs have the same image, in rationals; None: none.

    Parameters
    ----------
    network : Network
    x, y : sequences of n numbers
        Finite floats, int and Fraction are read exactly.

    Raises
    ------
    InputError
        Other lengths, entries that are not finite numbers, or x = y.

    Examples
    --------
    >>> from polyinj.networks.network import NetworkLayer
    >>> split = NetworkLayer([[1], [-1]], None, "relu")
    >>> network = Network((split, NetworkLayer([[1, 1]], None, None)), "|x|")
    >>> first_merging_layer(network, [2], [-2]), first_merging_layer(network, [2], [1])
    (2, None)
    """
    n = network.widths[0]
    points = [[read_number(entry, f"{name}[{j}]") for j, entry in enumerate(p)] for name, p in (("x", x), ("y", y))]
    if any(len(point) != n for point in points):
        raise InputError(f"x and y have {len(points[0])} and {len(points[1])} entries; expected {n}, one an input")
    if points[0] == points[1]:
        raise InputError("x and y are the same point; expected two different ones")
    return merging_layer(exact_layers(network), points[0], points[1])


def merging_layer(layers: list[ExactLayer], x: list[Fraction], y: list[Fraction]) -> int | None:
    """The same for points that were read; None for equal ones too."""
    if x == y:
        return None
    denominator = common_denominator(x, y)
    pieces = [ExactPiece(point, (), denominator) for point in (x, y)]
    for number, layer in enumerate(layers, start=1):
        for piece in pieces:
            piece.affine(layer)
            piece.rectify(layer)
        if pieces[0].rows == pieces[1].rows:
            return number
    return None
