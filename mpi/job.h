/* job.h - what a job does with its lease: train, checkpoint, predict, record.
 *
 * The body that workers run for each lease. It starts from the job's newest
 * checkpoint when there is one (also on another number of ranks), stops at a
 * step boundary when the lease says so, and at its end leaves predictions and
 * metrics in RUN/jobs (job/record.h). Everything it does is a function of the
 * plan and of the number of ranks: nothing depends on the clock. */
#ifndef RF_MPI_JOB_H
#define RF_MPI_JOB_H

#include "base/digest.h"
#include "base/watch.h"
#include "job/plan.h"
#include "job/shelf.h"
#include "mpi/group.h"
#include "mpi/lease.h"
#include "mpi/trainer.h"

/* What the bodies of a run share; the caller fills the first six and zeroes the rest. */
struct rf_job_context {
    const struct rf_job_plan *plan;
    const char *run_dir, *ckpt_dir; /* both exist; ckpt_dir holds a directory per job */
    const char *config_digest, *version;
    const char *cache_dir; /* exists; NULL: nothing is kept for other runs (cache.h) */
    const struct rf_watch
        *watch;            /* told of each step, in tokens of what is left at its start; may be
                                     NULL, on some ranks only too */
    struct rf_shelf shelf; /* owned: tasks of earlier jobs */
};

/* Collective on group; an rf_job_body (lease.h) whose ctx is a struct rf_job_context. */
enum rf_outcome rf_job_run(void *ctx, const struct rf_group *group, int32_t job,
                           struct rf_lease *lease, struct rf_error *err);

/* A stretch of a job's training, to be run again. */
struct rf_retrace {
    int32_t job;      /* of the plan */
    const char *from; /* the checkpoint it begins with; "": from the job's own beginning */
    int64_t to_step;
    const char *scratch; /* an empty directory that all ranks see; a checkpoint is left there */
};

/* Collective on group: trains from there to to_step by the very steps that rf_job_run() makes, and
 * says what a checkpoint of it contains. Nothing is written but in scratch. RF_ERR_INPUT:
 * something that the job began with is not there any more. RF_AGAIN: a signal. */
enum rf_status rf_job_retrace(struct rf_job_context *ctx, const struct rf_group *group,
                              const struct rf_retrace *what, struct rf_digest *content,
                              struct rf_error *err);

/* A job's model, with the vocabulary and the context of its task. */
struct rf_model_shape rf_job_model_shape(const struct rf_planned_job *job,
                                         const struct rf_task_info *info);
/* How it trains, without the sizes of its batches. */
struct rf_train_options rf_job_train_options(const struct rf_planned_job *job);

/* Local: bytes of the job's trainer on rank `rank` of `size`, before it is made; apart: rf_mesh_apart(). Opens the job's
 * task, which stays open for the job. */
enum rf_status rf_job_predict_bytes(struct rf_job_context *ctx, int32_t job, int rank, int size,
                                    int apart, size_t *bytes, struct rf_error *err);

/* Closes the tasks that are kept. */
void rf_job_context_clear(struct rf_job_context *ctx);

#endif
