/* policy.h - who should get devices: an order and a fence, chosen independently.
 *
 * A policy looks at a state and proposes; it changes nothing. The driver turns proposals into
 * events, in the given order, and asks again. What a policy remembers between questions (indexes
 * over queue and running jobs, planned starts, usage that decays, credit) it builds from the
 * events it observes and from nothing else, so that a policy that observes the same events in
 * live, simulated and replayed runs decides alike, and one that is created over a state with
 * a past is brought up to date by observing that past.
 *
 * Orders: fcfs          first come, first served; the first job that does not fit holds up the rest
 *         easy          fcfs, but a later job may start if it delays none of the first
 *                       reserve_depth jobs that wait (EASY backfilling: Lifka 1995; Mu'alem &
 *                       Feitelson 2001). With depth 1: the shadow time is the first moment at
 *                       which, by the limits of the running jobs, the head fits (all jobs that
 *                       end at that moment count), extra what is left over then; a later job
 *                       starts if it is over by the shadow time or fits into extra.
 *         conservative  every waiting job has a planned start that later ones may not delay:
 *                       replan: planned anew whenever a job ended early; compress: planned on
 *                       submission, and moved forward one by one, in order, when one ended early
 *                       (Feitelson & Weil 1998)
 *         sjf           the shortest limit first
 *         fairshare     the account with the least decayed usage first, and as easy otherwise
 *         Whatever the order, jobs of a higher priority come first. Reservations and planned starts
 *         hold against jobs of the same or a lower priority; where there are priorities,
 *         conservative plans are made anew at each question.
 * Fences: none          measure only
 *         partition     hard wall, see policy_fence.c
 *         floor         guaranteed share; what its owner leaves idle is lent, and reclaimed by
 *                       preemption when the owner has work and stands below its share
 *         bank          floor, and what the owner did not use is credit that it may claim later
 *         stock         a fixed amount of device-time, drawn down along a pace line
 *         request       nothing is guaranteed: a board approves or denies each request */
#ifndef RF_ALLOC_POLICY_H
#define RF_ALLOC_POLICY_H

#include "alloc/pledge.h"
#include "alloc/state.h"

enum rf_proposal_kind {
    RF_PROPOSE_GRANT,   /* job starts on `count` free devices; lent of them are borrowed */
    RF_PROPOSE_PREEMPT, /* running `job` should stop so that job `by` gets its devices */
    RF_PROPOSE_SHRINK,  /* running malleable `job` should give `count` devices back for `by` */
    RF_PROPOSE_GROW,    /* running malleable `job` gets `count` free devices more */
    RF_PROPOSE_DENY,
    RF_PROPOSE_DELAY /* job goes on waiting, for a reason other than the one on record */
};

struct rf_proposal {
    enum rf_proposal_kind kind;
    int32_t job, by, count, lent;
    const char *reason; /* static text: "devices-busy", "queue-order", "after-unfinished",
                    "reserved-for-pledge", "reserved-for-earlier", "kept-clear", "share-used-up",
                    "board-pending", "too-large", "board-denied", "budget-used-up", "reclaim",
                    "dependency-failed", "deadline-passed", "grow", or what rf_state_spent() says:
                    jobs that wait are denied when their deadline passes or nothing is left of
                    what they, or their accounts, may use */
};

struct rf_policy_options {
    char order[16], fence[16];
    int reserve_depth;    /* easy, fairshare: 1; 0: no reservation; -1: all */
    int replan;           /* conservative: 1 replan, 0 compress */
    int64_t half_life_us; /* fairshare: usage counts half after this long; default 7 days */
    int explain;          /* propose delays, each with its reason (live, or with a ledger) */
    int resize;           /* drivers that can: malleable jobs shrink and grow in place */
    int64_t seed;         /* request: what the board decides */
    /* What stopping a job costs, for the choice of victims: writing a checkpoint, work since
     * the last one (0: since the grant), starting again. */
    int64_t checkpoint_us, checkpoint_every_us, restart_us;
};

/* fcfs, none, depth 1, replan, 7 days, explain. */
struct rf_policy_options rf_policy_options_make(void);
/* Names known, numbers in range? RF_ERR_CONFIG names the known ones. */
enum rf_status rf_policy_options_check(const struct rf_policy_options *options,
                                       struct rf_error *err);

/* State and tally are borrowed for the policy's life; the state may have a past (the policy
 * then takes over its queue and its running jobs). tally may be NULL where the
 * fence needs none (none). The caller ends *policy with rf_policy_destroy(). */
struct rf_policy;
enum rf_status rf_policy_create(struct rf_policy **policy,
                                const struct rf_policy_options *options,
                                const struct rf_state *state, const struct rf_tally *tally,
                                struct rf_error *err);
void rf_policy_destroy(struct rf_policy *policy);

/* To be called once for each event, after it was applied (and tallied). */
enum rf_status rf_policy_observe(struct rf_policy *policy, const struct rf_event *event,
                                 struct rf_error *err);

/* Writes at most max proposals for the moment state->now_us (or now_us, when that is later)
 * in the order they should be carried out, and returns their number; 0 when nothing should
 * change. Proposals that were carried out are not proposed again; asking twice
 * without an event in between gives the same answer. */
int rf_policy_propose(struct rf_policy *policy, int64_t now_us, struct rf_proposal *out,
                      int max);

/* Is it known that a question now, or at any later time, would have no answer until
 * another event comes? 0 says nothing. */
int rf_policy_settled(const struct rf_policy *policy);

/* The next moment after now_us at which the answer may differ though no event came
 * (a planned start, a window that ends, credit that expires, an answer of the board);
 * INT64_MAX: none. */
int64_t rf_policy_wake_us(const struct rf_policy *policy, int64_t now_us);

#endif
