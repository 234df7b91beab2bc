/* Scenarios run as cells: the jobs they speak of, and that looking changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "sim/cell.h"
#include "sim/follow.h"

#define HOUR_US (INT64_C(3600) * 1000000)
#define DAY_US (24 * HOUR_US)

static struct rf_scenario flood_of(int32_t devices, double load, int64_t until_us)
{
    struct rf_scenario s = rf_scenario_make();

    snprintf(s.name, sizeof s.name, "test");
    snprintf(s.workload.source, sizeof s.workload.source, "flood");
    s.workload.load = load;
    s.workload.size_max = 4;
    s.workload.run_mean_us = 2 * HOUR_US;
    s.workload.horizon_us = s.until_us = until_us;
    s.fleet.devices = devices;
    return s;
}

/* ---- the jobs */

static void fleet_time_runs_as_fast_as_the_fleet_is_large(void **state)
{
    struct rf_growth_spec growth[] = {{10 * DAY_US, 20}, {20 * DAY_US, 5}};
    struct rf_scenario s = flood_of(10, 1, 30 * DAY_US);
    struct rf_world world;
    struct rf_error err;
    int64_t at[5], submit[5];
    static const int64_t clock_days[] = {0, 10, 15, 20, 28};
    static const int64_t fleet_days[] = {0, 10, 20, 30, 34};
    struct rf_workload w = {.n = 5, .submit_us = submit};

    (void)state;
    s.fleet.growth = growth;
    s.fleet.ngrowth = 2;
    assert_int_equal(rf_scenario_world(&s, s.until_us, &world, &err), RF_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rf_follow_fleet_time(&world, 10, clock_days[i] * DAY_US, &at[i], &err),
                         RF_OK);
        assert_int_equal(at[i], fleet_days[i] * DAY_US);
        submit[i] = at[i];
    }
    rf_follow(&w, &world, 10);
    for (int i = 0; i < 5; i++)
        assert_int_equal(submit[i], clock_days[i] * DAY_US);
    rf_world_clear(&world);
}

/* Device-time that the jobs submitted in [begin, end) ask for. */
static double asked_us(const struct rf_workload *w, int64_t begin_us, int64_t end_us)
{
    double sum = 0;

    for (int64_t i = 0; i < w->n; i++)
        if (w->submit_us[i] >= begin_us && w->submit_us[i] < end_us)
            sum += (double)w->run_us[i] * w->min[i];
    return sum;
}

static void jobs_follow_a_fleet_that_doubles(void **state)
{
    struct rf_scenario s = flood_of(50, 0.8, 200 * DAY_US);
    struct rf_workload w;
    struct rf_error err;
    int32_t devices;

    (void)state;
    s.fleet.doubling_us = s.fleet.step_us = 100 * DAY_US;
    s.workload.follow_fleet = 1;
    assert_int_equal(rf_cell_workload(&w, &devices, &s, NULL, &err), RF_OK);
    assert_int_equal(devices, 50);
    for (int half = 0; half < 2; half++) {
        double load =
            asked_us(&w, half * 100 * DAY_US, (half + 1) * 100 * DAY_US) / (double)DAY_US / 100;

        assert_true(load > 0.74 * (50 << half) && load < 0.86 * (50 << half));
    }
    for (int64_t i = 0; i < w.n; i++) {
        assert_true(w.submit_us[i] >= 0 && w.submit_us[i] < 200 * DAY_US);
        assert_true(i == 0 || w.submit_us[i] >= w.submit_us[i - 1]);
    }
    rf_workload_clear(&w);
}

static void a_backlog_waits_at_the_start(void **state)
{
    struct rf_scenario s = flood_of(50, 1, 40 * DAY_US);
    struct rf_workload w;
    struct rf_error err;
    double waiting;
    int32_t devices;

    (void)state;
    s.workload.backlog_us = 20 * DAY_US;
    assert_int_equal(rf_cell_workload(&w, &devices, &s, NULL, &err), RF_OK);
    waiting = asked_us(&w, 0, 1) / (double)DAY_US;
    assert_true(waiting > 0.85 * 50 * 20 && waiting < 1.15 * 50 * 20);
    assert_true(w.submit_us[w.n - 1] < 40 * DAY_US && w.submit_us[w.n - 1] > 39 * DAY_US);
    rf_workload_clear(&w);
}

/* ---- the size of the machine */

static const char swf[] = "; MaxProcs: 4\n"
                          "1 0 -1 100 2 -1 -1 2 100 -1 1 1 1 1 1 -1 -1 -1\n"
                          "2 5 -1 100 8 -1 -1 8 100 -1 1 1 1 1 1 -1 -1 -1\n"
                          "3 9 -1 100 4 -1 -1 4 100 -1 1 1 1 1 1 -1 -1 -1\n";

/* A file of its own for the test's life. */
static void write_trace(char path[64], const char *text)
{
    int fd;

    snprintf(path, 64, "/tmp/ringfence-trace-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void the_header_of_a_trace_says_how_large_the_machine_is(void **state)
{
    struct rf_scenario s = rf_scenario_make();
    struct rf_trace_report report;
    struct rf_workload w;
    struct rf_error err;
    int32_t devices;
    char path[64];

    (void)state;
    write_trace(path, swf);
    snprintf(s.workload.path, sizeof s.workload.path, "%s", path);
    assert_int_equal(rf_cell_workload(&w, &devices, &s, &report, &err), RF_OK);
    assert_int_equal(devices, 4);
    assert_int_equal(w.n, 2);
    assert_int_equal(report.dropped[RF_DROP_TOO_LARGE], 1);
    rf_workload_clear(&w);
    s.fleet.devices = 8; /* what the scenario says counts more */
    assert_int_equal(rf_cell_workload(&w, &devices, &s, &report, &err), RF_OK);
    assert_int_equal(devices, 8);
    assert_int_equal(w.n, 3);
    rf_workload_clear(&w);
    unlink(path);

    s.fleet.devices = 0;
    write_trace(path, strchr(swf, '\n') + 1);
    snprintf(s.workload.path, sizeof s.workload.path, "%s", path);
    assert_int_equal(rf_cell_workload(&w, &devices, &s, &report, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "how many devices"));
    assert_int_equal(w.n, 0);
    unlink(path);
}

/* ---- cells */

static void fill(struct rf_scenario *s, struct rf_pledge_plan *pledge,
                 struct rf_account_rule_spec *rule)
{
    *s = flood_of(40, 1.3, 30 * DAY_US);
    *pledge = (struct rf_pledge_plan){
        .pledge = {.account = "alignment",
                   .author = "board",
                   .basis = "fleet",
                   .reason = "announced",
                   .share = {1, 5},
                   .window_us = 5 * DAY_US,
                   .tolerance_us = HOUR_US},
        .terms = {.burst = {1, 1}, .catch_up = {1, 1}, .approve = {1, 2}}};
    *rule = (struct rf_account_rule_spec){
        .field = "user", .pattern = "^u[0-9]$", .account = "alignment"};
    s->pledges = pledge;
    s->npledges = 1;
    s->workload.rules = rule;
    s->workload.nrules = 1;
    s->fleet.node = 4;
    s->fleet.mtbf_us = 20 * DAY_US;
    s->fleet.repair_us = 6 * HOUR_US;
}

static void run(struct rf_cell *cell, const struct rf_scenario *s,
                const struct rf_cell_options *o)
{
    struct rf_error err = {RF_OK, ""};

    if (rf_cell_run(cell, s, o, &err) != RF_OK)
        fail_msg("%s", err.text);
}

static void looking_closely_changes_nothing(void **state)
{
    struct rf_scenario s;
    struct rf_pledge_plan pledge;
    struct rf_account_rule_spec rule;
    struct rf_cell brief, close;

    (void)state;
    fill(&s, &pledge, &rule);
    run(&brief, &s, &(struct rf_cell_options){0});
    run(&close, &s, &(struct rf_cell_options){.detail = 1});
    assert_true(brief.summary.all.jobs > 1000 && brief.summary.preemptions > 0);
    assert_memory_equal(&brief.summary.schedule, &close.summary.schedule,
                        sizeof brief.summary.schedule);
    assert_int_equal(rf_wide_narrow(brief.result.tally->pledges[0].delivered_us),
                     rf_wide_narrow(close.result.tally->pledges[0].delivered_us));
    assert_null(brief.books);
    assert_null(brief.definitions);
    assert_true(brief.summary.utilization ==
                close.summary.utilization); /* of a fleet that grows */
    assert_true(close.table->nsteps > 100);
    assert_int_equal(rf_definitions_npromises(close.definitions), 1);
    rf_cell_clear(&brief);
    run(&brief, &s, &(struct rf_cell_options){.judge = 1});
    assert_null(brief.books);
    for (int k = 0; k < RF_DEFINITION_N; k++) {
        const struct rf_finding *f = &rf_definitions_promise(brief.definitions, 0)->findings[k];
        const struct rf_finding *g = &rf_definitions_promise(close.definitions, 0)->findings[k];

        assert_int_equal(f->verdict, g->verdict);
        assert_int_equal(f->judged, g->judged);
        assert_int_equal(f->broken, g->broken);
        assert_int_equal(rf_wide_compare(f->asked_us, g->asked_us), 0);
        assert_int_equal(rf_wide_compare(f->delivered_us, g->delivered_us), 0);
    }
    rf_cell_clear(&brief);
    rf_cell_clear(&close);
}

static void cells_can_share_their_jobs(void **state)
{
    struct rf_scenario s;
    struct rf_pledge_plan pledge;
    struct rf_account_rule_spec rule;
    struct rf_workload w;
    struct rf_cell own, shared, other;
    struct rf_cell_options options = {0};
    struct rf_error err;

    (void)state;
    fill(&s, &pledge, &rule);
    run(&own, &s, &options);
    assert_int_equal(rf_cell_workload(&w, &options.devices, &s, NULL, &err), RF_OK);
    options.workload = &w;
    run(&shared, &s, &options);
    assert_memory_equal(&own.summary.schedule, &shared.summary.schedule,
                        sizeof own.summary.schedule);
    snprintf(s.fence, sizeof s.fence, "partition");
    run(&other, &s, &options);
    assert_memory_not_equal(&own.summary.schedule, &other.summary.schedule,
                            sizeof own.summary.schedule);
    assert_int_equal(own.world.nchanges, other.world.nchanges); /* the same failures */
    rf_cell_clear(&own);
    rf_cell_clear(&shared);
    rf_cell_clear(&other);
    rf_workload_clear(&w);
}

static void a_cell_that_cannot_run_is_empty(void **state)
{
    struct rf_scenario s = rf_scenario_make();
    struct rf_cell cell;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    snprintf(s.workload.path, sizeof s.workload.path, "/nowhere/at-all.swf");
    assert_int_equal(rf_cell_run(&cell, &s, &(struct rf_cell_options){0}, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "/nowhere/at-all.swf"));
    assert_null(cell.result.state);
    rf_cell_clear(&cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fleet_time_runs_as_fast_as_the_fleet_is_large),
        cmocka_unit_test(jobs_follow_a_fleet_that_doubles),
        cmocka_unit_test(a_backlog_waits_at_the_start),
        cmocka_unit_test(the_header_of_a_trace_says_how_large_the_machine_is),
        cmocka_unit_test(looking_closely_changes_nothing),
        cmocka_unit_test(cells_can_share_their_jobs),
        cmocka_unit_test(a_cell_that_cannot_run_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
