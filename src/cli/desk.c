#include "cli/desk.h"

#include <stdlib.h>

#include "cli/promised.h"

enum { METRICS_US = 5000000 };

/* Could the jobs from `first` on ever run here? */
static enum rf_status check_sizes(const struct rf_desk *desk, int32_t first,
                                  struct rf_error *err)
{
    const struct rf_job_plan *plan = &desk->launch->plan;

    for (int32_t i = first; i < plan->njobs; i++)
        if (plan->jobs[i].min > desk->nworkers)
            return rf_fail(err, RF_ERR_CONFIG,
                           "job '%s' needs at least %d ranks, this run has %d worker%s",
                           plan->jobs[i].name, plan->jobs[i].min, desk->nworkers,
                           desk->nworkers == 1 ? "" : "s");
    return RF_OK;
}

static void withdraw(void *ctx)
{
    struct rf_desk *desk = ctx;
    struct rf_launch *launch = desk->launch;

    rf_submissions_drop(&launch->submitted, &launch->plan, launch->run_dir);
}

static enum rf_status submit(void *ctx, const char *config, size_t size_bytes,
                             const struct rf_request **requests, int *n, struct rf_error *err)
{
    struct rf_desk *desk = ctx;
    struct rf_launch *launch = desk->launch;
    int32_t first = launch->plan.njobs;
    struct rf_request *more;
    enum rf_status st =
        rf_submissions_add(&launch->submitted, &launch->plan, &launch->spec, launch->run_dir,
                           config, size_bytes, "submission", NULL, 1, err);

    if (st != RF_OK)
        return st;
    st = check_sizes(desk, first, err);
    *n = launch->plan.njobs - first;
    more = calloc((size_t)*n, sizeof *more);
    if (st == RF_OK && more == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: %d requests", *n);
    if (st != RF_OK) {
        free(more);
        withdraw(desk);
        return st;
    }
    for (int i = 0; i < *n; i++)
        more[i] = rf_promised_request(&launch->plan.jobs[first + i]);
    free(desk->requests);
    desk->requests = more;
    *requests = more;
    return RF_OK;
}

enum rf_status rf_desk_open(struct rf_desk *desk, struct rf_control_options *options,
                            struct rf_error *err)
{
    enum rf_status st =
        rf_file_join(desk->socket_path, desk->launch->run_dir, "control.sock", err);

    if (st == RF_OK)
        st = rf_file_join(desk->metrics_path, desk->launch->run_dir, "metrics.prom", err);
    *options = (struct rf_control_options){.socket_path = desk->socket_path,
                                           .metrics_path = desk->metrics_path,
                                           .metrics_us = METRICS_US,
                                           .ctx = desk,
                                           .submit = submit,
                                           .withdraw = withdraw};
    return st;
}

void rf_desk_close(struct rf_desk *desk)
{
    free(desk->requests);
    desk->requests = NULL;
}

enum rf_outcome rf_submitted_job_run(void *ctx, const struct rf_group *group, int32_t job,
                                     struct rf_lease *lease, struct rf_error *err)
{
    struct rf_submitted_job *with = ctx;
    struct rf_launch *launch = with->launch;
    enum rf_status st = rf_submissions_read(&launch->submitted, &launch->plan, &launch->spec,
                                            launch->run_dir, job, err);

    if (rf_agree(group, st, err) != RF_OK)
        return RF_OUTCOME_FAILED;
    return rf_job_run(&with->job, group, job, lease, err);
}
