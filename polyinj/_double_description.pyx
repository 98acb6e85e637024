"""Compiled kernel: the extreme rays of a cone of inequalities in integers of 64 bits.

csrc/double_description.h says how; geometry/exact_cone.py drives it. A run releases the interpreter's lock, and takes
memory as the rays become more.
"""

from libc.stdint cimport int64_t, int8_t, uint64_t
from libc.string cimport memcpy

import numpy as np

from polyinj._status cimport DONE, OUT_OF_MEMORY, kernel_status


cdef extern from "double_description.h" nogil:
    ctypedef struct double_description:
        int columns
        int rows
        int words
        int lines
        int64_t *line
        int64_t rays
        int64_t *ray
        uint64_t *tight
    int double_description_open(double_description *d, int rows, int columns)
    void double_description_close(double_description *d)
    kernel_status double_description_run(double_description *d, const int64_t *row)
    void double_description_facets(const double_description *d, int8_t *facet)


def describe_rows(const int64_t[:, ::1] rows):
    """(rays, lines, facet) of {x : rows x >= 0}, rows (m, n) of int64 below 2^62, at least one.

    rays (k, n), lines (l, n): int64, coprime. facet (m,): int8, 1 where a row is one, of rows with the same rays the
    last; -1 where it is 0 on all rays; else 0. None where 64 bits do not suffice.
    """
    cdef double_description d
    cdef kernel_status status
    cdef int64_t[:, ::1] copied
    cdef int8_t[::1] facet = np.empty(rows.shape[0], dtype=np.int8)
    if double_description_open(&d, rows.shape[0], rows.shape[1]):
        double_description_close(&d)
        raise MemoryError
    try:
        with nogil:
            status = double_description_run(&d, &rows[0, 0])
            if status == DONE:
                double_description_facets(&d, &facet[0])
        if status == OUT_OF_MEMORY:
            raise MemoryError
        if status != DONE:
            return None
        rays = np.empty((d.rays, d.columns), dtype=np.int64)
        lines = np.empty((d.lines, d.columns), dtype=np.int64)
        if d.rays:
            copied = rays
            memcpy(&copied[0, 0], d.ray, sizeof(int64_t) * d.rays * d.columns)
        if d.lines:
            copied = lines
            memcpy(&copied[0, 0], d.line, sizeof(int64_t) * d.lines * d.columns)
        return rays, lines, facet.base
    finally:
        double_description_close(&d)
