"""Compiled kernel: is the smallest singular value of the active rows at least tau in every cell?

injectivity/spectral.py says what is walked and why, and drives the cursor.
"""

import numpy as np

from libc.math cimport exp, sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from polyinj._status cimport DONE, RUNNING, STUCK, kernel_status

from polyinj._status import Status

# A row leaves the work exp(-EFFECT t), t being what it takes off the trace of SHIFT square (G + SHIFT square)^-1,
# which is about the number of directions in which the positive rows are not above yet.
cdef double SHIFT = 0.5
cdef double EFFECT = 2.0

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
    trace for rounding. A row that would close it is excluded: NEG in the cells that matter. words: of a set of rows as
    bits of uint64. nodes: how many were entered since `restart`.

        while (status := tree.run(nodes, tau)) != Status.DONE:
            if status == Status.STUCK:   # no clause branches `node`
                tree.learn(has, lacks) a clause that does, or tree.close(): its value is known
    """

    cdef readonly int64_t m, n, words, nodes
    cdef int64_t _depth, _clauses
    cdef double _share
    cdef double[:, ::1] _rows
    cdef double[:, ::1] _gram
    cdef double[::1] _factor, _inverse
    cdef uint64_t[::1] _suspected
    cdef double[:, ::1] _work
    cdef uint64_t[:, ::1] _positive, _negative, _live, _has, _lacks
    cdef bint _entered

    def __init__(self, rows, double share):
        self._rows = np.ascontiguousarray(rows, dtype=np.float64)
        self.m, self.n = rows.shape
        self.words = (self.m + 63) // 64
        self._share = share
        self._gram = np.zeros((self.m + 2, self.n * self.n))
        self._factor = np.zeros(self.n * self.n)
        self._inverse = np.zeros(self.n * self.n)
        self._suspected = np.zeros(self.words, dtype=np.uint64)
        self._work = np.zeros((self.m + 2, self.m))
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
            row = self._lightest_row(d)
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

    cdef int64_t _lightest_row(self, int64_t d) noexcept nogil:
        """The live row of a frame that leaves the least work; -1 for none."""
        cdef int64_t w, i, best = -1
        cdef uint64_t left
        cdef double least = 2.0
        for w in range(self.words):
            left = self._live[d, w]
            while left:
                i = 64 * w + trailing64(left)
                left &= left - 1
                if self._work[d, i] < least:
                    least, best = self._work[d, i], i
        return best

    cdef void _add(self, int64_t d, int64_t row) noexcept nogil:
        cdef int64_t i, j
        for i in range(self.n):
            for j in range(i + 1):
                self._gram[d, i * self.n + j] += self._rows[row, i] * self._rows[row, j]

    cdef kernel_status _enter(self, int64_t d, double square) noexcept nogil:
        """Propagate; DONE if no cell is left or none is below; RUNNING with live rows to branch on; else STUCK."""
        cdef int64_t w, best
        cdef bint grown = False
        # Most nodes end here, before the clauses are looked at.
        if self._above(d, square):
            return DONE
        if not self._propagate(d, &grown):
            return DONE
        if grown and self._above(d, square):
            return DONE
        if self._suspect(d, square):
            if self._is_refuted(d, square):
                return DONE
            if self._exclude(d, square):
                grown = False
                if not self._propagate(d, &grown) or (grown and self._above(d, square)):
                    return DONE
        best = self._lightest_clause(d, square)
        if best < 0:
            return STUCK
        for w in range(self.words):
            self._live[d, w] = self._has[best, w] & ~self._negative[d, w]
        return RUNNING

    cdef bint _propagate(self, int64_t d, bint *grown) noexcept nogil:
        """Fix what clauses with one live literal leave; False if one has none: there is no such cell."""
        cdef int64_t c, w, count
        cdef uint64_t live
        cdef bint true_, changed = True
        cdef uint64_t *positive = &self._positive[d, 0]
        cdef uint64_t *negative = &self._negative[d, 0]
        while changed:
            changed = False
            for c in range(self._clauses):
                true_, count = False, 0
                for w in range(self.words):
                    if (self._has[c, w] & positive[w]) | (self._lacks[c, w] & negative[w]):
                        true_ = True
                        break
                    count += popcount64((self._has[c, w] & ~negative[w]) | (self._lacks[c, w] & ~positive[w]))
                if true_:
                    continue
                if count == 0:
                    return False
                if count == 1:
                    changed = True
                    for w in range(self.words):
                        live = self._has[c, w] & ~negative[w]
                        negative[w] |= self._lacks[c, w] & ~positive[w]
                        if live:
                            grown[0] = True
                            positive[w] |= live
                            self._add(d, 64 * w + trailing64(live))
        return True

    cdef int64_t _lightest_clause(self, int64_t d, double square) noexcept nogil:
        """The clause whose live literals, all positive, leave the least work together; -1 if there is none."""
        cdef int64_t c, w, best = -1
        cdef double total, least = 1e300
        cdef uint64_t left
        cdef bint usable
        self._weigh(d, square)
        for c in range(self._clauses):
            usable, total = True, 0.0
            for w in range(self.words):
                if (self._has[c, w] & self._positive[d, w]) | (self._lacks[c, w] & ~self._positive[d, w]):
                    usable = False
                    break
                left = self._has[c, w] & ~self._negative[d, w]
                while left:
                    total += self._work[d, 64 * w + trailing64(left)]
                    left &= left - 1
            if usable and total < least:
                least, best = total, c
        return best

    cdef void _weigh(self, int64_t d, double square) noexcept nogil:
        """The work that each free row of a frame leaves."""
        cdef int64_t i, j, k, n = self.n
        cdef double value, along, length
        cdef double *lower = &self._factor[0]
        cdef double *inverse = &self._inverse[0]
        # G + SHIFT square = L L', and L^-1.
        for i in range(n):
            for j in range(i + 1):
                value = self._gram[d, i * n + j] + (SHIFT * square if i == j else 0.0)
                for k in range(j):
                    value -= lower[i * n + k] * lower[j * n + k]
                lower[i * n + j] = sqrt(max(value, 1e-300)) if i == j else value / lower[j * n + j]
            for j in range(i + 1):
                value = 1.0 if i == j else 0.0
                for k in range(j, i):
                    value -= lower[i * n + k] * inverse[k * n + j]
                inverse[i * n + j] = value / lower[i * n + i]
        for i in range(self.m):
            if (self._positive[d, i >> 6] | self._negative[d, i >> 6]) >> (i & 63) & 1:
                continue
            # u = L^-1 w, then L^-T u.
            along = length = 0.0
            for j in range(n):
                value = 0.0
                for k in range(j + 1):
                    value += inverse[j * n + k] * self._rows[i, k]
                lower[j] = value
                along += value * value
            for j in range(n):
                value = 0.0
                for k in range(j, n):
                    value += inverse[k * n + j] * lower[k]
                length += value * value
            self._work[d, i] = exp(-EFFECT * SHIFT * square * length / (1.0 + along))

    cdef bint _suspect(self, int64_t d, double square) noexcept nogil:
        """Suspect rows with which the positive ones would be above, as far as rounding lets see; whether there are any.

        One row is enough only where G - square has one eigenvalue below 0: then iff w.(G - square)^-1 w < -1.
        """
        cdef int64_t i, j, k, n = self.n
        cdef double value, quotient
        cdef double *factor = &self._factor[0]
        cdef double *reduced = &self._inverse[0]
        cdef bint one = False, found = False
        for i in range(self.words):
            self._suspected[i] = 0
        # G - square = L D L', D on the diagonal.
        for i in range(n):
            for j in range(i + 1):
                value = self._gram[d, i * n + j] - (square if i == j else 0.0)
                for k in range(j):
                    value -= factor[i * n + k] * factor[j * n + k] * factor[k * n + k]
                factor[i * n + j] = value if i == j else value / factor[j * n + j]
            if factor[i * n + i] == 0 or (one and factor[i * n + i] < 0):
                return False
            one |= factor[i * n + i] < 0
        for i in range(self.m):
            if (self._positive[d, i >> 6] | self._negative[d, i >> 6]) >> (i & 63) & 1:
                continue
            quotient = 0.0
            for j in range(n):
                value = self._rows[i, j]
                for k in range(j):
                    value -= factor[j * n + k] * reduced[k]
                reduced[j] = value
                quotient += value * value / factor[j * n + j]
            if quotient < -1.0:
                self._suspected[i >> 6] |= (<uint64_t> 1) << (i & 63)
                found = True
        return found

    cdef bint _is_excluded(self, int64_t d, int64_t row, double square) noexcept nogil:
        """Whether the positive rows and this one are above, for certain."""
        memcpy(&self._gram[self.m + 1, 0], &self._gram[d, 0], self.n * self.n * sizeof(double))
        self._add(self.m + 1, row)
        return self._above(self.m + 1, square)

    cdef bint _exclude(self, int64_t d, double square) noexcept nogil:
        """Fix suspected rows as negative, where it is certain; whether there are any."""
        cdef int64_t w, i
        cdef bint found = False
        cdef uint64_t left
        for w in range(self.words):
            left = self._suspected[w]
            while left:
                i = 64 * w + trailing64(left)
                if self._is_excluded(d, i, square):
                    self._negative[d, w] |= left & (0 - left)
                    found = True
                left &= left - 1
        return found

    cdef bint _is_refuted(self, int64_t d, double square) noexcept nogil:
        """Whether a clause has no live literal but suspected rows, each of them for certain."""
        cdef int64_t c, w, tries = 0
        cdef uint64_t left, other
        cdef uint64_t *positive = &self._positive[d, 0]
        cdef uint64_t *negative = &self._negative[d, 0]
        for c in range(self._clauses):
            other = 0
            for w in range(self.words):
                other |= self._has[c, w] & ~(negative[w] | self._suspected[w])
                other |= self._lacks[c, w] & ~positive[w]
            if other:
                continue
            for w in range(self.words):
                left = self._has[c, w] & ~negative[w]
                while left and self._is_excluded(d, 64 * w + trailing64(left), square):
                    left &= left - 1
                if left:
                    break
            else:
                return True
            tries += 1
            if tries > 3:
                break
        return False

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
