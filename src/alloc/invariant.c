#include "alloc/invariant.h"

#include <stdlib.h>

static int conservation(const struct rf_state *s)
{
    struct rf_idset all = {0};
    enum rf_status st = rf_idset_copy(&all, &s->free, NULL);
    int64_t held = 0;
    int same;

    for (int32_t i = 0; st == RF_OK && i < s->nrunning; i++) {
        held += s->jobs[s->running[i]].ndevices;
        st = rf_idset_add_set(&all, &s->jobs[s->running[i]].devices, NULL);
    }
    same = st == RF_OK && all.nranges == s->fleet.nranges;
    for (int32_t i = 0; same && i < all.nranges; i++)
        same = all.ranges[i].begin == s->fleet.ranges[i].begin &&
               all.ranges[i].end == s->fleet.ranges[i].end;
    rf_idset_clear(&all);
    return same && s->nfree + held == s->nfleet && rf_idset_count(&s->free) == s->nfree &&
           rf_idset_count(&s->fleet) == s->nfleet;
}

static int leases(const struct rf_state *s)
{
    for (int32_t i = 0; i < s->nrunning; i++) {
        const struct rf_job *job = &s->jobs[s->running[i]];

        if ((job->state != RF_JOB_RUNNING && job->state != RF_JOB_STOPPING) || job->lease < 0 ||
            job->lease >= s->next_lease || rf_idset_count(&job->devices) != job->ndevices ||
            job->ndevices < job->min || job->ndevices > job->max)
            return 0;
        if (i > 0 && job->lease <= s->jobs[s->running[i - 1]].lease)
            return 0;
    }
    return 1;
}

static int queue(const struct rf_state *s)
{
    for (int32_t i = 0; i < s->nqueue; i++) {
        const struct rf_job *job = &s->jobs[s->queue[i]];

        if (job->state != RF_JOB_QUEUED || job->lease >= 0 || job->ndevices != 0 ||
            (i > 0 && s->queue[i] <= s->queue[i - 1]))
            return 0;
    }
    return 1;
}

static int accounts(const struct rf_state *s)
{
    for (int32_t a = 0; a < s->naccounts; a++) {
        int64_t used = 0;

        for (int32_t i = 0; i < s->nrunning; i++) {
            const struct rf_job *job = &s->jobs[s->running[i]];

            if (rf_state_within(s, job->account, a))
                used += job->ndevices;
        }
        if (used != s->accounts[a].used || s->accounts[a].held_us < 0)
            return 0;
    }
    return 1;
}

static int readings(const struct rf_state *s)
{
    for (int32_t i = 0; i < s->nrunning; i++) {
        const struct rf_job *job = &s->jobs[s->running[i]];

        if (job->charged_us > s->now_us || job->charged_us < job->grant_us || job->held_us < 0)
            return 0;
    }
    return 1;
}

static const struct {
    const char *name;
    int (*holds)(const struct rf_state *state);
} INVARIANTS[] = {{"conservation", conservation},
                  {"leases", leases},
                  {"queue", queue},
                  {"accounts", accounts},
                  {"readings", readings}};

enum rf_status rf_invariant_check(const struct rf_state *state, struct rf_error *err)
{
    for (size_t i = 0; i < sizeof INVARIANTS / sizeof *INVARIANTS; i++)
        if (!INVARIANTS[i].holds(state))
            return rf_fail(err, RF_ERR_INTERNAL,
                           "invariant '%s' does not hold after entry %lld", INVARIANTS[i].name,
                           (long long)state->next_seq - 1);
    return RF_OK;
}
