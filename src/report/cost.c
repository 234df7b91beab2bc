#include "report/cost.h"

#include <math.h>
#include <stdlib.h>

/* Marks a job and all that it needs; needs come before it in the plan. */
static void mark(const struct rf_job_plan *plan, unsigned char *is_in, int32_t id)
{
    while (id >= 0 && !is_in[id]) {
        is_in[id] = 1;
        if (plan->jobs[id].label_job >= 0)
            mark(plan, is_in, plan->jobs[id].label_job);
        id = plan->jobs[id].init_job;
    }
}

static double number_or(double value, double otherwise)
{
    return isnan(value) ? otherwise : value;
}

static void add_job(struct rf_row_cost *cost, const struct rf_planned_job *job,
                    const struct rf_state *state, int32_t id, const struct rf_metrics *metrics)
{
    double charged = id < state->njobs ? (double)rf_state_job_extra(state, id)->flops : 0;
    double flops = number_or(rf_metrics_get(metrics, "model_flops"), charged);

    cost->flops += flops;
    cost->device_s += id < state->njobs ? (double)state->jobs[id].held_us / 1e6 : 0;
    cost->jobs++;
    cost->cached += rf_metrics_get(metrics, "cached") > 0;
    if (job->role == RF_ROLE_WEAK || job->role == RF_ROLE_NOISY)
        cost->weak_flops += flops;
    else if (job->role == RF_ROLE_CEILING)
        cost->ceiling_flops += flops;
    else if (job->role == RF_ROLE_PRETRAIN)
        cost->pretrain_flops += flops;
    else
        cost->student_flops += flops;
}

double rf_model_cost(const struct rf_job_plan *plan, const struct rf_state *state,
                     const struct rf_job_result *jobs, int32_t job)
{
    double flops = job >= 0 ? 0 : NAN;

    for (; job >= 0; job = plan->jobs[job].init_job) {
        int known = job < state->njobs && state->jobs[job].state == RF_JOB_DONE;

        flops += number_or(rf_metrics_get(&jobs[job].metrics, "model_flops"),
                           known ? (double)rf_state_job_extra(state, job)->flops : NAN);
    }
    return flops;
}

enum rf_status rf_row_cost(const struct rf_job_plan *plan, const struct rf_state *state,
                           const struct rf_job_result *jobs, const int32_t *wanted, int nwanted,
                           struct rf_row_cost *cost, struct rf_error *err)
{
    unsigned char *is_in = calloc((size_t)plan->njobs + 1, 1);

    *cost = (struct rf_row_cost){0};
    if (is_in == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a bill of %d jobs", plan->njobs);
    for (int i = 0; i < nwanted; i++)
        mark(plan, is_in, wanted[i]);
    for (int32_t i = 0; i < plan->njobs; i++)
        if (is_in[i])
            add_job(cost, &plan->jobs[i], state, i, &jobs[i].metrics);
    free(is_in);
    return RF_OK;
}
