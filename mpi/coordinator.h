/* coordinator.h - real clock + alloc's state and policy + messages; decides nothing by itself.
 *
 * The world is N worker ranks 0 .. N-1 (one device each) and the coordinator
 * as its last rank. Every decision goes to the ledger and is durable before it
 * takes effect. The coordinator sleeps between messages. */
#ifndef RF_MPI_COORDINATOR_H
#define RF_MPI_COORDINATOR_H

#include "alloc/ledger.h"
#include "alloc/pledge.h"
#include "alloc/policy.h"
#include "mpi/group.h"
#include "mpi/lease.h"
#include "mpi/signals.h"

/* One job as the coordinator knows it. */
struct rf_request {
    char name[RF_NAME_BYTES], account[RF_NAME_BYTES];
    int32_t min, max;
    int64_t submit_us; /* after the start of the run */
    int64_t limit_us;
    int32_t after[RF_AFTER_MAX], nafter; /* places in the list of requests, before its own */
    int32_t priority;                    /* higher first */
    int64_t deadline_us;                 /* after its submission; 0: none */
    int64_t held_limit_us, flops_limit;  /* what it may use in all; 0: any */
    int32_t retries;                     /* so often it is tried again when it fails ... */
    int64_t backoff_us; /* ... so long after the first time, then twice as long */
    /* For progress alone: how many steps it has, and what they take beside those of other jobs, in
     * any unit; 0: next to nothing, or not known. */
    int64_t steps;
    double effort;
};

struct rf_control_options;

struct rf_run_options {
    char run[RF_NAME_BYTES];
    char version[32]; /* of this build, with its commit: "0.1.0+934a451e7961" */
    char config_digest[65];
    int64_t seed;
    struct rf_policy_options policy;
    char policy_name[40]; /* "fcfs+floor" */
    int64_t grace_us, lease_us, seal_us, heartbeat_us;
    int64_t linger_us; /* so long after the last job is over, jobs may still be submitted */
    int lease_silence; /* a lease without a reading for so many times lease_us is disputed;
                           0: none is */
    int64_t
        peak_flops; /* per device and second: claims of much more are disputed; 0: none are */
    char peak_how[32]; /* how it is known, as a code */
    /* Pledge, policy and limit events without seq; t_us: after the start of the run,
     * ascending. */
    const struct rf_event *pledges;
    int npledges;
    /* Submitted in this order: none before its time, and none before those above it. Workers
     * know a job by its place in this list; names are unique. */
    const struct rf_request *requests;
    int nrequests;
    const char *ledger_path;
    int spread; /* for load generators: each worker rank stands for so many devices; else 0 */
    const struct rf_key *key; /* NULL on workers */
    const struct rf_key
        *next_key;           /* seals from the start of this run on, after `key` has signed
                                      for it; NULL: none */
    const char *anchor_file; /* each sealed head is appended to it; NULL: to none */
    int anchor_slurm;        /* ... and becomes the comment of the Slurm job */
    int resume;              /* go on with the ledger; it must be of the same configuration */
    int progress;            /* a progress line on stderr (base/ticker.h) */
    const struct rf_control_options *control; /* control.h; NULL: nobody can ask for anything */
};

struct rf_run_outcome {
    enum rf_status status; /* RF_OK; RF_AGAIN after a signal; an error that stopped the run */
    enum rf_status
        job_failure;        /* what the first failed job failed with; RF_OK: none failed now */
    struct rf_state *state; /* owned; coordinator only, NULL on workers */
    struct rf_tally *tally; /* owned; coordinator only */
    char head[RF_DIGEST_BASE64];
    int64_t entries;
    int sealed;
};

/* Collective on world: returns when every job is over, a signal ended the run,
 * or the ledger failed. body is called on workers. Status and error are the
 * same on every rank. A failed job is not a failed run. Workers read nothing of the
 * options. To resume a run that was over already is RF_OK at once. */
enum rf_status rf_coordinate(const struct rf_group *world, const struct rf_run_options *options,
                             rf_job_body *body, void *ctx, struct rf_run_outcome *outcome,
                             struct rf_error *err);
/* The same for load generators: every worker rank plays as many workers as options->spread says, by
 * itself. play takes all that comes on control (protocol.h), answers for each device, and returns
 * after it has answered SHUTDOWN with BYE. spread is the same on all ranks. */
typedef void rf_play(void *ctx, const struct rf_group *control);
enum rf_status rf_coordinate_play(const struct rf_group *world,
                                  const struct rf_run_options *options, rf_play *play,
                                  void *ctx, struct rf_run_outcome *outcome,
                                  struct rf_error *err);
void rf_run_outcome_clear(struct rf_run_outcome *outcome);

#endif
