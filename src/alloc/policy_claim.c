/* What walls have a right to: claims, reclaiming what was lent, and growing.
 *
 * A claim is a waiting job of an account that stands below its share. It may have jobs
 * preempted that hold devices nobody has a right to, and the free devices are kept for it until
 * it starts. Everything follows from the state and the tally, so asking twice gives the same
 * answer, and after the proposed events were applied a further question does not propose
 * them again. */
#include <string.h>

#include "alloc/policy_plan.h"
#include "alloc/victim.h"

static int32_t at_most(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Was this job proposed for something already? */
static int proposed(const struct rf_plan *plan, int32_t job)
{
    for (int i = 0; i < plan->nout; i++)
        if (plan->out[i].job == job)
            return 1;
    return 0;
}

/* ---- claims ---- */

/* Would anybody else in the queue start on n devices? */
static int wanted_by_others(struct rf_plan *plan, int32_t id, int32_t n)
{
    struct rf_policy *policy = plan->policy;

    for (int32_t i = 0; i < policy->nlanes; i++) {
        struct rf_roll *jobs = &policy->lanes[i].jobs;
        struct rf_roll_place at = rf_roll_start(jobs);
        struct rf_roll_entry e = {0};

        for (; rf_roll_find(jobs, &at, n, INT64_MAX, 0); at = rf_roll_next(jobs, at)) {
            rf_roll_at(jobs, at, &e);
            if (e.job != id && !proposed(plan, e.job))
                return 1;
        }
    }
    return 0;
}

/* A job that is wider than what its wall may still claim claims all the same, because jobs are
 * not divided; but never devices that other pledges hold or have a right to: two walls
 * would take them from one another for ever. */
static int too_wide(const struct rf_plan *plan, const struct rf_wall *w, int32_t used,
                    int32_t min)
{
    int64_t rest = plan->state->nfleet;

    if (used + min <= w->reach)
        return 0;
    for (int i = 0; i < plan->nwalls - 1; i++) {
        const struct rf_wall *other = &plan->walls[i];
        int32_t theirs = other->used + plan->claimed[i];

        if (other != w)
            rest -= theirs > other->whole ? theirs : other->whole;
    }
    return used + min > rest;
}

/* The job's place in its lane moves on. */
static void claim(struct rf_plan *plan, struct rf_lane *lane, const struct rf_roll_entry *e)
{
    struct rf_policy *policy = plan->policy;
    const struct rf_job *job = &plan->state->jobs[e->job];
    struct rf_wall *w = &plan->walls[lane->wall];
    int32_t free = plan->free - plan->reserved, spare = free + plan->coming, want, can;
    int32_t limit = at_most(job->max, w->cap - w->used - plan->claimed[lane->wall]);
    int32_t used = w->used + plan->claimed[lane->wall];

    want = at_most(job->max, w->reach - used);
    want = want < job->min ? job->min : want;
    if (limit < job->min || too_wide(plan, w, used, job->min)) {
        lane->at = rf_roll_next(&lane->jobs, lane->at);
        return;
    }
    can = free >= want ? free
                       : spare + (spare < want ? rf_victims_free(plan, w, want - spare) : 0);
    want = can < want && can >= job->min ? can : want;
    if (free < want && can >= want && spare < want) {
        int32_t got = rf_victims_shrink(plan, w, want - spare, e->job);

        free += got;
        spare += got;
    }
    if (rf_plan_full(plan)) {
        lane->at = rf_roll_next(&lane->jobs, lane->at);
        return;
    }
    if (free >= want) {
        int32_t wide = at_most(limit, free);

        rf_plan_grant(plan, lane, &lane->at,
                      wide > want && wanted_by_others(plan, e->job, free - want) ? want : wide);
        rf_policy_line_of(policy, lane)->plan_stale =
            1; /* it was planned for later, if at all */
    } else {
        lane->at = rf_roll_next(&lane->jobs, lane->at);
        if (plan->nclaims < RF_CLAIMS_MAX) {
            if (can >= want)
                plan->unfinished |= rf_victims_stop(plan, w, want - spare, e->job) > 0;
            plan->claims[plan->nclaims++] = e->job;
            plan->reserved += at_most(want, free);
            plan->coming -= at_most(want - at_most(want, free), plan->coming);
            plan->claimed[lane->wall] += want;
        }
    }
    used = w->used + plan->claimed[lane->wall];
    w->may_claim = used < w->reach;
}

void rf_plan_serve_claims(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;
    struct rf_roll_entry e;
    struct rf_lane *lane;
    int any = 0;

    for (int i = 0; i < plan->nwalls; i++)
        any |= plan->walls[i].may_claim;
    if (!any)
        return;
    rf_plan_rank(plan);
    for (int32_t i = 0; i < policy->nlanes; i++) {
        struct rf_lane *l = &policy->lanes[i];

        l->on = l->jobs.count > 0 && plan->walls[l->wall].may_claim;
        l->at = rf_roll_start(&l->jobs);
    }
    while (!rf_plan_full(plan) && (lane = rf_plan_first(plan, &e)) != NULL) {
        if (!plan->walls[lane->wall].may_claim)
            lane->on = 0;
        else
            claim(plan, lane, &e);
    }
}

/* ---- more than is allowed ---- */

void rf_plan_enforce_caps(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;
    int any = 0;

    for (int i = 0; i < plan->nwalls; i++)
        any |= plan->walls[i].used - plan->walls[i].stopping > plan->walls[i].cap;
    if (!any)
        return;
    for (int32_t i = s->running_last; i >= 0 && !rf_plan_full(plan); i = s->jobs[i].prev) {
        const struct rf_wall *w = rf_policy_wall_of(plan->policy, i);

        if (s->jobs[i].state == RF_JOB_RUNNING && w->used - w->stopping > w->cap)
            rf_plan_stop(plan, i, "share-used-up", -1);
    }
}

/* ---- growing ---- */

int64_t rf_plan_grow_after_us(const struct rf_state *state)
{
    return state->grace_us < INT64_C(1250000) ? INT64_C(5000000)
           : state->grace_us < INT64_MAX / 4  ? 4 * state->grace_us
                                              : INT64_MAX;
}

/* Has the lease run long enough for a stop to be worth its while? */
static int may_grow(const struct rf_plan *plan, int32_t id)
{
    const struct rf_job *job = &plan->state->jobs[id];

    return job->state == RF_JOB_RUNNING && job->ndevices < job->max && !proposed(plan, id) &&
           rf_state_spent(plan->state, job) == NULL &&
           (plan->policy->options.resize ||
            plan->now_us - job->grant_us >= rf_plan_grow_after_us(plan->state));
}

/* In place where the driver can; else it stops, and starts again wider. */
static void grow(struct rf_plan *plan, int32_t id, int32_t most)
{
    const struct rf_job *job = &plan->state->jobs[id];
    struct rf_wall *w = rf_policy_wall_of(plan->policy, id);
    int32_t n = at_most(job->max - job->ndevices, most);
    int32_t own = w->whole > w->used ? w->whole - w->used : 0;

    if (!plan->policy->options.resize) {
        rf_plan_stop(plan, id, "grow", id);
        return;
    }
    rf_plan_propose(plan, RF_PROPOSE_GROW, id, "grow", -1);
    plan->out[plan->nout - 1].count = n;
    plan->out[plan->nout - 1].lent = plan->nwalls > 1 && n > own ? n - own : 0;
    plan->free -= n;
    w->used += n;
    if (rf_policy_resize(plan->policy, id, n, plan->now_us) != RF_OK)
        plan->policy->failed = RF_ERR_MEMORY;
}

/* The oldest lease of the wall that could use more devices; -1: there is none. */
static int32_t who_may_grow(const struct rf_plan *plan, const struct rf_wall *w)
{
    const struct rf_state *s = plan->state;
    int32_t i = s->running_first;

    while (i >= 0 && (rf_policy_wall_of(plan->policy, i) != w || !may_grow(plan, i)))
        i = s->jobs[i].next;
    return i;
}

/* A pledged account below its share whose queue is empty, but whose jobs could
 * use more: one of them stops, and claims again as a queued job. */
void rf_plan_grow_pledged(struct rf_plan *plan)
{
    for (int i = 0; i < plan->nwalls - 1 && !rf_plan_full(plan); i++) {
        struct rf_wall *w = &plan->walls[i];
        int32_t short_of = w->reach - w->used - plan->claimed[i];
        int32_t free = plan->free - plan->reserved, can, job;

        if (!w->may_claim || (plan->policy->nresizable == 0 && w->stopping == 0))
            continue;
        if (w->stopping > 0) { /* it will claim as soon as it has stopped */
            plan->reserved += at_most(short_of, free);
            continue;
        }
        job = who_may_grow(plan, w);
        if (job < 0)
            continue;
        can = free + plan->coming;
        can += can < short_of ? rf_victims_free(plan, w, short_of - can) : 0;
        if (plan->policy->options.resize)
            can =
                free < short_of ? free + rf_victims_shrink(plan, w, short_of - free, -1) : free;
        if (can <= 0 || rf_plan_full(plan))
            continue;
        grow(plan, job, at_most(short_of, can));
        if (!plan->policy->options.resize)
            plan->reserved += at_most(short_of, plan->free - plan->reserved);
    }
}

/* Is a ready job waiting in the same line as this wall's jobs? */
static int line_waits(struct rf_plan *plan, const struct rf_wall *w)
{
    struct rf_policy *policy = plan->policy;

    for (int32_t i = 0; i < policy->nlanes; i++)
        if (policy->lanes[i].jobs.count > 0 &&
            (!policy->fence->separate || &plan->walls[policy->lanes[i].wall] == w))
            return 1;
    return 0;
}

/* Free devices that nobody in the queue could use, now or after waiting: the
 * oldest lease that could gets them. One at a time where it has to stop for it. */
void rf_plan_grow_idle(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;

    if (plan->policy->nresizable == 0 || plan->free - plan->reserved <= 0 ||
        plan->nclaims > 0 || plan->coming > 0 ||
        (!plan->policy->options.resize && rf_policy_ahead(plan->policy)))
        return; /* in the last case it would come back no wider */
    for (int32_t i = s->running_first; i >= 0 && !rf_plan_full(plan); i = s->jobs[i].next) {
        const struct rf_wall *w;

        if (!may_grow(plan, i))
            continue;
        w = rf_policy_wall_of(plan->policy, i);
        if (rf_plan_room(plan, w) <= 0 || line_waits(plan, w))
            continue;
        grow(plan, i, rf_plan_room(plan, w));
        if (!plan->policy->options.resize)
            return;
    }
}
