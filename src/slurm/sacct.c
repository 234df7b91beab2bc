#include "slurm/sacct.h"

#include <string.h>

#include "base/value.h"

/* Several names: the first that the header has. */
static const char *const NAMES[RF_SACCT_NCOLUMNS] = {
    [RF_SACCT_JOB] = "JobID JobIDRaw",
    [RF_SACCT_CLUSTER] = "Cluster",
    [RF_SACCT_STATE] = "State",
    [RF_SACCT_SUBMIT] = "Submit",
    [RF_SACCT_ELIGIBLE] = "Eligible",
    [RF_SACCT_START] = "Start",
    [RF_SACCT_END] = "End",
    [RF_SACCT_ELAPSED_RAW] = "ElapsedRaw",
    [RF_SACCT_ELAPSED] = "Elapsed",
    [RF_SACCT_LIMIT_RAW] = "TimelimitRaw",
    [RF_SACCT_LIMIT] = "Timelimit",
    [RF_SACCT_ALLOC_TRES] = "AllocTRES",
    [RF_SACCT_REQ_TRES] = "ReqTRES",
    [RF_SACCT_ALLOC_CPUS] = "AllocCPUS NCPUS",
    [RF_SACCT_REQ_CPUS] = "ReqCPUS",
    [RF_SACCT_ALLOC_NODES] = "AllocNodes NNodes",
    [RF_SACCT_REQ_NODES] = "ReqNodes",
    [RF_SACCT_NAME] = "JobName",
    [RF_SACCT_ACCOUNT] = "Account",
    [RF_SACCT_COMMENT] = "Comment AdminComment"};

struct rf_view rf_sacct_cell(const struct rf_sacct *sacct, enum rf_sacct_column column)
{
    return rf_sheet_cell(&sacct->sheet, sacct->column[column]);
}

/* ---- single cells ----------------------------------------------------- */

static int begins(struct rf_view text, const char *word)
{
    size_t n = strlen(word);

    return text.size_bytes >= n && memcmp(text.bytes, word, n) == 0;
}

/* 1234, 1234_7, 1234+1, 1234_[1-9%3]; a step is one of these and then .batch or .0 */
static int read_job_id(struct rf_view text, struct rf_sacct_row *row)
{
    const char *dot = memchr(text.bytes, '.', text.size_bytes);
    size_t n = 0;

    row->step = dot != NULL;
    if (dot != NULL)
        text.size_bytes = (size_t)(dot - text.bytes);
    row->id = text;
    while (n < text.size_bytes && text.bytes[n] != '_' && text.bytes[n] != '+')
        n++;
    row->task = row->component = -1;
    if (!rf_value_integer((struct rf_view){text.bytes, n}, &row->job) || row->job < 0)
        return 0;
    if (n == text.size_bytes)
        return 1;
    if (text.bytes[n] == '_' && n + 1 < text.size_bytes && text.bytes[n + 1] == '[')
        return text.bytes[text.size_bytes - 1] == ']'; /* tasks that were never started */
    return rf_value_integer((struct rf_view){text.bytes + n + 1, text.size_bytes - n - 1},
                            text.bytes[n] == '_' ? &row->task : &row->component);
}

int64_t rf_sacct_count(struct rf_view list, enum rf_sacct_unit unit)
{
    static const char *const KEY[RF_SACCT_NUNITS] = {"gres/gpu", "cpu", "node"};
    const char *key = KEY[unit];
    size_t n = strlen(key);
    int64_t of_kinds = 0;

    while (list.size_bytes > 0) {
        const char *comma = memchr(list.bytes, ',', list.size_bytes);
        size_t length = comma != NULL ? (size_t)(comma - list.bytes) : list.size_bytes;
        const char *equals = memchr(list.bytes, '=', length);
        int64_t count = 0;

        if (equals != NULL && length > n && memcmp(list.bytes, key, n) == 0) {
            size_t head = (size_t)(equals - list.bytes);

            if (!rf_value_integer((struct rf_view){equals + 1, length - head - 1}, &count) ||
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
static int64_t devices_of(const struct rf_sacct *sacct)
{
    const int cpus = sacct->unit == RF_SACCT_CPUS;
    const enum rf_sacct_column plain[2] = {cpus ? RF_SACCT_ALLOC_CPUS : RF_SACCT_ALLOC_NODES,
                                           cpus ? RF_SACCT_REQ_CPUS : RF_SACCT_REQ_NODES};

    for (int asked = 0; asked < 2; asked++) {
        int64_t count = rf_sacct_count(
            rf_sacct_cell(sacct, asked ? RF_SACCT_REQ_TRES : RF_SACCT_ALLOC_TRES), sacct->unit);

        if (count <= 0 && sacct->unit != RF_SACCT_GPUS &&
            !rf_value_integer(rf_sacct_cell(sacct, plain[asked]), &count))
            count = 0;
        if (count > 0)
            return count < INT32_MAX ? count : (int64_t)INT32_MAX + 1;
    }
    return 0;
}

/* A date that may be missing: *there. */
static int read_date(const struct rf_sacct *sacct, enum rf_sacct_column which, int64_t *value,
                     int *there)
{
    *value = 0;
    *there = !rf_value_missing(rf_sacct_cell(sacct, which));
    return !*there || rf_value_instant(rf_sacct_cell(sacct, which), value);
}

static int read_run(const struct rf_sacct *sacct, int64_t *run_us)
{
    if (!rf_value_missing(rf_sacct_cell(sacct, RF_SACCT_ELAPSED_RAW)))
        return rf_value_seconds(rf_sacct_cell(sacct, RF_SACCT_ELAPSED_RAW), run_us);
    if (!rf_value_missing(rf_sacct_cell(sacct, RF_SACCT_ELAPSED)))
        return rf_value_duration(rf_sacct_cell(sacct, RF_SACCT_ELAPSED), run_us);
    return 1; /* what the caller has from start and end */
}

/* Words such as UNLIMITED and Partition_Limit leave the limit unknown: 0. */
static int64_t limit_of(const struct rf_sacct *sacct)
{
    int64_t minutes, limit_us;

    if (rf_value_integer(rf_sacct_cell(sacct, RF_SACCT_LIMIT_RAW), &minutes) && minutes > 0 &&
        minutes < RF_VALUE_TIME_MAX_S / 60)
        return minutes * 60000000;
    return rf_value_duration(rf_sacct_cell(sacct, RF_SACCT_LIMIT), &limit_us) ? limit_us : 0;
}

static uint64_t hash_of(struct rf_view text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < text.size_bytes; i++)
        h = (h ^ (unsigned char)text.bytes[i]) * 0x100000001b3u;
    return h;
}

/* Still waiting or running when the table was printed? */
static int unfinished(struct rf_view state, int started, int ended)
{
    static const char *const WORDS[] = {"PENDING",     "RUNNING",    "SUSPENDED",
                                        "CONFIGURING", "COMPLETING", "RESIZING"};

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (begins(state, WORDS[i]))
            return 1;
    return started && !ended;
}

/* ---- rows -------------------------------------------------------------- */

static enum rf_row wrong(struct rf_sacct *sacct, enum rf_sacct_column which, const char *what)
{
    sacct->wrong = what;
    sacct->value = rf_sacct_cell(sacct, which);
    return RF_ROW_BAD;
}

static enum rf_row read_row(struct rf_sacct *sacct, struct rf_sacct_row *row)
{
    struct rf_view state = rf_sacct_cell(sacct, RF_SACCT_STATE);
    int said;

    *row = (struct rf_sacct_row){.line = sacct->sheet.lines.number};
    if (!read_job_id(rf_sacct_cell(sacct, RF_SACCT_JOB), row))
        return wrong(sacct, RF_SACCT_JOB, "not a job id");
    if (row->step)
        return RF_ROW_OK;
    if (!read_date(sacct, RF_SACCT_SUBMIT, &row->submit_us, &row->submitted))
        return wrong(sacct, RF_SACCT_SUBMIT, "not a time of submission");
    if (!read_date(sacct, RF_SACCT_ELIGIBLE, &row->eligible_us, &said))
        return wrong(sacct, RF_SACCT_ELIGIBLE, "not a time of eligibility");
    if (!read_date(sacct, RF_SACCT_START, &row->start_us, &row->started))
        return wrong(sacct, RF_SACCT_START, "not a time of start");
    if (!read_date(sacct, RF_SACCT_END, &row->end_us, &row->ended))
        return wrong(sacct, RF_SACCT_END, "not a time of end");
    row->run_us = row->started && row->ended ? row->end_us - row->start_us : 0;
    if (!read_run(sacct, &row->run_us))
        return wrong(sacct,
                     sacct->column[RF_SACCT_ELAPSED_RAW] >= 0 ? RF_SACCT_ELAPSED_RAW
                                                              : RF_SACCT_ELAPSED,
                     "not a run time");
    row->unfinished =
        unfinished(state, row->started, row->ended || sacct->column[RF_SACCT_END] < 0);
    row->limit_us = limit_of(sacct);
    row->devices = devices_of(sacct);
    row->cluster = hash_of(rf_sacct_cell(sacct, RF_SACCT_CLUSTER));
    row->requeued = begins(state, "REQUEUED") || begins(state, "PREEMPTED") ||
                    begins(state, "NODE_FAIL") || begins(state, "BOOT_FAIL");
    return RF_ROW_OK;
}

enum rf_row rf_sacct_next(struct rf_sacct *sacct, struct rf_sacct_row *row)
{
    enum rf_row got = rf_sheet_next(&sacct->sheet);

    sacct->wrong = sacct->sheet.wrong;
    sacct->value = (struct rf_view){"", 0};
    return got == RF_ROW_OK ? read_row(sacct, row) : got;
}

/* ---- the table ----------------------------------------------------------- */

enum rf_sacct_unit rf_sacct_unit_of(const char *text, size_t size_bytes)
{
    static const char WORD[] = "gres/gpu";
    const size_t n = sizeof WORD - 1;
    const char *end = text + size_bytes;

    while ((size_t)(end - text) >= n) {
        const char *at = memchr(text, WORD[0], (size_t)(end - text) - n + 1);

        if (at == NULL)
            break;
        if (memcmp(at, WORD, n) == 0)
            return RF_SACCT_GPUS;
        text = at + 1;
    }
    return RF_SACCT_CPUS;
}

int rf_sacct_begin(struct rf_sacct *sacct, const char *text, size_t size_bytes,
                   enum rf_sacct_unit unit)
{
    if (rf_sheet_begin(&sacct->sheet, text, size_bytes, '|') != RF_ROW_OK)
        sacct->sheet.ncolumns = 0;
    for (int c = 0; c < RF_SACCT_NCOLUMNS; c++)
        sacct->column[c] = rf_sheet_column(&sacct->sheet, NAMES[c]);
    sacct->unit = unit;
    return sacct->column[RF_SACCT_JOB] >= 0;
}
