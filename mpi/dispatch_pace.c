/* How far a run has come, of all that it was asked for.
 *
 * A job counts as much as its training is expected to take, and as the part of its steps that it has
 * reported; one that is over counts in full, however it ended. The pace is the mean since this
 * coordinator started, waits and stops included: what a run is about to need, if it goes on as
 * it went. */
#include <math.h>

#include "base/file.h"
#include "mpi/desk.h"

static double part_of(const struct rf_state *state, int32_t id, int64_t steps)
{
    const struct rf_job *job = &state->jobs[id];
    int64_t step = rf_state_job_extra(state, id)->step;

    if (job->state >= RF_JOB_DONE)
        return 1;
    return steps > 0 && step > 0 ? fmin((double)step / (double)steps, 1) : 0;
}

static void add_up(const struct rf_dispatch *d, double *done, double *total)
{
    *done = *total = 0;
    for (int32_t i = 0; i < d->nrequests; i++) {
        const struct rf_request *r = &d->requests[i];

        *total += r->effort;
        if (d->job_of[i] >= 0)
            *done += r->effort * part_of(rf_desk_state(d), d->job_of[i], r->steps);
    }
}

static int64_t tokens(const struct rf_state *state)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < state->naccounts; i++)
        if (state->accounts[i].parent < 0)
            sum += state->accounts[i].tokens;
    return sum;
}

void rf_desk_pace_start(struct rf_dispatch *d)
{
    double total;

    add_up(d, &d->begun_effort, &total);
    d->begun_tokens = tokens(rf_desk_state(d));
    d->begun_us = rf_time_us();
}

struct rf_pace rf_dispatch_pace(const struct rf_dispatch *dispatch)
{
    const struct rf_dispatch *d = dispatch;
    double elapsed_s = (double)(rf_time_us() - d->begun_us) / 1e6, done, total;
    int64_t new_tokens = tokens(rf_desk_state(d)) - d->begun_tokens;
    struct rf_pace pace;

    add_up(d, &done, &total);
    pace = rf_pace_of(done - d->begun_effort, total - d->begun_effort, elapsed_s, "tokens");
    pace.part = total > 0 ? done / total : (double)NAN;
    pace.rate = new_tokens > 0 && elapsed_s > 0 ? (double)new_tokens / elapsed_s : (double)NAN;
    return pace;
}

int64_t rf_dispatch_planned(const struct rf_dispatch *dispatch)
{
    return dispatch->nrequests;
}
