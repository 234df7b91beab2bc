/* state_step.h - what a request, a grant and an end are, said once; only the state's own files
 * and the short way in include it.
 *
 * Simulations consist of these three events. rf_state_apply() takes them as events, the short
 * way in (state_short.h) takes a few numbers; the rules and the effects are those below for
 * both. A rule returns the sentence that was broken, or NULL. */
#ifndef RF_ALLOC_STATE_STEP_H
#define RF_ALLOC_STATE_STEP_H

#include <stddef.h>

#include "alloc/state_rules.h"

/* ---- rules ---- */

enum rf_status rf_rule_no_time(const struct rf_state *s, enum rf_event_type type, int64_t t_us,
                               struct rf_error *err);

/* May an event of this type happen now, at t_us? */
static inline enum rf_status rf_rule_time(const struct rf_state *s, enum rf_event_type type,
                                          int64_t t_us, struct rf_error *err)
{
    if (s->opened && !s->closed && type != RF_EVENT_OPEN && t_us >= s->now_us &&
        t_us <= s->room->fits_us)
        return RF_OK;
    return rf_rule_no_time(s, type, t_us, err); /* looks more closely */
}

static inline const char *rf_rule_request(const struct rf_state *s, int32_t job, int32_t min,
                                          int32_t max, int64_t limit_us)
{
    if (job != s->njobs)
        return "job ids are dense, in order of request";
    if (min < 1 || max < min)
        return "1 <= min <= max";
    return limit_us < 0 ? "the limit is not negative" : NULL;
}

/* `job` is NULL when there is none of that id. */
static inline const char *rf_rule_grant(const struct rf_state *s, const struct rf_job *job,
                                        int32_t lease, int32_t count, int32_t lent)
{
    if (job == NULL || job->state != RF_JOB_QUEUED)
        return "the job is not in the queue";
    if (job->extra >= 0 && !rf_state_ready(s, job))
        return s->extras[job->extra].retry_us > s->now_us
                   ? "it is not yet time to try the job again"
                   : "a job that it comes after is not done";
    if ((job->extra >= 0 || s->limited) && rf_state_spent(s, job) != NULL)
        return "the allowance is used up";
    if (lease != s->next_lease)
        return "lease ids are dense, in order of grant";
    if (count < job->min || count > job->max)
        return "the number of devices is outside min..max";
    if (s->by_count && count > s->nfree)
        return "a device is not free";
    return lent < 0 || lent > count ? "lent devices are a part of the granted ones" : NULL;
}

/* ---- lists ---- */

static inline void rf_step_link(struct rf_state *s, int32_t *first, int32_t *last,
                                int32_t before, int32_t id)
{
    int32_t next = before < 0 ? *first : s->jobs[before].next;

    s->jobs[id].prev = before;
    s->jobs[id].next = next;
    *(before < 0 ? first : &s->jobs[before].next) = id;
    *(next < 0 ? last : &s->jobs[next].prev) = id;
}

/* Its own links stay as they are: it joins the other list, or loses them (rf_step_end). */
static inline void rf_step_unlink(struct rf_state *s, int32_t *first, int32_t *last, int32_t id)
{
    int32_t prev = s->jobs[id].prev, next = s->jobs[id].next;

    *(prev < 0 ? first : &s->jobs[prev].next) = next;
    *(next < 0 ? last : &s->jobs[next].prev) = prev;
}

/* Ids are dense in order of request, so the place in the queue is the order of ids. A new job
 * goes to the end at once; a released one is usually old, and found from the front. */
static inline void rf_step_queue(struct rf_state *s, int32_t id)
{
    int32_t at = s->queue_last;

    if (at >= 0 && at > id && id - s->queue_first < at - id) {
        for (at = s->queue_first; at < id;)
            at = s->jobs[at].next;
        at = s->jobs[at].prev;
    }
    while (at > id)
        at = s->jobs[at].prev;
    rf_step_link(s, &s->queue_first, &s->queue_last, at, id);
    s->nqueue++;
}

static inline void rf_step_unqueue(struct rf_state *s, int32_t id)
{
    rf_step_unlink(s, &s->queue_first, &s->queue_last, id);
    s->nqueue--;
}

/* ---- effects ---- */

/* Holds that are over, and retries that are due, by t_us. */
void rf_step_pass_slow(struct rf_state *s, int64_t t_us);

/* An event at t_us has taken effect. */
static inline void rf_step_pass(struct rf_state *s, int64_t t_us)
{
    if (t_us >= s->room->hold_end_us || t_us >= s->retry_us)
        rf_step_pass_slow(s, t_us);
    s->now_us = t_us;
    s->next_seq++;
}

static inline void rf_step_use(struct rf_state *s, int32_t account, int32_t count)
{
    for (int32_t a = account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].used += count;
}

/* It holds devices from now on, as many as it does now. A job that has been charged nothing
 * yet needs no division: no job holds more than whole_us allows for. */
static inline void rf_step_bound(struct rf_state *s, const struct rf_job *job)
{
    struct rf_state_room *room = s->room;
    int64_t fits_us;

    if (job->held_us == 0 && job->charged_us <= INT64_MAX - room->whole_us)
        fits_us = job->charged_us + room->whole_us;
    else
        fits_us = rf_state_fits_us(job);
    if (fits_us < room->fits_us)
        room->fits_us = fits_us;
}

/* The device-time of a last reading. */
static inline void rf_step_settle(struct rf_state *s, struct rf_job *job, int64_t t_us,
                                  int64_t held_us)
{
    job->charged_us = t_us;
    job->held_us += held_us;
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent)
        rf_wide_add(&s->accounts[a].held_us, held_us);
}

/* Room for it is there. Field by field: zeroing the whole first takes longer than all the
 * rest of a request. */
static inline struct rf_job *rf_step_request(struct rf_state *s, int64_t t_us, int32_t account,
                                             int32_t min, int32_t max, int64_t limit_us)
{
    int32_t id = s->njobs++;
    struct rf_job *job = &s->jobs[id];

    job->submit_us = job->queued_us = t_us;
    job->first_grant_us = job->end_us = job->preempt_us = -1;
    job->limit_us = limit_us;
    job->grant_us = job->charged_us = job->held_us = 0;
    job->account = account;
    job->min = min;
    job->max = max;
    job->lease = job->place = job->extra = -1;
    job->ndevices = job->lent = job->preemptions = job->grants = 0;
    job->state = RF_JOB_QUEUED;
    job->reason = 0;
    rf_step_queue(s, id);
    for (int32_t a = account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].jobs++;
    return job;
}

/* The devices themselves, where they have names, are the caller's. */
static inline void rf_step_grant(struct rf_state *s, int64_t t_us, int32_t id, int32_t count,
                                 int32_t lent)
{
    struct rf_job *job = &s->jobs[id];

    job->ndevices = count;
    job->lent = lent;
    job->state = RF_JOB_RUNNING;
    job->lease = s->next_lease++;
    job->grant_us = job->charged_us = t_us;
    job->preempt_us = -1;
    job->reason = 0;
    job->grants++;
    if (job->first_grant_us < 0)
        job->first_grant_us = t_us;
    if (job->extra >= 0)
        s->extras[job->extra].checkpoint_us = -1;
    rf_step_unqueue(s, id);
    rf_step_link(s, &s->running_first, &s->running_last, s->running_last, id);
    s->nrunning++;
    s->nfree -= count;
    rf_step_use(s, job->account, count);
    rf_step_bound(s, job);
}

/* The holder's devices are free; what becomes of the job is the caller's. */
static inline void rf_step_let_go(struct rf_state *s, int32_t id)
{
    struct rf_job *job = &s->jobs[id];

    rf_step_use(s, job->account, -job->ndevices);
    s->nfree += job->ndevices;
    rf_step_unlink(s, &s->running_first, &s->running_last, id);
    s->nrunning--;
    if (job->place >= 0) {
        s->held[job->place].nranges = 0; /* its memory stays for the next */
        s->room->places[s->room->nplaces++] = job->place;
    }
    job->place = -1;
    job->ndevices = job->lent = 0;
    job->lease = -1;
    job->preempt_us = -1;
}

static inline void rf_step_end(struct rf_job *job, int64_t t_us, uint8_t state, uint8_t reason)
{
    job->state = state;
    job->end_us = t_us;
    job->reason = reason;
    job->prev = job->next = -1;
}

#endif
