/* The queue from its head on: who starts, who is held up, and who may start all the same.
 *
 * EASY backfilling after a blocked head: the shadow time is when the head can start as far as
 * one knows, extra what is left over then. A job that is over by then, or that fits into
 * extra, delays the head by nothing. Jobs started this way change neither the shadow time
 * nor what extra is after them, so both stay good until a job ends; time that passes only
 * closes the window. That is why an arrival is tested alone, against the last figures. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "alloc/policy_plan.h"

/* ---- proposals ---- */

void rf_plan_propose(struct rf_plan *plan, enum rf_proposal_kind kind, int32_t job,
                     const char *reason, int32_t by)
{
    plan->out[plan->nout++] = (struct rf_proposal){kind, job, by, 0, 0, reason};
}

void rf_plan_grant(struct rf_plan *plan, struct rf_lane *lane, struct rf_roll_place *place,
                   int32_t count)
{
    struct rf_policy *policy = plan->policy;
    struct rf_roll_entry entry = {0};
    struct rf_proposal *p;
    struct rf_wall *w;
    int32_t own;

    rf_roll_at(&lane->jobs, *place, &entry);
    w = rf_policy_wall_of(policy, entry.job);
    own = w->whole > w->used ? w->whole - w->used : 0;
    rf_plan_propose(plan, RF_PROPOSE_GRANT, entry.job, "", -1);
    p = &plan->out[plan->nout - 1];
    p->count = count;
    p->lent = plan->nwalls > 1 && count > own ? count - own : 0;
    rf_roll_remove(&lane->jobs, place);
    w->nwide -= entry.need > w->wide_over;
    plan->free -= count;
    w->used += count;
    if (rf_policy_start(policy, entry.job, count, plan->now_us) != RF_OK)
        policy->failed = RF_ERR_MEMORY;
}

void rf_plan_stop(struct rf_plan *plan, int32_t job, const char *reason, int32_t by)
{
    int32_t n = plan->state->jobs[job].ndevices;

    rf_plan_propose(plan, RF_PROPOSE_PREEMPT, job, reason, by);
    rf_policy_wall_of(plan->policy, job)->stopping += n;
    plan->coming += n;
    if (rf_joblist_add(&plan->policy->stopping, job) != RF_OK)
        plan->policy->failed = RF_ERR_MEMORY;
}

void rf_plan_delay(struct rf_plan *plan, int32_t job, const char *reason)
{
    if (!plan->policy->options.explain || rf_plan_full(plan) ||
        strcmp(rf_state_job_reason(plan->state, job), reason) == 0)
        return;
    for (int i = 0; i < plan->nout; i++)
        if (plan->out[i].job == job) /* it has heard already */
            return;
    rf_plan_propose(plan, RF_PROPOSE_DELAY, job, reason, -1);
}

int rf_plan_claiming(const struct rf_plan *plan, int32_t job)
{
    for (int i = 0; i < plan->nclaims; i++)
        if (plan->claims[i] == job)
            return 1;
    return 0;
}

int32_t rf_plan_room(const struct rf_plan *plan, const struct rf_wall *wall)
{
    return rf_at_most((int64_t)plan->free - plan->reserved,
                      wall->cap - wall->used - plan->claimed[wall - plan->walls]);
}

/* ---- several lanes at once ---- */

void rf_plan_rank(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;
    double weight;

    if (!policy->order->by_account)
        return;
    weight = rf_decay_at(&policy->decay, plan->now_us);
    for (int32_t i = 0; i < policy->nlanes; i++) {
        const struct rf_lane *base = &policy->lanes[policy->lanes[i].base];

        policy->lanes[i].rank = base->usage + base->used * weight;
    }
}

int rf_plan_precedes(const struct rf_policy *policy, const struct rf_lane *a,
                     const struct rf_roll_entry *x, const struct rf_lane *b,
                     const struct rf_roll_entry *y)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    if (a->rank < b->rank || b->rank < a->rank)
        return a->rank < b->rank;
    if (policy->order->by_limit && x->time_us != y->time_us)
        return x->time_us < y->time_us;
    return x->job < y->job;
}

/* Puts the lanes of one line on, at their heads. */
static void enter(struct rf_policy *policy, const struct rf_line *line)
{
    for (int32_t i = 0; i < policy->nlanes; i++) {
        struct rf_lane *lane = &policy->lanes[i];

        lane->on = lane->jobs.count > 0 && rf_policy_line_of(policy, lane) == line;
        lane->at = rf_roll_start(&lane->jobs);
    }
}

struct rf_lane *rf_plan_first(struct rf_plan *plan, struct rf_roll_entry *entry)
{
    struct rf_policy *policy = plan->policy;
    struct rf_lane *first = NULL;
    struct rf_roll_entry e;

    if (policy->nlanes == 1) /* nothing to merge */
        return policy->lanes->on && rf_roll_at(&policy->lanes->jobs, policy->lanes->at, entry)
                   ? policy->lanes
                   : NULL;
    for (int32_t i = 0; i < policy->nlanes; i++) {
        struct rf_lane *lane = &policy->lanes[i];

        if (!lane->on || !rf_roll_at(&lane->jobs, lane->at, &e) ||
            (first != NULL && !rf_plan_precedes(policy, lane, &e, first, entry)))
            continue;
        first = lane;
        *entry = e;
    }
    return first;
}

/* ---- backfilling ---- */

static void foresee(struct rf_plan *plan, struct rf_line *line)
{
    const struct rf_wall *w = &plan->walls[plan->policy->lanes[line->head_lane].wall];

    if (!line->shadow_known)
        rf_line_foresee(line, rf_plan_room(plan, w), plan->policy->options.reserve_depth);
}

/* The job at place fits; on how many devices does it delay nobody? */
static void backfill(struct rf_plan *plan, struct rf_line *line, struct rf_lane *lane,
                     struct rf_roll_place *place, const struct rf_roll_entry *e)
{
    int32_t most =
        rf_at_most(plan->state->jobs[e->job].max, rf_plan_room(plan, &plan->walls[lane->wall]));

    rf_plan_grant(plan, lane, place, rf_line_overtake(line, plan->now_us, e, most));
}

/* Lanes stand behind the head of the line. */
static void backfill_line(struct rf_plan *plan, struct rf_line *line)
{
    struct rf_policy *policy = plan->policy;
    struct rf_roll_entry e;
    struct rf_lane *lane;

    while (!rf_plan_full(plan)) {
        int any = 0;

        for (int32_t i = 0; i < policy->nlanes; i++) {
            struct rf_lane *l = &policy->lanes[i];
            int32_t room = l->on ? rf_plan_room(plan, &plan->walls[l->wall]) : 0;

            if (!l->on)
                continue;
            l->on = line->shadow_known
                        ? rf_roll_find(&l->jobs, &l->at, room,
                                       rf_line_window(line, plan->now_us), line->extra)
                        : rf_roll_find(&l->jobs, &l->at, room, INT64_MAX, 0);
            any |= l->on;
        }
        if (!any)
            return;
        if (!line->shadow_known) { /* somebody would fit, so it matters */
            foresee(plan, line);
            continue;
        }
        lane = rf_plan_first(plan, &e);
        if (rf_plan_claiming(plan, e.job))
            lane->at = rf_roll_next(&lane->jobs, lane->at);
        else
            backfill(plan, line, lane, &lane->at, &e);
    }
}

/* ---- lines ---- */

const char *rf_plan_why(const struct rf_plan *plan, const struct rf_wall *w, int32_t need)
{
    if (w->cap < plan->state->nfleet && need > w->cap - w->used)
        return "share-used-up";
    if (need > plan->free)
        return "devices-busy";
    return "reserved-for-pledge";
}

static void serve_line(struct rf_plan *plan, struct rf_line *line)
{
    struct rf_policy *policy = plan->policy;
    struct rf_roll_entry e;
    struct rf_lane *lane;

    line->blocked = line->shadow_known = 0;
    enter(policy, line);
    while (!rf_plan_full(plan) && (lane = rf_plan_first(plan, &e)) != NULL) {
        const struct rf_wall *w = &plan->walls[lane->wall];
        int32_t room = rf_plan_room(plan, w);

        if (rf_plan_claiming(plan, e.job)) {
            lane->at = rf_roll_next(&lane->jobs, lane->at);
        } else if (e.need <= room) {
            rf_plan_grant(plan, lane, &lane->at,
                          rf_at_most(plan->state->jobs[e.job].max, room));
        } else {
            line->blocked = 1;
            line->head = e;
            line->head_lane = (int32_t)(lane - policy->lanes);
            lane->at = rf_roll_next(&lane->jobs, lane->at);
            break;
        }
    }
    if (!line->blocked || rf_plan_full(plan))
        return;
    rf_plan_delay(
        plan, line->head.job,
        rf_plan_why(plan, &plan->walls[policy->lanes[line->head_lane].wall], line->head.need));
    if (policy->order->backfill == RF_BACKFILL_DEPTH)
        backfill_line(plan, line);
}

int rf_policy_ahead(const struct rf_policy *policy)
{
    return policy->order->backfill == RF_BACKFILL_PLAN || policy->state->nholds > 0 ||
           (policy->order->backfill == RF_BACKFILL_DEPTH &&
            policy->options.reserve_depth != 0 && policy->options.reserve_depth != 1);
}

void rf_plan_serve_lines(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;

    rf_plan_rank(plan);
    for (int i = 0; i < policy->nlines && !rf_plan_full(plan); i++) {
        if (rf_policy_ahead(policy))
            rf_plan_ahead(plan, &policy->lines[i]);
        else
            serve_line(plan, &policy->lines[i]);
    }
}

/* ---- arrivals alone ---- */

/* A line whose head is blocked, and a job that came in behind it. */
static void serve_arrival(struct rf_plan *plan, struct rf_line *line, struct rf_lane *lane,
                          const struct rf_roll_entry *e)
{
    struct rf_roll_place place;

    if (plan->policy->order->backfill == RF_BACKFILL_NONE ||
        e->need > rf_plan_room(plan, &plan->walls[lane->wall]))
        return;
    foresee(plan, line);
    if (rf_line_lets(line, plan->now_us, e) &&
        rf_roll_seek(&lane->jobs, e->time_us, e->job, &place))
        backfill(plan, line, lane, &place, e);
}

void rf_plan_serve_arrivals(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;

    if (rf_policy_ahead(policy) || policy->order->by_account) {
        rf_plan_serve_lines(plan);
        return;
    }
    for (int32_t i = 0; i < policy->fresh.n && !rf_plan_full(plan); i++) {
        int32_t job = policy->fresh.jobs[i];
        struct rf_lane *lane = rf_policy_lane_of(policy, job);
        struct rf_line *line = rf_policy_line_of(policy, lane);
        struct rf_roll_entry e = rf_policy_entry(policy, job);

        if (!line->blocked ||
            rf_plan_precedes(policy, lane, &e, &policy->lanes[line->head_lane], &line->head))
            serve_line(plan, line);
        else if (plan->state->jobs[job].state == RF_JOB_QUEUED)
            serve_arrival(plan, line, lane, &e);
    }
}

/* ---- reasons ---- */

/* Every job that came in, and did not start, hears why; a job that holds up its line has
 * heard already. */
void rf_plan_explain(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;
    const char *why = "";
    int32_t done = 0;

    for (; done < policy->fresh.n && policy->options.explain && !rf_plan_full(plan); done++) {
        int32_t job = policy->fresh.jobs[done];
        const struct rf_line *line;

        if (plan->state->jobs[job].state != RF_JOB_QUEUED)
            continue;
        if (rf_policy_kept(policy, job, &why)) {
            rf_plan_delay(plan, job, why);
            continue;
        }
        if (!rf_policy_waits(policy, job)) {
            for (int32_t i = 0; i < policy->held_back.n; i++)
                if (policy->held_back.jobs[i] == job)
                    rf_plan_delay(plan, job, "after-unfinished");
            continue;
        }
        line = rf_policy_line_of(policy, rf_policy_lane_of(policy, job));
        if (rf_plan_claiming(plan, job))
            rf_plan_delay(plan, job, "devices-busy");
        else if (!line->blocked || line->head.job != job)
            rf_plan_delay(plan, job, "queue-order");
    }
    if (policy->options.explain && done < policy->fresh.n) {
        policy->fresh.n -= done;
        memmove(policy->fresh.jobs, policy->fresh.jobs + done,
                (size_t)policy->fresh.n * sizeof *policy->fresh.jobs);
        return;
    }
    policy->fresh.n = 0;
}
