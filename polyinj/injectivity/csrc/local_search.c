#include "local_search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"

enum { REFACTOR_AFTER = 100, PATIENCE = 60, TENURE = 6 };

/* xorshift64*: the search needs variety, not quality. */
static uint64_t next_random(local_search *w)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return w->random * 0x2545F4914F6CDD1Du;
}

static double uniform(local_search *w)
{
    return (double)(next_random(w) >> 11) * 0x1p-53;
}

int local_search_open(local_search *w, int dimension, int columns, const double *vector, const int32_t *weight,
                      uint64_t seed)
{
    assert(dimension > 0 && columns > 0);
    memset(w, 0, sizeof *w);
    w->dimension = dimension;
    w->columns = columns;
    w->width = (columns + 7) & ~7;
    w->vector = vector;
    w->weight = weight;
    w->random = seed * 2 + 0x9E3779B97F4A7C15u;
    const size_t n = (size_t)dimension, width = (size_t)w->width;
    w->cell = aligned_zeros(n * width, sizeof(double));
    w->inverse = aligned_zeros(n * (size_t)dense_stride(dimension), sizeof(double));
    w->orthonormal = aligned_zeros(n * n, sizeof(double));
    w->basis = aligned_zeros(n, sizeof(int32_t));
    w->place = aligned_zeros(width, sizeof(int32_t));
    w->tabu = aligned_zeros(width, sizeof(int64_t));
    w->key = aligned_zeros(width, sizeof(uint64_t));
    w->direction = aligned_zeros(n, sizeof(double));
    w->best_direction = aligned_zeros(n, sizeof(double));
    w->best_count = INT32_MAX;
    const int complete = w->cell && w->inverse && w->orthonormal && w->basis && w->place && w->tabu && w->key &&
                         w->direction && w->best_direction;
    return complete ? 0 : -1;
}

void local_search_close(local_search *w)
{
    free(w->cell);
    free(w->inverse);
    free(w->orthonormal);
    free(w->basis);
    free(w->place);
    free(w->tabu);
    free(w->key);
    free(w->direction);
    free(w->best_direction);
    memset(w, 0, sizeof *w);
}

/* An invariant, for assertions: rows and columns of the basis name each other, and the ray is one of them. */
static int basis_is_consistent(const local_search *w)
{
    int basic = 0;
    for (int c = 0; c < w->columns; c++) {
        basic += w->place[c] >= 0;
        if (w->place[c] >= w->dimension || (w->place[c] >= 0 && w->basis[w->place[c]] != c))
            return 0;
    }
    return basic == w->dimension && 0 <= w->top && w->top < w->dimension && fabs(w->sign) == 1;
}

/* All cells from the basis. */
static int refactor(local_search *w)
{
    const int n = w->dimension, stride = dense_stride(n);
    memset(w->inverse, 0, sizeof(double) * (size_t)(n * stride));
    for (int i = 0; i < n; i++)
        memcpy(w->inverse + i * stride, w->vector + (int64_t)w->basis[i] * n, sizeof(double) * (size_t)n);
    if (dense_invert(w->inverse, n) != 0)
        return -1;
    /* v = c V_B, so c = v V_B^-1. */
    for (int c = 0; c < w->columns; c++)
        for (int i = 0; i < n; i++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += w->vector[(int64_t)c * n + k] * w->inverse[k * stride + i];
            w->cell[i * w->width + c] = w->place[c] >= 0 ? w->place[c] == i : sum;
        }
    w->since_refactor = 0;
    return 0;
}

/* Shell sort, descending: a hundred keys. */
static void sort_keys(uint64_t *key, int count)
{
    static const int gaps[] = {301, 132, 57, 23, 10, 4, 1};
    for (int g = 0; g < 7; g++)
        for (int i = gaps[g]; i < count; i++) {
            const uint64_t value = key[i];
            int at = i;
            for (; at >= gaps[g] && key[at - gaps[g]] < value; at -= gaps[g])
                key[at] = key[at - gaps[g]];
            key[at] = value;
        }
}

/* A float as an unsigned integer of the same order. */
INLINE uint32_t ordered(float value)
{
    union {
        float value;
        uint32_t bits;
    } both = {.value = value};
    return both.bits >> 31 ? ~both.bits : both.bits | 0x80000000u;
}

/* A ray tight on the rows that z nearly meets: greedy elimination, nearest first. */
static int start_near(local_search *w, const double *z)
{
    const int n = w->dimension;
    double (*q)[n] = (double (*)[n])w->orthonormal;
    for (int c = 0; c < w->columns; c++) {
        double value = 0;
        for (int k = 0; k < n; k++)
            value += w->vector[(int64_t)c * n + k] * z[k];
        w->key[c] = (uint64_t)~ordered((float)fabs(value)) << 32 | (uint32_t)c;
        w->place[c] = -1;
        w->tabu[c] = 0;
    }
    sort_keys(w->key, w->columns);
    int rank = 0;
    for (int at = 0; at < w->columns && rank < n; at++) {
        const int c = (int)(uint32_t)w->key[at];
        double rest[n], square = 0;
        memcpy(rest, w->vector + (int64_t)c * n, sizeof rest);
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < rank; i++) {
                double inner = 0;
                for (int k = 0; k < n; k++)
                    inner += rest[k] * q[i][k];
                for (int k = 0; k < n; k++)
                    rest[k] -= inner * q[i][k];
            }
        for (int k = 0; k < n; k++)
            square += rest[k] * rest[k];
        if (square < 1e-12)
            continue;
        for (int k = 0; k < n; k++)
            q[rank][k] = rest[k] / sqrt(square);
        w->place[c] = rank;
        w->basis[rank++] = c;
    }
    if (rank < n)
        return -1;
    double value = 0;
    for (int k = 0; k < n; k++)
        value += w->vector[(int64_t)w->basis[n - 1] * n + k] * z[k];
    w->top = n - 1;
    w->sign = value < 0 ? -1 : 1;
    return refactor(w);
}

static int ray_count(const local_search *w)
{
    const double *cell = w->cell + w->top * w->width;
    int count = 0;
    for (int c = 0; c < w->columns; c++)
        count += w->sign * cell[c] > 0 ? w->weight[c] : 0;
    return count;
}

/* The direction z with the tight rows at -epsilon, epsilon half of what changes another sign; counted afresh. */
static void keep_if_best(local_search *w)
{
    const int n = w->dimension, stride = dense_stride(n);
    if (w->since_refactor > 0 && refactor(w) != 0)
        return;
    double epsilon = 1;
    for (int c = 0; c < w->columns; c++) {
        if (w->place[c] >= 0)
            continue;
        double others = 0;
        for (int i = 0; i < n; i++)
            others += i != w->top ? w->cell[i * w->width + c] : 0;
        const double own = fabs(w->cell[w->top * w->width + c]);
        if (own > 1e-12 && epsilon * fabs(others) > 0.5 * own)
            epsilon = 0.5 * own / fabs(others);
    }
    int count = 0;
    for (int k = 0; k < n; k++) {
        w->direction[k] = 0;
        for (int i = 0; i < n; i++)
            w->direction[k] += w->inverse[k * stride + i] * (i == w->top ? w->sign : -epsilon);
    }
    for (int c = 0; c < w->columns; c++) {
        double value = 0;
        for (int k = 0; k < n; k++)
            value += w->vector[(int64_t)c * n + k] * w->direction[k];
        count += value >= 0 ? w->weight[c] : 0;
    }
    if (count < w->best_count) {
        w->best_count = count;
        memcpy(w->best_direction, w->direction, sizeof(double) * (size_t)n);
    }
}

typedef struct {
    int count, row, enter;
    double sign;
} ray_move;

/* The best allowed ray of the pencil that leaving the tight row basis[row] opens. On it rows have the values a cos t
   + b sin t, with a and b their cells in rows `top` and `row`: zero at cot t = -b / a, and cot falls from +inf to
   -inf on (0, pi). The antipodal half has the opposite signs. */
static ray_move sweep(local_search *w, int row, int aspiration)
{
    const double *a = w->cell + w->top * w->width, *b = w->cell + row * w->width;
    int crossings = 0, active = 0, total = 0;
    for (int c = 0; c < w->columns; c++) {
        if (w->place[c] >= 0 && c != w->basis[w->top] && c != w->basis[row])
            continue;
        total += w->weight[c];
        if (fabs(a[c]) <= 1e-12) {
            active += b[c] > 0 ? w->weight[c] : 0;
            continue;
        }
        active += a[c] > 0 ? w->weight[c] : 0;
        w->key[crossings++] = (uint64_t)ordered((float)(-b[c] / a[c])) << 32 | (uint32_t)c;
    }
    sort_keys(w->key, crossings);
    ray_move best = {.count = INT32_MAX, .row = row, .enter = -1};
    for (int at = 0; at < crossings; at++) {
        const int c = (int)(uint32_t)w->key[at], weight = w->weight[c];
        const int rest = active - (a[c] > 0 ? weight : 0), antipode = total - rest - weight;
        /* Past the crossing the row has the other sign. */
        active = rest + (a[c] > 0 ? 0 : weight);
        const int least = rest < antipode ? rest : antipode;
        /* A row that vanishes along row `row` cannot take its place in the basis. */
        const int exchanges = c == w->basis[w->top] || fabs(b[c]) > 1e-12;
        if (exchanges && least < best.count && (w->tabu[c] <= w->step || least < aspiration)) {
            best.count = least;
            best.enter = c;
            /* cos t > 0 where cot t > 0; where row `top` itself becomes tight, row `row` has sin t. */
            const double cosine = c == w->basis[w->top] || -b[c] / a[c] > 0 ? 1 : -1;
            best.sign = rest <= antipode ? cosine : -cosine;
        }
    }
    return best;
}

static void take(local_search *w, const ray_move *move)
{
    const int n = w->dimension, row = move->row, out = w->basis[row];
    assert(0 <= move->enter && move->enter < w->columns && row != w->top);
    assert(w->place[move->enter] < 0 || move->enter == w->basis[w->top]);
    w->tabu[out] = w->step + TENURE + (int64_t)(next_random(w) % TENURE);
    w->sign = move->sign;
    w->count = move->count;
    if (move->enter == w->basis[w->top]) {
        w->top = row;
        return;
    }
    double *source = w->cell + row * w->width;
    const double scale = 1 / source[move->enter];
    for (int c = 0; c < w->columns; c++)
        source[c] *= scale;
    source[move->enter] = 1;
    for (int i = 0; i < n; i++) {
        double *restrict target = w->cell + i * w->width;
        const double factor = target[move->enter];
        if (i == row)
            continue;
        for (int c = 0; c < w->columns; c++)
            target[c] -= factor * source[c];
        target[move->enter] = 0;
    }
    w->place[out] = -1;
    w->place[move->enter] = row;
    w->basis[row] = move->enter;
    w->since_refactor++;
}

/* Minus the mean of the rows first, random directions later. */
static int restart(local_search *w)
{
    const int n = w->dimension;
    double z[n];
    for (int k = 0; k < n; k++)
        z[k] = 0;
    for (int c = 0; c < w->columns; c++) {
        const double share = w->weight[c] > 0 ? (w->starts == 0 ? 1 : 2 * uniform(w)) : 0;
        for (int k = 0; k < n; k++)
            z[k] -= share * w->vector[(int64_t)c * n + k];
    }
    for (int k = 0; k < n && w->starts > 0 && w->starts % 2 == 0; k++)
        z[k] = uniform(w) + uniform(w) + uniform(w) - 1.5;
    w->starts++;
    if (start_near(w, z) != 0)
        return -1;
    assert(basis_is_consistent(w));
    w->count = w->start_best = ray_count(w);
    w->improved = w->restarted = w->step;
    if (w->count < w->best_count)
        keep_if_best(w);
    return 0;
}

enum kernel_status local_search_run(local_search *w, int64_t max_steps, int target)
{
    const int n = w->dimension;
    for (const int64_t last = w->step + max_steps; w->step < last && w->best_count > target; w->step++) {
        if (w->starts == 0 || w->step - w->improved > PATIENCE + 10 * n ||
            (w->since_refactor > REFACTOR_AFTER && refactor(w) != 0))
            if (restart(w) != 0)
                return STUCK;
        ray_move best = {.count = INT32_MAX, .enter = -1};
        const int first = (int)(next_random(w) % (uint64_t)n);
        for (int i = 0; i < n && best.count >= w->count; i++) {
            const int row = (first + i) % n;
            if (row == w->top)
                continue;
            const ray_move move = sweep(w, row, w->start_best);
            if (move.count < best.count)
                best = move;
        }
        if (best.enter < 0)
            continue;
        take(w, &best);
        assert(basis_is_consistent(w));
        if (w->count < w->start_best) {
            w->start_best = w->count;
            w->improved = w->step;
            if (w->count < w->best_count)
                keep_if_best(w);
        }
    }
    return w->best_count <= target ? WITNESS : RUNNING;
}
