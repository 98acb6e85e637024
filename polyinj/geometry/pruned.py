"""Faces with few positives, by splitting cones: time by the output, not by the arrangement.

Start from the 2^r orthants of a basis of the rows. A row is *open* in a cone if it takes both signs on the cone's rays;
a row that is nowhere negative is positive in every cell inside. So

    visit(cone):
        if more than max_positive rows are nowhere negative: return          (nothing inside has fewer)
        if no row is open: write the cell
        else: cut the cone by the open row that is positive on most rays; visit the negative, then the positive side

meets every cell with at most max_positive positives once, as the two sides are disjoint and no cell is cut. A cone
carries its rays with their values on all rows; a cut adds one ray for each edge that it crosses.

In general position the zero rows of a face can be turned negative, which adds no positive: so every face with few
positives belongs to one cell, in which its zero rows are negative, and is written with it.

Signs have rigorous error bounds, and rays are worked out afresh when their bounds have grown. Where a sign stays
uncertain (a degenerate vertex, always), the ray sweep takes over and gives those faces that were not written yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np
from numpy.typing import NDArray

from polyinj._split import ConeSplitter
from polyinj._status import Status
from polyinj.exact import arrays
from polyinj.geometry.faces import face_chunks
from polyinj.geometry.incidence import Signs
from polyinj.geometry.simplify import SimpleArrangement
from polyinj.geometry.sweep import RunSettings

_CHUNK_ROWS = 4_096
_CONES_A_RUN = 20_000
# Splitting costs some tens of times as much per cell as the sweep.
_WORTHWHILE_FACTOR = 100
_LARGEST_BASIS = 20


def is_worthwhile(simple: SimpleArrangement, max_positive: int | None) -> bool:
    """Whether few enough cells are to be expected: for random signs of the rows, at most one in a hundred."""
    m, n = len(simple.rows), simple.rank
    if max_positive is None or simple.is_merged or not 1 <= n <= _LARGEST_BASIS:
        return False
    likely = sum(comb(m, p) for p in range(max_positive + 1))
    return bool(_WORTHWHILE_FACTOR * likely <= 2**m)


def pruned_chunks(
    simple: SimpleArrangement, dimension: int, max_positive: int, settings: RunSettings
) -> Iterator[Signs]:
    """As `face_chunks`, for arrangements without merged rows and dimension >= 1."""
    floats, error = arrays.float_rows(simple.matrix)
    limit = max_positive + int(simple.affine)
    cursor = ConeSplitter(floats, error, limit, dimension, simple.affine)
    room = _CHUNK_ROWS
    count, state = 0, Status.OUT_OF_MEMORY
    while state != Status.DONE:
        chunk = np.empty((room, floats.shape[0]), dtype=np.int8)
        state, written = cursor.fill(chunk, _CONES_A_RUN)
        if state == Status.OUT_OF_MEMORY:
            cursor.grow()
        elif state not in (Status.DONE, Status.UNCERTAIN) and written == 0:
            room *= 2
        count += written
        settings.report(count)
        if written:
            yield simple.expand(chunk[:written])
        if state == Status.UNCERTAIN:
            yield from _remaining(simple, dimension, max_positive, settings, cursor.path)
            return


def _remaining(
    simple: SimpleArrangement, dimension: int, max_positive: int, settings: RunSettings, path: list[tuple[int, int]]
) -> Iterator[Signs]:
    """From the ray sweep, the faces that the cursor had not reached when it stopped at `path`."""
    input_of = {row: j for j, row in enumerate(simple.row_of.tolist()) if row >= 0}
    for signs in face_chunks(simple, dimension, max_positive, settings):
        ahead = np.zeros(len(signs), dtype=np.int8)
        for row, side in path:
            if row in input_of:
                turned = np.where(signs[:, input_of[row]] > 0, 1, -1)
                ahead = np.where(ahead == 0, np.sign(turned - side), ahead)
        kept: NDArray[np.int8] = signs[ahead >= 0]
        if len(kept):
            yield kept
