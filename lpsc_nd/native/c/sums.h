/* Sums over a bag's taps: of all sites of a stretch at once, or a tap at a time beside a product. */
#pragma once
#include "vectors.h"

/* Sites that are summed beside a product. */
enum { TOGETHER = 4 };

/* Neighbouring sites that a bag is summed for, a block of channels. */
typedef struct {
    const real *cells;          /* of the first one's window */
    const int32_t *taps, *end;  /* from a window's first cell */
    real *sums;                 /* of the first one */
    i64 sites;
} Stretch;

INLINE void sum_sites(const int sites, const real *cells, i64 stride, const int32_t *taps, const int32_t *end,
                      real *sums, i64 sums_step) {
    vec total[WIDE_SITES];
    UNROLL for (int s = 0; s < sites; s++) total[s] = (vec){0};
    for (; taps < end; taps++) {
        const real *tap = cells + *taps * LANES;
        UNROLL for (int s = 0; s < sites; s++) total[s] += load(tap + s * stride);
    }
    UNROLL for (int s = 0; s < sites; s++) store(sums + s * sums_step, total[s]);
}

/* Sum a stretch, whose windows lie `stride` elements apart in the table. */
static void sum_stretch(const Stretch *stretch, i64 stride, i64 sums_step) {
    i64 s = 0;
#define CALL_SITES(n, apart) sum_sites(n, stretch->cells + s * apart, apart, stretch->taps, stretch->end, \
                                       stretch->sums + s * sums_step, sums_step)
    FOR_SITES(s, stretch->sites, stride)
#undef CALL_SITES
}

/* The sites of a stretch that are summed now: TOGETHER of them, and the next tap. */
typedef struct {
    const real *cells;
    const int32_t *tap, *end;
    vec total[TOGETHER];
} Current;

/* Stretches that are summed a tap at a time, at a stride of one cell; each holds what is left of it. Where one is no
   multiple of TOGETHER, what is summed beyond its last site lies in the rows that the next one writes, or behind all. */
typedef struct {
    Stretch *next, *end; /* the one that is summed; and an empty one behind the last */
    Current current;
    i64 sums_step;
    i64 steps; /* that are left, a tap of TOGETHER sites each */
    i64 taps;  /* steps for each of a product's */
} Ahead;

INLINE i64 steps_of(const Stretch *stretch) {
    return (stretch->sites + TOGETHER - 1) / TOGETHER * (stretch->end - stretch->taps);
}

INLINE void begin_sites(const Ahead *ahead, Current *current) {
    current->cells = ahead->next->cells;
    current->tap = ahead->next->taps;
    current->end = ahead->next->end;
    UNROLL for (int s = 0; s < TOGETHER; s++) current->total[s] = (vec){0};
}

INLINE void end_sites(Ahead *ahead, Current *current) {
    Stretch *stretch = ahead->next;
    UNROLL for (int s = 0; s < TOGETHER; s++) store(stretch->sums + s * ahead->sums_step, current->total[s]);
    stretch->cells += TOGETHER * LANES;
    stretch->sums += TOGETHER * ahead->sums_step;
    stretch->sites -= TOGETHER;
    ahead->next += stretch->sites <= 0;
    begin_sites(ahead, current);
}

/* Take a step. What is current lies in registers meanwhile, not in `ahead`. */
INLINE void sum_tap(Ahead *ahead, Current *current) {
    const real *tap = current->cells + *current->tap++ * LANES;
    UNROLL for (int s = 0; s < TOGETHER; s++) current->total[s] += load(tap + s * LANES);
    if (__builtin_expect(current->tap == current->end, 0)) end_sites(ahead, current);
}

/* Sum what is left, the current sites anew. */
static void finish_sums(Ahead *ahead) {
    for (; ahead->next < ahead->end; ahead->next++) sum_stretch(ahead->next, LANES, ahead->sums_step);
    ahead->steps = 0;
}
