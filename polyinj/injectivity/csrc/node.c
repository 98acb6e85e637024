#include "search_state.h"

#include <string.h>

/* ---- The packing ---- */

/* Put a circuit into the packing; those that it meets leave. */
INLINE void pack(search *s, frame *f, int32_t circuit)
{
    const uint64_t *plus = circuit_plus(&s->pool, circuit);
    for (int i = 0; i < f->packed;) {
        const uint64_t *other = circuit_plus(&s->pool, f->packing[i]);
        uint64_t common = 0;
        for (int w = 0; w < s->words; w++)
            common |= plus[w] & other[w] & s->free[w];
        if (common)
            f->packing[i] = f->packing[--f->packed];
        else
            i++;
    }
    f->packing[f->packed++] = circuit;
    assert(f->packed <= s->budget + 2 && packing_is_disjoint(s, f));
}

/* One more circuit for the first budget, from *level on, that has room for one, which *level then says. Only circuits
   of later budgets can leave for it, so the packing sizes of the budgets grow lexicographically: this ends. */
CLONED static enum kernel_status extend_packing(search *s, frame *f, int *level, int *extended)
{
    *extended = 0;
    for (int j = *level; j < s->blocks; j++) {
        uint64_t rest[s->words];
        int32_t circuit;
        packed_within(s, f, j, NULL, rest);
        const enum kernel_status status = find_circuit(s, rest, &circuit);
        if (status != RUNNING)
            return status;
        if (circuit >= 0) {
            pack(s, f, circuit);
            *level = j;
            *extended = 1;
            return RUNNING;
        }
    }
    return RUNNING;
}

/* ---- Branching ---- */

/* The first budget whose blocks hold the live rows of a circuit. */
INLINE int level_of(const search *s, int32_t circuit)
{
    int j = 0;
    while (!lies_within(s, circuit, s->prefix + j * s->words)) {
        j++;
        assert(j < s->blocks);
    }
    return j;
}

/* From the circuit with the fewest live rows (early budgets first: they bind most) the live row of most activity,
   heavy multipliers preferred a little. Any FREE row without circuits; -1 without FREE rows. */
CLONED static int branching_row(const search *s, const frame *f)
{
    int32_t best = -1;
    int fewest = 1 << 30;
    for (int i = 0; i < f->packed; i++) {
        const int score = live_count(s, f->packing[i]) + 2 * level_of(s, f->packing[i]);
        if (score < fewest) {
            fewest = score;
            best = f->packing[i];
        }
    }
    int row = -1;
    if (best >= 0) {
        const uint16_t *order = s->pool.order + (int64_t)best * (s->dimension + 1);
        float highest = -1;
        for (int i = 0; i <= s->dimension; i++) {
            if (order[i] >= s->rows || !has(s->free, order[i]))
                continue;
            const float score = s->activity[order[i]] * (1 - 0.02f * (float)i);
            if (score > highest) {
                highest = score;
                row = order[i];
            }
        }
    }
    for (int w = 0; w < s->words && row < 0; w++)
        if (s->free[w])
            row = 64 * w + __builtin_ctzll(s->free[w]);
    return row;
}

/* ---- The rules ---- */

/* Budgets: repeat the four rules until nothing changes. */
static enum kernel_status process_counting_node(search *s, frame *f)
{
    int level = 0;
    for (int changed = 1; changed;) {
        const int trailed = s->trailed, packed = f->packed;
        enum kernel_status status = propagate_circuits(s, f);
        if (status == RUNNING)
            status = check_budgets(s, f, &changed);
        /* Budgets before `level` have no room for one more circuit, as long as rows and packing are what they were. */
        if (s->trailed != trailed || f->packed != packed)
            level = 0;
        if (status == RUNNING && !changed)
            status = extend_packing(s, f, &level, &changed);
        if (status != RUNNING)
            return status;
    }
    return RUNNING;
}

/* What is left to span beyond the POS rows, and the FREE rows surely outside their flat; -1 while that is too much to
   use. */
static int remaining_dimensions(search *s, uint64_t *outside)
{
    int32_t positive[s->rows + 1];
    int count = 0;
    memcpy(outside, s->free, sizeof(uint64_t) * (size_t)s->words);
    for (int i = 0; i < s->trailed; i++)
        if (has(s->positive, s->trail[i]))
            positive[count++] = s->trail[i];
    if (count < s->spanning - MAX_CODIMENSION)
        return -1;
    flat_span(&s->flat, positive, count);
    if (s->flat.rank < 0 || s->flat.codimension > MAX_CODIMENSION)
        return -1;
    for (int i = 0; i < s->rows; i++)
        if (has(outside, i) && !flat_excludes(&s->flat, i))
            drop(outside, i);
    return s->flat.codimension;
}

/* Do the circuits of the packing, one for each dimension that is left, span whatever row of each is positive? */
static int packing_spans(const search *s, const frame *f)
{
    int32_t row[MAX_CODIMENSION][s->rows];
    const int32_t *list[MAX_CODIMENSION];
    int length[MAX_CODIMENSION];
    assert(f->packed == s->flat.codimension && f->packed <= MAX_CODIMENSION);
    for (int i = 0; i < f->packed; i++) {
        const uint64_t *plus = circuit_plus(&s->pool, f->packing[i]);
        list[i] = row[i];
        length[i] = 0;
        for (int w = 0; w < s->words; w++)
            for (uint64_t live = plus[w] & s->free[w]; live; live &= live - 1)
                row[i][length[i]++] = 64 * w + __builtin_ctzll(live);
    }
    return flat_spanned(&s->flat, list, length);
}

/* Certify the whole packing. RUNNING with *certain = 0: a circuit is gone, or another one with fewer live rows stands
   in its place. */
static enum kernel_status certify_packing(search *s, frame *f, int *certain)
{
    *certain = 1;
    for (int i = 0; i < f->packed && *certain; i++) {
        const int32_t circuit = f->packing[i];
        const enum kernel_status status = certify_packed(s, f, i, certain);
        if (status != RUNNING)
            return status;
        *certain = *certain && f->packing[i] == circuit;
    }
    return RUNNING;
}

/* The rest of the rank: repeat until nothing changes. */
static enum kernel_status process_spanning_node(search *s, frame *f)
{
    for (;;) {
        enum kernel_status status = propagate_circuits(s, f);
        if (status != RUNNING)
            return status;
        uint64_t rest[s->words];
        const int left = remaining_dimensions(s, rest);
        if (left == 0)
            return record_packing(s, STEP_SPANNING, 0, NULL, 0) ? OUT_OF_MEMORY : DONE;
        for (int i = 0; i < f->packed;)
            if (lies_within(s, f->packing[i], rest))
                i++;
            else
                f->packing[i] = f->packing[--f->packed];
        /* Beyond MAX_CODIMENSION one circuit, to branch on. */
        if (left < 0 && f->packed == 1)
            return RUNNING;
        if (f->packed == left) {
            int certain;
            status = certify_packing(s, f, &certain);
            if (status != RUNNING)
                return status;
            if (!certain)
                continue;
            if (!packing_spans(s, f))
                return RUNNING;
            return record_packing(s, STEP_SPANNING, 0, f->packing, f->packed) ? OUT_OF_MEMORY : DONE;
        }
        for (int i = 0; i < f->packed; i++)
            for (int w = 0; w < s->words; w++)
                rest[w] &= ~circuit_plus(&s->pool, f->packing[i])[w];
        int32_t circuit;
        status = find_circuit(s, rest, &circuit);
        if (status != RUNNING || circuit < 0)
            return status;
        pack(s, f, circuit);
    }
}

enum kernel_status process_node(search *s, frame *f)
{
    const enum kernel_status status = s->spanning ? process_spanning_node(s, f) : process_counting_node(s, f);
    if (status != RUNNING)
        return status;
    f->branch = branching_row(s, f);
    if (f->branch < 0)
        return STUCK;
    return record_step(s, STEP_BRANCH, f->branch) ? OUT_OF_MEMORY : RUNNING;
}
