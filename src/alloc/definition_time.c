/* Time that passes: sums of what was promised, wanted, delivered and offered, and samples of them
 * where cells end. */
#include "alloc/definition_rules.h"
#include "alloc/terms.h"

int32_t rf_promise_base(const struct rf_definitions *d, const struct rf_pledge *pledge)
{
    return pledge->basis[0] == 's' ? pledge->secured : d->fleet;
}

int32_t rf_promise_stock(const struct rf_pledge *pledge, int64_t *horizon_us)
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
    int64_t wanted = rf_least(a->wanted, d->fleet);
    int is_short = a->held < wanted && rf_share_below(&g->promise.pledge.share, a->held,
                                                      rf_promise_base(d, &g->promise.pledge));

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
    int64_t most_devices = rf_most(base, rf_most(g->stock_devices, g->peak)) + 1;

    for (int64_t part; dt > 0; dt -= part) {
        int64_t room_us = INT64_MAX - rf_most(g->capacity_us, rf_most(g->stock_us, g->plus_us));

        part = dt;
        if (dt > INT32_MAX || room_us < INT64_MAX / 2) { /* else it fits, whatever the fleet */
            rf_gathering_settle(g);
            part = rf_least(dt, INT64_MAX / most_devices);
        }
        g->capacity_us += part * base;
        if (!g->past_horizon) {
            g->stock_us += part * g->stock_devices;
            g->plus_us += part * g->peak;
        }
    }
}

/* A stretch in which nothing changes. */
void rf_pledged_pass(struct rf_definitions *d, struct rf_pledged *a, int64_t t_us)
{
    int64_t dt = t_us - a->done_us, missing = a->usable - a->held;
    int64_t available = d->nfree + (d->lent - a->lent) - missing;

    if (!d->closed) {
        for (int i = 0; i < a->npromises; i++) {
            struct rf_gathering *g = &a->promises[i];

            if (a->moved)
                look_at_inst(d, a, g, a->done_us);
            pass_promise(g, dt, rf_promise_base(d, &g->promise.pledge));
        }
        a->moved = 0;
        rf_wide_add_product(&a->given.delivered_us, dt, a->held);
        rf_wide_add_product(&a->given.wanted_us, dt, rf_least(a->wanted, d->fleet));
        rf_wide_add_product(&a->given.offered_us, dt, a->held + rf_most(available, 0));
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

enum rf_status rf_cells_add(struct rf_pledged *a, struct rf_cells *cells,
                            const struct rf_wide unmet_us[RF_SLIDING_N], struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int32_t room = cells->room;

    for (int i = 0; st == RF_OK && i < 3; i++) {
        void *array = i < 2 ? (void *)cells->samples[i] : (void *)cells->refused_us;

        room = cells->room;
        st = rf_definition_reserve(
            &array, &room, (int64_t)cells->nsamples + 1,
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
            unmet_us[k] = rf_unmet_since(d, a, cells, state, rf_most(a->since_us, begin_us));
    }
    return rf_cells_add(a, cells, unmet_us, err);
}

static void end_stock(const struct rf_definitions *d, struct rf_pledged *a, int promise,
                      const struct rf_state *state)
{
    struct rf_gathering *g = &a->promises[promise];

    g->at_horizon = sample_of(a, promise);
    g->at_horizon.unmet_us[0] = rf_unmet_since(d, a, NULL, state, a->since_us);
    g->past_horizon = 1;
}

int64_t rf_pledged_border(const struct rf_pledged *a)
{
    int64_t border_us = rf_least(a->steps.next_us, a->windows.next_us);

    for (int i = 0; i < a->npromises; i++)
        if (!a->promises[i].past_horizon)
            border_us = rf_least(border_us, a->promises[i].horizon_us);
    return border_us;
}

/* Up to t_us, with cells that end on the way. The state is that before the event at t_us. */
static enum rf_status bring_up(struct rf_definitions *d, struct rf_pledged *a,
                               const struct rf_state *state, int64_t t_us, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    while (st == RF_OK && rf_pledged_border(a) <= t_us) {
        rf_pledged_pass(d, a, rf_pledged_border(a));
        rf_wishes_settle(d, a, state, a->done_us, d->closed);
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
        rf_pledged_pass(d, a, t_us);
    return st;
}

enum rf_status rf_definitions_bring_up(struct rf_definitions *d, const struct rf_state *state,
                                       int64_t t_us, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    d->border_us = INT64_MAX;
    for (int i = 0; st == RF_OK && i < d->naccounts; i++) {
        st = bring_up(d, &d->accounts[i], state, t_us, err);
        d->border_us = rf_least(d->border_us, rf_pledged_border(&d->accounts[i]));
    }
    return st;
}
