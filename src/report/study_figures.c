#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/json.h"
#include "report/plot.h"
#include "report/plot_data.h"
#include "report/study.h"

enum { HEIGHT = 360, MOST_LINES = 8, NGROUPS = 5 };

static enum rf_status finish(struct rf_text *script, const char *label, char **svg,
                             struct rf_error *err)
{
    enum rf_status st = rf_plot_draw(script, label, svg, err);

    rf_text_clear(script);
    return st;
}

/* ---- lines and points by what they are called */

struct names {
    char name[MOST_LINES][48];
    int n;
};

/* The number of a name; further ones share the last. */
static int number_of(struct names *names, const char *name)
{
    for (int i = 0; i < names->n; i++)
        if (strcmp(names->name[i], name) == 0)
            return i;
    if (names->n == MOST_LINES)
        return MOST_LINES - 1;
    snprintf(names->name[names->n], sizeof names->name[0], "%.47s", name);
    return names->n++;
}

/* Begins block $d<i>, which belongs to a name. */
static void begin_block(struct rf_text *script, const struct names *names, int i,
                        const char *const *columns, int ncolumns)
{
    char id[16];

    snprintf(id, sizeof id, "d%d", i);
    rf_plot_block(script, id, names->name[i], columns, ncolumns);
}

/* A plot command for each name: disks (a point symbol would be a reference, which a page does not
 * hold), of data $d<i>, columns 1 and 2; and, with `more`, the same data in a style of its own. */
static void add_plots(struct rf_text *script, const struct names *names, const char *more,
                      const char *first)
{
    rf_text_addf(script, "set style circle radius graph 0.012\nset style fill solid\nplot %s",
                 first);
    for (int i = 0; i < names->n; i++) {
        if (more[0] != '\0')
            rf_text_addf(script, "%s$d%d %s lc rgb '%s' notitle, ",
                         i > 0 || first[0] ? ", " : "", i, more, rf_plot_colour(i));
        rf_text_addf(script, "%s$d%d using 1:2 with circles lc rgb '%s' title ",
                     (i > 0 || first[0]) && more[0] == '\0' ? ", " : "", i, rf_plot_colour(i));
        rf_plot_add_string(script, names->name[i]);
    }
    rf_text_add(script, "\n");
}

/* ---- which cell a point is of */

/* The last two columns of a point's row: its experiment and row, and the seeds of its repeats. */
static void add_cell(struct rf_text *script, const json_t *experiment)
{
    const json_t *repeats = rf_json_list(experiment, "by_seed");
    char cell[2 * 64], seeds[200] = "";
    size_t at = 0;

    snprintf(cell, sizeof cell, "%.63s %.60s", rf_json_text(experiment, "name"),
             rf_json_text(experiment, "loss"));
    for (size_t i = 0; i < json_array_size(repeats) && at + 24 < sizeof seeds; i++)
        at += (size_t)snprintf(seeds + at, sizeof seeds - at, "%s%.0f", i > 0 ? " " : "",
                               rf_json_number(json_array_get(repeats, i), "seed"));
    rf_plot_add_text(script, cell);
    rf_plot_add_text(script, seeds);
    rf_text_add(script, "\n");
}

/* ---- imitation */

static int imitated(const json_t *experiment, double *right, double *wrong)
{
    const json_t *agreement = json_object_get(experiment, "agreement");

    *right = rf_json_number(agreement, "supervisor_right");
    *wrong = rf_json_number(agreement, "supervisor_wrong");
    return isfinite(*right) && isfinite(*wrong);
}

enum rf_status rf_figure_imitation(const json_t *experiments, char **svg, struct rf_error *err)
{
    static const char *const columns[] = {"agrees where the supervisor is right",
                                          "agrees where it is wrong", "cell", "seeds"};
    struct rf_text script = {0};
    struct names names = {.n = 0};
    double right, wrong, least = 0.9;

    *svg = NULL;
    for (size_t i = 0; i < json_array_size(experiments); i++)
        if (imitated(json_array_get(experiments, i), &right, &wrong)) {
            least = fmin(least, right);
            number_of(&names, rf_json_text(json_array_get(experiments, i), "loss"));
        }
    if (names.n == 0)
        return RF_OK;
    rf_plot_start(&script, HEIGHT);
    for (int g = 0; g < names.n; g++) {
        begin_block(&script, &names, g, columns, 4);
        for (size_t i = 0; i < json_array_size(experiments); i++) {
            const json_t *experiment = json_array_get(experiments, i);

            if (imitated(experiment, &right, &wrong) &&
                number_of(&names, rf_json_text(experiment, "loss")) == g) {
                rf_text_addf(&script, "%.5g %.5g", right, wrong);
                add_cell(&script, experiment);
            }
        }
        rf_plot_block_end(&script);
    }
    rf_text_addf(&script,
                 "set xlabel 'agrees where the supervisor is right'\n"
                 "set ylabel 'agrees where it is wrong'\nset xrange [*<0.9:1]\n"
                 "set xtics %g\nset yrange [*<0.5:1]\n",
                 rf_plot_tick(1 - least));
    add_plots(&script, &names, "",
              "x with lines lw 1 dt 2 lc rgb '" RF_PLOT_INK "' title 'errors as readily'");
    return finish(&script, "Agreement of students with their supervisors", svg, err);
}

/* ---- gaps */

/* What the gap recovered is set against: how many times one number of a cell is another. */
struct against {
    const char *strong, *weak; /* keys */
    const char *column, *axis, *label;
};

static int measured(const json_t *experiment, const struct against *a, double *times,
                    double *pgr)
{
    double weak = rf_json_number(experiment, a->weak);

    *times = rf_json_number(experiment, a->strong) / weak;
    *pgr = rf_json_number(experiment, "pgr");
    return isfinite(*times) && *times > 0 && isfinite(*pgr);
}

static enum rf_status draw_pgr(const json_t *experiments, const struct against *a, char **svg,
                               struct rf_error *err)
{
    const char *const columns[] = {RF_PLOT_HIDDEN, "gap recovered", "95 %: from", "to",
                                   a->column,      "cell",          "seeds"};
    struct rf_text script = {0};
    struct names names = {.n = 0};
    double times, pgr, least = INFINITY, most = 0;

    *svg = NULL;
    for (size_t i = 0; i < json_array_size(experiments); i++)
        if (measured(json_array_get(experiments, i), a, &times, &pgr)) {
            number_of(&names, rf_json_text(json_array_get(experiments, i), "loss"));
            least = fmin(least, times);
            most = fmax(most, times);
        }
    if (names.n == 0 ||
        most < 1.1 * least) /* of one size there is no more to see than before */
        return RF_OK;
    rf_plot_start(&script, HEIGHT);
    for (int g = 0; g < names.n; g++) {
        begin_block(&script, &names, g, columns, 7);
        for (size_t i = 0; i < json_array_size(experiments); i++) {
            const json_t *experiment = json_array_get(experiments, i);
            const json_t *ci = rf_json_list(experiment, "pgr_ci");

            if (measured(experiment, a, &times, &pgr) &&
                number_of(&names, rf_json_text(experiment, "loss")) == g) {
                /* drawn a little beside one another */
                rf_text_addf(&script, "%.5g %.5g %.5g %.5g %.5g", times * (1 + 0.03 * g), pgr,
                             json_number_value(json_array_get(ci, 0)),
                             json_number_value(json_array_get(ci, 1)), times);
                add_cell(&script, experiment);
            }
        }
        rf_plot_block_end(&script);
    }
    rf_text_addf(&script,
                 "set logscale x\nset xlabel '%s'\nset ylabel 'gap recovered'\n"
                 "set yrange [*<-0.1:1.1<*]\n",
                 a->axis);
    add_plots(&script, &names, "using 1:3:(0):($4-$3) with vectors nohead lw 2",
              "0 with lines lw 1.5 dt 2 lc rgb '" RF_PLOT_INK "' notitle");
    return finish(&script, a->label, svg, err);
}

enum rf_status rf_figure_pgr_by_size(const json_t *experiments, char **svg,
                                     struct rf_error *err)
{
    static const struct against sizes = {"strong_parameters", "weak_parameters",
                                         "size of the student / of the supervisor",
                                         "parameters of the student / of the supervisor",
                                         "Gap recovered against the ratio of sizes"};

    return draw_pgr(experiments, &sizes, svg, err);
}

enum rf_status rf_figure_pgr_by_compute(const json_t *experiments, char **svg,
                                        struct rf_error *err)
{
    static const struct against compute = {
        "strong_model_flops", "weak_model_flops", "FLOPs of the student / of the supervisor",
        "FLOPs of the student / of the supervisor", "Gap recovered against the gap in compute"};

    return draw_pgr(experiments, &compute, svg, err);
}

/* ---- difficulty */

/* A kind of job, with the method of students: "weak", "student", "ceiling", ... */
static int rated(const json_t *job, int group, double *rating, double *accuracy)
{
    const json_t *metrics = json_object_get(job, "metrics");
    char key[48];

    snprintf(key, sizeof key, "test_rating_%d", group);
    *rating = rf_json_number(metrics, key);
    snprintf(key, sizeof key, "test_accuracy_%d", group);
    *accuracy = rf_json_number(metrics, key);
    return isfinite(*rating) && isfinite(*accuracy);
}

/* What a line is called: the kind of job, of students their row as well. */
static const char *line_of(const json_t *job, char name[48])
{
    const char *row = rf_json_text(job, "row");

    snprintf(name, 48, "%.20s%s%.24s", rf_json_text(job, "kind"), row[0] != '\0' ? " " : "",
             row);
    return name;
}

static void add_difficulty(struct rf_text *script, const json_t *jobs, const char *line)
{
    for (int group = 1; group <= NGROUPS; group++) {
        double rating, accuracy, sum = 0, at = 0;
        int n = 0;

        for (size_t i = 0; i < json_array_size(jobs); i++) {
            const json_t *job = json_array_get(jobs, i);

            char name[48];

            if (strcmp(line_of(job, name), line) != 0 || !rated(job, group, &rating, &accuracy))
                continue;
            sum += accuracy;
            at = rating;
            n++;
        }
        if (n > 0)
            rf_text_addf(script, "%.5g %.5g %d\n", at, sum / n, n);
    }
}

enum rf_status rf_figure_difficulty(const json_t *jobs, char **svg, struct rf_error *err)
{
    static const char *const columns[] = {"rating of the test items", "accuracy", "models"};
    struct rf_text script = {0};
    struct names names = {.n = 0};
    double rating, accuracy, least = HUGE_VAL, most = -HUGE_VAL;
    char name[48];

    *svg = NULL;
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        if (rated(json_array_get(jobs, i), 1, &rating, &accuracy)) {
            number_of(&names, line_of(json_array_get(jobs, i), name));
            least = fmin(least, rating);
        }
        if (rated(json_array_get(jobs, i), NGROUPS, &rating, &accuracy))
            most = fmax(most, rating);
    }
    if (names.n == 0)
        return RF_OK;
    rf_plot_start(&script, HEIGHT);
    for (int g = 0; g < names.n; g++) {
        begin_block(&script, &names, g, columns, 3);
        add_difficulty(&script, jobs, names.name[g]);
        rf_plot_block_end(&script);
    }
    if (most > least)
        rf_text_addf(&script, "set xtics %g\n", rf_plot_tick(1.2 * (most - least)));
    rf_text_add(&script, "set xlabel 'rating of the test items'\nset ylabel 'accuracy'\n"
                         "set yrange [0:*]\n");
    add_plots(&script, &names, "using 1:2 with lines lw 2", "");
    return finish(&script, "Accuracy by difficulty", svg, err);
}
