/* A hundred thousand devices for four years have more device-microseconds than 63 bits hold: every
 * sum of such a run is right to the last of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cell.h"

#define DAY_US (INT64_C(86400) * 1000000)

enum { DEVICES = 100000, NJOBS = 6, JOB_DAYS = 240, DAYS = 1461 };

/* Six jobs, one after the other, each on the whole fleet; three quarters are promised. */
static enum rf_status attempt(struct rf_cell *cell, int64_t window_us, struct rf_error *err)
{
    struct rf_pledge_plan pledge = {
        .pledge = {.account = "a",
                   .author = "board",
                   .basis = "fleet",
                   .reason = "announced",
                   .share = {3, 4},
                   .window_us = window_us},
        .terms = {.burst = {1, 1}, .catch_up = {1, 1}, .approve = {1, 2}}};
    struct rf_scenario s = rf_scenario_make();
    struct rf_workload w;
    struct rf_cell_options options = {.workload = &w, .devices = DEVICES, .detail = 1};
    enum rf_status st;

    snprintf(s.name, sizeof s.name, "large");
    s.fleet.devices = DEVICES;
    s.until_us = DAYS * DAY_US;
    s.pledges = &pledge;
    s.npledges = 1;
    assert_int_equal(rf_workload_create(&w, NJOBS, err), RF_OK);
    for (int64_t k = 0; k < NJOBS; k++) {
        w.submit_us[k] = 0;
        w.run_us[k] = w.limit_us[k] = JOB_DAYS * DAY_US;
        w.min[k] = DEVICES;
        assert_int_equal(rf_workload_account(&w, "a.b", &w.account[k], err), RF_OK);
    }
    st = rf_cell_run(cell, &s, &options, err);
    rf_workload_clear(&w);
    return st;
}

static void simulate(struct rf_cell *cell)
{
    struct rf_error err = {RF_OK, ""};

    if (attempt(cell, 90 * DAY_US, &err) != RF_OK)
        fail_msg("%s", err.text);
}

static void assert_days(struct rf_wide device_us, int64_t days)
{
    assert_int_equal(rf_wide_compare(device_us, rf_wide_product(days * DEVICES, DAY_US)), 0);
}

/* In quarters of a device. */
static void assert_quarters(struct rf_wide device_us, int64_t days, int64_t quarters)
{
    assert_int_equal(
        rf_wide_compare(device_us, rf_wide_product(days * DEVICES / 4 * quarters, DAY_US)), 0);
}

static void books_readings_and_the_tally_agree(void **state)
{
    struct rf_cell cell;
    struct rf_books_totals books;
    const struct rf_pledge_account *p;

    (void)state;
    simulate(&cell);
    assert_int_equal(cell.summary.all.finished, NJOBS);
    assert_int_equal(rf_wide_compare(cell.result.tally->capacity_us, rf_wide_of(INT64_MAX)), 1);
    assert_days(cell.result.tally->capacity_us, DAYS);
    assert_days(cell.result.tally->used_us, NJOBS * JOB_DAYS);
    assert_days(cell.result.busy_us, NJOBS * JOB_DAYS);
    assert_days(cell.result.state->accounts[0].held_us, NJOBS * JOB_DAYS);
    rf_books_totals(cell.books, cell.result.state->now_us, &books);
    assert_days(books.installed_us, DAYS);
    assert_days(books.own_us, NJOBS * JOB_DAYS);
    assert_quarters(books.idle_reserved_us, DAYS - NJOBS * JOB_DAYS, 3);
    assert_quarters(books.idle_free_us, DAYS - NJOBS * JOB_DAYS, 1);
    p = &cell.result.tally->pledges[0];
    assert_quarters(p->entitled_us, DAYS, 3);
    assert_days(p->demanded_us, NJOBS * JOB_DAYS);
    assert_days(p->delivered_us, NJOBS * JOB_DAYS);
    assert_int_equal(rf_wide_sign(p->shortfall_us), 0);
    assert_int_equal(p->verdict, RF_KEPT);
    rf_cell_clear(&cell);
}

static void definitions_judge_the_whole_period(void **state)
{
    struct rf_cell cell;
    const struct rf_promise *promise;
    const struct rf_finding *f;

    (void)state;
    simulate(&cell);
    promise = rf_definitions_promise(cell.definitions, 0);
    f = &promise->findings[RF_DEFINITION_PERIOD];
    assert_quarters(f->promised_us, DAYS, 3);
    assert_days(f->delivered_us, NJOBS * JOB_DAYS);
    assert_int_equal(f->verdict, RF_FINDING_KEPT);
    f = &promise->findings[RF_DEFINITION_STOCK];
    assert_quarters(f->promised_us, DAYS, 3);
    assert_int_equal(f->verdict, RF_FINDING_KEPT);
    f = &promise->findings[RF_DEFINITION_CAP];
    assert_int_equal(f->broken, NJOBS * JOB_DAYS / 90);
    f = &promise->findings[RF_DEFINITION_FLOW_QUARTER]; /* windows that overlap: far more yet */
    assert_quarters(f->promised_us, (DAYS - 90) * 91, 3);
    rf_cell_clear(&cell);
}

static void the_series_and_the_summary_add_up(void **state)
{
    struct rf_cell cell;
    const struct rf_series_column *used, *promised;
    struct rf_wide sum = {0, 0}, line = {0, 0};

    (void)state;
    simulate(&cell);
    used = rf_series_find(cell.table, "used");
    promised = rf_series_find(cell.table, "promised:a");
    for (int k = 0; k < cell.table->nsteps; k++) {
        rf_wide_add(&sum, used->values[k]);
        rf_wide_add(&line, promised->values[k]);
    }
    assert_days(sum, NJOBS * JOB_DAYS);
    assert_quarters(line, DAYS, 3);
    assert_days(cell.summary.used_us, NJOBS * JOB_DAYS);
    assert_days(cell.summary.capacity_us, NJOBS * JOB_DAYS); /* to the last end */
    assert_true(cell.summary.utilization == 1);
    assert_days(cell.summary.pledged.useful_us, NJOBS * JOB_DAYS);
    rf_cell_clear(&cell);
}

static void only_a_window_that_does_not_fit_is_refused(void **state)
{
    struct rf_cell cell;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    assert_int_equal(attempt(&cell, DAYS * DAY_US, &err), RF_ERR_INPUT);
    assert_string_equal(err.text,
                        "the device-time of a window of 'a' no longer fits in 63 bits");
    assert_int_equal(attempt(&cell, INT64_MAX / DEVICES, &err), RF_OK);
    assert_int_equal(cell.result.tally->pledges[0].verdict, RF_KEPT);
    rf_cell_clear(&cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(books_readings_and_the_tally_agree),
        cmocka_unit_test(definitions_judge_the_whole_period),
        cmocka_unit_test(the_series_and_the_summary_add_up),
        cmocka_unit_test(only_a_window_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
