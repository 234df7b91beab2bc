/* What each job could have used more, and which requests lay in the share. A job that waits in
 * one piece needs two numbers, whichever windows are asked about later. */
#include "alloc/definition_rules.h"

#include <stdlib.h>
#include <string.h>

/* Makes room for want items; new bytes are zero. */
enum rf_status rf_definition_reserve(void **array, int32_t *room, int64_t want, size_t item,
                                     struct rf_error *err)
{
    int64_t next = want + want / 2 + 16;
    char *moved;

    if (want <= *room)
        return RF_OK;
    moved = next > INT32_MAX ? NULL : realloc(*array, (size_t)next * item);
    if (moved == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: definitions");
    memset(moved + (size_t)*room * item, 0, (size_t)(next - *room) * item);
    *array = moved;
    *room = (int32_t)next;
    return RF_OK;
}

enum rf_status rf_wishes_know(struct rf_definitions *d, int32_t njobs, struct rf_error *err)
{
    void *array = d->wishes;
    enum rf_status st =
        rf_definition_reserve(&array, &d->wishes_room, njobs, sizeof *d->wishes, err);

    d->wishes = array;
    return st;
}

/* The job held `devices` and was part of the demand or not, up to t_us. */
void rf_wish_settle(struct rf_definitions *d, const struct rf_job *job, int32_t id,
                    int32_t devices, int part, int64_t t_us)
{
    struct rf_wish *wish = &d->wishes[id];
    int64_t missing = part ? rf_least(job->max, d->fleet) - devices : 0;
    int64_t dt = t_us - wish->since_us;

    if (dt <= 0)
        return;
    if (missing > 0) {
        wish->unmet_us =
            dt > INT64_MAX / missing ? INT64_MAX : rf_sum(wish->unmet_us, missing * dt);
        wish->last_us = t_us;
    }
    wish->since_us = t_us;
}

/* Settles all jobs of one pledged account, or of all (NULL); with skip, time stood still. */
void rf_wishes_settle(struct rf_definitions *d, const struct rf_pledged *only,
                      const struct rf_state *state, int64_t t_us, int skip)
{
    for (int list = 0; list < 2; list++)
        for (int32_t i = list == 0 ? state->running_first : state->queue_first; i >= 0;
             i = state->jobs[i].next) {
            const struct rf_job *job = &state->jobs[i];
            const struct rf_pledged *a = rf_pledged_of(d, job->account);

            if (a != NULL && (only == NULL || only == a))
                rf_wish_settle(d, job, i, job->ndevices, !skip && rf_part_of_demand(state, job),
                               t_us);
        }
}

void rf_settle_wishes(struct rf_definitions *d, const struct rf_state *state)
{
    if (d->naccounts > 0) /* all of them stand at the last event */
        rf_wishes_settle(d, NULL, state, d->accounts[0].done_us, d->closed);
}

/* As many as the job could ever have had more. */
static int64_t widest_of(const struct rf_definitions *d, const struct rf_job *job)
{
    return rf_least(job->max, d->largest_fleet);
}

/* Of the time that it went without, what the job had a use for: pledge.h. */
static int64_t use_of(const struct rf_job *job, int64_t unmet_us)
{
    return job->limit_us > 0 && job->limit_us <= (unmet_us - 1) / job->max
               ? job->limit_us * job->max
               : unmet_us;
}

/* What of the job's unmet time lies after begin_us, if it waited in one piece, last. */
static int64_t unmet_of(const struct rf_definitions *d, const struct rf_job *job, int32_t id,
                        int64_t begin_us)
{
    const struct rf_wish *wish = &d->wishes[id];

    if (wish->last_us <= begin_us)
        return 0;
    return use_of(job,
                  rf_least(wish->unmet_us, rf_wide_narrow(rf_wide_product(
                                               widest_of(d, job), wish->last_us - begin_us))));
}

struct rf_wide rf_unmet_since(const struct rf_definitions *d, const struct rf_pledged *a,
                              const struct rf_cells *cells, const struct rf_state *state,
                              int64_t begin_us)
{
    struct rf_wide sum = {0, 0};

    for (int list = 0; list < 2; list++)
        for (int32_t i = list == 0 ? state->running_first : state->queue_first; i >= 0;
             i = state->jobs[i].next)
            if (rf_pledged_of(d, state->jobs[i].account) == a)
                rf_wide_add(&sum, unmet_of(d, &state->jobs[i], i, begin_us));
    if (cells == NULL)
        return rf_wide_plus(sum, a->refused_us);
    for (int32_t k = cells->nsamples - 1; k >= 0 && cells->samples[0][k].t_us >= begin_us; k--)
        sum = rf_wide_plus(sum, cells->refused_us[k]);
    return sum;
}

/* The job leaves undone: its unmet time, to the cells in which it waited. */
static void spread_refused(struct rf_cells *cells, const struct rf_wish *wish,
                           const struct rf_job *job, int64_t devices)
{
    int64_t left_us = wish->unmet_us, end_us = wish->last_us;

    for (int32_t k = cells->nsamples - 1; k >= 0 && left_us > 0; k--) {
        int64_t begin_us = cells->samples[0][k].t_us, part;

        if (begin_us >= end_us)
            continue;
        part = k > 0 ? rf_least(left_us,
                                rf_wide_narrow(rf_wide_product(devices, end_us - begin_us)))
                     : left_us;
        rf_wide_add(&cells->refused_us[k], use_of(job, part));
        left_us -= part;
        end_us = begin_us;
    }
}

void rf_wish_refused(struct rf_definitions *d, struct rf_pledged *a, const struct rf_job *job,
                     int32_t id)
{
    int64_t devices = widest_of(d, job);

    spread_refused(&a->steps, &d->wishes[id], job, devices);
    spread_refused(&a->windows, &d->wishes[id], job, devices);
    rf_wide_add(&a->refused_us, use_of(job, d->wishes[id].unmet_us));
}

/* The job is ready: does it lie in the share, with what is held and asked for already? */
void rf_request_look(struct rf_definitions *d, struct rf_pledged *a,
                     const struct rf_state *state, int32_t id, int64_t t_us)
{
    const struct rf_job *job = &state->jobs[id];

    d->wishes[id] = (struct rf_wish){.since_us = t_us, .last_us = t_us};
    for (int i = 0; i < a->npromises; i++) {
        const struct rf_pledge *pledge = &a->promises[i].promise.pledge;

        if (state->accounts[a->account].used + a->asking + job->min <=
            rf_share_of(&pledge->share, rf_promise_base(d, pledge)))
            d->wishes[id].in_share |= 1u << i;
    }
    a->asking += job->min;
}
