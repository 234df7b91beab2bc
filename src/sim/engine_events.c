/* What happens to jobs, as events: arriving, starting, stopping, ending, and what each of them
 * has done by then. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/engine_parts.h"

enum { PROPOSALS = 256, ROUNDS_MAX = 1000000 };

enum rf_status rf_engine_emit(struct rf_engine *g, struct rf_event *event, struct rf_error *err)
{
    enum rf_status st = g->direct ? rf_engine_pass(g, err) : RF_OK;

    event->seq = g->state->next_seq;
    event->t_us = g->now_us;
    for (int i = 0; i < g->nobservers && st == RF_OK; i++)
        st = rf_observe_before(&g->observers[i], g->state, event, err);
    if (st == RF_OK)
        st = rf_state_apply(g->state, event, err);
    for (int i = 0; i < g->nobservers && st == RF_OK; i++)
        st = g->observers[i].after(g->observers[i].self, g->state, event, err);
    if (st == RF_OK)
        st = rf_policy_observe(g->policy, event, err);
    if (st == RF_OK && g->ledger != NULL)
        st = rf_ledger_append(g->ledger, event, err);
    g->r->events++;
    g->short_policy = g->direct && rf_policy_short(g->policy);
    return st;
}

/* ---- arriving ---- */

/* What a recorded run's request says beyond the rest. */
static void add_recorded(struct rf_event *e, const struct rf_workload_request *r)
{
    memcpy(e->name, r->name, sizeof e->name);
    memcpy(e->after, r->after, sizeof e->after);
    e->nafter = r->nafter;
    e->priority = r->priority;
    e->retries = r->retries;
    e->deadline_us = r->deadline_us;
    e->held_limit_us = r->held_limit_us;
    e->flops_limit = r->flops_limit;
}

enum rf_status rf_engine_arrive(struct rf_engine *g, struct rf_error *err)
{
    const struct rf_workload *w = g->w;
    int64_t k = g->next_arrival;
    int32_t account = w->account[k];
    struct rf_event *e = &g->events[RF_EVENT_REQUEST];
    enum rf_status st;

    if (g->direct && g->account_ids[account] >= 0)
        return rf_engine_arrive_short(g, err);
    g->next_arrival++;
    e->job = (int32_t)k;
    e->min = w->min[k];
    e->max = w->max == NULL ? w->min[k] : w->max[k];
    e->limit_us = w->limit_us[k];
    e->account_id = g->account_ids[account];
    if (g->unwatched && e->account_id >= 0)
        e->account[0] = '\0'; /* the number will do */
    else if (account != g->last_account)
        memcpy(e->account, w->accounts[account], sizeof e->account);
    g->last_account = g->unwatched ? -1 : account;
    if (w->record != NULL)
        add_recorded(e, &w->record->requests[k]);
    st = rf_engine_emit(g, e, err);
    if (st == RF_OK)
        g->account_ids[account] = g->state->jobs[k].account;
    return st;
}

/* ---- work ---- */

/* Which failed attempt at the job comes next; NULL: it will go through to its end. */
static const struct rf_workload_attempt *next_attempt(const struct rf_engine *g, int32_t job)
{
    const struct rf_workload_record *r = g->w->record;

    if (r == NULL || r->first_attempt[job] + g->attempt[job] >= r->first_attempt[job + 1])
        return NULL;
    return &r->attempts[r->first_attempt[job] + g->attempt[job]];
}

static int64_t all_work(const struct rf_engine *g, int32_t job)
{
    const struct rf_workload_attempt *attempt = next_attempt(g, job);

    if (attempt != NULL)
        return attempt->work_us;
    return g->w->record != NULL ? g->w->record->work_us[job]
                                : g->w->run_us[job] * g->w->min[job];
}

/* What the k-th stop of the job costs, as it was seen where it was. */
static int64_t stop_us(const struct rf_engine *g, int32_t job, int32_t k)
{
    const struct rf_workload_record *r = g->w->record;

    return r != NULL ? rf_workload_seen(&r->stops, job, k, r->stop_us[job])
                     : g->o->policy.checkpoint_us;
}

static int has_seen_stops(const struct rf_engine *g)
{
    return g->w->record != NULL && g->w->record->stops.first != NULL;
}

static int64_t every_us(const struct rf_engine *g, int32_t job)
{
    return g->w->record != NULL ? g->w->record->every_us[job]
                                : g->o->policy.checkpoint_every_us;
}

static int64_t restart_us(const struct rf_engine *g, int32_t job)
{
    const struct rf_workload_record *r = g->w->record;

    return r != NULL ? rf_workload_seen(&r->restarts, job, g->state->jobs[job].grants - 2,
                                        r->restart_us[job])
                     : g->o->policy.restart_us;
}

/* A job that starts again pays first. */
static int64_t works_since(const struct rf_engine *g, int32_t id)
{
    const struct rf_job *job = &g->state->jobs[id];
    int64_t wait_us = job->grants > 1 ? restart_us(g, id) : 0;

    return wait_us > INT64_MAX - job->grant_us ? INT64_MAX : job->grant_us + wait_us;
}

/* From now on progress is written down for every job. */
static enum rf_status keep_progress(struct rf_engine *g, struct rf_error *err)
{
    if (g->progress != NULL)
        return RF_OK;
    g->progress = malloc((size_t)g->w->n * sizeof *g->progress);
    if (g->progress == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the progress of %lld jobs",
                       (long long)g->w->n);
    for (int64_t k = 0; k < g->w->n; k++)
        g->progress[k] = (struct rf_progress_of){all_work(g, (int32_t)k), INT64_MAX};
    for (int32_t i = g->state->running_first; i >= 0; i = g->state->jobs[i].next)
        g->progress[i].since_us = works_since(g, i);
    return RF_OK;
}

/* Device-time that a job which was cut off had saved of what it worked in this lease. */
static int64_t saved(struct rf_engine *g, int32_t job, int64_t worked_us, int64_t otherwise)
{
    int64_t kept_us = rf_workload_seen(&g->w->record->kept, job, g->cut[job]++, otherwise);

    return kept_us < worked_us ? kept_us : worked_us;
}

/* The job has worked up to until_us; `safe` says whether all of that is saved, or only what the
 * last checkpoint holds. Returns the device-time that is lost. */
static int64_t settle(struct rf_engine *g, int32_t id, int64_t until_us, int safe)
{
    struct rf_progress_of *p = &g->progress[id];
    int64_t between_us = every_us(g, id);
    int64_t n = g->state->jobs[id].ndevices;
    int64_t worked_us = until_us > p->since_us ? until_us - p->since_us : 0;
    int64_t kept_us = worked_us;

    if (!safe)
        kept_us = between_us > 0 ? worked_us / between_us * between_us : 0;
    kept_us *= n;
    if (!safe && g->w->record != NULL)
        kept_us = saved(g, id, worked_us * n, kept_us);
    p->left_us -= kept_us;
    if (p->left_us < 1) /* the last microsecond is shared by all its devices */
        p->left_us = 1;
    if (p->since_us < until_us)
        p->since_us = until_us;
    return worked_us * n - kept_us;
}

/* When the job will be done, as things are. */
static enum rf_status expect_end(struct rf_engine *g, int32_t id, struct rf_error *err)
{
    const struct rf_job *job = &g->state->jobs[id];
    int64_t work_us = g->progress == NULL ? all_work(g, id) : g->progress[id].left_us;
    int64_t from_us = g->progress == NULL ? works_since(g, id) : g->progress[id].since_us;
    int64_t wait_us =
        job->ndevices == g->w->min[id] && g->progress == NULL && g->w->record == NULL
            ? g->w->run_us[id]
            : work_us / job->ndevices + (work_us % job->ndevices != 0);

    if (from_us < g->now_us)
        from_us = g->now_us;
    if (wait_us > INT64_MAX - from_us)
        return rf_fail(err, RF_ERR_INPUT, "job %d would run beyond the end of time", id);
    g->r->end_us[id] = from_us + wait_us;
    if (g->reading != NULL && rf_engine_expect_reading(g, id, err) != RF_OK)
        return RF_ERR_MEMORY;
    return rf_ends_add(&g->ends, (struct rf_end){from_us + wait_us, job->lease, id}, err);
}

enum rf_status rf_engine_started(struct rf_engine *g, int32_t job, struct rf_error *err)
{
    if (g->progress != NULL)
        g->progress[job].since_us = works_since(g, job);
    if (g->reading != NULL)
        rf_engine_begin_readings(g, job);
    g->r->start_us[job] = g->now_us;
    return expect_end(g, job, err);
}

/* Overhead of a lease that is over: the restart, as far as it got, and lost work. */
static enum rf_status pay(struct rf_engine *g, int32_t id, int64_t again_us, int64_t lost_us,
                          int32_t lent, struct rf_error *err)
{
    enum rf_status st;

    rf_wide_add(&g->r->lost_us, lost_us);
    rf_wide_add(&g->r->overhead_us, again_us);
    if (g->o->books == NULL || again_us + lost_us == 0)
        return RF_OK;
    st = rf_books_overhead(g->o->books, g->state, id, again_us + lost_us, lent, err);
    /* a recorded job may have moved to an account that has used less than that since: its use */
    return st == RF_ERR_ARG && g->w->record != NULL ? RF_OK : st;
}

/* Device-time of this lease that went into starting again. */
static int64_t restart_of(const struct rf_engine *g, int32_t id, int64_t until_us)
{
    const struct rf_job *job = &g->state->jobs[id];
    int64_t end_us = works_since(g, id);

    if (end_us == job->grant_us)
        return 0;
    return ((end_us < until_us ? end_us : until_us) - job->grant_us) * job->ndevices;
}

int rf_engine_is_due(const struct rf_engine *g, const struct rf_end *end)
{
    return g->state->jobs[end->job].lease == end->lease && g->r->end_us[end->job] == end->t_us;
}

/* ---- starting, stopping, ending ---- */

/* The lowest free devices, where they have names. */
static enum rf_status pick(struct rf_engine *g, struct rf_event *e, int32_t count,
                           struct rf_error *err)
{
    const struct rf_idset *free = &g->state->free;
    enum rf_status st = RF_OK;

    e->count = count;
    e->devices.nranges = 0;
    for (int32_t i = 0; i < free->nranges && count > 0 && st == RF_OK && !g->state->by_count;
         i++) {
        int32_t begin = free->ranges[i].begin, n = free->ranges[i].end - begin;

        n = n < count ? n : count;
        st = rf_idset_add(&e->devices, begin, begin + n, err);
        count -= n;
    }
    return st;
}

static enum rf_status start(struct rf_engine *g, const struct rf_proposal *p,
                            struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_GRANT];
    enum rf_status st;

    if (g->direct)
        return rf_engine_start_short(g, p, err);
    st = pick(g, e, p->count, err);
    e->job = p->job;
    e->lease = g->state->next_lease;
    e->lent = p->lent;
    if (st == RF_OK)
        st = rf_engine_emit(g, e, err);
    if (st != RF_OK)
        return st;
    return rf_engine_started(g, p->job, err);
}

/* The job gives its devices back and queues again. */
static enum rf_status release(struct rf_engine *g, int32_t id, int safe, const char *reason,
                              int64_t retry_us, struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_RELEASE];
    struct rf_job was = g->state->jobs[id];
    int64_t until_us = was.state == RF_JOB_STOPPING ? was.preempt_us : g->now_us;
    int64_t again_us = restart_of(g, id, until_us), lost_us;
    enum rf_status st = keep_progress(g, err);

    if (st == RF_OK && g->reading != NULL)
        st = rf_engine_read_last(g, id, 0, err);
    if (st != RF_OK)
        return st;
    lost_us = settle(g, id, until_us, safe);
    e->job = id;
    e->lease = was.lease;
    e->held_us = rf_state_owed_us(&g->state->jobs[id], g->now_us);
    e->retry_us = retry_us;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
    rf_wide_add(&g->r->busy_us, e->held_us);
    g->r->end_us[id] = -1;
    g->progress[id].since_us = INT64_MAX;
    rf_wide_add_product(&g->r->overhead_us, g->now_us - until_us,
                        was.ndevices); /* checkpoint */
    st = rf_engine_emit(g, e, err);
    return st == RF_OK ? pay(g, id, again_us, lost_us, was.lent, err) : st;
}

enum rf_status rf_engine_evict(struct rf_engine *g, int32_t job, const char *reason,
                               struct rf_error *err)
{
    return release(g, job, 0, reason, 0, err);
}

enum rf_status rf_engine_charge(struct rf_engine *g, int32_t job, int64_t flops,
                                struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_CHARGE];

    e->job = job;
    e->lease = g->state->jobs[job].lease;
    e->held_us = rf_state_owed_us(&g->state->jobs[job], g->now_us);
    e->flops = flops;
    rf_wide_add(&g->r->busy_us, e->held_us);
    return rf_engine_emit(g, e, err);
}

enum rf_status rf_engine_leave(struct rf_engine *g, int32_t job, const char *reason,
                               struct rf_error *err)
{
    return release(g, job, 1, reason, 0, err);
}

enum rf_status rf_engine_crash(struct rf_engine *g, struct rf_error *err)
{
    enum rf_status st = keep_progress(g, err);

    g->deaf = 1;
    for (int32_t i = st == RF_OK ? g->state->running_first : -1; i >= 0;
         i = g->state->jobs[i].next) {
        const struct rf_job *job = &g->state->jobs[i];

        rf_wide_add(
            &g->r->lost_us,
            settle(g, i, job->state == RF_JOB_STOPPING ? job->preempt_us : g->now_us, 0));
        g->progress[i].since_us = INT64_MAX;
        g->r->end_us[i] = -1; /* it does not end */
    }
    return st;
}

enum rf_status rf_engine_recover(struct rf_engine *g, struct rf_error *err)
{
    g->deaf = 0;
    return rf_engine_emit(g, &g->events[RF_EVENT_RECOVER], err);
}

/* The attempt is over, and the next one has the work that this one has left to it. */
static enum rf_status fail_attempt(struct rf_engine *g, int32_t id,
                                   const struct rf_workload_attempt *attempt,
                                   struct rf_error *err)
{
    enum rf_status st = release(g, id, 1, "failed", g->now_us + attempt->delay_us, err);

    g->attempt[id]++;
    if (st == RF_OK)
        g->progress[id].left_us = all_work(g, id);
    return st;
}

/* The holder's last event. */
static enum rf_status over(struct rf_engine *g, int32_t id, const char *state,
                           const char *reason, struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_END];
    struct rf_job was = g->state->jobs[id];
    int64_t again_us = restart_of(g, id, g->now_us);
    int called_off = strcmp(state, "cancelled") == 0;
    enum rf_status st =
        g->reading != NULL ? rf_engine_read_last(g, id, !called_off, err) : RF_OK;

    if (st != RF_OK)
        return st;
    e->job = id;
    e->lease = was.lease;
    e->held_us = rf_state_owed_us(&g->state->jobs[id], g->now_us);
    if (g->w->record != NULL) {
        snprintf(e->text, sizeof e->text, "%s", state);
        snprintf(e->reason, sizeof e->reason, "%s", reason);
    }
    rf_wide_add(&g->r->busy_us, e->held_us);
    g->r->finished += strcmp(state, "done") == 0;
    g->last_end_us = g->now_us;
    st = rf_engine_emit(g, e, err);
    return st == RF_OK && again_us > 0 ? pay(g, id, again_us, 0, was.lent, err) : st;
}

enum rf_status rf_engine_cancel(struct rf_engine *g, int32_t job, const char *reason,
                                struct rf_error *err)
{
    g->r->end_us[job] = g->now_us;
    return over(g, job, "cancelled", reason, err);
}

/* A recorded job may have come to its end while it was asked to stop. */
static int is_through(const struct rf_engine *g, int32_t id)
{
    const struct rf_workload_record *r = g->w->record;
    const struct rf_job *job = &g->state->jobs[id];
    int64_t left_us, since_us;

    if (g->reading != NULL && g->reading[id].leaves == job->lease + 1)
        return 1;
    if (r == NULL || rf_workload_seen(&r->through, id, job->preemptions - 1, 0) == 0)
        return 0;
    left_us = g->progress == NULL ? all_work(g, id) : g->progress[id].left_us;
    since_us = g->progress == NULL ? works_since(g, id) : g->progress[id].since_us;
    return g->now_us > since_us && left_us <= (g->now_us - since_us) * job->ndevices;
}

enum rf_status rf_engine_end(struct rf_engine *g, const struct rf_end *end,
                             struct rf_error *err)
{
    const struct rf_job *job = &g->state->jobs[end->job];
    const struct rf_workload_attempt *attempt;

    if (!rf_engine_is_due(g, end))
        return RF_OK;
    if (job->state == RF_JOB_STOPPING && !is_through(g, end->job))
        return release(g, end->job,
                       g->now_us - job->preempt_us >=
                           stop_us(g, end->job, job->preemptions - 1),
                       "preempted", 0, err);
    if (g->direct && job->grants == 1)
        return rf_engine_end_short(g, end->job, err);
    attempt = next_attempt(g, end->job);
    if (attempt != NULL)
        return fail_attempt(g, end->job, attempt, err);
    if (g->w->record != NULL && g->w->record->failed[end->job])
        return over(g, end->job, "failed", "as-recorded", err);
    return over(g, end->job, "done", "finished", err);
}

/* ---- proposals ---- */

/* It writes a checkpoint, which takes as long as that takes, but no longer than the grace. */
enum rf_status rf_engine_stop(struct rf_engine *g, int32_t job, int32_t by, const char *reason,
                              struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_PREEMPT];
    int64_t wait_us = stop_us(g, job, g->state->jobs[job].preemptions);
    enum rf_status st;

    if (wait_us > g->o->grace_us &&
        !has_seen_stops(g)) /* what was seen may have taken longer */
        wait_us = g->o->grace_us;
    e->job = job;
    e->lease = g->state->jobs[job].lease;
    e->by = by;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
    g->r->preemptions += by >= 0;
    st = rf_engine_emit(g, e, err);
    if (st != RF_OK)
        return st;
    g->r->end_us[job] = g->now_us + wait_us;
    return rf_ends_add(&g->ends, (struct rf_end){g->now_us + wait_us, e->lease, job}, err);
}

/* The lowest of its own devices go, where they have names. */
static enum rf_status pick_own(struct rf_engine *g, struct rf_event *e, int32_t job,
                               int32_t count, struct rf_error *err)
{
    const struct rf_idset *own = rf_state_devices(g->state, job);
    enum rf_status st = RF_OK;

    e->count = count;
    e->devices.nranges = 0;
    for (int32_t i = 0; i < own->nranges && count > 0 && st == RF_OK; i++) {
        int32_t begin = own->ranges[i].begin, n = own->ranges[i].end - begin;

        n = n < count ? n : count;
        st = rf_idset_add(&e->devices, begin, begin + n, err);
        count -= n;
    }
    return st;
}

static enum rf_status resize(struct rf_engine *g, const struct rf_proposal *p,
                             struct rf_error *err)
{
    int grows = p->kind == RF_PROPOSE_GROW;
    struct rf_event *e = &g->events[grows ? RF_EVENT_GROW : RF_EVENT_SHRINK];
    const struct rf_job *job = &g->state->jobs[p->job];
    enum rf_status st = keep_progress(g, err);

    if (st == RF_OK)
        st = grows ? pick(g, e, p->count, err) : pick_own(g, e, p->job, p->count, err);
    if (st != RF_OK)
        return st;
    e->job = p->job;
    e->lease = job->lease;
    e->held_us = rf_state_owed_us(job, g->now_us);
    e->lent = grows ? p->lent : 0;
    e->by = p->by;
    rf_wide_add(&g->r->busy_us, e->held_us);
    settle(g, p->job, g->now_us, 1);
    st = rf_engine_emit(g, e, err);
    return st == RF_OK ? expect_end(g, p->job, err) : st;
}

static enum rf_status refuse(struct rf_engine *g, const struct rf_proposal *p,
                             struct rf_error *err)
{
    struct rf_event *e =
        &g->events[p->kind == RF_PROPOSE_DENY ? RF_EVENT_DENY : RF_EVENT_DELAY];

    e->job = p->job;
    snprintf(e->reason, sizeof e->reason, "%s", p->reason);
    g->r->denied += p->kind == RF_PROPOSE_DENY;
    return rf_engine_emit(g, e, err);
}

enum rf_status rf_engine_carry_out(struct rf_engine *g, const struct rf_proposal *p,
                                   struct rf_error *err)
{
    switch (p->kind) {
    case RF_PROPOSE_GRANT:
        return start(g, p, err);
    case RF_PROPOSE_PREEMPT:
        return rf_engine_stop(g, p->job, p->by, p->reason, err);
    case RF_PROPOSE_SHRINK:
    case RF_PROPOSE_GROW:
        return resize(g, p, err);
    case RF_PROPOSE_DENY:
    case RF_PROPOSE_DELAY:
        return refuse(g, p, err);
    }
    return RF_OK;
}

enum rf_status rf_engine_ask(struct rf_engine *g, struct rf_error *err)
{
    struct rf_proposal out[PROPOSALS];
    enum rf_status st = RF_OK;

    for (int rounds = 0; st == RF_OK && !g->deaf && !rf_policy_settled(g->policy); rounds++) {
        int n = rf_policy_propose(g->policy, g->now_us, out, PROPOSALS);

        g->r->passes++;
        for (int i = 0; i < n && st == RF_OK; i++)
            st = rf_engine_carry_out(g, &out[i], err);
        if (n == 0)
            return st;
        if (rounds == ROUNDS_MAX)
            return rf_fail(err, RF_ERR_INTERNAL, "policy '%s+%s' does not come to an end",
                           g->state->order, g->state->fence);
    }
    return st;
}
