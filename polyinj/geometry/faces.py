"""Sign vectors of faces, in chunks: the ray sweep with the faces written down."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from math import comb

import numpy as np

from polyinj._cells import FaceWriter
from polyinj._status import Status
from polyinj.errors import PolyinjError
from polyinj.exact import arrays
from polyinj.geometry.incidence import Signs
from polyinj.geometry.simplify import SimpleArrangement
from polyinj.geometry.sweep import RunSettings, draw_forms
from polyinj.geometry.vertices import UnluckyForms, open_vertices

_CHUNK_BYTES = 1 << 22
# Chunks that a thread writes before the first is asked for: it need not wait for the others or the caller.
_CHUNKS_AHEAD = 3


def face_chunks(
    simple: SimpleArrangement, dimension: int, max_positive: int | None, settings: RunSettings
) -> Iterator[Signs]:
    """Every face of one dimension exactly once, as sign vectors of the input rows, shape (k, m).

    Parameters
    ----------
    simple : SimpleArrangement
    dimension : int
        Linear dimension in the reduced space (for an affine arrangement, that of the cone over the face).
    max_positive : int or None
        Only faces where at most this many input rows are positive.
    settings : RunSettings
        The order of the faces depends on the number of threads, and on nothing else.
    """
    count = 0
    for signs in _unreported_chunks(simple, dimension, max_positive, settings):
        count += len(signs)
        settings.report(count)
        if len(signs):
            yield signs


def _unreported_chunks(
    simple: SimpleArrangement, dimension: int, max_positive: int | None, settings: RunSettings
) -> Iterator[Signs]:
    m, n = len(simple.rows), simple.rank
    if not int(simple.affine) <= dimension <= n:
        return
    if dimension == 0:
        if max_positive is None or max_positive >= 0:
            yield simple.expand(np.zeros((1, m), dtype=np.int8))
        return
    parts = [_WriterPart(simple, dimension, max_positive, part, settings) for part in range(settings.threads)]
    if settings.threads == 1:
        while parts[0].is_running:
            yield from parts[0].advance()
        return
    with ExitStack() as stack:
        pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in parts]
        for pool in pools:
            stack.callback(pool.shutdown, cancel_futures=True)
        turns = [
            deque(pool.submit(part.advance) for _ in range(_CHUNKS_AHEAD))
            for pool, part in zip(pools, parts, strict=True)
        ]
        while any(turns):
            for pool, part, turn in zip(pools, parts, turns, strict=True):
                if turn:
                    chunks = turn.popleft().result()
                    if part.is_running:
                        turn.append(pool.submit(part.advance))
                    yield from chunks


class _WriterPart:
    """One thread's share of the faces."""

    def __init__(
        self, simple: SimpleArrangement, dimension: int, max_positive: int | None, part: int, settings: RunSettings
    ) -> None:
        floats, error = arrays.float_rows(simple.matrix)
        m, n = floats.shape
        # Where rows were merged, positives are those of the input: sieved after the expansion.
        self._sieve = max_positive if simple.is_merged else None
        self._limit = m if max_positive is None or simple.is_merged else min(m, max_positive + int(simple.affine))
        self._simple, self._dimension = simple, dimension
        self._forms = draw_forms(n, 0)
        flats = 1 if simple.affine else n - dimension + 1
        forms = self._forms / 2.0**50
        self._cursor = FaceWriter(
            floats, error, forms, flats, dimension, part, settings.threads, dimension, self._limit, not simple.affine
        )
        self._room = 2 * comb(n - 1, (n - 1) // 2) * (m + 1)
        few = _CHUNK_BYTES // m if settings.max_cells is None else min(_CHUNK_BYTES // m, settings.max_cells + 1)
        self._rows, self._pencils = max(few, 2 * self._room), settings.pencils
        self.is_running = True

    def advance(self) -> list[Signs]:
        """The next chunks, none after the last; the cursor runs without the GIL."""
        if not self.is_running:
            return []
        chunk = np.empty((self._rows, len(self._simple.rows)), dtype=np.int8)
        filled, state = 0, Status.RUNNING
        while state == Status.RUNNING and filled + self._room <= len(chunk):
            state, written = self._cursor.fill(chunk[filled:], self._pencils)
            filled += written
            if written == 0:
                break
        self.is_running = state != Status.DONE
        chunks = [chunk[:filled], *(self._exact_chunks() if state == Status.UNCERTAIN else ())]
        return [self._expand(signs) for signs in chunks]

    def _expand(self, signs: Signs) -> Signs:
        expanded = self._simple.expand(signs)
        if self._sieve is None:
            return expanded
        kept: Signs = expanded[(expanded > 0).sum(axis=1) <= self._sieve]
        return kept

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
