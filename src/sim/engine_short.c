/* The short way: nobody watches but the tally, and devices have no names. A request, a grant and
 * an end then go straight to the state and to the policy, and the tally hears of those that
 * matter to a pledge; time passes for it once a moment. Everything else that happens is an event
 * as always. */
#include "sim/engine_parts.h"

enum rf_status rf_engine_pass(struct rf_engine *g, int64_t t_us, struct rf_error *err)
{
    g->now_us = t_us;
    return g->direct && g->tally != NULL ? rf_tally_pass(g->tally, g->state, t_us, err) : RF_OK;
}

/* Does the tally want to hear of this account's jobs? */
static int counts(const struct rf_engine *g, int32_t account)
{
    return g->tally != NULL && (rf_tally_concerned(g->tally, account) ||
                                g->state->retry_us != INT64_MAX);
}

/* What is about to happen, for those who have to hear of it as an event. */
static enum rf_status announce(struct rf_engine *g, struct rf_event *e, int32_t job,
                               int32_t lease, int tallied, struct rf_error *err)
{
    e->seq = g->state->next_seq;
    e->t_us = g->now_us;
    e->job = job;
    e->lease = lease;
    return tallied ? rf_tally_before(g->tally, g->state, e, err) : RF_OK;
}

static enum rf_status report(struct rf_engine *g, const struct rf_event *e, int tallied,
                             struct rf_error *err)
{
    enum rf_status st = tallied ? rf_tally_after(g->tally, g->state, e, err) : RF_OK;

    return st == RF_OK && !g->short_policy ? rf_policy_observe(g->policy, e, err) : st;
}

enum rf_status rf_engine_arrive_short(struct rf_engine *g, struct rf_error *err)
{
    const struct rf_workload *w = g->w;
    int64_t k = g->next_arrival++;
    int32_t account = g->account_ids[w->account[k]], job = (int32_t)k;
    int32_t max = w->max == NULL ? w->min[k] : w->max[k];
    struct rf_event *e = &g->events[RF_EVENT_REQUEST];
    int tallied = counts(g, account), told = tallied || !g->short_policy;
    enum rf_status st = RF_OK;

    if (told)
        st = announce(g, e, job, -1, tallied, err);
    if (st == RF_OK)
        st = rf_state_request(g->state, g->now_us, account, w->min[k], max, w->limit_us[k], err);
    if (st == RF_OK && told)
        st = report(g, e, tallied, err);
    if (st == RF_OK && g->short_policy)
        st = rf_policy_requested(g->policy, job, err);
    g->r->events++;
    return st;
}

enum rf_status rf_engine_start_short(struct rf_engine *g, const struct rf_proposal *p,
                                     struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_GRANT];
    const struct rf_job *job = &g->state->jobs[p->job];
    int tallied = counts(g, job->account), told = tallied || !g->short_policy;
    enum rf_status st = RF_OK;

    if (told) {
        e->count = p->count;
        e->lent = p->lent;
        st = announce(g, e, p->job, g->state->next_lease, tallied, err);
    }
    if (st == RF_OK)
        st = rf_state_grant(g->state, g->now_us, p->job, p->count, p->lent, err);
    if (st == RF_OK && told)
        st = report(g, e, tallied, err);
    if (st == RF_OK && g->short_policy)
        st = rf_policy_granted(g->policy, p->job, err);
    g->r->events++;
    return st == RF_OK ? rf_engine_started(g, p->job, err) : st;
}

enum rf_status rf_engine_end_short(struct rf_engine *g, int32_t id, struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_END];
    const struct rf_job *job = &g->state->jobs[id];
    int64_t held_us = rf_state_owed_us(job, g->now_us);
    int tallied = counts(g, job->account), told = tallied || !g->short_policy;
    enum rf_status st = RF_OK;

    rf_wide_add(&g->r->busy_us, held_us);
    g->r->finished++;
    g->last_end_us = g->now_us;
    if (told) {
        e->held_us = held_us;
        st = announce(g, e, id, job->lease, tallied, err);
    }
    if (st == RF_OK)
        st = rf_state_finish(g->state, g->now_us, id, err);
    if (st == RF_OK && told)
        st = report(g, e, tallied, err);
    if (st == RF_OK && g->short_policy)
        st = rf_policy_finished(g->policy, id, err);
    g->r->events++;
    return st;
}
