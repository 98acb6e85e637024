/* Sign vectors of the rays of one pencil, written out. */
#ifndef POLYINJ_SIGNS_H
#define POLYINJ_SIGNS_H

#include "pencil.h"

/* signs[j] = certain sign of (xt, yt) cross column j, for lo <= j < hi; returns how many are certain. */
CLONED static int64_t write_signs(const double *restrict x, const double *restrict y, int64_t lo, int64_t hi, double xt,
                                  double yt, double bound, int8_t *restrict signs)
{
    for (int64_t j = lo; j < hi; j++) {
        double cross = xt * y[j] - yt * x[j];
        signs[j] = (int8_t)((cross > bound) - (cross < -bound));
    }
    int64_t certain = 0;
    for (int64_t j = lo; j < hi; j++)
        certain += signs[j] & 1;
    return certain;
}

/* The ray of row t in a pencil laid out as for sweep_pencil: signs[lo..hi) there, 0 at t; slopes[i] is the sign of the
 * coefficient of the i-th tight row in the objective, t being the last. Returns 0 when a sign is uncertain.
 */
static int sign_ray(const double *matrix, int64_t rows, int64_t width, int64_t lo, int64_t hi, int64_t t, bounds known,
                    int8_t *signs, int8_t *slopes)
{
    assert(rows >= 2 && 0 <= lo && lo <= t && t < hi && hi + 1 < width);
    const double *x = matrix + (rows - 2) * width, *y = x + width;
    double M = known.free_size, bound = cross_bound(M, known.free_error);
    double xc = x[hi], yc = y[hi], xf = x[hi + 1], yf = y[hi + 1];
    double fc = xf * yc - yf * xc, tc = x[t] * yc - y[t] * xc, tf = x[t] * yf - y[t] * xf;
    double A = known.solved_size, cross_size = 2 * M * M + bound;
    double triple = SLACK * (3 * (A * bound + known.solved_error * cross_size) + 12 * ROUNDOFF * A * cross_size) + TINY;
    if (!(fabs(fc) > bound) || !(fabs(tc) > bound))
        return 0;
    double orient = tc > 0 ? 1.0 : -1.0;
    int certain = write_signs(x, y, lo, hi, orient * x[t], orient * y[t], bound, signs) == hi - lo - 1;
    for (int64_t i = 0; i < rows - 2; i++) {
        const double *a = matrix + i * width;
        double c = orient * (a[hi + 1] * tc - a[t] * fc - a[hi] * tf);
        certain &= fabs(c) > triple;
        slopes[i] = c > 0 ? 1 : -1;
    }
    slopes[rows - 2] = orient * fc > 0 ? 1 : -1;
    return certain;
}

#endif
