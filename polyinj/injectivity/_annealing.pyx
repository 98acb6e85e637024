"""Compiled kernel: annealed descent of a smoothed count of active rows on the sphere, from many starts side by side.

csrc/annealing.h says how, in single precision. One thing here is exact: the same rows and starts give the same steps,
bit by bit, on every processor. Points found are candidates; the caller checks them. A run releases the interpreter's
lock: one thread each.
"""

import numpy as np

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from polyinj._status cimport kernel_status

from polyinj._status import Status

cdef extern from "annealing.h" nogil:
    enum:
        POINTS
    ctypedef struct annealing:
        float scale
        float ratio
        float margin
        float rate
        float friction
        int64_t step
        int best_count
        float *best
        float *point
    int annealing_open(annealing *d, int dimension, int rows, const float *row)
    void annealing_close(annealing *d)
    void annealing_start(annealing *d, const float *point)
    kernel_status annealing_run(annealing *d, int64_t max_steps, int target)

STARTS = POINTS


cdef class Annealing:
    """Annealing(rows): rows (m, N), float32, of length about sqrt(N), so that values on the unit sphere are of order 1.
    """

    cdef annealing _d
    cdef int _dimension

    def __cinit__(self, const float[:, ::1] rows):
        if not rows.shape[0] or not rows.shape[1]:
            raise ValueError("no rows, or rows of no entries")
        self._dimension = rows.shape[1]
        if annealing_open(&self._d, rows.shape[1], rows.shape[0], &rows[0, 0]):
            annealing_close(&self._d)
            raise MemoryError

    def __dealloc__(self):
        annealing_close(&self._d)

    def start(self, const float[:, ::1] points, float first, float ratio, *, float margin, float rate, float friction):
        """Begin at points (N, STARTS), of any length but zero: scales first, first * ratio, ... of the count at the
        steps to come. friction: the share of the velocity that a step keeps.
        """
        if points.shape[0] != self._dimension or points.shape[1] != POINTS:
            raise ValueError(f"points has {points.shape[0]} rows and {points.shape[1]} columns; expected "
                             f"{self._dimension} and {POINTS}")
        self._d.scale, self._d.ratio = first, ratio
        self._d.margin, self._d.rate, self._d.friction = margin, rate, friction
        annealing_start(&self._d, &points[0, 0])

    def run(self, int64_t max_steps, int target):
        """Step on: WITNESS as soon as best_count falls and is at most `target`, RUNNING after max_steps."""
        cdef kernel_status status
        with nogil:
            status = annealing_run(&self._d, max_steps, target)
        return Status(status)

    @property
    def steps(self):
        """Steps since `start`."""
        return self._d.step

    @property
    def best_count(self):
        """Fewest active rows of a point since `start`, as single precision counts them."""
        return self._d.best_count

    @property
    def points(self):
        """Where the points are now, shape (N, STARTS), of length 1."""
        cdef float[:, ::1] points = np.empty((self._dimension, POINTS), dtype=np.float32)
        memcpy(&points[0, 0], self._d.point, sizeof(float) * self._dimension * POINTS)
        return np.asarray(points)

    @property
    def best_point(self):
        """Where that was, shape (N,)."""
        cdef float[::1] point = np.empty(self._dimension, dtype=np.float32)
        memcpy(&point[0], self._d.best, sizeof(float) * self._dimension)
        return np.asarray(point, dtype=np.float64)
