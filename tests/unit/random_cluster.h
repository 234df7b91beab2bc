/* random_cluster.h - random legal events, for tests of whoever watches events go by.
 *
 * Times are a few microseconds apart, so that a slow model in a test can look at every one of
 * them. Devices are only counted. Each event goes through the observers and the state. */
#ifndef TESTS_UNIT_RANDOM_CLUSTER_H
#define TESTS_UNIT_RANDOM_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/observer.h"
#include "base/rng.h"

struct random_cluster {
    struct rf_state *state;
    struct rf_observer observers[4]; /* called in this order */
    int nobservers;
    uint64_t seed, draws;
    int64_t t_us, pause_us; /* time passes by 0 .. pause_us between events */
    int64_t refused, applied;
    int crashes;  /* with crashes, closes and recoveries */
    int promises; /* at most so many pledge events */
    int stay;     /* jobs keep their accounts */
    int simple; /* every job waits once, on a fleet that stays, and runs on all it asked for */
};

static const char *const RANDOM_ACCOUNTS[] = {"a", "a.x", "a.y.z", "b", "c.d", "ab"};

static inline int64_t random_below(struct random_cluster *c, int64_t n)
{
    return (int64_t)rf_rng_below(c->seed, 7, c->draws++, (uint64_t)n);
}

static inline void random_start(struct random_cluster *c, uint64_t seed)
{
    *c = (struct random_cluster){
        .seed = seed, .t_us = 100, .pause_us = 6, .crashes = 1, .promises = 5};
    assert_int_equal(rf_state_create(&c->state, 1, NULL), RF_OK);
}

static inline void random_end(struct random_cluster *c)
{
    rf_state_destroy(c->state);
}

/* Applies the event, if the state takes it; 1 when it did. */
static inline int random_emit(struct random_cluster *c, struct rf_event *e)
{
    struct rf_error err = {RF_OK, ""};
    enum rf_status st = RF_OK;
    int took;

    e->seq = c->state->next_seq;
    took = rf_state_check(c->state, e, NULL) == RF_OK;
    for (int i = 0; st == RF_OK && i < c->nobservers; i++)
        st = rf_observe_before(&c->observers[i], c->state, e, &err);
    if (took && st == RF_OK)
        st = rf_state_apply(c->state, e, &err);
    for (int i = 0; took && st == RF_OK && i < c->nobservers; i++)
        st = c->observers[i].after(c->observers[i].self, c->state, e, &err);
    if (took && st != RF_OK)
        fail_msg("%s at %lld: %s", rf_event_type_name(e->type), (long long)e->t_us, err.text);
    c->applied += took;
    c->refused += !took;
    rf_event_clear(e);
    return took;
}

static inline struct rf_event random_event(const struct random_cluster *c,
                                           enum rf_event_type type, int32_t job)
{
    struct rf_event e = rf_event_make(type, c->t_us);

    e.job = job;
    if (job >= 0 && job < c->state->njobs) {
        e.lease = c->state->jobs[job].lease;
        if (type == RF_EVENT_CHARGE || type == RF_EVENT_SHRINK || type == RF_EVENT_GROW ||
            type == RF_EVENT_RELEASE || (type == RF_EVENT_END && e.lease >= 0))
            e.held_us = rf_state_owed_us(&c->state->jobs[job], c->t_us);
    }
    return e;
}

/* The k-th of the jobs in the list that begins at `first`; -1: the list is empty. */
static inline int32_t random_pick(struct random_cluster *c, int32_t first, int32_t count)
{
    int32_t job = first;

    for (int64_t k = count > 0 ? random_below(c, count) : 0; k > 0; k--)
        job = c->state->jobs[job].next;
    return job;
}

static inline void random_request(struct random_cluster *c)
{
    struct rf_event e = random_event(c, RF_EVENT_REQUEST, c->state->njobs);

    snprintf(e.account, sizeof e.account, "%s", RANDOM_ACCOUNTS[random_below(c, 6)]);
    e.min = 1 + (int32_t)random_below(c, 4);
    e.max = e.min + (int32_t)(random_below(c, 3) == 0 && !c->simple ? random_below(c, 12) : 0);
    if (!c->simple && random_below(c, 2) == 0)
        e.limit_us = 1 + random_below(c, 40);
    if (!c->simple)
        e.retries = (int32_t)random_below(c, 3);
    if (c->state->njobs > 0 && random_below(c, 4) == 0)
        e.after[e.nafter++] = (int32_t)random_below(c, c->state->njobs);
    random_emit(c, &e);
}

static inline void random_grant(struct random_cluster *c)
{
    int32_t job = random_pick(c, c->state->queue_first, c->state->nqueue);
    struct rf_event e = random_event(c, RF_EVENT_GRANT, job);

    if (job < 0)
        return;
    e.lease = c->state->next_lease;
    e.count = c->state->jobs[job].min +
              (int32_t)random_below(c, c->state->jobs[job].max - c->state->jobs[job].min + 1);
    e.lent = (int32_t)random_below(c, e.count + 1);
    random_emit(c, &e);
}

/* Something happens to a job that runs. */
static inline void random_turn(struct random_cluster *c)
{
    static const enum rf_event_type TYPES[] = {
        RF_EVENT_CHARGE, RF_EVENT_CHARGE, RF_EVENT_PREEMPT, RF_EVENT_RELEASE,
        RF_EVENT_END,    RF_EVENT_END,    RF_EVENT_SHRINK,  RF_EVENT_GROW};
    int32_t job = random_pick(c, c->state->running_first, c->state->nrunning);
    struct rf_event e = random_event(c, TYPES[random_below(c, 8)], job);

    if (job < 0)
        return;
    if (c->simple && e.type != RF_EVENT_CHARGE && e.type != RF_EVENT_END)
        return;
    e.count = 1 + (int32_t)random_below(c, 3);
    if (e.type == RF_EVENT_END)
        snprintf(e.text, sizeof e.text, "%s", random_below(c, 3) > 0 ? "done" : "failed");
    if (e.type == RF_EVENT_PREEMPT || e.type == RF_EVENT_RELEASE || e.type == RF_EVENT_END)
        snprintf(e.reason, sizeof e.reason, "%s", "because");
    if (e.type == RF_EVENT_RELEASE && rf_state_job_extra(c->state, job)->retries > 0) {
        snprintf(e.reason, sizeof e.reason, "failed");
        e.retry_us = random_below(c, 3) == 0 ? 0 : c->t_us + 1 + random_below(c, 30);
    }
    random_emit(c, &e);
}

/* A job that waits, or runs and has just been read, changes its account. */
static inline void random_relabel(struct random_cluster *c)
{
    int runs = random_below(c, 2) > 0;
    int32_t job = runs ? random_pick(c, c->state->running_first, c->state->nrunning)
                       : random_pick(c, c->state->queue_first, c->state->nqueue);
    struct rf_event e = random_event(c, RF_EVENT_CHARGE, job);

    if (job < 0)
        return;
    if (runs)
        random_emit(c, &e);
    e = random_event(c, RF_EVENT_RELABEL, job);
    snprintf(e.account, sizeof e.account, "%s", RANDOM_ACCOUNTS[random_below(c, 6)]);
    snprintf(e.author, sizeof e.author, "somebody");
    snprintf(e.reason, sizeof e.reason, "because");
    random_emit(c, &e);
}

/* A job leaves the queue without having run. */
static inline void random_refusal(struct random_cluster *c)
{
    int32_t job = random_pick(c, c->state->queue_first, c->state->nqueue);
    struct rf_event e =
        random_event(c, random_below(c, 2) > 0 ? RF_EVENT_DENY : RF_EVENT_END, job);

    if (job < 0)
        return;
    if (e.type == RF_EVENT_END)
        snprintf(e.text, sizeof e.text, "cancelled");
    snprintf(e.reason, sizeof e.reason, "%s", "because");
    random_emit(c, &e);
}

static inline void random_capacity(struct random_cluster *c)
{
    static const char *const WHY[] = {"left", "failed", "maintenance", "joined", "repaired"};
    int64_t k = random_below(c, 5);
    struct rf_event e = random_event(c, RF_EVENT_CAPACITY, -1);

    e.up = k >= 3;
    e.count = 1 + (int32_t)random_below(c, 4);
    snprintf(e.reason, sizeof e.reason, "%s", WHY[k]);
    random_emit(c, &e);
}

static inline void random_pledge(struct random_cluster *c)
{
    struct rf_event e = random_event(c, RF_EVENT_PLEDGE, -1);

    if (c->promises == 0)
        return;
    snprintf(e.account, sizeof e.account, "%s", random_below(c, 2) > 0 ? "a" : "b");
    snprintf(e.basis, sizeof e.basis, "%s", random_below(c, 3) > 0 ? "fleet" : "secured");
    snprintf(e.text, sizeof e.text, "floor");
    e.share = (struct rf_share){random_below(c, 4), 7};
    if (e.share.num == 0)
        e.share.den = 1;
    e.window_us = 7 + random_below(c, 90);
    e.tolerance_us = random_below(c, 4);
    c->promises -= random_emit(c, &e);
}

static inline void random_crash(struct random_cluster *c)
{
    struct rf_event e = random_event(c, RF_EVENT_CLOSE, -1);

    snprintf(e.reason, sizeof e.reason, "signal");
    random_emit(c, &e); /* refused while devices are held: then it is a crash */
    c->t_us += random_below(c, 150);
    e = random_event(c, RF_EVENT_RECOVER, -1);
    assert_true(random_emit(c, &e));
}

/* The first events: the run is open and has devices. */
static inline void random_open(struct random_cluster *c, int32_t devices)
{
    struct rf_event e = random_event(c, RF_EVENT_OPEN, -1);

    snprintf(e.name, sizeof e.name, "random");
    snprintf(e.version, sizeof e.version, "1");
    snprintf(e.text, sizeof e.text, "fcfs+none");
    assert_true(random_emit(c, &e));
    e = random_event(c, RF_EVENT_CAPACITY, -1);
    e.up = 1;
    e.count = devices;
    snprintf(e.reason, sizeof e.reason, "joined");
    assert_true(random_emit(c, &e));
}

/* A reading for everybody, so that nothing is left without proof. */
static inline void random_read_all(struct random_cluster *c)
{
    for (int32_t i = c->state->running_first; i >= 0; i = c->state->jobs[i].next) {
        struct rf_event e = random_event(c, RF_EVENT_CHARGE, i);

        assert_true(random_emit(c, &e));
    }
}

static inline void random_step(struct random_cluster *c)
{
    int64_t k = random_below(c, 100);

    c->t_us += random_below(c, c->pause_us + 1);
    if (k < 30)
        random_request(c);
    else if (k < 60)
        random_grant(c);
    else if (k < 88)
        random_turn(c);
    else if (k < 91)
        random_refusal(c);
    else if (k < 95 && !c->simple)
        random_capacity(c);
    else if (k < 97)
        random_pledge(c);
    else if (k == 98 && !c->simple && !c->stay)
        random_relabel(c);
    else if (k == 97 && c->crashes && random_below(c, 3) == 0)
        random_crash(c);
    else {
        struct rf_event e = random_event(c, RF_EVENT_HEARTBEAT, -1);

        random_emit(c, &e);
    }
}

#endif
