#include "double_description.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "portable.h"

typedef __int128 wide;

#define LARGEST ((int64_t)1 << 62)
enum { FIRST_ROOM = 64 };

/* ---- Opening and closing ---- */

/* Room for so many rays; 0, or -1 when memory is short. */
static int make_room(double_description *d, int64_t rays)
{
    if (rays <= d->room)
        return 0;
    int64_t room = d->room ? d->room : FIRST_ROOM;
    while (room < rays)
        room *= 2;
    int64_t *ray = realloc(d->ray, (size_t)room * (size_t)d->columns * sizeof *ray);
    d->ray = ray ? ray : d->ray;
    uint64_t *tight = realloc(d->tight, (size_t)room * (size_t)d->words * sizeof *tight);
    d->tight = tight ? tight : d->tight;
    int64_t *value = realloc(d->value, (size_t)room * sizeof *value);
    d->value = value ? value : d->value;
    int64_t *order = realloc(d->order, (size_t)room * sizeof *order);
    d->order = order ? order : d->order;
    if (!ray || !tight || !value || !order)
        return -1;
    d->room = room;
    return 0;
}

int double_description_open(double_description *d, int rows, int columns)
{
    assert(rows >= 0 && columns > 0);
    memset(d, 0, sizeof *d);
    d->columns = d->lines = columns;
    d->rows = rows;
    d->words = rows > 0 ? (rows + 63) / 64 : 1;
    d->line = aligned_zeros((size_t)columns * (size_t)columns, sizeof *d->line);
    if (!d->line || make_room(d, FIRST_ROOM))
        return -1;
    for (int i = 0; i < columns; i++)
        d->line[i * columns + i] = 1;
    return 0;
}

void double_description_close(double_description *d)
{
    free(d->line);
    free(d->ray);
    free(d->tight);
    free(d->value);
    free(d->order);
    memset(d, 0, sizeof *d);
}

/* ---- Arithmetic ---- */

static uint64_t magnitude(int64_t a)
{
    return a < 0 ? -(uint64_t)a : (uint64_t)a;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a | b;
    const int shift = __builtin_ctzll(a | b);
    a >>= __builtin_ctzll(a);
    while (b) {
        b >>= __builtin_ctzll(b);
        if (a > b) {
            const uint64_t kept = a;
            a = b;
            b = kept;
        }
        b -= a;
    }
    return a << shift;
}

static wide wide_divisor(wide a, wide b)
{
    while (b) {
        const wide rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* The value of a row at a vector; 0 where it is too large. */
INLINE int evaluate(const int64_t *row, const int64_t *vector, int columns, int64_t *value)
{
    wide sum = 0;
    for (int i = 0; i < columns; i++)
        sum += (wide)row[i] * vector[i];
    *value = (int64_t)sum;
    return -LARGEST < sum && sum < LARGEST;
}

/* target = a p + b q, coprime; 0 where it is too large. target may be p or q. */
static int combine(int64_t *target, int64_t a, const int64_t *p, int64_t b, const int64_t *q, int columns)
{
    const int64_t shared = (int64_t)common_divisor(magnitude(a), magnitude(b));
    a /= shared;
    b /= shared;
    wide sum[columns];
    int small = 1;
    for (int i = 0; i < columns; i++) {
        sum[i] = (wide)a * p[i] + (wide)b * q[i];
        small &= -LARGEST < sum[i] && sum[i] < LARGEST;
    }
    if (small) {
        uint64_t divisor = 0;
        for (int i = 0; i < columns && divisor != 1; i++)
            divisor = common_divisor(divisor, magnitude((int64_t)sum[i]));
        for (int i = 0; i < columns; i++)
            target[i] = divisor > 1 ? (int64_t)sum[i] / (int64_t)divisor : (int64_t)sum[i];
        return 1;
    }
    wide divisor = 0;
    for (int i = 0; i < columns; i++)
        divisor = wide_divisor(divisor, sum[i]);
    for (int i = 0; i < columns; i++) {
        const wide entry = sum[i] / divisor;
        if (entry <= -LARGEST || entry >= LARGEST)
            return 0;
        target[i] = (int64_t)entry;
    }
    return 1;
}

/* ---- One row ---- */

INLINE uint64_t *tight_of(const double_description *d, int64_t ray)
{
    return d->tight + ray * d->words;
}

INLINE void make_tight(const double_description *d, int64_t ray, int row)
{
    tight_of(d, ray)[row >> 6] |= (uint64_t)1 << (row & 63);
}

/* The line number l, on which the row is `value`, becomes a ray. */
static enum kernel_status take_line(double_description *d, const int64_t *row, int number, int l, int64_t value)
{
    const int columns = d->columns;
    if (make_room(d, d->rays + 1))
        return OUT_OF_MEMORY;
    int64_t *taken = d->ray + d->rays * columns, *last = d->line + (d->lines - 1) * columns;
    for (int i = 0; i < columns; i++)
        taken[i] = value < 0 ? -d->line[l * columns + i] : d->line[l * columns + i];
    value = value < 0 ? -value : value;
    memmove(d->line + l * columns, last, sizeof(int64_t) * (size_t)columns);
    d->lines--;
    for (int64_t k = 0; k < d->lines + d->rays; k++) {
        int64_t *other = k < d->lines ? d->line + k * columns : d->ray + (k - d->lines) * columns, here;
        if (!evaluate(row, other, columns, &here))
            return UNCERTAIN;
        if (here != 0 && !combine(other, value, other, -here, taken, columns))
            return UNCERTAIN;
        if (k >= d->lines)
            make_tight(d, k - d->lines, number);
    }
    uint64_t *tight = tight_of(d, d->rays++);
    memset(tight, 0, sizeof(uint64_t) * (size_t)d->words);
    for (int k = 0; k < number; k++)
        make_tight(d, d->rays - 1, k);
    return DONE;
}

/* Whether rays p and q are adjacent; `common` becomes the rows that are tight on both. */
INLINE int adjacent(const double_description *d, int64_t p, int64_t q, int least, int64_t rays, uint64_t *common)
{
    const uint64_t *one = tight_of(d, p), *other = tight_of(d, q);
    int count = 0;
    for (int w = 0; w < d->words; w++) {
        common[w] = one[w] & other[w];
        count += __builtin_popcountll(common[w]);
    }
    if (count < least)
        return 0;
    for (int64_t r = 0; r < rays; r++) {
        const uint64_t *third = tight_of(d, r);
        uint64_t missing = 0;
        for (int w = 0; w < d->words; w++)
            missing |= common[w] & ~third[w];
        if (!missing && r != p && r != q)
            return 0;
    }
    return 1;
}

/* The row splits the rays: new ones come between adjacent rays of the two sides, those of the lower side go. */
CLONED static enum kernel_status split(double_description *d, int number, int64_t above, int64_t below)
{
    const int columns = d->columns, least = columns - d->lines - 2;
    const int64_t rays = d->rays;
    uint64_t common[d->words];
    for (int64_t i = 0; i < above; i++)
        for (int64_t j = 0; j < below; j++) {
            const int64_t p = d->order[i], q = d->order[rays - 1 - j];
            if (!adjacent(d, p, q, least, rays, common))
                continue;
            /* `order` keeps what it holds when there is more room, but for where it ends: that is `rays`. */
            if (make_room(d, d->rays + 1))
                return OUT_OF_MEMORY;
            if (!combine(d->ray + d->rays * columns, d->value[p], d->ray + q * columns, -d->value[q],
                         d->ray + p * columns, columns))
                return UNCERTAIN;
            memcpy(tight_of(d, d->rays), common, sizeof common);
            d->value[d->rays++] = 0;
        }
    int64_t kept = 0;
    for (int64_t r = 0; r < d->rays; r++) {
        if (d->value[r] < 0)
            continue;
        memmove(d->ray + kept * columns, d->ray + r * columns, sizeof(int64_t) * (size_t)columns);
        memmove(tight_of(d, kept), tight_of(d, r), sizeof common);
        if (d->value[r] == 0)
            make_tight(d, kept, number);
        kept++;
    }
    d->rays = kept;
    return DONE;
}

static enum kernel_status insert(double_description *d, const int64_t *row, int number)
{
    for (int l = 0; l < d->lines; l++) {
        int64_t value;
        if (!evaluate(row, d->line + l * d->columns, d->columns, &value))
            return UNCERTAIN;
        if (value != 0)
            return take_line(d, row, number, l, value);
    }
    int64_t above = 0, below = 0;
    for (int64_t r = 0; r < d->rays; r++) {
        if (!evaluate(row, d->ray + r * d->columns, d->columns, &d->value[r]))
            return UNCERTAIN;
        if (d->value[r] > 0)
            d->order[above++] = r;
        else if (d->value[r] < 0)
            d->order[d->rays - 1 - below++] = r;
    }
    if (below > 0)
        return split(d, number, above, below);
    for (int64_t r = 0; r < d->rays; r++)
        if (d->value[r] == 0)
            make_tight(d, r, number);
    return DONE;
}

enum kernel_status double_description_run(double_description *d, const int64_t *row)
{
    for (int i = 0; i < d->rows; i++) {
        const enum kernel_status status = insert(d, row + i * d->columns, i);
        if (status != DONE)
            return status;
    }
    return DONE;
}

/* ---- Facets ---- */

/* Whether the rays of row i are rays of row j too. */
static int lies_within(const double_description *d, int i, int j)
{
    for (int64_t r = 0; r < d->rays; r++) {
        const uint64_t *tight = tight_of(d, r);
        if ((tight[i >> 6] >> (i & 63) & 1) && !(tight[j >> 6] >> (j & 63) & 1))
            return 0;
    }
    return 1;
}

void double_description_facets(const double_description *d, int8_t *facet)
{
    int64_t count[d->rows + 1];
    memset(count, 0, sizeof count);
    for (int64_t r = 0; r < d->rays; r++)
        for (int i = 0; i < d->rows; i++)
            count[i] += tight_of(d, r)[i >> 6] >> (i & 63) & 1;
    for (int i = 0; i < d->rows; i++) {
        facet[i] = count[i] < d->rays ? 1 : -1;
        for (int j = 0; j < d->rows && facet[i] == 1; j++)
            if (j != i && count[j] < d->rays && (count[j] > count[i] || (count[j] == count[i] && j > i)))
                facet[i] = !lies_within(d, i, j);
    }
}
