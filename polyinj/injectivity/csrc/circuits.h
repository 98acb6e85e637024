/* The pool of circuits: each distinct one is kept once and certified once, against the original rows.

   A circuit is kept as two bit sets over the columns (rows of the system, then side rows): those that enter with sign
   +1 and those with -1. As a clause it says: at every admissible z some row of `plus` is positive or some row of
   `minus` is not (side rows are in `minus` and always positive). */
#ifndef POLYINJ_CIRCUITS_H
#define POLYINJ_CIRCUITS_H

#include "portable.h"

/* Answers beside an index, and states of an entry beside what it stands for. */
enum { NOT_A_CIRCUIT = -1, DOUBTFUL = -2, NO_MEMORY = -3, UNCHECKED = -4 };

typedef struct {
    int dimension, columns, words;
    double error;      /* every entry of a row differs from the true one by at most this */
    const double *row; /* columns x dimension, the doubles as given; borrowed */
    int64_t count, capacity;
    uint64_t *mask;    /* capacity x 2 words: plus, then minus */
    uint16_t *order;   /* capacity x (dimension + 1): columns, heaviest multiplier first, 0xFFFF past the end */
    int32_t *resolved; /* what the entry stands for: itself, another circuit, NOT_A_CIRCUIT or UNCHECKED */
    uint64_t *key;     /* a random number for each (column, sign) */
    int32_t *slot;     /* hash table of indices, -1 empty */
    int64_t slots;
    double *work;     /* basis matrix and its approximate inverse */
    int32_t asked;    /* after DOUBTFUL: the entry in question */
    int32_t *pending; /* and its columns, signed: +(c + 1) or -(c + 1) */
    int64_t certified, doubtful, bytes;
} circuit_pool;

int circuits_open(circuit_pool *p, int dimension, int columns, const double *row, double error);
void circuits_close(circuit_pool *p);

/* The entry with these dimension + 1 columns and signs, whose multipliers are about `multiplier`; nothing is
   certified yet. NOT_A_CIRCUIT if it was refuted before. */
int32_t circuits_enter(circuit_pool *p, const int32_t *column, const float *sign, const float *multiplier);

/* Certify an entry once. Answers what it stands for: itself, or the smaller circuit that it contains; NOT_A_CIRCUIT
   if surely a multiplier is not positive or the relation is not unique; DOUBTFUL if doubles cannot tell: then
   somebody must call circuits_settle for the `pending` columns and ask again. */
int32_t circuits_certify(circuit_pool *p, int32_t index);

/* The exact truth about the pending columns: the sign of each multiplier after the signs that were asked for (+1, 0,
   -1); NULL if the relation is not unique. -1 when memory is short. */
int circuits_settle(circuit_pool *p, const int8_t *truth);

/* Forget the entries i with name[i] = 0; the others, with what each of them stands for among them, move up. Then
   name[i] is the new index of entry i, or -1. Answers -1 when memory is short. */
int circuits_keep(circuit_pool *p, int32_t *name);

/* Enter a circuit that is certain already: signed columns, +(c + 1) or -(c + 1), at most dimension + 1 of them. Its
   index or NO_MEMORY. */
int32_t circuits_admit(circuit_pool *p, const int32_t *column, int size);

INLINE const uint64_t *circuit_plus(const circuit_pool *p, int32_t index)
{
    return p->mask + (int64_t)index * 2 * p->words;
}

INLINE const uint64_t *circuit_minus(const circuit_pool *p, int32_t index)
{
    return p->mask + ((int64_t)index * 2 + 1) * p->words;
}

#endif
