/* The engine behind every order and fence: deny what can never run, stop what
 * holds too much, serve claims of pledged accounts, serve the queue, and let a
 * job grow when nobody else wants the devices.
 *
 * A claim is a ready job of an account that stands below its share. It may
 * have jobs preempted that hold devices nobody has a right to, and the free
 * devices are kept for it until it starts. Everything follows from the state and
 * the tally, so asking twice gives the same answer, and after the proposed
 * events were applied a further question does not propose them again. */
#include "alloc/policy.h"

#include <string.h>

#include "alloc/policy_plan.h"

static const struct rf_order *const ORDERS[] = {&rf_order_fcfs};
static const struct rf_fence *const FENCES[] = {&rf_fence_none, &rf_fence_partition,
                                                &rf_fence_floor};

enum { NORDERS = sizeof ORDERS / sizeof *ORDERS, NFENCES = sizeof FENCES / sizeof *FENCES };

enum rf_status rf_policy_make(struct rf_policy *policy, const char *order, const char *fence,
                              struct rf_error *err)
{
    *policy = (struct rf_policy){0};
    for (int i = 0; i < NORDERS; i++)
        if (strcmp(order, ORDERS[i]->name) == 0)
            policy->order = ORDERS[i];
    for (int i = 0; i < NFENCES; i++)
        if (strcmp(fence, FENCES[i]->name) == 0)
            policy->fence = FENCES[i];
    if (policy->order == NULL)
        return rf_fail(err, RF_ERR_CONFIG, "unknown order: '%.40s' (known: fcfs)", order);
    if (policy->fence == NULL)
        return rf_fail(err, RF_ERR_CONFIG,
                       "unknown fence: '%.40s' (known: none, partition, floor)", fence);
    return RF_OK;
}

/* ---- the plan --------------------------------------------------------- */

static struct rf_wall *wall_of(struct rf_plan *plan, const struct rf_job *job)
{
    int i = 0;

    while (i < plan->nwalls - 1 &&
           !rf_state_within(plan->state, job->account, plan->walls[i].pledge->account))
        i++;
    return &plan->walls[i];
}

static void plan_start(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;

    plan->nwalls = s->npledges + 1;
    plan->free = s->nfree;
    for (int i = 0; i < plan->nwalls; i++)
        plan->walls[i] = (struct rf_wall){0};
    plan->walls[s->npledges].whole = s->nfleet;
    for (int i = 0; i < s->npledges; i++) {
        struct rf_wall *w = &plan->walls[i];
        int64_t basis;

        w->pledge = &s->pledges[i];
        basis = rf_plan_basis(plan, w->pledge);
        w->whole = (int32_t)rf_share_of(&w->pledge->share, basis);
        if (rf_share_below(&w->pledge->share, w->whole, basis))
            w->whole++;
        plan->walls[s->npledges].whole -= w->whole;
    }
    for (int32_t i = 0; i < s->nrunning; i++) {
        const struct rf_job *job = &s->jobs[s->running[i]];
        struct rf_wall *w = wall_of(plan, job);
        int32_t stopping = job->state == RF_JOB_STOPPING ? job->ndevices : 0;

        w->used += job->ndevices;
        w->stopping += stopping;
        plan->coming += stopping;
    }
    plan->policy->fence->limits(plan);
}

static int full(const struct rf_plan *plan)
{
    return plan->nout == plan->max;
}

/* Was this job proposed for something other than going on waiting? */
static int planned(const struct rf_plan *plan, int32_t job)
{
    for (int i = 0; i < plan->nout; i++)
        if (plan->out[i].job == job)
            return 1;
    return 0;
}

static int claiming(const struct rf_plan *plan, int32_t job)
{
    for (int i = 0; i < plan->nclaims; i++)
        if (plan->claims[i] == job)
            return 1;
    return 0;
}

static void propose(struct rf_plan *plan, enum rf_proposal_kind kind, int32_t job,
                    const char *reason, int32_t by)
{
    plan->out[plan->nout++] = (struct rf_proposal){kind, job, by, 0, 0, reason};
}

static int32_t at_most(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static void grant(struct rf_plan *plan, int32_t id, int32_t count)
{
    const struct rf_state *s = plan->state;
    struct rf_wall *w = wall_of(plan, &s->jobs[id]);
    int32_t own = w->whole > w->used ? w->whole - w->used : 0;

    propose(plan, RF_PROPOSE_GRANT, id, "", -1);
    plan->out[plan->nout - 1].count = count;
    plan->out[plan->nout - 1].lent = s->npledges > 0 && count > own ? count - own : 0;
    plan->free -= count;
    w->used += count;
}

/* ---- denials ---------------------------------------------------------- */

static void deny(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;

    for (int32_t i = 0; i < s->nqueue && !full(plan); i++) {
        int32_t id = s->queue[i];

        if (rf_state_orphan(s, &s->jobs[id]))
            propose(plan, RF_PROPOSE_DENY, id, "dependency-failed", -1);
        else if (s->nfleet > 0 && s->jobs[id].min > wall_of(plan, &s->jobs[id])->most)
            propose(plan, RF_PROPOSE_DENY, id, "too-large", -1);
    }
}

/* ---- victims ---------------------------------------------------------- */

/* Devices that a wall holds without having a right to them, less those coming free. */
static int32_t surplus(const struct rf_wall *w)
{
    int32_t n = w->used - w->stopping - w->right;

    return n > 0 ? n : 0;
}

static int victim(struct rf_plan *plan, const struct rf_job *job, int32_t id,
                  const struct rf_wall *claimant)
{
    const struct rf_wall *w = wall_of(plan, job);

    return job->state == RF_JOB_RUNNING && w != claimant && surplus(w) > 0 &&
           !planned(plan, id);
}

static void stop(struct rf_plan *plan, int32_t id, const char *reason, int32_t by)
{
    const struct rf_job *job = &plan->state->jobs[id];

    propose(plan, RF_PROPOSE_PREEMPT, id, reason, by);
    wall_of(plan, job)->stopping += job->ndevices;
    plan->coming += job->ndevices;
}

/* Devices that stopping every possible victim would free. Changes nothing. */
static int32_t reclaimable(struct rf_plan *plan, const struct rf_wall *claimant)
{
    const struct rf_state *s = plan->state;
    int32_t stopping[RF_PLEDGES_MAX + 1], sum = 0;

    for (int i = 0; i < plan->nwalls; i++)
        stopping[i] = plan->walls[i].stopping;
    for (int32_t i = s->nrunning - 1; i >= 0; i--) {
        const struct rf_job *job = &s->jobs[s->running[i]];

        if (victim(plan, job, s->running[i], claimant)) {
            wall_of(plan, job)->stopping += job->ndevices;
            sum += job->ndevices;
        }
    }
    for (int i = 0; i < plan->nwalls; i++)
        plan->walls[i].stopping = stopping[i];
    return sum;
}

/* Stops jobs until `need` devices come free: the most recently granted one that
 * is enough alone, else the most recently granted first; they have the least to lose. */
static void reclaim(struct rf_plan *plan, const struct rf_wall *claimant, int32_t need,
                    int32_t by)
{
    const struct rf_state *s = plan->state;

    while (need > 0 && !full(plan)) {
        int32_t pick = -1;

        for (int32_t i = s->nrunning - 1; i >= 0; i--) {
            const struct rf_job *job = &s->jobs[s->running[i]];

            if (!victim(plan, job, s->running[i], claimant))
                continue;
            if (pick < 0)
                pick = s->running[i];
            if (job->ndevices >= need) {
                pick = s->running[i];
                break;
            }
        }
        if (pick < 0)
            return;
        need -= s->jobs[pick].ndevices;
        stop(plan, pick, "reclaim", by);
    }
}

/* ---- claims ----------------------------------------------------------- */

/* Would anybody else in the queue start on n devices? */
static int wanted_by_others(struct rf_plan *plan, int32_t id, int32_t n)
{
    const struct rf_state *s = plan->state;

    for (int32_t i = 0; i < s->nqueue; i++) {
        const struct rf_job *job = &s->jobs[s->queue[i]];

        if (s->queue[i] != id && job->min <= n && rf_state_ready(s, job) &&
            !planned(plan, s->queue[i]))
            return 1;
    }
    return 0;
}

static void claim(struct rf_plan *plan, int32_t id, struct rf_wall *w)
{
    const struct rf_job *job = &plan->state->jobs[id];
    int32_t free = plan->free - plan->reserved, spare = free + plan->coming;
    int32_t limit = at_most(job->max, w->cap - w->used);
    int32_t want = at_most(job->max, w->right - w->used), can;

    want = want < job->min ? job->min : want;
    if (limit < job->min)
        return;
    can = free >= want ? free : spare + (spare < want ? reclaimable(plan, w) : 0);
    want = can < want && can >= job->min ? can : want;
    if (free >= want) {
        int32_t wide = at_most(limit, free);

        grant(plan, id, wide > want && wanted_by_others(plan, id, free - want) ? want : wide);
    } else if (plan->nclaims < RF_CLAIMS_MAX) {
        if (can >= want)
            reclaim(plan, w, want - spare, id);
        plan->claims[plan->nclaims++] = id;
        plan->reserved += at_most(want, free);
        plan->coming -= at_most(want - at_most(want, free), plan->coming);
        w->used += want;
    }
    w->may_claim = w->used < w->right &&
                   (w->pledge == NULL ||
                    rf_share_below(&w->pledge->share, w->used, rf_plan_basis(plan, w->pledge)));
}

static void serve_claims(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;
    const int32_t *ids = plan->policy->order->sequence(s);

    for (int32_t i = 0; i < s->nqueue && !full(plan); i++) {
        const struct rf_job *job = &s->jobs[ids[i]];
        struct rf_wall *w = wall_of(plan, job);

        if (w->may_claim && rf_state_ready(s, job) && !planned(plan, ids[i]))
            claim(plan, ids[i], w);
    }
}

/* ---- more than is allowed --------------------------------------------- */

static void enforce_caps(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;

    for (int32_t i = s->nrunning - 1; i >= 0 && !full(plan); i--) {
        const struct rf_job *job = &s->jobs[s->running[i]];
        struct rf_wall *w = wall_of(plan, job);

        if (job->state == RF_JOB_RUNNING && w->used - w->stopping > w->cap)
            stop(plan, s->running[i], "share-used-up", -1);
    }
}

/* ---- growing ---------------------------------------------------------- */

/* Has the lease run long enough for a stop to be worth its while? */
static int may_grow(const struct rf_plan *plan, const struct rf_job *job, int32_t id)
{
    int64_t wait_us = plan->state->grace_us < INT64_C(1250000) ? INT64_C(5000000)
                      : plan->state->grace_us < INT64_MAX / 4  ? 4 * plan->state->grace_us
                                                               : INT64_MAX;

    return job->state == RF_JOB_RUNNING && job->ndevices < job->max && !planned(plan, id) &&
           plan->state->now_us - job->grant_us >= wait_us;
}

/* A pledged account below its share whose queue is empty, but whose jobs could
 * use more: one of them stops, and claims again as a queued job. */
static void grow_pledged(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;

    for (int i = 0; i < plan->nwalls - 1 && !full(plan); i++) {
        struct rf_wall *w = &plan->walls[i];
        int32_t short_of = w->right - w->used, can;

        if (!w->may_claim)
            continue;
        can = plan->free - plan->reserved;
        if (w->stopping > 0) { /* it will claim as soon as it has stopped */
            plan->reserved += at_most(short_of, can);
            continue;
        }
        can += plan->coming;
        can += can < short_of ? reclaimable(plan, w) : 0;
        for (int32_t k = 0; can > 0 && k < s->nrunning; k++) {
            const struct rf_job *job = &s->jobs[s->running[k]];

            if (wall_of(plan, job) == w && may_grow(plan, job, s->running[k])) {
                stop(plan, s->running[k], "grow", s->running[k]);
                plan->reserved += at_most(short_of, plan->free - plan->reserved);
                break;
            }
        }
    }
}

/* Is a ready job waiting in the same line as this wall's jobs? */
static int line_waits(struct rf_plan *plan, const struct rf_wall *w)
{
    const struct rf_state *s = plan->state;

    for (int32_t i = 0; i < s->nqueue; i++) {
        const struct rf_job *job = &s->jobs[s->queue[i]];

        if (rf_state_ready(s, job) &&
            (!plan->policy->fence->separate || wall_of(plan, job) == w))
            return 1;
    }
    return 0;
}

/* Free devices that nobody in the queue could use, now or after waiting: the
 * oldest lease that could, stops, and starts again wider. One at a time. */
static void grow_idle(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;

    if (plan->free - plan->reserved <= 0 || plan->nclaims > 0 || plan->coming > 0)
        return;
    for (int32_t i = 0; i < s->nrunning && !full(plan); i++) {
        int32_t id = s->running[i];
        const struct rf_wall *w = wall_of(plan, &s->jobs[id]);

        if (may_grow(plan, &s->jobs[id], id) && w->used < w->cap && !line_waits(plan, w)) {
            stop(plan, id, "grow", id);
            return;
        }
    }
}

/* ---- the queue -------------------------------------------------------- */

static void delay(struct rf_plan *plan, int32_t id, const char *reason)
{
    if (!full(plan) && strcmp(plan->state->jobs[id].reason, reason) != 0)
        propose(plan, RF_PROPOSE_DELAY, id, reason, -1);
}

static const char *why_not(const struct rf_plan *plan, const struct rf_job *job,
                           const struct rf_wall *w)
{
    if (plan->policy->fence->separate && job->min > w->cap - w->used)
        return "share-used-up";
    if (job->min > plan->free)
        return "devices-busy";
    return "reserved-for-pledge";
}

static void serve_queue(struct rf_plan *plan)
{
    const struct rf_state *s = plan->state;
    const int32_t *ids = plan->policy->order->sequence(s);
    int separate = plan->policy->fence->separate;
    char blocked[RF_PLEDGES_MAX + 1] = {0};

    for (int32_t i = 0; i < s->nqueue && !full(plan); i++) {
        const struct rf_job *job = &s->jobs[ids[i]];
        struct rf_wall *w = wall_of(plan, job);
        char *line = &blocked[separate ? w - plan->walls : 0];
        int32_t room = at_most(plan->free - plan->reserved, w->cap - w->used);

        if (planned(plan, ids[i]))
            continue;
        if (!rf_state_ready(s, job)) {
            delay(plan, ids[i], "after-unfinished");
        } else if (claiming(plan, ids[i])) {
            delay(plan, ids[i], "devices-busy");
        } else if (*line) {
            delay(plan, ids[i], "queue-order");
        } else if (job->min <= room) {
            grant(plan, ids[i], at_most(job->max, room));
        } else {
            delay(plan, ids[i], why_not(plan, job, w));
            *line = 1;
        }
    }
}

int rf_policy_propose(const struct rf_policy *policy, const struct rf_state *state,
                      const struct rf_tally *tally, struct rf_proposal *out, int max)
{
    struct rf_plan plan;

    if (!state->opened || state->closed || max < 1)
        return 0;
    plan = (struct rf_plan){
        .policy = policy, .state = state, .tally = tally, .out = out, .max = max};
    plan_start(&plan);
    deny(&plan);
    enforce_caps(&plan);
    serve_claims(&plan);
    grow_pledged(&plan);
    serve_queue(&plan);
    grow_idle(&plan);
    return plan.nout;
}
