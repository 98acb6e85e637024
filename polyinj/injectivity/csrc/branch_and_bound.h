/* Branch and bound on the number of positive rows.

   Rows are FREE, POS or NEG. A tree refutes "some admissible z has at most bound_j positive rows among the first j
   blocks, for every j"; the cycle lemma makes one tree for each rotation of the blocks a proof that more than `budget`
   rows are positive everywhere. A node repeats, until nothing changes:

     unit      a circuit all of whose literals but one are false: the last one holds;
     conflict  a circuit without live literal, or p disjoint circuits and too little budget for p more positive rows;
     fill      exactly enough budget: every FREE row of the blocks outside those circuits is NEG;
     pack      find one more circuit among the FREE rows that no circuit of the packing uses.

   and branches: POS first, then NEG. Every circuit used is certain (circuits.h). Each step is recorded as it is made,
   so the recording is the proof.

   A spanning search refutes "at some admissible z the positive rows do not span" instead: one tree, no budgets. Let L
   be the flat of the POS rows. A circuit counts if its live rows lie outside L, and as many disjoint ones as the
   codimension of L are a conflict once every choice of one live row from each spans modulo L. Where no such circuit is
   left at codimension 1, all FREE rows outside L can be negative at once: that direction is a witness. */
#ifndef POLYINJ_BRANCH_AND_BOUND_H
#define POLYINJ_BRANCH_AND_BOUND_H

#include "circuits.h"
#include "flat.h"
#include "recording.h"
#include "status.h"
#include "tableau.h"

/* Directions remembered. */
enum { RING = 16 };

/* What is searched: arrays are borrowed, and stay where they are as long as the search does. */
typedef struct {
    int dimension;        /* N, at most MAX_DIMENSION */
    int rows, sides;      /* side rows are positive at every admissible z; more than N rows and sides together */
    const double *row;    /* (rows + sides) x N, as given; side rows last */
    double error;         /* every entry of a row differs from the true one by at most this */
    const double *vector; /* unit vectors with the same circuits */
    int budget;           /* positive rows allowed; for a spanning search that of its packing, at least `spanning` */
    int spanning;         /* 0, or the number of leading entries of a row that are its linear part */
    int blocks;
    const int32_t *block; /* per row: below `blocks`; negative: takes no part */
    int record;           /* whether to keep a proof, */
    int64_t memory_limit; /* and for that and the circuits at most so many bytes */
} search_problem;

typedef struct {
    int stage;        /* what to do when the search comes back to this node */
    int trail;        /* length of the trail before the decision that led here */
    int branch;       /* the row branched on */
    int32_t given;    /* the number of its negative subtree, once that is given away */
    int packed;       /* disjoint usable circuits, */
    int32_t *packing; /* budget + 2 of them at most */
} frame;

typedef struct {
    int dimension, rows, columns, words, budget, blocks, record;
    int spanning;
    int64_t memory_limit;
    const int32_t *block;
    flat flat;  /* of the POS rows, when few dimensions are left to span */
    flat probe; /* of the active rows of a direction */
    tableau table;
    circuit_pool pool;
    int64_t kept; /* circuits, when it was last looked through for those in use */

    uint64_t *prefix; /* blocks x words: rows of the first j + 1 blocks of this rotation */
    int32_t *bound;   /* positive rows that these may hold */
    uint64_t *free, *positive, *negative;
    int32_t *trail;
    int trailed;

    frame *frames;
    int32_t *packings;
    int depth; /* -1: no tree begun or the tree is done */
    int rotation;
    int last_rotation;
    recording *tree; /* one for each rotation */

    uint64_t *separated; /* a ring of positive sets of directions that the tableau found, words each */
    int64_t separations; /* how many were found */

    float *activity; /* per row: how often such directions had it positive, lately */

    int best_count;
    double *best_direction, *direction;
    int64_t nodes, solves;
} search;

/* 0, or -1: memory is short, or the vectors do not span. */
int search_open(search *s, const search_problem *problem);
void search_close(search *s);

/* Before any run: search only the subtree below these signed rows, +(i + 1) POS and -(i + 1) NEG, of one rotation. -1
   if a row is named twice. */
int search_assume(search *s, int rotation, const int32_t *literal, int count);

/* Between runs: give the largest open part of the search away, a whole rotation or the negative subtree nearest to the
   root. Its rotation and signed rows are for search_assume; `literal` has room for `rows` of them. Answers their
   number, or -1 if there is nothing to give or no memory. */
int search_give(search *s, int32_t number, int *rotation, int32_t *literal);

/* After STUCK: a circuit, signed columns as in circuits_admit, all of whose literals are false here. -1 when memory is
   short. */
int search_admit(search *s, const int32_t *column, int size);

/* Go on for at most max_nodes nodes. DONE: proved. WITNESS: best_direction is one, as far as doubles can tell; where it
   is none, run on. UNCERTAIN: settle pool.pending, then run on. STUCK: every row is decided, or no basis is well enough
   conditioned, and doubles do not say more. */
enum kernel_status search_run(search *s, int64_t max_nodes);

#endif
