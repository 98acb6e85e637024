"""Sign vectors of faces, in chunks: the ray sweep with the faces written down."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import comb

import numpy as np
from numpy.typing import NDArray

from polyinj._cells import FaceWriter
from polyinj._core import DONE, UNCERTAIN
from polyinj.errors import PolyinjError
from polyinj.geometry import exact
from polyinj.geometry.simplify import SimpleArrangement
from polyinj.geometry.sweep import PENCILS_A_RUN, Walk, draw_forms
from polyinj.geometry.vertices import UnluckyForms, open_vertices

_CHUNK_ROWS = 16_384

Signs = NDArray[np.int8]


def face_chunks(simple: SimpleArrangement, dimension: int, max_positive: int | None, walk: Walk) -> Iterator[Signs]:
    """Every face of one dimension exactly once, as sign vectors of the input rows, shape (k, m).

    Parameters
    ----------
    simple : SimpleArrangement
    dimension : int
        Linear dimension in the reduced space (for an affine arrangement, that of the cone over the face).
    max_positive : int or None
        Only faces where at most so many input rows are positive.
    walk : Walk
        The order of the faces depends on the number of threads, and on nothing else.
    """
    count = 0
    for chunk in _reduced_chunks(simple, dimension, max_positive, walk):
        signs = simple.expand(chunk)
        if max_positive is not None and simple.is_merged:
            signs = signs[(signs > 0).sum(axis=1) <= max_positive]
        count += len(signs)
        walk.report(count)
        if len(signs):
            yield signs


def _reduced_chunks(simple: SimpleArrangement, dimension: int, max_positive: int | None, walk: Walk) -> Iterator[Signs]:
    """Faces by the signs of the reduced rows; the filter is left to the caller where rows were merged."""
    m, n = len(simple.rows), simple.rank
    if not int(simple.affine) <= dimension <= n:
        return
    if dimension == 0:
        if max_positive is None or max_positive >= 0:
            yield np.zeros((1, m), dtype=np.int8)
        return
    limit = m if max_positive is None or simple.is_merged else min(m, max_positive + int(simple.affine))
    parts = [_WriterPart(simple, dimension, limit, part, walk.threads) for part in range(walk.threads)]
    if walk.threads == 1:
        while parts[0].is_running:
            yield from parts[0].advance()
        return
    with ThreadPoolExecutor(walk.threads) as pool:
        running: list[tuple[_WriterPart, Future[list[Signs]]]] = [(part, pool.submit(part.advance)) for part in parts]
        while running:
            part, future = running.pop(0)
            chunks = future.result()
            if part.is_running:
                running.append((part, pool.submit(part.advance)))
            yield from chunks


class _WriterPart:
    """One thread's share of the walk."""

    def __init__(self, simple: SimpleArrangement, dimension: int, limit: int, part: int, parts: int) -> None:
        floats, error = exact.float_rows(simple.matrix)
        m, n = floats.shape
        self._simple, self._dimension, self._limit = simple, dimension, limit
        self._forms = draw_forms(n, 0)
        flats = 1 if simple.affine else n - dimension + 1
        forms = self._forms / 2.0**50
        self._cursor = FaceWriter(
            floats, error, forms, flats, dimension, part, parts, dimension, limit, not simple.affine
        )
        self._room = 2 * comb(n - 1, (n - 1) // 2) * (m + 1)
        self.is_running = True

    def advance(self) -> list[Signs]:
        """The next chunks; the cursor runs without the GIL."""
        chunk = np.empty((max(_CHUNK_ROWS, 2 * self._room), len(self._simple.rows)), dtype=np.int8)
        filled = 0
        while filled + self._room <= len(chunk):
            state, written = self._cursor.fill(chunk[filled:], PENCILS_A_RUN)
            filled += written
            if state == DONE:
                self.is_running = False
                break
            if state == UNCERTAIN:
                return [chunk[:filled], *self._exact_chunks()]
            if written == 0:
                break
        return [chunk[:filled]]

    def _exact_chunks(self) -> Iterator[Signs]:
        try:
            for vertex in open_vertices(self._simple.rows, self._forms.tolist(), self._cursor):
                signs, dimensions = vertex.rising_faces()
                signs = signs[dimensions == self._dimension]
                if not self._simple.affine:
                    signs = np.concatenate([signs, -signs])
                yield signs[(signs > 0).sum(axis=1) <= self._limit]
        except UnluckyForms:
            raise PolyinjError(
                "a random linear form met a vertex of the arrangement (chance below 2^-50 a vertex); permute the rows"
            ) from None
