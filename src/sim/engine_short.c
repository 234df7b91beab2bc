/* The short way: nobody watches but the tally, and devices have no names. A request, a grant and
 * an end then go straight to the state and to the policy, by the state's own steps, and the
 * tally hears of those that matter to a pledge; time passes for it once a moment. Everything else
 * that happens is an event as always, and both may take turns within a moment.
 *
 * Millions of jobs a second pass here: what is below is one loop to the compiler. */
#include "alloc/state_short.h"
#include "sim/engine_parts.h"

enum { PROPOSALS = 256 };

/* The first event of this moment is about to happen: not the moment itself, which may turn out to
 * be none. */
static inline enum rf_status pass(struct rf_engine *g, struct rf_error *err)
{
    return g->tally != NULL && g->tally->now_us < g->now_us
               ? rf_tally_pass(g->tally, g->state, g->now_us, err)
               : RF_OK;
}

enum rf_status rf_engine_pass(struct rf_engine *g, struct rf_error *err)
{
    return pass(g, err);
}

/* Has the tally to hear of this account's jobs as events? */
static inline int tallied(const struct rf_engine *g, int32_t account)
{
    return g->tally != NULL && rf_tally_concerned(g->tally, account);
}

/* What is about to happen, for who has to hear of it as an event. */
static enum rf_status announce(struct rf_engine *g, struct rf_event *e, int32_t job,
                               int32_t lease, int tally, struct rf_error *err)
{
    e->seq = g->state->next_seq;
    e->t_us = g->now_us;
    e->job = job;
    e->lease = lease;
    return tally ? rf_tally_before(g->tally, g->state, e, err) : RF_OK;
}

/* It has happened. With `quick` the policy hears in its own short way. */
static enum rf_status report(struct rf_engine *g, const struct rf_event *e, int tally,
                             int quick, struct rf_error *err)
{
    enum rf_status st = tally ? rf_tally_after(g->tally, g->state, e, err) : RF_OK;

    return st == RF_OK && !quick ? rf_policy_observe(g->policy, e, err) : st;
}

/* ---- arriving ---- */

static inline enum rf_status arrive(struct rf_engine *g, int quick, struct rf_error *err)
{
    const struct rf_workload *w = g->w;
    int64_t k = g->next_arrival;
    int32_t account = g->account_ids[w->account[k]], job = (int32_t)k;
    int32_t min = w->min[k], max = w->max == NULL ? min : w->max[k];
    struct rf_event *e = &g->events[RF_EVENT_REQUEST];
    int tally = tallied(g, account), told = tally || !quick;
    enum rf_status st = pass(g, err);

    g->next_arrival++;
    g->r->events++;
    if (st == RF_OK && told)
        st = announce(g, e, job, -1, tally, err);
    if (st == RF_OK)
        st = rf_state_request(g->state, g->now_us, account, min, max, w->limit_us[k], err);
    if (st == RF_OK && told)
        st = report(g, e, tally, quick, err);
    return st == RF_OK && quick ? rf_policy_requested(g->policy, job, err) : st;
}

enum rf_status rf_engine_arrive_short(struct rf_engine *g, struct rf_error *err)
{
    return arrive(g, g->short_policy, err);
}

/* ---- starting ---- */

/* On as many devices as it was submitted for, and nobody was ever stopped or resized: it runs for as
 * long as it runs. */
static inline enum rf_status expect_end(struct rf_engine *g, int32_t job, struct rf_error *err)
{
    const struct rf_job *j = &g->state->jobs[job];
    int64_t run_us = g->w->run_us[job];

    if (g->progress != NULL || j->ndevices != g->w->min[job] || run_us > INT64_MAX - g->now_us)
        return rf_engine_started(g, job, err);
    g->r->start_us[job] = g->now_us;
    g->r->end_us[job] = g->now_us + run_us;
    return rf_ends_add(&g->ends, (struct rf_end){g->now_us + run_us, j->lease, job}, err);
}

static inline enum rf_status start(struct rf_engine *g, const struct rf_proposal *p, int quick,
                                   struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_GRANT];
    int tally = tallied(g, g->state->jobs[p->job].account), told = tally || !quick;
    enum rf_status st = pass(g, err);

    g->r->events++;
    if (st == RF_OK && told) {
        e->count = p->count;
        e->lent = p->lent;
        st = announce(g, e, p->job, g->state->next_lease, tally, err);
    }
    if (st == RF_OK)
        st = rf_state_grant(g->state, g->now_us, p->job, p->count, p->lent, err);
    if (st == RF_OK && told)
        st = report(g, e, tally, quick, err);
    return st == RF_OK ? expect_end(g, p->job, err) : st;
}

enum rf_status rf_engine_start_short(struct rf_engine *g, const struct rf_proposal *p,
                                     struct rf_error *err)
{
    return start(g, p, 0, err);
}

/* ---- ending ---- */

static inline enum rf_status finish(struct rf_engine *g, int32_t id, int quick,
                                    struct rf_error *err)
{
    struct rf_event *e = &g->events[RF_EVENT_END];
    const struct rf_job *job = &g->state->jobs[id];
    int64_t held_us = job->ndevices * (g->now_us - job->charged_us);
    int tally = tallied(g, job->account), told = tally || !quick;
    enum rf_status st = pass(g, err);

    rf_wide_add(&g->r->busy_us, held_us);
    g->r->events++;
    g->r->finished++;
    g->last_end_us = g->now_us;
    if (st == RF_OK && told) {
        e->held_us = held_us;
        st = announce(g, e, id, job->lease, tally, err);
    }
    if (st == RF_OK)
        st = rf_state_finish(g->state, g->now_us, id, err);
    if (st == RF_OK && told)
        st = report(g, e, tally, quick, err);
    return st == RF_OK && quick ? rf_policy_finished(g->policy, id, err) : st;
}

enum rf_status rf_engine_end_short(struct rf_engine *g, int32_t job, struct rf_error *err)
{
    return finish(g, job, g->short_policy, err);
}

/* ---- moments ---- */

static inline enum rf_status end(struct rf_engine *g, struct rf_error *err)
{
    struct rf_end first = rf_ends_take(&g->ends);
    const struct rf_job *job = &g->state->jobs[first.job];

    if (job->lease != first.lease || g->r->end_us[first.job] != first.t_us)
        return RF_OK; /* void */
    if (job->state != RF_JOB_RUNNING || job->grants != 1)
        return rf_engine_end(g, &first, err);
    return finish(g, first.job, 1, err);
}

/* What the policy says in its short way are grants. */
static inline enum rf_status ask(struct rf_engine *g, struct rf_error *err)
{
    struct rf_proposal out[PROPOSALS];
    enum rf_status st = RF_OK;
    int n;

    do {
        n = rf_policy_propose_short(g->policy, g->now_us, out, PROPOSALS);
        g->r->passes += n != 0;
        for (int i = 0; i < n && st == RF_OK; i++)
            st = start(g, &out[i], 1, err);
    } while (st == RF_OK && n > 0);
    return st == RF_OK && n < 0 ? rf_engine_ask(g, err) : st;
}

enum rf_status rf_engine_run_short(struct rf_engine *g, int64_t before_us, int64_t until_us,
                                   struct rf_error *err)
{
    const struct rf_workload *w = g->w;
    enum rf_status st = RF_OK;

    while (st == RF_OK && g->short_policy && g->r->events < g->next_progress) {
        int64_t arrive_us = g->next_arrival < w->n ? w->submit_us[g->next_arrival] : INT64_MAX;
        int64_t end_us = g->ends.n > 0 ? g->ends.heap[0].t_us : INT64_MAX;
        int64_t t_us = arrive_us < end_us ? arrive_us : end_us;

        if (t_us >= before_us || t_us > until_us || t_us == INT64_MAX)
            break;
        g->now_us = t_us > g->now_us ? t_us : g->now_us;
        while (st == RF_OK && g->ends.n > 0 && g->ends.heap[0].t_us <= t_us)
            st = end(g, err);
        for (; st == RF_OK && arrive_us <= t_us;
             arrive_us = g->next_arrival < w->n ? w->submit_us[g->next_arrival] : INT64_MAX)
            st = g->account_ids[w->account[g->next_arrival]] < 0 ? rf_engine_arrive(g, err)
                                                                 : arrive(g, 1, err);
        if (st == RF_OK)
            st = ask(g, err);
    }
    return st;
}
