/* What is only known at the end: the run's means, the median job, what jobs need. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/replay_parts.h"

static int64_t mean_of(const struct rf_replay_seen *own, const struct rf_replay_seen *all)
{
    if (own->n > 0)
        return own->sum_us / own->n;
    return all->n > 0 ? all->sum_us / all->n : 0;
}

static int by_value(const void *one, const void *other)
{
    const int64_t *a = one, *b = other;

    return (*a > *b) - (*a < *b);
}

/* Work of the median job that was done on one device's worth; 0 when none was. */
static enum rf_status median_work(const struct rf_replay_reader *d, int64_t *median_us,
                                  struct rf_error *err)
{
    const struct rf_state *s = d->r->state;
    int64_t *work = malloc(((size_t)s->njobs + 1) * sizeof *work);
    int32_t n = 0;

    *median_us = 1;
    if (work == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a replay");
    for (int32_t i = 0; i < s->njobs; i++)
        if (s->jobs[i].state == RF_JOB_DONE)
            work[n++] = d->courses[i].work_us / s->jobs[i].min;
    if (n > 0) {
        qsort(work, (size_t)n, sizeof *work, by_value);
        *median_us = work[n / 2] > 0 ? work[n / 2] : 1;
    }
    free(work);
    return RF_OK;
}

static int is_open(const struct rf_job *job)
{
    return job->state == RF_JOB_QUEUED || job->state == RF_JOB_RUNNING ||
           job->state == RF_JOB_STOPPING;
}

/* Device-time that job i needs from here on (its last attempt). */
static int64_t need_of(const struct rf_replay_reader *d, int32_t i, int64_t median_us)
{
    const struct rf_job *job = &d->r->state->jobs[i];
    int64_t work_us = d->courses[i].work_us, most_us = INT64_MAX / 8 / job->min;
    int64_t each_us = job->limit_us > 0 ? job->limit_us : median_us;

    if (is_open(job) || d->courses[i].limited ||
        (job->state == RF_JOB_CANCELLED && job->first_grant_us >= 0)) {
        /* it does not end before the ledger does, or before it is called off or asked to leave */
        each_us = d->r->length_us + 1;
        if (job->max > job->min && each_us < most_us / job->max)
            each_us *= job->max;
        work_us += (each_us < most_us ? each_us : most_us) * job->min;
    } else if (job->first_grant_us < 0 || job->state == RF_JOB_DENIED) {
        /* denied in the end, it had more to do than it did */
        each_us = each_us < most_us ? each_us : most_us;
        work_us = work_us + 1 > each_us * job->min ? work_us + 1 : each_us * job->min;
    }
    return work_us > 0 ? work_us : 1;
}

static void fill_costs(const struct rf_replay_reader *d, int32_t i)
{
    const struct rf_replay *r = d->r;
    const struct rf_course *c = &d->courses[i];
    struct rf_workload_record *record = r->workload.record;
    const struct rf_replay_costs *costs = &d->o->costs;

    if (costs->known) {
        record->stop_us[i] = costs->checkpoint_us;
        record->every_us[i] = costs->every_us;
        record->restart_us[i] = costs->restart_us;
        return;
    }
    record->stop_us[i] = mean_of(&c->stop, &r->stop);
    record->restart_us[i] = mean_of(&c->restart, &r->restart);
    record->every_us[i] = c->checkpoints > 0 ? c->span_us / c->checkpoints : 0;
}

static enum rf_status fill_job(const struct rf_replay_reader *d, int32_t i, int64_t median_us,
                               struct rf_error *err)
{
    struct rf_workload *w = &d->r->workload;
    const struct rf_job *job = &d->r->state->jobs[i];
    struct rf_replay_job *out = &d->r->jobs[i];
    int64_t need_us = need_of(d, i, median_us);

    w->submit_us[i] = rf_replay_since_start(d, job->submit_us);
    w->min[i] = job->min;
    w->max[i] = job->max;
    w->limit_us[i] = job->limit_us;
    w->run_us[i] = need_us / job->min + (need_us % job->min != 0);
    w->record->work_us[i] = need_us;
    w->record->requests[i] = d->requests[i];
    w->record->failed[i] = job->state == RF_JOB_FAILED;
    fill_costs(d, i);
    out->start_us =
        job->first_grant_us >= 0 ? rf_replay_since_start(d, job->first_grant_us) : -1;
    out->end_us = !is_open(job) && job->end_us >= 0 && job->first_grant_us >= 0
                      ? rf_replay_since_start(d, job->end_us)
                      : -1;
    out->state = (enum rf_job_state)job->state;
    out->guessed = is_open(job) || job->state == RF_JOB_CANCELLED ||
                   job->state == RF_JOB_DENIED || job->first_grant_us < 0;
    return rf_workload_account(w, d->r->state->accounts[d->courses[i].account].name,
                               &w->account[i], err);
}

/* The samples of one cost by job, those of one job in order of time. */
static enum rf_status fill_series(const struct rf_replay_reader *d, enum rf_cost cost,
                                  struct rf_workload_series *series, struct rf_error *err)
{
    int64_t n = d->r->workload.n;
    int32_t *at = calloc((size_t)n + 1, sizeof *at);

    series->first = calloc((size_t)n + 1, sizeof *series->first);
    series->values = malloc(((size_t)d->nsamples + 1) * sizeof *series->values);
    if (at == NULL || series->first == NULL || series->values == NULL) {
        free(at);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a replay");
    }
    for (int64_t k = 0; k < d->nsamples; k++)
        series->first[d->samples[k].job + 1] += d->samples[k].cost == cost;
    for (int64_t i = 0; i < n; i++)
        series->first[i + 1] += series->first[i];
    for (int64_t k = 0; k < d->nsamples; k++)
        if (d->samples[k].cost == cost)
            series->values[series->first[d->samples[k].job] + at[d->samples[k].job]++] =
                d->samples[k].value;
    free(at);
    return RF_OK;
}

/* Simulated ledgers go by costs that are known. */
static enum rf_status fill_seen(const struct rf_replay_reader *d, struct rf_error *err)
{
    struct rf_workload_record *record = d->r->workload.record;
    enum rf_status st = RF_OK;

    if (d->reads)
        st = fill_series(d, RF_COST_READ_US, &record->read_us, err);
    if (d->reads && st == RF_OK)
        st = fill_series(d, RF_COST_READ_FLOPS, &record->read_flops, err);
    if (d->o->costs.known)
        return st;
    if (st == RF_OK)
        st = fill_series(d, RF_COST_STOP, &record->stops, err);
    if (st == RF_OK)
        st = fill_series(d, RF_COST_THROUGH, &record->through, err);
    if (st == RF_OK)
        st = fill_series(d, RF_COST_RESTART, &record->restarts, err);
    if (st == RF_OK)
        st = fill_series(d, RF_COST_KEPT, &record->kept, err);
    return st;
}

/* Attempts by job, those of one job in order of time. */
static void fill_attempts(const struct rf_replay_reader *d)
{
    struct rf_workload_record *record = d->r->workload.record;
    int64_t n = d->r->workload.n;

    for (int64_t i = 0; i < n; i++)
        record->first_attempt[i + 1] = record->first_attempt[i] + d->courses[i].nattempts;
    for (int32_t k = d->nattempts; k-- > 0;) {
        int32_t job = d->attempts[k].job;

        record->attempts[record->first_attempt[job] + --d->courses[job].nattempts] =
            d->attempts[k].how;
    }
}

static void fill_first_devices(struct rf_replay *r)
{
    for (int64_t k = 0; k < r->nsteps; k++)
        if (r->steps[k].type == RF_EVENT_GRANT && r->jobs[r->steps[k].job].devices == 0)
            r->jobs[r->steps[k].job].devices = r->steps[k].count;
}

static int64_t makespan(const struct rf_replay *r)
{
    int64_t last_us = -1;

    for (int64_t i = 0; i < r->workload.n; i++)
        if (r->jobs[i].end_us > last_us)
            last_us = r->jobs[i].end_us;
    return r->workload.n > 0 && last_us > r->workload.submit_us[0]
               ? last_us - r->workload.submit_us[0]
               : 0;
}

enum rf_status rf_replay_fill(struct rf_replay_reader *d, const char *path,
                              struct rf_error *err)
{
    struct rf_replay *r = d->r;
    int32_t n = r->state->njobs;
    int64_t median_us;
    enum rf_status st = median_work(d, &median_us, err);

    r->length_us = rf_replay_since_start(d, d->last_us);
    if (st == RF_OK)
        st = rf_workload_create(&r->workload, n, err);
    if (st == RF_OK)
        st = rf_workload_add_record(&r->workload, d->nattempts, err);
    if (st != RF_OK)
        return st;
    r->workload.max = calloc((size_t)n + 1, sizeof *r->workload.max);
    r->jobs = calloc((size_t)n + 1, sizeof *r->jobs);
    if (r->workload.max == NULL || r->jobs == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a replay of %d jobs", n);
    snprintf(r->workload.source, sizeof r->workload.source, "%s", path);
    r->workload.origin_us = r->start_us;
    for (int32_t i = 0; i < n && st == RF_OK; i++) {
        st = fill_job(d, i, median_us, err);
        r->unfinished += is_open(&r->state->jobs[i]);
    }
    if (st == RF_OK)
        st = fill_seen(d, err);
    fill_attempts(d);
    fill_first_devices(r);
    rf_world_sort(&r->world);
    r->makespan_us = makespan(r);
    rf_tally_judge(r->tally, r->state);
    if (d->retake != NULL)
        r->retake = *rf_retake_result(d->retake);
    return st;
}
