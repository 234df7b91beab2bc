#include "sim/outcome.h"

#include <stdio.h>

static struct rf_outcome_part part_of(const struct rf_sim_part *part)
{
    return (struct rf_outcome_part){.jobs = part->jobs,
                                    .finished = part->finished,
                                    .denied = part->denied,
                                    .held_us = part->held_us,
                                    .useful_us = part->useful_us,
                                    .wait_mean_us = part->wait.mean,
                                    .slowdown_mean = part->slowdown.mean / 1e6,
                                    .wait_p50_us = part->wait.p50,
                                    .wait_p95_us = part->wait.p95,
                                    .slowdown_p95 = part->slowdown.p95};
}

static void add_pledge(struct rf_sim_outcome *outcome, const struct rf_pledge_account *pledge)
{
    outcome->share = pledge->pledge.share;
    snprintf(outcome->verdict, sizeof outcome->verdict, "%s", rf_verdict_name(pledge->verdict));
    outcome->entitled_us = pledge->entitled_us;
    outcome->demanded_us = pledge->demanded_us;
    outcome->delivered_us = pledge->delivered_us;
    outcome->shortfall_us = pledge->shortfall_us;
}

void rf_sim_outcome_make(struct rf_sim_outcome *outcome, const struct rf_sim_options *options,
                         const struct rf_sim_result *result,
                         const struct rf_sim_summary *summary)
{
    *outcome = (struct rf_sim_outcome){.share = {0, 1},
                                       .seed = options->seed,
                                       .preemptions = summary->preemptions,
                                       .events = result->events,
                                       .makespan_us = summary->makespan_us,
                                       .capacity_us = summary->capacity_us,
                                       .used_us = summary->used_us,
                                       .utilization = summary->utilization,
                                       .all = part_of(&summary->all),
                                       .pledged = part_of(&summary->pledged),
                                       .others = part_of(&summary->others)};
    snprintf(outcome->order, sizeof outcome->order, "%s", options->policy.order);
    snprintf(outcome->fence, sizeof outcome->fence, "%s", options->policy.fence);
    rf_digest_to_hex(&summary->schedule, outcome->schedule);
    if (result->tally != NULL && result->tally->npledges > 0)
        add_pledge(outcome, &result->tally->pledges[0]);
}
