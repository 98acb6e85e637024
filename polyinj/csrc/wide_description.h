/* The extreme rays of a pointed cone {x : rows x >= 0} in integers of many limbs: rows of doubles, read exactly.
 *
 * As in double_description.h, from the rays of the first `columns` rows on. These are columns of an adjugate: their
 * entries are minors. So are those of each new ray between p and q, (a.p) q - (a.q) p, after a division by i.q, for a
 * row i that is tight on p and not on q, where no ray is tight at more than columns - 1 rows. That division has no
 * rest, or the conversion ends as UNCERTAIN; any ray that it leaves is one, since the divisor is positive.
 */
#ifndef POLYINJ_WIDE_DESCRIPTION_H
#define POLYINJ_WIDE_DESCRIPTION_H

#include <stdint.h>

#include "status.h"

/* Limbs of 64 bits: of an entry of a row, and at most of a ray. */
enum { ROW_LIMBS = 3, MOST_LIMBS = 24 };

typedef struct {
    int columns, rows, words, limbs;
    const uint64_t *row;    /* rows x columns x ROW_LIMBS, magnitudes */
    const int8_t *row_sign; /* rows x columns: -1, 0 or 1 */
    int64_t rays, room;
    uint64_t *ray;   /* rays x columns x limbs */
    int8_t *sign;    /* rays x columns */
    uint64_t *tight; /* rays x words: the rows that are 0 on each, by bits */
    uint64_t *value; /* rays x (limbs + ROW_LIMBS + 1): of a row at the rays */
    int8_t *side;    /* and its signs */
    int64_t *order;
} wide_description;

/* limbs: room for every minor of the rows. ray, sign: of the cone of the first `columns` rows, ray i tight at all of
   these but i. 0, or -1 when memory is short. */
int wide_description_open(wide_description *d, int rows, int columns, int limbs, const uint64_t *row,
                          const int8_t *row_sign, const uint64_t *ray, const int8_t *sign);
void wide_description_close(wide_description *d);

/* DONE, OUT_OF_MEMORY, or UNCERTAIN. */
enum kernel_status wide_description_run(wide_description *d);

#endif
