#include "sim/bench_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pages.h"
#include "sim/ends.h"

double rf_bench_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct rf_sim_options rf_bench_options(const struct rf_bench_load *load, const char *order,
                                       const char *fence)
{
    struct rf_sim_options o = rf_sim_options_make();

    snprintf(o.policy.order, sizeof o.policy.order, "%s", order);
    snprintf(o.policy.fence, sizeof o.policy.fence, "%s", fence);
    o.policy.explain = 0;
    o.policy.checkpoint_us = INT64_C(60000000);
    o.policy.checkpoint_every_us = INT64_C(3600000000);
    o.policy.restart_us = INT64_C(120000000);
    o.devices = load->devices;
    o.until_us = load->until_us;
    o.world = &load->world;
    return o;
}

/* A job that starts, by time. */
struct start {
    int64_t t_us;
    int32_t job;
};

static int by_time(const void *a, const void *b)
{
    const struct start *x = a, *y = b;

    if (x->t_us != y->t_us)
        return x->t_us < y->t_us ? -1 : 1;
    return x->job < y->job ? -1 : x->job > y->job;
}

/* The jobs that ran, in order of their (last) start. */
static enum rf_status sort_starts(struct start **starts, int64_t *n,
                                  const struct rf_sim_result *result, int64_t njobs,
                                  struct rf_error *err)
{
    *starts = malloc(((size_t)njobs + 1) * sizeof **starts);
    *n = 0;
    if (*starts == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %lld jobs", (long long)njobs);
    for (int64_t k = 0; k < njobs; k++)
        if (result->start_us[k] >= 0 && result->end_us[k] >= 0)
            (*starts)[(*n)++] = (struct start){result->start_us[k], (int32_t)k};
    qsort(*starts, (size_t)*n, sizeof **starts, by_time);
    return RF_OK;
}

static int64_t deepest_queue(const struct rf_workload *w, const struct start *starts, int64_t n)
{
    int64_t arrived = 0, deepest = 0;

    for (int64_t i = 0; i <= n; i++) {
        while (arrived < w->n && (i == n || w->submit_us[arrived] <= starts[i].t_us))
            arrived++;
        deepest = arrived - i > deepest ? arrived - i : deepest;
    }
    return deepest;
}

/* The events in order of time; at one moment ends, arrivals, starts. */
static enum rf_status play(const struct rf_workload *w, const struct rf_sim_result *result,
                           const struct start *starts, int64_t n, struct rf_job *records,
                           struct rf_error *err)
{
    struct rf_ends ends = {0};
    int64_t arrived = 0, started = 0;
    enum rf_status st = RF_OK;

    while (st == RF_OK && (started < n || ends.n > 0)) {
        int64_t arrive_us = arrived < w->n ? w->submit_us[arrived] : INT64_MAX;
        int64_t start_us = started < n ? starts[started].t_us : INT64_MAX;
        int64_t end_us = ends.n > 0 ? ends.heap[0].t_us : INT64_MAX;

        if (end_us <= arrive_us && end_us <= start_us) {
            struct rf_job *job = &records[rf_ends_take(&ends).job];

            job->end_us = end_us;
            job->held_us += job->min * (end_us - job->grant_us);
            job->state = RF_JOB_DONE;
        } else if (arrive_us <= start_us) {
            records[arrived] = (struct rf_job){.submit_us = arrive_us,
                                               .limit_us = w->limit_us[arrived],
                                               .min = w->min[arrived],
                                               .max = w->min[arrived],
                                               .account = w->account[arrived]};
            arrived++;
        } else {
            int32_t k = starts[started++].job;

            records[k].grant_us = start_us;
            records[k].state = RF_JOB_RUNNING;
            st = rf_ends_add(&ends, (struct rf_end){result->end_us[k], (int32_t)started, k},
                             err);
        }
    }
    rf_ends_clear(&ends);
    return st;
}

static enum rf_status time_bare(struct rf_bench_run *run, const struct rf_workload *w,
                                const struct rf_sim_result *result, struct rf_error *err)
{
    struct start *starts = NULL;
    int64_t n;
    enum rf_status st = sort_starts(&starts, &n, result, w->n, err);
    double since = rf_bench_seconds();
    struct rf_job *records = rf_pages_take(((size_t)w->n + 1) * sizeof *records);

    if (st == RF_OK && records == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: %lld jobs", (long long)w->n);
    if (st == RF_OK)
        st = play(w, result, starts, n, records, err);
    run->bare_s = rf_bench_seconds() - since;
    if (st == RF_OK)
        run->deepest = deepest_queue(w, starts, n);
    free(records);
    free(starts);
    return st;
}

enum rf_status rf_bench_run(struct rf_bench_run *run, const struct rf_bench_load *load,
                            const struct rf_sim_options *options, int with_bare,
                            struct rf_error *err)
{
    struct rf_sim_result result;
    double since = rf_bench_seconds();
    enum rf_status st = rf_sim_run(&load->jobs, options, &result, err);

    *run = (struct rf_bench_run){.run_s = rf_bench_seconds() - since,
                                 .deepest = -1,
                                 .makespan_us = result.makespan_us,
                                 .preemptions = result.preemptions};
    if (st == RF_OK && with_bare)
        st = time_bare(run, &load->jobs, &result, err);
    rf_sim_result_clear(&result);
    return st;
}
