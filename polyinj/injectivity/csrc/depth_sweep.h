/* The depth of the origin among vectors in R^n, from all planes that n - 2 of them leave.
 *
 * A direction with the fewest vectors on its side lies in an open cell, whose rays are orthogonal to n - 1 independent
 * vectors each. The first n - 2 of these, T, leave a plane; there the other vectors are vectors of the plane, and one
 * turn of a half-plane about them, sorted by angle, meets every ray: O(m log m) for each T. A turn passes vectors whose
 * order is certain one by one. Where angles are too near to be told apart, a bound counts: no vector of such a group is
 * on the side. Only a plane whose bound is below the least count so far is left to the caller.
 */
#ifndef POLYINJ_DEPTH_SWEEP_H
#define POLYINJ_DEPTH_SWEEP_H

#include "pencil.h"
#include "portable.h"
#include "status.h"

/* Angles are kept in 44 bits of a key, the number of the vector and its side in 20. */
enum { LARGEST_RANK = 12, LARGEST_COUNT = 1 << 19 };

typedef struct {
    int rank, count;
    int64_t width, pencils;
    double *level; /* rank - 1 matrices rank x width: the vectors as columns, 0, 1, ... of T eliminated */
    bounds known[LARGEST_RANK];
    int chosen[LARGEST_RANK];
    int depth; /* how many of T are eliminated; -1 when all is walked */
    const int32_t *weight;
    uint64_t *key;
    /* The least count for certain, in the plane of `least_tight`, in the cell between two neighbours there. */
    int64_t least;
    int least_tight[LARGEST_RANK], least_between[2];
    int spans; /* a plane had two lines that are different for certain: the vectors span */
    /* Planes left open: bound, how many vectors are chosen, and which; `stride` numbers each. */
    int64_t *open, opened, room;
    int stride;
} depth_sweep;

/* vectors: count x rank, each entry at most `error` from the truth; weight: how often each stands. 0, or -1 when memory
   is short. Counts of `least` or more are of no interest. */
int depth_sweep_open(depth_sweep *s, int rank, int count, const double *vector, double error, const int32_t *weight,
                     int64_t least, int64_t room);
void depth_sweep_close(depth_sweep *s);

/* Walk on for at most max_pencils planes: DONE, RUNNING, or STUCK where more planes are left open than there is room. */
enum kernel_status depth_sweep_run(depth_sweep *s, int64_t max_pencils);

#endif
