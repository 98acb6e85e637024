#include "branch_and_bound.h"

#include <stdlib.h>
#include <string.h>

enum { ENTER, POSITIVE_DONE, GIVEN_AWAY, NEGATIVE_DONE };
enum { RING = 16, PIVOT_LIMIT = 2000, REFACTOR_AGE = 400 };
enum { STEP_UNIT = 1, STEP_FILL = 2, BRANCH = 3, COUNT_CONFLICT = 4, CLAUSE_CONFLICT = 5, SPAN_CONFLICT = 6 };

/* Rows that were positive lately where everything else was negative are the ones that decide: branching takes them
   first. */
static const float ACTIVITY_MEMORY = 0.85f;

/* Keeps the others out of the slow numbers next to zero. */
static const float LEAST_ACTIVITY = 1e-12f;

/* Multipliers below this may be zero. */
static const float SLIM = 1e-6f;

/* Outcomes of one node. */
enum outcome { REFUTED, OPEN, ASK, NO_ROOM, WITNESSED, HELPLESS };

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

/* ---- Opening and closing ---- */

int search_open(search *s, int dimension, int rows, int sides, const double *vector, const double *row, double error,
                int budget, int spanning, int blocks, const int32_t *block, int record, int64_t memory_limit)
{
    memset(s, 0, sizeof *s);
    s->dimension = dimension;
    s->rows = rows;
    s->columns = rows + sides;
    s->words = (s->columns + 63) / 64;
    s->budget = budget;
    s->spanning = spanning;
    s->blocks = blocks;
    s->record = record;
    s->memory_limit = memory_limit;
    s->row = row;
    s->block = block;
    s->best_count = rows + 1;
    s->rotation = -1;
    s->depth = -1;
    const size_t words = (size_t)s->words, room = (size_t)budget + 3, levels = (size_t)rows + 2;
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
    if (circuits_open(&s->pool, dimension, s->columns, row, error) ||
        tableau_open(&s->table, dimension, s->columns, vector))
        return -1;
    s->last_rotation = blocks - 1;
    if (spanning && (flat_open(&s->flat, spanning, dimension, row, error) ||
                     flat_open(&s->probe, spanning, dimension, row, error)))
        return -1;
    /* Transversals multiply: few live rows are worth more pivots there. For counting they are not (half the speed). */
    s->table.weigh_live = spanning > 0;
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

/* ---- Recording ---- */

static int64_t used_bytes(const search *s)
{
    int64_t bytes = s->pool.bytes;
    for (int i = 0; i < s->blocks; i++)
        bytes += s->tree[i].capacity * (int64_t)sizeof(int32_t);
    return bytes;
}

static int append_code(search *s, recording *r, const int32_t *number, int count)
{
    if (r->length + count > r->capacity) {
        const int64_t capacity = 2 * r->capacity + count + 256;
        if (used_bytes(s) + (capacity - r->capacity) * (int64_t)sizeof(int32_t) > s->memory_limit)
            return -1;
        int32_t *code = realloc(r->code, (size_t)capacity * sizeof(int32_t));
        if (code == NULL)
            return -1;
        r->code = code;
        r->capacity = capacity;
    }
    memcpy(r->code + r->length, number, sizeof(int32_t) * (size_t)count);
    r->length += count;
    return 0;
}

static int emit_in(search *s, int rotation, int step, int argument)
{
    const int32_t number[2] = {step, argument};
    return s->record ? append_code(s, &s->tree[rotation], number, 2) : 0;
}

static int emit(search *s, int step, int argument)
{
    return emit_in(s, s->rotation, step, argument);
}

/* A fill or a conflict by a list of circuits; budget j in its place where there are budgets. */
static int emit_packing(search *s, int step, int j, const int32_t *circuit, int count)
{
    if (!s->record)
        return 0;
    int32_t number[count + 3];
    int length = 0;
    number[length++] = step;
    if (step != SPAN_CONFLICT)
        number[length++] = j + 1;
    number[length++] = count;
    memcpy(number + length, circuit, sizeof(int32_t) * (size_t)count);
    return append_code(s, &s->tree[s->rotation], number, length + count);
}

/* ---- State ---- */

static void assign(search *s, int row, int positive)
{
    drop(s->free, row);
    put(positive ? s->positive : s->negative, row);
    s->table.role[row] = FIXED;
    if (positive)
        tableau_want(&s->table, row, -1);
    s->trail[s->trailed++] = row;
}

static void undo(search *s, int length)
{
    while (s->trailed > length) {
        const int row = s->trail[--s->trailed];
        if (has(s->positive, row))
            tableau_want(&s->table, row, 1);
        drop(s->positive, row);
        drop(s->negative, row);
        put(s->free, row);
    }
}

static void start_rotation(search *s)
{
    const int blocks = s->blocks, words = s->words;
    memset(s->prefix, 0, sizeof(uint64_t) * (size_t)(blocks * words));
    memset(s->free, 0, sizeof(uint64_t) * (size_t)words);
    for (int i = 0; i < s->rows; i++) {
        if (s->block[i] < 0)
            continue;
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

INLINE int positive_count(const search *s, const uint64_t *rows)
{
    int count = 0;
    for (int w = 0; w < s->words; w++)
        count += __builtin_popcountll(s->positive[w] & rows[w]);
    return count;
}

/* ---- One node ---- */

/* Make circuit i of the packing certain, or drop it. OPEN with *kept = 0: it was no circuit. */
static enum outcome ascertain(search *s, frame *f, int i, int *kept)
{
    const int32_t meaning = circuits_certify(&s->pool, f->packing[i]);
    *kept = meaning >= 0;
    if (meaning == DOUBTFUL)
        return ASK;
    f->packing[i] = meaning >= 0 ? meaning : f->packing[--f->packed];
    return OPEN;
}

/* Drop circuits that are satisfied, use those with at most one live row. */
CLONED static enum outcome review(search *s, frame *f)
{
    for (int i = 0; i < f->packed;) {
        const int32_t circuit = f->packing[i];
        int kept = usable(s, circuit);
        if (kept && live_count(s, circuit) > 1) {
            i++;
            continue;
        }
        if (kept) {
            const enum outcome outcome = ascertain(s, f, i, &kept);
            if (outcome != OPEN)
                return outcome;
            if (!kept || f->packing[i] != circuit) {
                i = 0;
                continue;
            }
        }
        f->packing[i] = f->packing[--f->packed];
        if (!kept)
            continue;
        if (live_count(s, circuit) == 0)
            return emit(s, CLAUSE_CONFLICT, circuit) ? NO_ROOM : REFUTED;
        if (emit(s, STEP_UNIT, circuit))
            return NO_ROOM;
        const uint64_t *plus = circuit_plus(&s->pool, circuit);
        for (int w = 0; w < s->words; w++)
            if (plus[w] & s->free[w]) {
                assign(s, 64 * w + __builtin_ctzll(plus[w] & s->free[w]), 1);
                break;
            }
        i = 0;
    }
    return OPEN;
}

/* Compare each budget with its packing. OPEN with *changed: rows were made NEG or a false circuit left. */
CLONED static enum outcome weigh(search *s, frame *f, int *changed)
{
    int32_t inside[f->packed + 1];
    *changed = 0;
    for (int j = 0; j < s->blocks; j++) {
        const uint64_t *rows = s->prefix + j * s->words;
        uint64_t rest[s->words], any = 0;
        for (int w = 0; w < s->words; w++)
            rest[w] = rows[w] & s->free[w];
        int count = 0;
        for (int i = 0; i < f->packed; i++)
            if (lies_within(s, f->packing[i], rows)) {
                inside[count++] = i;
                for (int w = 0; w < s->words; w++)
                    rest[w] &= ~circuit_plus(&s->pool, f->packing[i])[w];
            }
        for (int w = 0; w < s->words; w++)
            any |= rest[w];
        const int need = positive_count(s, rows) + count;
        if (need < s->bound[j] || (need == s->bound[j] && !any))
            continue;
        for (int i = 0; i < count; i++) {
            const int32_t circuit = f->packing[inside[i]];
            int kept;
            const enum outcome outcome = ascertain(s, f, inside[i], &kept);
            if (outcome != OPEN)
                return outcome;
            if (!kept || f->packing[inside[i]] != circuit) {
                *changed = 1;
                return OPEN;
            }
            inside[i] = circuit;
        }
        if (emit_packing(s, need > s->bound[j] ? COUNT_CONFLICT : STEP_FILL, j, inside, count))
            return NO_ROOM;
        if (need > s->bound[j])
            return REFUTED;
        for (int w = 0; w < s->words; w++)
            for (uint64_t left = rest[w]; left; left &= left - 1)
                assign(s, 64 * w + __builtin_ctzll(left), 0);
        *changed = 1;
        return OPEN;
    }
    return OPEN;
}

/* The direction in the tableau, in doubles: keep it if it has fewer active rows than any before, and say whether it
   is a witness. */
static int judge(search *s)
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

/* Look for a circuit whose live rows are among `rest`. OPEN with *circuit = -1: there is none, or none is certain. */
CLONED static enum outcome look(search *s, const uint64_t *rest, int32_t *circuit)
{
    tableau *t = &s->table;
    *circuit = -1;
    uint64_t any = 0;
    for (int w = 0; w < s->words; w++)
        any |= rest[w];
    /* Where no column is allowed the direction would be zero, and the signs of its values noise. */
    if (!any && s->trailed == 0 && s->columns == s->rows)
        return OPEN;
    for (int attempt = 0; attempt < 2; attempt++) {
        for (int w = 0; w < s->words; w++)
            for (uint64_t left = s->free[w]; left; left &= left - 1) {
                const int row = 64 * w + __builtin_ctzll(left);
                t->role[row] = has(rest, row) ? LIVE : BARRED;
            }
        if (t->age > REFACTOR_AGE || attempt > 0)
            if (tableau_refactor(t) != 0 && tableau_start(t) != 0)
                return HELPLESS;
        s->solves++;
        const enum solve_result result = tableau_solve(t, PIVOT_LIMIT);
        if (result == SEPARATED) {
            uint64_t *up = s->separated + s->separations++ % RING * s->words;
            tableau_active(t, up, s->words);
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
            return (s->spanning || active < s->best_count) && judge(s) ? WITNESSED : OPEN;
        }
        if (result == CIRCUIT) {
            float sign[t->dimension + 1];
            for (int i = 0; i <= t->dimension; i++)
                sign[i] = t->sign[t->basis[i]];
            const int32_t found = circuits_enter(&s->pool, t->basis, sign, t->beta);
            if (found == NO_MEMORY || used_bytes(s) > s->memory_limit)
                return NO_ROOM;
            if (found < 0)
                continue;
            /* A multiplier that may be zero: settle now which rows the circuit really has. */
            int slim = 0;
            for (int i = 0; i <= t->dimension; i++)
                slim |= t->beta[i] < SLIM;
            const int32_t meaning = slim ? circuits_certify(&s->pool, found) : found;
            if (meaning == DOUBTFUL)
                return ASK;
            if (meaning >= 0 && usable(s, meaning) && lies_within(s, meaning, rest)) {
                *circuit = meaning;
                return OPEN;
            }
        }
    }
    return OPEN;
}

/* Put a circuit into the packing; those that it meets leave. */
INLINE void include(search *s, frame *f, int32_t circuit)
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
}

/* One more circuit for the first budget, from *level on, that has room for one, which *level then says. Only circuits of
   later budgets can leave for it, so the packing sizes of the budgets grow lexicographically: this ends. */
CLONED static enum outcome extend(search *s, frame *f, int *level, int *extended)
{
    *extended = 0;
    for (int j = *level; j < s->blocks; j++) {
        const uint64_t *rows = s->prefix + j * s->words;
        uint64_t rest[s->words];
        for (int w = 0; w < s->words; w++)
            rest[w] = rows[w] & s->free[w];
        for (int i = 0; i < f->packed; i++)
            if (lies_within(s, f->packing[i], rows))
                for (int w = 0; w < s->words; w++)
                    rest[w] &= ~circuit_plus(&s->pool, f->packing[i])[w];
        if (known_separated(s, rest))
            continue;
        int32_t circuit;
        const enum outcome outcome = look(s, rest, &circuit);
        if (outcome != OPEN)
            return outcome;
        if (circuit >= 0) {
            include(s, f, circuit);
            *level = j;
            *extended = 1;
            return OPEN;
        }
    }
    return OPEN;
}

/* The first budget whose blocks hold the live rows of a circuit. */
INLINE int level_of(const search *s, int32_t circuit)
{
    int j = 0;
    while (!lies_within(s, circuit, s->prefix + j * s->words))
        j++;
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

/* Budgets: repeat the four rules until nothing changes. */
static enum outcome exhaust_counting(search *s, frame *f)
{
    int level = 0;
    for (int changed = 1; changed;) {
        const int trailed = s->trailed, packed = f->packed;
        enum outcome outcome = review(s, f);
        if (outcome == OPEN)
            outcome = weigh(s, f, &changed);
        /* Budgets before `level` have no room for one more circuit, as long as rows and packing are what they were. */
        if (s->trailed != trailed || f->packed != packed)
            level = 0;
        if (outcome == OPEN && !changed)
            outcome = extend(s, f, &level, &changed);
        if (outcome != OPEN)
            return outcome;
    }
    return OPEN;
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

static enum outcome exhaust_spanning(search *s, frame *f)
{
    for (;;) {
        enum outcome outcome = review(s, f);
        if (outcome != OPEN)
            return outcome;
        uint64_t rest[s->words];
        const int left = remaining_dimensions(s, rest);
        if (left == 0)
            return emit_packing(s, SPAN_CONFLICT, 0, NULL, 0) ? NO_ROOM : REFUTED;
        for (int i = 0; i < f->packed;)
            if (lies_within(s, f->packing[i], rest))
                i++;
            else
                f->packing[i] = f->packing[--f->packed];
        if (f->packed == (left < 0 ? 1 : left)) {
            if (left < 0)
                return OPEN;
            int kept = 1;
            for (int i = 0; i < f->packed && kept; i++)
                if ((outcome = ascertain(s, f, i, &kept)) != OPEN)
                    return outcome;
            if (!kept)
                continue;
            if (!packing_spans(s, f))
                return OPEN;
            return emit_packing(s, SPAN_CONFLICT, 0, f->packing, f->packed) ? NO_ROOM : REFUTED;
        }
        for (int i = 0; i < f->packed; i++)
            for (int w = 0; w < s->words; w++)
                rest[w] &= ~circuit_plus(&s->pool, f->packing[i])[w];
        int32_t circuit = -1;
        if (!known_separated(s, rest) && (outcome = look(s, rest, &circuit)) != OPEN)
            return outcome;
        if (circuit < 0)
            return OPEN;
        include(s, f, circuit);
    }
}

static enum outcome process(search *s, frame *f)
{
    const enum outcome outcome = s->spanning ? exhaust_spanning(s, f) : exhaust_counting(s, f);
    if (outcome != OPEN)
        return outcome;
    f->branch = branching_row(s, f);
    if (f->branch < 0)
        return HELPLESS;
    return emit(s, BRANCH, f->branch) ? NO_ROOM : OPEN;
}

/* ---- The walk ---- */

int search_assume(search *s, int rotation, const int32_t *literal, int count)
{
    s->rotation = s->last_rotation = rotation;
    start_rotation(s);
    for (int i = 0; i < count; i++) {
        const int row = abs(literal[i]) - 1;
        if (row < 0 || row >= s->rows || !has(s->free, row))
            return -1;
        assign(s, row, literal[i] > 0);
    }
    s->frames[0].trail = count;
    return 0;
}

int search_give(search *s, int32_t number, int *rotation, int32_t *literal)
{
    if (s->last_rotation > s->rotation) {
        *rotation = s->last_rotation;
        return emit_in(s, s->last_rotation--, GIVEN_SUBTREE, number) ? -1 : 0;
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
        f->gift = number;
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
    /* A conflict by itself: the next review of this node finds it. */
    frame *f = &s->frames[s->depth];
    f->packing[0] = circuit;
    f->packed = 1;
    return 0;
}

static void descend(search *s, int positive)
{
    frame *child = &s->frames[++s->depth];
    child->stage = ENTER;
    child->trail = s->trailed;
    child->packed = 0;
    assign(s, s->frames[s->depth - 1].branch, positive);
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
            switch (process(s, f)) {
            case REFUTED: f->stage = NEGATIVE_DONE; break;
            case OPEN: f->stage = POSITIVE_DONE; break;
            case ASK: return UNCERTAIN;
            case NO_ROOM: return OUT_OF_MEMORY;
            case WITNESSED: return WITNESS;
            case HELPLESS: return STUCK;
            }
            s->nodes++;
            if (f->stage == POSITIVE_DONE)
                descend(s, 1);
        } else if (f->stage == POSITIVE_DONE) {
            f->stage = NEGATIVE_DONE;
            descend(s, 0);
        } else if (f->stage == GIVEN_AWAY) {
            if (emit(s, GIVEN_SUBTREE, f->gift))
                return OUT_OF_MEMORY;
            f->stage = NEGATIVE_DONE;
        } else {
            undo(s, f->trail);
            s->depth--;
        }
    }
}
