"""Compiled kernel: rows of one length, in coordinates in which they are as independent as they can be."""

from functools import lru_cache

import numpy as np

from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t


cdef _unit(const double[:, ::1] row):
    """The rows at length 1; zero rows stay zero."""
    out = np.empty((row.shape[0], row.shape[1]))
    cdef double[:, ::1] unit = out
    cdef Py_ssize_t i, j
    cdef double largest, square, scale
    with nogil:
        for i in range(row.shape[0]):
            # By the largest entry first: squares of tiny or huge entries would leave the range of doubles.
            largest, square = 2.0**-1022, 0
            for j in range(row.shape[1]):
                largest = max(largest, fabs(row[i, j]))
            for j in range(row.shape[1]):
                unit[i, j] = row[i, j] / largest
                square += unit[i, j] * unit[i, j]
            scale = sqrt(square)
            for j in range(row.shape[1]):
                unit[i, j] /= scale if scale > 0 else 1
    return out


def conditioned(rows):
    """(vectors, R): unit vectors with the same circuits as the rows; z is a direction for them iff R^-1 z is one for
    the rows.
    """
    unit, q, r = factored(rows)
    return (unit, np.eye(unit.shape[1])) if q is None else (q, r)


def factored(rows):
    """(U, Q, R): unit rows U = Q' R and the unit rows Q of Q'; None for Q where R is singular, nearly or by its shape.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    return _factored(rows.tobytes(), rows.shape[1])


# The checks, the local search, the choice of blocks and the search of one layer factor the same rows.
@lru_cache(maxsize=4)
def _factored(data, columns):
    unit = _unit(np.frombuffer(data).reshape(-1, columns))
    q, r = np.linalg.qr(unit)
    size = np.abs(r.diagonal())
    if len(size) < columns or size.min() < 1e-13 * size.max():
        # Q would invent directions; the kernels find out that the rows do not span.
        return unit, None, r
    return unit, _unit(q), r


def least_singular_value(const double[:, ::1] r):
    """A lower bound, within a factor sqrt(n), of the least singular value of an upper triangular matrix whose columns
    are scaled to length 1; 0 where it is singular.
    """
    cdef Py_ssize_t n = r.shape[1], i, j, k
    cdef double square = 0, length, entry
    if r.shape[0] < n:
        return 0.0
    cdef double[:, ::1] inverse = np.zeros((n, n))
    # R^-1 by back substitution. To scale column i of R to length 1 is to scale row i of the inverse by that length.
    for i in range(n - 1, -1, -1):
        if r[i, i] == 0:
            return 0.0
        length = 0
        for k in range(i + 1):
            length += r[k, i] * r[k, i]
        for j in range(i, n):
            entry = 1 if i == j else 0
            for k in range(i + 1, j + 1):
                entry -= r[i, k] * inverse[k, j]
            inverse[i, j] = entry / r[i, i]
            square += length * inverse[i, j] * inverse[i, j]
    return 1 / sqrt(square)


def direction_back(r, z):
    """R^-1 z, scaled to largest entry 1; zero where R is singular."""
    try:
        x = np.linalg.solve(r, z)
    except np.linalg.LinAlgError:
        return np.zeros_like(z)
    return x / max(np.abs(x).max(), 2.0**-1022)


def one_block(rows, Py_ssize_t linear):
    """int32, for each row: 0 where its linear part, the first `linear` entries, is not zero, else -1."""
    cdef const double[:, ::1] row = np.ascontiguousarray(rows, dtype=np.float64)
    out = np.full(row.shape[0], -1, dtype=np.int32)
    cdef int32_t[::1] block = out
    cdef Py_ssize_t i, j
    for i in range(row.shape[0]):
        for j in range(linear):
            if row[i, j] != 0:
                block[i] = 0
                break
    return out
