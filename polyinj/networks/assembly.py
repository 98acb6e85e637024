"""From blocks of neurons to the layers of a chain.

A block stands in the first layer behind all that it reads. What is read later, or is an output, is carried to there
through each layer between by a row of the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyinj.errors import InputError
from polyinj.exact import lossless
from polyinj.exact.arrays import nearest_doubles
from polyinj.networks.forms import Forms, Integers
from polyinj.networks.network import LARGEST_MATRIX, NetworkLayer, Weights

# Entries of all layers together, those of the identity included.
_MOST_ENTRIES = 1 << 27
# From so many entries on a matrix with few others than zeros is held as a sparse one.
_SPARSE_FROM, _SPARSE_BELOW = 1 << 18, 1 / 8
# Beyond so many entries a matrix is not held in Fractions, but rounded, which its layer then says.
_MOST_EXACT = 1 << 20
_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Neurons, the atoms from `start` on: forms of earlier atoms, with a ReLU or without, in layer `level` (from 1)."""

    start: int
    forms: Forms
    relu: bool
    level: int
    name: str
    rounding: str


def assemble(blocks: Sequence[Block], outputs: Integers, inputs: int) -> list[NetworkLayer]:
    """The layers of the map from the inputs, the first atoms, to the atoms that are outputs, in their order."""
    size = max([inputs, *(block.start + len(block.forms) for block in blocks)])
    used, depth = _last_uses(blocks, outputs, size)
    of_level: dict[int, list[Block]] = {}
    for block in blocks:
        of_level.setdefault(block.level, []).append(block)
    live, place, layers, entries = np.arange(inputs), np.zeros(size, dtype=np.int64), list[NetworkLayer](), 0
    for level in range(1, depth + 1):
        place[live] = np.arange(len(live))
        here = [(block, rows) for block in of_level[level] if len(rows := _kept(block, used))]
        carried, columns = live[used[live] > level], len(live)
        forms = Forms.stack([*(block.forms.take(rows) for block, rows in here), Forms.of_atoms(carried)])
        relus = np.concatenate(
            [*(np.full(len(rows), block.relu) for block, rows in here), np.zeros(len(carried), bool)]
        )
        live = np.concatenate([*(block.start + rows for block, rows in here), carried])
        entries += len(forms.atoms)
        if entries > _MOST_ENTRIES:
            raise InputError(f"the first {level} of {depth} layers have {entries} weights; allowed are {_MOST_ENTRIES}")
        forms = replace(forms, atoms=place[forms.atoms])
        if level == depth:
            place[live] = np.arange(len(live))
            forms, relus = forms.take(place[outputs]), relus[place[outputs]]
        layers.append(_layer(forms, columns, relus, [block for block, _ in here]))
    return layers


def _last_uses(blocks: Sequence[Block], outputs: Integers, size: int) -> tuple[Integers, int]:
    """For each atom the last layer that reads it, 0 for none, the number of layers plus 1 for outputs; that number."""
    levels, used = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    for block in blocks:
        levels[block.start : block.start + len(block.forms)] = block.level
    depth = int(levels[outputs].max(initial=0))
    used[outputs] = depth + 1
    for block in reversed(blocks):
        atoms = block.forms.take(_kept(block, used)).atoms
        used[atoms] = np.maximum(used[atoms], block.level)
    return used, depth


def _kept(block: Block, used: Integers) -> Integers:
    """The rows of a block that something reads."""
    return np.flatnonzero(used[block.start : block.start + len(block.forms)])


def _layer(forms: Forms, columns: int, relus: NDArray[np.bool_], blocks: Sequence[Block]) -> NetworkLayer:
    names = list(dict.fromkeys(block.name for block in blocks if block.name))
    name = ", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)
    notes = list(dict.fromkeys(block.rounding for block in blocks if block.rounding))
    weights, note = _matrix(forms, columns)
    return NetworkLayer(weights, forms.bias, relus, name, "; ".join([*notes, *note]))


def _matrix(forms: Forms, columns: int) -> tuple[Weights, list[str]]:
    """The matrix of the forms, dense or sparse, and whether it was rounded."""
    size, entries, note = len(forms) * columns, forms.entries, []
    if entries.dtype == object:
        entries = lossless.shorten(entries)
    if entries.dtype == object and size > _MOST_EXACT:
        entries = nearest_doubles(entries, "the weights")
        note = ["fractions rounded to float64: each weight has a relative error below 2^-52"]
    if (
        entries.dtype != object
        and size >= _SPARSE_FROM
        and (size > LARGEST_MATRIX or len(entries) < size * _SPARSE_BELOW)
    ):
        return sparse.csr_array((entries, forms.atoms, forms.starts), shape=(len(forms), columns)), note
    matrix = np.zeros((len(forms), columns), dtype=entries.dtype)
    matrix[np.repeat(np.arange(len(forms)), forms.counts), forms.atoms] = entries
    return matrix, note
