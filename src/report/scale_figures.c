#include "report/scale_figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/json.h"
#include "report/plot.h"
#include "report/plot_data.h"

enum { HEIGHT = 360, MOST_LINES = 8 };

static enum rf_status finish(struct rf_text *script, const char *label, char **svg,
                             struct rf_error *err)
{
    enum rf_status st = rf_plot_draw(script, label, svg, err);

    rf_text_clear(script);
    return st;
}

static int is(const json_t *object, const char *key, const char *text)
{
    return strcmp(rf_json_text(object, key), text) == 0;
}

/* ---- speed ------------------------------------------------------------------------------- */

/* The fitted points of a mode as a data block; returns how many, and the first and the last. */
static int add_points(struct rf_text *script, const json_t *results, const char *mode,
                      const json_t **first, const json_t **last)
{
    static const char *const names[] = {"ranks", "tokens/s", "slowest step (tokens/s)",
                                        "fastest step (tokens/s)"};
    const json_t *points = rf_json_list(results, "points");
    int n = 0;

    rf_plot_block(script, "measured", "measured", names, 4);
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *p = json_array_get(points, i);
        double tokens = rf_json_number(p, "tokens");

        if (!is(p, "mode", mode) || !json_is_true(json_object_get(p, "fitted")) ||
            !isfinite(rf_json_number(p, "tokens_per_s")))
            continue;
        rf_text_addf(script, "%.0f %.8g %.8g %.8g\n", rf_json_number(p, "ranks"),
                     rf_json_number(p, "tokens_per_s"),
                     tokens / rf_json_number(p, "step_s_max"),
                     tokens / rf_json_number(p, "step_s_min"));
        *first = n == 0 ? p : *first;
        *last = p;
        n++;
    }
    rf_plot_block_end(script);
    return n;
}

static const json_t *find_law(const json_t *results, const char *mode, const char *law)
{
    const json_t *laws = rf_json_list(results, "laws");

    for (size_t i = 0; i < json_array_size(laws); i++)
        if (is(json_array_get(laws, i), "mode", mode) &&
            is(json_array_get(laws, i), "law", law))
            return json_array_get(laws, i);
    return NULL;
}

static double parameter(const json_t *law, size_t k)
{
    return rf_json_number(json_array_get(rf_json_list(law, "parameters"), k), "value");
}

enum rf_status rf_scale_figure_speed(const json_t *results, const char *mode, char **svg,
                                     struct rf_error *err)
{
    const json_t *first = NULL, *last = NULL, *usl = find_law(results, mode, "usl");
    struct rf_text script = {0};
    double each;

    *svg = NULL;
    rf_plot_start(&script, HEIGHT);
    if (add_points(&script, results, mode, &first, &last) < 2) {
        rf_text_clear(&script);
        return RF_OK;
    }
    each = rf_json_number(first, "tokens_per_s") / rf_json_number(first, "ranks");
    rf_text_addf(&script,
                 "set logscale xy 2\nset xrange [%.6g:%.6g]\nset xlabel 'ranks'\n"
                 "set ylabel 'tokens per second'\nset format y '%%.0f'\n",
                 rf_json_number(first, "ranks") / 1.15, rf_json_number(last, "ranks") * 1.15);
    rf_text_addf(&script,
                 "plot %.8g*x with lines lw 1.5 dt 2 lc rgb '" RF_PLOT_INK
                 "' title 'in proportion', ",
                 each);
    if (usl != NULL)
        rf_text_addf(&script,
                     "%.8g*x/(1+%.8g*(x-1)+%.8g*x*(x-1)) with lines lw 2 lc rgb '%s' title "
                     "'scalability law', ",
                     parameter(usl, 0), parameter(usl, 1), parameter(usl, 2),
                     rf_plot_colour(1));
    rf_text_addf(&script,
                 "$measured using 1:2 with lines lw 2.5 lc rgb '%s' title 'measured', "
                 "$measured using 1:2:3:4 with yerrorbars pt 0 lw 2 lc rgb '%s' notitle\n",
                 rf_plot_colour(0), rf_plot_colour(0));
    return finish(&script, "Tokens per second against the number of ranks", svg, err);
}

/* ---- messages ------------------------------------------------------------------------------ */

/* The samples of one rank count as data block $p<ranks>; returns how many. */
static int add_samples(struct rf_text *script, const json_t *list, const char *kind, int ranks)
{
    static const char *const names[] = {"size (bytes)", "measured (us)", "model (us)"};
    char id[24], title[32];
    double before = 0;
    int n = 0;

    snprintf(id, sizeof id, "p%d", ranks);
    snprintf(title, sizeof title, "%d ranks", ranks);
    rf_plot_block(script, id, title, names, 3);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *s = json_array_get(list, i);

        if (!is(s, "kind", kind) || (int)rf_json_number(s, "ranks") != ranks ||
            !(rf_json_number(s, "seconds") > 0))
            continue;
        /* a gap where another series of sizes begins: no line leads back to the smallest */
        rf_text_addf(script, "%s%.0f %.6g %.6g\n",
                     rf_json_number(s, "bytes") < before ? "\n" : "",
                     rf_json_number(s, "bytes"), 1e6 * rf_json_number(s, "seconds"),
                     1e6 * rf_json_number(s, "model_s"));
        before = rf_json_number(s, "bytes");
        n++;
    }
    rf_plot_block_end(script);
    return n;
}

/* Rank counts of the samples of a kind, each once. */
static int find_ranks(const json_t *list, const char *kind, int ranks[MOST_LINES])
{
    int n = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        double p = rf_json_number(json_array_get(list, i), "ranks");
        int known = !(p >= 2 && p < 1e7) || !is(json_array_get(list, i), "kind", kind);

        for (int k = 0; k < n; k++)
            known = known || ranks[k] == (int)p;
        if (!known && n < MOST_LINES)
            ranks[n++] = (int)p;
    }
    return n;
}

enum rf_status rf_scale_figure_wire(const json_t *results, const char *kind, char **svg,
                                    struct rf_error *err)
{
    const json_t *list = rf_json_list(results, "collectives");
    struct rf_text script = {0};
    int ranks[MOST_LINES], n = find_ranks(list, kind, ranks), drawn = 0;

    *svg = NULL;
    rf_plot_start(&script, HEIGHT);
    for (int k = 0; k < n; k++)
        drawn += add_samples(&script, list, kind, ranks[k]);
    if (drawn == 0) {
        rf_text_clear(&script);
        return RF_OK;
    }
    rf_text_add(&script, "set logscale xy\nset xlabel 'bytes'\nset ylabel 'microseconds'\n"
                         "set format x '%.0s%c'\nset format y '%.0f'\n"
                         "set style circle radius graph 0.012\nset style fill solid\nplot ");
    for (int k = 0; k < n; k++)
        rf_text_addf(&script,
                     "%s$p%d using 1:2 with circles lc rgb '%s' title '%d ranks', "
                     "$p%d using 1:3 with lines lw 1.5 dt 2 lc rgb '%s' notitle",
                     k > 0 ? ", " : "", ranks[k], rf_plot_colour(k), ranks[k], ranks[k],
                     rf_plot_colour(k));
    rf_text_add(&script, "\n");
    return finish(&script, "Time of collectives against their size, measured and by the model",
                  svg, err);
}
