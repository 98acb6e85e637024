/* What the kernels ask of the compiler. */
#ifndef POLYINJ_PORTABLE_H
#define POLYINJ_PORTABLE_H

#include <features.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

/* One copy of a hot function for each instruction set; the loader picks. The wheel itself stays baseline x86-64, and
   debug builds have one copy, since sanitizers start after the loader has picked. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && defined(NDEBUG)
#define CLONED __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONED
#endif

/* A cache line; rows of vectors start on one. */
enum { ALIGNMENT = 64 };

/* Zeroed memory aligned to a cache line, or NULL; release it with free(). */
void *aligned_zeros(size_t count, size_t size);

#endif
