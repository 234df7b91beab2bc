/* worker.h - waits for a lease, forms the group, runs the job, reports the meter. */
#ifndef RF_MPI_WORKER_H
#define RF_MPI_WORKER_H

#include "mpi/group.h"
#include "mpi/lease.h"

struct rf_worker;

/* Local. All that can fail of a worker's life happens here. control (borrowed) is the workers
 * and, as its last rank, the coordinator; body(ctx) is what a lease runs. */
enum rf_status rf_worker_create(struct rf_worker **worker, const struct rf_group *control,
                                rf_job_body *body, void *ctx, struct rf_error *err);
void rf_worker_destroy(struct rf_worker *worker);

/* Every worker serves while the coordinator runs its own loop. Returns when the
 * coordinator says that the run is over. An idle worker sleeps between looks at its
 * messages; body is called once per lease, on the ranks of its group. */
void rf_worker_serve(struct rf_worker *worker);

#endif
