/* steps.h - moves on a small cluster, for tests that try all of them or draw them at random.
 *
 * A step names what happens by its place in the state ("grant job 1 the lowest two free devices"), not
 * by numbers that only fit one history. So a sequence stays meaningful when steps before are left
 * out, and can be reduced to what it needs to fail. Many steps make events that are wrong on
 * purpose: a lease that is not held, a reading that is off by one. */
#ifndef TESTS_UNIT_STEPS_H
#define TESTS_UNIT_STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/invariant.h"
#include "alloc/observer.h"
#include "alloc/pledge.h"
#include "alloc/policy.h"

enum step_kind {
    STEP_TICK, /* a microsecond passes */
    STEP_REQUEST,
    STEP_REQUEST_WRONG, /* an id is left out */
    STEP_GRANT, /* how: 0 the lowest device; 1 the highest, lent; 2 the lowest two, one lent */
    STEP_GRANT_WRONG, /* a lease is left out */
    STEP_CHARGE,
    STEP_CHARGE_WRONG, /* a microsecond too much */
    STEP_PREEMPT,
    STEP_SHRINK, /* its highest device */
    STEP_GROW,   /* the lowest free device */
    STEP_RELEASE,
    STEP_RETRY, /* released as failed; not ready for a microsecond */
    STEP_END,   /* how: 0 done; 1 failed */
    STEP_CANCEL,
    STEP_DENY,
    STEP_DELAY,
    STEP_DISPUTE,
    STEP_RELABEL,
    STEP_CHECKPOINT,
    STEP_FLEET, /* how: 0 the lowest free device fails; 1 the lowest one that is down is repaired;
                   2 the highest free one leaves; 3 a new one joins */
    STEP_PLEDGE,
    STEP_LIMIT,
    STEP_POLICY,
    STEP_RESERVE,
    STEP_MEASURE,
    STEP_RECOVER,
    STEP_CLOSE,
    STEP_KINDS
};

struct step {
    uint8_t kind, job, how, wait; /* wait: microseconds that pass before */
};

/* Kinds that are about a job, and how many ways there are. */
static const struct {
    uint8_t about_job, ways;
} STEPS[STEP_KINDS] = {
    [STEP_TICK] = {0, 1},         [STEP_REQUEST] = {0, 1},     [STEP_REQUEST_WRONG] = {0, 1},
    [STEP_GRANT] = {1, 3},        [STEP_GRANT_WRONG] = {1, 1}, [STEP_CHARGE] = {1, 1},
    [STEP_CHARGE_WRONG] = {1, 1}, [STEP_PREEMPT] = {1, 1},     [STEP_SHRINK] = {1, 1},
    [STEP_GROW] = {1, 1},         [STEP_RELEASE] = {1, 1},     [STEP_RETRY] = {1, 1},
    [STEP_END] = {1, 2},          [STEP_CANCEL] = {1, 1},      [STEP_DENY] = {1, 1},
    [STEP_DELAY] = {1, 1},        [STEP_DISPUTE] = {1, 1},     [STEP_RELABEL] = {1, 2},
    [STEP_CHECKPOINT] = {1, 1},   [STEP_FLEET] = {0, 4},       [STEP_PLEDGE] = {0, 2},
    [STEP_LIMIT] = {0, 2},        [STEP_POLICY] = {0, 1},      [STEP_RESERVE] = {0, 1},
    [STEP_MEASURE] = {0, 1},      [STEP_RECOVER] = {0, 1},     [STEP_CLOSE] = {0, 1}};

static inline void step_put(char *to,
                            const char *from) /* printf takes half of a search's time */
{
    memcpy(to, from, strlen(from) + 1);
}

static inline void step_request(const struct rf_state *s, struct rf_event *e)
{
    static const struct {
        const char *account;
        int32_t min, max, priority, retries;
    } SHAPES[] = {{"a", 1, 1, 0, 1}, {"b", 1, 3, 1, 0}, {"a.x", 2, 2, 0, 0}};
    int32_t shape = s->njobs % 3;

    e->job = s->njobs;
    step_put(e->account, SHAPES[shape].account);
    e->min = SHAPES[shape].min;
    e->max = SHAPES[shape].max;
    e->priority = SHAPES[shape].priority;
    e->retries = SHAPES[shape].retries;
    e->limit_us = shape == 1 ? 0 : 3;
    if (shape == 2) /* after the first of its three */
        e->after[e->nafter++] = s->njobs - 2;
}

static inline void step_take(struct rf_event *e, int32_t id)
{
    if (id >= 0)
        assert_int_equal(rf_idset_add(&e->devices, id, id + 1, NULL), RF_OK);
}

static inline int32_t step_lowest(const struct rf_idset *set, int32_t k)
{
    return rf_idset_count(set) > k ? rf_idset_at(set, k) : -1;
}

static inline int32_t step_highest(const struct rf_idset *set)
{
    return step_lowest(set, rf_idset_count(set) - 1);
}

static inline void step_fleet(const struct rf_state *s, int how, struct rf_event *e)
{
    static const char *const WHY[] = {"failed", "repaired", "left", "joined"};
    int32_t next = 0;

    e->up = how % 2;
    step_put(e->reason, WHY[how]);
    while (rf_idset_has(&s->fleet, next) || rf_idset_has(&s->down, next))
        next++;
    step_take(e, how == 0   ? step_lowest(&s->free, 0)
                 : how == 1 ? step_lowest(&s->down, 0)
                 : how == 2 ? step_highest(&s->free)
                            : next);
}

static inline void step_holder(const struct rf_state *s, const struct step *step,
                               struct rf_event *e)
{
    const struct rf_job *job = e->job < s->njobs ? &s->jobs[e->job] : NULL;
    int kind = step->kind;

    e->lease = job != NULL ? job->lease : -1;
    if (job != NULL && kind != STEP_PREEMPT && kind != STEP_DISPUTE && kind != STEP_RELABEL &&
        kind != STEP_CHECKPOINT)
        e->held_us = rf_state_owed_us(job, e->t_us);
    if (kind == STEP_CHARGE_WRONG)
        e->held_us++;
    if (kind == STEP_SHRINK && job != NULL)
        step_take(e, step_highest(rf_state_devices(s, e->job)));
    if (kind == STEP_GROW)
        step_take(e, step_lowest(&s->free, 0));
    if (kind == STEP_RETRY)
        e->retry_us = e->t_us + 1;
}

static inline void step_words(const struct step *step, struct rf_event *e)
{
    static const char *const ACCOUNTS[] = {"c", "a.x"};
    static const char *const WORDS[STEP_KINDS] = {
        [STEP_PREEMPT] = "reclaim", [STEP_RELEASE] = "preempted",  [STEP_RETRY] = "failed",
        [STEP_DENY] = "too-large",  [STEP_DELAY] = "devices-busy", [STEP_DISPUTE] = "overrun",
        [STEP_RELABEL] = "moved",   [STEP_LIMIT] = "agreed",       [STEP_POLICY] = "agreed",
        [STEP_RESERVE] = "agreed",  [STEP_MEASURE] = "measured",   [STEP_CLOSE] = "done",
        [STEP_PLEDGE] = "declared"};

    if (WORDS[step->kind] != NULL)
        step_put(e->reason, WORDS[step->kind]);
    if (step->kind == STEP_RELABEL)
        step_put(e->account, ACCOUNTS[step->how]);
    if (step->kind == STEP_END)
        step_put(e->text, step->how == 0 ? "done" : "failed");
    if (step->kind == STEP_CANCEL)
        step_put(e->text, "cancelled");
}

static inline void step_promise(const struct rf_state *s, const struct step *step,
                                struct rf_event *e)
{
    step_put(e->account, "a");
    step_put(e->author, "test");
    if (step->kind == STEP_PLEDGE) {
        e->share = step->how == 0 ? (struct rf_share){1, 3} : (struct rf_share){0, 1};
        step_put(e->basis, "fleet");
        step_put(e->text, s->fence);
        e->window_us = 10;
    } else if (step->kind == STEP_LIMIT) {
        e->held_limit_us = step->how == 0 ? 4 : 0;
    } else if (step->kind == STEP_POLICY) {
        e->account[0] = '\0';
        snprintf(e->text, sizeof e->text, "%s+%s", s->order, s->fence);
    } else {
        e->count = 1;
        e->begin_us = e->t_us + 1;
        e->end_us = e->t_us + 3;
    }
}

/* The event that the step means in this state; the caller clears it. */
static inline struct rf_event step_event(const struct rf_state *s, struct step step)
{
    static const enum rf_event_type TYPES[STEP_KINDS] = {
        [STEP_TICK] = RF_EVENT_HEARTBEAT,
        [STEP_REQUEST] = RF_EVENT_REQUEST,
        [STEP_REQUEST_WRONG] = RF_EVENT_REQUEST,
        [STEP_GRANT] = RF_EVENT_GRANT,
        [STEP_GRANT_WRONG] = RF_EVENT_GRANT,
        [STEP_CHARGE] = RF_EVENT_CHARGE,
        [STEP_CHARGE_WRONG] = RF_EVENT_CHARGE,
        [STEP_PREEMPT] = RF_EVENT_PREEMPT,
        [STEP_SHRINK] = RF_EVENT_SHRINK,
        [STEP_GROW] = RF_EVENT_GROW,
        [STEP_RELEASE] = RF_EVENT_RELEASE,
        [STEP_RETRY] = RF_EVENT_RELEASE,
        [STEP_END] = RF_EVENT_END,
        [STEP_CANCEL] = RF_EVENT_END,
        [STEP_DENY] = RF_EVENT_DENY,
        [STEP_DELAY] = RF_EVENT_DELAY,
        [STEP_DISPUTE] = RF_EVENT_DISPUTE,
        [STEP_RELABEL] = RF_EVENT_RELABEL,
        [STEP_CHECKPOINT] = RF_EVENT_CHECKPOINT,
        [STEP_FLEET] = RF_EVENT_CAPACITY,
        [STEP_PLEDGE] = RF_EVENT_PLEDGE,
        [STEP_LIMIT] = RF_EVENT_LIMIT,
        [STEP_POLICY] = RF_EVENT_POLICY,
        [STEP_RESERVE] = RF_EVENT_RESERVE,
        [STEP_MEASURE] = RF_EVENT_MEASURE,
        [STEP_RECOVER] = RF_EVENT_RECOVER,
        [STEP_CLOSE] = RF_EVENT_CLOSE};
    struct rf_event e = rf_event_make(TYPES[step.kind], s->now_us + step.wait);

    e.seq = s->next_seq;
    e.t_us += step.kind == STEP_TICK;
    if (STEPS[step.kind].about_job)
        e.job = step.job;
    step_words(&step, &e);
    if (step.kind == STEP_REQUEST || step.kind == STEP_REQUEST_WRONG) {
        step_request(s, &e);
        e.job += step.kind == STEP_REQUEST_WRONG;
    } else if (step.kind == STEP_GRANT || step.kind == STEP_GRANT_WRONG) {
        e.lease = s->next_lease + (step.kind == STEP_GRANT_WRONG);
        step_take(&e, step.how == 1 ? step_highest(&s->free) : step_lowest(&s->free, 0));
        if (step.how == 2)
            step_take(&e, step_lowest(&s->free, 1));
        e.lent = step.how > 0;
    } else if (step.kind == STEP_FLEET) {
        step_fleet(s, step.how, &e);
    } else if (step.kind >= STEP_PLEDGE && step.kind <= STEP_RESERVE) {
        step_promise(s, &step, &e);
    } else if (step.kind == STEP_MEASURE) {
        e.flops = 1000;
    } else if (STEPS[step.kind].about_job && step.kind != STEP_CANCEL &&
               step.kind != STEP_DENY && step.kind != STEP_DELAY) {
        step_holder(s, &step, &e);
    }
    return e;
}

/* ---- a cluster on which steps are taken -------------------------------- */

enum { STEP_OBSERVERS = 2 };

struct stage {
    struct rf_state *state;
    struct rf_tally *tally;   /* with a policy */
    struct rf_policy *policy; /* or NULL */
    int32_t devices;
    FILE *print; /* not NULL: each event as a line of a ledger */
    int known;   /* what is taken now has been looked at before */
    /* Device-time once more: what is held, as time goes by, and what became of it. */
    int64_t passed_us, charged_us, lost_us;
};

static inline void stage_print(const struct stage *t, const struct rf_event *e)
{
    char line[2048];

    if (t->print == NULL)
        return;
    rf_event_format(e, line, sizeof line);
    fprintf(t->print, "%s}\n", line);
}

static inline int64_t stage_owed_us(const struct rf_state *s, int64_t t_us)
{
    int64_t sum_us = 0;

    for (int32_t i = s->running_first; i >= 0; i = s->jobs[i].next)
        sum_us += rf_state_owed_us(&s->jobs[i], t_us);
    return sum_us;
}

/* Takes the event if the state does; RF_ERR_INPUT when it does not. Anything else is a defect. */
static inline enum rf_status stage_take(struct stage *t, const struct rf_event *e,
                                        struct rf_error *err)
{
    enum rf_status st = rf_state_check(t->state, e, err);
    int64_t held = t->state->nfleet - t->state->nfree, lost_us;

    if (st != RF_OK) {
        struct rf_error again;

        if (rf_state_apply(t->state, e, &again) == st)
            return st;
        return rf_fail(err, RF_ERR_INTERNAL, "apply takes what check refuses");
    }
    lost_us = e->type == RF_EVENT_RECOVER ? stage_owed_us(t->state, e->t_us) : 0;
    t->passed_us += held * (e->t_us - t->state->now_us);
    stage_print(t, e);
    if (t->tally != NULL)
        st = rf_tally_before(t->tally, t->state, e, err);
    if (st == RF_OK && rf_state_apply(t->state, e, err) != RF_OK)
        st = rf_fail(err, RF_ERR_INTERNAL, "apply refuses what check takes");
    if (st == RF_OK && t->tally != NULL)
        st = rf_tally_after(t->tally, t->state, e, err);
    if (st == RF_OK && t->policy != NULL)
        st = rf_policy_observe(t->policy, e, err);
    t->lost_us += lost_us;
    t->charged_us += e->held_us;
    if (t->known)
        return st;
    if (st == RF_OK)
        st = rf_invariant_check_event(t->state, e, err);
    if (st == RF_OK)
        st = rf_invariant_check(t->state, err);
    if (st == RF_OK &&
        t->passed_us != t->charged_us + t->lost_us + stage_owed_us(t->state, t->state->now_us))
        st = rf_fail(err, RF_ERR_INTERNAL, "device-time is not conserved after entry %lld",
                     (long long)e->seq);
    return st == RF_ERR_INPUT ? rf_fail(err, RF_ERR_INTERNAL, "refused half way") : st;
}

static inline enum rf_status stage_step(struct stage *t, struct step step, struct rf_error *err)
{
    struct rf_event e = step_event(t->state, step);
    enum rf_status st = stage_take(t, &e, err);

    rf_event_clear(&e);
    return st;
}

/* Opens the run on so many devices, with a pledge; order NULL: without a policy. */
static inline void stage_open(struct stage *t, int32_t devices, const char *order,
                              const char *fence, FILE *print)
{
    struct rf_event e = rf_event_make(RF_EVENT_OPEN, 100);
    struct rf_policy_options options = rf_policy_options_make();
    const struct step pledge = {.kind = STEP_PLEDGE};
    struct rf_error err = {RF_OK, ""};

    *t = (struct stage){.devices = devices, .print = print};
    assert_int_equal(rf_state_create(&t->state, 0, NULL), RF_OK);
    if (order != NULL) {
        snprintf(options.order, sizeof options.order, "%s", order);
        snprintf(options.fence, sizeof options.fence, "%s", fence);
        options.resize = 1;
        assert_int_equal(rf_tally_create(&t->tally, NULL), RF_OK);
        assert_int_equal(rf_policy_create(&t->policy, &options, t->state, t->tally, NULL),
                         RF_OK);
    }
    step_put(e.name, "steps");
    step_put(e.version, "1");
    step_put(e.text, order != NULL ? order : "fcfs");
    step_put(e.text + strlen(e.text), "+");
    step_put(e.text + strlen(e.text), order != NULL ? fence : "floor");
    assert_int_equal(stage_take(t, &e, &err), RF_OK);
    e = rf_event_make(RF_EVENT_CAPACITY, 100);
    e.seq = 1;
    e.up = 1;
    step_put(e.reason, "joined");
    assert_int_equal(rf_idset_add(&e.devices, 0, devices, NULL), RF_OK);
    assert_int_equal(stage_take(t, &e, &err), RF_OK);
    rf_event_clear(&e);
    if (stage_step(t, pledge, &err) != RF_OK)
        fail_msg("%s", err.text);
}

static inline void stage_close(struct stage *t)
{
    rf_policy_destroy(t->policy);
    rf_tally_destroy(t->tally);
    rf_state_destroy(t->state);
}

/* ---- what a policy says ------------------------------------------------ */

static inline struct rf_event stage_proposed(const struct rf_state *s,
                                             const struct rf_proposal *p)
{
    static const enum rf_event_type TYPES[] = {
        [RF_PROPOSE_GRANT] = RF_EVENT_GRANT,   [RF_PROPOSE_PREEMPT] = RF_EVENT_PREEMPT,
        [RF_PROPOSE_SHRINK] = RF_EVENT_SHRINK, [RF_PROPOSE_GROW] = RF_EVENT_GROW,
        [RF_PROPOSE_DENY] = RF_EVENT_DENY,     [RF_PROPOSE_DELAY] = RF_EVENT_DELAY};
    struct rf_event e = rf_event_make(TYPES[p->kind], s->now_us);
    const struct rf_idset *from = &s->free;

    e.seq = s->next_seq;
    e.job = p->job;
    e.by = p->by;
    e.lent = p->lent;
    step_put(e.reason, p->reason != NULL ? p->reason : "");
    if (p->kind == RF_PROPOSE_DENY || p->kind == RF_PROPOSE_DELAY)
        return e;
    e.lease = p->kind == RF_PROPOSE_GRANT ? s->next_lease : s->jobs[p->job].lease;
    if (p->kind == RF_PROPOSE_PREEMPT)
        return e;
    if (p->kind != RF_PROPOSE_GRANT)
        e.held_us = rf_state_owed_us(&s->jobs[p->job], e.t_us);
    if (p->kind == RF_PROPOSE_SHRINK)
        from = rf_state_devices(s, p->job);
    for (int32_t k = 0; k < p->count; k++)
        step_take(&e, step_lowest(from, k));
    return e;
}

/* Asks the policy and does what it says, until it has nothing to say. RF_ERR_INTERNAL when the state
 * refuses any of it, or it does not come to an end. */
static inline enum rf_status stage_ask(struct stage *t, struct rf_error *err)
{
    struct rf_proposal out[8];
    enum rf_status st = RF_OK;
    int n = 1;

    for (int round = 0; st == RF_OK && n > 0; round++) {
        if (round == 200)
            return rf_fail(err, RF_ERR_INTERNAL, "the policy does not come to an end");
        n = rf_policy_propose(t->policy, t->state->now_us, out, 8);
        for (int i = 0; st == RF_OK && i < n; i++) {
            struct rf_event e = stage_proposed(t->state, &out[i]);

            st = stage_take(t, &e, err);
            if (st == RF_ERR_INPUT)
                st = rf_fail(err, RF_ERR_INTERNAL,
                             "the policy proposes a %s of job %d that is refused",
                             rf_event_type_name(e.type), (int)e.job);
            rf_event_clear(&e);
        }
    }
    return st;
}

static const char *const STEP_ORDERS[] = {"fcfs", "easy", "conservative", "sjf", "fairshare"};
static const char *const STEP_FENCES[] = {"none", "partition", "floor",
                                          "bank", "stock",     "request"};
enum { STEP_POLICIES = 30 };

#endif
