/* invariant.h - what must hold of a cluster after every event, by name.
 *
 * rf_state_apply() keeps these by construction; audits and tests check them
 * all the same, because a rule that is never looked at is not a rule. */
#ifndef RF_ALLOC_INVARIANT_H
#define RF_ALLOC_INVARIANT_H

#include "alloc/state.h"

/* RF_OK, or RF_ERR_INTERNAL with the name of the first invariant that does not hold:
 *
 *   conservation   free and held devices are disjoint and together the fleet; none of it is down
 *   leases         who runs or stops holds a lease and min..max devices, nobody else holds any
 *   queue          the queue is the queued jobs, in order of submission
 *   accounts       each account's devices are those of its jobs and of the accounts below it
 *   readings       nobody is charged for time to come, or for less than nothing
 *
 * Looks at everything: jobs, devices and accounts. */
enum rf_status rf_invariant_check(const struct rf_state *state, struct rf_error *err);

/* The same, but only of what the event that was just applied has touched: its job, the job's
 * neighbours and accounts, its devices and the totals. A long replay calls this after each event
 * and the full check now and then. */
enum rf_status rf_invariant_check_event(const struct rf_state *state,
                                        const struct rf_event *event, struct rf_error *err);

#endif
