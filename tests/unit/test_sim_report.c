/* What a simulation leaves behind: results, csv files, a time line, the page made of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "report/duration.h"
#include "report/html.h"
#include "report/json.h"
#include "report/sim_outcome.h"
#include "report/sim_results.h"
#include "report/sim_series.h"
#include "report/sim_trace.h"

static const int64_t S = 1000000;

/* A fifth of ten devices is promised, borrowed, taken back, and one request is too large; after
 * an hour the promise is halved. */
struct demo {
    char dir[64];
    struct rf_workload workload;
    struct rf_change changes[2];
    struct rf_pledge_spec pledges[2];
    struct rf_world world;
    struct rf_sim_options options;
    struct rf_sim_result result;
    struct rf_series *series;
    struct rf_books *books;
    struct rf_definition_options definition_options;
    struct rf_definitions *definitions;
    struct rf_spans spans;
    struct rf_observer observers[3];
    struct rf_sim_summary summary;
    struct rf_sim_results results;
};

static void must(enum rf_status st, const struct rf_error *err)
{
    if (st != RF_OK)
        fail_msg("%s", err->text);
}

static void make_jobs(struct rf_workload *w)
{
    enum { N = 60 };
    struct rf_error err;

    must(rf_workload_create(w, N, &err), &err);
    for (int64_t i = 0; i < N; i++) {
        const char *account = i % 5 == 2 ? "alignment.eval" : "capability";

        w->submit_us[i] = i * 150 * S;
        w->run_us[i] = (400 + i % 7 * 250) * S;
        w->limit_us[i] = 2 * w->run_us[i];
        w->min[i] = i == 40 ? 11 : 1 + (int32_t)(i % 4);
        must(rf_workload_account(w, account, &w->account[i], &err), &err);
    }
    snprintf(w->source, sizeof w->source, "sixty <jobs>");
}

static void make_world(struct demo *demo)
{
    const struct rf_pledge_spec pledge = {.account = "alignment",
                                          .author = "board",
                                          .fence = "floor",
                                          .basis = "fleet",
                                          .reason = "announced",
                                          .share = {1, 5},
                                          .window_us = 1800 * S,
                                          .tolerance_us = S};

    demo->pledges[0] = demo->pledges[1] = pledge;
    demo->pledges[1].share = (struct rf_share){1, 10};
    demo->changes[0] = (struct rf_change){.kind = RF_CHANGE_PLEDGE};
    demo->changes[1] =
        (struct rf_change){.t_us = 3600 * S, .kind = RF_CHANGE_PLEDGE, .index = 1};
    demo->world = (struct rf_world){
        .changes = demo->changes, .nchanges = 2, .pledges = demo->pledges, .npledges = 2};
}

static void watch(struct demo *demo)
{
    struct rf_series_options options = rf_series_options_make();
    struct rf_error err;

    demo->definition_options = rf_definition_options_make();
    must(rf_series_create(&demo->series, &demo->workload, &options, &err), &err);
    must(rf_books_create(&demo->books, &err), &err);
    must(rf_series_attach(demo->series, demo->books, &err), &err);
    must(rf_definitions_create(&demo->definitions, &demo->definition_options, &err), &err);
    demo->observers[0] = rf_series_observer(demo->series);
    demo->observers[1] = rf_definitions_observer(demo->definitions);
    demo->observers[2] = rf_spans_observer(&demo->spans);
    demo->options.observers = demo->observers;
    demo->options.nobservers = 3;
    demo->options.books = demo->books;
}

static int setup(void **state)
{
    struct demo *demo = calloc(1, sizeof *demo);
    struct rf_error err;

    assert_non_null(demo);
    snprintf(demo->dir, sizeof demo->dir, "/tmp/rf-sim-report.XXXXXX");
    assert_non_null(mkdtemp(demo->dir));
    demo->options = rf_sim_options_make();
    demo->options.devices = 10;
    demo->options.policy.checkpoint_us = 5 * S;
    demo->options.policy.restart_us = 7 * S;
    demo->options.grace_us = 30 * S;
    demo->options.tally = 1;
    demo->options.world = &demo->world;
    memcpy(demo->options.policy.order, "easy", sizeof "easy");
    memcpy(demo->options.policy.fence, "floor", sizeof "floor");
    make_jobs(&demo->workload);
    make_world(demo);
    watch(demo);
    must(rf_sim_run(&demo->workload, &demo->options, &demo->result, &err), &err);
    rf_series_finish(demo->series, demo->result.state);
    must(rf_definitions_judge(demo->definitions, demo->result.state, &err), &err);
    must(rf_sim_summary_make(&demo->summary, &demo->workload, &demo->options, &demo->result,
                             rf_series_table(demo->series), &err),
         &err);
    demo->results = (struct rf_sim_results){.name = "demo",
                                            .about = "a small one",
                                            .version = "0.1.0",
                                            .wall_s = 0.5,
                                            .workload = &demo->workload,
                                            .options = &demo->options,
                                            .result = &demo->result,
                                            .summary = &demo->summary,
                                            .series = rf_series_table(demo->series),
                                            .definitions = demo->definitions,
                                            .definition_options = &demo->definition_options,
                                            .books = demo->books};
    *state = demo;
    return 0;
}

static int teardown(void **state)
{
    struct demo *demo = *state;

    rf_sim_summary_clear(&demo->summary);
    rf_sim_result_clear(&demo->result);
    rf_definitions_destroy(demo->definitions);
    rf_series_destroy(demo->series);
    rf_books_destroy(demo->books);
    rf_spans_clear(&demo->spans);
    rf_workload_clear(&demo->workload);
    must(rf_file_remove_tree(demo->dir, NULL), &(struct rf_error){RF_OK, ""});
    free(demo);
    return 0;
}

static char *read_file(const struct demo *demo, const char *name)
{
    char path[128], *text = NULL;
    size_t size;
    struct rf_error err;

    snprintf(path, sizeof path, "%s/%s", demo->dir, name);
    must(rf_file_read(path, (size_t)1 << 24, &text, &size, &err), &err);
    return text;
}

static json_t *results_of(const struct demo *demo)
{
    char *text = NULL;
    json_t *root;
    struct rf_error err;

    must(rf_sim_results_json(&demo->results, &text, &err), &err);
    root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    assert_non_null(root);
    return root;
}

/* ---- results.json ---- */

static void has_keys(const json_t *object, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        if (json_object_get(object, *keys) == NULL)
            fail_msg("no key '%s'", *keys);
}

static void results_have_the_keys_that_others_rely_on(void **state)
{
    static const char *const root_keys[] = {
        "command",    "version",     "seed",        "wall_s",     "policy",
        "trace",      "jobs",        "events",      "makespan_s", "accounts",
        "pledges",    "utilization", "definitions", "wait_s",     "bounded_slowdown",
        "jobs_per_s", NULL};
    static const char *const policy[] = {"order", "fence", NULL};
    static const char *const wait[] = {"mean", "p50", "p95", "p99", "max", NULL};
    static const char *const slowdown[] = {"mean", "p95", NULL};
    static const char *const account[] = {"name",     "jobs",  "denied",      "preempted",
                                          "device_s", "share", "wait_mean_s", NULL};
    static const char *const pledge[] = {"account",
                                         "share",
                                         "basis",
                                         "verdict",
                                         "delivered_share",
                                         "entitled_device_s",
                                         "demanded_device_s",
                                         "delivered_device_s",
                                         "shortfall_device_s",
                                         "windows",
                                         NULL};
    json_t *root = results_of(*state);

    has_keys(root, root_keys);
    assert_string_equal(rf_json_text(root, "command"), "simulate");
    has_keys(json_object_get(root, "policy"), policy);
    has_keys(json_object_get(root, "wait_s"), wait);
    has_keys(json_object_get(root, "bounded_slowdown"), slowdown);
    assert_int_equal(json_array_size(rf_json_list(root, "accounts")), 3);
    has_keys(json_array_get(rf_json_list(root, "accounts"), 0), account);
    assert_int_equal(json_array_size(rf_json_list(root, "pledges")), 2);
    has_keys(json_array_get(rf_json_list(root, "pledges"), 0), pledge);
    assert_int_equal(json_array_size(rf_json_list(root, "definitions")), 2 * RF_DEFINITION_N);
    json_decref(root);
}

static void the_books_in_the_results_add_up(void **state)
{
    static const char *const parts[] = {"own_device_s",       "lent_device_s",
                                        "overhead_device_s",  "idle_reserved_device_s",
                                        "idle_free_device_s", "down_device_s"};
    json_t *root = results_of(*state);
    const json_t *books = json_object_get(root, "books");
    double sum = 0;

    for (size_t i = 0; i < 6; i++)
        sum += rf_json_number(books, parts[i]);
    assert_true(fabs(sum - rf_json_number(books, "installed_device_s")) < 1e-6);
    assert_true(rf_json_number(books, "lent_device_s") > 0);
    assert_true(rf_json_number(books, "overhead_device_s") > 0);
    json_decref(root);
}

static void denials_carry_account_and_reason(void **state)
{
    json_t *root = results_of(*state);
    const json_t *denial = json_array_get(rf_json_list(root, "denials"), 0);

    assert_int_equal(rf_json_number(root, "denied"), 1);
    assert_string_equal(rf_json_text(denial, "account"), "capability");
    assert_string_equal(rf_json_text(denial, "reason"), "too-large");
    assert_int_equal(rf_json_number(denial, "asked_device_s"), 11 * 2 * (400 + 40 % 7 * 250));
    json_decref(root);
}

/* ---- csv files ---- */

static void every_job_has_its_row(void **state)
{
    struct demo *demo = *state;
    char path[128], *text;
    struct rf_error err;
    int lines = 0;

    snprintf(path, sizeof path, "%s/jobs.csv", demo->dir);
    must(rf_sim_jobs_csv(&demo->results, path, &err), &err);
    text = read_file(demo, "jobs.csv");
    for (const char *at = text; *at != '\0'; at++)
        lines += *at == '\n';
    assert_int_equal(lines, 61);
    assert_non_null(strstr(text, "id,account,submit,start,end,procs,wait,preemptions,state,"
                                 "reason\n1,capability,0,0,400,1,0,0,done,"));
    assert_non_null(strstr(text, "\n41,capability,6000,,,11,,0,denied,too-large\n"));
    free(text);
}

static void the_series_comes_back_as_it_was_written(void **state)
{
    struct demo *demo = *state;
    const struct rf_series_table *table = rf_series_table(demo->series);
    struct rf_curves curves;
    char path[128];
    struct rf_error err;

    snprintf(path, sizeof path, "%s/series.csv", demo->dir);
    must(rf_sim_series_csv(table, path, &err), &err);
    must(rf_curves_read(&curves, path, &err), &err);
    assert_int_equal(curves.n, table->nsteps);
    assert_int_equal(curves.ncolumns, table->ncolumns);
    for (int c = 0; c < table->ncolumns; c++) {
        assert_string_equal(curves.names[c], table->columns[c].name);
        for (int k = 0; k < table->nsteps; k++) {
            double is = rf_curves_find(&curves, curves.names[c])[k];

            assert_true(fabs(is - rf_series_value(table, &table->columns[c], k)) <=
                        1e-9 * fabs(is));
        }
    }
    assert_true(curves.t_s[curves.n] == (double)demo->result.state->now_us / 1e6);
    rf_curves_clear(&curves);
}

static void what_is_no_series_is_refused_with_its_line(void **unused)
{
    static const struct {
        const char *text, *words;
    } bad[] = {{"", "x.csv:1: not a time series"},
               {"t_s,length_s", "x.csv:1: not a time series"},
               {"t_s,length_sup\n", "x.csv:1: not a time series"},
               {"t_s,length_s,\n0,1,2\n", "x.csv:1: a column without"},
               {"t_s,length_s,up\n0,1\n", "x.csv:2:"},
               {"t_s,length_s,up\n0,1,2,3\n", "x.csv:2:"},
               {"t_s,length_s,up\n0,1,2\n1,0,2\n", "x.csv:3:"},
               {"t_s,length_s,up\n0,1,2\n0,1,2\n", "x.csv:3:"},
               {"t_s,length_s,up\n0,1,nan\n", "x.csv:2:"},
               {"t_s,length_s,up\n0,1, 2\n", "x.csv:2:"},
               {"t_s,length_s,up\n0,1,1e999\n", "x.csv:2:"},
               {"t_s,length_s,up\n\n", "x.csv:2:"}};

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rf_curves curves;
        struct rf_error err = {RF_OK, ""};

        assert_int_equal(rf_curves_parse(&curves, bad[i].text, "x.csv", &err), RF_ERR_INPUT);
        if (strncmp(err.text, bad[i].words, strlen(bad[i].words)) != 0)
            fail_msg("'%s' gives '%s'", bad[i].text, err.text);
        rf_curves_clear(&curves);
    }
}

static void fewer_steps_keep_the_sums(void **unused)
{
    struct rf_curves curves, thin;
    struct rf_error err;
    char text[4096] = "t_s,length_s,up,denied:x\n";
    double levels = 0, counts = 0, thin_levels = 0, thin_counts = 0;

    (void)unused;
    for (int k = 0; k < 37; k++)
        snprintf(text + strlen(text), 64, "%d,%d,%d,%d\n", 10 * k, k == 36 ? 3 : 10, k * k, k);
    must(rf_curves_parse(&curves, text, "x.csv", &err), &err);
    must(rf_curves_thin(&thin, &curves, 8, &err), &err);
    assert_true(thin.n <= 8 && thin.n > 1);
    assert_true(thin.t_s[0] == 0 && thin.t_s[thin.n] == 363);
    for (int k = 0; k < curves.n; k++) {
        levels += rf_curves_find(&curves, "up")[k] * (curves.t_s[k + 1] - curves.t_s[k]);
        counts += rf_curves_find(&curves, "denied:x")[k];
    }
    for (int k = 0; k < thin.n; k++) {
        thin_levels += rf_curves_find(&thin, "up")[k] * (thin.t_s[k + 1] - thin.t_s[k]);
        thin_counts += rf_curves_find(&thin, "denied:x")[k];
    }
    assert_true(fabs(levels - thin_levels) < 1e-6);
    assert_true(counts == thin_counts);
    rf_curves_clear(&curves);
    rf_curves_clear(&thin);
}

/* ---- the time line ---- */

/* No two slices of one row overlap, and together they are what jobs held. */
static void slices_of_the_time_line_are_what_jobs_held(void **state)
{
    struct demo *demo = *state;
    char path[128], *text;
    double until[8][64] = {{0}}, held = 0;
    int slices = 0, counters = 0;
    const json_t *events;
    struct rf_error err;
    json_t *root;

    snprintf(path, sizeof path, "%s/trace.json", demo->dir);
    must(rf_sim_trace_write(&demo->results, &demo->spans, path, &err), &err);
    text = read_file(demo, "trace.json");
    root = json_loads(text, 0, NULL);
    free(text);
    events = rf_json_list(root, "traceEvents");
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        int pid = (int)rf_json_number(event, "pid"), tid = (int)rf_json_number(event, "tid");
        double ts = rf_json_number(event, "ts"), dur = rf_json_number(event, "dur");

        counters += strcmp(rf_json_text(event, "ph"), "C") == 0;
        if (strcmp(rf_json_text(event, "ph"), "X") != 0)
            continue;
        assert_true(pid > 0 && pid < 8 && tid > 0 && tid < 64);
        assert_true(ts >= until[pid][tid]);
        until[pid][tid] = ts + dur;
        held += dur * rf_json_number(json_object_get(event, "args"), "devices");
        slices++;
    }
    assert_true(slices == 59 + (int)demo->result.preemptions && counters > 0);
    assert_true(held == (double)rf_wide_narrow(demo->summary.used_us));
    json_decref(root);
}

/* ---- rows of an ensemble ---- */

static void a_row_comes_back_as_it_was(void **state)
{
    struct demo *demo = *state;
    struct rf_sim_outcome outcome, again;
    struct rf_build build = {0};
    struct rf_error err;
    json_t *row;

    rf_sim_outcome_make(&outcome, &demo->options, &demo->result, &demo->summary);
    snprintf(outcome.scenario, sizeof outcome.scenario, "demo");
    row = rf_sim_outcome_json(&build, &outcome);
    assert_false(build.failed);
    must(rf_sim_outcome_read(&again, row, &err), &err);
    assert_string_equal(again.scenario, "demo");
    assert_string_equal(again.verdict, outcome.verdict);
    assert_true(again.share.num == 1 && again.share.den == 5);
    assert_true(again.pledged.wait_mean_us == outcome.pledged.wait_mean_us);
    assert_true(again.others.slowdown_p95 == outcome.others.slowdown_p95);
    assert_memory_equal(&again.all, &outcome.all, sizeof again.all);
    assert_true(rf_wide_narrow(again.shortfall_us) == rf_wide_narrow(outcome.shortfall_us));

    json_object_set_new(json_object_get(row, "pledged"), "denied", json_string("3"));
    assert_int_equal(rf_sim_outcome_read(&again, row, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "'denied'"));
    json_object_del(row, "pledged");
    assert_int_equal(rf_sim_outcome_read(&again, row, &err), RF_ERR_INPUT);
    json_decref(row);
}

/* ---- what people see ---- */

static void the_summary_fits_the_terminal(void **state)
{
    struct demo *demo = *state;
    char *text = NULL;
    size_t size = 0, column = 0;
    FILE *out = open_memstream(&text, &size);
    struct rf_error err;

    assert_non_null(out);
    must(rf_sim_results_print(&demo->results, "runs/demo", out, &err), &err);
    fclose(out);
    for (size_t i = 0; i < size; i++) {
        assert_true(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
        column = text[i] == '\n' ? 0 : column + 1;
        assert_true(column <= 80);
    }
    assert_non_null(strstr(text, "59 done, 1 denied"));
    assert_non_null(strstr(text, "alignment, 1/5 of the fleet: "));
    assert_non_null(strstr(text, "FLOW(pledge)"));
    assert_non_null(strstr(text, "capability: 1 (too-large)"));
    assert_non_null(strstr(text, "report  runs/demo/report.html"));
    free(text);
}

static void lengths_of_time_read_well(void **unused)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0 s"},         {0.25, "0.25 s"},        {100, "100 s"},
                 {600, "10 min"},    {7199, "120 min"},       {9000, "2.5 h"},
                 {200000, "2.31 d"}, {86400. * 400, "400 d"}, {86400 * 365.25 * 4, "4 y"},
                 {(double)NAN, "-"}};
    char text[RF_DURATION_BYTES];
    double unit_s;

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(rf_duration_text(text, cases[i].seconds), cases[i].text);
    assert_string_equal(rf_count_text(text, 1234567), "1 234 567");
    assert_string_equal(rf_count_text(text, -1000), "-1 000");
    assert_string_equal(rf_count_text(text, 12), "12");
    assert_string_equal(rf_duration_unit(86400. * 30, &unit_s), "days");
    assert_true(unit_s == 86400);
}

/* ---- the page ---- */

static void lacks(const char *page, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strstr(page, *words) != NULL)
            fail_msg("the page holds '%s'", *words);
}

static void the_page_is_made_from_the_files_alone(void **state)
{
    static const char *const never[] = {"<script", "http:", "https:", "src=", "<jobs>", NULL};
    static const char *const headings[] = {"Was the promise kept?",
                                           "The same promise under each definition of it",
                                           "Who had the devices?",
                                           "Where did the device-time go?",
                                           "Who had to wait?",
                                           "Who was turned down, and why?",
                                           "sixty &lt;jobs&gt;",
                                           "as changed later",
                                           "idle, reserved for a pledge",
                                           "results.json and series.csv"};
    struct demo *demo = *state;
    char *page, path[128];
    struct rf_error err;

    must(rf_sim_results_write(&demo->results, demo->dir, &err), &err);
    must(rf_report_write(demo->dir, &err), &err);
    page = read_file(demo, "report.html");
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
        if (strstr(page, headings[i]) == NULL)
            fail_msg("the page lacks '%s'", headings[i]);
    assert_non_null(strstr(page, "</html>"));
    lacks(page, never);
    free(page);

    /* without the series the figures over time are missing, and nothing else */
    snprintf(path, sizeof path, "%s/series.csv", demo->dir);
    assert_int_equal(unlink(path), 0);
    must(rf_report_write(demo->dir, &err), &err);
    page = read_file(demo, "report.html");
    assert_non_null(strstr(page, "Where did the device-time go?"));
    assert_null(strstr(page, "series.csv"));
    free(page);
}

static void write_results(const struct demo *demo, const char *text)
{
    char path[128];
    struct rf_error err;

    snprintf(path, sizeof path, "%s/results.json", demo->dir);
    must(rf_file_write(path, text, strlen(text), &err), &err);
}

static void the_page_of_an_ensemble_shows_the_sweep(void **state)
{
    struct demo *demo = *state;
    struct rf_sim_outcome outcome;
    struct rf_build build = {0};
    json_t *root = json_pack("{s:s, s:s, s:s, s:[]}", "command", "simulate", "run", "sweep",
                             "version", "0.1.0", "cells");
    char *text, *page;
    struct rf_error err;

    rf_sim_outcome_make(&outcome, &demo->options, &demo->result, &demo->summary);
    for (int i = 0; i < 4; i++) {
        outcome.share = (struct rf_share){1 + i / 2, 10};
        outcome.seed = i % 2;
        snprintf(outcome.failed, sizeof outcome.failed, "%s", i == 3 ? "out of <luck>" : "");
        json_array_append_new(json_object_get(root, "cells"),
                              rf_sim_outcome_json(&build, &outcome));
    }
    must(rf_build_dump(&build, root, &text, &err), &err);
    write_results(demo, text);
    must(rf_report_write(demo->dir, &err), &err);
    page = read_file(demo, "report.html");
    assert_non_null(strstr(page, "What does the promise deliver"));
    assert_non_null(strstr(page, "10.0 %"));
    assert_non_null(strstr(page, "out of &lt;luck&gt;"));
    assert_null(strstr(page, "Was the promise kept?"));
    free(page);
    free(text);
    json_decref(root);
}

/* Whatever stands in results.json, there is a page or a message. */
static void strange_results_make_a_page_with_dashes(void **state)
{
    static const char *const texts[] = {
        "{\"command\":\"simulate\"}",
        ("{\"command\":\"simulate\",\"pledges\":[1,\"x\",{}],\"definitions\":[null,{\"first_"
         "breach\":3}],\"paces\":[{\"samples\":[[1],[],[\"x\",2,3]]}],\"books\":{},"
         "\"accounts\":"
         "[[]],\"denials\":[{}],\"delays\":7,\"wait_histogram\":{\"groups\":[{\"jobs\":[1,2]},"
         "4]}"
         ",\"schedule_digest\":\"x\",\"ledger\":{}}"),
        "{\"command\":\"simulate\",\"comparisons\":[{},1],\"cells\":[{},3,{\"share\":\"9/"
        "0\"}]}"};
    static const char *const no_number[] = {">nan", " nan", "-nan", ">inf", " inf", NULL};
    struct demo *demo = *state;
    struct rf_error err;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *page;

        write_results(demo, texts[i]);
        must(rf_report_write(demo->dir, &err), &err);
        page = read_file(demo, "report.html");
        assert_non_null(strstr(page, "</html>"));
        lacks(page, no_number);
        free(page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_have_the_keys_that_others_rely_on),
        cmocka_unit_test(the_books_in_the_results_add_up),
        cmocka_unit_test(denials_carry_account_and_reason),
        cmocka_unit_test(every_job_has_its_row),
        cmocka_unit_test(the_series_comes_back_as_it_was_written),
        cmocka_unit_test(what_is_no_series_is_refused_with_its_line),
        cmocka_unit_test(fewer_steps_keep_the_sums),
        cmocka_unit_test(slices_of_the_time_line_are_what_jobs_held),
        cmocka_unit_test(a_row_comes_back_as_it_was),
        cmocka_unit_test(the_summary_fits_the_terminal),
        cmocka_unit_test(lengths_of_time_read_well),
        cmocka_unit_test(the_page_is_made_from_the_files_alone),
        cmocka_unit_test(the_page_of_an_ensemble_shows_the_sweep),
        cmocka_unit_test(strange_results_make_a_page_with_dashes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
