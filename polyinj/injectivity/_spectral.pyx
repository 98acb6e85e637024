"""Compiled kernel: is the smallest singular value of the active rows at least tau in every cell?

injectivity/spectral.py says what is walked and why, and drives the cursor.
"""

import numpy as np

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from polyinj._status cimport DONE, RUNNING, STUCK, kernel_status

from polyinj._status import Status

cdef extern from *:
    """
    #define popcount64(x) __builtin_popcountll(x)
    #define trailing64(x) __builtin_ctzll(x)
    """
    int popcount64(uint64_t x) nogil
    int trailing64(uint64_t x) nogil


cdef class SpectralTree:
    """A cursor over sign patterns of rows (m, n) of doubles, depth first: is the smallest singular value of the
    positive rows at least tau in every cell?

    A node is closed when its POS rows have no singular value below tau: bounded below for certain, with `share` of the
    trace for rounding. words: of a set of rows as bits of uint64. nodes: how many were entered since `restart`.

        while (status := tree.run(nodes, tau)) != Status.DONE:
            if status == Status.STUCK:   # no clause branches `node`
                tree.learn(has, lacks) a clause that does, or tree.close(): its value is known
    """

    cdef readonly int64_t m, n, words, nodes
    cdef int64_t _depth, _clauses
    cdef double _share
    cdef double[:, ::1] _rows
    cdef double[:, ::1] _gram
    cdef double[::1] _factor
    cdef uint64_t[:, ::1] _positive, _negative, _live, _has, _lacks
    cdef bint _entered

    def __init__(self, rows, double share):
        self._rows = np.ascontiguousarray(rows, dtype=np.float64)
        self.m, self.n = rows.shape
        self.words = (self.m + 63) // 64
        self._share = share
        self._gram = np.zeros((self.m + 2, self.n * self.n))
        self._factor = np.zeros(self.n * self.n)
        self._positive, self._negative, self._live = (
            np.zeros((self.m + 2, self.words), dtype=np.uint64) for _ in range(3)
        )
        self._has = np.zeros((1024, self.words), dtype=np.uint64)
        self._lacks = np.zeros((1024, self.words), dtype=np.uint64)
        self._clauses = 0
        self.restart()

    def restart(self):
        """Back to the root; clauses are kept."""
        self.nodes = 0
        self._depth = 0
        self._entered = False
        self._gram[0, :] = 0.0
        self._positive[0, :] = 0
        self._negative[0, :] = 0

    def learn(self, has, lacks):
        """Clauses as bits (k, words) of uint64: in every cell some row of `has` is positive or one of `lacks` not."""
        cdef int64_t count = len(has)
        while self._clauses + count > self._has.shape[0]:
            self._has = np.concatenate([self._has, np.zeros_like(self._has)])
            self._lacks = np.concatenate([self._lacks, np.zeros_like(self._lacks)])
        np.asarray(self._has)[self._clauses : self._clauses + count] = has
        np.asarray(self._lacks)[self._clauses : self._clauses + count] = lacks
        self._clauses += count

    @property
    def node(self):
        """(positive, negative) of the open node."""
        return np.array(self._positive[self._depth]), np.array(self._negative[self._depth])

    def close(self):
        """Leave the open node: the caller knows its value."""
        self._entered = True
        self._live[self._depth, :] = 0

    def run(self, int64_t max_nodes, double tau):
        """Enter at most max_nodes nodes more: DONE where all are closed, RUNNING, or STUCK at `node`."""
        cdef kernel_status status
        with nogil:
            status = self._walk(self.nodes + max_nodes, tau * tau)
        return Status(status)

    cdef kernel_status _walk(self, int64_t last, double square) noexcept nogil:
        cdef int64_t d, w, row
        cdef uint64_t bit
        cdef kernel_status found
        while True:
            d = self._depth
            if not self._entered:
                if self.nodes >= last:
                    return RUNNING
                self.nodes += 1
                found = self._enter(d, square)
                if found == STUCK:
                    self.nodes -= 1
                    return STUCK
                self._entered = True
                if found == DONE:
                    for w in range(self.words):
                        self._live[d, w] = 0
            row = self._gains_most(d)
            if row < 0:
                if d == 0:
                    return DONE
                self._depth = d - 1
                continue
            w = row >> 6
            bit = (<uint64_t> 1) << (row & 63)
            memcpy(&self._positive[d + 1, 0], &self._positive[d, 0], self.words * sizeof(uint64_t))
            memcpy(&self._negative[d + 1, 0], &self._negative[d, 0], self.words * sizeof(uint64_t))
            memcpy(&self._gram[d + 1, 0], &self._gram[d, 0], self.n * self.n * sizeof(double))
            self._live[d, w] ^= bit
            self._negative[d, w] |= bit
            self._positive[d + 1, w] |= bit
            self._add(d + 1, row)
            self._depth = d + 1
            self._entered = False

    cdef int64_t _gains_most(self, int64_t d) noexcept nogil:
        """The longest live row of a frame; -1 for none."""
        cdef int64_t w, i, j, best = -1
        cdef uint64_t left
        cdef double length, most = -1.0
        for w in range(self.words):
            left = self._live[d, w]
            while left:
                i = 64 * w + trailing64(left)
                left &= left - 1
                length = 0.0
                for j in range(self.n):
                    length += self._rows[i, j] * self._rows[i, j]
                if length > most:
                    most, best = length, i
        return best

    cdef void _add(self, int64_t d, int64_t row) noexcept nogil:
        cdef int64_t i, j
        for i in range(self.n):
            for j in range(i + 1):
                self._gram[d, i * self.n + j] += self._rows[row, i] * self._rows[row, j]

    cdef kernel_status _enter(self, int64_t d, double square) noexcept nogil:
        """Propagate; DONE if no cell is left or none is below; RUNNING with live rows to branch on; else STUCK."""
        cdef int64_t c, w, count, best, best_count
        cdef uint64_t live, against
        cdef bint true_, usable, changed = True, grown = False
        cdef uint64_t *positive = &self._positive[d, 0]
        cdef uint64_t *negative = &self._negative[d, 0]
        # Most nodes end here, before the clauses are looked at.
        if self._above(d, square):
            return DONE
        while changed:
            changed = False
            best, best_count = -1, self.m + 1
            for c in range(self._clauses):
                true_, usable, count = False, True, 0
                for w in range(self.words):
                    if (self._has[c, w] & positive[w]) | (self._lacks[c, w] & negative[w]):
                        true_ = True
                        break
                    against = self._lacks[c, w] & ~positive[w]
                    count += popcount64((self._has[c, w] & ~negative[w]) | against)
                    if against:
                        usable = False
                if true_:
                    continue
                if count == 0:
                    return DONE
                if count == 1:
                    changed = True
                    for w in range(self.words):
                        live = self._has[c, w] & ~negative[w]
                        negative[w] |= self._lacks[c, w] & ~positive[w]
                        if live:
                            grown = True
                            positive[w] |= live
                            self._add(d, 64 * w + trailing64(live))
                elif usable and count < best_count:
                    best, best_count = c, count
        if grown and self._above(d, square):
            return DONE
        if best < 0:
            return STUCK
        for w in range(self.words):
            self._live[d, w] = self._has[best, w] & ~negative[w]
        return RUNNING

    cdef bint _above(self, int64_t d, double square) noexcept nogil:
        """Whether the Cholesky factorisation of the Gram matrix minus square and the allowance runs to its end."""
        cdef int64_t i, j, k, n = self.n
        cdef double value, shift, trace = 0.0
        cdef double *factor = &self._factor[0]
        for i in range(n):
            trace += self._gram[d, i * n + i]
        shift = square + self._share * (trace + n * square)
        for i in range(n):
            for j in range(i + 1):
                value = self._gram[d, i * n + j]
                if i == j:
                    value -= shift
                for k in range(j):
                    value -= factor[i * n + k] * factor[j * n + k]
                if i == j:
                    if not value > 0.0:
                        return False
                    factor[i * n + i] = sqrt(value)
                else:
                    factor[i * n + j] = value / factor[j * n + j]
        return True
