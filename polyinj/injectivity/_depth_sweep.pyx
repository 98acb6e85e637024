"""Compiled kernel: the fewest vectors on the side of any direction, from the planes that n - 2 of them leave.

csrc/depth_sweep.h says how; injectivity/depth_sweep.py drives it and settles the planes left open. A run releases the
interpreter's lock.
"""

from libc.stdint cimport int32_t, int64_t

import numpy as np

from polyinj._status cimport kernel_status

from polyinj._status import Status


cdef extern from "depth_sweep.h" nogil:
    enum:
        LARGEST_RANK
        LARGEST_COUNT
    ctypedef struct depth_sweep:
        int zeros
        int whole
        int32_t *first
        int64_t least
        int *least_tight
        int spans
        int64_t *open
        int64_t opened
        int stride
    int depth_sweep_open(depth_sweep *s, int rank, int count, const double *vector, double error,
                         const int32_t *weight, int whole, int64_t least, int64_t room)
    void depth_sweep_close(depth_sweep *s)
    kernel_status depth_sweep_run(depth_sweep *s, int64_t max_pencils)
    int depth_sweep_direction(depth_sweep *s, double *direction)

HIGHEST_RANK = LARGEST_RANK
MOST_VECTORS = LARGEST_COUNT - 1


cdef class DepthSweep:
    """DepthSweep(vectors, error, weights=None, *, whole=True, least, room): vectors (k, n) of doubles, 2 <= n <=
    HIGHEST_RANK, each entry at most `error` from the truth.

    weights: how often each stands, int32; None: once. whole: treat vectors exactly that are multiples of integers below
    2^21, if all are and n > 2. least: counts from this on are of no interest. room: how many planes may be left open.
    """

    cdef depth_sweep _s
    cdef int _rank

    def __cinit__(self, const double[:, ::1] vectors, double error, const int32_t[::1] weights=None, *, bint whole=True,
                  int64_t least, int64_t room):
        if not (2 <= vectors.shape[1] <= LARGEST_RANK and 0 < vectors.shape[0] < LARGEST_COUNT and room > 0):
            raise ValueError(f"vectors have shape ({vectors.shape[0]}, {vectors.shape[1]}) and room is {room}")
        if weights is not None and len(weights) != len(vectors):
            raise ValueError(f"{len(weights)} weights of {len(vectors)} vectors")
        cdef const int32_t *weight = NULL
        if weights is not None:
            weight = &weights[0]
        self._rank = vectors.shape[1]
        if depth_sweep_open(&self._s, vectors.shape[1], vectors.shape[0], &vectors[0, 0], error, weight, whole, least,
                            room):
            depth_sweep_close(&self._s)
            raise MemoryError

    def __dealloc__(self):
        depth_sweep_close(&self._s)

    def run(self, int64_t max_pencils):
        """Walk on for at most max_pencils planes: DONE, RUNNING, or STUCK where there is no room for one left open."""
        cdef kernel_status status
        with nogil:
            status = depth_sweep_run(&self._s, max_pencils)
        return Status(status)

    @property
    def whole(self):
        """Whether the vectors are treated as integers."""
        return self._s.whole != 0

    @property
    def zeros(self):
        """The weight of the vectors that are 0, which no count holds."""
        return self._s.zeros

    @property
    def least(self):
        """The least count that is certain so far."""
        return self._s.least

    @property
    def spans(self):
        """Whether the vectors are known to span, as all of this supposes."""
        return self._s.spans != 0

    @property
    def tight(self):
        """The vectors orthogonal to the plane where that is."""
        return tuple(self._s.first[self._s.least_tight[k]] for k in range(self._rank - 2))

    def direction(self):
        """After DONE: a direction with the least count on its side, for certain; None where doubles find none."""
        cdef double[::1] found = np.empty(self._rank)
        return found.base if depth_sweep_direction(&self._s, &found[0]) else None

    @property
    def left_open(self):
        """Beginnings of T that may have less than `least`: (bound, vectors), fewer than n - 2 where they look
        dependent."""
        cdef int64_t k, i
        cdef const int64_t *entry
        planes = []
        for k in range(self._s.opened):
            entry = self._s.open + k * self._s.stride
            if entry[0] < self._s.least:
                planes.append((entry[0], tuple(self._s.first[entry[1 + i]] for i in range(self._rank - 2)
                                               if entry[1 + i] >= 0)))
        return planes
