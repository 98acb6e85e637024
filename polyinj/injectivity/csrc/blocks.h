/* Which rows stand together round the circle of the cycle lemma.

   A rotation begins with few positive rows among its first blocks. To first order the share of directions that k rows
   are all negative at grows with the sum of their inner products, so the trees are small where rows that stand close
   together look away from each other. That sum, each pair weighed less the farther apart its blocks are, falls here by
   exchanging rows until no exchange lowers it. To the inner products the caller may add what else rows have in common.
   Only the size of the trees depends on it. */
#ifndef POLYINJ_BLOCKS_H
#define POLYINJ_BLOCKS_H

#include "portable.h"

/* Rows are unit vectors, rows x dimension; `common`, rows x rows and symmetric, is added to their inner products, or
   is NULL. block[i] becomes one of 0 .. count - 1, all of equal size but for rounding; rows with block[i] < 0 take no
   part. -1 when memory is short. */
int blocks_arrange(int dimension, int rows, const double *vector, const double *common, int count, int32_t *block);

#endif
