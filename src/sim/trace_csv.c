/* The common csv: named columns in any order, one job a line. */
#include <stdlib.h>

#include "base/sheet.h"
#include "base/value.h"
#include "sim/trace_sink.h"

enum { SUBMIT, RUN, PROCS, EST, MIN, MAX, NCOLUMNS };

static const char *const NAMES[NCOLUMNS] = {"submit submit_time arrival_time",
                                            "run run_time duration",
                                            "procs devices gpus gpu_num",
                                            "est limit timelimit requested_time",
                                            "min",
                                            "max"};

struct reader {
    struct rf_trace_sink *sink;
    struct rf_sheet table;
    int column[NCOLUMNS];
    int about[RF_NFIELDS];
    int64_t rows;
};

/* The submission: a number or a date, but all of them the same. */
static int read_submit(struct reader *r, struct rf_trace_job *job)
{
    struct rf_view cell = rf_sheet_cell(&r->table, r->column[SUBMIT]);
    int is_date;

    if (rf_value_missing(cell)) {
        job->submit_us = -1;
        return 1;
    }
    is_date = !rf_value_seconds(cell, &job->submit_us);
    if (is_date && !rf_value_date(cell, &job->submit_us))
        return 0;
    if (r->rows++ == 0)
        r->sink->dates = is_date;
    return r->sink->dates == is_date;
}

/* A number of devices; a column that is not there, or an empty cell, is 0. */
static int read_count(const struct reader *r, int which, int64_t *count)
{
    struct rf_view cell = rf_sheet_cell(&r->table, r->column[which]);

    *count = 0;
    return rf_value_missing(cell) || rf_value_integer(cell, count);
}

static int read_time(const struct reader *r, int which, int64_t *time_us)
{
    struct rf_view cell = rf_sheet_cell(&r->table, r->column[which]);

    *time_us = 0;
    return rf_value_missing(cell) || rf_value_seconds(cell, time_us);
}

static enum rf_status read_row(struct reader *r)
{
    struct rf_trace_job job = {.line = r->table.lines.number};
    struct rf_view about[RF_NFIELDS];
    int64_t procs;
    int wrong = -1;
    enum rf_status st;

    if (!read_submit(r, &job))
        wrong = SUBMIT;
    else if (!read_time(r, RUN, &job.run_us))
        wrong = RUN;
    else if (!read_count(r, PROCS, &procs))
        wrong = PROCS;
    else if (!read_time(r, EST, &job.limit_us))
        wrong = EST;
    else if (!read_count(r, MIN, &job.min))
        wrong = MIN;
    else if (!read_count(r, MAX, &job.max))
        wrong = MAX;
    if (wrong >= 0)
        return rf_sink_malformed(r->sink, job.line,
                                 wrong == SUBMIT ? "not a submission like those before"
                                 : wrong == RUN || wrong == EST ? "not a time in seconds"
                                                                : "not a number of devices",
                                 rf_sheet_cell(&r->table, r->column[wrong]));
    if (job.min <= 0)
        job.min = procs;
    for (int f = 0; f < RF_NFIELDS; f++)
        about[f] = rf_sheet_cell(&r->table, r->about[f]);
    st = rf_sink_account(r->sink, about, &job.account);
    return st == RF_OK ? rf_sink_add(r->sink, &job) : st;
}

static enum rf_status read_all(struct reader *r, const char *text, size_t size_bytes)
{
    static const char *const ABOUT[RF_NFIELDS] = {"user", "group", "queue",
                                                  "type", "name",  "account"};
    enum rf_row row = rf_sheet_begin(&r->table, text, size_bytes, ',');
    enum rf_status st = RF_OK;

    for (int c = 0; c < NCOLUMNS && row == RF_ROW_OK; c++)
        r->column[c] = rf_sheet_column(&r->table, NAMES[c]);
    for (int f = 0; f < RF_NFIELDS && row == RF_ROW_OK; f++)
        r->about[f] = rf_sheet_column(&r->table, ABOUT[f]);
    if (row != RF_ROW_OK || r->column[SUBMIT] < 0 || r->column[RUN] < 0 ||
        (r->column[PROCS] < 0 && r->column[MIN] < 0))
        return rf_sink_refuse(r->sink, r->table.lines.number,
                              "no header with the columns submit, run and procs");
    while (st == RF_OK && (row = rf_sheet_next(&r->table)) != RF_ROW_END) {
        if (row == RF_ROW_OK)
            st = read_row(r);
        else
            st = rf_sink_malformed(r->sink, r->table.lines.number, r->table.wrong,
                                   (struct rf_view){"", 0});
    }
    return st;
}

enum rf_status rf_trace_csv(struct rf_trace_sink *sink, const char *text, size_t size_bytes)
{
    struct reader *r = calloc(1, sizeof *r);
    enum rf_status st;

    if (r == NULL)
        return rf_fail(sink->err, RF_ERR_MEMORY, "out of memory for '%s'", sink->name);
    r->sink = sink;
    st = read_all(r, text, size_bytes);
    free(r);
    return st;
}
