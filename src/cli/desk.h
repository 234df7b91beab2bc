/* desk.h - the owner's side of a run's control socket, and workers' of what comes through it. */
#ifndef RF_CLI_DESK_H
#define RF_CLI_DESK_H

#include "cli/launch.h"
#include "mpi/control.h"
#include "mpi/job.h"

/* What the coordinator's rank keeps of submissions; it starts zeroed but for launch and nworkers. */
struct rf_desk {
    struct rf_launch *launch; /* borrowed */
    int nworkers;
    struct rf_request *requests; /* owned: of the last submission */
    char socket_path[RF_PATH_BYTES], metrics_path[RF_PATH_BYTES];
};

/* Local. The options borrow the desk. */
enum rf_status rf_desk_open(struct rf_desk *desk, struct rf_control_options *options,
                            struct rf_error *err);
void rf_desk_close(struct rf_desk *desk);

/* Jobs as workers run them: context with the launch that the plan belongs to. */
struct rf_submitted_job {
    struct rf_job_context job; /* plan: that of launch */
    struct rf_launch *launch;
};
/* Collective on group; an rf_job_body whose ctx is a struct rf_submitted_job: reads what was
 * submitted since, when the plan does not have the job yet. */
enum rf_outcome rf_submitted_job_run(void *ctx, const struct rf_group *group, int32_t job,
                                     struct rf_lease *lease, struct rf_error *err);

#endif
