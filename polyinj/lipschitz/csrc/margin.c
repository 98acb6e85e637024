#include "margin.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-11
#define WIDE 1e-9
#define SMALLEST_PIVOT 1e-9
/* What a box side gives way, as a share of its length. */
#define SIDE 0x1p-6

int margin_open(margin *m, int inputs, int rows, const double *row, const double *low, const double *high, double error)
{
    size_t size = (size_t)inputs + 1;
    memset(m, 0, sizeof *m);
    m->inputs = inputs, m->rows = rows, m->row = row, m->low = low, m->high = high, m->error = error;
    m->share = aligned_zeros((size_t)rows, sizeof *m->share);
    m->inverse = aligned_zeros(size * size, sizeof *m->inverse);
    m->multiplier = aligned_zeros(4 * size, sizeof *m->multiplier);
    m->tight = aligned_zeros(size, sizeof *m->tight);
    if (m->share == NULL || m->inverse == NULL || m->multiplier == NULL || m->tight == NULL)
        return -1;
    m->along = m->multiplier + size, m->point = m->along + size, m->combined = m->point + size;
    return 0;
}

void margin_close(margin *m)
{
    free(m->share);
    free(m->inverse);
    free(m->multiplier);
    free(m->tight);
}

INLINE double half_way(const margin *m, int j)
{
    return SIDE * (m->high[j] - m->low[j]);
}

/* The corner of low sides, where t = 1. */
static void start(margin *m)
{
    int n = m->inputs, size = n + 1;
    memset(m->inverse, 0, sizeof(double) * (size_t)size * (size_t)size);
    for (int j = 0; j < n; j++) {
        m->tight[j] = m->rows + j;
        m->multiplier[j] = 0.0;
        m->inverse[j * size + j] = 1.0;
        m->point[j] = m->low[j] + half_way(m, j);
        /* Column of t <= 1, that is -t >= -1: the side x_j - h_j t >= low_j stays tight while t falls. */
        m->inverse[n * size + j] = -half_way(m, j);
    }
    m->tight[n] = m->rows + 2 * n;
    m->multiplier[n] = 1.0;
    m->inverse[n * size + n] = -1.0;
    m->point[n] = 1.0;
}

/* The most violated constraint, its value in *least; -1 if none is. */
INLINE int most_violated(const margin *m, const int *asked, int count, const signed char *sign, double *least)
{
    int n = m->inputs, found = -1;
    double t = m->point[n];
    *least = -TOLERANCE;
    for (int a = 0; a < count; a++) {
        int i = asked[a];
        const double *w = m->row + (size_t)i * (size_t)(n + 1);
        double value = w[n];
        for (int j = 0; j < n; j++)
            value += w[j] * m->point[j];
        value = (sign[i] > 0 ? value : -value) - m->share[i] * t;
        if (value < *least)
            *least = value, found = i;
    }
    for (int j = 0; j < n; j++) {
        double below = m->point[j] - m->low[j] - half_way(m, j) * t,
               above = m->high[j] - m->point[j] - half_way(m, j) * t;
        if (below < *least)
            *least = below, found = m->rows + j;
        if (above < *least)
            *least = above, found = m->rows + n + j;
    }
    return found;
}

/* along = gradient of a constraint times the inverse. */
INLINE void enter(margin *m, int constraint, const signed char *sign)
{
    int n = m->inputs, size = n + 1;
    for (int p = 0; p < size; p++) {
        const double *column = m->inverse + (size_t)p * (size_t)size;
        double value;
        if (constraint < m->rows) {
            const double *w = m->row + (size_t)constraint * (size_t)size;
            value = 0.0;
            for (int j = 0; j < n; j++)
                value += w[j] * column[j];
            value = (sign[constraint] > 0 ? value : -value) - m->share[constraint] * column[n];
        } else {
            int j = (constraint - m->rows) % n;
            value = (constraint < m->rows + n ? column[j] : -column[j]) - half_way(m, j) * column[n];
        }
        m->along[p] = value;
    }
}

/* The place that leaves: the least ratio of multipliers, the largest pivot among equals; -1 if none may. */
INLINE int leaving(const margin *m)
{
    int size = m->inputs + 1, place = -1;
    double least = DBL_MAX;
    for (int p = 0; p < size; p++) {
        if (!(m->along[p] > SMALLEST_PIVOT))
            continue;
        double ratio = m->multiplier[p] / m->along[p];
        if (place < 0 || ratio < least || (ratio == least && m->along[p] > m->along[place]))
            least = ratio, place = p;
    }
    return place;
}

INLINE void pivot(margin *m, int place, int constraint, double value)
{
    int size = m->inputs + 1;
    double *column = m->inverse + (size_t)place * (size_t)size;
    double scale = 1.0 / m->along[place], step = m->multiplier[place] * scale;
    for (int j = 0; j < size; j++)
        column[j] *= scale;
    for (int p = 0; p < size; p++) {
        double factor = m->along[p];
        if (p == place || factor == 0.0)
            continue;
        double *other = m->inverse + (size_t)p * (size_t)size;
        for (int j = 0; j < size; j++)
            other[j] -= factor * column[j];
        m->multiplier[p] -= step * factor;
        if (m->multiplier[p] < 0.0)
            m->multiplier[p] = 0.0;
    }
    m->multiplier[place] = step > 0.0 ? step : 0.0;
    for (int j = 0; j < size; j++)
        m->point[j] -= value * column[j];
    m->tight[place] = constraint;
    m->pivots++;
}

/* Whether the sum of multipliers times rows is surely negative in the box; `used` gets the rows. */
static int is_certain(margin *m, const signed char *sign, int *used, int *uses)
{
    int n = m->inputs, size = n + 1;
    double sizes = 0.0, most;
    memset(m->combined, 0, sizeof(double) * (size_t)size);
    *uses = 0;
    for (int p = 0; p < size; p++) {
        int i = m->tight[p];
        double y = m->multiplier[p];
        if (i >= m->rows || !(y > 0.0))
            continue;
        const double *w = m->row + (size_t)i * (size_t)size;
        used[(*uses)++] = i;
        for (int j = 0; j < n; j++) {
            m->combined[j] += sign[i] > 0 ? y * w[j] : -y * w[j];
            sizes += y * fabs(w[j]) * fmax(fabs(m->low[j]), fabs(m->high[j]));
        }
        m->combined[n] += sign[i] > 0 ? y * w[n] : -y * w[n];
        sizes += y * fabs(w[n]);
    }
    most = m->combined[n];
    for (int j = 0; j < n; j++)
        most += fmax(m->combined[j] * m->low[j], m->combined[j] * m->high[j]);
    /* Each term has been through at most size products and sums, and so has the sum of sizes. */
    return *uses > 0 && most < -(m->error + 8 * (double)size * DBL_EPSILON) * 2.0 * sizes - DBL_MIN;
}

CLONED enum margin_answer margin_ask(margin *m, const int *asked, int count, const signed char *sign, int *used,
                                     int *uses)
{
    int n = m->inputs;
    int64_t last = m->pivots + 50 * (int64_t)(n + 2) + count;
    start(m);
    while (m->pivots < last) {
        double value;
        int constraint = most_violated(m, asked, count, sign, &value);
        if (constraint < 0) {
            if (m->point[n] > WIDE)
                return MARGIN_WIDE;
            break;
        }
        enter(m, constraint, sign);
        int place = leaving(m);
        if (place < 0)
            break;
        pivot(m, place, constraint, value);
        if (m->point[n] < -WIDE && is_certain(m, sign, used, uses))
            return MARGIN_NONE;
    }
    return is_certain(m, sign, used, uses) ? MARGIN_NONE : MARGIN_OPEN;
}
