/* Who waits and may not start any more: an allowance is used up, of the job, of its account or of one
 * above it, or the job's deadline has passed. Such jobs are denied, with that as the reason.
 *
 * Few jobs have a deadline or an allowance of their own: they stand in a list. Allowances of
 * accounts concern whole queues, which are only looked at once one is used up. */
#include <string.h>

#include "alloc/policy_plan.h"

static int has_bounds(const struct rf_state *s, const struct rf_job *job)
{
    const struct rf_job_extra *extra = job->extra < 0 ? NULL : &s->extras[job->extra];

    return extra != NULL &&
           (extra->deadline_us > 0 || extra->held_limit_us > 0 || extra->flops_limit > 0);
}

enum rf_status rf_policy_bound(struct rf_policy *policy, int32_t job)
{
    const struct rf_state *s = policy->state;
    int64_t deadline_us;

    if (!has_bounds(s, &s->jobs[job]))
        return RF_OK;
    deadline_us = s->extras[s->jobs[job].extra].deadline_us;
    if (deadline_us > 0 && deadline_us < policy->due_us)
        policy->due_us = deadline_us;
    for (int32_t i = 0; i < policy->bounded.n; i++)
        if (policy->bounded.jobs[i] == job)
            return RF_OK;
    return rf_joblist_add(&policy->bounded, job);
}

static const char *why_not(const struct rf_plan *plan, const struct rf_job *job)
{
    const struct rf_job_extra *extra = job->extra < 0 ? NULL : &plan->state->extras[job->extra];

    if (extra != NULL && extra->deadline_us > 0 && extra->deadline_us <= plan->now_us)
        return "deadline-passed";
    return rf_state_spent(plan->state, job);
}

/* Not if it was denied a moment ago for another reason, which the state does not know yet; and not
 * before the board has answered, unless it waits for devices already, having run. */
static int may_deny(struct rf_policy *policy, int32_t job)
{
    if (rf_policy_waits(policy, job))
        return 1;
    for (int32_t i = 0; i < policy->held_back.n; i++)
        if (policy->held_back.jobs[i] == job)
            return !rf_policy_kept(policy, job, NULL);
    return 0;
}

static void deny_if_spent(struct rf_plan *plan, int32_t job)
{
    const char *why = why_not(plan, &plan->state->jobs[job]);

    if (why != NULL && !rf_plan_full(plan) && may_deny(plan->policy, job))
        rf_plan_deny(plan, job, why);
}

static int some_account_spent(const struct rf_state *s)
{
    for (int32_t a = 0; a < s->naccounts && s->limited; a++) {
        const struct rf_account *of = &s->accounts[a];

        if ((rf_wide_sign(of->held_limit_us) > 0 &&
             rf_wide_compare(of->held_us, of->held_limit_us) >= 0) ||
            (of->flops_limit > 0 && of->flops >= of->flops_limit))
            return 1;
    }
    return 0;
}

void rf_plan_deny_spent(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;
    const struct rf_state *s = plan->state;
    int everybody = some_account_spent(s);
    int32_t left = 0;

    for (int32_t i = s->queue_first; i >= 0 && everybody; i = s->jobs[i].next)
        deny_if_spent(plan, i);
    policy->due_us = INT64_MAX;
    for (int32_t i = 0; i < policy->bounded.n; i++) {
        int32_t job = policy->bounded.jobs[i];
        int64_t deadline_us = rf_state_job_extra(s, job)->deadline_us;

        if (s->jobs[job].state != RF_JOB_QUEUED)
            continue; /* it comes back when it is released */
        policy->bounded.jobs[left++] = job;
        if (!everybody)
            deny_if_spent(plan, job);
        if (deadline_us > plan->now_us && deadline_us < policy->due_us)
            policy->due_us = deadline_us;
    }
    policy->bounded.n = left;
}
