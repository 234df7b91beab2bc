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

void rf_plan_no_limits(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;

    for (int i = 0; i < plan->nwalls; i++) {
        plan->walls[i].right = 0;
        plan->walls[i].cap = s->nfleet;
        plan->walls[i].most = s->nfleet + s->ndown; /* what is down will be up again */
        plan->walls[i].may_claim = 0;
        plan->walls[i].reach = 0;
    }
}

/* When the window ends in which the state stands. */
static int64_t window_end_us(const struct rf_plan *plan, const struct rf_pledge *pledge)
{
    const struct rf_state *s = plan->state;
    int64_t done_us = (s->now_us - s->start_us) % pledge->window_us;

    return s->now_us > INT64_MAX - pledge->window_us ? INT64_MAX
                                                     : s->now_us + pledge->window_us - done_us;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t rf_plan_gone_us(const struct rf_plan *plan, double amount, double rate)
{
    double wait_us;

    if (amount <= 0.0 || rate <= 0.0)
        return INT64_MAX;
    wait_us = amount / rate;
    return wait_us > 9e17 ? INT64_MAX : plan->state->now_us + 1 + (int64_t)wait_us;
}

static void floor_limits(struct rf_plan *plan)
{
    rf_plan_no_limits(plan);
    for (int i = 0; i < plan->nwalls - 1; i++) {
        struct rf_wall *w = &plan->walls[i];
        const struct rf_pledge *pledge = w->pledge;
        int64_t received = rf_tally_received_us(plan->tally, plan->state, pledge);

        if (received >= rf_plan_entitled_us(plan, pledge))
            continue;
        w->right = w->reach = w->whole;
        w->may_claim = w->used < w->reach;
    }
}

static int64_t floor_wake_us(struct rf_plan *plan)
{
    int64_t wake_us = INT64_MAX;

    for (int i = 0; i < plan->nwalls - 1; i++) {
        const struct rf_wall *w = &plan->walls[i];
        int64_t due = rf_plan_entitled_us(plan, w->pledge) -
                      rf_tally_received_us(plan->tally, plan->state, w->pledge);

        if (w->whole == 0)
            continue;
        wake_us = sooner(wake_us, window_end_us(plan, w->pledge));
        wake_us = sooner(wake_us, rf_plan_gone_us(plan, (double)due, w->used));
    }
    return wake_us;
}

/* Has the wall a job that holds devices or is ready, and cannot do with `count`? */
static int needs_more(struct rf_plan *plan, struct rf_wall *w, int32_t count)
{
    struct rf_policy *policy = plan->policy;
    struct rf_roll_entry e;

    if (w->wide_over == count)
        return w->nwide > 0;
    w->wide_over = count;
    w->nwide = 0;
    for (int32_t i = 0; i < policy->nlanes; i++) {
        const struct rf_roll *jobs = &policy->lanes[i].jobs;

        if (&plan->walls[policy->lanes[i].wall] != w)
            continue;
        for (struct rf_roll_place at = rf_roll_start(jobs); rf_roll_at(jobs, at, &e);
             at = rf_roll_next(jobs, at))
            w->nwide += e.need > count;
    }
    for (int32_t i = plan->state->running_first; i >= 0; i = plan->state->jobs[i].next)
        w->nwide += plan->state->jobs[i].min > count && rf_policy_wall_of(policy, i) == w;
    return w->nwide > 0;
}

/* Is value < count * time, without overflow? */
static int less_than_product(int64_t value, int32_t count, int64_t time_us)
{
    return count > 0 && value / count < time_us;
}

/* Fills in one wall; returns the devices that the other side must leave alone now. */
static int32_t limit_wall(struct rf_plan *plan, struct rf_wall *w, int32_t lower)
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
    w->right = w->reach = w->cap;
    w->may_claim = w->used < w->reach;
    if (w->cap > lower && w->used <= lower && less_than_product(due, w->whole, left_us))
        return lower;
    return w->cap > lower ? w->cap : lower;
}

static void partition_limits(struct rf_plan *plan)
{
    struct rf_wall *rest = &plan->walls[plan->nwalls - 1];
    int32_t fractions = 0;

    rf_plan_no_limits(plan);
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

/* Only a divided device changes hands by itself: when E has been received, when the rest of
 * the window is just enough for the whole part, or for all of it. */
static int64_t partition_wake_us(struct rf_plan *plan)
{
    int64_t wake_us = INT64_MAX;

    for (int i = 0; i < plan->nwalls - 1; i++) {
        const struct rf_wall *w = &plan->walls[i];
        int32_t lower = (int32_t)rf_share_of(&w->pledge->share, rf_plan_basis(plan, w->pledge));
        int64_t end_us = window_end_us(plan, w->pledge);
        double left_us = (double)(end_us - plan->state->now_us);
        double due = (double)(rf_plan_entitled_us(plan, w->pledge) -
                              rf_tally_received_us(plan->tally, plan->state, w->pledge));

        if (w->whole == lower)
            continue;
        wake_us = sooner(wake_us, end_us);
        wake_us = sooner(wake_us, rf_plan_gone_us(plan, due, w->used));
        wake_us =
            sooner(wake_us, rf_plan_gone_us(plan, due - lower * left_us, w->used - lower));
        wake_us = sooner(wake_us,
                         rf_plan_gone_us(plan, w->whole * left_us - due, w->whole - w->used));
    }
    return wake_us;
}

const struct rf_fence rf_fence_none = {.name = "none", .limits = rf_plan_no_limits};
const struct rf_fence rf_fence_partition = {.name = "partition",
                                            .separate = 1,
                                            .promises = 1,
                                            .limits = partition_limits,
                                            .wake_us = partition_wake_us};
const struct rf_fence rf_fence_floor = {
    .name = "floor", .promises = 1, .limits = floor_limits, .wake_us = floor_wake_us};
