/* The matrix product, in tiles whose accumulators are registers. What registers are left sum the next bags meanwhile. */
#pragma once
#include "sums.h"

/* Taps that are summed beside each step of a full tile at the most; 16 registers have no room for any. */
enum { MOST_BESIDE = VECTOR_BYTES == 64 ? 3 : 0 };

/* Add left (rows, depth) times right (depth, vectors) to sum: element (r, k) on the left is r * row_step + k *
   depth_step further. */
typedef void Tile(i64 depth, const real *left, i64 row_step, i64 depth_step, const real *right, i64 right_step,
                  real *sum, i64 sum_step, Ahead *ahead);

INLINE void product_tile(const int rows, const int vectors, const int beside, i64 depth, const real *left,
                         i64 row_step, i64 depth_step, const real *right, i64 right_step, real *sum, i64 sum_step,
                         Ahead *ahead) {
    vec total[TILE_ROWS][TILE_VECTORS]; /* of this depth, and added at the end: many small sums round less than one */
    const real *three[TILE_ROWS / 3]; /* rows each, so that few registers reach all */
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) total[r][v] = (vec){0};
    UNROLL for (int r = 0; r < rows; r += 3) three[r / 3] = opaque(left + r * row_step);
    Current current;
    if (beside) current = ahead->current;
    for (i64 k = 0; k < depth; k++) {
        vec factor[TILE_VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) factor[v] = load(right + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            const real value = three[r / 3][r % 3 * row_step];
            UNROLL for (int v = 0; v < vectors; v++) total[r][v] += value * factor[v];
        }
        UNROLL for (int r = 0; r < rows; r += 3) three[r / 3] += depth_step;
        right += right_step;
        UNROLL for (int tap = 0; tap < beside; tap++) sum_tap(ahead, &current);
    }
    if (beside) ahead->current = current;
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) {
            real *at = sum + r * sum_step + v * LANES;
            store(at, load(at) + total[r][v]);
        }
}

/* Functions of their own, not inlined: within a longer one, steps are kept in memory and read for each factor. */
#define DEFINE_TILE(name, rows, vectors, beside)                                                              \
    static NOINLINE void name(i64 depth, const real *left, i64 row_step, i64 depth_step, const real *right,   \
                              i64 right_step, real *sum, i64 sum_step, Ahead *ahead) {                        \
        product_tile(rows, vectors, beside, depth, left, row_step, depth_step, right, right_step, sum,        \
                     sum_step, ahead);                                                                        \
    }
#define DEFINE_TILES(rows) DEFINE_TILE(tile_##rows##_1, rows, 1, 0) DEFINE_TILE(tile_##rows##_2, rows, 2, 0)
#define BOTH(rows) {tile_##rows##_1, tile_##rows##_2}
DEFINE_TILES(1) DEFINE_TILES(2) DEFINE_TILES(3) DEFINE_TILES(4) DEFINE_TILES(5) DEFINE_TILES(6)
#if VECTOR_BYTES == 64
DEFINE_TILES(7) DEFINE_TILES(8) DEFINE_TILES(9) DEFINE_TILES(10) DEFINE_TILES(11) DEFINE_TILES(12)
#define DEFINE_BESIDE(taps) DEFINE_TILE(beside_##taps##_1, 12, 1, taps) DEFINE_TILE(beside_##taps##_2, 12, 2, taps)
DEFINE_BESIDE(1) DEFINE_BESIDE(2) DEFINE_BESIDE(3)
#endif

/* By rows less one, and vectors less one; and, of full tiles, by taps beside them less one. */
static Tile *const TILES[TILE_ROWS + MOST_BESIDE][TILE_VECTORS] = {
    BOTH(1), BOTH(2), BOTH(3), BOTH(4), BOTH(5), BOTH(6),
#if VECTOR_BYTES == 64
    BOTH(7), BOTH(8), BOTH(9), BOTH(10), BOTH(11), BOTH(12),
    {beside_1_1, beside_1_2}, {beside_2_1, beside_2_2}, {beside_3_1, beside_3_2},
#endif
};

/* Steps of the full tiles of a product, beside which others can be taken. */
INLINE i64 full_steps(i64 rows, i64 columns, i64 depth) {
    if (MOST_BESIDE == 0) return 0;
    return rows / TILE_ROWS * ((columns + TILE_VECTORS * LANES - 1) / (TILE_VECTORS * LANES)) * depth;
}

/* Add left (rows, depth) times right (depth, columns) to sum (rows, columns), columns being whole vectors. What is to
   be summed ahead is, as far as there is time. */
static void add_product(i64 rows, i64 columns, i64 depth, const real *left, i64 row_step, i64 depth_step,
                        const real *right, i64 right_step, real *sum, i64 sum_step, Ahead *ahead) {
    for (i64 c = 0; c < columns; c += TILE_VECTORS * LANES) {
        const i64 vectors = least(TILE_VECTORS, (columns - c) / LANES);
        for (i64 r = 0; r < rows; r += TILE_ROWS) {
            const i64 count = least(TILE_ROWS, rows - r);
            const int has_time = count == TILE_ROWS && ahead->steps >= depth;
            const i64 beside = has_time ? least(ahead->taps, ahead->steps / depth) : 0;
            ahead->steps -= beside * depth;
            TILES[count + beside - 1][vectors - 1](depth, left + r * row_step, row_step, depth_step, right + c,
                                                   right_step, sum + r * sum_step + c, sum_step, ahead);
        }
    }
}
