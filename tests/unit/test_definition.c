/* The definitions by hand: where they differ from one another. */
#include "random_cluster.h"

#include "alloc/definition.h"

struct hand {
    struct random_cluster c;
    struct rf_definitions *d;
    struct rf_definition_options options;
};

static void begin(struct hand *h, int32_t devices)
{
    random_start(&h->c, 1);
    h->c.t_us = 0;
    h->options = rf_definition_options_make();
    h->options.step_us = 100;
    for (int i = 0; i < RF_SLIDING_N; i++)
        h->options.sliding_us[i] = 100 * (i + 1);
    h->options.service_wait_us = 50;
    h->options.service_denied = (struct rf_share){1, 4};
    assert_int_equal(rf_definitions_create(&h->d, &h->options, NULL), RF_OK);
    h->c.observers[h->c.nobservers++] = rf_definitions_observer(h->d);
    random_open(&h->c, devices);
}

static void end(struct hand *h)
{
    rf_definitions_destroy(h->d);
    random_end(&h->c);
}

static void pledge(struct hand *h, const char *basis, int64_t num, int64_t den,
                   const char *fence, const char *terms)
{
    struct rf_event e = random_event(&h->c, RF_EVENT_PLEDGE, -1);

    snprintf(e.account, sizeof e.account, "a");
    snprintf(e.basis, sizeof e.basis, "%s", basis);
    snprintf(e.text, sizeof e.text, "%s", fence);
    snprintf(e.terms, sizeof e.terms, "%s", terms);
    e.share = (struct rf_share){num, den};
    e.window_us = 200;
    assert_true(random_emit(&h->c, &e));
}

static int32_t request(struct hand *h, const char *account, int32_t devices)
{
    int32_t job = h->c.state->njobs;
    struct rf_event e = random_event(&h->c, RF_EVENT_REQUEST, job);

    snprintf(e.account, sizeof e.account, "%s", account);
    e.min = e.max = devices;
    e.limit_us = 1000;
    assert_true(random_emit(&h->c, &e));
    return job;
}

static void grant(struct hand *h, int32_t job, int32_t lent)
{
    struct rf_event e = random_event(&h->c, RF_EVENT_GRANT, job);

    e.lease = h->c.state->next_lease;
    e.count = h->c.state->jobs[job].min;
    e.lent = lent;
    assert_true(random_emit(&h->c, &e));
}

static void tell(struct hand *h, enum rf_event_type type, int32_t job, const char *text)
{
    struct rf_event e = random_event(&h->c, type, job);

    if (type != RF_EVENT_HEARTBEAT && type != RF_EVENT_RECOVER)
        snprintf(e.reason, sizeof e.reason, "because");
    snprintf(e.text, sizeof e.text, "%s", text);
    assert_true(random_emit(&h->c, &e));
}

static void joins(struct hand *h, int32_t devices)
{
    struct rf_event e = random_event(&h->c, RF_EVENT_CAPACITY, -1);

    e.up = 1;
    e.count = devices;
    snprintf(e.reason, sizeof e.reason, "joined");
    assert_true(random_emit(&h->c, &e));
}

/* Reads everybody, and judges at t_us. */
static const struct rf_finding *judge(struct hand *h, int64_t t_us)
{
    h->c.t_us = t_us;
    tell(h, RF_EVENT_HEARTBEAT, -1, "");
    random_read_all(&h->c);
    assert_int_equal(rf_definitions_judge(h->d, h->c.state, NULL), RF_OK);
    return rf_definitions_promise(h->d, 0)->findings;
}

/* Two devices of ten all along, on a fleet that is ten times as large from the middle on. */
static void a_stock_does_not_grow_with_the_fleet(void **unused)
{
    struct hand h;
    const struct rf_finding *f;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "fleet", 1, 5, "floor", "");
    grant(&h, request(&h, "a", 2), 0);
    request(&h, "a.x", 90); /* and wants more */
    h.c.t_us = 500;
    joins(&h, 90);
    f = judge(&h, 1000);
    assert_int_equal(f[RF_DEFINITION_STOCK].verdict, RF_FINDING_KEPT);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_STOCK].promised_us), 2 * 1000);
    assert_int_equal(f[RF_DEFINITION_STOCK_PLUS].verdict, RF_FINDING_BROKEN);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_STOCK_PLUS].promised_us),
                     2 * 500 + 20 * 500);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_STOCK_PLUS].arrears_us), 18 * 500);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_STOCK_PLUS].arrears_max_us), 18 * 500);
    assert_int_equal(f[RF_DEFINITION_STOCK_PLUS].arrears_max_at_us, 1000);
    assert_int_equal(f[RF_DEFINITION_STOCK_PLUS].behind_since_us, 600);
    assert_int_equal(f[RF_DEFINITION_PERIOD].verdict, RF_FINDING_BROKEN);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_PERIOD].delivered_us), 2000);
    assert_int_equal(f[RF_DEFINITION_CAP].verdict, RF_FINDING_KEPT);
    assert_int_equal(f[RF_DEFINITION_INST].verdict, RF_FINDING_BROKEN);
    assert_int_equal(f[RF_DEFINITION_INST].first.begin_us, 500);
    assert_int_equal(f[RF_DEFINITION_INST].first.end_us, 1000);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_INST].first.promised_us), 20 * 500);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_INST].first.delivered_us), 2 * 500);
    assert_int_equal(f[RF_DEFINITION_FLOW_PLEDGE].judged, 5);
    assert_int_equal(f[RF_DEFINITION_FLOW_PLEDGE].kept, 2);
    assert_int_equal(f[RF_DEFINITION_FLOW_PLEDGE].first.begin_us, 400);
    assert_int_equal(f[RF_DEFINITION_FLOW_DAY].judged, 10);
    assert_int_equal(f[RF_DEFINITION_FLOW_DAY].kept, 5);
    assert_int_equal(f[RF_DEFINITION_FLOW_MONTH].judged, 9);
    assert_int_equal(f[RF_DEFINITION_FLOW_MONTH].kept, 4);
    end(&h);
}

/* The stock is to be drawn down by 400: what comes later does not count. */
static void nothing_counts_after_the_horizon(void **unused)
{
    struct hand h;
    const struct rf_finding *f;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "secured", 1, 5, "stock", "horizon_us=400,stock_devices=30");
    h.c.t_us = 100;
    grant(&h, request(&h, "a", 8), 0);
    f = judge(&h, 1000);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_STOCK].promised_us), 6 * 400);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_STOCK].delivered_us), 8 * 300);
    assert_int_equal(f[RF_DEFINITION_STOCK].verdict, RF_FINDING_KEPT);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_STOCK].arrears_us), 0);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_STOCK].arrears_max_us), 600);
    assert_int_equal(f[RF_DEFINITION_STOCK].arrears_max_at_us, 100);
    assert_int_equal(f[RF_DEFINITION_STOCK].behind_since_us, -1);
    assert_int_equal(f[RF_DEFINITION_CAP].verdict, RF_FINDING_BROKEN);
    assert_int_equal(f[RF_DEFINITION_CAP].first.begin_us, 0);
    end(&h);
}

static void who_does_not_ask_is_not_refused(void **unused)
{
    struct hand h;
    const struct rf_finding *f;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "fleet", 1, 2, "floor", "");
    grant(&h, request(&h, "a", 2), 0);
    f = judge(&h, 400);
    for (int k = 0; k < RF_DEFINITION_N; k++)
        if (k == RF_DEFINITION_INST || k == RF_DEFINITION_CAP || k == RF_DEFINITION_OFFER ||
            k == RF_DEFINITION_SERVICE)
            assert_int_equal(f[k].verdict, RF_FINDING_KEPT);
        else
            assert_int_equal(f[k].verdict, RF_FINDING_NOT_ASKED);
    assert_int_equal(f[RF_DEFINITION_PERIOD].not_asked, 1);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_PERIOD].asked_us), 800);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_OFFER].delivered_us), 10 * 400);
    end(&h);
}

/* All ten devices are somebody else's. As long as five of them are lent, they are on offer. */
static void what_can_be_reclaimed_is_on_offer(void **unused)
{
    for (int32_t lent = 4; lent <= 5; lent++) {
        struct hand h;
        const struct rf_finding *f;

        (void)unused;
        begin(&h, 10);
        pledge(&h, "fleet", 1, 2, "floor", "");
        grant(&h, request(&h, "b", 10), lent);
        f = judge(&h, 400);
        assert_int_equal(f[RF_DEFINITION_OFFER].verdict,
                         lent == 5 ? RF_FINDING_KEPT : RF_FINDING_BROKEN);
        assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_OFFER].delivered_us), lent * 400);
        assert_int_equal(f[RF_DEFINITION_PERIOD].verdict, RF_FINDING_NOT_ASKED);
        end(&h);
    }
}

/* Five devices are the share: requests beyond that are not judged. */
static void service_is_judged_by_requests_within_the_share(void **unused)
{
    struct hand h;
    const struct rf_finding *f;
    int32_t job;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "fleet", 1, 2, "request", "");
    job = request(&h, "a", 3);
    grant(&h, job, 0);
    request(&h, "a", 3); /* six in all: beyond the share */
    h.c.t_us = 10;
    tell(&h, RF_EVENT_DENY, 1, "");
    job = request(&h, "a", 1);
    h.c.t_us = 60; /* just in time */
    grant(&h, job, 0);
    h.c.t_us = 100;
    tell(&h, RF_EVENT_END, job, "done");
    job = request(&h, "a", 2);
    h.c.t_us = 151; /* too late */
    grant(&h, job, 0);
    h.c.t_us = 200;
    tell(&h, RF_EVENT_END, job, "done");
    job = request(&h, "a", 2);
    h.c.t_us = 210;
    tell(&h, RF_EVENT_DENY, job, "");
    f = judge(&h, 400);
    assert_int_equal(f[RF_DEFINITION_SERVICE].requests, 4);
    assert_int_equal(f[RF_DEFINITION_SERVICE].denied, 1);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_SERVICE].denied_us), 2000);
    assert_int_equal(f[RF_DEFINITION_SERVICE].kept, 2);
    assert_int_equal(f[RF_DEFINITION_SERVICE].wait_p95_us, 51);
    assert_int_equal(f[RF_DEFINITION_SERVICE].verdict, RF_FINDING_BROKEN);
    assert_int_equal(f[RF_DEFINITION_SERVICE].first.begin_us, 100);
    assert_int_equal(f[RF_DEFINITION_SERVICE].first.end_us, 151);
    end(&h);
}

/* A request that nobody answers waits until the end. */
static void a_request_without_an_answer_waits(void **unused)
{
    struct hand h;
    const struct rf_finding *f;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "fleet", 1, 2, "floor", "");
    request(&h, "a", 5);
    f = judge(&h, 4000);
    assert_int_equal(f[RF_DEFINITION_SERVICE].requests, 1);
    assert_in_range(f[RF_DEFINITION_SERVICE].wait_p95_us, 4000, 4000 + 4000 / 64);
    assert_int_equal(f[RF_DEFINITION_SERVICE].verdict, RF_FINDING_BROKEN);
    end(&h);
}

static void time_without_a_reading_is_unprovable(void **unused)
{
    struct hand h;
    const struct rf_finding *f;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "fleet", 1, 2, "floor", "");
    grant(&h, request(&h, "a", 5), 0);
    h.c.t_us = 150;
    random_read_all(&h.c);
    h.c.t_us = 250; /* the recorder has died meanwhile */
    tell(&h, RF_EVENT_RECOVER, -1, "");
    grant(&h, 0, 0);
    f = judge(&h, 600);
    assert_int_equal(f[RF_DEFINITION_FLOW_PLEDGE].judged, 3);
    assert_int_equal(f[RF_DEFINITION_FLOW_PLEDGE].unprovable, 2);
    assert_int_equal(f[RF_DEFINITION_FLOW_PLEDGE].kept, 1);
    assert_int_equal(f[RF_DEFINITION_PERIOD].verdict, RF_FINDING_UNPROVABLE);
    assert_int_equal(rf_wide_narrow(f[RF_DEFINITION_PERIOD].delivered_us), 5 * 500);
    assert_int_equal(f[RF_DEFINITION_INST].verdict, RF_FINDING_UNPROVABLE);
    end(&h);
}

/* The share is redirected half way: the original promise is broken, the changed one is kept. */
static void a_changed_promise_is_judged_beside_the_original(void **unused)
{
    struct hand h;
    const struct rf_promise *p;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "fleet", 1, 2, "floor", "");
    grant(&h, request(&h, "a", 5), 0);
    request(&h, "a", 5);
    h.c.t_us = 300;
    pledge(&h, "fleet", 0, 1, "floor", "");
    tell(&h, RF_EVENT_RELEASE, 0, "");
    judge(&h, 600);
    assert_int_equal(rf_definitions_npromises(h.d), 2);
    p = rf_definitions_promise(h.d, 0);
    assert_int_equal(p->changed, 0);
    assert_int_equal(p->findings[RF_DEFINITION_PERIOD].verdict, RF_FINDING_BROKEN);
    assert_int_equal(rf_wide_narrow(p->findings[RF_DEFINITION_PERIOD].promised_us), 5 * 600);
    assert_int_equal(rf_wide_narrow(p->samples[p->nsamples - 1].promised_us), 5 * 600);
    p = rf_definitions_promise(h.d, 1);
    assert_int_equal(p->changed, 1);
    assert_int_equal(p->findings[RF_DEFINITION_PERIOD].verdict, RF_FINDING_KEPT);
    assert_int_equal(rf_wide_narrow(p->findings[RF_DEFINITION_PERIOD].promised_us), 5 * 300);
    assert_int_equal(rf_wide_narrow(p->samples[p->nsamples - 1].promised_us), 5 * 300);
    end(&h);
}

static void nothing_to_judge_is_no_verdict(void **unused)
{
    struct hand h;
    const struct rf_finding *f;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "fleet", 1, 2, "floor", "");
    f = judge(&h, 0);
    for (int k = 0; k < RF_DEFINITION_N; k++)
        assert_int_equal(f[k].verdict,
                         k == RF_DEFINITION_SERVICE ? RF_FINDING_NOT_ASKED : RF_FINDING_NONE);
    end(&h);
}

static void labels_name_the_windows(void **unused)
{
    struct rf_definition_options o = rf_definition_options_make();
    char buf[32];

    (void)unused;
    assert_string_equal(rf_definition_label(RF_DEFINITION_INST, &o, buf), "INST");
    assert_string_equal(rf_definition_label(RF_DEFINITION_FLOW_DAY, &o, buf), "FLOW(day)");
    assert_string_equal(rf_definition_label(RF_DEFINITION_FLOW_MONTH, &o, buf), "FLOW(28d)");
    assert_string_equal(rf_definition_label(RF_DEFINITION_FLOW_QUARTER, &o, buf),
                        "FLOW(quarter)");
    assert_string_equal(rf_definition_label(RF_DEFINITION_SERVICE, &o, buf), "SERVICE");
    o.step_us = o.sliding_us[0] = INT64_C(3600000000);
    assert_int_equal(rf_definition_options_check(&o, NULL), RF_OK);
    assert_string_equal(rf_definition_label(RF_DEFINITION_FLOW_DAY, &o, buf), "FLOW(3600s)");
    o.sliding_us[1]++;
    assert_int_equal(rf_definition_options_check(&o, NULL), RF_ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stock_does_not_grow_with_the_fleet),
        cmocka_unit_test(nothing_counts_after_the_horizon),
        cmocka_unit_test(who_does_not_ask_is_not_refused),
        cmocka_unit_test(what_can_be_reclaimed_is_on_offer),
        cmocka_unit_test(service_is_judged_by_requests_within_the_share),
        cmocka_unit_test(a_request_without_an_answer_waits),
        cmocka_unit_test(time_without_a_reading_is_unprovable),
        cmocka_unit_test(a_changed_promise_is_judged_beside_the_original),
        cmocka_unit_test(nothing_to_judge_is_no_verdict),
        cmocka_unit_test(labels_name_the_windows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
