/* AcmeTrace (Hu et al., "Characterization of Large Language Model Development in the
 * Datacenter", NSDI 2024): trace_seren.csv and trace_kalos.csv. Times carry a zone. Their column
 * `duration` is not read: in Kalos it counts from the submission and so holds the wait. */
#include <stdlib.h>

#include "base/sheet.h"
#include "base/value.h"
#include "sim/trace_sink.h"

enum { SUBMIT, START, END, DEVICES, STATE, NCOLUMNS };
static const int64_t DAY_US = INT64_C(86400000000);

struct reader {
    struct rf_trace_sink *sink;
    struct rf_sheet table;
    int column[NCOLUMNS];
    int about[RF_NFIELDS];
};

/* A date into *value; *there says whether there is one at all. */
static int read_date(const struct reader *r, int which, int64_t *value, int *there)
{
    struct rf_view cell = rf_sheet_cell(&r->table, r->column[which]);

    *there = !rf_value_missing(cell);
    return !*there || rf_value_date(cell, value);
}

static enum rf_status wrong(const struct reader *r, int which, const char *what)
{
    return rf_sink_malformed(r->sink, r->table.lines.number, what,
                             rf_sheet_cell(&r->table, r->column[which]));
}

static enum rf_status read_row(struct reader *r)
{
    struct rf_trace_job job = {.line = r->table.lines.number};
    struct rf_view about[RF_NFIELDS], state = rf_sheet_cell(&r->table, r->column[STATE]);
    struct rf_view devices = rf_sheet_cell(&r->table, r->column[DEVICES]);
    int64_t start = 0, end = 0;
    int submitted, started, ended;
    enum rf_status st;

    if (!read_date(r, SUBMIT, &job.submit_us, &submitted))
        return wrong(r, SUBMIT, "not a time of submission");
    if (!read_date(r, START, &start, &started))
        return wrong(r, START, "not a time of start");
    if (!read_date(r, END, &end, &ended))
        return wrong(r, END, "not a time of end");
    if (!rf_value_missing(devices) && !rf_value_integer(devices, &job.min))
        return wrong(r, DEVICES, "not a number of devices");
    if ((started && !ended) || rf_value_is(state, "RUNNING") || rf_value_is(state, "PENDING")) {
        rf_sink_drop(r->sink, job.line, RF_DROP_UNFINISHED);
        return RF_OK;
    }
    if (!submitted)
        job.submit_us = -1;
    else if (start < job.submit_us - DAY_US) /* a clock's zero stands for "never" */
        started = 0;
    job.run_us = started && ended ? end - start : 0;
    for (int f = 0; f < RF_NFIELDS; f++)
        about[f] = rf_sheet_cell(&r->table, r->about[f]);
    st = rf_sink_account(r->sink, about, &job.account);
    return st == RF_OK ? rf_sink_add(r->sink, &job) : st;
}

static enum rf_status find_columns(struct reader *r)
{
    static const char *const UNIT[RF_TRACE_NUNITS] = {"gpu_num", "gpu_num", "cpu_num",
                                                      "node_num"};
    static const char *const ABOUT[RF_NFIELDS] = {"user", "group",  "queue",
                                                  "type", "job_id", "account"};

    r->column[SUBMIT] = rf_sheet_column(&r->table, "submit_time");
    r->column[START] = rf_sheet_column(&r->table, "start_time");
    r->column[END] = rf_sheet_column(&r->table, "end_time");
    r->column[STATE] = rf_sheet_column(&r->table, "state");
    r->column[DEVICES] = rf_sheet_column(&r->table, UNIT[r->sink->options->unit]);
    for (int f = 0; f < RF_NFIELDS; f++)
        r->about[f] = rf_sheet_column(&r->table, ABOUT[f]);
    if (r->column[SUBMIT] < 0 || r->column[START] < 0 || r->column[END] < 0 ||
        r->column[DEVICES] < 0)
        return rf_sink_refuse(
            r->sink, r->table.lines.number,
            "no header with the columns submit_time, start_time, end_time and "
            "gpu_num");
    return RF_OK;
}

static enum rf_status read_all(struct reader *r, const char *text, size_t size_bytes)
{
    enum rf_row row = rf_sheet_begin(&r->table, text, size_bytes, ',');
    enum rf_status st = RF_OK;

    if (row != RF_ROW_OK)
        r->table.ncolumns = 0;
    st = find_columns(r);
    while (st == RF_OK && (row = rf_sheet_next(&r->table)) != RF_ROW_END) {
        if (row == RF_ROW_OK)
            st = read_row(r);
        else
            st = rf_sink_malformed(r->sink, r->table.lines.number, r->table.wrong,
                                   (struct rf_view){"", 0});
    }
    return st;
}

enum rf_status rf_trace_acme(struct rf_trace_sink *sink, const char *text, size_t size_bytes)
{
    struct reader *r = calloc(1, sizeof *r);
    enum rf_status st;

    if (r == NULL)
        return rf_fail(sink->err, RF_ERR_MEMORY, "out of memory for '%s'", sink->name);
    r->sink = sink;
    sink->dates = 1;
    sink->report->unit =
        sink->options->unit == RF_TRACE_UNIT_AUTO ? RF_TRACE_GPUS : sink->options->unit;
    st = read_all(r, text, size_bytes);
    free(r);
    return st;
}
