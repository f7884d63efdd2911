/* What a pass is asked to do. Axis 0 are images, the others space; the last one is called the line. */
#pragma once
#include <stdint.h>

enum { MOST_AXES = 8, MOST_DOUBLINGS = 5 };

/* Raised whenever a structure or a function changes: libraries that were compiled before are then not used. */
enum { VERSION = 4 };

/* A tensor (images, channels, *space) of any strides, in elements. */
typedef struct {
    void *data;
    int64_t channels;
    int64_t channel_stride;
    int64_t strides[MOST_AXES]; /* of images and space */
} Map;

/* Sites are summed box by box, from a table of the padded cells that the box reads. */
typedef struct {
    int64_t axes;
    int64_t size[MOST_AXES];         /* cells of the source */
    int64_t steps[MOST_AXES];        /* distance at which they are put, with zeros between them */
    int64_t stride[MOST_AXES];       /* cells from a site to the next */
    int64_t reach[MOST_AXES];        /* cells that a site's window spans */
    int64_t table_steps[MOST_AXES];  /* cells of a table from a cell to the next */
    int64_t table_cells;             /* of the largest table */
    int64_t doublings;               /* more tables, each of the sums of two neighbours in the one before: */
    int64_t doubled[MOST_DOUBLINGS]; /* along which axis, ... */
    int64_t apart[MOST_DOUBLINGS];   /* ... and how many cells there are from one to the other */
    int64_t bags;
    const int64_t *bag_first;        /* (bags, axes): cells from a site's first to those of the bag, the least ... */
    const int64_t *bag_last;         /* ... and the most; a bag without cells has more least than most */
    int64_t boxes;
    int64_t longest_line;            /* sites of a box's line at the most */
    const int64_t *corners;          /* (boxes, axes): first site */
    const int64_t *counts;           /* (boxes, axes): sites */
    const int64_t *starts;           /* (boxes, axes): where the source's first cell lies in the table */
    const int32_t *bag_starts;       /* (bags + 1): bag b has the taps bag_starts[b] to bag_starts[b + 1] */
    const int32_t *taps;             /* cells of the tables that are summed, from a site's first cell; times LANES
                                        they have 32 bits as well */
    const int32_t *row_starts;       /* (rows + 1): row r of the window has the row_taps row_starts[r] to ... */
    const int32_t *row_taps;         /* the same taps, row by row of the window, ... */
    const int32_t *row_bags;         /* ... and whose they are */
    int64_t visits;
    const int32_t *visit_lines;      /* which of LINES neighbouring lines of sites, ... */
    const int32_t *visit_rows;       /* ... and which row of its windows: in the order of what they read */
} Plan;

/* Lines of sites that are run together, as they read the same lines of a table. */
enum { LINES = 4 };

/* One box of a plan. */
typedef struct {
    const int64_t *corner, *count, *start;
    int64_t cells[MOST_AXES]; /* of its table */
} Box;

static inline Box box_of(const Plan *plan, int64_t index) {
    const int64_t at = index * plan->axes;
    Box box = {plan->corners + at, plan->counts + at, plan->starts + at, {0}};
    for (int64_t axis = 0; axis < plan->axes; axis++)
        box.cells[axis] = (box.count[axis] - 1) * plan->stride[axis] + plan->reach[axis];
    return box;
}

/* Go to the next place of all axes but the last, `step` further on the last of these; 0 if there is none. */
static inline int next_lines(int64_t *place, const int64_t *count, int64_t axes, int64_t step) {
    for (int64_t axis = axes - 2; axis >= 0; axis--) {
        place[axis] += axis == axes - 2 ? step : 1;
        if (place[axis] < count[axis]) return 1;
        place[axis] = 0;
    }
    return 0;
}
