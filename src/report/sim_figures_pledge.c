/* The figures about a promise: share, pace and arrears. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/json.h"
#include "report/sim_figures.h"
#include "report/sim_plot.h"

enum { MOST_RECTS = 500 };

/* ---- share ---- */

/* The columns promised:A, promised:A#2 ... of an account. */
static int promised_of(const struct rf_curves *curves, int column, const char *account)
{
    const char *of = rf_curves_of(curves, column, "promised");
    size_t length = strlen(account);

    return of != NULL && strncmp(of, account, length) == 0 &&
           (of[length] == '\0' || of[length] == '#');
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

/* One rectangle for each row of windows with the same verdict. */
static void add_windows(struct rf_text *script, const json_t *windows, double unit_s)
{
    size_t n = json_array_size(windows), rects = 0;

    for (size_t w = 0; w < n && rects < MOST_RECTS;) {
        const json_t *first = json_array_get(windows, w);
        const char *verdict = rf_json_text(first, "verdict");
        const char *colour = strcmp(verdict, "kept") == 0     ? RF_SIM_GREEN
                             : strcmp(verdict, "broken") == 0 ? RF_SIM_RED
                                                              : RF_SIM_YELLOW;
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
            rf_text_addf(
                script,
                "set arrow %zu from %.7g,graph 0 to %.7g,graph 1 nohead lw 1.2 dt 3 lc "
                "rgb '" RF_PLOT_INK "'\n",
                i + 1, t_s / unit_s, t_s / unit_s);
    }
}

static const char *line_title(int i)
{
    return i == 0 ? "promised" : i == 1 ? "as changed" : "as changed again";
}

enum rf_status rf_sim_figure_share(const struct rf_curves *curves, const json_t *pledge,
                                   const json_t *changes, char **svg, struct rf_error *err)
{
    const char *account = rf_json_text(pledge, "account");
    char name[RF_CURVES_NAME_BYTES], label[160];
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
    rf_plot_start(&script, RF_SIM_PLOT_HEIGHT);
    unit_s = rf_sim_plot_time(&script, curves->t_s[curves->n]);
    most = rf_sim_plot_shares(&script, curves, unit_s, part, 0, "now", "held");
    rf_sim_plot_so_far(&script, curves, unit_s, part);
    for (int c = 0; c < curves->ncolumns; c++) {
        const double *values = curves->values + (size_t)c * (size_t)curves->n;
        int first = first_of(curves, values);

        if (!promised_of(curves, c, account) || first == curves->n)
            continue;
        snprintf(name, sizeof name, "line%d", lines);
        most = fmax(most, rf_sim_plot_shares(&script, curves, unit_s, values, first, name,
                                             line_title(lines)));
        lines++;
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
        rf_text_addf(&script,
                     ", $line%d using 1:2 with lines lw 2 dt %d lc rgb '%s' title '%s'", i,
                     i == 0 ? 2 : 4, i == 0 ? RF_PLOT_INK : RF_SIM_RED, line_title(i));
    rf_text_add(&script, "\n");
    snprintf(label, sizeof label, "Share of the fleet held by %.63s, and the pledge", account);
    return rf_sim_plot_finish(&script, label, svg, err);
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
                      double device_s, const char *title, int arrears)
{
    static const char *const lines[] = {"share of the fleet", "stock at the date",
                                        "stock with purchases", "delivered"};
    const char *names[NPACE - PROMISED];
    char units[NPACE - PROMISED][64];
    double end_s = sample(json_array_get(samples, json_array_size(samples) - 1), T);

    for (int i = 0; i < NPACE - PROMISED; i++) {
        snprintf(units[i], sizeof units[i], "%s (%s)", lines[i], title);
        names[i] = units[i];
    }
    rf_sim_plot_block(script, end_s, "pace", title, names, NPACE - PROMISED - arrears);
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *row = json_array_get(samples, i);
        double less = arrears ? sample(row, DELIVERED) : 0;

        rf_text_addf(script, "%.7g", sample(row, T) / unit_s);
        for (int c = PROMISED; c < NPACE - arrears; c++)
            rf_text_addf(script, " %.7g", (sample(row, c) - less) / device_s);
        rf_text_add(script, "\n");
    }
    rf_plot_block_end(script);
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
        rf_text_addf(script,
                     ", $pace using 1:3 with lines lw 2 dt 4 lc rgb '%s' title 'stock at "
                     "the date'",
                     rf_plot_colour(3));
    if (differ(samples, STOCK_PLUS, STOCK) && differ(samples, STOCK_PLUS, PROMISED))
        rf_text_addf(script,
                     ", $pace using 1:4 with lines lw 2 dt 5 lc rgb '%s' title 'stock "
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
    char title[32];
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
    rf_plot_start(&script, arrears ? RF_SIM_PLOT_LOW : RF_SIM_PLOT_HEIGHT);
    unit_s = rf_sim_plot_time(&script, sample(json_array_get(samples, n - 1), T));
    snprintf(title, sizeof title, "%s%s", unit, arrears ? " behind" : "");
    add_paces(&script, samples, unit_s, device_s, title, arrears);
    rf_text_addf(&script, "set ylabel '%s'\n%s", title,
                 arrears ? "set xzeroaxis lc rgb '" RF_PLOT_INK "' lw 1\n"
                         : "set yrange [0:*]\n");
    plot_paces(&script, samples, delivered);
    return rf_sim_plot_finish(&script,
                              arrears
                                  ? "How far the delivered device-time is behind each line"
                                  : "Device-time delivered so far, and the lines it is held to",
                              svg, err);
}

enum rf_status rf_sim_figure_pace(const struct rf_curves *curves, const json_t *pace,
                                  char **svg, struct rf_error *err)
{
    return draw_pace(pace, colour_of(curves, rf_json_text(pace, "account")), svg, err);
}

enum rf_status rf_sim_figure_arrears(const json_t *pace, char **svg, struct rf_error *err)
{
    return draw_pace(pace, NULL, svg, err);
}
