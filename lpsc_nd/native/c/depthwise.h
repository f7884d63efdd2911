/* Sums over bags times weights, each channel by itself: a weight for each tap of the tables, or its gradient. */
#pragma once
#include "parts.h"
#include "table.h"

typedef struct {
    const Plan *plan;
    const Map *source;
    const real *weights; /* (blocks, bags, LANES); or NULL */
    const real *bias;    /* whole vectors; or NULL */
    const Map *output;   /* is written; or NULL */
    const Map *factors;  /* its sites are multiplied; or NULL */
    real *gradients;     /* (parts, blocks, bags, LANES); or NULL */
    real *scratch;
    i64 scratch_size; /* of each part */
    i64 parts;
} Depthwise;

/* Some taps of one row of the window. */
typedef struct {
    const int32_t *taps, *bags;
    i64 number;
} Row;

INLINE Row row_of(const Plan *plan, i64 row) {
    const i64 start = plan->row_starts[row];
    return (Row){plan->row_taps + start, plan->row_bags + start, plan->row_starts[row + 1] - start};
}

/* Add the cells at the taps, each times the weight of its bag, to some sites. */
INLINE void weigh_sites(const int sites, Row row, const real *cells, i64 stride, const real *weights, real *sums) {
    vec total[WIDE_SITES];
    UNROLL for (int s = 0; s < sites; s++) total[s] = load(sums + s * LANES);
    for (i64 t = 0; t < row.number; t++) {
        const real *tap = cells + row.taps[t] * LANES;
        const vec weight = load(weights + row.bags[t] * LANES);
        UNROLL for (int s = 0; s < sites; s++) total[s] += weight * load(tap + s * stride);
    }
    UNROLL for (int s = 0; s < sites; s++) store(sums + s * LANES, total[s]);
}

/* Add the products of cells and factors to the gradient of each tap's bag. */
INLINE void correlate_sites(const int sites, Row row, const real *cells, i64 stride, const real *factors,
                            real *gradients) {
    vec factor[WIDE_SITES];
    UNROLL for (int s = 0; s < sites; s++) factor[s] = load(factors + s * LANES);
    for (i64 t = 0; t < row.number; t++) {
        const real *tap = cells + row.taps[t] * LANES;
        real *gradient = gradients + row.bags[t] * LANES;
        vec even = {0}, odd = {0};
        UNROLL for (int s = 0; s < sites; s += 2) even += factor[s] * load(tap + s * stride);
        UNROLL for (int s = 1; s < sites; s += 2) odd += factor[s] * load(tap + s * stride);
        store(gradient, load(gradient) + (even + odd));
    }
}

static void weigh_line(Row row, const real *cells, i64 stride, i64 count, const real *weights, real *sums) {
    i64 s = 0;
#define CALL_SITES(n, apart) weigh_sites(n, row, cells + s * apart, apart, weights, sums + s * LANES)
    FOR_SITES(s, count, stride)
#undef CALL_SITES
}

static void correlate_line(Row row, const real *cells, i64 stride, i64 count, const real *factors, real *gradients) {
    i64 s = 0;
#define CALL_SITES(n, apart) correlate_sites(n, row, cells + s * apart, apart, factors + s * LANES, gradients)
    FOR_SITES(s, count, stride)
#undef CALL_SITES
}

/* What one part works in: for one block of channels, LANES each. */
typedef struct {
    real *tables, *sums, *factors, *gradients;
    i64 block;
} Stand;

/* The line of a map that is `further` lines behind a place of a box. */
static real *line_at(const Plan *plan, const Map *map, const Box *box, const i64 *place, i64 further, i64 block) {
    i64 offset = block * LANES * map->channel_stride + further * map->strides[plan->axes - 2];
    for (i64 axis = 0; axis < plan->axes; axis++) {
        const i64 at = axis < plan->axes - 1 ? place[axis] : 0;
        offset += (box->corner[axis] + at) * map->strides[axis];
    }
    return (real *)map->data + offset;
}

static void start_lines(const Depthwise *job, const Stand *stand, const Box *box, const i64 *place, i64 lines) {
    const i64 last = job->plan->axes - 1, count = box->count[last], first = stand->block * LANES;
    if (job->output != NULL) {
        const vec bias = job->bias == NULL ? (vec){0} : load(job->bias + first);
        for (i64 s = 0; s < lines * count; s++) store(stand->sums + s * LANES, bias);
    }
    if (job->factors != NULL) {
        const Map *map = job->factors;
        for (i64 l = 0; l < lines; l++)
            read_block(stand->factors + l * count * LANES, LANES, line_at(job->plan, map, box, place, l, stand->block),
                       map->strides[last], count, least(LANES, map->channels - first), map->channel_stride);
    }
}

static void finish_lines(const Depthwise *job, const Stand *stand, const Box *box, const i64 *place, i64 lines) {
    const Map *map = job->output;
    const i64 last = job->plan->axes - 1, count = box->count[last], first = stand->block * LANES;
    if (map == NULL) return;
    for (i64 l = 0; l < lines; l++)
        write_block(line_at(job->plan, map, box, place, l, stand->block), map->strides[last], count,
                    least(LANES, map->channels - first), map->channel_stride, stand->sums + l * count * LANES, LANES);
}

/* Run the pass for some neighbouring lines of sites. */
static void run_lines(const Depthwise *job, const Stand *stand, const Box *box, const i64 *place, i64 lines) {
    const Plan *plan = job->plan;
    const i64 last = plan->axes - 1, stride = plan->stride[last] * LANES, count = box->count[last];
    const i64 bags = stand->block * plan->bags * LANES, line_step = plan->stride[last - 1] * plan->table_steps[last - 1];
    i64 cell = 0;
    for (i64 axis = 0; axis < last; axis++) cell += place[axis] * plan->stride[axis] * plan->table_steps[axis];
    start_lines(job, stand, box, place, lines);
    for (i64 v = 0; v < plan->visits; v++) {
        const i64 line = plan->visit_lines[v];
        if (line >= lines) continue;
        const Row row = row_of(plan, plan->visit_rows[v]);
        const real *cells = stand->tables + (cell + line * line_step) * LANES;
        if (job->output != NULL)
            weigh_line(row, cells, stride, count, job->weights + bags, stand->sums + line * count * LANES);
        if (job->factors != NULL)
            correlate_line(row, cells, stride, count, stand->factors + line * count * LANES, stand->gradients);
    }
    finish_lines(job, stand, box, place, lines);
}

/* Run the pass for one box and one block of channels. */
static void run_box(const Depthwise *job, const Stand *stand, const Box *box, real *totals) {
    const Plan *plan = job->plan;
    const i64 size = plan->bags * LANES, lines = box->count[plan->axes - 2];
    i64 place[MOST_AXES] = {0};
    fill_tables(plan, box, job->source, stand->block * LANES, stand->tables);
    if (job->factors != NULL) memset(stand->gradients, 0, (size_t)size * sizeof(real));
    do run_lines(job, stand, box, place, least(LINES, lines - place[plan->axes - 2]));
    while (next_lines(place, box->count, plan->axes, LINES));
    if (job->factors != NULL) /* of this box, and added at the end: many small sums round less than one */
        for (i64 i = 0; i < size; i += LANES) {
            real *at = totals + stand->block * size + i;
            store(at, load(at) + load(stand->gradients + i));
        }
}

static void run_depthwise_part(const void *data, i64 part) {
    const Depthwise *job = data;
    const Plan *plan = job->plan;
    const i64 blocks = blocks_of(job->source->channels), size = blocks * plan->bags * LANES;
    const i64 rows = LINES * plan->longest_line * LANES;
    Stand stand = {.tables = job->scratch + part * job->scratch_size};
    stand.sums = stand.tables + tables_size(plan);
    stand.factors = stand.sums + (job->output == NULL ? 0 : rows);
    stand.gradients = stand.factors + (job->factors == NULL ? 0 : rows);
    real *totals = job->factors == NULL ? NULL : job->gradients + part * size;
    if (totals != NULL) memset(totals, 0, (size_t)size * sizeof(real));
    for (i64 index = part; index < plan->boxes * blocks; index += job->parts) {
        const Box box = box_of(plan, index / blocks);
        stand.block = index % blocks;
        run_box(job, &stand, &box, totals);
    }
}

void JOIN(lpsc_depthwise_, NAME)(const Depthwise *job, Parallel parallel) {
    run_parts(parallel, job->parts, run_depthwise_part, job);
}
