"""Betti numbers over GF(2) of a regular cell complex, by coreductions and one small rank a dimension."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import flint
import numpy as np
from numpy.typing import NDArray


def betti_numbers(sizes: Sequence[int], pairs: Sequence[NDArray[np.int64]]) -> list[int]:
    """b_0, ..., b_top of a complex with sizes[d] cells of dimension d.

    Parameters
    ----------
    sizes : sequence of int
    pairs : sequence of ndarray of int64, shape (k, 2)
        pairs[d] lists (i, j): cell i of dimension d bounds cell j of dimension d + 1.

    Notes
    -----
    Coreduction (Mrozek, Batko 2009). While some cell b has just one cell a left in its boundary, both go, and a cell c
    that had a in its boundary gets that of b in its place: nothing that is left, but maybe critical cells. When no such
    b is left, a cell of lowest dimension, whose boundary has nothing left, becomes critical and goes too. So the
    boundary of a critical cell in terms of critical cells is known when it goes, and these cells with these boundaries
    have the homology of the complex.

    Examples
    --------
    >>> import numpy as np
    >>> circle = [np.array([[0, 0], [1, 0], [1, 1], [2, 1], [2, 2], [0, 2]])]
    >>> betti_numbers([3, 3], circle)
    [1, 1]
    """
    critical = _critical_cells(sizes, pairs)
    ranks = [0, *(_rank(critical[d], critical[d - 1]) for d in range(1, len(sizes))), 0]
    return [len(critical[d]) - ranks[d] - ranks[d + 1] for d in range(len(sizes))]


def _critical_cells(sizes: Sequence[int], pairs: Sequence[NDArray[np.int64]]) -> list[dict[int, int]]:
    """For each dimension the critical cells, numbered by bits, and the sum of the bits of their boundaries."""
    starts = np.cumsum([0, *sizes])
    total = int(starts[-1])
    dimension = np.repeat(np.arange(len(sizes)), sizes).tolist()
    cofaces: list[list[int]] = [[] for _ in range(total)]
    # Number and exclusive or of the cells left in the boundary: with one left, the latter is its name.
    left, names = [0] * total, [0] * total
    for d, links in enumerate(pairs):
        for a, c in (links + starts[d : d + 2]).tolist():
            cofaces[a].append(c)
            left[c] += 1
            names[c] ^= a
    boundary = [0] * total
    alive = [True] * total
    waiting: deque[int] = deque()
    critical: list[dict[int, int]] = [{} for _ in sizes]

    def remove(a: int, replacement: int) -> None:
        alive[a] = False
        for c in cofaces[a]:
            if alive[c]:
                boundary[c] ^= replacement
                left[c] -= 1
                names[c] ^= a
                if left[c] == 1:
                    waiting.append(c)

    for cell in range(total):
        if not alive[cell]:
            continue
        bit = 1 << len(critical[dimension[cell]])
        critical[dimension[cell]][bit] = boundary[cell]
        remove(cell, bit)
        while waiting:
            b = waiting.popleft()
            if alive[b] and left[b] == 1:
                alive[b] = False
                remove(names[b], boundary[b])
                remove(b, 0)
    return critical


def _rank(cells: dict[int, int], below: dict[int, int]) -> int:
    """Rank over GF(2) of the boundaries of critical cells."""
    if not cells or not below:
        return 0
    entries = [int(bool(boundary & bit)) for boundary in cells.values() for bit in below]
    return int(flint.nmod_mat(len(cells), len(below), entries, 2).rank())
