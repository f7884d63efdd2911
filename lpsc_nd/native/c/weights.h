/* A layer's weights in the order in which a pass reads them, and their gradients back from it. */
#pragma once
#include "parts.h"
#include "vectors.h"

/* Bags are those of the regions, and one of the centre if it has weights. */
typedef struct {
    i64 outputs, inputs, regions;
    i64 turned;           /* whether rows are of inputs and columns of outputs, and not the other way round */
    i64 parts;            /* of the rows, for so many threads */
    real *weight;         /* (outputs, inputs, regions) */
    real *center;         /* (outputs, inputs), or NULL */
    const real *divisors; /* of the regions, or NULL */
    real *laid;           /* (bags, rows, columns in whole vectors) */
} Weights;

/* Regions that are brought from one order into the other at a time, for a vector of columns. */
enum { REGIONS_AT_ONCE = 32 };

/* A row's vector of columns: which elements of (outputs, inputs) they are, and where they are laid. */
typedef struct {
    i64 element, step, count;
    real *laid;
    i64 bag_step;
} Columns;

INLINE vec divided(const Weights *job, vec values, i64 region) {
    if (job->divisors != NULL) values /= job->divisors[region];
    return values;
}

static void lay_columns(const Weights *job, const Columns *at) {
    real tile[REGIONS_AT_ONCE][LANES] = {{0}};
    for (i64 first = 0; first < job->regions; first += REGIONS_AT_ONCE) {
        const i64 number = least(REGIONS_AT_ONCE, job->regions - first);
        for (i64 c = 0; c < at->count; c++) {
            const real *values = job->weight + (at->element + c * at->step) * job->regions + first;
            for (i64 r = 0; r < number; r++) tile[r][c] = values[r];
        }
        for (i64 r = 0; r < number; r++)
            store(at->laid + (first + r) * at->bag_step, divided(job, load(tile[r]), first + r));
    }
    if (job->center == NULL) return;
    real *center = at->laid + job->regions * at->bag_step;
    store(center, (vec){0});
    for (i64 c = 0; c < at->count; c++) center[c] = job->center[at->element + c * at->step];
}

static void take_columns(const Weights *job, const Columns *at) {
    real tile[REGIONS_AT_ONCE][LANES];
    for (i64 first = 0; first < job->regions; first += REGIONS_AT_ONCE) {
        const i64 number = least(REGIONS_AT_ONCE, job->regions - first);
        for (i64 r = 0; r < number; r++)
            store(tile[r], divided(job, load(at->laid + (first + r) * at->bag_step), first + r));
        for (i64 c = 0; c < at->count; c++) {
            real *values = job->weight + (at->element + c * at->step) * job->regions + first;
            for (i64 r = 0; r < number; r++) values[r] = tile[r][c];
        }
    }
    if (job->center == NULL) return;
    const real *center = at->laid + job->regions * at->bag_step;
    for (i64 c = 0; c < at->count; c++) job->center[at->element + c * at->step] = center[c];
}

INLINE void for_columns(const Weights *job, i64 part, void (*move)(const Weights *, const Columns *)) {
    const i64 rows = job->turned ? job->inputs : job->outputs, columns = job->turned ? job->outputs : job->inputs;
    const i64 row_step = job->turned ? 1 : job->inputs, step = job->turned ? job->inputs : 1;
    for (i64 row = rows * part / job->parts; row < rows * (part + 1) / job->parts; row++)
        for (i64 c = 0; c < columns; c += LANES) {
            const Columns at = {row * row_step + c * step, step, least(LANES, columns - c),
                                job->laid + row * filled(columns) + c, rows * filled(columns)};
            move(job, &at);
        }
}

static void lay_part(const void *job, i64 part) { for_columns(job, part, lay_columns); }
static void take_part(const void *job, i64 part) { for_columns(job, part, take_columns); }

/* Divide the weights by the regions' divisors and lay them out for a pass. */
void JOIN(lpsc_lay_, NAME)(const Weights *job, Parallel parallel) { run_parts(parallel, job->parts, lay_part, job); }

/* Bring the gradients of laid weights back to the weights, divided in the same way. */
void JOIN(lpsc_take_, NAME)(const Weights *job, Parallel parallel) { run_parts(parallel, job->parts, take_part, job); }
