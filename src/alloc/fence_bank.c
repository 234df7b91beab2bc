/* The bank: a floor whose unused part is credit.
 *
 * While the account holds less than its share, credit grows by what is missing, asked for or
 * not; while it holds more, as long as there is credit, it shrinks by what is beyond. In a
 * stretch of dt in which nothing changes, the share comes to R = floor(p C dt + carry) whole
 * device-microseconds and credit changes by R - used dt: nothing is rounded away, and cutting
 * the stretch elsewhere gives the same. Below the share that is never negative, above it never
 * positive, and spending stops at nothing, so credit is never negative.
 *
 * No more is earned than share x C x credit_cap_us; beyond that the oldest makes way. (A fleet
 * or a cap that shrinks takes nothing away.) Credit is spent oldest first. It expires in lots: a lot is what was earned in one slice of 1/32 of
 * credit_expiry_us (a second at least), and is lost credit_expiry_us after the slice ended, rounded
 * up to the end of a slice.
 *
 * With credit, nobody may reclaim from the account up to its burst part of the fleet (or
 * its share, if that is more), as far as devices are not promised to other pledges. What it
 * may claim beyond its floor is backed by credit: one device for each 1/32 of a window of
 * one device's time, so that a microsecond of credit does not stop a thousand jobs. */
#include <string.h>

#include "alloc/policy_plan.h"

#define SLICE_LEAST_US INT64_C(1000000)

enum { PORTIONS = 32, STEPS = 1024 };

/* ---- credit ---- */

/* Takes so much away, the oldest lot first; no more than there is. */
static void spend(struct rf_credit *c, int64_t amount_us)
{
    amount_us = amount_us < c->total_us ? amount_us : c->total_us;
    c->total_us -= amount_us;
    for (int i = 1; i <= c->nlots && amount_us > 0; i++) {
        int64_t *lot = &c->lots_us[(c->slice + i) % c->nlots];
        int64_t part_us = *lot < amount_us ? *lot : amount_us;

        *lot -= part_us;
        amount_us -= part_us;
    }
}

static int64_t product(int64_t a, int64_t b)
{
    return a > 0 && b > INT64_MAX / a ? INT64_MAX : a * b;
}

static int64_t cap_us(const struct rf_fence_record *r)
{
    int64_t time_us = r->terms.credit_cap_us > 0 ? r->terms.credit_cap_us : r->window_us;

    return rf_share_of(&r->share, product(time_us, r->basis));
}

/* Lots of another length: what there is counts as earned now. */
void rf_credit_terms(struct rf_fence_record *r)
{
    struct rf_credit *c = &r->credit;
    int64_t expiry_us = r->terms.credit_expiry_us;
    int64_t slice_us = expiry_us / PORTIONS + (expiry_us % PORTIONS != 0);

    if (expiry_us > 0 && slice_us < SLICE_LEAST_US)
        slice_us = SLICE_LEAST_US;
    if (c->nlots == 0 || slice_us != c->slice_us) {
        memset(c->lots_us, 0, sizeof c->lots_us);
        c->slice_us = slice_us;
        c->nlots = 1;
        c->slice = 0;
        if (slice_us > 0) {
            c->nlots = 1 + (int)(expiry_us / slice_us + (expiry_us % slice_us != 0));
            c->slice = r->at_us / slice_us;
        }
        c->lots_us[c->slice % c->nlots] = c->total_us;
    }
}

/* Time enters a later slice; lots whose time is over are lost. */
static void turn(struct rf_credit *c, int64_t slice)
{
    int64_t first = slice - c->slice > c->nlots ? slice - c->nlots : c->slice;

    for (int64_t k = first + 1; k <= slice; k++) {
        c->total_us -= c->lots_us[k % c->nlots];
        c->lots_us[k % c->nlots] = 0;
    }
    c->slice = slice;
}

static void earn(struct rf_fence_record *r, int64_t dt_us)
{
    struct rf_credit *c = &r->credit;
    int64_t part_us = rf_share_take(&r->share, r->basis * dt_us, &c->carry);
    int64_t change_us = part_us - r->used * dt_us;

    if (change_us < 0) {
        spend(c, -change_us);
    } else if (change_us > 0) {
        int64_t room_us = cap_us(r) - c->total_us, excess_us;

        excess_us = change_us - (room_us > 0 ? room_us : 0);
        if (excess_us > 0) { /* the oldest makes way, then some of the new */
            int64_t old_us = excess_us < c->total_us ? excess_us : c->total_us;

            spend(c, old_us);
            change_us -= excess_us - old_us;
        }
        c->total_us += change_us;
        c->lots_us[c->slice % c->nlots] += change_us;
    }
}

void rf_credit_advance(struct rf_fence_record *r, int64_t to_us)
{
    struct rf_credit *c = &r->credit;
    int64_t most_us = INT64_MAX / 4 / ((int64_t)r->basis + r->used + 1);

    for (int64_t at_us = r->at_us, dt_us; at_us < to_us; at_us += dt_us) {
        dt_us = to_us - at_us;
        if (c->slice_us > 0) {
            turn(c, at_us / c->slice_us);
            if (dt_us > c->slice_us - at_us % c->slice_us)
                dt_us = c->slice_us - at_us % c->slice_us;
        }
        dt_us = dt_us < most_us ? dt_us : most_us;
        earn(r, dt_us);
    }
    if (c->slice_us > 0)
        turn(c, to_us / c->slice_us);
}

/* ---- the fence ---- */

/* Credit that one device more takes to be claimed. */
static int64_t portion_us(const struct rf_fence_record *r)
{
    return r->window_us >= PORTIONS ? r->window_us / PORTIONS : 1;
}

static void limit(struct rf_plan *plan, int i)
{
    struct rf_wall *w = &plan->walls[i];
    const struct rf_fence_record *r = &plan->policy->memory.records[i];
    int32_t claims = w->right > 0 ? w->whole : (int32_t)rf_share_of(&r->share, r->basis);
    int32_t burst = rf_fence_beyond(plan, i, &r->terms.burst);
    int64_t backed = r->credit.total_us / portion_us(r);

    if (r->credit.total_us <= 0 || r->share.num == 0)
        return;
    burst = burst > w->whole ? burst : w->whole;
    backed = claims + (backed < burst ? backed : burst);
    w->right = burst;
    w->reach = backed < burst ? (int32_t)backed : burst;
    w->may_claim = w->used < w->reach;
}

static void limits(struct rf_plan *plan)
{
    rf_fence_floor.limits(plan);
    for (int i = 0; i < plan->nwalls - 1; i++) {
        rf_fence_advance(plan->policy, i);
        limit(plan, i);
    }
}

/* When credit runs out, expires, or backs another device. */
static int64_t wake_us(struct rf_plan *plan)
{
    int64_t wake = rf_fence_floor.wake_us(plan), now_us = plan->state->now_us;

    for (int i = 0; i < plan->nwalls - 1; i++) {
        const struct rf_wall *w = &plan->walls[i];
        const struct rf_fence_record *r = &plan->policy->memory.records[i];
        const struct rf_credit *c = &r->credit;
        double share = (double)r->share.num / (double)r->share.den * r->basis;
        int64_t portion = portion_us(r), t_us = INT64_MAX, slice_us = INT64_MAX;

        if (w->whole == 0)
            continue;
        if (c->total_us > 0 && w->used > share)
            t_us = rf_plan_gone_us(plan, (double)c->total_us, w->used - share);
        else if (w->reach < w->right || c->total_us == 0)
            t_us = rf_plan_gone_us(plan, (double)(portion - c->total_us % portion),
                                   share - w->used);
        if (t_us != INT64_MAX && t_us - now_us < r->window_us / STEPS && w->used <= share)
            t_us = now_us + r->window_us / STEPS;
        if (c->slice_us > 0 && c->total_us > 0)
            slice_us = now_us + c->slice_us - now_us % c->slice_us;
        t_us = t_us < slice_us ? t_us : slice_us;
        wake = wake < t_us ? wake : t_us;
    }
    return wake;
}

const struct rf_fence rf_fence_bank = {.name = "bank",
                                       .promises = 1,
                                       .limits = limits,
                                       .wake_us = wake_us,
                                       .observe = rf_fence_observe_use};
