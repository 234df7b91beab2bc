/* policy.h - who should get devices: an order and a fence, chosen independently.
 *
 * A policy looks at a state and proposes; it changes nothing and keeps
 * nothing, so live, simulated and replayed runs decide alike. The driver turns
 * proposals into events, in the given order, and asks again after each change.
 *
 * Orders: fcfs.
 * Fences: none       measure only.
 *         partition  hard wall: an account with a pledge uses at most and exclusively its
 *                    share of the fleet; devices are whole, and a fraction of a device is
 *                    settled over the window (see policy_fence.c).
 *         floor      guaranteed share; what its owner leaves idle is lent, and reclaimed by
 *                    preemption when the owner has work and stands below its share. */
#ifndef RF_ALLOC_POLICY_H
#define RF_ALLOC_POLICY_H

#include "alloc/pledge.h"
#include "alloc/state.h"

enum rf_proposal_kind {
    RF_PROPOSE_GRANT, /* job starts on the `count` lowest free devices; lent of them are borrowed */
    RF_PROPOSE_PREEMPT, /* running `job` should stop so that job `by` gets its devices */
    RF_PROPOSE_DENY,
    RF_PROPOSE_DELAY /* job goes on waiting, for a reason other than the one on record */
};

struct rf_proposal {
    enum rf_proposal_kind kind;
    int32_t job, by, count, lent;
    const char
        *reason; /* static text: "devices-busy", "after-unfinished", "reserved-for-pledge",
                           "share-used-up", "too-large", "reclaim", "dependency-failed", "grow"... */
};

struct rf_policy {
    const struct rf_order *order;
    const struct rf_fence *fence;
};

/* Looks both names up; RF_ERR_CONFIG names the known ones. */
enum rf_status rf_policy_make(struct rf_policy *policy, const char *order, const char *fence,
                              struct rf_error *err);

/* Writes at most max proposals (in the order they should be carried out) and
 * returns their number; 0 when nothing should change. tally gives what each
 * pledged account got in the window so far. Pure. */
int rf_policy_propose(const struct rf_policy *policy, const struct rf_state *state,
                      const struct rf_tally *tally, struct rf_proposal *out, int max);

#endif
