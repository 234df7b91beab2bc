/* What an ensemble shows: for each policy, what a larger share delivers to the pledged accounts
 * and what it costs the others. Seeds of one point are averaged. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/share.h"
#include "report/duration.h"
#include "report/json.h"
#include "report/markup.h"
#include "report/plot.h"
#include "report/plot_data.h"
#include "report/sim_sections.h"

enum { HEIGHT = 380, MOST_POINTS = 2000, MOST_LINES = 8, NAME_BYTES = 112, MOST_ROWS = 400 };

struct point { /* the cells of one policy and share */
    char line[NAME_BYTES];
    struct rf_share share;
    int cells, failed, kept;
    double delivered, cost, others_wait_s, wait_s, denied, lost; /* sums, then means */
};

struct points {
    struct point *items; /* owned */
    int n;
    char lines[MOST_LINES][NAME_BYTES]; /* those that are drawn, in order of appearance */
    int nlines;
};

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : (double)NAN;
}

static void name_line(const json_t *cell, int scenarios, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%.40s%s%.16s+%.16s",
             scenarios ? rf_json_text(cell, "scenario") : "", scenarios ? ", " : "",
             rf_json_text(cell, "order"), rf_json_text(cell, "fence"));
}

/* Do the cells come from more than one scenario? */
static int several_scenarios(const json_t *cells)
{
    const char *first = rf_json_text(json_array_get(cells, 0), "scenario");

    for (size_t i = 1; i < json_array_size(cells); i++)
        if (strcmp(rf_json_text(json_array_get(cells, i), "scenario"), first) != 0)
            return 1;
    return 0;
}

static struct point *find_point(struct points *points, const char *line,
                                const struct rf_share *share)
{
    struct point *point;

    for (int i = 0; i < points->n; i++) {
        point = &points->items[i];
        if (strcmp(point->line, line) == 0 && point->share.num == share->num &&
            point->share.den == share->den)
            return point;
    }
    if (points->n == MOST_POINTS)
        return NULL;
    point = &points->items[points->n++];
    snprintf(point->line, sizeof point->line, "%s", line);
    point->share = *share;
    for (int l = 0; l < points->nlines; l++)
        if (strcmp(points->lines[l], line) == 0)
            return point;
    if (points->nlines < MOST_LINES)
        snprintf(points->lines[points->nlines++], NAME_BYTES, "%s", line);
    return point;
}

static void add_cell(struct point *point, const json_t *cell)
{
    const json_t *pledged = json_object_get(cell, "pledged");
    const json_t *others = json_object_get(cell, "others");
    double held = rf_json_number(others, "held_us");

    if (rf_json_text(cell, "failed")[0] != '\0') {
        point->failed++;
        return;
    }
    point->cells++;
    point->kept += strcmp(rf_json_text(cell, "verdict"), "kept") == 0;
    point->delivered +=
        100 * ratio(rf_json_number(pledged, "held_us"), rf_json_number(cell, "capacity_us"));
    point->cost += rf_json_number(others, "slowdown_mean");
    point->others_wait_s += rf_json_number(others, "wait_mean_us") / 1e6;
    point->wait_s += rf_json_number(pledged, "wait_mean_us") / 1e6;
    point->denied += rf_json_number(pledged, "denied");
    point->lost += 100 * ratio(held - rf_json_number(others, "useful_us"), held);
}

static void take_means(struct point *point)
{
    double n = point->cells > 0 ? point->cells : (double)NAN;

    point->delivered /= n;
    point->cost /= n;
    point->others_wait_s /= n;
    point->wait_s /= n;
    point->denied /= n;
    point->lost /= n;
}

static int by_line_and_share(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    int order = strcmp(x->line, y->line);
    double p = (double)x->share.num / (double)x->share.den;
    double q = (double)y->share.num / (double)y->share.den;

    return order != 0 ? order : (p > q) - (p < q);
}

static enum rf_status take_points(struct points *points, const json_t *cells,
                                  struct rf_error *err)
{
    int scenarios = several_scenarios(cells);

    points->items = calloc(MOST_POINTS, sizeof *points->items);
    if (points->items == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the sweep");
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        struct rf_share share = {0, 1};
        struct point *point;
        char line[NAME_BYTES];

        name_line(cell, scenarios, line);
        if (rf_share_parse(&share, rf_json_text(cell, "share"), NULL) != RF_OK)
            share = (struct rf_share){0, 1};
        point = find_point(points, line, &share);
        if (point != NULL)
            add_cell(point, cell);
    }
    for (int i = 0; i < points->n; i++)
        take_means(&points->items[i]);
    qsort(points->items, (size_t)points->n, sizeof *points->items, by_line_and_share);
    return RF_OK;
}

/* ---- the figure ---- */

static int is_drawn(const struct point *point, const char *line)
{
    return strcmp(point->line, line) == 0 && isfinite(point->delivered) &&
           isfinite(point->cost) && point->cost > 0;
}

/* The least and the largest share of a line carry a label, unless they lie on one another. */
static int add_line_points(struct rf_text *script, const struct points *points, int line)
{
    static const char *const names[] = {"delivered (% of device-time)",
                                        "mean slowdown of the others", RF_PLOT_HIDDEN,
                                        RF_PLOT_HIDDEN, "share (%)"};
    int n = 0, first = -1, last = -1;
    char id[16];

    for (int i = 0; i < points->n; i++)
        if (is_drawn(&points->items[i], points->lines[line])) {
            first = first < 0 ? i : first;
            last = i;
        }
    snprintf(id, sizeof id, "l%d", line);
    rf_plot_block(script, id, points->lines[line], names, 5);
    for (int i = 0; i < points->n; i++) {
        const struct point *p = &points->items[i];
        double share = 100 * (double)p->share.num / (double)p->share.den;
        char text[32];
        int apart = fabs(points->items[last < 0 ? 0 : last].delivered - p->delivered) > 1.5;

        if (!is_drawn(p, points->lines[line]))
            continue;
        snprintf(text, sizeof text, "%.3g %%", share);
        rf_text_addf(script, "%.6g %.6g", p->delivered, p->cost);
        rf_plot_add_text(script, i == last ? text : "");
        rf_plot_add_text(script, i == first && i != last && apart ? text : "");
        rf_text_addf(script, " %.6g\n", share);
        n++;
    }
    rf_plot_block_end(script);
    return n;
}

/* A logarithmic axis where costs differ much. */
static void add_cost_axis(struct rf_text *script, const struct points *points)
{
    double least = INFINITY, most = 0;

    for (int i = 0; i < points->n; i++)
        if (isfinite(points->items[i].cost) && points->items[i].cost > 0) {
            least = fmin(least, points->items[i].cost);
            most = fmax(most, points->items[i].cost);
        }
    if (most > 5 * least)
        rf_text_addf(script,
                     "set logscale y\nset yrange [%.4g:%.4g]\nset ytics (1, 2, 5, 10, 20, 50, "
                     "100, 200, 500, 1000, 2000, 5000, 10000)\n",
                     least / 1.6, most * 1.7);
}

static enum rf_status draw(const struct points *points, char **svg, struct rf_error *err)
{
    struct rf_text script = {0};
    int counts[MOST_LINES], drawn = 0;
    enum rf_status st;

    *svg = NULL;
    rf_plot_start(&script, HEIGHT);
    for (int l = 0; l < points->nlines; l++) {
        counts[l] = add_line_points(&script, points, l);
        drawn += counts[l];
    }
    add_cost_axis(&script, points);
    rf_text_add(&script, "set xlabel 'delivered to the pledged accounts, % of device-time'\n"
                         "set ylabel 'mean slowdown of the others'\nset xrange [*:*]\n"
                         "set offsets graph 0.12, graph 0.14, graph 0.12, graph 0.08\n"
                         "set style circle radius graph 0.008\n"
                         "set style fill solid noborder\n");
    for (int l = 0, first = 1; l < points->nlines; l++) {
        const char *colour = rf_plot_colour(l);

        if (counts[l] == 0)
            continue;
        rf_text_addf(&script, "%s$l%d using 1:2 with lines lw 2.2 lc rgb '%s' title ",
                     first ? "plot " : ", ", l, colour);
        rf_plot_add_string(&script, points->lines[l]);
        rf_text_addf(
            &script,
            ", $l%d using 1:2 with circles fc rgb '%s' notitle, $l%d using 1:2:3 with "
            "labels left offset 0.8,0.4 font ',13' textcolor rgb '" RF_PLOT_INK
            "' notitle, $l%d using 1:2:4 with labels right offset -0.8,-0.2 font ',13' "
            "textcolor rgb '" RF_PLOT_INK "' notitle",
            l, colour, l, l);
        first = 0;
    }
    rf_text_add(&script, "\n");
    st = drawn > 0
             ? rf_plot_draw(&script,
                            "What the pledged accounts received and what the others paid, "
                            "for each share",
                            svg, err)
             : RF_OK;
    rf_text_clear(&script);
    return st;
}

/* ---- the tables ---- */

static void add_table(struct rf_text *page, const struct points *points)
{
    static const char *const headings[] = {
        "policy",          "share",  "cells",          "pledge kept",    "delivered",
        "wait of pledged", "denied", "wait of others", "their slowdown", "their lost work"};
    char text[RF_DURATION_BYTES];

    rf_markup_table(page, "The sweep; means over seeds", "lrrrrrrrrr", headings);
    for (int i = 0; i < points->n && i < MOST_ROWS; i++) {
        const struct point *p = &points->items[i];

        rf_markup_row(page);
        rf_markup_cell(page, p->line);
        rf_markup_number(page, 100 * (double)p->share.num / (double)p->share.den, 1, " %");
        rf_markup_number(page, p->cells, 0, "");
        rf_text_addf(page, "<td class=\"n\">%d of %d", p->kept, p->cells);
        rf_markup_number(page, p->delivered, 2, " %");
        rf_text_addf(page, "<td class=\"n\">%s", rf_duration_text(text, p->wait_s));
        rf_markup_number(page, p->denied, 1, "");
        rf_text_addf(page, "<td class=\"n\">%s", rf_duration_text(text, p->others_wait_s));
        rf_markup_number(page, p->cost, 2, "");
        rf_markup_number(page, p->lost, 2, " %");
    }
    rf_markup_end(page);
}

static void add_failures(struct rf_text *page, const json_t *cells)
{
    static const char *const headings[] = {"policy", "share", "seed", "why"};
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        char line[NAME_BYTES];

        if (rf_json_text(cell, "failed")[0] == '\0')
            continue;
        if (n++ == 0)
            rf_markup_table(page, "Cells that failed", "llrl", headings);
        name_line(cell, 1, line);
        rf_markup_row(page);
        rf_markup_cell(page, line);
        rf_markup_cell(page, rf_json_text(cell, "share"));
        rf_markup_number(page, rf_json_number(cell, "seed"), 0, "");
        rf_markup_cell(page, rf_json_text(cell, "failed"));
    }
    if (n > 0)
        rf_markup_end(page);
}

/* Four digits, whatever the size; a dash when there is no number. */
static void add_figure_cell(struct rf_text *page, double x, const char *unit)
{
    if (!isfinite(x)) {
        rf_text_add(page, "<td class=\"n\">-");
        return;
    }
    rf_text_addf(page, "<td class=\"n\">%.4g ", x);
    rf_text_add_html(page, unit);
}

static void add_comparisons(struct rf_text *page, const json_t *rows)
{
    static const char *const headings[] = {"what",       "of", "less that of", "difference",
                                           "95 %: from", "to", "seeds"};

    if (json_array_size(rows) == 0)
        return;
    rf_markup_table(page, "Paired differences: the same jobs under both", "lllrrrr", headings);
    for (size_t i = 0; i < json_array_size(rows) && i < MOST_ROWS; i++) {
        const json_t *row = json_array_get(rows, i);
        const char *unit = rf_json_text(row, "unit");

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(row, "what"));
        rf_markup_cell(page, rf_json_text(row, "a"));
        rf_markup_cell(page, rf_json_text(row, "b"));
        add_figure_cell(page, rf_json_number(row, "difference"), unit);
        add_figure_cell(page, rf_json_number(row, "low"), "");
        add_figure_cell(page, rf_json_number(row, "high"), "");
        rf_markup_number(page, rf_json_number(row, "seeds"), 0, "");
    }
    rf_markup_end(page);
}

enum rf_status rf_sim_section_sweep(struct rf_text *page, struct rf_sim_page *in,
                                    struct rf_error *err)
{
    const json_t *cells = rf_json_list(in->results, "cells");
    struct points points = {0};
    char *svg = NULL;
    enum rf_status st;

    if (json_array_size(cells) == 0)
        return RF_OK;
    st = take_points(&points, cells, err);
    if (st == RF_OK)
        st = draw(&points, &svg, err);
    rf_text_add(page,
                "<section><h2>What does the promise deliver, and what does it cost?</h2>\n"
                "<p>Each point is a share under a policy. To the right is more for the "
                "pledged accounts, upwards is slower for everybody else.</p>\n");
    rf_markup_figure(
        page, svg,
        "Device-time that the pledged accounts received, against the mean bounded "
        "slowdown of all other jobs; the least and the largest share of each policy "
        "are labelled.");
    in->plots |= svg != NULL;
    free(svg);
    if (st == RF_OK)
        add_table(page, &points);
    add_failures(page, cells);
    add_comparisons(page, rf_json_list(in->results, "comparisons"));
    rf_text_add(page, "</section>\n");
    free(points.items);
    return st;
}
