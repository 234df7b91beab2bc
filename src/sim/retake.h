/* retake.h - are the decisions of a ledger those that its policy takes?
 *
 * A policy is a function of the events it has seen and of the time. So whoever shows it a
 * ledger can ask it the coordinator's questions again: at each recorded decision (a grant, a denial, a
 * delay, a preemption, another size) the policy has to propose exactly that, in that order.
 *
 * Between two decisions the policy should have nothing to propose. Where it has, the
 * coordinator was late: the time until the decision is its reaction time. What it would
 * have proposed and what was never decided, because a signal, a crash or the end came before, is
 * withheld. */
#ifndef RF_SIM_RETAKE_H
#define RF_SIM_RETAKE_H

#include "alloc/policy.h"

struct rf_retake_result {
    int64_t decisions, same; /* recorded; of these, as the policy takes them */
    int64_t first_seq;       /* of the first that is not; -1: none */
    char recorded[RF_TEXT_BYTES],
        proposed[RF_TEXT_BYTES]; /* what it is, and what it should be */
    int64_t late;                /* decisions that came late */
    int64_t late_sum_us, late_max_us;
    int64_t withheld;
};

struct rf_retake;

/* State and tally are borrowed, and empty so far. */
enum rf_status rf_retake_create(struct rf_retake **retake,
                                const struct rf_policy_options *options,
                                const struct rf_state *state, const struct rf_tally *tally,
                                struct rf_error *err);
void rf_retake_destroy(struct rf_retake *retake);

/* Around each event: before it is applied, and after. */
enum rf_status rf_retake_before(struct rf_retake *retake, const struct rf_event *event,
                                struct rf_error *err);
enum rf_status rf_retake_after(struct rf_retake *retake, const struct rf_event *event,
                               struct rf_error *err);
/* Valid until the end of retake. */
const struct rf_retake_result *rf_retake_result(const struct rf_retake *retake);

#endif
