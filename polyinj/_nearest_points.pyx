"""Compiled kernel: nearest points of a cone that unit vectors generate, for many points.

csrc/nearest_points.h says how; geometry/projection.py drives it. A run releases the interpreter's lock.
"""

from libc.stdint cimport int32_t

import numpy as np


cdef extern from "nearest_points.h" nogil:
    ctypedef struct nearest_points:
        pass
    int nearest_points_open(nearest_points *s, int count, int columns, const double *generator)
    void nearest_points_close(nearest_points *s)
    int nearest_points_solve(nearest_points *s, const double *point, double *violation, double *angle)


def count_supports(const double[:, ::1] generators, const double[:, ::1] points):
    """(support, violation, angle) of each point, shape (s, n), and generators (k, n) of length 1, k and n at least 1.

    support: how many multipliers are positive at the nearest point, int32; -1 where doubles leave it open. violation,
    angle: the largest product of a generator, at least 0, and that of the nearest point, with what is left.
    """
    if points.shape[1] != generators.shape[1] or not generators.shape[0] or not generators.shape[1]:
        raise ValueError(f"generators have shape ({generators.shape[0]}, {generators.shape[1]}), points of length "
                         f"{points.shape[1]}")
    cdef nearest_points s
    cdef int32_t[::1] support = np.empty(points.shape[0], dtype=np.int32)
    cdef double[::1] violation = np.zeros(points.shape[0]), angle = np.zeros(points.shape[0])
    cdef Py_ssize_t i
    if nearest_points_open(&s, generators.shape[0], generators.shape[1], &generators[0, 0]):
        nearest_points_close(&s)
        raise MemoryError
    with nogil:
        for i in range(points.shape[0]):
            support[i] = nearest_points_solve(&s, &points[i, 0], &violation[i], &angle[i])
    nearest_points_close(&s)
    return support.base, violation.base, angle.base
