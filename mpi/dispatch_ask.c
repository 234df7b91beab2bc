/* Requests as they fall due or are submitted, promises as they are made and changed, and what the
 * policy says of all this.
 *
 * The policy is the simulator's, and takes for granted that what it proposes happens at once. Two
 * things take a while here. A job that is asked to stop holds its devices until it has left; the
 * policy knows such jobs. A job can change its size only at a step boundary: the first proposal
 * to resize it is answered by a pause, and when its ranks have left, with a checkpoint behind
 * them, the policy is asked again. What it says then is carried out at once, and whoever
 * has paused goes on. So decisions are always those of the moment at which they take effect. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/desk.h"

enum { PROPOSALS = 64, WAKE_US = 5000, GROW_LEAST_US = 1000000 };

/* ---- requests ---- */

enum rf_status rf_desk_room(struct rf_dispatch *d, int32_t n, struct rf_error *err)
{
    int32_t room =
        d->requests_room * 2 > d->nrequests + n ? d->requests_room * 2 : d->nrequests + n + 8;
    struct rf_request *requests;
    struct rf_known *known;
    int32_t *job_of;

    if (d->nrequests + n <= d->requests_room)
        return RF_OK;
    requests = realloc(d->requests, (size_t)room * sizeof *requests);
    d->requests = requests != NULL ? requests : d->requests;
    known = realloc(d->known, (size_t)room * sizeof *known);
    d->known = known != NULL ? known : d->known;
    job_of = realloc(d->job_of, (size_t)room * sizeof *job_of);
    d->job_of = job_of != NULL ? job_of : d->job_of;
    if (requests == NULL || known == NULL || job_of == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d requests", room);
    d->requests_room = room;
    return RF_OK;
}

static struct rf_event request_event(const struct rf_dispatch *d, int32_t plan)
{
    const struct rf_request *request = &d->requests[plan];
    struct rf_event event = rf_event_make(RF_EVENT_REQUEST, 0);

    event.job = rf_desk_state(d)->njobs;
    snprintf(event.name, sizeof event.name, "%s", request->name);
    snprintf(event.account, sizeof event.account, "%s", request->account);
    event.min = request->min;
    event.max = request->max;
    event.limit_us = request->limit_us;
    event.priority = request->priority;
    event.deadline_us =
        request->deadline_us > 0 ? d->journal->now_us + request->deadline_us : 0;
    event.held_limit_us = request->held_limit_us;
    event.flops_limit = request->flops_limit;
    event.retries = request->retries;
    event.nafter = request->nafter;
    for (int32_t i = 0; i < request->nafter; i++)
        event.after[i] = d->job_of[request->after[i]];
    return event;
}

static void submit(struct rf_dispatch *d, int32_t plan)
{
    struct rf_event event = request_event(d, plan);

    rf_desk_record(d, &event);
    if (d->failed)
        return;
    d->job_of[plan] = event.job;
    d->known[event.job] = (struct rf_known){.plan = plan, .held = -1};
}

void rf_desk_requests(struct rf_dispatch *d)
{
    int64_t elapsed_us = d->journal->now_us - rf_desk_state(d)->start_us;

    for (; !d->failed && d->next_request < d->nrequests; d->next_request++) {
        int32_t plan = d->next_request;

        if (d->job_of[plan] >= 0)
            continue;
        if (d->requests[plan].submit_us > elapsed_us)
            return;
        submit(d, plan);
    }
}

/* Could the request at this place be recorded now? */
static enum rf_status check_request(const struct rf_dispatch *d, int32_t plan, int32_t first,
                                    struct rf_error *err)
{
    const struct rf_request *request = &d->requests[plan];
    struct rf_event event;

    for (int32_t i = 0; i < plan; i++)
        if (strcmp(d->requests[i].name, request->name) == 0)
            return rf_fail(err, RF_ERR_ARG, "there is a job '%s' already", request->name);
    for (int32_t i = 0; i < request->nafter; i++) {
        int32_t before = request->after[i];

        if (before < 0 || before >= plan)
            return rf_fail(err, RF_ERR_ARG, "job '%s' comes after a job that is not known",
                           request->name);
        if (before < first && d->job_of[before] < 0)
            return rf_fail(err, RF_ERR_ARG,
                           "job '%s' comes after '%s', which has not been submitted yet",
                           request->name, d->requests[before].name);
    }
    event = request_event(d, plan);
    event.seq = rf_desk_state(d)->next_seq;
    event.t_us = d->journal->now_us;
    event.nafter = 0; /* seen to above; those submitted with it have no ids yet */
    return rf_state_check(rf_desk_state(d), &event, err);
}

enum rf_status rf_dispatch_submit(struct rf_dispatch *dispatch,
                                  const struct rf_request *requests, int n, int32_t *first_job,
                                  struct rf_error *err)
{
    struct rf_dispatch *d = dispatch;
    int32_t first = d->nrequests;
    enum rf_status st = RF_OK;

    *first_job = rf_desk_state(d)->njobs;
    if (d->failed || d->signalled)
        return rf_fail(err, RF_ERR_ARG, "the run is ending: no job can be submitted any more");
    st = rf_desk_room(d, n, err);
    for (int i = 0; st == RF_OK && i < n; i++) {
        d->requests[first + i] = requests[i];
        d->job_of[first + i] = -1;
        st = check_request(d, first + i, first, err);
    }
    if (st != RF_OK)
        return st;
    d->nrequests += n;
    for (int i = 0; i < n; i++)
        submit(d, first + i);
    if (!d->failed && rf_journal_sync(d->journal, &d->error) != RF_OK)
        rf_desk_fail(d);
    if (d->failed)
        *err = d->error;
    return d->failed;
}

/* A job that never started leaves the queue at once. */
static enum rf_status cancel_queued(struct rf_dispatch *d, int32_t job, const char *reason,
                                    struct rf_error *err)
{
    struct rf_event event = rf_event_make(RF_EVENT_END, 0);

    event.job = job;
    snprintf(event.text, sizeof event.text, "cancelled");
    rf_desk_words(event.reason, sizeof event.reason, reason);
    rf_desk_record(d, &event);
    if (!d->failed && rf_journal_sync(d->journal, &d->error) != RF_OK)
        rf_desk_fail(d);
    if (d->failed)
        *err = d->error;
    return d->failed;
}

enum rf_status rf_dispatch_cancel(struct rf_dispatch *dispatch, int32_t job, const char *reason,
                                  struct rf_error *err)
{
    struct rf_dispatch *d = dispatch;
    struct rf_held *held = rf_desk_held(d, job);

    if (d->failed) {
        *err = d->error;
        return d->failed;
    }
    if (job < 0 || job >= rf_desk_state(d)->njobs)
        return rf_fail(err, RF_ERR_ARG, "there is no job %d", job);
    if (rf_desk_state(d)->jobs[job].state == RF_JOB_QUEUED)
        return cancel_queued(d, job, reason, err);
    if (held == NULL)
        return rf_fail(err, RF_ERR_ARG, "job %d is over already: %s", job,
                       rf_job_state_name(rf_desk_state(d)->jobs[job].state));
    if (held->ends[0] == '\0') {
        rf_desk_words(held->ends, sizeof held->ends, reason);
        held->cancelled = 1;
        rf_desk_revoke(d, held, RF_REVOKE_STOP);
    }
    return RF_OK;
}

void rf_desk_promises(struct rf_dispatch *d)
{
    const struct rf_run_options *o = d->options;
    int64_t elapsed_us = d->journal->now_us - rf_desk_state(d)->start_us;

    while (!d->failed && d->next_promise < o->npledges &&
           o->pledges[d->next_promise].t_us <= elapsed_us) {
        struct rf_event event = o->pledges[d->next_promise++];

        rf_desk_record(d, &event);
    }
}

/* ---- proposals ---- */

/* The devices of an event: the lowest free ones, or the highest that the job holds. */
static void pick(struct rf_dispatch *d, struct rf_event *event, const struct rf_idset *from,
                 int32_t count, int highest)
{
    struct rf_idset rest = {0};
    int32_t over = rf_idset_count(from) - count;
    enum rf_status st = rf_idset_copy(&rest, from, &d->error);

    if (st == RF_OK && highest) {
        struct rf_idset kept = {0};

        st = rf_idset_take(&rest, over, &kept, &d->error);
        if (st == RF_OK)
            st = rf_idset_copy(&event->devices, &rest, &d->error);
        rf_idset_clear(&kept);
    } else if (st == RF_OK) {
        st = rf_idset_take(&rest, count, &event->devices, &d->error);
    }
    rf_idset_clear(&rest);
    if (st != RF_OK)
        rf_desk_fail(d);
}

static void grant(struct rf_dispatch *d, const struct rf_proposal *p)
{
    struct rf_event event = rf_event_make(RF_EVENT_GRANT, 0);

    if (p->count > rf_desk_state(d)->nfree)
        return; /* they will be, when somebody has paused */
    event.job = p->job;
    event.lease = rf_desk_state(d)->next_lease;
    event.lent = p->lent;
    pick(d, &event, &rf_desk_state(d)->free, p->count, 0);
    rf_desk_record(d, &event);
    if (!d->failed) {
        d->known[p->job].held = d->nleases;
        d->leases[d->nleases++] = (struct rf_held){.job = p->job,
                                                   .lease = event.lease,
                                                   .leader = rf_idset_at(&event.devices, 0),
                                                   .asked_us = -1};
        d->untold = 1;
    }
    rf_event_clear(&event);
}

void rf_desk_preempt(struct rf_dispatch *d, struct rf_held *held, int32_t by,
                     const char *reason)
{
    struct rf_event event = rf_event_make(RF_EVENT_PREEMPT, 0);
    int32_t job = held->job;

    event.job = job;
    event.lease = held->lease;
    event.by = by;
    snprintf(event.reason, sizeof event.reason, "%s", reason);
    if (rf_desk_job(d, held)->state == RF_JOB_RUNNING)
        rf_desk_record(d, &event);
    held = rf_desk_held(d, job); /* a failure moves leases */
    if (held != NULL)
        rf_desk_revoke(d, held, RF_REVOKE_STOP);
}

/* How long a group has to stand before growing is worth the pause. */
static int64_t grow_after_us(const struct rf_dispatch *d)
{
    int64_t us = 4 * d->options->grace_us;

    return us < GROW_LEAST_US ? GROW_LEAST_US : us;
}

/* Does the job stand at a step boundary? If not, it is asked to. */
static int at_boundary(struct rf_dispatch *d, struct rf_held *held, const struct rf_proposal *p)
{
    int64_t ready_us = held->formed_us + grow_after_us(d);

    if (held->paused && held->revoke == RF_REVOKE_PAUSE)
        return 1;
    if (held->revoke != RF_REVOKE_NOT || !held->started)
        return 0;
    if (p->kind == RF_PROPOSE_GROW && d->journal->now_us < ready_us) {
        if (d->wake_us > ready_us)
            d->wake_us = ready_us;
        return 0;
    }
    rf_desk_revoke(d, held, RF_REVOKE_PAUSE);
    return 0;
}

static void resize(struct rf_dispatch *d, const struct rf_proposal *p)
{
    int grows = p->kind == RF_PROPOSE_GROW;
    struct rf_held *held = rf_desk_held(d, p->job);
    struct rf_event event = rf_event_make(grows ? RF_EVENT_GROW : RF_EVENT_SHRINK, 0);
    const struct rf_state *s = rf_desk_state(d);

    if (held == NULL || !at_boundary(d, held, p) || (grows && p->count > s->nfree))
        return;
    event.job = p->job;
    event.lease = held->lease;
    event.by = grows ? -1 : p->by;
    event.lent = grows ? p->lent : 0;
    event.held_us = rf_state_owed_us(rf_desk_job(d, held), d->journal->now_us);
    held->held_us += event.held_us;
    pick(d, &event, grows ? &s->free : rf_state_devices(s, p->job), p->count, !grows);
    rf_desk_record(d, &event);
    rf_event_clear(&event);
}

static void refuse(struct rf_dispatch *d, enum rf_event_type type, const struct rf_proposal *p)
{
    struct rf_event event = rf_event_make(type, 0);

    event.job = p->job;
    snprintf(event.reason, sizeof event.reason, "%s", p->reason);
    rf_desk_record(d, &event);
}

static void carry_out(struct rf_dispatch *d, const struct rf_proposal *p)
{
    struct rf_held *held = rf_desk_held(d, p->job);

    switch (p->kind) {
    case RF_PROPOSE_GRANT:
        grant(d, p);
        break;
    case RF_PROPOSE_PREEMPT:
        if (held != NULL)
            rf_desk_preempt(d, held, p->by, p->reason);
        break;
    case RF_PROPOSE_DENY:
        refuse(d, RF_EVENT_DENY, p);
        break;
    case RF_PROPOSE_DELAY:
        refuse(d, RF_EVENT_DELAY, p);
        break;
    case RF_PROPOSE_SHRINK:
    case RF_PROPOSE_GROW:
        resize(d, p);
        break;
    }
}

/* When time alone may have changed the answer, the state's clock has to say so too: policies
 * see nothing else. Not more often than a job could notice. */
static int is_due(struct rf_dispatch *d)
{
    struct rf_event event = rf_event_make(RF_EVENT_HEARTBEAT, 0);
    int64_t now_us = d->journal->now_us;

    if (d->changed)
        return 1;
    if (now_us < d->wake_us || now_us - d->woken_us < WAKE_US)
        return 0;
    d->woken_us = now_us;
    if (rf_desk_state(d)->now_us < d->wake_us)
        rf_desk_record(d, &event);
    return 1;
}

void rf_desk_decide(struct rf_dispatch *d)
{
    struct rf_proposal out[PROPOSALS];
    int64_t rounds = 1000 + 16 * (int64_t)rf_desk_state(d)->njobs; /* a sane policy needs far
                                                                      fewer */
    int64_t before = -1;

    if (!is_due(d))
        return;
    d->wake_us = INT64_MAX;
    while (!d->failed && before != rf_desk_state(d)->next_seq && rounds-- > 0) {
        int n = rf_policy_propose(d->policy, d->journal->now_us, out, PROPOSALS);

        before = rf_desk_state(d)->next_seq;
        for (int i = 0; i < n && !d->failed; i++)
            carry_out(d, &out[i]);
    }
    if (!d->failed && rounds < 0) {
        rf_fail(&d->error, RF_ERR_INTERNAL, "policy '%s' does not come to an end",
                d->options->policy_name);
        rf_desk_fail(d);
    }
    d->changed = 0;
    before = rf_policy_wake_us(d->policy, d->journal->now_us);
    d->wake_us = before < d->wake_us ? before : d->wake_us;
}
