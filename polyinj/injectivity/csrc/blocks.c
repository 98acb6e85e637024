#include "blocks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The weight of a pair falls by this factor from one block to the next. Measured: 0.6 to 0.9 do about as well. */
static const double DECAY = 0.7;

/* An exchange that lowers the sum by less is not worth it, and rounding could make it endless. */
static const double LEAST_GAIN = 1e-4;

/* It stops after so many operations, some milliseconds: enough for 30 inputs and 210 rows. Many more rows are injective
   within a few nodes, however they stand; many more inputs are hopeless. */
enum { OPERATIONS = 1 << 23 };

typedef struct {
    int dimension, rows, members, count;
    const double *vector, *common;
    int32_t *row, *block; /* of each member */
    double *weight;       /* count: of two blocks at this distance */
    double *potential;    /* members x count: the sum of a member with all others, were it in that block */
} circle;

static const double *vector_of(const circle *c, int i)
{
    return c->vector + (int64_t)c->row[i] * c->dimension;
}

static double inner(const double *a, const double *b, int length)
{
    double sum = 0;
    for (int k = 0; k < length; k++)
        sum += a[k] * b[k];
    return sum;
}

/* What two different members have in common besides their inner product. */
static double common_of(const circle *c, int i, int j)
{
    return c->common && i != j ? c->common[(int64_t)c->row[i] * c->rows + c->row[j]] : 0;
}

static double weight_between(const circle *c, int block, int other)
{
    return c->weight[abs(block - other)];
}

/* The potentials by block: a member meets each block as the sum of its rows, and itself not at all. */
static void set_potentials(circle *c)
{
    const int n = c->dimension;
    for (int b = 0; b < c->count; b++) {
        double field[n];
        memset(field, 0, sizeof field);
        for (int i = 0; i < c->members; i++)
            for (int k = 0; k < n; k++)
                field[k] += weight_between(c, b, c->block[i]) * vector_of(c, i)[k];
        for (int i = 0; i < c->members; i++)
            c->potential[(int64_t)i * c->count + b] =
                inner(vector_of(c, i), field, n) - weight_between(c, b, c->block[i]);
        for (int i = 0; c->common && i < c->members; i++)
            for (int j = 0; j < c->members; j++)
                c->potential[(int64_t)i * c->count + b] += weight_between(c, b, c->block[j]) * common_of(c, i, j);
    }
}

static void exchange(circle *c, int i, int j)
{
    const int n = c->dimension, a = c->block[i], b = c->block[j];
    assert(0 <= a && a < c->count && 0 <= b && b < c->count && i != j);
    double step[n], line[c->count];
    for (int k = 0; k < n; k++)
        step[k] = vector_of(c, j)[k] - vector_of(c, i)[k];
    for (int d = 0; d < c->count; d++)
        line[d] = weight_between(c, d, a) - weight_between(c, d, b);
    const double product = inner(vector_of(c, i), vector_of(c, j), n);
    for (int k = 0; k < c->members; k++) {
        const double along = k == i ? product : k == j ? -product : inner(vector_of(c, k), step, n);
        const double moved = along + common_of(c, k, j) - common_of(c, k, i);
        double *potential = c->potential + (int64_t)k * c->count;
        for (int d = 0; d < c->count; d++)
            potential[d] += moved * line[d];
    }
    c->block[i] = b;
    c->block[j] = a;
}

/* What exchanging i and j adds to the sum. The potentials count each of the two in the place that it leaves. */
static double change(const circle *c, int i, int j)
{
    const int a = c->block[i], b = c->block[j];
    const double *p = c->potential + (int64_t)i * c->count, *q = c->potential + (int64_t)j * c->count;
    const double apart = 2 * (c->weight[0] - weight_between(c, a, b)), change = p[b] - p[a] + q[a] - q[b];
    const double together = common_of(c, i, j);
    /* Inner products are at most 1: most pairs are settled without theirs. */
    return change - apart * (1 + together) < -LEAST_GAIN
               ? change - apart * (inner(vector_of(c, i), vector_of(c, j), c->dimension) + together)
               : 0;
}

static void arrange(circle *c)
{
    set_potentials(c);
    const int64_t exchanging = (int64_t)c->members * (c->dimension + c->count);
    int64_t left = OPERATIONS;
    for (int moved = 1; moved;) {
        moved = 0;
        for (int i = 1; i < c->members; i++) {
            left -= i;
            for (int j = 0; j < i && left > 0; j++)
                if (change(c, i, j) < -LEAST_GAIN) {
                    exchange(c, i, j);
                    left -= exchanging;
                    moved = 1;
                }
            if (left <= 0)
                return;
        }
    }
}

int blocks_arrange(int dimension, int rows, const double *vector, const double *common, int count, int32_t *block)
{
    assert(dimension > 0 && count > 0);
    circle c = {.dimension = dimension, .rows = rows, .count = count, .vector = vector, .common = common};
    for (int i = 0; i < rows; i++)
        c.members += block[i] >= 0;
    const size_t members = (size_t)c.members, blocks = (size_t)count;
    c.row = aligned_zeros(members, sizeof(int32_t));
    c.block = aligned_zeros(members, sizeof(int32_t));
    c.weight = aligned_zeros(blocks, sizeof(double));
    c.potential = aligned_zeros(members * blocks, sizeof(double));
    const int ready = c.row && c.block && c.weight && c.potential;
    if (ready) {
        for (int i = 0, k = 0; i < rows; i++)
            if (block[i] >= 0) {
                c.row[k] = i;
                c.block[k] = (int32_t)((int64_t)k * count / c.members);
                k++;
            }
        double power = 1;
        for (int d = 0; d <= count / 2; d++, power *= DECAY)
            c.weight[d] = c.weight[(count - d) % count] = power;
        arrange(&c);
        for (int k = 0; k < c.members; k++)
            block[c.row[k]] = c.block[k];
    }
    free(c.row);
    free(c.block);
    free(c.weight);
    free(c.potential);
    return ready ? 0 : -1;
}
