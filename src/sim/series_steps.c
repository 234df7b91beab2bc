/* A level that changes by d at moment t of a step that ends at e adds d (e - t) to what the step
 * would have had without the change. So an event touches the columns that it changes and no
 * other, and a step starts from its levels times its length. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/series_parts.h"

enum rf_status rf_series_add_column(struct rf_series *s, int mean, int64_t unit_us,
                                    const char *kind, const char *of, int *index,
                                    struct rf_error *err)
{
    struct rf_series_column *column = &s->table.columns[s->table.ncolumns];

    *column = (struct rf_series_column){.mean = mean, .unit_us = unit_us};
    snprintf(column->name, sizeof column->name, "%s%s%.63s", kind, of[0] != '\0' ? ":" : "",
             of);
    column->values = calloc((size_t)s->most + 1, sizeof *column->values);
    if (column->values == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the time series");
    *index = s->table.ncolumns++;
    return RF_OK;
}

void rf_series_set_sum(const struct rf_series *s, struct rf_series_level *level, int64_t value,
                       int64_t t_us, int64_t unit_us)
{
    int64_t left_us = s->end_us - t_us; /* most units are 1, and dividing is slow */

    level->sum += (value - level->now) * (unit_us == 1 ? left_us : left_us / unit_us);
    level->now = value;
}

void rf_series_set_level(struct rf_series *s, int column, int64_t value, int64_t t_us)
{
    if (s->levels[column].now != value)
        rf_series_set_sum(s, &s->levels[column], value, t_us, s->table.columns[column].unit_us);
}

void rf_series_add_level(struct rf_series *s, int column, int64_t change, int64_t t_us)
{
    rf_series_set_level(s, column, s->levels[column].now + change, t_us);
}

void rf_series_count(struct rf_series *s, int column)
{
    s->table.columns[column].values[s->table.nsteps]++;
}

int rf_series_used_column(int group)
{
    return RF_SERIES_FIXED + 3 * group;
}

/* Neighbours become one. */
static void merge_steps(struct rf_series *s)
{
    struct rf_series_table *table = &s->table;
    int half = table->nsteps / 2;

    for (int c = 0; c < table->ncolumns; c++) {
        int64_t *values = table->columns[c].values;

        for (int k = 0; k < half; k++)
            values[k] = values[2 * k] + values[2 * k + 1];
        memset(values + half, 0, (size_t)(s->most + 1 - half) * sizeof *values);
    }
    for (int k = 0; k <= half; k++)
        table->t_us[k] = table->t_us[2 * k];
    table->nsteps = half;
    s->step_us *= 2;
}

static void close_lines(struct rf_series *s, int k)
{
    for (int i = 0; i < s->nlines; i++) {
        struct rf_series_line *line = &s->lines[i];

        s->table.columns[line->column].values[k] =
            rf_share_take(&line->share, line->base.sum, &line->carry);
    }
}

static void close_books(struct rf_series *s, int64_t t_us, int k)
{
    struct rf_books_totals totals;

    if (s->books == NULL)
        return;
    rf_books_totals(s->books, t_us, &totals);
    const struct rf_wide now[RF_SERIES_BOOKS] = {totals.own_us, totals.lent_us,
                                                 totals.idle_reserved_us, totals.idle_free_us,
                                                 totals.overhead_us};

    for (int b = 0; b < RF_SERIES_BOOKS; b++) {
        s->table.columns[s->books_column + b].values[k] +=
            rf_wide_narrow(rf_wide_minus(now[b], s->booked[b]));
        s->booked[b] = now[b];
    }
}

void rf_series_close_step(struct rf_series *s, int64_t t_us)
{
    struct rf_series_table *table = &s->table;
    int k = table->nsteps++;

    for (int c = 0; c < table->ncolumns; c++)
        if (table->columns[c].mean)
            table->columns[c].values[k] = s->levels[c].sum;
    close_lines(s, k);
    close_books(s, t_us, k);
    table->t_us[table->nsteps] = t_us;
    if (table->nsteps == s->most)
        merge_steps(s);
    s->begin_us = t_us;
    s->end_us = t_us + s->step_us;
    for (int c = 0; c < table->ncolumns; c++)
        s->levels[c].sum = s->levels[c].now * (s->step_us / table->columns[c].unit_us);
    for (int i = 0; i < s->nlines; i++)
        s->lines[i].base.sum = s->lines[i].base.now * s->step_us;
}

void rf_series_add_last_moment(struct rf_series *s, int64_t t_us)
{
    int k = s->table.nsteps;

    if (k == 0)
        return;
    for (int c = 0; c < s->table.ncolumns; c++)
        s->table.columns[c].values[k - 1] += s->table.columns[c].values[k];
    close_books(s, t_us, k - 1);
}

const struct rf_series_table *rf_series_table(const struct rf_series *series)
{
    return &series->table;
}

const struct rf_series_column *rf_series_find(const struct rf_series_table *table,
                                              const char *name)
{
    for (int c = 0; c < table->ncolumns; c++)
        if (strcmp(table->columns[c].name, name) == 0)
            return &table->columns[c];
    return NULL;
}

double rf_series_value(const struct rf_series_table *table,
                       const struct rf_series_column *column, int step)
{
    double length_us = (double)(table->t_us[step + 1] - table->t_us[step]);

    return column->mean ? (double)column->values[step] * (double)column->unit_us / length_us
                        : (double)column->values[step];
}
