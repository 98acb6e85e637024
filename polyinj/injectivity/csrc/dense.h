/* Small dense matrices in double precision. */
#ifndef POLYINJ_DENSE_H
#define POLYINJ_DENSE_H

#include "portable.h"

/* Row length of a matrix of this order: whole cache lines of doubles. */
INLINE int dense_stride(int order)
{
    return (order + 7) & ~7;
}

/* Overwrite a (order x order, row length dense_stride(order), padding zero) by an approximate inverse: Gauss-Jordan
   with row exchanges. -1 if a pivot is at most 1e-13 in size. order <= 64. */
int dense_invert(double *a, int order);

#endif
