"""Compiled kernel: branch and bound over circuits. The C files under csrc/ do the work and branch_and_bound.h says how.

Rows are doubles (float_rows of exact/arrays.py), each true entry within `error` of its double. One thing here is exact:
a proof names only circuits that rigorous error bounds certify or that the caller settled exactly. Witnesses are
candidates; the caller checks them in rationals.

A caller's loop, for both searches:

    while True:
        status = search.run(1000)                 # a slice: poll signals, limits and progress between slices
        if status == Status.UNCERTAIN:            # doubles cannot tell: settle in exact arithmetic
            search.settle(signs or None)
        elif status == Status.WITNESS and not is_witness(search.best_direction):
            continue                              # rejected: the search goes on by itself
        elif status != Status.RUNNING:
            break

Objects share nothing and release the interpreter's lock while they run: one thread each.
"""

import numpy as np

from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t
from libc.string cimport memcmp, memcpy

from polyinj._status cimport UNCERTAIN, kernel_status

from polyinj._status import Status
from polyinj.injectivity._conditioning import conditioned, direction_back, one_block

cdef extern from "circuits.h" nogil:
    ctypedef struct circuit_pool:
        int words
        int64_t count
        int64_t certified
        int64_t doubtful
        uint64_t *mask
        int32_t *pending
    int circuits_settle(circuit_pool *p, const int8_t *truth)

cdef extern from "tableau.h" nogil:
    enum:
        MAX_DIMENSION
    ctypedef struct tableau:
        int64_t pivots

cdef extern from "recording.h" nogil:
    ctypedef struct recording:
        int32_t *code
        int64_t length
    int32_t recording_renumber(int32_t *code, int64_t length, int32_t *number, int32_t used)
    int64_t recording_find_given(const int32_t *code, int64_t length)

cdef extern from "branch_and_bound.h" nogil:
    ctypedef struct search_problem:
        int dimension
        int rows
        int sides
        const double *row
        double error
        const double *vector
        int budget
        int spanning
        int blocks
        const int32_t *block
        int record
        int64_t memory_limit
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
    int search_open(search *s, const search_problem *problem)
    void search_close(search *s)
    int search_assume(search *s, int rotation, const int32_t *literal, int count)
    int search_give(search *s, int32_t number, int *rotation, int32_t *literal)
    int search_admit(search *s, const int32_t *column, int size)
    kernel_status search_run(search *s, int64_t max_nodes)

cdef extern from "blocks.h" nogil:
    int blocks_arrange(int dimension, int rows, const double *vector, const double *common, int count, int32_t *block)

LARGEST_DIMENSION = MAX_DIMENSION


cdef class _Search:
    """What both searches share.

    blocks: int32, the block of each row for the cycle lemma, negative for rows that take no part.
    status: how the last run ended. RUNNING: the slice is over. DONE: proved. WITNESS: see best_direction. UNCERTAIN:
    see `pending`. OUT_OF_MEMORY: memory_limit is used up. STUCK: doubles do not suffice (numerically dependent rows, or
    rejected witnesses all the way down).
    """

    cdef search _s
    cdef object _vector, _back, _row
    cdef readonly object blocks
    cdef bint _unsettled
    cdef readonly object status

    def __cinit__(self, rows, double error, side, int budget, int spanning, blocks, common, int count, bint record,
                  int64_t memory_limit):
        """blocks: of each row; count: how many there are, more than those named where the search is to choose them."""
        cdef double[:, ::1] shared
        cdef double[:, ::1] row, vector
        cdef int32_t[::1] block
        cdef int m = len(rows)
        cdef search_problem problem
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
        problem.dimension, problem.rows, problem.sides = row.shape[1], m, row.shape[0] - m
        problem.row, problem.error, problem.vector = &row[0, 0], error, &vector[0, 0]
        problem.budget, problem.spanning = budget, spanning
        problem.blocks, problem.block = count, &block[0]
        problem.record, problem.memory_limit = record, memory_limit
        if search_open(&self._s, &problem):
            search_close(&self._s)
            raise ValueError("the rows do not span, or memory is short")
        self.status = Status.RUNNING
        if count <= 1 or self.blocks.max() > 0:
            return
        if common is not None:
            shared = np.ascontiguousarray(common, dtype=np.float64)
            if shared.shape[0] != m or shared.shape[1] != m:
                raise ValueError(f"common has shape {shared.shape[0], shared.shape[1]}; expected {m, m}")
        if blocks_arrange(row.shape[1], m, &vector[0, 0], NULL if common is None else &shared[0, 0], count, &block[0]):
            raise MemoryError

    def __dealloc__(self):
        search_close(&self._s)

    def run(self, int64_t max_nodes):
        """Work for at most max_nodes nodes more and say how it stands; RuntimeError while a circuit is pending."""
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
        """The N + 1 columns of a doubtful circuit, +(c + 1) or -(c + 1); column m + k is side row k. () if none."""
        if not self._unsettled:
            return ()
        return tuple(self._s.pool.pending[i] for i in range(self._s.dimension + 1))

    def settle(self, signs):
        """The truth about `pending`, with v_c = +-(row c) by its sign: if their relations are the multiples of one
        vector x (chosen such that some entry is positive, none negative if possible), the signs of x in {-1, 0, +1}; if
        there are more relations, None.
        """
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
        """After STUCK: a circuit, surely one, all of whose literals are false at this node. Then run on."""
        cdef int32_t[::1] column = np.array(literals, dtype=np.int32)
        if self.status != Status.STUCK:
            raise RuntimeError("only a search that is stuck takes a circuit")
        if not 0 < column.shape[0] <= self._s.dimension + 1:
            raise ValueError(f"{column.shape[0]} literals; expected 1 to {self._s.dimension + 1}")
        if search_admit(&self._s, &column[0], column.shape[0]):
            raise MemoryError

    @property
    def degenerate(self):
        """Some circuit was doubtful: the rows may be dependent, so only the rank decides."""
        return self._s.pool.doubtful > 0

    @property
    def best_count(self):
        """Fewest active rows of a direction seen (of the witness itself after WITNESS); more than the number of rows if
        none was seen.
        """
        return self._s.best_count

    @property
    def best_direction(self):
        """Where that was, scaled to largest entry 1."""
        cdef double[::1] z = np.empty(self._s.dimension)
        memcpy(&z[0], self._s.best_direction, sizeof(double) * self._s.dimension)
        return direction_back(self._back, np.asarray(z))

    @property
    def nodes(self):
        """Nodes processed."""
        return self._s.nodes

    @property
    def pivots(self):
        """Pivots of the simplex tableau."""
        return self._s.table.pivots

    @property
    def circuits(self):
        """How many circuits were certified by error bounds."""
        return self._s.pool.certified

    @property
    def solves(self):
        """How often the tableau was asked for a circuit."""
        return self._s.solves

    # ---- Proof ----

    def proof(self):
        """(circuits, trees): circuits has shape (k, N + 1), signed literals in ascending order of rows, padded by 0,
        side row k as -(m + k + 1); a tree is the flat preorder code of the proof format. One tree for each rotation of
        the blocks.
        """
        cdef int32_t[::1] index = np.full(self._s.pool.count + 1, -1, dtype=np.int32)
        cdef int32_t used = 0
        cdef int32_t[::1] code
        cdef int words = self._s.pool.words, c
        cdef uint64_t *mask
        trees = []
        for r in range(self._s.blocks):
            trees.append(_copied(&self._s.tree[r]))
            code = trees[r]
            if code.shape[0]:
                used = recording_renumber(&code[0], code.shape[0], &index[0], used)
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
        """Before run: search only that subtree; its proof is trees[rotation]. All other arguments have to be those of
        the search that gave it away.
        """
        cdef int32_t[::1] literal = np.array(literals, dtype=np.int32).reshape(-1)
        if search_assume(&self._s, rotation, &literal[0] if literal.shape[0] else NULL, literal.shape[0]):
            raise ValueError("a literal is repeated or names no row of the search")

    def give_away(self, int32_t number):
        """Between runs: the largest open part of the search as (rotation, signed rows), for `assume` of another search;
        its place in the tree is marked 9 number. None if there is nothing to give.
        """
        cdef int rotation = 0
        cdef int32_t[::1] literal = np.empty(self._s.rows + 1, dtype=np.int32)
        cdef int count = search_give(&self._s, number, &rotation, &literal[0])
        return None if count < 0 else (rotation, np.asarray(literal)[:count].tolist())


cdef _copied(recording *r):
    cdef int32_t[::1] out = np.empty(r.length, dtype=np.int32)
    if r.length:
        memcpy(&out[0], r.code, sizeof(int32_t) * r.length)
    return np.asarray(out)


def splice(circuits, trees, parts):
    """Put the proofs (circuits, tree) of the subtrees given away, parts[number], into the proof that they belong to or
    into each other. Circuits that several parts use appear once. parts: a mapping.
    """
    together = np.concatenate([circuits, *(part[0] for part in parts.values())])
    pool, name = _distinct(together)
    start = len(circuits)
    trees = [_renamed(tree, name) for tree in trees]
    given = {}
    for number, (own, tree) in parts.items():
        given[number] = _renamed(tree, name[start:start + len(own)])
        start += len(own)
    return pool, [_filled(tree, given) for tree in trees]


def _renamed(tree, int32_t[::1] name):
    cdef int32_t[::1] code = tree.copy()
    if code.shape[0]:
        recording_renumber(&code[0], code.shape[0], &name[0], 0)
    return np.asarray(code)


def _filled(tree, given):
    """The tree with the subtrees given[k] in the places 9 k, and those of the subtrees filled likewise."""
    cdef const int32_t[::1] code
    pieces, rest = [], [tree]
    while rest:
        tree = rest.pop()
        code = tree
        place = recording_find_given(&code[0], code.shape[0]) if code.shape[0] else -1
        if place < 0:
            pieces.append(tree)
        else:
            pieces.append(tree[:place])
            rest += [tree[place + 2:], given[tree[place + 1]]]
    return np.concatenate(pieces)


def _distinct(const int32_t[:, ::1] row):
    """The distinct rows of an int32 matrix in the order in which they come, and for each row which one it is (int32).
    """
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


class CountSearch(_Search):
    """CountSearch(rows, error=0.0, side=None, *, budget, linear=None, blocks=None, common=None, record=True,
    memory_limit=2**30): is some admissible direction active on at most `budget` rows? DONE proves that none is.

    rows (m, N); side (s, N) rows that are positive at every admissible direction. linear: how many leading entries of a
    row are its linear part (default all); rows without one take no part. blocks: the block of each row, or a number of
    blocks, among which the search arranges the rows, or None for budget + 1. common (m, m), symmetric: what else rows
    have in common besides their inner products, which keeps them apart then. ValueError if the rows do not span
    numerically or there are fewer than N + 1 of them, or N > LARGEST_DIMENSION.
    """

    def __new__(cls, rows, double error=0.0, side=None, *, int budget, linear=None, blocks=None, common=None,
                bint record=True, int64_t memory_limit=1 << 30):
        n = np.shape(rows)[1] if linear is None else linear
        if blocks is None:
            # Prefixes hold floor(budget (j + 1) / count) rows: rounding takes most where count divides budget + 1.
            blocks = budget + 1
        if isinstance(blocks, int):
            count, blocks = blocks, one_block(rows, n)
            count = max(min(count, np.count_nonzero(blocks == 0)), 1)
        else:
            count = max(int(np.max(blocks)), 0) + 1
        return _Search.__new__(cls, rows, error, side, budget, 0, blocks, common, count, record, memory_limit)


class RankSearch(_Search):
    """RankSearch(rows, error=0.0, side=None, *, linear=None, record=True, memory_limit=2**30): do the linear parts of
    the active rows fail to span at some admissible direction? DONE proves that they never do.

    WITNESS: at best_direction the active rows have rank below `linear`, as far as doubles can tell.
    """

    def __new__(cls, rows, double error=0.0, side=None, *, linear=None, bint record=True, int64_t memory_limit=1 << 30):
        if linear is None:
            linear = np.shape(rows)[1]
        # No budget: the packing is as large as the codimension at most.
        return _Search.__new__(cls, rows, error, side, linear, linear, one_block(rows, linear), None, 1, record,
                               memory_limit)
