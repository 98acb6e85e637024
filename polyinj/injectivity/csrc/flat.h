/* The flat spanned by the positive rows, in doubles with rigorous error bounds.

   Only "outside" and "spans" are ever claimed. A row that is not surely outside counts as inside, which is safe: a
   flat that is taken too small makes fewer transversals span. */
#ifndef POLYINJ_FLAT_H
#define POLYINJ_FLAT_H

#include "portable.h"

enum { MAX_CODIMENSION = 3 };

typedef struct {
    int dimension;     /* n: length of the linear part of a row */
    int stride;        /* distance of rows in memory */
    double error;      /* of each entry */
    const double *row; /* borrowed */
    int rank, codimension;
    double *basis;   /* n orthonormal vectors up to rounding: `rank` of the flat, then a complement */
    double *lower;   /* work space: the members in coordinates of the basis, and the inverse */
    int32_t *member; /* `rank` independent positive rows */
    double leak;     /* |w (flat part)^-1 (complement part of the members)| is at most leak |w|_1 */
} flat;

int flat_open(flat *f, int dimension, int stride, const double *row, double error);
void flat_close(flat *f);

/* The span of these rows. codimension = dimension - rank; 0 if the bounds fail (then nothing may be claimed: rank =
   -1). */
void flat_span(flat *f, const int32_t *rows, int count);

/* Coordinates of a row in the complement (codimension of them) and a bound of their errors modulo the flat. */
double flat_project(const flat *f, int row, double *coordinates);

/* Surely outside? */
int flat_excludes(const flat *f, int row);

/* Does every choice of one row from each of `codimension` lists, none of them empty, surely span modulo the flat?
   codimension is 1 to 3. */
int flat_spanned(const flat *f, const int32_t *const *list, const int *length);

#endif
