/* The policies by name, their options, and what they learn from events: both what others did,
 * and what came of their own proposals. */
#include "alloc/policy.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/policy_plan.h"

static const struct rf_order ORDERS[] = {
    {"fcfs", 0, 0, RF_BACKFILL_NONE},         {"easy", 0, 0, RF_BACKFILL_DEPTH},
    {"conservative", 0, 0, RF_BACKFILL_PLAN}, {"sjf", 1, 0, RF_BACKFILL_NONE},
    {"fairshare", 0, 1, RF_BACKFILL_DEPTH},
};
static const struct rf_fence *const FENCES[] = {&rf_fence_none,  &rf_fence_partition,
                                                &rf_fence_floor, &rf_fence_bank,
                                                &rf_fence_stock, &rf_fence_request};

enum { NORDERS = sizeof ORDERS / sizeof *ORDERS, NFENCES = sizeof FENCES / sizeof *FENCES };

#define SECOND_US INT64_C(1000000)

/* ---- options ---- */

struct rf_policy_options rf_policy_options_make(void)
{
    return (struct rf_policy_options){.order = "fcfs",
                                      .fence = "none",
                                      .reserve_depth = 1,
                                      .replan = 1,
                                      .half_life_us = 7 * 86400 * SECOND_US,
                                      .explain = 1};
}

static const struct rf_order *find_order(const char *name)
{
    for (int i = 0; i < NORDERS; i++)
        if (strcmp(name, ORDERS[i].name) == 0)
            return &ORDERS[i];
    return NULL;
}

static const struct rf_fence *find_fence(const char *name)
{
    for (int i = 0; i < NFENCES; i++)
        if (strcmp(name, FENCES[i]->name) == 0)
            return FENCES[i];
    return NULL;
}

static void append(char *text, size_t size, const char *name)
{
    size_t n = strlen(text);

    if (n + strlen(name) + 3 < size) {
        strcpy(text + n, n > 0 ? ", " : "");
        strcat(text, name);
    }
}

static enum rf_status check_names(const char *order, const char *fence, struct rf_error *err)
{
    char known[200] = "";

    if (find_order(order) == NULL) {
        for (int i = 0; i < NORDERS; i++)
            append(known, sizeof known, ORDERS[i].name);
        return rf_fail(err, RF_ERR_CONFIG, "unknown order: '%.40s' (known: %s)", order, known);
    }
    if (find_fence(fence) == NULL) {
        for (int i = 0; i < NFENCES; i++)
            append(known, sizeof known, FENCES[i]->name);
        return rf_fail(err, RF_ERR_CONFIG, "unknown fence: '%.40s' (known: %s)", fence, known);
    }
    return RF_OK;
}

enum rf_status rf_policy_options_check(const struct rf_policy_options *options,
                                       struct rf_error *err)
{
    enum rf_status st = check_names(options->order, options->fence, err);

    if (st == RF_OK && options->reserve_depth < -1)
        st = rf_fail(err, RF_ERR_CONFIG,
                     "reserve depth out of range: %d (expected -1 for all, or 0 and more)",
                     options->reserve_depth);
    if (st == RF_OK && options->half_life_us < 60 * SECOND_US)
        st = rf_fail(err, RF_ERR_CONFIG, "half-life is too short: at least one minute");
    if (st == RF_OK && (options->checkpoint_us < 0 || options->checkpoint_every_us < 0 ||
                        options->restart_us < 0))
        st = rf_fail(err, RF_ERR_CONFIG, "a checkpoint's or restart's time is negative");
    return st;
}

/* ---- life ---- */

/* A policy event in the state's past may have put another order and fence in force. */
static enum rf_status take_over(struct rf_policy *policy, struct rf_error *err)
{
    const struct rf_state *s = policy->state;
    const char *order = s->opened && s->order[0] != '\0' ? s->order : policy->options.order;
    const char *fence = s->opened && s->fence[0] != '\0' ? s->fence : policy->options.fence;
    enum rf_status st = check_names(order, fence, err);

    if (st == RF_OK && find_fence(fence)->promises && policy->tally == NULL)
        st = rf_fail(err, RF_ERR_ARG, "fence '%.40s' needs a tally", fence);
    if (st != RF_OK)
        return st;
    if (policy->order != NULL && policy->order->by_account != find_order(order)->by_account)
        rf_policy_forget(policy); /* usage by account was not kept, or is no longer */
    policy->order = find_order(order);
    policy->fence = find_fence(fence);
    policy->plain = policy->fence == &rf_fence_none && !policy->order->by_account &&
                    policy->order->backfill != RF_BACKFILL_PLAN &&
                    (policy->order->backfill == RF_BACKFILL_NONE ||
                     policy->options.reserve_depth == 0 || policy->options.reserve_depth == 1);
    policy->short_cut = policy->plain && !policy->order->by_limit && !policy->options.explain;
    return rf_policy_rebuild(policy, err);
}

enum rf_status rf_policy_create(struct rf_policy **policy,
                                const struct rf_policy_options *options,
                                const struct rf_state *state, const struct rf_tally *tally,
                                struct rf_error *err)
{
    enum rf_status st = rf_policy_options_check(options, err);
    struct rf_policy *p = NULL;

    *policy = NULL;
    if (st == RF_OK && (p = calloc(1, sizeof *p)) == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: a policy");
    if (st != RF_OK)
        return st;
    p->options = *options;
    p->state = state;
    p->tally = tally;
    p->retry_us = state->retry_us;
    st = take_over(p, err);
    if (st == RF_OK)
        *policy = p;
    else
        rf_policy_destroy(p);
    return st;
}

void rf_policy_destroy(struct rf_policy *policy)
{
    if (policy == NULL)
        return;
    rf_policy_forget(policy);
    rf_fence_forget(policy);
    free(policy);
}

/* ---- what was proposed and has not happened yet ---- */

enum rf_status rf_policy_expect(struct rf_policy *policy, const struct rf_proposal *out, int n)
{
    if (n > policy->pending_room) {
        struct rf_proposal *pending = realloc(policy->pending, (size_t)n * sizeof *pending);

        if (pending == NULL)
            return RF_ERR_MEMORY;
        policy->pending = pending;
        policy->pending_room = n;
    }
    if (n > 0)
        memcpy(policy->pending, out, (size_t)n * sizeof *out);
    policy->npending = n;
    policy->pending_at = 0;
    return RF_OK;
}

static enum rf_status take_back_one(struct rf_policy *policy, const struct rf_proposal *p)
{
    switch (p->kind) {
    case RF_PROPOSE_GRANT:
        rf_policy_stop(policy, p->job, policy->pending_us, policy->pending_us);
        return rf_policy_enqueue(policy, p->job);
    case RF_PROPOSE_PREEMPT:
        rf_joblist_remove(&policy->stopping, p->job);
        return RF_OK;
    case RF_PROPOSE_SHRINK:
        return rf_policy_resize(policy, p->job, p->count, policy->pending_us);
    case RF_PROPOSE_GROW:
        return rf_policy_resize(policy, p->job, -p->count, policy->pending_us);
    case RF_PROPOSE_DENY:
        if (rf_policy_kept(policy, p->job, NULL)) /* it is on the fence's list */
            return RF_OK;
        return rf_state_ready(policy->state, &policy->state->jobs[p->job])
                   ? rf_policy_enqueue(policy, p->job)
                   : rf_joblist_add(&policy->held_back, p->job);
    case RF_PROPOSE_DELAY:
        rf_joblist_remove(&policy->fresh, p->job);
        return rf_joblist_add(&policy->fresh, p->job);
    }
    return RF_OK;
}

/* Not everything that was proposed was carried out: back to how things are. */
void rf_policy_take_back(struct rf_policy *policy)
{
    while (policy->npending > policy->pending_at && policy->failed == RF_OK)
        policy->failed = take_back_one(policy, &policy->pending[--policy->npending]);
    policy->npending = policy->pending_at = 0;
    policy->dirty = RF_DIRTY_ALL;
    policy->recheck = 1;
    for (int i = 0; i < policy->nlines; i++)
        policy->lines[i].plan_stale = 1;
}

/* Is the event what was proposed next? */
static int as_proposed(const struct rf_policy *policy, const struct rf_event *event)
{
    static const enum rf_event_type TYPES[] = {
        [RF_PROPOSE_GRANT] = RF_EVENT_GRANT,   [RF_PROPOSE_PREEMPT] = RF_EVENT_PREEMPT,
        [RF_PROPOSE_SHRINK] = RF_EVENT_SHRINK, [RF_PROPOSE_GROW] = RF_EVENT_GROW,
        [RF_PROPOSE_DENY] = RF_EVENT_DENY,     [RF_PROPOSE_DELAY] = RF_EVENT_DELAY};
    const struct rf_proposal *p = &policy->pending[policy->pending_at];
    int counted = event->type == RF_EVENT_GRANT || event->type == RF_EVENT_SHRINK ||
                  event->type == RF_EVENT_GROW;

    return TYPES[p->kind] == event->type && p->job == event->job &&
           (!counted || rf_state_count(policy->state, event) == p->count);
}

/* ---- events ---- */

int rf_policy_held_up(const struct rf_policy *policy)
{
    const struct rf_line *line = &policy->lines[0];

    return line->blocked && line->head.need > policy->state->nfree && policy->plain &&
           policy->nresizable == 0 && policy->state->nholds == 0 && !policy->recheck &&
           policy->bounded.n == 0 && !policy->state->limited && !policy->ranked &&
           (!policy->options.explain || policy->fresh.n == 0);
}

/* Can a job that has just come in neither start in turn nor overtake? Then there is nothing to
 * ask. */
static int cannot_start(const struct rf_policy *policy, int32_t job)
{
    const struct rf_job *j = &policy->state->jobs[job];

    return policy->dirty == 0 && !policy->order->by_limit && !policy->options.explain &&
           rf_state_job_extra(policy->state, job)->priority == 0 &&
           job > policy->lines[0].head.job && j->min <= policy->least_most &&
           (policy->order->backfill == RF_BACKFILL_NONE || j->min > policy->state->nfree) &&
           rf_policy_held_up(policy);
}

enum rf_status rf_policy_observe_request(struct rf_policy *policy, int32_t job)
{
    const struct rf_state *s = policy->state;
    enum rf_status st = RF_OK;

    if (!cannot_start(policy, job)) {
        st = rf_joblist_add(&policy->fresh, job);
        policy->dirty |= RF_DIRTY_ARRIVAL;
    }
    if (st == RF_OK && s->naccounts > policy->naccounts)
        st = rf_policy_learn_accounts(policy);
    if (st == RF_OK)
        st = rf_policy_bound(policy, job);
    if (st == RF_OK && policy->fence->receive != NULL)
        st = policy->fence->receive(policy, job);
    if (st != RF_OK || rf_policy_kept(policy, job, NULL))
        return st;
    if (rf_state_ready(s, &s->jobs[job]))
        return rf_policy_enqueue(policy, job);
    policy->recheck = 1;
    return rf_joblist_add(&policy->held_back, job);
}

/* The job waits no more. */
static void forget_waiting(struct rf_policy *policy, int32_t job)
{
    if (!rf_policy_dequeue(policy, job))
        rf_joblist_remove(&policy->held_back, job);
}

void rf_policy_plans_stale(struct rf_policy *policy)
{
    for (int i = 0; i < policy->nlines; i++)
        policy->lines[i].plan_stale = 1;
}

static enum rf_status observe_grant(struct rf_policy *policy, const struct rf_event *event)
{
    rf_policy_plans_stale(policy);
    policy->dirty |= RF_DIRTY_ALL;
    forget_waiting(policy, event->job);
    return rf_policy_start(policy, event->job, policy->state->jobs[event->job].ndevices,
                           event->t_us);
}

/* Jobs that came after this one may be ready now, or never. */
static void observe_over(struct rf_policy *policy)
{
    policy->recheck |= policy->held_back.n > 0;
    policy->dirty |= RF_DIRTY_ALL;
}

static enum rf_status observe_stop(struct rf_policy *policy, const struct rf_event *event)
{
    const struct rf_job *job = &policy->state->jobs[event->job];
    enum rf_status st = RF_OK;

    if (event->lease < 0) { /* it never started */
        forget_waiting(policy, event->job);
        observe_over(policy);
        return RF_OK;
    }
    rf_policy_stop(policy, event->job, job->grant_us, event->t_us);
    observe_over(policy);
    if (event->type == RF_EVENT_RELEASE) {
        rf_policy_plans_stale(policy);
        st = rf_joblist_add(&policy->fresh, event->job);
        if (st == RF_OK)
            st = rf_policy_bound(policy, event->job);
        if (st == RF_OK)
            st = rf_state_ready(policy->state, job)
                     ? rf_policy_enqueue(policy, event->job)
                     : rf_joblist_add(&policy->held_back, event->job);
    }
    return st;
}

static enum rf_status observe_preempt(struct rf_policy *policy, int32_t job)
{
    policy->dirty = RF_DIRTY_ALL;
    return rf_joblist_add(&policy->stopping, job);
}

/* The policy has taken it for granted already, but for the time it happened at and what
 * depends on it. */
static enum rf_status observe_proposed(struct rf_policy *policy, const struct rf_event *event)
{
    policy->pending_at++;
    if (event->type == RF_EVENT_DENY && policy->held_back.n > 0)
        observe_over(policy);
    if (event->type == RF_EVENT_GRANT && event->t_us != policy->pending_us) {
        rf_policy_stop(policy, event->job, policy->pending_us, event->t_us);
        rf_policy_plans_stale(policy);
        return rf_policy_start(policy, event->job, policy->state->jobs[event->job].ndevices,
                               event->t_us);
    }
    return RF_OK;
}

static enum rf_status observe_change(struct rf_policy *policy, const struct rf_event *event,
                                     struct rf_error *err)
{
    switch (event->type) {
    case RF_EVENT_OPEN:
    case RF_EVENT_POLICY:
    case RF_EVENT_PLEDGE:
    case RF_EVENT_RELABEL:
    case RF_EVENT_RECOVER:
        return take_over(policy, err);
    case RF_EVENT_LIMIT:
        observe_over(policy);
        return RF_OK;
    case RF_EVENT_CAPACITY:
        rf_policy_measure(policy);
        policy->recheck = 1;
        observe_over(policy);
        rf_policy_plans_stale(policy);
        return RF_OK;
    case RF_EVENT_RESERVE:
        observe_over(policy);
        rf_policy_plans_stale(policy);
        return RF_OK;
    case RF_EVENT_REQUEST:
        return rf_policy_observe_request(policy, event->job);
    case RF_EVENT_DENY:
        forget_waiting(policy, event->job);
        observe_over(policy);
        return RF_OK;
    case RF_EVENT_GRANT:
        return observe_grant(policy, event);
    case RF_EVENT_PREEMPT:
        return observe_preempt(policy, event->job);
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
        rf_policy_plans_stale(policy);
        policy->dirty |= RF_DIRTY_ALL;
        return rf_policy_resize(policy, event->job,
                                event->type == RF_EVENT_GROW
                                    ? rf_state_count(policy->state, event)
                                    : -rf_state_count(policy->state, event),
                                event->t_us);
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        return observe_stop(policy, event);
    default:
        return RF_OK;
    }
}

/* Events that change nothing for a policy. */
static const uint32_t NO_MATTER =
    UINT32_C(1) << RF_EVENT_CHARGE | UINT32_C(1) << RF_EVENT_DISPUTE |
    UINT32_C(1) << RF_EVENT_CHECKPOINT | UINT32_C(1) << RF_EVENT_MEASURE |
    UINT32_C(1) << RF_EVENT_ROTATE | UINT32_C(1) << RF_EVENT_HEARTBEAT |
    UINT32_C(1) << RF_EVENT_CLOSE;

enum rf_status rf_policy_observe(struct rf_policy *policy, const struct rf_event *event,
                                 struct rf_error *err)
{
    enum rf_status st = policy->failed;

    if (policy->retry_us != policy->state->retry_us) { /* perhaps somebody is ready again */
        policy->retry_us = policy->state->retry_us;
        observe_over(policy);
    }
    if (st == RF_OK && ((UINT32_C(1) << event->type) & NO_MATTER) != 0)
        return RF_OK;
    if (st == RF_OK && policy->npending > policy->pending_at && as_proposed(policy, event)) {
        st = observe_proposed(policy, event);
    } else if (st == RF_OK) {
        if (event->type ==
            RF_EVENT_RELABEL) /* all is built anew; the job's lane is another now */
            policy->npending = policy->pending_at = 0;
        if (policy->npending > policy->pending_at)
            rf_policy_take_back(policy);
        st = policy->failed;
        if (st == RF_OK)
            st = observe_change(policy, event, err);
    }
    if (st == RF_OK && policy->fence->observe != NULL)
        st = policy->fence->observe(policy, event);
    if (st == RF_ERR_MEMORY)
        rf_fail(err, st, "out of memory: the policy's view");
    policy->failed = st;
    return st;
}
