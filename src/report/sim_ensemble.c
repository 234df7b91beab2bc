#include "report/sim_ensemble.h"

#include <math.h>
#include <string.h>

#include "report/duration.h"
#include "report/sim_outcome.h"
#include "report/table.h"

enum { WIDTH = 140 };

static int several_scenarios(const struct rf_sim_ensemble *e)
{
    for (int i = 1; i < e->n; i++)
        if (strcmp(e->rows[i].scenario, e->rows[0].scenario) != 0)
            return 1;
    return 0;
}

static json_t *comparisons_json(struct rf_build *build, const struct rf_sim_ensemble *e)
{
    int scenarios = several_scenarios(e);
    json_t *list = json_array();

    for (int i = 0; i < e->comparisons->n; i++) {
        const struct rf_sim_comparison *c = &e->comparisons->items[i];
        json_t *row = json_object();
        char name[RF_SIM_VARIANT_BYTES];

        rf_build_text(build, row, "what", c->what);
        rf_sim_variant_name(name, &e->rows[c->a], scenarios);
        rf_build_text(build, row, "a", name);
        rf_sim_variant_name(name, &e->rows[c->b], scenarios);
        rf_build_text(build, row, "b", name);
        rf_build_number(build, row, "difference", c->difference);
        rf_build_number(build, row, "low", c->low);
        rf_build_number(build, row, "high", c->high);
        rf_build_text(build, row, "unit", c->unit);
        rf_build_integer(build, row, "seeds", c->seeds);
        rf_build_append(build, list, row);
    }
    return list;
}

enum rf_status rf_sim_ensemble_json(const struct rf_sim_ensemble *e, char **text,
                                    struct rf_error *err)
{
    struct rf_build build = {0};
    json_t *root = json_object(), *cells = json_array();
    enum rf_status st;

    rf_build_text(&build, root, "command", "simulate");
    rf_build_text(&build, root, "version", e->version);
    rf_build_text(&build, root, "run", e->name);
    rf_build_text(&build, root, "about", e->about);
    rf_build_integer(&build, root, "seed", e->seed);
    rf_build_set(&build, root, "wall_s", json_null());
    for (int i = 0; i < e->n; i++)
        rf_build_append(&build, cells, rf_sim_outcome_json(&build, &e->rows[i]));
    rf_build_set(&build, root, "cells", cells);
    rf_build_set(&build, root, "comparisons", comparisons_json(&build, e));
    st = rf_build_dump(&build, root, text, err);
    json_decref(root);
    return st;
}

/* ---- for people */

struct means {
    int cells, failed, judged, kept;
    double in_use, delivered, others, finished, pledged_wait_s, others_wait_s, slowdown;
};

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : (double)NAN;
}

static struct means means_of(const struct rf_sim_ensemble *e,
                             const struct rf_sim_outcome *first)
{
    struct means m = {0};

    for (int i = 0; i < e->n; i++) {
        const struct rf_sim_outcome *o = &e->rows[i];

        if (!rf_sim_same_variant(o, first))
            continue;
        m.cells++;
        if (o->failed[0] != '\0') {
            m.failed++;
            continue;
        }
        m.judged += o->verdict[0] != '\0';
        m.kept += strcmp(o->verdict, "kept") == 0;
        m.in_use += 100 * o->utilization;
        m.delivered +=
            100 * ratio(rf_wide_double(o->pledged.held_us), rf_wide_double(o->capacity_us));
        m.others +=
            100 * ratio(rf_wide_double(o->others.held_us), rf_wide_double(o->capacity_us));
        m.finished += 100 * ratio((double)o->others.finished, (double)o->others.jobs);
        m.pledged_wait_s += o->pledged.wait_mean_us / 1e6;
        m.others_wait_s += o->others.wait_mean_us / 1e6;
        m.slowdown += o->others.slowdown_mean;
    }
    return m;
}

static void add_number(struct rf_table *table, double sum, int n, int digits, const char *unit)
{
    double x = n > 0 ? sum / n : (double)NAN;

    if (isfinite(x))
        rf_table_add(table, "%.*f%s", digits, x, unit);
    else
        rf_table_add(table, "-");
}

static void add_wait(struct rf_table *table, double sum, int n)
{
    char text[RF_DURATION_BYTES];
    double x = n > 0 ? sum / n : (double)NAN;

    rf_table_add(table, "%s", isfinite(x) ? rf_duration_text(text, x) : "-");
}

static void add_variant(struct rf_table *table, const struct rf_sim_ensemble *e,
                        const struct rf_sim_outcome *first, int scenarios)
{
    struct means m = means_of(e, first);
    int good = m.cells - m.failed;
    char name[RF_SIM_VARIANT_BYTES];

    rf_sim_variant_name(name, first, scenarios);
    rf_table_add(table, "%s", name);
    rf_table_add(table, "%d", m.cells);
    rf_table_add(table, "%d", m.failed);
    if (m.judged > 0)
        rf_table_add(table, "%d of %d", m.kept, m.judged);
    else
        rf_table_add(table, "-");
    add_number(table, m.in_use, good, 1, " %");
    add_number(table, m.delivered, good, 2, " %");
    add_number(table, m.others, good, 2, " %");
    add_number(table, m.finished, good, 1, " %");
    add_wait(table, m.pledged_wait_s, good);
    add_wait(table, m.others_wait_s, good);
    add_number(table, m.slowdown, good, 2, "");
}

enum rf_status rf_sim_ensemble_print(const struct rf_sim_ensemble *e, FILE *out,
                                     struct rf_error *err)
{
    static const char *const headings[] = {
        "policy and share", "cells",       "failed",        "kept",
        "in use",           "delivered",   "to others",     "their done",
        "pledged wait",     "others wait", "their slowdown"};
    int scenarios = several_scenarios(e);
    struct rf_table *table;
    enum rf_status st = rf_table_create(&table, "lrrrrrrrrrr", headings, err);

    for (int i = 0; i < e->n && st == RF_OK; i++) {
        int known = 0;

        for (int j = 0; j < i && !known; j++)
            known = rf_sim_same_variant(&e->rows[j], &e->rows[i]);
        if (!known)
            add_variant(table, e, &e->rows[i], scenarios);
    }
    if (st == RF_OK) {
        fprintf(out, "Ensemble %s: %d cells; means over seeds\n", e->name, e->n);
        st = rf_table_print(table, out, WIDTH, err);
    }
    rf_table_destroy(table);
    return st;
}
