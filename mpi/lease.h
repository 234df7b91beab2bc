/* lease.h - a job's side of its lease: report the meter, hear when to stop.
 *
 * The job's loop calls rf_lease_poll() at every step boundary. The group's
 * first rank talks to the coordinator (a meter reading when the lease is due,
 * a look for a revocation); all ranks then agree by one small reduction,
 * which also carries signals that may have reached one rank only. */
#ifndef RF_MPI_LEASE_H
#define RF_MPI_LEASE_H

#include <stdint.h>

#include "base/digest.h"
#include "mpi/group.h"

enum rf_stop {
    RF_GO,           /* carry on */
    RF_STOP_PREEMPT, /* checkpoint and return: the devices are wanted */
    RF_STOP_SIGNAL   /* checkpoint and return: the whole run ends, exit code 85 */
};

/* What was done since the last reading (sums over the group). */
struct rf_reading {
    int64_t busy_us;       /* device-microseconds inside steps */
    int64_t tokens, flops; /* model tokens and FLOPs */
    int64_t step;          /* steps done so far, absolute */
};

struct rf_lease;

/* Collective on the job's group; reading is the same on every rank (it is added to what
 * is not reported yet). Returns the same on every rank. */
enum rf_stop rf_lease_poll(struct rf_lease *lease, const struct rf_group *group,
                           const struct rf_reading *reading);

/* Tells the coordinator of a complete checkpoint; called by every rank, sent
 * by the group's first. path is relative to the checkpoint directory. */
void rf_lease_checkpoint(struct rf_lease *lease, const struct rf_group *group, int64_t step,
                         const char *digest_hex, const char *path);

/* Local. The ledger as it was when this group formed: how many entries, and the base64 of the tree
 * head over them. 0 and "" without a coordinator. The same on every rank. */
int64_t rf_lease_head(const struct rf_lease *lease, char head[RF_DIGEST_BASE64]);

/* How a job's time on its devices ended. */
enum rf_outcome { RF_OUTCOME_DONE, RF_OUTCOME_STOPPED, RF_OUTCOME_FAILED };

/* What the worker loop calls for each group that forms for a job; job is its place in the list
 * of requests. Collective on group, the same outcome on every rank; on RF_OUTCOME_FAILED err
 * says why. ctx is the caller's. */
typedef enum rf_outcome rf_job_body(void *ctx, const struct rf_group *group, int32_t job,
                                    struct rf_lease *lease, struct rf_error *err);

/* Local. A lease without a coordinator, for `train` and tests: readings are dropped, signals
 * are heard. */
enum rf_status rf_lease_solo(struct rf_lease **lease, struct rf_error *err);
void rf_lease_free(struct rf_lease *lease);

/* For worker.c. Local: from here on the lease is the one that the message (protocol.h) is about,
 * of a job whose leader talks to rank `coordinator` of control (borrowed), at most every
 * lease_us unless something happens. */
struct rf_message;
void rf_lease_bind(struct rf_lease *lease, const struct rf_group *control, int coordinator,
                   const struct rf_message *message);
/* Collective on group: waits until every rank has left the job, then tells the coordinator how
 * it ended. err is read when it failed. */
void rf_lease_finish(struct rf_lease *lease, const struct rf_group *group,
                     enum rf_outcome outcome, const struct rf_error *err);

#endif
