#include "report/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/json.h"
#include "report/markup.h"

enum { MOST_ROWS = 400, CAPTION_BYTES = 700 };
#define POINTS " The numbers behind the figure name each point's cell and its seeds."

/* A figure with what it was made with beside it. */
static void add_figure(struct rf_text *page, struct rf_report_input *in, char *svg,
                       const char *what)
{
    char caption[CAPTION_BYTES];

    snprintf(caption, sizeof caption,
             "%s Seed %.0f and, for repeats, those after it; configuration config.cfg, SHA-256 "
             "%.16s...",
             what, rf_json_number(in->results, "seed"), rf_json_text(in->results, "config"));
    rf_markup_figure(page, svg, caption);
    in->plots |= svg != NULL;
    free(svg);
}

static int did_not_fit(const json_t *experiment)
{
    const char *reason = rf_json_text(experiment, "void");

    return strstr(reason, "account-device-time") != NULL ||
           strstr(reason, "account-flops") != NULL;
}

static void add_cost(struct rf_text *page, const json_t *cost, const char *key)
{
    rf_markup_number(page, rf_json_number(cost, key) / 1e9, 1, "");
}

static void add_bill(struct rf_text *page, const json_t *experiments)
{
    static const char *const headings[] = {"experiment", "student", "jobs",     "from cache",
                                           "pretrained", "weak",    "students", "ceiling",
                                           "together",   "device-s"};

    rf_markup_table(page,
                    "What each row has cost, as if it had been done alone: supervisors, "
                    "students, ceilings of all repeats and what they started from, each job "
                    "once, in 10^9 model FLOPs; and the device-seconds that this run charged "
                    "for them",
                    "llrrrrrrrr", headings);
    for (size_t i = 0; i < json_array_size(experiments) && i < MOST_ROWS; i++) {
        const json_t *experiment = json_array_get(experiments, i);
        const json_t *cost = json_object_get(experiment, "cost");

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(experiment, "name"));
        rf_markup_cell(page, rf_json_text(experiment, "loss"));
        rf_markup_number(page, rf_json_number(cost, "jobs"), 0, "");
        rf_markup_number(page, rf_json_number(cost, "cached"), 0, "");
        add_cost(page, cost, "pretrain_flops");
        add_cost(page, cost, "weak_flops");
        add_cost(page, cost, "student_flops");
        add_cost(page, cost, "ceiling_flops");
        add_cost(page, cost, "flops");
        rf_markup_number(page, rf_json_number(cost, "device_s"), 1, "");
    }
    rf_markup_end(page);
}

/* ---- medians */

enum { MOST_METHODS = 64 };

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median_of(double *x, size_t n)
{
    if (n == 0)
        return NAN;
    qsort(x, n, sizeof *x, compare);
    return n % 2 == 1 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

/* Is this experiment the first one with its task among those of a row? */
static int is_new_task(const json_t *experiments, size_t i, const char *loss)
{
    const char *task = rf_json_text(json_array_get(experiments, i), "task");

    for (size_t k = 0; k < i; k++) {
        const json_t *other = json_array_get(experiments, k);

        if (strcmp(rf_json_text(other, "loss"), loss) == 0 &&
            strcmp(rf_json_text(other, "task"), task) == 0)
            return 0;
    }
    return 1;
}

/* One row of students over all cells: how many of them have a gap, and what is recovered of it. */
static void add_median(struct rf_text *page, const json_t *experiments, const char *loss,
                       double *pgr)
{
    size_t cells = 0, n = 0;
    int tasks = 0;

    for (size_t i = 0; i < json_array_size(experiments); i++) {
        const json_t *experiment = json_array_get(experiments, i);

        if (strcmp(rf_json_text(experiment, "loss"), loss) != 0)
            continue;
        cells++;
        tasks += is_new_task(experiments, i, loss);
        pgr[n] = rf_json_number(experiment, "pgr");
        n += isfinite(pgr[n]) != 0;
    }
    rf_markup_row(page);
    rf_markup_cell(page, loss);
    rf_markup_number(page, tasks, 0, "");
    rf_markup_number(page, (double)cells, 0, "");
    rf_markup_number(page, (double)(cells - n), 0, "");
    rf_markup_number(page, median_of(pgr, n), 2, "");
    rf_markup_number(page, n > 0 ? pgr[0] : NAN, 2, "");
    rf_markup_number(page, n > 0 ? pgr[n - 1] : NAN, 2, "");
}

/* Nothing without memory, as without experiments. */
static void add_medians(struct rf_text *page, const json_t *experiments)
{
    static const char *const headings[] = {"student", "tasks",    "cells",  "void",
                                           "median",  "smallest", "largest"};
    size_t n = json_array_size(experiments);
    double *pgr = malloc((n + 1) * sizeof *pgr);
    int rows = 0;

    if (pgr == NULL)
        return;
    rf_markup_table(page,
                    "Gap recovered over all cells with a student of this kind: the median of "
                    "those that are not void, and the ends",
                    "lrrrrrr", headings);
    for (size_t i = 0; i < n && rows < MOST_METHODS; i++) {
        const char *loss = rf_json_text(json_array_get(experiments, i), "loss");
        size_t k = 0;

        while (strcmp(rf_json_text(json_array_get(experiments, k), "loss"), loss) != 0)
            k++;
        if (k == i) {
            add_median(page, experiments, loss, pgr);
            rows++;
        }
    }
    rf_markup_end(page);
    free(pgr);
}

/* ---- what was run, exactly */

static void add_seed(struct rf_text *page, const json_t *experiment, const json_t *repeat)
{
    char key[20];

    rf_markup_row(page);
    rf_markup_cell(page, rf_json_text(experiment, "name"));
    rf_markup_cell(page, rf_json_text(experiment, "loss"));
    rf_markup_number(page, rf_json_number(repeat, "seed"), 0, "");
    rf_markup_cell(page, rf_json_text(repeat, "job"));
    rf_markup_number(page, rf_json_number(repeat, "weak"), 3, "");
    rf_markup_number(page, rf_json_number(repeat, "student"), 3, "");
    rf_markup_number(page, rf_json_number(repeat, "ceiling"), 3, "");
    snprintf(key, sizeof key, "%.16s", rf_json_text(repeat, "key"));
    rf_markup_cell(page, key[0] != '\0' ? key : "-");
}

/* Each repeat of each cell: what the points of the figures are made of. */
static void add_cells(struct rf_text *page, struct rf_report_input *in,
                      const json_t *experiments)
{
    static const char *const headings[] = {"experiment", "student", "seed",    "student's job",
                                           "weak",       "student", "ceiling", "key"};
    char caption[CAPTION_BYTES];
    int rows = 0;

    snprintf(
        caption, sizeof caption,
        "The cells behind the figures, by seed. Each follows from config.cfg (SHA-256 "
        "%.64s) and its seed; the key, where a cache was used, is the beginning of the digest "
        "of all that the student depends on",
        rf_json_text(in->results, "config"));
    rf_markup_table(page, caption, "llrlrrrl", headings);
    for (size_t i = 0; i < json_array_size(experiments); i++) {
        const json_t *experiment = json_array_get(experiments, i);
        const json_t *repeats = rf_json_list(experiment, "by_seed");

        for (size_t k = 0; k < json_array_size(repeats) && rows < MOST_ROWS; k++, rows++)
            add_seed(page, experiment, json_array_get(repeats, k));
    }
    rf_markup_end(page);
}

/* Cells for which the budget did not suffice. */
static void add_not_run(struct rf_text *page, const json_t *experiments)
{
    int any = 0;

    for (size_t i = 0; i < json_array_size(experiments); i++) {
        const json_t *experiment = json_array_get(experiments, i);

        if (!did_not_fit(experiment))
            continue;
        rf_text_add(page, any++ ? ", " : "<p>Not run, since the budget was used up: ");
        rf_text_add_html(page, rf_json_text(experiment, "name"));
        rf_text_add(page, " ");
        rf_text_add_html(page, rf_json_text(experiment, "loss"));
    }
    if (any)
        rf_text_add(page, ".</p>\n");
}

enum rf_status rf_section_study(struct rf_text *page, struct rf_report_input *in,
                                struct rf_error *err)
{
    const json_t *experiments = rf_json_list(in->results, "experiments");
    char *imitation = NULL, *size = NULL, *compute = NULL, *difficulty = NULL;
    enum rf_status st;

    if (json_array_size(experiments) == 0)
        return RF_OK;
    st = rf_figure_imitation(experiments, &imitation, err);
    if (st == RF_OK)
        st = rf_figure_pgr_by_size(experiments, &size, err);
    if (st == RF_OK)
        st = rf_figure_pgr_by_compute(experiments, &compute, err);
    if (st == RF_OK)
        st = rf_figure_difficulty(rf_json_list(in->results, "jobs"), &difficulty, err);
    rf_text_add(page, "<section><h2>What was imitated, and at what cost?</h2>\n");
    add_figure(
        page, in, imitation,
        "How often students agree with their supervisor where it is right and where it is "
        "wrong: on the dashed line errors are taken over as readily as right answers." POINTS);
    add_figure(page, in, size,
               "Gap recovered against how many times the supervisor's parameters the student "
               "has; void cells are left out." POINTS);
    add_figure(
        page, in, compute,
        "Gap recovered against how many times the model FLOPs the student was made with, "
        "its pretraining included, those of the supervisor; what was imported cost nothing "
        "here. "
        "Void cells are left out." POINTS);
    add_figure(page, in, difficulty,
               "Accuracy by difficulty of the test items, in five groups of equal size; means "
               "over repeats.");
    add_medians(page, experiments);
    add_bill(page, experiments);
    add_not_run(page, experiments);
    add_cells(page, in, experiments);
    rf_text_add(page, "</section>\n");
    return st;
}
