/* One dense simplex tableau that finds circuits, warm through a whole search.

   Gordan: the vectors v_c admit no z with v_c.z < 0 for all c exactly when 0 is a convex combination of them. A
   column of the tableau is (sign_c v_c ; 1), the right-hand side is (0, .., 0, 1): a feasible basis of allowed
   columns IS a circuit with its multipliers, and it says that no z makes all its signed vectors negative.

   Invariants between calls: the multipliers of the basis are nonnegative (up to rounding), and every nonbasic column
   carries its wanted sign. A basic column with the wrong sign is treated as barred and turned as soon as it leaves.
   No other handling is needed: where the optimum keeps it, the dual direction z has sign_c v_c.z > 0, and that is the
   inequality which the wanted sign asks for.

   Nothing here is proved: single precision finds circuits, circuits.c certifies them. */
#ifndef POLYINJ_TABLEAU_H
#define POLYINJ_TABLEAU_H

#include "portable.h"

enum { MAX_DIMENSION = 60 };

/* What a column may do in the next solve: nothing, be used freely, be used but spared. */
enum { BARRED, FIXED, LIVE };

enum solve_result { CIRCUIT, SEPARATED, STALLED };

typedef struct {
    int dimension;        /* N; N + 1 rows, then the row of reduced costs */
    int columns;          /* number of vectors */
    int width;            /* columns padded to whole cache lines */
    int height;           /* N + 2 padded likewise */
    const double *vector; /* columns x dimension, unit rows; borrowed */
    double *transposed;   /* dimension x width, the same numbers */
    float *cell;          /* (N + 2) x width, then zero rows to a multiple of four and more */
    float *beta;          /* height: multipliers of the basis; last the negative objective */
    uint32_t *mask;       /* per column: all ones where it may enter, else 0 */
    uint32_t *may_swap;   /* per column: all ones where it is FIXED */
    int32_t *basis;       /* row -> column */
    int32_t *place;       /* column -> row, -1 if nonbasic */
    float *sign;          /* sign that the column carries, +1 or -1 */
    float *wanted;        /* sign that it should carry */
    uint8_t *role;        /* BARRED, FIXED or LIVE; the caller sets it before a solve */
    int minimise_live;    /* look for circuits of least weight on LIVE columns, not only for swaps that spare some */
    double *inverse;      /* (N + 1) x 2 (N + 1), work space of the refactorisation */
    int age;              /* pivots since the last refactorisation */
    int64_t pivots;
} tableau;

/* 0, or -1 when memory is short. */
int tableau_open(tableau *t, int dimension, int columns, const double *vector);
void tableau_close(tableau *t);

/* Choose a first basis; -1 if the vectors do not span or there are no more than N of them. */
int tableau_start(tableau *t);

/* Recompute every cell from the basis in double precision. A basic column whose multiplier came out negative is
   turned, which makes it positive. -1 if the basis is numerically singular. */
int tableau_refactor(tableau *t);

/* Ask for the sign of a column. */
void tableau_want(tableau *t, int column, float sign);

/* CIRCUIT: the basis holds no barred column but at multiplier zero, and no FIXED column can take the place of a
   LIVE one.
   SEPARATED: a direction makes every allowed column negative; read it by the two functions below.
   STALLED: neither within pivot_limit pivots. */
enum solve_result tableau_solve(tableau *t, int pivot_limit);

/* After SEPARATED: bit c of bits is set iff v_c.z > 0, as far as single precision can tell. */
void tableau_active(const tableau *t, uint64_t *bits, int words);

/* After SEPARATED: z itself, recomputed in double precision; -1 if the basis is numerically singular. */
int tableau_direction(tableau *t, double *z);

#endif
