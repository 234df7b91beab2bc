/* shelf.h - tasks that were opened before, kept for the jobs to come.
 *
 * Reading or making a task may take seconds, and an experiment asks for the same few again
 * and again, one per seed. The least recently used goes when the shelf is full, or when
 * what is kept beside the newest exceeds RF_SHELF_TOKENS of corpus (four bytes each). */
#ifndef RF_JOB_SHELF_H
#define RF_JOB_SHELF_H

#include "data/task.h"

enum { RF_SHELF_TASKS = 8, RF_SHELF_TOKENS = 1 << 25 };

struct rf_shelf {
    struct {
        struct rf_task *task;                  /* owned */
        const struct rf_task_options *options; /* borrowed; the pointer is the key */
        uint64_t seed;
    } kept[RF_SHELF_TASKS]; /* newest first */
    int n;
};

/* Local. *task belongs to the shelf and is good until the next call. A shelf starts zeroed. */
enum rf_status rf_shelf_open(struct rf_shelf *shelf, const struct rf_task_options *options,
                             uint64_t seed, const struct rf_task **task, struct rf_error *err);
void rf_shelf_clear(struct rf_shelf *shelf);

#endif
