/* Each job's leases, cut into work, stopping and starting again. */
#include <string.h>

#include "sim/replay_parts.h"

static void see(struct rf_replay_seen *seen, int64_t us)
{
    seen->n++;
    seen->sum_us += us;
    if (us > seen->max_us)
        seen->max_us = us;
}

/* A grant or a preemption. Before the event is applied. */
static enum rf_status take_step(struct rf_replay_reader *d, const struct rf_event *e,
                                struct rf_error *err)
{
    struct rf_replay *r = d->r;
    struct rf_replay_step *steps =
        rf_replay_room(r->steps, r->nsteps, &d->steps_room, sizeof *steps, err);

    if (steps == NULL)
        return RF_ERR_MEMORY;
    r->steps = steps;
    steps[r->nsteps++] =
        (struct rf_replay_step){rf_replay_since_start(d, e->t_us), e->type, e->job,
                                e->type == RF_EVENT_GRANT ? rf_idset_count(&e->devices) : 0};
    return RF_OK;
}

/* The job has worked on its devices until t_us, and that counts. */
static void count_work(struct rf_course *c, const struct rf_job *job, int64_t t_us)
{
    if (t_us > c->since_us) {
        c->work_us += (t_us - c->since_us) * job->ndevices;
        c->since_us = t_us;
    }
}

/* After the grant was applied. */
void rf_replay_course_granted(struct rf_replay_reader *d, const struct rf_event *e)
{
    const struct rf_job *job = &d->r->state->jobs[e->job];
    struct rf_course *c = &d->courses[e->job];

    c->grant_us = c->since_us = job->grant_us;
    if (d->o->costs.known && job->grants > 1)
        c->since_us += d->o->costs.restart_us;
    c->checkpoint_us = -1;
    c->checkpoint_work_us = c->lease_work_us = c->work_us;
    c->read = c->asked = 0;
}

/* A cost that begins now; its value comes later. */
static enum rf_status add_sample(struct rf_replay_reader *d, int32_t job, enum rf_cost cost,
                                 int64_t value, struct rf_error *err)
{
    struct rf_cost_sample *samples =
        rf_replay_room(d->samples, d->nsamples, &d->samples_room, sizeof *samples, err);

    if (samples == NULL)
        return RF_ERR_MEMORY;
    d->samples = samples;
    samples[d->nsamples++] = (struct rf_cost_sample){job, cost, value};
    return RF_OK;
}

/* The stop is over, in one way or another. */
static void end_stop(struct rf_replay_reader *d, const struct rf_job *job, struct rf_course *c,
                     int64_t t_us, int through)
{
    int64_t us = t_us - job->preempt_us;

    if (c->stopping < 0)
        return;
    d->samples[c->stopping].value = us;
    d->samples[c->stopping + 1].value = through;
    c->stopping = -1;
    see(&c->stop, us);
    see(&d->r->stop, us);
}

/* The first reading comes after the first step: what was not spent in it went into starting. */
static void take_reading(struct rf_replay_reader *d, const struct rf_job *job,
                         struct rf_course *c, const struct rf_event *e)
{
    int64_t start_us = e->t_us - job->grant_us - e->busy_us / job->ndevices;

    if (c->read)
        return;
    c->read = 1;
    if (start_us < 0)
        start_us = 0;
    if (job->grants == 1) {
        see(&d->r->start, start_us);
        return;
    }
    if (!d->o->costs.known)
        c->since_us = job->grant_us + start_us;
    if (c->starting >= 0)
        d->samples[c->starting].value = start_us;
    c->starting = -1;
    see(&c->restart, start_us);
    see(&d->r->restart, start_us);
}

/* Do allowances go by what is read of the job from here on? Those of accounts count from when they
 * were set. */
static int is_bounded(const struct rf_state *s, int32_t job)
{
    const struct rf_job_extra *extra = rf_state_job_extra(s, job);

    return s->limited || extra->held_limit_us > 0 || extra->flops_limit > 0;
}

/* Of a job that holds a lease; flops: or enum rf_workload_read. */
static enum rf_status keep_reading(struct rf_replay_reader *d, int32_t job, int64_t t_us,
                                   int64_t flops, struct rf_error *err)
{
    const struct rf_job *holder = &d->r->state->jobs[job];
    enum rf_status st = add_sample(d, job, RF_COST_READ_US,
                                   holder->held_us + rf_state_owed_us(holder, t_us), err);

    d->reads = 1;
    return st == RF_OK ? add_sample(d, job, RF_COST_READ_FLOPS, flops, err) : st;
}

static enum rf_status take_preempt(struct rf_replay_reader *d, const struct rf_event *e,
                                   struct rf_error *err)
{
    enum rf_status st;

    d->r->preemptions += e->by >= 0;
    d->courses[e->job].stopping = d->nsamples;
    d->courses[e->job].asked = e->by < 0;
    st = add_sample(d, e->job, RF_COST_STOP, -1, err);
    if (st == RF_OK)
        st = add_sample(d, e->job, RF_COST_THROUGH, 0, err);
    if (st == RF_OK)
        st = e->by >= 0 ? take_step(d, e, err)
                        : keep_reading(d, e->job, e->t_us, RF_READ_ASKED, err);
    return st;
}

static void take_checkpoint(const struct rf_job *job, struct rf_course *c, int64_t t_us)
{
    int64_t until_us = job->state == RF_JOB_STOPPING ? job->preempt_us : t_us;

    count_work(c, job, until_us);
    c->checkpoint_us = t_us;
    c->checkpoint_work_us = c->work_us;
    c->checkpoints++;
    c->span_us += until_us > c->grant_us ? until_us - c->grant_us : 0;
}

/* A lease that goes on with a job and never came to a reading did nothing but start. */
static void end_start(struct rf_replay_reader *d, const struct rf_job *job, struct rf_course *c,
                      int64_t until_us)
{
    if (c->starting < 0 || d->o->costs.known)
        return;
    d->samples[c->starting].value = until_us - job->grant_us;
    c->starting = -1;
    c->since_us = until_us;
}

/* The lease ends before the job: what of it counts? Before the event is applied. */
static void end_lease(struct rf_replay_reader *d, const struct rf_job *job, struct rf_course *c,
                      int64_t t_us)
{
    const struct rf_replay_costs *costs = &d->o->costs;
    int stopping = job->state == RF_JOB_STOPPING;
    int64_t until_us = stopping ? job->preempt_us : t_us, worked_us;

    end_start(d, job, c, until_us);
    if (costs->known && !(stopping && t_us - job->preempt_us >= costs->checkpoint_us)) {
        worked_us = until_us > c->since_us ? until_us - c->since_us : 0;
        until_us = c->since_us +
                   (costs->every_us > 0 ? worked_us / costs->every_us * costs->every_us : 0);
    }
    count_work(c, job, until_us);
    end_stop(d, job, c, t_us, 0);
}

static enum rf_status add_attempt(struct rf_replay_reader *d, const struct rf_event *e,
                                  struct rf_error *err)
{
    struct rf_failed_attempt *attempts =
        rf_replay_room(d->attempts, d->nattempts, &d->attempts_room, sizeof *attempts, err);
    struct rf_course *c = &d->courses[e->job];

    if (attempts == NULL)
        return RF_ERR_MEMORY;
    d->attempts = attempts;
    d->attempts[d->nattempts++] = (struct rf_failed_attempt){
        e->job,
        {c->work_us > 0 ? c->work_us : 1, e->retry_us > e->t_us ? e->retry_us - e->t_us : 0}};
    c->work_us = 0;
    c->nattempts++;
    return RF_OK;
}

/* The last reading of a lease that died: what came after it stays unproven. */
static enum rf_status add_last_reading(struct rf_replay_reader *d, int32_t job,
                                       struct rf_error *err)
{
    const struct rf_job *j = &d->r->state->jobs[job];
    struct rf_event e = rf_event_make(RF_EVENT_CHARGE, j->charged_us);

    e.job = job;
    return j->charged_us > j->grant_us ? rf_replay_add_record(d, &e, err) : RF_OK;
}

/* Leases die with the recorder; what is saved is what the last checkpoint has. A stop that was under
 * way would have taken longer. */
static enum rf_status lose_leases(struct rf_replay_reader *d, struct rf_error *err)
{
    const struct rf_state *s = d->r->state;
    enum rf_status st = RF_OK;

    for (int32_t i = s->running_first; i >= 0 && st == RF_OK; i = s->jobs[i].next) {
        struct rf_course *c = &d->courses[i];

        if (c->stopping >= 0)
            d->samples[c->stopping].value = d->last_us + 2 - s->jobs[i].preempt_us;
        c->stopping = -1;
        end_start(d, &s->jobs[i], c, d->last_us + 1);
        c->work_us = c->checkpoint_work_us;
        st = add_sample(d, i, RF_COST_KEPT, c->work_us - c->lease_work_us, err);
        if (st == RF_OK)
            st = add_last_reading(d, i, err);
        if (st == RF_OK && is_bounded(s, i))
            st =
                keep_reading(d, i, s->jobs[i].charged_us, RF_READ_CUT - s->jobs[i].grants, err);
    }
    return st;
}

/* What an event says, with the state as it was before it. */
enum rf_status rf_replay_course_before(struct rf_replay_reader *d, const struct rf_event *e,
                                       struct rf_error *err)
{
    const struct rf_state *s = d->r->state;
    const struct rf_job *job = e->job >= 0 && e->job < s->njobs ? &s->jobs[e->job] : NULL;
    struct rf_course *c = job != NULL ? &d->courses[e->job] : NULL;
    enum rf_status st = RF_OK;

    switch (e->type) {
    case RF_EVENT_CHARGE:
        take_reading(d, job, c, e);
        return is_bounded(s, e->job) ? keep_reading(d, e->job, e->t_us, e->flops, err) : RF_OK;
    case RF_EVENT_CHECKPOINT:
        take_checkpoint(job, c, e->t_us);
        return RF_OK;
    case RF_EVENT_PREEMPT:
        return take_preempt(d, e, err);
    case RF_EVENT_GRANT:
        d->r->grants++;
        c->starting = job->grants > 0 ? d->nsamples : -1;
        if (job->grants > 0)
            st = add_sample(d, e->job, RF_COST_RESTART, -1, err);
        return st == RF_OK ? take_step(d, e, err) : st;
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
        d->r->resized = 1;
        count_work(c, job, e->t_us);
        return RF_OK;
    case RF_EVENT_RELEASE:
        end_lease(d, job, c, e->t_us);
        if (strcmp(e->reason, "signal") == 0)
            return rf_replay_add_record(d, e, err);
        return strcmp(e->reason, "failed") == 0 ? add_attempt(d, e, err) : RF_OK;
    case RF_EVENT_END:
        if (e->lease >= 0 && strcmp(e->text, "cancelled") == 0)
            end_lease(d, job, c, e->t_us);
        else if (e->lease >= 0)
            count_work(c, job, e->t_us);
        if (e->lease >= 0)
            end_stop(d, job, c, e->t_us, 1);
        c->limited = e->lease >= 0 && c->asked && strcmp(e->text, "failed") == 0;
        return e->lease < 0 || strcmp(e->text, "cancelled") == 0
                   ? rf_replay_add_record(d, e, err)
                   : RF_OK;
    case RF_EVENT_RECOVER:
        st = lose_leases(d, err);
        return st == RF_OK ? rf_replay_take_recovery(d, e, err) : st;
    case RF_EVENT_DENY:
        d->r->denied++;
        return RF_OK;
    default:
        return RF_OK;
    }
}
