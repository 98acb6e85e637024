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

cdef extern from "wide_description.h" nogil:
    enum:
        ROW_LIMBS
        MOST_LIMBS
    ctypedef struct wide_description:
        int columns
        int words
        int limbs
        int64_t rays
        uint64_t *ray
        int8_t *sign
        uint64_t *tight
    int wide_description_open(wide_description *d, int rows, int columns, int limbs, const uint64_t *row,
                              const int8_t *row_sign, const uint64_t *ray, const int8_t *sign)
    void wide_description_close(wide_description *d)
    kernel_status wide_description_run(wide_description *d)

LIMBS_OF_ROWS, LIMBS_OF_RAYS = ROW_LIMBS, MOST_LIMBS


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


def extend_rays(const uint64_t[:, :, ::1] rows, const int8_t[:, ::1] row_signs, const uint64_t[:, :, ::1] rays,
                const int8_t[:, ::1] ray_signs):
    """(rays, signs, tight) of {x : rows x >= 0} from those of the first n rows, in magnitudes of limbs of 64 bits.

    rows (m, n, ROW_LIMBS), rays (n, n, limbs): ray i is tight at all of the first n rows but i, its entries are
    minors of these. limbs hold every minor. tight (k, words): by bits, the rows that are 0 on each ray. None where a
    ray is tight at more than n - 1 rows, so that entries are no minors.
    """
    cdef wide_description d
    cdef kernel_status status
    cdef uint64_t[:, :, ::1] found
    cdef int8_t[:, ::1] signs
    cdef uint64_t[:, ::1] tight
    if not (0 < rays.shape[0] <= rows.shape[0] and rows.shape[2] == ROW_LIMBS and rays.shape[2] <= MOST_LIMBS):
        raise ValueError(f"rows have {rows.shape[2]} limbs, rays {rays.shape[2]}")
    if wide_description_open(&d, rows.shape[0], rows.shape[1], rays.shape[2], &rows[0, 0, 0], &row_signs[0, 0],
                             &rays[0, 0, 0], &ray_signs[0, 0]):
        wide_description_close(&d)
        raise MemoryError
    try:
        with nogil:
            status = wide_description_run(&d)
        if status == OUT_OF_MEMORY:
            raise MemoryError
        if status != DONE:
            return None
        found = np.empty((d.rays, d.columns, d.limbs), dtype=np.uint64)
        signs = np.empty((d.rays, d.columns), dtype=np.int8)
        tight = np.empty((d.rays, d.words), dtype=np.uint64)
        if d.rays:
            memcpy(&found[0, 0, 0], d.ray, sizeof(uint64_t) * d.rays * d.columns * d.limbs)
            memcpy(&signs[0, 0], d.sign, d.rays * d.columns)
            memcpy(&tight[0, 0], d.tight, sizeof(uint64_t) * d.rays * d.words)
        return found.base, signs.base, tight.base
    finally:
        wide_description_close(&d)
