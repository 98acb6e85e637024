#include "search.h"

#include <stdlib.h>
#include <string.h>

enum { ENTER, POSITIVE_DONE, NEGATIVE_DONE };
enum { RING = 16, PIVOT_LIMIT = 2000, REFACTOR_AGE = 400 };
enum { STEP_UNIT = 1, STEP_FILL = 2, BRANCH = 3, COUNT_CONFLICT = 4, CLAUSE_CONFLICT = 5 };

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
                int budget, int blocks, const int32_t *block, int record, int64_t memory_limit)
{
    memset(s, 0, sizeof *s);
    s->dimension = dimension;
    s->rows = rows;
    s->columns = rows + sides;
    s->words = (s->columns + 63) / 64;
    s->budget = budget;
    s->blocks = blocks;
    s->record = record;
    s->memory_limit = memory_limit;
    s->row = row;
    s->block = block;
    s->best_count = rows + 1;s->activity=calloc(s->columns,4);
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
    s->best_direction = aligned_zeros((size_t)dimension, sizeof(double));
    s->direction = aligned_zeros((size_t)dimension, sizeof(double));
    if (!s->prefix || !s->bound || !s->free || !s->positive || !s->negative || !s->trail || !s->frames || !s->packings ||
        !s->tree || !s->separated || !s->best_direction || !s->direction)
        return -1;
    for (size_t i = 0; i < levels; i++)
        s->frames[i].packing = s->packings + i * room;
    if (circuits_open(&s->pool, dimension, s->columns, row, error) ||
        tableau_open(&s->table, dimension, s->columns, vector))
        return -1;
    for (int c = rows; c < s->columns; c++)
        s->table.wanted[c] = -1;
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
    free(s->best_direction);
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

/* Room for `more` numbers in the tree under way. */
static int make_room(search *s, int more)
{
    recording *tree = &s->tree[s->rotation];
    if (!s->record || tree->length + more <= tree->capacity)
        return 0;
    const int64_t capacity = 2 * tree->capacity + 256;
    if (used_bytes(s) + (capacity - tree->capacity) * (int64_t)sizeof(int32_t) > s->memory_limit)
        return -1;
    int32_t *code = realloc(tree->code, (size_t)capacity * sizeof(int32_t));
    if (code == NULL)
        return -1;
    tree->code = code;
    tree->capacity = capacity;
    return 0;
}

static int emit(search *s, int step, int argument)
{
    if (!s->record)
        return 0;
    if (make_room(s, 2))
        return -1;
    recording *tree = &s->tree[s->rotation];
    tree->code[tree->length++] = step;
    tree->code[tree->length++] = argument;
    return 0;
}

/* A fill or a conflict of budget j: the listed circuits of the packing lie in its blocks. */
static int emit_packing(search *s, int step, int j, const int32_t *circuit, int count)
{
    if (!s->record)
        return 0;
    if (make_room(s, count + 3))
        return -1;
    recording *tree = &s->tree[s->rotation];
    tree->code[tree->length++] = step;
    tree->code[tree->length++] = j + 1;
    tree->code[tree->length++] = count;
    memcpy(tree->code + tree->length, circuit, sizeof(int32_t) * (size_t)count);
    tree->length += count;
    return 0;
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
static enum outcome review(search *s, frame *f)
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
static enum outcome weigh(search *s, frame *f, int *changed)
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

/* Count the active rows of the direction in the tableau; keep the best. */
static int judge(search *s)
{
    if (tableau_direction(&s->table, s->direction) != 0)
        return -1;
    int count = 0;
    for (int c = 0; c < s->columns; c++) {
        double value = 0;
        for (int k = 0; k < s->dimension; k++)
            value += s->table.vector[c * s->dimension + k] * s->direction[k];
        if (c < s->rows)
            count += s->block[c] >= 0 && value >= 0;
        else if (!(value > 0))
            return -1;
    }
    if (count < s->best_count) {
        s->best_count = count;
        memcpy(s->best_direction, s->direction, sizeof(double) * (size_t)s->dimension);
    }
    return count;
}

/* Does a remembered direction have all of POS and none of NEG and `rest` positive? Then no circuit lives there. */
static int known_separated(const search *s, const uint64_t *rest)
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
static enum outcome look(search *s, const uint64_t *rest, int32_t *circuit)
{
    tableau *t = &s->table;
    *circuit = -1;
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
            static float DEC=-1,AL; if(DEC<0){DEC=getenv("DEC")?atof(getenv("DEC")):0.9; AL=getenv("AL")?atof(getenv("AL")):0;}
            for(int c=0;c<s->columns;c++){ s->activity[c]=s->activity[c]*DEC+(1-DEC)*has(up,c); t->cost[c]=1+AL*s->activity[c]; }
            int active = 0;
            for (int w = 0; w < s->words; w++)
                active += __builtin_popcountll(up[w] & (s->free[w] | s->positive[w]));
            if (active < s->best_count) {
                const int count = judge(s);
                if (count >= 0 && count <= s->budget)
                    return WITNESSED;
            }
            return OPEN;
        }
        if (result == CIRCUIT) {
            float sign[t->dimension + 1];
            for (int i = 0; i <= t->dimension; i++)
                sign[i] = t->sign[t->basis[i]];
            const int32_t found = circuits_enter(&s->pool, t->basis, sign, t->beta);
            if (found == NO_MEMORY || used_bytes(s) > s->memory_limit)
                return NO_ROOM;
            if (found >= 0) {
                *circuit = found;
                return OPEN;
            }
        }
    }
    return OPEN;
}

/* One more circuit for the first budget that has room for one. Later circuits that it meets leave the packing, so the
   packing sizes of the budgets grow lexicographically: this ends. */
static enum outcome extend(search *s, frame *f, int *extended)
{
    *extended = 0;
    for (int j = 0; j < s->blocks; j++) {
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
        if (circuit < 0)
            continue;
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
        *extended = 1;
        return OPEN;
    }
    return OPEN;
}

/* The heaviest live row of the circuit with the fewest live rows; any FREE row without circuits; -1 without FREE rows. */
static int branching_row(const search *s, const frame *f)
{
    int32_t best = -1;
    static int V=-1,U; if(V<0){V=getenv("V")?atoi(getenv("V")):0;U=getenv("U")?atoi(getenv("U")):0;}
    int fewest = 1<<30;
    for (int i = 0; i < f->packed; i++) {
        int live = live_count(s, f->packing[i]);
        int j=0; while (!lies_within(s,f->packing[i],s->prefix+j*s->words)) j++;
        if(V==1) live+=100*j;
        if(V==2) live=live*100-i;
        if(V==3) live=live*100-j;
        if(V==4) live=live*100+j*50;
        if(V==5) live=live*100+j*200;
        if(V==6) live=live*100+j*300;if(V==7) live=live*100+j*150;if(V==8) live=live*100*(j+1);if(V==9) live=live*100*(j+2);
        if (live < fewest) {
            fewest = live;
            best = f->packing[i];
        }
    }
    if (best >= 0) {
        const uint64_t *up = s->separated + (s->separations-1) % RING * s->words;
        const uint16_t *order = s->pool.order + (int64_t)best * (s->dimension + 1);
        int first=-1,last=-1,act=-1,inact=-1;
        for(int i=0;i<=s->dimension;i++) if(order[i]!=0xFFFF && has(s->free,order[i])){ int r=order[i]; last=r; if(first<0)first=r; if(has(up,r)){if(act<0)act=r;}else if(inact<0)inact=r;}
        if(U==1) return last;
        if(U==6||U==7||U==8) { float bestr=-1; for(int i=0;i<=s->dimension;i++) if(order[i]!=0xFFFF && has(s->free,order[i])){ int r=order[i]; float k=s->activity[r]*(U==6?1:U==7?(1-0.02f*i):(1-0.05f*i)); if(k>bestr){bestr=k;last=r;} } return last;}
        if(U==4||U==5){ /* best z: satisfied count of actives in circuit */
          int bestr=-1; 
          for(int i=0;i<=s->dimension;i++) if(order[i]!=0xFFFF && has(s->free,order[i])){ int r=order[i]; int k=0; for(int q=0;q<RING&&q<s->separations;q++){ k+=has(s->separated+q*s->words,r);} if(U==5) k=k*4+ (has(up,r)?40:0); if(k>bestr){bestr=k;last=r;} }
          return last; }
        if(U==2) return act>=0?act:first;
        if(U==3) return inact>=0?inact:first;
        return first;
    }
    for (int w = 0; w < s->words; w++)
        if (s->free[w])
            return 64 * w + __builtin_ctzll(s->free[w]);
    return -1;
}

static enum outcome process(search *s, frame *f)
{
    for (int changed = 1; changed;) {
        enum outcome outcome = review(s, f);
        if (outcome == OPEN)
            outcome = weigh(s, f, &changed);
        if (outcome == OPEN && !changed)
            outcome = extend(s, f, &changed);
        if (outcome != OPEN)
            return outcome;
    }
    f->branch = branching_row(s, f);
    if (f->branch < 0)
        return HELPLESS;
    return emit(s, BRANCH, f->branch) ? NO_ROOM : OPEN;
}

/* ---- The walk ---- */

void search_root_packing(search *s, int32_t *label)
{
    s->rotation = 0;
    start_rotation(s);
    uint64_t rest[s->words];
    memcpy(rest, s->free, sizeof rest);
    for (int i = 0; i < s->rows; i++)
        label[i] = -1;
    int32_t circuit;
    for (int number = 0; look(s, rest, &circuit) == OPEN && circuit >= 0; number++)
        for (int i = 0; i < s->rows; i++)
            if (has(circuit_plus(&s->pool, circuit), i)) {
                label[i] = number;
                drop(rest, i);
            }
    s->rotation = s->depth = -1;
}

static void descend(search *s, int positive)
{
    const frame *parent = &s->frames[s->depth];
    frame *child = &s->frames[++s->depth];
    child->stage = ENTER;
    child->trail = s->trailed;
    child->packed = 0;
    memcpy(child->packing, parent->packing, sizeof(int32_t) * (size_t)parent->packed);
    assign(s, parent->branch, positive);
}

enum search_status search_run(search *s, int64_t max_nodes)
{
    const int64_t last = s->nodes + max_nodes;
    for (;;) {
        if (s->depth < 0) {
            if (s->rotation + 1 == s->blocks)
                return EXHAUSTED;
            s->rotation++;
            start_rotation(s);
        }
        frame *f = &s->frames[s->depth];
        if (f->stage == ENTER) {
            if (s->nodes >= last)
                return RUNNING;
            switch (process(s, f)) {
            case REFUTED: f->stage = NEGATIVE_DONE; break;
            case OPEN: break;
            case ASK: return UNCERTAIN;
            case NO_ROOM: return OUT_OF_MEMORY;
            case WITNESSED: return FOUND_WITNESS;
            case HELPLESS: return STUCK;
            }
            s->nodes++;
            if (f->stage == ENTER) {
                f->stage = POSITIVE_DONE;
                descend(s, 1);
            }
        } else if (f->stage == POSITIVE_DONE) {
            f->stage = NEGATIVE_DONE;
            descend(s, 0);
        } else {
            undo(s, f->trail);
            s->depth--;
        }
    }
}
