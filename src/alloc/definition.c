/* Between two events all rates stand still, so sums are integrals as in pledge.c. A sample of
 * the sums is kept at the end of each step and of each window of the pledge; every definition
 * but INST and SERVICE is judged at the end from differences of samples (definition_judge.c).
 * What could not be told from sums later, what the jobs that are there at the end of a window
 * could have used more in it, is looked up when the window ends. */
#include "alloc/definition_rules.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/terms.h"

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

/* Makes room for want items; new bytes are zero. */
static enum rf_status reserve(void **array, int32_t *room, int64_t want, size_t item,
                              struct rf_error *err)
{
    int64_t next = want + want / 2 + 16;
    char *moved;

    if (want <= *room)
        return RF_OK;
    moved = next > INT32_MAX ? NULL : realloc(*array, (size_t)next * item);
    if (moved == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: definitions");
    memset(moved + (size_t)*room * item, 0, (size_t)(next - *room) * item);
    *array = moved;
    *room = (int32_t)next;
    return RF_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The account's entry; NULL: it is not pledged, nor any above it. */
static struct rf_pledged *pledged_of(const struct rf_definitions *d, int32_t account)
{
    int32_t group = account < d->tally->naccounts ? d->tally->group_of[account] : -1;

    for (int i = 0; group >= 0 && i < d->naccounts; i++)
        if (d->accounts[i].group == group)
            return &d->accounts[i];
    return NULL;
}

static int takes_part(const struct rf_state *state, const struct rf_job *job)
{
    return job->lease >= 0 || rf_state_ready(state, job);
}

/* ---- jobs ---------------------------------------------------------------- */

/* The job held `devices` and was part of the demand or not, up to t_us. */
static void settle(struct rf_definitions *d, const struct rf_job *job, int32_t id,
                   int32_t devices, int part, int64_t t_us)
{
    struct rf_wish *wish = &d->wishes[id];
    int64_t missing = part ? least(job->max, d->fleet) - devices : 0;
    int64_t dt = t_us - wish->since_us;

    if (dt <= 0)
        return;
    if (missing > 0) {
        wish->unmet_us =
            dt > INT64_MAX / missing ? INT64_MAX : rf_sum(wish->unmet_us, missing * dt);
        wish->last_us = t_us;
    }
    wish->since_us = t_us;
}

/* Settles all jobs of one pledged account, or of all (NULL); with skip, time stood still. */
static void settle_all(struct rf_definitions *d, const struct rf_pledged *only,
                       const struct rf_state *state, int64_t t_us, int skip)
{
    for (int list = 0; list < 2; list++)
        for (int32_t i = list == 0 ? state->running_first : state->queue_first; i >= 0;
             i = state->jobs[i].next) {
            const struct rf_job *job = &state->jobs[i];
            const struct rf_pledged *a = pledged_of(d, job->account);

            if (a != NULL && (only == NULL || only == a))
                settle(d, job, i, job->ndevices, !skip && takes_part(state, job), t_us);
        }
}

void rf_settle_wishes(struct rf_definitions *d, const struct rf_state *state)
{
    if (d->naccounts > 0) /* all of them stand at the last event */
        settle_all(d, NULL, state, d->accounts[0].done_us, d->closed);
}

/* As many as the job could ever have had more. */
static int64_t widest_of(const struct rf_definitions *d, const struct rf_job *job)
{
    return least(job->max, d->largest_fleet);
}

/* Of the time that it went without, what the job had a use for: pledge.h. */
static int64_t use_of(const struct rf_job *job, int64_t unmet_us)
{
    return job->limit_us > 0 && job->limit_us <= (unmet_us - 1) / job->max ? job->limit_us * job->max
                                                                    : unmet_us;
}

/* What of the job's unmet time lies after begin_us, if it waited in one piece, last. */
static int64_t unmet_of(const struct rf_definitions *d, const struct rf_job *job, int32_t id,
                        int64_t begin_us)
{
    const struct rf_wish *wish = &d->wishes[id];

    if (wish->last_us <= begin_us)
        return 0;
    return use_of(
        job, least(wish->unmet_us, rf_wide_narrow(rf_wide_product(widest_of(d, job),
                                                                  wish->last_us - begin_us))));
}

struct rf_wide rf_unmet_since(const struct rf_definitions *d, const struct rf_pledged *a,
                              const struct rf_cells *cells, const struct rf_state *state,
                              int64_t begin_us)
{
    struct rf_wide sum = {0, 0};

    for (int list = 0; list < 2; list++)
        for (int32_t i = list == 0 ? state->running_first : state->queue_first; i >= 0;
             i = state->jobs[i].next)
            if (pledged_of(d, state->jobs[i].account) == a)
                rf_wide_add(&sum, unmet_of(d, &state->jobs[i], i, begin_us));
    if (cells == NULL)
        return rf_wide_plus(sum, a->refused_us);
    for (int32_t k = cells->nsamples - 1; k >= 0 && cells->samples[0][k].t_us >= begin_us; k--)
        sum = rf_wide_plus(sum, cells->refused_us[k]);
    return sum;
}

/* The job leaves undone: its unmet time, to the cells in which it waited. */
static void spread_refused(struct rf_cells *cells, const struct rf_wish *wish,
                           const struct rf_job *job, int64_t devices)
{
    int64_t left_us = wish->unmet_us, end_us = wish->last_us;

    for (int32_t k = cells->nsamples - 1; k >= 0 && left_us > 0; k--) {
        int64_t begin_us = cells->samples[0][k].t_us, part;

        if (begin_us >= end_us)
            continue;
        part = k > 0
                   ? least(left_us, rf_wide_narrow(rf_wide_product(devices, end_us - begin_us)))
                   : left_us;
        rf_wide_add(&cells->refused_us[k], use_of(job, part));
        left_us -= part;
        end_us = begin_us;
    }
}

static void add_refused(struct rf_definitions *d, struct rf_pledged *a,
                        const struct rf_job *job, int32_t id)
{
    int64_t devices = widest_of(d, job);

    spread_refused(&a->steps, &d->wishes[id], job, devices);
    spread_refused(&a->windows, &d->wishes[id], job, devices);
    rf_wide_add(&a->refused_us, use_of(job, d->wishes[id].unmet_us));
}

/* ---- time ---------------------------------------------------------------- */

static int32_t base_of(const struct rf_definitions *d, const struct rf_pledge *pledge)
{
    return pledge->basis[0] == 's' ? pledge->secured : d->fleet;
}

static int32_t stock_of(const struct rf_pledge *pledge, int64_t *horizon_us)
{
    struct rf_terms terms = rf_terms_make();

    if (rf_terms_parse(&terms, pledge->terms, NULL) != RF_OK)
        terms = rf_terms_make(); /* the state has refused such terms already */
    *horizon_us = terms.horizon_us > 0 && terms.horizon_us < INT64_MAX - pledge->since_us
                      ? pledge->since_us + terms.horizon_us
                      : INT64_MAX;
    return terms.stock_devices > 0 ? terms.stock_devices : pledge->secured;
}

void rf_gathering_settle(struct rf_gathering *g)
{
    const struct rf_share *share = &g->promise.pledge.share;

    rf_wide_add(&g->promised_us, rf_share_take(share, g->capacity_us, &g->carry));
    rf_wide_add(&g->paced_us, rf_share_take(share, g->stock_us, &g->stock_carry));
    rf_wide_add(&g->paced_plus_us, rf_share_take(share, g->plus_us, &g->plus_carry));
    g->capacity_us = g->stock_us = g->plus_us = 0;
}

void rf_inst_close(struct rf_pledged *a, struct rf_gathering *g, int64_t t_us)
{
    struct rf_finding *f = &g->promise.findings[RF_DEFINITION_INST];
    struct rf_stretch s = {.begin_us = g->short_us, .end_us = t_us};

    if (g->short_us < 0)
        return;
    rf_gathering_settle(g);
    s.promised_us = rf_wide_minus(g->promised_us, g->at_short.promised_us);
    s.asked_us = rf_wide_minus(a->given.wanted_us, g->at_short.asked_us);
    s.delivered_us = rf_wide_minus(a->given.delivered_us, g->at_short.delivered_us);
    g->short_us = -1;
    f->judged++;
    f->promised_us = rf_wide_plus(f->promised_us, s.promised_us);
    f->asked_us = rf_wide_plus(f->asked_us, s.asked_us);
    f->delivered_us = rf_wide_plus(f->delivered_us, s.delivered_us);
    if (t_us - s.begin_us <= g->promise.pledge.tolerance_us) {
        f->kept++;
        return;
    }
    f->broken++;
    if (f->first.begin_us < 0)
        f->first = s;
    if (f->worst.begin_us < 0 || rf_wide_compare(rf_shortfall(&s), rf_shortfall(&f->worst)) > 0)
        f->worst = s;
}

/* From now on less is held than INST says, or not any more. */
static void look_at_inst(const struct rf_definitions *d, struct rf_pledged *a,
                         struct rf_gathering *g, int64_t t_us)
{
    int64_t wanted = least(a->wanted, d->fleet);
    int is_short = a->held < wanted && rf_share_below(&g->promise.pledge.share, a->held,
                                                      base_of(d, &g->promise.pledge));

    if (is_short && g->short_us < 0) {
        rf_gathering_settle(g);
        g->short_us = t_us;
        g->at_short.promised_us = g->promised_us;
        g->at_short.asked_us = a->given.wanted_us;
        g->at_short.delivered_us = a->given.delivered_us;
    } else if (!is_short && g->short_us >= 0) {
        rf_inst_close(a, g, t_us);
    }
}

/* A stretch of a promise. What is not promised yet has to fit in 63 bits. */
static void pass_promise(struct rf_gathering *g, int64_t dt, int64_t base)
{
    int64_t most_devices = most(base, most(g->stock_devices, g->peak)) + 1;

    for (int64_t part; dt > 0; dt -= part) {
        int64_t room_us = INT64_MAX - most(g->capacity_us, most(g->stock_us, g->plus_us));

        part = dt;
        if (dt > INT32_MAX || room_us < INT64_MAX / 2) { /* else it fits, whatever the fleet */
            rf_gathering_settle(g);
            part = least(dt, INT64_MAX / most_devices);
        }
        g->capacity_us += part * base;
        if (!g->past_horizon) {
            g->stock_us += part * g->stock_devices;
            g->plus_us += part * g->peak;
        }
    }
}

/* A stretch in which nothing changes. */
static void pass(struct rf_definitions *d, struct rf_pledged *a, int64_t t_us)
{
    int64_t dt = t_us - a->done_us, missing = a->usable - a->held;
    int64_t available = d->nfree + (d->lent - a->lent) - missing;

    if (!d->closed) {
        for (int i = 0; i < a->npromises; i++) {
            struct rf_gathering *g = &a->promises[i];

            if (a->moved)
                look_at_inst(d, a, g, a->done_us);
            pass_promise(g, dt, base_of(d, &g->promise.pledge));
        }
        a->moved = 0;
        rf_wide_add_product(&a->given.delivered_us, dt, a->held);
        rf_wide_add_product(&a->given.wanted_us, dt, least(a->wanted, d->fleet));
        rf_wide_add_product(&a->given.offered_us, dt, a->held + most(available, 0));
    }
    a->done_us = t_us;
}

static struct rf_definition_sample sample_of(struct rf_pledged *a, int promise)
{
    struct rf_gathering *g = &a->promises[promise];

    rf_gathering_settle(g);
    return (struct rf_definition_sample){.t_us = a->done_us,
                                         .promised_us = g->promised_us,
                                         .stock_us = g->paced_us,
                                         .stock_plus_us = g->paced_plus_us,
                                         .delivered_us = a->given.delivered_us,
                                         .wanted_us = a->given.wanted_us,
                                         .offered_us = a->given.offered_us,
                                         .dark_us = a->given.dark_us};
}

static enum rf_status add_sample(struct rf_pledged *a, struct rf_cells *cells,
                                 const struct rf_wide unmet_us[RF_SLIDING_N],
                                 struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int32_t room = cells->room;

    for (int i = 0; st == RF_OK && i < 3; i++) {
        void *array = i < 2 ? (void *)cells->samples[i] : (void *)cells->refused_us;

        room = cells->room;
        st = reserve(&array, &room, (int64_t)cells->nsamples + 1,
                     i < 2 ? sizeof *cells->samples[0] : sizeof *cells->refused_us, err);
        if (i < 2)
            cells->samples[i] = array;
        else
            cells->refused_us = array;
    }
    if (st != RF_OK)
        return st;
    cells->room = room;
    for (int i = 0; i < a->npromises; i++) {
        struct rf_definition_sample *s = &cells->samples[i][cells->nsamples];

        *s = sample_of(a, i);
        for (int k = 0; k < RF_SLIDING_N; k++)
            s->unmet_us[k] = unmet_us[k];
    }
    cells->nsamples++;
    return RF_OK;
}

enum rf_status rf_cells_end(struct rf_definitions *d, struct rf_pledged *a,
                            struct rf_cells *cells, const struct rf_state *state,
                            struct rf_error *err)
{
    struct rf_wide unmet_us[RF_SLIDING_N] = {{0, 0}};

    for (int k = 0; k < RF_SLIDING_N; k++) {
        int64_t begin_us = a->done_us - cells->spans_us[k];

        if (cells->spans_us[k] == cells->length_us) /* the last one may be cut short */
            begin_us = cells->samples[0][cells->nsamples - 1].t_us;
        if (cells->spans_us[k] > 0)
            unmet_us[k] = rf_unmet_since(d, a, cells, state, most(a->since_us, begin_us));
    }
    return add_sample(a, cells, unmet_us, err);
}

static void end_stock(const struct rf_definitions *d, struct rf_pledged *a, int promise,
                      const struct rf_state *state)
{
    struct rf_gathering *g = &a->promises[promise];

    g->at_horizon = sample_of(a, promise);
    g->at_horizon.unmet_us[0] = rf_unmet_since(d, a, NULL, state, a->since_us);
    g->past_horizon = 1;
}

static int64_t border_of(const struct rf_pledged *a)
{
    int64_t border_us = least(a->steps.next_us, a->windows.next_us);

    for (int i = 0; i < a->npromises; i++)
        if (!a->promises[i].past_horizon)
            border_us = least(border_us, a->promises[i].horizon_us);
    return border_us;
}

/* Up to t_us, with cells that end on the way. The state is that before the event at t_us. */
static enum rf_status bring_up(struct rf_definitions *d, struct rf_pledged *a,
                               const struct rf_state *state, int64_t t_us, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    while (st == RF_OK && border_of(a) <= t_us) {
        pass(d, a, border_of(a));
        settle_all(d, a, state, a->done_us, d->closed);
        for (int i = 0; i < a->npromises; i++)
            if (a->promises[i].horizon_us == a->done_us && !a->promises[i].past_horizon)
                end_stock(d, a, i, state);
        if (a->steps.next_us == a->done_us) {
            st = rf_cells_end(d, a, &a->steps, state, err);
            a->steps.next_us = rf_sum(a->steps.next_us, a->steps.length_us);
        }
        if (st == RF_OK && a->windows.next_us == a->done_us) {
            st = rf_cells_end(d, a, &a->windows, state, err);
            a->windows.next_us = rf_sum(a->windows.next_us, a->windows.length_us);
        }
    }
    if (st == RF_OK && a->done_us < t_us)
        pass(d, a, t_us);
    return st;
}

static enum rf_status bring_up_all(struct rf_definitions *d, const struct rf_state *state,
                                   int64_t t_us, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    d->border_us = INT64_MAX;
    for (int i = 0; st == RF_OK && i < d->naccounts; i++) {
        st = bring_up(d, &d->accounts[i], state, t_us, err);
        d->border_us = least(d->border_us, border_of(&d->accounts[i]));
    }
    return st;
}

/* ---- requests ------------------------------------------------------------ */

/* The job is ready: does it lie in the share, with what is held and asked for already? */
static void look_at_request(struct rf_definitions *d, struct rf_pledged *a,
                            const struct rf_state *state, int32_t id, int64_t t_us)
{
    const struct rf_job *job = &state->jobs[id];

    d->wishes[id] = (struct rf_wish){.since_us = t_us, .last_us = t_us};
    for (int i = 0; i < a->npromises; i++) {
        const struct rf_pledge *pledge = &a->promises[i].promise.pledge;

        if (state->accounts[a->account].used + a->asking + job->min <=
            rf_share_of(&pledge->share, base_of(d, pledge)))
            d->wishes[id].in_share |= 1u << i;
    }
    a->asking += job->min;
}

/* ---- before -------------------------------------------------------------- */

void rf_mark_dark(struct rf_pledged *a, const struct rf_job *job, int64_t t_us)
{
    int64_t from_us = most(job->charged_us, a->since_us);
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
    enum rf_status st = bring_up_all(d, state, t_us, err);

    if (st != RF_OK || d->closed)
        return st;
    settle_all(d, NULL, state, t_us, 0);
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next) {
        struct rf_pledged *a = pledged_of(d, state->jobs[i].account);

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
    enum rf_status st =
        reserve(&array, &d->newly_room, d->tally->nwaiting, sizeof *d->newly, err);

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

    if (st != RF_OK || d->naccounts == 0)
        return st;
    if (wide && rf_state_check(state, event, NULL) != RF_OK)
        return RF_OK; /* it will be refused */
    if (event->type == RF_EVENT_RECOVER)
        return before_recover(d, state, event->t_us, err);
    if (wide)
        st = bring_up_all(d, state, event->t_us, err);
    d->nnewly = 0;
    if (st == RF_OK && event->type == RF_EVENT_END && d->tally->nwaiting > 0)
        st = remember_waiting(d, err);
    if (event->job >= 0 && event->job < state->njobs) {
        const struct rf_job *job = &state->jobs[event->job];

        d->was.devices = job->ndevices;
        d->was.lent = job->lease >= 0 ? job->lent : 0;
        d->was.part = takes_part(state, job);
        d->was.queued = job->lease < 0;
    }
    return st;
}

/* ---- after --------------------------------------------------------------- */

static struct rf_gathering *begin_promise(struct rf_pledged *a, const struct rf_pledge *pledge,
                                          struct rf_error *err)
{
    struct rf_gathering *g = &a->promises[a->npromises];

    *g = (struct rf_gathering){
        .promise.pledge = *pledge, .short_us = -1, .late.begin_us = -1, .denied.begin_us = -1};
    g->stock_devices = stock_of(pledge, &g->horizon_us);
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

static enum rf_status know_wishes(struct rf_definitions *d, int32_t njobs, struct rf_error *err)
{
    void *array = d->wishes;
    enum rf_status st = reserve(&array, &d->wishes_room, njobs, sizeof *d->wishes, err);

    d->wishes = array;
    return st;
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
    enum rf_status st = know_wishes(d, state->njobs, err);

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
    st = add_sample(a, &a->steps, NONE, err);
    return st == RF_OK ? add_sample(a, &a->windows, NONE, err) : st;
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
        if (pledged_of(d, state->jobs[j].account) == a && (d->wishes[j].in_share & 1) != 0)
            d->wishes[j].in_share |= 2;
    return RF_OK;
}

static enum rf_status after_pledge(struct rf_definitions *d, const struct rf_state *state,
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
    a = pledged_of(d, pledge->account);
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
    g->stock_devices = stock_of(pledge, &g->horizon_us);
    g->past_horizon = 0;
    return RF_OK;
}

static void after_job(struct rf_definitions *d, struct rf_pledged *a,
                      const struct rf_state *state, const struct rf_event *event)
{
    const struct rf_job *job = &state->jobs[event->job];
    int queued = job->lease < 0 && job->state == RF_JOB_QUEUED;
    int lent = job->lease >= 0 ? job->lent : 0;

    a->lent += lent - d->was.lent;
    if (d->was.part)
        a->asking += job->min * (queued - d->was.queued);
    if (d->was.part && d->was.queued && !queued)
        rf_service_answer(d, a, state, event->job, event->t_us, job->state == RF_JOB_DENIED);
    if (job->end_us >= 0 && job->state != RF_JOB_DONE)
        add_refused(d, a, job, event->job);
}

static enum rf_status after_request(struct rf_definitions *d, struct rf_pledged *a,
                                    const struct rf_state *state, const struct rf_event *event,
                                    struct rf_error *err)
{
    enum rf_status st = know_wishes(d, state->njobs, err);

    if (st != RF_OK)
        return st;
    d->wishes[event->job] = (struct rf_wish){.since_us = event->t_us, .last_us = event->t_us};
    if (rf_state_ready(state, &state->jobs[event->job]))
        look_at_request(d, a, state, event->job, event->t_us);
    return RF_OK;
}

/* Jobs are settled with what was. The job of the event belongs to `a`; NULL: to no pledge. */
static void settle_for(struct rf_definitions *d, const struct rf_pledged *a,
                       const struct rf_state *state, const struct rf_event *event)
{
    int wide = 0;

    if (event->type == RF_EVENT_CLOSE) {
        settle_all(d, NULL, state, event->t_us, 0);
    } else if (event->type == RF_EVENT_CAPACITY) {
        for (int i = 0; i < d->naccounts; i++)
            wide |=
                d->tally->groups[d->accounts[i].group].widest > least(d->fleet, state->nfleet);
        if (wide)
            settle_all(d, NULL, state, event->t_us, 0);
    } else if (a != NULL && event->type != RF_EVENT_REQUEST) {
        settle(d, &state->jobs[event->job], event->job, d->was.devices, d->was.part,
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
                (int32_t)most(a->promises[k].peak, state->nfleet + state->ndown);
        d->border_us = least(d->border_us, border_of(a));
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
        d->largest_fleet = (int32_t)most(d->largest_fleet, d->fleet);
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
    case RF_EVENT_PLEDGE:
        return after_pledge(d, state, event, err);
    case RF_EVENT_RECOVER:
        for (int i = 0; i < d->naccounts; i++)
            d->accounts[i].lent = 0;
        settle_all(d, NULL, state, event->t_us, 1);
        break;
    case RF_EVENT_CLOSE:
        for (int i = 0; i < d->naccounts; i++)
            for (int k = 0; k < d->accounts[i].npromises; k++)
                rf_inst_close(&d->accounts[i], &d->accounts[i].promises[k], event->t_us);
        break;
    default:
        break;
    }
    for (int32_t i = 0; i < d->nnewly; i++) {
        int32_t id = d->newly[i];

        if (rf_state_ready(state, &state->jobs[id]))
            look_at_request(d, pledged_of(d, state->jobs[id].account), state, id, event->t_us);
    }
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
            pass(d, &d->accounts[i], event->t_us);
    if (d->naccounts > 0 && job != NULL && event->type != RF_EVENT_REQUEST)
        a = pledged_of(d, job->account);
    if (d->naccounts > 0)
        settle_for(d, a, state, event);
    st = d->lent_tally ? RF_OK : rf_tally_after(d->tally, state, event, err);
    if (event->type == RF_EVENT_RECOVER)
        d->lent = 0;
    else if (job != NULL && event->type != RF_EVENT_REQUEST && d->naccounts > 0)
        d->lent += (job->lease >= 0 ? job->lent : 0) - d->was.lent;
    if (st == RF_OK && d->naccounts > 0 && event->type == RF_EVENT_REQUEST)
        a = pledged_of(d, job->account); /* perhaps an account that the tally has just met */
    if (st == RF_OK && (d->naccounts > 0 || event->type == RF_EVENT_PLEDGE))
        st = take_in(d, a, state, event, err);
    look_around(d, state, event);
    return st;
}

struct rf_observer rf_definitions_observer(struct rf_definitions *definitions)
{
    return (struct rf_observer){definitions, before, after};
}
