#include "sign_search.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How much less a fixed row counts in a margin: clauses with few free rows are better. */
#define FIXED_SHARE 0x1p-4
#define COUNT_SHIFT 40

int sign_search_open(sign_search *s, int inputs, int rows, const double *row, const double *low, const double *high,
                     double error)
{
    size_t k = (size_t)rows, words = (k + 63) / 64, frames = k + 2;
    memset(s, 0, sizeof *s);
    s->rows = rows, s->words = (int)words, s->capacity = 256;
    int failed = margin_open(&s->line, inputs, rows, row, low, high, error);
    s->want = aligned_zeros(2 * k, 1);
    s->cost = aligned_zeros(2 * k, sizeof(double));
    s->clause = aligned_zeros((size_t)s->capacity * 2 * words, sizeof(uint64_t));
    s->fixed = aligned_zeros((frames + 2) * 2 * words, sizeof(uint64_t));
    s->lost = aligned_zeros(frames, sizeof(double));
    s->order = aligned_zeros(frames * k, sizeof(int));
    s->branches = aligned_zeros(2 * frames, sizeof(int));
    s->asked = aligned_zeros(3 * k + 2, sizeof(int));
    s->violated = aligned_zeros(2 * (size_t)s->capacity, sizeof(int64_t));
    s->counts = aligned_zeros(k + 2, sizeof(int64_t));
    if (failed || s->want == NULL || s->cost == NULL || s->clause == NULL || s->fixed == NULL || s->lost == NULL ||
        s->order == NULL || s->branches == NULL || s->asked == NULL || s->violated == NULL || s->counts == NULL)
        return -1;
    s->sign = s->want + k, s->cost_left = s->cost + k, s->left = s->fixed + frames * 2 * words;
    s->taken = s->branches + frames, s->used = s->asked + k;
    s->depth = -1;
    return 0;
}

void sign_search_close(sign_search *s)
{
    margin_close(&s->line);
    free(s->want);
    free(s->cost);
    free(s->clause);
    free(s->fixed);
    free(s->lost);
    free(s->order);
    free(s->branches);
    free(s->asked);
    free(s->violated);
    free(s->counts);
}

INLINE uint64_t *fixed_at(const sign_search *s, int depth)
{
    return s->fixed + (size_t)depth * 2 * (size_t)s->words;
}

INLINE const uint64_t *clause_at(const sign_search *s, int64_t index)
{
    return s->clause + (size_t)index * 2 * (size_t)s->words;
}

INLINE int has(const uint64_t *bits, int row)
{
    return (int)(bits[row >> 6] >> (row & 63) & 1);
}

/* The half of a clause that asks for this sign. */
INLINE uint64_t *half(const sign_search *s, uint64_t *clause, int sign)
{
    return sign > 0 ? clause : clause + s->words;
}

INLINE void put(const sign_search *s, uint64_t *clause, int row, int sign)
{
    half(s, clause, sign)[row >> 6] |= (uint64_t)1 << (row & 63);
}

void sign_search_start(sign_search *s, double top, double floor)
{
    s->top = top, s->floor = floor;
    s->depth = 0, s->entered = 0, s->lost[0] = 0.0;
    memset(fixed_at(s, 0), 0, sizeof(uint64_t) * 2 * (size_t)s->words);
}

int sign_search_learn(sign_search *s, const uint64_t *clause)
{
    size_t size = 2 * (size_t)s->words;
    if (s->clauses == s->capacity) {
        size_t capacity = 2 * (size_t)s->capacity;
        uint64_t *larger = realloc(s->clause, capacity * size * sizeof(uint64_t));
        if (larger == NULL)
            return -1;
        s->clause = larger;
        int64_t *longer = realloc(s->violated, 2 * capacity * sizeof(int64_t));
        if (longer == NULL)
            return -1;
        s->violated = longer, s->capacity = (int64_t)capacity;
    }
    memcpy(s->clause + (size_t)s->clauses++ * size, clause, size * sizeof(uint64_t));
    return 0;
}

void sign_search_retry(sign_search *s)
{
    s->entered = 0;
}

INLINE int is_violated(const sign_search *s, const uint64_t *clause)
{
    for (int w = 0; w < 2 * s->words; w++)
        if (clause[w] & ~s->left[w])
            return 0;
    return 1;
}

INLINE int free_rows(const sign_search *s, const uint64_t *clause, const uint64_t *fixed)
{
    int count = 0;
    for (int w = 0; w < 2 * s->words; w++)
        count += __builtin_popcountll(clause[w] & ~fixed[w]);
    return count;
}

/* All rows that a node asks for: fixed ones, and free ones as wanted. */
static void leave_all(sign_search *s, const uint64_t *fixed)
{
    memcpy(s->left, fixed, sizeof(uint64_t) * 2 * (size_t)s->words);
    for (int i = 0; i < s->rows; i++) {
        int positive = has(fixed, i), negative = has(fixed + s->words, i);
        s->sign[i] = (signed char)(positive ? 1 : negative ? -1 : s->want[i]);
        s->cost_left[i] = s->cost[i];
        if (!positive && !negative && s->want[i])
            put(s, s->left, i, s->want[i]);
    }
}

/* Take the least cost left in a clause off its free rows; rows without any leave. */
INLINE double take(sign_search *s, const uint64_t *clause, const uint64_t *fixed)
{
    double least = DBL_MAX;
    for (int pass = 0; pass < 2; pass++)
        for (int w = 0; w < 2 * s->words; w++) {
            uint64_t rows = clause[w] & ~fixed[w];
            for (; rows; rows &= rows - 1) {
                int i = 64 * (w % s->words) + __builtin_ctzll(rows);
                if (!pass) {
                    least = fmin(least, s->cost_left[i]);
                } else if ((s->cost_left[i] -= least) <= 0.0) {
                    s->left[w] &= ~(rows & -rows);
                }
            }
        }
    return least;
}

/* Violated clauses in the order of their free rows, by counting; their number, or -1 where one has none. */
static int64_t collect(sign_search *s, const uint64_t *fixed)
{
    int64_t found = 0, *sorted = s->violated + s->capacity;
    memset(s->counts, 0, sizeof(int64_t) * ((size_t)s->rows + 2));
    for (int64_t c = 0; c < s->clauses; c++) {
        const uint64_t *clause = clause_at(s, c);
        if (!is_violated(s, clause))
            continue;
        int count = free_rows(s, clause, fixed);
        if (count == 0)
            return -1;
        s->counts[count + 1]++;
        s->violated[found++] = (int64_t)count << COUNT_SHIFT | c;
    }
    for (int count = 1; count <= s->rows; count++)
        s->counts[count + 1] += s->counts[count];
    for (int64_t v = 0; v < found; v++)
        sorted[s->counts[s->violated[v] >> COUNT_SHIFT]++] = s->violated[v] & (((int64_t)1 << COUNT_SHIFT) - 1);
    return found;
}

/* Ask for a point of the rows left; a clause is learnt and its index answered, -1 without one, -2 out of memory. */
static int64_t ask(sign_search *s, const uint64_t *fixed, enum margin_answer *answer)
{
    int count = 0, uses = 0;
    for (int i = 0; i < s->rows; i++) {
        int is_fixed = has(fixed, i) | has(fixed + s->words, i);
        if (is_fixed || (s->sign[i] && has(half(s, s->left, s->sign[i]), i)))
            s->asked[count++] = i;
        s->line.share[i] = is_fixed ? FIXED_SHARE : 1.0;
    }
    *answer = margin_ask(&s->line, s->asked, count, s->sign, s->used, &uses);
    if (*answer != MARGIN_NONE)
        return -1;
    uint64_t *clause = s->left + 2 * (size_t)s->words;
    memset(clause, 0, sizeof(uint64_t) * 2 * (size_t)s->words);
    for (int u = 0; u < uses; u++)
        put(s, clause, s->used[u], s->sign[s->used[u]]);
    return sign_search_learn(s, clause) ? -2 : s->clauses - 1;
}

/* What the signs at the point cost. */
static double cost_of_point(const sign_search *s)
{
    int n = s->line.inputs;
    double total = 0.0;
    for (int i = 0; i < s->rows; i++) {
        const double *w = s->line.row + (size_t)i * (size_t)(n + 1);
        double value = w[n];
        for (int j = 0; j < n; j++)
            value += w[j] * s->line.point[j];
        if (s->want[i] && (value > 0.0) != (s->want[i] > 0))
            total += s->cost[i];
    }
    return total;
}

/* Branch on the free rows of a clause, the dearest first. */
static void branch(sign_search *s, const uint64_t *clause, const uint64_t *fixed)
{
    int *order = s->order + (size_t)s->depth * (size_t)s->rows, count = 0;
    for (int w = 0; w < 2 * s->words; w++)
        for (uint64_t rows = clause[w] & ~fixed[w]; rows; rows &= rows - 1) {
            int i = 64 * (w % s->words) + __builtin_ctzll(rows), place = count++;
            for (; place > 0 && s->cost[order[place - 1]] < s->cost[i]; place--)
                order[place] = order[place - 1];
            order[place] = i;
        }
    s->branches[s->depth] = count, s->taken[s->depth] = 0;
}

/* RUNNING: the frame has its branches, maybe none. */
static enum kernel_status enter(sign_search *s)
{
    uint64_t *fixed = fixed_at(s, s->depth);
    double open = s->top - s->lost[s->depth] - s->floor, packed = 0.0;
    s->branches[s->depth] = s->taken[s->depth] = 0;
    s->closing = 0;
    leave_all(s, fixed);
    int64_t violated = collect(s, fixed), best = violated > 0 ? s->violated[s->capacity] : -1;
    if (violated < 0 || open <= 0.0)
        return RUNNING;
    for (int64_t v = 0; v < violated; v++) {
        const uint64_t *clause = clause_at(s, s->violated[s->capacity + v]);
        if (is_violated(s, clause))
            packed += take(s, clause, fixed);
        if (packed >= open)
            return RUNNING;
    }
    enum margin_answer answer;
    int least = best >= 0 ? free_rows(s, clause_at(s, best), fixed) : s->rows + 1;
    for (;;) {
        int64_t found = ask(s, fixed, &answer);
        if (found == -2)
            return OUT_OF_MEMORY;
        if (found < 0)
            break;
        const uint64_t *clause = clause_at(s, found);
        int count = free_rows(s, clause, fixed);
        if (count == 0)
            return RUNNING;
        if (count < least)
            least = count, best = found;
        packed += take(s, clause, fixed);
        if (packed >= open)
            return RUNNING;
    }
    if (best < 0) {
        s->closing = 1;
        return WITNESS;
    }
    for (int i = 0; i < s->rows; i++)
        if (s->want[i] && !has(fixed, i) && !has(fixed + s->words, i) && packed + s->cost_left[i] >= open)
            put(s, fixed, i, s->want[i]);
    branch(s, clause_at(s, best), fixed);
    return answer == MARGIN_WIDE && s->top - cost_of_point(s) > s->floor ? WITNESS : RUNNING;
}

/* The next child of the open frame. */
static void descend(sign_search *s)
{
    int d = s->depth, row = s->order[(size_t)d * (size_t)s->rows + (size_t)s->taken[d]++];
    uint64_t *fixed = fixed_at(s, d), *below = fixed_at(s, d + 1);
    memcpy(below, fixed, sizeof(uint64_t) * 2 * (size_t)s->words);
    put(s, below, row, -s->want[row]);
    put(s, fixed, row, s->want[row]);
    s->lost[d + 1] = s->lost[d] + s->cost[row];
    s->depth = d + 1, s->entered = 0;
}

CLONED enum kernel_status sign_search_run(sign_search *s, int64_t max_nodes)
{
    int64_t last = s->nodes + max_nodes;
    while (s->depth >= 0) {
        if (!s->entered) {
            if (s->nodes >= last)
                return RUNNING;
            s->nodes++;
            enum kernel_status found = enter(s);
            if (found == OUT_OF_MEMORY)
                return found;
            s->entered = 1;
            if (found == WITNESS)
                return found;
        }
        if (s->taken[s->depth] < s->branches[s->depth])
            descend(s);
        else
            s->depth--;
    }
    return DONE;
}
