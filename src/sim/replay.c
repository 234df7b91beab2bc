/* One pass over the events: state and tally go along as in any other replay, and so, where the
 * decisions are taken again, does a policy. */
#include "sim/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/replay_parts.h"

void *rf_replay_room(void *array, int64_t n, int64_t *room, size_t size, struct rf_error *err)
{
    int64_t more = *room > 0 ? 2 * *room : 64;
    void *moved;

    if (n < *room)
        return array;
    moved = realloc(array, (size_t)more * size);
    if (moved == NULL)
        rf_fail(err, RF_ERR_MEMORY, "out of memory: a replay");
    else
        *room = more;
    return moved;
}

/* What an event says, with the state as it is after it. */
static enum rf_status after(struct rf_replay_reader *d, const struct rf_event *e,
                            struct rf_error *err)
{
    switch (e->type) {
    case RF_EVENT_REQUEST:
        return rf_replay_take_request(d, e, err);
    case RF_EVENT_GRANT:
        rf_replay_course_granted(d, e);
        return RF_OK;
    case RF_EVENT_PLEDGE:
        return rf_replay_take_pledge(d, e, err);
    case RF_EVENT_POLICY:
        return rf_replay_take_policy(d, e, err);
    case RF_EVENT_RESERVE:
    case RF_EVENT_LIMIT:
    case RF_EVENT_RELABEL:
        return rf_replay_add_record(d, e, err);
    case RF_EVENT_CAPACITY:
        return rf_replay_take_capacity(d, e, err);
    case RF_EVENT_CLOSE:
        d->close_us = e->t_us;
        return RF_OK;
    default:
        return RF_OK;
    }
}

static enum rf_status take_open(struct rf_replay_reader *d, const struct rf_event *e,
                                struct rf_error *err)
{
    struct rf_replay *r = d->r;
    struct rf_policy_options policy;

    r->start_us = e->t_us;
    r->seed = e->seed;
    r->grace_us = e->grace_us;
    memcpy(r->run, e->name, sizeof r->run);
    memcpy(r->config, e->digest, sizeof r->config);
    rf_replay_split_policy(e->text, r->order, r->fence);
    if (d->o->policy == NULL)
        return RF_OK;
    policy = *d->o->policy;
    memcpy(policy.order, r->order, sizeof policy.order);
    memcpy(policy.fence, r->fence, sizeof policy.fence);
    r->retaken = 1;
    return rf_retake_create(&d->retake, &policy, r->state, r->tally, err);
}

static enum rf_status replay(struct rf_replay_reader *d, const struct rf_event *e,
                             struct rf_error *err)
{
    struct rf_replay *r = d->r;
    enum rf_status st = RF_OK;

    if (e->type == RF_EVENT_OPEN && d->retake == NULL)
        st = take_open(d, e, err);
    if (st == RF_OK && d->retake != NULL)
        st = rf_retake_before(d->retake, e, err);
    if (st == RF_OK)
        st = rf_state_check(r->state, e, err);
    if (st == RF_OK)
        st = rf_replay_course_before(d, e, err);
    if (st == RF_OK)
        st = rf_tally_before(r->tally, r->state, e, err);
    if (st == RF_OK)
        st = rf_state_apply(r->state, e, err);
    if (st == RF_OK)
        st = rf_tally_after(r->tally, r->state, e, err);
    if (st == RF_OK)
        st = after(d, e, err);
    if (st == RF_OK && d->retake != NULL)
        st = rf_retake_after(d->retake, e, err);
    d->last_us = e->t_us;
    return st;
}

static enum rf_status visit(void *ctx, const struct rf_event *event, struct rf_error *err)
{
    struct rf_replay_reader *d = ctx;
    enum rf_status st;

    if (d->o->prefix > 0 && d->r->used >= d->o->prefix)
        return RF_OK;
    st = replay(d, event, err);
    if (st == RF_OK)
        d->r->used++;
    else if (st != RF_ERR_INPUT || err == NULL || strncmp(err->text, "line ", 5) == 0) {
        d->failed = st; /* memory, or a ledger that cannot be replayed though it verifies */
        if (err != NULL)
            d->error = *err;
    }
    return st;
}

/* ---- the file ---- */

/* Is what the check found good enough? */
static enum rf_status accept(const struct rf_replay_reader *d, const char *path,
                             struct rf_error *err)
{
    const struct rf_ledger_check *check = &d->r->check;
    int64_t good = check->first_bad_seq >= 0 ? check->first_bad_seq : check->entries;
    int holds = check->chain_ok && check->seals_ok && check->first_bad_seq < 0;

    if (d->o->prefix > good)
        return rf_fail(err, RF_ERR_INPUT, "'%.300s' has only %lld good lines, not %lld", path,
                       (long long)good, (long long)d->o->prefix);
    if (!holds && good == 0)
        return rf_fail(err, RF_NO, "'%.200s' does not verify: %.300s", path, check->problem);
    if (!holds && d->o->prefix == 0)
        return rf_fail(err, RF_NO,
                       "'%.200s' does not verify: %.250s; its first %lld lines can be replayed "
                       "with --prefix %lld",
                       path, check->problem, (long long)good, (long long)good);
    if (d->r->state->njobs == 0 || d->r->devices == 0)
        return rf_fail(err, RF_ERR_INPUT, "'%.300s': nothing to replay, there are no %s", path,
                       d->r->devices == 0 ? "devices" : "jobs");
    return RF_OK;
}

enum rf_status rf_replay_read(struct rf_replay *replay, const char *path,
                              const struct rf_replay_options *options, struct rf_error *err)
{
    struct rf_replay_reader d = {.r = replay, .o = options, .close_us = -1};
    enum rf_status st;

    *replay = (struct rf_replay){0};
    st = rf_state_create(&replay->state, 0, err);
    if (st == RF_OK)
        st = rf_tally_create(&replay->tally, err);
    if (st == RF_OK)
        st = rf_ledger_verify(path, options->vkey, visit, &d, &replay->check, err);
    if (st == RF_OK && d.failed != RF_OK)
        st = rf_fail(err, d.failed, "'%.200s', %.350s", path, d.error.text);
    if (st == RF_OK)
        st = accept(&d, path, err);
    if (st == RF_OK)
        st = rf_replay_fill(&d, path, err);
    rf_retake_destroy(d.retake);
    free(d.courses);
    free(d.requests);
    free(d.submits);
    free(d.attempts);
    free(d.samples);
    if (st != RF_OK)
        rf_replay_clear(replay);
    return st;
}

void rf_replay_clear(struct rf_replay *replay)
{
    rf_workload_clear(&replay->workload);
    rf_world_clear(&replay->world);
    rf_tally_destroy(replay->tally);
    rf_state_destroy(replay->state);
    free(replay->jobs);
    free(replay->steps);
    *replay = (struct rf_replay){0};
}

enum rf_status rf_replay_peek(const char *path, struct rf_event *open, struct rf_error *err)
{
    char line[4096];
    FILE *file = fopen(path, "rb");
    size_t n = 0;

    *open = rf_event_make(RF_EVENT_OPEN, 0);
    if (file == NULL)
        return rf_fail(err, RF_ERR_INPUT, "cannot open '%.300s'", path);
    if (fgets(line, sizeof line, file) != NULL)
        n = strcspn(line, "\n");
    fclose(file);
    if (rf_event_parse(open, line, n, NULL, NULL) != RF_OK || open->type != RF_EVENT_OPEN) {
        rf_event_clear(open);
        *open = rf_event_make(RF_EVENT_OPEN, 0);
    }
    return RF_OK;
}
