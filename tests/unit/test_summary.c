/* The figures of simulations small enough to be worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/outcome.h"
#include "sim/summary.h"

static const int64_t S = 1000000;

struct job {
    const char *account;
    int64_t submit_s, run_s;
    int32_t devices;
};

struct run {
    struct rf_workload workload;
    struct rf_world world;
    struct rf_sim_options options;
    struct rf_sim_result result;
    struct rf_series *series;
    struct rf_observer observer;
    struct rf_sim_summary summary;
};

static void must(enum rf_status st, const struct rf_error *err)
{
    if (st != RF_OK)
        fail_msg("%s", err->text);
}

static void add_jobs(struct rf_workload *w, const struct job *jobs, int64_t n)
{
    struct rf_error err;

    must(rf_workload_create(w, n, &err), &err);
    for (int64_t i = 0; i < n; i++) {
        w->submit_us[i] = jobs[i].submit_s * S;
        w->run_us[i] = w->limit_us[i] = jobs[i].run_s * S;
        w->min[i] = jobs[i].devices;
        must(rf_workload_account(w, jobs[i].account, &w->account[i], &err), &err);
    }
}

static void make_run(struct run *run, const struct job *jobs, int64_t n, int32_t devices)
{
    *run = (struct run){.options = rf_sim_options_make()};
    add_jobs(&run->workload, jobs, n);
    run->options.devices = devices;
    run->options.world = &run->world;
}

static void carry_out(struct run *run, int with_series)
{
    struct rf_series_options options = rf_series_options_make();
    struct rf_error err;

    must(rf_series_create(&run->series, &run->workload, &options, &err), &err);
    run->observer = rf_series_observer(run->series);
    run->options.observers = &run->observer;
    run->options.nobservers = with_series;
    must(rf_sim_run(&run->workload, &run->options, &run->result, &err), &err);
    rf_series_finish(run->series, run->result.state);
    must(rf_sim_summary_make(&run->summary, &run->workload, &run->options, &run->result,
                             with_series ? rf_series_table(run->series) : NULL, &err),
         &err);
}

static void end_run(struct run *run)
{
    rf_sim_summary_clear(&run->summary);
    rf_sim_result_clear(&run->result);
    rf_series_destroy(run->series);
    rf_workload_clear(&run->workload);
}

static const struct rf_sim_account *account_of(const struct run *run, const char *name)
{
    int32_t id = rf_state_find_account(run->result.state, name);

    for (int32_t i = 0; i < run->summary.naccounts; i++)
        if (run->summary.accounts[i].id == id)
            return &run->summary.accounts[i];
    fail_msg("no account '%s'", name);
    return NULL;
}

/* On two devices, first come first served:
 *   1  a.x  from 10 to 110, on 2      waited 0
 *   2  b    from 110 to 130, on 1     waited 90, submitted at 20
 *   3  a.x  from 110 to 310, on 1     waited 80, submitted at 30
 *   4  b    from 130 to 135, on 1     waited 90, submitted at 40 */
static const struct job FOUR[] = {
    {"a.x", 10, 100, 2}, {"b", 20, 20, 1}, {"a.x", 30, 200, 1}, {"b", 40, 5, 1}};

static void waits_slowdowns_and_use_are_those_of_a_schedule_by_hand(void **unused)
{
    (void)unused;
    for (int with_series = 0; with_series < 2; with_series++) {
        struct run run;
        const struct rf_sim_summary *s = &run.summary;

        make_run(&run, FOUR, 4, 2);
        carry_out(&run, with_series);
        assert_int_equal(s->all.jobs, 4);
        assert_int_equal(s->all.finished, 4);
        assert_true(s->all.wait.mean == 65.0 * (double)S);
        assert_true(s->all.wait.p50 == 80 * S && s->all.wait.max == 90 * S);
        /* 1, 110 / 20, 280 / 200, 95 / 10 */
        assert_true(s->all.slowdown.mean == (1000000 + 5500000 + 1400000 + 9500000) / 4.0);
        assert_true(s->all.slowdown.p95 == 9500000);
        assert_true(s->first_submit_us == 10 * S && s->last_end_us == 310 * S);
        assert_true(s->makespan_us == 300 * S);
        assert_true(rf_wide_narrow(s->used_us) == 425 * S &&
                    rf_wide_narrow(s->capacity_us) == 600 * S);
        assert_true(fabs(s->utilization - 425.0 / 600) < 1e-15);
        assert_int_equal(s->pledged.jobs, 0);
        assert_int_equal(s->others.jobs, 4);
        end_run(&run);
    }
}

static void accounts_include_those_below_them(void **unused)
{
    struct run run;

    (void)unused;
    make_run(&run, FOUR, 4, 2);
    carry_out(&run, 1);
    assert_int_equal(run.summary.naccounts, 3);
    assert_true(rf_wide_narrow(account_of(&run, "a")->useful_us) == 400 * S);
    assert_true(rf_wide_narrow(account_of(&run, "a.x")->useful_us) == 400 * S);
    assert_true(account_of(&run, "a")->wait_mean_us == 40.0 * (double)S);
    assert_true(account_of(&run, "b")->wait_mean_us == 90.0 * (double)S);
    assert_int_equal(account_of(&run, "b")->finished, 2);
    assert_true(rf_wide_narrow(account_of(&run, "a")->lost_us) == 0);
    /* a parent stands before its children */
    assert_string_equal(run.result.state->accounts[run.summary.accounts[0].id].name, "a");
    assert_string_equal(run.result.state->accounts[run.summary.accounts[1].id].name, "a.x");
    end_run(&run);
}

static void waits_fall_into_bins_by_group(void **unused)
{
    struct run run;
    int64_t all = 0;

    (void)unused;
    make_run(&run, FOUR, 4, 2);
    carry_out(&run, 1);
    for (int g = 0; g < run.summary.groups.n; g++)
        for (int k = 0; k < RF_WAIT_BINS; k++)
            all += run.summary.wait_bins[g][k];
    assert_int_equal(all, 4);
    assert_int_equal(
        run.summary.wait_bins[rf_groups_find(&run.summary.groups, "b")][rf_wait_bin(90 * S)],
        2);
    assert_int_equal(run.summary.wait_bins[rf_groups_find(&run.summary.groups, "a.x")][0], 1);
    end_run(&run);
}

/* What is cut off at the end has a wait, but no slowdown and no useful work. */
static void jobs_that_do_not_end_are_unfinished(void **unused)
{
    struct run run;

    (void)unused;
    make_run(&run, FOUR, 4, 2);
    run.options.until_us = 210 * S;
    carry_out(&run, 1);
    assert_int_equal(run.summary.all.started, 4);
    assert_int_equal(run.summary.all.finished, 3);
    assert_int_equal(run.summary.all.slowdown.n, 3);
    assert_true(rf_wide_narrow(account_of(&run, "a")->useful_us) == 200 * S);
    assert_true(rf_wide_narrow(account_of(&run, "a")->unfinished_us) == 100 * S);
    assert_true(run.summary.makespan_us == 200 * S);
    end_run(&run);
}

/* The pledged account takes its share back from who borrowed it: that one's work is lost. */
static void parts_tell_the_pledged_from_the_others(void **unused)
{
    static const struct job jobs[] = {
        {"capability", 0, 1000, 4}, {"alignment.eval", 100, 50, 1}, {"alignment", 100, 50, 1}};
    struct rf_change change = {.kind = RF_CHANGE_PLEDGE};
    struct rf_pledge_spec pledge = {.account = "alignment",
                                    .author = "board",
                                    .fence = "floor",
                                    .basis = "fleet",
                                    .reason = "announced",
                                    .share = {1, 2},
                                    .window_us = 600 * S};
    struct rf_sim_outcome outcome;
    struct run run;

    (void)unused;
    make_run(&run, jobs, 3, 4);
    memcpy(run.options.policy.fence, "floor", sizeof "floor");
    run.options.tally = 1;
    run.world =
        (struct rf_world){.changes = &change, .nchanges = 1, .pledges = &pledge, .npledges = 1};
    carry_out(&run, 1);
    assert_int_equal(run.summary.pledged.jobs, 2);
    assert_int_equal(run.summary.others.jobs, 1);
    assert_int_equal(run.summary.preemptions, 1);
    assert_true(rf_wide_narrow(run.summary.pledged.useful_us) == 100 * S);
    assert_true(rf_wide_narrow(account_of(&run, "capability")->useful_us) == 4000 * S);
    assert_true(rf_wide_narrow(account_of(&run, "capability")->lost_us) >= 0);
    assert_true(rf_wide_narrow(run.summary.others.held_us) ==
                4000 * S + rf_wide_narrow(account_of(&run, "capability")->lost_us));
    assert_true(account_of(&run, "alignment.eval")->pledged);
    assert_false(account_of(&run, "capability")->pledged);

    rf_sim_outcome_make(&outcome, &run.options, &run.result, &run.summary);
    assert_string_equal(outcome.fence, "floor");
    assert_true(outcome.share.num == 1 && outcome.share.den == 2);
    assert_true(outcome.pledged.jobs == 2 &&
                rf_wide_narrow(outcome.others.useful_us) == 4000 * S);
    assert_true(rf_wide_narrow(outcome.delivered_us) == 100 * S);
    assert_string_equal(outcome.verdict, rf_verdict_name(run.result.tally->pledges[0].verdict));
    end_run(&run);
}

/* A job that can never run is denied, and that is counted by account and reason. */
static void denials_are_counted_by_account_and_reason(void **unused)
{
    static const struct job jobs[] = {
        {"a", 0, 10, 1}, {"a", 1, 10, 8}, {"b", 2, 30, 9}, {"a", 3, 20, 8}};
    struct run run;
    const struct rf_sim_denial *first = NULL;

    (void)unused;
    make_run(&run, jobs, 4, 4);
    carry_out(&run, 1);
    assert_int_equal(run.summary.all.denied, 3);
    assert_int_equal(run.summary.ndenials, 2);
    first = &run.summary.denials[0];
    assert_string_equal(run.result.state->accounts[first->account].name, "a");
    assert_string_equal(run.result.state->reasons[first->reason], "too-large");
    assert_int_equal(first->count, 2);
    assert_true(first->asked_us == 8.0 * 30 * (double)S);
    assert_int_equal(run.summary.denials[1].count, 1);
    end_run(&run);
}

static void nothing_comes_of_no_jobs(void **unused)
{
    struct run run;

    (void)unused;
    make_run(&run, FOUR, 0, 2);
    carry_out(&run, 1);
    assert_int_equal(run.summary.all.jobs, 0);
    assert_true(isnan(run.summary.all.wait.mean));
    assert_true(isnan(run.summary.utilization));
    assert_true(run.summary.first_submit_us == -1 && run.summary.makespan_us == 0);
    end_run(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_slowdowns_and_use_are_those_of_a_schedule_by_hand),
        cmocka_unit_test(accounts_include_those_below_them),
        cmocka_unit_test(waits_fall_into_bins_by_group),
        cmocka_unit_test(jobs_that_do_not_end_are_unfinished),
        cmocka_unit_test(parts_tell_the_pledged_from_the_others),
        cmocka_unit_test(denials_are_counted_by_account_and_reason),
        cmocka_unit_test(nothing_comes_of_no_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
