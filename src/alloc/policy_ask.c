/* One question from end to end: deny what can never run, stop what holds too much, serve
 * claims of pledged accounts, serve the lines, let a job grow when nobody else wants the
 * devices, and say why the others wait.
 *
 * Most questions need no answer. The policy knows what has happened since the last one
 * (`dirty`): nothing but its own proposals, nothing but arrivals, or something else. */
#include <string.h>

#include "alloc/policy_plan.h"

/* ---- who can never run ---- */

void rf_plan_deny(struct rf_plan *plan, int32_t job, const char *reason)
{
    rf_plan_propose(plan, RF_PROPOSE_DENY, job, reason, -1);
    rf_joblist_remove(&plan->policy->held_back, job);
    rf_policy_dequeue(plan->policy, job);
}

static int too_large(const struct rf_plan *plan, int32_t job)
{
    const struct rf_wall *w = rf_policy_wall_of(plan->policy, job);

    return plan->state->nfleet > 0 && plan->state->jobs[job].min > w->most;
}

/* Jobs that came in, and jobs that wait for others, when something happened to those. */
static void sort_out(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;
    const struct rf_state *s = plan->state;

    for (int32_t i = 0; i < policy->held_back.n && policy->recheck && !rf_plan_full(plan);
         i++) {
        int32_t job = policy->held_back.jobs[i];

        if (rf_state_orphan(s, &s->jobs[job])) {
            rf_plan_deny(plan, job, "dependency-failed");
            i--;
        } else if (rf_state_ready(s, &s->jobs[job])) {
            rf_joblist_remove(&policy->held_back, job);
            if (rf_policy_enqueue(policy, job) != RF_OK ||
                rf_joblist_add(&policy->fresh, job) != RF_OK)
                policy->failed = RF_ERR_MEMORY;
            rf_policy_plans_stale(policy);
            i--;
        }
    }
    for (int32_t i = 0; i < policy->fresh.n && policy->recheck && !rf_plan_full(plan); i++) {
        int32_t job = policy->fresh.jobs[i];

        if (too_large(plan, job) && rf_policy_waits(policy, job))
            rf_plan_deny(plan, job, "too-large");
    }
}

/* After a wall has become smaller than the widest of its jobs. */
static void deny_too_large(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;

    for (int32_t i = 0; i < policy->nlanes && plan->state->nfleet > 0; i++) {
        struct rf_lane *lane = &policy->lanes[i];
        int32_t most = plan->walls[lane->wall].most;
        struct rf_roll_place at = rf_roll_start(&lane->jobs);
        struct rf_roll_entry e;

        if (lane->jobs.count == 0 || lane->widest <= most)
            continue;
        while (rf_roll_at(&lane->jobs, at, &e) && !rf_plan_full(plan)) {
            if (e.need > most) {
                rf_plan_deny(plan, e.job, "too-large");
                at = rf_roll_behind(&lane->jobs, e.time_us, e.job);
            } else {
                at = rf_roll_next(&lane->jobs, at);
            }
        }
        if (!rf_plan_full(plan))
            lane->widest = most;
    }
}

/* ---- the question ---- */

static void look_ahead(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;

    policy->wake_us = policy->fence->wake_us == NULL ? INT64_MAX : policy->fence->wake_us(plan);
}

/* What walls hold, by the state, and may hold, by the fence. */
static void look(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;
    const struct rf_state *s = plan->state;

    rf_policy_count(policy);
    for (int i = 0; i < plan->nwalls; i++)
        plan->claimed[i] = plan->walls[i].stopping = 0;
    for (int32_t i = 0; i < policy->stopping.n; i++) {
        int32_t n = s->jobs[policy->stopping.jobs[i]].ndevices;

        rf_policy_wall_of(policy, policy->stopping.jobs[i])->stopping += n;
        plan->coming += n;
    }
    policy->fence->limits(plan);
    policy->least_most = INT32_MAX;
    for (int i = 0; i < plan->nwalls; i++)
        if (plan->walls[i].most < policy->least_most)
            policy->least_most = plan->walls[i].most;
}

static void answer(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;

    sort_out(plan);
    rf_plan_deny_spent(plan);
    if (policy->recheck)
        deny_too_large(plan);
    policy->recheck &= rf_plan_full(plan);
    if (policy->fence->promises) {
        rf_plan_enforce_caps(plan);
        rf_plan_serve_claims(plan);
        rf_plan_grow_pledged(plan);
    }
    rf_plan_serve_lines(plan);
    rf_plan_grow_idle(plan);
}

/* Do the walls make no difference, as things are? Nobody holds too much, gives devices back or has a
 * claim. */
static int calm(const struct rf_plan *plan)
{
    const struct rf_policy *policy = plan->policy;

    if (!policy->fence->promises)
        return 1;
    for (int i = 0; i < plan->nwalls; i++)
        if (plan->walls[i].cap < plan->state->nfleet)
            return 0;
    for (int32_t i = 0; i < policy->nlanes; i++)
        if (policy->lanes[i].jobs.count > 0 && plan->walls[policy->lanes[i].wall].may_claim)
            return 0;
    return policy->stopping.n == 0 && policy->nresizable == 0;
}

/* Can arrivals be looked at alone? Not if one of them might claim. */
static int only_arrivals(const struct rf_plan *plan)
{
    const struct rf_policy *policy = plan->policy;

    return policy->dirty == RF_DIRTY_ARRIVAL && !policy->recheck && policy->bounded.n == 0 &&
           !policy->state->limited && calm(plan);
}

/* Is it plain to see that nobody can start, not even by overtaking the head of the line? */
static int nothing_fits(const struct rf_policy *policy)
{
    if (!rf_policy_held_up(policy) || (policy->order->by_limit && policy->fresh.n > 0))
        return 0;
    for (int32_t i = 0; i < policy->nlanes && policy->order->backfill != RF_BACKFILL_NONE; i++)
        if (policy->lanes[i].jobs.count > 0 &&
            policy->lanes[i].jobs.least_need <= policy->state->nfree)
            return 0;
    return 1;
}

int rf_policy_propose(struct rf_policy *policy, int64_t now_us, struct rf_proposal *out,
                      int max)
{
    const struct rf_state *s = policy->state;
    struct rf_plan *plan = &policy->plan;

    if (!s->opened || s->closed || max < 1 || policy->failed != RF_OK)
        return 0;
    if (policy->dirty != 0 && rf_policy_short(policy) && rf_policy_may_shorten(policy))
        return rf_policy_answer_short(policy, now_us > s->now_us ? now_us : s->now_us, out,
                                      max);
    if (policy->npending > policy->pending_at)
        rf_policy_take_back(policy);
    policy->npending = policy->pending_at = 0;
    if (now_us >= policy->due_us)
        policy->dirty = RF_DIRTY_ALL;
    if (s->nholds != policy->nholds) { /* one is over */
        policy->nholds = s->nholds;
        policy->dirty = RF_DIRTY_ALL;
        rf_policy_plans_stale(policy);
    }
    if (policy->dirty != 0 && now_us < policy->wake_us && nothing_fits(policy)) {
        if ((policy->dirty & RF_DIRTY_ALL) != 0)
            policy->lines[0].shadow_known = 0;
        policy->dirty = policy->fresh.n = 0;
        policy->asked_us = now_us;
    }
    if (policy->dirty == 0 &&
        (now_us <= policy->asked_us || now_us < rf_policy_wake_us(policy, policy->asked_us)))
        return 0;
    plan->policy = policy;
    plan->state = s;
    plan->tally = policy->tally;
    plan->now_us = now_us > s->now_us ? now_us : s->now_us;
    plan->walls = policy->walls;
    plan->nwalls = policy->nwalls;
    plan->free = s->nfree;
    plan->out = out;
    plan->max = max;
    plan->coming = plan->reserved = plan->nclaims = plan->nout = plan->unfinished = 0;
    look(plan);
    if (policy->fence->settle != NULL)
        policy->fence->settle(plan);
    if (only_arrivals(plan))
        rf_plan_serve_arrivals(plan);
    else
        answer(plan);
    rf_plan_explain(plan);
    policy->dirty = rf_plan_full(plan) || plan->unfinished ? RF_DIRTY_ALL : 0;
    policy->asked_us = now_us;
    policy->pending_us = plan->now_us;
    look_ahead(plan);
    if (policy->failed == RF_OK)
        policy->failed = rf_policy_expect(policy, out, plan->nout);
    return policy->failed == RF_OK ? plan->nout : 0;
}

int rf_policy_settled(const struct rf_policy *policy)
{
    return policy->dirty == 0 && policy->npending == policy->pending_at && policy->plain &&
           policy->nresizable == 0 && policy->bounded.n == 0 && !policy->state->limited &&
           policy->state->retry_us == INT64_MAX && policy->state->nholds == 0 &&
           policy->nholds == 0;
}

int64_t rf_policy_wake_us(const struct rf_policy *policy, int64_t now_us)
{
    const struct rf_state *s = policy->state;
    int64_t wake_us = policy->wake_us;
    int waits = 0;

    int64_t due_us = s->retry_us < policy->due_us ? s->retry_us : policy->due_us;

    if (wake_us == INT64_MAX && s->nholds == 0 && policy->nresizable == 0)
        return due_us > now_us ? due_us : now_us + 1;
    for (int32_t i = 0; i < policy->nlanes; i++)
        waits |= policy->lanes[i].jobs.count > 0;
    if (!waits && policy->nresizable == 0 && !policy->fence->separate &&
        policy->fence->keeps == NULL)
        wake_us = INT64_MAX;
    for (int32_t i = 0; i < s->nholds && waits; i++) {
        if (s->holds[i].begin_us > now_us && s->holds[i].begin_us < wake_us)
            wake_us = s->holds[i].begin_us;
        if (s->holds[i].end_us > now_us && s->holds[i].end_us < wake_us)
            wake_us = s->holds[i].end_us;
    }
    for (int32_t i = s->running_first;
         i >= 0 && policy->nresizable > 0 && s->nfree > 0 && !policy->options.resize;
         i = s->jobs[i].next) {
        int64_t after_us = rf_plan_grow_after_us(s), t_us = s->jobs[i].grant_us;

        t_us = after_us > INT64_MAX - t_us ? INT64_MAX : t_us + after_us;
        if (s->jobs[i].ndevices < s->jobs[i].max && t_us > now_us && t_us < wake_us)
            wake_us = t_us;
    }
    wake_us = due_us < wake_us ? due_us : wake_us;
    return wake_us > now_us ? wake_us : now_us + 1;
}
