"""Descent of a smoothed count of active rows; csrc/annealing.c does the work and says how. The contract: _annealing.pyi."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

import numpy as np

cdef extern from "annealing.h" nogil:
    enum:
        POINTS
    ctypedef struct descent:
        float scale
        float ratio
        float margin
        float rate
        float friction
        int64_t step
        int best_count
        float *best
    int descent_open(descent *d, int dimension, int rows, const float *row)
    void descent_close(descent *d)
    void descent_start(descent *d, const float *point)
    int descent_run(descent *d, int64_t max_steps, int target)

STARTS = POINTS


cdef class Descent:
    cdef descent _d
    cdef int _dimension

    def __cinit__(self, const float[:, ::1] rows):
        if not rows.shape[0] or not rows.shape[1]:
            raise ValueError("no rows, or rows of no entries")
        self._dimension = rows.shape[1]
        if descent_open(&self._d, rows.shape[1], rows.shape[0], &rows[0, 0]):
            descent_close(&self._d)
            raise MemoryError

    def __dealloc__(self):
        descent_close(&self._d)

    def start(self, const float[:, ::1] points, float first, float ratio, *, float margin, float rate, float friction):
        if points.shape[0] != self._dimension or points.shape[1] != POINTS:
            raise ValueError(f"points has {points.shape[0]} rows and {points.shape[1]} columns; expected "
                             f"{self._dimension} and {POINTS}")
        self._d.scale, self._d.ratio = first, ratio
        self._d.margin, self._d.rate, self._d.friction = margin, rate, friction
        descent_start(&self._d, &points[0, 0])

    def run(self, int64_t max_steps, int target):
        cdef int found
        with nogil:
            found = descent_run(&self._d, max_steps, target)
        return found == 1

    @property
    def steps(self):
        return self._d.step

    @property
    def best_count(self):
        return self._d.best_count

    @property
    def best_point(self):
        cdef float[::1] point = np.empty(self._dimension, dtype=np.float32)
        memcpy(&point[0], self._d.best, sizeof(float) * self._dimension)
        return np.asarray(point, dtype=np.float64)
