/* What `sacct -P` prints: columns between '|', named by the header, in any choice and order.
 *
 * One job may take several rows: its steps, the components of a heterogeneous job, and with -D
 * (or when exports overlap) the earlier runs of a requeued job or the very same run again. So
 * all rows are collected first, ordered by job and time, and put together. */
#include <stdlib.h>
#include <string.h>

#include "sim/trace_sink.h"
#include "sim/trace_table.h"
#include "sim/trace_value.h"

enum {
    JOB,
    CLUSTER,
    STATE,
    SUBMIT,
    START,
    END,
    ELAPSED_RAW,
    ELAPSED,
    LIMIT_RAW,
    LIMIT,
    ALLOC_TRES,
    REQ_TRES,
    ALLOC_CPUS,
    REQ_CPUS,
    ALLOC_NODES,
    REQ_NODES,
    NCOLUMNS
};

/* Several names: the first that the header has. */
static const char *const NAMES[NCOLUMNS] = {[JOB] = "JobID JobIDRaw",
                                            [CLUSTER] = "Cluster",
                                            [STATE] = "State",
                                            [SUBMIT] = "Submit",
                                            [START] = "Start",
                                            [END] = "End",
                                            [ELAPSED_RAW] = "ElapsedRaw",
                                            [ELAPSED] = "Elapsed",
                                            [LIMIT_RAW] = "TimelimitRaw",
                                            [LIMIT] = "Timelimit",
                                            [ALLOC_TRES] = "AllocTRES",
                                            [REQ_TRES] = "ReqTRES",
                                            [ALLOC_CPUS] = "AllocCPUS NCPUS",
                                            [REQ_CPUS] = "ReqCPUS",
                                            [ALLOC_NODES] = "AllocNodes NNodes",
                                            [REQ_NODES] = "ReqNodes"};

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
    struct rf_table table;
    int column[NCOLUMNS];
    int about[RF_NFIELDS];
    enum rf_trace_unit unit;
    struct row *rows;
    size_t nrows, room;
};

static struct rf_text cell(const struct reader *r, int which)
{
    return rf_table_cell(&r->table, r->column[which]);
}

/* ---- single cells ----------------------------------------------------- */

static int begins(struct rf_text text, const char *word)
{
    size_t n = strlen(word);

    return text.size_bytes >= n && memcmp(text.bytes, word, n) == 0;
}

/* 1234, 1234_7, 1234+1, 1234_[1-9%3]; *is_step: one of these and then .batch or .0 */
static int read_job_id(struct rf_text text, struct row *row, int *is_step)
{
    const char *dot = memchr(text.bytes, '.', text.size_bytes);
    size_t n = 0;

    *is_step = dot != NULL;
    if (dot != NULL)
        text.size_bytes = (size_t)(dot - text.bytes);
    while (n < text.size_bytes && text.bytes[n] != '_' && text.bytes[n] != '+')
        n++;
    row->task = row->component = -1;
    if (!rf_value_integer((struct rf_text){text.bytes, n}, &row->job) || row->job < 0)
        return 0;
    if (n == text.size_bytes)
        return 1;
    if (text.bytes[n] == '_' && n + 1 < text.size_bytes && text.bytes[n + 1] == '[')
        return text.bytes[text.size_bytes - 1] == ']'; /* tasks that were never started */
    return rf_value_integer((struct rf_text){text.bytes + n + 1, text.size_bytes - n - 1},
                            text.bytes[n] == '_' ? &row->task : &row->component);
}

/* The number behind "key=" in a list between commas, or the sum over "key:kind=". */
static int64_t tres(struct rf_text list, const char *key)
{
    size_t n = strlen(key);
    int64_t of_kinds = 0;

    while (list.size_bytes > 0) {
        const char *comma = memchr(list.bytes, ',', list.size_bytes);
        size_t length = comma != NULL ? (size_t)(comma - list.bytes) : list.size_bytes;
        const char *equals = memchr(list.bytes, '=', length);
        int64_t count = 0;

        if (equals != NULL && length > n && memcmp(list.bytes, key, n) == 0) {
            size_t head = (size_t)(equals - list.bytes);

            if (!rf_value_integer((struct rf_text){equals + 1, length - head - 1}, &count) ||
                count < 0 || count > INT32_MAX)
                count = 0;
            if (head == n)
                return count;
            if (list.bytes[n] == ':')
                of_kinds += count;
        }
        length += comma != NULL;
        list.bytes += length;
        list.size_bytes -= length;
    }
    return of_kinds;
}

/* What a job was given, or what it asked for where that is not said; small enough to add up. */
static int64_t devices_of(const struct reader *r)
{
    static const char *const KEY[RF_TRACE_NUNITS] = {"", "gres/gpu", "cpu", "node"};
    const int plain[2] = {r->unit == RF_TRACE_CPUS ? ALLOC_CPUS : ALLOC_NODES,
                          r->unit == RF_TRACE_CPUS ? REQ_CPUS : REQ_NODES};

    for (int asked = 0; asked < 2; asked++) {
        int64_t count = tres(cell(r, asked ? REQ_TRES : ALLOC_TRES), KEY[r->unit]);

        if (count <= 0 && r->unit != RF_TRACE_GPUS &&
            !rf_value_integer(cell(r, plain[asked]), &count))
            count = 0;
        if (count > 0)
            return count < INT32_MAX ? count : (int64_t)INT32_MAX + 1;
    }
    return 0;
}

/* A date that may be missing: *there. */
static int read_date(const struct reader *r, int which, int64_t *value, int *there)
{
    *value = 0;
    *there = !rf_value_missing(cell(r, which));
    return !*there || rf_value_instant(cell(r, which), value);
}

static int read_run(const struct reader *r, int64_t *run_us)
{
    if (!rf_value_missing(cell(r, ELAPSED_RAW)))
        return rf_value_seconds(cell(r, ELAPSED_RAW), run_us);
    if (!rf_value_missing(cell(r, ELAPSED)))
        return rf_value_duration(cell(r, ELAPSED), run_us);
    return 1; /* what the caller has from start and end */
}

/* Words such as UNLIMITED and Partition_Limit leave the limit unknown: 0. */
static void read_limit(const struct reader *r, int64_t *limit_us)
{
    int64_t minutes;

    if (rf_value_integer(cell(r, LIMIT_RAW), &minutes) && minutes > 0 &&
        minutes < RF_TRACE_TIME_MAX_S / 60)
        *limit_us = minutes * 60000000;
    else if (!rf_value_duration(cell(r, LIMIT), limit_us))
        *limit_us = 0;
}

/* ---- rows -------------------------------------------------------------- */

static enum rf_status wrong(const struct reader *r, int which, const char *what)
{
    return rf_sink_malformed(r->sink, r->table.lines.number, what, cell(r, which));
}

static uint64_t hash_of(struct rf_text text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < text.size_bytes; i++)
        h = (h ^ (unsigned char)text.bytes[i]) * 0x100000001b3u;
    return h;
}

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

/* Still waiting or running when the table was printed? */
static int unfinished(struct rf_text state, int started, int ended)
{
    static const char *const WORDS[] = {"PENDING",     "RUNNING",    "SUSPENDED",
                                        "CONFIGURING", "COMPLETING", "RESIZING"};

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (begins(state, WORDS[i]))
            return 1;
    return started && !ended;
}

static enum rf_status read_row(struct reader *r)
{
    struct row row = {.it.line = r->table.lines.number};
    struct rf_text about[RF_NFIELDS], state = cell(r, STATE);
    int is_step, submitted, started, ended;
    int64_t end_us;
    enum rf_status st;

    if (!read_job_id(cell(r, JOB), &row, &is_step))
        return wrong(r, JOB, "not a job id");
    if (is_step) {
        rf_sink_drop(r->sink, row.it.line, RF_DROP_STEP);
        return RF_OK;
    }
    if (!read_date(r, SUBMIT, &row.it.submit_us, &submitted))
        return wrong(r, SUBMIT, "not a time of submission");
    if (!read_date(r, START, &row.start_us, &started))
        return wrong(r, START, "not a time of start");
    if (!read_date(r, END, &end_us, &ended))
        return wrong(r, END, "not a time of end");
    row.it.run_us = started && ended ? end_us - row.start_us : 0;
    if (!read_run(r, &row.it.run_us))
        return wrong(r, r->column[ELAPSED_RAW] >= 0 ? ELAPSED_RAW : ELAPSED, "not a run time");
    if (unfinished(state, started, ended || r->column[END] < 0)) {
        rf_sink_drop(r->sink, row.it.line, RF_DROP_UNFINISHED);
        return RF_OK;
    }
    if (!submitted)
        row.it.submit_us = -1;
    read_limit(r, &row.it.limit_us);
    row.it.min = devices_of(r);
    row.cluster = hash_of(cell(r, CLUSTER));
    row.requeued = begins(state, "REQUEUED") || begins(state, "PREEMPTED") ||
                   begins(state, "NODE_FAIL") || begins(state, "BOOT_FAIL");
    for (int f = 0; f < RF_NFIELDS; f++)
        about[f] = rf_table_cell(&r->table, r->about[f]);
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

static int mentions(const char *text, size_t size_bytes, const char *word)
{
    size_t n = strlen(word);
    const char *end = text + size_bytes;

    while ((size_t)(end - text) >= n) {
        const char *at = memchr(text, word[0], (size_t)(end - text) - n + 1);

        if (at == NULL)
            return 0;
        if (memcmp(at, word, n) == 0)
            return 1;
        text = at + 1;
    }
    return 0;
}

static enum rf_status find_columns(struct reader *r)
{
    static const char *const ABOUT[RF_NFIELDS] = {"User", "Group",   "Partition",
                                                  "QOS",  "JobName", "Account"};

    for (int c = 0; c < NCOLUMNS; c++)
        r->column[c] = rf_table_column(&r->table, NAMES[c]);
    for (int f = 0; f < RF_NFIELDS; f++)
        r->about[f] = rf_table_column(&r->table, ABOUT[f]);
    if (r->column[JOB] < 0 || r->column[SUBMIT] < 0)
        return rf_sink_refuse(r->sink, r->table.lines.number,
                              "no header of sacct -P with JobID and Submit");
    if (r->column[ELAPSED_RAW] < 0 && r->column[ELAPSED] < 0 &&
        (r->column[START] < 0 || r->column[END] < 0))
        return rf_sink_refuse(
            r->sink, r->table.lines.number,
            "no column with run times: ElapsedRaw, Elapsed, or Start and End");
    return RF_OK;
}

static enum rf_status read_all(struct reader *r, const char *text, size_t size_bytes)
{
    enum rf_row row = rf_table_begin(&r->table, text, size_bytes, '|');
    enum rf_status st = RF_OK;

    if (row != RF_ROW_OK)
        r->table.ncolumns = 0;
    st = find_columns(r);
    while (st == RF_OK && (row = rf_table_next(&r->table)) != RF_ROW_END) {
        if (row == RF_ROW_OK)
            st = read_row(r);
        else
            st = rf_sink_malformed(r->sink, r->table.lines.number, r->table.wrong,
                                   (struct rf_text){"", 0});
    }
    return st == RF_OK ? emit(r) : st;
}

enum rf_status rf_trace_sacct(struct rf_trace_sink *sink, const char *text, size_t size_bytes)
{
    struct reader *r = calloc(1, sizeof *r);
    enum rf_status st;

    if (r == NULL)
        return rf_fail(sink->err, RF_ERR_MEMORY, "out of memory for '%s'", sink->name);
    r->sink = sink;
    r->unit = sink->options->unit;
    if (r->unit == RF_TRACE_UNIT_AUTO)
        r->unit = mentions(text, size_bytes, "gres/gpu") ? RF_TRACE_GPUS : RF_TRACE_CPUS;
    sink->report->unit = r->unit;
    sink->dates = 1;
    st = read_all(r, text, size_bytes);
    free(r->rows);
    free(r);
    return st;
}
