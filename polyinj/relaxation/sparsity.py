"""Where a sparse matrix has entries: what makes a convolution one, read off its exact matrix.

Rows that read the same columns are one group, such as the channels of a convolution at one place; a product is then a
batch of small dense ones, one a group. The rows of a group, traced back through several sparse layers, read a set of
columns of each: their cone. Linear forms of a group need entries in its cone only.

A pattern holds no entry. It is found once for each set of places and kept; entries are put in at every use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Places = NDArray[np.int64]

_KEPT = 64
# Entries of the matrices of a cone, all groups together.
_LARGEST_CONE = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """The places of the entries of an (m, n) matrix.

    Attributes
    ----------
    shape : (int, int)
    columns : ndarray, shape (m, k)
        Of each row its columns, ascending; filled up with n.
    entries : ndarray, shape (m, k)
        Which entry of the csr_array stands there; filled up with their number.
    rows : ndarray, shape (groups, r)
        Of each group its rows; filled up with m.
    support : ndarray, shape (groups, k)
        Of each group the columns that its rows read; filled up with n.
    place : ndarray, shape (m,)
        Where in `rows` each row stands.
    grouped : ndarray, shape (groups, r, k)
        `entries`, of the rows of each group.
    """

    shape: tuple[int, int]
    columns: Places
    entries: Places
    rows: Places
    support: Places
    place: Places
    grouped: Places

    @property
    def area(self) -> int:
        """Entries of the dense blocks, one a group."""
        return int(self.rows.size * self.support.shape[1])

    def blocks(self, data: NDArray[Any]) -> NDArray[Any]:
        """The blocks of a matrix with these entries, and a 0 behind them: shape (groups, r, k)."""
        return np.asarray(data[self.grouped])

    def ungrouped(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of values in groups, shape (..., groups, r), those of each row: shape (..., m)."""
        return np.take(values.reshape(*values.shape[:-2], -1), self.place, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Cone:
    """What the groups of a matrix read of the layers before it, the last of these first.

    supports[0] are columns of the matrix itself; entries[i], shape (groups, places of supports[i], places of
    supports[i + 1]), says which entry of the i-th layer before stands where.
    """

    supports: tuple[Places, ...]
    entries: tuple[Places, ...]


def pattern_of(matrix: sparse.csr_array) -> Pattern:
    """Of the places that are stored; indices ascend in each row."""
    pointers, indices = (part.astype(np.int64).tobytes() for part in (matrix.indptr, matrix.indices))
    return _pattern(matrix.shape, pointers, indices)


@lru_cache(maxsize=_KEPT)
def _pattern(shape: tuple[int, int], pointers: bytes, indices: bytes) -> Pattern:
    m, n = shape
    starts, read = (np.frombuffer(part, dtype=np.int64) for part in (pointers, indices))
    counts = np.diff(starts)
    width = max(int(counts.max()), 1)
    row = np.repeat(np.arange(m), counts)
    slot = np.arange(len(read)) - np.repeat(starts[:-1], counts)
    columns, entries = np.full((m, width), n), np.full((m, width), len(read))
    columns[row, slot], entries[row, slot] = read, np.arange(len(read))
    support, group, sizes = np.unique(columns, axis=0, return_inverse=True, return_counts=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    rank = np.empty(m, dtype=np.int64)
    rank[order] = np.arange(m) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = np.full((len(support), int(sizes.max())), m)
    rows[group, rank] = np.arange(m)
    grouped = np.concatenate([entries, np.full((1, width), len(read))])[rows]
    return Pattern(shape, columns, entries, rows, support, group * rows.shape[1] + rank, grouped)


@lru_cache(maxsize=_KEPT)
def cone_of(pattern: Pattern, before: tuple[Pattern, ...]) -> Cone:
    """Of a pattern, through the layers before it, the last of these first, as far as its matrices stay small."""
    supports, entries = [pattern.support], []
    for layer in before:
        found = _through(supports[-1], layer)
        if found is None:
            break
        supports.append(found[0])
        entries.append(found[1])
    return Cone(tuple(supports), tuple(entries))


def _through(support: Places, layer: Pattern) -> tuple[Places, Places] | None:
    groups, width = support.shape
    n = layer.shape[1]
    # A row that is filled up reads nothing.
    nothing = np.full((1, layer.columns.shape[1]), n)
    read = np.concatenate([layer.columns, nothing])[support]
    ascending = np.sort(read.reshape(groups, -1), axis=1)
    new = ascending < n
    new[:, 1:] &= ascending[:, 1:] > ascending[:, :-1]
    size = max(int(new.sum(axis=1).max()), 1)
    if groups * width * size > _LARGEST_CONE:
        return None
    wider = np.full((groups, size), n)
    group, place = np.nonzero(new)
    wider[group, (np.cumsum(new, axis=1) - 1)[group, place]] = ascending[group, place]
    # Groups one behind the other, so that one search finds all places.
    offset = (n + 1) * np.arange(groups)
    places = np.searchsorted((wider + offset[:, None]).ravel(), (read + offset[:, None, None]).ravel())
    total = int((layer.columns < n).sum())
    stands = np.concatenate([layer.entries, np.full_like(nothing, total)])[support]
    matrix = np.full(groups * width * size, total)
    group, row, slot = np.nonzero(read < n)
    column = places.reshape(read.shape)[group, row, slot] - group * size
    matrix[(group * width + row) * size + column] = stands[group, row, slot]
    return wider, matrix.reshape(groups, width, size)
