/* Recorded readings again. What an account or a job may use is spent when it is read, and so where
 * there are such allowances the readings come when they came: after the same device-time of the
 * job, in all its leases. */
#include "sim/engine_parts.h"

/* A lease may be shorter than the recorded one by what the coordinator took to react. */
enum { MOMENT_US = 10000 };

/* Device-time from now to the job's next reading; INT64_MAX: there is none. */
static int64_t to_next(const struct rf_engine *g, int32_t id)
{
    const struct rf_job *job = &g->state->jobs[id];
    int64_t at_us = rf_workload_seen(&g->w->record->read_us, id, g->reading[id].had, -1);

    return at_us < 0 ? INT64_MAX : at_us - job->held_us - rf_state_owed_us(job, g->now_us);
}

/* What the next reading says; there is one. */
static int64_t said_next(const struct rf_engine *g, int32_t id)
{
    const struct rf_workload_series *said = &g->w->record->read_flops;

    return said->values[said->first[id] + g->reading[id].had];
}

void rf_engine_begin_readings(struct rf_engine *g, int32_t job)
{
    while (to_next(g, job) != INT64_MAX && said_next(g, job) <= RF_READ_CUT &&
           RF_READ_CUT - said_next(g, job) < g->state->jobs[job].grants)
        g->reading[job].had++;
}

enum rf_status rf_engine_expect_reading(struct rf_engine *g, int32_t job, struct rf_error *err)
{
    const struct rf_job *holder = &g->state->jobs[job];
    int64_t left_us = to_next(g, job), n = holder->ndevices, t_us = g->now_us;

    if (left_us == INT64_MAX || said_next(g, job) <= RF_READ_CUT)
        return RF_OK;
    if (left_us > 0)
        t_us += left_us / n + (left_us % n != 0);
    return rf_ends_add(&g->readings, (struct rf_end){t_us, holder->lease, job}, err);
}

/* One charge for the readings up to so much device-time from now, as far as nothing else is between
 * them, unless the job is over. */
static enum rf_status read_up_to(struct rf_engine *g, int32_t id, int64_t more_us, int over,
                                 struct rf_error *err)
{
    int64_t sum = 0;
    int any = 0;

    while (to_next(g, id) <= more_us) {
        int64_t flops = said_next(g, id);

        if (flops < 0 && !over)
            break;
        g->reading[id].had++;
        any |= flops >= 0;
        if (flops > 0)
            sum = flops > INT64_MAX - sum ? INT64_MAX : sum + flops;
    }
    return any ? rf_engine_charge(g, id, sum, err) : RF_OK;
}

/* The coordinator asks a job to leave that has broken a limit; one that stops anyway ends with that. */
static enum rf_status ask_to_leave(struct rf_engine *g, int32_t id, struct rf_error *err)
{
    const struct rf_job *job = &g->state->jobs[id];

    g->reading[id].had++;
    g->reading[id].leaves = job->lease + 1;
    return job->state == RF_JOB_RUNNING ? rf_engine_stop(g, id, -1, "as-recorded", err) : RF_OK;
}

/* What is due of one job. */
static enum rf_status read_job(struct rf_engine *g, int32_t id, struct rf_error *err)
{
    int32_t had = g->reading[id].had;
    enum rf_status st = read_up_to(g, id, 0, 0, err);

    while (st == RF_OK && to_next(g, id) <= 0 && said_next(g, id) == RF_READ_ASKED) {
        st = ask_to_leave(g, id, err);
        if (st == RF_OK)
            st = read_up_to(g, id, 0, 0, err);
    }
    if (st == RF_OK && g->reading[id].had > had) /* else it was resized: another is due */
        st = rf_engine_expect_reading(g, id, err);
    return st;
}

enum rf_status rf_engine_read(struct rf_engine *g, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    while (st == RF_OK && g->readings.n > 0 && g->readings.heap[0].t_us <= g->now_us) {
        struct rf_end due = rf_ends_take(&g->readings);

        /* a lease that died with the recorder does not end either */
        if (g->state->jobs[due.job].lease == due.lease && g->r->end_us[due.job] >= 0)
            st = read_job(g, due.job, err);
    }
    return st;
}

enum rf_status rf_engine_read_last(struct rf_engine *g, int32_t job, int over,
                                   struct rf_error *err)
{
    int64_t n = g->state->jobs[job].ndevices;

    return read_up_to(g, job, over ? INT64_MAX - 1 : MOMENT_US * n, over, err);
}
