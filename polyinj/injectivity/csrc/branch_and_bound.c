#include "search_state.h"

#include <stdlib.h>
#include <string.h>

enum { ENTER, POSITIVE_DONE, GIVEN_AWAY, NEGATIVE_DONE };

/* ---- Opening and closing ---- */

int search_open(search *s, const search_problem *p)
{
    const int dimension = p->dimension, rows = p->rows, blocks = p->blocks;
    assert(0 < dimension && dimension <= MAX_DIMENSION && rows >= 0 && p->sides >= 0);
    assert(dimension < rows + p->sides && rows + p->sides < 0xFFFF);
    assert(p->error >= 0 && p->budget >= 0 && blocks > 0);
    assert(0 <= p->spanning && p->spanning <= dimension && (p->spanning == 0 || blocks == 1));
    memset(s, 0, sizeof *s);
    s->dimension = dimension;
    s->rows = rows;
    s->columns = rows + p->sides;
    s->words = (s->columns + 63) / 64;
    s->budget = p->budget;
    s->spanning = p->spanning;
    s->blocks = blocks;
    s->block = p->block;
    s->record = p->record;
    s->memory_limit = p->memory_limit;
    s->best_count = rows + 1;
    s->rotation = -1;
    s->depth = -1;
    const size_t words = (size_t)s->words, room = (size_t)p->budget + 3, levels = (size_t)rows + 2;
    s->prefix = aligned_zeros((size_t)blocks * words, sizeof(uint64_t));
    s->bound = aligned_zeros((size_t)blocks, sizeof(int32_t));
    s->free = aligned_zeros(words, sizeof(uint64_t));
    s->positive = aligned_zeros(words, sizeof(uint64_t));
    s->negative = aligned_zeros(words, sizeof(uint64_t));
    s->trail = aligned_zeros((size_t)rows + 1, sizeof(int32_t));
    s->frames = aligned_zeros(levels, sizeof(frame));
    s->packings = aligned_zeros(levels * room, sizeof(int32_t));
    s->tree = aligned_zeros((size_t)blocks, sizeof(recording));
    s->separated = aligned_zeros(RING * words, sizeof(uint64_t));
    s->activity = aligned_zeros((size_t)s->columns, sizeof(float));
    s->best_direction = aligned_zeros((size_t)dimension, sizeof(double));
    s->direction = aligned_zeros((size_t)dimension, sizeof(double));
    if (!s->prefix || !s->bound || !s->free || !s->positive || !s->negative || !s->trail || !s->frames ||
        !s->packings || !s->tree || !s->separated || !s->activity || !s->best_direction || !s->direction)
        return -1;
    for (size_t i = 0; i < levels; i++)
        s->frames[i].packing = s->packings + i * room;
    if (circuits_open(&s->pool, dimension, s->columns, p->row, p->error) ||
        tableau_open(&s->table, dimension, s->columns, p->vector))
        return -1;
    s->last_rotation = blocks - 1;
    if (p->spanning && (flat_open(&s->flat, p->spanning, dimension, p->row, p->error) ||
                        flat_open(&s->probe, p->spanning, dimension, p->row, p->error)))
        return -1;
    /* Transversals multiply: few live rows are worth more pivots there. For counting they are not (half the speed). */
    s->table.minimise_live = p->spanning > 0;
    /* Sides are positive everywhere: a circuit that has one with the other sign is true as it stands, and shows
       nothing. */
    for (int c = rows; c < s->columns; c++) {
        put(s->positive, c);
        s->table.wanted[c] = -1;
    }
    return tableau_start(&s->table);
}

void search_close(search *s)
{
    for (int i = 0; s->tree && i < s->blocks; i++)
        free(s->tree[i].code);
    free(s->prefix);
    free(s->bound);
    free(s->free);
    free(s->positive);
    free(s->negative);
    free(s->trail);
    free(s->frames);
    free(s->packings);
    free(s->tree);
    free(s->separated);
    free(s->activity);
    free(s->best_direction);
    flat_close(&s->flat);
    flat_close(&s->probe);
    free(s->direction);
    circuits_close(&s->pool);
    tableau_close(&s->table);
    memset(s, 0, sizeof *s);
}

/* ---- State ---- */

int trail_is_consistent(const search *s)
{
    int decided = 0;
    for (int w = 0; w < s->words; w++) {
        if ((s->free[w] & (s->positive[w] | s->negative[w])) || (s->positive[w] & s->negative[w]))
            return 0;
        decided += __builtin_popcountll(s->positive[w] | s->negative[w]);
    }
    for (int i = 0; i < s->trailed; i++) {
        const int row = s->trail[i];
        if (row < 0 || row >= s->rows || !(has(s->positive, row) || has(s->negative, row)))
            return 0;
    }
    /* Sides count as positive; as many others as the trail is long: so it names each of them once. */
    return decided == s->trailed + s->columns - s->rows;
}

int packing_is_disjoint(const search *s, const frame *f)
{
    uint64_t seen[s->words];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < f->packed; i++)
        for (int w = 0; w < s->words; w++) {
            const uint64_t live = circuit_plus(&s->pool, f->packing[i])[w] & s->free[w];
            if (live & seen[w])
                return 0;
            seen[w] |= live;
        }
    return 1;
}

void search_assign(search *s, int row, int positive)
{
    assert(0 <= row && row < s->rows && has(s->free, row) && s->trailed < s->rows);
    drop(s->free, row);
    put(positive ? s->positive : s->negative, row);
    s->table.role[row] = FIXED;
    if (positive)
        tableau_want(&s->table, row, -1);
    s->trail[s->trailed++] = row;
}

static void undo(search *s, int length)
{
    assert(0 <= length && length <= s->trailed);
    while (s->trailed > length) {
        const int row = s->trail[--s->trailed];
        if (has(s->positive, row))
            tableau_want(&s->table, row, 1);
        drop(s->positive, row);
        drop(s->negative, row);
        put(s->free, row);
    }
    assert(trail_is_consistent(s));
}

static void start_rotation(search *s)
{
    const int blocks = s->blocks, words = s->words;
    assert(0 <= s->rotation && s->rotation < blocks && s->trailed == 0);
    memset(s->prefix, 0, sizeof(uint64_t) * (size_t)(blocks * words));
    memset(s->free, 0, sizeof(uint64_t) * (size_t)words);
    for (int i = 0; i < s->rows; i++) {
        if (s->block[i] < 0)
            continue;
        assert(s->block[i] < blocks);
        put(s->free, i);
        for (int j = (s->block[i] - s->rotation + blocks) % blocks; j < blocks; j++)
            put(s->prefix + j * words, i);
    }
    for (int j = 0; j < blocks; j++)
        s->bound[j] = s->budget * (j + 1) / blocks;
    /* Rotation 0 of two blocks is exhausted: its first block holds more than half of the budget, this one the rest. */
    if (blocks == 2 && s->rotation == 1)
        s->bound[0] = (s->budget - 1) >> 1;
    for (int c = s->rows; c < s->columns; c++)
        s->table.role[c] = FIXED;
    s->frames[0] = (frame){.stage = ENTER, .trail = 0, .packed = 0, .packing = s->packings};
    s->depth = 0;
}

/* ---- Subtrees ---- */

int search_assume(search *s, int rotation, const int32_t *literal, int count)
{
    s->rotation = s->last_rotation = rotation;
    start_rotation(s);
    for (int i = 0; i < count; i++) {
        const int row = abs(literal[i]) - 1;
        if (row < 0 || row >= s->rows || !has(s->free, row))
            return -1;
        search_assign(s, row, literal[i] > 0);
    }
    s->frames[0].trail = count;
    return 0;
}

int search_give(search *s, int32_t number, int *rotation, int32_t *literal)
{
    if (s->last_rotation > s->rotation) {
        *rotation = s->last_rotation;
        return record_step_in(s, s->last_rotation--, STEP_GIVEN, number) ? -1 : 0;
    }
    for (int d = 0; d < s->depth; d++) {
        frame *f = &s->frames[d];
        if (f->stage != POSITIVE_DONE)
            continue;
        const int count = s->frames[d + 1].trail;
        for (int i = 0; i < count; i++)
            literal[i] = has(s->positive, s->trail[i]) ? s->trail[i] + 1 : -s->trail[i] - 1;
        literal[count] = -f->branch - 1;
        f->stage = GIVEN_AWAY;
        f->given = number;
        *rotation = s->rotation;
        return count + 1;
    }
    return -1;
}

int search_admit(search *s, const int32_t *column, int size)
{
    const int32_t circuit = circuits_admit(&s->pool, column, size);
    if (circuit < 0)
        return -1;
    /* A conflict by itself: the next time this node is processed finds it. */
    assert(s->depth >= 0);
    frame *f = &s->frames[s->depth];
    f->packing[0] = circuit;
    f->packed = 1;
    return 0;
}

/* ---- The tree ---- */

static void branch(search *s, int positive)
{
    frame *child = &s->frames[++s->depth];
    assert(s->depth <= s->rows);
    child->stage = ENTER;
    child->trail = s->trailed;
    child->packed = 0;
    search_assign(s, s->frames[s->depth - 1].branch, positive);
}

enum kernel_status search_run(search *s, int64_t max_nodes)
{
    const int64_t last = s->nodes + max_nodes;
    for (;;) {
        if (s->depth < 0) {
            if (s->rotation == s->last_rotation)
                return DONE;
            s->rotation++;
            start_rotation(s);
        }
        frame *f = &s->frames[s->depth];
        if (f->stage == ENTER) {
            if (s->nodes >= last)
                return RUNNING;
            if (forget_circuits(s))
                return OUT_OF_MEMORY;
            const enum kernel_status status = process_node(s, f);
            assert(trail_is_consistent(s));
            if (status != DONE && status != RUNNING)
                return status;
            f->stage = status == DONE ? NEGATIVE_DONE : POSITIVE_DONE;
            s->nodes++;
            if (f->stage == POSITIVE_DONE)
                branch(s, 1);
        } else if (f->stage == POSITIVE_DONE) {
            f->stage = NEGATIVE_DONE;
            branch(s, 0);
        } else if (f->stage == GIVEN_AWAY) {
            if (record_step(s, STEP_GIVEN, f->given))
                return OUT_OF_MEMORY;
            f->stage = NEGATIVE_DONE;
        } else {
            undo(s, f->trail);
            s->depth--;
        }
    }
}
