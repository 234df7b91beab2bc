#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/json.h"
#include "report/markup.h"
#include "report/page.h"
#include "report/scale.h"
#include "report/scale_figures.h"

static const double MEGA = 1 << 20;

static void add_top(struct rf_text *page, const json_t *results)
{
    const char *warning = rf_json_text(results, "warning");

    rf_text_add(page, "<header><h1>Scaling of ");
    rf_text_add_html(page, rf_json_text(results, "run"));
    rf_text_add(page, "</h1>\n<p>");
    rf_text_add_html(page, rf_json_text(results, "family"));
    rf_text_addf(page, ", %.0f layers, width %.0f, context %.0f, vocabulary %.0f, ",
                 rf_json_number(results, "layers"), rf_json_number(results, "width"),
                 rf_json_number(results, "context"), rf_json_number(results, "vocabulary"));
    rf_text_add_html(page, rf_json_text(results, "precision"));
    rf_text_addf(page,
                 "; %.0f sequences per step in strong scaling, so many for each rank in weak. "
                 "Medians of repeats; bars reach from the slowest to the fastest.</p>\n",
                 rf_json_number(results, "batch"));
    if (warning[0] != '\0') {
        rf_text_add(page, "<p class=\"notice\">");
        rf_text_add_html(page, warning);
        rf_text_add(page, "</p>\n");
    }
    rf_text_add(page, "</header>\n");
}

static void add_figure(struct rf_text *page, char *svg, const char *caption, int *plots)
{
    *plots = *plots || svg != NULL;
    rf_markup_figure(page, svg, caption);
    free(svg);
}

static void point_row(struct rf_text *page, const json_t *p)
{
    char layout[64];

    snprintf(layout, sizeof layout, "%.0f x %.0f", rf_json_number(p, "tensor"),
             rf_json_number(p, "data"));
    rf_markup_row(page);
    rf_markup_number(page, rf_json_number(p, "ranks"), 0, "");
    rf_markup_cell(page, layout);
    rf_markup_number(page, rf_json_number(p, "nodes"), 0, "");
    rf_markup_number(page, rf_json_number(p, "batch"), 0, "");
    rf_markup_number(page, 1e3 * rf_json_number(p, "step_s"), 2, "");
    rf_markup_number(page, rf_json_number(p, "tokens_per_s"), 0, "");
    rf_markup_number(page, 100 * rf_json_number(p, "efficiency"), 1, " %");
    rf_markup_number(page, 100 * rf_json_number(p, "exchange_share"), 1, " %");
    rf_markup_number(page, rf_json_number(json_object_get(p, "bytes_moved"), "all") / MEGA, 2,
                     "");
    rf_markup_number(page, rf_json_number(p, "memory_held") / MEGA, 1, "");
    rf_markup_number(page, rf_json_number(p, "memory_predicted") / MEGA, 1, "");
    rf_markup_cell(page, rf_json_text(p, "exchange"));
}

static void points_table(struct rf_text *page, const json_t *points, const char *mode)
{
    static const char *const headings[] = {"ranks",      "tensor x data", "nodes",
                                           "batch",      "ms/step",       "tokens/s",
                                           "efficiency", "in exchange",   "MiB moved",
                                           "MiB/rank",   "MiB predicted", "slices sum by"};
    static const char caption[] =
        "Measured. In exchange: the share of a step in which a rank sends, receives or waits "
        "for the others. MiB moved: payload of one rank and step.";

    rf_markup_table(page, caption, "rlrrrrrrrrrl", headings);
    for (size_t i = 0; i < json_array_size(points); i++)
        if (strcmp(rf_json_text(json_array_get(points, i), "mode"), mode) == 0)
            point_row(page, json_array_get(points, i));
    rf_markup_end(page);
}

static void held_table(struct rf_text *page, const json_t *points, const char *mode)
{
    static const char *const headings[] = {"ranks", "measured ms", "amdahl", "gustafson",
                                           "usl",   "plan",        "where"};
    static const char *const laws[] = {"amdahl", "gustafson", "usl", "plan"};

    rf_markup_table(page,
                    "Each point predicted by laws that were fitted without it: error of the "
                    "time per step",
                    "rrrrrrl", headings);
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *p = json_array_get(points, i), *held = json_object_get(p, "held_out");

        if (strcmp(rf_json_text(p, "mode"), mode) != 0 ||
            !json_is_true(json_object_get(p, "fitted")))
            continue;
        rf_markup_row(page);
        rf_markup_number(page, rf_json_number(p, "ranks"), 0, "");
        rf_markup_number(page, 1e3 * rf_json_number(p, "step_s"), 2, "");
        for (size_t k = 0; k < sizeof laws / sizeof *laws; k++)
            rf_markup_number(
                page, 100 * rf_json_number(json_object_get(held, laws[k]), "error"), 1, " %");
        rf_markup_cell(page, json_is_true(json_object_get(p, "extrapolated"))
                                 ? "beyond the others"
                                 : "among the others");
    }
    rf_markup_end(page);
}

static enum rf_status section_mode(struct rf_text *page, const json_t *results,
                                   const char *mode, const char *about, int *plots,
                                   struct rf_error *err)
{
    const json_t *points = rf_json_list(results, "points");
    char *svg = NULL;
    enum rf_status st;

    rf_text_addf(page, "<section><h2>%c%s scaling</h2>\n<p>%s</p>\n", mode[0] - 'a' + 'A',
                 mode + 1, about);
    st = rf_scale_figure_speed(results, mode, &svg, err);
    if (st != RF_OK)
        return st;
    add_figure(page, svg,
               "Tokens per second of all ranks together; dashed: the first point in proportion "
               "to the ranks. Both axes are logarithmic.",
               plots);
    points_table(page, points, mode);
    held_table(page, points, mode);
    rf_text_add(page, "</section>\n");
    return RF_OK;
}

static void interval_cells(struct rf_text *page, const json_t *object, const char *key,
                           double scale)
{
    const json_t *ci = rf_json_list(object, key);
    const json_t *low = json_array_get(ci, 0), *high = json_array_get(ci, 1);
    char text[80];

    snprintf(text, sizeof text, "%.4g to %.4g",
             json_is_number(low) ? scale * json_number_value(low) : NAN,
             json_is_number(high) ? scale * json_number_value(high) : NAN);
    rf_markup_cell(page, text);
}

static void laws_table(struct rf_text *page, const json_t *results)
{
    static const char *const headings[] = {"scaling", "law",    "parameter", "value",
                                           "95 %",    "points", "misfit"};
    const json_t *laws = rf_json_list(results, "laws");
    char value[40];

    rf_markup_table(page, "Laws, fitted by least squares of relative errors", "lllllrr",
                    headings);
    for (size_t i = 0; i < json_array_size(laws); i++) {
        const json_t *law = json_array_get(laws, i), *list = rf_json_list(law, "parameters");

        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *p = json_array_get(list, k);

            snprintf(value, sizeof value, "%.4g", rf_json_number(p, "value"));
            rf_markup_row(page);
            rf_markup_cell(page, rf_json_text(law, "mode"));
            rf_markup_cell(page, rf_json_text(law, "law"));
            rf_markup_cell(page, rf_json_text(p, "name"));
            rf_markup_cell(page, value);
            interval_cells(page, p, "ci", 1);
            rf_markup_number(page, rf_json_number(law, "points"), 0, "");
            rf_markup_number(page, 100 * rf_json_number(law, "misfit"), 1, " %");
        }
    }
    rf_markup_end(page);
}

static enum rf_status section_wire(struct rf_text *page, const json_t *results, int *plots,
                                   struct rf_error *err)
{
    static const char *const headings[] = {"kind",       "us per message", "95 %",
                                           "ns per KiB", "95 %",           "misfit"};
    const json_t *wire = rf_json_list(results, "wire");
    enum rf_status st = RF_OK;

    rf_text_add(page,
                "<section><h2>Messages</h2>\n<p>What a message and a byte cost, fitted to "
                "collectives that were measured in the same run.</p>\n");
    for (size_t i = 0; st == RF_OK && i < json_array_size(wire); i++) {
        char *svg = NULL;

        st = rf_scale_figure_wire(results, rf_json_text(json_array_get(wire, i), "kind"), &svg,
                                  err);
        add_figure(
            page, svg,
            i == 0
                ? "A sum over ranks: points are measured, the dashed line is the model."
                : "Gradients to their keepers and values back: points are measured, the dashed "
                  "line is the model.",
            plots);
    }
    rf_markup_table(page, "Latency and bandwidth", "lrlrlr", headings);
    for (size_t i = 0; i < json_array_size(wire); i++) {
        const json_t *w = json_array_get(wire, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(w, "kind"));
        rf_markup_number(page, 1e6 * rf_json_number(w, "latency_s"), 2, "");
        interval_cells(page, w, "latency_ci", 1e6);
        rf_markup_number(page, 1024e9 * rf_json_number(w, "s_per_byte"), 2, "");
        interval_cells(page, w, "s_per_byte_ci", 1024e9);
        rf_markup_number(page, 100 * rf_json_number(w, "misfit"), 0, " %");
    }
    rf_markup_end(page);
    rf_text_add(page, "</section>\n");
    return st;
}

static void section_projections(struct rf_text *page, const json_t *results)
{
    static const char *const headings[] = {"scaling", "ranks",    "tensor x data",
                                           "law",     "tokens/s", "95 %"};
    const json_t *list = rf_json_list(results, "projections");
    char layout[64];

    rf_text_add(page, "<section><h2>Projection, not measured</h2>\n<p class=\"notice\">");
    rf_text_add_html(page, rf_json_text(results, "projection"));
    rf_text_add(page, "</p>\n");
    rf_markup_table(page, "Projected beyond the measured points", "lrllrl", headings);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *p = json_array_get(list, i);

        snprintf(layout, sizeof layout, "%.0f x %.0f", rf_json_number(p, "tensor"),
                 rf_json_number(p, "data"));
        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(p, "mode"));
        rf_markup_number(page, rf_json_number(p, "ranks"), 0, "");
        rf_markup_cell(page, layout);
        rf_markup_cell(page, rf_json_text(p, "law"));
        rf_markup_number(page, rf_json_number(p, "tokens_per_s"), 0, "");
        interval_cells(page, p, "ci", 1);
    }
    rf_markup_end(page);
    rf_text_add(page, "</section>\n");
}

enum rf_status rf_scale_page_make(struct rf_text *page, const json_t *results,
                                  struct rf_error *err)
{
    int plots = 0;
    enum rf_status st;

    rf_page_head(page, rf_json_text(results, "run"));
    add_top(page, results);
    st = section_mode(page, results, "strong", "The batch stays the same.", &plots, err);
    if (st == RF_OK)
        st =
            section_mode(page, results, "weak", "The batch grows with the ranks.", &plots, err);
    if (st == RF_OK) {
        rf_text_add(page, "<section><h2>Laws</h2>\n");
        laws_table(page, results);
        rf_text_add(page, "</section>\n");
        st = section_wire(page, results, &plots, err);
    }
    if (st == RF_OK) {
        section_projections(page, results);
        rf_page_foot(page, rf_json_text(results, "version"), "results.json", plots);
    }
    return st == RF_OK && page->failed
               ? rf_fail(err, RF_ERR_MEMORY, "out of memory for the report")
               : st;
}
