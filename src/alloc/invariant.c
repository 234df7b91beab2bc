#include "alloc/invariant.h"

#include <stdlib.h>

#include "alloc/state_rules.h"

static int same(const struct rf_idset *a, const struct rf_idset *b)
{
    int equal = a->nranges == b->nranges;

    for (int32_t i = 0; equal && i < a->nranges; i++)
        equal =
            a->ranges[i].begin == b->ranges[i].begin && a->ranges[i].end == b->ranges[i].end;
    return equal;
}

static int totals(const struct rf_state *s)
{
    return s->nfree >= 0 && s->nfree <= s->nfleet && s->ndown >= 0 &&
           s->nfleet + s->ndown <= s->peak && (s->nrunning > 0 || s->nfree == s->nfleet) &&
           (s->nrunning == 0) == (s->running_first < 0) &&
           (s->nrunning == 0) == (s->running_last < 0) &&
           (s->nqueue == 0) == (s->queue_first < 0) && (s->nqueue == 0) == (s->queue_last < 0);
}

static int sets(const struct rf_state *s)
{
    struct rf_idset all = {0};
    enum rf_status st = rf_idset_copy(&all, &s->free, NULL);
    int together;

    for (int32_t id = s->running_first; st == RF_OK && id >= 0; id = s->jobs[id].next)
        st = rf_idset_add_set(&all, rf_state_devices(s, id), NULL);
    together = st == RF_OK && same(&all, &s->fleet);
    rf_idset_clear(&all);
    return together && rf_idset_count(&s->free) == s->nfree &&
           rf_idset_count(&s->fleet) == s->nfleet && rf_idset_count(&s->down) == s->ndown &&
           !rf_devices_overlap(&s->down, &s->fleet);
}

static int conservation(const struct rf_state *s)
{
    int64_t held = 0;

    for (int32_t id = s->running_first; id >= 0; id = s->jobs[id].next)
        held += s->jobs[id].ndevices;
    return totals(s) && s->nfree + held == s->nfleet && (s->by_count || sets(s));
}

/* A job that holds devices, as such. */
static int lease_ok(const struct rf_state *s, int32_t id)
{
    const struct rf_job *job = &s->jobs[id];

    return (job->state == RF_JOB_RUNNING || job->state == RF_JOB_STOPPING) && job->lease >= 0 &&
           job->lease < s->next_lease && job->ndevices >= job->min &&
           job->ndevices <= job->max && job->lent >= 0 && job->lent <= job->ndevices &&
           (s->by_count || rf_idset_count(rf_state_devices(s, id)) == job->ndevices) &&
           (job->prev < 0 || s->jobs[job->prev].lease < job->lease);
}

static int waiting_ok(const struct rf_state *s, int32_t id)
{
    const struct rf_job *job = &s->jobs[id];

    return job->state == RF_JOB_QUEUED && job->lease < 0 && job->ndevices == 0 &&
           job->place < 0 && job->prev < id;
}

static int linked(const struct rf_state *s, int32_t id, int32_t first, int32_t last)
{
    const struct rf_job *job = &s->jobs[id];

    return (job->prev < 0 ? first : s->jobs[job->prev].next) == id &&
           (job->next < 0 ? last : s->jobs[job->next].prev) == id;
}

static int leases(const struct rf_state *s)
{
    int32_t n = 0;

    for (int32_t id = s->running_first; id >= 0; id = s->jobs[id].next, n++)
        if (n == s->nrunning || !lease_ok(s, id) ||
            !linked(s, id, s->running_first, s->running_last))
            return 0;
    return n == s->nrunning;
}

static int queue(const struct rf_state *s)
{
    int32_t n = 0;

    for (int32_t id = s->queue_first; id >= 0; id = s->jobs[id].next, n++)
        if (n == s->nqueue || !waiting_ok(s, id) ||
            !linked(s, id, s->queue_first, s->queue_last))
            return 0;
    return n == s->nqueue;
}

static int accounts(const struct rf_state *s)
{
    int64_t *used = calloc((size_t)s->naccounts + 1, sizeof *used);
    int equal = used != NULL;

    for (int32_t id = s->running_first; equal && id >= 0; id = s->jobs[id].next)
        for (int32_t a = s->jobs[id].account; a >= 0; a = s->accounts[a].parent)
            used[a] += s->jobs[id].ndevices;
    for (int32_t a = 0; equal && a < s->naccounts; a++)
        equal = used[a] == s->accounts[a].used && rf_wide_sign(s->accounts[a].held_us) >= 0;
    free(used);
    return equal;
}

static int reading_ok(const struct rf_state *s, const struct rf_job *job)
{
    return job->charged_us <= s->now_us && job->charged_us >= job->grant_us &&
           job->held_us >= 0;
}

static int readings(const struct rf_state *s)
{
    for (int32_t id = s->running_first; id >= 0; id = s->jobs[id].next)
        if (!reading_ok(s, &s->jobs[id]))
            return 0;
    return 1;
}

static const struct {
    const char *name;
    int (*holds)(const struct rf_state *state);
} INVARIANTS[] = {{"leases", leases}, /* first: the others walk the lists */
                  {"queue", queue},
                  {"conservation", conservation},
                  {"accounts", accounts},
                  {"readings", readings}};

static enum rf_status broken(const char *name, const struct rf_state *s, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_INTERNAL, "invariant '%s' does not hold after entry %lld", name,
                   (long long)s->next_seq - 1);
}

enum rf_status rf_invariant_check(const struct rf_state *state, struct rf_error *err)
{
    for (size_t i = 0; i < sizeof INVARIANTS / sizeof *INVARIANTS; i++)
        if (!INVARIANTS[i].holds(state))
            return broken(INVARIANTS[i].name, state, err);
    return RF_OK;
}

/* ---- one event -------------------------------------------------------- */

/* A job that is over is in no list and holds nothing. */
static int over_ok(const struct rf_job *job)
{
    return job->lease < 0 && job->ndevices == 0 && job->place < 0 && job->prev < 0 &&
           job->next < 0 && job->end_us >= job->submit_us;
}

static const char *broken_by_job(const struct rf_state *s, int32_t id)
{
    const struct rf_job *job = &s->jobs[id];

    if (job->state == RF_JOB_QUEUED)
        return waiting_ok(s, id) && linked(s, id, s->queue_first, s->queue_last) ? NULL
                                                                                 : "queue";
    if (job->state != RF_JOB_RUNNING && job->state != RF_JOB_STOPPING)
        return over_ok(job) ? NULL : "leases";
    if (!lease_ok(s, id) || !linked(s, id, s->running_first, s->running_last))
        return "leases";
    if (!s->by_count && (!rf_devices_within(rf_state_devices(s, id), &s->fleet) ||
                         rf_devices_overlap(rf_state_devices(s, id), &s->free)))
        return "conservation";
    return reading_ok(s, job) ? NULL : "readings";
}

/* Devices of the event itself: where are they now? */
static int devices_ok(const struct rf_state *s, const struct rf_event *e)
{
    if (s->by_count)
        return 1;
    if (e->type == RF_EVENT_SHRINK || (e->type == RF_EVENT_CAPACITY && e->up))
        return rf_devices_within(&e->devices, &s->free);
    if (e->type == RF_EVENT_CAPACITY)
        return !rf_devices_overlap(&e->devices, &s->free) &&
               !rf_devices_overlap(&e->devices, &s->fleet);
    return 1;
}

static int accounts_ok(const struct rf_state *s, int32_t account)
{
    for (int32_t a = account; a >= 0; a = s->accounts[a].parent)
        if (s->accounts[a].used < 0 || s->accounts[a].used > s->nfleet - s->nfree ||
            rf_wide_sign(s->accounts[a].held_us) < 0)
            return 0;
    return 1;
}

enum rf_status rf_invariant_check_event(const struct rf_state *state,
                                        const struct rf_event *event, struct rf_error *err)
{
    const char *name = NULL;

    if (event->type == RF_EVENT_RECOVER) /* it touches every holder */
        return rf_invariant_check(state, err);
    if (!totals(state) || !devices_ok(state, event))
        return broken("conservation", state, err);
    if (event->job < 0)
        return RF_OK;
    name = broken_by_job(state, event->job);
    if (name == NULL && !accounts_ok(state, state->jobs[event->job].account))
        name = "accounts";
    return name == NULL ? RF_OK : broken(name, state, err);
}
