#include "search_state.h"

#include <stdlib.h>
#include <string.h>

/* A pool is looked through when it holds so many entries, and again when it holds half as many more as were kept. */
enum { LEAST_COUNT = 1 << 16 };

/* Name what is needed: packings, what their circuits stand for, circuits that the proof may use, and all that turned
   out to be something else than they seemed, which may have cost exact arithmetic. */
static void mark(const search *s, int32_t *name)
{
    const circuit_pool *p = &s->pool;
    for (int64_t i = 0; i < p->count; i++) {
        const int32_t meaning = p->resolved[i];
        name[i] = meaning != UNCHECKED && (meaning != i || s->record);
    }
    for (int d = 0; d <= s->depth; d++)
        for (int k = 0; k < s->frames[d].packed; k++)
            name[s->frames[d].packing[k]] = 1;
    for (int64_t i = 0; i < p->count; i++)
        if (name[i] && p->resolved[i] >= 0)
            name[p->resolved[i]] = 1;
}

int forget_circuits(search *s)
{
    circuit_pool *p = &s->pool;
    const int64_t least = LEAST_COUNT;
    if (p->count < (s->kept > least / 2 ? s->kept + s->kept / 2 : least))
        return 0;
    int32_t *name = malloc(sizeof(int32_t) * (size_t)p->count);
    if (name == NULL)
        return -1;
    mark(s, name);
    int failed = circuits_keep(p, name);
    s->kept = p->count;
    for (int d = 0; d <= s->depth; d++)
        for (int k = 0; k < s->frames[d].packed; k++)
            s->frames[d].packing[k] = name[s->frames[d].packing[k]];
    for (int r = 0; r < s->blocks; r++)
        recording_renumber(s->tree[r].code, s->tree[r].length, name, 0);
    free(name);
    return failed;
}
