#include "turn.h"

#include "sort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Lines through 0 have the pseudo-angle -x / (|x| + |y|) in [-1, 1], in units of 2^-42: a circle of this many. */
#define UNIT 0x1p42
#define CIRCLE (UINT64_C(1) << 43)
#define NUMBER_BITS 20
/* Vectors that are known less well than this are hidden; where cross products settle an order, less well than that. */
#define LARGEST_SPREAD 0x1p-31
#define LARGEST_WHOLE_SPREAD 0x1p-12
/* Adding it puts the nearest integer into the last bits. */
#define INTEGER 0x1p52

int turn_buffers_open(turn_buffers *b, int count)
{
    const size_t width = ((size_t)count + LANES - 1) / LANES * LANES;
    memset(b, 0, sizeof *b);
    b->key = aligned_zeros(width, sizeof(uint64_t));
    b->spare = aligned_zeros(width, sizeof(uint64_t));
    b->same = aligned_zeros(width, sizeof(uint8_t));
    b->hidden = aligned_zeros(width, sizeof(int32_t));
    b->head = aligned_zeros((size_t)sort_heads(count), sizeof(int32_t));
    return b->key && b->spare && b->same && b->hidden && b->head ? 0 : -1;
}

void turn_buffers_close(turn_buffers *b)
{
    free(b->key);
    free(b->spare);
    free(b->same);
    free(b->hidden);
    free(b->head);
}

/* ---- The lines in order ---- */

INLINE uint64_t key_of(double x, double y, int64_t number)
{
    const int64_t down = (y < 0) | ((y == 0) & (x < 0));
    const double angle = (down ? x : -x) / (fabs(x) + fabs(y)), whole = (angle + 1) * UNIT + INTEGER;
    uint64_t bits;
    memcpy(&bits, &whole, sizeof bits);
    return (bits & ((UINT64_C(1) << 44) - 1)) << NUMBER_BITS | (uint64_t)(number << 1 | down);
}

CLONED static void make_keys(const double *restrict x, const double *restrict y, int64_t width, uint64_t *restrict key)
{
    for (int64_t j = 0; j < width; j++)
        key[j] = key_of(x[j], y[j], j);
}

static int is_tight(const plane *p, int j)
{
    for (int k = 0; k < p->tights; k++)
        if (p->tight[k] == j)
            return 1;
    return 0;
}

/* Fills key and hidden; whether the half-plane of every line is certain, and the distance of angles that is. */
static int sort_lines(const plane *p, turn_buffers *b, turn *t, uint64_t *apart)
{
    const double E = p->error, most_spread = p->unit > 0 ? LARGEST_WHOLE_SPREAD : LARGEST_SPREAD;
    const double least = fmax(4 * E + TINY, SLACK * 3 * E / most_spread + 2 * E);
    double smallest = INFINITY;
    int sides = 1;
    make_keys(p->x, p->y, (p->count + LANES - 1) / LANES * LANES, b->key);
    for (int j = 0; j < p->count; j++) {
        const double x = p->x[j], y = p->y[j], size = fabs(x) + fabs(y);
        if (!(size > least)) {
            if (!is_tight(p, j)) {
                b->hidden[t->hidden++] = j;
                t->doubtful |= !(size + 2 * E < p->unit) && !(size == 0 && E == 0);
            }
            continue;
        }
        smallest = size < smallest ? size : smallest;
        uint64_t key = b->key[j];
        if (fabs(y) <= E && E > 0) {
            if (fabs(y) + E < p->unit)
                key = key_of(x, 0.0, j);
            else
                sides = 0;
        }
        b->key[t->lines++] = key;
    }
    if (sort_keys(b->key, b->spare, b->head, t->lines)) {
        uint64_t *kept = b->key;
        b->key = b->spare;
        b->spare = kept;
    }
    /* An error of E in x and y moves the pseudo-angle by at most 3 E / (size - 2 E). Either of two angles may move by
       that, by its rounding and by the cut to whole units. */
    const double spread = t->lines ? SLACK * 3 * E / (smallest - 2 * E) : 0;
    *apart = 2 * ((uint64_t)(spread * UNIT) + 3);
    return sides;
}

/* ---- Lines near one another ---- */

INLINE int number_of(uint64_t key)
{
    return (int)(key >> 1) & (LARGEST_COUNT - 1);
}

enum order { BEFORE = -1, SAME = 0, AFTER = 1, UNSURE = 2 };

/* The order of a b and c d, two products of doubles. */
static enum order products(double a, double b, double c, double d)
{
    const double p = a * b, q = c * d;
    /* Rounding is monotone. */
    if (p != q)
        return p > q ? AFTER : BEFORE;
    if (fabs(p) < TINY)
        return (a == 0 || b == 0) && (c == 0 || d == 0) ? SAME : UNSURE;
    const double low = fma(a, b, -p), other = fma(c, d, -q);
    return low > other ? AFTER : (low < other ? BEFORE : SAME);
}

/* The order of two lines, each as a vector of the upper half-plane. */
static enum order compare(const plane *p, double bound, uint64_t first, uint64_t second)
{
    const int i = number_of(first), j = number_of(second), turned = (int)((first ^ second) & 1);
    enum order found = SAME;
    if (p->error == 0) {
        found = products(p->y[i], p->x[j], p->x[i], p->y[j]);
    } else {
        const double cross = p->y[i] * p->x[j] - p->x[i] * p->y[j];
        if (fabs(cross) > bound)
            found = cross > 0 ? AFTER : BEFORE;
        else if (!(fabs(cross) + bound < p->unit))
            found = UNSURE;
    }
    return turned && found != UNSURE ? -found : found;
}

/* Sort lines whose keys are too near and mark those that are the same; 0 where it cannot be told. */
static int settle_ties(const plane *p, turn_buffers *b, const turn *t, uint64_t apart)
{
    const double bound = cross_bound(p->size, p->error);
    b->same[0] = 0;
    for (int i = 1; i < t->lines; i++) {
        const uint64_t moved = b->key[i];
        int j = i, same = 0;
        for (; j > 0 && (moved >> NUMBER_BITS) - (b->key[j - 1] >> NUMBER_BITS) <= apart; j--) {
            const enum order found = compare(p, bound, b->key[j - 1], moved);
            if (found == UNSURE)
                return 0;
            if (found != AFTER) {
                same = found == SAME;
                break;
            }
            b->key[j] = b->key[j - 1];
            b->same[j] = b->same[j - 1];
        }
        b->key[j] = moved;
        b->same[j] = (uint8_t)same;
    }
    return 1;
}

/* ---- The turn ---- */

/* Whether the order of line i and the next one, around the circle, is certain. */
INLINE int is_certain(const turn_buffers *b, const turn *t, uint64_t apart, int i)
{
    const uint64_t here = b->key[i] >> NUMBER_BITS;
    const uint64_t next = i + 1 < t->lines ? b->key[i + 1] >> NUMBER_BITS : (b->key[0] >> NUMBER_BITS) + CIRCLE;
    return next - here > apart;
}

static int all_certain(const turn_buffers *b, const turn *t, uint64_t apart)
{
    int certain = is_certain(b, t, apart, t->lines - 1);
    for (int i = 0; i + 1 < t->lines; i++)
        certain &= (b->key[i + 1] >> NUMBER_BITS) - (b->key[i] >> NUMBER_BITS) > apart;
    return certain;
}

INLINE void keep_least(turn *t, const turn_buffers *b, int i, int64_t count)
{
    t->least = count;
    t->between[0] = number_of(b->key[i]);
    t->between[1] = number_of(b->key[i + 1 < t->lines ? i + 1 : 0]);
}

/* What a line takes from the side of the half-plane when that passes it, and brings to it. */
INLINE void passing(const plane *p, uint64_t key, int64_t *leaves, int64_t *enters)
{
    const int j = number_of(key), down = (int)(key & 1);
    *leaves += down ? p->down[j] : p->up[j];
    *enters += down ? p->up[j] : p->down[j];
}

/* All lines are different, or marked as the same: every cell is certain. */
static void turn_certain(const plane *p, const turn_buffers *b, turn *t, int64_t inside, int64_t outside, int ties)
{
    int64_t groups = 0;
    for (int i = 0; i < t->lines; i++) {
        int64_t leaves = 0, enters = 0;
        passing(p, b->key[i], &leaves, &enters);
        inside += enters - leaves;
        outside += leaves - enters;
        if (ties && i + 1 < t->lines && b->same[i + 1])
            continue;
        groups++;
        const int64_t count = inside < outside ? inside : outside;
        if (count < t->least)
            keep_least(t, b, i, count);
    }
    t->spans = groups > 1;
}

/* Groups of lines whose order is open are passed together; what is counted there is a bound. */
static void turn_in_doubt(const plane *p, const turn_buffers *b, turn *t, int64_t inside, int64_t outside,
                          uint64_t apart)
{
    int start = t->lines - 1;
    while (start >= 0 && !is_certain(b, t, apart, start))
        start--;
    if (start < 0) {
        t->bound = 0;
        return;
    }
    /* The half-plane begins behind line `start`: lines up to it have been passed. */
    for (int i = 0; i <= start; i++) {
        int64_t leaves = 0, enters = 0;
        passing(p, b->key[i], &leaves, &enters);
        inside += enters - leaves;
        outside += leaves - enters;
    }
    for (int step = 0, groups = 0; step < t->lines;) {
        int64_t leaves = 0, enters = 0;
        int group = 0, i;
        do {
            i = start + 1 + step;
            const int again = i >= t->lines;
            i -= again ? t->lines : 0;
            passing(p, b->key[i], again ? &enters : &leaves, again ? &leaves : &enters);
            step++;
            group++;
        } while (step < t->lines && !is_certain(b, t, apart, i));
        t->spans |= ++groups > 1;
        if (group > 1) {
            const int64_t below = inside - leaves, above = outside - enters;
            t->bound = below < t->bound ? below : t->bound;
            t->bound = above < t->bound ? above : t->bound;
        }
        inside += enters - leaves;
        outside += leaves - enters;
        const int64_t count = inside < outside ? inside : outside;
        if (t->doubtful)
            t->bound = count < t->bound ? count : t->bound;
        else if (count < t->least)
            keep_least(t, b, i, count);
    }
}

turn turn_around(const plane *p, turn_buffers *b, int64_t known)
{
    turn t = {.least = known, .bound = known};
    uint64_t apart;
    const int sides = sort_lines(p, b, &t, &apart);
    if (t.lines == 0) {
        t.bound = 0;
        return t;
    }
    int64_t inside = 0, outside = 0;
    for (int i = 0; i < t.lines; i++)
        passing(p, b->key[i], &inside, &outside);
    const int certain = all_certain(b, &t, apart);
    if (!t.doubtful && (certain || (sides && settle_ties(p, b, &t, apart))))
        turn_certain(p, b, &t, inside, outside, !certain);
    else
        turn_in_doubt(p, b, &t, inside, outside, apart);
    return t;
}
