/* Nearest points of the cone that unit vectors generate, for many points: Lawson and Hanson's active sets (1974).
 *
 * The passive generators, those with positive multipliers, join one by one, each time the one that lies most in the
 * direction that is left; where a multiplier would become negative, the way ends at the first that reaches 0. The
 * normal equations are solved by Cholesky's factor, and corrected once by what is left at the end.
 *
 * A point stays open where that is no sure way in doubles: a generator too near to the span of others, or a multiplier
 * or an optimality condition too near to 0 to say which face it is.
 */
#ifndef POLYINJ_NEAREST_POINTS_H
#define POLYINJ_NEAREST_POINTS_H

#include <stdint.h>

typedef struct {
    int columns, count;
    int64_t width;                    /* count, up to a multiple of LANES */
    double *generator;                /* columns x width: the generators as columns */
    double *gram;                     /* count x width: their products */
    double *start;                    /* the products of the generators with the point, */
    double *product;                  /* and with what is left of it */
    double *factor;                   /* Cholesky's, columns x columns, with the inverse of the diagonal */
    double *weight, *trial, *forward; /* of the passive ones; forward: the right side, half solved */
    double *left;                     /* what is left of the point */
    int *passive;
    uint8_t *is_passive;
} nearest_points;

/* generators: count x columns, of length 1. 0, or -1 when memory is short. */
int nearest_points_open(nearest_points *s, int count, int columns, const double *generator);
void nearest_points_close(nearest_points *s);

/* How many multipliers are positive at the nearest point, -1 where that stays open; the largest product of a generator
   with what is left, at least 0, and that of the nearest point with what is left. */
int nearest_points_solve(nearest_points *s, const double *point, double *violation, double *angle);

#endif
