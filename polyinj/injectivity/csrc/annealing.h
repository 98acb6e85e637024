/* Annealing: descent of a smoothed count of active rows on the sphere, for POINTS starts side by side.

   A row with value h = w.x costs E(h / s + margin), E(u) = u^2 / (1 + u^2) for u > 0 and 0 otherwise: the smaller the
   scale s, the nearer the sum is to the count of active rows. The scale falls in equal ratios from the first to the
   last step, so that far rows are given up one by one while the points still move freely. The margin leaves rows that
   are nearly tight in the end on the inactive side, where the force on them is not yet zero. */
#ifndef POLYINJ_ANNEALING_H
#define POLYINJ_ANNEALING_H

#include "portable.h"
#include "status.h"

enum { POINTS = 16 };

typedef struct {
    int dimension, blocks;
    float *row;      /* blocks x dimension x BLOCK: rows in groups of BLOCK, the last one filled up with zero rows */
    float *point;    /* dimension x POINTS, columns of length 1 */
    float *velocity; /* dimension x POINTS */
    float *force;    /* dimension x POINTS, work space */
    float scale, ratio, margin, rate, friction;
    int64_t step;
    int filling;           /* zero rows added, which count as active everywhere */
    int32_t count[POINTS]; /* active rows of each point at the last step, in single precision */
    int best_count;        /* fewest since the start, */
    float *best;           /* and where: dimension */
} annealing;

/* 0, or -1 when memory is short. Rows of length sqrt(dimension) make values of order 1. */
int annealing_open(annealing *d, int dimension, int rows, const float *row);
void annealing_close(annealing *d);

/* Begin at these points, dimension x POINTS, of any length but 0; scale, ratio, margin, rate and friction are set. */
void annealing_start(annealing *d, const float *point);

/* Step on: WITNESS as soon as a point with fewer active rows than any before has at most `target` of them, else RUNNING
   after max_steps. */
enum kernel_status annealing_run(annealing *d, int64_t max_steps, int target);

#endif
