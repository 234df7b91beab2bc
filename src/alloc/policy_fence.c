/* What each wall may hold and claim, under each fence.
 *
 * A fraction of a device. A share p of C devices is rarely a whole number, and
 * devices are not divided: rounding p C down would never serve a 1 % share of
 * 24 devices, rounding it up would give it four times what was promised. So
 * the fraction is settled in time. The account has a right to ceil(p C)
 * devices until it has received E = p C x window in this window; after that
 * its right ends until the next window begins. Over a window it gets E
 * exactly (up to the time between two questions to the policy): 24 % of one device.
 *
 * The partition, where a share is also a limit, uses the fraction early and
 * then falls back to the whole part: ceil(p C) devices while what was received
 * plus floor(p C) for the rest of the window stays below E (or, where a job of the wall
 * cannot run on floor(p C) devices, until E is received, and then none). The
 * other side may hold the divided device while enough of the window is left for
 * the wall to receive E all the same, and gives it back when the wall claims it. */
#include "alloc/policy_plan.h"

#include <stddef.h>
#include <string.h>

int32_t rf_plan_basis(const struct rf_plan *plan, const struct rf_pledge *pledge)
{
    int32_t fleet = plan->state->nfleet;

    if (strcmp(pledge->basis, "secured") == 0 && pledge->secured < fleet)
        return pledge->secured;
    return fleet;
}

int64_t rf_plan_entitled_us(const struct rf_plan *plan, const struct rf_pledge *pledge)
{
    int32_t basis = rf_plan_basis(plan, pledge);

    if (basis > 0 && pledge->window_us > INT64_MAX / basis)
        return INT64_MAX;
    return rf_share_of(&pledge->share, basis * pledge->window_us);
}

static void no_limits(struct rf_plan *plan)
{
    for (int i = 0; i < plan->nwalls; i++) {
        plan->walls[i].right = 0;
        plan->walls[i].cap = plan->walls[i].most = plan->state->nfleet;
        plan->walls[i].may_claim = 0;
    }
}

static void floor_limits(struct rf_plan *plan)
{
    no_limits(plan);
    for (int i = 0; i < plan->nwalls - 1; i++) {
        struct rf_wall *w = &plan->walls[i];
        const struct rf_pledge *pledge = w->pledge;
        int64_t received = rf_tally_received_us(plan->tally, plan->state, pledge);

        if (received >= rf_plan_entitled_us(plan, pledge))
            continue;
        w->right = w->whole;
        w->may_claim = rf_share_below(&pledge->share, w->used, rf_plan_basis(plan, pledge));
    }
}

/* Has the wall a job that holds devices or is ready, and cannot do with `count`? */
static int needs_more(const struct rf_plan *plan, const struct rf_wall *w, int32_t count)
{
    const struct rf_state *s = plan->state;

    for (int32_t i = 0; i < s->nrunning; i++) {
        const struct rf_job *job = &s->jobs[s->running[i]];

        if (job->min > count && rf_state_within(s, job->account, w->pledge->account))
            return 1;
    }
    for (int32_t i = 0; i < s->nqueue; i++) {
        const struct rf_job *job = &s->jobs[s->queue[i]];

        if (job->min > count && rf_state_within(s, job->account, w->pledge->account) &&
            rf_state_ready(s, job))
            return 1;
    }
    return 0;
}

/* Is value < count * time, without overflow? */
static int less_than_product(int64_t value, int32_t count, int64_t time_us)
{
    return count > 0 && value / count < time_us;
}

/* Fills in one wall; returns the devices that the other side must leave alone now. */
static int32_t limit_wall(const struct rf_plan *plan, struct rf_wall *w, int32_t lower)
{
    const struct rf_state *s = plan->state;
    int64_t window_us = w->pledge->window_us;
    int64_t left_us = window_us - (s->now_us - s->start_us) % window_us;
    int64_t due =
        rf_plan_entitled_us(plan, w->pledge) - rf_tally_received_us(plan->tally, s, w->pledge);

    w->most = w->cap = w->whole;
    if (w->whole > lower && due <= 0)
        w->cap = lower > 0 && needs_more(plan, w, lower) ? 0 : lower;
    else if (w->whole > lower && lower > 0 && due / lower <= left_us - (due % lower == 0) &&
             !needs_more(plan, w, lower))
        w->cap = lower;
    w->right = w->cap;
    w->may_claim = w->used < w->cap;
    if (w->cap > lower && w->used <= lower && less_than_product(due, w->whole, left_us))
        return lower;
    return w->cap > lower ? w->cap : lower;
}

static void partition_limits(struct rf_plan *plan)
{
    struct rf_wall *rest = &plan->walls[plan->nwalls - 1];
    int32_t fractions = 0;

    no_limits(plan);
    rest->right = plan->state->nfleet;
    for (int i = 0; i < plan->nwalls - 1; i++) {
        struct rf_wall *w = &plan->walls[i];
        int32_t lower = (int32_t)rf_share_of(&w->pledge->share, rf_plan_basis(plan, w->pledge));

        rest->cap -= limit_wall(plan, w, lower);
        rest->right -= w->cap > lower ? w->cap : lower;
        rest->most -= w->whole;
        fractions |= w->whole > lower;
    }
    rest->most += fractions; /* one divided device at a time; more may never come together */
    rest->cap = rest->cap < 0 ? 0 : rest->cap;
    rest->right = rest->right < 0 ? 0 : rest->right;
}

const struct rf_fence rf_fence_none = {"none", no_limits, 0};
const struct rf_fence rf_fence_partition = {"partition", partition_limits, 1};
const struct rf_fence rf_fence_floor = {"floor", floor_limits, 0};
