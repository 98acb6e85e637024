"""Compiled kernel: write the sign vectors of faces, ray by ray.

The walk is that of _core.RaySweep; geometry/sweep.py says which faces have a ray as their lowest vertex.
"""

import numpy as np

from libc.stdint cimport int8_t, int64_t

from polyinj._core cimport RaySweep, bounds
from polyinj._status cimport DONE, RUNNING, UNCERTAIN, kernel_status

from polyinj._core import apart
from polyinj._status import Status


cdef extern from "signs.h" nogil:
    int sign_ray(const double *matrix, int64_t rows, int64_t width, int64_t lo, int64_t hi, int64_t t, bounds known,
                 int8_t *signs, int8_t *slopes)


cdef class FaceWriter(RaySweep):
    """A cursor that writes the faces of one linear dimension with at most max_positive positives.

    With antipodes, each face is followed by its antipode; the filter applies to either. Faces whose lowest vertex lies
    in a pencil that floating point does not settle are left to the caller, as in RaySweep.
    """

    cdef int64_t face_dimension, max_positive, written, room
    cdef bint antipodes
    cdef int8_t[:, ::1] out, ray
    cdef int8_t[::1] slopes
    cdef int64_t[::1] tight, raised
    cdef char end[128]

    def __init__(self, const double[:, ::1] rows, double error, const double[:, ::1] forms, int64_t flats,
                 int64_t slices, int64_t part, int64_t parts, int64_t face_dimension, int64_t max_positive,
                 bint antipodes):
        RaySweep.__init__(self, rows, error, forms, flats, slices, part, parts)
        self.face_dimension, self.max_positive, self.antipodes = face_dimension, max_positive, antipodes
        self.ray = apart((1, self.m), np.int8)
        self.slopes = apart(self.n, np.int8)
        self.tight = apart(self.n, np.int64)
        self.raised = apart(self.n, np.int64)

    def fill(self, int8_t[:, ::1] out, int64_t pencils):
        """Write faces to the rows of `out`, for at most `pencils` pencils; returns (status, rows written).

        `out` needs room for 2 C(n-1, floor((n-1)/2)) (m + 1) rows; RUNNING when the next pencil might not fit.
        """
        cdef kernel_status status
        if out.shape[1] != self.m:
            raise ValueError("out has the wrong width")
        self.out, self.room, self.written = out, out.shape[0], 0
        with nogil:
            status = self.walk(pencils)
        return Status(status), self.written

    cdef bint has_room(self, int64_t rays) noexcept nogil:
        cdef int64_t tight = self.dimension - 1, lift = self.face_dimension - 1 - self.slice, count = 1, i
        for i in range(lift):
            count = count * (tight - i) // (i + 1)
        return self.written + rays * count * (1 + self.antipodes) <= self.room

    cdef kernel_status visit_pencil(self) noexcept nogil:
        cdef int64_t d = self.dimension, first = self.first_free(), t, k, j, before = self.written
        cdef int64_t lift = self.face_dimension - 1 - self.slice
        cdef int8_t *ray = &self.ray[0, 0]
        if not 0 <= lift <= d - 1:
            return DONE
        if not self.has_room(self.m - first):
            return RUNNING
        self.restore_tight_columns()
        for k in range(d - 2):
            self.tight[k] = self.chosen[k]
        for j in range(self.flat):
            ray[j] = 0
        ray[self.flat] = 1
        for t in range(first, self.m):
            if not sign_ray(&self.levels[d - 2, 0, 0], d, self.width, self.flat + 1, self.m, t, self.known[d - 2],
                            ray, &self.slopes[0]):
                self.written = before
                return UNCERTAIN
            for k in range(d - 2):
                ray[self.chosen[k]] = 0
            self.tight[d - 2] = t
            self.write_faces(d - 1, lift)
        return DONE

    cdef kernel_status visit_point(self) noexcept nogil:
        cdef int64_t j
        cdef int sign
        if self.face_dimension != 1 + self.slice:
            return DONE
        if not self.has_room(1):
            return RUNNING
        for j in range(self.m):
            self.ray[0, j] = 0
        if self.point_sign(self.m) == 0:
            return UNCERTAIN
        self.ray[0, self.flat] = 1
        for j in range(self.flat + 1, self.m):
            sign = self.point_sign(j)
            if sign == 0:
                return UNCERTAIN
            self.ray[0, j] = <int8_t>sign
        self.write_faces(0, 0)
        return DONE

    cdef void write_faces(self, int64_t tight, int64_t lift) noexcept nogil:
        """One face for each choice of `lift` tight rows of the ray that leave zero, upwards."""
        cdef int64_t k
        for k in range(lift):
            self.raised[k] = k
        while True:
            self.write_face(lift)
            k = lift - 1
            while k >= 0 and self.raised[k] == tight - lift + k:
                k -= 1
            if k < 0:
                return
            self.raised[k] += 1
            for k in range(k + 1, lift):
                self.raised[k] = self.raised[k - 1] + 1

    cdef void write_face(self, int64_t lift) noexcept nogil:
        cdef int8_t *row = &self.out[self.written, 0]
        cdef int8_t *ray = &self.ray[0, 0]
        cdef int64_t j, k, positive = 0, nonzero = 0
        for j in range(self.m):
            row[j] = ray[j]
        for k in range(lift):
            row[self.tight[self.raised[k]]] = self.slopes[self.raised[k]]
        if self.max_positive < self.m:
            for j in range(self.m):
                positive += row[j] > 0
                nonzero += row[j] & 1
        if positive <= self.max_positive:
            self.written += 1
        if self.antipodes and nonzero - positive <= self.max_positive:
            ray = row
            row = &self.out[self.written, 0]
            for j in range(self.m):
                row[j] = -ray[j]
            self.written += 1
