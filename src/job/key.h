/* key.h - what a job's results depend on, as one digest: two jobs with the same key leave the same
 * files, up to the rounding of sums on another number of ranks.
 *
 * A key covers the program's version, the model, the training, the method, the task's options
 * and the bytes of its files, the seeds, and the keys of the jobs it starts from and learns from. It does
 * not cover names, accounts, devices, or when something is checkpointed. */
#ifndef RF_JOB_KEY_H
#define RF_JOB_KEY_H

#include "job/plan.h"

/* Fills in the keys of the plan's jobs, and lets a job with the key of an earlier one come after
 * it. Local; reads every data file once. Jobs that may leave a checkpoint which refers to
 * another (frozen layers) have none. version: of the program. */
enum rf_status rf_job_keys_fill(struct rf_job_plan *plan, const char *version,
                                struct rf_error *err);

#endif
