#include "tableau.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"

enum { LANES = ALIGNMENT / sizeof(float), MAX_HEIGHT = 64 };

/* Entries below these count as zero in single precision: unit rows, orthonormal columns. */
static const float PRICE_TOLERANCE = 3e-6f;
static const float PIVOT_TOLERANCE = 2e-5f;
static const float DEGENERATE = 1e-6f;

/* Above the bits of every ratio. */
static const uint32_t NO_RATIO = 0x7F000000u;

static int padded(int length)
{
    return (length + LANES - 1) / LANES * LANES;
}

int tableau_open(tableau *t, int dimension, int columns, const double *vector)
{
    assert(0 < dimension && dimension <= MAX_DIMENSION && columns > 0 && columns < 0xFFFF);
    memset(t, 0, sizeof *t);
    t->dimension = dimension;
    t->columns = columns;
    t->width = padded(columns);
    t->height = padded(dimension + 2);
    assert(t->height <= MAX_HEIGHT);
    t->vector = vector;
    const size_t width = (size_t)t->width, rows = (size_t)dimension + 1;
    t->transposed = aligned_zeros((size_t)dimension * width, sizeof(double));
    t->cell = aligned_zeros((rows + 4) * width, sizeof(float));
    t->beta = aligned_zeros((size_t)t->height, sizeof(float));
    t->mask = aligned_zeros(width, sizeof(uint32_t));
    t->may_swap = aligned_zeros(width, sizeof(uint32_t));
    t->basis = aligned_zeros(rows, sizeof(int32_t));
    t->place = aligned_zeros(width, sizeof(int32_t));
    t->sign = aligned_zeros(width, sizeof(float));
    t->wanted = aligned_zeros(width, sizeof(float));
    t->role = aligned_zeros(width, 1);
    t->inverse = aligned_zeros(rows * (size_t)dense_stride((int)rows), sizeof(double));
    if (!t->transposed || !t->cell || !t->beta || !t->mask || !t->may_swap || !t->basis || !t->place || !t->sign ||
        !t->wanted || !t->role || !t->inverse)
        return -1;
    for (int c = 0; c < columns; c++) {
        t->sign[c] = t->wanted[c] = 1.0f;
        for (int k = 0; k < dimension; k++)
            t->transposed[(size_t)k * width + (size_t)c] = vector[(size_t)c * (size_t)dimension + (size_t)k];
    }
    return 0;
}

void tableau_close(tableau *t)
{
    free(t->transposed);
    free(t->cell);
    free(t->beta);
    free(t->mask);
    free(t->may_swap);
    free(t->basis);
    free(t->place);
    free(t->sign);
    free(t->wanted);
    free(t->role);
    free(t->inverse);
    memset(t, 0, sizeof *t);
}

/* Invariants, for assertions: rows and columns of the basis name each other; every other column carries the sign that
   is wanted of it. */
static int basis_is_consistent(const tableau *t)
{
    int basic = 0;
    for (int c = 0; c < t->columns; c++) {
        basic += t->place[c] >= 0;
        if (t->place[c] > t->dimension || (t->place[c] >= 0 && t->basis[t->place[c]] != c))
            return 0;
    }
    return basic == t->dimension + 1;
}

static int signs_are_wanted(const tableau *t)
{
    for (int c = 0; c < t->columns; c++)
        if (fabsf(t->sign[c]) != 1.0f || (t->place[c] < 0 && t->sign[c] != t->wanted[c]))
            return 0;
    return 1;
}

/* ---- Bases in double precision ---- */

/* N independent vectors by greedy elimination (the longest remainder next), then any other vector: N + 1 vectors with
   one relation. With the signs of that relation they are a feasible basis, whatever the wanted signs are. */
int tableau_start(tableau *t)
{
    const int n = t->dimension, columns = t->columns;
    if (columns <= n)
        return -1;
    double *rest = malloc(sizeof(double) * (size_t)n * (size_t)columns);
    if (rest == NULL)
        return -1;
    memcpy(rest, t->vector, sizeof(double) * (size_t)n * (size_t)columns);
    for (int c = 0; c < columns; c++)
        t->place[c] = -1;
    int row = 0;
    for (; row < n; row++) {
        int best = -1;
        double longest = 1e-24;
        for (int c = 0; c < columns; c++) {
            double square = 0;
            for (int k = 0; k < n; k++)
                square += rest[c * n + k] * rest[c * n + k];
            if (square > longest && t->place[c] < 0) {
                longest = square;
                best = c;
            }
        }
        if (best < 0)
            break;
        t->basis[row] = best;
        t->place[best] = row;
        const double *pivot = rest + best * n;
        for (int c = 0; c < columns; c++) {
            if (t->place[c] >= 0)
                continue;
            double inner = 0;
            for (int k = 0; k < n; k++)
                inner += rest[c * n + k] * pivot[k];
            for (int k = 0; k < n; k++)
                rest[c * n + k] -= inner / longest * pivot[k];
        }
    }
    free(rest);
    if (row < n)
        return -1;
    int extra = 0;
    while (t->place[extra] >= 0)
        extra++;
    t->basis[n] = extra;
    t->place[extra] = n;
    /* extra = sum alpha_i v_i: the signs against alpha make the relation positive. */
    const int stride = dense_stride(n);
    memset(t->inverse, 0, sizeof(double) * (size_t)(n * stride));
    for (int k = 0; k < n; k++)
        for (int j = 0; j < n; j++)
            t->inverse[k * stride + j] = t->vector[t->basis[j] * n + k];
    if (dense_invert(t->inverse, n) != 0)
        return -1;
    t->sign[extra] = 1;
    for (int j = 0; j < n; j++) {
        double alpha = 0;
        for (int k = 0; k < n; k++)
            alpha += t->inverse[j * stride + k] * t->vector[extra * n + k];
        t->sign[t->basis[j]] = alpha > 0 ? -1 : 1;
    }
    return tableau_refactor(t);
}

/* The inverse of the basis matrix, columns (sign v ; 1), in t->inverse. */
static int invert_basis(tableau *t)
{
    const int n = t->dimension, rows = n + 1, stride = dense_stride(rows);
    memset(t->inverse, 0, sizeof(double) * (size_t)(rows * stride));
    for (int j = 0; j < rows; j++) {
        const int c = t->basis[j];
        for (int k = 0; k < n; k++)
            t->inverse[k * stride + j] = (double)t->sign[c] * t->vector[c * n + k];
        t->inverse[n * stride + j] = 1.0;
    }
    return dense_invert(t->inverse, rows);
}

CLONED int tableau_refactor(tableau *t)
{
    const int n = t->dimension, rows = n + 1, stride = dense_stride(rows), width = t->width;
    assert(basis_is_consistent(t));
    for (int attempt = 0;; attempt++) {
        if (attempt == 3 || invert_basis(t) != 0)
            return -1;
        int turned = 0;
        for (int i = 0; i < rows; i++) {
            const double multiplier = t->inverse[i * stride + n];
            t->beta[i] = multiplier > 0 ? (float)multiplier : 0;
            if (multiplier < -1e-12) {
                t->sign[t->basis[i]] = -t->sign[t->basis[i]];
                turned = 1;
            }
        }
        if (!turned)
            break;
    }
    double line[width];
    for (int c = 0; c < t->columns; c++)
        if (t->place[c] < 0)
            t->sign[c] = t->wanted[c];
    for (int i = 0; i < rows; i++) {
        const double *left = t->inverse + i * stride;
        for (int c = 0; c < width; c++)
            line[c] = 0;
        for (int k = 0; k < n; k++) {
            const double *right = t->transposed + (size_t)k * (size_t)width;
            for (int c = 0; c < width; c++)
                line[c] += left[k] * right[c];
        }
        float *cell = t->cell + (size_t)i * (size_t)width;
        for (int c = 0; c < width; c++)
            cell[c] = (float)(t->sign[c] * line[c] + left[n]);
        for (int j = 0; j < rows; j++)
            cell[t->basis[j]] = i == j;
    }
    assert(signs_are_wanted(t));
    t->age = 0;
    return 0;
}

int tableau_direction(tableau *t, double *z)
{
    const int n = t->dimension, rows = n + 1, stride = dense_stride(rows);
    if (invert_basis(t) != 0)
        return -1;
    memset(z, 0, sizeof(double) * (size_t)n);
    for (int i = 0; i < rows; i++) {
        const int c = t->basis[i];
        if (t->role[c] == BARRED || t->sign[c] != t->wanted[c])
            for (int k = 0; k < n; k++)
                z[k] += t->inverse[i * stride + k];
    }
    return 0;
}

/* ---- Signs ---- */

/* (-s v ; 1) = -(s v ; 1) + 2 (0 ; 1), and the right-hand side is (0 ; 1). The same holds for the row of reduced
   costs, which holds minus the dual value of each column. */
static void turn(tableau *t, int column)
{
    float *cell = t->cell + column;
    for (int i = 0; i < t->dimension + 2; i++, cell += t->width)
        *cell = 2 * t->beta[i] - *cell;
    t->sign[column] = -t->sign[column];
}

void tableau_want(tableau *t, int column, float sign)
{
    assert(0 <= column && column < t->columns && fabsf(sign) == 1.0f);
    t->wanted[column] = sign;
    if (t->place[column] < 0 && t->sign[column] != sign)
        turn(t, column);
}

void tableau_active(const tableau *t, uint64_t *bits, int words)
{
    const float *dual = t->cell + (size_t)(t->dimension + 1) * (size_t)t->width;
    const float offset = t->beta[t->dimension + 1];
    assert(64 * words >= t->columns);
    memset(bits, 0, sizeof(uint64_t) * (size_t)words);
    for (int c = 0; c < t->columns; c++)
        bits[c >> 6] |= (uint64_t)((offset - dual[c]) * t->sign[c] > 0) << (c & 63);
}

/* ---- The simplex method ---- */

/* The column of most negative reduced cost, or -1. Negative floats order like unsigned integers, so the high half of
   a float and the column number make one key, and an integer maximum (which vectorises) finds both. */
INLINE int entering(const tableau *t, const int width)
{
    const uint32_t *restrict dual = (const uint32_t *)(t->cell + (size_t)(t->dimension + 1) * (size_t)width);
    const uint32_t *restrict mask = t->mask;
    uint32_t best = 0;
    for (int c = 0; c < width; c++) {
        const uint32_t key = (dual[c] & mask[c] & 0xFFFF0000u) | (uint32_t)c;
        best = key > best ? key : best;
    }
    union {
        uint32_t bits;
        float value;
    } least = {.bits = best & 0xFFFF0000u};
    return least.value < -PRICE_TOLERANCE ? (int)(best & 0xFFFFu) : -1;
}

/* The row in which the entering column meets its bound first, or -1; leaves the column in `column`. Positive floats
   order like integers. */
INLINE int leaving(const tableau *t, int enter, const int width, float *restrict column)
{
    const int rows = t->dimension + 1, height = t->height;
    const float *restrict beta = t->beta;
    uint32_t ratio[MAX_HEIGHT] __attribute__((aligned(ALIGNMENT)));
    for (int i = 0; i < rows; i++)
        column[i] = t->cell[(size_t)i * (size_t)width + (size_t)enter];
    /* Rows past the last pass no test: zero there, until the column is whole. */
    column[rows] = 0;
    uint32_t least = NO_RATIO;
    for (int i = 0; i < height; i++) {
        union {
            float value;
            uint32_t bits;
        } quotient;
        const float top = beta[i] > 0 ? beta[i] : 0;
        quotient.value = top / column[i];
        const uint32_t meets = -(uint32_t)(column[i] > PIVOT_TOLERANCE);
        ratio[i] = (quotient.bits & meets) | (NO_RATIO & ~meets);
        least = ratio[i] < least ? ratio[i] : least;
    }
    column[rows] = t->cell[(size_t)rows * (size_t)width + (size_t)enter];
    if (least == NO_RATIO)
        return -1;
    int row = 0;
    while (ratio[row] != least)
        row++;
    return row;
}

/* Subtract from each row its multiple of a line, from four rows at a time: so the line is loaded once for four. Zero
   rows stand past the last one. */
INLINE void subtract_line(tableau *t, const int width, const float *restrict factor, const float *restrict line)
{
    for (int i = 0; i <= t->dimension + 1; i += 4) {
        float *restrict first = t->cell + (size_t)i * (size_t)width;
        float *restrict second = first + width, *restrict third = second + width, *restrict fourth = third + width;
        for (int c = 0; c < width; c++) {
            first[c] -= factor[i] * line[c];
            second[c] -= factor[i + 1] * line[c];
            third[c] -= factor[i + 2] * line[c];
            fourth[c] -= factor[i + 3] * line[c];
        }
    }
}

INLINE void pivot(tableau *t, int row, int enter, const int width, const float *restrict column)
{
    const int rows = t->dimension + 1;
    assert(0 <= row && row < rows && 0 <= enter && enter < t->columns && t->place[enter] < 0);
    assert(column[row] != 0);
    float line[width] __attribute__((aligned(ALIGNMENT)));
    float *restrict source = t->cell + (size_t)row * (size_t)width;
    const float scale = 1 / column[row];
    for (int c = 0; c < width; c++)
        source[c] = line[c] = source[c] * scale;
    line[enter] = 1;
    const float step = t->beta[row] > 0 ? t->beta[row] * scale : 0;
    float factor[MAX_HEIGHT + 4] = {0};
    for (int i = 0; i <= rows; i++)
        factor[i] = i == row ? 0 : column[i];
    subtract_line(t, width, factor, line);
    for (int i = 0; i <= rows; i++) {
        t->cell[(size_t)i * (size_t)width + (size_t)enter] = 0;
        t->beta[i] -= factor[i] * step;
    }
    source[enter] = 1;
    t->beta[row] = step;
    t->place[t->basis[row]] = -1;
    t->place[enter] = row;
    t->basis[row] = enter;
    t->age++;
    t->pivots++;
}

/* The row of reduced costs of the weight on the charged rows of the basis. Nonbasic columns cost nothing, or LIVE ones
   as much as charged rows. */
INLINE void price_basis(tableau *t, const int width, const uint8_t *charged, int live_costs)
{
    const int rows = t->dimension + 1;
    float line[width] __attribute__((aligned(ALIGNMENT)));
    for (int c = 0; c < width; c++)
        line[c] = live_costs && t->role[c] == LIVE ? 1.0f : 0.0f;
    float objective = 0;
    for (int i = 0; i < rows; i++) {
        if (!charged[i])
            continue;
        const float *restrict cell = t->cell + (size_t)i * (size_t)width;
        for (int c = 0; c < width; c++)
            line[c] -= cell[c];
        objective += t->beta[i];
    }
    memcpy(t->cell + (size_t)rows * (size_t)width, line, sizeof line);
    t->beta[rows] = -objective;
}

/* A barred column at multiplier zero (a degenerate basis) may leave for any allowed column of its row. Answers the
   row and the entering column, -1 if there is none. */
INLINE int degenerate_exit(const tableau *t, const int width, const uint8_t *charged, int *enter,
                           float *restrict column)
{
    const int rows = t->dimension + 1;
    for (int i = 0; i < rows; i++) {
        if (!charged[i])
            continue;
        const float *restrict cell = t->cell + (size_t)i * (size_t)width;
        float largest = 100 * PIVOT_TOLERANCE;
        *enter = -1;
        for (int c = 0; c < t->columns; c++)
            if (t->mask[c] && t->place[c] < 0 && fabsf(cell[c]) > largest) {
                largest = fabsf(cell[c]);
                *enter = c;
            }
        if (*enter >= 0) {
            for (int k = 0; k <= rows; k++)
                column[k] = t->cell[(size_t)k * (size_t)width + (size_t)*enter];
            return i;
        }
    }
    return -1;
}

/* A FIXED column whose entering drives a LIVE one out, or -1: then the circuit has a live row less. For each column
   the row that leaves maximises cell / beta, so one pass over the tableau finds the leaving kind of all columns at
   once. */
INLINE int swapping(const tableau *t, const int width)
{
    const int rows = t->dimension + 1;
    float live[width] __attribute__((aligned(ALIGNMENT))), fixed[width] __attribute__((aligned(ALIGNMENT)));
    for (int c = 0; c < width; c++)
        live[c] = fixed[c] = 0;
    for (int i = 0; i < rows; i++) {
        const float scale = 1 / (t->beta[i] > 1e-9f ? t->beta[i] : 1e-9f);
        const float *restrict cell = t->cell + (size_t)i * (size_t)width;
        float *restrict most = t->role[t->basis[i]] == LIVE ? live : fixed;
        for (int c = 0; c < width; c++) {
            const float quotient = cell[c] * scale;
            most[c] = quotient > most[c] ? quotient : most[c];
        }
    }
    const uint32_t *restrict may_swap = t->may_swap;
    uint32_t best = 0;
    for (int c = 0; c < width; c++) {
        union {
            float value;
            uint32_t bits;
        } clear = {.value = live[c] / (fixed[c] + 1e-12f)};
        const uint32_t good = may_swap[c] & -(uint32_t)(clear.value > 1.01f) & -(uint32_t)(live[c] > 1e-3f);
        const uint32_t key = ((clear.bits & 0xFFFF0000u) | (uint32_t)c) & good;
        best = key > best ? key : best;
    }
    return best ? (int)(best & 0xFFFFu) : -1;
}

INLINE enum solve_result solve(tableau *t, int limit, const int width)
{
    const int rows = t->dimension + 1;
    uint8_t charged[MAX_HEIGHT] = {0};
    float column[MAX_HEIGHT] __attribute__((aligned(ALIGNMENT))) = {0};
    int barred = 0;
    for (int c = 0; c < width; c++) {
        t->mask[c] = t->role[c] != BARRED ? ~0u : 0u;
        t->may_swap[c] = t->role[c] == FIXED ? ~0u : 0u;
    }
    for (int i = 0; i < rows; i++) {
        const int c = t->basis[i];
        charged[i] = t->role[c] == BARRED || t->sign[c] != t->wanted[c];
        barred += charged[i];
        if (charged[i])
            t->mask[c] = 0;
    }
    /* Phase 1: least weight on barred columns. */
    if (barred)
        price_basis(t, width, charged, 0);
    while (barred) {
        int enter = entering(t, width), row;
        if (enter >= 0) {
            row = leaving(t, enter, width, column);
        } else {
            if (-t->beta[rows] > DEGENERATE)
                return SEPARATED;
            /* Phase 2 would have to hold a barred column at zero: leave the circuit as it is. */
            row = degenerate_exit(t, width, charged, &enter, column);
            if (row < 0)
                return CIRCUIT;
        }
        if (row < 0 || limit-- <= 0)
            return STALLED;
        const int left = t->basis[row];
        pivot(t, row, enter, width, column);
        if (charged[row]) {
            charged[row] = 0;
            barred--;
            if (t->sign[left] != t->wanted[left])
                turn(t, left);
            t->mask[left] = t->role[left] != BARRED ? ~0u : 0u;
        }
    }
    /* Phase 2: fewer live rows, by least weight on them where the caller asks for it. */
    if (t->minimise_live) {
        for (int i = 0; i < rows; i++)
            charged[i] = t->role[t->basis[i]] == LIVE;
        price_basis(t, width, charged, 1);
        for (int enter; (enter = entering(t, width)) >= 0 && limit-- > 0;) {
            const int row = leaving(t, enter, width, column);
            if (row < 0)
                break;
            pivot(t, row, enter, width, column);
        }
    }
    for (int enter; (enter = swapping(t, width)) >= 0 && limit-- > 0;) {
        const int row = leaving(t, enter, width, column);
        if (row < 0 || t->role[t->basis[row]] != LIVE)
            break;
        pivot(t, row, enter, width, column);
    }
    return CIRCUIT;
}

#define SOLVE(lines)                                                                                                   \
    CLONED static enum solve_result solve_##lines(tableau *t, int limit)                                               \
    {                                                                                                                  \
        return solve(t, limit, lines * LANES);                                                                         \
    }
/* clang-format off */
SOLVE(1) SOLVE(2) SOLVE(3) SOLVE(4) SOLVE(5) SOLVE(6) SOLVE(7) SOLVE(8) SOLVE(9) SOLVE(10)
    /* clang-format on */

    CLONED static enum solve_result solve_any(tableau *t, int limit)
{
    return solve(t, limit, t->width);
}

static enum solve_result solve_by_width(tableau *t, int pivot_limit)
{
    switch (t->width / LANES) {
    case 1: return solve_1(t, pivot_limit);
    case 2: return solve_2(t, pivot_limit);
    case 3: return solve_3(t, pivot_limit);
    case 4: return solve_4(t, pivot_limit);
    case 5: return solve_5(t, pivot_limit);
    case 6: return solve_6(t, pivot_limit);
    case 7: return solve_7(t, pivot_limit);
    case 8: return solve_8(t, pivot_limit);
    case 9: return solve_9(t, pivot_limit);
    case 10: return solve_10(t, pivot_limit);
    default: return solve_any(t, pivot_limit);
    }
}

enum solve_result tableau_solve(tableau *t, int pivot_limit)
{
    assert(basis_is_consistent(t) && signs_are_wanted(t));
    const enum solve_result result = solve_by_width(t, pivot_limit);
    assert(basis_is_consistent(t) && signs_are_wanted(t));
    return result;
}
