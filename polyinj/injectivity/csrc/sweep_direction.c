#include "depth_sweep.h"

#include <math.h>
#include <string.h>

/* The values of all vectors at a direction. */
CLONED static void evaluate(const depth_sweep *s, const double *direction)
{
    double *restrict value = s->value;
    memset(value, 0, sizeof(double) * (size_t)s->width);
    for (int i = 0; i < s->rank; i++) {
        const double *restrict row = s->level + i * s->width, entry = direction[i];
        for (int64_t j = 0; j < s->width; j++)
            value[j] += row[j] * entry;
    }
}

/* The weight on the side of the direction where the vectors were evaluated. */
static int64_t weight_above(const depth_sweep *s, const uint8_t *still)
{
    int64_t above = 0;
    for (int j = 0; j < s->count; j++) {
        const int64_t side = s->value[j] > 0, here = still == NULL || !still[j];
        above += here * (side * s->up[j] + (1 - side) * s->down[j]);
    }
    return above;
}

/* A normal of the cell of the plane. */
static void normal_between(const depth_sweep *s, const double *x, const double *y, double normal[2])
{
    double line[2][2];
    for (int k = 0; k < 2; k++) {
        const int j = s->least_between[k];
        const double size = fabs(x[j]) + fabs(y[j]);
        const int down = y[j] < 0 || (y[j] == 0 && x[j] < 0);
        line[k][0] = (down ? -x[j] : x[j]) / size;
        line[k][1] = (down ? -y[j] : y[j]) / size;
    }
    const double cross = line[0][0] * line[1][1] - line[0][1] * line[1][0];
    /* Around the circle the next line comes from the other side; a line alone is its own neighbour. */
    const double sign = cross < 0 ? -1 : 1;
    const double a = line[0][0] + sign * line[1][0], b = line[0][1] + sign * line[1][1];
    const int alone = s->least_between[0] == s->least_between[1];
    normal[0] = alone ? line[0][0] : -b;
    normal[1] = alone ? line[0][1] : a;
}

/* A direction with the fewest of T and of the hidden vectors on its side; 0 where none is found. */
static int turn_inside(depth_sweep *s, int hidden, double *direction)
{
    const int tight = s->rank - 2;
    const double *last = s->level + tight * s->rank * s->width + s->count;
    memset(direction, 0, sizeof(double) * (size_t)s->rank);
    if (hidden) {
        double found[LARGEST_RANK];
        if (depth_inside(s, hidden, INT64_MAX / 2) < 0 || !depth_sweep_direction(s->inner, found))
            return 0;
        for (int i = 0; i < tight; i++)
            direction[s->state[tight].row[i]] = found[i];
        return 1;
    }
    /* The rows of what was done to the identity are dual to T. */
    for (int k = 0; k < tight; k++) {
        const double sign = s->up[s->chosen[k]] < s->down[s->chosen[k]] ? 1 : -1;
        for (int i = 0; i < s->rank; i++)
            direction[i] += sign * last[k * s->width + i];
    }
    return 1;
}

/* Whether the least count is on the side of a direction, for certain. */
static int has_least(const depth_sweep *s, const double *direction)
{
    const bounds *known = &s->state[0].known;
    double length = 0, least = INFINITY;
    for (int i = 0; i < s->rank; i++)
        length += fabs(direction[i]);
    evaluate(s, direction);
    for (int j = 0; j < s->count; j++)
        least = fabs(s->value[j]) < least ? fabs(s->value[j]) : least;
    const double bound = SLACK * length * (known->free_error + 2 * s->rank * ROUNDOFF * known->free_size) + TINY;
    return least > bound && weight_above(s, NULL) == s->least;
}

/* A little from z, 0 on T and what is hidden, towards y, so that the others keep their side: the step. */
static double step_towards(const depth_sweep *s, const uint8_t *still, const double *z, const double *y)
{
    double least = INFINITY, most = 0, length = 0, other = 0;
    evaluate(s, z);
    for (int j = 0; j < s->count; j++)
        if (!still[j])
            least = fmin(least, fabs(s->value[j]));
    evaluate(s, y);
    for (int j = 0; j < s->count; j++)
        if (!still[j])
            most = fmax(most, fabs(s->value[j]));
    for (int i = 0; i < s->rank; i++) {
        length = fmax(length, fabs(z[i]));
        other = fmax(other, fabs(y[i]));
    }
    /* Not so far that z is lost to rounding. */
    return other > 0 ? fmin(least / (2 * most), length / other) : 0;
}

int depth_sweep_direction(depth_sweep *s, double *direction)
{
    const int tight = s->rank - 2;
    for (int e = 0; e < tight; e++) {
        s->chosen[e] = s->least_tight[e];
        if (eliminate_chosen(s, e) != INDEPENDENT)
            return 0;
    }
    const double *x = s->level + (tight * s->rank + tight) * s->width, *y = x + s->width;
    uint8_t *still = s->buffers.same;
    int hidden = 0;
    const double unit = unit_of(s, tight), error = s->state[tight].known.free_error;
    for (int j = 0; j < s->count; j++) {
        still[j] = fabs(x[j]) + fabs(y[j]) + 2 * error < unit;
        if (still[j])
            s->buffers.hidden[hidden++] = j;
    }
    for (int k = 0; k < tight; k++) {
        still[s->chosen[k]] = 1;
        for (int i = 0; i < hidden; i++)
            if (s->buffers.hidden[i] == s->chosen[k])
                s->buffers.hidden[i--] = s->buffers.hidden[--hidden];
    }
    double normal[2], z[LARGEST_RANK], towards[LARGEST_RANK];
    normal_between(s, x, y, normal);
    for (int i = 0; i < s->rank; i++)
        z[i] = normal[0] * x[s->count + i] + normal[1] * y[s->count + i];
    if (!turn_inside(s, hidden, towards))
        return 0;
    evaluate(s, z);
    const int64_t above = weight_above(s, still);
    for (int i = 0; i < s->rank; i++)
        z[i] = -z[i];
    evaluate(s, z);
    /* Of the two sides the one with fewer. */
    const double sign = weight_above(s, still) < above ? 1 : -1;
    for (int i = 0; i < s->rank; i++)
        z[i] *= sign;
    const double step = tight ? step_towards(s, still, z, towards) : 0;
    double size = 0;
    for (int i = 0; i < s->rank; i++) {
        direction[i] = z[i] + step * towards[i];
        size = fmax(size, fabs(direction[i]));
    }
    if (!(size > 0 && size < INFINITY))
        return 0;
    for (int i = 0; i < s->rank; i++)
        direction[i] /= size;
    return has_least(s, direction);
}
