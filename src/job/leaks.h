/* leaks.h - what only the data can tell, before anything starts: are all files readable, does no task
 * train on what another tests, do tasks that should hold the same examples, and do models from
 * elsewhere (origin.h) fit their tasks?
 *
 * Within a task that is the task's own affair (data/task.h). Between tasks it matters where
 * they are said to be of one family, and where an experiment starts from a job that was
 * pretrained on another task's text. */
#ifndef RF_JOB_LEAKS_H
#define RF_JOB_LEAKS_H

#include "job/spec.h"

/* Local: opens every task of the specification once. RF_ERR_INPUT names both tasks and how many
 * texts they share, unless the task that trains on them has declared it (options->overlap). */
enum rf_status rf_leaks_check(const struct rf_run_spec *spec, struct rf_error *err);

#endif
