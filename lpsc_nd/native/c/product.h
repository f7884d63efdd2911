/* The matrix product, in tiles whose accumulators are registers. */
#pragma once
#include "vectors.h"

INLINE void product_tile(const int rows, const int vectors, i64 depth, const real *left, i64 row_step, i64 depth_step,
                         const real *right, i64 right_step, real *sum, i64 sum_step) {
    vec total[TILE_ROWS][TILE_VECTORS]; /* of this depth, and added at the end: many small sums round less than one */
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) total[r][v] = (vec){0};
    for (i64 k = 0; k < depth; k++) {
        vec factor[TILE_VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) factor[v] = load(right + k * right_step + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            const real value = left[r * row_step + k * depth_step];
            UNROLL for (int v = 0; v < vectors; v++) total[r][v] += value * factor[v];
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) {
            real *at = sum + r * sum_step + v * LANES;
            store(at, load(at) + total[r][v]);
        }
}

INLINE void product_columns(const int vectors, i64 rows, i64 depth, const real *left, i64 row_step, i64 depth_step,
                            const real *right, i64 right_step, real *sum, i64 sum_step) {
    i64 r = 0;
#define TILE(n)                                                                                               \
    product_tile(n, vectors, depth, left + r * row_step, row_step, depth_step, right, right_step,             \
                 sum + r * sum_step, sum_step)
    for (; r + TILE_ROWS <= rows; r += TILE_ROWS) TILE(TILE_ROWS);
    FOR_REST(rows - r, TILE_ROWS, TILE)
#undef TILE
}

/* Add left (rows, depth) times right (depth, columns) to sum (rows, columns), columns being whole vectors. */
INLINE void add_product(i64 rows, i64 columns, i64 depth, const real *left, i64 row_step, i64 depth_step,
                        const real *right, i64 right_step, real *sum, i64 sum_step) {
    i64 c = 0;
    for (; c + TILE_VECTORS * LANES <= columns; c += TILE_VECTORS * LANES)
        product_columns(TILE_VECTORS, rows, depth, left, row_step, depth_step, right + c, right_step, sum + c,
                        sum_step);
    if (c < columns)
        product_columns(1, rows, depth, left, row_step, depth_step, right + c, right_step, sum + c, sum_step);
}
