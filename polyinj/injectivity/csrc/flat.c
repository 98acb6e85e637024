#include "flat.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"

/* Remainders shorter than this, of rows whose largest entry is about 1, count as rounding when a basis is chosen. */
static const double DEPENDENT = 1e-9;

int flat_open(flat *f, int dimension, int stride, const double *row, double error)
{
    assert(0 < dimension && dimension <= stride && error >= 0);
    memset(f, 0, sizeof *f);
    f->dimension = dimension;
    f->stride = stride;
    f->row = row;
    f->error = error;
    const size_t n = (size_t)dimension, padded = (size_t)dense_stride(dimension);
    f->basis = aligned_zeros(n * n, sizeof(double));
    f->lower = aligned_zeros(2 * n * padded, sizeof(double));
    f->member = aligned_zeros(n, sizeof(int32_t));
    return f->basis && f->lower && f->member ? 0 : -1;
}

void flat_close(flat *f)
{
    free(f->basis);
    free(f->lower);
    free(f->member);
    memset(f, 0, sizeof *f);
}

static double inner(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

/* The unit vector of v's part orthogonal to the first `count` basis vectors becomes the next one. Answers the length
   of that part; twice is enough. */
static double orthogonalise(flat *f, const double *v, int count)
{
    const int n = f->dimension;
    double *next = f->basis + count * n;
    assert(0 <= count && count < n);
    memcpy(next, v, sizeof(double) * (size_t)n);
    for (int pass = 0; pass < 2; pass++)
        for (int j = 0; j < count; j++) {
            const double along = inner(next, f->basis + j * n, n);
            for (int k = 0; k < n; k++)
                next[k] -= along * f->basis[j * n + k];
        }
    const double length = sqrt(inner(next, next, n));
    for (int k = 0; length > 0 && k < n; k++)
        next[k] /= length;
    return length;
}

/* Rounding and entry error of an inner product of a row of 1-norm `size` with a basis vector (entries at most 1.01). */
static double slack(const flat *f, double size)
{
    return 6e-16 * (f->dimension + 3) * size + 1.02 * f->dimension * f->error;
}

/* Members M (rank x n) and orthonormal B = [Q ; C]: M Q' = A is nearly triangular, M C' = E nearly zero. For rows w
   the matrix [M ; w] B' = [A E ; w Q' w C'] is regular iff its Schur complement w C' - w Q' A^-1 E is. With Z an
   approximate inverse and |I - Z A| <= 1/2 we have |A^-1| <= 2 |Z|, so the second term is at most |w|_1 * 1.01 rank *
   2 |Z| max |E|. */
static int bound_leak(flat *f)
{
    const int n = f->dimension, r = f->rank, stride = dense_stride(r > 0 ? r : 1);
    double *a = f->lower, *z = f->lower + r * stride;
    memset(a, 0, sizeof(double) * (size_t)(r * stride));
    double e = 0, norm = 0, defect = 0, largest = 0;
    for (int i = 0; i < r; i++) {
        const double *w = f->row + (int64_t)f->member[i] * f->stride;
        double size = 0;
        for (int k = 0; k < n; k++)
            size += fabs(w[k]);
        largest = size > largest ? size : largest;
        for (int j = 0; j < r; j++)
            a[i * stride + j] = inner(w, f->basis + j * n, n);
        for (int j = r; j < n; j++) {
            const double value = fabs(inner(w, f->basis + j * n, n)) + slack(f, size);
            e = value > e ? value : e;
        }
    }
    memcpy(z, a, sizeof(double) * (size_t)(r * stride));
    if (dense_invert(z, r) != 0)
        return -1;
    for (int i = 0; i < r; i++) {
        double row = 0, off = 0;
        for (int k = 0; k < r; k++)
            row += fabs(z[i * stride + k]);
        for (int j = 0; j < r; j++) {
            double sum = i == j ? -1 : 0;
            for (int k = 0; k < r; k++)
                sum += z[i * stride + k] * a[k * stride + j];
            off += fabs(sum) + 2 * slack(f, largest) * row;
        }
        norm = row > norm ? row : norm;
        defect = off > defect ? off : defect;
    }
    f->leak = 1.01 * r * 2.01 * norm * e;
    return defect < 0.5 ? 0 : -1;
}

void flat_span(flat *f, const int32_t *rows, int count)
{
    const int n = f->dimension;
    f->rank = 0;
    for (int i = 0; i < count && f->rank < n; i++)
        if (orthogonalise(f, f->row + (int64_t)rows[i] * f->stride, f->rank) > DEPENDENT)
            f->member[f->rank++] = rows[i];
    f->codimension = n - f->rank;
    /* A complement: the axis with the longest remainder next. */
    for (int have = f->rank; have < n; have++) {
        double axis[n], longest = -1;
        int best = 0;
        for (int k = 0; k < n; k++) {
            double rest = 1;
            for (int j = 0; j < have; j++)
                rest -= f->basis[j * n + k] * f->basis[j * n + k];
            if (rest > longest) {
                longest = rest;
                best = k;
            }
        }
        memset(axis, 0, sizeof axis);
        axis[best] = 1;
        orthogonalise(f, axis, have);
    }
    f->leak = 0;
    if (f->rank > 0 && bound_leak(f) != 0) {
        f->rank = -1;
        f->codimension = 0;
    }
    assert(f->rank == -1 || f->rank + f->codimension == n);
}

double flat_project(const flat *f, int row, double *coordinates)
{
    const int n = f->dimension;
    const double *w = f->row + (int64_t)row * f->stride;
    double size = 0;
    assert(f->rank >= 0);
    for (int k = 0; k < n; k++)
        size += fabs(w[k]) + f->error;
    for (int j = 0; j < f->codimension; j++)
        coordinates[j] = inner(w, f->basis + (f->rank + j) * n, n);
    return 1.001 * (f->leak * size + slack(f, size)) + 1e-290;
}

int flat_excludes(const flat *f, int row)
{
    double coordinates[f->dimension + 1];
    const double bound = flat_project(f, row, coordinates);
    for (int j = 0; j < f->codimension; j++)
        if (fabs(coordinates[j]) > bound)
            return 1;
    return 0;
}

/* |det| surely positive, each entry of row i uncertain by bound[i]. Every product of the expansion moves by at most
   prod (largest + bound) - prod largest; its rounding is covered by 1e-14. */
static int regular(const double (*row)[MAX_CODIMENSION], const double *bound, const double *largest, int order)
{
    double det, wide = 1, exact = 1;
    if (order == 1)
        det = row[0][0];
    else if (order == 2)
        det = row[0][0] * row[1][1] - row[0][1] * row[1][0];
    else
        det = row[0][0] * (row[1][1] * row[2][2] - row[1][2] * row[2][1]) -
              row[0][1] * (row[1][0] * row[2][2] - row[1][2] * row[2][0]) +
              row[0][2] * (row[1][0] * row[2][1] - row[1][1] * row[2][0]);
    for (int i = 0; i < order; i++) {
        wide *= largest[i] + bound[i];
        exact *= largest[i];
    }
    return fabs(det) > 6.001 * (wide - exact + 1e-14 * wide);
}

typedef struct {
    double row[MAX_CODIMENSION], bound, largest;
} projection;

int flat_spanned(const flat *f, const int32_t *const *list, const int *length)
{
    const int order = f->codimension;
    assert(0 < order && order <= MAX_CODIMENSION);
    int total = 0, first[MAX_CODIMENSION + 1] = {0};
    for (int i = 0; i < order; i++) {
        assert(length[i] > 0);
        first[i + 1] = total += length[i];
    }
    projection part[total];
    for (int i = 0; i < order; i++)
        for (int k = 0; k < length[i]; k++) {
            projection *p = &part[first[i] + k];
            p->bound = flat_project(f, list[i][k], p->row);
            p->largest = 0;
            for (int j = 0; j < order; j++)
                p->largest = fabs(p->row[j]) > p->largest ? fabs(p->row[j]) : p->largest;
        }
    /* An odometer over the transversals. */
    int at[MAX_CODIMENSION] = {0};
    for (;;) {
        double row[MAX_CODIMENSION][MAX_CODIMENSION], bound[MAX_CODIMENSION], largest[MAX_CODIMENSION];
        for (int i = 0; i < order; i++) {
            const projection *p = &part[first[i] + at[i]];
            memcpy(row[i], p->row, sizeof p->row);
            bound[i] = p->bound;
            largest[i] = p->largest;
        }
        if (!regular((const double (*)[MAX_CODIMENSION])row, bound, largest, order))
            return 0;
        int digit = 0;
        while (digit < order && ++at[digit] == length[digit])
            at[digit++] = 0;
        if (digit == order)
            return 1;
    }
}
