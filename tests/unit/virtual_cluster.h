/* virtual_cluster.h - a driver with a virtual clock, for tests of state, policy, tally and
 * audit.
 *
 * Jobs have an amount of work in device-microseconds and end when it is done;
 * a job that is asked to stop does so after stop_us. Every event goes through
 * rf_tally_before, rf_state_apply, rf_tally_after, the policy and the invariants, and, when
 * there is one, to a ledger: what the coordinator does, without ranks and without waiting. */
#ifndef TESTS_UNIT_VIRTUAL_CLUSTER_H
#define TESTS_UNIT_VIRTUAL_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/invariant.h"
#include "alloc/ledger.h"
#include "alloc/pledge.h"
#include "alloc/policy.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)

struct work {
    char name[24], account[32];
    int32_t min, max, after; /* after: a job id, or -1 */
    int64_t submit_us, work_us;
    int fails; /* ends as failed */
};

struct cluster {
    struct rf_state *state;
    struct rf_tally *tally;
    struct rf_policy *policy;
    struct rf_ledger *ledger; /* may be NULL */
    const struct work *works;
    int nworks, nsubmitted;
    int64_t *left_us; /* work left per job, as of its last charge */
    int64_t t_us, tick_us, stop_us;
    int64_t events, proposals;
};

/* The one way in which an event reaches the cluster. */
static inline void cluster_emit(struct cluster *c, struct rf_event *e)
{
    struct rf_error err = {RF_OK, ""};
    enum rf_status st;

    e->seq = c->state->next_seq;
    st = rf_tally_before(c->tally, c->state, e, &err);
    if (st == RF_OK)
        st = rf_state_apply(c->state, e, &err);
    if (st == RF_OK)
        st = rf_tally_after(c->tally, c->state, e, &err);
    if (st == RF_OK)
        st = rf_policy_observe(c->policy, e, &err);
    if (st == RF_OK)
        st = rf_invariant_check(c->state, &err);
    if (st == RF_OK && c->ledger != NULL)
        st = rf_ledger_append(c->ledger, e, &err);
    if (st != RF_OK)
        fail_msg("%s at %lld: %s", rf_event_type_name(e->type), (long long)e->t_us, err.text);
    rf_event_clear(e);
    c->events++;
}

static inline void cluster_capacity(struct cluster *c, int32_t begin, int32_t end, int up)
{
    struct rf_event e = rf_event_make(RF_EVENT_CAPACITY, c->t_us);

    e.up = up;
    snprintf(e.reason, sizeof e.reason, "%s", up ? "joined" : "left");
    assert_int_equal(rf_idset_add(&e.devices, begin, end, NULL), RF_OK);
    cluster_emit(c, &e);
}

static inline void cluster_pledge(struct cluster *c, const char *account, const char *share,
                                  const char *fence, int64_t window_us, int64_t tolerance_us)
{
    struct rf_event e = rf_event_make(RF_EVENT_PLEDGE, c->t_us);

    assert_int_equal(rf_share_parse(&e.share, share, NULL), RF_OK);
    snprintf(e.account, sizeof e.account, "%s", account);
    snprintf(e.basis, sizeof e.basis, "fleet");
    snprintf(e.text, sizeof e.text, "%s", fence);
    snprintf(e.author, sizeof e.author, "test");
    snprintf(e.reason, sizeof e.reason, "declared");
    e.window_us = window_us;
    e.tolerance_us = tolerance_us;
    cluster_emit(c, &e);
}

static inline void cluster_start(struct cluster *c, const char *fence, int32_t devices,
                                 struct rf_ledger *ledger)
{
    struct rf_event e = rf_event_make(RF_EVENT_OPEN, 1000 * SECOND);
    struct rf_policy_options options = rf_policy_options_make();

    *c =
        (struct cluster){.t_us = 1000 * SECOND, .tick_us = 60 * SECOND, .stop_us = 30 * SECOND};
    c->ledger = ledger;
    assert_int_equal(rf_state_create(&c->state, 0, NULL), RF_OK);
    assert_int_equal(rf_tally_create(&c->tally, NULL), RF_OK);
    snprintf(options.fence, sizeof options.fence, "%s", fence);
    assert_int_equal(rf_policy_create(&c->policy, &options, c->state, c->tally, NULL), RF_OK);
    snprintf(e.name, sizeof e.name, "virtual");
    snprintf(e.version, sizeof e.version, "1");
    snprintf(e.text, sizeof e.text, "fcfs+%s", fence);
    e.grace_us = c->stop_us;
    cluster_emit(c, &e);
    cluster_capacity(c, 0, devices, 1);
}

static inline void cluster_end(struct cluster *c)
{
    rf_policy_destroy(c->policy);
    rf_tally_destroy(c->tally);
    rf_state_destroy(c->state);
    free(c->left_us);
}

static inline void cluster_works(struct cluster *c, const struct work *works, int nworks)
{
    c->works = works;
    c->nworks = nworks;
    c->left_us = calloc((size_t)nworks + 1, sizeof *c->left_us);
    assert_non_null(c->left_us);
}

static inline void cluster_submit(struct cluster *c)
{
    const struct work *w = &c->works[c->nsubmitted];
    struct rf_event e = rf_event_make(RF_EVENT_REQUEST, c->t_us);

    e.job = c->nsubmitted;
    snprintf(e.name, sizeof e.name, "%s", w->name);
    snprintf(e.account, sizeof e.account, "%s", w->account);
    e.min = w->min;
    e.max = w->max;
    if (w->after >= 0)
        e.after[e.nafter++] = w->after;
    c->left_us[c->nsubmitted++] = w->work_us;
    cluster_emit(c, &e);
}

static inline void cluster_charge(struct cluster *c, int32_t id)
{
    const struct rf_job *job = &c->state->jobs[id];
    struct rf_event e = rf_event_make(RF_EVENT_CHARGE, c->t_us);

    e.job = id;
    e.lease = job->lease;
    e.held_us = e.busy_us = rf_state_owed_us(job, c->t_us);
    c->left_us[id] -= e.held_us;
    cluster_emit(c, &e);
}

static inline int64_t cluster_end_of(const struct cluster *c, int32_t id)
{
    const struct rf_job *job = &c->state->jobs[id];

    return job->charged_us + (c->left_us[id] + job->ndevices - 1) / job->ndevices;
}

/* What is due on a running job now: a reading, its end, or its stop. */
static inline void cluster_step_job(struct cluster *c, int32_t id, int tick)
{
    const struct rf_job *job = &c->state->jobs[id];
    int over = cluster_end_of(c, id) <= c->t_us;
    int stops = job->state == RF_JOB_STOPPING && job->preempt_us + c->stop_us <= c->t_us;
    struct rf_event e = rf_event_make(over ? RF_EVENT_END : RF_EVENT_RELEASE, c->t_us);

    if (!over && !stops && !tick)
        return;
    cluster_charge(c, id);
    if (!over && !stops)
        return;
    e.job = id;
    e.lease = job->lease;
    snprintf(e.text, sizeof e.text, "%s", c->works[id].fails ? "failed" : "done");
    snprintf(e.reason, sizeof e.reason, "%s", over ? "finished" : "preempted");
    cluster_emit(c, &e);
}

static inline void cluster_carry_out(struct cluster *c, const struct rf_proposal *p)
{
    static const enum rf_event_type TYPES[] = {
        [RF_PROPOSE_GRANT] = RF_EVENT_GRANT,   [RF_PROPOSE_PREEMPT] = RF_EVENT_PREEMPT,
        [RF_PROPOSE_SHRINK] = RF_EVENT_SHRINK, [RF_PROPOSE_GROW] = RF_EVENT_GROW,
        [RF_PROPOSE_DENY] = RF_EVENT_DENY,     [RF_PROPOSE_DELAY] = RF_EVENT_DELAY};
    struct rf_event e = rf_event_make(TYPES[p->kind], c->t_us);
    struct rf_idset rest = {0};

    e.job = p->job;
    e.by = p->by;
    e.lent = p->lent;
    snprintf(e.reason, sizeof e.reason, "%s", p->reason);
    if (p->kind == RF_PROPOSE_PREEMPT)
        e.lease = c->state->jobs[p->job].lease;
    if (p->kind == RF_PROPOSE_GRANT) {
        e.lease = c->state->next_lease;
        assert_int_equal(rf_idset_copy(&rest, &c->state->free, NULL), RF_OK);
        assert_int_equal(rf_idset_take(&rest, p->count, &e.devices, NULL), RF_OK);
        rf_idset_clear(&rest);
    }
    cluster_emit(c, &e);
    c->proposals++;
}

/* Asks the policy until it has nothing to say. */
static inline void cluster_ask(struct cluster *c)
{
    struct rf_proposal out[8];
    int n, rounds = 0;

    while ((n = rf_policy_propose(c->policy, c->t_us, out, 8)) > 0) {
        for (int i = 0; i < n; i++)
            cluster_carry_out(c, &out[i]);
        assert_true(rounds++ < 1000); /* proposals must come to an end */
    }
}

static inline int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Runs up to until_us, or until no job is left. */
static inline void cluster_run(struct cluster *c, int64_t until_us)
{
    int64_t next_tick = c->t_us + c->tick_us;

    for (;;) {
        int64_t next = earlier(until_us, next_tick);
        int tick;

        while (c->nsubmitted < c->nworks && c->works[c->nsubmitted].submit_us <= c->t_us)
            cluster_submit(c);
        cluster_ask(c);
        if (c->t_us >= until_us ||
            (c->nsubmitted == c->nworks && c->state->nqueue == 0 && c->state->nrunning == 0))
            return;
        if (c->nsubmitted < c->nworks)
            next = earlier(next, c->works[c->nsubmitted].submit_us);
        for (int32_t id = c->state->running_first; id >= 0; id = c->state->jobs[id].next) {
            const struct rf_job *job = &c->state->jobs[id];

            next = earlier(next, cluster_end_of(c, id));
            if (job->state == RF_JOB_STOPPING)
                next = earlier(next, job->preempt_us + c->stop_us);
        }
        c->t_us = next > c->t_us ? next : c->t_us;
        tick = c->t_us == next_tick;
        next_tick += tick ? c->tick_us : 0;
        if (tick) {
            struct rf_event e = rf_event_make(RF_EVENT_HEARTBEAT, c->t_us);

            cluster_emit(c, &e);
        }
        for (int32_t id = c->state->running_first, after; id >= 0; id = after) {
            after = c->state->jobs[id].next;
            cluster_step_job(c, id, tick);
        }
    }
}

static inline void cluster_judge(struct cluster *c)
{
    rf_tally_judge(c->tally, c->state);
}

#endif
