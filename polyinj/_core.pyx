"""Compiled kernel: sweep the rays of a central arrangement.

geometry/sweep.py says what is walked and why, drives the cursor and settles what floating point leaves open.
"""

import numpy as np

from libc.math cimport fabs
from libc.stdint cimport int64_t

from polyinj._status cimport DONE, RUNNING, UNCERTAIN, kernel_status

from polyinj._status import Status

# Two cache lines: processors fetch them in pairs.
cdef int64_t APART = 128


def apart(shape, dtype=np.float64):
    """Zeros that share no cache line with other memory, and start one: cursors write side by side in several threads.
    """
    cdef Py_ssize_t size = np.dtype(dtype).itemsize
    for length in shape if isinstance(shape, tuple) else (shape,):
        size *= length
    raw = np.zeros(size + 2 * APART, dtype=np.uint8)
    cdef unsigned char[::1] bytes_of = raw
    cdef Py_ssize_t start = -<Py_ssize_t>&bytes_of[0] & (APART - 1)
    return np.ndarray(shape, dtype, raw, start)


cdef class RaySweep:
    """A cursor over all rays of all charts of one matrix.

    Chart (flat, slice) has dimension d = n - flat - slice; its rays are the (d-1)-subsets of rows flat+1..m-1. Subsets
    are chosen depth first, `chosen[:depth]` being the rows eliminated so far; the last row of a subset runs inside the
    pencil of the others. Charts with flat >= flats or slice >= slices are left out.

    Of `parts` cursors each walks a share: all subsets that begin alike, up to the last two rows, are one unit, and a
    unit goes to the cursor with the fewest rays so far (all cursors keep the same books). The units get smaller as a
    chart goes on, so the shares end up even; charts of dimension 2 and less are left to cursor 0.

    m, n: shape of the rows. flat, slice: the chart under way, below flats and slices. histogram[flat, slice, p, a]: how
    many rays have p positives (rows up to flat left out) and a ascents. fewest_positives: of a ray in slice 0 or its
    antipode, whichever has fewer; fewest_antipode: it was the antipode.
    """

    def __init__(self, const double[:, ::1] rows, double error, const double[:, ::1] forms, int64_t flats,
                 int64_t slices, int64_t part, int64_t parts):
        cdef int64_t m = rows.shape[0], n = rows.shape[1], i, j
        self.m, self.n, self.error = m, n, error
        self.flats, self.slices, self.part, self.parts = flats, slices, part, parts
        self.base_width, self.width = padded(m + n - 1), padded(m + 2)
        self.source = apart((n, self.base_width))
        for i in range(n):
            for j in range(m):
                self.source[i, j] = rows[j, i]
            for j in range(n - 1):
                self.source[i, m + j] = forms[j, i]
        self.bases = apart((2, n, self.base_width))
        self.levels = apart((max(n - 1, 1), n, self.width))
        self.histogram = apart((n, n, m + 1, n), np.int64)
        self.counts = self.histogram
        self.chosen = apart(n, np.int64)
        self.fewest_chosen = apart(n, np.int64)
        self.positives = apart(m, np.int32)
        self.ascents = apart(m, np.int32)
        self.loads = apart(parts, np.int64)
        self.fewest_positives = m + 1

    @property
    def prefix(self):
        """After UNCERTAIN: rays of chart (flat, slice) whose subsets begin with these rows are left to the caller."""
        return tuple(self.chosen[k] for k in range(self.prefix_length))

    @property
    def fewest_tight(self):
        """The rows on which the ray with the fewest positives, of those counted here, is zero."""
        return tuple(self.fewest_chosen[k] for k in range(self.n - 1))

    def run(self, int64_t pencils):
        """Walk on for at most `pencils` pencils; DONE, RUNNING, or UNCERTAIN (the next run goes on behind `prefix`)."""
        cdef kernel_status status
        with nogil:
            status = self.walk(pencils)
        return Status(status)

    cdef kernel_status walk(self, int64_t pencils) noexcept nogil:
        cdef kernel_status status
        while self.flat < self.flats:
            if not self.chart_is_open:
                self.chart_is_open = True
                if not self.open_chart():
                    self.depth = -1
                    self.prefix_length = 0
                    if self.part == 0:
                        return UNCERTAIN
                if self.dimension <= 2 and self.part != 0:
                    self.depth = -1
            status = self.walk_chart(&pencils)
            if status != DONE:
                return status
            self.chart_is_open = False
            self.slice += 1
            if self.slice >= min(self.slices, self.n - self.flat):
                self.flat, self.slice = self.flat + 1, 0
        return DONE

    cdef bint open_chart(self) noexcept nogil:
        """Restrict rows, chart and objective to the flat of the chart: level 0 of the elimination."""
        cdef int64_t restrictions = self.flat + self.slice, rows = self.n, buffer = 0, k, column, i, j
        cdef double *current = &self.source[0, 0]
        cdef double sign = 1.0
        cdef bounds now
        now.free_size = largest(current, rows * self.base_width)
        now.free_error = self.error
        now.solved_size = now.solved_error = 0.0
        self.dimension = self.n - restrictions
        self.depth = 0
        self.chosen[0] = self.flat
        for k in range(restrictions):
            # Rows 0..flat-1, in a slice also row flat, then forms 0..slice-2.
            column = k if k < self.flat + (self.slice > 0) else self.m + k - self.flat - 1
            if not eliminate(&self.bases[buffer, 0, 0], current, rows, self.base_width, 0, column, now, &now):
                return False
            current = &self.bases[buffer, 1, 0]
            buffer = 1 - buffer
            rows -= 1
        column = self.flat
        if self.slice > 0:
            column = self.m + self.slice - 1
            sign = -1.0
        for i in range(self.dimension):
            for j in range(self.width):
                self.levels[0, i, j] = 0.0
            for j in range(self.flat + 1, self.m):
                self.levels[0, i, j] = current[i * self.base_width + j]
            self.levels[0, i, self.m] = sign * current[i * self.base_width + column]
            if self.dimension > 1:
                self.levels[0, i, self.m + 1] = current[i * self.base_width + self.m + self.slice]
        now.solved_size = now.solved_error = 0.0
        self.known[0] = now
        return True

    cdef kernel_status walk_chart(self, int64_t *pencils) noexcept nogil:
        cdef int64_t d = self.dimension, unit_level = max(d - 4, 0), e
        cdef kernel_status status
        while self.depth >= 0:
            e = self.depth
            if e >= d - 2:
                if pencils[0] <= 0:
                    return RUNNING
                pencils[0] -= 1
                status = self.visit_pencil() if d > 1 else self.visit_point()
                if status == RUNNING:
                    return RUNNING
                self.depth = e - 1 if d > 1 else -1
                if status == UNCERTAIN:
                    self.prefix_length = max(d - 2, 0)
                    return UNCERTAIN
                continue
            self.chosen[e] += 1
            if self.chosen[e] > self.m - (d - 1 - e):
                self.depth = e - 1
                continue
            if e == unit_level and not self.takes_unit(self.m - 1 - self.chosen[e]):
                continue
            if eliminate(&self.levels[e + 1, 0, 0], &self.levels[e, 0, 0], d, self.width, e, self.chosen[e],
                         self.known[e], &self.known[e + 1]):
                self.depth = e + 1
                self.chosen[e + 1] = self.chosen[e]
            elif e >= unit_level or self.part == 0:
                # Above the units all cursors fail alike; the first one reports it.
                self.prefix_length = e + 1
                return UNCERTAIN
        return DONE

    cdef bint takes_unit(self, int64_t rest) noexcept nogil:
        """Whether the next unit, with `rest` rows behind those chosen, is this cursor's."""
        cdef int64_t part, least = 0
        for part in range(1, self.parts):
            if self.loads[part] < self.loads[least]:
                least = part
        self.loads[least] += rest if self.dimension == 3 else rest * (rest - 1) // 2
        return least == self.part

    cdef int64_t first_free(self) noexcept nogil:
        """The first row that the open pencil adds to its prefix."""
        return self.chosen[self.dimension - 3] + 1 if self.dimension > 2 else self.flat + 1

    cdef void restore_tight_columns(self) noexcept nogil:
        """Overwrite the columns of the tight rows by the chart's: their sign is then certain, and known."""
        cdef int64_t d = self.dimension, e = d - 2, i, k
        for k in range(e):
            for i in range(d - 2, d):
                self.levels[e, i, self.chosen[k]] = self.levels[e, i, self.m]

    cdef kernel_status visit_pencil(self) noexcept nogil:
        cdef int64_t d = self.dimension, t, first = self.first_free()
        self.restore_tight_columns()
        if not sweep_pencil(&self.levels[d - 2, 0, 0], d, self.width, self.flat + 1, self.m, first, self.known[d - 2],
                            &self.positives[0], &self.ascents[0]):
            return UNCERTAIN
        for t in range(first, self.m):
            self.count_ray(self.positives[t], self.ascents[t], t)
        return DONE

    cdef int point_sign(self, int64_t j) noexcept nogil:
        """In a chart of dimension 1, its one point: certain sign of row j there, or 0; column m is the chart."""
        cdef double chart = self.levels[0, 0, self.m], value = self.levels[0, 0, j]
        cdef double error = self.known[0].free_error
        if not (fabs(chart) > error and fabs(value) > error):
            return 0
        return 1 if (value > 0) == (chart > 0) else -1

    cdef kernel_status visit_point(self) noexcept nogil:
        cdef int64_t j, positive = 0
        cdef int sign
        for j in range(self.flat + 1, self.m + 1):
            sign = self.point_sign(j)
            if sign == 0:
                return UNCERTAIN
            positive += sign > 0
        self.count_ray(positive - 1, 0, -1)
        return DONE

    cdef void count_ray(self, int64_t positive, int64_t ascents, int64_t t) noexcept nogil:
        cdef int64_t k, fewest
        self.counts[self.flat, self.slice, positive, ascents] += 1
        if self.slice > 0:
            return
        fewest = min(positive + 1, self.m - self.n - positive)
        if fewest < self.fewest_positives:
            self.fewest_positives = fewest
            self.fewest_antipode = fewest < positive + 1
            for k in range(self.flat):
                self.fewest_chosen[k] = k
            for k in range(self.dimension - 2):
                self.fewest_chosen[self.flat + k] = self.chosen[k]
            if t >= 0:
                self.fewest_chosen[self.n - 2] = t
