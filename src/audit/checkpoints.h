/* checkpoints.h - the ledger against the counters that checkpoints carry (T2b).
 *
 * A checkpoint is written by the job's ranks, the ledger by the coordinator. Of each checkpoint
 * that is on record and still there:
 *   - the content digest, the step, the job and the configuration are those of the ledger;
 *   - its counters of tokens and FLOP, less those of the checkpoint that its lease began from, lie
 *     between the readings around its step, to the last unit: readings say how far training was;
 *   - its FLOP are at most its tokens x (6 N + 12 L h T) + 5 %, N the model's parameters. */
#ifndef RF_AUDIT_CHECKPOINTS_H
#define RF_AUDIT_CHECKPOINTS_H

#include "alloc/state.h"
#include "audit/test.h"
#include "audit/watch.h"

/* dir holds one directory per job. RF_ERR_INPUT when it is not there. */
enum rf_status rf_audit_checkpoints(struct rf_audit_test *t2b, const char *dir,
                                    const struct rf_state *state,
                                    const struct rf_audit_watch *watch, struct rf_error *err);

#endif
