/* What happened to the coordinator, as changes of a world and as requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/replay_parts.h"

int64_t rf_replay_since_start(const struct rf_replay_reader *d, int64_t t_us)
{
    return t_us - d->r->start_us;
}

static enum rf_status add_change(struct rf_replay_reader *d, int64_t t_us,
                                 enum rf_change_kind kind, int32_t begin, int32_t end,
                                 int32_t index, struct rf_error *err)
{
    struct rf_world *w = &d->r->world;
    struct rf_change *changes =
        rf_replay_room(w->changes, w->nchanges, &d->changes_room, sizeof *changes, err);

    if (changes == NULL)
        return RF_ERR_MEMORY;
    w->changes = changes;
    changes[w->nchanges++] =
        (struct rf_change){rf_replay_since_start(d, t_us), kind, begin, end, index};
    w->by_id |=
        kind == RF_CHANGE_FAILED || kind == RF_CHANGE_MAINTENANCE || kind == RF_CHANGE_LEFT;
    return RF_OK;
}

static enum rf_status add_devices(struct rf_replay_reader *d, int64_t t_us,
                                  enum rf_change_kind kind, const struct rf_idset *devices,
                                  struct rf_error *err)
{
    enum rf_status st = RF_OK;

    /* those of one moment stay in their order, whatever their kinds */
    if (t_us <= d->fleet.t_us)
        t_us = d->fleet.t_us + (kind < d->fleet.kind);
    d->fleet = (struct rf_change){.t_us = t_us, .kind = kind};
    for (int32_t i = 0; i < devices->nranges && st == RF_OK; i++)
        st = add_change(d, t_us, kind, devices->ranges[i].begin, devices->ranges[i].end, -1,
                        err);
    return st;
}

/* Something that somebody did: it happens again as it stands. */
enum rf_status rf_replay_add_record(struct rf_replay_reader *d, const struct rf_event *e,
                                    struct rf_error *err)
{
    struct rf_world *w = &d->r->world;
    int64_t t_us = e->t_us;
    struct rf_event *records =
        rf_replay_room(w->records, w->nrecords, &d->records_room, sizeof *records, err);
    struct rf_event *record;

    if (records == NULL)
        return RF_ERR_MEMORY;
    w->records = records;
    if (e->job >= 0 && t_us == d->submits[e->job])
        t_us++; /* a moment's records come before its requests */
    record = &w->records[w->nrecords];
    *record = *e;
    record->devices = (struct rf_idset){0};
    record->account_id = -1;
    record->lease = -1; /* leases are numbered anew */
    record->held_us = 0;
    if (e->type == RF_EVENT_RESERVE) {
        record->begin_us = rf_replay_since_start(d, e->begin_us);
        record->end_us = rf_replay_since_start(d, e->end_us);
    }
    return add_change(d, t_us, RF_CHANGE_RECORD, 0, 0, w->nrecords++, err);
}

enum rf_status rf_replay_take_pledge(struct rf_replay_reader *d, const struct rf_event *e,
                                     struct rf_error *err)
{
    struct rf_world *w = &d->r->world;
    struct rf_pledge_spec *more = realloc(w->pledges, ((size_t)w->npledges + 1) * sizeof *more);
    struct rf_pledge_spec *p;

    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a replay");
    w->pledges = more;
    p = &more[w->npledges];
    *p = (struct rf_pledge_spec){
        .share = e->share, .window_us = e->window_us, .tolerance_us = e->tolerance_us};
    memcpy(p->account, e->account, sizeof p->account);
    memcpy(p->author, e->author, sizeof p->author);
    memcpy(p->terms, e->terms, sizeof p->terms);
    memcpy(p->reason, e->reason, sizeof p->reason);
    memcpy(p->basis, e->basis, sizeof p->basis);
    snprintf(p->fence, sizeof p->fence, "%.15s", e->text);
    return add_change(d, e->t_us, RF_CHANGE_PLEDGE, 0, 0, w->npledges++, err);
}

/* "order+fence" */
void rf_replay_split_policy(const char *text, char order[16], char fence[16])
{
    size_t n = strcspn(text, "+");

    snprintf(order, 16, "%.*s", n < 15 ? (int)n : 15, text);
    snprintf(fence, 16, "%.15s", text[n] == '+' ? text + n + 1 : "none");
}

enum rf_status rf_replay_take_policy(struct rf_replay_reader *d, const struct rf_event *e,
                                     struct rf_error *err)
{
    struct rf_world *w = &d->r->world;
    struct rf_world_policy *more =
        realloc(w->policies, ((size_t)w->npolicies + 1) * sizeof *more);
    struct rf_world_policy *p;

    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a replay");
    w->policies = more;
    p = &more[w->npolicies];
    *p = (struct rf_world_policy){0};
    rf_replay_split_policy(e->text, p->order, p->fence);
    memcpy(p->author, e->author, sizeof p->author);
    memcpy(p->reason, e->reason, sizeof p->reason);
    return add_change(d, e->t_us, RF_CHANGE_POLICY, 0, 0, w->npolicies++, err);
}

/* The first devices are those that the simulation begins with. */
enum rf_status rf_replay_take_capacity(struct rf_replay_reader *d, const struct rf_event *e,
                                       struct rf_error *err)
{
    struct rf_idset rest = e->devices;

    if (!e->up)
        return add_devices(d, e->t_us,
                           strcmp(e->reason, "left") == 0     ? RF_CHANGE_LEFT
                           : strcmp(e->reason, "failed") == 0 ? RF_CHANGE_FAILED
                                                              : RF_CHANGE_MAINTENANCE,
                           &e->devices, err);
    if (d->r->devices == 0) {
        if (rest.ranges[0].begin != 0)
            return rf_fail(
                err, RF_ERR_INPUT,
                "line %lld: the first device is %d; only ledgers whose devices count "
                "from 0 can be replayed",
                (long long)e->seq + 1, rest.ranges[0].begin);
        d->r->devices = rest.ranges[0].end;
        rest.ranges++;
        rest.nranges--;
    }
    return add_devices(
        d, e->t_us, strcmp(e->reason, "repaired") == 0 ? RF_CHANGE_REPAIRED : RF_CHANGE_JOINED,
        &rest, err);
}

enum rf_status rf_replay_take_recovery(struct rf_replay_reader *d, const struct rf_event *e,
                                       struct rf_error *err)
{
    int paused = d->close_us >= 0;
    int64_t t_us = paused ? d->close_us : d->last_us;
    enum rf_status st;

    d->r->crashes += !paused;
    d->r->pauses += paused;
    d->r->down_us += e->t_us - (paused ? d->close_us : d->last_us);
    /* what the last moment has comes first, and so it is a microsecond later */
    st = add_change(d, t_us < e->t_us ? t_us + 1 : e->t_us,
                    paused ? RF_CHANGE_CLOSED : RF_CHANGE_CRASHED, 0, 0, -1, err);
    if (st == RF_OK)
        st = add_change(d, e->t_us, RF_CHANGE_RECOVERED, 0, 0, -1, err);
    d->close_us = -1;
    return st;
}

enum rf_status rf_replay_take_request(struct rf_replay_reader *d, const struct rf_event *e,
                                      struct rf_error *err)
{
    int32_t n = d->room;

    if (e->job >= n) {
        size_t room = n > 0 ? 2 * (size_t)n : 64;
        void *courses = realloc(d->courses, room * sizeof *d->courses);
        void *requests, *submits;

        if (courses != NULL)
            d->courses = courses;
        requests = realloc(d->requests, room * sizeof *d->requests);
        if (requests != NULL)
            d->requests = requests;
        submits = realloc(d->submits, room * sizeof *d->submits);
        if (submits != NULL)
            d->submits = submits;
        if (courses == NULL || requests == NULL || submits == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: a replay of %zu jobs", room);
        d->room = (int32_t)room;
    }
    d->courses[e->job] = (struct rf_course){
        .account = d->r->state->jobs[e->job].account, .stopping = -1, .starting = -1};
    d->submits[e->job] = e->t_us;
    d->requests[e->job] = (struct rf_workload_request){
        .nafter = e->nafter,
        .priority = e->priority,
        .retries = e->retries,
        .deadline_us = e->deadline_us > 0 ? rf_replay_since_start(d, e->deadline_us) : 0,
        .held_limit_us = e->held_limit_us,
        .flops_limit = e->flops_limit};
    memcpy(d->requests[e->job].name, e->name, sizeof e->name);
    memcpy(d->requests[e->job].after, e->after, sizeof e->after);
    return RF_OK;
}

/* ---- the world of a simulation ---- */

static int is_promise(const struct rf_change *change)
{
    return change->kind == RF_CHANGE_PLEDGE || change->kind == RF_CHANGE_POLICY;
}

static void *copy_of(const void *array, int64_t n, size_t size)
{
    void *copy = malloc(((size_t)n + 1) * size);

    if (copy != NULL && n > 0)
        memcpy(copy, array, (size_t)n * size);
    return copy;
}

enum rf_status rf_replay_world(const struct rf_replay *replay, const struct rf_world *promises,
                               struct rf_world *world, struct rf_error *err)
{
    const struct rf_world *recorded = &replay->world;
    const struct rf_world *from = promises != NULL ? promises : recorded;
    int64_t most = recorded->nchanges + from->nchanges;

    *world = (struct rf_world){.npledges = from->npledges,
                               .npolicies = from->npolicies,
                               .nrecords = recorded->nrecords,
                               .by_id = recorded->by_id};
    world->pledges = copy_of(from->pledges, from->npledges, sizeof *world->pledges);
    world->policies = copy_of(from->policies, from->npolicies, sizeof *world->policies);
    world->records = copy_of(recorded->records, recorded->nrecords, sizeof *world->records);
    world->changes = malloc(((size_t)most + 1) * sizeof *world->changes);
    if (world->pledges == NULL || world->policies == NULL || world->records == NULL ||
        world->changes == NULL) {
        rf_world_clear(world);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a replay");
    }
    for (int64_t i = 0; i < from->nchanges; i++)
        if (is_promise(&from->changes[i]))
            world->changes[world->nchanges++] = from->changes[i];
    for (int64_t i = 0; i < recorded->nchanges; i++)
        if (!is_promise(&recorded->changes[i]))
            world->changes[world->nchanges++] = recorded->changes[i];
    rf_world_sort(world);
    return RF_OK;
}
