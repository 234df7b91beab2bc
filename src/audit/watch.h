/* watch.h - what an audit writes down while a ledger is replayed.
 *
 * An observer (alloc/observer.h) that keeps books of its own from the events alone: who has
 * which device since when, what was asked for and answered, how long it was silent, what was
 * claimed, and what was changed by hand. It does not take the state's word where it can count
 * for itself; where a line breaks a rule it is told of before the state refuses it, so the
 * test that concerns it names the line.
 *
 * Memory: about 80 bytes per job, 4 per device, 8 per line. */
#ifndef RF_AUDIT_WATCH_H
#define RF_AUDIT_WATCH_H

#include "alloc/observer.h"
#include "audit/test.h"

/* Why evidence is missing for a stretch of time. */
enum rf_gap_kind {
    RF_GAP_SILENCE,  /* no line for longer than the ledger promises: stopped, or a clock jump */
    RF_GAP_CLOCK,    /* the recorder came back no later than it went: its clock was set back */
    RF_GAP_CRASH,    /* from the last line to the recover line */
    RF_GAP_READING,  /* a lease died with the recorder: its device-time has no reading */
    RF_GAP_UNSEALED, /* from the last sealed line to the end: nobody has signed for it */
    RF_GAP_NKINDS
};

struct rf_gap {
    enum rf_gap_kind kind;
    int64_t begin_us, end_us;
    int64_t seq;       /* the line after it (the last line for UNSEALED) */
    int32_t job;       /* READING: whose; else -1 */
    int64_t device_us; /* READING: devices x time */
};

/* Requests of one account that had one answer, for one reason. */
struct rf_answer {
    int32_t account, reason; /* indices into the state's */
    int denied;              /* 1: denied, 0: delayed */
    int64_t requests;
    struct rf_wide device_us; /* denied: min x limit; delayed: min x time it waited for this */
    int64_t unlimited;        /* denied requests without a limit, which count nothing there */
};

/* One account, by the state's index; its own jobs, not those below it. */
struct rf_account_requests {
    int64_t requests, granted, delayed, denied, cancelled, waiting;
    struct rf_wide delayed_us, denied_us; /* as the sums of rf_answer */
};

/* A checkpoint that the ledger knows of. */
struct rf_seen_checkpoint {
    int64_t seq, t_us, step;
    int32_t job, lease, devices;
    char digest[65], path[RF_TEXT_BYTES];
};

/* A reading with work in it; sums over the lease. */
struct rf_seen_reading {
    int64_t seq, step, tokens, flops;
    int32_t job, lease;
};

/* Something that somebody changed by hand. */
struct rf_seen_change {
    int64_t seq, t_us;
    enum rf_event_type
        type;    /* pledge (not the first of its account), policy, reserve, limit, relabel */
    int32_t job; /* relabel, else -1 */
    int after_the_fact; /* relabel: the job had been given devices already */
    char account[RF_NAME_BYTES], author[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
    char what[96]; /* "1/5 of fleet -> 1/10 of fleet" */
};

struct rf_watch_waits {
    int64_t *waits; /* owned; after rf_watch_end() in order */
    int64_t n, room;
};

struct rf_watch_job; /* watch_rules.h */

struct rf_audit_watch {
    struct rf_audit_test *tests; /* borrowed: RF_AUDIT_NTESTS */
    int want_readings;           /* keep readings: 40 bytes each */

    struct rf_gap *gaps; /* owned, as all arrays here */
    int ngaps, gaps_room;
    struct rf_answer *answers;
    int nanswers, answers_room;
    struct rf_account_requests *accounts; /* by account */
    int32_t naccounts, accounts_room;
    struct rf_seen_checkpoint *checkpoints;
    int ncheckpoints, checkpoints_room;
    struct rf_seen_reading *readings;
    int64_t nreadings, readings_room;
    struct rf_seen_change *changes;
    int nchanges, changes_room;
    struct rf_watch_waits pledged, others; /* from ready to the first grant */
    int64_t *times;                        /* by line: its t_us */
    int64_t ntimes, times_room;

    char (*rotated)[RF_TEXT_BYTES]; /* public keys that the ledger went over to */
    int nrotated, rotated_room;

    char run[RF_NAME_BYTES], config[65];
    int64_t heartbeat_us, seal_us; /* as the open line promises; 0: not */
    int64_t recoveries;
    /* Devices, from events alone. */
    int64_t ninstalled, nfree, ndown, nheld;
    struct rf_wide installed_us, granted_us, idle_us,
        down_us;                          /* integrals while the run is open */
    struct rf_wide charged_us, unread_us; /* readings; time that never had one */
    struct rf_wide busy_us, flops;        /* claimed in all */
    struct rf_wide disputed_us, disputed_flops;
    int64_t disputes;
    int64_t peak_flops; /* per device-second, as measured last */
    char measured[RF_TEXT_BYTES];

    /* For the watch alone. */
    int32_t *owner; /* by device */
    int64_t ndevices, owner_room;
    struct rf_watch_job *jobs; /* by job */
    int64_t njobs, jobs_room;
    int32_t nleases;
    int64_t nseq, last_us;
    int opened, closed;
};

/* Starts as zeros but for tests and want_readings. The watch is borrowed by the observer. Unlike other
 * observers it keeps what it was told before an event that is then refused: a replay ends there. */
struct rf_observer rf_watch_observer(struct rf_audit_watch *watch);
/* After the last event: what is still open, and the results of T1 and T3 to T8 but for gaps that
 * seals show. The state is as the last event left it. */
enum rf_status rf_watch_end(struct rf_audit_watch *watch, const struct rf_state *state,
                            int64_t service_wait_us, struct rf_error *err);
enum rf_status rf_watch_gap(struct rf_audit_watch *watch, const struct rf_gap *gap,
                            struct rf_error *err);
void rf_watch_clear(struct rf_audit_watch *watch);

const char *rf_gap_name(enum rf_gap_kind kind); /* "silence", "clock", "crash", ... */

#endif
