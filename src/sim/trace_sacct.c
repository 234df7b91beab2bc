/* What `sacct -P` prints: columns between '|', named by the header, in any choice and order.
 *
 * One job may take several rows: its steps, the components of a heterogeneous job, and with -D
 * (or when exports overlap) the earlier runs of a requeued job or the very same run again. So
 * all rows are collected first, ordered by job and time, and put together. */
#include <stdlib.h>
#include <string.h>

#include "sim/trace_sink.h"
#include "slurm/sacct.h"

struct row {
    uint64_t cluster;
    int64_t job, task, component; /* -1: no array, not heterogeneous */
    int64_t start_us;
    struct rf_trace_job it;
    int requeued; /* this run did not count */
    int gone;     /* taken into another row */
};

struct reader {
    struct rf_trace_sink *sink;
    struct rf_sacct table;
    int about[RF_NFIELDS];
    struct row *rows;
    size_t nrows, room;
};

/* ---- rows -------------------------------------------------------------- */

static enum rf_status put(struct reader *r, const struct row *row)
{
    if (r->nrows == r->room) {
        size_t room = r->room > 0 ? 2 * r->room : 1024;
        struct row *more = realloc(r->rows, room * sizeof *more);

        if (more == NULL)
            return rf_fail(r->sink->err, RF_ERR_MEMORY, "out of memory for the jobs of '%s'",
                           r->sink->name);
        r->rows = more;
        r->room = room;
    }
    r->rows[r->nrows++] = *row;
    return RF_OK;
}

static enum rf_status take(struct reader *r, const struct rf_sacct_row *in)
{
    struct row row = {.cluster = in->cluster,
                      .job = in->job,
                      .task = in->task,
                      .component = in->component,
                      .start_us = in->start_us,
                      .it = {.line = in->line,
                             .submit_us = in->submitted ? in->submit_us : -1,
                             .run_us = in->run_us,
                             .limit_us = in->limit_us,
                             .min = in->devices},
                      .requeued = in->requeued};
    struct rf_view about[RF_NFIELDS];
    enum rf_status st;

    if (in->step || in->unfinished) {
        rf_sink_drop(r->sink, in->line, in->step ? RF_DROP_STEP : RF_DROP_UNFINISHED);
        return RF_OK;
    }
    for (int f = 0; f < RF_NFIELDS; f++)
        about[f] = rf_sheet_cell(&r->table.sheet, r->about[f]);
    st = rf_sink_account(r->sink, about, &row.it.account);
    return st == RF_OK ? put(r, &row) : st;
}

/* ---- putting rows together --------------------------------------------- */

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_job(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int c = x->cluster < y->cluster ? -1 : x->cluster > y->cluster;

    c = c != 0 ? c : compare(x->job, y->job);
    c = c != 0 ? c : compare(x->task, y->task);
    c = c != 0 ? c : compare(x->component, y->component);
    c = c != 0 ? c : compare(x->it.submit_us, y->it.submit_us);
    c = c != 0 ? c : compare(x->start_us, y->start_us);
    return c != 0 ? c : compare(x->it.line, y->it.line);
}

static int by_line(const void *a, const void *b)
{
    return compare(((const struct row *)a)->it.line, ((const struct row *)b)->it.line);
}

static int same_job(const struct row *a, const struct row *b)
{
    return a->cluster == b->cluster && a->job == b->job && a->task == b->task;
}

/* The last run of a job stays, from the first submission on. Job numbers start anew on some
 * machines: another submission is the same job only if the run before was requeued. */
static void join_runs(struct reader *r)
{
    for (size_t i = 1; i < r->nrows; i++) {
        struct row *before = &r->rows[i - 1], *row = &r->rows[i];
        int64_t line;

        if (!same_job(before, row) || before->component != row->component ||
            (before->it.submit_us != row->it.submit_us && !before->requeued))
            continue;
        row->it.submit_us = before->it.submit_us;
        before->gone = 1;
        line = row->it.line; /* its place among the others is where it first was */
        row->it.line = before->it.line;
        before->it.line = line;
    }
}

/* The components of a heterogeneous job run together: one job with the devices of all. */
static void join_components(struct reader *r)
{
    struct row *whole = NULL;

    for (size_t i = 0; i < r->nrows; i++) {
        struct row *row = &r->rows[i];

        if (row->gone || row->component < 0)
            continue;
        if (whole == NULL || !same_job(whole, row) ||
            whole->it.submit_us != row->it.submit_us) {
            whole = row;
            continue;
        }
        if (row->it.run_us > whole->it.run_us)
            whole->it.run_us = row->it.run_us;
        if (row->it.limit_us > whole->it.limit_us)
            whole->it.limit_us = row->it.limit_us;
        whole->it.min += row->it.min;
        row->gone = 1;
    }
}

static enum rf_status emit(struct reader *r)
{
    enum rf_status st = RF_OK;

    if (r->nrows > 0)
        qsort(r->rows, r->nrows, sizeof *r->rows, by_job);
    join_runs(r);
    join_components(r);
    if (r->nrows > 0)
        qsort(r->rows, r->nrows, sizeof *r->rows, by_line);
    for (size_t i = 0; i < r->nrows && st == RF_OK; i++) {
        if (r->rows[i].gone)
            rf_sink_drop(r->sink, r->rows[i].it.line, RF_DROP_REPEATED);
        else
            st = rf_sink_add(r->sink, &r->rows[i].it);
    }
    return st;
}

/* ---- the table ----------------------------------------------------------- */

static enum rf_status check_columns(struct reader *r)
{
    static const char *const ABOUT[RF_NFIELDS] = {"User", "Group",   "Partition",
                                                  "QOS",  "JobName", "Account"};
    const int *column = r->table.column;
    int64_t line = r->table.sheet.lines.number;

    for (int f = 0; f < RF_NFIELDS; f++)
        r->about[f] = rf_sheet_column(&r->table.sheet, ABOUT[f]);
    if (column[RF_SACCT_JOB] < 0 || column[RF_SACCT_SUBMIT] < 0)
        return rf_sink_refuse(r->sink, line, "no header of sacct -P with JobID and Submit");
    if (column[RF_SACCT_ELAPSED_RAW] < 0 && column[RF_SACCT_ELAPSED] < 0 &&
        (column[RF_SACCT_START] < 0 || column[RF_SACCT_END] < 0))
        return rf_sink_refuse(
            r->sink, line, "no column with run times: ElapsedRaw, Elapsed, or Start and End");
    return RF_OK;
}

static enum rf_status read_all(struct reader *r)
{
    struct rf_sacct_row row;
    enum rf_row got;
    enum rf_status st = check_columns(r);

    while (st == RF_OK && (got = rf_sacct_next(&r->table, &row)) != RF_ROW_END)
        st = got == RF_ROW_OK ? take(r, &row)
                              : rf_sink_malformed(r->sink, r->table.sheet.lines.number,
                                                  r->table.wrong, r->table.value);
    return st == RF_OK ? emit(r) : st;
}

enum rf_status rf_trace_sacct(struct rf_trace_sink *sink, const char *text, size_t size_bytes)
{
    static const enum rf_sacct_unit UNIT[RF_TRACE_NUNITS] = {[RF_TRACE_GPUS] = RF_SACCT_GPUS,
                                                             [RF_TRACE_CPUS] = RF_SACCT_CPUS,
                                                             [RF_TRACE_NODES] = RF_SACCT_NODES};
    struct reader *r = calloc(1, sizeof *r);
    enum rf_trace_unit unit = sink->options->unit;
    enum rf_status st;

    if (r == NULL)
        return rf_fail(sink->err, RF_ERR_MEMORY, "out of memory for '%s'", sink->name);
    r->sink = sink;
    if (unit == RF_TRACE_UNIT_AUTO)
        unit =
            rf_sacct_unit_of(text, size_bytes) == RF_SACCT_GPUS ? RF_TRACE_GPUS : RF_TRACE_CPUS;
    sink->report->unit = unit;
    sink->dates = 1;
    rf_sacct_begin(&r->table, text, size_bytes, UNIT[unit]);
    st = read_all(r);
    free(r->rows);
    free(r);
    return st;
}
