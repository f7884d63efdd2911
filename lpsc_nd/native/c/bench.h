/* What a part of a mixed pass works on: rows of sites, in pieces of lines. */
#pragma once
#include "plan.h"
#include "product.h"

enum { MOST_ROWS = 144, MOST_PIECES = MOST_ROWS, MOST_STRETCHES = 1024 };

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
    Ahead ahead;
    Stretch stretches[MOST_STRETCHES + 1]; /* of what is summed ahead, and an empty one */
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

/* The first row of a piece, or, behind the last one, how many rows there are. */
INLINE i64 rows_before(const Bench *bench, i64 piece) {
    return piece < bench->num_pieces ? bench->pieces[piece].row : bench->rows;
}
