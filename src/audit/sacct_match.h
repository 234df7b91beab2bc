/* sacct_match.h - the ledger against Slurm's accounting (T2).
 *
 * Two records by two writers. A job of the ledger and the runs of Slurm that go by the same key
 * are compared: |ledger - Slurm| <= 2 s x devices for each run + 1 %, where Slurm's device-time is
 * elapsed x devices, summed over runs (requeues too); and the account, where Slurm has one: equal
 * to the ledger's whole name or its last part ('_' and '-' count as '.'). What only one side has
 * is a finding. The key is, as asked for or the first of these that matches anything:
 *
 *   comment   the Slurm job's comment is the ledger job's name, or holds "job=NAME"
 *   name      Slurm's JobName is the ledger job's name
 *   id        the ledger job's name is Slurm's job id
 *   run       the whole run was one Slurm job (JobName, or "run=NAME" in its comment): the ledger may
 *             not cover more time, nor more devices, than that job had
 *   account   sums of accounts
 *
 * Steps, repeated rows and jobs that were not over when the table was printed are passed over. */
#ifndef RF_AUDIT_SACCT_MATCH_H
#define RF_AUDIT_SACCT_MATCH_H

#include "alloc/state.h"
#include "audit/test.h"
#include "audit/watch.h"

enum rf_match_by {
    RF_MATCH_AUTO,
    RF_MATCH_COMMENT,
    RF_MATCH_NAME,
    RF_MATCH_ID,
    RF_MATCH_RUN,
    RF_MATCH_ACCOUNT,
    RF_MATCH_N
};

struct rf_sacct_match_options {
    enum rf_match_by by;
    int unit; /* enum rf_sacct_unit (slurm/sacct.h), or -1: GPUs if the table mentions any */
};

struct rf_sacct_match {
    enum rf_match_by by; /* that was used */
    const char *unit;    /* "gpus", "cpus", "nodes" */
    int64_t rows, runs;  /* of the table; of jobs in it */
    int64_t unfinished, repeated;
    int64_t matched, ledger_only, slurm_only, differ, accounts_differ; /* keys */
    struct rf_wide ledger_us, slurm_us; /* device-time of what was matched */
    int64_t first_id, last_id, missing_ids;
};

/* RF_ERR_INPUT: the file cannot be read, or "FILE:LINE: what is wrong". */
enum rf_status rf_sacct_match(struct rf_sacct_match *match, struct rf_audit_test *t2,
                              const char *path, const struct rf_sacct_match_options *options,
                              const struct rf_state *state, const struct rf_audit_watch *watch,
                              struct rf_error *err);
/* The same of a text in memory; `name` is what messages call it. */
enum rf_status rf_sacct_match_text(struct rf_sacct_match *match, struct rf_audit_test *t2,
                                   const char *text, size_t size_bytes, const char *name,
                                   const struct rf_sacct_match_options *options,
                                   const struct rf_state *state,
                                   const struct rf_audit_watch *watch, struct rf_error *err);

const char *rf_match_name(enum rf_match_by by); /* "auto", "comment", "name"... */
int rf_match_of(const char *name);              /* -1: no such word */
const char *rf_match_unit_name(int unit);       /* "auto", "gpus", "cpus", "nodes" */
int rf_match_unit_of(const char *name);         /* -2: no such word */

#endif
