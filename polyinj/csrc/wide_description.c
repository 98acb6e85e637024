#include "wide_description.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "portable.h"

typedef unsigned __int128 wide;

/* A value has so many limbs, a value times an entry so many. */
#define VALUE_LIMBS(limbs) ((limbs) + ROW_LIMBS + 1)
#define PRODUCT_LIMBS(limbs) (VALUE_LIMBS(limbs) + (limbs) + 1)

/* ---- Opening and closing ---- */

/* Room for so many rays; 0, or -1 when memory is short. */
static int make_room(wide_description *d, int64_t rays)
{
    if (rays <= d->room)
        return 0;
    int64_t room = d->room ? d->room : 64;
    while (room < rays)
        room *= 2;
    const size_t entries = (size_t)room * (size_t)d->columns;
    uint64_t *ray = realloc(d->ray, entries * (size_t)d->limbs * sizeof *ray);
    d->ray = ray ? ray : d->ray;
    int8_t *sign = realloc(d->sign, entries);
    d->sign = sign ? sign : d->sign;
    uint64_t *tight = realloc(d->tight, (size_t)room * (size_t)d->words * sizeof *tight);
    d->tight = tight ? tight : d->tight;
    uint64_t *value = realloc(d->value, (size_t)room * (size_t)VALUE_LIMBS(d->limbs) * sizeof *value);
    d->value = value ? value : d->value;
    int8_t *side = realloc(d->side, (size_t)room);
    d->side = side ? side : d->side;
    int64_t *order = realloc(d->order, (size_t)room * sizeof *order);
    d->order = order ? order : d->order;
    if (!ray || !sign || !tight || !value || !side || !order)
        return -1;
    d->room = room;
    return 0;
}

int wide_description_open(wide_description *d, int rows, int columns, int limbs, const uint64_t *row,
                          const int8_t *row_sign, const uint64_t *ray, const int8_t *sign)
{
    assert(0 < columns && columns <= rows && 0 < limbs && limbs <= MOST_LIMBS);
    memset(d, 0, sizeof *d);
    d->columns = columns;
    d->rows = rows;
    d->words = (rows + 63) / 64;
    d->limbs = limbs;
    d->row = row;
    d->row_sign = row_sign;
    if (make_room(d, columns))
        return -1;
    d->rays = columns;
    memcpy(d->ray, ray, sizeof *ray * (size_t)(columns * columns * limbs));
    memcpy(d->sign, sign, (size_t)(columns * columns));
    memset(d->tight, 0, sizeof *d->tight * (size_t)(columns * d->words));
    for (int i = 0; i < columns; i++)
        for (int j = 0; j < columns; j++)
            if (i != j)
                d->tight[i * d->words + (j >> 6)] |= (uint64_t)1 << (j & 63);
    return 0;
}

void wide_description_close(wide_description *d)
{
    free(d->ray);
    free(d->sign);
    free(d->tight);
    free(d->value);
    free(d->side);
    free(d->order);
    memset(d, 0, sizeof *d);
}

/* ---- Integers of many limbs ---- */

/* sum += a b, for magnitudes; what is beyond n limbs is lost. */
static void add_product(uint64_t *restrict sum, int n, const uint64_t *a, int a_limbs, const uint64_t *b, int b_limbs)
{
    for (int i = 0; i < a_limbs; i++) {
        uint64_t carry = 0;
        if (a[i] == 0)
            continue;
        for (int j = 0; j < b_limbs && i + j < n; j++) {
            const wide t = (wide)a[i] * b[j] + sum[i + j] + carry;
            sum[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        for (int k = i + b_limbs; k < n && carry; k++) {
            sum[k] += carry;
            carry = sum[k] < carry;
        }
    }
}

/* sum -= a b, likewise modulo 2^(64 n). */
static void subtract_product(uint64_t *restrict sum, int n, const uint64_t *a, int a_limbs, const uint64_t *b,
                             int b_limbs)
{
    for (int i = 0; i < a_limbs; i++) {
        uint64_t borrow = 0;
        if (a[i] == 0)
            continue;
        for (int j = 0; j < b_limbs && i + j < n; j++) {
            const wide t = (wide)a[i] * b[j] + borrow;
            const uint64_t low = (uint64_t)t;
            borrow = (uint64_t)(t >> 64) + (sum[i + j] < low);
            sum[i + j] -= low;
        }
        for (int k = i + b_limbs; k < n && borrow; k++) {
            const uint64_t before = sum[k];
            sum[k] -= borrow;
            borrow = before < borrow;
        }
    }
}

/* A number modulo 2^(64 n), at most half of that in size, as its magnitude; its sign. */
static int8_t take_sign(uint64_t *number, int n)
{
    const int negative = (int)(number[n - 1] >> 63);
    uint64_t any = 0, carry = 1;
    for (int i = 0; i < n; i++) {
        if (negative) {
            number[i] = ~number[i] + carry;
            carry = carry && number[i] == 0;
        }
        any |= number[i];
    }
    return (int8_t)(any == 0 ? 0 : (negative ? -1 : 1));
}

static void shift_down(uint64_t *number, int n, int bits)
{
    const int limbs = bits / 64, rest = bits % 64;
    for (int i = 0; i < n; i++) {
        const uint64_t low = i + limbs < n ? number[i + limbs] : 0,
                       high = i + limbs + 1 < n ? number[i + limbs + 1] : 0;
        number[i] = rest ? low >> rest | high << (64 - rest) : low;
    }
}

typedef struct {
    uint64_t limb[MOST_LIMBS + ROW_LIMBS + 1];
    int limbs, shift; /* odd, after a shift by so many bits */
    uint64_t inverse; /* of its first limb modulo 2^64 */
} divisor;

static divisor make_divisor(const uint64_t *number, int n)
{
    divisor d = {.limbs = n};
    memcpy(d.limb, number, sizeof(uint64_t) * (size_t)n);
    int zeros = 0;
    while (number[zeros] == 0)
        zeros++;
    d.shift = 64 * zeros + __builtin_ctzll(number[zeros]);
    shift_down(d.limb, n, d.shift);
    while (d.limbs > 1 && d.limb[d.limbs - 1] == 0)
        d.limbs--;
    /* Each step of Newton's doubles the bits; an odd number is its own inverse modulo 8. */
    d.inverse = d.limb[0];
    for (int bits = 3; bits < 64; bits *= 2)
        d.inverse *= 2 - d.limb[0] * d.inverse;
    return d;
}

/* The quotient of a magnitude, which is lost; 0 where there is a rest or it has more limbs. */
static int divide(uint64_t *number, int n, const divisor *d, uint64_t *quotient, int limbs)
{
    for (int k = 0; k < d->shift; k++)
        if (number[k / 64] >> (k % 64) & 1)
            return 0;
    shift_down(number, n, d->shift);
    for (int i = 0; i < limbs; i++) {
        quotient[i] = number[i] * d->inverse;
        subtract_product(number + i, n - i, &quotient[i], 1, d->limb, d->limbs);
    }
    uint64_t rest = 0;
    for (int i = 0; i < n; i++)
        rest |= number[i];
    return rest == 0;
}

/* ---- One row ---- */

INLINE const uint64_t *entry_of(const wide_description *d, int64_t ray, int column)
{
    return d->ray + (ray * d->columns + column) * d->limbs;
}

static int8_t evaluate(const wide_description *d, int row, int64_t ray, uint64_t *value)
{
    const int n = VALUE_LIMBS(d->limbs);
    memset(value, 0, sizeof *value * (size_t)n);
    for (int i = 0; i < d->columns; i++) {
        const int sign = d->row_sign[row * d->columns + i] * d->sign[ray * d->columns + i];
        const uint64_t *factor = d->row + (row * d->columns + i) * ROW_LIMBS;
        if (sign > 0)
            add_product(value, n, factor, ROW_LIMBS, entry_of(d, ray, i), d->limbs);
        else if (sign < 0)
            subtract_product(value, n, factor, ROW_LIMBS, entry_of(d, ray, i), d->limbs);
    }
    return take_sign(value, n);
}

/* The ray between p, above the row, and q, below it, comes behind the others; 0 where its entries are no minors. */
static int add_between(wide_description *d, int64_t p, int64_t q)
{
    const int values = VALUE_LIMBS(d->limbs), n = PRODUCT_LIMBS(d->limbs);
    const uint64_t *one = d->tight + p * d->words, *other = d->tight + q * d->words;
    int i = 0;
    while (i < d->rows && !((one[i >> 6] & ~other[i >> 6]) >> (i & 63) & 1))
        i++;
    uint64_t number[2 * MOST_LIMBS + ROW_LIMBS + 2];
    if (i == d->rows || evaluate(d, i, q, number) <= 0)
        return 0;
    const divisor divides = make_divisor(number, values);
    for (int j = 0; j < d->columns; j++) {
        memset(number, 0, sizeof *number * (size_t)n);
        const int64_t from[2] = {q, p};
        const uint64_t *factor[2] = {d->value + p * values, d->value + q * values};
        for (int k = 0; k < 2; k++) {
            const int sign = d->sign[from[k] * d->columns + j];
            if (sign > 0)
                add_product(number, n, factor[k], values, entry_of(d, from[k], j), d->limbs);
            else if (sign < 0)
                subtract_product(number, n, factor[k], values, entry_of(d, from[k], j), d->limbs);
        }
        d->sign[d->rays * d->columns + j] = take_sign(number, n);
        if (!divide(number, n, &divides, d->ray + (d->rays * d->columns + j) * d->limbs, d->limbs))
            return 0;
    }
    return 1;
}

/* Whether rays p and q are adjacent; `common` becomes the rows that are tight on both. */
INLINE int adjacent(const wide_description *d, int64_t p, int64_t q, int64_t rays, uint64_t *common)
{
    int count = 0;
    for (int w = 0; w < d->words; w++) {
        common[w] = d->tight[p * d->words + w] & d->tight[q * d->words + w];
        count += __builtin_popcountll(common[w]);
    }
    if (count < d->columns - 2)
        return 0;
    for (int64_t r = 0; r < rays; r++) {
        uint64_t missing = 0;
        for (int w = 0; w < d->words; w++)
            missing |= common[w] & ~d->tight[r * d->words + w];
        if (!missing && r != p && r != q)
            return 0;
    }
    return 1;
}

static void drop_below(wide_description *d, int row)
{
    const size_t entries = (size_t)d->columns, limbs = entries * (size_t)d->limbs, words = (size_t)d->words;
    int64_t kept = 0;
    for (int64_t r = 0; r < d->rays; r++) {
        if (d->side[r] < 0)
            continue;
        memmove(d->ray + (size_t)kept * limbs, d->ray + (size_t)r * limbs, limbs * sizeof *d->ray);
        memmove(d->sign + (size_t)kept * entries, d->sign + (size_t)r * entries, entries);
        memmove(d->tight + (size_t)kept * words, d->tight + (size_t)r * words, words * sizeof *d->tight);
        if (d->side[r] == 0)
            d->tight[kept * d->words + (row >> 6)] |= (uint64_t)1 << (row & 63);
        kept++;
    }
    d->rays = kept;
}

CLONED static enum kernel_status insert(wide_description *d, int row)
{
    const int64_t rays = d->rays;
    int64_t above = 0, below = 0;
    uint64_t common[d->words];
    for (int64_t r = 0; r < rays; r++) {
        d->side[r] = evaluate(d, row, r, d->value + r * VALUE_LIMBS(d->limbs));
        if (d->side[r] > 0)
            d->order[above++] = r;
        else if (d->side[r] < 0)
            d->order[rays - 1 - below++] = r;
    }
    for (int64_t i = 0; i < above; i++)
        for (int64_t j = 0; j < below; j++) {
            const int64_t p = d->order[i], q = d->order[rays - 1 - j];
            if (!adjacent(d, p, q, rays, common))
                continue;
            if (make_room(d, d->rays + 1))
                return OUT_OF_MEMORY;
            if (!add_between(d, p, q))
                return UNCERTAIN;
            memcpy(d->tight + d->rays * d->words, common, sizeof common);
            d->side[d->rays++] = 0;
        }
    drop_below(d, row);
    return DONE;
}

enum kernel_status wide_description_run(wide_description *d)
{
    for (int i = d->columns; i < d->rows; i++) {
        const enum kernel_status status = insert(d, i);
        if (status != DONE)
            return status;
    }
    return DONE;
}
