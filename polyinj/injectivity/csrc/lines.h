/* Vectors as the sweep of planes takes them: scaled, and those of integers as lines with a weight for either side. */
#ifndef POLYINJ_LINES_H
#define POLYINJ_LINES_H

#include <stdint.h>

/* Scale each vector of a count x rank matrix by a power of two to largest entry in [1/2, 1]; the error that entries
   have then. */
double lines_scale(int rank, int count, double *vector, double error);

/* Replace scaled vectors by coprime integers below 2^21 on the same rays, if there are such: 1, else 0 (and vectors
   are as they were). */
int lines_make_whole(int rank, int count, double *vector);

/* Merge whole vectors on one line, with its first entry other than 0 positive: how many lines there are; 0 when memory
   is short. first: a number of each vector, then that of one on each line; up: the weight of each vector, then of those
   on a line that keep their direction; down: of those that are turned. */
int lines_merge(int rank, int count, double *vector, int32_t *first, int32_t *up, int32_t *down);

#endif
