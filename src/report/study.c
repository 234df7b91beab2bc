#include "report/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/json.h"
#include "report/markup.h"

enum { MOST_ROWS = 400, CAPTION_BYTES = 600 };

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
    char *imitation = NULL, *size = NULL, *difficulty = NULL;
    enum rf_status st;

    if (json_array_size(experiments) == 0)
        return RF_OK;
    st = rf_figure_imitation(experiments, &imitation, err);
    if (st == RF_OK)
        st = rf_figure_pgr_by_size(experiments, &size, err);
    if (st == RF_OK)
        st = rf_figure_difficulty(rf_json_list(in->results, "jobs"), &difficulty, err);
    rf_text_add(page, "<section><h2>What was imitated, and at what cost?</h2>\n");
    add_figure(
        page, in, imitation,
        "How often students agree with their supervisor where it is right and where it is "
        "wrong: on the dashed line errors are taken over as readily as right answers.");
    add_figure(page, in, size,
               "Gap recovered against how many times the supervisor's parameters the student "
               "has; void cells are left out.");
    add_figure(page, in, difficulty,
               "Accuracy by difficulty of the test items, in five groups of equal size.");
    add_bill(page, experiments);
    add_not_run(page, experiments);
    rf_text_add(page, "</section>\n");
    return st;
}
