/* Rays of a cone that is cut by hyperplanes: a new ray on the edge between two old ones, and sets of rows as bits. */
#ifndef POLYINJ_SPLIT_H
#define POLYINJ_SPLIT_H

#include "pencil.h"

/* values[j] of row j on a ray, no further than error from the truth; size is the largest. */
typedef struct {
    double size, error;
} ray_bounds;

/* target = b + share (a - b); the largest magnitudes in target and in a - b. width is a multiple of LANES. */
CLONED static void combine(double *restrict target, const double *restrict a, const double *restrict b, double share,
                           int64_t width, double *size, double *difference)
{
    double lane[LANES] = {0}, gap[LANES] = {0};
    for (int64_t j = 0; j < width; j += LANES)
        for (int k = 0; k < LANES; k++) {
            double d = a[j + k] - b[j + k], v = b[j + k] + share * d, s = fabs(v), g = fabs(d);
            target[j + k] = v;
            lane[k] = s > lane[k] ? s : lane[k];
            gap[k] = g > gap[k] ? g : gap[k];
        }
    *size = *difference = 0;
    for (int k = 0; k < LANES; k++) {
        *size = lane[k] > *size ? lane[k] : *size;
        *difference = gap[k] > *difference ? gap[k] : *difference;
    }
}

/* Bits of the rows with value > error and < -error; words 64-row blocks, the last one may be shorter. */
CLONED static void sign_bits(const double *restrict values, int64_t rows, double error, uint64_t *restrict positive,
                             uint64_t *restrict negative)
{
    for (int64_t base = 0, w = 0; base < rows; base += 64, w++) {
        int64_t top = rows - base < 64 ? rows - base : 64;
        uint64_t up = 0, down = 0;
        for (int64_t j = 0; j < top; j++) {
            up |= (uint64_t)(values[base + j] > error) << j;
            down |= (uint64_t)(values[base + j] < -error) << j;
        }
        positive[w] = up;
        negative[w] = down;
    }
}

/* The ray between a and b, of which row t is positive on a and negative on b (both certain).
 *
 * The true share is |b_t| / (|a_t| + |b_t|); an error of E in a_t and b_t moves it by at most 2 E / (their sum - 2 E).
 */
static ray_bounds split_edge(double *target, const double *a, const double *b, ray_bounds of_a, ray_bounds of_b,
                             int64_t t, int64_t width)
{
    double sum = a[t] - b[t], errors = of_a.error + of_b.error, difference;
    assert(0 <= t && t < width && a[t] > of_a.error && b[t] < -of_b.error);
    double slip = SLACK * (errors / (sum - errors) + 4 * ROUNDOFF);
    ray_bounds result;
    combine(target, a, b, -b[t] / sum, width, &result.size, &difference);
    result.error = SLACK * ((of_a.error > of_b.error ? of_a.error : of_b.error) + slip * (difference + errors) +
                            3 * ROUNDOFF * (of_a.size + of_b.size)) +
                   TINY;
    return result;
}

static inline int64_t count_bits(const uint64_t *set, int64_t words)
{
    int64_t count = 0;
    for (int64_t w = 0; w < words; w++)
        count += __builtin_popcountll(set[w]);
    return count;
}

/* tally[j] += 1 for every row j of the set. */
CLONED static void tally_bits(int32_t *restrict tally, const uint64_t *restrict set, int64_t words)
{
    for (int64_t w = 0; w < words; w++)
        for (int64_t j = 0; j < 64; j++)
            tally[64 * w + j] += (int32_t)(set[w] >> j & 1);
}

/* Of the listed rays, those on which row t is negative and `common` rows vanish as they do on ray a. */
CLONED static int64_t adjacent_across(const int32_t *rays, int64_t count, const uint64_t *tight,
                                      const uint64_t *negative, int64_t words, int64_t a, int64_t t, int64_t common,
                                      int32_t *neighbours)
{
    int64_t found = 0;
    for (int64_t k = 0; k < count; k++) {
        int64_t b = rays[k], same = 0;
        if (!(negative[b * words + (t >> 6)] >> (t & 63) & 1))
            continue;
        for (int64_t w = 0; w < words; w++)
            same += __builtin_popcountll(tight[a * words + w] & tight[b * words + w]);
        assert(a != b && same <= common);
        if (same == common)
            neighbours[found++] = (int32_t)b;
    }
    return found;
}

static inline int contains(const uint64_t *set, const uint64_t *part, int64_t words)
{
    uint64_t missing = 0;
    for (int64_t w = 0; w < words; w++)
        missing |= part[w] & ~set[w];
    return missing == 0;
}

static inline int has_bit(const uint64_t *set, int64_t j)
{
    return (int)(set[j >> 6] >> (j & 63) & 1);
}

static inline void set_bit(uint64_t *set, int64_t j)
{
    set[j >> 6] |= (uint64_t)1 << (j & 63);
}

static inline void clear_bit(uint64_t *set, int64_t j)
{
    set[j >> 6] &= ~((uint64_t)1 << (j & 63));
}

/* Row j >= from of the set, or -1. */
static inline int64_t next_bit(const uint64_t *set, int64_t from, int64_t words)
{
    for (int64_t w = from >> 6; w < words; w++) {
        uint64_t rest = set[w];
        if (w == from >> 6)
            rest &= ~(uint64_t)0 << (from & 63);
        if (rest)
            return w * 64 + __builtin_ctzll(rest);
    }
    return -1;
}

#endif
