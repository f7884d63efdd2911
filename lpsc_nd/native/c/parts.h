/* Parts of a pass on several threads: those of PyTorch's own OpenMP, whose entry the caller hands over. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include <stddef.h>

typedef void (*Work)(const void *job, int64_t part);
typedef void (*Parallel)(void (*work)(void *), void *data, unsigned threads, unsigned flags); /* GOMP_parallel */

typedef struct {
    Work work;
    const void *job;
    int64_t parts;
    atomic_int_fast64_t next;
} Team;

static void take_parts(void *data) {
    Team *team = data;
    int64_t part;
    while ((part = atomic_fetch_add(&team->next, 1)) < team->parts) team->work(team->job, part);
}

/* Run all parts, on as many threads as there are parts, or one after another without `parallel`. Which thread runs
   a part changes nothing of its result. */
static void run_parts(Parallel parallel, int64_t parts, Work work, const void *job) {
    Team team = {work, job, parts, 0};
    if (parallel == NULL || parts == 1)
        take_parts(&team);
    else
        parallel(take_parts, &team, (unsigned)parts, 0);
}
