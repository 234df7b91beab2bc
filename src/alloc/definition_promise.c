/* Promises begin, and are changed. */
#include "alloc/definition_rules.h"

#include <stdlib.h>
#include <string.h>

static struct rf_gathering *begin_promise(struct rf_pledged *a, const struct rf_pledge *pledge,
                                          struct rf_error *err)
{
    struct rf_gathering *g = &a->promises[a->npromises];

    *g = (struct rf_gathering){
        .promise.pledge = *pledge, .short_us = -1, .late.begin_us = -1, .denied.begin_us = -1};
    g->stock_devices = rf_promise_stock(pledge, &g->horizon_us);
    for (int i = 0; i < RF_DEFINITION_N; i++)
        g->promise.findings[i] = (struct rf_finding){
            .first.begin_us = -1, .worst.begin_us = -1, .behind_since_us = -1};
    g->waits = calloc(RF_WAIT_BUCKETS, sizeof *g->waits);
    if (g->waits == NULL) {
        rf_fail(err, RF_ERR_MEMORY, "out of memory: a promise");
        return NULL;
    }
    a->npromises++;
    return g;
}

static void begin_cells(struct rf_cells *cells, int64_t start_us, int64_t t_us,
                        int64_t length_us)
{
    *cells = (struct rf_cells){.length_us = length_us};
    cells->next_us = rf_sum(start_us + (t_us - start_us) / length_us * length_us, length_us);
}

/* The account's jobs at the moment it is pledged; those requests are not judged by SERVICE. */
static void take_over_jobs(struct rf_definitions *d, struct rf_pledged *a,
                           const struct rf_state *state, int64_t t_us)
{
    for (int list = 0; list < 2; list++)
        for (int32_t i = list == 0 ? state->running_first : state->queue_first; i >= 0;
             i = state->jobs[i].next) {
            const struct rf_job *job = &state->jobs[i];

            if (!rf_state_within(state, job->account, a->account))
                continue;
            d->wishes[i] = (struct rf_wish){.since_us = t_us, .last_us = t_us};
            if (job->lease >= 0)
                a->lent += job->lent;
            else if (rf_state_ready(state, job))
                a->asking += job->min;
        }
}

static enum rf_status add_account(struct rf_definitions *d, const struct rf_state *state,
                                  const struct rf_pledge *pledge, struct rf_error *err)
{
    struct rf_pledged *more = realloc(d->accounts, ((size_t)d->naccounts + 1) * sizeof *more);
    static const struct rf_wide NONE[RF_SLIDING_N];
    struct rf_gathering *g;
    struct rf_pledged *a;
    enum rf_status st = rf_wishes_know(d, state->njobs, err);

    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a promise");
    d->accounts = more;
    a = &more[d->naccounts++];
    *a = (struct rf_pledged){.account = pledge->account,
                             .group = d->tally->group_of[pledge->account],
                             .since_us = pledge->since_us,
                             .done_us = pledge->since_us};
    begin_cells(&a->steps, state->start_us, a->since_us, d->options.step_us);
    begin_cells(&a->windows, state->start_us, a->since_us, pledge->window_us);
    memcpy(a->steps.spans_us, d->options.sliding_us, sizeof a->steps.spans_us);
    a->windows.spans_us[0] = pledge->window_us;
    if (st == RF_OK && (g = begin_promise(a, pledge, err)) == NULL)
        st = RF_ERR_MEMORY;
    if (st != RF_OK)
        return st;
    g->peak = state->nfleet + state->ndown;
    take_over_jobs(d, a, state, a->since_us);
    d->lent = 0;
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next)
        d->lent += state->jobs[i].lent;
    st = rf_cells_add(a, &a->steps, NONE, err);
    return st == RF_OK ? rf_cells_add(a, &a->windows, NONE, err) : st;
}

/* The second promise is what the first one was until now. */
static enum rf_status split(struct rf_definitions *d, struct rf_pledged *a,
                            const struct rf_state *state, struct rf_error *err)
{
    struct rf_gathering *g = begin_promise(a, &a->promises[0].promise.pledge, err);
    struct rf_cells *cells[2] = {&a->steps, &a->windows};
    int64_t *waits;

    if (g == NULL)
        return RF_ERR_MEMORY;
    waits = g->waits;
    memcpy(waits, a->promises[0].waits, RF_WAIT_BUCKETS * sizeof *waits);
    *g = a->promises[0];
    g->waits = waits;
    g->promise.changed = 1;
    for (int c = 0; c < 2; c++)
        memcpy(cells[c]->samples[1], cells[c]->samples[0],
               (size_t)cells[c]->nsamples * sizeof *cells[c]->samples[1]);
    for (int32_t j = 0; j < state->njobs && j < d->wishes_room; j++)
        if (rf_pledged_of(d, state->jobs[j].account) == a && (d->wishes[j].in_share & 1) != 0)
            d->wishes[j].in_share |= 2;
    return RF_OK;
}

enum rf_status rf_promise_event(struct rf_definitions *d, const struct rf_state *state,
                                const struct rf_event *event, struct rf_error *err)
{
    const struct rf_pledge *pledge = NULL;
    struct rf_pledged *a;
    struct rf_gathering *g;
    enum rf_status st = RF_OK;

    for (int32_t i = 0; i < state->npledges; i++)
        if (strcmp(state->pledges[i].account_name, event->account) == 0)
            pledge = &state->pledges[i];
    if (pledge == NULL)
        return RF_OK;
    a = rf_pledged_of(d, pledge->account);
    if (a == NULL)
        return add_account(d, state, pledge, err);
    if (a->npromises == 1)
        st = split(d, a, state, err);
    if (st != RF_OK)
        return st;
    g = &a->promises[1];
    rf_gathering_settle(g);
    g->carry = g->stock_carry = g->plus_carry = 0;
    g->promise.pledge = *pledge;
    g->stock_devices = rf_promise_stock(pledge, &g->horizon_us);
    g->past_horizon = 0;
    return RF_OK;
}
