/* sacct_runs.h - the runs in a table of Slurm's accounting, in the order of their jobs.
 *
 * What sacct_import.c makes a ledger of, and what sacct_match.c holds a ledger against. A requeued job has
 * several runs; one that never ran has one all the same, without a start. */
#ifndef RF_AUDIT_SACCT_RUNS_H
#define RF_AUDIT_SACCT_RUNS_H

#include <stdint.h>

#include "base/error.h"
#include "slurm/sacct.h"

struct rf_sacct_run {
    int64_t number, task, component;
    uint64_t cluster;
    int64_t submit_us, ready_us, start_us,
        end_us; /* start_us -1: never ran; end_us -1: not over */
    int64_t limit_us, line;
    int64_t run_us; /* how long it ran; 0: not at all, or not said */
    int32_t devices;
    int unfinished, requeued, preempted;
    char state[24];                            /* a code: "completed", "node-fail" */
    struct rf_view id, name, account, comment; /* borrowed from the text */
};

struct rf_sacct_runs {
    struct rf_sacct_run *items; /* owned: rf_sacct_runs_clear() */
    int64_t n, room, rows, repeated;
    enum rf_sacct_unit counted;
    const char *unit; /* the same: "gpus", "cpus", "nodes" */
};

/* What the table has to say: when each run was, or only how long. */
enum rf_sacct_need { RF_SACCT_WHEN, RF_SACCT_HOW_LONG };

/* Sorted by job, then submission, then start; the very same run twice (exports overlap) is one, as the
 * later export has it. unit: enum rf_sacct_unit, or -1: GPUs if the text mentions any. RF_ERR_INPUT:
 * "FILE:LINE: what is wrong"; of RF_SACCT_WHEN also a table without any job. To be cleared in any case. */
enum rf_status rf_sacct_runs_read(struct rf_sacct_runs *runs, const char *text,
                                  size_t size_bytes, const char *file, int unit,
                                  enum rf_sacct_need need, struct rf_error *err);
void rf_sacct_runs_clear(struct rf_sacct_runs *runs);

int rf_sacct_run_same_job(const struct rf_sacct_run *a, const struct rf_sacct_run *b);

#endif
