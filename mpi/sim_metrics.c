#include "mpi/sim_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "mpi/metrics.h"

enum { GROUP_BYTES = 192, FIRST_SERIES = 2 };

/* The numbers and names that the list of series points to lie in one block. */
struct list {
    struct rf_arena *arena;
    struct rf_metric_series *series;
    int n;
};

static double *add(struct list *list, const char *group, const char *name, const char *unit,
                   int64_t n)
{
    double *values = rf_arena_take(list->arena, (size_t)n * sizeof *values);

    list->series[list->n++] = (struct rf_metric_series){
        .group = group, .name = name, .unit = unit, .doubles = values, .n = n};
    return values;
}

/* Where a column goes: "used:alignment" to /accounts/alignment/used. Writes the group to
 * `group` and returns the name in it. */
static const char *place(const char *column, char group[GROUP_BYTES])
{
    static const struct {
        const char *kind, *group;
    } kinds[] = {{"used", "/accounts"},    {"queued", "/accounts"},   {"waiting", "/accounts"},
                 {"promised", "/pledges"}, {"delivered", "/pledges"}, {"denied", "/denied"}};
    const char *colon = strchr(column, ':');

    for (size_t k = 0; colon != NULL && k < sizeof kinds / sizeof *kinds; k++) {
        size_t length = strlen(kinds[k].kind);

        if (strncmp(column, kinds[k].kind, length) != 0 || column[length] != ':')
            continue;
        if (strcmp(kinds[k].kind, "denied") == 0) {
            snprintf(group, GROUP_BYTES, "/denied");
            return colon + 1;
        }
        snprintf(group, GROUP_BYTES, "%s/%s", kinds[k].group, colon + 1);
        return kinds[k].kind;
    }
    snprintf(group, GROUP_BYTES,
             strcmp(column, "submitted") == 0 || strcmp(column, "preempted") == 0 ? "/jobs"
                                                                                  : "/fleet");
    return column;
}

static void add_steps(struct list *list, const struct rf_series_table *table)
{
    double *t = add(list, "/", "t_s", "s", table->nsteps);
    double *length = add(list, "/", "length_s", "s", table->nsteps);

    for (int k = 0; k < table->nsteps; k++) {
        t[k] = (double)(table->t_us[k] - table->t_us[0]) / 1e6;
        length[k] = (double)(table->t_us[k + 1] - table->t_us[k]) / 1e6;
    }
}

static void add_column(struct list *list, const struct rf_series_table *table,
                       const struct rf_series_column *column)
{
    char *group = rf_arena_take(list->arena, GROUP_BYTES);
    const char *name = place(column->name, group);
    double *values = add(list, group, name, "1", table->nsteps);

    for (int k = 0; k < table->nsteps; k++)
        values[k] = rf_series_value(table, column, k);
}

enum rf_status rf_sim_metrics_write(const char *path, const struct rf_series_table *table,
                                    struct rf_error *err)
{
    size_t n = (size_t)(table->ncolumns + FIRST_SERIES);
    size_t values = rf_arena_cost((size_t)table->nsteps * sizeof(double));
    struct list list = {.series = calloc(n, sizeof *list.series)};
    enum rf_status st =
        list.series == NULL
            ? rf_fail(err, RF_ERR_MEMORY, "out of memory: %zu series", n)
            : rf_arena_create(&list.arena, n * (values + rf_arena_cost(GROUP_BYTES)) + 1, err);

    if (st == RF_OK) {
        add_steps(&list, table);
        for (int c = 0; c < table->ncolumns; c++)
            add_column(&list, table, &table->columns[c]);
        st = rf_metrics_write(path, list.series, list.n, err);
    }
    rf_arena_destroy(list.arena);
    free(list.series);
    return st;
}
