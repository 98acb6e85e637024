"""Compiled kernel: local search on rays for a direction along which few rows are active.

csrc/local_search.h says how. Objects share nothing and release the interpreter's lock while they run: one thread each.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from polyinj._status cimport kernel_status

from polyinj._status import Status
from polyinj.injectivity._conditioning import conditioned, direction_back, one_block


cdef extern from "local_search.h" nogil:
    ctypedef struct local_search:
        int dimension
        int best_count
        int64_t step
        double *best_direction
    int local_search_open(local_search *s, int dimension, int columns, const double *vector, const int32_t *weight,
                          uint64_t seed)
    void local_search_close(local_search *s)
    kernel_status local_search_run(local_search *s, int64_t max_steps, int target)


cdef class LocalSearch:
    """LocalSearch(rows, side=None, *, seed, linear=None): from ray to ray towards few active rows.

    rows (m, N) and side (s, N), the rows that are positive at every admissible direction, are doubles. linear: how many
    leading entries of a row are its linear part (default all); rows without one do not count. The same seed takes the
    same steps.
    """

    cdef local_search _s
    cdef object _vector, _weight, _back

    def __cinit__(self, rows, side=None, *, seed, linear=None):
        cdef double[:, ::1] vector
        cdef int32_t[::1] weight
        rows = np.asarray(rows, dtype=np.float64)
        sides = np.empty((0, rows.shape[1])) if side is None else np.asarray(side, dtype=np.float64)
        self._vector, self._back = conditioned(np.concatenate([rows, -sides]))
        counted = one_block(rows, rows.shape[1] if linear is None else linear) == 0
        # One violated side row outweighs all rows together.
        self._weight = np.concatenate([counted, np.full(len(sides), len(rows) + 1)]).astype(np.int32)
        vector = self._vector
        weight = self._weight
        if local_search_open(&self._s, vector.shape[1], vector.shape[0], &vector[0, 0], &weight[0], seed):
            raise MemoryError

    def __dealloc__(self):
        local_search_close(&self._s)

    def run(self, int64_t max_steps, int target):
        """At most max_steps steps: WITNESS as soon as best_count <= target, RUNNING, or STUCK: the rows do not span."""
        cdef kernel_status status
        with nogil:
            status = local_search_run(&self._s, max_steps, target)
        return Status(status)

    @property
    def steps(self):
        """Steps taken."""
        return self._s.step

    @property
    def best_count(self):
        """Fewest active rows of an admissible direction so far; more than m if none was admissible."""
        return self._s.best_count

    @property
    def best_direction(self):
        """Where that was, scaled to largest entry 1."""
        cdef double[::1] z = np.empty(self._s.dimension)
        memcpy(&z[0], self._s.best_direction, sizeof(double) * self._s.dimension)
        return direction_back(self._back, np.asarray(z))
