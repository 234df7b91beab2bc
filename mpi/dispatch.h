/* dispatch.h - the coordinator's desk: messages and proposals in, events and messages out.
 *
 * Knows which leases are out. Each round takes what has arrived, records it, asks the policy
 * and records its proposals, makes all of it durable at once, and only then tells the workers.
 * After a signal or a failure it grants nothing more and revokes what is out. */
#ifndef RF_MPI_DISPATCH_H
#define RF_MPI_DISPATCH_H

#include "alloc/journal.h"
#include "alloc/policy.h"
#include "mpi/coordinator.h"
#include "mpi/progress.h"

struct rf_dispatch;

/* Local. Everything given is borrowed; the policy observes the journal already. The last rank
 * of control is the caller. */
enum rf_status rf_dispatch_create(struct rf_dispatch **dispatch, const struct rf_group *control,
                                  const struct rf_run_options *options,
                                  struct rf_journal *journal, struct rf_policy *policy,
                                  struct rf_error *err);
void rf_dispatch_destroy(struct rf_dispatch *dispatch);

/* How many devices the workers are. */
int rf_dispatch_devices(const struct rf_group *control, const struct rf_run_options *options);

/* Local. One round at time t_us (UTC). Returns whether anything happened. */
int rf_dispatch_round(struct rf_dispatch *dispatch, int64_t t_us);

/* Local, between rounds. More requests, behind those that are known; `after` counts places in the
 * list of all of them (the options' requests, then what was submitted so far, then these). They
 * are recorded at once, and durable when this returns RF_OK; *first_job is the id of the
 * first. RF_ERR_ARG or RF_ERR_INPUT, with nothing recorded, when one of them cannot be, or the
 * run is ending; anything else is a failure of the ledger, and ends the run. */
enum rf_status rf_dispatch_submit(struct rf_dispatch *dispatch,
                                  const struct rf_request *requests, int n, int32_t *first_job,
                                  struct rf_error *err);

/* Local, between rounds. A job that waits is cancelled at once, durably; one that runs is asked to
 * stop, and ends as cancelled after its checkpoint. RF_ERR_ARG when there is none, or it is over.
 * reason is for the ledger, e.g. who asked for it. */
enum rf_status rf_dispatch_cancel(struct rf_dispatch *dispatch, int32_t job, const char *reason,
                                  struct rf_error *err);

/* Which of the requests a job of the ledger is; -1: there is no such job. */
int32_t rf_dispatch_plan_of(const struct rf_dispatch *dispatch, int32_t job);

/* How far all requests have come, in the time since rf_dispatch_create(), and how many they are. */
struct rf_pace rf_dispatch_pace(const struct rf_dispatch *dispatch);
int64_t rf_dispatch_planned(const struct rf_dispatch *dispatch);

/* No lease is out, and either nothing is left to do or nothing more may be done. When all jobs are over, that is linger_us
 * later. */
int rf_dispatch_over(const struct rf_dispatch *dispatch);

/* RF_OK when every job is over, RF_AGAIN after a signal, or what failed, with its words. */
enum rf_status rf_dispatch_status(const struct rf_dispatch *dispatch, struct rf_error *err);

/* What the first job that failed failed with; RF_OK when none has since the coordinator started. */
enum rf_status rf_dispatch_job_failure(const struct rf_dispatch *dispatch);

/* Collective with the workers' side of the loop: ends it, and takes every message still under
 * way. */
void rf_dispatch_shutdown(struct rf_dispatch *dispatch);

#endif
