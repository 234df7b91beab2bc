/* What jobs have to keep to: time limits, allowances, deadlines, and to be heard of.
 *
 * A lease that breaks a limit is revoked like a preempted one, but its job ends. One that is
 * not heard of, or has not left long after it was asked to, cannot be thrown off its ranks: it is
 * disputed, once each time, and charged by the clock, so that no evidence is missing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/desk.h"

/* Before its first step a job reads its data and its checkpoint, and has nothing to say. */
enum { ALLOWANCE_US = 10000, START_PATIENCE = 30 };

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void end_for(struct rf_dispatch *d, struct rf_held *held, const char *reason)
{
    snprintf(held->ends, sizeof held->ends, "%s", reason);
    rf_desk_preempt(d, held, -1, reason);
}

/* Is t_us here? If not, that is when to look again. */
static int is_here(struct rf_dispatch *d, int64_t t_us)
{
    if (d->journal->now_us >= t_us)
        return 1;
    d->watch_us = sooner(d->watch_us, t_us);
    return 0;
}

/* By when the job will have held `limit_us` device-microseconds, as it goes now. */
static int64_t used_up_us(const struct rf_job *job, int64_t limit_us)
{
    int64_t left_us = limit_us - job->held_us;

    return job->charged_us + (left_us > 0 ? left_us / job->ndevices : 0);
}

static const char *broken_limit(struct rf_dispatch *d, const struct rf_held *held)
{
    const struct rf_job *job = rf_desk_job(d, held);
    const struct rf_job_extra *extra = rf_state_job_extra(rf_desk_state(d), held->job);

    if (job->limit_us > 0 && is_here(d, job->grant_us + job->limit_us))
        return "time-limit";
    if (extra->deadline_us > 0 && is_here(d, extra->deadline_us))
        return "deadline-passed";
    if (extra->held_limit_us > 0 && is_here(d, used_up_us(job, extra->held_limit_us)))
        return "job-device-time";
    if (extra->flops_limit > 0 && extra->flops >= extra->flops_limit)
        return "job-flops";
    return NULL;
}

/* What running jobs have not been charged for yet, by account, those below it included. */
static int look_at_accounts(struct rf_dispatch *d)
{
    const struct rf_state *s = rf_desk_state(d);

    if (s->naccounts > d->owed_room) {
        int64_t *owed_us = realloc(d->owed_us, (size_t)s->naccounts * sizeof *owed_us);

        if (owed_us == NULL)
            return 0; /* the next look may find memory; the ledger's rules hold in any case */
        d->owed_us = owed_us;
        d->owed_room = s->naccounts;
    }
    memset(d->owed_us, 0, (size_t)s->naccounts * sizeof *d->owed_us);
    for (int32_t i = s->running_first; i >= 0; i = s->jobs[i].next)
        for (int32_t a = s->jobs[i].account; a >= 0; a = s->accounts[a].parent)
            d->owed_us[a] += rf_state_owed_us(&s->jobs[i], d->journal->now_us);
    return 1;
}

/* An account's allowance that is used up, by what was charged and what is owed. */
static const char *broken_allowance(const struct rf_dispatch *d, const struct rf_held *held)
{
    const struct rf_state *s = rf_desk_state(d);

    for (int32_t a = rf_desk_job(d, held)->account; a >= 0; a = s->accounts[a].parent) {
        const struct rf_account *of = &s->accounts[a];
        struct rf_wide used_us = of->held_us;

        if (of->flops_limit > 0 && of->flops >= of->flops_limit)
            return "account-flops";
        if (rf_wide_sign(of->held_limit_us) <= 0)
            continue;
        rf_wide_add(&used_us, d->owed_us[a]);
        if (rf_wide_compare(used_us, of->held_limit_us) >= 0)
            return "account-device-time";
    }
    return NULL;
}

static void watch_limits(struct rf_dispatch *d, struct rf_held *held, int accounts)
{
    const char *why;

    if (held->ends[0] != '\0' || held->revoke == RF_REVOKE_SIGNAL)
        return;
    why = broken_limit(d, held);
    if (why == NULL && accounts)
        why = broken_allowance(d, held);
    if (why != NULL)
        end_for(d, held, why);
}

/* The lease is disputed once; its time is charged again and again, for as long as it is so. */
static void watch_silence(struct rf_dispatch *d, struct rf_held *held)
{
    const struct rf_reading nothing = {.step = -1};
    int64_t patience_us = d->options->lease_us * d->options->lease_silence;
    int late;

    if (patience_us <= 0 || held->paused)
        return;
    late =
        held->asked_us >= 0 && is_here(d, held->asked_us + d->options->grace_us + patience_us);
    if (late && !held->overrun) {
        held->overrun = 1;
        rf_desk_dispute(d, held, "overrun", &nothing);
    }
    if (!is_here(d, held->heard_us + patience_us))
        return;
    if (!held->silent &&
        is_here(d, held->heard_us + (held->spoke ? 1 : START_PATIENCE) * patience_us)) {
        held->silent = 1;
        rf_desk_dispute(d, held, "silent", &nothing);
    }
    if (is_here(d, rf_desk_job(d, held)->charged_us + patience_us)) {
        rf_desk_charge(d, held, &nothing);
        is_here(d, d->journal->now_us + patience_us);
    }
}

void rf_desk_watch(struct rf_dispatch *d)
{
    int accounts = 0;

    if (d->journal->now_us < d->watch_us)
        return;
    d->watch_us = INT64_MAX;
    if (rf_desk_state(d)->limited && d->nleases > 0) {
        accounts = look_at_accounts(d);
        d->watch_us = d->journal->now_us + ALLOWANCE_US;
    }
    for (int i = 0; i < d->nleases && !d->failed; i++) {
        watch_silence(d, &d->leases[i]);
        watch_limits(d, &d->leases[i], accounts);
    }
}
