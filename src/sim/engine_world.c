/* What happens to the fleet and to the promises, as events. Holders of devices that go away are
 * released first. Where devices are only counted, free ones go first, then those of the jobs that
 * started last. */
#include <stdio.h>
#include <string.h>

#include "sim/engine_parts.h"

static enum rf_status pledge(struct rf_engine *g, const struct rf_pledge_spec *p,
                             struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_PLEDGE];

    snprintf(e->account, sizeof e->account, "%s", p->account);
    snprintf(e->author, sizeof e->author, "%s", p->author);
    snprintf(e->reason, sizeof e->reason, "%s", p->reason);
    snprintf(e->text, sizeof e->text, "%s", p->fence);
    snprintf(e->basis, sizeof e->basis, "%s", p->basis);
    snprintf(e->terms, sizeof e->terms, "%s", p->terms);
    e->share = p->share;
    e->window_us = p->window_us;
    e->tolerance_us = p->tolerance_us;
    return rf_engine_emit(g, e, err);
}

static enum rf_status policy(struct rf_engine *g, const struct rf_world_policy *p,
                             struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_POLICY];

    snprintf(e->text, sizeof e->text, "%s+%s", p->order, p->fence);
    snprintf(e->author, sizeof e->author, "%s", p->author);
    snprintf(e->reason, sizeof e->reason, "%s", p->reason);
    return rf_engine_emit(g, e, err);
}

static enum rf_status reserve(struct rf_engine *g, const struct rf_world_hold *h,
                              struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_RESERVE];

    snprintf(e->account, sizeof e->account, "%s", h->account);
    snprintf(e->author, sizeof e->author, "%s", h->author);
    snprintf(e->reason, sizeof e->reason, "%s", h->reason);
    e->count = h->count;
    e->begin_us = h->begin_us;
    e->end_us = h->end_us;
    return rf_engine_emit(g, e, err);
}

/* ---- devices ---- */

static int holds_any(const struct rf_state *s, int32_t job, int32_t begin, int32_t end)
{
    const struct rf_idset *d = rf_state_devices(s, job);

    for (int32_t i = 0; i < d->nranges && d->ranges[i].begin < end; i++)
        if (d->ranges[i].end > begin)
            return 1;
    return 0;
}

static enum rf_status evict(struct rf_engine *g, int32_t begin, int32_t end, const char *reason,
                            struct rf_error *err)
{
    const struct rf_state *s = g->state;
    enum rf_status st = RF_OK;

    if (s->by_count) {
        while (st == RF_OK && s->nfree < end - begin && s->running_last >= 0)
            st = rf_engine_evict(g, s->running_last, reason, err);
        return st;
    }
    for (int32_t i = s->running_first, next; i >= 0 && st == RF_OK; i = next) {
        next = s->jobs[i].next;
        if (holds_any(s, i, begin, end))
            st = rf_engine_evict(g, i, reason, err);
    }
    return st;
}

static enum rf_status capacity(struct rf_engine *g, int32_t begin, int32_t end, int up,
                               const char *reason, struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_CAPACITY];
    enum rf_status st = RF_OK;

    if (begin >= end)
        return RF_OK;
    if (!up)
        st = evict(g, begin, end, strcmp(reason, "failed") == 0 ? "node-failure" : reason, err);
    e->up = up;
    e->count = end - begin;
    e->devices.nranges = 0;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
    if (st == RF_OK && !g->state->by_count)
        st = rf_idset_add(&e->devices, begin, end, err);
    return st == RF_OK ? rf_engine_emit(g, e, err) : st;
}

/* Under another policy than the recorded one, a job that was taken out of the queue may run by
 * now, and one that was given to another account may be over. */
static enum rf_status repeat(struct rf_engine *g, const struct rf_event *record,
                             struct rf_error *err)
{
    struct rf_event e = *record;
    const struct rf_job *job =
        e.job >= 0 && e.job < g->state->njobs ? &g->state->jobs[e.job] : NULL;

    if (e.type == RF_EVENT_END && job != NULL && job->lease >= 0)
        return rf_engine_cancel(g, e.job, e.reason, err);
    if (e.type == RF_EVENT_CHARGE && job != NULL && job->lease >= 0)
        return rf_engine_charge(g, e.job, 0, err);
    if (e.type == RF_EVENT_RELEASE) { /* a signal came, and nothing more is decided */
        g->deaf = 1;
        return job != NULL && job->lease >= 0 ? rf_engine_leave(g, e.job, e.reason, err)
                                              : RF_OK;
    }
    e.seq = g->state->next_seq;
    e.t_us = g->now_us;
    if (rf_state_check(g->state, &e, NULL) != RF_OK)
        return RF_OK;
    return rf_engine_emit(g, &e, err);
}

static enum rf_status pause_run(struct rf_engine *g, struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_CLOSE];
    enum rf_status st = RF_OK;

    g->deaf = 1;
    if (g->state->closed)
        return RF_OK;
    while (st == RF_OK && g->state->running_last >= 0)
        st = rf_engine_leave(g, g->state->running_last, "signal", err);
    snprintf(e->reason, sizeof e->reason, "signal");
    return st == RF_OK ? rf_engine_emit(g, e, err) : st;
}

static enum rf_status change(struct rf_engine *g, const struct rf_change *c,
                             struct rf_error *err)
{
    const struct rf_world *world = g->o->world;

    switch (c->kind) {
    case RF_CHANGE_PLEDGE:
        return pledge(g, &world->pledges[c->index], err);
    case RF_CHANGE_POLICY:
        return policy(g, &world->policies[c->index], err);
    case RF_CHANGE_RECORD:
        return repeat(g, &world->records[c->index], err);
    case RF_CHANGE_CRASHED:
        return rf_engine_crash(g, err);
    case RF_CHANGE_CLOSED:
        return pause_run(g, err);
    case RF_CHANGE_RECOVERED:
        return rf_engine_recover(g, err);
    case RF_CHANGE_FAILED:
        return capacity(g, c->begin, c->end, 0, "failed", err);
    case RF_CHANGE_MAINTENANCE:
        return capacity(g, c->begin, c->end, 0, "maintenance", err);
    case RF_CHANGE_LEFT:
        return capacity(g, c->begin, c->end, 0, "left", err);
    case RF_CHANGE_JOINED:
        return capacity(g, c->begin, c->end, 1, "joined", err);
    case RF_CHANGE_REPAIRED:
        return capacity(g, c->begin, c->end, 1, "repaired", err);
    case RF_CHANGE_RESERVE:
        return reserve(g, &world->holds[c->index], err);
    }
    return RF_OK;
}

enum rf_status rf_engine_change(struct rf_engine *g, enum rf_change_kind last,
                                struct rf_error *err)
{
    const struct rf_world *world = g->o->world;
    enum rf_status st = RF_OK;

    if (world == NULL)
        return RF_OK;
    while (st == RF_OK && g->next_change < world->nchanges &&
           world->changes[g->next_change].t_us <= g->now_us &&
           world->changes[g->next_change].kind <= last)
        st = change(g, &world->changes[g->next_change++], err);
    return st;
}

/* ---- beginning and end ---- */

enum rf_status rf_engine_open(struct rf_engine *g, struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_OPEN];
    enum rf_status st;

    snprintf(e->name, sizeof e->name, "%s", g->o->name);
    snprintf(e->version, sizeof e->version, "%s", g->o->version);
    snprintf(e->text, sizeof e->text, "%s+%s", g->o->policy.order, g->o->policy.fence);
    snprintf(e->digest, sizeof e->digest, "%s", g->o->config);
    e->seed = g->o->seed;
    e->grace_us = g->o->grace_us;
    st = rf_engine_emit(g, e, err);
    return st == RF_OK ? capacity(g, 0, g->o->devices, 1, "joined", err) : st;
}

enum rf_status rf_engine_close(struct rf_engine *g, struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_CLOSE];
    enum rf_status st = RF_OK;

    if (g->state->closed) /* a recorded pause, in which all jobs were over already */
        return RF_OK;
    while (st == RF_OK && g->state->running_last >= 0)
        st = rf_engine_evict(g, g->state->running_last, "horizon", err);
    snprintf(e->reason, sizeof e->reason, "done");
    return st == RF_OK ? rf_engine_emit(g, e, err) : st;
}
