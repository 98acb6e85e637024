"""Compiled kernel: the cells with few positives, by splitting cones.

geometry/pruned.py says what is walked and why, and drives the cursor.
"""

import numpy as np

from libc.math cimport fabs
from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t

from polyinj._core cimport bounds, eliminate, largest, padded
from polyinj._status cimport DONE, OUT_OF_MEMORY, RUNNING, UNCERTAIN, kernel_status

from polyinj._status import Status


cdef extern from "split.h" nogil:
    ctypedef struct ray_bounds:
        double size
        double error

    void sign_bits(const double *values, int64_t rows, double error, uint64_t *positive, uint64_t *negative)
    ray_bounds split_edge(double *target, const double *a, const double *b, ray_bounds of_a, ray_bounds of_b,
                          int64_t t, int64_t width)
    int64_t count_bits(const uint64_t *set, int64_t words)
    void tally_bits(int32_t *tally, const uint64_t *set, int64_t words)
    int64_t adjacent_across(const int32_t *rays, int64_t count, const uint64_t *tight, const uint64_t *negative,
                            int64_t words, int64_t a, int64_t t, int64_t common, int32_t *neighbours)
    bint contains(const uint64_t *set, const uint64_t *part, int64_t words)
    bint has_bit(const uint64_t *set, int64_t j)
    void set_bit(uint64_t *set, int64_t j)
    void clear_bit(uint64_t *set, int64_t j)
    int64_t next_bit(const uint64_t *set, int64_t start, int64_t words)


# When to work out a ray afresh: only speed depends on it.
cdef double REFRESH = 1e-5


def longer(array, length, axis):
    """A copy with zeros appended along one axis."""
    shape = list(np.shape(array))
    shape[axis] = length - shape[axis]
    return np.concatenate([array, np.zeros(shape, dtype=np.asarray(array).dtype)], axis=axis)


cdef class ConeSplitter:
    """A cursor over the cells with at most `limit` positives of a simple arrangement whose first n rows are a basis.

    Level 0 holds the orthant of the basis that `orthant` names; level l + 1 is one side of level l, cut by row
    `cut[l]`. Rays live on a stack: those of the orthant first, then for each level the rays on its cut, which both of
    its sides share.

    m, n: shape of the rows. nodes: how many cones were entered.
    """

    cdef readonly int64_t m, n, limit, nodes
    cdef int64_t width, words, capacity, level, orthant, face_zeros, written, room
    cdef bint first_positive, started
    cdef double error
    cdef double[:, ::1] source, start, spare, other, values
    cdef double[::1] sizes, errors
    cdef uint64_t[:, ::1] positive, negative, tight
    cdef uint64_t[:, :, ::1] cell
    cdef uint64_t[::1] subset
    cdef int32_t[:, ::1] rays
    cdef int32_t[::1] places, tally, neighbours
    cdef int64_t[::1] ray_count, top, cut, side, choice
    cdef int8_t[:, ::1] out
    cdef bounds given, known

    def __init__(self, const double[:, ::1] rows, double error, int64_t limit, int64_t face_dimension,
                 bint first_positive):
        cdef int64_t m = rows.shape[0], n = rows.shape[1], i, j
        self.m, self.n, self.error, self.limit = m, n, error, limit
        self.width, self.words = padded(m), (m + 63) // 64
        self.face_zeros, self.first_positive = n - face_dimension, first_positive
        self.source = np.zeros((n, self.width))
        for i in range(n):
            for j in range(m):
                self.source[i, j] = rows[j, i]
        self.start = np.zeros((n, self.width))
        self.spare = np.zeros((n, self.width))
        self.other = np.zeros((n, self.width))
        self.values = np.zeros((0, self.width))
        self.sizes, self.errors = np.zeros(0), np.zeros(0)
        self.positive = np.zeros((0, self.words), dtype=np.uint64)
        self.negative = np.zeros((0, self.words), dtype=np.uint64)
        self.tight = np.zeros((0, self.words), dtype=np.uint64)
        self.rays = np.zeros((m - n + 2, 0), dtype=np.int32)
        self.grow()
        levels = m - n + 2
        self.cell = np.zeros((levels, 3, self.words), dtype=np.uint64)
        self.subset = np.zeros(self.words, dtype=np.uint64)
        self.ray_count = np.zeros(levels, dtype=np.int64)
        self.top = np.zeros(levels, dtype=np.int64)
        self.cut = np.zeros(levels, dtype=np.int64)
        self.side = np.zeros(levels, dtype=np.int64)
        self.choice = np.zeros(n, dtype=np.int64)
        self.places = np.zeros(m, dtype=np.int32)
        self.tally = np.zeros(64 * self.words, dtype=np.int32)
        self.level = -1

    def grow(self):
        """Twice as much room for rays; called after OUT_OF_MEMORY."""
        self.capacity = max(256, 2 * self.capacity)
        self.values = longer(self.values, self.capacity, 0)
        self.sizes = longer(self.sizes, self.capacity, 0)
        self.errors = longer(self.errors, self.capacity, 0)
        self.positive = longer(self.positive, self.capacity, 0)
        self.negative = longer(self.negative, self.capacity, 0)
        self.tight = longer(self.tight, self.capacity, 0)
        self.rays = longer(self.rays, self.capacity, 1)
        self.neighbours = np.zeros(self.capacity, dtype=np.int32)

    def fill(self, int8_t[:, ::1] out, int64_t nodes):
        """Write faces to the rows of `out`, visiting at most `nodes` cones; returns (status, rows written).

        RUNNING when `out` has no room for the faces of the next cell, or the nodes are spent. After UNCERTAIN nothing
        more can be had here.
        """
        cdef kernel_status status
        if out.shape[1] != self.m:
            raise ValueError("out has the wrong width")
        self.out, self.room, self.written = out, out.shape[0], 0
        with nogil:
            status = self.walk(nodes)
        return Status(status), self.written

    @property
    def path(self):
        """After UNCERTAIN: (row, sign) of the sides taken, the weightiest first.

        Cells that differ from it first by -1 instead of +1 are written; those that differ by +1, and those that do not
        differ, are left to the caller.
        """
        current = self.orthant - (self.level >= 0)
        orthant = [(i, 1 if current >> i & 1 else -1) for i in reversed(range(self.n))]
        return orthant + [(self.cut[level], 1 if self.side[level] == 2 else -1) for level in range(self.level)]

    cdef kernel_status walk(self, int64_t nodes) noexcept nogil:
        cdef kernel_status status
        if not self.started:
            if not self.solve_basis():
                return UNCERTAIN
            self.started = True
        while True:
            if self.level < 0:
                if self.orthant >> self.n:
                    return DONE
                if not self.open_orthant():
                    return UNCERTAIN
                self.orthant += 1
                continue
            if nodes <= 0:
                return RUNNING
            nodes -= 1
            status = self.advance()
            if status != DONE:
                return status

    cdef bint solve_basis(self) noexcept nogil:
        """Row i of `start`: the values of all rows on the ray where basis row i is 1 and the others are 0."""
        cdef double *current = &self.source[0, 0]
        cdef double *target = &self.spare[0, 0]
        cdef int64_t t, i, j
        self.given.free_size = largest(current, self.n * self.width)
        self.given.free_error = self.error
        self.given.solved_size = self.given.solved_error = 0.0
        self.known = self.given
        for t in range(self.n):
            if not eliminate(target, current, self.n, self.width, t, t, self.known, &self.known):
                return False
            current, target = target, (&self.other[0, 0] if t % 2 == 0 else &self.spare[0, 0])
        for i in range(self.n):
            for j in range(self.width):
                self.start[i, j] = current[i * self.width + j]
            for j in range(self.n):
                self.start[i, j] = 1.0 if i == j else 0.0
        return True

    cdef bint open_orthant(self) noexcept nogil:
        """Level 0, or still no level where the orthant has too many positives. False: an uncertain sign."""
        cdef int64_t i, j
        cdef double sign
        if self.first_positive and not self.orthant & 1:
            return True
        for i in range(self.n):
            sign = 1.0 if self.orthant >> i & 1 else -1.0
            for j in range(self.width):
                self.values[i, j] = sign * self.start[i, j]
            self.sizes[i] = largest(&self.values[i, 0], self.width)
            self.errors[i] = self.known.solved_error
            for j in range(self.words):
                self.tight[i, j] = 0
            for j in range(self.n):
                if j != i:
                    set_bit(&self.tight[i, 0], j)
            if not self.read_signs(i):
                return False
            self.rays[0, i] = <int32_t>i
        self.ray_count[0], self.top[0] = self.n, self.n
        self.enter(0)
        return True

    cdef bint read_signs(self, int64_t ray) noexcept nogil:
        sign_bits(&self.values[ray, 0], self.m, self.errors[ray], &self.positive[ray, 0], &self.negative[ray, 0])
        return count_bits(&self.positive[ray, 0], self.words) + count_bits(&self.negative[ray, 0], self.words) \
            == self.m - self.n + 1

    cdef bint solve_ray(self, int64_t ray) noexcept nogil:
        """The values on a ray afresh, from its tight rows: bounds that grew from edge to edge become small again."""
        cdef double *current = &self.source[0, 0]
        cdef double *target = &self.spare[0, 0]
        cdef double *values = &self.values[ray, 0]
        cdef bounds known
        cdef int64_t t = next_bit(&self.tight[ray, 0], 0, self.words), solved = 0, j, sure = 0
        cdef double sign
        for j in range(self.m):
            if fabs(values[j]) > fabs(values[sure]):
                sure = j
        if not fabs(values[sure]) > self.errors[ray]:
            return False
        known = self.given
        while t >= 0:
            if not eliminate(target, current, self.n, self.width, solved, t, known, &known):
                return False
            current, target = target, (&self.other[0, 0] if solved % 2 == 0 else &self.spare[0, 0])
            solved += 1
            t = next_bit(&self.tight[ray, 0], t + 1, self.words)
        current += (self.n - 1) * self.width
        if not fabs(current[sure]) > known.free_error:
            return False
        sign = 1.0 if (current[sure] > 0) == (values[sure] > 0) else -1.0
        for j in range(self.width):
            values[j] = sign * current[j] if j >= self.m or not has_bit(&self.tight[ray, 0], j) else 0.0
        self.sizes[ray], self.errors[ray] = largest(values, self.width), known.free_error
        return self.read_signs(ray)

    cdef void enter(self, int64_t level) noexcept nogil:
        """Make a level current, unless its rows without a negative ray are too many.

        cell[level]: rows with a positive ray, rows with a negative one, rows with both.
        """
        cdef int64_t w, k, ray
        cdef uint64_t *has = &self.cell[level, 0, 0]
        cdef int64_t words = self.words, positives = 0
        for w in range(3 * words):
            has[w] = 0
        for k in range(self.ray_count[level]):
            ray = self.rays[level, k]
            for w in range(words):
                has[w] |= self.positive[ray, w]
                has[words + w] |= self.negative[ray, w]
        for w in range(words):
            has[2 * words + w] = has[w] & has[words + w]
        positives = count_bits(has, words) - count_bits(has + 2 * words, words)
        if positives > self.limit:
            return
        self.nodes += 1
        self.level = level
        self.side[level] = -1

    cdef kernel_status advance(self) noexcept nogil:
        """One step from the current level: write a cell, cut it, or enter a side of the cut."""
        cdef int64_t level = self.level
        cdef kernel_status status
        if self.side[level] < 0:
            if count_bits(&self.cell[level, 2, 0], self.words) == 0:
                if not self.write_faces(level):
                    return RUNNING
                self.level -= 1
                return DONE
            status = self.make_cut(level, self.choose_cut(level))
            if status != DONE:
                return status
            self.side[level] = 0
        if self.side[level] == 2:
            self.level -= 1
            return DONE
        self.side[level] += 1
        self.take_side(level, self.side[level] == 2)
        self.enter(level + 1)
        return DONE

    cdef int64_t choose_cut(self, int64_t level) noexcept nogil:
        """Of the rows that change sign here, the one positive on most rays (of four rules, the fewest cones)."""
        cdef int64_t words = self.words, k, t, best
        cdef uint64_t *undecided = &self.cell[level, 2, 0]
        for k in range(64 * words):
            self.tally[k] = 0
        for k in range(self.ray_count[level]):
            tally_bits(&self.tally[0], &self.positive[self.rays[level, k], 0], words)
        best = t = next_bit(undecided, 0, words)
        while t >= 0:
            if self.tally[t] > self.tally[best]:
                best = t
            t = next_bit(undecided, t + 1, words)
        return best

    cdef kernel_status make_cut(self, int64_t level, int64_t t) noexcept nogil:
        """Put the rays on the hyperplane of row t on the stack: one for each edge that crosses it.

        Two rays of a simple cone share an edge when n - 2 rows are zero on both.
        """
        cdef int64_t ray = self.top[level], p, q, a, b, w, j, neighbours
        cdef ray_bounds of_a, of_b, of_new
        for p in range(self.ray_count[level]):
            a = self.rays[level, p]
            if not has_bit(&self.positive[a, 0], t):
                continue
            neighbours = adjacent_across(&self.rays[level, 0], self.ray_count[level], &self.tight[0, 0],
                                         &self.negative[0, 0], self.words, a, t, self.n - 2, &self.neighbours[0])
            for q in range(neighbours):
                b = self.neighbours[q]
                if ray == self.capacity:
                    return OUT_OF_MEMORY
                of_a.size, of_a.error = self.sizes[a], self.errors[a]
                of_b.size, of_b.error = self.sizes[b], self.errors[b]
                of_new = split_edge(&self.values[ray, 0], &self.values[a, 0], &self.values[b, 0], of_a, of_b, t,
                                    self.width)
                self.sizes[ray], self.errors[ray] = of_new.size, of_new.error
                for w in range(self.words):
                    self.tight[ray, w] = self.tight[a, w] & self.tight[b, w]
                set_bit(&self.tight[ray, 0], t)
                j = next_bit(&self.tight[ray, 0], 0, self.words)
                while j >= 0:
                    self.values[ray, j] = 0.0
                    j = next_bit(&self.tight[ray, 0], j + 1, self.words)
                if (of_new.error > REFRESH * of_new.size or not self.read_signs(ray)) and not self.solve_ray(ray):
                    return UNCERTAIN
                ray += 1
        self.cut[level] = t
        self.top[level + 1] = ray
        return DONE

    cdef void take_side(self, int64_t level, bint positive) noexcept nogil:
        """List the rays of one side of the cut at level + 1."""
        cdef int64_t k, ray, count = 0, t = self.cut[level]
        cdef bint away
        for k in range(self.ray_count[level]):
            ray = self.rays[level, k]
            away = has_bit(&self.negative[ray, 0], t) if positive else has_bit(&self.positive[ray, 0], t)
            if not away:
                self.rays[level + 1, count] = <int32_t>ray
                count += 1
        for ray in range(self.top[level], self.top[level + 1]):
            self.rays[level + 1, count] = <int32_t>ray
            count += 1
        self.ray_count[level + 1] = count

    cdef bint write_faces(self, int64_t level) noexcept nogil:
        """Write the faces of the cell all of whose zero rows are negative in it: those that it alone answers for.

        A face is written at the first ray on which its zero rows vanish.
        """
        cdef int64_t words = self.words, zeros = self.face_zeros, before = self.written, p, q, k, count, ray, j
        cdef uint64_t *cell = &self.cell[level, 0, 0]
        cdef bint is_new
        for p in range(self.ray_count[level] if zeros else 1):
            ray = self.rays[level, p]
            count = 0
            j = next_bit(&self.tight[ray, 0], 0, words)
            while j >= 0:
                if not has_bit(cell, j):
                    self.places[count] = <int32_t>j
                    count += 1
                j = next_bit(&self.tight[ray, 0], j + 1, words)
            if count < zeros:
                continue
            for k in range(zeros):
                self.choice[k] = k
            while True:
                for k in range(words):
                    self.subset[k] = 0
                for k in range(zeros):
                    set_bit(&self.subset[0], self.places[self.choice[k]])
                is_new = True
                for q in range(p):
                    if contains(&self.tight[self.rays[level, q], 0], &self.subset[0], words):
                        is_new = False
                        break
                if is_new:
                    if self.written == self.room:
                        self.written = before
                        return False
                    for j in range(self.m):
                        self.out[self.written, j] = 1 if has_bit(cell, j) else -1
                        if has_bit(&self.subset[0], j):
                            self.out[self.written, j] = 0
                    self.written += 1
                k = zeros - 1
                while k >= 0 and self.choice[k] == count - zeros + k:
                    k -= 1
                if k < 0:
                    break
                self.choice[k] += 1
                for k in range(k + 1, zeros):
                    self.choice[k] = self.choice[k - 1] + 1
        return True
