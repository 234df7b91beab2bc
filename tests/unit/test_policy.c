/* Days of events on a virtual clock: what the fences promise, and what a policy may never do.
 */
#include "virtual_cluster.h"

#include "base/rng.h"

/* A day on a fleet: `capability` fills every device with long jobs from the
 * start; `alignment` has work in hand all day from the first hour on. */
struct day {
    const char *share;
    int32_t devices;
    int32_t align_max; /* widest alignment job */
};

static const struct day DAYS[] = {{"20%", 2, 2}, {"20%", 24, 24},   {"1%", 24, 1},
                                  {"1%", 24, 4}, {"1/3", 1000, 50}, {"50%", 3, 1},
                                  {"20%", 2, 1}, {"12.5%", 24, 2}};

enum { NDAYS = sizeof DAYS / sizeof *DAYS, NWORKS = 160 };

static int by_submit(const void *a, const void *b)
{
    const struct work *x = a, *y = b;

    return (x->submit_us > y->submit_us) - (x->submit_us < y->submit_us);
}

static void make_day(const struct day *day, struct work works[NWORKS])
{
    for (int i = 0; i < NWORKS; i++) {
        struct work *w = &works[i];
        int align = i % 4 == 3;
        int32_t cap_min = day->devices / 8 > 0 ? day->devices / 8 : 1;

        *w = (struct work){.after = -1, .submit_us = 1000 * SECOND};
        snprintf(w->name, sizeof w->name, "job%d", i);
        snprintf(w->account, sizeof w->account, "%s",
                 align ? "alignment.oversight" : "capability.pretraining");
        w->min = align ? 1 : cap_min;
        w->max = align ? day->align_max : day->devices;
        w->work_us = align ? day->align_max * 2 * HOUR : day->devices * 12 * HOUR;
        w->submit_us += align ? HOUR : 0;
    }
    qsort(works, NWORKS, sizeof *works, by_submit);
}

static void run_day(struct cluster *c, const struct day *day, const char *fence)
{
    static struct work works[NWORKS];

    make_day(day, works);
    cluster_start(c, fence, day->devices, NULL);
    cluster_pledge(c, "alignment", day->share, fence, HOUR, 300 * SECOND);
    cluster_works(c, works, NWORKS);
    cluster_run(c, c->t_us + 24 * HOUR);
    cluster_judge(c);
}

static void a_day_keeps_the_pledge_under_the_floor(void **unused)
{
    (void)unused;
    for (int i = 0; i < NDAYS; i++) {
        struct cluster c;
        const struct rf_pledge_account *p;

        run_day(&c, &DAYS[i], "floor");
        p = &c.tally->pledges[0];
        assert_int_equal(p->nwindows, 24);
        for (int k = 0; k < p->nwindows; k++)
            if (p->windows[k].verdict != RF_KEPT)
                fail_msg("%s of %d, window %d: E %lld D %lld A %lld", DAYS[i].share,
                         DAYS[i].devices, k, (long long)p->windows[k].entitled_us,
                         (long long)p->windows[k].demanded_us,
                         (long long)p->windows[k].delivered_us);
        assert_int_equal(p->verdict, RF_KEPT);
        assert_int_equal(p->windows[0].demanded_us, 0);
        /* lending: nothing idles while somebody has work */
        assert_true(rf_wide_narrow(c.tally->used_us) >
                    rf_wide_narrow(c.tally->capacity_us) / 100 * 95);
        cluster_end(&c);
    }
}

static void a_day_without_a_fence_breaks_the_pledge(void **unused)
{
    (void)unused;
    for (int i = 0; i < NDAYS; i++) {
        struct cluster c;

        run_day(&c, &DAYS[i], "none");
        assert_int_equal(c.tally->pledges[0].verdict, RF_BROKEN);
        assert_true(rf_wide_narrow(c.tally->pledges[0].shortfall_us) > 0);
        cluster_end(&c);
    }
}

static void a_day_behind_the_wall_keeps_the_share_and_no_more(void **unused)
{
    (void)unused;
    for (int i = 0; i < NDAYS; i++) {
        struct cluster c;
        const struct rf_pledge_account *p;

        run_day(&c, &DAYS[i], "partition");
        p = &c.tally->pledges[0];
        assert_int_equal(p->verdict, RF_KEPT);
        for (int k = 0; k < p->nwindows;
             k++) /* two questions to the policy are a tick and a stop apart */
            assert_true(p->windows[k].delivered_us <=
                        p->windows[k].entitled_us + (c.tick_us + c.stop_us) * DAYS[i].devices);
        cluster_end(&c);
    }
}

/* 1 % of 24 devices is 24 % of one device, in every window, exactly to the tick. */
static void a_fraction_of_a_device_is_settled_over_the_window(void **unused)
{
    struct cluster c;
    const struct rf_window *w;

    (void)unused;
    run_day(&c, &DAYS[2], "partition");
    w = &c.tally->pledges[0].windows[12];
    assert_int_equal(w->entitled_us, 864 * SECOND); /* 0.24 x 3600 s */
    assert_true(w->delivered_us >= 864 * SECOND - 100 * SECOND);
    assert_true(w->delivered_us <= 864 * SECOND + 100 * SECOND);
    cluster_end(&c);
}

static void capability_gets_its_devices_back_after_the_day(void **unused)
{
    static const struct work WORKS[] = {
        {"pretrain", "capability", 1, 2, -1, 1000 * SECOND, 8 * HOUR, 0},
        {"probe", "alignment", 1, 2, -1, 1000 * SECOND + HOUR, HOUR, 0}};
    struct cluster c;

    (void)unused;
    cluster_start(&c, "floor", 2, NULL);
    cluster_pledge(&c, "alignment", "20%", "floor", HOUR, 60 * SECOND);
    cluster_works(&c, WORKS, 2);
    cluster_run(&c, c.t_us + 24 * HOUR);
    assert_int_equal(c.state->jobs[0].state, RF_JOB_DONE);
    assert_int_equal(c.state->jobs[1].state, RF_JOB_DONE);
    assert_int_equal(c.state->jobs[0].preemptions, 2); /* reclaimed once, grown once */
    assert_int_equal(c.state->jobs[0].grants, 3);
    cluster_judge(&c);
    assert_int_equal(c.tally->pledges[0].verdict, RF_KEPT);
    cluster_end(&c);
}

/* ---- single decisions ------------------------------------------------- */

static struct rf_proposal first(const struct cluster *c)
{
    struct rf_proposal out[8];
    int n = rf_policy_propose(c->policy, c->t_us, out, 8);

    assert_true(n > 0);
    return out[0];
}

static void a_job_larger_than_the_fleet_is_denied(void **unused)
{
    static const struct work WORKS[] = {{"big", "a", 5, 5, -1, 0, HOUR, 0},
                                        {"next", "a", 1, 1, 0, 0, HOUR, 0}};
    struct cluster c;
    struct rf_proposal p;

    (void)unused;
    cluster_start(&c, "none", 4, NULL);
    cluster_works(&c, WORKS, 2);
    cluster_submit(&c);
    cluster_submit(&c);
    p = first(&c);
    assert_int_equal(p.kind, RF_PROPOSE_DENY);
    assert_string_equal(p.reason, "too-large");
    cluster_ask(&c); /* and what comes after it can never run */
    assert_int_equal(c.state->jobs[1].state, RF_JOB_DENIED);
    assert_string_equal(rf_state_job_reason(c.state, 1), "dependency-failed");
    assert_int_equal(c.state->accounts[0].denied, 2);
    cluster_end(&c);
}

static void the_head_of_the_line_is_not_overtaken(void **unused)
{
    static const struct work WORKS[] = {{"half", "a", 2, 2, -1, 0, HOUR, 0},
                                        {"wide", "a", 4, 4, -1, 0, HOUR, 0},
                                        {"small", "b", 1, 1, -1, 0, HOUR, 0}};
    struct cluster c;

    (void)unused;
    cluster_start(&c, "none", 4, NULL);
    cluster_works(&c, WORKS, 3);
    for (int i = 0; i < 3; i++)
        cluster_submit(&c);
    cluster_ask(&c);
    assert_int_equal(c.state->jobs[0].state, RF_JOB_RUNNING);
    assert_string_equal(rf_state_job_reason(c.state, 1), "devices-busy");
    assert_string_equal(rf_state_job_reason(c.state, 2), "queue-order");
    assert_int_equal(c.state->nfree, 2);
    cluster_end(&c);
}

static void each_wall_has_its_own_line(void **unused)
{
    static const struct work WORKS[] = {{"half", "a", 2, 2, -1, 0, HOUR, 0},
                                        {"wide", "a", 3, 3, -1, 0, HOUR, 0},
                                        {"small", "b", 1, 4, -1, 0, HOUR, 0}};
    struct cluster c;

    (void)unused;
    cluster_start(&c, "partition", 4, NULL);
    cluster_pledge(&c, "b", "1/4", "partition", HOUR, 0);
    cluster_works(&c, WORKS, 3);
    for (int i = 0; i < 3; i++)
        cluster_submit(&c);
    cluster_ask(&c);
    assert_string_equal(rf_state_job_reason(c.state, 1), "share-used-up");
    assert_int_equal(c.state->jobs[2].ndevices, 1); /* its wall, however much is free */
    assert_int_equal(c.state->nfree, 1);
    cluster_end(&c);
}

static void a_claim_stops_the_latest_borrower_and_is_served_first(void **unused)
{
    static const struct work WORKS[] = {{"old", "cap", 2, 2, -1, 0, HOUR, 0},
                                        {"new", "cap", 2, 2, -1, 0, HOUR, 0},
                                        {"queued", "cap", 1, 1, -1, 0, HOUR, 0},
                                        {"ours", "align", 1, 4, -1, 0, HOUR, 0}};
    struct cluster c;
    struct rf_proposal p;

    (void)unused;
    cluster_start(&c, "floor", 4, NULL);
    cluster_pledge(&c, "align", "1/2", "floor", HOUR, 0);
    cluster_works(&c, WORKS, 4);
    for (int i = 0; i < 3; i++)
        cluster_submit(&c);
    cluster_ask(&c);
    cluster_submit(&c);
    p = first(&c);
    assert_int_equal(p.kind, RF_PROPOSE_PREEMPT);
    assert_int_equal(p.job, 1);
    assert_int_equal(p.by, 3);
    assert_string_equal(p.reason, "reclaim");
    cluster_ask(&c);
    assert_int_equal(c.state->jobs[0].state, RF_JOB_RUNNING);
    c.t_us += c.stop_us;
    cluster_step_job(&c, 1, 0);
    p = first(&c);
    assert_int_equal(p.kind, RF_PROPOSE_GRANT);
    assert_int_equal(p.job, 3);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.lent, 0);
    cluster_ask(&c);
    assert_int_equal(c.state->queue_first, 1); /* the stopped job kept its place */
    cluster_end(&c);
}

static void lent_devices_are_counted(void **unused)
{
    static const struct work WORKS[] = {{"wide", "cap", 1, 10, -1, 0, HOUR, 0}};
    struct cluster c;
    struct rf_proposal p;

    (void)unused;
    cluster_start(&c, "floor", 10, NULL);
    cluster_pledge(&c, "align", "25%", "floor", HOUR, 0);
    cluster_works(&c, WORKS, 1);
    cluster_submit(&c);
    p = first(&c);
    assert_int_equal(p.count, 10);
    assert_int_equal(p.lent, 3); /* 2.5 devices are promised to others, rounded up */
    cluster_end(&c);
}

static void a_share_that_was_received_gives_no_more_right_to_reclaim(void **unused)
{
    static const struct work WORKS[] = {{"base", "cap", 2, 2, -1, 0, 100 * HOUR, 0},
                                        {"first", "align", 1, 1, -1, 0, HOUR / 2, 0},
                                        {"second", "align", 1, 1, 1, 0, HOUR / 2, 0}};
    struct cluster c;

    (void)unused;
    cluster_start(&c, "floor", 2, NULL);
    cluster_pledge(&c, "align", "20%", "floor", HOUR, 0);
    cluster_works(&c, WORKS, 3);
    cluster_run(&c, c.t_us + 45 * 60 * SECOND);
    /* E is 24 minutes; the first job had 30 and the second waits behind the base job */
    assert_int_equal(c.state->jobs[1].state, RF_JOB_DONE);
    assert_int_equal(c.state->jobs[2].state, RF_JOB_QUEUED);
    assert_int_equal(c.state->jobs[0].state, RF_JOB_RUNNING);
    cluster_run(&c, 1000 * SECOND + HOUR + 2 * SECOND); /* the next window begins */
    cluster_run(&c, c.t_us + 5 * 60 * SECOND);
    assert_int_equal(c.state->jobs[2].state, RF_JOB_RUNNING);
    cluster_end(&c);
}

/* ---- random clusters -------------------------------------------------- */

struct dice {
    uint64_t seed, stream, index;
};

static int32_t roll(struct dice *d, int32_t low, int32_t high)
{
    return low +
           (int32_t)rf_rng_below(d->seed, d->stream, d->index++, (uint64_t)(high - low + 1));
}

enum { NRANDOM = 40 };

static void random_works(struct dice *d, int32_t devices, struct work works[NRANDOM])
{
    static const char *const ACCOUNTS[] = {"a", "a.x", "a.y.z", "b", "b.x", "c", "d.e"};
    int64_t t_us = 1000 * SECOND;

    for (int i = 0; i < NRANDOM; i++) {
        struct work *w = &works[i];

        t_us += roll(d, 0, 3) == 0 ? roll(d, 0, 4000) * SECOND : 0;
        *w = (struct work){.after = i > 0 && roll(d, 0, 3) == 0 ? roll(d, 0, i - 1) : -1,
                           .submit_us = t_us,
                           .work_us = roll(d, 1, 20000) * SECOND,
                           .fails = roll(d, 0, 15) == 0};
        snprintf(w->name, sizeof w->name, "r%d", i);
        snprintf(w->account, sizeof w->account, "%s", ACCOUNTS[roll(d, 0, 6)]);
        w->min = roll(d, 1, roll(d, 0, 9) == 0 ? devices + 2 : (devices + 1) / 2);
        w->max = w->min + roll(d, 0, devices);
    }
}

static void every_proposal_is_taken_and_every_job_ends(void **unused)
{
    static const char *const FENCES[] = {"none", "partition", "floor"};
    static const char *const SHARES[] = {"1%", "20%", "1/3", "12.5%", "0%", "1/7"};
    static struct work works[NRANDOM];

    (void)unused;
    for (uint64_t seed = 0; seed < 240; seed++) {
        struct dice d = {seed, rf_rng_stream("random cluster", 0), 0};
        struct cluster c;
        int32_t devices = roll(&d, 1, 30);

        cluster_start(&c, FENCES[seed % 3], devices, NULL);
        c.stop_us = roll(&d, 0, 60) * SECOND;
        if (roll(&d, 0, 5) > 0)
            cluster_pledge(&c, "a", SHARES[roll(&d, 0, 5)], "floor",
                           roll(&d, 600, 7200) * SECOND, 0);
        if (roll(&d, 0, 2) > 0)
            cluster_pledge(&c, "b", SHARES[roll(&d, 0, 5)], "floor",
                           roll(&d, 600, 7200) * SECOND, 0);
        random_works(&d, devices, works);
        cluster_works(&c, works, NRANDOM);
        cluster_run(&c, c.t_us + 5 * HOUR);
        if (roll(&d, 0, 1) == 0) /* the fleet grows, and a pledge is changed */
            cluster_capacity(&c, devices, devices + roll(&d, 1, 5), 1);
        if (roll(&d, 0, 1) == 0)
            cluster_pledge(&c, "a", "1/9", "floor", 1800 * SECOND, 0);
        cluster_run(&c, c.t_us + 2000 * HOUR);
        if (c.state->nqueue != 0 || c.state->nrunning != 0)
            fail_msg("seed %llu: %d jobs wait and %d run after 2000 hours",
                     (unsigned long long)seed, c.state->nqueue, c.state->nrunning);
        cluster_end(&c);
    }
}

static void names_are_looked_up(void **unused)
{
    struct rf_policy_options o = rf_policy_options_make();
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_policy_options_check(&o, &err), RF_OK);
    snprintf(o.order, sizeof o.order, "lifo");
    assert_int_equal(rf_policy_options_check(&o, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "fcfs"));
    snprintf(o.order, sizeof o.order, "fcfs");
    snprintf(o.fence, sizeof o.fence, "moat");
    assert_int_equal(rf_policy_options_check(&o, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "partition"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(a_job_larger_than_the_fleet_is_denied),
        cmocka_unit_test(the_head_of_the_line_is_not_overtaken),
        cmocka_unit_test(each_wall_has_its_own_line),
        cmocka_unit_test(a_claim_stops_the_latest_borrower_and_is_served_first),
        cmocka_unit_test(lent_devices_are_counted),
        cmocka_unit_test(a_share_that_was_received_gives_no_more_right_to_reclaim),
        cmocka_unit_test(capability_gets_its_devices_back_after_the_day),
        cmocka_unit_test(a_day_keeps_the_pledge_under_the_floor),
        cmocka_unit_test(a_day_without_a_fence_breaks_the_pledge),
        cmocka_unit_test(a_day_behind_the_wall_keeps_the_share_and_no_more),
        cmocka_unit_test(a_fraction_of_a_device_is_settled_over_the_window),
        cmocka_unit_test(every_proposal_is_taken_and_every_job_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
