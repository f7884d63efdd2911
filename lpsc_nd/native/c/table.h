/* A box's table: its padded cells, LANES channels each, and behind it those of blocks of cells. */
#pragma once
#include "plan.h"
#include "rows.h"

/* Elements of all tables of a block of channels. */
INLINE i64 tables_size(const Plan *plan) { return (plan->doublings + 1) * plan->table_cells * LANES; }

/* Cells of the source that fall into a table of `cells`, from `start` on, `step` apart: the first, and how many. */
typedef struct {
    i64 first, number, at;
} Span;

INLINE Span span_of(i64 start, i64 step, i64 size, i64 cells) {
    const i64 first = start >= 0 ? 0 : (-start + step - 1) / step;
    const i64 at = start + first * step;
    const i64 number = at < cells ? least(size - first, (cells - at + step - 1) / step) : 0;
    return (Span){first, number > 0 ? number : 0, at};
}

/* The line of the source that lies on a line of the table, or NULL if that is all zeros. */
static const real *source_line(const Plan *plan, const Box *box, const Map *source, const i64 *place) {
    i64 offset = 0;
    for (i64 axis = 0; axis < plan->axes - 1; axis++) {
        const i64 from_start = place[axis] - box->start[axis], step = plan->steps[axis];
        if (from_start < 0 || from_start % step || from_start / step >= plan->size[axis]) return NULL;
        offset += from_start / step * source->strides[axis];
    }
    return (const real *)source->data + offset;
}

static void fill_line(real *line, const real *from, Span span, i64 step, i64 cells, i64 site_stride, i64 channels,
                      i64 channel_stride) {
    if (from == NULL || span.number == 0) {
        memset(line, 0, (size_t)(cells * LANES) * sizeof(real));
        return;
    }
    const i64 end = step == 1 ? span.at + span.number : span.at;
    memset(line, 0, (size_t)(span.at * LANES) * sizeof(real));
    memset(line + end * LANES, 0, (size_t)((cells - end) * LANES) * sizeof(real));
    read_block(line + span.at * LANES, step * LANES, from + span.first * site_stride, site_stride, span.number,
               channels, channel_stride);
}

/* Add up the lines of doubled tables whose cells are complete, the cells of `place` being the last that were filled:
   those of a table that was doubled along another axis than the line lie some lines behind. */
static void double_lines(const Plan *plan, const i64 *place, i64 cells, real *line) {
    const i64 last = plan->axes - 1, table = plan->table_cells * LANES;
    i64 behind[MOST_AXES] = {0};
    for (i64 d = 0; d < plan->doublings; d++) {
        const i64 axis = plan->doubled[d], apart = plan->apart[d], step = plan->table_steps[axis] * apart * LANES;
        behind[axis] += apart;
        if (axis == last)
            cells -= apart;
        else if (place[axis] < behind[axis])
            return;
        else
            line -= step;
        real *sums = line + table;
        for (i64 i = 0; i < cells * LANES; i += LANES) store(sums + i, load(line + i) + load(line + step + i));
        line = sums;
    }
}

/* Fill the tables of one block of channels, from `channel` on. */
static void fill_tables(const Plan *plan, const Box *box, const Map *source, i64 channel, real *tables) {
    const i64 last = plan->axes - 1, cells = box->cells[last];
    const i64 channels = least(LANES, source->channels - channel);
    const Span span = span_of(box->start[last], plan->steps[last], plan->size[last], cells);
    i64 place[MOST_AXES] = {0};
    do {
        i64 at = 0;
        for (i64 axis = 0; axis < last; axis++) at += place[axis] * plan->table_steps[axis];
        real *line = tables + at * LANES;
        const real *from = source_line(plan, box, source, place);
        if (from != NULL) from += channel * source->channel_stride;
        fill_line(line, from, span, plan->steps[last], cells, source->strides[last], channels,
                  source->channel_stride);
        double_lines(plan, place, cells, line);
    } while (next_lines(place, box->cells, plan->axes, 1));
}
