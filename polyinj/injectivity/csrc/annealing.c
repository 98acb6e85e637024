#include "annealing.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4, HALVES = 2, LANES_A_HALF = POINTS / HALVES };

/* Two of these hold one number of each point. Every operation is elementwise and in a fixed order, so that the steps
   are the same, bit by bit, whatever vectors the processor has. */
typedef float lanes __attribute__((vector_size(LANES_A_HALF * sizeof(float))));
typedef int32_t marks __attribute__((vector_size(LANES_A_HALF * sizeof(int32_t))));

int annealing_open(annealing *d, int dimension, int rows, const float *row)
{
    assert(dimension > 0 && rows > 0);
    memset(d, 0, sizeof *d);
    d->dimension = dimension;
    d->blocks = (rows + BLOCK - 1) / BLOCK;
    d->filling = d->blocks * BLOCK - rows;
    const size_t n = (size_t)dimension;
    d->row = aligned_zeros((size_t)d->blocks * n * BLOCK, sizeof(float));
    d->point = aligned_zeros(n * POINTS, sizeof(float));
    d->velocity = aligned_zeros(n * POINTS, sizeof(float));
    d->force = aligned_zeros(n * POINTS, sizeof(float));
    d->best = aligned_zeros(n, sizeof(float));
    if (!d->row || !d->point || !d->velocity || !d->force || !d->best)
        return -1;
    for (int r = 0; r < rows; r++)
        for (size_t k = 0; k < n; k++)
            d->row[((size_t)(r / BLOCK) * n + k) * BLOCK + r % BLOCK] = row[(size_t)r * n + k];
    return 0;
}

void annealing_close(annealing *d)
{
    free(d->row);
    free(d->point);
    free(d->velocity);
    free(d->force);
    free(d->best);
    memset(d, 0, sizeof *d);
}

/* Of values, half the derivative of E(h / s + margin) by its argument. */
INLINE void pull(lanes *value, float inverse_scale, float margin)
{
    const lanes u = *value * inverse_scale + margin;
    const lanes positive = (lanes)((marks)u & (u > 0.0f)), square = positive * positive + 1.0f;
    *value = positive / (square * square);
}

/* The rows of one block at all points: count the active ones and add up the forces. Both products read the block while
   it is in the nearest cache. */
INLINE void add_block(const float *block, int n, const lanes *point, lanes *force, marks *active, float inverse_scale,
                      float margin)
{
    lanes value[BLOCK][HALVES] = {{{0}}};
    for (int k = 0; k < n; k++)
        for (int r = 0; r < BLOCK; r++)
            for (int half = 0; half < HALVES; half++)
                value[r][half] += block[k * BLOCK + r] * point[k * HALVES + half];
    for (int r = 0; r < BLOCK; r++)
        for (int half = 0; half < HALVES; half++) {
            active[half] -= value[r][half] >= 0.0f;
            pull(&value[r][half], inverse_scale, margin);
        }
    for (int k = 0; k < n; k++)
        for (int half = 0; half < HALVES; half++) {
            lanes sum = block[k * BLOCK] * value[0][half];
            for (int r = 1; r < BLOCK; r++)
                sum += block[k * BLOCK + r] * value[r][half];
            force[k * HALVES + half] += sum;
        }
}

CLONED static void count_and_pull(annealing *d)
{
    const int n = d->dimension;
    marks active[HALVES] = {{0}};
    memset(d->force, 0, sizeof(float) * (size_t)n * POINTS);
    for (int b = 0; b < d->blocks; b++)
        add_block(d->row + (size_t)b * (size_t)n * BLOCK, n, (const lanes *)d->point, (lanes *)d->force, active,
                  1 / d->scale, d->margin);
    memcpy(d->count, active, sizeof d->count);
}

/* To length 1, given the squares of the lengths. */
INLINE void rescale(lanes *point, int n, const lanes *square)
{
    float length[POINTS];
    lanes inverse[HALVES];
    memcpy(length, square, sizeof length);
    for (int p = 0; p < POINTS; p++)
        length[p] = 1 / sqrtf(length[p]);
    memcpy(inverse, length, sizeof inverse);
    for (int k = 0; k < n; k++)
        for (int half = 0; half < HALVES; half++)
            point[k * HALVES + half] *= inverse[half];
}

/* Heavy-ball step along the force; the rate is in units in which the curvature of the sum is of order 1. */
CLONED static void move(annealing *d)
{
    const int n = d->dimension;
    const float step = d->rate * d->scale / (float)n;
    lanes *point = (lanes *)d->point, *velocity = (lanes *)d->velocity;
    const lanes *force = (const lanes *)d->force;
    lanes square[HALVES] = {{0}};
    for (int k = 0; k < n; k++)
        for (int half = 0; half < HALVES; half++) {
            const int at = k * HALVES + half;
            velocity[at] = d->friction * velocity[at] - step * force[at];
            point[at] += velocity[at];
            square[half] += point[at] * point[at];
        }
    rescale(point, n, square);
}

void annealing_start(annealing *d, const float *point)
{
    const size_t size = sizeof(float) * (size_t)d->dimension * POINTS;
    memcpy(d->point, point, size);
    memset(d->velocity, 0, size);
    d->step = 0;
    d->best_count = INT32_MAX;
    /* A step without force or velocity only takes the points to the sphere. */
    memset(d->force, 0, size);
    move(d);
}

/* Whether some point has fewer active rows than any before. */
static int keep_best(annealing *d)
{
    int found = -1;
    for (int p = 0; p < POINTS; p++) {
        assert(d->filling <= d->count[p] && d->count[p] <= d->blocks * BLOCK);
        if (d->count[p] - d->filling < d->best_count) {
            d->best_count = d->count[p] - d->filling;
            found = p;
        }
    }
    for (int k = 0; k < d->dimension && found >= 0; k++)
        d->best[k] = d->point[k * POINTS + found];
    return found >= 0;
}

enum kernel_status annealing_run(annealing *d, int64_t max_steps, int target)
{
    assert(d->scale > 0 && d->ratio > 0);
    for (const int64_t last = d->step + max_steps; d->step < last;) {
        count_and_pull(d);
        const int better = keep_best(d);
        move(d);
        d->scale *= d->ratio;
        d->step++;
        if (better && d->best_count <= target)
            return WITNESS;
    }
    return RUNNING;
}
