/* Promises are put in order of time by the same code as those of a simulated world. */
#include "cli/promised.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario.h"

static struct rf_event pledge_event(const struct rf_pledge_spec *from, int64_t t_us)
{
    struct rf_event event = rf_event_make(RF_EVENT_PLEDGE, t_us);

    memcpy(event.account, from->account, sizeof event.account);
    memcpy(event.author, from->author, sizeof event.author);
    memcpy(event.reason, from->reason, sizeof event.reason);
    memcpy(event.basis, from->basis, sizeof event.basis);
    memcpy(event.terms, from->terms, sizeof event.terms);
    snprintf(event.text, sizeof event.text, "%s", from->fence);
    event.share = from->share;
    event.window_us = from->window_us;
    event.tolerance_us = from->tolerance_us;
    return event;
}

static struct rf_event policy_event(const struct rf_world_policy *from, int64_t t_us)
{
    struct rf_event event = rf_event_make(RF_EVENT_POLICY, t_us);

    snprintf(event.text, sizeof event.text, "%s+%s", from->order, from->fence);
    memcpy(event.author, from->author, sizeof event.author);
    memcpy(event.reason, from->reason, sizeof event.reason);
    return event;
}

static struct rf_event limit_event(const struct rf_limit_spec *from)
{
    struct rf_event event = rf_event_make(RF_EVENT_LIMIT, 0);

    memcpy(event.account, from->account, sizeof event.account);
    memcpy(event.author, from->author, sizeof event.author);
    memcpy(event.reason, from->reason, sizeof event.reason);
    event.held_limit_us = from->max_device_us;
    event.flops_limit = (int64_t)from->max_flops;
    return event;
}

enum rf_status rf_promised_events(const struct rf_run_spec *spec, struct rf_event **events,
                                  int *n, struct rf_error *err)
{
    struct rf_scenario scenario = rf_scenario_make();
    struct rf_world world;
    enum rf_status st;

    *events = NULL;
    *n = 0;
    scenario.pledges = spec->pledges; /* borrowed: the scenario is not cleared */
    scenario.npledges = spec->npledges;
    scenario.changes = spec->changes;
    scenario.nchanges = spec->nchanges;
    memcpy(scenario.order, spec->order, sizeof scenario.order);
    memcpy(scenario.fence, spec->fence, sizeof scenario.fence);
    st = rf_scenario_world(&scenario, INT64_MAX, &world, err);
    if (st != RF_OK)
        return st;
    *events = malloc((size_t)(world.nchanges + spec->nlimits + 1) * sizeof **events);
    if (*events == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for what is promised");
    for (int i = 0; st == RF_OK && i < spec->nlimits; i++)
        (*events)[(*n)++] = limit_event(&spec->limits[i]);
    for (int64_t i = 0; st == RF_OK && i < world.nchanges; i++) {
        const struct rf_change *c = &world.changes[i];

        (*events)[(*n)++] = c->kind == RF_CHANGE_PLEDGE
                                ? pledge_event(&world.pledges[c->index], c->t_us)
                                : policy_event(&world.policies[c->index], c->t_us);
    }
    rf_world_clear(&world);
    return st;
}

enum rf_status rf_promised_policy(const struct rf_run_spec *spec,
                                  struct rf_policy_options *options, struct rf_error *err)
{
    *options = rf_policy_options_make();
    memcpy(options->order, spec->order, sizeof options->order);
    memcpy(options->fence, spec->fence, sizeof options->fence);
    options->reserve_depth = spec->reserve_depth;
    options->replan = spec->replan;
    options->half_life_us = spec->half_life_us;
    options->resize = spec->resize;
    options->seed = spec->seed;
    options->checkpoint_us = spec->checkpoint_us;
    options->checkpoint_every_us = spec->checkpoint_every_us;
    options->restart_us = spec->restart_us;
    return rf_policy_options_check(options, err);
}

/* Weights that are multiplied, for each sequence and step: what training takes beside other jobs of
 * the run, whose sequences are about as long. */
static double effort(const struct rf_planned_job *job)
{
    const struct rf_model_spec *m = job->model;
    double width = m->width, hidden = m->hidden > 0 ? m->hidden : 4.0 * width;
    int trains = job->role != RF_ROLE_ZERO_SHOT && job->role != RF_ROLE_NOISY &&
                 !rf_methods[job->method].linear;

    return trains ? (double)job->train->steps * job->train->batch * m->layers * width *
                        (4 * width + 2 * hidden)
                  : 0;
}

struct rf_request rf_promised_request(const struct rf_planned_job *job)
{
    struct rf_request request = {.min = job->min,
                                 .max = job->max,
                                 .submit_us = job->submit_us,
                                 .nafter = job->nafter,
                                 .limit_us = job->bounds.limit_us,
                                 .priority = job->bounds.priority,
                                 .deadline_us = job->bounds.deadline_us,
                                 .held_limit_us = job->bounds.max_device_us,
                                 .flops_limit = (int64_t)job->bounds.max_flops,
                                 .retries = job->bounds.retries,
                                 .backoff_us = job->bounds.backoff_us,
                                 .steps = job->train->steps,
                                 .effort = effort(job)};

    memcpy(request.name, job->name, sizeof request.name);
    memcpy(request.account, job->account, sizeof request.account);
    memcpy(request.after, job->after, sizeof request.after);
    return request;
}
