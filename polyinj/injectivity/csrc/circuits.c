#include "circuits.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"

/* A fixed mixing function (splitmix64), so that the same system always hashes alike. */
static uint64_t mixed(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static int64_t entry_bytes(const circuit_pool *p)
{
    return 2 * p->words * (int64_t)sizeof(uint64_t) + (p->dimension + 1) * (int64_t)sizeof(uint16_t) +
           (int64_t)sizeof(int32_t);
}

/* Grow an array; the old one stays valid on failure. */
static int grow(void **array, size_t bytes)
{
    void *larger = realloc(*array, bytes);
    if (larger == NULL)
        return -1;
    *array = larger;
    return 0;
}

static int reserve(circuit_pool *p, int64_t capacity)
{
    assert(capacity > 0 && p->count <= capacity);
    const size_t count = (size_t)capacity, words = (size_t)p->words;
    if (grow((void **)&p->mask, count * 2 * words * sizeof(uint64_t)) ||
        grow((void **)&p->order, count * ((size_t)p->dimension + 1) * sizeof(uint16_t)) ||
        grow((void **)&p->resolved, count * sizeof(int32_t)))
        return -1;
    p->capacity = capacity;
    p->bytes = capacity * entry_bytes(p) + p->slots * (int64_t)sizeof(int32_t);
    return 0;
}

static uint64_t entry_hash(const circuit_pool *p, const uint64_t *mask)
{
    uint64_t hash = 0;
    for (int w = 0; w < 2 * p->words; w++)
        hash = mixed(hash ^ mask[w]);
    return hash;
}

static int rehash(circuit_pool *p, int64_t slots)
{
    /* A power of two, at most half of which is taken. */
    assert(slots >= 2 * p->count && (slots & (slots - 1)) == 0);
    int32_t *slot = malloc((size_t)slots * sizeof(int32_t));
    if (slot == NULL)
        return -1;
    memset(slot, 0xFF, (size_t)slots * sizeof(int32_t));
    for (int32_t i = 0; i < p->count; i++) {
        uint64_t at = entry_hash(p, circuit_plus(p, i));
        while (slot[at & (uint64_t)(slots - 1)] >= 0)
            at++;
        slot[at & (uint64_t)(slots - 1)] = i;
    }
    free(p->slot);
    p->slot = slot;
    p->slots = slots;
    p->bytes = p->capacity * entry_bytes(p) + p->slots * (int64_t)sizeof(int32_t);
    return 0;
}

int circuits_open(circuit_pool *p, int dimension, int columns, const double *row, double error)
{
    assert(0 < dimension && dimension < columns && columns < 0xFFFF && error >= 0);
    memset(p, 0, sizeof *p);
    p->dimension = dimension;
    p->columns = columns;
    p->words = (columns + 63) / 64;
    p->row = row;
    p->error = error;
    const size_t order = (size_t)dimension + 1, stride = (size_t)dense_stride(dimension + 1);
    p->work = aligned_zeros(2 * order * stride, sizeof(double));
    p->pending = aligned_zeros(order, sizeof(int32_t));
    if (!p->work || !p->pending || reserve(p, 64) || rehash(p, 256))
        return -1;
    return 0;
}

void circuits_close(circuit_pool *p)
{
    free(p->mask);
    free(p->order);
    free(p->resolved);
    free(p->slot);
    free(p->work);
    free(p->pending);
    memset(p, 0, sizeof *p);
}

/* ---- Certainty ---- */

/* Is B = [sign row ; 1] (one column for each vector) surely nonsingular, and lambda = B^-1 (0, .., 0, 1) surely
   positive? Then the vectors have one relation, with these multipliers. Answers +1 surely, -1 surely not (some
   multiplier is negative), 0 in doubt.

   X is an approximate inverse, G = I - X B and r = e - B l with l = the last column of X. If |G| <= q < 1 in the
   maximum norm then B is nonsingular and |lambda - l| <= |X r| + q / (1 - q) max |X r| in each entry. The bounds of G
   and r add the rounding of their sums, (N + 3) 2^-53 times the sum of the absolute products (6e-16 (N + 3) covers
   that and the roundings of the bound itself several times over), and the error of the entries. 1e-290 stands for
   underflow. */
INLINE int certainty(circuit_pool *p, const int32_t *column, const float *sign, const int n, const int stride)
{
    const int rows = n + 1;
    double *basis = p->work, *x = p->work + rows * stride;
    double charge[stride], residual[stride], shift[stride], g[stride];
    memset(basis, 0, sizeof(double) * (size_t)(rows * stride));
    for (int j = 0; j < rows; j++) {
        const double *row = p->row + (int64_t)column[j] * n;
        for (int k = 0; k < n; k++)
            basis[k * stride + j] = (double)sign[j] * row[k];
        basis[n * stride + j] = 1;
    }
    memcpy(x, basis, sizeof(double) * (size_t)(rows * stride));
    if (dense_invert(x, rows) != 0)
        return 0;
    const double unit = 6e-16 * (n + 3);
    double total = 0;
    for (int i = 0; i < rows; i++)
        total += fabs(x[i * stride + n]);
    /* residual: |e - B l|; charge: what one unit of |X| adds to the bound of G. */
    memset(charge, 0, sizeof charge);
    memset(residual, 0, sizeof residual);
    for (int k = 0; k < rows; k++) {
        double sum = k == n ? -1 : 0, heavy = k == n, size = 0;
        for (int j = 0; j < rows; j++) {
            const double b = basis[k * stride + j], term = b * x[j * stride + n];
            size += fabs(b);
            sum += term;
            heavy += fabs(term);
        }
        residual[k] = fabs(sum) + unit * heavy + p->error * total * 1.001 + 1e-290;
        charge[k] = unit * size + p->error * (rows + 1) + 1e-290;
    }
    double worst = 0, largest = 0;
    for (int i = 0; i < rows; i++) {
        const double *left = x + i * stride;
        memset(g, 0, sizeof g);
        for (int k = 0; k < rows; k++) {
            const double factor = left[k];
            const double *right = basis + k * stride;
            for (int j = 0; j < stride; j++)
                g[j] += factor * right[j];
        }
        g[i] -= 1;
        /* Sums of absolute values in eight lanes. */
        double norms[8] = {0}, moves[8] = {0}, norm = 0, moved = 0;
        for (int j = 0; j < stride; j += 8)
            for (int lane = 0; lane < 8; lane++) {
                norms[lane] += fabs(g[j + lane]) + fabs(left[j + lane]) * charge[j + lane];
                moves[lane] += fabs(left[j + lane]) * residual[j + lane];
            }
        for (int lane = 0; lane < 8; lane++) {
            norm += norms[lane];
            moved += moves[lane];
        }
        worst = norm > worst ? norm : worst;
        shift[i] = moved;
        largest = moved > largest ? moved : largest;
    }
    if (!(worst < 0.5))
        return 0;
    int certain = 1;
    for (int i = 0; i < rows; i++) {
        const double bound = 1.001 * (shift[i] + 2 * worst * largest);
        const double multiplier = x[i * stride + n];
        if (multiplier < -bound)
            return -1;
        if (!(multiplier > bound))
            certain = 0;
    }
    return certain;
}

#define CERTAINTY(name, n, stride)                                                                                     \
    CLONED static int name(circuit_pool *p, const int32_t *column, const float *sign)                                  \
    {                                                                                                                  \
        return certainty(p, column, sign, n, stride);                                                                  \
    }
CERTAINTY(certainty_8, p->dimension, 8)
CERTAINTY(certainty_16, p->dimension, 16)
CERTAINTY(certainty_24, p->dimension, 24)
CERTAINTY(certainty_any, p->dimension, dense_stride(p->dimension + 1))

static int certainty_of(circuit_pool *p, const int32_t *column, const float *sign)
{
    switch (dense_stride(p->dimension + 1)) {
    case 8: return certainty_8(p, column, sign);
    case 16: return certainty_16(p, column, sign);
    case 24: return certainty_24(p, column, sign);
    default: return certainty_any(p, column, sign);
    }
}

/* ---- Entries ---- */

/* The slot of the entry with this mask, or of the gap where it belongs. */
static int64_t find(const circuit_pool *p, const uint64_t *mask)
{
    const uint64_t last = (uint64_t)p->slots - 1;
    uint64_t at = entry_hash(p, mask) & last;
    while (p->slot[at] >= 0 && memcmp(circuit_plus(p, p->slot[at]), mask, sizeof(uint64_t) * 2 * (size_t)p->words) != 0)
        at = (at + 1) & last;
    return (int64_t)at;
}

static int32_t append(circuit_pool *p, const uint64_t *mask, const uint16_t *order)
{
    if (p->count == p->capacity && reserve(p, p->capacity + p->capacity / 2))
        return NO_MEMORY;
    if (2 * (p->count + 1) > p->slots && rehash(p, 2 * p->slots))
        return NO_MEMORY;
    assert(p->count < p->capacity && p->count < INT32_MAX);
    const int32_t index = (int32_t)p->count;
    assert(p->slot[find(p, mask)] < 0);
    p->slot[find(p, mask)] = index;
    p->count++;
    memcpy(p->mask + (int64_t)index * 2 * p->words, mask, sizeof(uint64_t) * 2 * (size_t)p->words);
    memcpy(p->order + (int64_t)index * (p->dimension + 1), order, sizeof(uint16_t) * (size_t)(p->dimension + 1));
    p->resolved[index] = UNCHECKED;
    return index;
}

static void set(uint64_t *mask, int words, int column, int positive)
{
    assert(0 <= column && column < 64 * words);
    mask[(positive ? 0 : words) + (column >> 6)] |= (uint64_t)1 << (column & 63);
}

/* Columns are distinct, and none has both signs. */
static int is_sized(const circuit_pool *p, const uint64_t *mask, int size)
{
    int count = 0, both = 0;
    for (int w = 0; w < p->words; w++) {
        count += __builtin_popcountll(mask[w]) + __builtin_popcountll(mask[p->words + w]);
        both |= (mask[w] & mask[p->words + w]) != 0;
    }
    return count == size && !both;
}

int32_t circuits_enter(circuit_pool *p, const int32_t *column, const float *sign, const float *multiplier)
{
    const int rows = p->dimension + 1;
    uint64_t mask[2 * p->words];
    memset(mask, 0, sizeof mask);
    for (int i = 0; i < rows; i++) {
        assert(column[i] < p->columns && fabsf(sign[i]) == 1.0f);
        set(mask, p->words, column[i], sign[i] > 0);
    }
    assert(is_sized(p, mask, rows));
    const int32_t known = p->slot[find(p, mask)];
    if (known >= 0)
        return p->resolved[known] == UNCHECKED ? known : p->resolved[known];

    /* Insertion sort: heaviest first. */
    uint16_t order[rows];
    float weight[rows];
    for (int i = 0; i < rows; i++) {
        int at = i;
        for (; at > 0 && weight[at - 1] < multiplier[i]; at--) {
            weight[at] = weight[at - 1];
            order[at] = order[at - 1];
        }
        weight[at] = multiplier[i];
        order[at] = (uint16_t)column[i];
    }
    return append(p, mask, order);
}

int32_t circuits_certify(circuit_pool *p, int32_t index)
{
    assert(0 <= index && index < p->count);
    if (p->resolved[index] != UNCHECKED) {
        assert(p->resolved[index] == NOT_A_CIRCUIT || p->resolved[p->resolved[index]] == p->resolved[index]);
        return p->resolved[index];
    }
    const int rows = p->dimension + 1;
    const uint16_t *order = p->order + (int64_t)index * rows;
    const uint64_t *plus = circuit_plus(p, index);
    int32_t column[rows];
    float sign[rows];
    for (int i = 0; i < rows; i++) {
        assert(order[i] < p->columns);
        column[i] = order[i];
        sign[i] = plus[order[i] >> 6] >> (order[i] & 63) & 1 ? 1.0f : -1.0f;
    }
    const int certain = certainty_of(p, column, sign);
    if (certain == 0) {
        p->doubtful++;
        p->asked = index;
        for (int i = 0; i < rows; i++)
            p->pending[i] = sign[i] > 0 ? column[i] + 1 : -column[i] - 1;
        return DOUBTFUL;
    }
    p->certified += certain > 0;
    return p->resolved[index] = certain > 0 ? index : NOT_A_CIRCUIT;
}

int circuits_settle(circuit_pool *p, const int8_t *truth)
{
    const int rows = p->dimension + 1;
    uint64_t exact[2 * p->words];
    uint16_t reduced[rows];
    memset(exact, 0, sizeof exact);
    memset(reduced, 0xFF, sizeof reduced);
    int valid = truth != NULL, size = 0;
    assert(0 <= p->asked && p->asked < p->count && p->resolved[p->asked] == UNCHECKED);
    for (int i = 0; i < rows && valid; i++) {
        const int column = abs(p->pending[i]) - 1;
        assert(-1 <= truth[i] && truth[i] <= 1 && 0 <= column && column < p->columns);
        if (truth[i] < 0) {
            valid = 0;
        } else if (truth[i] > 0) {
            set(exact, p->words, column, p->pending[i] > 0);
            reduced[size++] = (uint16_t)column;
        }
    }
    int32_t meaning = valid ? p->asked : NOT_A_CIRCUIT;
    if (valid && size < rows) {
        meaning = p->slot[find(p, exact)];
        if (meaning < 0 && (meaning = append(p, exact, reduced)) < 0)
            return -1;
        p->resolved[meaning] = meaning;
    }
    p->resolved[p->asked] = meaning;
    return 0;
}

int circuits_keep(circuit_pool *p, int32_t *name)
{
    const size_t mask = 2 * (size_t)p->words, rows = (size_t)p->dimension + 1;
    int32_t kept = 0;
    for (int64_t i = 0; i < p->count; i++) {
        if (!name[i])
            continue;
        assert(p->resolved[i] < 0 || name[p->resolved[i]]);
        memmove(p->mask + (size_t)kept * mask, p->mask + (size_t)i * mask, mask * sizeof(uint64_t));
        memmove(p->order + (size_t)kept * rows, p->order + (size_t)i * rows, rows * sizeof(uint16_t));
        p->resolved[kept] = p->resolved[i];
        name[i] = ++kept;
    }
    for (int32_t i = 0; i < kept; i++)
        if (p->resolved[i] >= 0)
            p->resolved[i] = name[p->resolved[i]] - 1;
    for (int64_t i = 0; i < p->count; i++)
        name[i]--;
    p->count = kept;
    int64_t slots = 256;
    while (slots < 4 * (int64_t)kept)
        slots *= 2;
    return reserve(p, kept + kept / 2 + 64) || rehash(p, slots) ? -1 : 0;
}

int32_t circuits_admit(circuit_pool *p, const int32_t *column, int size)
{
    const int rows = p->dimension + 1;
    uint64_t mask[2 * p->words];
    uint16_t order[rows];
    memset(mask, 0, sizeof mask);
    memset(order, 0xFF, sizeof order);
    assert(0 < size && size <= rows);
    for (int i = 0; i < size; i++) {
        assert(abs(column[i]) <= p->columns);
        set(mask, p->words, abs(column[i]) - 1, column[i] > 0);
        order[i] = (uint16_t)(abs(column[i]) - 1);
    }
    assert(is_sized(p, mask, size));
    int32_t index = p->slot[find(p, mask)];
    if (index < 0 && (index = append(p, mask, order)) < 0)
        return NO_MEMORY;
    p->certified += p->resolved[index] != index;
    p->doubtful += size < rows;
    return p->resolved[index] = index;
}
