/* What the parts of the search share: sets of rows as bits, what a circuit says at the current node, and the calls from
   one part to another.

   branch_and_bound.c walks the tree and node.c processes one node, where propagation.c draws conclusions from circuits
   and circuit_search.c finds more of them; recording.c keeps each step, forgetting.c the circuits in use. What works on
   a node answers by a status: DONE, the node is refuted; RUNNING, it is open; else what search_run returns. */
#ifndef POLYINJ_SEARCH_STATE_H
#define POLYINJ_SEARCH_STATE_H

#include <assert.h>

#include "branch_and_bound.h"

/* ---- Bit sets ---- */

INLINE int has(const uint64_t *set, int i)
{
    return set[i >> 6] >> (i & 63) & 1;
}

INLINE void put(uint64_t *set, int i)
{
    set[i >> 6] |= (uint64_t)1 << (i & 63);
}

INLINE void drop(uint64_t *set, int i)
{
    set[i >> 6] &= ~((uint64_t)1 << (i & 63));
}

/* ---- A circuit at the current node ---- */

/* No true literal, and every literal of a row that is not POS is positive. */
INLINE int usable(const search *s, int32_t circuit)
{
    const uint64_t *plus = circuit_plus(&s->pool, circuit), *minus = circuit_minus(&s->pool, circuit);
    uint64_t bad = 0;
    for (int w = 0; w < s->words; w++)
        bad |= (plus[w] & s->positive[w]) | (minus[w] & (s->free[w] | s->negative[w]));
    return bad == 0;
}

INLINE int live_count(const search *s, int32_t circuit)
{
    const uint64_t *plus = circuit_plus(&s->pool, circuit);
    int count = 0;
    for (int w = 0; w < s->words; w++)
        count += __builtin_popcountll(plus[w] & s->free[w]);
    return count;
}

INLINE int lies_within(const search *s, int32_t circuit, const uint64_t *rows)
{
    const uint64_t *plus = circuit_plus(&s->pool, circuit);
    uint64_t outside = 0;
    for (int w = 0; w < s->words; w++)
        outside |= plus[w] & s->free[w] & ~rows[w];
    return outside == 0;
}

/* Which circuits of a packing have all live rows in the first j + 1 blocks (their places, where `inside` is given), and
   the FREE rows of these blocks that none of them has. Answers how many circuits they are. */
INLINE int packed_within(const search *s, const frame *f, int j, int32_t *inside, uint64_t *rest)
{
    const uint64_t *rows = s->prefix + j * s->words;
    int count = 0;
    for (int w = 0; w < s->words; w++)
        rest[w] = rows[w] & s->free[w];
    for (int i = 0; i < f->packed; i++) {
        if (!lies_within(s, f->packing[i], rows))
            continue;
        if (inside)
            inside[count] = i;
        count++;
        for (int w = 0; w < s->words; w++)
            rest[w] &= ~circuit_plus(&s->pool, f->packing[i])[w];
    }
    return count;
}

/* ---- branch_and_bound.c ---- */

/* Decide a FREE row. */
void search_assign(search *s, int row, int positive);

/* Invariants, for assertions: the trail names the decided rows, each once; the circuits of a packing share no live row.
   */
int trail_is_consistent(const search *s);
int packing_is_disjoint(const search *s, const frame *f);

/* ---- node.c ---- */

/* Apply the rules to a node until nothing changes. RUNNING: f->branch is chosen. */
enum kernel_status process_node(search *s, frame *f);

/* ---- propagation.c ---- */

/* Make circuit i of the packing certain, or drop it. RUNNING with *kept = 0: it was no circuit. */
enum kernel_status certify_packed(search *s, frame *f, int i, int *kept);

/* Drop circuits that are satisfied, use those with at most one live row. */
enum kernel_status propagate_circuits(search *s, frame *f);

/* Compare each budget with its packing. RUNNING with *changed: rows were made NEG or a false circuit left. */
enum kernel_status check_budgets(search *s, frame *f, int *changed);

/* ---- circuit_search.c ---- */

/* Find a circuit whose live rows are among `rest`. RUNNING with *circuit = -1: there is none, or none is certain. */
enum kernel_status find_circuit(search *s, const uint64_t *rest, int32_t *circuit);

/* ---- forgetting.c ---- */

/* Between two nodes: forget circuits that nothing names any more, where they are many. -1 when memory is short. */
int forget_circuits(search *s);

/* ---- recording.c ---- */

/* Bytes that circuits and proof take. */
int64_t used_bytes(const search *s);

/* A step of the current tree, or of the tree of any rotation; -1 when memory is short. */
int record_step(search *s, int step, int argument);
int record_step_in(search *s, int rotation, int step, int argument);

/* A fill or a conflict by a list of circuits; budget j in its place where there are budgets. */
int record_packing(search *s, int step, int j, const int32_t *circuit, int count);

#endif
