#include "mpi/series.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "mpi/metrics.h"
#include "report/usage.h"

enum { GROUP_BYTES = RF_NAME_BYTES + 16, CURVE_SERIES = 5 };

/* The list that goes to the file, and one block that its numbers and names lie in. */
struct list {
    struct rf_arena *arena;
    struct rf_metric_series *series;
    int n;
};

/* The arena was sized for all that is taken here, so this cannot fail. */
static double *add(struct list *list, const char *group, const char *name, const char *unit,
                   int64_t n)
{
    double *values = rf_arena_take(list->arena, (size_t)n * sizeof *values);

    list->series[list->n++] = (struct rf_metric_series){
        .group = group, .name = name, .unit = unit, .doubles = values, .n = n};
    return values;
}

static char *group_name(struct list *list, const char *kind, const char *name)
{
    char *group = rf_arena_take(list->arena, GROUP_BYTES);

    snprintf(group, GROUP_BYTES, "/%s/%s", kind, name);
    return group;
}

static void add_usage(struct list *list, const struct rf_usage *usage)
{
    for (int a = 0; a < usage->naccounts; a++) {
        char *group = group_name(list, "accounts", usage->accounts[a]);
        double *t = add(list, group, "t_s", "s", usage->n);
        double *devices = add(list, group, "devices", "1", usage->n);

        for (int i = 0; i < usage->n; i++) {
            t[i] = usage->t_s[i];
            devices[i] = usage->used[i * usage->naccounts + a];
        }
    }
}

static void add_curve(struct list *list, const char *job, const struct rf_curve *curve,
                      int64_t start_us)
{
    char *group = group_name(list, "jobs", job);
    double *step = add(list, group, "step", "1", curve->npoints);
    double *t = add(list, group, "t_s", "s", curve->npoints);
    double *loss = add(list, group, "loss", "nats", curve->npoints);
    double *lr = add(list, group, "lr", "1", curve->npoints);
    double *norm = add(list, group, "grad_norm", "1", curve->npoints);

    for (int i = 0; i < curve->npoints; i++) {
        const struct rf_curve_point *p = &curve->points[i];

        step[i] = (double)p->step;
        t[i] = (double)(p->t_us - start_us) * 1e-6;
        loss[i] = p->loss;
        lr[i] = p->lr;
        norm[i] = p->grad_norm;
    }
}

static enum rf_status make_list(struct list *list, const struct rf_results *r,
                                const struct rf_usage *usage, struct rf_error *err)
{
    size_t per_account = 2 * rf_arena_cost((size_t)usage->n * sizeof(double));
    size_t size = (size_t)usage->naccounts * (rf_arena_cost(GROUP_BYTES) + per_account);
    size_t most = (size_t)(2 * usage->naccounts + CURVE_SERIES * r->njobs) + 1;

    for (int i = 0; i < r->njobs; i++)
        size += rf_arena_cost(GROUP_BYTES) +
                CURVE_SERIES * rf_arena_cost((size_t)r->jobs[i].curve.npoints * sizeof(double));
    list->series = calloc(most, sizeof *list->series);
    if (list->series == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %zu series", most);
    return rf_arena_create(&list->arena, size, err);
}

enum rf_status rf_series_write(const char *path, const struct rf_results *results,
                               const char *ledger_path, struct rf_error *err)
{
    struct rf_timeline timeline = {0};
    struct rf_usage usage = {0};
    struct list list = {0};
    enum rf_status st = rf_timeline_read(&timeline, ledger_path, err);

    if (st == RF_OK)
        st = rf_usage_make(&usage, &timeline, 1 << 20, err);
    if (st == RF_OK)
        st = make_list(&list, results, &usage, err);
    if (st == RF_OK) {
        add_usage(&list, &usage);
        for (int i = 0; i < results->njobs && i < results->state->njobs; i++) {
            char name[RF_NAME_BYTES];

            if (results->jobs[i].curve.npoints > 0)
                add_curve(&list, rf_state_job_name(results->state, i, name),
                          &results->jobs[i].curve, timeline.start_us);
        }
        st = rf_metrics_write(path, list.series, list.n, err);
    }
    rf_arena_destroy(list.arena);
    free(list.series);
    rf_usage_clear(&usage);
    rf_timeline_clear(&timeline);
    return st;
}
