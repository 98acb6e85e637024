/* Is there a point of a box at which signed rows are positive? A dual simplex in doubles for the widest margin.
 *
 *     maximise t <= 1   over x and t   with   s_i (w_i.x + b_i) >= v_i t,   x_j >= low_j + h_j t,   x_j <= high_j - h_j t
 *
 * From the first step on the multipliers are those of a bound of t. Where that is below 0 the rows among them have no
 * point in the box, and a bound that counts every rounding says so for certain: the sum of multipliers times rows is
 * negative in all of the box.
 */
#ifndef POLYINJ_MARGIN_H
#define POLYINJ_MARGIN_H

#include "portable.h"

enum margin_answer { MARGIN_WIDE, MARGIN_NONE, MARGIN_OPEN };

typedef struct {
    int inputs, rows;
    const double *row;        /* rows x (inputs + 1): w_i, then b_i; borrowed */
    const double *low, *high; /* the box, rounded outwards; borrowed */
    double error;             /* bounds the rounding of a product with a row, as a share of the sum of sizes */
    double *share;            /* v_i, set by the caller for the rows it asks about */
    double *inverse;          /* (inputs + 1)^2: of the matrix of tight constraints, column by column */
    double *multiplier, *along, *point, *combined;
    int *tight; /* constraint in each place: row i; rows + j: low; rows + inputs + j: high; rows + 2 inputs: t <= 1 */
    int64_t pivots;
} margin;

int margin_open(margin *m, int inputs, int rows, const double *row, const double *low, const double *high,
                double error);
void margin_close(margin *m);

/* count rows of `asked`, with the sign of each row in `sign`. MARGIN_WIDE: their values are positive at m->point, as far
   as floating point can tell. MARGIN_NONE: surely no point of the box has these signs at the rows named in `used`, whose
   number *uses says. MARGIN_OPEN: floating point cannot tell. */
enum margin_answer margin_ask(margin *m, const int *asked, int count, const signed char *sign, int *used, int *uses);

#endif
