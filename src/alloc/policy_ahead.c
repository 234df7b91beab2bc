/* Lines whose jobs have planned starts: conservative backfilling, EASY with more than one
 * reservation, and any order while devices are to be kept clear at a fixed time.
 *
 * Replan: every job in turn gets the earliest start that the running jobs and the jobs before
 * it leave. As long as jobs end when they were expected to, planning anew would
 * give the same starts, so a plan is kept until one ends early. How little of it has to
 * be made anew then is policy_window.c; only a limited number of reservations, and jobs to which not
 * everything is free that is free to others, are planned here.
 *
 * Compress: a job is planned when it comes in. When one ends early, each waiting job in turn
 * moves to the earliest start that all other plans leave, which is never later. */
#include <stdlib.h>

#include "alloc/policy_plan.h"

/* A running job that is over its limit is expected to end this soon. */
enum { OVERDUE_US = 1000000 };

static void must(struct rf_plan *plan, enum rf_status st)
{
    if (st != RF_OK)
        plan->policy->failed = st;
}

/* ---- what is kept clear ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Adds or takes away what is held for announced times; with a job, only what its own
 * account holds. */
static void holds(struct rf_plan *plan, struct rf_profile *p, int32_t job, int sign)
{
    const struct rf_state *s = plan->state;

    for (int32_t i = 0; i < s->nholds; i++) {
        const struct rf_hold *h = &s->holds[i];
        int32_t account =
            h->account_name[0] == '\0' ? -1 : rf_state_find_account(s, h->account_name);
        int64_t n = h->count;

        if (h->end_us <= plan->now_us ||
            (h->account_name[0] == '\0' && h->begin_us <= plan->now_us))
            continue; /* over; or the devices have gone down by now */
        if (job >= 0 && (account < 0 || !rf_state_within(s, s->jobs[job].account, account)))
            continue;
        if (account >= 0 && h->begin_us <= plan->now_us)
            n = later(0, n - s->accounts[account].used);
        must(plan,
             rf_profile_add(p, later(h->begin_us, plan->now_us), h->end_us, sign * n, NULL));
    }
}

static int64_t earliest(struct rf_plan *plan, struct rf_profile *p,
                        const struct rf_roll_entry *e)
{
    int64_t slot_us;

    if (plan->state->nholds == 0)
        return rf_profile_earliest(p, plan->now_us, e->time_us, e->need, INT64_MAX);
    holds(plan, p, e->job, 1);
    slot_us = rf_profile_earliest(p, plan->now_us, e->time_us, e->need, INT64_MAX);
    holds(plan, p, e->job, -1);
    return slot_us;
}

static int fits_now(struct rf_plan *plan, struct rf_profile *p, const struct rf_roll_entry *e)
{
    int fits;

    if (plan->state->nholds == 0)
        return rf_profile_fits(p, plan->now_us, e->time_us, e->need);
    holds(plan, p, e->job, 1);
    fits = rf_profile_fits(p, plan->now_us, e->time_us, e->need);
    holds(plan, p, e->job, -1);
    return fits;
}

/* ---- the profile ---- */

static void forget_slots(struct rf_policy *policy, struct rf_line *line)
{
    struct rf_roll_entry e;

    for (struct rf_roll_place at = rf_roll_start(&line->planned);
         rf_roll_at(&line->planned, at, &e); at = rf_roll_next(&line->planned, at))
        policy->slot_us[e.job] = RF_NO_SLOT;
    rf_roll_empty(&line->planned);
}

/* Devices of a running job come free when it is expected to end. */
static void come_free(struct rf_plan *plan, struct rf_profile *p, int64_t end_us, int32_t n)
{
    if (end_us != INT64_MAX)
        must(plan, rf_profile_add(p, end_us > plan->now_us ? end_us : plan->now_us + OVERDUE_US,
                                  INT64_MAX, n, NULL));
}

/* What is free now, and what comes free when running jobs are expected to end. */
static void build(struct rf_plan *plan, struct rf_line *line)
{
    struct rf_profile *p = &line->profile;
    int64_t free = (int64_t)plan->free - plan->reserved, overdue = 0;
    struct rf_roll_entry e;

    if (plan->policy->fence->separate) {
        const struct rf_wall *w = &plan->walls[line - plan->policy->lines];

        free = rf_plan_room(plan, w);
    }
    must(plan, rf_profile_start(p, plan->now_us, free, NULL));
    if (plan->policy->order->backfill == RF_BACKFILL_NONE) {
        const struct rf_state *s = plan->state;

        for (int32_t i = s->running_first; i >= 0 && plan->policy->failed == RF_OK;
             i = s->jobs[i].next)
            if (rf_policy_line_of(plan->policy, rf_policy_lane_of(plan->policy, i)) == line)
                come_free(plan, p, rf_policy_end_us(s->jobs[i].grant_us, s->jobs[i].limit_us),
                          s->jobs[i].ndevices);
    }
    for (struct rf_roll_place at = rf_roll_start(&line->running);
         rf_roll_at(&line->running, at, &e) && plan->policy->failed == RF_OK;
         at = rf_roll_next(&line->running, at))
        if (e.time_us <= plan->now_us) /* the first ones in the list, if any */
            overdue += e.need;
        else if (e.time_us != INT64_MAX)
            must(plan, rf_profile_extend(p, e.time_us, e.need, NULL));
    if (plan->policy->failed == RF_OK)
        must(plan, rf_profile_add(p, plan->now_us + OVERDUE_US, INT64_MAX, overdue, NULL));
    if (plan->policy->failed == RF_OK)
        holds(plan, p, -1, -1);
    forget_slots(plan->policy, line);
    line->last_planned = -1;
    line->window_us = plan->now_us;
}

void rf_ahead_take(struct rf_plan *plan, struct rf_line *line, const struct rf_roll_entry *e,
                   int64_t slot_us, int sign)
{
    if (slot_us != INT64_MAX)
        must(plan,
             rf_profile_add(&line->profile, slot_us,
                            e->time_us > INT64_MAX - slot_us ? INT64_MAX : slot_us + e->time_us,
                            -sign * (int64_t)e->need, NULL));
}

/* ---- planned starts ---- */

static enum rf_status set_slot(struct rf_policy *policy, int32_t job, int64_t slot_us)
{
    if (job >= policy->nslots) {
        int32_t n = job + job / 2 + 1024;
        int64_t *slots = realloc(policy->slot_us, (size_t)n * sizeof *slots);

        if (slots == NULL)
            return RF_ERR_MEMORY;
        policy->slot_us = slots;
        while (policy->nslots < n)
            policy->slot_us[policy->nslots++] = RF_NO_SLOT;
    }
    policy->slot_us[job] = slot_us;
    return RF_OK;
}

void rf_ahead_remember(struct rf_plan *plan, struct rf_line *line,
                       const struct rf_roll_entry *e, int64_t slot_us)
{
    struct rf_roll_entry planned = {slot_us, e->job, e->need};

    must(plan, set_slot(plan->policy, e->job, slot_us));
    must(plan, rf_roll_add(&line->planned, &planned, NULL));
}

/* Starts the jobs whose time has come, as far as the devices are there. */
static void start_due(struct rf_plan *plan, struct rf_line *line)
{
    struct rf_policy *policy = plan->policy;
    struct rf_roll_place at = rf_roll_start(&line->planned), place;
    struct rf_roll_entry e;

    while (!rf_plan_full(plan) && rf_roll_at(&line->planned, at, &e) &&
           e.time_us <= plan->now_us) {
        struct rf_lane *lane = rf_policy_lane_of(policy, e.job);

        if (e.need > rf_plan_room(plan, &plan->walls[lane->wall]) ||
            rf_plan_claiming(plan, e.job) ||
            !rf_roll_seek(&lane->jobs, rf_policy_entry(policy, e.job).time_us, e.job, &place)) {
            at = rf_roll_next(&line->planned, at);
            continue;
        }
        rf_plan_grant(plan, lane, &place, e.need);
        policy->slot_us[e.job] = RF_NO_SLOT;
        rf_roll_remove(&line->planned, &at);
    }
}

/* ---- replan, and depth ---- */

void rf_ahead_enter(struct rf_policy *policy, const struct rf_line *line)
{
    for (int32_t i = 0; i < policy->nlanes; i++) {
        struct rf_lane *lane = &policy->lanes[i];

        lane->on = lane->jobs.count > 0 && rf_policy_line_of(policy, lane) == line;
        if (lane->on)
            lane->at = line->last_planned < 0
                           ? rf_roll_start(&lane->jobs)
                           : rf_roll_behind(&lane->jobs, 0, line->last_planned);
    }
}

/* For how long is at least one device free from now on? */
static int64_t widest_window(const struct rf_plan *plan, const struct rf_profile *p)
{
    int64_t until_us = rf_profile_until(p, plan->now_us, 1);

    return until_us == INT64_MAX ? INT64_MAX : until_us - plan->now_us;
}

/* The first job from the lanes' places on that could start now, by the plan so far. With
 * `skip` the places move up to where such jobs are. */
static struct rf_lane *candidate(struct rf_plan *plan, struct rf_line *line,
                                 struct rf_roll_entry *entry, int skip)
{
    struct rf_policy *policy = plan->policy;
    struct rf_profile *p = &line->profile;
    int64_t window_us = plan->state->nholds > 0 ? INT64_MAX : widest_window(plan, p);
    struct rf_lane *first = NULL;

    for (int32_t i = 0; i < policy->nlanes; i++) {
        struct rf_lane *lane = &policy->lanes[i];
        struct rf_roll_place at = lane->at;
        int32_t room;
        struct rf_roll_entry e;
        int found = 0;

        if (!lane->on)
            continue;
        room = rf_plan_room(plan, &plan->walls[lane->wall]);
        while (!found && rf_roll_find(&lane->jobs, &at, room, window_us, 0)) {
            rf_roll_at(&lane->jobs, at, &e);
            found = !rf_plan_claiming(plan, e.job) && fits_now(plan, p, &e);
            if (!found)
                at = rf_roll_next(&lane->jobs, at);
        }
        if (skip)
            lane->at = at;
        if (!found && skip)
            lane->on = 0;
        if (found && (first == NULL || rf_plan_precedes(policy, lane, &e, first, entry))) {
            first = lane;
            *entry = e;
        }
    }
    return first;
}

static void plan_one(struct rf_plan *plan, struct rf_line *line, struct rf_lane *lane,
                     const struct rf_roll_entry *e)
{
    int64_t slot_us = earliest(plan, &line->profile, e);

    rf_ahead_take(plan, line, e, slot_us, 1);
    if (slot_us <= plan->now_us && e->need <= rf_plan_room(plan, &plan->walls[lane->wall])) {
        rf_plan_grant(plan, lane, &lane->at, e->need);
    } else {
        rf_ahead_remember(plan, line, e, slot_us);
        lane->at = rf_roll_next(&lane->jobs, lane->at);
    }
}

static void replan_all(struct rf_plan *plan, struct rf_line *line, int64_t depth)
{
    struct rf_roll_entry e, last;
    struct rf_lane *lane;
    int64_t nheld = line->planned.count;

    rf_ahead_enter(plan->policy, line);
    while (!rf_plan_full(plan) && nheld < depth && candidate(plan, line, &last, 0) != NULL) {
        do {
            lane = rf_plan_first(plan, &e);
            if (rf_plan_claiming(plan, e.job))
                lane->at = rf_roll_next(&lane->jobs, lane->at);
            else
                plan_one(plan, line, lane, &e);
            line->last_planned = e.job;
            nheld = line->planned.count;
        } while (e.job != last.job && !rf_plan_full(plan) && nheld < depth);
    }
    while (!rf_plan_full(plan) && nheld >= depth &&
           (lane = candidate(plan, line, &e, 1)) != NULL) {
        rf_ahead_take(plan, line, &e, plan->now_us, 1);
        rf_plan_grant(plan, lane, &lane->at, e.need);
    }
}

/* No reservations but what is kept clear; the first job that does not fit holds up the rest. */
static void in_turn(struct rf_plan *plan, struct rf_line *line)
{
    struct rf_roll_entry e;
    struct rf_lane *lane;

    rf_ahead_enter(plan->policy, line);
    while (!rf_plan_full(plan) && (lane = rf_plan_first(plan, &e)) != NULL) {
        if (rf_plan_claiming(plan, e.job)) {
            lane->at = rf_roll_next(&lane->jobs, lane->at);
            continue;
        }
        if (e.need > rf_plan_room(plan, &plan->walls[lane->wall]) ||
            !fits_now(plan, &line->profile, &e))
            return;
        rf_ahead_take(plan, line, &e, plan->now_us, 1);
        rf_plan_grant(plan, lane, &lane->at, e.need);
    }
}

/* ---- compress ---- */

/* Plans the jobs that have come in since the last time. */
static void plan_new(struct rf_plan *plan, struct rf_line *line)
{
    struct rf_roll_entry e;
    struct rf_lane *lane;

    rf_ahead_enter(plan->policy, line);
    while (plan->policy->failed == RF_OK && (lane = rf_plan_first(plan, &e)) != NULL) {
        int64_t slot_us = earliest(plan, &line->profile, &e);

        rf_ahead_take(plan, line, &e, slot_us, 1);
        rf_ahead_remember(plan, line, &e, slot_us);
        line->last_planned = e.job;
        lane->at = rf_roll_next(&lane->jobs, lane->at);
    }
}

/* One job ended at `end->time_us` at the latest: everybody moves up, in turn. */
static void move_up(struct rf_plan *plan, struct rf_line *line)
{
    struct rf_policy *policy = plan->policy;
    struct rf_roll_place at;
    struct rf_roll_entry e;
    struct rf_lane *lane;

    line->last_planned = -1; /* from the head of the line on */
    rf_ahead_enter(policy, line);
    line->settled = 1;
    while (policy->failed == RF_OK && (lane = rf_plan_first(plan, &e)) != NULL) {
        int64_t own_us = policy->slot_us[e.job], slot_us = own_us;

        if (own_us > plan->now_us)
            slot_us =
                rf_profile_earlier(&line->profile, plan->now_us, e.time_us, e.need, own_us);
        if (slot_us < own_us) {
            line->settled = 0;
            rf_ahead_take(plan, line, &e, own_us, -1);
            rf_ahead_take(plan, line, &e, slot_us, 1);
            if (rf_roll_seek(&line->planned, own_us, e.job, &at))
                rf_roll_remove(&line->planned, &at);
            rf_ahead_remember(plan, line, &e, slot_us);
        }
        line->last_planned = e.job;
        lane->at = rf_roll_next(&lane->jobs, lane->at);
    }
}

static void compress(struct rf_plan *plan, struct rf_line *line)
{
    int32_t last = line->last_planned;

    if (line->plan_stale) {
        build(plan, line);
        plan_new(plan, line);
        line->settled = 0;
    } else {
        rf_profile_advance(&line->profile, plan->now_us);
        plan_new(plan, line);
        last = line->last_planned;
        for (int32_t i = 0; i < line->nended && plan->policy->failed == RF_OK; i++) {
            int64_t tail_us = line->ended[i].time_us;

            if (tail_us > plan->now_us) {
                must(plan, rf_profile_add(&line->profile, plan->now_us, tail_us,
                                          line->ended[i].need, NULL));
                line->settled = 0;
            }
            if (!line->settled)
                move_up(plan, line);
        }
        line->last_planned = last;
    }
    start_due(plan, line);
}

/* ---- any of them ---- */

/* Who stands at the head of the line, and why. */
static void say_why(struct rf_plan *plan, struct rf_line *line)
{
    struct rf_lane *lane;
    const struct rf_wall *w;

    line->last_planned =
        plan->policy->order->backfill == RF_BACKFILL_PLAN ? line->last_planned : -1;
    for (int32_t i = 0; i < plan->policy->nlanes; i++) {
        struct rf_lane *l = &plan->policy->lanes[i];

        l->on = l->jobs.count > 0 && rf_policy_line_of(plan->policy, l) == line;
        l->at = rf_roll_start(&l->jobs);
    }
    lane = rf_plan_first(plan, &line->head);
    line->blocked = lane != NULL;
    if (lane == NULL || rf_plan_claiming(plan, line->head.job))
        return;
    w = &plan->walls[lane->wall];
    line->head_lane = (int32_t)(lane - plan->policy->lanes);
    rf_plan_delay(plan, line->head.job,
                  line->head.need <= rf_plan_room(plan, w)
                      ? "kept-clear"
                      : rf_plan_why(plan, w, line->head.need));
}

/* The plan is no good, but with so few devices nobody could start: then none is needed yet. */
static int nobody_fits(struct rf_plan *plan, const struct rf_line *line)
{
    struct rf_policy *policy = plan->policy;

    for (int32_t i = 0; i < policy->nlanes; i++) {
        struct rf_lane *lane = &policy->lanes[i];
        struct rf_roll_place at = rf_roll_start(&lane->jobs);
        int32_t room = rf_plan_room(plan, &plan->walls[lane->wall]);

        if (lane->jobs.count > 0 && lane->jobs.least_need <= room &&
            rf_policy_line_of(policy, lane) == line &&
            rf_roll_find(&lane->jobs, &at, room, INT64_MAX, 0))
            return 0;
    }
    return 1;
}

/* Does a job of the line run though it was expected to be over? When it will be nobody knows. */
static int overdue(const struct rf_plan *plan, const struct rf_line *line)
{
    struct rf_roll_entry first;

    return rf_roll_at(&line->running, rf_roll_start(&line->running), &first) &&
           first.time_us <= plan->now_us;
}

static void replan(struct rf_plan *plan, struct rf_line *line)
{
    const struct rf_policy *policy = plan->policy;
    int depth =
        policy->order->backfill == RF_BACKFILL_PLAN ? -1 : policy->options.reserve_depth;

    if (line->plan_stale) {
        build(plan, line);
    } else {
        rf_profile_advance(&line->profile, plan->now_us);
        start_due(plan, line);
    }
    if (policy->order->backfill == RF_BACKFILL_NONE)
        in_turn(plan, line);
    else if (depth >= 0 || policy->state->nholds > 0)
        replan_all(plan, line, depth < 0 ? INT64_MAX : depth);
    else
        rf_plan_window(plan, line);
}

void rf_plan_ahead(struct rf_plan *plan, struct rf_line *line)
{
    const struct rf_policy *policy = plan->policy;
    int keeps = policy->order->backfill == RF_BACKFILL_PLAN && policy->state->nholds == 0 &&
                plan->reserved == 0 && plan->nclaims == 0 && !policy->ranked;

    line->plan_stale |= !keeps || (policy->options.replan && overdue(plan, line));
    if (keeps && !policy->options.replan) {
        compress(plan, line);
        line->plan_stale = 0;
    } else if (!line->plan_stale || !nobody_fits(plan, line)) {
        replan(plan, line);
        line->plan_stale = !keeps || rf_plan_full(plan);
    }
    line->nended = 0;
    if (policy->options.explain && !rf_plan_full(plan))
        say_why(plan, line);
}
