/* Vectors of the processor, as GCC and Clang have them. `real` and VECTOR_BYTES are given. */
#pragma once
#include <stdint.h>
#include <string.h>

typedef int64_t i64;
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#define LANES ((int)(VECTOR_BYTES / sizeof(real)))
/* Of integers as wide as a value. */
typedef __typeof__((vec){0} < (vec){0}) index_vec;

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define UNROLL _Pragma("GCC unroll 32")
#define PASTE(a, b) a##b
#define JOIN(a, b) PASTE(a, b)

/* Accumulators of a tile, which are to fit 32 registers, or 16: rows of a product times vectors, and sites. */
#if VECTOR_BYTES == 64
enum { TILE_ROWS = 12, WIDE_SITES = 24 };
#else
enum { TILE_ROWS = 6, WIDE_SITES = 12 };
#endif
enum { TILE_VECTORS = 2, TILE_SITES = 12 };

/* Do `CALL(n)` for the n that `rest` is, from 1 to 11: as the number of registers, n has to be known to the compiler. */
#define CASE(CALL, n) case n: CALL(n); break;
#define FOR_REST(rest, CALL)                                                                                  \
    switch (rest) {                                                                                           \
        CASE(CALL, 1) CASE(CALL, 2) CASE(CALL, 3) CASE(CALL, 4) CASE(CALL, 5) CASE(CALL, 6)                   \
        CASE(CALL, 7) CASE(CALL, 8) CASE(CALL, 9) CASE(CALL, 10) CASE(CALL, 11) default: break;               \
    }

/* Do `CALL(n, stride)` for `count` sites from `s` on, in tiles of up to WIDE_SITES; a stride of one vector, the most
   frequent one, is known to the compiler as well. */
#define CALL_REST(n) CALL_SITES(n, stride)
#define FOR_SITES(s, count, stride)                                                                           \
    if (stride == LANES) {                                                                                    \
        for (; s + WIDE_SITES <= count; s += WIDE_SITES) CALL_SITES(WIDE_SITES, LANES);                       \
        for (; s + TILE_SITES <= count; s += TILE_SITES) CALL_SITES(TILE_SITES, LANES);                       \
    }                                                                                                         \
    for (; s + TILE_SITES <= count; s += TILE_SITES) CALL_SITES(TILE_SITES, stride);                          \
    FOR_REST(count - s, CALL_REST)

INLINE vec load(const real *at) { return *(const vec *)at; }
INLINE void store(real *at, vec value) { *(vec *)at = value; }

/* A pointer whose origin the compiler does not know. */
INLINE const real *opaque(const real *at) {
    __asm__("" : "+r"(at));
    return at;
}

/* Count of vectors that hold so many values. */
INLINE i64 blocks_of(i64 values) { return (values + LANES - 1) / LANES; }
INLINE i64 filled(i64 values) { return blocks_of(values) * LANES; }
INLINE i64 least(i64 a, i64 b) { return a < b ? a : b; }
