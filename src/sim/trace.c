/* A trace is read as a whole: its text, which is gone afterwards, is a few times larger than the
 * arrays that come of it, and a reader over memory can be fuzzed. */
#include "sim/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sheet.h"
#include "base/value.h"
#include "sim/trace_sink.h"

#define TRACE_MAX_BYTES ((size_t)8 << 30)
enum { GROUPS_MAX_BYTES = 1 << 24, GROUPS_MAX = 10000 };

static const char *const FORMATS[RF_TRACE_NFORMATS] = {"auto",  "swf",  "csv",
                                                       "sacct", "acme", "philly"};
static const char *const UNITS[RF_TRACE_NUNITS] = {"auto", "gpus", "cpus", "nodes"};
static const char *const DROPS[RF_DROP_NREASONS] = {"malformed",  "no-run-time",   "no-devices",
                                                    "too-large",  "no-submission", "too-late",
                                                    "unfinished", "step",          "repeated"};

static int word_of(const char *const *words, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(words[i], name) == 0)
            return i;
    return -1;
}

int rf_trace_format_of(const char *name)
{
    return word_of(FORMATS, RF_TRACE_NFORMATS, name);
}

int rf_trace_unit_of(const char *name)
{
    return word_of(UNITS, RF_TRACE_NUNITS, name);
}

const char *rf_trace_drop_name(enum rf_trace_drop reason)
{
    return DROPS[reason];
}

/* ---- the sink -------------------------------------------------------------- */

enum rf_status rf_sink_account(struct rf_trace_sink *sink,
                               const struct rf_view fields[RF_NFIELDS], int32_t *account)
{
    return rf_accounts_find(sink->accounts, fields, account, sink->err);
}

void rf_sink_drop(struct rf_trace_sink *sink, int64_t line, enum rf_trace_drop reason)
{
    struct rf_trace_report *report = sink->report;
    int64_t before = report->dropped[reason]++;

    report->lines++;
    if (before < RF_TRACE_EXAMPLES)
        report->examples[reason][before] = line;
}

enum rf_status rf_sink_malformed(struct rf_trace_sink *sink, int64_t line, const char *what,
                                 struct rf_view value)
{
    char shown[48], text[RF_TEXT_BYTES];
    size_t n = value.size_bytes < sizeof shown - 1 ? value.size_bytes : sizeof shown - 1;

    for (size_t i = 0; i < n; i++)
        shown[i] = value.bytes[i] >= ' ' && value.bytes[i] <= '~' ? value.bytes[i] : '?';
    shown[n] = '\0';
    snprintf(text, sizeof text, n > 0 ? "%s: '%s%s'" : "%s%s%s", what, shown,
             n < value.size_bytes ? "..." : "");
    if (!sink->options->lenient)
        return rf_fail(sink->err, RF_ERR_INPUT, "%s:%lld: %s", sink->name, (long long)line,
                       text);
    if (sink->report->dropped[RF_DROP_MALFORMED] == 0)
        memcpy(sink->report->malformed, text, sizeof text);
    rf_sink_drop(sink, line, RF_DROP_MALFORMED);
    return RF_OK;
}

enum rf_status rf_sink_refuse(struct rf_trace_sink *sink, int64_t line, const char *what)
{
    return rf_fail(sink->err, RF_ERR_INPUT, "%s:%lld: %s", sink->name,
                   (long long)(line > 0 ? line : 1), what);
}

/* Makes *array hold room elements of one size. */
static int resize(void *array, size_t room, size_t element_bytes)
{
    void **at = array, *more = realloc(*at, room * element_bytes);

    if (more == NULL)
        return 0;
    *at = more;
    return 1;
}

static enum rf_status set_room(struct rf_trace_sink *sink, int64_t jobs)
{
    struct rf_workload *w = sink->w;
    size_t room = jobs > 0 ? (size_t)jobs : 1;

    if (!resize(&w->submit_us, room, sizeof *w->submit_us) ||
        !resize(&w->run_us, room, sizeof *w->run_us) ||
        !resize(&w->limit_us, room, sizeof *w->limit_us) ||
        !resize(&w->min, room, sizeof *w->min) ||
        !resize(&w->account, room, sizeof *w->account) ||
        (w->max != NULL && !resize(&w->max, room, sizeof *w->max)))
        return rf_fail(sink->err, RF_ERR_MEMORY, "out of memory for the jobs of '%s'",
                       sink->name);
    sink->room = jobs;
    return RF_OK;
}

/* The first job that is not rigid: all before it are, with max = min. */
static enum rf_status begin_max(struct rf_trace_sink *sink)
{
    struct rf_workload *w = sink->w;

    w->max = malloc((size_t)sink->room * sizeof *w->max);
    if (w->max == NULL)
        return rf_fail(sink->err, RF_ERR_MEMORY, "out of memory for the jobs of '%s'",
                       sink->name);
    memcpy(w->max, w->min, (size_t)w->n * sizeof *w->max);
    return RF_OK;
}

static enum rf_status keep(struct rf_trace_sink *sink, const struct rf_trace_job *job)
{
    struct rf_workload *w = sink->w;
    int64_t most = sink->options->devices > 0 ? sink->options->devices : INT32_MAX;
    int64_t max = job->max <= job->min ? job->min : job->max;
    int64_t limit = job->limit_us > job->run_us ? job->limit_us : job->run_us;
    enum rf_status st = RF_OK;

    if (w->n == INT32_MAX)
        return rf_fail(sink->err, RF_ERR_INPUT, "'%s' has more than %d jobs", sink->name,
                       INT32_MAX);
    if (w->n == sink->room)
        st = set_room(sink, 2 * sink->room);
    if (st == RF_OK && w->max == NULL && max > job->min)
        st = begin_max(sink);
    if (st != RF_OK)
        return st;
    w->submit_us[w->n] = job->submit_us;
    w->run_us[w->n] = job->run_us;
    w->limit_us[w->n] = limit;
    w->min[w->n] = (int32_t)job->min;
    w->account[w->n] = job->account;
    if (w->max != NULL)
        w->max[w->n] = (int32_t)(max < most ? max : most);
    w->n++;
    sink->report->lines++;
    return RF_OK;
}

enum rf_status rf_sink_add(struct rf_trace_sink *sink, const struct rf_trace_job *job)
{
    int64_t most = sink->options->devices > 0 ? sink->options->devices : INT32_MAX;

    if (job->min > 0 && job->min <= most && job->run_us > 0 && job->submit_us >= 0)
        return keep(sink, job);
    rf_sink_drop(sink, job->line,
                 job->min <= 0      ? RF_DROP_NO_DEVICES
                 : job->min > most  ? RF_DROP_TOO_LARGE
                 : job->run_us <= 0 ? RF_DROP_NO_RUN
                                    : RF_DROP_NO_SUBMIT);
    return RF_OK;
}

/* ---- after the last line -------------------------------------------------- */

/* Time 0 is the first submission. */
static void begin_at_first(struct rf_workload *w)
{
    w->origin_us = w->submit_us[0];
    for (int64_t i = 0; i < w->n; i++)
        w->submit_us[i] -= w->origin_us;
}

static void cut_at_horizon(struct rf_trace_sink *sink)
{
    struct rf_workload *w = sink->w;

    if (sink->options->horizon_us <= 0)
        return;
    while (w->n > 0 && w->submit_us[w->n - 1] >= sink->options->horizon_us) {
        sink->report->dropped[RF_DROP_TOO_LATE]++;
        w->n--;
    }
}

/* The accounts that jobs really have, in order of the jobs. */
static enum rf_status take_accounts(struct rf_trace_sink *sink)
{
    struct rf_workload *w = sink->w;
    int32_t n = rf_accounts_count(sink->accounts);
    int32_t *number = malloc(((size_t)n + 1) * sizeof *number);
    size_t room = 1;

    while (room < (size_t)n) /* as rf_workload_account() expects it */
        room *= 2;
    w->accounts = calloc(room, sizeof *w->accounts);
    if (number == NULL || w->accounts == NULL) {
        free(number);
        return rf_fail(sink->err, RF_ERR_MEMORY, "out of memory for %d accounts", (int)n);
    }
    for (int32_t a = 0; a < n; a++)
        number[a] = -1;
    for (int64_t i = 0; i < w->n; i++) {
        int32_t a = w->account[i];

        if (number[a] < 0) {
            number[a] = w->naccounts++;
            snprintf(w->accounts[number[a]], RF_NAME_BYTES, "%s",
                     rf_accounts_name(sink->accounts, a));
        }
        w->account[i] = number[a];
    }
    free(number);
    return RF_OK;
}

static enum rf_status finish(struct rf_trace_sink *sink)
{
    struct rf_workload *w = sink->w;
    enum rf_status st = rf_workload_sort(w, sink->err);

    if (st == RF_OK && sink->dates && w->n > 0)
        begin_at_first(w);
    if (st == RF_OK && !sink->dates)
        w->origin_us = sink->report->start_unix_s * 1000000;
    cut_at_horizon(sink);
    sink->report->kept = w->n;
    if (st == RF_OK && w->n == 0)
        st = rf_fail(sink->err, RF_ERR_INPUT, "'%s' has no job that could run (%lld lines)",
                     sink->name, (long long)sink->report->lines);
    if (st == RF_OK)
        st = take_accounts(sink);
    if (st == RF_OK)
        st = set_room(sink, w->n);
    return st;
}

/* ---- which format ---------------------------------------------------------- */

static struct rf_view first_line(const char *text, size_t size_bytes)
{
    struct rf_lines lines = rf_lines_begin(text, size_bytes);
    struct rf_view line = {text, 0};

    while (rf_lines_next(&lines, &line)) {
        line = rf_value_trim(line);
        if (line.size_bytes > 0 && *line.bytes != '#')
            return line;
    }
    return (struct rf_view){text, 0};
}

static enum rf_trace_format format_of(const char *text, size_t size_bytes)
{
    struct rf_view line = first_line(text, size_bytes);
    char first = line.size_bytes > 0 ? *line.bytes : '\0';
    struct rf_sheet *table;
    enum rf_trace_format format = RF_TRACE_CSV;

    if (first == '[' || first == '{')
        return RF_TRACE_PHILLY;
    if (first == ';' || first == '-' || (first >= '0' && first <= '9'))
        return RF_TRACE_SWF;
    if (memchr(line.bytes, '|', line.size_bytes) != NULL)
        return RF_TRACE_SACCT;
    table = malloc(sizeof *table);
    if (table != NULL && rf_sheet_begin(table, text, size_bytes, ',') == RF_ROW_OK &&
        rf_sheet_column(table, "gpu_num") >= 0 && rf_sheet_column(table, "submit_time") >= 0 &&
        rf_sheet_column(table, "start_time") >= 0 && rf_sheet_column(table, "end_time") >= 0)
        format = RF_TRACE_ACME;
    free(table);
    return format;
}

/* ---- names of groups ------------------------------------------------------ */

static enum rf_status read_groups(struct rf_accounts *accounts, const char *path,
                                  struct rf_error *err)
{
    struct rf_sheet *table = malloc(sizeof *table);
    char *text = NULL;
    size_t size = 0;
    int count = 0;
    enum rf_row row = RF_ROW_BAD;
    enum rf_status st = RF_OK;

    if (table == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", path);
    st = rf_file_read(path, GROUPS_MAX_BYTES, &text, &size, err);
    if (st == RF_OK &&
        (rf_sheet_begin(table, text, size, ',') != RF_ROW_OK || table->ncolumns < 2))
        st = rf_fail(err, RF_ERR_INPUT, "%s:1: no header with a number and a name of groups",
                     path);
    while (st == RF_OK && (row = rf_sheet_next(table)) == RF_ROW_OK && count++ < GROUPS_MAX)
        st =
            rf_accounts_rename(accounts, RF_FIELD_GROUP, table->cells[0], table->cells[1], err);
    if (st == RF_OK && row != RF_ROW_END)
        st = rf_fail(err, RF_ERR_INPUT, "%s:%ld: %s", path, table->lines.number,
                     row == RF_ROW_BAD ? table->wrong : "too many groups");
    free(text);
    free(table);
    return st;
}

/* ---- all together --------------------------------------------------------- */

static enum rf_status read_format(struct rf_trace_sink *sink, const char *text,
                                  size_t size_bytes)
{
    switch (sink->report->format) {
    case RF_TRACE_SWF:
        return rf_trace_swf(sink, text, size_bytes);
    case RF_TRACE_SACCT:
        return rf_trace_sacct(sink, text, size_bytes);
    case RF_TRACE_ACME:
        return rf_trace_acme(sink, text, size_bytes);
    case RF_TRACE_PHILLY:
        return rf_trace_philly(sink, text, size_bytes);
    default:
        return rf_trace_csv(sink, text, size_bytes);
    }
}

enum rf_status rf_trace_parse(struct rf_workload *workload, const char *text, size_t size_bytes,
                              const char *name, const struct rf_trace_options *options,
                              struct rf_trace_report *report, struct rf_error *err)
{
    struct rf_trace_report own;
    struct rf_trace_sink sink = {.name = name,
                                 .options = options,
                                 .report = report != NULL ? report : &own,
                                 .w = workload,
                                 .err = err};
    const char *fallback = options->fallback != NULL ? options->fallback : "default";
    enum rf_status st;

    memset(workload, 0, sizeof *workload);
    memset(sink.report, 0, sizeof *sink.report);
    if (size_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        text += 3;
        size_bytes -= 3;
    }
    sink.report->format = options->format;
    if (options->format == RF_TRACE_AUTO)
        sink.report->format = format_of(text, size_bytes);
    snprintf(workload->source, sizeof workload->source, "%s", name);
    st = rf_accounts_create(&sink.accounts, options->rules, options->nrules, fallback, err);
    if (st == RF_OK && options->groups != NULL)
        st = read_groups(sink.accounts, options->groups, err);
    if (st == RF_OK)
        st = set_room(&sink, (int64_t)(size_bytes / 128) + 16);
    if (st == RF_OK)
        st = read_format(&sink, text, size_bytes);
    if (st == RF_OK)
        st = finish(&sink);
    if (st != RF_OK)
        rf_workload_clear(workload);
    rf_accounts_destroy(sink.accounts);
    return st;
}

enum rf_status rf_trace_read(struct rf_workload *workload, const char *path,
                             const struct rf_trace_options *options,
                             struct rf_trace_report *report, struct rf_error *err)
{
    char *text;
    size_t size;
    enum rf_status st;

    memset(workload, 0, sizeof *workload);
    if (report != NULL)
        memset(report, 0, sizeof *report);
    st = rf_file_read(path, TRACE_MAX_BYTES, &text, &size, err);
    if (st == RF_OK)
        st = rf_trace_parse(workload, text, size, path, options, report, err);
    free(text);
    return st;
}
