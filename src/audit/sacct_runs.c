#include "audit/sacct_runs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/room.h"

struct reading {
    struct rf_sacct_runs *runs;
    const char *file;
    enum rf_sacct_need need;
    struct rf_error *err;
};

/* ---- rows -------------------------------------------------------------------- */

/* "NODE_FAIL" -> "node-fail", "CANCELLED by 0" -> "cancelled" */
static void code_of(char code[24], struct rf_view state)
{
    size_t n = 0;

    while (n < state.size_bytes && n < 23 && state.bytes[n] != ' ' && state.bytes[n] != '+') {
        code[n] = state.bytes[n] == '_' ? '-' : (char)tolower((unsigned char)state.bytes[n]);
        if (!islower((unsigned char)code[n]) && code[n] != '-')
            break;
        n++;
    }
    code[n] = '\0';
    if (n == 0 || code[0] == '-' || code[n - 1] == '-')
        snprintf(code, 24, "unknown");
}

static enum rf_status take_run(struct reading *m, const struct rf_sacct *sacct,
                               const struct rf_sacct_row *row)
{
    struct rf_sacct_run *run;
    enum rf_status st;

    m->runs->rows++;
    if (row->step)
        return RF_OK;
    if (!row->submitted && m->need == RF_SACCT_WHEN)
        return rf_fail(m->err, RF_ERR_INPUT, "%s:%ld: a job without a time of submission",
                       m->file, sacct->sheet.lines.number);
    st = rf_audit_room((void **)&m->runs->items, &m->runs->room, m->runs->n + 1, sizeof *run,
                       m->err);
    if (st != RF_OK)
        return st;
    run = &m->runs->items[m->runs->n++];
    *run = (struct rf_sacct_run){
        .number = row->job,
        .task = row->task,
        .component = row->component,
        .cluster = row->cluster,
        .submit_us = row->submit_us,
        .ready_us = row->eligible_us > row->submit_us ? row->eligible_us : row->submit_us,
        .start_us = row->started ? row->start_us : -1,
        .end_us = row->ended ? row->end_us : -1,
        .limit_us = row->limit_us,
        .run_us = row->run_us,
        .line = row->line,
        .devices = row->devices <= INT32_MAX ? (int32_t)row->devices : INT32_MAX,
        .unfinished = row->unfinished,
        .requeued = row->requeued,
        .id = row->id,
        .name = rf_sacct_cell(sacct, RF_SACCT_NAME),
        .comment = rf_sacct_cell(sacct, RF_SACCT_COMMENT),
        .account = rf_sacct_cell(sacct, RF_SACCT_ACCOUNT)};
    code_of(run->state, rf_sacct_cell(sacct, RF_SACCT_STATE));
    run->preempted = strcmp(run->state, "preempted") == 0;
    if (run->end_us < 0 && run->start_us >= 0 && !row->unfinished)
        run->end_us = run->start_us + row->run_us;
    /* Of a job that was called off while it waited, Slurm says that it started as it ended. */
    if (strcmp(run->state, "cancelled") == 0 && row->run_us == 0)
        run->start_us = -1;
    return RF_OK;
}

static enum rf_status check_header(const struct reading *m, const struct rf_sacct *sacct,
                                   int is_table)
{
    const int *column = sacct->column;
    long line = sacct->sheet.lines.number;

    if (m->need == RF_SACCT_WHEN &&
        (!is_table || column[RF_SACCT_SUBMIT] < 0 || column[RF_SACCT_START] < 0 ||
         column[RF_SACCT_END] < 0 || column[RF_SACCT_STATE] < 0))
        return rf_fail(m->err, RF_ERR_INPUT,
                       "%s:%ld: no header of sacct -P with JobID, Submit, Start, End and State",
                       m->file, line);
    if (!is_table)
        return rf_fail(m->err, RF_ERR_INPUT, "%s:%ld: no header of sacct -P with JobID",
                       m->file, line);
    if (column[RF_SACCT_ELAPSED_RAW] < 0 && column[RF_SACCT_ELAPSED] < 0 &&
        (column[RF_SACCT_START] < 0 || column[RF_SACCT_END] < 0))
        return rf_fail(
            m->err, RF_ERR_INPUT,
            "%s:%ld: no column with run times: ElapsedRaw, Elapsed, or Start and End", m->file,
            line);
    return RF_OK;
}

static enum rf_status read_all(struct reading *m, const char *text, size_t size, int given)
{
    static const char *const UNITS[RF_SACCT_NUNITS] = {"gpus", "cpus", "nodes"};
    struct rf_sacct *sacct = malloc(sizeof *sacct);
    struct rf_sacct_row row;
    enum rf_row got;
    int unit = given < 0 ? (int)rf_sacct_unit_of(text, size) : given;
    enum rf_status st;

    if (sacct == NULL)
        return rf_fail(m->err, RF_ERR_MEMORY, "out of memory for '%s'", m->file);
    m->runs->unit = UNITS[unit];
    m->runs->counted = (enum rf_sacct_unit)unit;
    st = check_header(m, sacct, rf_sacct_begin(sacct, text, size, (enum rf_sacct_unit)unit));
    while (st == RF_OK && (got = rf_sacct_next(sacct, &row)) != RF_ROW_END) {
        if (got == RF_ROW_OK)
            st = take_run(m, sacct, &row);
        else
            st = rf_fail(m->err, RF_ERR_INPUT, "%s:%ld: %s%s%.*s%s", m->file,
                         sacct->sheet.lines.number, sacct->wrong,
                         sacct->value.size_bytes > 0 ? " '" : "",
                         (int)(sacct->value.size_bytes < 60 ? sacct->value.size_bytes : 60),
                         sacct->value.bytes, sacct->value.size_bytes > 0 ? "'" : "");
    }
    free(sacct);
    return st;
}

/* ---- order ------------------------------------------------------------------- */

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_job(const void *a, const void *b)
{
    const struct rf_sacct_run *x = a, *y = b;
    int c = x->cluster < y->cluster ? -1 : x->cluster > y->cluster;

    c = c != 0 ? c : order(x->number, y->number);
    c = c != 0 ? c : order(x->task, y->task);
    c = c != 0 ? c : order(x->component, y->component);
    c = c != 0 ? c : order(x->submit_us, y->submit_us);
    c = c != 0 ? c : order(x->start_us, y->start_us);
    c = c != 0 || x->start_us >= 0 ? c : order(x->run_us, y->run_us);
    return c != 0 ? c : order(x->line, y->line);
}

int rf_sacct_run_same_job(const struct rf_sacct_run *a, const struct rf_sacct_run *b)
{
    return a->cluster == b->cluster && a->number == b->number && a->task == b->task &&
           a->component == b->component;
}

/* Runs without a start that ran all the same are told apart by how long they did. */
static int is_repeated(const struct rf_sacct_run *a, const struct rf_sacct_run *b)
{
    if (a->start_us < 0 && b->start_us < 0 && a->run_us != b->run_us)
        return 0;
    return rf_sacct_run_same_job(a, b) && a->submit_us == b->submit_us &&
           (a->start_us == b->start_us || (a->unfinished && a->start_us < 0));
}

static void drop_repeated(struct rf_sacct_runs *runs)
{
    int64_t kept = 0;

    if (runs->n > 0)
        qsort(runs->items, (size_t)runs->n, sizeof *runs->items, by_job);
    for (int64_t i = 0; i < runs->n; i++) {
        struct rf_sacct_run *last = kept > 0 ? &runs->items[kept - 1] : NULL;

        if (last == NULL || !is_repeated(last, &runs->items[i])) {
            runs->items[kept++] = runs->items[i];
            continue;
        }
        runs->repeated++;
        if (last->unfinished)
            *last = runs->items[i];
    }
    runs->n = kept;
}

enum rf_status rf_sacct_runs_read(struct rf_sacct_runs *runs, const char *text,
                                  size_t size_bytes, const char *file, int unit,
                                  enum rf_sacct_need need, struct rf_error *err)
{
    struct reading m = {.runs = runs, .file = file, .need = need, .err = err};
    enum rf_status st;

    *runs = (struct rf_sacct_runs){.unit = ""};
    st = read_all(&m, text, size_bytes, unit);
    if (st == RF_OK && runs->n == 0 && need == RF_SACCT_WHEN)
        st = rf_fail(err, RF_ERR_INPUT, "%s: no job in it", file);
    if (st == RF_OK)
        drop_repeated(runs);
    return st;
}

void rf_sacct_runs_clear(struct rf_sacct_runs *runs)
{
    free(runs->items);
    *runs = (struct rf_sacct_runs){.unit = ""};
}
