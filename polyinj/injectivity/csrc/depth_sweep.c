#include "depth_sweep.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Lines through 0 have the pseudo-angle -x / (|x| + |y|) in [-1, 1), in units of 2^-42: a circle of this many. */
#define UNIT 0x1p42
#define CIRCLE (UINT64_C(1) << 43)
#define NUMBER_BITS 20
/* Vectors of the plane that are known less well than this are taken for 0: what is counted is then a bound. */
#define LARGEST_SPREAD 0x1p-31

int depth_sweep_open(depth_sweep *s, int rank, int count, const double *vector, double error, const int32_t *weight,
                     int64_t least, int64_t room)
{
    assert(2 <= rank && rank <= LARGEST_RANK && 0 < count && count < LARGEST_COUNT && room > 0);
    memset(s, 0, sizeof *s);
    s->rank = rank;
    s->count = count;
    s->width = (count + LANES - 1) / LANES * LANES;
    s->level = aligned_zeros((size_t)(rank - 1) * (size_t)rank * (size_t)s->width, sizeof(double));
    s->key = aligned_zeros((size_t)count, sizeof(uint64_t));
    s->stride = rank;
    s->room = room;
    s->open = aligned_zeros((size_t)room * (size_t)s->stride, sizeof(int64_t));
    if (!s->level || !s->key || !s->open)
        return -1;
    for (int j = 0; j < count; j++)
        for (int i = 0; i < rank; i++)
            s->level[i * s->width + j] = vector[j * rank + i];
    s->known[0].free_size = largest(s->level, rank * s->width);
    s->known[0].free_error = error;
    s->weight = weight;
    s->least = least;
    s->chosen[0] = -1;
    return 0;
}

void depth_sweep_close(depth_sweep *s)
{
    free(s->level);
    free(s->key);
    free(s->open);
}

/* Keep a plane, or all planes of a beginning of T, for the caller; 0 when there is no room. */
static int leave_open(depth_sweep *s, int chosen, int64_t bound)
{
    if (s->opened == s->room) {
        int64_t kept = 0;
        for (int64_t k = 0; k < s->opened; k++)
            if (s->open[k * s->stride] < s->least)
                memmove(s->open + s->stride * kept++, s->open + s->stride * k, (size_t)s->stride * sizeof(int64_t));
        s->opened = kept;
    }
    if (s->opened == s->room)
        return 0;
    int64_t *entry = s->open + s->stride * s->opened++;
    entry[0] = bound;
    for (int k = 0; k < s->rank - 2; k++)
        entry[1 + k] = k < chosen ? s->chosen[k] : -1;
    return 1;
}

static void sort_keys(uint64_t *key, int count)
{
    while (count > 16) {
        const uint64_t a = key[0], b = key[count / 2], c = key[count - 1];
        const uint64_t pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
        int i = -1, j = count;
        for (;;) {
            do
                i++;
            while (key[i] < pivot);
            do
                j--;
            while (key[j] > pivot);
            if (i >= j)
                break;
            const uint64_t kept = key[i];
            key[i] = key[j];
            key[j] = kept;
        }
        /* The smaller part by recursion, so that the stack stays flat. */
        if (j + 1 < count - j - 1) {
            sort_keys(key, j + 1);
            key += j + 1;
            count -= j + 1;
        } else {
            sort_keys(key + j + 1, count - j - 1);
            count = j + 1;
        }
    }
    for (int i = 1; i < count; i++) {
        const uint64_t moved = key[i];
        int j = i;
        for (; j > 0 && key[j - 1] > moved; j--)
            key[j] = key[j - 1];
        key[j] = moved;
    }
}

/* What a turn of the half-plane needs: the lines of the plane in order. */
typedef struct {
    int lines;
    uint64_t apart;          /* neighbours further apart than this have a certain order */
    int64_t up, all, hidden; /* weights of vectors in the upper half-plane, of all, and of those taken for 0 */
} turn;

static turn order_lines(depth_sweep *s)
{
    const int tight = s->rank - 2;
    const double *x = s->level + (tight * s->rank + tight) * s->width, *y = x + s->width;
    const double error = s->known[tight].free_error;
    turn found = {0};
    double spread = 0;
    for (int j = 0, next = 0; j < s->count; j++) {
        if (next < tight && j == s->chosen[next]) {
            next++;
            continue;
        }
        /* An error of E in x and y moves the pseudo-angle by at most 3 E / (size - 2 E). */
        const double size = fabs(x[j]) + fabs(y[j]), moves = SLACK * 3 * error / (size - 2 * error);
        if (!(size > 4 * error + TINY) || !(moves < LARGEST_SPREAD)) {
            found.hidden += s->weight[j];
            continue;
        }
        spread = moves > spread ? moves : spread;
        const int down = y[j] < 0 || (y[j] == 0 && x[j] < 0);
        const double angle = (down ? x[j] : -x[j]) / size;
        s->key[found.lines++] = (uint64_t)((angle + 1) * UNIT) << NUMBER_BITS | (uint64_t)j << 1 | (uint64_t)down;
        found.up += down ? 0 : s->weight[j];
        found.all += s->weight[j];
    }
    sort_keys(s->key, found.lines);
    /* Either may move by its error, the rounding of the pseudo-angle and the cut to whole units. */
    found.apart = 2 * ((uint64_t)(spread * UNIT) + 3);
    return found;
}

/* Whether the order of line i and the next one, around the circle, is certain. */
INLINE int is_certain(const depth_sweep *s, const turn *t, int i)
{
    const uint64_t here = s->key[i] >> NUMBER_BITS;
    const uint64_t next = i + 1 < t->lines ? s->key[i + 1] >> NUMBER_BITS : (s->key[0] >> NUMBER_BITS) + CIRCLE;
    return next - here > t->apart;
}

static void keep_least(depth_sweep *s, const turn *t, int i, int64_t count)
{
    s->least = count;
    memcpy(s->least_tight, s->chosen, (size_t)(s->rank - 2) * sizeof(int));
    const uint64_t mask = (UINT64_C(1) << NUMBER_BITS) - 1;
    s->least_between[0] = (int)((s->key[i] & mask) >> 1);
    s->least_between[1] = (int)((s->key[(i + 1) % t->lines] & mask) >> 1);
}

/* The plane of the chosen vectors; 0 when it should be left open and there is no room. */
static int visit_plane(depth_sweep *s)
{
    const turn t = order_lines(s);
    int start = t.lines - 1;
    while (start >= 0 && !is_certain(s, &t, start))
        start--;
    if (start < 0)
        return s->least > 0 ? leave_open(s, s->rank - 2, 0) : 1;
    /* The half-plane begins behind line `start`: lines up to it have been passed. */
    int64_t inside = t.up, bound = s->least;
    for (int i = 0; i <= start; i++) {
        const int64_t weight = s->weight[(s->key[i] >> 1) & (LARGEST_COUNT - 1)];
        inside += s->key[i] & 1 ? weight : -weight;
    }
    for (int step = 0, groups = 0; step < t.lines;) {
        int64_t leaves = 0, enters = 0;
        int group = 0, i;
        do {
            i = start + 1 + step;
            const int again = i >= t.lines;
            i -= again ? t.lines : 0;
            const int64_t weight = s->weight[(s->key[i] >> 1) & (LARGEST_COUNT - 1)];
            if ((int)(s->key[i] & 1) == again)
                leaves += weight;
            else
                enters += weight;
            step++;
            group++;
        } while (step < t.lines && !is_certain(s, &t, i));
        s->spans |= ++groups > 1;
        if (group > 1) {
            const int64_t below = inside - leaves, above = t.all - inside - enters;
            bound = below < bound ? below : bound;
            bound = above < bound ? above : bound;
        }
        inside += enters - leaves;
        assert(0 <= inside && inside <= t.all);
        const int64_t count = inside < t.all - inside ? inside : t.all - inside;
        if (t.hidden)
            bound = count < bound ? count : bound;
        else if (count < s->least)
            keep_least(s, &t, i, count);
    }
    return bound < s->least ? leave_open(s, s->rank - 2, bound) : 1;
}

enum kernel_status depth_sweep_run(depth_sweep *s, int64_t max_pencils)
{
    const int tight = s->rank - 2;
    const int64_t size = s->rank * s->width;
    while (s->depth >= 0) {
        const int e = s->depth;
        if (e == tight) {
            if (max_pencils-- <= 0)
                return RUNNING;
            s->pencils++;
            s->depth--;
            if (!visit_plane(s))
                return STUCK;
            continue;
        }
        if (++s->chosen[e] > s->count - (tight - e)) {
            s->depth--;
        } else if (eliminate(s->level + (e + 1) * size, s->level + e * size, s->rank, s->width, e, s->chosen[e],
                             s->known[e], &s->known[e + 1])) {
            s->chosen[++s->depth] = s->chosen[e];
        } else if (s->least > 0 && !leave_open(s, e + 1, 0)) {
            return STUCK;
        }
    }
    return DONE;
}
