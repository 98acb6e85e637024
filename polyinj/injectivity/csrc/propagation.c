#include "search_state.h"

#include <string.h>

enum kernel_status certify_packed(search *s, frame *f, int i, int *kept)
{
    assert(0 <= i && i < f->packed);
    const int32_t meaning = circuits_certify(&s->pool, f->packing[i]);
    *kept = meaning >= 0;
    if (meaning == DOUBTFUL)
        return UNCERTAIN;
    f->packing[i] = meaning >= 0 ? meaning : f->packing[--f->packed];
    return RUNNING;
}

CLONED enum kernel_status propagate_circuits(search *s, frame *f)
{
    for (int i = 0; i < f->packed;) {
        const int32_t circuit = f->packing[i];
        int kept = usable(s, circuit);
        if (kept && live_count(s, circuit) > 1) {
            i++;
            continue;
        }
        if (kept) {
            const enum kernel_status status = certify_packed(s, f, i, &kept);
            if (status != RUNNING)
                return status;
            if (!kept || f->packing[i] != circuit) {
                i = 0;
                continue;
            }
        }
        f->packing[i] = f->packing[--f->packed];
        if (!kept)
            continue;
        if (live_count(s, circuit) == 0)
            return record_step(s, STEP_CONTRADICTION, circuit) ? OUT_OF_MEMORY : DONE;
        if (record_step(s, STEP_UNIT, circuit))
            return OUT_OF_MEMORY;
        const uint64_t *plus = circuit_plus(&s->pool, circuit);
        for (int w = 0; w < s->words; w++)
            if (plus[w] & s->free[w]) {
                search_assign(s, 64 * w + __builtin_ctzll(plus[w] & s->free[w]), 1);
                break;
            }
        i = 0;
    }
    assert(packing_is_disjoint(s, f));
    return RUNNING;
}

INLINE int positive_count(const search *s, const uint64_t *rows)
{
    int count = 0;
    for (int w = 0; w < s->words; w++)
        count += __builtin_popcountll(s->positive[w] & rows[w]);
    return count;
}

CLONED enum kernel_status check_budgets(search *s, frame *f, int *changed)
{
    int32_t inside[f->packed + 1];
    *changed = 0;
    for (int j = 0; j < s->blocks; j++) {
        uint64_t rest[s->words], any = 0;
        const int count = packed_within(s, f, j, inside, rest);
        for (int w = 0; w < s->words; w++)
            any |= rest[w];
        const int need = positive_count(s, s->prefix + j * s->words) + count;
        if (need < s->bound[j] || (need == s->bound[j] && !any))
            continue;
        for (int i = 0; i < count; i++) {
            const int32_t circuit = f->packing[inside[i]];
            int kept;
            const enum kernel_status status = certify_packed(s, f, inside[i], &kept);
            if (status != RUNNING)
                return status;
            if (!kept || f->packing[inside[i]] != circuit) {
                *changed = 1;
                return RUNNING;
            }
            inside[i] = circuit;
        }
        if (record_packing(s, need > s->bound[j] ? STEP_PACKING : STEP_FILL, j, inside, count))
            return OUT_OF_MEMORY;
        if (need > s->bound[j])
            return DONE;
        for (int w = 0; w < s->words; w++)
            for (uint64_t left = rest[w]; left; left &= left - 1)
                search_assign(s, 64 * w + __builtin_ctzll(left), 0);
        *changed = 1;
        return RUNNING;
    }
    return RUNNING;
}
