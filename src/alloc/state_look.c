/* Questions to a state; nothing here changes one. */
#include <stdio.h>
#include <string.h>

#include "alloc/state_rules.h"

static const char *const JOB_STATES[] = {"queued", "running",   "stopping", "done",
                                         "failed", "cancelled", "denied"};

static const struct rf_job_extra NO_EXTRA = {.checkpoint_us = -1};
static const struct rf_idset NO_DEVICES = {0};

const char *rf_job_state_name(enum rf_job_state state)
{
    return JOB_STATES[state];
}

int rf_end_state(const char *word)
{
    for (int i = RF_JOB_DONE; i <= RF_JOB_CANCELLED; i++)
        if (word[0] == JOB_STATES[i][0] && strcmp(word, JOB_STATES[i]) == 0)
            return i;
    return -1;
}

int rf_account_contains(const char *of, const char *name)
{
    size_t n = strlen(of);

    return strncmp(of, name, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

int rf_state_ready(const struct rf_state *state, const struct rf_job *job)
{
    const struct rf_job_extra *extra;

    if (job->state != RF_JOB_QUEUED)
        return 0;
    if (job->extra < 0)
        return 1;
    extra = &state->extras[job->extra];
    if (extra->retry_us > state->now_us)
        return 0;
    for (int32_t i = 0; i < extra->nafter; i++)
        if (state->jobs[extra->after[i]].state != RF_JOB_DONE)
            return 0;
    return 1;
}

static const char *spent_by_account(const struct rf_state *state, int32_t account)
{
    for (int32_t a = account; a >= 0; a = state->accounts[a].parent) {
        const struct rf_account *of = &state->accounts[a];

        if (rf_wide_sign(of->held_limit_us) > 0 &&
            rf_wide_compare(of->held_us, of->held_limit_us) >= 0)
            return "account-device-time";
        if (of->flops_limit > 0 && of->flops >= of->flops_limit)
            return "account-flops";
    }
    return NULL;
}

const char *rf_state_spent(const struct rf_state *state, const struct rf_job *job)
{
    const struct rf_job_extra *extra = job->extra < 0 ? &NO_EXTRA : &state->extras[job->extra];

    if (extra->held_limit_us > 0 && job->held_us >= extra->held_limit_us)
        return "job-device-time";
    if (extra->flops_limit > 0 && extra->flops >= extra->flops_limit)
        return "job-flops";
    return state->limited ? spent_by_account(state, job->account) : NULL;
}

int rf_state_orphan(const struct rf_state *state, const struct rf_job *job)
{
    const struct rf_job_extra *extra;

    if (job->state != RF_JOB_QUEUED || job->extra < 0)
        return 0;
    extra = &state->extras[job->extra];
    for (int32_t i = 0; i < extra->nafter; i++) {
        enum rf_job_state before = state->jobs[extra->after[i]].state;

        if (before == RF_JOB_FAILED || before == RF_JOB_CANCELLED || before == RF_JOB_DENIED)
            return 1;
    }
    return 0;
}

int64_t rf_state_owed_us(const struct rf_job *job, int64_t t_us)
{
    return job->lease < 0 || t_us <= job->charged_us ? 0
                                                     : job->ndevices * (t_us - job->charged_us);
}

int rf_state_within(const struct rf_state *state, int32_t account, int32_t of)
{
    while (account >= 0 && account != of)
        account = state->accounts[account].parent;
    return account >= 0;
}

int32_t rf_state_count(const struct rf_state *state, const struct rf_event *event)
{
    return state->by_count ? event->count : rf_idset_count(&event->devices);
}

const struct rf_idset *rf_state_devices(const struct rf_state *state, int32_t job)
{
    int32_t place = state->jobs[job].place;

    return place < 0 ? &NO_DEVICES : &state->held[place];
}

const char *rf_state_job_name(const struct rf_state *state, int32_t job, char *buf)
{
    int32_t extra = state->jobs[job].extra;

    if (extra >= 0 && state->extras[extra].name[0] != '\0')
        return state->extras[extra].name;
    snprintf(buf, RF_NAME_BYTES, "job%d", job);
    return buf;
}

const char *rf_state_job_account(const struct rf_state *state, int32_t job)
{
    return state->accounts[state->jobs[job].account].name;
}

const char *rf_state_job_reason(const struct rf_state *state, int32_t job)
{
    return state->reasons[state->jobs[job].reason];
}

const struct rf_job_extra *rf_state_job_extra(const struct rf_state *state, int32_t job)
{
    int32_t extra = state->jobs[job].extra;

    return extra < 0 ? &NO_EXTRA : &state->extras[extra];
}
