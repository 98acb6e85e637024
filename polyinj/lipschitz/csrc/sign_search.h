/* The signs of neurons at points of a box for which a sum of costs is least: depth first, bounded by packings of clauses.
 *
 * Each row has a sign that is wanted, or none, and what the other sign costs. A clause is a set of signed rows that no
 * point of the box has all of; whatever is wanted, it stays true, so clauses are kept from one question to the next. At
 * a node some signs are fixed:
 *
 *     rows left = fixed rows, and free rows as wanted, each with what is left of its cost
 *     while a clause is violated by rows left, or `margin_ask` finds such a one:
 *         no free row in it: no point has the fixed signs; the node is closed
 *         take the least cost left in it off all its free rows; the sum of these bounds the cost of every point
 *     a row whose cost left is more than the bound leaves open is fixed as wanted
 *     no clause was violated: the point of `margin_ask` is the best of the node
 *     else branch on the clause with the fewest free rows: one of them has the other sign, the ones before it do not
 */
#ifndef POLYINJ_SIGN_SEARCH_H
#define POLYINJ_SIGN_SEARCH_H

#include "margin.h"
#include "status.h"

typedef struct {
    int rows, words;
    margin line;
    /* The question: wanted signs (0: none), costs, the sum where nothing is lost, what a point must exceed. */
    signed char *want;
    double *cost, top, floor;
    uint64_t *clause; /* capacity x 2 words: rows asked to be positive, rows asked to be negative */
    int64_t clauses, capacity;
    /* One frame a depth, rows + 1 of them: fixed signs as a clause, the cost so far, and the rows to branch on. */
    int depth;
    uint64_t *fixed;
    double *lost;
    int *order, *branches, *taken;
    int entered;
    int closing; /* after WITNESS: the point is the best of its node */
    int64_t nodes;
    /* Work: rows left with their signs and costs, violated clauses, a clause. */
    uint64_t *left;
    signed char *sign;
    double *cost_left;
    int *asked, *used;
    int64_t *violated, *counts; /* 2 x capacity: as they come, then in order */
} sign_search;

int sign_search_open(sign_search *s, int inputs, int rows, const double *row, const double *low, const double *high,
                     double error);
void sign_search_close(sign_search *s);

/* A new question, about `want` and `cost`, set by the caller. */
void sign_search_start(sign_search *s, double top, double floor);

/* A clause that is certain: 2 words of bits. -1 when memory is short. */
int sign_search_learn(sign_search *s, const uint64_t *clause);

/* After WITNESS with `closing`: enter the node again, with a clause that it violates. */
void sign_search_retry(sign_search *s);

/* Enter at most max_nodes nodes more. DONE: no point is above the floor but those that were shown. WITNESS: the point at
   s->line.point seems to be; go on by another call. RUNNING, OUT_OF_MEMORY. */
enum kernel_status sign_search_run(sign_search *s, int64_t max_nodes);

#endif
