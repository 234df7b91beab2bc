#include "report/sim_compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/stats.h"
#include "base/rng.h"

/* ---- what is compared */

static double wait_all(const struct rf_sim_outcome *o)
{
    return o->all.wait_mean_us / 1e6;
}
static double wait_pledged(const struct rf_sim_outcome *o)
{
    return o->pledged.wait_mean_us / 1e6;
}
static double wait_others(const struct rf_sim_outcome *o)
{
    return o->others.wait_mean_us / 1e6;
}
static double slowdown_all(const struct rf_sim_outcome *o)
{
    return o->all.slowdown_mean;
}
static double slowdown_others(const struct rf_sim_outcome *o)
{
    return o->others.slowdown_mean;
}
static double in_use(const struct rf_sim_outcome *o)
{
    return 100 * o->utilization;
}
static double delivered(const struct rf_sim_outcome *o)
{
    return rf_wide_sign(o->capacity_us) > 0
               ? 100 * rf_wide_double(o->pledged.held_us) / rf_wide_double(o->capacity_us)
               : (double)NAN;
}
static double left_to_others(const struct rf_sim_outcome *o)
{
    return rf_wide_sign(o->capacity_us) > 0
               ? 100 * rf_wide_double(o->others.held_us) / rf_wide_double(o->capacity_us)
               : (double)NAN;
}
static double finished_by_others(const struct rf_sim_outcome *o)
{
    return (double)o->others.finished;
}
static double shortfall(const struct rf_sim_outcome *o)
{
    return rf_wide_double(o->shortfall_us) / 3.6e9;
}

static const struct measure {
    const char *what, *unit;
    int pledge; /* only where something was promised */
    double (*of)(const struct rf_sim_outcome *);
} MEASURES[] = {{"mean wait", "s", 0, wait_all},
                {"mean slowdown", "", 0, slowdown_all},
                {"devices in use", "%", 0, in_use},
                {"mean wait of the pledged", "s", 1, wait_pledged},
                {"mean wait of the others", "s", 1, wait_others},
                {"mean slowdown of the others", "", 1, slowdown_others},
                {"delivered to the pledged", "%", 1, delivered},
                {"received by the others", "%", 1, left_to_others},
                {"jobs that the others finished", "", 1, finished_by_others},
                {"shortfall of the pledge", "device-h", 1, shortfall}};
enum { NMEASURES = sizeof MEASURES / sizeof MEASURES[0] };

/* ---- variants */

static int same_share(const struct rf_sim_outcome *a, const struct rf_sim_outcome *b)
{
    return a->share.num == b->share.num && a->share.den == b->share.den;
}

int rf_sim_same_variant(const struct rf_sim_outcome *a, const struct rf_sim_outcome *b)
{
    return strcmp(a->scenario, b->scenario) == 0 && strcmp(a->order, b->order) == 0 &&
           strcmp(a->fence, b->fence) == 0 && same_share(a, b);
}

void rf_sim_variant_name(char name[RF_SIM_VARIANT_BYTES], const struct rf_sim_outcome *row,
                         int scenarios)
{
    char share[48] = "";

    if (row->share.num > 0)
        rf_share_format(&row->share, share, sizeof share);
    snprintf(name, RF_SIM_VARIANT_BYTES, "%.40s%s%.15s+%.15s%s%.40s",
             scenarios ? row->scenario : "", scenarios ? ", " : "", row->order, row->fence,
             share[0] != '\0' ? " " : "", share);
}

/* The rows of a variant are a chain: firsts[] has the first one of each, next[] the row that
 * follows, -1 at the end. The number of variants, in order of appearance. */
static int chain(int *firsts, int *lasts, int *next, const struct rf_sim_outcome *rows, int n)
{
    int nvariants = 0;

    for (int i = 0; i < n; i++) {
        int v = nvariants - 1; /* most likely the last one's */

        while (v >= 0 && !rf_sim_same_variant(&rows[firsts[v]], &rows[i]))
            v--;
        next[i] = -1;
        if (v >= 0)
            next[lasts[v]] = i;
        else
            firsts[v = nvariants++] = i;
        lasts[v] = i;
    }
    return nvariants;
}

/* Which variant to compare with: the first one of the scenario that differs from `row` in the
 * given dimension at most (0: order, 1: fence, 2: share); that may be its own. */
static int baseline(const struct rf_sim_outcome *rows, const int *firsts, int nvariants,
                    int row, int dimension)
{
    const struct rf_sim_outcome *a = &rows[row];

    for (int v = 0; v < nvariants; v++) {
        const struct rf_sim_outcome *b = &rows[firsts[v]];

        if (strcmp(a->scenario, b->scenario) == 0 &&
            (dimension == 0 || strcmp(a->order, b->order) == 0) &&
            (dimension == 1 || strcmp(a->fence, b->fence) == 0) &&
            (dimension == 2 || same_share(a, b)))
            return firsts[v];
    }
    return row;
}

/* ---- differences */

/* What all this needs to work with. */
struct work {
    const struct rf_sim_outcome *rows;
    int n, resamples;
    double *differences, *means;
    int *firsts, *lasts, *next;
};

/* Differences of the cells of a and b with equal seeds; their number. */
static int pair_up(const struct work *w, int a, int b, const struct measure *measure)
{
    int pairs = 0;

    for (int i = a; i >= 0; i = w->next[i]) {
        int j = b;
        double d;

        while (j >= 0 && w->rows[j].seed != w->rows[i].seed)
            j = w->next[j];
        if (j < 0 || w->rows[i].failed[0] != '\0' || w->rows[j].failed[0] != '\0')
            continue;
        d = measure->of(&w->rows[i]) - measure->of(&w->rows[j]);
        if (isfinite(d))
            w->differences[pairs++] = d;
    }
    return pairs;
}

static void bootstrap(struct rf_sim_comparison *c, const double *differences, double *means,
                      int resamples)
{
    const uint64_t stream = rf_rng_stream("compare-bootstrap", 0);
    size_t n = (size_t)c->seeds;

    c->low = c->high = (double)NAN;
    c->difference = rf_stats_mean(differences, n);
    if (n < 2)
        return;
    for (int r = 0; r < resamples; r++) {
        double sum = 0;

        for (size_t k = 0; k < n; k++)
            sum += differences[rf_rng_below(1, stream, (uint64_t)r * n + k, n)];
        means[r] = sum / (double)n;
    }
    rf_stats_sort(means, (size_t)resamples);
    c->low = rf_stats_quantile(means, (size_t)resamples, 0.025);
    c->high = rf_stats_quantile(means, (size_t)resamples, 0.975);
}

static void compare(struct rf_sim_comparisons *out, const struct work *w, int a, int b)
{
    for (int m = 0; m < NMEASURES; m++) {
        struct rf_sim_comparison *c = &out->items[out->n];

        if (MEASURES[m].pledge && w->rows[a].share.num == 0 && w->rows[a].verdict[0] == '\0')
            continue;
        *c = (struct rf_sim_comparison){
            .what = MEASURES[m].what, .unit = MEASURES[m].unit, .a = a, .b = b};
        c->seeds = pair_up(w, a, b, &MEASURES[m]);
        bootstrap(c, w->differences, w->means, w->resamples);
        out->n += c->seeds > 0;
    }
}

static enum rf_status make_room(struct rf_sim_comparisons *out, struct work *w,
                                struct rf_error *err)
{
    size_t n = (size_t)w->n + 1;

    w->differences = malloc(n * sizeof *w->differences);
    w->means = malloc(((size_t)w->resamples + 1) * sizeof *w->means);
    w->firsts = malloc(n * sizeof *w->firsts);
    w->lasts = malloc(n * sizeof *w->lasts);
    w->next = malloc(n * sizeof *w->next);
    out->items = calloc(n * 3 * NMEASURES, sizeof *out->items);
    if (w->differences == NULL || w->means == NULL || w->firsts == NULL || w->lasts == NULL ||
        w->next == NULL || out->items == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d cells to compare", w->n);
    return RF_OK;
}

enum rf_status rf_sim_compare(struct rf_sim_comparisons *comparisons,
                              const struct rf_sim_outcome *rows, int n, int resamples,
                              struct rf_error *err)
{
    struct work w = {.rows = rows, .n = n, .resamples = resamples};
    enum rf_status st;

    *comparisons = (struct rf_sim_comparisons){0};
    st = make_room(comparisons, &w, err);
    if (st == RF_OK) {
        int nvariants = chain(w.firsts, w.lasts, w.next, rows, n);

        for (int v = 0; v < nvariants; v++)
            for (int dimension = 0; dimension < 3; dimension++) {
                int a = w.firsts[v], b = baseline(rows, w.firsts, nvariants, a, dimension);

                if (a != b)
                    compare(comparisons, &w, a, b);
            }
    } else {
        rf_sim_comparisons_clear(comparisons);
    }
    free(w.differences);
    free(w.means);
    free(w.firsts);
    free(w.lasts);
    free(w.next);
    return st;
}

void rf_sim_comparisons_clear(struct rf_sim_comparisons *comparisons)
{
    free(comparisons->items);
    *comparisons = (struct rf_sim_comparisons){0};
}
