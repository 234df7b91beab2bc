/* The stock: a fixed amount of device-time, drawn down along a pace line.
 *
 * Secured at the pledge's date were so many devices (the fleet, or stock_devices); the stock
 * is S = share x devices x horizon, and the pace line rises evenly to S over the horizon (without
 * one it goes on rising). What joins the fleet later adds nothing. Arrears are the
 * pace line less what was delivered since the date, from the meter's point of view: all
 * the device-time that the account held, borrowed or not.
 *
 * Until S is used up or the horizon is over, the account has a right to the devices of its
 * share of the stock, rounded up (S ends what rounding gives), and, while its arrears
 * exceed what the pace line rises in one window, to its catch_up part of the fleet as far as
 * that is not promised to other pledges. What is idle is lent, as under a floor. */
#include "alloc/policy_plan.h"

static int64_t end_us(const struct rf_fence_record *r)
{
    int64_t horizon_us = r->terms.horizon_us;

    if (horizon_us == 0 || horizon_us > INT64_MAX - r->pace.since_us)
        return INT64_MAX;
    return r->pace.since_us + horizon_us;
}

/* The pace line from at_us to to_us. */
void rf_pace_advance(struct rf_fence_record *r, int64_t to_us)
{
    int64_t most_us = INT64_MAX / 4 / ((int64_t)r->pace.devices + 1), last_us = end_us(r);

    to_us = to_us < last_us ? to_us : last_us;
    for (int64_t at_us = r->at_us, dt_us; at_us < to_us; at_us += dt_us) {
        int64_t part_us;

        dt_us = to_us - at_us < most_us ? to_us - at_us : most_us;
        part_us = rf_share_take(&r->share, r->pace.devices * dt_us, &r->pace.carry);
        r->pace.paced_us =
            part_us > INT64_MAX - r->pace.paced_us ? INT64_MAX : r->pace.paced_us + part_us;
    }
}

static int64_t arrears_us(const struct rf_fence_record *r)
{
    return r->pace.paced_us - r->pace.delivered_us;
}

/* What the pace line rises in dt_us; all there is when that is beyond 63 bits. */
static int64_t rise_us(const struct rf_fence_record *r, int64_t dt_us)
{
    int32_t n = r->pace.devices;

    return n > 0 && dt_us > INT64_MAX / n ? INT64_MAX : rf_share_of(&r->share, n * dt_us);
}

/* S less what was delivered; 0 when nothing is left. */
static int64_t left_us(const struct rf_fence_record *r)
{
    int64_t last_us = end_us(r), rest_us, arrears = arrears_us(r);

    if (r->at_us >= last_us || r->share.num == 0)
        return 0;
    if (last_us == INT64_MAX && r->terms.horizon_us == 0)
        return INT64_MAX;
    rest_us = rise_us(r, last_us - r->at_us);
    if (arrears > 0 && rest_us > INT64_MAX - arrears)
        return INT64_MAX;
    return rest_us + arrears > 0 ? rest_us + arrears : 0;
}

static void limit(struct rf_plan *plan, int i)
{
    struct rf_wall *w = &plan->walls[i];
    const struct rf_fence_record *r = &plan->policy->memory.records[i];
    int32_t fleet = plan->state->nfleet, beyond;

    if (left_us(r) == 0)
        return;
    w->right = rf_fence_ceil(&r->share, r->pace.devices);
    w->right = w->right < fleet ? w->right : fleet;
    beyond = rf_fence_beyond(plan, i, &r->terms.catch_up);
    if (arrears_us(r) > rise_us(r, r->window_us) && beyond > w->right)
        w->right = beyond;
    w->reach = w->right;
    w->may_claim = w->used < w->reach;
}

static void limits(struct rf_plan *plan)
{
    rf_plan_no_limits(plan);
    for (int i = 0; i < plan->nwalls - 1; i++) {
        rf_fence_advance(plan->policy, i);
        limit(plan, i);
    }
}

/* When S is used up, the horizon is over, or the arrears come to a window's worth, or less. */
static int64_t wake_us(struct rf_plan *plan)
{
    int64_t wake = INT64_MAX;

    for (int i = 0; i < plan->nwalls - 1; i++) {
        const struct rf_wall *w = &plan->walls[i];
        const struct rf_fence_record *r = &plan->policy->memory.records[i];
        double slope = (double)r->share.num / (double)r->share.den * r->pace.devices;
        double over = (double)arrears_us(r) - (double)rise_us(r, r->window_us);
        int64_t left = left_us(r), times_us[4];

        if (left == 0)
            continue;
        times_us[0] = end_us(r);
        times_us[1] =
            left == INT64_MAX ? INT64_MAX : rf_plan_gone_us(plan, (double)left, w->used);
        times_us[2] = rf_plan_gone_us(plan, over, w->used - slope);
        times_us[3] = rf_plan_gone_us(plan, 1.0 - over, slope - w->used);
        for (int k = 0; k < 4; k++)
            wake = wake < times_us[k] ? wake : times_us[k];
    }
    return wake;
}

const struct rf_fence rf_fence_stock = {.name = "stock",
                                        .promises = 1,
                                        .limits = limits,
                                        .wake_us = wake_us,
                                        .observe = rf_fence_observe_use};
