/* cache.h - what jobs have left, kept for other runs: a directory per key (job/key.h).
 *
 * CACHE/<key>/ holds the job's files of RUN/jobs under the name "job", the final checkpoint of a
 * pretraining job, and `content`: a line per file, its SHA-256, two blanks, its name, written last;
 * the directory gets its name by a rename when all is there. A file that does not fit its
 * digest, or a directory without one, is as good as none: the job runs. */
#ifndef RF_MPI_CACHE_H
#define RF_MPI_CACHE_H

#include "mpi/job.h"

/* Local, first rank of the job's group. *found: its files are in the run's directories now. */
enum rf_status rf_cache_take(const struct rf_job_context *ctx, const struct rf_planned_job *job,
                             int *found, struct rf_error *err);

/* Local, first rank, when the job's files are complete. One that is there already stays. */
enum rf_status rf_cache_keep(const struct rf_job_context *ctx, const struct rf_planned_job *job,
                             struct rf_error *err);

#endif
