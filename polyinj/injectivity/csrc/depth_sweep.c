#include "depth_sweep.h"

#include "lines.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Opening and closing ---- */

/* Room for so many vectors; 0, or -1 when memory is short. */
static int take_room(depth_sweep *s, int rank, int count, int64_t room)
{
    memset(s, 0, sizeof *s);
    s->rank = s->stride = rank;
    s->room = room;
    const size_t width = (size_t)(count + rank + LANES - 1) / LANES * LANES;
    s->level = aligned_zeros((size_t)(rank - 1) * (size_t)rank * width, sizeof(double));
    s->open = malloc((size_t)room * (size_t)rank * sizeof(int64_t));
    s->value = aligned_zeros(width, sizeof(double));
    s->first = aligned_zeros(3 * (size_t)count, sizeof(int32_t));
    if (!s->level || !s->open || !s->value || !s->first || turn_buffers_open(&s->buffers, count))
        return -1;
    s->up = s->first + count;
    s->down = s->up + count;
    return 0;
}

/* For whole vectors, room for what lies in the span of T; 0, or -1 when memory is short. */
static int take_inner_room(depth_sweep *s, int count)
{
    s->whole = 1;
    if (s->rank < 4)
        return 0;
    s->inner = calloc(1, sizeof *s->inner);
    return s->inner && take_room(s->inner, s->rank - 2, count, 1) == 0 ? take_inner_room(s->inner, count) : -1;
}

void depth_sweep_close(depth_sweep *s)
{
    if (s->inner)
        depth_sweep_close(s->inner);
    free(s->inner);
    free(s->level);
    free(s->open);
    free(s->value);
    free(s->first);
    turn_buffers_close(&s->buffers);
    memset(s, 0, sizeof *s);
}

static void set_count(depth_sweep *s, int count)
{
    s->count = count;
    s->width = (count + s->rank + LANES - 1) / LANES * LANES;
}

/* Begin with the vectors that stand in level 0. */
static void start(depth_sweep *s, double error, int64_t least)
{
    elimination *state = &s->state[0];
    for (int i = 0; i < s->rank; i++) {
        for (int64_t j = s->count; j < s->width; j++)
            s->level[i * s->width + j] = j == s->count + i;
        state->row[i] = i;
    }
    state->known = (bounds){.free_size = largest(s->level, s->rank * s->width), .free_error = error};
    state->determinant = 1;
    s->least = least;
    s->chosen[0] = -1;
    s->depth = 0;
    s->opened = 0;
}

/* The vectors that are not 0, one after the other, with their numbers and weights: how many. */
static int keep_vectors(depth_sweep *s, int count, const double *vector, const int32_t *weight, double *kept)
{
    int taken = 0;
    for (int j = 0; j < count; j++) {
        int i = 0;
        while (i < s->rank && vector[j * s->rank + i] == 0)
            i++;
        if (i == s->rank) {
            s->zeros += weight ? weight[j] : 1;
            continue;
        }
        memcpy(kept + taken * s->rank, vector + j * s->rank, sizeof(double) * (size_t)s->rank);
        s->first[taken] = j;
        s->up[taken++] = weight ? weight[j] : 1;
    }
    return taken;
}

int depth_sweep_open(depth_sweep *s, int rank, int count, const double *vector, double error, const int32_t *weight,
                     int whole, int64_t least, int64_t room)
{
    assert(2 <= rank && rank <= LARGEST_RANK && 0 < count && count < LARGEST_COUNT && room > 0);
    double *kept = malloc(sizeof(double) * (size_t)count * (size_t)rank);
    if (!kept || take_room(s, rank, count, room)) {
        free(kept);
        return -1;
    }
    int lines = keep_vectors(s, count, vector, weight, kept), failed = 0;
    error = lines_scale(rank, lines, kept, error);
    /* In the plane an order is exact without integers. */
    if (lines && whole && rank > 2 && error == 0 && lines_make_whole(rank, lines, kept)) {
        lines = lines_merge(rank, lines, kept, s->first, s->up, s->down);
        failed = lines == 0 || take_inner_room(s, lines);
    }
    set_count(s, lines);
    for (int j = 0; j < lines; j++)
        for (int i = 0; i < rank; i++)
            s->level[i * s->width + j] = kept[j * rank + i];
    free(kept);
    start(s, error, least);
    return failed ? -1 : 0;
}

/* ---- Walking ---- */

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

double unit_of(const depth_sweep *s, int e)
{
    return s->whole ? 1 / (SLACK * s->state[e].determinant) : 0;
}

enum step eliminate_chosen(depth_sweep *s, int e)
{
    const int t = s->chosen[e];
    const int64_t size = s->rank * s->width;
    const double *source = s->level + e * size;
    const elimination *before = &s->state[e];
    elimination *after = &s->state[e + 1];
    int best = e;
    for (int i = e + 1; i < s->rank; i++)
        if (fabs(source[i * s->width + t]) > fabs(source[best * s->width + t]))
            best = i;
    const double pivot = fabs(source[best * s->width + t]), error = before->known.free_error;
    if (!eliminate(s->level + (e + 1) * size, source, s->rank, s->width, e, t, before->known, &after->known))
        return pivot + error < unit_of(s, e) ? DEPENDENT : OPEN;
    after->determinant = SLACK * before->determinant * (pivot + error);
    memcpy(after->row, before->row, sizeof after->row);
    after->row[e] = before->row[best];
    after->row[best] = before->row[e];
    return INDEPENDENT;
}

/* Whether T has the first vectors of all that span the same as T, or may have: no vector there can replace a later one
   of T. */
static int is_first(const depth_sweep *s, int hidden)
{
    const int tight = s->rank - 2;
    const double *solved = s->level + tight * s->rank * s->width, error = s->state[tight].known.solved_error;
    for (int k = 0; k < hidden; k++)
        for (int i = 0; i < tight; i++)
            if (s->chosen[i] > s->buffers.hidden[k] && fabs(solved[i * s->width + s->buffers.hidden[k]]) > error)
                return 0;
    return 1;
}

int64_t depth_inside(depth_sweep *s, int hidden, int64_t least)
{
    depth_sweep *inner = s->inner;
    const int tight = s->rank - 2;
    assert(s->whole && inner);
    set_count(inner, tight + hidden);
    for (int j = 0; j < tight + hidden; j++) {
        const int from = j < tight ? s->chosen[j] : s->buffers.hidden[j - tight];
        for (int i = 0; i < tight; i++)
            inner->level[i * inner->width + j] = s->level[s->state[tight].row[i] * s->width + from];
        inner->first[j] = from;
        inner->up[j] = s->up[from];
        inner->down[j] = s->down[from];
    }
    start(inner, 0, least);
    const enum kernel_status status = depth_sweep_run(inner, INT64_MAX);
    return status == DONE && inner->opened == 0 ? inner->least : -1;
}

INLINE int32_t lesser(const depth_sweep *s, int j)
{
    return s->up[j] < s->down[j] ? s->up[j] : s->down[j];
}

/* The plane of T; 0 when it should be left open and there is no room. */
static int visit_plane(depth_sweep *s)
{
    const int tight = s->rank - 2;
    const bounds *known = &s->state[tight].known;
    const double *x = s->level + (tight * s->rank + tight) * s->width;
    const plane p = {.x = x,
                     .y = x + s->width,
                     .count = s->count,
                     .tight = s->chosen,
                     .tights = tight,
                     .size = known->free_size,
                     .error = known->free_error,
                     .unit = unit_of(s, tight),
                     .up = s->up,
                     .down = s->down};
    /* T adds its depth, and what else lies in its span adds to that. */
    int64_t extra = 0;
    for (int k = 0; k < tight; k++)
        extra += lesser(s, s->chosen[k]);
    const turn t = turn_around(&p, &s->buffers, s->least - extra);
    s->spans |= t.spans;
    if (t.hidden && !t.doubtful && !is_first(s, t.hidden))
        return 1;
    if (t.bound < s->least - extra && !leave_open(s, tight, t.bound + extra))
        return 0;
    if (t.least >= s->least - extra)
        return 1;
    if (t.hidden) {
        const int64_t found = depth_inside(s, t.hidden, s->least - t.least);
        if (found < 0)
            return leave_open(s, tight, t.least + extra);
        extra = found;
    }
    if (t.least + extra < s->least) {
        s->least = t.least + extra;
        memcpy(s->least_tight, s->chosen, (size_t)tight * sizeof(int));
        memcpy(s->least_between, t.between, sizeof t.between);
    }
    return 1;
}

enum kernel_status depth_sweep_run(depth_sweep *s, int64_t max_pencils)
{
    const int tight = s->rank - 2;
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
            continue;
        }
        const enum step step = eliminate_chosen(s, e);
        if (step == INDEPENDENT)
            s->chosen[++s->depth] = s->chosen[e];
        else if (step == OPEN && s->least > 0 && !leave_open(s, e + 1, 0))
            return STUCK;
    }
    return DONE;
}
