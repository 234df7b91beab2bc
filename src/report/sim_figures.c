#include "report/sim_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/duration.h"
#include "report/json.h"
#include "report/plot.h"

enum { HEIGHT = 360, LOW = 300, MOST_RECTS = 500, MOST_STACK = 12 };

#define GREEN "#3fa66b"
#define RED "#d9596b"
#define YELLOW "#c9a227"

static enum rf_status finish(struct rf_text *script, const char *label, char **svg,
                             struct rf_error *err)
{
    enum rf_status st = rf_plot_draw(script, label, svg, err);

    rf_text_clear(script);
    return st;
}

/* Time from 0 to the end, in the unit that suits its length; returns that unit's seconds. */
static double add_time_axis(struct rf_text *script, double end_s)
{
    double unit_s;
    const char *unit = rf_duration_unit(end_s, &unit_s);

    rf_text_addf(script, "set xrange [0:%.8g]\nset xlabel '%s since the start'\n",
                 end_s / unit_s, unit);
    return unit_s;
}

/* ---- share ---- */

/* The columns promised:A, promised:A#2 ... of an account. */
static int promised_of(const struct rf_curves *curves, int column, const char *account)
{
    const char *of = rf_curves_of(curves, column, "promised");
    size_t length = strlen(account);

    return of != NULL && strncmp(of, account, length) == 0 &&
           (of[length] == '\0' || of[length] == '#');
}

/* From step `first` on. Returns the largest share. */
static double add_shares(struct rf_text *script, const struct rf_curves *curves, double unit_s,
                         const double *part, int first, const char *name)
{
    const double *up = rf_curves_find(curves, "up");
    double most = 0;

    rf_text_addf(script, "$%s << EOD\n", name);
    for (int k = first; k < curves->n; k++)
        if (up[k] > 0) {
            double share = 100 * part[k] / up[k];

            rf_text_addf(script, "%.7g %.5g\n%.7g %.5g\n", curves->t_s[k] / unit_s, share,
                         curves->t_s[k + 1] / unit_s, share);
            most = fmax(most, share);
        }
    rf_text_add(script, "EOD\n");
    return most;
}

/* A pledge begins in the first step in which it promised something. */
static int first_of(const struct rf_curves *curves, const double *values)
{
    int k = 0;

    while (k < curves->n && !(values[k] > 0))
        k++;
    return k;
}

/* The colour of the account, or of one below it, where accounts are stacked. */
static const char *colour_of(const struct rf_curves *curves, const char *account)
{
    size_t length = strlen(account);
    int i = 0;

    for (int c = 0; c < curves->ncolumns; c++) {
        const char *of = rf_curves_of(curves, c, "used");

        if (of != NULL && strncmp(of, account, length) == 0 &&
            (of[length] == '\0' || of[length] == '.'))
            return rf_plot_colour(i);
        i += of != NULL;
    }
    return rf_plot_colour(0);
}

static void add_share_so_far(struct rf_text *script, const struct rf_curves *curves,
                             double unit_s, const double *part)
{
    const double *up = rf_curves_find(curves, "up");
    double held = 0, all = 0;

    rf_text_add(script, "$sofar << EOD\n");
    for (int k = 0; k < curves->n; k++) {
        double length = curves->t_s[k + 1] - curves->t_s[k];

        held += part[k] * length;
        all += up[k] * length;
        if (all > 0)
            rf_text_addf(script, "%.7g %.5g\n", curves->t_s[k + 1] / unit_s,
                         100 * held / all);
    }
    rf_text_add(script, "EOD\n");
}

/* One rectangle for each row of windows with the same verdict. */
static void add_windows(struct rf_text *script, const json_t *windows, double unit_s)
{
    size_t n = json_array_size(windows), rects = 0;

    for (size_t w = 0; w < n && rects < MOST_RECTS;) {
        const json_t *first = json_array_get(windows, w);
        const char *verdict = rf_json_text(first, "verdict");
        const char *colour = strcmp(verdict, "kept") == 0     ? GREEN
                             : strcmp(verdict, "broken") == 0 ? RED
                                                              : YELLOW;
        size_t next = w + 1;

        while (next < n &&
               strcmp(rf_json_text(json_array_get(windows, next), "verdict"), verdict) == 0)
            next++;
        rf_text_addf(script,
                     "set object %zu rect from %.7g,graph 0 to %.7g,graph 1 behind fc rgb '%s' "
                     "fs transparent solid 0.13 noborder\n",
                     ++rects, rf_json_number(first, "begin_s") / unit_s,
                     rf_json_number(json_array_get(windows, next - 1), "end_s") / unit_s,
                     colour);
        w = next;
    }
}

/* An upright line where something was changed after the start. */
static void add_changes(struct rf_text *script, const json_t *changes, double unit_s)
{
    for (size_t i = 0; i < json_array_size(changes) && i < MOST_RECTS; i++) {
        double t_s = rf_json_number(json_array_get(changes, i), "t_s");

        if (t_s > 0)
            rf_text_addf(script,
                         "set arrow %zu from %.7g,graph 0 to %.7g,graph 1 nohead lw 1.2 dt 3 lc "
                         "rgb '" RF_PLOT_INK "'\n",
                         i + 1, t_s / unit_s, t_s / unit_s);
    }
}

enum rf_status rf_sim_figure_share(const struct rf_curves *curves, const json_t *pledge,
                                   const json_t *changes, char **svg, struct rf_error *err)
{
    const char *account = rf_json_text(pledge, "account");
    char name[RF_CURVES_NAME_BYTES];
    struct rf_text script = {0};
    const double *part;
    const char *colour = colour_of(curves, account);
    double unit_s, most;
    int lines = 0;

    *svg = NULL;
    snprintf(name, sizeof name, "delivered:%.80s", account);
    part = rf_curves_find(curves, name);
    if (curves->n == 0 || part == NULL || rf_curves_find(curves, "up") == NULL)
        return RF_OK;
    rf_plot_start(&script, HEIGHT);
    unit_s = add_time_axis(&script, curves->t_s[curves->n]);
    most = add_shares(&script, curves, unit_s, part, 0, "now");
    add_share_so_far(&script, curves, unit_s, part);
    for (int c = 0; c < curves->ncolumns; c++) {
        const double *values = curves->values + (size_t)c * (size_t)curves->n;
        int first = first_of(curves, values);

        if (!promised_of(curves, c, account) || first == curves->n)
            continue;
        snprintf(name, sizeof name, "line%d", lines++);
        most = fmax(most, add_shares(&script, curves, unit_s, values, first, name));
    }
    add_windows(&script, rf_json_list(pledge, "windows"), unit_s);
    add_changes(&script, changes, unit_s);
    rf_text_addf(&script,
                 "set yrange [0:%.4g]\nset ylabel '%% of the fleet'\nset style fill noborder\n"
                 "plot $now using 1:2 with filledcurves y=0 fc rgb '%s' fs transparent solid "
                 "0.45 title 'held', $sofar using 1:2 with lines lw 2.5 lc rgb '%s' title "
                 "'held so far'",
                 fmin(105, fmax(1, 1.15 * most)), colour, colour);
    for (int i = 0; i < lines; i++)
        rf_text_addf(&script, ", $line%d using 1:2 with lines lw 2 dt %d lc rgb '%s' title '%s'",
                     i, i == 0 ? 2 : 4, i == 0 ? RF_PLOT_INK : RED,
                     i == 0 ? "promised" : i == 1 ? "as changed" : "as changed again");
    rf_text_add(&script, "\n");
    return finish(&script, "Share of the fleet held by the pledged account, and the pledge",
                  svg, err);
}

/* ---- pace and arrears ---- */

enum { T, PROMISED, STOCK, STOCK_PLUS, DELIVERED, NPACE };

static double sample(const json_t *row, int column)
{
    const json_t *value = json_array_get(row, (size_t)column);

    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* Device-hours, or device-years where those would be many; returns their seconds. */
static double device_unit(double most_s, const char **name)
{
    if (most_s > 1e6 * 3600) {
        *name = "device-years";
        return 365.25 * 86400;
    }
    *name = "device-hours";
    return 3600;
}

/* Columns: time, then promised, stock, stock+ and delivered in the unit of device-time; for
 * arrears less what was delivered. */
static void add_paces(struct rf_text *script, const json_t *samples, double unit_s,
                      double device_s, int arrears)
{
    rf_text_add(script, "$pace << EOD\n");
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *row = json_array_get(samples, i);
        double less = arrears ? sample(row, DELIVERED) : 0;

        rf_text_addf(script, "%.7g", sample(row, T) / unit_s);
        for (int c = PROMISED; c < NPACE; c++)
            rf_text_addf(script, " %.7g", (sample(row, c) - less) / device_s);
        rf_text_add(script, "\n");
    }
    rf_text_add(script, "EOD\n");
}

/* Lines on top of one another would only confuse. */
static int differ(const json_t *samples, int a, int b)
{
    for (size_t i = 0; i < json_array_size(samples); i++) {
        double x = sample(json_array_get(samples, i), a);
        double y = sample(json_array_get(samples, i), b);

        if (fabs(x - y) > 1e-3 * fmax(fabs(x), fabs(y)))
            return 1;
    }
    return 0;
}

static void plot_paces(struct rf_text *script, const json_t *samples, const char *delivered)
{
    rf_text_add(script, "plot $pace using 1:2 with lines lw 2 dt 2 lc rgb '" RF_PLOT_INK
                        "' title 'share of the fleet'");
    if (differ(samples, STOCK, PROMISED))
        rf_text_addf(script, ", $pace using 1:3 with lines lw 2 dt 4 lc rgb '%s' title 'stock at "
                             "the date'",
                     rf_plot_colour(3));
    if (differ(samples, STOCK_PLUS, STOCK) && differ(samples, STOCK_PLUS, PROMISED))
        rf_text_addf(script, ", $pace using 1:4 with lines lw 2 dt 5 lc rgb '%s' title 'stock "
                             "with purchases'",
                     rf_plot_colour(6));
    if (delivered != NULL)
        rf_text_addf(script,
                     ", $pace using 1:5 with lines lw 2.8 lc rgb '%s' title 'delivered'",
                     delivered);
    rf_text_add(script, "\n");
}

/* delivered: the colour of that line; NULL: draw arrears. */
static enum rf_status draw_pace(const json_t *pace, const char *delivered, char **svg,
                                struct rf_error *err)
{
    const json_t *samples = rf_json_list(pace, "samples");
    size_t n = json_array_size(samples);
    struct rf_text script = {0};
    const char *unit;
    double most = 0, unit_s, device_s;
    int arrears = delivered == NULL;

    *svg = NULL;
    for (size_t i = 0; i < n; i++)
        for (int c = PROMISED; c < NPACE; c++)
            most = fmax(most, sample(json_array_get(samples, i), c));
    if (n < 2 || !(most > 0))
        return RF_OK;
    device_s = device_unit(most, &unit);
    rf_plot_start(&script, arrears ? LOW : HEIGHT);
    unit_s = add_time_axis(&script, sample(json_array_get(samples, n - 1), T));
    add_paces(&script, samples, unit_s, device_s, arrears);
    rf_text_addf(&script, "set ylabel '%s%s'\n%s", unit, arrears ? " behind" : "",
                 arrears ? "set xzeroaxis lc rgb '" RF_PLOT_INK "' lw 1\n"
                         : "set yrange [0:*]\n");
    plot_paces(&script, samples, delivered);
    return finish(&script,
                  arrears ? "How far the delivered device-time is behind each line"
                          : "Device-time delivered so far, and the lines it is held to",
                  svg, err);
}

enum rf_status rf_sim_figure_pace(const struct rf_curves *curves, const json_t *pace, char **svg,
                                  struct rf_error *err)
{
    return draw_pace(pace, colour_of(curves, rf_json_text(pace, "account")), svg, err);
}

enum rf_status rf_sim_figure_arrears(const json_t *pace, char **svg, struct rf_error *err)
{
    return draw_pace(pace, NULL, svg, err);
}

/* ---- stacks ---- */

struct layer {
    const double *values;
    const char *title, *colour;
};

static void add_stack(struct rf_text *script, const struct rf_curves *curves, double unit_s,
                      const struct layer *layers, int n)
{
    rf_text_add(script, "$stack << EOD\n");
    for (int k = 0; k < curves->n; k++)
        for (int end = 0; end < 2; end++) {
            double height = 0;

            rf_text_addf(script, "%.7g 0", curves->t_s[k + end] / unit_s);
            for (int i = 0; i < n; i++) {
                height += layers[i].values[k];
                rf_text_addf(script, " %.6g", height);
            }
            rf_text_add(script, "\n");
        }
    rf_text_add(script, "EOD\n");
}

static void plot_stack(struct rf_text *script, const struct layer *layers, int n)
{
    rf_text_add(script, "set yrange [0:*]\nset ylabel 'devices'\nset style fill noborder\nplot ");
    for (int i = 0; i < n; i++) {
        rf_text_addf(script,
                     "%s$stack using 1:%d:%d with filledcurves fc rgb '%s' fs transparent solid "
                     "0.75 title ",
                     i > 0 ? ", " : "", i + 2, i + 3, layers[i].colour);
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
                     const double *values, const char *name)
{
    rf_text_addf(script, "$%s << EOD\n", name);
    for (int k = 0; k < curves->n; k++)
        rf_text_addf(script, "%.7g %.6g\n%.7g %.6g\n", curves->t_s[k] / unit_s, values[k],
                     curves->t_s[k + 1] / unit_s, values[k]);
    rf_text_add(script, "EOD\n");
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
    rf_plot_start(&script, HEIGHT);
    unit_s = add_time_axis(&script, curves->t_s[curves->n]);
    add_stack(&script, curves, unit_s, layers, n);
    add_line(&script, curves, unit_s, up, "fleet");
    plot_stack(&script, layers, n);
    rf_text_add(&script, ", $fleet using 1:2 with lines lw 1.5 dt 2 lc rgb '" RF_PLOT_INK
                         "' title 'fleet'\n");
    return finish(&script, "Devices held by each account over time, stacked", svg, err);
}

enum rf_status rf_sim_figure_books(const struct rf_curves *curves, char **svg,
                                   struct rf_error *err)
{
    static const struct {
        const char *column, *title, *colour;
    } kinds[] = {{"own", "own use", "#4f8fd0"},       {"lent", "lent", "#b76bc0"},
                 {"overhead", "overhead", "#e0793c"}, {"reserved", "idle, reserved", YELLOW},
                 {"free", "idle, free", "#8a8f98"},   {"down", "down", RED}};
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
    rf_plot_start(&script, HEIGHT);
    unit_s = add_time_axis(&script, curves->t_s[curves->n]);
    add_stack(&script, curves, unit_s, layers, N);
    plot_stack(&script, layers, N);
    rf_text_add(&script, "\n");
    return finish(&script, "Where every device was over time, stacked", svg, err);
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
    rf_plot_start(&script, LOW);
    unit_s = add_time_axis(&script, curves->t_s[curves->n]);
    add_shares(&script, curves, unit_s, used, 0, "now");
    add_share_so_far(&script, curves, unit_s, used);
    rf_text_addf(&script,
                 "set yrange [0:105]\nset ylabel '%% in use'\nset style fill noborder\n"
                 "plot $now using 1:2 with filledcurves y=0 fc rgb '%s' fs transparent solid 0.4 "
                 "title 'in use', $sofar using 1:2 with lines lw 2.5 lc rgb '%s' title 'so "
                 "far'\n",
                 rf_plot_colour(2), rf_plot_colour(2));
    return finish(&script, "Part of the fleet in use over time", svg, err);
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
    rf_plot_start(&script, HEIGHT);
    unit_s = add_time_axis(&script, curves->t_s[curves->n]);
    for (int i = 0; i < n; i++) {
        char name[16];

        snprintf(name, sizeof name, "q%d", i);
        add_line(&script, curves, unit_s, layers[i].values, name);
    }
    rf_text_add(&script, "set yrange [0:*]\nset ylabel 'devices asked for'\nplot ");
    for (int i = 0; i < n; i++) {
        rf_text_addf(&script, "%s$q%d using 1:2 with lines lw 1.6 lc rgb '%s' title ",
                     i > 0 ? ", " : "", i, layers[i].colour);
        rf_plot_add_string(&script, layers[i].title);
    }
    rf_text_add(&script, "\n");
    return finish(&script, "Devices that waiting jobs ask for over time, by account", svg, err);
}

enum rf_status rf_sim_figure_denials(const struct rf_curves *curves, char **svg,
                                     struct rf_error *err)
{
    struct layer layers[MOST_STACK];
    struct rf_text script = {0};
    int n = layers_of(curves, "denied", layers);
    double unit_s;

    *svg = NULL;
    if (n == 0 || curves->n == 0)
        return RF_OK;
    rf_plot_start(&script, LOW);
    unit_s = add_time_axis(&script, curves->t_s[curves->n]);
    for (int i = 0; i < n; i++) {
        double sum = 0;

        rf_text_addf(&script, "$d%d << EOD\n0 0\n", i);
        for (int k = 0; k < curves->n; k++) {
            sum += layers[i].values[k];
            rf_text_addf(&script, "%.7g %.7g\n", curves->t_s[k + 1] / unit_s, sum);
        }
        rf_text_add(&script, "EOD\n");
    }
    rf_text_add(&script, "set yrange [0:*]\nset ylabel 'requests denied'\nplot ");
    for (int i = 0; i < n; i++) {
        rf_text_addf(&script, "%s$d%d using 1:2 with lines lw 2.5 lc rgb '%s' title ",
                     i > 0 ? ", " : "", i, rf_plot_colour(i + 5));
        rf_plot_add_string(&script, layers[i].title);
    }
    rf_text_add(&script, "\n");
    return finish(&script, "Requests denied so far, by reason", svg, err);
}

/* ---- waits ---- */

/* How many percent waited less than the end of each bin. Returns the number of jobs, and in
 * *longest_s the end of the last bin that has any, where that is later. */
static double add_distribution(struct rf_text *script, const json_t *group, const json_t *edges,
                               size_t id, double *longest_s)
{
    const json_t *counts = rf_json_list(group, "jobs");
    size_t n = json_array_size(counts);
    double all = 0, sum = 0;

    for (size_t k = 0; k < n; k++)
        all += json_number_value(json_array_get(counts, k));
    if (!(all > 0))
        return 0;
    rf_text_addf(script, "$w%zu << EOD\n", id);
    for (size_t k = 0; k + 1 < n; k++) {
        double count = json_number_value(json_array_get(counts, k));
        double end_s = json_number_value(json_array_get(edges, k + 1));

        sum += count;
        rf_text_addf(script, "%.7g %.5g\n", end_s, 100 * sum / all);
        if (count > 0)
            *longest_s = fmax(*longest_s, end_s);
    }
    rf_text_add(script, "EOD\n");
    return all;
}

enum rf_status rf_sim_figure_waits(const json_t *histogram, char **svg, struct rf_error *err)
{
    const json_t *groups = rf_json_list(histogram, "groups");
    const json_t *edges = rf_json_list(histogram, "edges_s");
    struct rf_text script = {0}, lines = {0};
    double longest_s = 1e4;

    *svg = NULL;
    rf_plot_start(&script, HEIGHT);
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
    return finish(&script, "Part of the jobs that waited less than so long, by account", svg,
                  err);
}
