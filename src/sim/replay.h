/* replay.h - a ledger as a simulation: its jobs, fleet and promises, and how things really went.
 *
 * What happened to the coordinator (requests, changes of the fleet, pledges, policies, limits, calling
 * off, signals, crashes) is the same again; what it decided is decided anew. A job needs the
 * device-time that it was measured to have held, less what stopping and starting again cost:
 *
 *   work    what its leases held, up to the moment when each was asked to stop; when a recorder
 *           died, up to the last checkpoint. A job on n devices is taken to do n times the work of
 *           one on a single device, as the engine does.
 *   stop    from the preemption to the release: each as it was seen, in order; beyond those the
 *           job's mean, or the run's
 *   restart from a later grant to its first step (the first reading says when that began): the
 *           same. It is overhead, not work.
 *
 * Where something is limited (limit events, allowances of jobs), readings and FLOPs come again after
 * the same device-time of the job, in all its leases; a job that had broken a limit is asked to
 * leave where it was, and goes on working until then.
 *
 * A simulated ledger has no readings; where its configuration is known, costs are those of
 * the configuration (rf_replay_costs), and the replay is exact. A job that was denied, or
 * called off and never ran, is given its limit, or where it has none the median job's work; one
 * that was not over when the ledger ends goes on to the end of the simulation, which is then the
 * ledger's.
 *
 * When a recorder died, everything stands still from the last line to the recovery, as in the
 * ledger; after a signal jobs leave when they left. */
#ifndef RF_SIM_REPLAY_H
#define RF_SIM_REPLAY_H

#include "alloc/ledger.h"
#include "sim/engine.h"
#include "sim/retake.h"

/* Known costs of stopping (engine.h); known 0: they are measured from the ledger. */
struct rf_replay_costs {
    int known;
    int64_t checkpoint_us, every_us, restart_us;
};

struct rf_replay_options {
    const char *vkey; /* pinned public key; NULL: the one beside the ledger */
    int64_t prefix;   /* take only so many lines; 0: all, which must verify then */
    /* How the recorded decisions were taken; NULL: they are not taken again. The order and the fence
     * are those of the ledger. */
    const struct rf_policy_options *policy;
    struct rf_replay_costs costs;
};

/* A job as it went; times since the start of the run. */
struct rf_replay_job {
    int64_t start_us, end_us; /* first grant; over; -1: not */
    int32_t devices;          /* of the first grant */
    enum rf_job_state state;
    int guessed; /* what it needs is not known: it never ran, or not to its end */
};

/* A duration that was seen several times. */
struct rf_replay_seen {
    int64_t n, sum_us, max_us;
};

struct rf_replay_step { /* a grant or a preemption: how two courses of events are compared */
    int64_t t_us;
    enum rf_event_type type;
    int32_t job, count;
};

struct rf_replay {
    struct rf_ledger_check check;
    int64_t used; /* lines */
    char run[RF_NAME_BYTES], order[16], fence[16], config[65];
    int64_t seed, grace_us, start_us, length_us; /* start_us: as in the ledger */
    int32_t devices;                             /* at the start */
    int unfinished, resized; /* jobs that were not over; any shrink or grow event */
    int crashes, pauses;     /* recoveries without and after a close... */
    int64_t down_us;         /* ... and how long nobody recorded, in all */
    int64_t makespan_us;     /* from the first request to the last end */
    int64_t grants, preemptions, denied;
    struct rf_workload workload; /* owned, as the rest */
    struct rf_world world;       /* pledges and policies too */
    struct rf_replay_job *jobs;  /* n of the workload */
    struct rf_replay_step *steps;
    int64_t nsteps;
    struct rf_state *state;                     /* as it was after the last line */
    struct rf_tally *tally;                     /* judged */
    struct rf_replay_seen stop, restart, start; /* start: of a first lease, to its first step */
    int retaken; /* are there results of taking the decisions again? */
    struct rf_retake_result retake;
};

/* Reads a ledger. RF_ERR_INPUT: it cannot be read, is no ledger, or nothing can be replayed;
 * RF_NO: it does not verify (and the prefix does not end before that), the text says where. On
 * success the caller ends *replay with rf_replay_clear(); on failure it is empty. */
enum rf_status rf_replay_read(struct rf_replay *replay, const char *path,
                              const struct rf_replay_options *options, struct rf_error *err);
void rf_replay_clear(struct rf_replay *replay);

/* What happens in the replay: as recorded, but with the promises and the changes of policy of
 * `promises` (a world without anything else; NULL: the recorded ones). The caller ends *world with
 * rf_world_clear(). */
enum rf_status rf_replay_world(const struct rf_replay *replay, const struct rf_world *promises,
                               struct rf_world *world, struct rf_error *err);

/* The first line alone, unverified: which configuration a ledger is of. */
enum rf_status rf_replay_peek(const char *path, struct rf_event *open, struct rf_error *err);

#endif
