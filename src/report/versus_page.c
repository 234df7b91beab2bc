/* Two runs beside one another, as a page and as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/build.h"
#include "report/json.h"
#include "report/markup.h"
#include "report/page.h"
#include "report/plot.h"
#include "report/plot_data.h"
#include "report/versus.h"

enum { FRAME_HEIGHT = 110, PAIR_HEIGHT = 56, MOST_BARS = 12, NAME_BYTES = 24 };

struct topic {
    const char *topic, *heading, *about;
    const char *drawn; /* the row that has a figure; NULL: none */
};

static const struct topic topics[] = {
    {"accuracy", "Accuracies",
     "<p>Means over seeds on the locked test set of each run; only equal test sets "
     "compare.</p>\n",
     "student"},
    {"gap recovered", "Gap recovered",
     "<p>0 is the weak supervisor, 1 the ceiling. Where the intervals overlap widely, the "
     "difference may be chance.</p>\n",
     "gap recovered"},
    {"share", "Shares",
     "<p>Of the fleet's device-time; an account includes those below it.</p>\n",
     "of the fleet"},
    {"compute", "Compute bills",
     "<p>By account, and by experiment; model FLOPs are those that the jobs report. The bill "
     "of a row alone counts every job that it needs, also those that other rows share.</p>\n",
     NULL},
    {"waiting", "Waiting and denials", "", NULL},
    {"whole", "As a whole", "", NULL}};

enum { NTOPICS = sizeof topics / sizeof *topics };

static int is_of(const struct rf_versus_row *row, const struct topic *topic)
{
    return strcmp(row->topic, topic->topic) == 0;
}

/* ---- the figure ---- */

static void add_bars(struct rf_text *script, const struct rf_versus *versus,
                     const struct topic *topic, int second, const char *title)
{
    const char *names[] = {RF_PLOT_HIDDEN, "of", topic->drawn, "95 %: from", "to"};
    int at = 0;

    rf_plot_block(script, second ? "b" : "a", title, names, 5);
    for (int i = 0; i < versus->n && at < MOST_BARS; i++) {
        const struct rf_versus_row *row = &versus->rows[i];
        double x = second ? row->b : row->a;
        const double *ci = second ? row->b_ci : row->a_ci;

        if (!is_of(row, topic) || strcmp(row->what, topic->drawn) != 0)
            continue;
        if (isfinite(x)) {
            rf_text_addf(script, "%g", at + (second ? 0.2 : -0.2));
            rf_plot_add_text(script, row->of);
            rf_text_addf(script, " %.6g %.6g %.6g\n", x, isfinite(ci[0]) ? ci[0] : x,
                         isfinite(ci[1]) ? ci[1] : x);
        }
        at++;
    }
    rf_plot_block_end(script);
}

static int count_pairs(const struct rf_versus *versus, const struct topic *topic)
{
    int n = 0;

    for (int i = 0; i < versus->n && n < MOST_BARS; i++)
        n += is_of(&versus->rows[i], topic) && strcmp(versus->rows[i].what, topic->drawn) == 0;
    return n;
}

/* Names beside the pairs, from above, cut where they are long. */
static void add_names(struct rf_text *script, const struct rf_versus *versus,
                      const struct topic *topic)
{
    int n = 0;

    rf_text_add(script, "set ytics (");
    for (int i = 0; i < versus->n && n < MOST_BARS; i++) {
        const struct rf_versus_row *row = &versus->rows[i];
        char name[NAME_BYTES];

        if (!is_of(row, topic) || strcmp(row->what, topic->drawn) != 0)
            continue;
        snprintf(name, sizeof name, "%.22s", row->of);
        rf_text_add(script, n > 0 ? ", " : "");
        rf_plot_add_string(script, name);
        rf_text_addf(script, " %d", n++);
    }
    rf_text_addf(script, ")\nset yrange [%g:-0.6]\n", n - 0.4);
}

static double tick_of(const struct rf_versus *versus, const struct topic *topic)
{
    double most = 0;

    for (int i = 0; i < versus->n; i++) {
        const struct rf_versus_row *row = &versus->rows[i];

        if (is_of(row, topic) && strcmp(row->what, topic->drawn) == 0) {
            most = isfinite(row->a) ? fmax(most, fabs(row->a)) : most;
            most = isfinite(row->b) ? fmax(most, fabs(row->b)) : most;
        }
    }
    return rf_plot_tick(most);
}

static void plot_bars(struct rf_text *script, int second, const char *title)
{
    const char *block = second ? "b" : "a";

    rf_text_addf(script,
                 "%s$%s using 3:1:(0):3:($1-0.18):($1+0.18) with boxxyerror fc rgb '%s' title ",
                 second ? ", " : "plot ", block, rf_plot_colour(second));
    rf_plot_add_string(script, title);
    rf_text_addf(script,
                 ", $%s using 4:1:($5-$4):(0) with vectors nohead lw 2 lc rgb '" RF_PLOT_INK
                 "' notitle",
                 block);
}

static enum rf_status draw(const struct rf_versus *versus, const struct topic *topic,
                           const char *const names[2], char **svg, struct rf_error *err)
{
    int n = count_pairs(versus, topic);
    struct rf_text script = {0};
    char label[160];
    enum rf_status st;

    *svg = NULL;
    if (n == 0)
        return RF_OK;
    rf_plot_start(&script, FRAME_HEIGHT + PAIR_HEIGHT * n);
    add_bars(&script, versus, topic, 0, names[0]);
    add_bars(&script, versus, topic, 1, names[1]);
    rf_text_addf(&script,
                 "set xlabel '%s'\nset xrange [*<0:*]\nset offsets 0, graph 0.05, 0, 0\n"
                 "unset grid\nset grid x lc rgb '#888888' lw 0.4 dt 3\nset xtics %g\n"
                 "set key at screen 0.02, screen 0.98 left top vertical\nset tmargin 3.5\n"
                 "set style fill solid 0.9 noborder\n",
                 strcmp(topic->topic, "share") == 0 ? "% of the fleet" : topic->topic,
                 tick_of(versus, topic));
    add_names(&script, versus, topic);
    plot_bars(&script, 0, names[0]);
    plot_bars(&script, 1, names[1]);
    rf_text_add(&script, "\n");
    snprintf(label, sizeof label, "%s of both, side by side", topic->heading);
    st = rf_plot_draw(&script, label, svg, err);
    rf_text_clear(&script);
    return st;
}

/* ---- the tables ---- */

static void add_value(struct rf_text *page, double x, const double ci[2])
{
    rf_markup_open(page, 1);
    if (!isfinite(x))
        rf_text_add(page, "-");
    else if (ci != NULL && isfinite(ci[0]) && isfinite(ci[1]))
        rf_text_addf(page, "%.5g [%.3g, %.3g]", x, ci[0], ci[1]);
    else
        rf_text_addf(page, "%.6g", x);
}

static void add_row(struct rf_text *page, const struct rf_versus_row *row)
{
    double difference = row->b - row->a;
    char what[80];

    rf_markup_row(page);
    rf_markup_cell(page, row->of);
    snprintf(what, sizeof what, "%s%s%s%s", row->what, row->unit[0] != '\0' ? " (" : "",
             row->unit, row->unit[0] != '\0' ? ")" : "");
    rf_markup_cell(page, what);
    add_value(page, row->a, row->a_ci);
    add_value(page, row->b, row->b_ci);
    rf_markup_open(page, 1);
    if (isfinite(difference))
        rf_text_addf(page, difference != 0 ? "%+.4g" : "%g", difference);
    else
        rf_text_add(page, "-");
    rf_markup_open(page, 1);
    if (isfinite(difference) && row->a > 0)
        rf_text_addf(page, difference != 0 ? "%+.1f %%" : "%.0f %%", 100 * difference / row->a);
    else
        rf_text_add(page, "-");
}

static enum rf_status add_topic(struct rf_text *page, const struct rf_versus *versus,
                                const struct topic *topic, const char *const names[2],
                                int *plots, struct rf_error *err)
{
    const char *headings[] = {"of", "what", names[0], names[1], "difference", "in %"};
    char *svg = NULL;
    int n = 0;
    enum rf_status st = RF_OK;

    for (int i = 0; i < versus->n; i++)
        n += is_of(&versus->rows[i], topic);
    if (n == 0)
        return RF_OK;
    if (topic->drawn != NULL)
        st = draw(versus, topic, names, &svg, err);
    rf_text_addf(page, "<section><h2>%s</h2>\n%s", topic->heading, topic->about);
    rf_markup_figure(page, svg, "Side by side, with 95 % intervals where there are any.");
    *plots |= svg != NULL;
    free(svg);
    rf_markup_table(page, topic->heading, "llrrrr", headings);
    for (int i = 0; i < versus->n; i++)
        if (is_of(&versus->rows[i], topic))
            add_row(page, &versus->rows[i]);
    rf_markup_end(page);
    rf_text_add(page, "</section>\n");
    return st;
}

static void add_top(struct rf_text *page, const struct rf_versus *versus,
                    const char *const names[2], const char *const run_dirs[2])
{
    rf_text_add(page, "<header><h1>");
    rf_text_add_html(page, names[0]);
    rf_text_add(page, " beside ");
    rf_text_add_html(page, names[1]);
    rf_text_add(page, "</h1>\n<p>A difference is what the second has more than the first.</p>\n"
                      "<dl>");
    for (int k = 0; k < 2; k++) {
        rf_text_add(page, "<dt>");
        rf_text_add_html(page, names[k]);
        rf_text_add(page, "</dt><dd>");
        rf_text_add_html(page, run_dirs[k]);
        if (versus->verdicts[k][0] != '\0') {
            rf_text_add(page, ", pledge ");
            rf_text_add_html(page, versus->verdicts[k]);
        }
        rf_text_add(page, "</dd>\n");
    }
    rf_text_add(page, "</dl></header>\n");
}

static enum rf_status make_page(struct rf_text *page, const struct rf_versus *versus,
                                const char *const names[2], const char *const run_dirs[2],
                                const char *version, struct rf_error *err)
{
    int plots = 0;
    char title[200];
    enum rf_status st = RF_OK;

    snprintf(title, sizeof title, "%.90s beside %.90s", names[0], names[1]);
    rf_page_head(page, title);
    add_top(page, versus, names, run_dirs);
    for (int t = 0; st == RF_OK && t < NTOPICS; t++)
        st = add_topic(page, versus, &topics[t], names, &plots, err);
    if (st == RF_OK)
        rf_page_foot(page, version, "results.json of both", plots);
    return st == RF_OK && page->failed
               ? rf_fail(err, RF_ERR_MEMORY, "out of memory for a comparison")
               : st;
}

/* ---- JSON ---- */

static json_t *interval(const double ci[2])
{
    return isfinite(ci[0]) ? json_pack("[f, f]", ci[0], ci[1]) : json_null();
}

static enum rf_status make_json(const struct rf_versus *versus, const char *const run_dirs[2],
                                const char *version, char **text, struct rf_error *err)
{
    struct rf_build build = {0}, *b = &build;
    json_t *root = json_object(), *rows = json_array();
    enum rf_status st;

    rf_build_text(b, root, "command", "report");
    rf_build_text(b, root, "version", version);
    rf_build_set(b, root, "seed", json_null());
    rf_build_number(b, root, "wall_s", 0);
    rf_build_text(b, root, "a", run_dirs[0]);
    rf_build_text(b, root, "b", run_dirs[1]);
    rf_build_text(b, root, "a_verdict", versus->verdicts[0]);
    rf_build_text(b, root, "b_verdict", versus->verdicts[1]);
    for (int i = 0; i < versus->n; i++) {
        const struct rf_versus_row *row = &versus->rows[i];
        json_t *o = json_object();

        rf_build_text(b, o, "topic", row->topic);
        rf_build_text(b, o, "of", row->of);
        rf_build_text(b, o, "what", row->what);
        rf_build_text(b, o, "unit", row->unit);
        rf_build_number(b, o, "a", row->a);
        rf_build_number(b, o, "b", row->b);
        rf_build_number(b, o, "difference", row->b - row->a);
        rf_build_set(b, o, "a_ci", interval(row->a_ci));
        rf_build_set(b, o, "b_ci", interval(row->b_ci));
        rf_build_append(b, rows, o);
    }
    rf_build_set(b, root, "rows", rows);
    st = rf_build_dump(b, root, text, err);
    json_decref(root);
    return st;
}

/* Two runs of one name are told apart by their folders. */
static void name_runs(const char *names[2], json_t *const results[2],
                      const char *const run_dirs[2])
{
    for (int k = 0; k < 2; k++)
        names[k] = rf_json_text(results[k], "run");
    if (names[0][0] == '\0' || names[1][0] == '\0' || strcmp(names[0], names[1]) == 0)
        for (int k = 0; k < 2; k++)
            names[k] = run_dirs[k];
}

static enum rf_status read_both(json_t *results[2], const char *const run_dirs[2],
                                struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = RF_OK;

    for (int k = 0; st == RF_OK && k < 2; k++) {
        st = rf_file_join(path, run_dirs[k], "results.json", err);
        if (st == RF_OK)
            st = rf_json_read(&results[k], path, err);
    }
    return st;
}

enum rf_status rf_versus_write(const char *const run_dirs[2], const char *version,
                               const char *path, char **json, struct rf_error *err)
{
    json_t *results[2] = {NULL, NULL};
    const char *names[2] = {"", ""};
    struct rf_versus versus = {0};
    struct rf_text page = {0};
    enum rf_status st = read_both(results, run_dirs, err);

    if (st == RF_OK)
        st = rf_versus_make(&versus, results[0], results[1], err);
    if (st == RF_OK) {
        name_runs(names, results, run_dirs);
        st = make_page(&page, &versus, names, run_dirs, version, err);
    }
    if (st == RF_OK && json != NULL)
        st = make_json(&versus, run_dirs, version, json, err);
    if (st == RF_OK)
        st = rf_file_write(path, page.data, page.size, err);
    rf_text_clear(&page);
    rf_versus_clear(&versus);
    json_decref(results[0]);
    json_decref(results[1]);
    return st;
}
