/* Inner loops of the ray sweep: one Gauss-Jordan step, and all rays of one pencil.
 *
 * Unit roundoff is u = 2^-53. Bounds are evaluated in floating point themselves; SLACK covers those few roundings.
 * Products may underflow: TINY, far above the 2^-1074 that an underflow can lose, is added to every bound.
 */
#ifndef POLYINJ_PENCIL_H
#define POLYINJ_PENCIL_H

#include <assert.h>
#include <features.h>
#include <math.h>
#include <stdint.h>

#include "portable.h"

/* Rows of matrices are padded to this many doubles. */
enum { LANES = 8 };

#define ROUNDOFF 1.1102230246251565e-16
#define SLACK 1.0001
#define TINY 1e-290

INLINE double largest_lane(const double *lane)
{
    double top = 0;
    for (int k = 0; k < LANES; k++)
        top = lane[k] > top ? lane[k] : top;
    return top;
}

/* Largest magnitude in row[0..width); width is a multiple of LANES. */
CLONED static double largest(const double *row, int64_t width)
{
    double lane[LANES] = {0};
    assert(width % LANES == 0);
    for (int64_t j = 0; j < width; j += LANES)
        for (int k = 0; k < LANES; k++) {
            double v = fabs(row[j + k]);
            lane[k] = v > lane[k] ? v : lane[k];
        }
    return largest_lane(lane);
}

/* target[j] = source[j] - factor * pivot[j]; returns the largest magnitude in target. */
INLINE double subtract_multiple(double *restrict target, const double *restrict source, const double *restrict pivot,
                                double factor, int64_t width)
{
    double lane[LANES] = {0};
    for (int64_t j = 0; j < width; j += LANES)
        for (int k = 0; k < LANES; k++) {
            double value = source[j + k] - factor * pivot[j + k], v = fabs(value);
            target[j + k] = value;
            lane[k] = v > lane[k] ? v : lane[k];
        }
    return largest_lane(lane);
}

/* target[j] = source[j] / divisor; returns the largest magnitude in target. */
INLINE double divide_row(double *restrict target, const double *restrict source, double divisor, int64_t width)
{
    double lane[LANES] = {0};
    for (int64_t j = 0; j < width; j += LANES)
        for (int k = 0; k < LANES; k++) {
            double value = source[j + k] / divisor, v = fabs(value);
            target[j + k] = value;
            lane[k] = v > lane[k] ? v : lane[k];
        }
    return largest_lane(lane);
}

/* What is known of a partly eliminated matrix: no entry is larger, none is further from the truth. */
typedef struct {
    double free_size, free_error;     /* rows not used as pivots yet */
    double solved_size, solved_error; /* rows that were */
} bounds;

/* One Gauss-Jordan step on column t of a (rows x width) matrix whose first `solved` rows hold pivots already.
 *
 * Writes the next matrix to `target`; its row `solved` is the new pivot row, divided by the pivot. Returns 0, leaving
 * target unspecified, when the pivot cannot be told from zero. Partial pivoting keeps |a_it / pivot| <= 1 in free rows.
 */
CLONED static int eliminate(double *restrict target, const double *restrict source, int64_t rows, int64_t width,
                            int64_t solved, int64_t t, bounds before, bounds *after)
{
    assert(0 <= solved && solved < rows && 0 <= t && t < width && width % LANES == 0);
    assert(before.free_error >= 0 && before.solved_error >= 0);
    int64_t best = solved;
    for (int64_t i = solved + 1; i < rows; i++)
        if (fabs(source[i * width + t]) > fabs(source[best * width + t]))
            best = i;
    double pivot = source[best * width + t], size = fabs(pivot);
    double M = before.free_size, E = before.free_error, A = before.solved_size, EA = before.solved_error;
    if (!(size > 2 * E + TINY))
        return 0;

    double *unit = target + solved * width;
    double ratio = M / size;
    /* b = a / p: |db| <= (E + |b| E) / (|p| - E) + u |b| */
    double unit_error = SLACK * ((E + ratio * E) / (size - E) + ROUNDOFF * ratio + TINY);
    double free_size = 0, solved_size = divide_row(unit, source + best * width, pivot, width);
    for (int64_t i = 0; i < rows; i++) {
        if (i == best)
            continue;
        /* The row that stood where the pivot row goes takes the place that the pivot row leaves. */
        double *row = target + (i == solved ? best : i) * width;
        double top = subtract_multiple(row, source + i * width, unit, source[i * width + t], width);
        if (i < solved)
            solved_size = top > solved_size ? top : solved_size;
        else
            free_size = top > free_size ? top : free_size;
    }
    /* a - l b with l = a_it: |l| db + |b| dl + dl db, and the roundings of the product and of the difference. */
    after->free_size = free_size;
    after->free_error =
        SLACK * (E + size * unit_error + ratio * E + E * unit_error + ROUNDOFF * (M + free_size) * SLACK + TINY);
    after->solved_size = solved_size;
    double inherited = SLACK * (EA + A * unit_error + ratio * EA + EA * unit_error +
                                ROUNDOFF * (A * ratio + solved_size) * SLACK + TINY);
    after->solved_error = inherited > unit_error ? inherited : unit_error;
    return 1;
}

/* Certain signs of the cross products of u = (xt, yt) with the columns lo..hi-1: how many are > bound, < -bound. */
CLONED static void count_signs(const double *x, const double *y, int64_t lo, int64_t hi, double xt, double yt,
                               double bound, int64_t *positive, int64_t *negative)
{
    int64_t up = 0, down = 0;
    for (int64_t j = lo; j < hi; j++) {
        double cross = xt * y[j] - yt * x[j];
        up += cross > bound;
        down += cross < -bound;
    }
    *positive = up;
    *negative = down;
}

/* Bound on the error of x_t y_j - y_t x_j for entries of size <= M with errors <= E. */
static double cross_bound(double M, double E)
{
    return SLACK * (4 * M * E + 2 * E * E + 4 * ROUNDOFF * M * M) + TINY;
}

/* All rays of one pencil: the columns of `matrix` (rows x width) are solved for `rows - 2` tight hyperplanes, and each
 * t in first..hi-1 gives one ray, on which chart > 0. Columns: hyperplanes lo..hi-1, chart hi, objective hi + 1.
 *
 * For ray t: positives[t] counts the hyperplanes positive there; ascents[t] counts the tight hyperplanes, t included,
 * whose coefficient in objective = c_chart chart + sum c_i w_i is positive. Tight columns must have been overwritten by
 * the chart's. Returns 0 when a sign is uncertain.
 */
CLONED static int sweep_pencil(const double *matrix, int64_t rows, int64_t width, int64_t lo, int64_t hi, int64_t first,
                               bounds known, int32_t *positives, int32_t *ascents)
{
    assert(rows >= 2 && 0 <= lo && lo <= first && hi + 1 < width);
    const double *x = matrix + (rows - 2) * width, *y = x + width;
    double M = known.free_size, bound = cross_bound(M, known.free_error);
    double xc = x[hi], yc = y[hi], xf = x[hi + 1], yf = y[hi + 1];
    double fc = xf * yc - yf * xc;
    if (!(fabs(fc) > bound))
        return 0;

    /* c_i |cross(t, c)| = +-(a_if cross(t,c) - a_it cross(f,c) - a_ic cross(t,f)): three products, two differences. */
    double A = known.solved_size, cross_size = 2 * M * M + bound;
    double triple = SLACK * (3 * (A * bound + known.solved_error * cross_size) + 12 * ROUNDOFF * A * cross_size) + TINY;
    int64_t tight = rows - 2;
    for (int64_t t = first; t < hi; t++) {
        double tc = x[t] * yc - y[t] * xc, tf = x[t] * yf - y[t] * xf;
        int64_t up, down, count = 0;
        count_signs(x, y, lo, hi, x[t], y[t], bound, &up, &down);
        if (up + down != hi - lo - 1 || !(fabs(tc) > bound))
            return 0;
        positives[t] = (int32_t)((tc > 0 ? up : down) - tight);
        /* The tight rows count as positive, since the chart stands in their place. */
        assert(0 <= positives[t] && positives[t] < hi - lo - tight);
        double orient = tc > 0 ? 1.0 : -1.0;
        int certain = 1;
        for (int64_t i = 0; i < tight; i++) {
            const double *a = matrix + i * width;
            double c = orient * (a[hi + 1] * tc - a[t] * fc - a[hi] * tf);
            certain &= fabs(c) > triple;
            count += c > 0;
        }
        if (!certain)
            return 0;
        ascents[t] = (int32_t)(count + (orient * fc > 0));
    }
    return 1;
}

#endif
