/* Brings what fences remember up to the present, and takes over terms that changed. */
#include <stdlib.h>
#include <string.h>

#include "alloc/policy_plan.h"

/* Device-time that an account has received so far, charged or not. */
static int64_t received_us(const struct rf_state *s, int32_t account)
{
    struct rf_wide sum_us = s->accounts[account].held_us;

    for (int32_t i = s->running_first; i >= 0; i = s->jobs[i].next)
        if (rf_state_within(s, s->jobs[i].account, account))
            rf_wide_add(&sum_us, rf_state_owed_us(&s->jobs[i], s->now_us));
    return rf_wide_narrow(sum_us);
}

static void refresh(struct rf_fence_record *r, const struct rf_plan *plan,
                    const struct rf_pledge *pledge)
{
    r->used = plan->state->accounts[pledge->account].used;
    r->basis = rf_plan_basis(plan, pledge);
}

static void take_terms(struct rf_fence_record *r, const struct rf_plan *plan,
                       const struct rf_pledge *pledge)
{
    if (r->share.den != pledge->share.den)
        r->credit.carry = r->pace.carry = 0;
    r->share = pledge->share;
    r->window_us = pledge->window_us;
    r->terms = rf_terms_make();
    if (rf_terms_parse(&r->terms, pledge->terms, NULL) !=
        RF_OK) /* the state has checked them */
        r->terms = rf_terms_make();
    refresh(r, plan, pledge);
    rf_credit_terms(r);
    if (r->terms.stock_devices > 0)
        r->pace.devices = r->terms.stock_devices;
}

enum rf_status rf_fence_take_over(struct rf_policy *policy)
{
    const struct rf_state *s = policy->state;
    struct rf_fence_memory *m = &policy->memory;
    const struct rf_plan plan = {.policy = policy, .state = s};
    int same = m->fence == policy->fence;
    enum rf_status st = RF_OK;

    m->fence = policy->fence;
    if (same && policy->fence == &rf_fence_request) { /* what was due: by the old terms */
        st = rf_policy_learn_accounts(
            policy); /* a job may have come to an account that is new */
        if (st == RF_OK)
            st = rf_board_answer(policy, s->now_us - 1);
    }
    for (int i = 0; i < s->npledges; i++) {
        struct rf_fence_record *r = &m->records[i];
        const struct rf_pledge *pledge = &s->pledges[i];

        if (!r->known) {
            *r = (struct rf_fence_record){.known = 1, .at_us = pledge->since_us};
            r->share = pledge->share;
            r->pace.since_us = pledge->since_us;
            r->pace.devices = pledge->secured;
            r->pace.base_us =
                pledge->since_us == s->now_us ? received_us(s, pledge->account) : 0;
            take_terms(r, &plan, pledge);
        }
        rf_pace_advance(r, s->now_us);
        if (same && policy->fence == &rf_fence_bank)
            rf_credit_advance(r, s->now_us);
        r->at_us = s->now_us;
        take_terms(r, &plan, pledge);
        r->pace.delivered_us = received_us(s, pledge->account) - r->pace.base_us;
    }
    m->npledges = s->npledges;
    if (policy->fence != &rf_fence_request)
        rf_board_adjourn(&m->board);
    return st;
}

void rf_fence_advance(struct rf_policy *policy, int i)
{
    struct rf_fence_record *r = &policy->memory.records[i];
    int64_t now_us = policy->state->now_us;

    if (now_us <= r->at_us)
        return;
    r->pace.delivered_us += r->used * (now_us - r->at_us);
    rf_pace_advance(r, now_us);
    if (policy->fence == &rf_fence_bank)
        rf_credit_advance(r, now_us);
    r->at_us = now_us;
}

enum rf_status rf_fence_observe_use(struct rf_policy *policy, const struct rf_event *event)
{
    const struct rf_state *s = policy->state;
    const struct rf_plan plan = {.policy = policy, .state = s};

    if (event->type == RF_EVENT_REQUEST || event->type == RF_EVENT_DELAY)
        return RF_OK;
    for (int i = 0; i < policy->memory.npledges; i++) {
        struct rf_fence_record *r = &policy->memory.records[i];
        const struct rf_pledge *pledge = &s->pledges[i];

        if (event->type != RF_EVENT_CAPACITY && s->accounts[pledge->account].used == r->used)
            continue;
        rf_fence_advance(policy, i);
        refresh(r, &plan, pledge);
    }
    return RF_OK;
}

void rf_fence_forget(struct rf_policy *policy)
{
    free(policy->memory.board.cases);
    free(policy->memory.board.answers);
    policy->memory = (struct rf_fence_memory){0};
}

/* Devices promised to others than wall i. */
static int32_t promised_to_others(const struct rf_plan *plan, int i)
{
    int64_t sum = 0;

    for (int k = 0; k < plan->nwalls - 1; k++)
        sum += k == i ? 0 : plan->walls[k].whole;
    return sum > plan->state->nfleet ? plan->state->nfleet : (int32_t)sum;
}

int32_t rf_fence_ceil(const struct rf_share *share, int64_t devices)
{
    int64_t part = rf_share_of(share, devices);

    return (int32_t)(part + rf_share_below(share, part, devices));
}

int32_t rf_fence_beyond(const struct rf_plan *plan, int i, const struct rf_share *share)
{
    int32_t most = plan->state->nfleet - promised_to_others(plan, i);
    int32_t part = rf_fence_ceil(share, plan->state->nfleet);

    return part < most ? part : most;
}
