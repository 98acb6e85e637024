/* How hot loops are compiled once per instruction set and chosen when the library is loaded. */
#ifndef POLYINJ_LANES_H
#define POLYINJ_LANES_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && defined(NDEBUG)
#define MULTIVERSION __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MULTIVERSION
#endif

#define INLINE static inline __attribute__((always_inline))

/* Rows of matrices are padded to this many doubles. */
#define LANES 8

#endif
