#include "sim/retake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROPOSALS = 256 };

struct rf_retake {
    const struct rf_state *state;
    struct rf_policy *policy; /* owned */
    struct rf_proposal out[PROPOSALS];
    int n, at;
    int64_t due_us; /* since when it would have decided otherwise; -1: it would not */
    int64_t due;    /* so many proposals at that moment */
    int stopped;    /* the coordinator decides nothing more before it is started again */
    struct rf_retake_result result;
};

enum rf_status rf_retake_create(struct rf_retake **retake,
                                const struct rf_policy_options *options,
                                const struct rf_state *state, const struct rf_tally *tally,
                                struct rf_error *err)
{
    struct rf_retake *r = calloc(1, sizeof *r);
    enum rf_status st;

    *retake = NULL;
    if (r == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a policy to ask again");
    r->state = state;
    r->due_us = -1;
    r->result.first_seq = -1;
    st = rf_policy_create(&r->policy, options, state, tally, err);
    if (st == RF_OK)
        *retake = r;
    else
        rf_retake_destroy(r);
    return st;
}

void rf_retake_destroy(struct rf_retake *retake)
{
    if (retake == NULL)
        return;
    rf_policy_destroy(retake->policy);
    free(retake);
}

const struct rf_retake_result *rf_retake_result(const struct rf_retake *retake)
{
    return &retake->result;
}

static const enum rf_event_type TYPES[] = {
    [RF_PROPOSE_GRANT] = RF_EVENT_GRANT,   [RF_PROPOSE_PREEMPT] = RF_EVENT_PREEMPT,
    [RF_PROPOSE_SHRINK] = RF_EVENT_SHRINK, [RF_PROPOSE_GROW] = RF_EVENT_GROW,
    [RF_PROPOSE_DENY] = RF_EVENT_DENY,     [RF_PROPOSE_DELAY] = RF_EVENT_DELAY};

/* What a policy decides. A preemption for nobody is the coordinator's own: a time limit, a
 * cancellation. */
static int is_decision(const struct rf_event *e)
{
    return e->type == RF_EVENT_GRANT || e->type == RF_EVENT_DENY || e->type == RF_EVENT_DELAY ||
           e->type == RF_EVENT_SHRINK || e->type == RF_EVENT_GROW ||
           (e->type == RF_EVENT_PREEMPT && e->by >= 0);
}

static int has_count(enum rf_event_type type)
{
    return type == RF_EVENT_GRANT || type == RF_EVENT_SHRINK || type == RF_EVENT_GROW;
}

static int has_reason(enum rf_event_type type)
{
    return type == RF_EVENT_PREEMPT || type == RF_EVENT_DENY || type == RF_EVENT_DELAY;
}

static int has_by(enum rf_event_type type)
{
    return type == RF_EVENT_PREEMPT || type == RF_EVENT_SHRINK;
}

static int is_same(const struct rf_retake *r, const struct rf_event *e,
                   const struct rf_proposal *p)
{
    return TYPES[p->kind] == e->type && p->job == e->job &&
           (!has_count(e->type) || p->count == rf_state_count(r->state, e)) &&
           ((e->type != RF_EVENT_GRANT && e->type != RF_EVENT_GROW) || p->lent == e->lent) &&
           (!has_by(e->type) || p->by == e->by) &&
           (!has_reason(e->type) || strcmp(p->reason, e->reason) == 0);
}

static void say(char text[RF_TEXT_BYTES], enum rf_event_type type, int32_t job, int32_t count,
                const char *reason)
{
    if (has_count(type))
        snprintf(text, RF_TEXT_BYTES, "%s of %d device%s to job %d", rf_event_type_name(type),
                 count, count == 1 ? "" : "s", job);
    else
        snprintf(text, RF_TEXT_BYTES, "%s of job %d (%.60s)", rf_event_type_name(type), job,
                 reason);
}

static void compare(struct rf_retake *r, const struct rf_event *e)
{
    const struct rf_proposal *p = r->at < r->n ? &r->out[r->at] : NULL;
    struct rf_retake_result *result = &r->result;

    result->decisions++;
    if (p != NULL && is_same(r, e, p)) {
        r->at++;
        result->same++;
        return;
    }
    if (result->first_seq < 0) {
        result->first_seq = e->seq;
        say(result->recorded, e->type, e->job, rf_state_count(r->state, e), e->reason);
        if (p != NULL)
            say(result->proposed, TYPES[p->kind], p->job, p->count, p->reason);
        else
            snprintf(result->proposed, sizeof result->proposed, "nothing");
    }
    r->n = r->at = 0;
}

static void count_late(struct rf_retake *r, int64_t t_us)
{
    struct rf_retake_result *result = &r->result;
    int64_t late_us = r->due_us >= 0 ? t_us - r->due_us : 0;

    r->due_us = -1;
    if (late_us <= 0)
        return;
    result->late++;
    result->late_sum_us += late_us;
    if (late_us > result->late_max_us)
        result->late_max_us = late_us;
}

/* Time moves on: has it anything to propose for the moment that ends? */
static void look_back(struct rf_retake *r)
{
    int n;

    if (r->due_us >= 0 || !r->state->opened || r->state->closed || r->stopped ||
        rf_policy_settled(r->policy))
        return;
    n = rf_policy_propose(r->policy, r->state->now_us, r->out, PROPOSALS);
    r->n = r->at = 0;
    if (n == 0)
        return;
    r->due_us = r->state->now_us;
    r->due = n;
}

enum rf_status rf_retake_before(struct rf_retake *retake, const struct rf_event *event,
                                struct rf_error *err)
{
    struct rf_retake *r = retake;

    (void)err;
    if (is_decision(event)) {
        if (r->at == r->n && event->t_us > r->state->now_us)
            look_back(r);
        if (r->at == r->n) {
            r->n = rf_policy_propose(r->policy, event->t_us, r->out, PROPOSALS);
            r->at = 0;
        }
        count_late(r, event->t_us);
        compare(r, event);
        return RF_OK;
    }
    if (event->t_us > r->state->now_us)
        look_back(r);
    if (event->type == RF_EVENT_RELEASE && strcmp(event->reason, "signal") == 0)
        r->stopped = 1;
    if (event->type == RF_EVENT_CLOSE || event->type == RF_EVENT_RECOVER) {
        r->result.withheld += r->due_us >= 0 ? r->due : 0;
        r->due_us = -1;
        r->stopped = 0;
    }
    r->n = r->at = 0;
    return RF_OK;
}

enum rf_status rf_retake_after(struct rf_retake *retake, const struct rf_event *event,
                               struct rf_error *err)
{
    return rf_policy_observe(retake->policy, event, err);
}
