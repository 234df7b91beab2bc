/* desk.h - what the files of the coordinator's desk share; nobody else includes it.
 *
 * dispatch.c has the rounds and tells the workers; dispatch_hear.c takes what jobs say;
 * dispatch_ask.c takes requests and what the policy says; dispatch_watch.c sees to what jobs
 * have promised: limits, deadlines, to be heard of; dispatch_pace.c knows how far all of it has come. */
#ifndef RF_MPI_DESK_H
#define RF_MPI_DESK_H

#include "mpi/dispatch.h"
#include "mpi/protocol.h"

/* What a lease's leader has to be told; a later one includes those before it. */
enum rf_revocation {
    RF_REVOKE_NOT,
    RF_REVOKE_PAUSE, /* stop at a step boundary, and go on at once, perhaps on other ranks */
    RF_REVOKE_STOP,  /* the devices are wanted */
    RF_REVOKE_SIGNAL /* the whole run ends */
};

struct rf_held {
    int32_t job, lease;
    int leader;
    int started; /* its ranks have been told to begin */
    int paused;  /* they have left at a step boundary, and will be told to begin again */
    int32_t formation;
    enum rf_revocation revoke, told;
    char ends[RF_TEXT_BYTES];   /* not "": it does not come back, for this reason */
    int cancelled;              /* ... because somebody said so: it is no failure */
    int64_t formed_us;          /* its ranks were told to begin */
    int64_t heard_us, asked_us; /* the last message came; asked to stop; -1: not */
    int spoke;                  /* a message came since then */
    int silent, overrun;        /* disputed as such since */
    /* This lease so far: device-time by the coordinator's clock, and what the job says it did. */
    int64_t held_us, busy_us, flops, tokens;
    int64_t spare_us; /* busy time that was reported and fits into later readings only */
};

/* A job that the ledger knows. */
struct rf_known {
    int32_t plan; /* its place in the requests */
    int32_t held; /* index of its lease, -1: holds none */
};

struct rf_dispatch {
    const struct rf_group *control;
    const struct rf_run_options *options;
    struct rf_journal *journal;
    struct rf_policy *policy;
    struct rf_outbox *outbox; /* owned */
    struct rf_ticker progress;
    /* When it all began, in this coordinator, and what had been done by then. */
    int64_t begun_us, begun_tokens;
    double begun_effort;
    struct rf_request *requests; /* owned: those of the options, and what came since */
    int32_t *job_of;             /* owned, by place in requests: the job's id; -1: not yet */
    int32_t nrequests, requests_room, next_request;
    struct rf_known *known; /* owned, by job id; room as for requests */
    int next_promise;
    int64_t *owed_us; /* owned, scratch of one look: by account */
    int32_t owed_room;
    struct rf_held *leases; /* owned: those that are out, room for one per device */
    int nleases, nworkers, byes;
    int spread;         /* device id / spread is the rank that it is */
    int32_t formations; /* groups told to begin so far */
    int *ranks;         /* owned: room for a group of all devices */
    int64_t last_event_us, last_seal_us, idle_us; /* idle since; -1: not idle */
    int changed;                                  /* since the policy was asked */
    int64_t wake_us;  /* when its answer may differ although nothing changed */
    int64_t woken_us; /* the last time it was asked for that */
    int64_t watch_us; /* when the next lease has to be looked at */
    int untold;       /* some lease is to be told something */
    int moved;        /* devices changed hands since the progress line was shown */
    int signalled;
    enum rf_status failed;
    struct rf_error error;
    enum rf_status job_failure; /* of the first job that failed */
};

/* ---- dispatch.c ---- */

static inline const struct rf_state *rf_desk_state(const struct rf_dispatch *d)
{
    return d->journal->state;
}

static inline const struct rf_job *rf_desk_job(const struct rf_dispatch *d,
                                               const struct rf_held *held)
{
    return &rf_desk_state(d)->jobs[held->job];
}

/* Records the event; once that has failed, nothing more is recorded. */
void rf_desk_record(struct rf_dispatch *d, struct rf_event *event);
/* The record can no longer be kept (d->error says why), so what has not begun never happens, and
 * what runs stops. */
void rf_desk_fail(struct rf_dispatch *d);
/* The lease of a job, NULL: none; it is valid until leases come or go. */
struct rf_held *rf_desk_held(struct rf_dispatch *d, int32_t job);
void rf_desk_forget(struct rf_dispatch *d, struct rf_held *held);
/* Its leader will be told, if that is more than it was told before. */
void rf_desk_revoke(struct rf_dispatch *d, struct rf_held *held, enum rf_revocation why);
/* Words for the ledger: printable ASCII without quotes, never empty. */
void rf_desk_words(char *to, size_t size, const char *from);

/* ---- dispatch_hear.c ---- */

/* A reading, by the coordinator's clock: what of it can be true is charged, the rest is
 * disputed. */
void rf_desk_charge(struct rf_dispatch *d, struct rf_held *held,
                    const struct rf_reading *reading);
void rf_desk_dispute(struct rf_dispatch *d, const struct rf_held *held, const char *reason,
                     const struct rf_reading *claim);
void rf_desk_hear(struct rf_dispatch *d, const struct rf_message *message);
/* The job's ranks have left: its devices are free. */
void rf_desk_release(struct rf_dispatch *d, struct rf_held *held, const char *reason,
                     int64_t retry_us);
void rf_desk_end(struct rf_dispatch *d, struct rf_held *held, const char *state,
                 const char *reason);

/* ---- dispatch_ask.c ---- */

/* Sees to it that there is room for n requests more. */
enum rf_status rf_desk_room(struct rf_dispatch *d, int32_t n, struct rf_error *err);
void rf_desk_promises(struct rf_dispatch *d);
void rf_desk_requests(struct rf_dispatch *d);
void rf_desk_decide(struct rf_dispatch *d);
void rf_desk_preempt(struct rf_dispatch *d, struct rf_held *held, int32_t by,
                     const char *reason);

/* ---- dispatch_pace.c ---- */

void rf_desk_pace_start(struct rf_dispatch *d);

/* ---- dispatch_watch.c ---- */

void rf_desk_watch(struct rf_dispatch *d);

#endif
