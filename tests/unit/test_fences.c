/* The fences that remember: credit, draw-down and the board, worked out by hand and against
 * models, and what must hold of every fence over random machines, jobs and changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/invariant.h"
#include "alloc/policy_plan.h"
#include "base/rng.h"
#include "sim/engine.h"

#define SECOND INT64_C(1000000)

enum { NCHANGES = 8, NJOBS_MAX = 60 };

struct dice {
    uint64_t seed, index;
};

static int32_t roll(struct dice *d, int32_t low, int32_t high)
{
    return low + (int32_t)rf_rng_below(d->seed, rf_rng_stream("fence test", 0), d->index++,
                                       (uint64_t)(high - low + 1));
}

/* ---- workloads and worlds ---- */

static void make_workload(struct rf_workload *w, int64_t n, int32_t naccounts)
{
    *w = (struct rf_workload){.n = n, .naccounts = naccounts};
    w->submit_us = calloc((size_t)n, sizeof *w->submit_us);
    w->run_us = calloc((size_t)n, sizeof *w->run_us);
    w->limit_us = calloc((size_t)n, sizeof *w->limit_us);
    w->min = calloc((size_t)n, sizeof *w->min);
    w->account = calloc((size_t)n, sizeof *w->account);
    w->accounts = calloc((size_t)naccounts, sizeof *w->accounts);
    assert_true(w->submit_us && w->run_us && w->limit_us && w->min && w->account &&
                w->accounts);
    for (int32_t i = 0; i < naccounts; i++)
        snprintf(w->accounts[i], sizeof w->accounts[i], "a%d", i);
}

static void clear_workload(struct rf_workload *w)
{
    free(w->submit_us);
    free(w->run_us);
    free(w->limit_us);
    free(w->min);
    free(w->max);
    free(w->account);
    free(w->accounts);
}

static void set_job(struct rf_workload *w, int64_t k, int64_t submit_s, int64_t run_s,
                    int32_t min, int32_t account)
{
    w->submit_us[k] = submit_s * SECOND;
    w->run_us[k] = w->limit_us[k] = run_s * SECOND;
    w->min[k] = min;
    w->account[k] = account;
}

struct world {
    struct rf_world world;
    struct rf_change changes[NCHANGES];
    struct rf_pledge_spec pledges[NCHANGES];
    struct rf_world_policy policies[NCHANGES];
    int fails;
};

static void empty_world(struct world *x)
{
    *x = (struct world){.world = {0}};
    x->world = (struct rf_world){
        .changes = x->changes, .pledges = x->pledges, .policies = x->policies};
}

static struct rf_change *add_change(struct world *x, int64_t t_us, enum rf_change_kind kind)
{
    int64_t at = x->world.nchanges++;

    while (at > 0 && (x->changes[at - 1].t_us > t_us ||
                      (x->changes[at - 1].t_us == t_us && x->changes[at - 1].kind > kind))) {
        x->changes[at] = x->changes[at - 1];
        at--;
    }
    x->changes[at] = (struct rf_change){.t_us = t_us, .kind = kind};
    return &x->changes[at];
}

static void add_pledge(struct world *x, int64_t t_us, const char *account, int64_t num,
                       int64_t den, int64_t window_us, const struct rf_terms *terms)
{
    int32_t i = x->world.npledges++;
    struct rf_pledge_spec *p = &x->pledges[i];

    *p = (struct rf_pledge_spec){.share = {num, den}, .window_us = window_us};
    snprintf(p->account, sizeof p->account, "%s", account);
    snprintf(p->author, sizeof p->author, "test");
    snprintf(p->reason, sizeof p->reason, "declared");
    snprintf(p->fence, sizeof p->fence, "floor");
    snprintf(p->basis, sizeof p->basis, "fleet");
    if (terms != NULL)
        rf_terms_format(terms, p->terms, sizeof p->terms);
    add_change(x, t_us, RF_CHANGE_PLEDGE)->index = i;
}

static void add_policy(struct world *x, int64_t t_us, const char *order, const char *fence)
{
    int32_t i = x->world.npolicies++;
    struct rf_world_policy *p = &x->policies[i];

    snprintf(p->order, sizeof p->order, "%s", order);
    snprintf(p->fence, sizeof p->fence, "%s", fence);
    snprintf(p->author, sizeof p->author, "test");
    snprintf(p->reason, sizeof p->reason, "why-not");
    add_change(x, t_us, RF_CHANGE_POLICY)->index = i;
}

static struct rf_sim_options options_of(const char *order, const char *fence, int32_t devices,
                                        struct world *x)
{
    struct rf_sim_options o = rf_sim_options_make();

    snprintf(o.policy.order, sizeof o.policy.order, "%s", order);
    snprintf(o.policy.fence, sizeof o.policy.fence, "%s", fence);
    o.devices = devices;
    o.grace_us = 0;
    o.world = &x->world;
    return o;
}

static enum rf_status nothing(void *self, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    (void)self, (void)state, (void)event, (void)err;
    return RF_OK;
}

static enum rf_status check_all(void *self, const struct rf_state *state,
                                const struct rf_event *event, struct rf_error *err)
{
    (void)self, (void)event;
    return rf_invariant_check(state, err);
}

static void simulate(const struct rf_workload *w, struct rf_sim_options *o,
                     struct rf_sim_result *r)
{
    struct rf_error err = {RF_OK, ""};
    struct rf_observer invariants = {NULL, nothing, check_all};

    if (o->nobservers == 0) {
        o->observers = &invariants;
        o->nobservers = 1;
    }
    if (rf_sim_run(w, o, r, &err) != RF_OK)
        fail_msg("%s+%s: %s", o->policy.order, o->policy.fence, err.text);
    for (int32_t k = 0; k < r->state->njobs; k++) {
        const char *why = rf_state_job_reason(r->state, k);

        if (strcmp(why, "board-denied") == 0 || strcmp(why, "budget-used-up") == 0)
            assert_int_equal(r->start_us[k], -1);
    }
}

/* ---- credit ---- */

static struct rf_fence_record a_record(int64_t num, int64_t den, int32_t basis,
                                       int64_t window_us)
{
    struct rf_fence_record r = {.known = 1, .share = {num, den}, .window_us = window_us};

    r.basis = basis;
    r.terms = rf_terms_make();
    rf_credit_terms(&r);
    return r;
}

static void advance(struct rf_fence_record *r, int64_t to_us)
{
    rf_credit_advance(r, to_us);
    r->at_us = to_us;
}

static void credit_is_what_the_share_leaves(void **unused)
{
    struct rf_fence_record r = a_record(1, 100, 24, 100 * SECOND); /* 0.24 devices */

    (void)unused;
    advance(&r, 3);
    assert_int_equal(r.credit.total_us, 0); /* 0.72 */
    advance(&r, 5);
    assert_int_equal(r.credit.total_us, 1); /* 1.2 */
    advance(&r, 50 * SECOND);
    assert_int_equal(r.credit.total_us, 12 * SECOND);
    advance(&r, 300 * SECOND); /* no more than a window's worth */
    assert_int_equal(r.credit.total_us, 24 * SECOND);
    r.used = 1;
    advance(&r, 310 * SECOND);
    assert_int_equal(r.credit.total_us, 24 * SECOND - 76 * SECOND / 10);
    advance(&r, 340 * SECOND);
    assert_int_equal(r.credit.total_us, 0);
    r.used = 0;
    advance(&r, 350 * SECOND);
    assert_int_equal(r.credit.total_us, 24 * SECOND / 10);
}

static void credit_expires_slice_by_slice(void **unused)
{
    struct rf_fence_record r = a_record(1, 2, 2, 1000 * SECOND);

    (void)unused;
    r.terms.credit_expiry_us = 320 * SECOND; /* slices of 10 s */
    rf_credit_terms(&r);
    advance(&r, 20 * SECOND); /* a device's time of 20 s, in two lots */
    r.used = 1;               /* neither more nor less from now on */
    advance(&r, 330 * SECOND - 1);
    assert_int_equal(r.credit.total_us, 20 * SECOND);
    advance(&r, 330 * SECOND);
    assert_int_equal(r.credit.total_us, 10 * SECOND);
    advance(&r, 340 * SECOND);
    assert_int_equal(r.credit.total_us, 0);
}

/* The same, by the microsecond: lots in a list, no slices skipped. */
static void credit_is_that_of_a_model_however_time_is_cut(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct dice d = {seed, 0};
        int32_t den = roll(&d, 1, 9);
        struct rf_fence_record a = a_record(roll(&d, 0, den), den, roll(&d, 1, 9), SECOND), b;
        int64_t expiry_us = roll(&d, 0, 2) * roll(&d, 1, 90) * SECOND, at_us = 0;

        a.terms.credit_expiry_us = expiry_us;
        a.terms.credit_cap_us = roll(&d, 0, 60) * SECOND;
        rf_credit_terms(&a);
        b = a;
        for (int step = 0; step < 60; step++) {
            int64_t to_us = at_us + roll(&d, 1, roll(&d, 0, 3) == 0 ? 200000000 : 9000000);
            int64_t lots_us = 0,
                    cap_us = (a.terms.credit_cap_us > 0 ? a.terms.credit_cap_us : a.window_us) *
                             a.basis * a.share.num / a.share.den;

            a.used = b.used = roll(&d, 0, 9);
            advance(&a, to_us);
            for (int cut = roll(&d, 0, 4); cut > 0; cut--)
                advance(&b, at_us + (to_us - at_us) / (cut + 1));
            advance(&b, to_us);
            assert_int_equal(a.credit.total_us, b.credit.total_us);
            assert_memory_equal(a.credit.lots_us, b.credit.lots_us, sizeof a.credit.lots_us);
            assert_true(a.credit.total_us >= 0 && a.credit.total_us <= cap_us);
            for (int i = 0; i < a.credit.nlots; i++) {
                assert_true(a.credit.lots_us[i] >= 0);
                lots_us += a.credit.lots_us[i];
            }
            assert_int_equal(lots_us, a.credit.total_us);
            at_us = to_us;
        }
    }
}

/* ---- the bank in force ---- */

static void credit_claims_beyond_the_share_until_it_runs_out(void **unused)
{
    struct world x;
    struct rf_sim_options o;
    struct rf_sim_result r;
    struct rf_workload w;

    (void)unused;
    empty_world(&x);
    add_pledge(&x, 0, "a0", 1, 2, 100 * SECOND, NULL);
    add_pledge(&x, 0, "a1", 1, 4, 100 * SECOND, NULL);
    o = options_of("fcfs", "bank", 8, &x);
    make_workload(&w, 10, 3);
    for (int k = 0; k < 8; k++) /* everybody else holds all of it */
        set_job(&w, k, 0, 1000, 1, 2);
    set_job(&w, 8, 50, 400, 6, 0); /* 200 device-seconds of credit by then: lasts 100 s */
    set_job(&w, 9, 60, 400, 2, 1); /* its floor is not touched */
    simulate(&w, &o, &r);
    assert_int_equal(r.start_us[8], 50 * SECOND);
    assert_int_equal(r.end_us[8], 450 * SECOND); /* beyond its credit it borrows */
    assert_int_equal(r.start_us[9], 60 * SECOND);
    assert_int_equal(r.preemptions, 8);
    rf_sim_result_clear(&r);

    set_job(&w, 8, 1, 400, 6, 0); /* too little credit yet: first its floor, of four */
    o.policy.order[0] = '\0';
    snprintf(o.policy.order, sizeof o.policy.order, "easy");
    simulate(&w, &o, &r);
    assert_int_equal(r.state->jobs[8].first_grant_us,
                     1 * SECOND); /* a job is not divided: as under a floor */
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

static int64_t held_at(const struct rf_workload *w, const struct rf_sim_result *r,
                       int32_t account, int64_t t_us)
{
    int64_t n = 0;

    for (int64_t k = 0; k < w->n; k++)
        if (w->account[k] == account && r->start_us[k] >= 0 && r->start_us[k] <= t_us &&
            r->end_us[k] > t_us)
            n += w->min[k];
    return n;
}

static void an_idle_account_with_credit_gets_more_than_under_a_floor(void **unused)
{
    static const char *const FENCES[] = {"floor", "bank"};
    int64_t held[2];
    struct world x;
    struct rf_workload w;

    (void)unused;
    empty_world(&x);
    add_pledge(&x, 0, "a0", 1, 4, 1000 * SECOND, NULL);
    make_workload(&w, 16, 2);
    for (int k = 0; k < 8; k++)
        set_job(&w, k, 0, 3000, 1, 1);
    for (int k = 8; k < 16; k++)
        set_job(&w, k, 500, 2000, 1, 0);
    for (int i = 0; i < 2; i++) {
        struct rf_sim_options o = options_of("fcfs", FENCES[i], 8, &x);
        struct rf_sim_result r;

        simulate(&w, &o, &r);
        held[i] = held_at(&w, &r, 0, 500 * SECOND);
        rf_sim_result_clear(&r);
    }
    assert_int_equal(held[0], 2);
    assert_int_equal(held[1], 8);
    clear_workload(&w);
}

/* ---- the stock ---- */

static void a_stock_is_used_up_and_growth_adds_nothing(void **unused)
{
    struct rf_terms terms = rf_terms_make();
    struct rf_workload w;
    struct world x;
    struct rf_sim_options o;
    struct rf_sim_result r;
    struct rf_change *c;

    (void)unused;
    terms.horizon_us = 1000 * SECOND; /* 1/4 of 4 devices for 1000 s */
    terms.catch_up = (struct rf_share){0, 1};
    empty_world(&x);
    add_pledge(&x, 0, "a0", 1, 4, 100 * SECOND, &terms);
    c = add_change(&x, 10 * SECOND, RF_CHANGE_JOINED);
    c->begin = 4;
    c->end = 8;
    o = options_of("fcfs", "stock", 4, &x);
    o.until_us = 2000 * SECOND;
    make_workload(&w, 60, 2);
    for (int k = 0; k < 10; k++) /* they would take everything, for ever */
        set_job(&w, k, 0, 5000, 1, 1);
    for (int k = 10; k < 60; k++)
        set_job(&w, k, 20, 100, 1, 0);
    simulate(&w, &o, &r);
    /* one at a time, from 20 on until the horizon is over */
    assert_int_equal(held_at(&w, &r, 0, 500 * SECOND), 1);
    assert_int_equal(r.start_us[10], 20 * SECOND);
    assert_int_equal(r.start_us[19], 920 * SECOND);
    assert_int_equal(r.start_us[20], -1);
    rf_sim_result_clear(&r);

    terms.catch_up =
        (struct rf_share){1, 2}; /* in arrears by more than a window: four of eight */
    x.world.npledges = 0;
    x.world.nchanges = 0;
    add_pledge(&x, 0, "a0", 1, 4, 100 * SECOND, &terms);
    c = add_change(&x, 10 * SECOND, RF_CHANGE_JOINED);
    c->begin = 4;
    c->end = 8;
    for (int k = 10; k < 60; k++)
        set_job(&w, k, 400, 50, 1, 0);
    simulate(&w, &o, &r);
    assert_int_equal(held_at(&w, &r, 0, 400 * SECOND), 4); /* 400 s behind */
    assert_int_equal(held_at(&w, &r, 0, 800 * SECOND), 1);
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

/* ---- the board ---- */

static void answers(const struct rf_sim_result *r, int64_t n, int *denied)
{
    for (int64_t k = 0; k < n; k++)
        denied[k] = r->state->jobs[k].state == RF_JOB_DENIED;
}

static void a_lower_probability_only_adds_denials(void **unused)
{
    int before[40] = {0}, total = 0, last = 0;
    struct rf_workload w;

    (void)unused;
    make_workload(&w, 40, 2);
    for (int k = 0; k < 40; k++)
        set_job(&w, k, k, 10, 1, k % 2);
    for (int p = 100; p >= 0; p -= 10) {
        struct rf_terms terms = rf_terms_make();
        struct world x;
        struct rf_sim_options o;
        struct rf_sim_result r;
        int now[40];

        terms.approve = (struct rf_share){p / 10, 10};
        if (p % 20 == 0)
            terms.approve = (struct rf_share){p / 20, 5};
        if (p == 100 || p == 0)
            terms.approve = (struct rf_share){p / 100, 1};
        if (p == 50)
            terms.approve = (struct rf_share){1, 2};
        terms.delay_us = 7 * SECOND;
        empty_world(&x);
        add_pledge(&x, 0, "a0", 1, 4, 100 * SECOND, &terms);
        o = options_of("easy", "request", 40, &x);
        o.policy.seed = 11;
        simulate(&w, &o, &r);
        answers(&r, 40, now);
        for (int k = 0; k < 40; k++) {
            assert_true(now[k] >= before[k]);
            before[k] = now[k];
            if (k % 2 == 1) {
                assert_int_equal(r.start_us[k], k * SECOND);
            } else if (now[k]) {
                assert_string_equal(rf_state_job_reason(r.state, k), "board-denied");
                assert_int_equal(r.state->jobs[k].end_us, (k + 7) * SECOND);
            } else {
                assert_int_equal(r.start_us[k], (k + 7) * SECOND);
            }
        }
        last = (int)r.denied;
        total += last > 0 && last < 20;
        rf_sim_result_clear(&r);
    }
    assert_int_equal(last, 20);
    assert_true(total >= 5);
    clear_workload(&w);
}

static void the_board_approves_no_more_than_its_budget(void **unused)
{
    struct rf_terms terms = rf_terms_make();
    struct world x;
    struct rf_sim_options o;
    struct rf_sim_result r;
    struct rf_workload w;

    (void)unused;
    terms.approve = (struct rf_share){1, 1};
    terms.delay_us = 5 * SECOND;
    terms.budget_us = 50 * SECOND;
    empty_world(&x);
    add_pledge(&x, 0, "a0", 1, 4, 100 * SECOND, &terms);
    o = options_of("fcfs", "request", 8, &x);
    make_workload(&w, 6, 1);
    set_job(&w, 0, 0, 20, 2, 0);  /* 40 */
    set_job(&w, 1, 1, 20, 1, 0);  /* too much */
    set_job(&w, 2, 2, 10, 1, 0);  /* 50 */
    set_job(&w, 3, 94, 1, 1, 0);  /* too much: answered at 99 */
    set_job(&w, 4, 95, 50, 1, 0); /* answered in the next window */
    set_job(&w, 5, 96, 1, 1, 0);
    simulate(&w, &o, &r);
    assert_int_equal(r.start_us[0], 5 * SECOND);
    assert_int_equal(r.start_us[2], 7 * SECOND);
    assert_int_equal(r.start_us[4], 100 * SECOND);
    assert_int_equal(r.denied, 3);
    for (int k = 1; k < 6; k += 2)
        assert_string_equal(rf_state_job_reason(r.state, k), "budget-used-up");
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

static void what_waits_when_the_board_goes_home_queues(void **unused)
{
    struct rf_terms terms = rf_terms_make();
    struct world x;
    struct rf_sim_options o;
    struct rf_sim_result r;
    struct rf_workload w;

    (void)unused;
    terms.approve = (struct rf_share){0, 1};
    terms.delay_us = 50 * SECOND;
    empty_world(&x);
    add_pledge(&x, 0, "a0", 1, 4, 100 * SECOND, &terms);
    add_policy(&x, 60 * SECOND, "easy", "none");
    o = options_of("fcfs", "request", 8, &x);
    make_workload(&w, 3, 1);
    set_job(&w, 0, 0, 20, 2, 0);
    set_job(&w, 1, 20, 20, 2, 0);
    set_job(&w, 2, 70, 20, 2, 0);
    simulate(&w, &o, &r);
    assert_int_equal(r.denied, 1);
    assert_int_equal(r.state->jobs[0].state, RF_JOB_DENIED);
    assert_int_equal(r.start_us[1], 60 * SECOND);
    assert_int_equal(r.start_us[2], 70 * SECOND);
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

/* ---- every fence ---- */

static const char *const FENCES[] = {"none", "partition", "floor", "bank", "stock", "request"};
static const char *const ORDERS[] = {"fcfs", "easy", "conservative", "sjf", "fairshare"};

static struct rf_terms random_terms(struct dice *d)
{
    struct rf_terms t = rf_terms_make();

    t.credit_cap_us = roll(d, 0, 2) * 17 * SECOND;
    t.credit_expiry_us = roll(d, 0, 2) * 40 * SECOND;
    t.burst = (struct rf_share){1, roll(d, 1, 3)};
    t.horizon_us = roll(d, 0, 2) * 60 * SECOND;
    t.stock_devices = roll(d, 0, 1) * roll(d, 1, 9);
    t.catch_up = (struct rf_share){1, roll(d, 1, 3)};
    t.approve = (struct rf_share){1, roll(d, 1, 3)};
    t.delay_us = roll(d, 0, 2) * 9 * SECOND;
    t.budget_us = roll(d, 0, 1) * roll(d, 1, 90) * SECOND;
    return t;
}

/* Shares of 1 % of 24, a third of 7, 99 % of 2 among others. */
static void random_world(struct world *x, struct dice *d, int32_t devices)
{
    static const struct rf_share SHARES[] = {{1, 100}, {1, 3}, {99, 100},
                                             {1, 1},   {1, 2}, {0, 1}};
    int first = roll(d, 0, 5);
    struct rf_terms t = random_terms(d);

    empty_world(x);
    add_pledge(x, 0, "a0", SHARES[first].num, SHARES[first].den, 20 * SECOND, &t);
    t = random_terms(d);
    if (first == 1 || first == 4)
        add_pledge(x, 0, "a1", 1, 2, 30 * SECOND, &t);
    t = random_terms(d);
    if (roll(d, 0, 1) == 0)
        add_pledge(x, roll(d, 0, 60) * SECOND, "a0", roll(d, 0, 1), 3, 20 * SECOND, &t);
    if (roll(d, 0, 1) == 0)
        add_policy(x, roll(d, 0, 60) * SECOND, ORDERS[roll(d, 0, 4)], FENCES[roll(d, 0, 5)]);
    if (roll(d, 0, 1) == 0) {
        int64_t t_us = roll(d, 0, 60) * SECOND;
        struct rf_change *c = add_change(x, t_us, RF_CHANGE_FAILED);

        x->fails = 1;
        c->end = 1;
        c = add_change(x, t_us + 9 * SECOND, RF_CHANGE_REPAIRED);
        c->end = 1;
    }
    if (roll(d, 0, 1) == 0) {
        struct rf_change *c = add_change(x, roll(d, 0, 60) * SECOND, RF_CHANGE_JOINED);

        c->begin = devices;
        c->end = devices + roll(d, 1, 5);
    }
}

static void random_workload(struct rf_workload *w, struct dice *d, int32_t devices)
{
    int64_t t_s = 0;

    make_workload(w, roll(d, 1, NJOBS_MAX), 3);
    for (int64_t k = 0; k < w->n; k++) {
        t_s += roll(d, 0, 2) == 0 ? roll(d, 0, 8) : 0;
        set_job(w, k, t_s, roll(d, 1, roll(d, 0, 3) == 0 ? 40 : 6),
                roll(d, 1, roll(d, 0, 4) == 0 ? devices : (devices + 2) / 3), roll(d, 0, 2));
        w->limit_us[k] += roll(d, 0, 1) * roll(d, 0, 9) * SECOND;
    }
    if (roll(d, 0, 2) > 0)
        return;
    w->max = calloc((size_t)w->n, sizeof *w->max);
    assert_non_null(w->max);
    for (int64_t k = 0; k < w->n; k++)
        w->max[k] = w->min[k] + roll(d, 0, 3);
}

static void decisions_by_id_and_by_count_are_the_same(void **unused)
{
    static const int32_t DEVICES[] = {2, 7, 24, 5};

    (void)unused;
    for (uint64_t seed = 0; seed < 900; seed++) {
        struct dice d = {seed, 0};
        int32_t devices = DEVICES[roll(&d, 0, 3)];
        struct rf_workload w;
        struct world x;
        struct rf_sim_options o;
        struct rf_sim_result r[2];

        random_world(&x, &d, devices);
        random_workload(&w, &d, devices);
        o = options_of(ORDERS[roll(&d, 0, 4)], FENCES[seed % 6], devices, &x);
        o.policy.explain = roll(&d, 0, 1);
        o.policy.resize = roll(&d, 0, 1);
        o.policy.checkpoint_us = roll(&d, 0, 3) * SECOND;
        o.policy.checkpoint_every_us = roll(&d, 0, 2) * 3 * SECOND;
        o.policy.restart_us = roll(&d, 0, 2) * SECOND;
        o.grace_us = roll(&d, 0, 3) * SECOND;
        o.until_us = 2000 * SECOND;
        o.policy.seed = (int64_t)seed;
        for (int i = 0; i < 2; i++) {
            o.by_id = i;
            o.nobservers = 0;
            simulate(&w, &o, &r[i]);
        }
        if (!x.fails) { /* a failure hits a job by the device's name, or the latest */
            assert_int_equal(r[0].events, r[1].events);
            for (int64_t k = 0; k < r[0].state->njobs; k++) {
                assert_int_equal(r[0].start_us[k], r[1].start_us[k]);
                assert_int_equal(r[0].end_us[k], r[1].end_us[k]);
            }
        }
        rf_sim_result_clear(&r[0]);
        rf_sim_result_clear(&r[1]);
        clear_workload(&w);
    }
}

/* ---- what is lent comes back ---- */

struct watch {
    int32_t whole; /* devices of the share, rounded up */
    int64_t short_us, grace_us;
};

/* As long as the account has a job waiting it is below its share for no longer than a job that
 * is asked to stop may take. */
static enum rf_status check_floor(void *self, const struct rf_state *s,
                                  const struct rf_event *event, struct rf_error *err)
{
    struct watch *w = self;
    int32_t account = rf_state_find_account(s, "a0");
    int waits = 0;

    for (int32_t i = s->queue_first; i >= 0; i = s->jobs[i].next)
        waits |= s->jobs[i].account == account;
    if (account < 0 || !waits || s->accounts[account].used >= w->whole)
        w->short_us = -1;
    else if (w->short_us < 0 || event->type == RF_EVENT_REQUEST ||
             (event->type == RF_EVENT_END && s->jobs[event->job].account == account))
        w->short_us = s->now_us; /* from now on it is short of more */
    else if (s->now_us - w->short_us > w->grace_us)
        return rf_fail(err, RF_ERR_INTERNAL, "below its share since %lld us",
                       (long long)w->short_us);
    return RF_OK;
}

static void floors_are_honoured_within_the_grace(void **unused)
{
    static const struct rf_share SHARES[] = {{1, 100}, {1, 3}, {99, 100}, {1, 2}, {1, 7}};
    static const char *const PROMISING[] = {"floor", "bank", "stock"};

    (void)unused;
    for (uint64_t seed = 0; seed < 600; seed++) {
        struct dice d = {seed, 1000};
        int32_t devices = roll(&d, 1, 24);
        struct rf_share share = SHARES[roll(&d, 0, 4)];
        struct rf_sim_options o;
        struct rf_sim_result r;
        struct rf_workload w;
        struct watch watch = {.short_us = -1};
        struct rf_observer floor = {&watch, nothing, check_floor};
        struct world x;

        empty_world(&x);
        add_pledge(&x, 0, "a0", share.num, share.den, 1000000 * SECOND, NULL);
        random_workload(&w, &d, devices);
        for (int64_t k = 0; k < w.n; k++)
            w.min[k] = w.account[k] == 0 ? 1 : w.min[k];
        o = options_of(ORDERS[roll(&d, 0, 4)], PROMISING[seed % 3], devices, &x);
        o.policy.checkpoint_us = roll(&d, 0, 4) * SECOND;
        o.policy.checkpoint_every_us = roll(&d, 0, 1) * 5 * SECOND;
        o.policy.restart_us = roll(&d, 0, 1) * SECOND;
        o.policy.resize = 1;
        o.grace_us = roll(&d, 0, 4) * SECOND;
        watch.whole = rf_fence_ceil(&share, devices);
        watch.grace_us =
            o.policy.checkpoint_us < o.grace_us ? o.policy.checkpoint_us : o.grace_us;
        o.observers = &floor;
        o.nobservers = 1;
        simulate(&w, &o, &r);
        assert_int_equal(r.finished, w.n);
        rf_sim_result_clear(&r);
        clear_workload(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credit_is_what_the_share_leaves),
        cmocka_unit_test(credit_expires_slice_by_slice),
        cmocka_unit_test(credit_is_that_of_a_model_however_time_is_cut),
        cmocka_unit_test(credit_claims_beyond_the_share_until_it_runs_out),
        cmocka_unit_test(an_idle_account_with_credit_gets_more_than_under_a_floor),
        cmocka_unit_test(a_stock_is_used_up_and_growth_adds_nothing),
        cmocka_unit_test(a_lower_probability_only_adds_denials),
        cmocka_unit_test(the_board_approves_no_more_than_its_budget),
        cmocka_unit_test(what_waits_when_the_board_goes_home_queues),
        cmocka_unit_test(floors_are_honoured_within_the_grace),
        cmocka_unit_test(decisions_by_id_and_by_count_are_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
