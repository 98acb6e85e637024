"""Compiled search: branch and bound over circuits, and the walk that looks for witnesses.

The C files under csrc/ do the work and say how; here are the Python objects around them. The contract: _branch_and_bound.pyi.
"""

from functools import lru_cache

from libc.math cimport fabs, sqrt
from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t
from libc.string cimport memcmp, memcpy

import numpy as np

from polyinj._status cimport UNCERTAIN, kernel_status

from polyinj._status import Status

cdef extern from "circuits.h" nogil:
    ctypedef struct circuit_pool:
        int words
        int64_t count
        int64_t certified
        int64_t doubtful
        int64_t bytes
        uint64_t *mask
        int32_t *pending
    int circuits_settle(circuit_pool *p, const int8_t *truth)

cdef extern from "tableau.h" nogil:
    ctypedef struct tableau:
        int64_t pivots

cdef extern from "branch_and_bound.h" nogil:
    enum:
        MAX_DIMENSION
    ctypedef struct recording:
        int32_t *code
        int64_t length
    ctypedef struct search:
        int dimension
        int blocks
        int columns
        int rows
        int best_count
        double *best_direction
        int64_t nodes
        int64_t solves
        tableau table
        circuit_pool pool
        recording *tree
        int32_t *trail
        int trailed
        uint64_t *positive
    int search_open(search *s, int dimension, int rows, int sides, const double *vector, const double *row,
                    double error, int budget, int spanning, int blocks, const int32_t *block, int record,
                    int64_t memory_limit)
    void search_close(search *s)
    int search_assume(search *s, int rotation, const int32_t *literal, int count)
    int search_give(search *s, int32_t number, int *rotation, int32_t *literal)
    int search_admit(search *s, const int32_t *column, int size)
    kernel_status search_run(search *s, int64_t max_nodes)

cdef extern from "blocks.h" nogil:
    int blocks_arrange(int dimension, int rows, const double *vector, int count, int32_t *block)

cdef extern from "local_search.h" nogil:
    ctypedef struct witness_walk:
        int dimension
        int best_count
        int64_t step
        double *best_direction
    int witness_open(witness_walk *w, int dimension, int columns, const double *vector, const int32_t *weight,
                     uint64_t seed)
    void witness_close(witness_walk *w)
    int witness_run(witness_walk *w, int64_t max_steps, int target)

LARGEST_DIMENSION = MAX_DIMENSION


cdef _unit(const double[:, ::1] row):
    """The rows at length 1; zero rows stay zero."""
    out = np.empty((row.shape[0], row.shape[1]))
    cdef double[:, ::1] unit = out
    cdef Py_ssize_t i, j
    cdef double largest, square, scale
    with nogil:
        for i in range(row.shape[0]):
            # By the largest entry first: squares of tiny or huge entries would leave the range of doubles.
            largest, square = 2.0**-1022, 0
            for j in range(row.shape[1]):
                largest = max(largest, fabs(row[i, j]))
            for j in range(row.shape[1]):
                unit[i, j] = row[i, j] / largest
                square += unit[i, j] * unit[i, j]
            scale = sqrt(square)
            for j in range(row.shape[1]):
                unit[i, j] /= scale if scale > 0 else 1
    return out


def conditioned(rows):
    unit, q, r = factored(rows)
    return (unit, np.eye(unit.shape[1])) if q is None else (q, r)


def factored(rows):
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    return _factored(rows.tobytes(), rows.shape[1])


# The checks, the walk, the choice of blocks and the search of one layer factor the same rows.
@lru_cache(maxsize=4)
def _factored(data, columns):
    unit = _unit(np.frombuffer(data).reshape(-1, columns))
    q, r = np.linalg.qr(unit)
    size = np.abs(r.diagonal())
    if len(size) < columns or size.min() < 1e-13 * size.max():
        # Q would invent directions; the kernels find out that the rows do not span.
        return unit, None, r
    return unit, _unit(q), r


def least_singular_value(const double[:, ::1] r):
    cdef Py_ssize_t n = r.shape[1], i, j, k
    cdef double square = 0, length, entry
    if r.shape[0] < n:
        return 0.0
    cdef double[:, ::1] inverse = np.zeros((n, n))
    # R^-1 by back substitution. To scale column i of R to length 1 is to scale row i of the inverse by that length.
    for i in range(n - 1, -1, -1):
        if r[i, i] == 0:
            return 0.0
        length = 0
        for k in range(i + 1):
            length += r[k, i] * r[k, i]
        for j in range(i, n):
            entry = 1 if i == j else 0
            for k in range(i + 1, j + 1):
                entry -= r[i, k] * inverse[k, j]
            inverse[i, j] = entry / r[i, i]
            square += length * inverse[i, j] * inverse[i, j]
    return 1 / sqrt(square)


def _direction(r, z):
    """R^-1 z, scaled to largest entry 1; zero where R is singular."""
    try:
        x = np.linalg.solve(r, z)
    except np.linalg.LinAlgError:
        return np.zeros_like(z)
    return x / max(np.abs(x).max(), 2.0**-1022)


cdef class _Search:
    cdef search _s
    cdef object _vector, _back, _row
    cdef readonly object blocks
    cdef bint _unsettled
    cdef readonly object status

    def __cinit__(self, rows, double error, side, int budget, int spanning, blocks, int count, bint record,
                  int64_t memory_limit):
        """blocks: of each row; count: how many there are, more than those named where the search is to choose them."""
        cdef double[:, ::1] row, vector
        cdef int32_t[::1] block
        cdef int m = len(rows)
        self._row = np.ascontiguousarray(rows if side is None else np.concatenate([rows, side]), dtype=np.float64)
        row = self._row
        if not 0 < row.shape[1] <= MAX_DIMENSION or not row.shape[1] < row.shape[0] < 65535:
            raise ValueError(f"{row.shape[0]} rows of length {row.shape[1]}; expected length 1 to {MAX_DIMENSION} and "
                             "more rows than that, below 65535")
        self._vector, self._back = conditioned(self._row)
        self.blocks = np.ascontiguousarray(blocks, dtype=np.int32)
        vector = self._vector
        block = self.blocks
        if block.shape[0] != m:
            raise ValueError(f"{block.shape[0]} block numbers for {m} rows")
        if search_open(&self._s, row.shape[1], m, row.shape[0] - m, &vector[0, 0], &row[0, 0], error, budget, spanning,
                       count, &block[0], record, memory_limit):
            search_close(&self._s)
            raise ValueError("the rows do not span, or memory is short")
        self.status = Status.RUNNING
        if count > 1 and self.blocks.max() <= 0 and blocks_arrange(row.shape[1], m, &vector[0, 0], count, &block[0]):
            raise MemoryError

    def __dealloc__(self):
        search_close(&self._s)

    def run(self, int64_t max_nodes):
        cdef kernel_status status
        if self._unsettled:
            raise RuntimeError("settle the pending circuit first")
        with nogil:
            status = search_run(&self._s, max_nodes)
        self._unsettled = status == UNCERTAIN
        self.status = Status(status)
        return self.status

    @property
    def pending(self):
        if not self._unsettled:
            return ()
        return tuple(self._s.pool.pending[i] for i in range(self._s.dimension + 1))

    def settle(self, signs):
        cdef int8_t[::1] truth
        cdef int failed
        if not self._unsettled:
            raise RuntimeError("no circuit is pending")
        if signs is None:
            failed = circuits_settle(&self._s.pool, NULL)
        else:
            truth = np.array(signs, dtype=np.int8)
            if truth.shape[0] != self._s.dimension + 1:
                raise ValueError(f"{truth.shape[0]} signs; expected {self._s.dimension + 1}")
            failed = circuits_settle(&self._s.pool, &truth[0])
        if failed:
            raise MemoryError
        self._unsettled = False

    @property
    def decided(self):
        """The rows decided at this node: +(i + 1) POS, -(i + 1) NEG."""
        return [(i + 1) if self._s.positive[i >> 6] >> (i & 63) & 1 else -(i + 1)
                for i in [self._s.trail[k] for k in range(self._s.trailed)]]

    def admit(self, literals):
        cdef int32_t[::1] column = np.array(literals, dtype=np.int32)
        if self.status != Status.STUCK:
            raise RuntimeError("only a search that is stuck takes a circuit")
        if not 0 < column.shape[0] <= self._s.dimension + 1:
            raise ValueError(f"{column.shape[0]} literals; expected 1 to {self._s.dimension + 1}")
        if search_admit(&self._s, &column[0], column.shape[0]):
            raise MemoryError

    @property
    def degenerate(self):
        return self._s.pool.doubtful > 0

    @property
    def best_count(self):
        return self._s.best_count

    @property
    def best_direction(self):
        cdef double[::1] z = np.empty(self._s.dimension)
        memcpy(&z[0], self._s.best_direction, sizeof(double) * self._s.dimension)
        return _direction(self._back, np.asarray(z))

    @property
    def nodes(self):
        return self._s.nodes

    @property
    def pivots(self):
        return self._s.table.pivots

    @property
    def circuits(self):
        return self._s.pool.certified

    @property
    def solves(self):
        return self._s.solves

    # ---- Proof ----

    def proof(self):
        cdef int32_t[::1] index = np.full(self._s.pool.count + 1, -1, dtype=np.int32)
        cdef int32_t used = 0
        cdef int words = self._s.pool.words, c
        cdef uint64_t *mask
        trees = []
        for r in range(self._s.blocks):
            trees.append(_copied(&self._s.tree[r]))
            used = _relabel(trees[r], index, used)
        circuits = np.zeros((used, self._s.dimension + 1), dtype=np.int32)
        cdef int32_t[:, ::1] literal = circuits
        cdef int64_t i
        cdef int k
        for i in range(self._s.pool.count):
            if index[i] < 0:
                continue
            mask = self._s.pool.mask + i * 2 * words
            k = 0
            for c in range(self._s.columns):
                if mask[c >> 6] >> (c & 63) & 1:
                    literal[index[i], k] = c + 1
                    k += 1
                elif mask[words + (c >> 6)] >> (c & 63) & 1:
                    literal[index[i], k] = -c - 1
                    k += 1
        return circuits, trees

    # ---- Subtrees ----

    def assume(self, int rotation, literals):
        cdef int32_t[::1] literal = np.array(literals, dtype=np.int32).reshape(-1)
        if search_assume(&self._s, rotation, &literal[0] if literal.shape[0] else NULL, literal.shape[0]):
            raise ValueError("a literal is repeated or names no row of the search")

    def give_away(self, int32_t number):
        cdef int rotation = 0
        cdef int32_t[::1] literal = np.empty(self._s.rows + 1, dtype=np.int32)
        cdef int count = search_give(&self._s, number, &rotation, &literal[0])
        return None if count < 0 else (rotation, np.asarray(literal)[:count].tolist())


cdef _copied(recording *r):
    cdef int32_t[::1] out = np.empty(r.length, dtype=np.int32)
    if r.length:
        memcpy(&out[0], r.code, sizeof(int32_t) * r.length)
    return np.asarray(out)


cdef int32_t _relabel(int32_t[::1] code, int32_t[::1] index, int32_t used) noexcept nogil:
    """Number the circuits that a tree names by first use from `used` on; index maps the old names (-1: not yet)."""
    cdef int64_t at = 0, i, first, last
    while at < code.shape[0]:
        if code[at] == 1 or code[at] == 5:
            first, last = at + 1, at + 2
        elif code[at] == 2 or code[at] == 4:
            first, last = at + 3, at + 3 + code[at + 2]
        elif code[at] == 6:
            first, last = at + 2, at + 2 + code[at + 1]
        else:
            first, last = at + 2, at + 2
        for i in range(first, last):
            if index[code[i]] < 0:
                index[code[i]] = used
                used += 1
            code[i] = index[code[i]]
        at = last
    return used


def splice(circuits, trees, parts):
    together = np.concatenate([circuits, *(part[0] for part in parts)])
    pool, name = _distinct(together)
    start = len(circuits)
    trees = [_renamed(tree, name) for tree in trees]
    given = []
    for own, tree in parts:
        given.append(_renamed(tree, name[start:start + len(own)]))
        start += len(own)
    return pool, [_filled(tree, given) for tree in trees]


def _renamed(tree, int32_t[::1] name):
    cdef int32_t[::1] code = tree.copy()
    _relabel(code, name, 0)
    return np.asarray(code)


def _filled(tree, given):
    """The tree with the subtrees given[k] in the places 9 k, and those of the subtrees filled likewise."""
    pieces, rest = [], [tree]
    while rest:
        code = rest.pop()
        place = _given_place(code)
        if place < 0:
            pieces.append(code)
        else:
            pieces.append(code[:place])
            rest += [code[place + 2:], given[code[place + 1]]]
    return np.concatenate(pieces)


def _distinct(const int32_t[:, ::1] row):
    """The distinct rows of an int32 matrix in the order in which they come, and for each row which one it is (int32)."""
    cdef Py_ssize_t count = row.shape[0], width = row.shape[1], i, k
    cdef int32_t[::1] name = np.empty(count, dtype=np.int32), first = np.empty(count, dtype=np.int32)
    # Open addressing: at most half of the slots are taken.
    cdef uint64_t last = (1 << (2 * count).bit_length()) - 1, at
    cdef int32_t[::1] slot = np.full(last + 1, -1, dtype=np.int32)
    cdef int32_t distinct = 0
    with nogil:
        for i in range(count):
            at = 0
            for k in range(width):
                at = (at ^ <uint64_t><int64_t>row[i, k]) * 0x9E3779B97F4A7C15u
                at ^= at >> 29
            at &= last
            while slot[at] >= 0 and memcmp(&row[first[slot[at]], 0], &row[i, 0], sizeof(int32_t) * width) != 0:
                at = (at + 1) & last
            if slot[at] < 0:
                slot[at] = distinct
                first[distinct] = <int32_t>i
                distinct += 1
            name[i] = slot[at]
    return np.asarray(row)[np.asarray(first)[:distinct]], np.asarray(name)


cdef int64_t _given_place(const int32_t[::1] code):
    """Where the first subtree given away stands in a tree, or -1."""
    cdef int64_t at = 0
    while at < code.shape[0]:
        if code[at] == 9:
            return at
        if code[at] == 2 or code[at] == 4:
            at += 3 + code[at + 2]
        elif code[at] == 6:
            at += 2 + code[at + 1]
        else:
            at += 2
    return -1


class CountSearch(_Search):
    def __new__(cls, rows, double error=0.0, side=None, *, int budget, linear=None, blocks=None, bint record=True,
                int64_t memory_limit=1 << 30):
        n = np.shape(rows)[1] if linear is None else linear
        if blocks is None:
            # Prefixes hold floor(budget (j + 1) / count) rows: rounding takes most where count divides budget + 1.
            blocks = budget + 1
        if isinstance(blocks, int):
            count, blocks = blocks, _taking_part(rows, n)
            count = max(min(count, np.count_nonzero(blocks == 0)), 1)
        else:
            count = max(int(np.max(blocks)), 0) + 1
        return _Search.__new__(cls, rows, error, side, budget, 0, blocks, count, record, memory_limit)


class RankSearch(_Search):
    def __new__(cls, rows, double error=0.0, side=None, *, linear=None, bint record=True, int64_t memory_limit=1 << 30):
        if linear is None:
            linear = np.shape(rows)[1]
        # No budget: the packing is as large as the codimension at most.
        return _Search.__new__(cls, rows, error, side, linear, linear, _taking_part(rows, linear), 1, record,
                               memory_limit)


def _taking_part(rows, Py_ssize_t linear):
    """One block of all rows whose linear part is not zero; int32."""
    cdef const double[:, ::1] row = np.ascontiguousarray(rows, dtype=np.float64)
    out = np.full(row.shape[0], -1, dtype=np.int32)
    cdef int32_t[::1] block = out
    cdef Py_ssize_t i, j
    for i in range(row.shape[0]):
        for j in range(linear):
            if row[i, j] != 0:
                block[i] = 0
                break
    return out


cdef class WitnessSearch:
    cdef witness_walk _w
    cdef object _vector, _weight, _back

    def __cinit__(self, rows, side=None, *, seed, linear=None):
        cdef double[:, ::1] vector
        cdef int32_t[::1] weight
        rows = np.asarray(rows, dtype=np.float64)
        sides = np.empty((0, rows.shape[1])) if side is None else np.asarray(side, dtype=np.float64)
        self._vector, self._back = conditioned(np.concatenate([rows, -sides]))
        counted = _taking_part(rows, rows.shape[1] if linear is None else linear) == 0
        # One violated side row outweighs all rows together.
        self._weight = np.concatenate([counted, np.full(len(sides), len(rows) + 1)]).astype(np.int32)
        vector = self._vector
        weight = self._weight
        if witness_open(&self._w, vector.shape[1], vector.shape[0], &vector[0, 0], &weight[0], seed):
            raise MemoryError

    def __dealloc__(self):
        witness_close(&self._w)

    def run(self, int64_t max_steps, int target):
        cdef int result
        with nogil:
            result = witness_run(&self._w, max_steps, target)
        if result < 0:
            raise ValueError("the rows do not span")
        return result == 1

    @property
    def steps(self):
        return self._w.step

    @property
    def best_count(self):
        return self._w.best_count

    @property
    def best_direction(self):
        cdef double[::1] z = np.empty(self._w.dimension)
        memcpy(&z[0], self._w.best_direction, sizeof(double) * self._w.dimension)
        return _direction(self._back, np.asarray(z))
