/* Between two events all rates stand still, so sums are integrals as in pledge.c. A sample of
 * the sums is kept at the end of each step and of each window of the pledge; every definition
 * but INST and SERVICE is judged at the end from differences of samples (definition_judge.c).
 * What could not be told from sums later, what the jobs that are there at the end of a window
 * could have used more in it, is looked up when the window ends. */
#include "alloc/definition_rules.h"

#include <stdlib.h>
#include <string.h>

struct rf_definition_options rf_definition_options_make(void)
{
    const int64_t hour_us = INT64_C(3600000000), day_us = 24 * hour_us;

    return (struct rf_definition_options){.step_us = day_us,
                                          .sliding_us = {day_us, 28 * day_us, 91 * day_us},
                                          .service_wait_us = hour_us,
                                          .service_denied = {1, 20},
                                          .service_denied_us = INT64_MAX};
}

enum rf_status rf_definition_options_check(const struct rf_definition_options *options,
                                           struct rf_error *err)
{
    if (options->step_us <= 0)
        return rf_fail(err, RF_ERR_CONFIG, "the step of the definitions is not positive");
    for (int i = 0; i < RF_SLIDING_N; i++)
        if (options->sliding_us[i] <= 0 || options->sliding_us[i] % options->step_us != 0)
            return rf_fail(err, RF_ERR_CONFIG,
                           "a sliding window is not a whole number of steps");
    if (options->service_wait_us < 0 || options->service_denied_us < 0 ||
        options->service_denied.den < 1)
        return rf_fail(err, RF_ERR_CONFIG, "a threshold of SERVICE is negative");
    return RF_OK;
}

enum rf_status rf_definitions_create(struct rf_definitions **definitions,
                                     const struct rf_definition_options *options,
                                     struct rf_error *err)
{
    struct rf_definitions *d = NULL;
    enum rf_status st = rf_definition_options_check(options, err);

    if (st == RF_OK && (d = calloc(1, sizeof *d)) == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: definitions");
    if (st == RF_OK)
        st = rf_tally_create(&d->tally, err);
    if (st == RF_OK) {
        d->options = *options;
        d->border_us = INT64_MAX;
    } else {
        rf_definitions_destroy(d);
        d = NULL;
    }
    *definitions = d;
    return st;
}

static void clear_cells(struct rf_cells *cells)
{
    free(cells->samples[0]);
    free(cells->samples[1]);
    free(cells->refused_us);
}

void rf_definitions_destroy(struct rf_definitions *definitions)
{
    if (definitions == NULL)
        return;
    for (int i = 0; i < definitions->naccounts; i++) {
        struct rf_pledged *a = &definitions->accounts[i];

        clear_cells(&a->steps);
        clear_cells(&a->windows);
        free(a->promises[0].waits);
        free(a->promises[1].waits);
    }
    if (!definitions->lent_tally)
        rf_tally_destroy(definitions->tally);
    free(definitions->accounts);
    free(definitions->wishes);
    free(definitions->newly);
    free(definitions);
}

void rf_definitions_lend(struct rf_definitions *definitions, struct rf_tally *tally)
{
    if (!definitions->lent_tally)
        rf_tally_destroy(definitions->tally);
    definitions->tally = tally;
    definitions->lent_tally = 1;
}

/* The account's entry; NULL: it is not pledged, nor any above it. */
struct rf_pledged *rf_pledged_of(const struct rf_definitions *d, int32_t account)
{
    int32_t group = account < d->tally->naccounts ? d->tally->group_of[account] : -1;

    for (int i = 0; group >= 0 && i < d->naccounts; i++)
        if (d->accounts[i].group == group)
            return &d->accounts[i];
    return NULL;
}

/* ---- before -------------------------------------------------------------- */

void rf_mark_dark(struct rf_pledged *a, const struct rf_job *job, int64_t t_us)
{
    int64_t from_us = rf_most(job->charged_us, a->since_us);
    struct rf_cells *cells[2] = {&a->steps, &a->windows};

    if (job->lease < 0 || from_us >= t_us)
        return;
    rf_wide_add_product(&a->given.dark_us, t_us - from_us, job->ndevices);
    for (int i = 0; i < a->npromises; i++) {
        struct rf_definition_sample *end = &a->promises[i].at_horizon;

        for (int c = 0; c < 2; c++)
            for (int32_t k = cells[c]->nsamples - 1;
                 k >= 0 && cells[c]->samples[i][k].t_us > from_us; k--)
                rf_wide_add_product(&cells[c]->samples[i][k].dark_us,
                                    cells[c]->samples[i][k].t_us - from_us, job->ndevices);
        if (a->promises[i].past_horizon && end->t_us > from_us)
            rf_wide_add_product(&end->dark_us, end->t_us - from_us, job->ndevices);
    }
}

/* All leases end without a reading. */
static enum rf_status before_recover(struct rf_definitions *d, const struct rf_state *state,
                                     int64_t t_us, struct rf_error *err)
{
    enum rf_status st = rf_definitions_bring_up(d, state, t_us, err);

    if (st != RF_OK || d->closed)
        return st;
    rf_wishes_settle(d, NULL, state, t_us, 0);
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next) {
        struct rf_pledged *a = rf_pledged_of(d, state->jobs[i].account);

        if (a == NULL)
            continue;
        rf_mark_dark(a, &state->jobs[i], t_us);
        a->asking += state->jobs[i].min;
    }
    for (int i = 0; i < d->naccounts; i++)
        for (int k = 0; k < d->accounts[i].npromises && d->accounts[i].wanted > 0; k++) {
            struct rf_finding *f =
                &d->accounts[i].promises[k].promise.findings[RF_DEFINITION_INST];

            f->judged++;
            f->unprovable++;
        }
    return RF_OK;
}

static enum rf_status remember_waiting(struct rf_definitions *d, struct rf_error *err)
{
    void *array = d->newly;
    enum rf_status st = rf_definition_reserve(&array, &d->newly_room, d->tally->nwaiting,
                                              sizeof *d->newly, err);

    d->newly = array;
    d->nnewly = st == RF_OK ? d->tally->nwaiting : 0;
    if (d->nnewly > 0)
        memcpy(d->newly, d->tally->waiting, (size_t)d->nnewly * sizeof *d->newly);
    return st;
}

static enum rf_status before(void *self, const struct rf_state *state,
                             const struct rf_event *event, struct rf_error *err)
{
    struct rf_definitions *d = self;
    enum rf_status st = d->lent_tally ? RF_OK : rf_tally_before(d->tally, state, event, err);
    int wide = event->t_us >= d->border_us || event->type == RF_EVENT_RECOVER;

    d->nnewly = 0;
    if (st != RF_OK || d->naccounts == 0)
        return st;
    if (d->tally->nwaiting > 0 &&
        (event->type == RF_EVENT_END || event->t_us >= state->retry_us))
        st = remember_waiting(d, err);
    if (st != RF_OK)
        return st;
    if (wide && rf_state_check(state, event, NULL) != RF_OK)
        return RF_OK; /* it will be refused */
    if (event->type == RF_EVENT_RECOVER)
        return before_recover(d, state, event->t_us, err);
    if (wide)
        st = rf_definitions_bring_up(d, state, event->t_us, err);
    if (event->job >= 0 && event->job < state->njobs) {
        const struct rf_job *job = &state->jobs[event->job];

        d->was.devices = job->ndevices;
        d->was.account = job->account;
        d->was.lent = job->lease >= 0 ? job->lent : 0;
        d->was.part = rf_part_of_demand(state, job);
        d->was.queued = job->lease < 0;
    }
    return st;
}

/* ---- after --------------------------------------------------------------- */

static void after_job(struct rf_definitions *d, struct rf_pledged *a,
                      const struct rf_state *state, const struct rf_event *event)
{
    const struct rf_job *job = &state->jobs[event->job];
    int queued = job->lease < 0 && rf_state_ready(state, job);
    int lent = job->lease >= 0 ? job->lent : 0;

    a->lent += lent - d->was.lent;
    if (d->was.part)
        a->asking += job->min * (queued - d->was.queued);
    if (d->was.part && d->was.queued && !queued)
        rf_service_answer(d, a, state, event->job, event->t_us, job->state == RF_JOB_DENIED);
    if (job->end_us >= 0 && job->state != RF_JOB_DONE)
        rf_wish_refused(d, a, job, event->job);
}

static enum rf_status after_request(struct rf_definitions *d, struct rf_pledged *a,
                                    const struct rf_state *state, const struct rf_event *event,
                                    struct rf_error *err)
{
    enum rf_status st = rf_wishes_know(d, state->njobs, err);

    if (st != RF_OK)
        return st;
    d->wishes[event->job] = (struct rf_wish){.since_us = event->t_us, .last_us = event->t_us};
    if (rf_state_ready(state, &state->jobs[event->job]))
        rf_request_look(d, a, state, event->job, event->t_us);
    return RF_OK;
}

/* A job moves from one pledged account to another; either may be NULL. What it went without
 * stays with the first, and of the second it asks anew. */
static enum rf_status after_relabel(struct rf_definitions *d, const struct rf_state *state,
                                    const struct rf_event *event, struct rf_error *err)
{
    const struct rf_job *job = &state->jobs[event->job];
    struct rf_pledged *from = rf_pledged_of(d, d->was.account);
    struct rf_pledged *to = rf_pledged_of(d, job->account);
    enum rf_status st = rf_wishes_know(d, state->njobs, err);

    if (st != RF_OK || from == to)
        return st;
    if (from != NULL) {
        rf_wish_settle(d, job, event->job, d->was.devices, d->was.part, event->t_us);
        from->lent -= d->was.lent;
        if (d->was.part && d->was.queued) {
            from->asking -= job->min;
            rf_service_answer(d, from, state, event->job, event->t_us, 0);
        }
        rf_wish_refused(d, from, job, event->job);
    }
    d->wishes[event->job] = (struct rf_wish){.since_us = event->t_us, .last_us = event->t_us};
    if (to != NULL) {
        to->lent += d->was.lent;
        if (d->was.part && d->was.queued)
            rf_request_look(d, to, state, event->job, event->t_us);
    }
    return RF_OK;
}

/* It is ready from now on, for the first time or again. */
static void newly_ready(struct rf_definitions *d, const struct rf_state *state, int32_t id,
                        int64_t t_us)
{
    const struct rf_job *job = &state->jobs[id];
    struct rf_pledged *a = rf_pledged_of(d, job->account);

    if (a == NULL || !rf_state_ready(state, job))
        return;
    if (job->grants == 0)
        rf_request_look(d, a, state, id, t_us);
    else
        a->asking += job->min;
}

/* Jobs are settled with what was. The job of the event belongs to `a`; NULL: to no pledge. */
static void settle_for(struct rf_definitions *d, const struct rf_pledged *a,
                       const struct rf_state *state, const struct rf_event *event)
{
    int wide = 0;

    if (event->type == RF_EVENT_CLOSE) {
        rf_wishes_settle(d, NULL, state, event->t_us, 0);
    } else if (event->type == RF_EVENT_CAPACITY) {
        for (int i = 0; i < d->naccounts; i++)
            wide |= d->tally->groups[d->accounts[i].group].widest >
                    rf_least(d->fleet, state->nfleet);
        if (wide)
            rf_wishes_settle(d, NULL, state, event->t_us, 0);
    } else if (a != NULL && event->type != RF_EVENT_REQUEST &&
               event->type != RF_EVENT_RELABEL) {
        rf_wish_settle(d, &state->jobs[event->job], event->job, d->was.devices, d->was.part,
                       event->t_us);
    }
}

/* Pledges, devices, and whether the run is open, change rarely. */
static void look_further(struct rf_definitions *d, const struct rf_state *state)
{
    d->border_us = INT64_MAX;
    for (int i = 0; i < d->naccounts; i++) {
        struct rf_pledged *a = &d->accounts[i];

        a->moved = 1;
        for (int k = 0; k < a->npromises; k++)
            a->promises[k].peak =
                (int32_t)rf_most(a->promises[k].peak, state->nfleet + state->ndown);
        d->border_us = rf_least(d->border_us, rf_pledged_border(a));
    }
}

/* The rates from now on. */
static void look_around(struct rf_definitions *d, const struct rf_state *state,
                        const struct rf_event *event)
{
    d->nfree = state->nfree;
    d->closed = state->closed;
    if (event->job < 0) {
        d->fleet = state->nfleet;
        d->largest_fleet = (int32_t)rf_most(d->largest_fleet, d->fleet);
        look_further(d, state);
    }
    for (int i = 0; i < d->naccounts; i++) {
        struct rf_pledged *a = &d->accounts[i];
        const struct rf_tally_group *g = &d->tally->groups[a->group];

        a->moved |= a->held != g->held || a->wanted != g->wanted;
        a->held = g->held;
        a->wanted = g->wanted;
        a->usable = g->usable;
    }
}

static enum rf_status take_in(struct rf_definitions *d, struct rf_pledged *a,
                              const struct rf_state *state, const struct rf_event *event,
                              struct rf_error *err)
{
    enum rf_status st = RF_OK;

    switch (event->type) {
    case RF_EVENT_REQUEST:
        return a != NULL ? after_request(d, a, state, event, err) : RF_OK;
    case RF_EVENT_DENY:
    case RF_EVENT_GRANT:
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        if (a != NULL)
            after_job(d, a, state, event);
        break;
    case RF_EVENT_RELABEL:
        st = after_relabel(d, state, event, err);
        break;
    case RF_EVENT_PLEDGE:
        return rf_promise_event(d, state, event, err);
    case RF_EVENT_RECOVER:
        for (int i = 0; i < d->naccounts; i++)
            d->accounts[i].lent = 0;
        rf_wishes_settle(d, NULL, state, event->t_us, 1);
        break;
    case RF_EVENT_CLOSE:
        for (int i = 0; i < d->naccounts; i++)
            for (int k = 0; k < d->accounts[i].npromises; k++)
                rf_inst_close(&d->accounts[i], &d->accounts[i].promises[k], event->t_us);
        break;
    default:
        break;
    }
    for (int32_t i = 0; i < d->nnewly; i++)
        newly_ready(d, state, d->newly[i], event->t_us);
    d->nnewly = 0;
    return st;
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct rf_definitions *d = self;
    const struct rf_job *job = event->job >= 0 ? &state->jobs[event->job] : NULL;
    struct rf_pledged *a = NULL;
    enum rf_status st = RF_OK;

    for (int i = 0; i < d->naccounts; i++)
        if (d->accounts[i].done_us < event->t_us)
            rf_pledged_pass(d, &d->accounts[i], event->t_us);
    if (d->naccounts > 0 && job != NULL && event->type != RF_EVENT_REQUEST)
        a = rf_pledged_of(d, job->account);
    for (int32_t i = 0; i < d->nnewly; i++) /* they were not part of the demand up to now */
        rf_wish_settle(d, &state->jobs[d->newly[i]], d->newly[i], 0, 0, event->t_us);
    if (d->naccounts > 0)
        settle_for(d, a, state, event);
    st = d->lent_tally ? RF_OK : rf_tally_after(d->tally, state, event, err);
    if (event->type == RF_EVENT_RECOVER)
        d->lent = 0;
    else if (job != NULL && event->type != RF_EVENT_REQUEST && d->naccounts > 0)
        d->lent += (job->lease >= 0 ? job->lent : 0) - d->was.lent;
    if (st == RF_OK && d->naccounts > 0 && event->type == RF_EVENT_REQUEST)
        a = rf_pledged_of(d, job->account); /* perhaps an account that the tally has just met */
    if (st == RF_OK && (d->naccounts > 0 || event->type == RF_EVENT_PLEDGE))
        st = take_in(d, a, state, event, err);
    look_around(d, state, event);
    return st;
}

struct rf_observer rf_definitions_observer(struct rf_definitions *definitions)
{
    return (struct rf_observer){definitions, before, after};
}
