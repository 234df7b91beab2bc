/* engine_parts.h - what the engine's files share; nobody else includes it. */
#ifndef RF_SIM_ENGINE_PARTS_H
#define RF_SIM_ENGINE_PARTS_H

#include "sim/ends.h"
#include "sim/engine.h"

/* How far a job is, once it has been stopped or resized: before that it follows from its start. */
struct rf_progress_of {
    int64_t left_us;  /* device-time of work that is not done and saved */
    int64_t since_us; /* this lease: it works since then; INT64_MAX: it does not */
};

struct rf_readings_of { /* a job */
    int32_t had;
    int32_t leaves; /* 1 + the lease that was asked to leave for good; 0: none */
};

struct rf_engine {
    const struct rf_workload *w;
    const struct rf_sim_options *o;
    struct rf_sim_result *r;
    struct rf_state *state; /* the result's, as the tally */
    struct rf_tally *tally;
    struct rf_policy *policy;
    struct rf_ledger *ledger;      /* may be NULL */
    struct rf_observer *observers; /* owned: tally, the options', the books */
    int nobservers;
    int deaf;      /* the recorder is not there, or stops: nobody decides */
    int unwatched; /* nobody but the tally and the books sees the events */
    int direct; /* nobody at all but the tally: events may take the short way (engine_short.c) */
    int short_policy; /* ... and that of the policy as well */
    int wakes;        /* the policy may want to be asked though nothing happens */
    struct rf_event events[RF_EVENT_NTYPES]; /* one of each type, used again and again */
    int32_t *account_ids;                    /* owned, by workload account; -1: not seen yet */
    int32_t last_account;                    /* whose name the request event carries */
    struct rf_ends ends;
    /* Owned; by job: which attempt it is at, how often it was cut off; NULL without a record. */
    int32_t *attempt, *cut;
    struct rf_readings_of *reading; /* owned; by job; NULL where none are recorded */
    struct rf_ends readings; /* when the next ones fall due; some entries are void by then */
    struct rf_progress_of *progress; /* owned; NULL: no job was stopped or resized yet */
    int64_t now_us, next_arrival, next_change, last_end_us;
    int64_t next_progress; /* events */
};

/* ---- engine_events.c ---- */

/* The one way in which an event reaches the cluster. Fills in seq and t_us. */
enum rf_status rf_engine_emit(struct rf_engine *g, struct rf_event *event,
                              struct rf_error *err);
enum rf_status rf_engine_arrive(struct rf_engine *g, struct rf_error *err);
/* Is the entry still good? It is void when the job stopped or was resized since. */
int rf_engine_is_due(const struct rf_engine *g, const struct rf_end *end);
/* The job whose turn has come, if the entry is still good: it is done, or has stopped. */
enum rf_status rf_engine_end(struct rf_engine *g, const struct rf_end *end,
                             struct rf_error *err);
/* The holder loses its devices: at once, with its work since the last checkpoint. */
enum rf_status rf_engine_evict(struct rf_engine *g, int32_t job, const char *reason,
                               struct rf_error *err);
/* The holder ends at once, as one that somebody has called off. */
enum rf_status rf_engine_cancel(struct rf_engine *g, int32_t job, const char *reason,
                                struct rf_error *err);
/* A reading of the holder, which only crashes and allowances make different from the one at its
 * end. */
enum rf_status rf_engine_charge(struct rf_engine *g, int32_t job, int64_t flops,
                                struct rf_error *err);
/* A recorded signal: the holder saves its work and leaves. */
enum rf_status rf_engine_leave(struct rf_engine *g, int32_t job, const char *reason,
                               struct rf_error *err);
/* The holder is asked to stop, for job `by` or (-1) for nobody. */
enum rf_status rf_engine_stop(struct rf_engine *g, int32_t job, int32_t by, const char *reason,
                              struct rf_error *err);
/* The recorder dies with all leases; rf_engine_recover() says so when it is back. */
enum rf_status rf_engine_crash(struct rf_engine *g, struct rf_error *err);
enum rf_status rf_engine_recover(struct rf_engine *g, struct rf_error *err);
/* Asks the policy, and does what it proposes, until it proposes nothing. */
enum rf_status rf_engine_ask(struct rf_engine *g, struct rf_error *err);
enum rf_status rf_engine_carry_out(struct rf_engine *g, const struct rf_proposal *p,
                                   struct rf_error *err);

/* The job has just started: when will it be done, as things are? */
enum rf_status rf_engine_started(struct rf_engine *g, int32_t job, struct rf_error *err);

/* ---- engine_readings.c: recorded readings, where allowances go by them ---- */

/* A lease begins. */
void rf_engine_begin_readings(struct rf_engine *g, int32_t job);
/* The holder goes on with so many devices: its next reading is due when it was. */
enum rf_status rf_engine_expect_reading(struct rf_engine *g, int32_t job, struct rf_error *err);
/* All readings that are due by now. */
enum rf_status rf_engine_read(struct rf_engine *g, struct rf_error *err);
/* The lease is about to end: its last reading, if one would have come in a moment. The job is over
 * with it: whatever it was read to have done. */
enum rf_status rf_engine_read_last(struct rf_engine *g, int32_t job, int over,
                                   struct rf_error *err);

/* ---- engine_short.c: the same for an engine that is `direct` ---- */

/* Time has passed up to now, and an event is about to happen: the tally has not heard of all. */
enum rf_status rf_engine_pass(struct rf_engine *g, struct rf_error *err);
/* The next arrival, of an account that has been seen before. */
enum rf_status rf_engine_arrive_short(struct rf_engine *g, struct rf_error *err);
enum rf_status rf_engine_start_short(struct rf_engine *g, const struct rf_proposal *p,
                                     struct rf_error *err);
/* The job, which runs, is done. */
enum rf_status rf_engine_end_short(struct rf_engine *g, int32_t job, struct rf_error *err);
/* Moments, in batches, as long as the policy can take the short way as well: those before
 * before_us and up to until_us in which something happens. Returns early now and then. */
enum rf_status rf_engine_run_short(struct rf_engine *g, int64_t before_us, int64_t until_us,
                                   struct rf_error *err);

/* ---- engine_world.c ---- */

/* The changes of this moment with kinds up to `last`. */
enum rf_status rf_engine_change(struct rf_engine *g, enum rf_change_kind last,
                                struct rf_error *err);
enum rf_status rf_engine_open(struct rf_engine *g, struct rf_error *err);
enum rf_status rf_engine_close(struct rf_engine *g, struct rf_error *err);

#endif
