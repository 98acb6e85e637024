/* Numbers that are spread about evenly, sorted: into buckets by their first bits, and each bucket by comparisons. */
#ifndef POLYINJ_SORT_H
#define POLYINJ_SORT_H

#include <stdint.h>

/* How long `head` is for so many keys. */
int sort_heads(int count);

/* Sort keys of at most 2^63 plus what is below 2^20, with room for as many; 1 where the result is in `spare`. */
int sort_keys(uint64_t *key, uint64_t *spare, int32_t *head, int count);

#endif
