/* Rows become runs; runs in the order of their jobs become jobs; both become a list of what
 * happened, which is put in order of time and recorded from end to end. */
#include "audit/sacct_import.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/room.h"
#include "audit/sacct_runs.h"
#include "slurm/events.h"

/* What happens, in the order in which it does at one moment. */
enum step { PROMISE, LEAVE, FAIL, REPAIR, ASK, ENTER_AND_LEAVE, ENTER, GIVE_UP, NSTEPS };

struct moment {
    int64_t t_us;
    enum step step;
    int32_t job, run; /* PROMISE, FAIL, REPAIR: run is which */
};

struct job {
    int64_t first, n; /* its runs */
    int64_t ready_us;
    int32_t id, min, max; /* id in the ledger; -1: none yet */
    int32_t lease;
};

struct importing {
    struct rf_sacct_imported *out;
    const struct rf_sacct_import *options;
    struct rf_journal *journal;
    const char *file;
    const struct rf_sacct_run *runs; /* borrowed */
    int64_t nruns;
    struct rf_slurm_events events;
    int64_t down;     /* devices of nodes that are down now */
    struct job *jobs; /* owned, as all arrays here */
    int64_t njobs, jobs_room;
    struct moment *moments;
    int64_t nmoments, moments_room;
    int32_t nids, nleases;
    struct rf_error *err;
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- jobs ---------------------------------------------------------------------- */

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static void find_bounds(struct importing *m)
{
    int64_t begin = INT64_MAX, end = 0;

    for (int64_t i = 0; i < m->nruns; i++) {
        const struct rf_sacct_run *run = &m->runs[i];

        begin = smaller(begin, run->submit_us);
        end = larger(end, larger(run->ready_us, larger(run->start_us, run->end_us)));
    }
    m->out->begin_us = m->options->begin_us > 0 ? m->options->begin_us : begin;
    m->out->end_us = m->options->end_us > 0 ? m->options->end_us : end;
}

static int is_outside(const struct importing *m, const struct rf_sacct_run *runs, int64_t n)
{
    const struct rf_sacct_run *last = &runs[n - 1];

    return runs[0].ready_us >= m->out->end_us ||
           (!last->unfinished && last->end_us >= 0 && last->end_us <= m->out->begin_us);
}

static enum rf_status make_jobs(struct importing *m)
{
    enum rf_status st = RF_OK;

    for (int64_t i = 0, n; st == RF_OK && i < m->nruns; i += n) {
        struct job job = {.first = i, .id = -1, .lease = -1, .min = INT32_MAX};

        for (n = 1;
             i + n < m->nruns && rf_sacct_run_same_job(&m->runs[i], &m->runs[i + n]) &&
             (m->runs[i + n - 1].requeued || m->runs[i].submit_us == m->runs[i + n].submit_us);
             n++)
            ;
        job.n = n;
        job.ready_us = m->runs[i].ready_us;
        if (m->runs[i].start_us >= 0 ||
            m->runs[i].end_us >= 0) /* called off before that, say */
            job.ready_us = smaller(job.ready_us, m->runs[i].start_us >= 0 ? m->runs[i].start_us
                                                                          : m->runs[i].end_us);
        job.ready_us = larger(job.ready_us, m->out->begin_us);
        for (int64_t k = i; k < i + n; k++) {
            job.min = (int32_t)smaller(job.min, m->runs[k].devices);
            job.max = (int32_t)larger(job.max, m->runs[k].devices);
        }
        if (job.min < 1) {
            m->out->without_devices++;
        } else if (is_outside(m, &m->runs[i], n)) {
            m->out->outside++;
        } else {
            st = rf_audit_room((void **)&m->jobs, &m->jobs_room, m->njobs + 1, sizeof job,
                               m->err);
            if (st == RF_OK)
                m->jobs[m->njobs++] = job;
        }
    }
    m->out->jobs = m->njobs;
    return st;
}

/* ---- moments ---------------------------------------------------------------------- */

static enum rf_status add(struct importing *m, int64_t t_us, enum step step, int64_t job,
                          int64_t run)
{
    enum rf_status st;

    if (t_us > m->out->end_us || t_us < m->out->begin_us)
        return RF_OK;
    st = rf_audit_room((void **)&m->moments, &m->moments_room, m->nmoments + 1,
                       sizeof *m->moments, m->err);
    if (st == RF_OK)
        m->moments[m->nmoments++] = (struct moment){t_us, step, (int32_t)job, (int32_t)run};
    return st;
}

/* A run, cut to the time that the ledger covers. */
static enum rf_status add_run(struct importing *m, int64_t job, int64_t r)
{
    const struct rf_sacct_run *run = &m->runs[r];
    int64_t start_us = larger(run->start_us, m->out->begin_us);
    int open = run->unfinished || run->end_us < 0 || run->end_us > m->out->end_us;
    int last = r == m->jobs[job].first + m->jobs[job].n - 1;
    enum rf_status st;

    m->out->unfinished += open && last;
    if (run->start_us < 0) /* it only waited */
        return open || !last ? RF_OK : add(m, run->end_us, GIVE_UP, job, r);
    if (!open && run->end_us < m->out->begin_us)
        return RF_OK;
    if (run->start_us >= m->out->end_us && open)
        return RF_OK;
    m->out->runs++;
    if (!open && run->end_us == start_us)
        return add(m, start_us, ENTER_AND_LEAVE, job, r);
    st = add(m, start_us, ENTER, job, r);
    return st == RF_OK && !open ? add(m, run->end_us, LEAVE, job, r) : st;
}

/* A node that was down, cut to the time that the ledger covers. */
static enum rf_status add_outage(struct importing *m, int64_t i)
{
    const struct rf_slurm_outage *it = &m->events.items[i];
    int64_t begin_us = larger(it->begin_us, m->out->begin_us);
    int64_t end_us = it->end_us < 0 ? m->out->end_us : smaller(it->end_us, m->out->end_us);
    enum rf_status st;

    if (begin_us >= end_us)
        return RF_OK;
    if (it->drained) {
        m->out->drained++;
        rf_wide_add_product(&m->out->drained_us, end_us - begin_us, (int32_t)it->devices);
        return RF_OK;
    }
    m->out->outages++;
    rf_wide_add_product(&m->out->down_us, end_us - begin_us, (int32_t)it->devices);
    st = add(m, begin_us, FAIL, -1, i);
    return st == RF_OK && it->end_us >= 0 ? add(m, it->end_us, REPAIR, -1, i) : st;
}

static enum rf_status make_moments(struct importing *m)
{
    const struct rf_sacct_import *o = m->options;
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < o->npromises; i++)
        st = add(m, m->out->begin_us + o->promises[i].t_us, PROMISE, -1, i);
    for (int64_t i = 0; st == RF_OK && i < m->events.n; i++)
        st = add_outage(m, i);
    for (int64_t j = 0; st == RF_OK && j < m->njobs; j++) {
        st = add(m, m->jobs[j].ready_us, ASK, j, -1);
        for (int64_t k = 0; st == RF_OK && k < m->jobs[j].n; k++)
            st = add_run(m, j, m->jobs[j].first + k);
    }
    return st;
}

static int by_time(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    int c = order(x->t_us, y->t_us);

    c = c != 0 ? c : order((int64_t)x->step, (int64_t)y->step);
    c = c != 0 ? c : order(x->job, y->job);
    return c != 0 ? c : order(x->run, y->run);
}

/* ---- recording --------------------------------------------------------------------- */

static int is_pledged(const struct importing *m, const char *account)
{
    for (int i = 0; i < m->options->npromises; i++) {
        const struct rf_event *e = &m->options->promises[i];
        size_t n = strlen(e->account);

        if (e->type == RF_EVENT_PLEDGE && strncmp(account, e->account, n) == 0 &&
            (account[n] == '\0' || account[n] == '.'))
            return 1;
    }
    return 0;
}

static void account_of(const struct importing *m, const struct rf_sacct_run *run,
                       char account[RF_NAME_BYTES])
{
    char dotted[RF_NAME_BYTES];
    size_t n = (size_t)smaller((int64_t)run->account.size_bytes, RF_NAME_BYTES - 1);

    memcpy(account, run->account.bytes, n);
    account[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)account[i]) && account[i] != '_' && account[i] != '-' &&
            account[i] != '.')
            account[i] = '-';
    memcpy(dotted, account, n + 1);
    for (size_t i = 0; i < n; i++)
        if (dotted[i] == '_')
            dotted[i] = '.';
    if (is_pledged(m, dotted))
        memcpy(account, dotted, n + 1);
    if (n == 0)
        snprintf(account, RF_NAME_BYTES, "none");
}

static enum rf_status ask(struct importing *m, struct job *job)
{
    const struct rf_sacct_run *run = &m->runs[job->first];
    struct rf_event e = rf_event_make(RF_EVENT_REQUEST, 0);

    e.job = job->id = m->nids++;
    snprintf(e.name, sizeof e.name, "%.*s", (int)smaller((int64_t)run->id.size_bytes, 63),
             run->id.bytes);
    account_of(m, run, e.account);
    e.min = job->min;
    e.max = job->max;
    e.limit_us = run->limit_us;
    return rf_journal_record(m->journal, &e, m->err);
}

/* n devices go down, the highest that are free, or come back. */
static enum rf_status record_capacity(struct importing *m, int32_t n, int up)
{
    const struct rf_state *state = m->journal->state;
    struct rf_event e = rf_event_make(RF_EVENT_CAPACITY, 0);
    struct rf_idset rest = {0};
    enum rf_status st =
        rf_idset_copy(up ? &rest : &e.devices, up ? &state->down : &state->free, m->err);

    /* up: the lowest n of those that are down; down: what is left of the free without the lowest */
    if (st == RF_OK)
        st = rf_idset_take(up ? &rest : &e.devices, up ? n : state->nfree - n,
                           up ? &e.devices : &rest, m->err);
    e.up = up;
    snprintf(e.reason, sizeof e.reason, "%s", up ? "repaired" : "failed");
    if (st == RF_OK)
        st = rf_journal_record(m->journal, &e, m->err);
    rf_idset_clear(&rest);
    rf_event_clear(&e);
    return st;
}

/* As many devices are down as are said to be, but for those that jobs have nevertheless. */
static enum rf_status settle(struct importing *m)
{
    const struct rf_state *state = m->journal->state;
    int32_t most = state->nfree + state->ndown;
    int32_t wanted = (int32_t)smaller(m->down, most);

    if (wanted == state->ndown)
        return RF_OK;
    return wanted > state->ndown ? record_capacity(m, wanted - state->ndown, 0)
                                 : record_capacity(m, state->ndown - wanted, 1);
}

static enum rf_status node(struct importing *m, int64_t i, int fails)
{
    const struct rf_slurm_outage *it = &m->events.items[i];

    m->down += fails ? it->devices : -it->devices;
    if (m->down > m->options->devices)
        return rf_fail(m->err, RF_ERR_INPUT,
                       "%s:%" PRId64 ": with this node %" PRId64 " %s are down, of %d "
                       "(--devices); are there nodes of another part of the cluster?",
                       m->options->events_file, it->line, m->down, m->out->unit,
                       m->options->devices);
    return RF_OK;
}

static enum rf_status enter(struct importing *m, struct job *job,
                            const struct rf_sacct_run *run)
{
    struct rf_event e = rf_event_make(RF_EVENT_GRANT, 0);
    struct rf_idset rest = {0};
    const struct rf_state *state = m->journal->state;
    int32_t nfree = state->nfree, ndown = state->ndown;
    enum rf_status st = RF_OK;

    if (nfree < run->devices && nfree + ndown >= run->devices) {
        m->out->clashes++;
        st = record_capacity(m, run->devices - nfree, 1);
        nfree = state->nfree;
    }
    if (st != RF_OK)
        return st;
    if (nfree < run->devices)
        return rf_fail(m->err, RF_ERR_INPUT,
                       "%s:%" PRId64 ": job %.*s has %d %s when only %d of %d are free; are "
                       "there more (--devices)?",
                       m->file, run->line, (int)smaller((int64_t)run->id.size_bytes, 40),
                       run->id.bytes, run->devices, m->out->unit, nfree, m->options->devices);
    st = rf_idset_copy(&rest, &state->free, m->err);
    if (st == RF_OK)
        st = rf_idset_take(&rest, run->devices, &e.devices, m->err);
    e.job = job->id;
    e.lease = job->lease = m->nleases++;
    if (st == RF_OK)
        st = rf_journal_record(m->journal, &e, m->err);
    m->out->peak = (int32_t)larger(m->out->peak, state->nfleet - state->nfree);
    rf_idset_clear(&rest);
    rf_event_clear(&e);
    return st;
}

static const char *end_state(const struct rf_sacct_run *run)
{
    return strcmp(run->state, "completed") == 0   ? "done"
           : strcmp(run->state, "cancelled") == 0 ? "cancelled"
                                                  : "failed";
}

/* The devices are free; the job queues again, or is over. */
static enum rf_status leave(struct importing *m, struct job *job, int64_t r)
{
    const struct rf_sacct_run *run = &m->runs[r];
    int again = r + 1 < job->first + job->n || run->requeued;
    struct rf_event e = rf_event_make(again ? RF_EVENT_RELEASE : RF_EVENT_END, 0);
    struct rf_event stop = rf_event_make(RF_EVENT_PREEMPT, 0);
    enum rf_status st = RF_OK;

    stop.job = e.job = job->id;
    stop.lease = e.lease = job->lease;
    if (run->preempted) {
        snprintf(stop.reason, sizeof stop.reason, "reclaim");
        st = rf_journal_record(m->journal, &stop, m->err);
    }
    e.held_us = rf_state_owed_us(&m->journal->state->jobs[job->id], m->journal->now_us);
    snprintf(e.reason, sizeof e.reason, "%s",
             again && strcmp(run->state, "failed") == 0 ? "requeued" : run->state);
    if (!again)
        snprintf(e.text, sizeof e.text, "%s", end_state(run));
    job->lease = -1;
    return st == RF_OK ? rf_journal_record(m->journal, &e, m->err) : st;
}

static enum rf_status give_up(struct importing *m, struct job *job,
                              const struct rf_sacct_run *run)
{
    struct rf_event e = rf_event_make(RF_EVENT_END, 0);

    e.job = job->id;
    snprintf(e.text, sizeof e.text, "%s",
             strcmp(run->state, "cancelled") == 0 ? "cancelled" : "failed");
    snprintf(e.reason, sizeof e.reason, "%s", run->state);
    return rf_journal_record(m->journal, &e, m->err);
}

static enum rf_status record(struct importing *m, const struct moment *it)
{
    struct job *job = it->job >= 0 ? &m->jobs[it->job] : NULL;
    struct rf_event promise;
    enum rf_status st;

    rf_journal_at(m->journal, it->t_us);
    switch (it->step) {
    case PROMISE:
        promise = m->options->promises[it->run];
        return rf_journal_record(m->journal, &promise, m->err);
    case FAIL:
    case REPAIR:
        return node(m, it->run, it->step == FAIL);
    case ASK:
        return ask(m, job);
    case ENTER:
        return enter(m, job, &m->runs[it->run]);
    case LEAVE:
        return leave(m, job, it->run);
    case ENTER_AND_LEAVE:
        st = enter(m, job, &m->runs[it->run]);
        return st == RF_OK ? leave(m, job, it->run) : st;
    default:
        return give_up(m, job, &m->runs[it->run]);
    }
}

static enum rf_status open_ledger(struct importing *m)
{
    const struct rf_sacct_import *o = m->options;
    struct rf_event open = rf_event_make(RF_EVENT_OPEN, 0);
    struct rf_event capacity = rf_event_make(RF_EVENT_CAPACITY, 0);
    enum rf_status st;

    rf_journal_at(m->journal, m->out->begin_us);
    snprintf(open.name, sizeof open.name, "%s", o->name);
    snprintf(open.version, sizeof open.version, "%s", o->version);
    snprintf(open.text, sizeof open.text, "%s", o->policy);
    snprintf(open.digest, sizeof open.digest, "%s", o->config);
    open.grace_us = o->grace_us;
    st = rf_journal_record(m->journal, &open, m->err);
    snprintf(capacity.reason, sizeof capacity.reason, "joined");
    capacity.up = 1;
    if (st == RF_OK)
        st = rf_idset_add(&capacity.devices, 0, o->devices, m->err);
    if (st == RF_OK)
        st = rf_journal_record(m->journal, &capacity, m->err);
    rf_event_clear(&capacity);
    return st;
}

/* What runs at the end goes back to the queue, as at the horizon of a simulation. */
static enum rf_status close_ledger(struct importing *m)
{
    struct rf_event close = rf_event_make(RF_EVENT_CLOSE, 0);
    enum rf_status st = RF_OK;

    rf_journal_at(m->journal, m->out->end_us);
    for (int64_t j = 0; st == RF_OK && j < m->njobs; j++) {
        struct rf_event e = rf_event_make(RF_EVENT_RELEASE, 0);

        if (m->jobs[j].lease < 0)
            continue;
        e.job = m->jobs[j].id;
        e.lease = m->jobs[j].lease;
        e.held_us = rf_state_owed_us(&m->journal->state->jobs[e.job], m->journal->now_us);
        snprintf(e.reason, sizeof e.reason, "horizon");
        st = rf_journal_record(m->journal, &e, m->err);
    }
    snprintf(close.reason, sizeof close.reason, "%s",
             m->out->unfinished > 0 ? "horizon" : "done");
    return st == RF_OK ? rf_journal_record(m->journal, &close, m->err) : st;
}

enum rf_status rf_sacct_import_text(struct rf_sacct_imported *out, struct rf_journal *journal,
                                    const char *text, size_t size_bytes, const char *file,
                                    const struct rf_sacct_import *options, struct rf_error *err)
{
    struct importing m = {
        .out = out, .options = options, .journal = journal, .file = file, .err = err};
    struct rf_sacct_runs runs;
    enum rf_status st;

    *out = (struct rf_sacct_imported){.unit = ""};
    st = rf_sacct_runs_read(&runs, text, size_bytes, file, options->unit, RF_SACCT_WHEN, err);
    out->rows = runs.rows;
    out->unit = runs.unit;
    m.runs = runs.items;
    m.nruns = runs.n;
    if (st == RF_OK) {
        find_bounds(&m);
        if (out->end_us <= out->begin_us)
            st =
                rf_fail(err, RF_ERR_INPUT, "%s: the time to cover ends before it begins", file);
    }
    if (st == RF_OK && options->events != NULL)
        st = rf_slurm_events_read(&m.events, options->events, options->events_bytes,
                                  options->events_file, runs.counted, err);
    if (st == RF_OK)
        st = make_jobs(&m);
    if (st == RF_OK)
        st = make_moments(&m);
    if (st == RF_OK && m.nmoments > 0)
        qsort(m.moments, (size_t)m.nmoments, sizeof *m.moments, by_time);
    if (st == RF_OK)
        st = open_ledger(&m);
    for (int64_t i = 0; st == RF_OK && i < m.nmoments; i++) {
        st = record(&m, &m.moments[i]);
        if (st == RF_OK && m.moments[i].step < ASK &&
            (i + 1 == m.nmoments || m.moments[i + 1].t_us > m.moments[i].t_us ||
             m.moments[i + 1].step >= ASK))
            st = settle(&m);
    }
    if (st == RF_OK)
        st = close_ledger(&m);
    rf_sacct_runs_clear(&runs);
    rf_slurm_events_clear(&m.events);
    free(m.jobs);
    free(m.moments);
    return st;
}
