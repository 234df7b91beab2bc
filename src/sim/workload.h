/* workload.h - the jobs of a simulation, as arrays: what a trace or a generator says.
 *
 * Jobs are in order of submission (ties: order of the file) and known by their index,
 * which is also their id in the state. Times are microseconds since the workload's origin.
 * Readers are in trace.h, generators in generate.h. */
#ifndef RF_SIM_WORKLOAD_H
#define RF_SIM_WORKLOAD_H

#include "alloc/event.h"
#include "base/file.h"

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
    int64_t origin_us; /* UTC of time 0, microseconds since 1970; 0: unknown */
    char source[RF_PATH_BYTES]; /* what people call it: a file name, "lublin", "acme" */
};

/* Makes room for n jobs (all arrays but max and accounts); clear() frees everything. */
enum rf_status rf_workload_create(struct rf_workload *w, int64_t n, struct rf_error *err);
void rf_workload_clear(struct rf_workload *w);

/* Index of the account of that name, which is added when new. */
enum rf_status rf_workload_account(struct rf_workload *w, const char *name, int32_t *index,
                                   struct rf_error *err);
/* Puts the jobs in order of submission; stable. */
enum rf_status rf_workload_sort(struct rf_workload *w, struct rf_error *err);
/* `copies` of the whole, one after the other: copy k starts where copy k-1's last submission
 * was, plus one second. For measuring. w is replaced. */
enum rf_status rf_workload_repeat(struct rf_workload *w, int copies, struct rf_error *err);

#endif
