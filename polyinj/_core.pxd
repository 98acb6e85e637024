"""The walk that the kernels share: _core counts rays, _cells writes faces."""

from libc.stdint cimport int32_t, int64_t

from polyinj._status cimport kernel_status


cdef extern from "pencil.h" nogil:
    ctypedef struct bounds:
        double free_size
        double free_error
        double solved_size
        double solved_error

    int LANES
    double largest(const double *row, int64_t width)
    int eliminate(double *target, const double *source, int64_t rows, int64_t width, int64_t solved, int64_t t,
                  bounds before, bounds *after)
    int sweep_pencil(const double *matrix, int64_t rows, int64_t width, int64_t lo, int64_t hi, int64_t first,
                     bounds known, int32_t *positives, int32_t *ascents)


cdef inline int64_t padded(int64_t columns) noexcept nogil:
    return (columns + LANES - 1) // LANES * LANES


cdef class RaySweep:
    # Cursors of different threads must not share a cache line.
    cdef char before[128]
    cdef readonly int64_t m, n, flat, slice, flats, slices, fewest_positives
    cdef readonly object histogram
    cdef readonly bint fewest_antipode
    cdef int64_t base_width, width, dimension, depth, prefix_length, part, parts
    cdef double error
    cdef bint chart_is_open
    cdef double[:, ::1] source
    cdef double[:, :, ::1] bases, levels
    cdef int64_t[:, :, :, ::1] counts
    cdef int64_t[::1] chosen, fewest_chosen, loads
    cdef int32_t[::1] positives, ascents
    cdef bounds known[64]
    cdef char after[128]

    cdef kernel_status walk(self, int64_t pencils) noexcept nogil
    cdef bint open_chart(self) noexcept nogil
    cdef kernel_status walk_chart(self, int64_t *pencils) noexcept nogil
    cdef void restore_tight_columns(self) noexcept nogil
    cdef bint takes_unit(self, int64_t rest) noexcept nogil
    cdef int64_t first_free(self) noexcept nogil
    cdef kernel_status visit_pencil(self) noexcept nogil
    cdef kernel_status visit_point(self) noexcept nogil
    cdef int point_sign(self, int64_t j) noexcept nogil
    cdef void count_ray(self, int64_t positive, int64_t ascents, int64_t t) noexcept nogil
