/* Both sides become lists of (key, device-time), in order of their keys; one walk over the two
 * finds what differs and what stands on one side alone. */
#include "audit/sacct_match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/room.h"
#include "audit/sacct_runs.h"
#include "base/file.h"

#define TABLE_MAX_BYTES ((size_t)4 << 30)
#define RUN_TOLERANCE_US INT64_C(2000000)

enum { PERCENT = 1, KEY_BYTES = RF_NAME_BYTES, ID_BYTES = 32 };

/* What goes by one key on one side. */
struct entry {
    char key[KEY_BYTES];
    char account[RF_NAME_BYTES]; /* ledger: the job's; Slurm: the first run's */
    char id[ID_BYTES];           /* Slurm: the first run's */
    int32_t job;                 /* ledger; -1: several, or an account */
    struct rf_wide device_us, tolerance_us;
    int64_t runs;
};

struct list {
    struct entry *items; /* owned */
    int64_t n, room;
};

struct matching {
    struct rf_sacct_match *out;
    struct rf_audit_test *t2;
    const struct rf_state *state;
    const struct rf_audit_watch *watch;
    const char *file;
    struct rf_sacct_runs table;
    struct rf_sacct_run *runs; /* of the table: those that are over and had devices */
    int64_t nruns;
    struct rf_error *err;
};

/* ---- words ---------------------------------------------------------------- */

static const char *const BY[RF_MATCH_N] = {"auto", "comment", "name", "id", "run", "account"};
static const char *const UNITS[] = {"auto", "gpus", "cpus", "nodes"};

const char *rf_match_name(enum rf_match_by by)
{
    return BY[by];
}

int rf_match_of(const char *name)
{
    for (int i = 0; i < RF_MATCH_N; i++)
        if (strcmp(BY[i], name) == 0)
            return i;
    return -1;
}

const char *rf_match_unit_name(int unit)
{
    return UNITS[unit + 1];
}

int rf_match_unit_of(const char *name)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(UNITS[i], name) == 0)
            return i - 1;
    return -2;
}

/* ---- Slurm's side ---------------------------------------------------------- */

/* Of the runs of the table, those that can be compared; the others are counted. */
static void keep_finished(struct matching *m)
{
    int64_t kept = 0;

    m->runs = m->table.items;
    for (int64_t i = 0; i < m->table.n; i++) {
        const struct rf_sacct_run *run = &m->runs[i];

        m->out->unfinished += run->unfinished;
        if (run->unfinished || run->run_us <= 0 || run->devices <= 0)
            continue;
        if (kept > 0 && run->cluster == m->runs[kept - 1].cluster &&
            run->number > m->runs[kept - 1].number)
            m->out->missing_ids += run->number - m->runs[kept - 1].number - 1;
        m->runs[kept++] = *run;
    }
    m->nruns = kept;
    m->out->runs = kept;
    if (kept > 0) {
        m->out->first_id = m->runs[0].number;
        m->out->last_id = m->runs[kept - 1].number;
    }
}

static enum rf_status read_runs(struct matching *m, const char *text, size_t size, int unit)
{
    enum rf_status st =
        rf_sacct_runs_read(&m->table, text, size, m->file, unit, RF_SACCT_HOW_LONG, m->err);

    m->out->unit = m->table.unit;
    m->out->rows = m->table.rows;
    m->out->repeated = m->table.repeated;
    if (st == RF_OK)
        keep_finished(m);
    return st;
}

/* ---- keys ------------------------------------------------------------------ */

static void copy_text(char *to, size_t size, struct rf_view text)
{
    size_t n = text.size_bytes < size - 1 ? text.size_bytes : size - 1;

    memcpy(to, text.bytes, n);
    to[n] = '\0';
}

/* What stands behind `word` in a comment, up to a blank, ',' or ';'; or "". */
static struct rf_view behind(struct rf_view comment, const char *word)
{
    size_t n = strlen(word);
    const char *end = comment.bytes + comment.size_bytes;

    for (const char *p = comment.bytes; (size_t)(end - p) > n; p++)
        if (memcmp(p, word, n) == 0 && (p == comment.bytes || strchr(" ,;:", p[-1]) != NULL)) {
            const char *stop = p + n;

            while (stop < end && strchr(" ,;", *stop) == NULL)
                stop++;
            return (struct rf_view){p + n, (size_t)(stop - p) - n};
        }
    return (struct rf_view){"", 0};
}

/* '_' and '-' as '.', letters small: Slurm's names of accounts are poorer than ours. */
static void plain_account(char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '_' || *name == '-')
            *name = '.';
        if (*name >= 'A' && *name <= 'Z')
            *name = (char)(*name + 'a' - 'A');
    }
}

static void key_of_run(const struct rf_sacct_run *run, enum rf_match_by by, char key[KEY_BYTES])
{
    struct rf_view job = behind(run->comment, "job=");

    key[0] = '\0';
    if (by == RF_MATCH_COMMENT)
        copy_text(key, KEY_BYTES, job.size_bytes > 0 ? job : run->comment);
    else if (by == RF_MATCH_NAME)
        copy_text(key, KEY_BYTES, run->name);
    else if (by == RF_MATCH_ID)
        copy_text(key, KEY_BYTES, run->id);
    else if (by == RF_MATCH_ACCOUNT)
        copy_text(key, KEY_BYTES, run->account);
    if (by == RF_MATCH_ACCOUNT)
        plain_account(key);
    if (key[0] == '\0') /* it goes by nothing: by itself */
        snprintf(key, KEY_BYTES, "#%.*s",
                 (int)(run->id.size_bytes < ID_BYTES ? run->id.size_bytes : ID_BYTES),
                 run->id.bytes);
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = strcmp(x->key, y->key);

    return c != 0 ? c : (x->job > y->job) - (x->job < y->job);
}

/* Sorts, and joins what goes by one key. */
static void join(struct list *list)
{
    int64_t n = 0;

    if (list->n > 0)
        qsort(list->items, (size_t)list->n, sizeof *list->items, by_key);
    for (int64_t i = 0; i < list->n; i++) {
        struct entry *last = n > 0 ? &list->items[n - 1] : NULL, *it = &list->items[i];

        if (last != NULL && strcmp(last->key, it->key) == 0) {
            last->device_us = rf_wide_plus(last->device_us, it->device_us);
            last->tolerance_us = rf_wide_plus(last->tolerance_us, it->tolerance_us);
            last->runs += it->runs;
            last->job = -1;
        } else {
            list->items[n++] = *it;
        }
    }
    list->n = n;
}

static enum rf_status add(struct matching *m, struct list *list, const struct entry *entry)
{
    enum rf_status st = rf_audit_room((void **)&list->items, &list->room, list->n + 1,
                                      sizeof *list->items, m->err);

    if (st == RF_OK)
        list->items[list->n++] = *entry;
    return st;
}

static enum rf_status list_runs(struct matching *m, enum rf_match_by by, struct list *list)
{
    enum rf_status st = RF_OK;

    list->n = 0;
    for (int64_t i = 0; st == RF_OK && i < m->nruns; i++) {
        const struct rf_sacct_run *run = &m->runs[i];
        struct entry entry = {.job = 0,
                              .device_us = rf_wide_product(run->run_us, run->devices),
                              .tolerance_us = rf_wide_product(RUN_TOLERANCE_US, run->devices),
                              .runs = 1};

        key_of_run(run, by, entry.key);
        copy_text(entry.account, sizeof entry.account, run->account);
        copy_text(entry.id, sizeof entry.id, run->id);
        st = add(m, list, &entry);
    }
    join(list);
    return st;
}

/* ---- the ledger's side ------------------------------------------------------ */

static enum rf_status list_jobs(struct matching *m, enum rf_match_by by, struct list *list)
{
    char name[RF_NAME_BYTES];
    enum rf_status st = RF_OK;

    list->n = 0;
    for (int32_t i = 0; st == RF_OK && i < m->state->njobs; i++) {
        const struct rf_job *job = &m->state->jobs[i];
        struct entry entry = {.job = i, .device_us = rf_wide_of(job->held_us), .runs = 1};

        if (job->held_us == 0)
            continue;
        snprintf(entry.account, sizeof entry.account, "%s", rf_state_job_account(m->state, i));
        snprintf(entry.key, sizeof entry.key, "%s",
                 by == RF_MATCH_ACCOUNT ? entry.account : rf_state_job_name(m->state, i, name));
        if (by == RF_MATCH_ACCOUNT)
            plain_account(entry.key);
        st = add(m, list, &entry);
    }
    join(list);
    return st;
}

/* ---- comparing -------------------------------------------------------------- */

static int same_account(const char *ledger, const char *slurm)
{
    char a[RF_NAME_BYTES], b[RF_NAME_BYTES];
    const char *last;

    snprintf(a, sizeof a, "%s", ledger);
    snprintf(b, sizeof b, "%s", slurm);
    plain_account(a);
    plain_account(b);
    last = strrchr(a, '.');
    return b[0] == '\0' || strcmp(a, b) == 0 || (last != NULL && strcmp(last + 1, b) == 0);
}

static enum rf_status compare_pair(struct matching *m, const struct entry *ledger,
                                   const struct entry *slurm)
{
    struct rf_wide off = rf_wide_minus(ledger->device_us, slurm->device_us);
    struct rf_wide size = rf_wide_sign(off) < 0 ? rf_wide_minus(rf_wide_of(0), off) : off;
    struct rf_wide allowed =
        rf_wide_plus(slurm->tolerance_us, rf_wide_part(slurm->device_us, PERCENT, 100));
    enum rf_status st = RF_OK;

    m->out->matched++;
    m->out->ledger_us = rf_wide_plus(m->out->ledger_us, ledger->device_us);
    m->out->slurm_us = rf_wide_plus(m->out->slurm_us, slurm->device_us);
    if (rf_wide_compare(size, allowed) > 0) {
        m->out->differ++;
        st = rf_audit_find(
            m->t2, -1, ledger->job, rf_wide_double(size) / 1e6, m->err,
            "%.40s: the ledger has %.6f device-s, Slurm (job %s, %lld runs) %.6f: "
            "%.6f apart, %.6f allowed",
            ledger->key, rf_wide_double(ledger->device_us) / 1e6, slurm->id,
            (long long)slurm->runs, rf_wide_double(slurm->device_us) / 1e6,
            rf_wide_double(size) / 1e6, rf_wide_double(allowed) / 1e6);
    }
    if (st == RF_OK && m->out->by != RF_MATCH_ACCOUNT && ledger->job >= 0 &&
        !same_account(ledger->account, slurm->account)) {
        m->out->accounts_differ++;
        st = rf_audit_find(m->t2, -1, ledger->job, rf_wide_double(ledger->device_us) / 1e6,
                           m->err,
                           "another account: %.40s is charged to '%.40s' in the ledger, to "
                           "'%.40s' in Slurm (job %s)",
                           ledger->key, ledger->account, slurm->account, slurm->id);
    }
    return st;
}

static enum rf_status alone(struct matching *m, const struct entry *it, int in_ledger)
{
    if (in_ledger) {
        m->out->ledger_only++;
        return rf_audit_find(m->t2, -1, it->job, rf_wide_double(it->device_us) / 1e6, m->err,
                             "in the ledger alone: %.40s of '%.40s', %.6f device-s", it->key,
                             it->account, rf_wide_double(it->device_us) / 1e6);
    }
    m->out->slurm_only++;
    return rf_audit_find(
        m->t2, -1, -1, rf_wide_double(it->device_us) / 1e6, m->err,
        "in Slurm's accounting alone: job %s (%.40s) of '%.40s', %.6f device-s", it->id,
        it->key, it->account, rf_wide_double(it->device_us) / 1e6);
}

static enum rf_status compare_lists(struct matching *m, const struct list *ledger,
                                    const struct list *slurm)
{
    int64_t i = 0, k = 0;
    enum rf_status st = RF_OK;

    while (st == RF_OK && (i < ledger->n || k < slurm->n)) {
        int c = i == ledger->n  ? 1
                : k == slurm->n ? -1
                                : strcmp(ledger->items[i].key, slurm->items[k].key);

        m->t2->checked++;
        if (c == 0)
            st = compare_pair(m, &ledger->items[i++], &slurm->items[k++]);
        else if (c < 0)
            st = alone(m, &ledger->items[i++], 1);
        else
            st = alone(m, &slurm->items[k++], 0);
    }
    return st;
}

static int64_t common(const struct list *a, const struct list *b)
{
    int64_t i = 0, k = 0, n = 0;

    while (i < a->n && k < b->n) {
        int c = strcmp(a->items[i].key, b->items[k].key);

        n += c == 0;
        i += c <= 0;
        k += c >= 0;
    }
    return n;
}

/* ---- a run that was one job ------------------------------------------------- */

static int is_this_run(const struct matching *m, const struct rf_sacct_run *run)
{
    struct rf_view named = behind(run->comment, "run=");

    return m->watch->run[0] != '\0' &&
           (rf_view_is(run->name, m->watch->run) || rf_view_is(named, m->watch->run));
}

static enum rf_status compare_run(struct matching *m)
{
    int64_t length_us = m->state->now_us - m->state->start_us, run_us = 0, most = 0;
    int64_t n = 0, peak = m->state->peak;
    char id[ID_BYTES] = "";
    enum rf_status st = RF_OK;

    for (int64_t i = 0; i < m->nruns; i++)
        if (is_this_run(m, &m->runs[i])) {
            if (n++ == 0)
                copy_text(id, sizeof id, m->runs[i].id);
            run_us += m->runs[i].run_us;
            most = m->runs[i].devices > most ? m->runs[i].devices : most;
            m->out->slurm_us = rf_wide_plus(
                m->out->slurm_us, rf_wide_product(m->runs[i].run_us, m->runs[i].devices));
        }
    m->out->matched = n > 0;
    /* What a crash left without readings is no claim of the ledger's: the job was dead by then. */
    m->out->ledger_us = rf_wide_minus(m->watch->granted_us, m->watch->unread_us);
    m->t2->checked += 2;
    if (n == 0)
        return rf_audit_find(m->t2, -1, -1, (double)length_us, m->err,
                             "no job of Slurm's goes by the run's name '%.40s'", m->watch->run);
    if (m->watch->recoveries == 0 && length_us > run_us + 2 * n * 1000000 + run_us / 100)
        st = rf_audit_find(m->t2, -1, -1, (double)(length_us - run_us), m->err,
                           "the ledger covers %.6f s, the Slurm job (%s) ran for %.6f s",
                           (double)length_us / 1e6, id, (double)run_us / 1e6);
    if (st == RF_OK &&
        rf_wide_compare(
            m->out->ledger_us,
            rf_wide_plus(m->out->slurm_us, rf_wide_part(m->out->slurm_us, PERCENT, 100))) > 0)
        st = rf_audit_find(m->t2, -1, -1, rf_wide_double(m->out->ledger_us), m->err,
                           "the ledger granted %.6f device-s, the Slurm job (%s) had %.6f",
                           rf_wide_double(m->out->ledger_us) / 1e6, id,
                           rf_wide_double(m->out->slurm_us) / 1e6);
    if (st == RF_OK && peak > most)
        st = rf_audit_find(m->t2, -1, -1, (double)peak, m->err,
                           "the ledger has %lld devices, the Slurm job (%s) %lld",
                           (long long)peak, id, (long long)most);
    return st;
}

/* ---- the whole -------------------------------------------------------------- */

static enum rf_status choose(struct matching *m, struct list *ledger, struct list *slurm,
                             enum rf_match_by by)
{
    static const enum rf_match_by TRIED[] = {RF_MATCH_COMMENT, RF_MATCH_NAME, RF_MATCH_ID,
                                             RF_MATCH_RUN, RF_MATCH_ACCOUNT};
    enum rf_status st = RF_OK;
    int found = 0;

    for (size_t i = 0; st == RF_OK && !found && i < sizeof TRIED / sizeof *TRIED; i++) {
        if (by != RF_MATCH_AUTO && by != TRIED[i])
            continue;
        m->out->by = TRIED[i];
        for (int64_t k = 0; TRIED[i] == RF_MATCH_RUN && k < m->nruns && !found; k++)
            found = is_this_run(m, &m->runs[k]);
        if (TRIED[i] == RF_MATCH_RUN)
            continue;
        st = list_jobs(m, TRIED[i], ledger);
        if (st == RF_OK)
            st = list_runs(m, TRIED[i], slurm);
        found = st == RF_OK && common(ledger, slurm) > 0;
    }
    return st;
}

static void describe(struct matching *m)
{
    const struct rf_sacct_match *o = m->out;

    rf_audit_note(m->t2,
                  "by %s, devices are %s: %lld runs, %lld matched, %lld in the ledger alone, "
                  "%lld in Slurm alone; %.6g against %.6g device-h; allowed: 2 s x devices of "
                  "each run + %d %%",
                  rf_match_name(o->by), o->unit, (long long)o->runs, (long long)o->matched,
                  (long long)o->ledger_only, (long long)o->slurm_only,
                  rf_wide_double(o->ledger_us) / 3600e6, rf_wide_double(o->slurm_us) / 3600e6,
                  (int)PERCENT);
    if (o->unfinished > 0)
        rf_audit_note(m->t2, "%lld runs were not over when the table was printed",
                      (long long)o->unfinished);
    if (o->missing_ids > 0)
        rf_audit_note(m->t2, "of Slurm's job numbers %lld to %lld the table lacks %lld",
                      (long long)o->first_id, (long long)o->last_id, (long long)o->missing_ids);
}

enum rf_status rf_sacct_match_text(struct rf_sacct_match *match, struct rf_audit_test *t2,
                                   const char *text, size_t size_bytes, const char *name,
                                   const struct rf_sacct_match_options *options,
                                   const struct rf_state *state,
                                   const struct rf_audit_watch *watch, struct rf_error *err)
{
    struct matching m = {
        .out = match, .t2 = t2, .state = state, .watch = watch, .file = name, .err = err};
    struct list ledger = {NULL, 0, 0}, slurm = {NULL, 0, 0};
    enum rf_status st;

    *match = (struct rf_sacct_match){.unit = ""};
    st = read_runs(&m, text, size_bytes, options->unit);
    if (st == RF_OK)
        st = choose(&m, &ledger, &slurm, options->by);
    if (st == RF_OK)
        st = match->by == RF_MATCH_RUN ? compare_run(&m) : compare_lists(&m, &ledger, &slurm);
    if (st == RF_OK) {
        describe(&m);
        rf_audit_conclude(t2, m.nruns > 0);
    }
    free(ledger.items);
    free(slurm.items);
    rf_sacct_runs_clear(&m.table);
    return st;
}

enum rf_status rf_sacct_match(struct rf_sacct_match *match, struct rf_audit_test *t2,
                              const char *path, const struct rf_sacct_match_options *options,
                              const struct rf_state *state, const struct rf_audit_watch *watch,
                              struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum rf_status st = rf_file_read(path, TABLE_MAX_BYTES, &text, &size, err);

    if (st == RF_OK)
        st = rf_sacct_match_text(match, t2, text, size, path, options, state, watch, err);
    free(text);
    return st;
}
