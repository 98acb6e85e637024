#include "sort.h"

#include <string.h>

enum { MOST_BUCKET_BITS = 12, FEW_KEYS = 16, BUCKETS_FROM = 48 };

static void insert_keys(uint64_t *key, int count)
{
    for (int i = 1; i < count; i++) {
        const uint64_t moved = key[i];
        int j = i;
        for (; j > 0 && key[j - 1] > moved; j--)
            key[j] = key[j - 1];
        key[j] = moved;
    }
}

static void split_keys(uint64_t *key, int count)
{
    while (count > FEW_KEYS) {
        const uint64_t a = key[0], b = key[count / 2], c = key[count - 1];
        const uint64_t pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
        int i = -1, j = count;
        for (;;) {
            do
                i++;
            while (key[i] < pivot);
            do
                j--;
            while (key[j] > pivot);
            if (i >= j)
                break;
            const uint64_t kept = key[i];
            key[i] = key[j];
            key[j] = kept;
        }
        /* The smaller part by recursion, so that the stack stays flat. */
        if (j + 1 < count - j - 1) {
            split_keys(key, j + 1);
            key += j + 1;
            count -= j + 1;
        } else {
            split_keys(key + j + 1, count - j - 1);
            count = j + 1;
        }
    }
    insert_keys(key, count);
}

/* How many bits of a key choose its bucket: about one key in each. */
static int bucket_bits(int count)
{
    int bits = 0;
    while (bits < MOST_BUCKET_BITS && 2 << bits <= count)
        bits++;
    return bits;
}

int sort_heads(int count)
{
    return (1 << bucket_bits(count)) + 1;
}

int sort_keys(uint64_t *key, uint64_t *spare, int32_t *head, int count)
{
    if (count < BUCKETS_FROM) {
        split_keys(key, count);
        return 0;
    }
    /* The largest key may have a bucket of its own. */
    const int bits = bucket_bits(count), shift = 63 - bits, buckets = (1 << bits) + 1;
    memset(head, 0, sizeof(int32_t) * (size_t)buckets);
    for (int i = 0; i < count; i++)
        head[key[i] >> shift]++;
    int32_t start = 0, fullest = 0;
    for (int k = 0; k < buckets; k++) {
        const int32_t held = head[k];
        fullest = held > fullest ? held : fullest;
        head[k] = start;
        start += held;
    }
    for (int i = 0; i < count; i++)
        spare[head[key[i] >> shift]++] = key[i];
    for (int k = 0, from = 0; k < buckets && fullest > FEW_KEYS; from = head[k++])
        if (head[k] - from > FEW_KEYS)
            split_keys(spare + from, head[k] - from);
    insert_keys(spare, count);
    return 1;
}
