/* Sums over bags times weights, all channels of the source to all channels of the output.

   Some rows of sites at a time: each bag is summed for them, and the sums, while they are in the caches, are
   multiplied by the bag's weights and added to the output, or multiplied by other rows of the same sites and added to
   the gradient of the weights, or both. */
#pragma once
#include "parts.h"
#include "product.h"
#include "table.h"

enum { MOST_ROWS = 144, MOST_PIECES = MOST_ROWS };

/* Elements of the sums of some bags, for MOST_ROWS sites: 48 KiB. */
enum { SUMS = 49152 / sizeof(real) };

/* Part of a line of sites: where its windows begin in the table, also per axis, and the offsets of its first site in two
   maps; and which of all rows is its first. */
typedef struct {
    i64 cell, count, written, multiplied, row;
    i64 place[MOST_AXES];
} Piece;

/* Neighbouring pieces. */
typedef struct {
    i64 first, end;
} Pieces;

typedef struct {
    const Plan *plan;
    const Map *source;
    const real *weights; /* (bags, channels of the source, columns of the output); or NULL */
    const real *bias;    /* columns; or NULL */
    const Map *output;   /* is written; or NULL */
    const Map *factors;  /* its rows are multiplied; or NULL */
    real *gradients;     /* (parts, bags, channels of the source, columns of the factors); or NULL */
    real *scratch;
    i64 scratch_size; /* of each part */
    i64 parts;
} Mixed;

/* What one part works in. */
typedef struct {
    real *tables, *sums, *outputs, *factors, *gradients;
    const Box *box;
    Piece pieces[MOST_PIECES];
    i64 num_pieces, rows;
} Bench;

/* Whether a bag has cells between the first and the last of the source, for any site of a piece. */
static int is_met(const Plan *plan, const Box *box, const Piece *piece, i64 bag) {
    for (i64 axis = 1; axis < plan->axes; axis++) {
        const i64 at = bag * plan->axes + axis, start = box->start[axis];
        const i64 further = axis == plan->axes - 1 ? (piece->count - 1) * plan->stride[axis] : 0;
        if (piece->place[axis] + further + plan->bag_last[at] < start) return 0;
        if (piece->place[axis] + plan->bag_first[at] > start + (plan->size[axis] - 1) * plan->steps[axis]) return 0;
    }
    return 1;
}

/* The pieces between the first and the last that any of some bags meets: sums of the others are zeros. */
static Pieces pieces_met(const Mixed *job, const Bench *bench, i64 first, i64 bags) {
    Pieces met = {bench->num_pieces, 0};
    for (i64 p = 0; p < bench->num_pieces; p++)
        for (i64 bag = first; bag < first + bags; bag++)
            if (is_met(job->plan, bench->box, bench->pieces + p, bag)) {
                met.first = least(met.first, p);
                met.end = p + 1;
                break;
            }
    return met;
}

/* Sum a bag at some sites, a block of channels. */
INLINE void sum_sites(const int sites, const real *cells, i64 stride, const int32_t *taps, i64 num_taps, real *sums,
                      i64 sums_step) {
    vec total[WIDE_SITES];
    UNROLL for (int s = 0; s < sites; s++) total[s] = (vec){0};
    for (i64 t = 0; t < num_taps; t++) {
        const real *tap = cells + taps[t] * LANES;
        UNROLL for (int s = 0; s < sites; s++) total[s] += load(tap + s * stride);
    }
    UNROLL for (int s = 0; s < sites; s++) store(sums + s * sums_step, total[s]);
}

static void sum_line(const real *cells, i64 stride, i64 count, const int32_t *taps, i64 num_taps, real *sums,
                     i64 sums_step) {
    i64 s = 0;
#define CALL_SITES(n, apart) sum_sites(n, cells + s * apart, apart, taps, num_taps, sums + s * sums_step, sums_step)
    FOR_SITES(s, count, stride)
#undef CALL_SITES
}

/* Write the sums of a bag for some pieces, C for each site. The last of whole vectors reaches into what is written
   next. */
static void sum_bag(const Mixed *job, const Bench *bench, i64 bag, Pieces pieces, real *sums, i64 sums_step) {
    const Plan *plan = job->plan;
    const int32_t *taps = plan->taps + plan->bag_starts[bag];
    const i64 num_taps = plan->bag_starts[bag + 1] - plan->bag_starts[bag];
    const i64 blocks = blocks_of(job->source->channels), block = tables_size(plan);
    for (i64 b = 0; b < blocks; b++)
        for (i64 p = pieces.first; p < pieces.end; p++) {
            const Piece *piece = bench->pieces + p;
            sum_line(bench->tables + b * block + piece->cell * LANES, plan->stride[plan->axes - 1] * LANES,
                     piece->count, taps, num_taps, sums + piece->row * sums_step + b * LANES, sums_step);
        }
}

static void start_rows(const Mixed *job, const Bench *bench) {
    const i64 last = job->plan->axes - 1;
    if (job->output != NULL) {
        const i64 columns = filled(job->output->channels);
        for (i64 r = 0; r < bench->rows; r++) {
            if (job->bias == NULL)
                memset(bench->outputs + r * columns, 0, (size_t)columns * sizeof(real));
            else
                memcpy(bench->outputs + r * columns, job->bias, (size_t)columns * sizeof(real));
        }
    }
    if (job->factors != NULL) {
        const Map *map = job->factors;
        const i64 columns = filled(map->channels);
        real *rows = bench->factors;
        for (i64 p = 0; p < bench->num_pieces; p++) {
            const Piece *piece = bench->pieces + p;
            read_rows(rows, (const real *)map->data + piece->multiplied, map->strides[last], piece->count,
                      map->channels, map->channel_stride);
            rows += piece->count * columns;
        }
    }
}

static void finish_rows(const Mixed *job, const Bench *bench) {
    const Map *map = job->output;
    if (map == NULL) return;
    const real *rows = bench->outputs;
    for (i64 p = 0; p < bench->num_pieces; p++) {
        const Piece *piece = bench->pieces + p;
        write_rows((real *)map->data + piece->written, map->strides[job->plan->axes - 1], piece->count, map->channels,
                   map->channel_stride, rows);
        rows += piece->count * filled(map->channels);
    }
}

/* Bags that are summed before they are multiplied. */
INLINE i64 bags_at_once(const Mixed *job) {
    const i64 bags = SUMS / (MOST_ROWS * job->source->channels);
    return least(job->plan->bags, bags > 0 ? bags : 1);
}

INLINE i64 rows_before(const Bench *bench, i64 piece) {
    return piece < bench->num_pieces ? bench->pieces[piece].row : bench->rows;
}

/* Run the pass for the sites that are waiting. */
static void run_rows(const Mixed *job, Bench *bench) {
    if (bench->num_pieces == 0) return;
    const i64 channels = job->source->channels, most = bags_at_once(job), sums_step = most * channels + LANES;
    start_rows(job, bench);
    for (i64 first = 0; first < job->plan->bags; first += most) {
        const i64 bags = least(most, job->plan->bags - first), depth = bags * channels;
        const Pieces met = pieces_met(job, bench, first, bags);
        if (met.end == 0) continue;
        const i64 row = bench->pieces[met.first].row, rows = rows_before(bench, met.end) - row;
        real *sums = bench->sums + row * sums_step;
        for (i64 bag = 0; bag < bags; bag++)
            sum_bag(job, bench, first + bag, met, bench->sums + bag * channels, sums_step);
        if (job->output != NULL) {
            const i64 columns = filled(job->output->channels);
            add_product(rows, columns, depth, sums, sums_step, 1, job->weights + first * channels * columns, columns,
                        bench->outputs + row * columns, columns);
        }
        if (job->factors != NULL) {
            const i64 columns = filled(job->factors->channels);
            add_product(depth, columns, rows, sums, 1, sums_step, bench->factors + row * columns, columns,
                        bench->gradients + first * channels * columns, columns);
        }
    }
    finish_rows(job, bench);
    bench->num_pieces = bench->rows = 0;
}

static void add_line(const Mixed *job, Bench *bench, const i64 *place) {
    const Plan *plan = job->plan;
    const Box *box = bench->box;
    const i64 last = plan->axes - 1;
    Piece line = {.count = box->count[last]};
    for (i64 axis = 0; axis <= last; axis++) {
        const i64 at = axis < last ? place[axis] : 0, site = box->corner[axis] + at;
        line.place[axis] = at * plan->stride[axis];
        line.cell += line.place[axis] * plan->table_steps[axis];
        if (job->output != NULL) line.written += site * job->output->strides[axis];
        if (job->factors != NULL) line.multiplied += site * job->factors->strides[axis];
    }
    for (i64 s = 0; s < line.count;) {
        if (bench->rows == MOST_ROWS || (s == 0 && bench->rows + line.count > MOST_ROWS)) run_rows(job, bench);
        Piece piece = line;
        piece.count = least(line.count - s, MOST_ROWS - bench->rows);
        piece.row = bench->rows;
        piece.place[last] = s * plan->stride[last];
        piece.cell += piece.place[last];
        if (job->output != NULL) piece.written += s * job->output->strides[last];
        if (job->factors != NULL) piece.multiplied += s * job->factors->strides[last];
        bench->pieces[bench->num_pieces++] = piece;
        bench->rows += piece.count;
        s += piece.count;
    }
}

static void run_mixed_part(const void *data, i64 part) {
    const Mixed *job = data;
    const Plan *plan = job->plan;
    const i64 blocks = blocks_of(job->source->channels), block = tables_size(plan);
    Bench bench = {.tables = job->scratch + part * job->scratch_size};
    bench.sums = bench.tables + blocks * block;
    bench.outputs = bench.sums + MOST_ROWS * (bags_at_once(job) * job->source->channels + LANES);
    bench.factors = bench.outputs + (job->output == NULL ? 0 : MOST_ROWS * filled(job->output->channels));
    if (job->factors != NULL) {
        const i64 size = plan->bags * job->source->channels * filled(job->factors->channels);
        bench.gradients = job->gradients + part * size;
        memset(bench.gradients, 0, (size_t)size * sizeof(real));
    }
    for (i64 index = part; index < plan->boxes; index += job->parts) {
        const Box box = box_of(plan, index);
        i64 place[MOST_AXES] = {0};
        bench.box = &box;
        for (i64 b = 0; b < blocks; b++)
            fill_tables(plan, &box, job->source, b * LANES, bench.tables + b * block);
        do add_line(job, &bench, place);
        while (next_lines(place, box.count, plan->axes, 1));
        run_rows(job, &bench);
    }
}

void JOIN(lpsc_mixed_, NAME)(const Mixed *job, Parallel parallel) {
    run_parts(parallel, job->parts, run_mixed_part, job);
}
