/* state.h - what a cluster looks like, and the only function that changes it.
 *
 * rf_state_apply() takes a state and an event and applies it or refuses it;
 * the live coordinator, the simulator, restart and audit all use it, so the
 * rules exist once. It knows no clock: time is what the events say, and never
 * goes back. Policies and pledges read the state through the const fields. */
#ifndef RF_ALLOC_STATE_H
#define RF_ALLOC_STATE_H

#include "alloc/event.h"
#include "base/wide.h"

enum rf_job_state {
    RF_JOB_QUEUED,
    RF_JOB_RUNNING,
    RF_JOB_STOPPING, /* a preempt event was recorded; devices are still held */
    RF_JOB_DONE,
    RF_JOB_FAILED,
    RF_JOB_CANCELLED,
    RF_JOB_DENIED
};

/* What was claimed and not accepted: sums, which stop at 63 bits. */
struct rf_disputed {
    int64_t times, busy_us, tokens, flops;
};

/* What few jobs have: a name, dependencies, wishes, readings other than device-time. */
struct rf_job_extra {
    char name[RF_NAME_BYTES];
    int32_t after[RF_AFTER_MAX], nafter;
    int32_t priority, retries;            /* retries: so many are left */
    int64_t deadline_us, retry_us;        /* 0: none; not ready before retry_us */
    int64_t held_limit_us, flops_limit;   /* what it may be charged in all; 0: any */
    int64_t busy_us, tokens, flops, step; /* sums; step: the last reported */
    int64_t checkpoint_us; /* this lease: its last complete checkpoint; -1: none */
    struct rf_disputed disputed;
};

/* At most 128 bytes: simulations hold tens of millions. */
struct rf_job {
    int64_t submit_us, queued_us /* since when in the queue this time */;
    int64_t first_grant_us, end_us; /* -1: not yet */
    int64_t limit_us;               /* 0: none */
    int64_t grant_us, charged_us;   /* this lease: granted at, charged up to */
    int64_t preempt_us;             /* this lease: asked to stop at; -1: not asked */
    int64_t held_us;                /* device-time charged so far */
    int32_t account;                /* index into accounts */
    int32_t min, max;
    int32_t lease;    /* -1: holds none */
    int32_t ndevices; /* held now */
    int32_t lent;     /* of these, borrowed when they were granted */
    int32_t preemptions, grants;
    int32_t prev, next; /* neighbours in the queue or among the running; -1: none */
    int32_t extra;      /* index into extras; -1: none of that */
    int32_t place;      /* this lease: index into held; -1: none, or by_count */
    uint8_t state;      /* enum rf_job_state */
    uint8_t reason;     /* index into reasons: why it waits, was denied, or how it ended */
};

struct rf_account {
    char name[RF_NAME_BYTES];
    int32_t parent;                  /* index, -1 for a root */
    int32_t used;                    /* devices held now, by this account and those below it */
    int32_t jobs, denied, preempted; /* counts, this account and those below it */
    /* Charged so far, this account and those below it. */
    struct rf_wide held_us;
    int64_t busy_us, tokens, flops;
    /* No grant once so much has been charged; 0: no limit. */
    struct rf_wide held_limit_us;
    int64_t flops_limit;
    struct rf_disputed disputed;
};

struct rf_pledge {
    char account_name[RF_NAME_BYTES];
    int32_t account;
    struct rf_share share;
    char basis[16], fence[16], terms[RF_TEXT_BYTES];
    int64_t window_us, tolerance_us;
    int64_t since_us;
    int32_t secured; /* devices of the fleet, down ones too, when the pledge was made */
};

/* Devices wanted at a fixed time; policies keep them clear. */
struct rf_hold {
    char account_name[RF_NAME_BYTES]; /* "": maintenance */
    int64_t begin_us, end_us;
    int32_t count;
};

enum { RF_PLEDGES_MAX = 64, RF_WINDOWS_MAX = 1000000, RF_REASONS_MAX = 250 };

struct rf_state {
    int64_t now_us, start_us;
    int64_t next_seq;
    int opened, closed;
    int by_count; /* devices are only counted: the sets below stay empty */
    int32_t next_lease;
    int64_t grace_us;
    char order[16], fence[16];         /* in force, as the open or the last policy event said */
    struct rf_idset fleet, free, down; /* all that are up; those that nobody holds; down */
    int32_t nfleet, nfree, ndown, peak; /* peak: the largest fleet + down has been */
    struct rf_job *jobs;
    int32_t njobs;
    struct rf_job_extra *extras;
    int32_t nextras;
    struct rf_idset *held; /* by place; which devices a running job holds: rf_state_devices() */
    char (*reasons)[RF_TEXT_BYTES]; /* [0] is "" */
    int32_t nreasons;
    struct rf_account *accounts;
    int32_t naccounts;
    struct rf_pledge *pledges; /* in force now, one per account */
    int32_t npledges;
    struct rf_hold *holds; /* announced, not over; by begin */
    int32_t nholds;
    /* Lists through jobs[].prev and .next; -1 ends them. */
    int32_t queue_first, queue_last; /* queued jobs by id: a preempted job keeps its place */
    int32_t running_first, running_last; /* jobs that hold devices, in order of grant */
    int32_t nqueue, nrunning;
    int64_t retry_us;   /* when the next job that was tried is ready again; INT64_MAX: none */
    int64_t peak_flops; /* per device and second, as it was measured last; 0: it was not */
    int limited;        /* some account has a limit */
    struct rf_state_room *room; /* what state.c needs to keep all this */
};

/* by_count: devices have no identity. Events then carry `count` instead of `devices`; everything
 * else is the same. For simulations that write no ledger. */
enum rf_status rf_state_create(struct rf_state **state, int by_count, struct rf_error *err);
void rf_state_destroy(struct rf_state *state);
/* Makes room for njobs jobs in all, so that a long simulation allocates once. */
enum rf_status rf_state_reserve(struct rf_state *state, int32_t njobs, struct rf_error *err);

/* Applies the event or refuses it (RF_ERR_INPUT, with a reason that names the
 * rule); a refused event changes nothing. Refused are, among others: a gap in
 * seq, time going back, a device granted twice, a grant to a job that does
 * not queue, whose `after` jobs are not done, or outside min..max, a held_us
 * that is not exactly devices x elapsed (charge, shrink, grow, release, end), a close
 * while devices are held, a grant to a job or an account whose allowance is used up, a relabel of
 * a holder that owes device-time, pledges of more than the whole or of accounts that
 * contain one another, a time at which a job would have held more device-microseconds than 63
 * bits, more than RF_REASONS_MAX different codes as reasons. (An end's reason
 * is free text; beyond that many the state says "see-the-ledger" instead.)
 *
 * A job that shrinks gives borrowed devices back first.
 *
 * recover says that the recorder died, and every lease with it: holders go
 * back to the queue, and their time since the last reading stays without proof
 * (pledge.h). After a close it opens the run again; nothing else but rotate comes after a close. */
enum rf_status rf_state_apply(struct rf_state *state, const struct rf_event *event,
                              struct rf_error *err);

/* Would rf_state_apply() take this event? The same refusals; changes nothing. */
enum rf_status rf_state_check(const struct rf_state *state, const struct rf_event *event,
                              struct rf_error *err);

/* Queued, every job it comes after is done, and it need not wait until it is tried again. Time
 * passes with events: who waits for retry_us of the state records a heartbeat then. */
int rf_state_ready(const struct rf_state *state, const struct rf_job *job);
/* Which allowance of the job is used up, or of its account or one above it, as a code:
 * "job-device-time", "job-flops", "account-device-time", "account-flops"; NULL: none. */
const char *rf_state_spent(const struct rf_state *state, const struct rf_job *job);
/* A queued job that can never run because one it comes after failed or was denied. */
int rf_state_orphan(const struct rf_state *state, const struct rf_job *job);
/* Devices x time that a holder has not been charged for yet, at time t_us. */
int64_t rf_state_owed_us(const struct rf_job *job, int64_t t_us);
int32_t rf_state_find_account(const struct rf_state *state, const char *name); /* -1: none */
/* Is account, or one above it, the account `of`? */
int rf_state_within(const struct rf_state *state, int32_t account, int32_t of);
/* Devices of an event, whether the state counts them or knows them. */
int32_t rf_state_count(const struct rf_state *state, const struct rf_event *event);
/* The devices that a running job holds; the empty set for others and by_count. Valid until
 * the next event. */
const struct rf_idset *rf_state_devices(const struct rf_state *state, int32_t job);
/* The job's name; for a job without one, "job" and its id, written to buf (RF_NAME_BYTES). */
const char *rf_state_job_name(const struct rf_state *state, int32_t job, char *buf);
const char *rf_state_job_account(const struct rf_state *state, int32_t job);
const char *rf_state_job_reason(const struct rf_state *state, int32_t job);
/* Its extra part, or one that is all zero (checkpoint_us -1). */
const struct rf_job_extra *rf_state_job_extra(const struct rf_state *state, int32_t job);
const char *rf_job_state_name(enum rf_job_state state);

#endif
