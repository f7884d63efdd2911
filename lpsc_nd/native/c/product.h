/* The matrix product, in tiles whose accumulators are registers. */
#pragma once
#include "vectors.h"

/* Add left (rows, depth) times right (depth, vectors) to sum: element (r, k) on the left is r * row_step + k *
   depth_step further. */
typedef void Tile(i64 depth, const real *left, i64 row_step, i64 depth_step, const real *right, i64 right_step,
                  real *sum, i64 sum_step);

INLINE void product_tile(const int rows, const int vectors, i64 depth, const real *left, i64 row_step, i64 depth_step,
                         const real *right, i64 right_step, real *sum, i64 sum_step) {
    vec total[TILE_ROWS][TILE_VECTORS]; /* of this depth, and added at the end: many small sums round less than one */
    const real *three[TILE_ROWS / 3]; /* rows each, so that few registers reach all */
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) total[r][v] = (vec){0};
    UNROLL for (int r = 0; r < rows; r += 3) three[r / 3] = opaque(left + r * row_step);
    for (i64 k = 0; k < depth; k++) {
        vec factor[TILE_VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) factor[v] = load(right + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            const real value = three[r / 3][r % 3 * row_step];
            UNROLL for (int v = 0; v < vectors; v++) total[r][v] += value * factor[v];
        }
        UNROLL for (int r = 0; r < rows; r += 3) three[r / 3] += depth_step;
        right += right_step;
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) {
            real *at = sum + r * sum_step + v * LANES;
            store(at, load(at) + total[r][v]);
        }
}

/* Functions of their own, not inlined: within a longer one, steps are kept in memory and read for each factor. */
#define DEFINE_TILE(rows, vectors)                                                                            \
    static NOINLINE void tile_##rows##_##vectors(i64 depth, const real *left, i64 row_step, i64 depth_step,   \
                                                 const real *right, i64 right_step, real *sum, i64 sum_step) {\
        product_tile(rows, vectors, depth, left, row_step, depth_step, right, right_step, sum, sum_step);     \
    }
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2)
#define BOTH(rows) {tile_##rows##_1, tile_##rows##_2}
DEFINE_TILES(1) DEFINE_TILES(2) DEFINE_TILES(3) DEFINE_TILES(4) DEFINE_TILES(5) DEFINE_TILES(6)
#if VECTOR_BYTES == 64
DEFINE_TILES(7) DEFINE_TILES(8) DEFINE_TILES(9) DEFINE_TILES(10) DEFINE_TILES(11) DEFINE_TILES(12)
#endif

/* By rows less one, and vectors less one. */
static Tile *const TILES[TILE_ROWS][TILE_VECTORS] = {
    BOTH(1), BOTH(2), BOTH(3), BOTH(4), BOTH(5), BOTH(6),
#if VECTOR_BYTES == 64
    BOTH(7), BOTH(8), BOTH(9), BOTH(10), BOTH(11), BOTH(12),
#endif
};

/* Add left (rows, depth) times right (depth, columns) to sum (rows, columns), columns being whole vectors. */
INLINE void add_product(i64 rows, i64 columns, i64 depth, const real *left, i64 row_step, i64 depth_step,
                        const real *right, i64 right_step, real *sum, i64 sum_step) {
    for (i64 c = 0; c < columns; c += TILE_VECTORS * LANES) {
        const i64 vectors = least(TILE_VECTORS, (columns - c) / LANES);
        for (i64 r = 0; r < rows; r += TILE_ROWS)
            TILES[least(TILE_ROWS, rows - r) - 1][vectors - 1](depth, left + r * row_step, row_step, depth_step,
                                                               right + c, right_step, sum + r * sum_step + c,
                                                               sum_step);
    }
}
