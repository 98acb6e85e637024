/* One turn of a half-plane about the vectors of a plane: the fewest that are on its side.
 *
 * Lines through 0 are sorted by a pseudo-angle in integers; the half-plane passes them one by one, and between two of
 * them the count is certain. Lines too near for that are compared exactly where the entries allow: without any error
 * by products in two parts, or because their cross product is a multiple of a known unit, so that a small one is 0.
 * Where neither settles it, a bound counts: no vector of such a group is on the side.
 */
#ifndef POLYINJ_TURN_H
#define POLYINJ_TURN_H

#include "pencil.h"

/* Angles are kept in 44 bits of a key, the number of the vector and its side in 20. */
enum { LARGEST_COUNT = 1 << 19 };

typedef struct {
    const double *x, *y; /* vectors of the plane; there is room up to a multiple of LANES */
    int count;
    const int *tight; /* the numbers of those that are 0 by choice: */
    int tights;
    double size, error;       /* no entry is larger, none is further from the truth */
    double unit;              /* entries and cross products are multiples of this; 0 where none is known */
    const int32_t *up, *down; /* what a vector weighs on the side, and what its negative does */
} plane;

typedef struct {
    uint64_t *key, *spare; /* of the lines, in order; room for as many */
    uint8_t *same;         /* whether a line is that of the one before it */
    int32_t *hidden;       /* other vectors that are 0, or so near that their angle is unknown */
    int32_t *head;         /* of the buckets of the sort */
} turn_buffers;

typedef struct {
    int lines, hidden;
    int doubtful;  /* a hidden vector may be different from 0 */
    int spans;     /* two lines are different for certain */
    int64_t least; /* the least count for certain, between the vectors of `between`, if it is below what was known */
    int64_t bound; /* no count is lower than this or `least` */
    int between[2];
} turn;

/* 0, or -1 when memory is short. */
int turn_buffers_open(turn_buffers *b, int count);
void turn_buffers_close(turn_buffers *b);

/* Counts of `known` or more are of no interest: no `least` above it, and `bound` is at most that. */
turn turn_around(const plane *p, turn_buffers *b, int64_t known);

#endif
