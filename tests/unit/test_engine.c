/* Schedules against a model that recomputes everything at every moment, and what stopping,
 * failing and growing cost, worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/invariant.h"
#include "base/rng.h"
#include "sim/engine.h"

#define SECOND INT64_C(1000000)
#define NEVER INT64_MAX

enum { NJOBS_MAX = 80 };

/* ---- small workloads ---- */

struct dice {
    uint64_t seed, index;
};

static int32_t roll(struct dice *d, int32_t low, int32_t high)
{
    return low + (int32_t)rf_rng_below(d->seed, rf_rng_stream("engine test", 0), d->index++,
                                       (uint64_t)(high - low + 1));
}

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
                    int64_t limit_s, int32_t min, int32_t account)
{
    w->submit_us[k] = submit_s * SECOND;
    w->run_us[k] = run_s * SECOND;
    w->limit_us[k] = limit_s * SECOND;
    w->min[k] = min;
    w->account[k] = account;
}

/* Few different times, so that much happens at once. */
static void random_workload(struct rf_workload *w, struct dice *d, int32_t devices)
{
    int64_t t_s = 0;

    make_workload(w, roll(d, 1, NJOBS_MAX), 3);
    for (int64_t k = 0; k < w->n; k++) {
        int64_t run_s = roll(d, 1, roll(d, 0, 3) == 0 ? 40 : 6);

        t_s += roll(d, 0, 2) == 0 ? roll(d, 0, 8) : 0;
        set_job(w, k, t_s, run_s, run_s + (roll(d, 0, 1) == 0 ? roll(d, 0, 20) : 0),
                roll(d, 1, roll(d, 0, 4) == 0 ? devices : (devices + 2) / 3), roll(d, 0, 2));
    }
}

/* ---- the model ---- */

struct model {
    const struct rf_workload *w;
    int32_t devices;
    const char *order;
    int depth; /* of reservations; -1: all */
    int compress;
    int64_t start_us[NJOBS_MAX], end_us[NJOBS_MAX], slot_us[NJOBS_MAX];
    int reserved[NJOBS_MAX]; /* a planned start that others must respect */
    int ghost[NJOBS_MAX];    /* ended at this moment, and its plan has not been told */
};

/* Devices that are free at t, as far as is known at `now`. */
static int32_t free_at(const struct model *m, int64_t now_us, int64_t t_us)
{
    int32_t free = m->devices;

    for (int64_t k = 0; k < m->w->n; k++) {
        int running = m->start_us[k] >= 0 && m->end_us[k] > now_us;

        if (running && (t_us == now_us || m->start_us[k] + m->w->limit_us[k] > t_us))
            free -= m->w->min[k];
        if (m->ghost[k] && m->start_us[k] + m->w->limit_us[k] > t_us)
            free -= m->w->min[k];
        if (!running && m->reserved[k] && m->slot_us[k] <= t_us &&
            m->slot_us[k] + m->w->limit_us[k] > t_us)
            free -= m->w->min[k];
    }
    return free;
}

static int fits(const struct model *m, int64_t now_us, int64_t t_us, int64_t job)
{
    int64_t end_us = t_us + m->w->limit_us[job];

    if (free_at(m, now_us, t_us) < m->w->min[job])
        return 0;
    for (int64_t k = 0; k < m->w->n; k++) { /* it can only become less where a plan begins */
        int64_t b_us = m->slot_us[k];

        if (m->reserved[k] && b_us > t_us && b_us < end_us &&
            free_at(m, now_us, b_us) < m->w->min[job])
            return 0;
    }
    return 1;
}

static int64_t earliest(const struct model *m, int64_t now_us, int64_t job)
{
    int64_t best_us = NEVER;

    if (fits(m, now_us, now_us, job))
        return now_us;
    for (int64_t k = 0; k < m->w->n; k++) {
        int64_t ends[2] = {-1, -1};

        if (m->start_us[k] >= 0 && (m->end_us[k] > now_us || m->ghost[k]))
            ends[0] = m->start_us[k] + m->w->limit_us[k];
        if (m->reserved[k])
            ends[1] = m->slot_us[k] + m->w->limit_us[k];
        for (int i = 0; i < 2; i++)
            if (ends[i] > now_us && ends[i] < best_us && fits(m, now_us, ends[i], job))
                best_us = ends[i];
    }
    return best_us;
}

static void start(struct model *m, int64_t now_us, int64_t k)
{
    m->start_us[k] = now_us;
    m->end_us[k] = now_us + m->w->run_us[k];
    m->reserved[k] = 0;
}

/* The waiting jobs in order. */
static int64_t waiting(const struct model *m, int64_t now_us, int64_t ids[NJOBS_MAX])
{
    int64_t n = 0;

    for (int64_t k = 0; k < m->w->n; k++) {
        int64_t at = n;

        if (m->start_us[k] >= 0 || m->w->submit_us[k] > now_us)
            continue;
        while (strcmp(m->order, "sjf") == 0 && at > 0 &&
               m->w->limit_us[ids[at - 1]] > m->w->limit_us[k]) {
            ids[at] = ids[at - 1];
            at--;
        }
        ids[at] = k;
        n++;
    }
    return n;
}

static void pass(struct model *m, int64_t now_us)
{
    int64_t ids[NJOBS_MAX], n = waiting(m, now_us, ids);
    int held = 0, strict = strcmp(m->order, "fcfs") == 0 || strcmp(m->order, "sjf") == 0;

    for (int64_t k = 0; k < m->w->n; k++)
        m->reserved[k] = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t slot_us = earliest(m, now_us, ids[i]);

        if (slot_us == now_us) {
            start(m, now_us, ids[i]);
        } else if (strict) {
            return;
        } else if (m->depth < 0 || held < m->depth) {
            m->slot_us[ids[i]] = slot_us;
            m->reserved[ids[i]] = 1;
            held++;
        }
    }
}

/* Of the jobs that ended at this moment, the one that started first. */
static int64_t first_ghost(const struct model *m)
{
    int64_t first = -1;

    for (int64_t k = 0; k < m->w->n; k++)
        if (m->ghost[k] && (first < 0 || m->start_us[k] < m->start_us[first]))
            first = k;
    return first;
}

/* Plans are kept: arrivals, then each end, then starts. */
static void compress_pass(struct model *m, int64_t now_us)
{
    int64_t ids[NJOBS_MAX], n = waiting(m, now_us, ids), over;

    for (int64_t i = 0; i < n; i++)
        if (!m->reserved[ids[i]]) {
            m->slot_us[ids[i]] = earliest(m, now_us, ids[i]);
            m->reserved[ids[i]] = 1;
        }
    while ((over = first_ghost(m)) >= 0) {
        m->ghost[over] = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t was_us = m->slot_us[ids[i]];

            if (was_us <= now_us)
                continue;
            m->reserved[ids[i]] = 0;
            m->slot_us[ids[i]] = earliest(m, now_us, ids[i]);
            m->reserved[ids[i]] = 1;
            assert_true(m->slot_us[ids[i]] <= was_us); /* nobody is ever put off */
        }
    }
    for (int64_t i = 0; i < n; i++)
        if (m->slot_us[ids[i]] <= now_us)
            start(m, now_us, ids[i]);
}

static void run_model(struct model *m)
{
    for (int64_t k = 0; k < m->w->n; k++) {
        m->start_us[k] = m->end_us[k] = -1;
        m->reserved[k] = m->ghost[k] = 0;
    }
    for (int64_t now_us = -1;;) {
        int64_t next_us = NEVER;

        for (int64_t k = 0; k < m->w->n; k++) {
            int64_t t_us = m->start_us[k] < 0 ? m->w->submit_us[k] : m->end_us[k];

            if (t_us > now_us && t_us < next_us)
                next_us = t_us;
        }
        if (next_us == NEVER)
            return;
        now_us = next_us;
        for (int64_t k = 0; k < m->w->n; k++)
            m->ghost[k] = m->compress && m->start_us[k] >= 0 && m->end_us[k] == now_us;
        if (m->compress)
            compress_pass(m, now_us);
        else
            pass(m, now_us);
    }
}

/* ---- runs ---- */

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

static const struct rf_observer INVARIANTS = {NULL, nothing, check_all};

static void simulate(const struct rf_workload *w, struct rf_sim_options *o,
                     struct rf_sim_result *r)
{
    struct rf_error err = {RF_OK, ""};

    o->observers = &INVARIANTS;
    o->nobservers = 1;
    if (rf_sim_run(w, o, r, &err) != RF_OK)
        fail_msg("%s+%s: %s", o->policy.order, o->policy.fence, err.text);
}

static struct rf_sim_options options_of(const char *order, const char *fence, int32_t devices)
{
    struct rf_sim_options o = rf_sim_options_make();

    snprintf(o.policy.order, sizeof o.policy.order, "%s", order);
    snprintf(o.policy.fence, sizeof o.policy.fence, "%s", fence);
    o.devices = devices;
    return o;
}

static void compare(struct model *m, const struct rf_sim_options *o, uint64_t seed)
{
    struct rf_sim_options copy = *o;
    struct rf_sim_result r;

    run_model(m);
    simulate(m->w, &copy, &r);
    for (int64_t k = 0; k < m->w->n; k++)
        if (r.start_us[k] != m->start_us[k] || r.end_us[k] != m->end_us[k])
            fail_msg("seed %llu, %s depth %d compress %d: job %lld runs %lld to %lld, by the "
                     "model %lld to %lld",
                     (unsigned long long)seed, m->order, m->depth, m->compress, (long long)k,
                     (long long)r.start_us[k], (long long)r.end_us[k],
                     (long long)m->start_us[k], (long long)m->end_us[k]);
    assert_int_equal(r.finished, m->w->n);
    rf_sim_result_clear(&r);
}

static void schedules_are_those_of_the_model(void **unused)
{
    static const struct {
        const char *order;
        int depth, compress;
    } RULES[] = {{"fcfs", 0, 0},  {"sjf", 0, 0},           {"easy", 1, 0},
                 {"easy", 0, 0},  {"easy", 2, 0},          {"easy", 5, 0},
                 {"easy", -1, 0}, {"conservative", -1, 0}, {"conservative", -1, 1}};

    (void)unused;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct dice d = {seed, 0};
        int32_t devices = roll(&d, 1, 20);
        struct rf_workload w;

        random_workload(&w, &d, devices);
        for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
            struct model m = {.w = &w,
                              .devices = devices,
                              .order = RULES[i].order,
                              .depth = RULES[i].depth,
                              .compress = RULES[i].compress};
            struct rf_sim_options o = options_of(RULES[i].order, "none", devices);

            o.policy.reserve_depth = RULES[i].depth;
            o.policy.replan = !RULES[i].compress;
            o.policy.explain = (int)(seed % 2);
            compare(&m, &o, seed);
        }
        clear_workload(&w);
    }
}

/* ---- the same by name and by number ---- */

static void random_options(struct rf_sim_options *o, struct dice *d, int32_t devices)
{
    static const char *const ORDERS[] = {"fcfs", "easy", "conservative", "sjf", "fairshare"};
    static const char *const FENCES[] = {"none", "partition", "floor"};

    *o = options_of(ORDERS[roll(d, 0, 4)], FENCES[roll(d, 0, 2)], devices);
    o->tie = (enum rf_tie)roll(d, 0, 2);
    o->policy.reserve_depth = roll(d, -1, 3);
    o->policy.replan = roll(d, 0, 1);
    o->policy.explain = roll(d, 0, 1);
    o->policy.resize = roll(d, 0, 1);
    o->policy.half_life_us = 60 * SECOND;
    o->policy.checkpoint_us = roll(d, 0, 3) * SECOND;
    o->policy.checkpoint_every_us = roll(d, 0, 2) * 3 * SECOND;
    o->policy.restart_us = roll(d, 0, 2) * SECOND;
    o->grace_us = roll(d, 0, 3) * SECOND;
}

enum { NCHANGES = 12 };

struct world {
    struct rf_world world;
    struct rf_change changes[NCHANGES];
    struct rf_pledge_spec pledges[NCHANGES];
    struct rf_world_policy policies[NCHANGES];
    struct rf_world_hold holds[NCHANGES];
};

static struct rf_pledge_spec a_pledge(const char *account, int64_t num, int64_t den)
{
    struct rf_pledge_spec p = {.share = {num, den}, .window_us = 20 * SECOND};

    snprintf(p.account, sizeof p.account, "%s", account);
    snprintf(p.author, sizeof p.author, "test");
    snprintf(p.reason, sizeof p.reason, "declared");
    snprintf(p.fence, sizeof p.fence, "floor");
    snprintf(p.basis, sizeof p.basis, "fleet");
    return p;
}

static void add_change(struct world *x, int64_t t_us, enum rf_change_kind kind, int32_t begin,
                       int32_t end)
{
    int64_t at = x->world.nchanges++;

    while (at > 0 && (x->changes[at - 1].t_us > t_us ||
                      (x->changes[at - 1].t_us == t_us && x->changes[at - 1].kind > kind))) {
        x->changes[at] = x->changes[at - 1];
        at--;
    }
    x->changes[at] = (struct rf_change){t_us, kind, begin, end, 0};
    if (kind == RF_CHANGE_PLEDGE)
        x->changes[at].index = x->world.npledges++;
    if (kind == RF_CHANGE_POLICY)
        x->changes[at].index = x->world.npolicies++;
    if (kind == RF_CHANGE_RESERVE)
        x->changes[at].index = x->world.nholds++;
}

/* Promises, a change of policy, a failure, a maintenance that is announced, growth. */
static void random_world(struct world *x, struct dice *d, int32_t devices)
{
    int64_t t_us = roll(d, 0, 30) * SECOND;
    int32_t n = roll(d, 1, devices);

    *x = (struct world){.world = {.changes = x->changes,
                                  .pledges = x->pledges,
                                  .policies = x->policies,
                                  .holds = x->holds}};
    x->pledges[0] = a_pledge("a0", 1, roll(d, 1, 9));
    add_change(x, 0, RF_CHANGE_PLEDGE, 0, 0);
    if (roll(d, 0, 1) == 0) {
        x->pledges[1] = a_pledge("a0", 1, 10);
        add_change(x, t_us, RF_CHANGE_PLEDGE, 0, 0);
    }
    if (roll(d, 0, 2) == 0) {
        snprintf(x->policies[0].order, sizeof x->policies[0].order, "easy");
        snprintf(x->policies[0].fence, sizeof x->policies[0].fence, "floor");
        snprintf(x->policies[0].author, sizeof x->policies[0].author, "test");
        snprintf(x->policies[0].reason, sizeof x->policies[0].reason, "why-not");
        add_change(x, t_us, RF_CHANGE_POLICY, 0, 0);
    }
    if (roll(d, 0, 1) == 0) {
        x->holds[0] = (struct rf_world_hold){
            .begin_us = t_us + 20 * SECOND, .end_us = t_us + 30 * SECOND, .count = n};
        snprintf(x->holds[0].author, sizeof x->holds[0].author, "test");
        snprintf(x->holds[0].reason, sizeof x->holds[0].reason, "maintenance");
        add_change(x, t_us, RF_CHANGE_RESERVE, 0, 0);
        add_change(x, t_us + 20 * SECOND, RF_CHANGE_MAINTENANCE, 0, n);
        add_change(x, t_us + 30 * SECOND, RF_CHANGE_REPAIRED, 0, n);
    } else if (roll(d, 0, 1) == 0) {
        add_change(x, t_us, RF_CHANGE_FAILED, 0, n);
        add_change(x, t_us + 10 * SECOND, RF_CHANGE_REPAIRED, 0, n);
    }
    add_change(x, t_us, RF_CHANGE_JOINED, devices, devices + roll(d, 1, 4));
}

static void decisions_are_the_same_by_id_and_by_count(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1000; seed < 1600; seed++) {
        struct dice d = {seed, 0};
        int32_t devices = roll(&d, 1, 20);
        struct rf_sim_options o;
        struct rf_sim_result by_id, by_count;
        struct rf_workload w;
        struct world x;

        random_workload(&w, &d, devices);
        if (roll(&d, 0, 1) == 0) {
            w.max = calloc((size_t)w.n, sizeof *w.max);
            assert_non_null(w.max);
            for (int64_t k = 0; k < w.n; k++)
                w.max[k] = w.min[k] + roll(&d, 0, 3);
        }
        random_options(&o, &d, devices);
        random_world(&x, &d, devices);
        for (int64_t i = 0; i < x.world.nchanges; i++) /* which node fails is a matter of ids */
            if (x.changes[i].kind == RF_CHANGE_FAILED ||
                x.changes[i].kind == RF_CHANGE_MAINTENANCE)
                x.world.by_id = 1;
        o.world = &x.world;
        o.until_us = 2000 * SECOND; /* where nothing is saved, a job may start again for ever */
        simulate(&w, &o, &by_count);
        o.by_id = 1;
        simulate(&w, &o, &by_id);
        for (int64_t k = 0; k < w.n; k++)
            if (by_id.start_us[k] != by_count.start_us[k] ||
                by_id.end_us[k] != by_count.end_us[k])
                fail_msg("seed %llu: job %lld is not the same", (unsigned long long)seed,
                         (long long)k);
        assert_int_equal(by_id.events, by_count.events);
        assert_int_equal(rf_wide_narrow(by_id.busy_us), rf_wide_narrow(by_count.busy_us));
        rf_sim_result_clear(&by_id);
        rf_sim_result_clear(&by_count);
        clear_workload(&w);
    }
}

/* ---- what things cost, by hand ---- */

static void a_stopped_job_pays(void **unused)
{
    struct rf_sim_options o = options_of("fcfs", "floor", 4);
    struct rf_sim_result r;
    struct rf_workload w;
    struct world x = {0};

    (void)unused;
    x.world = (struct rf_world){.changes = x.changes, .pledges = x.pledges};
    x.pledges[0] = a_pledge("a0", 1, 2);
    x.pledges[0].window_us = 1000 * SECOND;
    add_change(&x, 0, RF_CHANGE_PLEDGE, 0, 0);
    make_workload(&w, 2, 2);
    set_job(&w, 0, 0, 100, 100, 4, 1);
    set_job(&w, 1, 30, 50, 50, 2, 0);
    o.world = &x.world;
    o.policy.checkpoint_us = 5 * SECOND;
    o.policy.restart_us = 7 * SECOND;
    o.grace_us = 10 * SECOND;
    simulate(&w, &o, &r); /* asked at 30, gone at 35; 70 s of work are left, from 92 on */
    assert_int_equal(r.start_us[1], 35 * SECOND);
    assert_int_equal(r.end_us[1], 85 * SECOND);
    assert_int_equal(r.start_us[0], 85 * SECOND);
    assert_int_equal(r.end_us[0], (85 + 7 + 70) * SECOND);
    assert_int_equal(r.preemptions, 1);
    assert_int_equal(rf_wide_narrow(r.lost_us), 0);
    assert_int_equal(rf_wide_narrow(r.overhead_us), (5 + 7) * 4 * SECOND);
    assert_int_equal(rf_wide_narrow(r.busy_us), (35 * 4 + 50 * 2 + 77 * 4) * SECOND);
    rf_sim_result_clear(&r);

    o.grace_us = 3 * SECOND; /* too short for a checkpoint; the last one was at 24 */
    o.policy.checkpoint_every_us = 12 * SECOND;
    simulate(&w, &o, &r);
    assert_int_equal(r.start_us[1], 33 * SECOND);
    assert_int_equal(r.end_us[0], (33 + 50 + 7 + 76) * SECOND);
    assert_int_equal(rf_wide_narrow(r.lost_us), 6 * 4 * SECOND);
    assert_int_equal(rf_wide_narrow(r.overhead_us), (3 + 7) * 4 * SECOND);
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

static void a_malleable_job_gives_way_without_stopping(void **unused)
{
    struct rf_sim_options o = options_of("fcfs", "floor", 4);
    struct rf_sim_result r;
    struct rf_workload w;
    struct world x = {0};

    (void)unused;
    x.world = (struct rf_world){.changes = x.changes, .pledges = x.pledges};
    x.pledges[0] = a_pledge("a0", 1, 2);
    x.pledges[0].window_us = 1000 * SECOND;
    add_change(&x, 0, RF_CHANGE_PLEDGE, 0, 0);
    make_workload(&w, 2, 2);
    set_job(&w, 0, 0, 200, 200, 2, 1);
    set_job(&w, 1, 30, 50, 50, 2, 0);
    w.max = calloc(2, sizeof *w.max);
    assert_non_null(w.max);
    w.max[0] = 4;
    w.max[1] = 2;
    o.world = &x.world;
    o.policy.resize = 1;
    simulate(&w, &o, &r); /* 400 device-seconds: 120 by 30, 100 by 80, the rest on four again */
    assert_int_equal(r.start_us[1], 30 * SECOND);
    assert_int_equal(r.end_us[1], 80 * SECOND);
    assert_int_equal(r.start_us[0], 0);
    assert_int_equal(r.end_us[0], (80 + 45) * SECOND);
    assert_int_equal(r.preemptions, 0);
    assert_int_equal(rf_wide_narrow(r.overhead_us) + rf_wide_narrow(r.lost_us), 0);
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

/* Planned starts are on as many devices as a job needs, not on as many as it could use. */
static void no_job_stops_to_grow_where_it_would_come_back_no_wider(void **unused)
{
    static const char *const ORDERS[] = {"fcfs", "easy", "conservative"};

    (void)unused;
    for (int i = 0; i < 3; i++) {
        struct rf_sim_options o = options_of(ORDERS[i], "none", 4);
        struct rf_sim_result r;
        struct rf_workload w;

        make_workload(&w, 2, 1);
        set_job(&w, 0, 0, 10, 10, 3, 0);
        set_job(&w, 1, 0, 2000, 2000, 1, 0);
        w.max = calloc(2, sizeof *w.max);
        assert_non_null(w.max);
        w.max[0] = 3;
        w.max[1] = 4;
        simulate(&w, &o, &r);
        assert_int_equal(r.preemptions, i < 2); /* from one device to four */
        assert_true(i < 2 ? r.end_us[1] < 1000 * SECOND : r.end_us[1] == 2000 * SECOND);
        rf_sim_result_clear(&r);
        clear_workload(&w);
    }
}

static void a_failed_node_takes_the_work_since_the_last_checkpoint(void **unused)
{
    struct rf_sim_options o = options_of("easy", "none", 4);
    struct rf_sim_result r;
    struct rf_workload w;
    struct world x = {0};

    (void)unused;
    x.world = (struct rf_world){.changes = x.changes, .by_id = 1};
    add_change(&x, 50 * SECOND, RF_CHANGE_FAILED, 1, 2);
    add_change(&x, 90 * SECOND, RF_CHANGE_REPAIRED, 1, 2);
    make_workload(&w, 2, 1);
    set_job(&w, 0, 0, 100, 100, 2, 0); /* on 0 and 1 */
    set_job(&w, 1, 0, 100, 100, 2, 0); /* on 2 and 3: nothing happens to it */
    o.world = &x.world;
    o.policy.checkpoint_every_us = 20 * SECOND;
    o.policy.restart_us = 4 * SECOND;
    simulate(&w, &o, &r);
    assert_int_equal(r.end_us[1], 100 * SECOND);
    assert_int_equal(r.start_us[0], 90 * SECOND); /* 40 of 50 s were saved */
    assert_int_equal(r.end_us[0], (90 + 4 + 60) * SECOND);
    assert_int_equal(rf_wide_narrow(r.lost_us), 10 * 2 * SECOND);
    assert_int_equal(rf_wide_narrow(r.overhead_us), 4 * 2 * SECOND);
    assert_int_equal(r.preemptions, 0);
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

static void devices_are_kept_clear_for_what_was_announced(void **unused)
{
    static const char *const ORDERS[] = {"fcfs", "easy", "conservative"};

    (void)unused;
    for (int i = 0; i < 3; i++) {
        struct rf_sim_options o = options_of(ORDERS[i], "none", 4);
        struct rf_sim_result r;
        struct rf_workload w;
        struct world x = {0};

        x.world = (struct rf_world){.changes = x.changes, .holds = x.holds};
        x.holds[0] = (struct rf_world_hold){
            .begin_us = 100 * SECOND, .end_us = 200 * SECOND, .count = 3};
        snprintf(x.holds[0].account, sizeof x.holds[0].account, "a1");
        snprintf(x.holds[0].author, sizeof x.holds[0].author, "test");
        snprintf(x.holds[0].reason, sizeof x.holds[0].reason, "deadline");
        add_change(&x, 0, RF_CHANGE_RESERVE, 0, 0);
        make_workload(&w, 4, 2);
        set_job(&w, 0, 0, 90, 100, 2, 0);  /* over by then */
        set_job(&w, 1, 1, 50, 100, 1, 0);  /* the one device that is left may go on */
        set_job(&w, 2, 2, 50, 99, 2, 0);   /* not over by then if it starts at 51 or 90 */
        set_job(&w, 3, 120, 60, 60, 3, 1); /* whose devices they are */
        o.world = &x.world;
        simulate(&w, &o, &r);
        assert_int_equal(r.start_us[0], 0);
        assert_int_equal(r.start_us[1], 1 * SECOND);
        assert_int_equal(r.start_us[2], 200 * SECOND);
        if (i > 0) /* under fcfs it waits behind job 2 */
            assert_int_equal(r.start_us[3], 120 * SECOND);
        assert_int_equal(r.finished, 4);
        rf_sim_result_clear(&r);
        clear_workload(&w);
    }
}

static void the_account_that_used_least_goes_first(void **unused)
{
    struct rf_sim_options o = options_of("fairshare", "none", 1);
    struct rf_sim_result r;
    struct rf_workload w;

    (void)unused;
    make_workload(&w, 5, 2);
    for (int64_t k = 0; k < 4; k++)
        set_job(&w, k, 0, 100, 100, 1, 0);
    set_job(&w, 4, 10, 100, 100, 1, 1);
    simulate(&w, &o, &r);
    assert_int_equal(r.start_us[0], 0);
    assert_int_equal(r.start_us[4], 100 * SECOND); /* the other account has used nothing yet */
    assert_int_equal(r.start_us[1], 200 * SECOND);
    rf_sim_result_clear(&r);

    clear_workload(&w);
    make_workload(&w, 5, 2); /* usage is forgotten: after 20 half-lives hardly any is left */
    o.policy.half_life_us = 60 * SECOND;
    set_job(&w, 0, 0, 1000, 1000, 1, 0);
    set_job(&w, 1, 1000, 100, 100, 1, 1);
    set_job(&w, 2, 3000, 10, 10, 1, 0);
    set_job(&w, 3, 3001, 10, 10, 1, 0);
    set_job(&w, 4, 3002, 10, 10, 1, 1);
    simulate(&w, &o, &r);
    assert_int_equal(r.start_us[2], 3000 * SECOND);
    assert_int_equal(r.start_us[4],
                     3010 * SECOND); /* account 0 has just used 10 s, 1 nothing lately */
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

static void a_run_ends_at_its_horizon(void **unused)
{
    struct rf_sim_options o = options_of("fcfs", "none", 2);
    struct rf_sim_result r;
    struct rf_workload w;

    (void)unused;
    make_workload(&w, 3, 1);
    set_job(&w, 0, 0, 10, 10, 2, 0);
    set_job(&w, 1, 0, 100, 100, 2, 0);
    set_job(&w, 2, 60, 100, 100, 2, 0);
    o.until_us = 50 * SECOND;
    simulate(&w, &o, &r);
    assert_int_equal(r.finished, 1);
    assert_int_equal(r.end_us[0], 10 * SECOND);
    assert_int_equal(r.end_us[1], -1);
    assert_int_equal(rf_wide_narrow(r.busy_us), 2 * 50 * SECOND);
    assert_int_equal(r.state->njobs, 2);
    assert_int_equal(r.state->now_us, 50 * SECOND);
    assert_int_equal(r.state->closed, 1);
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

/* ---- the short way ---- */

static enum rf_status look_on(void *self, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    (void)state;
    (void)event;
    (void)err;
    ++*(int64_t *)self;
    return RF_OK;
}

static void busy_workload(struct rf_workload *w, struct dice *d, int32_t devices)
{
    int32_t pause_s = roll(d, 0, 3), wide = roll(d, 0, 1) ? devices : devices / 8 + 1;
    int64_t t_s = 0;

    make_workload(w, roll(d, 1, 600), 4);
    for (int64_t k = 0; k < w->n; k++) {
        int64_t run_s = roll(d, 1, roll(d, 0, 5) == 0 ? 200 : 20);

        t_s += roll(d, 0, 1) == 0 ? roll(d, 0, pause_s) : 0;
        set_job(w, k, t_s, run_s, run_s + (roll(d, 0, 1) == 0 ? roll(d, 0, 50) : 0),
                roll(d, 1, wide), roll(d, 0, 3));
    }
}

static void assert_same_jobs(const struct rf_sim_result *a, const struct rf_sim_result *b,
                             uint64_t seed)
{
    for (int32_t k = 0; k < a->state->njobs; k++) {
        const struct rf_job *x = &a->state->jobs[k], *y = &b->state->jobs[k];

        if (a->start_us[k] != b->start_us[k] || a->end_us[k] != b->end_us[k] ||
            memcmp(x, y, offsetof(struct rf_job, reason)) != 0 ||
            strcmp(rf_state_job_reason(a->state, k), rf_state_job_reason(b->state, k)) != 0)
            fail_msg(
                "seed %llu: job %d is not the same: it runs from %lld to %lld in state %s, or "
                "from %lld to %lld in state %s",
                (unsigned long long)seed, k, (long long)a->start_us[k], (long long)a->end_us[k],
                rf_job_state_name(x->state), (long long)b->start_us[k], (long long)b->end_us[k],
                rf_job_state_name(y->state));
    }
}

static void assert_same_sums(const struct rf_sim_result *a, const struct rf_sim_result *b)
{
    assert_int_equal(a->events, b->events);
    assert_int_equal(a->state->next_seq, b->state->next_seq);
    assert_int_equal(a->state->now_us, b->state->now_us);
    assert_int_equal(a->finished, b->finished);
    assert_int_equal(a->makespan_us, b->makespan_us);
    assert_int_equal(rf_wide_compare(a->busy_us, b->busy_us), 0);
    assert_int_equal(rf_wide_compare(a->tally->capacity_us, b->tally->capacity_us), 0);
    assert_int_equal(rf_wide_compare(a->tally->used_us, b->tally->used_us), 0);
    for (int32_t i = 0; i < a->state->naccounts; i++) {
        assert_string_equal(a->state->accounts[i].name, b->state->accounts[i].name);
        assert_int_equal(a->state->accounts[i].jobs, b->state->accounts[i].jobs);
        assert_int_equal(
            rf_wide_compare(a->state->accounts[i].held_us, b->state->accounts[i].held_us), 0);
    }
    assert_int_equal(a->tally->npledges, b->tally->npledges);
    for (int i = 0; i < a->tally->npledges; i++) {
        const struct rf_pledge_account *x = &a->tally->pledges[i], *y = &b->tally->pledges[i];

        assert_int_equal(x->nwindows, y->nwindows);
        assert_memory_equal(x->windows, y->windows, (size_t)x->nwindows * sizeof *x->windows);
        assert_int_equal(rf_wide_compare(x->shortfall_us, y->shortfall_us), 0);
    }
}

/* Nobody watches, and devices are counted: most of it goes without events. The same must come of it as
 * when everything is an event that somebody sees. */
static void the_short_way_comes_to_the_same(void **unused)
{
    static const char *const orders[] = {"fcfs", "easy", "sjf", "conservative", "fairshare"};

    (void)unused;
    for (uint64_t seed = 2000; seed < 2400; seed++) {
        struct dice d = {seed, 0};
        int32_t devices = roll(&d, 1, roll(&d, 0, 1) ? 8 : 200);
        struct rf_sim_options o = options_of(orders[roll(&d, 0, 9) % 7 % 5],
                                             roll(&d, 0, 3) ? "none" : "floor", devices);
        int64_t seen = 0;
        const struct rf_observer watcher = {&seen, look_on, look_on};
        struct rf_sim_result alone, watched;
        struct rf_workload w;
        struct rf_error err;
        struct world x;

        busy_workload(&w, &d, devices);
        random_world(&x, &d, devices);
        if (roll(&d, 0, 2) > 0) /* no change of policy, no failure */
            x.world.nchanges = roll(&d, 0, 1);
        o.world = &x.world;
        o.policy.explain = roll(&d, 0, 4) == 0;
        o.policy.reserve_depth = roll(&d, 0, 4) - 1;
        o.until_us = roll(&d, 0, 1) ? NEVER : roll(&d, 1, 400) * SECOND;
        if (o.until_us == NEVER && x.world.nchanges > 1)
            o.until_us = 5000 * SECOND;
        assert_int_equal(rf_sim_run(&w, &o, &alone, &err), RF_OK);
        o.observers = &watcher;
        o.nobservers = 1;
        assert_int_equal(rf_sim_run(&w, &o, &watched, &err), RF_OK);
        assert_int_equal(seen, 2 * watched.events);
        assert_int_equal(alone.state->njobs, watched.state->njobs);
        assert_same_jobs(&alone, &watched, seed);
        assert_same_sums(&alone, &watched);
        rf_sim_result_clear(&alone);
        rf_sim_result_clear(&watched);
        clear_workload(&w);
    }
}

static void what_cannot_be_is_refused(void **unused)
{
    struct rf_sim_options o = options_of("fcfs", "none", 2);
    struct rf_sim_result r;
    struct rf_workload w;
    struct rf_error err;

    (void)unused;
    make_workload(&w, 2, 1);
    set_job(&w, 0, 5, 10, 10, 1, 0);
    set_job(&w, 1, 4, 10, 10, 1, 0);
    assert_int_equal(rf_sim_run(&w, &o, &r, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "job 1"));
    rf_sim_result_clear(&r);
    set_job(&w, 1, 6, 10, 9, 1, 0);
    assert_int_equal(rf_sim_run(&w, &o, &r, &err), RF_ERR_INPUT);
    rf_sim_result_clear(&r);
    set_job(&w, 1, 6, 10, 10, 3, 0);
    o.policy.reserve_depth = -2;
    assert_int_equal(rf_sim_run(&w, &o, &r, &err), RF_ERR_CONFIG);
    rf_sim_result_clear(&r);
    o.policy.reserve_depth = 1;
    assert_int_equal(rf_sim_run(&w, &o, &r, &err), RF_OK);
    assert_int_equal(r.denied, 1); /* three of two devices */
    assert_int_equal(r.finished, 1);
    rf_sim_result_clear(&r);
    clear_workload(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_are_those_of_the_model),
        cmocka_unit_test(decisions_are_the_same_by_id_and_by_count),
        cmocka_unit_test(the_short_way_comes_to_the_same),
        cmocka_unit_test(a_stopped_job_pays),
        cmocka_unit_test(a_malleable_job_gives_way_without_stopping),
        cmocka_unit_test(no_job_stops_to_grow_where_it_would_come_back_no_wider),
        cmocka_unit_test(a_failed_node_takes_the_work_since_the_last_checkpoint),
        cmocka_unit_test(devices_are_kept_clear_for_what_was_announced),
        cmocka_unit_test(the_account_that_used_least_goes_first),
        cmocka_unit_test(a_run_ends_at_its_horizon),
        cmocka_unit_test(what_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
