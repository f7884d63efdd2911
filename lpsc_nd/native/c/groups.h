/* Bags that are summed together, and multiplied by their weights while the next ones are summed. */
#pragma once
#include "bench.h"
#include "table.h"

/* Some bags, and the pieces that they meet. */
typedef struct {
    i64 first, number;
    Pieces met;
    real *sums;
} Group;

INLINE i64 bags_at_once(const Mixed *job) {
    const i64 bags = SUMS / (MOST_ROWS * job->source->channels);
    return least(job->plan->bags, bags > 0 ? bags : 1);
}

/* Elements of a row of sums: the last of whole vectors reaches into what is written next. */
INLINE i64 sums_step_of(const Mixed *job) { return bags_at_once(job) * job->source->channels + LANES; }

/* Elements of all rows, and of what is summed ahead behind the last one. */
INLINE i64 sums_size(const Mixed *job) { return (MOST_ROWS + TOGETHER - 1) * sums_step_of(job); }

/* The first bags from `first` on that meet any piece; none if there are none. */
static Group group_from(const Mixed *job, const Bench *bench, i64 first, real *sums) {
    const i64 most = bags_at_once(job), bags = job->plan->bags;
    for (; first < bags; first += most) {
        const i64 number = least(most, bags - first);
        const Pieces met = pieces_met(job, bench, first, number);
        if (met.end > 0) return (Group){first, number, met, sums};
    }
    return (Group){bags, 0, {0, 0}, sums};
}

/* A bag of a group at a piece, a block of channels. Bags are summed one after another, as the last vector of one
   reaches into the next. */
INLINE Stretch stretch_of(const Mixed *job, const Bench *bench, const Group *group, i64 bag, i64 block, i64 piece) {
    const Piece *sites = bench->pieces + piece;
    const int32_t *starts = job->plan->bag_starts + group->first + bag;
    return (Stretch){
        .cells = bench->tables + block * tables_size(job->plan) + sites->cell * LANES,
        .taps = job->plan->taps + starts[0],
        .end = job->plan->taps + starts[1],
        .sums = group->sums + sites->row * sums_step_of(job) + bag * job->source->channels + block * LANES,
        .sites = sites->count,
    };
}

/* Sum a group at once. */
static void sum_group(const Mixed *job, const Bench *bench, const Group *group) {
    const i64 stride = job->plan->stride[job->plan->axes - 1] * LANES, step = sums_step_of(job);
    const i64 blocks = blocks_of(job->source->channels);
    for (i64 bag = 0; bag < group->number; bag++)
        for (i64 block = 0; block < blocks; block++)
            for (i64 piece = group->met.first; piece < group->met.end; piece++) {
                const Stretch stretch = stretch_of(job, bench, group, bag, block, piece);
                sum_stretch(&stretch, stride, step);
            }
}

/* Set out to sum a group beside a product that has so many steps; 0 if it has to be summed at once. */
static int begin_ahead(const Mixed *job, Bench *bench, const Group *group, i64 steps) {
    Ahead *ahead = &bench->ahead;
    Stretch *next = bench->stretches;
    const i64 blocks = blocks_of(job->source->channels), pieces = group->met.end - group->met.first;
    ahead->steps = 0;
    if (steps == 0 || job->plan->stride[job->plan->axes - 1] > 1) return 0;
    if (group->number * blocks * pieces > MOST_STRETCHES) return 0;
    i64 asked = 0;
    for (i64 bag = 0; bag < group->number; bag++)
        for (i64 block = 0; block < blocks; block++)
            for (i64 piece = group->met.first; piece < group->met.end; piece++) {
                *next = stretch_of(job, bench, group, bag, block, piece);
                if (next->taps == next->end) return 0;
                asked += steps_of(next++);
            }
    *next = (Stretch){0};
    ahead->next = bench->stretches;
    ahead->end = next;
    ahead->sums_step = sums_step_of(job);
    ahead->steps = asked;
    ahead->taps = least(MOST_BESIDE, (asked + steps - 1) / steps);
    begin_sites(ahead, &ahead->current);
    return 1;
}

/* Rows of the pieces that a group meets. */
INLINE i64 rows_met(const Bench *bench, const Group *group) {
    return rows_before(bench, group->met.end) - rows_before(bench, group->met.first);
}

/* Steps of a group's products, beside which others can be taken. */
static i64 steps_beside(const Mixed *job, const Bench *bench, const Group *group) {
    const i64 depth = group->number * job->source->channels, rows = rows_met(bench, group);
    i64 steps = 0;
    if (job->output != NULL) steps += full_steps(rows, filled(job->output->channels), depth);
    if (job->factors != NULL) steps += full_steps(depth, filled(job->factors->channels), rows);
    return steps;
}

/* Multiply a group's sums by weights, by other rows of the same sites, or by both. */
static void multiply_group(const Mixed *job, Bench *bench, const Group *group) {
    const i64 channels = job->source->channels, depth = group->number * channels, step = sums_step_of(job);
    const i64 row = rows_before(bench, group->met.first), rows = rows_met(bench, group);
    const real *sums = group->sums + row * step;
    if (job->output != NULL) {
        const i64 columns = filled(job->output->channels);
        add_product(rows, columns, depth, sums, step, 1, job->weights + group->first * channels * columns, columns,
                    bench->outputs + row * columns, columns, &bench->ahead);
    }
    if (job->factors != NULL) {
        const i64 columns = filled(job->factors->channels);
        add_product(depth, columns, rows, sums, 1, step, bench->factors + row * columns, columns,
                    bench->gradients + group->first * channels * columns, columns, &bench->ahead);
    }
}
