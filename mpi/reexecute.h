/* reexecute.h - running drawn stretches of training again, to bit equality (T10).
 *
 * Training is a function of the configuration, the step and the number of ranks. So a stretch
 * between two checkpoints of the ledger, run again on as many ranks with the same
 * configuration, has to end with the same content digest. Which are run is drawn by the last
 * sealed head (audit/segments.h). What cannot be run any more is said, and passed over. */
#ifndef RF_MPI_REEXECUTE_H
#define RF_MPI_REEXECUTE_H

#include "audit/segments.h"
#include "audit/test.h"
#include "mpi/job.h"

struct rf_reexecute_options {
    int64_t count;       /* so many stretches, or all there are */
    const char *head;    /* the last sealed head; rank 0 */
    const char *scratch; /* a directory that all ranks see; what is made there is removed */
};

/* Collective on world; ctx->plan and directories are the same everywhere, ctx->run_dir holds the
 * files that jobs left. segments, state and t10 are rank 0's; others pass NULL. RF_OK when the test came
 * to a result, whatever it is. */
enum rf_status rf_reexecute(const struct rf_group *world, struct rf_job_context *ctx,
                            const struct rf_segments *segments, const struct rf_state *state,
                            const struct rf_reexecute_options *options,
                            struct rf_audit_test *t10, struct rf_error *err);

#endif
