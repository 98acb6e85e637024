"""Descent of a smoothed count of active rows; csrc/descent.c does the work and says how. The contract: _descent.pyi."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cdef extern from "descent.h" nogil:
    enum:
        POINTS
    ctypedef struct descent:
        float *point
        float scale
        float ratio
        float margin
        float rate
        float friction
        int64_t step
        int filling
        int32_t count[POINTS]
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
        if found < 0:
            return None
        point = np.empty(self._dimension)
        cdef double[::1] entry = point
        cdef int k
        for k in range(self._dimension):
            entry[k] = self._d.point[k * POINTS + found]
        return point

    @property
    def steps(self):
        return self._d.step

    @property
    def counts(self):
        return [self._d.count[p] - self._d.filling for p in range(POINTS)]
