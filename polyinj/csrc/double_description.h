/* The extreme rays of a cone {x : rows x >= 0} in integers of 64 bits: rows are added one after the other.
 *
 * At first the cone is the whole space, all lines. A row that is not 0 on some line turns this line into a ray; with it
 * the other lines and rays are moved to where the row is 0. A row that is 0 on all lines keeps the rays r where it is
 * not negative; each adjacent pair p, q with a.p > 0 > a.q leaves the new ray (a.p) q - (a.q) p. Two rays are adjacent
 * iff no third one is tight at all rows where both are; then these have at least rank - 2.
 *
 * Sums are formed in 128 bits and divided by their common divisor; where the result has more than 62 bits the
 * conversion ends as UNCERTAIN.
 */
#ifndef POLYINJ_DOUBLE_DESCRIPTION_H
#define POLYINJ_DOUBLE_DESCRIPTION_H

#include <stdint.h>

#include "status.h"

typedef struct {
    int columns, rows, words;
    int lines;     /* how many are left, in `line` */
    int64_t *line; /* lines x columns */
    int64_t rays, room;
    int64_t *ray;    /* rays x columns, coprime */
    uint64_t *tight; /* rays x words: the rows that are 0 on each, by bits */
    int64_t *value;  /* of a row at the rays */
    int64_t *order;  /* the rays where it is positive, and from the other end those where it is negative */
} double_description;

/* 0, or -1 when memory is short. */
int double_description_open(double_description *d, int rows, int columns);
void double_description_close(double_description *d);

/* All rows, in the order that they come: DONE, UNCERTAIN or OUT_OF_MEMORY. */
enum kernel_status double_description_run(double_description *d, const int64_t *row);

/* 1 for each row that is a facet: no other that is not 0 on all rays has all of its rays; of rows with the same rays the
   last. -1 for a row that is 0 on all, else 0. */
void double_description_facets(const double_description *d, int8_t *facet);

#endif
