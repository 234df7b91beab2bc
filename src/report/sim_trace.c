#include "report/sim_trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/build.h"

/* Rows of one account: until when each is taken. */
struct rows {
    int64_t *until_us; /* owned */
    int n, room;
};

struct writer {
    const struct rf_sim_results *results;
    struct rf_build build;
    json_t *events;    /* owned */
    struct rows *rows; /* owned; by account of the state */
};

static int pid_of(int32_t account)
{
    return (int)account + 1;
}

static void add(struct writer *w, json_t *event)
{
    rf_build_append(&w->build, w->events, event);
}

/* The first row that is free at begin_us, from 1; 0 when memory ran out. */
static int take_row(struct rows *rows, int64_t begin_us, int64_t end_us)
{
    for (int i = 0; i < rows->n; i++)
        if (rows->until_us[i] <= begin_us) {
            rows->until_us[i] = end_us;
            return i + 1;
        }
    if (rows->n == rows->room) {
        int room = 2 * rows->room + 16;
        int64_t *more = realloc(rows->until_us, (size_t)room * sizeof *more);

        if (more == NULL)
            return 0;
        rows->until_us = more;
        rows->room = room;
    }
    rows->until_us[rows->n] = end_us;
    return ++rows->n;
}

static void add_span(struct writer *w, const struct rf_lease_span *span)
{
    const struct rf_state *state = w->results->result->state;
    const struct rf_job *job = &state->jobs[span->job];
    int64_t end_us = span->end_us < 0 ? state->now_us : span->end_us;
    int row = take_row(&w->rows[job->account], span->begin_us, end_us);
    char name[RF_NAME_BYTES];

    if (row == 0) {
        w->build.failed = 1;
        return;
    }
    add(w, json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:{s:i, s:s}}", "name",
                     rf_state_job_name(state, span->job, name), "cat",
                     span->stopped ? "stopped" : "ran", "ph", "X", "ts",
                     (json_int_t)(span->begin_us - state->start_us), "dur",
                     (json_int_t)(end_us - span->begin_us), "pid", pid_of(job->account), "tid",
                     row, "args", "devices", (int)span->devices, "ended",
                     span->end_us < 0 ? "still running"
                     : span->stopped  ? "stopped"
                                      : "done"));
}

static void add_names(struct writer *w)
{
    const struct rf_state *state = w->results->result->state;

    for (int32_t a = 0; a < state->naccounts; a++)
        if (w->rows[a].n > 0)
            add(w, json_pack("{s:s, s:s, s:i, s:{s:s}}", "name", "process_name", "ph", "M",
                             "pid", pid_of(a), "args", "name", state->accounts[a].name));
}

/* One counter of the time series, in the process of its account. */
static void add_counter(struct writer *w, const struct rf_series_column *column,
                        const char *kind, const char *label)
{
    const struct rf_series_table *table = w->results->series;
    size_t length = strlen(kind);
    int32_t account;

    if (strncmp(column->name, kind, length) != 0 || column->name[length] != ':')
        return;
    account = rf_state_find_account(w->results->result->state, column->name + length + 1);
    for (int k = 0; account >= 0 && k < table->nsteps; k++)
        add(w, json_pack("{s:s, s:s, s:I, s:i, s:{s:f}}", "name", label, "ph", "C", "ts",
                         (json_int_t)(table->t_us[k] - table->t_us[0]), "pid", pid_of(account),
                         "args", "devices", rf_series_value(table, column, k)));
}

static void add_counters(struct writer *w)
{
    const struct rf_series_table *table = w->results->series;

    for (int c = 0; table != NULL && c < table->ncolumns; c++) {
        add_counter(w, &table->columns[c], "used", "devices held");
        add_counter(w, &table->columns[c], "queued", "devices waited for");
    }
}

static enum rf_status write_events(struct writer *w, const char *path, struct rf_error *err)
{
    json_t *root = json_pack("{s:O, s:s}", "traceEvents", w->events, "displayTimeUnit", "ms");
    char *text = root != NULL && !w->build.failed ? json_dumps(root, JSON_COMPACT) : NULL;
    enum rf_status st = text == NULL
                            ? rf_fail(err, RF_ERR_MEMORY, "out of memory for the trace")
                            : rf_file_write(path, text, strlen(text), err);

    free(text);
    json_decref(root);
    return st;
}

enum rf_status rf_sim_trace_write(const struct rf_sim_results *results,
                                  const struct rf_spans *spans, const char *path,
                                  struct rf_error *err)
{
    int32_t naccounts = results->result->state->naccounts;
    struct writer w = {.results = results,
                       .events = json_array(),
                       .rows = calloc((size_t)naccounts + 1, sizeof *w.rows)};
    enum rf_status st = RF_OK;

    if (w.rows == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for the trace");
    for (int32_t i = 0; st == RF_OK && i < spans->n; i++)
        add_span(&w, &spans->items[i]);
    if (st == RF_OK) {
        add_names(&w);
        add_counters(&w);
        st = write_events(&w, path, err);
    }
    for (int32_t a = 0; w.rows != NULL && a < naccounts; a++)
        free(w.rows[a].until_us);
    free(w.rows);
    json_decref(w.events);
    return st;
}
