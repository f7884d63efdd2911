/* Sums over bags times weights, all channels of the source to all channels of the output.

   Some rows of sites at a time: bags are summed for them, and the sums, while they are in the caches, are multiplied
   by the bags' weights and added to the output, or multiplied by other rows of the same sites and added to the
   gradient of the weights, or both. Meanwhile the next bags are summed, as that needs other parts of a core. */
#pragma once
#include "groups.h"
#include "parts.h"

/* Begin the output's rows with the bias. */
static void start_outputs(const Mixed *job, const Bench *bench) {
    if (job->output == NULL) return;
    const i64 columns = filled(job->output->channels);
    for (i64 r = 0; r < bench->rows; r++) {
        if (job->bias == NULL)
            memset(bench->outputs + r * columns, 0, (size_t)columns * sizeof(real));
        else
            memcpy(bench->outputs + r * columns, job->bias, (size_t)columns * sizeof(real));
    }
}

static void read_factors(const Mixed *job, const Bench *bench) {
    const Map *map = job->factors;
    if (map == NULL) return;
    real *rows = bench->factors;
    for (i64 p = 0; p < bench->num_pieces; p++) {
        const Piece *piece = bench->pieces + p;
        read_rows(rows, (const real *)map->data + piece->multiplied, map->strides[job->plan->axes - 1], piece->count,
                  map->channels, map->channel_stride);
        rows += piece->count * filled(map->channels);
    }
}

static void write_outputs(const Mixed *job, const Bench *bench) {
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

/* Run the pass for the sites that are waiting. */
static void run_rows(const Mixed *job, Bench *bench) {
    if (bench->num_pieces == 0) return;
    real *halves[] = {bench->sums, bench->sums + sums_size(job)};
    start_outputs(job, bench);
    read_factors(job, bench);
    Group group = group_from(job, bench, 0, halves[0]);
    int summed = 0;
    while (group.number > 0) {
        Group next = group_from(job, bench, group.first + group.number, halves[group.sums == halves[0]]);
        if (!summed) sum_group(job, bench, &group);
        summed = next.number > 0 && begin_ahead(job, bench, &next, steps_beside(job, bench, &group));
        multiply_group(job, bench, &group);
        if (summed)
            finish_sums(&bench->ahead);
        else
            next.sums = group.sums; /* which is near */
        group = next;
    }
    write_outputs(job, bench);
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
    bench.outputs = bench.sums + 2 * sums_size(job);
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
