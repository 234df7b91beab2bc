#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/prometheus.h"
#include "report/status.h"

struct run {
    struct rf_state *state;
    struct rf_tally *tally;
};

static void apply(struct run *r, struct rf_event *e)
{
    struct rf_error err;

    e->seq = r->state->next_seq;
    if (rf_tally_before(r->tally, r->state, e, &err) != RF_OK ||
        rf_state_apply(r->state, e, &err) != RF_OK ||
        rf_tally_after(r->tally, r->state, e, &err) != RF_OK)
        fail_msg("%s", err.text);
    rf_event_clear(e);
}

static void promise(struct run *r, int64_t t_us, int32_t num)
{
    struct rf_event e = rf_event_make(RF_EVENT_PLEDGE, t_us);

    snprintf(e.account, sizeof e.account, "mine");
    snprintf(e.basis, sizeof e.basis, "fleet");
    snprintf(e.text, sizeof e.text, "floor");
    snprintf(e.reason, sizeof e.reason, "so");
    e.share = (struct rf_share){num, 5};
    e.window_us = 10000000;
    apply(r, &e);
}

/* Two devices, one of them held by "mine.a" from second 1 to second 4 and since second 5. */
static struct run make_run(void)
{
    struct run r;
    struct rf_event e;

    assert_int_equal(rf_state_create(&r.state, 1, NULL), RF_OK);
    assert_int_equal(rf_tally_create(&r.tally, NULL), RF_OK);
    e = rf_event_make(RF_EVENT_OPEN, 0);
    snprintf(e.name, sizeof e.name, "r");
    snprintf(e.text, sizeof e.text, "fcfs+floor");
    apply(&r, &e);
    e = rf_event_make(RF_EVENT_CAPACITY, 0);
    e.up = 1;
    e.count = 2;
    snprintf(e.reason, sizeof e.reason, "joined");
    apply(&r, &e);
    promise(&r, 0, 1);
    for (int32_t job = 0; job < 3; job++) {
        e = rf_event_make(RF_EVENT_REQUEST, 1000000);
        e.job = job;
        e.min = e.max = 1;
        snprintf(e.account, sizeof e.account, job < 2 ? "mine.a" : "theirs");
        apply(&r, &e);
    }
    e = rf_event_make(RF_EVENT_GRANT, 1000000);
    e.job = e.lease = 0;
    e.count = 1;
    apply(&r, &e);
    promise(&r, 2000000, 2);
    e = rf_event_make(RF_EVENT_END, 4000000);
    e.job = e.lease = 0;
    e.held_us = 3000000;
    snprintf(e.text, sizeof e.text, "done");
    apply(&r, &e);
    e = rf_event_make(RF_EVENT_GRANT, 5000000);
    e.job = e.lease = 1;
    e.count = 1;
    apply(&r, &e);
    return r;
}

static void end_run(struct run *r)
{
    rf_tally_destroy(r->tally);
    rf_state_destroy(r->state);
}

static void figures_are_exact_and_labels_escaped(void **unused)
{
    static const char *const lines[] = {
        "\nringfence_run_info{run=\"a\\\"b\\\\c\\nd\",version=\"1\"} 1\n",
        "\nringfence_policy_info{order=\"fcfs\",fence=\"floor\"} 1\n",
        "\n# TYPE ringfence_devices gauge\nringfence_devices{state=\"held\"} 1\n"
        "ringfence_devices{state=\"free\"} 1\nringfence_devices{state=\"down\"} 0\n",
        "\nringfence_capacity_device_seconds_total 10.000000\n",
        "\nringfence_jobs{state=\"queued\"} 1\n", "\nringfence_jobs{state=\"done\"} 1\n",
        "\nringfence_account_held_device_seconds_total{account=\"mine\"} 3.000000\n",
        "\nringfence_account_held_device_seconds_total{account=\"theirs\"} 0.000000\n",
        "\nringfence_account_devices{account=\"mine.a\"} 1\n",
        "\nringfence_pledge_share_ratio{account=\"mine\",revision=\"0\"} 0.2\n"
        "ringfence_pledge_share_ratio{account=\"mine\",revision=\"1\"} 0.4\n",
        /* 3 s charged and 0.5 s held since, of 11 device-seconds */
        "\nringfence_pledge_received_ratio{account=\"mine\",revision=\"0\"} 0.318181818\n",
        "\nringfence_pledge_entitled_device_seconds_total{account=\"mine\",revision=\"0\"} "
        "2.000000\n",
        "\nringfence_ledger_entries_total 10\n",
        "\nringfence_last_update_time_seconds 5.500000\n"};
    struct run r = make_run();
    const struct rf_metrics_source source = {.run = "a\"b\\c\nd",
                                             .version = "1",
                                             .state = r.state,
                                             .tally = r.tally,
                                             .now_us = 5500000,
                                             .entries = 10};
    struct rf_error err;
    char *text;

    (void)unused;
    assert_int_equal(rf_prometheus_text(&source, &text, &err), RF_OK);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr(text, lines[i]) == NULL)
            fail_msg("missing: %s\nin: %s", lines[i], text);
    free(text);
    end_run(&r);
}

static void a_run_without_promises_or_accounts_has_figures(void **unused)
{
    struct run r;
    struct rf_event e = rf_event_make(RF_EVENT_OPEN, 0);
    struct rf_metrics_source source = {.run = "r", .version = "1"};
    struct rf_error err;
    char *text;

    (void)unused;
    assert_int_equal(rf_state_create(&r.state, 1, NULL), RF_OK);
    assert_int_equal(rf_tally_create(&r.tally, NULL), RF_OK);
    snprintf(e.name, sizeof e.name, "r");
    snprintf(e.text, sizeof e.text, "fcfs+none");
    apply(&r, &e);
    source.state = r.state;
    source.tally = r.tally;
    assert_int_equal(rf_prometheus_text(&source, &text, &err), RF_OK);
    assert_null(strstr(text, "ringfence_pledge"));
    assert_null(strstr(text, "ringfence_account"));
    assert_non_null(strstr(text, "ringfence_jobs{state=\"running\"} 0\n"));
    free(text);
    end_run(&r);
}

static void a_status_says_who_runs_who_waits_and_how_pledges_stand(void **unused)
{
    struct run r = make_run();
    const struct rf_pace pace = rf_pace_of(2, 8, 5.5, "tokens");
    const struct rf_status_source source = {.run = "r",
                                            .source = "live",
                                            .pace = &pace,
                                            .planned = 7,
                                            .state = "running",
                                            .now_us = 5500000,
                                            .cluster = r.state,
                                            .tally = r.tally,
                                            .entries = 10};
    json_t *d = rf_status_object(&source), *job;
    char line[400], plain[400], text[4000] = "";
    struct rf_error err;
    FILE *out = tmpfile();
    int lines = 0, n = 0;

    (void)unused;
    assert_non_null(d);
    job = json_array_get(json_object_get(d, "running"), 0);
    assert_string_equal(json_string_value(json_object_get(job, "name")), "job1");
    assert_true(fabs(json_number_value(json_object_get(job, "since_s")) - 0.5) < 1e-9);
    job = json_array_get(json_object_get(d, "queue"), 0);
    assert_string_equal(json_string_value(json_object_get(job, "account")), "theirs");
    assert_int_equal(json_array_size(json_object_get(d, "pledges")), 2);
    rf_status_line(d, line, sizeof line);
    assert_non_null(strstr(line, "progress what=run percent=25.0 elapsed_s=5.5 eta_s=16.5 "
                                 "unit=tokens rate_per_s=0.363636 state=running running=1 "
                                 "queued=1 ended=1 jobs=7 "));
    assert_non_null(strstr(line, " share.mine=0.3182 pledge.mine=0.2000"));
    rf_status_line(d, line, 10); /* cut, not overrun */
    assert_int_equal(strlen(line), 9);
    rf_status_plain(r.state, r.tally, &pace, 7, plain, sizeof plain); /* the same words */
    rf_status_line(d, line, sizeof line);
    assert_memory_equal(plain, line, strcspn(line, "."));
    assert_non_null(strstr(plain, " ended=1 jobs=7 "));
    rf_status_screen(r.state, r.tally, &pace, 7, plain, sizeof plain);
    assert_non_null(strstr(plain, "5.5 s  25%  0.364 tokens/s  ETA 16 s  1/7 jobs  mine "));
    assert_int_equal(rf_status_print(d, out, 60, &lines, &err), RF_OK);
    rewind(out);
    while (fgets(text, sizeof text, out) != NULL)
        n++;
    assert_int_equal(n, lines);
    json_decref(d);
    /* a document from elsewhere: dashes, no crash */
    d = json_pack("{s:s, s:[n, i, {s:i}], s:{}}", "run", "x", "running", 7, "name", 3,
                  "pledges");
    rewind(out);
    assert_int_equal(rf_status_print(d, out, 60, &lines, &err), RF_OK);
    rewind(out);
    for (int i = 0; i < lines; i++) {
        assert_non_null(fgets(text, sizeof text, out));
        assert_null(strstr(text, "nan"));
    }
    fclose(out);
    rf_status_line(d, line, sizeof line);
    json_decref(d);
    end_run(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_exact_and_labels_escaped),
        cmocka_unit_test(a_run_without_promises_or_accounts_has_figures),
        cmocka_unit_test(a_status_says_who_runs_who_waits_and_how_pledges_stand)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
