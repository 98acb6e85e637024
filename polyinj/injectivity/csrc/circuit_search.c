#include "search_state.h"

#include <string.h>

enum { PIVOT_LIMIT = 2000, REFACTOR_AGE = 400 };

/* Rows that were positive lately where everything else was negative are the ones that decide: branching takes them
   first. */
static const float ACTIVITY_MEMORY = 0.85f;

/* Keeps the others out of the slow numbers next to zero. */
static const float LEAST_ACTIVITY = 1e-12f;

/* Multipliers below this may be zero. */
static const float SLIM = 1e-6f;

/* The direction in the tableau, in doubles: keep it if it has fewer active rows than any before, and say whether it
   is a witness. */
static int evaluate_direction(search *s)
{
    if (tableau_direction(&s->table, s->direction) != 0)
        return 0;
    int32_t active[s->rows + 1];
    int count = 0;
    for (int c = 0; c < s->columns; c++) {
        double value = 0;
        for (int k = 0; k < s->dimension; k++)
            value += s->table.vector[c * s->dimension + k] * s->direction[k];
        if (c >= s->rows && !(value > 0))
            return 0;
        if (c < s->rows && s->block[c] >= 0 && value >= 0)
            active[count++] = c;
    }
    int witness = count <= s->budget;
    if (s->spanning) {
        flat_span(&s->probe, active, count);
        witness = s->probe.codimension > 0;
    }
    if (count < s->best_count || witness) {
        s->best_count = count;
        memcpy(s->best_direction, s->direction, sizeof(double) * (size_t)s->dimension);
    }
    return witness;
}

/* Does a remembered direction have all of POS and none of NEG and `rest` positive? Then no circuit lives there. */
INLINE int known_separated(const search *s, const uint64_t *rest)
{
    for (int r = 0; r < RING && r < s->separations; r++) {
        const uint64_t *up = s->separated + r * s->words;
        uint64_t bad = 0;
        for (int w = 0; w < s->words; w++)
            bad |= (up[w] & (rest[w] | s->negative[w])) | (s->positive[w] & ~up[w]);
        if (bad == 0)
            return 1;
    }
    return 0;
}

/* Remember the direction that the tableau found instead of a circuit; WITNESS if it is one. */
INLINE enum kernel_status keep_direction(search *s, const uint64_t *rest)
{
    uint64_t *up = s->separated + s->separations++ % RING * s->words;
    tableau_active(&s->table, up, s->words);
    /* What the direction was asked for, whatever rounding makes of values near zero: so it is not asked again. */
    for (int w = 0; w < s->words; w++)
        up[w] = (up[w] | s->positive[w]) & ~(rest[w] | s->negative[w]);
    for (int c = 0; c < s->columns; c++)
        s->activity[c] = ACTIVITY_MEMORY * s->activity[c] + LEAST_ACTIVITY;
    /* Sides stand among the positive rows, but are none. */
    int active = s->rows - s->columns;
    for (int w = 0; w < s->words; w++) {
        for (uint64_t left = up[w]; left; left &= left - 1)
            s->activity[64 * w + __builtin_ctzll(left)] += 1;
        active += __builtin_popcountll(up[w] & (s->free[w] | s->positive[w]));
    }
    return (s->spanning || active < s->best_count) && evaluate_direction(s) ? WITNESS : RUNNING;
}

/* Enter the circuit that is the basis of the tableau; *circuit stays -1 where it turns out to be of no use. */
INLINE enum kernel_status enter_circuit(search *s, const uint64_t *rest, int32_t *circuit)
{
    const tableau *t = &s->table;
    float sign[t->dimension + 1];
    for (int i = 0; i <= t->dimension; i++)
        sign[i] = t->sign[t->basis[i]];
    const int32_t found = circuits_enter(&s->pool, t->basis, sign, t->beta);
    if (found == NO_MEMORY || used_bytes(s) > s->memory_limit)
        return OUT_OF_MEMORY;
    if (found < 0)
        return RUNNING;
    /* A multiplier that may be zero: settle now which rows the circuit really has. */
    int slim = 0;
    for (int i = 0; i <= t->dimension; i++)
        slim |= t->beta[i] < SLIM;
    const int32_t meaning = slim ? circuits_certify(&s->pool, found) : found;
    if (meaning == DOUBTFUL)
        return UNCERTAIN;
    if (meaning >= 0 && usable(s, meaning) && lies_within(s, meaning, rest))
        *circuit = meaning;
    return RUNNING;
}

CLONED enum kernel_status find_circuit(search *s, const uint64_t *rest, int32_t *circuit)
{
    tableau *t = &s->table;
    *circuit = -1;
    if (known_separated(s, rest))
        return RUNNING;
    uint64_t any = 0;
    for (int w = 0; w < s->words; w++) {
        assert(!(rest[w] & ~s->free[w]));
        any |= rest[w];
    }
    /* Where no column is allowed the direction would be zero, and the signs of its values noise. */
    if (!any && s->trailed == 0 && s->columns == s->rows)
        return RUNNING;
    for (int attempt = 0; attempt < 2; attempt++) {
        for (int w = 0; w < s->words; w++)
            for (uint64_t left = s->free[w]; left; left &= left - 1) {
                const int row = 64 * w + __builtin_ctzll(left);
                t->role[row] = has(rest, row) ? LIVE : BARRED;
            }
        if (t->age > REFACTOR_AGE || attempt > 0)
            if (tableau_refactor(t) != 0 && tableau_start(t) != 0)
                return STUCK;
        s->solves++;
        const enum solve_result result = tableau_solve(t, PIVOT_LIMIT);
        if (result == SEPARATED)
            return keep_direction(s, rest);
        if (result == CIRCUIT) {
            const enum kernel_status status = enter_circuit(s, rest, circuit);
            if (status != RUNNING || *circuit >= 0)
                return status;
        }
    }
    return RUNNING;
}
