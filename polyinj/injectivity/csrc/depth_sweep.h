/* The depth of the origin among vectors in R^n, from all planes that n - 2 of them leave.
 *
 * A direction with the fewest vectors on its side lies in an open cell, whose rays are orthogonal to n - 1 independent
 * vectors each. The first n - 2 of these, T, leave a plane; there the other vectors are vectors of the plane, and one
 * turn of a half-plane about them (turn.h) meets every ray: O(m log m) for each T. Only a plane whose bound is below
 * the least count so far is left to the caller.
 *
 * Vectors of integers are treated exactly. Those on one line become one, with a weight for either side. What is left of
 * them after elimination are quotients of their minors by the determinant of T: a multiple of its inverse, so that
 * small values are 0. The vectors in the span of T, where there are more than T, add their own depth, which is found
 * likewise, in n - 2 dimensions. Of all T that span the same only the first is visited.
 */
#ifndef POLYINJ_DEPTH_SWEEP_H
#define POLYINJ_DEPTH_SWEEP_H

#include "pencil.h"
#include "portable.h"
#include "status.h"
#include "turn.h"

enum { LARGEST_RANK = 12 };

/* What is known of the vectors after some of T are eliminated. */
typedef struct {
    bounds known;
    double determinant;    /* of T is at most this, where the vectors are whole */
    int row[LARGEST_RANK]; /* the entry of the vectors that each row was */
} elimination;

typedef struct depth_sweep depth_sweep;
struct depth_sweep {
    int rank, count, zeros; /* zero vectors are left out of the count */
    int whole;              /* the vectors are integers */
    int64_t width, pencils;
    double *level; /* rank - 1 matrices rank x width: vectors as columns, then e_1 .. e_n; 0, 1, ... of T eliminated */
    elimination state[LARGEST_RANK];
    int chosen[LARGEST_RANK];
    int depth;                  /* how many of T are eliminated; -1 when all is walked */
    int32_t *first, *up, *down; /* of each line: an original vector on it, and the weights of its two sides */
    turn_buffers buffers;
    double *value;      /* of the vectors at a direction */
    depth_sweep *inner; /* for what lies in the span of T */
    /* The least count for certain, in the plane of `least_tight`, in the cell between two neighbours there. */
    int64_t least;
    int least_tight[LARGEST_RANK], least_between[2];
    int spans; /* a plane had two lines that are different for certain: the vectors span */
    /* Planes left open: bound, how many vectors are chosen, and which; `stride` numbers each. */
    int64_t *open, opened, room;
    int stride;
};

/* vectors: count x rank, each entry at most `error` from the truth; weight: how often each stands, NULL: once; whole: whether to
   see if all are integers, up to a factor each. Counts of `least` or more are of no interest. 0, or -1 when memory is
   short. */
int depth_sweep_open(depth_sweep *s, int rank, int count, const double *vector, double error, const int32_t *weight,
                     int whole, int64_t least, int64_t room);
void depth_sweep_close(depth_sweep *s);

/* Walk on for at most max_pencils planes: DONE, RUNNING, or STUCK where more planes are left open than there is room. */
enum kernel_status depth_sweep_run(depth_sweep *s, int64_t max_pencils);

/* After DONE: a direction in the cell of the least count; 0 where doubles find none for certain. */
int depth_sweep_direction(depth_sweep *s, double *direction);

/* ---- For sweep_direction.c ---- */

/* After e of T are eliminated entries are multiples of this; 0 where that is not known. */
double unit_of(const depth_sweep *s, int e);

enum step { INDEPENDENT, DEPENDENT, OPEN };

/* Eliminate the vector chosen next after the first e of T. */
enum step eliminate_chosen(depth_sweep *s, int e);

/* The depth among T and so many hidden vectors, which lie in its span, if it is below `least`; else that. -1 where it
   stays open. In the coordinates of the pivots they are whole again. */
int64_t depth_inside(depth_sweep *s, int hidden, int64_t least);

#endif
