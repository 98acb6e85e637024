"""Compiled search: branch and bound over circuits, and the walk that looks for witnesses."""

from libc.stdint cimport int8_t, int32_t, int64_t, uint16_t, uint64_t
from libc.string cimport memcpy

import numpy as np

cdef extern from "circuits.h" nogil:
    ctypedef struct circuit_pool:
        int words
        int64_t count
        int64_t certified
        int64_t doubtful
        uint64_t *mask
        int32_t *resolved
        int32_t *pending
    int circuits_settle(circuit_pool *p, const int8_t *truth)

cdef extern from "tableau.h" nogil:
    ctypedef struct tableau:
        int64_t pivots

cdef extern from "search.h" nogil:
    enum search_status:
        pass
    ctypedef struct recording:
        int32_t *code
        int64_t length
    ctypedef struct search:
        int dimension
        int blocks
        int columns
        int rows
        int rotation
        int best_count
        double *best_direction
        int64_t nodes
        int64_t solves
        tableau table
        circuit_pool pool
        recording *tree
    int search_open(search *s, int dimension, int rows, int sides, const double *vector, const double *row, double error,
                    int budget, int blocks, const int32_t *block, int record, int64_t memory_limit)
    void search_close(search *s)
    void search_root_packing(search *s, int32_t *label)
    search_status search_run(search *s, int64_t max_nodes)

STATUS = ("running", "exhausted", "witness", "uncertain", "memory", "stuck")


def conditioned(rows):
    """Unit rows of the Q factor of the unit rows: the same circuits, better conditioned."""
    def unit(a):
        length = np.sqrt((a * a).sum(axis=1, keepdims=True))
        return a / np.where(length > 0, length, 1)
    return np.ascontiguousarray(unit(np.linalg.qr(unit(rows))[0]))


cdef class CountSearch:
    cdef search _s
    cdef object _vector, _row, _block
    cdef readonly str status

    def __cinit__(self, rows, double error=0.0, side=None, int budget=0, blocks=1, bint record=True, int64_t memory_limit=1 << 31):
        self._row = np.ascontiguousarray(rows if side is None else np.vstack([rows, side]), dtype=np.float64)
        self._vector = conditioned(self._row)
        self._block = np.ascontiguousarray(blocks, dtype=np.int32)
        cdef double[:, ::1] row = self._row
        cdef double[:, ::1] vector = self._vector
        cdef int32_t[::1] block = self._block
        cdef int m = len(rows)
        if search_open(&self._s, row.shape[1], m, row.shape[0] - m, &vector[0, 0], &row[0, 0], error, budget, int(self._block.max()) + 1,
                       &block[0], record, memory_limit):
            raise MemoryError
        self.status = "running"

    def __dealloc__(self):
        search_close(&self._s)

    def run(self, int64_t max_nodes):
        cdef search_status status
        with nogil:
            status = search_run(&self._s, max_nodes)
        self.status = STATUS[<int>status]
        return self.status

    def label(self):
        cdef int32_t[::1] out = np.empty(self._s.rows, dtype=np.int32)
        with nogil:
            search_root_packing(&self._s, &out[0])
        return np.asarray(out)

    @property
    def stats(self):
        return dict(nodes=self._s.nodes, solves=self._s.solves, pivots=self._s.table.pivots, circuits=self._s.pool.count,
                    certified=self._s.pool.certified, doubtful=self._s.pool.doubtful, best=self._s.best_count,
                    code=sum(self._s.tree[i].length for i in range(self._s.blocks)))

    @property
    def direction(self):
        cdef double[::1] out = np.empty(self._s.dimension)
        memcpy(&out[0], self._s.best_direction, sizeof(double) * self._s.dimension)
        return np.asarray(out)


def choose_blocks(rows, side, int count):
    m = len(rows)
    label = CountSearch(rows, 0.0, side, 0, np.zeros(m, np.int32)).label()
    order = np.argsort(np.where(label < 0, m, label), kind="stable")
    block = np.empty(m, np.int32)
    block[order] = np.arange(m) * count // m
    return block
