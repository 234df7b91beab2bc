/* The part of a run's page that is about weak-to-strong experiments as a study. */
#include "report_run.h"

#include <jansson.h>
#include <math.h>

#include "report/cost.h"
#include "report/figures.h"
#include "report/json.h"
#include "report/study.h"

/* Results as results.json has them, with two rows and two rated jobs. */
static json_t *results_of(const char *reason)
{
    json_t *root = json_pack(
        "{s:i, s:s, s:[{s:s, s:s, s:{s:f, s:f}, s:f, s:[f, f], s:f, s:f, s:f, s:f, "
        "s:[{s:i, s:s, s:s}], s:{s:i, s:i, s:f, s:f}},"
        " {s:s, s:s, s:s}], s:[{s:s, s:s, s:{s:f, s:f}}]}",
        "seed", 5, "config", "0123456789abcdef", "experiments", "name", "one", "loss", "xent",
        "agreement", "supervisor_right", 0.9, "supervisor_wrong", 0.6, "pgr", 0.5, "pgr_ci",
        0.4, 0.7, "weak_parameters", 1e4, "strong_parameters", 2e5, "weak_model_flops", 2e6,
        "strong_model_flops", 7e8, "by_seed", "seed", 5, "job", "one.s0.student-xent", "key",
        "fedcba9876543210ff", "cost", "jobs", 7, "cached", 2, "flops", 3.25e9, "weak_flops",
        1.5e9, "name", "two", "loss", "window", "void", reason, "jobs", "kind", "student",
        "row", "easy", "metrics", "test_rating_1", 900.0, "test_accuracy_1", 0.4);

    assert_non_null(root);
    return root;
}

static char *section_of(const char *reason)
{
    json_t *results = results_of(reason);
    struct rf_report_input in = {.results = results};
    struct rf_text page = {0};
    struct rf_error err;

    must(rf_section_study(&page, &in, &err), &err);
    json_decref(results);
    assert_non_null(page.data);
    return page.data;
}

static void a_bill_counts_jobs_and_what_came_from_the_cache(void **state)
{
    char *page = section_of("the gap is small");

    (void)state;
    assert_non_null(strstr(page, "3.2")); /* 10^9 FLOPs together */
    assert_non_null(strstr(page, "1.5"));
    assert_null(strstr(page, "Not run"));
    assert_null(strstr(page, "href="));
    free(page);
}

static void cells_that_did_not_fit_are_named(void **state)
{
    char *page = section_of("job two.s0.weak is denied: account-device-time");

    (void)state;
    assert_non_null(strstr(page, "Not run, since the budget was used up: two window."));
    free(page);
}

static void figures_say_seed_and_configuration(void **state)
{
    char *page = section_of("");
    const char *figure = strstr(page, "<figcaption");

    (void)state;
    if (figure == NULL) { /* no gnuplot */
        free(page);
        skip();
    }
    assert_non_null(strstr(figure, "Seed 5"));
    assert_non_null(strstr(figure, "0123456789abcdef"));
    free(page);
}

/* Two rows that share a supervisor: each bill has it, once. */
static void shared_jobs_are_in_the_bill_of_each_row_once(void **state)
{
    struct rf_planned_job jobs[4] = {
        {.role = RF_ROLE_PRETRAIN, .init_job = -1, .label_job = -1},
        {.role = RF_ROLE_WEAK, .init_job = -1, .label_job = -1},
        {.role = RF_ROLE_STUDENT, .init_job = 0, .label_job = 1},
        {.role = RF_ROLE_CEILING, .init_job = 0, .label_job = -1}};
    struct rf_job_plan plan = {.jobs = jobs, .njobs = 4};
    struct rf_job_result results[4] = {{.kind = ""}, {.kind = ""}, {.kind = ""}, {.kind = ""}};
    const int32_t wanted[] = {1, 2, 3, 2, -1};
    struct rf_state nothing = {.njobs = 0};
    struct rf_row_cost cost;
    struct rf_error err;

    (void)state;
    for (int i = 0; i < 4; i++)
        rf_metrics_add(&results[i].metrics, "model_flops", 1 << i);
    rf_metrics_add(&results[0].metrics, "cached", 1);
    must(rf_row_cost(&plan, &nothing, results, wanted, 5, &cost, &err), &err);
    assert_int_equal(cost.jobs, 4);
    assert_int_equal(cost.cached, 1);
    assert_true(cost.flops == 15 && cost.pretrain_flops == 1 && cost.weak_flops == 2 &&
                cost.student_flops == 4 && cost.ceiling_flops == 8);
}

static void each_repeat_of_a_cell_is_named_with_its_seed_and_key(void **state)
{
    char *page = section_of("the gap is small");

    (void)state;
    assert_non_null(strstr(page, "one.s0.student-xent"));
    assert_non_null(strstr(page, ">fedcba9876543210"));
    assert_null(strstr(page, "fedcba9876543210f"));
    free(page);
}

static void points_are_set_against_what_the_models_were_made_with(void **state)
{
    json_t *results = results_of(""), *list, *other;
    struct rf_error err;
    char *svg = NULL;

    (void)state;
    list = json_object_get(results, "experiments");
    other = json_deep_copy(json_array_get(list, 0));
    json_object_set_new(other, "name", json_string("larger"));
    json_object_set_new(other, "strong_model_flops", json_real(2.2e10));
    json_array_append_new(list, other);
    must(rf_figure_pgr_by_compute(list, &svg, &err), &err);
    json_decref(results);
    if (svg == NULL) /* no gnuplot */
        skip();
    assert_non_null(strstr(svg, "350,"));    /* 7e8 / 2e6, in the numbers behind the figure */
    assert_non_null(strstr(svg, ",11000,")); /* 2.2e10 / 2e6 */
    assert_non_null(strstr(svg, "one xent"));
    assert_non_null(strstr(svg, "larger xent"));
    free(svg);
}

/* Of many rows each is named in full and has a line of its own; early stopping and what is void are left to
 * the table. */
static void many_rows_stand_one_below_the_other(void **state)
{
    json_t *rows = json_array();
    struct rf_error err;
    char name[32], *svg = NULL, *gaps = NULL;

    (void)state;
    for (int i = 0; i < 20; i++) {
        json_t *row;

        snprintf(name, sizeof name, "cell-%d", i);
        row = json_pack("{s:s, s:s, s:f, s:f, s:f, s:i}", "name", name, "loss",
                        i == 7 ? "xent+oracle" : "xent", "weak", 0.6, "student", 0.7, "ceiling",
                        0.8, "test_items", 100);
        if (i != 9)
            json_object_set_new(row, "pgr", json_real(0.5));
        json_object_set_new(row, "pgr_ci", json_pack("[f, f]", 0.25, 0.75));
        json_array_append_new(rows, row);
    }
    must(rf_figure_accuracy(rows, &svg, &err), &err);
    must(rf_figure_pgr(rows, &gaps, &err), &err);
    json_decref(rows);
    if (svg == NULL || gaps == NULL) /* no gnuplot */
        skip();
    assert_non_null(strstr(svg, ">cell-19 xent<"));
    assert_non_null(strstr(svg, ">cell-9 xent<"));
    assert_null(strstr(svg, "cell-7 "));
    assert_non_null(strstr(gaps, ">cell-19 xent<"));
    assert_null(strstr(gaps, "cell-9 "));
    free(svg);
    free(gaps);
}

/* The median is over what is not void; one void of three cells, two of one task. */
static void medians_leave_void_cells_out(void **state)
{
    json_t *results = json_pack(
        "{s:i, s:s, s:[{s:s, s:s, s:s, s:f}, {s:s, s:s, s:s, s:f}, {s:s, s:s, s:s, s:n}, "
        "{s:s, s:s, s:s, s:f}]}",
        "seed", 5, "config", "0", "experiments", "name", "a", "loss", "xent", "task", "t",
        "pgr", 0.25, "name", "b", "loss", "xent", "task", "t", "pgr", 0.5, "name", "c", "loss",
        "xent", "task", "u", "pgr", "name", "d", "loss", "xent", "task", "v", "pgr", -0.75);
    struct rf_report_input in = {.results = results};
    struct rf_text page = {0};
    struct rf_error err;
    static const char *const cells[] = {">3<", ">4<", ">1<", ">0.25<", "0.75<", ">0.50"};
    const char *row;

    (void)state;
    must(rf_section_study(&page, &in, &err), &err);
    json_decref(results);
    row = strstr(page.data, "Gap recovered over all cells");
    assert_non_null(row);
    row = strstr(row, ">xent<");
    assert_non_null(row);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        row = strstr(row, cells[i]);
        if (row == NULL)
            fail_msg("no cell %s in its place", cells[i]);
    }
    rf_text_clear(&page);
}

/* A model is charged for what it started from, not for the labels it learned. */
static void a_model_costs_what_it_started_from(void **state)
{
    struct rf_planned_job jobs[3] = {
        {.role = RF_ROLE_PRETRAIN, .init_job = -1, .label_job = -1},
        {.role = RF_ROLE_WEAK, .init_job = -1, .label_job = -1},
        {.role = RF_ROLE_STUDENT, .init_job = 0, .label_job = 1}};
    struct rf_job_plan plan = {.jobs = jobs, .njobs = 3};
    struct rf_job_result results[3] = {{.kind = ""}, {.kind = ""}, {.kind = ""}};
    struct rf_state nothing = {.njobs = 0};

    (void)state;
    for (int i = 0; i < 3; i++)
        rf_metrics_add(&results[i].metrics, "model_flops", 1 << i);
    assert_true(rf_model_cost(&plan, &nothing, results, 2) == 5);
    assert_true(rf_model_cost(&plan, &nothing, results, 1) == 2);
    assert_true(isnan(rf_model_cost(&plan, &nothing, results, -1)));
    results[0].metrics.n = 0;
    assert_true(isnan(rf_model_cost(&plan, &nothing, results, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bill_counts_jobs_and_what_came_from_the_cache),
        cmocka_unit_test(cells_that_did_not_fit_are_named),
        cmocka_unit_test(figures_say_seed_and_configuration),
        cmocka_unit_test(shared_jobs_are_in_the_bill_of_each_row_once),
        cmocka_unit_test(each_repeat_of_a_cell_is_named_with_its_seed_and_key),
        cmocka_unit_test(points_are_set_against_what_the_models_were_made_with),
        cmocka_unit_test(many_rows_stand_one_below_the_other),
        cmocka_unit_test(medians_leave_void_cells_out),
        cmocka_unit_test(a_model_costs_what_it_started_from),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
