#include "report/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/stats.h"
#include "report/json.h"
#include "report/plot.h"
#include "report/plot_data.h"

enum { HEIGHT = 360, MOST_POINTS = 150, MOST_KINDS = 8, KIND_BYTES = 32 };

static enum rf_status finish(struct rf_text *script, const char *label, char **svg,
                             struct rf_error *err)
{
    enum rf_status st = rf_plot_draw(script, label, svg, err);

    rf_text_clear(script);
    return st;
}

/* ---- shares and devices over time ---- */

static double used_within(const struct rf_usage *usage, int step, const char *account)
{
    double sum = 0;

    for (int a = 0; a < usage->naccounts; a++)
        if (rf_usage_within(usage->accounts[a], account))
            sum += usage->used[(size_t)step * (size_t)usage->naccounts + (size_t)a];
    return sum;
}

static const char *const share_names[] = {"time (s)", "share of the fleet (%)"};

/* Share in percent at each moment, every step with both its ends. */
static void add_moments(struct rf_text *script, const struct rf_usage *usage,
                        const char *account)
{
    rf_plot_block(script, "moment", "held now", share_names, 2);
    for (int i = 0; i < usage->n; i++) {
        double share =
            usage->fleet[i] > 0 ? 100 * used_within(usage, i, account) / usage->fleet[i] : 0;

        rf_text_addf(script, "%.6g %.5g\n%.6g %.5g\n", usage->t_s[i], share, usage->t_s[i + 1],
                     share);
    }
    rf_plot_block_end(script);
}

/* Share since the beginning of the window. A step that spans several windows is cut at their
 * borders; within a step the share follows a curve, so it gets a few points. */
static void add_running(struct rf_text *script, const struct rf_usage *usage,
                        const char *account, const json_t *windows)
{
    enum { PARTS = 6 };

    rf_plot_block(script, "running", "held in this window so far", share_names, 2);
    for (size_t w = 0; w < json_array_size(windows); w++) {
        const json_t *window = json_array_get(windows, w);
        double begin = rf_json_number(window, "begin_s"), end = rf_json_number(window, "end_s");
        double used = 0, fleet = 0;

        for (int i = 0; i < usage->n; i++) {
            double from = fmax(begin, usage->t_s[i]), to = fmin(end, usage->t_s[i + 1]);
            double part = (to - from) / PARTS, held = used_within(usage, i, account);

            for (int k = 0; to > from && k <= PARTS; k++) {
                /* a hair after the beginning, where 0 / 0 would be */
                double past = k > 0 ? k * part : part / 1000;
                double of = fleet + past * usage->fleet[i];

                if (of > 0)
                    rf_text_addf(script, "%.6g %.5g\n", from + past,
                                 100 * (used + past * held) / of);
            }
            if (to > from) {
                used += held * (to - from);
                fleet += usage->fleet[i] * (to - from);
            }
        }
        rf_text_add(script, "\n"); /* a gap: the next window starts afresh */
    }
    rf_plot_block_end(script);
}

static void add_windows(struct rf_text *script, const json_t *windows)
{
    for (size_t w = 0; w < json_array_size(windows) && w < 500; w++) {
        const json_t *window = json_array_get(windows, w);
        const char *verdict = rf_json_text(window, "verdict");
        const char *colour = strcmp(verdict, "kept") == 0     ? "#3fa66b"
                             : strcmp(verdict, "broken") == 0 ? "#d9596b"
                                                              : "#c9a227";

        rf_text_addf(script,
                     "set object %zu rect from %.6g,graph 0 to %.6g,graph 1 behind fc rgb '%s' "
                     "fs transparent solid %s noborder\n",
                     w + 1, rf_json_number(window, "begin_s"), rf_json_number(window, "end_s"),
                     colour, w % 2 == 0 ? "0.16" : "0.08");
    }
}

/* The colour that the pledged account has among the devices. */
static const char *account_colour(const struct rf_usage *usage, const char *account)
{
    for (int a = 0; a < usage->naccounts; a++)
        if (rf_usage_within(usage->accounts[a], account))
            return rf_plot_colour(a);
    return rf_plot_colour(0);
}

enum rf_status rf_figure_share(const json_t *pledge, const struct rf_usage *usage, char **svg,
                               struct rf_error *err)
{
    const json_t *windows = rf_json_list(pledge, "windows");
    const char *account = rf_json_text(pledge, "account");
    double share = rf_json_number(pledge, "share");
    struct rf_text script = {0};
    char label[RF_NAME_BYTES + 64];

    *svg = NULL;
    if (usage->n == 0 || !isfinite(share))
        return RF_OK;
    rf_plot_start(&script, HEIGHT);
    add_moments(&script, usage, account);
    add_running(&script, usage, account, windows);
    rf_plot_block(&script, "pledge", "pledge", share_names, 2);
    rf_text_addf(&script, "0 %.6g\n%.6g %.6g\n", 100 * share, usage->t_s[usage->n],
                 100 * share);
    rf_plot_block_end(&script);
    add_windows(&script, windows);
    rf_text_addf(&script, "set xrange [0:%.6g]\nset yrange [0:105]\n", usage->t_s[usage->n]);
    rf_text_add(&script, "set xlabel 'seconds since the start'\nset ylabel '% of the fleet'\n");
    rf_text_addf(
        &script,
        "plot $moment using 1:2 with filledcurves y=0 fc rgb '%s' fs transparent solid "
        "0.35 title 'now', $running using 1:2 with lines lw 2.5 lc rgb '%s' title "
        "'this window so far', $pledge using 1:2 with lines lw 2 dt 2 lc rgb '" RF_PLOT_INK
        "' title 'pledge (%.4g %%)'\n",
        account_colour(usage, account), account_colour(usage, account), 100 * share);
    snprintf(label, sizeof label, "Share of the fleet held by %.63s over time", account);
    return finish(&script, label, svg, err);
}

static void add_stack(struct rf_text *script, const struct rf_usage *usage)
{
    const char *names[RF_USAGE_ACCOUNTS + 2] = {"time (s)", "fleet (devices)"};
    char units[RF_USAGE_ACCOUNTS][RF_NAME_BYTES + 16];

    for (int a = 0; a < usage->naccounts; a++) {
        snprintf(units[a], sizeof units[a], "%s (devices)", usage->accounts[a]);
        names[a + 2] = units[a];
    }
    rf_plot_block(script, "stack", "devices held", names, usage->naccounts + 2);
    for (int i = 0; i < usage->n; i++)
        for (int end = 0; end < 2; end++) {
            rf_text_addf(script, "%.6g %.5g", usage->t_s[i + end], usage->fleet[i]);
            for (int a = 0; a < usage->naccounts; a++)
                rf_text_addf(script, " %.5g",
                             usage->used[(size_t)i * (size_t)usage->naccounts + (size_t)a]);
            rf_text_add(script, "\n");
        }
    rf_plot_block_end(script);
}

enum rf_status rf_figure_devices(const struct rf_usage *usage, char **svg, struct rf_error *err)
{
    struct rf_text script = {0};
    double highest = 1;

    *svg = NULL;
    if (usage->n == 0)
        return RF_OK;
    for (int i = 0; i < usage->n; i++)
        highest = fmax(highest, usage->fleet[i]);
    rf_plot_start(&script, HEIGHT);
    add_stack(&script, usage);
    rf_text_addf(&script, "set xrange [0:%.6g]\nset yrange [0:%.6g]\n", usage->t_s[usage->n],
                 1.06 * highest);
    if (highest <= 12)
        rf_text_add(&script, "set ytics 1\n");
    rf_text_add(&script, "set xlabel 'seconds since the start'\nset ylabel 'devices'\nplot ");
    for (int a = 0; a < usage->naccounts; a++) {
        rf_text_addf(&script,
                     "$stack using 1:(sum[i=3:%d] column(i)):(sum[i=3:%d] column(i)) with "
                     "filledcurves fc rgb '%s' fs transparent solid 0.9 title ",
                     a + 2, a + 3, rf_plot_colour(a));
        rf_plot_add_string(&script, usage->accounts[a]);
        rf_text_add(&script, ", ");
    }
    rf_text_add(&script, "$stack using 1:2 with lines lw 1.5 dt 2 lc rgb '" RF_PLOT_INK
                         "' title 'fleet'\n");
    return finish(&script, "Devices held by each account over time, stacked", svg, err);
}

/* ---- losses ---- */

/* Where ".s<digits>." begins, the marker of a repeat in a job's name; NULL without. */
static const char *repeat_in(const char *name)
{
    for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        size_t digits = dot[1] == 's' ? strspn(dot + 2, "0123456789") : 0;

        if (digits > 0 && dot[2 + digits] == '.')
            return dot;
    }
    return NULL;
}

void rf_figure_group(const json_t *job, char *group)
{
    const char *name = rf_json_text(job, "name"), *repeat = repeat_in(name);
    size_t n = repeat != NULL ? (size_t)(repeat - name) : strcspn(name, ".");

    if (strcmp(rf_json_text(job, "kind"), "pretrain") == 0) {
        memcpy(group, "pretraining", sizeof "pretraining");
        return;
    }
    n = n < 63 ? n : 63;
    memcpy(group, name, n);
    group[n] = '\0';
}

/* What a job is called among those of its group: "student-xent", the same for all repeats. */
static void label_of(const json_t *job, char label[KIND_BYTES])
{
    const char *name = rf_json_text(job, "name"), *repeat = repeat_in(name);

    if (repeat != NULL)
        name = strchr(repeat + 1, '.') + 1;
    snprintf(label, KIND_BYTES, "%s", name);
}

/* The mean of each of at most MOST_POINTS stretches of the curve. */
static void add_curve(struct rf_text *script, size_t id, const json_t *job)
{
    static const char *const names[] = {"step", "loss (nats)"};
    const json_t *curve = rf_json_list(job, "curve");
    size_t n = json_array_size(curve), points = n < MOST_POINTS ? n : MOST_POINTS;
    char block[24];

    snprintf(block, sizeof block, "c%zu", id);
    rf_plot_block(script, block, rf_json_text(job, "name"), names, 2);
    for (size_t k = 0; k < points; k++) {
        size_t begin = k * n / points, end = (k + 1) * n / points;
        double loss = 0, step = 0;

        for (size_t i = begin; i < end; i++) {
            const json_t *point = json_array_get(curve, i);

            loss += rf_json_number(point, "loss") / (double)(end - begin);
            step += rf_json_number(point, "step") / (double)(end - begin);
        }
        if (isfinite(loss) && isfinite(step))
            rf_text_addf(script, "%.6g %.6g\n", step, loss);
    }
    rf_plot_block_end(script);
}

struct kinds {
    char names[MOST_KINDS][KIND_BYTES];
    int n;
};

/* The number of the label; a new one is added while there is room, *is_new says so. */
static int kind_of(struct kinds *kinds, const char *label, int *is_new)
{
    *is_new = 0;
    for (int i = 0; i < kinds->n; i++)
        if (strcmp(kinds->names[i], label) == 0)
            return i;
    if (kinds->n == MOST_KINDS)
        return MOST_KINDS - 1;
    *is_new = 1;
    memcpy(kinds->names[kinds->n], label, KIND_BYTES);
    return kinds->n++;
}

static int in_group(const json_t *job, const char *group)
{
    char own[RF_NAME_BYTES];

    rf_figure_group(job, own);
    return strcmp(own, group) == 0 && json_array_size(rf_json_list(job, "curve")) > 1;
}

/* Models of an experiment look the same in every figure; others take what is left. */
static const char *label_colour(const char *label, int kind)
{
    static const struct {
        const char *label;
        int colour;
    } fixed[] = {{"weak", 1},     {"student-xent", 0}, {"student-confidence", 3},
                 {"ceiling", 2},  {"same-size", 4},    {"weak-half", 6},
                 {"zero-shot", 7}};

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(label, fixed[i].label) == 0)
            return rf_plot_colour(fixed[i].colour);
    return rf_plot_colour(kind);
}

/* Repeats share a colour, and one of them stands in the key. */
static int add_lines(struct rf_text *script, const json_t *jobs, const char *group)
{
    struct kinds kinds = {.n = 0};
    int lines = 0;

    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        char label[KIND_BYTES];
        int is_new, kind;

        if (!in_group(job, group))
            continue;
        label_of(job, label);
        kind = kind_of(&kinds, label, &is_new);
        rf_text_addf(script, "%s$c%zu using 1:2 with lines lw 1.8 lc rgb '%s' ",
                     lines++ == 0 ? "plot " : ", ", i, label_colour(label, kind));
        if (is_new) {
            rf_text_add(script, "title ");
            rf_plot_add_string(script, label);
        } else {
            rf_text_add(script, "notitle");
        }
    }
    rf_text_add(script, "\n");
    return lines;
}

enum rf_status rf_figure_loss(const json_t *jobs, const char *group, char **svg,
                              struct rf_error *err)
{
    struct rf_text script = {0};
    char label[RF_NAME_BYTES + 64];

    *svg = NULL;
    rf_plot_start(&script, HEIGHT);
    for (size_t i = 0; i < json_array_size(jobs); i++)
        if (in_group(json_array_get(jobs, i), group))
            add_curve(&script, i, json_array_get(jobs, i));
    rf_text_add(&script, "set xlabel 'optimiser step'\nset ylabel 'loss (nats)'\n"
                         "set xrange [0:*]\n");
    if (add_lines(&script, jobs, group) == 0) {
        rf_text_clear(&script);
        return RF_OK;
    }
    snprintf(label, sizeof label, "Training loss against optimiser steps, %.63s", group);
    return finish(&script, label, svg, err);
}

/* ---- experiments ---- */

/* Beside each other there is room for so many; more stand one below the other, as in a forest plot. */
enum { BESIDE = 8, ROW_HEIGHT = 19, NAME_BYTES = 32 };

/* What a figure shows: of many only those that have the number, and were trained to the end; the table
 * below it has all. A new reference. */
static json_t *rows_of(const json_t *experiments, const char *key)
{
    json_t *rows = json_array();
    int many = json_array_size(experiments) > BESIDE;

    for (size_t i = 0; i < json_array_size(experiments); i++) {
        json_t *experiment = json_array_get(experiments, i);

        if (!many || (strchr(rf_json_text(experiment, "loss"), '+') == NULL &&
                      isfinite(rf_json_number(experiment, key))))
            json_array_append(rows, experiment);
    }
    return rows;
}

static int below_each_other(const json_t *rows)
{
    return json_array_size(rows) > BESIDE;
}

static int height_of(const json_t *rows, int beside)
{
    return below_each_other(rows) ? 120 + ROW_HEIGHT * (int)json_array_size(rows) : beside;
}

/* Name above loss under each group, or before its row; side by side and slanted when there are some. */
static void add_labels(struct rf_text *script, const json_t *rows)
{
    size_t n = json_array_size(rows);
    int below = below_each_other(rows), slanted = !below && n > 5;
    size_t longest = 0;

    rf_text_add(script, below     ? "set ytics ("
                        : slanted ? "set xtics rotate by -25 ("
                                  : "set xtics (");
    for (size_t i = 0; i < n; i++) {
        const json_t *experiment = json_array_get(rows, i);
        char name[NAME_BYTES];
        size_t length;

        snprintf(name, sizeof name, "%.24s", rf_json_text(experiment, "name"));
        rf_text_add(script, i > 0 ? ", " : "");
        rf_plot_add_string(script, name);
        rf_text_add(script, below || slanted ? ".' '." : ".\"\\n\".");
        rf_plot_add_string(script, rf_json_text(experiment, "loss"));
        rf_text_addf(script, " %zu", i);
        length = strlen(name) + 1 + strlen(rf_json_text(experiment, "loss"));
        longest = length > longest ? length : longest;
    }
    if (below)
        rf_text_addf(
            script,
            ")\nset ytics font ',11'\nset xtics font ',12'\nset lmargin %g\n"
            "set yrange [%g:-0.6]\nset grid x lc rgb '#888888' lw 0.4 dt 3\nset ylabel\n"
            "set key maxcols 2\n",
            2 + 0.6 * (double)longest, (double)n - 0.4); /* in characters of the larger font */
    else
        rf_text_addf(script, ")\nset xrange [-0.6:%g]\nset bmargin %d\n", (double)n - 0.4,
                     slanted ? 6 : 3);
}

/* "oversight xent" as a cell of a block. */
static void add_experiment(struct rf_text *script, const json_t *experiment)
{
    char name[160];

    snprintf(name, sizeof name, "%.100s %.40s", rf_json_text(experiment, "name"),
             rf_json_text(experiment, "loss"));
    rf_plot_add_text(script, name);
}

static void add_accuracies(struct rf_text *script, const json_t *experiments, const char *key,
                           double shift)
{
    static const char *const names[] = {RF_PLOT_HIDDEN, "experiment", "accuracy", "95 %: from",
                                        "to"};

    rf_plot_block(script, key, strcmp(key, "zero_shot") == 0 ? "zero-shot" : key, names, 5);
    for (size_t i = 0; i < json_array_size(experiments); i++) {
        const json_t *experiment = json_array_get(experiments, i);
        double p = rf_json_number(experiment, key),
               n = rf_json_number(experiment, "test_items");
        struct rf_interval ci = {p, p};

        if (!isfinite(p))
            continue;
        if (n >= 1)
            ci = rf_stats_wilson(p, (int64_t)n);
        rf_text_addf(script, "%g", (double)i + shift);
        add_experiment(script, experiment);
        rf_text_addf(script, " %.5g %.5g %.5g\n", p, ci.low, ci.high);
    }
    rf_plot_block_end(script);
}

static int any_number(const json_t *list, const char *key)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (isfinite(rf_json_number(json_array_get(list, i), key)))
            return 1;
    return 0;
}

static void plot_accuracies(struct rf_text *script, const json_t *rows,
                            const char *const keys[3])
{
    rf_text_add(script, "set yrange [0:1.02]\nset ylabel 'accuracy'\nset boxwidth 0.2\n"
                        "set style fill transparent solid 0.75 noborder\nplot ");
    for (int k = 0; k < 3; k++)
        rf_text_addf(script, "$%s using 1:3 with boxes fc rgb '%s' title '%s', ", keys[k],
                     rf_plot_colour(k == 2 ? 2 : 1 - k), keys[k]);
    for (int k = 0; k < 3; k++)
        rf_text_addf(script,
                     "$%s using 1:4:(0):($5-$4) with vectors nohead lw 2 lc rgb '" RF_PLOT_INK
                     "' notitle%s",
                     keys[k], k < 2 ? ", " : "");
    if (any_number(rows, "zero_shot"))
        rf_text_add(script, ", $zero_shot using ($1-0.36):3:(0.72):(0) with vectors nohead lw "
                            "2 dt 2 lc rgb '" RF_PLOT_INK "' title 'zero-shot'");
    rf_text_add(script, "\n");
}

static void plot_accuracies_below(struct rf_text *script, const json_t *rows,
                                  const char *const keys[3])
{
    rf_text_add(script, "set xrange [0:1.02]\nset xlabel 'accuracy'\nplot ");
    for (int k = 0; k < 3; k++) {
        const char *colour = rf_plot_colour(k == 2 ? 2 : 1 - k);

        rf_text_addf(
            script,
            "$%s using 4:1:($5-$4):(0) with vectors nohead lw 2 lc rgb '%s' notitle, "
            "$%s using 3:($1-0.14):(0):(0.28) with vectors nohead lw 4 lc rgb '%s' title "
            "'%s'%s",
            keys[k], colour, keys[k], colour, keys[k], k < 2 ? ", " : "");
    }
    if (any_number(rows, "zero_shot"))
        rf_text_add(script, ", $zero_shot using 3:($1-0.36):(0):(0.72) with vectors nohead lw "
                            "2 dt 2 lc rgb '" RF_PLOT_INK "' title 'zero-shot'");
    rf_text_add(script, "\n");
}

enum rf_status rf_figure_accuracy(const json_t *experiments, char **svg, struct rf_error *err)
{
    static const char *const keys[] = {"weak", "student", "ceiling"};
    struct rf_text script = {0};
    json_t *rows;

    *svg = NULL;
    if (!any_number(experiments, "weak"))
        return RF_OK;
    rows = rows_of(experiments, "student");
    rf_plot_start(&script, height_of(rows, HEIGHT));
    for (int k = 0; k < 3; k++)
        add_accuracies(&script, rows, keys[k], 0.24 * (k - 1));
    add_accuracies(&script, rows, "zero_shot", 0);
    add_labels(&script, rows);
    (below_each_other(rows) ? plot_accuracies_below : plot_accuracies)(&script, rows, keys);
    json_decref(rows);
    return finish(&script, "Accuracy of weak supervisor, student and ceiling", svg, err);
}

static void plot_gaps(struct rf_text *script)
{
    rf_text_addf(script,
                 "set yrange [*<-0.1:1.1<*]\nset ylabel 'gap recovered'\n"
                 "plot 0 with lines lw 1.5 dt 2 lc rgb '%s' title 'weak supervisor', "
                 "1 with lines lw 1.5 dt 2 lc rgb '%s' title 'ceiling', "
                 "$pgr using 1:4:(0):($5-$4) with vectors nohead lw 3 lc rgb '%s' title '95 %% "
                 "interval', $pgr using ($1-0.12):3:(0.24):(0) with vectors nohead lw 4 lc rgb "
                 "'%s' title 'student'\n",
                 rf_plot_colour(1), rf_plot_colour(2), rf_plot_colour(0), rf_plot_colour(0));
}

static void plot_gaps_below(struct rf_text *script, const json_t *rows)
{
    double n = (double)json_array_size(rows);

    rf_text_addf(
        script,
        "set xrange [*<-0.1:1.1<*]\nset xlabel 'gap recovered'\n"
        "plot $pgr using (0):(-0.6):(0):(%g) every ::0::0 with vectors nohead lw 1.5 dt 2 lc "
        "rgb '%s' title 'weak supervisor', "
        "$pgr using (1):(-0.6):(0):(%g) every ::0::0 with vectors nohead lw 1.5 dt 2 lc rgb "
        "'%s' title 'ceiling', "
        "$pgr using 4:1:($5-$4):(0) with vectors nohead lw 2 lc rgb '%s' title '95 %% "
        "interval', $pgr using 3:($1-0.25):(0):(0.5) with vectors nohead lw 4 lc rgb '%s' "
        "title 'student'\n",
        n + 0.2, rf_plot_colour(1), n + 0.2, rf_plot_colour(2), rf_plot_colour(0),
        rf_plot_colour(0));
}

enum rf_status rf_figure_pgr(const json_t *experiments, char **svg, struct rf_error *err)
{
    static const char *const names[] = {RF_PLOT_HIDDEN, "experiment", "gap recovered",
                                        "95 %: from", "to"};
    struct rf_text script = {0};
    json_t *rows;

    *svg = NULL;
    if (!any_number(experiments, "pgr"))
        return RF_OK;
    rows = rows_of(experiments, "pgr");
    rf_plot_start(&script, height_of(rows, HEIGHT - 40));
    rf_plot_block(&script, "pgr", "student", names, 5);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *experiment = json_array_get(rows, i);
        const json_t *ci = rf_json_list(experiment, "pgr_ci");
        double pgr = rf_json_number(experiment, "pgr");

        if (!isfinite(pgr))
            continue;
        rf_text_addf(&script, "%zu", i);
        add_experiment(&script, experiment);
        rf_text_addf(&script, " %.5g %.5g %.5g\n", pgr,
                     json_number_value(json_array_get(ci, 0)),
                     json_number_value(json_array_get(ci, 1)));
    }
    rf_plot_block_end(&script);
    add_labels(&script, rows);
    if (below_each_other(rows))
        plot_gaps_below(&script, rows);
    else
        plot_gaps(&script);
    json_decref(rows);
    return finish(&script, "Performance gap recovered, with 95 % intervals", svg, err);
}
