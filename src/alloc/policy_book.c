/* What a policy remembers: lanes of waiting jobs, lines of running ones, usage by account.
 * All of it can be had from the state again (rf_policy_rebuild), except for what fell out of
 * the state: usage of the past, which decays. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/policy_plan.h"

/* ---- lists of a few jobs ---- */

enum rf_status rf_joblist_add(struct rf_joblist *list, int32_t job)
{
    if (list->n == list->room) {
        int32_t room = list->room * 2 + 16;
        int32_t *jobs = realloc(list->jobs, (size_t)room * sizeof *jobs);

        if (jobs == NULL)
            return RF_ERR_MEMORY;
        list->jobs = jobs;
        list->room = room;
    }
    list->jobs[list->n++] = job;
    return RF_OK;
}

int rf_joblist_remove(struct rf_joblist *list, int32_t job)
{
    for (int32_t i = list->n - 1; i >= 0; i--)
        if (list->jobs[i] == job) {
            list->n--;
            memmove(list->jobs + i, list->jobs + i + 1,
                    (size_t)(list->n - i) * sizeof *list->jobs);
            return 1;
        }
    return 0;
}

static void joblist_clear(struct rf_joblist *list)
{
    free(list->jobs);
    *list = (struct rf_joblist){0};
}

/* ---- time ---- */

struct rf_roll_entry rf_policy_entry(const struct rf_policy *policy, int32_t job)
{
    const struct rf_job *j = &policy->state->jobs[job];

    return (struct rf_roll_entry){j->limit_us > 0 ? j->limit_us : INT64_MAX, job, j->min};
}

enum { STEPS = 16 };

/* Sixteen of these factors make two, to within rounding; every sixteenth weight is exact. */
static const double STEP_FACTOR = 1.0442737824274138;

double rf_decay_at(struct rf_decay *decay, int64_t t_us)
{
    while (t_us - decay->since_us >= decay->step_us) {
        decay->integral += decay->weight * (double)decay->step_us;
        decay->since_us += decay->step_us;
        decay->weight *= STEP_FACTOR;
        if (++decay->step % STEPS == 0) {
            decay->weight = 1.0;
            for (int i = 0; i < decay->step / STEPS; i++)
                decay->weight *= 2.0;
        }
    }
    return decay->integral + decay->weight * (double)(t_us - decay->since_us);
}

/* Long runs: all usage and the weight are scaled down together, by a power of two. */
static void rescale(struct rf_policy *policy)
{
    struct rf_decay *d = &policy->decay;
    double scale = 1.0;

    if (d->step < 256 * STEPS)
        return;
    for (int i = 0; i < 256; i++)
        scale *= 0.5;
    d->step -= 256 * STEPS;
    d->weight *= scale;
    d->integral *= scale;
    for (int32_t i = 0; i < policy->nlanes; i++)
        policy->lanes[i].usage *= scale;
}

/* Devices of the lane's account change by `change` at t_us. */
static void use(struct rf_policy *policy, struct rf_lane *lane, int32_t change, int64_t t_us)
{
    lane = &policy->lanes[lane->base];
    if (!policy->order->by_account)
        return;
    rescale(policy);
    lane->usage -= change * rf_decay_at(&policy->decay, t_us);
    lane->used += change;
}

/* ---- accounts, walls, lanes ---- */

static int32_t find_wall(const struct rf_policy *policy, int32_t account)
{
    int32_t i = 0;

    while (i < policy->nwalls - 1 &&
           !rf_state_within(policy->state, account, policy->walls[i].pledge->account))
        i++;
    return i;
}

/* Where nobody has a right to anything, whose job it is decides nothing. */
static int one_lane(const struct rf_policy *policy)
{
    return policy->fence == &rf_fence_none && !policy->order->by_account;
}

static enum rf_status add_lane(struct rf_policy *policy, int32_t wall)
{
    if (policy->nlanes == policy->lane_room) {
        int32_t room = policy->lane_room * 2 + 8;
        struct rf_lane *lanes = realloc(policy->lanes, (size_t)room * sizeof *lanes);

        if (lanes == NULL)
            return RF_ERR_MEMORY;
        policy->lanes = lanes;
        policy->lane_room = room;
    }
    policy->lanes[policy->nlanes] =
        (struct rf_lane){.wall = wall,
                         .base = policy->nlanes,
                         .next = -1,
                         .jobs = {.by_time = policy->order->by_limit}};
    policy->nlanes++;
    return RF_OK;
}

struct rf_lane *rf_policy_lane_by_priority(struct rf_policy *policy, struct rf_lane *lane,
                                           int32_t job)
{
    int32_t priority = rf_state_job_extra(policy->state, job)->priority;
    struct rf_lane *at = lane;

    while (at->priority != priority && at->next >= 0)
        at = &policy->lanes[at->next];
    return at->priority == priority ? at : lane;
}

/* Jobs of one priority have a lane of their own. */
static enum rf_status open_lane(struct rf_policy *policy, int32_t job)
{
    struct rf_lane *lane = rf_policy_lane_of(policy, job);
    int32_t priority = rf_state_job_extra(policy->state, job)->priority, base = lane->base;
    enum rf_status st;

    if (lane->priority == priority)
        return RF_OK;
    st = add_lane(policy, lane->wall);
    if (st != RF_OK)
        return st;
    lane = &policy->lanes[policy->nlanes - 1];
    lane->priority = priority;
    lane->base = base;
    lane->next = policy->lanes[base].next;
    policy->lanes[base].next = policy->nlanes - 1;
    policy->ranked = 1;
    return RF_OK;
}

enum rf_status rf_policy_learn_accounts(struct rf_policy *policy)
{
    int32_t n = policy->state->naccounts;
    int32_t *lane_of = realloc(policy->lane_of, (size_t)n * sizeof *lane_of), *wall_of;
    enum rf_status st = RF_OK;

    if (lane_of == NULL)
        return RF_ERR_MEMORY;
    policy->lane_of = lane_of;
    wall_of = realloc(policy->wall_of, (size_t)n * sizeof *wall_of);
    if (wall_of == NULL)
        return RF_ERR_MEMORY;
    policy->wall_of = wall_of;
    for (; policy->naccounts < n && st == RF_OK; policy->naccounts++) {
        int32_t wall = find_wall(policy, policy->naccounts);

        wall_of[policy->naccounts] = wall;
        lane_of[policy->naccounts] = policy->order->by_account ? policy->nlanes
                                     : one_lane(policy)        ? 0
                                                               : wall;
        if (policy->order->by_account)
            st = add_lane(policy, wall);
    }
    return st;
}

/* ---- jobs that wait ---- */

static void count_wide(struct rf_policy *policy, struct rf_wall *wall, int32_t job, int change)
{
    if (policy->state->jobs[job].min > wall->wide_over)
        wall->nwide += change;
}

enum rf_status rf_policy_enqueue(struct rf_policy *policy, int32_t job)
{
    struct rf_roll_entry entry = rf_policy_entry(policy, job);
    struct rf_lane *lane;
    enum rf_status st = policy->state->jobs[job].extra < 0 ? RF_OK : open_lane(policy, job);

    if (st != RF_OK)
        return st;
    lane = rf_policy_lane_of(policy, job);
    st = rf_roll_add(&lane->jobs, &entry, NULL);
    if (st != RF_OK)
        return st;
    lane->widest =
        entry.need > lane->widest || lane->jobs.count == 1 ? entry.need : lane->widest;
    policy->recheck |= entry.need > policy->least_most;
    count_wide(policy, &policy->walls[lane->wall], job, 1);
    return RF_OK;
}

static int find_waiting(struct rf_policy *policy, int32_t job, struct rf_roll_place *place)
{
    int64_t time_us = rf_policy_entry(policy, job).time_us;

    return rf_roll_seek(&rf_policy_lane_of(policy, job)->jobs, time_us, job, place);
}

int rf_policy_waits(struct rf_policy *policy, int32_t job)
{
    struct rf_roll_place place;

    return find_waiting(policy, job, &place);
}

int rf_policy_kept(const struct rf_policy *policy, int32_t job, const char **why)
{
    const char *any;

    return policy->fence->keeps != NULL &&
           policy->fence->keeps(policy, job, why == NULL ? &any : why);
}

int rf_policy_dequeue(struct rf_policy *policy, int32_t job)
{
    struct rf_lane *lane = rf_policy_lane_of(policy, job);
    struct rf_roll_place place;

    if (!find_waiting(policy, job, &place))
        return 0;
    rf_roll_remove(&lane->jobs, &place);
    count_wide(policy, &policy->walls[lane->wall], job, -1);
    if (job < policy->nslots && policy->slot_us[job] != RF_NO_SLOT) /* others may have it */
        rf_policy_line_of(policy, lane)->plan_stale = 1;
    return 1;
}

/* ---- jobs that run ---- */

static int resizable(const struct rf_policy *policy, int32_t job)
{
    return policy->state->jobs[job].max > policy->state->jobs[job].min;
}

enum rf_status rf_policy_start(struct rf_policy *policy, int32_t job, int32_t count,
                               int64_t t_us)
{
    const struct rf_job *j = &policy->state->jobs[job];
    struct rf_lane *lane = rf_policy_lane_of(policy, job);
    struct rf_roll_entry entry = {rf_policy_end_us(t_us, j->limit_us), job, count};

    policy->nresizable += resizable(policy, job);
    count_wide(policy, &policy->walls[lane->wall], job, 1);
    if (policy->order->backfill == RF_BACKFILL_NONE)
        return RF_OK;
    use(policy, lane, count, t_us > policy->state->now_us ? t_us : policy->state->now_us);
    return rf_roll_add(&rf_policy_line_of(policy, lane)->running, &entry, NULL);
}

static int find_running(const struct rf_roll *running, int64_t end_us, int32_t job,
                        struct rf_roll_place *place)
{
    struct rf_roll_entry entry;

    if (rf_roll_seek(running, end_us, job, place))
        return 1;
    for (*place = rf_roll_start(running); rf_roll_at(running, *place, &entry);
         *place = rf_roll_next(running, *place))
        if (entry.job == job)
            return 1;
    return 0;
}

/* A plan made ahead has counted on this job's devices from its expected end on. */
static void note_end(struct rf_policy *policy, struct rf_line *line,
                     const struct rf_roll_entry *entry, int64_t t_us)
{
    if (policy->options.replan || entry->time_us < t_us) {
        line->plan_stale |= entry->time_us != t_us;
        return;
    }
    if (line->nended == line->ended_room) {
        int32_t room = line->ended_room * 2 + 16;
        struct rf_roll_entry *ended = realloc(line->ended, (size_t)room * sizeof *ended);

        if (ended == NULL) {
            line->plan_stale = 1; /* then all is planned anew */
            return;
        }
        line->ended = ended;
        line->ended_room = room;
    }
    line->ended[line->nended++] = *entry;
}

void rf_policy_stop(struct rf_policy *policy, int32_t job, int64_t granted_us, int64_t t_us)
{
    const struct rf_job *j = &policy->state->jobs[job];
    struct rf_lane *lane = rf_policy_lane_of(policy, job);
    struct rf_line *line = rf_policy_line_of(policy, lane);
    struct rf_roll_place place;
    struct rf_roll_entry entry;

    policy->nresizable -= resizable(policy, job);
    count_wide(policy, &policy->walls[lane->wall], job, -1);
    if (policy->stopping.n > 0)
        rf_joblist_remove(&policy->stopping, job);
    if (policy->order->backfill == RF_BACKFILL_NONE ||
        !find_running(&line->running, rf_policy_end_us(granted_us, j->limit_us), job, &place))
        return;
    rf_roll_at(&line->running, place, &entry);
    rf_roll_remove(&line->running, &place);
    if (policy->order->backfill == RF_BACKFILL_PLAN)
        note_end(policy, line, &entry, t_us);
    use(policy, lane, -entry.need, t_us);
}

enum rf_status rf_policy_resize(struct rf_policy *policy, int32_t job, int32_t change,
                                int64_t t_us)
{
    const struct rf_job *j = &policy->state->jobs[job];
    struct rf_lane *lane = rf_policy_lane_of(policy, job);
    struct rf_roll *running = &rf_policy_line_of(policy, lane)->running;
    struct rf_roll_place place;
    struct rf_roll_entry entry;

    if (policy->order->backfill == RF_BACKFILL_NONE ||
        !find_running(running, rf_policy_end_us(j->grant_us, j->limit_us), job, &place))
        return RF_OK;
    rf_roll_at(running, place, &entry);
    rf_roll_remove(running, &place);
    entry.need += change;
    rf_policy_line_of(policy, lane)->plan_stale = 1;
    use(policy, lane, change, t_us);
    return rf_roll_add(running, &entry, NULL);
}

/* ---- everything anew ---- */

void rf_policy_forget(struct rf_policy *policy)
{
    for (int32_t i = 0; i < policy->nlanes; i++)
        rf_roll_clear(&policy->lanes[i].jobs);
    for (int i = 0; i <= RF_PLEDGES_MAX; i++) {
        rf_roll_clear(&policy->lines[i].running);
        rf_roll_clear(&policy->lines[i].planned);
        rf_profile_clear(&policy->lines[i].profile);
        free(policy->lines[i].ended);
        policy->lines[i] = (struct rf_line){.running = {.by_time = 1},
                                            .planned = {.by_time = 1},
                                            .plan_stale = 1,
                                            .last_planned = -1};
    }
    joblist_clear(&policy->held_back);
    joblist_clear(&policy->fresh);
    joblist_clear(&policy->stopping);
    joblist_clear(&policy->refused);
    joblist_clear(&policy->bounded);
    policy->due_us = INT64_MAX;
    policy->ranked = 0;
    free(policy->lanes);
    free(policy->lane_of);
    free(policy->wall_of);
    free(policy->slot_us);
    free(policy->pending);
    policy->lanes = NULL;
    policy->lane_of = policy->wall_of = NULL;
    policy->slot_us = NULL;
    policy->pending = NULL;
    policy->nlanes = policy->lane_room = policy->naccounts = policy->nslots = 0;
    policy->npending = policy->pending_at = policy->pending_room = 0;
    policy->nresizable = policy->nlines = policy->nwalls = 0;
    policy->decay = (struct rf_decay){0};
}

void rf_policy_measure(struct rf_policy *policy)
{
    const struct rf_state *s = policy->state;
    struct rf_plan plan = {.policy = policy, .state = s};
    struct rf_wall *rest = &policy->walls[policy->nwalls - 1];

    rest->whole = s->nfleet;
    for (int i = 0; i < policy->nwalls - 1; i++) {
        struct rf_wall *w = &policy->walls[i];
        int64_t basis;

        w->pledge = &s->pledges[i];
        basis = rf_plan_basis(&plan, w->pledge);
        w->whole = (int32_t)rf_share_of(&w->pledge->share, basis);
        if (rf_share_below(&w->pledge->share, w->whole, basis))
            w->whole++;
        rest->whole -= w->whole;
    }
}

void rf_policy_count(struct rf_policy *policy)
{
    const struct rf_state *s = policy->state;
    struct rf_wall *rest = &policy->walls[policy->nwalls - 1];

    rest->used = s->nfleet - s->nfree;
    for (struct rf_wall *w = policy->walls; w < rest; w++) {
        w->used = s->accounts[w->pledge->account].used;
        rest->used -= w->used;
    }
}

/* What accounts have used is kept over a change of pledges. */
static double *keep_usage(struct rf_policy *policy)
{
    double *kept;

    if (!policy->order->by_account || policy->naccounts == 0)
        return NULL;
    kept = calloc((size_t)policy->state->naccounts, sizeof *kept);
    for (int32_t i = 0; kept != NULL && i < policy->naccounts; i++) {
        const struct rf_lane *lane = &policy->lanes[policy->lane_of[i]];

        kept[i] = lane->usage + lane->used * rf_decay_at(&policy->decay, policy->state->now_us);
    }
    return kept;
}

static enum rf_status take_jobs(struct rf_policy *policy)
{
    const struct rf_state *s = policy->state;
    const char *why = "";
    enum rf_status st = RF_OK;

    for (int32_t i = s->running_first; i >= 0 && st == RF_OK; i = s->jobs[i].next) {
        const struct rf_job *job = &s->jobs[i];

        st = rf_policy_start(policy, i, job->ndevices, job->grant_us);
        if (st == RF_OK && job->state == RF_JOB_STOPPING)
            st = rf_joblist_add(&policy->stopping, i);
    }
    for (int32_t i = s->queue_first; i >= 0 && st == RF_OK; i = s->jobs[i].next) {
        st = rf_joblist_add(&policy->fresh, i);
        if (st == RF_OK)
            st = rf_policy_bound(policy, i);
        if (st == RF_OK && rf_policy_kept(policy, i, &why))
            st =
                strcmp(why, "board-pending") == 0 ? RF_OK : rf_joblist_add(&policy->refused, i);
        else if (st == RF_OK)
            st = rf_state_ready(s, &s->jobs[i]) ? rf_policy_enqueue(policy, i)
                                                : rf_joblist_add(&policy->held_back, i);
    }
    return st;
}

enum rf_status rf_policy_rebuild(struct rf_policy *policy, struct rf_error *err)
{
    const struct rf_state *s = policy->state;
    double *kept = keep_usage(policy);
    int32_t nkept = kept == NULL ? 0 : policy->naccounts;
    enum rf_status st = rf_fence_take_over(policy);
    struct rf_decay decay = policy->decay;

    rf_policy_forget(policy);
    policy->decay = decay;
    if (nkept == 0)
        policy->decay = (struct rf_decay){.step_us = policy->options.half_life_us / STEPS,
                                          .since_us = s->now_us,
                                          .weight = 1.0};
    policy->nwalls = s->npledges + 1;
    for (int i = 0; i < policy->nwalls; i++)
        policy->walls[i] = (struct rf_wall){.wide_over = INT32_MAX};
    for (int i = 0; i < s->npledges; i++)
        policy->walls[i].pledge = &s->pledges[i];
    policy->nlines = policy->fence->separate ? policy->nwalls : 1;
    if (one_lane(policy) && st == RF_OK)
        st = add_lane(policy, policy->nwalls - 1);
    else
        for (int32_t i = 0; i < policy->nwalls && !policy->order->by_account && st == RF_OK;
             i++)
            st = add_lane(policy, i);
    if (st == RF_OK && s->naccounts > 0)
        st = rf_policy_learn_accounts(policy);
    rf_policy_measure(policy);
    for (int32_t i = 0; i < nkept && st == RF_OK; i++)
        policy->lanes[policy->lane_of[i]].usage = kept[i];
    if (st == RF_OK)
        st = take_jobs(policy);
    free(kept);
    policy->recheck = 1;
    policy->dirty = RF_DIRTY_ALL;
    return st == RF_OK ? RF_OK : rf_fail(err, st, "out of memory: the policy's view");
}
