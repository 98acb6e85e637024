"""The affine map of a network around one point, in integers, along some of its inputs.

Inputs are x = point + s, where s moves the chosen columns alone. Layer by layer each value is an integer row in (s, 1)
over one positive integer, the same for all values of a layer and for all points with the same denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from math import lcm
from operator import or_
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyinj.exact.algebra import IntegerRows
from polyinj.networks.network import Network, NetworkLayer

# Entries of all layers together that are turned into integers: more take seconds and gigabytes.
LARGEST_EXACT = 1 << 22

# Of each neuron with a ReLU: its value at the point and its slopes along the columns, times a positive integer.
Moved = list[tuple[int, list[int]]]


class ExactLayer:
    """The layer times a positive integer, in integers.

    Attributes
    ----------
    scale : int
    shifts : list of int
        scale times the bias.
    relu : list of bool
        Which rows a ReLU follows.
    """

    def __init__(self, layer: NetworkLayer) -> None:
        weights = layer.weights
        self.relu: list[bool] = layer.relu_rows.tolist()
        entries = weights.data if isinstance(weights, sparse.csr_array) else weights.ravel()
        bias = np.zeros(layer.shape[0]) if layer.bias is None else layer.bias
        integers, self.scale = _integers(np.asarray(entries), bias)
        self.shifts = integers[len(entries) :]
        columns = self._columns = layer.shape[1]
        self._places: list[list[int]] | None = None
        if isinstance(weights, sparse.csr_array):
            ends = weights.indptr.tolist()
            self._places = [weights.indices[a:b].tolist() for a, b in pairwise(ends)]
            self._rows = [integers[a:b] for a, b in pairwise(ends)]
        else:
            self._rows = [integers[k * columns : (k + 1) * columns] for k in range(layer.shape[0])]

    def residues(self, prime: int) -> NDArray[np.int64]:
        """The weights times `scale`, modulo a prime; as a dense matrix."""
        if self._places is None:
            return np.array([[entry % prime for entry in row] for row in self._rows], dtype=np.int64)
        found = np.zeros((len(self._rows), self._columns), dtype=np.int64)
        for line, places, entries in zip(found, self._places, self._rows, strict=True):
            line[places] = [entry % prime for entry in entries]
        return found

    def times(self, kept: list[int], rows: IntegerRows, width: int) -> IntegerRows:
        """The weights times a matrix, of which the rows named in `kept` are given and the others are zero."""
        if not kept:
            return [[0] * width for _ in self._rows]
        if self._places is None:
            weights = flint.fmpz_mat([[row[j] for j in kept] for row in self._rows])
            return [[int(entry) for entry in row] for row in (weights * flint.fmpz_mat(rows)).tolist()]
        given = dict(zip(kept, rows, strict=True))
        table = []
        for places, entries in zip(self._places, self._rows, strict=True):
            total = [0] * width
            for j, entry in zip(places, entries, strict=True):
                if (row := given.get(j)) is not None:
                    total = [a + entry * b for a, b in zip(total, row, strict=True)]
            table.append(total)
        return table


class ExactPiece:
    """The map of the layers gone through so far; see the module.

    Attributes
    ----------
    rows : list of lists of int
        A row for each value: its slopes along the columns, and its value at the point.
    scale : int
        What all of them are multiplied by.
    """

    def __init__(self, point: Sequence[Fraction], columns: Sequence[int], denominator: int) -> None:
        self.scale = denominator
        place = {j: k for k, j in enumerate(columns)}
        self._width = len(columns) + 1
        self.rows: IntegerRows = []
        for j, entry in enumerate(point):
            row = [0] * self._width
            if j in place:
                row[place[j]] = denominator
            row[-1] = entry.numerator * (denominator // entry.denominator)
            self.rows.append(row)

    def affine(self, layer: ExactLayer) -> None:
        """Go through the layer, but not through its ReLUs."""
        kept = [k for k, row in enumerate(self.rows) if any(row)]
        rows = layer.times(kept, [self.rows[k] for k in kept], self._width)
        for row, shift in zip(rows, layer.shifts, strict=True):
            row[-1] += shift * self.scale
        self.scale *= layer.scale
        self.rows = rows

    def rectify(self, layer: ExactLayer) -> Moved | None:
        """Go through its ReLUs; None where one that is not constant sits on its threshold."""
        moved: Moved = []
        for k, relu in enumerate(layer.relu):
            if not relu:
                continue
            *slopes, value = self.rows[k]
            if value == 0 and any(slopes):
                return None
            moved.append((value, slopes))
            if value <= 0:
                self.rows[k] = [0] * self._width
        return moved


def exact_layers(network: Network) -> list[ExactLayer]:
    """Its layers in integers."""
    return [ExactLayer(layer) for layer in network.layers]


def common_denominator(*points: Sequence[Fraction]) -> int:
    """Of all entries of the points."""
    return lcm(*{entry.denominator for point in points for entry in point})


def exact_images(layers: Sequence[ExactLayer], points: Sequence[Sequence[Fraction]]) -> list[list[int]]:
    """The outputs of points, all times one positive integer."""
    denominator = common_denominator(*points)
    images = []
    for point in points:
        piece = ExactPiece(point, (), denominator)
        for layer in layers:
            piece.affine(layer)
            piece.rectify(layer)
        images.append([row[0] for row in piece.rows])
    return images


def _integers(entries: NDArray[Any], bias: NDArray[Any]) -> tuple[list[int], int]:
    """The entries, then the bias, times the least positive integer that makes them integers (of doubles: a power of
    two)."""
    if entries.dtype == object or bias.dtype == object:
        numbers = [entry.as_integer_ratio() for entry in (*entries.tolist(), *bias.tolist())]
        scale = lcm(*{q for _, q in numbers})
        return [p * (scale // q) for p, q in numbers], scale
    mantissas, exponents = np.frexp(np.concatenate([entries, bias]))
    used = mantissas != 0
    if not used.any():
        return [0] * len(mantissas), 1
    lowest = int(exponents[used].min())
    shifts = np.where(used, exponents - lowest, 0).tolist()
    whole = np.ldexp(mantissas, 53).astype(np.int64).tolist()
    integers = [value << shift for value, shift in zip(whole, shifts, strict=True)]
    spare = reduce(or_, integers)
    # All are multiples of 2^zeros; in units of 2^power they are integers.
    zeros = (spare & -spare).bit_length() - 1
    power = min(0, lowest - 53 + zeros)
    drop = power - (lowest - 53)
    return [value >> drop if drop >= 0 else value << -drop for value in integers], 1 << -power
