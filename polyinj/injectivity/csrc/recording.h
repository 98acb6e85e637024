/* A proof as it is made: the flat preorder code of the proof format (certificates/opcodes.py), one tree for each
   rotation of the blocks. */
#ifndef POLYINJ_RECORDING_H
#define POLYINJ_RECORDING_H

#include <stdint.h>

/* The codes of opcodes.py; behind each its argument, or a count and that many circuits. A subtree that was given away
   is left to `splice`: behind its code the number that its taker knows. */
enum {
    STEP_UNIT = 1,
    STEP_FILL = 2,
    STEP_BRANCH = 3,
    STEP_PACKING = 4,
    STEP_CONTRADICTION = 5,
    STEP_SPANNING = 6,
    STEP_GIVEN = 9
};

typedef struct {
    int32_t *code;
    int64_t length, capacity;
} recording;

/* Number the circuits that a tree names by first use, from `used` on; number[c] is that of circuit c, -1 for none yet.
   Answers how many are numbered then. */
int32_t recording_renumber(int32_t *code, int64_t length, int32_t *number, int32_t used);

/* Where the first subtree given away stands in a tree, or -1. */
int64_t recording_find_given(const int32_t *code, int64_t length);

#endif
