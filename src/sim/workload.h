/* workload.h - the jobs of a simulation, as arrays: what a trace or a generator says.
 *
 * Jobs are in order of submission (ties: order of the file) and known by their index,
 * which is also their id in the state. Times are microseconds since the workload's origin.
 * Readers are in trace.h, generators in generate.h. */
#ifndef RF_SIM_WORKLOAD_H
#define RF_SIM_WORKLOAD_H

#include "alloc/event.h"
#include "base/file.h"

/* What a request says beyond the arrays below. */
struct rf_workload_request {
    char name[RF_NAME_BYTES];
    int32_t after[RF_AFTER_MAX], nafter;
    int32_t priority, retries;
    int64_t deadline_us; /* 0: none */
    int64_t held_limit_us, flops_limit;
};

/* An attempt at a job that failed: after so much device-time, and tried again so long later. */
struct rf_workload_attempt {
    int64_t work_us, delay_us;
};

/* Numbers that were seen of each job one after the other: those of job k are
 * values[first[k] .. first[k + 1] - 1]; -1 where one is missing. */
struct rf_workload_series {
    int32_t *first; /* n + 1, owned, as the other */
    int64_t *values;
};

/* Among readings. The job had broken a limit and was asked to leave for good; or its k-th lease was
 * cut off (RF_READ_CUT - k), and what follows was read in a later one. */
enum rf_workload_read { RF_READ_ASKED = -1, RF_READ_CUT = -2 };

/* What only a recorded run knows of its jobs (replay.h): n each, owned. */
struct rf_workload_record {
    struct rf_workload_request *requests;
    int64_t *work_us; /* device-time that the job needs, exactly; limit_us may then be shorter
                         than run_us, or 0: none */
    /* What stopping it costs: how long it holds its devices once it is asked to stop, how far
     * its checkpoints lie apart (0: only when asked), how long it takes to go on. The first times
     * are as they were seen: stops and restarts in microseconds, whether the job was through at the
     * end of a stop, and the device-time that was saved of leases that were cut off. */
    int64_t *stop_us, *every_us, *restart_us;
    struct rf_workload_series stops, through, restarts, kept;
    /* Readings, where allowances went by them: the device-time that the job had held in all by
     * then, and the FLOPs that each one added, or what else happened (enum rf_workload_read). */
    struct rf_workload_series read_us, read_flops;
    unsigned char *failed;  /* its end is a failure */
    int32_t *first_attempt; /* n + 1: failed attempts of job k are [first[k], first[k + 1]) */
    struct rf_workload_attempt *attempts;
};

struct rf_workload {
    int64_t n;
    int64_t *submit_us; /* n each, owned; submit_us does not decrease and is >= 0 */
    int64_t *run_us;    /* > 0: what the job needs on `min` devices */
    int64_t *limit_us;  /* >= run_us: what the scheduler is told, the user's estimate */
    int32_t *min;       /* devices, >= 1 */
    int32_t *max;       /* >= min; NULL: all jobs are rigid, max = min */
    int32_t *account;   /* index into accounts */
    char (*accounts)[RF_NAME_BYTES]; /* naccounts of them, owned, dotted, all different */
    int32_t naccounts;
    int64_t origin_us;                 /* UTC of time 0, microseconds since 1970; 0: unknown */
    char source[RF_PATH_BYTES];        /* what people call it: a file name, "lublin", "acme" */
    struct rf_workload_record *record; /* owned; NULL but for recorded runs, which are neither
                                          sorted nor repeated */
};

/* Makes room for n jobs (all arrays but max and accounts); clear() frees everything. */
enum rf_status rf_workload_create(struct rf_workload *w, int64_t n, struct rf_error *err);
void rf_workload_clear(struct rf_workload *w);
/* Makes the record, all zero, with room for so many attempts, and empty series. */
enum rf_status rf_workload_add_record(struct rf_workload *w, int32_t nattempts,
                                      struct rf_error *err);
/* The k-th number (from 0) of a job, or `otherwise`. */
int64_t rf_workload_seen(const struct rf_workload_series *series, int32_t job, int32_t k,
                         int64_t otherwise);

/* Index of the account of that name, which is added when new. */
enum rf_status rf_workload_account(struct rf_workload *w, const char *name, int32_t *index,
                                   struct rf_error *err);
/* Puts the jobs in order of submission; stable. */
enum rf_status rf_workload_sort(struct rf_workload *w, struct rf_error *err);
/* `copies` of the whole, one after the other: copy k starts where copy k-1's last submission
 * was, plus one second. For measuring. w is replaced. */
enum rf_status rf_workload_repeat(struct rf_workload *w, int copies, struct rf_error *err);

#endif
