/* Local search on the rays of an arrangement for few active rows.

   A ray is tight on N - 1 independent rows; those can all be made negative by a small move, so it stands for a cell
   whose active rows are the ones positive on it. A step leaves one tight row: the other N - 2 span a pencil, a plane
   of directions, and the rays of the pencil are met in the order of their angle, one row changing sign at each. So
   one sort gives the number of active rows of every ray of the pencil. Steps that improve are taken at once;
   otherwise the best one that no recent step forbids. Side rows enter negated and with a weight above all rows
   together: a ray is admissible iff its weight is below theirs. */
#ifndef POLYINJ_LOCAL_SEARCH_H
#define POLYINJ_LOCAL_SEARCH_H

#include "portable.h"
#include "status.h"

typedef struct {
    int dimension, columns, width;
    const double *vector;  /* columns x dimension, unit rows, side rows negated; borrowed */
    const int32_t *weight; /* per column */
    double *cell;          /* dimension x width: column c is the sum of cell[i][c] times row basis[i] */
    double *inverse;       /* of the rows in the basis */
    double *orthonormal;   /* work space of the start: too large for the stack beyond some hundred dimensions */
    int32_t *basis, *place;
    int top;       /* the ray: all rows of the basis but this one are tight, */
    double sign;   /* and this one has this sign */
    int64_t *tabu; /* per column: the step before which it may not become tight again */
    uint64_t *key; /* work space of the sort */
    uint64_t random;
    int64_t step, restarted, improved;
    int since_refactor, starts;
    int count, start_best, best_count;
    double *direction, *best_direction;
} local_search;

/* 0, or -1 when memory is short or the rows do not span. */
int local_search_open(local_search *w, int dimension, int columns, const double *vector, const int32_t *weight,
                      uint64_t seed);
void local_search_close(local_search *w);

/* Step on: WITNESS as soon as best_count <= target, RUNNING after max_steps, STUCK where the rows do not span. */
enum kernel_status local_search_run(local_search *w, int64_t max_steps, int target);

#endif
