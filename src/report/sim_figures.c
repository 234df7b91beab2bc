/* The figures about the whole simulation; sim_figures_pledge.c has those about a promise. */
#include "report/sim_figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/json.h"
#include "report/sim_plot.h"

enum { MOST_STACK = 12 };

/* ---- stacks ---- */

struct layer {
    const double *values;
    const char *title, *colour;
};

static void add_stack(struct rf_text *script, const struct rf_curves *curves, double unit_s,
                      const struct layer *layers, int n)
{
    const char *names[MOST_STACK];
    char units[MOST_STACK][RF_CURVES_NAME_BYTES + 16];

    for (int i = 0; i < n; i++) {
        snprintf(units[i], sizeof units[i], "%s (devices)", layers[i].title);
        names[i] = units[i];
    }
    rf_sim_plot_block(script, curves->t_s[curves->n], "stack", "devices", names, n);
    for (int k = 0; k < curves->n; k++)
        for (int end = 0; end < 2; end++) {
            rf_text_addf(script, "%.7g", curves->t_s[k + end] / unit_s);
            for (int i = 0; i < n; i++)
                rf_text_addf(script, " %.6g", layers[i].values[k]);
            rf_text_add(script, "\n");
        }
    rf_plot_block_end(script);
}

static void plot_stack(struct rf_text *script, const struct layer *layers, int n)
{
    rf_text_add(script,
                "set yrange [0:*]\nset ylabel 'devices'\nset style fill noborder\nplot ");
    for (int i = 0; i < n; i++) {
        rf_text_addf(script,
                     "%s$stack using 1:(sum[i=2:%d] column(i)):(sum[i=2:%d] column(i)) with "
                     "filledcurves fc rgb '%s' fs transparent solid 0.9 title ",
                     i > 0 ? ", " : "", i + 1, i + 2, layers[i].colour);
        rf_plot_add_string(script, layers[i].title);
    }
}

/* Columns "kind:group" as layers, in order; returns their number. */
static int layers_of(const struct rf_curves *curves, const char *kind, struct layer *layers)
{
    int n = 0;

    for (int c = 0; c < curves->ncolumns && n < MOST_STACK; c++) {
        const char *of = rf_curves_of(curves, c, kind);

        if (of != NULL) {
            layers[n] = (struct layer){curves->values + (size_t)c * (size_t)curves->n, of,
                                       rf_plot_colour(n)};
            n++;
        }
    }
    return n;
}

static void add_line(struct rf_text *script, const struct rf_curves *curves, double unit_s,
                     const double *values, const char *id, const char *title)
{
    static const char *const names[] = {"devices"};

    rf_sim_plot_block(script, curves->t_s[curves->n], id, title, names, 1);
    for (int k = 0; k < curves->n; k++)
        rf_text_addf(script, "%.7g %.6g\n%.7g %.6g\n", curves->t_s[k] / unit_s, values[k],
                     curves->t_s[k + 1] / unit_s, values[k]);
    rf_plot_block_end(script);
}

enum rf_status rf_sim_figure_use(const struct rf_curves *curves, char **svg,
                                 struct rf_error *err)
{
    struct layer layers[MOST_STACK];
    struct rf_text script = {0};
    const double *up = rf_curves_find(curves, "up");
    int n = layers_of(curves, "used", layers);
    double unit_s;

    *svg = NULL;
    if (curves->n == 0 || n == 0 || up == NULL)
        return RF_OK;
    rf_plot_start(&script, RF_SIM_PLOT_HEIGHT);
    unit_s = rf_sim_plot_time(&script, curves->t_s[curves->n]);
    add_stack(&script, curves, unit_s, layers, n);
    add_line(&script, curves, unit_s, up, "fleet", "fleet");
    plot_stack(&script, layers, n);
    rf_text_add(&script, ", $fleet using 1:2 with lines lw 1.5 dt 2 lc rgb '" RF_PLOT_INK
                         "' title 'fleet'\n");
    return rf_sim_plot_finish(&script, "Devices held by each account over time, stacked", svg,
                              err);
}

enum rf_status rf_sim_figure_books(const struct rf_curves *curves, char **svg,
                                   struct rf_error *err)
{
    static const struct {
        const char *column, *title, *colour;
    } kinds[] = {
        {"own", "own use", "#4f8fd0"},       {"lent", "lent", "#b76bc0"},
        {"overhead", "overhead", "#d2691e"}, {"reserved", "idle, reserved", RF_SIM_YELLOW},
        {"free", "idle, free", "#8a8f98"},   {"down", "down", RF_SIM_RED}};
    enum { N = sizeof kinds / sizeof *kinds };
    struct layer layers[N];
    struct rf_text script = {0};
    double unit_s;

    *svg = NULL;
    for (int i = 0; i < N; i++) {
        layers[i] = (struct layer){rf_curves_find(curves, kinds[i].column), kinds[i].title,
                                   kinds[i].colour};
        if (layers[i].values == NULL || curves->n == 0)
            return RF_OK;
    }
    rf_plot_start(&script, RF_SIM_PLOT_HEIGHT);
    unit_s = rf_sim_plot_time(&script, curves->t_s[curves->n]);
    add_stack(&script, curves, unit_s, layers, N);
    plot_stack(&script, layers, N);
    rf_text_add(&script, "\n");
    return rf_sim_plot_finish(&script, "Where every device was over time, stacked", svg, err);
}

/* ---- lines ---- */

enum rf_status rf_sim_figure_utilization(const struct rf_curves *curves, char **svg,
                                         struct rf_error *err)
{
    const double *up = rf_curves_find(curves, "up"), *used = rf_curves_find(curves, "used");
    struct rf_text script = {0};
    double unit_s;

    *svg = NULL;
    if (curves->n == 0 || up == NULL || used == NULL)
        return RF_OK;
    rf_plot_start(&script, RF_SIM_PLOT_LOW);
    unit_s = rf_sim_plot_time(&script, curves->t_s[curves->n]);
    rf_sim_plot_shares(&script, curves, unit_s, used, 0, "now", "in use");
    rf_sim_plot_so_far(&script, curves, unit_s, used);
    rf_text_addf(
        &script,
        "set yrange [0:105]\nset ylabel '%% in use'\nset style fill noborder\n"
        "plot $now using 1:2 with filledcurves y=0 fc rgb '%s' fs transparent solid 0.4 "
        "title 'in use', $sofar using 1:2 with lines lw 2.5 lc rgb '%s' title 'so "
        "far'\n",
        rf_plot_colour(2), rf_plot_colour(2));
    return rf_sim_plot_finish(&script, "Part of the fleet in use over time", svg, err);
}

enum rf_status rf_sim_figure_queue(const struct rf_curves *curves, char **svg,
                                   struct rf_error *err)
{
    struct layer layers[MOST_STACK];
    struct rf_text script = {0};
    int n = layers_of(curves, "queued", layers);
    double unit_s, most = 0;

    *svg = NULL;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < curves->n; k++)
            most = fmax(most, layers[i].values[k]);
    if (!(most > 0))
        return RF_OK;
    rf_plot_start(&script, RF_SIM_PLOT_HEIGHT);
    unit_s = rf_sim_plot_time(&script, curves->t_s[curves->n]);
    for (int i = 0; i < n; i++) {
        char name[16];

        snprintf(name, sizeof name, "q%d", i);
        add_line(&script, curves, unit_s, layers[i].values, name, layers[i].title);
    }
    rf_text_add(&script, "set yrange [0:*]\nset ylabel 'devices asked for'\nplot ");
    for (int i = 0; i < n; i++) {
        rf_text_addf(&script, "%s$q%d using 1:2 with lines lw 1.6 lc rgb '%s' title ",
                     i > 0 ? ", " : "", i, layers[i].colour);
        rf_plot_add_string(&script, layers[i].title);
    }
    rf_text_add(&script, "\n");
    return rf_sim_plot_finish(
        &script, "Devices that waiting jobs ask for over time, by account", svg, err);
}

enum rf_status rf_sim_figure_denials(const struct rf_curves *curves, char **svg,
                                     struct rf_error *err)
{
    struct layer layers[MOST_STACK];
    static const char *const names[] = {"requests denied so far"};
    struct rf_text script = {0};
    int n = layers_of(curves, "denied", layers);
    double unit_s;
    char id[16];

    *svg = NULL;
    if (n == 0 || curves->n == 0)
        return RF_OK;
    rf_plot_start(&script, RF_SIM_PLOT_LOW);
    unit_s = rf_sim_plot_time(&script, curves->t_s[curves->n]);
    for (int i = 0; i < n; i++) {
        double sum = 0;

        snprintf(id, sizeof id, "d%d", i);
        rf_sim_plot_block(&script, curves->t_s[curves->n], id, layers[i].title, names, 1);
        rf_text_add(&script, "0 0\n");
        for (int k = 0; k < curves->n; k++) {
            sum += layers[i].values[k];
            rf_text_addf(&script, "%.7g %.7g\n", curves->t_s[k + 1] / unit_s, sum);
        }
        rf_plot_block_end(&script);
    }
    rf_text_add(&script, "set yrange [0:*]\nset ylabel 'requests denied'\nplot ");
    for (int i = 0; i < n; i++) {
        rf_text_addf(&script, "%s$d%d using 1:2 with lines lw 2.5 lc rgb '%s' title ",
                     i > 0 ? ", " : "", i, rf_plot_colour(i + 5));
        rf_plot_add_string(&script, layers[i].title);
    }
    rf_text_add(&script, "\n");
    return rf_sim_plot_finish(&script, "Requests denied so far, by reason", svg, err);
}

/* ---- waits ---- */

/* How many percent waited less than the end of each bin. Returns the number of jobs, and in
 * *longest_s the end of the last bin that has any, where that is later. */
static double add_distribution(struct rf_text *script, const json_t *group, const json_t *edges,
                               size_t id, double *longest_s)
{
    static const char *const names[] = {"wait (s)", "jobs that waited less (%)"};
    const json_t *counts = rf_json_list(group, "jobs");
    size_t n = json_array_size(counts);
    double all = 0, sum = 0;
    char block[24];

    for (size_t k = 0; k < n; k++)
        all += json_number_value(json_array_get(counts, k));
    if (!(all > 0))
        return 0;
    snprintf(block, sizeof block, "w%zu", id);
    rf_plot_block(script, block, rf_json_text(group, "name"), names, 2);
    for (size_t k = 0; k + 1 < n; k++) {
        double count = json_number_value(json_array_get(counts, k));
        double end_s = json_number_value(json_array_get(edges, k + 1));

        sum += count;
        rf_text_addf(script, "%.7g %.5g\n", end_s, 100 * sum / all);
        if (count > 0)
            *longest_s = fmax(*longest_s, end_s);
    }
    rf_plot_block_end(script);
    return all;
}

enum rf_status rf_sim_figure_waits(const json_t *histogram, char **svg, struct rf_error *err)
{
    const json_t *groups = rf_json_list(histogram, "groups");
    const json_t *edges = rf_json_list(histogram, "edges_s");
    struct rf_text script = {0}, lines = {0};
    double longest_s = 1e4;

    *svg = NULL;
    rf_plot_start(&script, RF_SIM_PLOT_HEIGHT);
    for (size_t g = 0; g < json_array_size(groups) && g < MOST_STACK; g++) {
        const json_t *group = json_array_get(groups, g);

        if (!(add_distribution(&script, group, edges, g, &longest_s) > 0))
            continue;
        rf_text_addf(&lines, "%s$w%zu using 1:2 with lines lw 2.2 lc rgb '%s' title ",
                     lines.size > 0 ? ", " : "", g, rf_plot_colour((int)g));
        rf_plot_add_string(&lines, rf_json_text(group, "name"));
    }
    if (lines.size == 0) {
        rf_text_clear(&script);
        return RF_OK;
    }
    rf_text_addf(&script,
                 "set logscale x\nset xrange [1:%.4g]\nset xtics ('1 s' 1, '1 min' 60, '1 h' "
                 "3600, '1 d' 86400, '30 d' 2592000, '1 y' 31557600)\nset yrange [0:102]\n"
                 "set xlabel 'wait'\nset ylabel '%% of jobs that waited less'\nplot ",
                 2 * longest_s);
    rf_text_add_bytes(&script, lines.data, lines.size);
    rf_text_add(&script, "\n");
    script.failed |= lines.failed;
    rf_text_clear(&lines);
    return rf_sim_plot_finish(
        &script, "Part of the jobs that waited less than so long, by account", svg, err);
}
