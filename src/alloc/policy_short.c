/* The commonest case: first come, first served, or EASY, for one lane of jobs of fixed size, under a
 * fence that gives nobody a right to anything, and nobody who wants to hear reasons. Claims and
 * reasons do not matter then, walls only to what is called borrowed, and what policy_walk.c does in general comes down to one list. Both use the same
 * lists and the same rules of overtaking (policy_plan.h), so each question may take either way;
 * the answers are the same. */
#include <assert.h>
#include <string.h>

#include "alloc/policy_plan.h"

int rf_policy_short(const struct rf_policy *policy)
{
    const struct rf_state *s = policy->state;

    return policy->short_cut && policy->nlanes == 1 && policy->bounded.n == 0 && !s->limited &&
           s->retry_us == INT64_MAX && s->nholds == 0 && policy->nholds == 0;
}

/* ---- what happened ---- */

static enum rf_status failed(struct rf_policy *policy, enum rf_status st, struct rf_error *err)
{
    policy->failed = st;
    return rf_fail(err, st, "out of memory: the policy's view");
}

/* The long way, for what is out of the ordinary. */
static enum rf_status observe(struct rf_policy *policy, enum rf_event_type type, int32_t job,
                              struct rf_error *err)
{
    struct rf_event event = rf_event_make(type, policy->state->now_us);

    event.job = job;
    event.lease = type == RF_EVENT_REQUEST ? -1 : 0; /* it has, or had, one */
    event.count = policy->state->jobs[job].ndevices;
    return rf_policy_observe(policy, &event, err);
}

/* Can a job that has just come in neither start in turn nor overtake? Then there is nothing to
 * ask. */
static int cannot_start(const struct rf_policy *policy, int32_t job, int32_t need)
{
    const struct rf_line *line = &policy->lines[0];
    int32_t free = policy->state->nfree;

    return policy->dirty == 0 && line->blocked && job > line->head.job &&
           line->head.need > free && need <= policy->least_most &&
           (policy->order->backfill == RF_BACKFILL_NONE || need > free) &&
           rf_policy_may_shorten(policy);
}

enum rf_status rf_policy_requested(struct rf_policy *policy, int32_t job, struct rf_error *err)
{
    const struct rf_job *j = &policy->state->jobs[job];
    struct rf_lane *lane = policy->lanes;
    struct rf_roll_entry entry = {j->limit_us > 0 ? j->limit_us : INT64_MAX, job, j->min};
    enum rf_status st = policy->failed;

    if (st != RF_OK || policy->npending > policy->pending_at || j->extra >= 0 ||
        policy->state->naccounts > policy->naccounts)
        return observe(policy, RF_EVENT_REQUEST, job, err);
    if (!cannot_start(policy, job, j->min)) {
        policy->dirty |= RF_DIRTY_ARRIVAL;
        if (policy->fresh.n < policy->fresh.room)
            policy->fresh.jobs[policy->fresh.n++] = job;
        else
            st = rf_joblist_add(&policy->fresh, job);
    }
    if (st == RF_OK)
        st = rf_roll_add(&lane->jobs, &entry, NULL);
    if (j->min > lane->widest || lane->jobs.count == 1)
        lane->widest = j->min;
    policy->recheck |= j->min > policy->least_most;
    return st == RF_OK ? RF_OK : failed(policy, st, err);
}

enum rf_status rf_policy_finished(struct rf_policy *policy, int32_t job, struct rf_error *err)
{
    const struct rf_job *j = &policy->state->jobs[job];

    if (policy->failed != RF_OK || policy->npending > policy->pending_at || j->max > j->min ||
        policy->held_back.n + policy->stopping.n > 0)
        return observe(policy, RF_EVENT_END, job, err);
    if (policy->order->backfill != RF_BACKFILL_NONE &&
        !rf_roll_drop(&policy->lines->running, rf_policy_end_us(j->grant_us, j->limit_us), job))
        return observe(policy, RF_EVENT_END, job, err);
    policy->dirty |= RF_DIRTY_ALL;
    return RF_OK;
}

/* ---- a question ---- */

struct question {
    struct rf_policy *policy;
    struct rf_roll *waiting;
    struct rf_line *line;
    int64_t now_us;
    int32_t free;
    struct rf_proposal *out;
    int nout, max;
    int counted; /* what the walls hold */
};

static inline int full(const struct question *q)
{
    return q->nout == q->max || q->policy->failed != RF_OK;
}

static inline int resizable(const struct question *q, int32_t job)
{
    return q->policy->state->jobs[job].max > q->policy->state->jobs[job].min;
}

/* Devices that the job's account borrows if it starts on `count`. */
static int32_t lent(struct question *q, int32_t job, int32_t count)
{
    struct rf_wall *w = rf_policy_wall_of(q->policy, job);
    int32_t own;

    if (!q->counted)
        rf_policy_count(q->policy);
    q->counted = 1;
    own = w->whole > w->used ? w->whole - w->used : 0;
    w->used += count;
    return count > own ? count - own : 0;
}

/* The job that waits at `place` starts on `most` devices, or on as many as it can use. */
static inline void grant(struct question *q, struct rf_roll_place *place,
                         const struct rf_roll_entry *e, int32_t most)
{
    q->out[q->nout++] = (struct rf_proposal){RF_PROPOSE_GRANT,
                                             e->job,
                                             -1,
                                             most,
                                             q->policy->nwalls > 1 ? lent(q, e->job, most) : 0,
                                             ""};
    rf_roll_remove(q->waiting, place);
    q->free -= most;
    q->policy->nresizable += resizable(q, e->job);
    if (q->policy->order->backfill != RF_BACKFILL_NONE) {
        const struct rf_roll_entry runs = {rf_policy_end_us(q->now_us, e->time_us), e->job,
                                           most};

        if (rf_roll_add(&q->line->running, &runs, NULL) != RF_OK)
            q->policy->failed = RF_ERR_MEMORY;
    }
}

static inline int32_t most_of(const struct question *q, int32_t job)
{
    return rf_at_most(q->policy->state->jobs[job].max, q->free);
}

static inline void foresee(struct question *q)
{
    if (!q->line->shadow_known)
        rf_line_foresee(q->line, q->free, q->policy->options.reserve_depth);
}

static void overtake(struct question *q)
{
    struct rf_roll_place at = rf_roll_next(q->waiting, rf_roll_start(q->waiting));
    struct rf_roll_entry e = {0};

    if (!rf_roll_find(q->waiting, &at, q->free, INT64_MAX, 0))
        return;
    foresee(q); /* somebody would fit, so it matters */
    while (!full(q) && rf_roll_find(q->waiting, &at, q->free,
                                    rf_line_window(q->line, q->now_us), q->line->extra)) {
        rf_roll_at(q->waiting, at, &e);
        grant(q, &at, &e, rf_line_overtake(q->line, q->now_us, &e, most_of(q, e.job)));
    }
}

static void serve(struct question *q)
{
    struct rf_line *line = q->line;
    struct rf_roll_place at = rf_roll_start(q->waiting);
    struct rf_roll_entry e;

    line->blocked = line->shadow_known = 0;
    while (!full(q) && rf_roll_at(q->waiting, at, &e)) {
        if (e.need > q->free) {
            line->blocked = 1;
            line->head = e;
            line->head_lane = 0;
            break;
        }
        grant(q, &at, &e, most_of(q, e.job));
    }
    if (line->blocked && !full(q) && q->free > 0 &&
        q->policy->order->backfill == RF_BACKFILL_DEPTH)
        overtake(q);
}

/* The head is blocked, and jobs came in behind it. */
static void serve_arrivals(struct question *q)
{
    struct rf_policy *policy = q->policy;
    struct rf_roll_place at;

    for (int32_t i = 0; i < policy->fresh.n && !full(q); i++) {
        int32_t job = policy->fresh.jobs[i];
        struct rf_roll_entry e = rf_policy_entry(policy, job);

        if (job < q->line->head.job) { /* it is the head */
            serve(q);
            return;
        }
        if (e.need > q->free)
            continue;
        foresee(q);
        if (rf_line_lets(q->line, q->now_us, &e) &&
            rf_roll_seek(q->waiting, e.time_us, job, &at))
            grant(q, &at, &e, rf_line_overtake(q->line, q->now_us, &e, most_of(q, job)));
    }
}

/* Is it plain to see that nobody can start, not even by overtaking the head of the line? */
static inline int nothing_fits(const struct question *q)
{
    return q->line->blocked && q->line->head.need > q->free &&
           (q->policy->order->backfill == RF_BACKFILL_NONE || q->waiting->least_need > q->free);
}

static inline int answer(struct rf_policy *policy, int64_t now_us, struct rf_proposal *out,
                         int max)
{
    struct question q = {.policy = policy,
                         .waiting = &policy->lanes->jobs,
                         .line = &policy->lines[0],
                         .now_us = now_us,
                         .free = policy->state->nfree,
                         .out = out,
                         .max = max};

    policy->asked_us = now_us;
    if (nothing_fits(&q)) {
        q.line->shadow_known &= (policy->dirty & RF_DIRTY_ALL) == 0;
        policy->dirty = policy->fresh.n = 0;
        return 0;
    }
    if (policy->dirty != RF_DIRTY_ARRIVAL || !q.line->blocked)
        serve(&q);
    else if (policy->order->backfill != RF_BACKFILL_NONE)
        serve_arrivals(&q);
    policy->fresh.n = 0;
    policy->dirty = full(&q) ? RF_DIRTY_ALL : 0;
    policy->pending_us = now_us;
    policy->wake_us = INT64_MAX;
    return policy->failed == RF_OK ? q.nout : 0;
}

int rf_policy_answer_short(struct rf_policy *policy, int64_t now_us, struct rf_proposal *out,
                           int max)
{
    int n = answer(policy, now_us, out, max);

    if (policy->failed == RF_OK)
        policy->failed = rf_policy_expect(policy, out, n);
    return policy->failed == RF_OK ? n : 0;
}

int rf_policy_propose_short(struct rf_policy *policy, int64_t now_us, struct rf_proposal *out,
                            int max)
{
    if (!rf_policy_may_shorten(policy))
        return -1;
    return policy->dirty == 0 ? 0 : answer(policy, now_us, out, max);
}
