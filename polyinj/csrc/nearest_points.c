#include "nearest_points.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pencil.h"

/* The squared distance of a unit generator from the span of others, at least. */
#define LEAST_DISTANCE 1e-6
/* Multipliers and conditions are known far better than this, relative to the point. */
#define MARGIN 1e-8
/* Directions in which less than this is left are done with. */
#define NOTHING_LEFT 1e-13
/* A generator is taken for one in the span of others by its squared distance. */
#define IN_SPAN 1e-14

/* The products of all generators with a vector. */
CLONED static void multiply(const nearest_points *s, const double *vector, double *restrict product)
{
    memset(product, 0, sizeof(double) * (size_t)s->width);
    for (int i = 0; i < s->columns; i++) {
        const double *restrict row = s->generator + i * s->width, entry = vector[i];
        for (int64_t j = 0; j < s->width; j++)
            product[j] += row[j] * entry;
    }
}

int nearest_points_open(nearest_points *s, int count, int columns, const double *generator)
{
    assert(count > 0 && columns > 0);
    memset(s, 0, sizeof *s);
    s->columns = columns;
    s->count = count;
    s->width = (count + LANES - 1) / LANES * LANES;
    const size_t n = (size_t)columns, width = (size_t)s->width;
    s->generator = aligned_zeros(n * width, sizeof(double));
    s->gram = aligned_zeros((size_t)count * width, sizeof(double));
    s->start = aligned_zeros(2 * width, sizeof(double));
    s->factor = aligned_zeros(n * n, sizeof(double));
    s->weight = aligned_zeros(4 * n, sizeof(double));
    s->passive = aligned_zeros(n, sizeof(int));
    s->is_passive = aligned_zeros(width, sizeof(uint8_t));
    if (!s->generator || !s->gram || !s->start || !s->factor || !s->weight || !s->passive || !s->is_passive)
        return -1;
    s->product = s->start + width;
    s->trial = s->weight + columns;
    s->forward = s->trial + columns;
    s->left = s->forward + columns;
    for (int j = 0; j < count; j++)
        for (int i = 0; i < columns; i++)
            s->generator[i * s->width + j] = generator[j * columns + i];
    for (int j = 0; j < count; j++)
        multiply(s, generator + j * columns, s->gram + j * s->width);
    return 0;
}

void nearest_points_close(nearest_points *s)
{
    free(s->generator);
    free(s->gram);
    free(s->start);
    free(s->factor);
    free(s->weight);
    free(s->passive);
    free(s->is_passive);
    memset(s, 0, sizeof *s);
}

/* A row of the factor for generator j beside the first passive ones, and its squared distance from their span. */
INLINE double factor_row(const nearest_points *s, int passive, int j, double *row)
{
    const double *gram = s->gram + j * s->width;
    double own = gram[j];
    for (int k = 0; k < passive; k++) {
        const double *before = s->factor + k * s->columns;
        double sum = gram[s->passive[k]];
        for (int l = 0; l < k; l++)
            sum -= row[l] * before[l];
        row[k] = sum * before[k];
        own -= row[k] * row[k];
    }
    return own;
}

/* One more row of the factor, for the passive generator of that number; 0 where it is too near to the others. */
INLINE int extend_factor(nearest_points *s, int number)
{
    double *row = s->factor + number * s->columns, rest = s->start[s->passive[number]];
    const double own = factor_row(s, number, s->passive[number], row);
    if (!(own > LEAST_DISTANCE))
        return 0;
    row[number] = 1 / sqrt(own);
    for (int l = 0; l < number; l++)
        rest -= row[l] * s->forward[l];
    s->forward[number] = rest * row[number];
    return 1;
}

/* The other half of the normal equations, in place. */
INLINE void solve_backward(const nearest_points *s, int passive, double *restrict solution)
{
    for (int k = passive - 1; k >= 0; k--) {
        const double *restrict row = s->factor + k * s->columns;
        solution[k] *= row[k];
        for (int l = 0; l < k; l++)
            solution[l] -= row[l] * solution[k];
    }
}

/* A correction of the weights by what is left. */
INLINE void correct(nearest_points *s, int passive)
{
    const int n = s->columns;
    for (int k = 0; k < passive; k++) {
        double sum = s->product[s->passive[k]];
        for (int l = 0; l < k; l++)
            sum -= s->factor[k * n + l] * s->trial[l];
        s->trial[k] = sum * s->factor[k * n + k];
    }
    solve_backward(s, passive, s->trial);
}

INLINE void subtract(const nearest_points *s, int passive, const double *weight)
{
    for (int k = 0; k < passive; k++)
        for (int i = 0; i < s->columns; i++)
            s->left[i] -= weight[k] * s->generator[i * s->width + s->passive[k]];
}

/* Move the weights towards the trial as far as none is negative, and drop those that are 0 there: how many stay. -1
   where the factor fails. */
INLINE int step_back(nearest_points *s, int passive)
{
    double step = INFINITY;
    int first = -1, kept = 0;
    for (int k = 0; k < passive; k++)
        if (s->trial[k] <= 0 && s->weight[k] / (s->weight[k] - s->trial[k]) < step) {
            step = s->weight[k] / (s->weight[k] - s->trial[k]);
            first = k;
        }
    for (int k = 0; k < passive; k++) {
        const double moved = s->weight[k] + step * (s->trial[k] - s->weight[k]);
        if (k == first || moved <= 0) {
            s->is_passive[s->passive[k]] = 0;
            continue;
        }
        s->passive[kept] = s->passive[k];
        s->weight[kept++] = moved;
    }
    if (kept == passive)
        return -1;
    for (int k = 0; k < kept; k++)
        if (!extend_factor(s, k))
            return -1;
    return kept;
}

/* The products of the generators with what is left, by those among them, and the one that lies most in that direction;
   -1 where none does. Those of passive ones are 0. */
INLINE int next_generator(const nearest_points *s, int passive, double least)
{
    double *restrict product = s->product;
    memcpy(product, s->start, sizeof(double) * (size_t)s->width);
    for (int k = 0; k < passive; k++) {
        const double *restrict row = s->gram + s->passive[k] * s->width, weight = s->weight[k];
        for (int64_t j = 0; j < s->width; j++)
            product[j] -= weight * row[j];
    }
    double lane[LANES] = {0};
    for (int64_t j = 0; j < s->width; j += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] = product[j + k] > lane[k] ? product[j + k] : lane[k];
    const double most = largest_lane(lane);
    if (!(most > least))
        return -1;
    int best = 0;
    while (product[best] != most)
        best++;
    return best;
}

/* The passive generators at the nearest point and their weights: how many; -1 where it stays open. */
CLONED static int find_support(nearest_points *s, const double *point, double length)
{
    const int n = s->columns;
    int passive = 0;
    multiply(s, point, s->start);
    memset(s->is_passive, 0, (size_t)s->width);
    for (int rounds = 10 * (s->count + n);;) {
        const int joins = passive < n ? next_generator(s, passive, NOTHING_LEFT * length) : -1;
        if (joins < 0)
            return passive;
        if (s->is_passive[joins] || rounds-- <= 0)
            return -1;
        s->passive[passive] = joins;
        s->is_passive[joins] = 1;
        s->weight[passive] = 0;
        if (!extend_factor(s, passive++))
            return -1;
        for (;;) {
            memcpy(s->trial, s->forward, sizeof(double) * (size_t)passive);
            solve_backward(s, passive, s->trial);
            int negative = 0;
            for (int k = 0; k < passive; k++)
                negative |= s->trial[k] <= 0;
            if (!negative)
                break;
            passive = step_back(s, passive);
            if (passive < 0 || rounds-- <= 0)
                return -1;
        }
        memcpy(s->weight, s->trial, sizeof(double) * (size_t)passive);
    }
}

/* Whether generator j lies in the span of the passive ones, so that its condition cannot tell another face. */
INLINE int is_on_face(const nearest_points *s, int passive, int j, double length)
{
    double row[s->columns];
    return fabs(s->product[j]) <= NOTHING_LEFT * length && factor_row(s, passive, j, row) < IN_SPAN;
}

int nearest_points_solve(nearest_points *s, const double *point, double *violation, double *angle)
{
    double length = 0;
    for (int i = 0; i < s->columns; i++)
        length += point[i] * point[i];
    length = sqrt(length);
    const int passive = find_support(s, point, length);
    if (passive < 0)
        return -1;
    memcpy(s->left, point, sizeof(double) * (size_t)s->columns);
    subtract(s, passive, s->weight);
    multiply(s, s->left, s->product);
    correct(s, passive);
    subtract(s, passive, s->trial);
    multiply(s, s->left, s->product);
    *violation = *angle = 0;
    for (int j = 0; j < s->count; j++) {
        *violation = fmax(*violation, s->product[j]);
        if (!s->is_passive[j] && passive < s->columns && s->product[j] > -MARGIN * length &&
            !is_on_face(s, passive, j, length))
            return -1;
    }
    for (int k = 0; k < passive; k++)
        if (s->weight[k] + s->trial[k] < MARGIN * length)
            return -1;
    for (int i = 0; i < s->columns; i++)
        *angle += s->left[i] * (point[i] - s->left[i]);
    return passive;
}
