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
 * plus floor(p C) for the rest of the window stays below E. What the wall does not hold
 * at that moment is on the other side. */
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

/* ceil(p C) or floor(p C), as explained above. */
static int32_t partition_cap(const struct rf_plan *plan, const struct rf_wall *w, int32_t lower)
{
    const struct rf_pledge *pledge = w->pledge;
    int64_t entitled = rf_plan_entitled_us(plan, pledge);
    int64_t received = rf_tally_received_us(plan->tally, plan->state, pledge);
    int64_t left =
        pledge->window_us - (plan->state->now_us - plan->state->start_us) % pledge->window_us;

    if (w->whole == lower || received >= entitled)
        return lower;
    return lower == 0 || left <= (entitled - received - 1) / lower ? w->whole : lower;
}

static void partition_limits(struct rf_plan *plan)
{
    struct rf_wall *rest = &plan->walls[plan->nwalls - 1];

    no_limits(plan);
    for (int i = 0; i < plan->nwalls - 1; i++) {
        struct rf_wall *w = &plan->walls[i];
        int32_t lower = (int32_t)rf_share_of(&w->pledge->share, rf_plan_basis(plan, w->pledge));

        w->cap = w->right = partition_cap(plan, w, lower);
        w->most = w->whole;
        w->may_claim = w->used < w->cap;
        rest->cap -= w->cap;
        rest->most -= lower;
    }
    if (rest->cap < 0) /* several shares rounded up can exceed the fleet */
        rest->cap = 0;
    rest->right = rest->cap;
}

const struct rf_fence rf_fence_none = {"none", no_limits, 0};
const struct rf_fence rf_fence_partition = {"partition", partition_limits, 1};
const struct rf_fence rf_fence_floor = {"floor", floor_limits, 0};
