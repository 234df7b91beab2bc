/* The one function that changes a cluster. Rules are in state_check.c; here an
 * event that passed them takes effect. Whatever may run out of memory comes
 * first, so that a refused event has changed nothing.
 *
 * Simulations apply hundreds of millions of events: a request, its grant and its end touch the
 * job, its neighbours in a list and its accounts, and nothing that grows with the queue. */
#include "alloc/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/state_rules.h"

static_assert(sizeof(struct rf_job) <= 128, "simulations hold tens of millions of jobs");

enum rf_status rf_state_create(struct rf_state **state, int by_count, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    *state = calloc(1, sizeof **state);
    if (*state == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a cluster state");
    st = rf_room_create(*state, err);
    if (st != RF_OK) {
        rf_state_destroy(*state);
        *state = NULL;
        return st;
    }
    (*state)->by_count = by_count;
    (*state)->queue_first = (*state)->queue_last = -1;
    (*state)->running_first = (*state)->running_last = -1;
    (*state)->retry_us = INT64_MAX;
    return RF_OK;
}

void rf_state_destroy(struct rf_state *state)
{
    if (state == NULL)
        return;
    rf_idset_clear(&state->fleet);
    rf_idset_clear(&state->free);
    rf_idset_clear(&state->down);
    rf_room_destroy(state);
    free(state);
}

enum rf_status rf_state_reserve(struct rf_state *state, int32_t njobs, struct rf_error *err)
{
    return njobs <= state->njobs ? RF_OK : rf_room_jobs(state, njobs - state->njobs, err);
}

/* ---- queue and running jobs ------------------------------------------- */

static void link_after(struct rf_state *s, int32_t *first, int32_t *last, int32_t before,
                       int32_t id)
{
    int32_t next = before < 0 ? *first : s->jobs[before].next;

    s->jobs[id].prev = before;
    s->jobs[id].next = next;
    *(before < 0 ? first : &s->jobs[before].next) = id;
    *(next < 0 ? last : &s->jobs[next].prev) = id;
}

static void unlink_job(struct rf_state *s, int32_t *first, int32_t *last, int32_t id)
{
    int32_t prev = s->jobs[id].prev, next = s->jobs[id].next;

    *(prev < 0 ? first : &s->jobs[prev].next) = next;
    *(next < 0 ? last : &s->jobs[next].prev) = prev;
    s->jobs[id].prev = s->jobs[id].next = -1;
}

/* Ids are dense in order of request, so the place in the queue is the order of ids. A new job
 * goes to the end at once; a released one is usually old, and found from the front. */
static void queue_add(struct rf_state *s, int32_t id)
{
    int32_t at = s->queue_last;

    if (at >= 0 && at > id && id - s->queue_first < at - id) {
        for (at = s->queue_first; at < id;)
            at = s->jobs[at].next;
        at = s->jobs[at].prev;
    }
    while (at > id)
        at = s->jobs[at].prev;
    link_after(s, &s->queue_first, &s->queue_last, at, id);
    s->nqueue++;
}

static void queue_remove(struct rf_state *s, int32_t id)
{
    unlink_job(s, &s->queue_first, &s->queue_last, id);
    s->nqueue--;
}

/* ---- effects ---------------------------------------------------------- */

static void do_policy(struct rf_state *s, const struct rf_event *e)
{
    int words = rf_policy_words(e->text, s->order, s->fence);

    assert(words || e->text[0] == '\0');
    (void)words;
}

static void do_open(struct rf_state *s, const struct rf_event *e)
{
    s->opened = 1;
    s->start_us = e->t_us;
    s->grace_us = e->grace_us;
    do_policy(s, e);
}

/* Moves what from one set to the other; either may be NULL: from, to outside. */
static enum rf_status move(struct rf_idset *from, struct rf_idset *to,
                           const struct rf_idset *what, struct rf_error *err)
{
    enum rf_status st = from == NULL ? RF_OK : rf_idset_remove_set(from, what, err);

    if (st == RF_OK && to != NULL && (st = rf_idset_add_set(to, what, err)) != RF_OK &&
        from != NULL)
        rf_idset_add_set(from, what, NULL); /* has room: they were in it */
    return st;
}

/* Up or down for a while, or joining or leaving for good: the sets first, then the counts. */
static enum rf_status do_capacity(struct rf_state *s, const struct rf_event *e,
                                  struct rf_error *err)
{
    int for_good = strcmp(e->reason, "joined") == 0 || strcmp(e->reason, "left") == 0;
    struct rf_idset *down = for_good ? NULL : &s->down;
    int32_t count = rf_state_count(s, e);
    enum rf_status st = RF_OK;

    if (!s->by_count) {
        st = move(e->up ? NULL : &s->free, e->up ? &s->free : NULL, &e->devices, err);
        if (st == RF_OK)
            st = move(e->up ? down : &s->fleet, e->up ? &s->fleet : down, &e->devices, err);
        if (st != RF_OK) {
            move(e->up ? &s->free : NULL, e->up ? NULL : &s->free, &e->devices, NULL);
            return st;
        }
    }
    count = e->up ? count : -count;
    s->nfleet += count;
    s->nfree += count;
    s->ndown -= for_good ? 0 : count;
    if (s->nfleet + s->ndown > s->peak)
        s->peak = s->nfleet + s->ndown;
    return RF_OK;
}

static enum rf_status do_pledge(struct rf_state *s, const struct rf_event *e,
                                struct rf_error *err)
{
    struct rf_pledge *pledge = NULL;
    enum rf_status st = rf_room_pledge(s, err);

    if (st == RF_OK)
        st = rf_room_account(s, err);
    if (st != RF_OK)
        return st;
    for (int32_t i = 0; i < s->npledges; i++)
        if (strcmp(s->pledges[i].account_name, e->account) == 0)
            pledge = &s->pledges[i];
    if (pledge == NULL)
        pledge = &s->pledges[s->npledges++];
    *pledge = (struct rf_pledge){.account = rf_account_make(s, e->account),
                                 .share = e->share,
                                 .window_us = e->window_us,
                                 .tolerance_us = e->tolerance_us,
                                 .since_us = e->t_us,
                                 .secured = s->nfleet + s->ndown};
    memcpy(pledge->account_name, e->account, sizeof pledge->account_name);
    memcpy(pledge->basis, e->basis, sizeof pledge->basis);
    memcpy(pledge->fence, e->text, sizeof pledge->fence - 1);
    memcpy(pledge->terms, e->terms, sizeof pledge->terms);
    return RF_OK;
}

static enum rf_status do_reserve(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    int32_t at = s->nholds;
    enum rf_status st = rf_room_hold(s, err);

    if (st != RF_OK)
        return st;
    while (at > 0 && s->holds[at - 1].begin_us > e->begin_us)
        at--;
    memmove(&s->holds[at + 1], &s->holds[at], (size_t)(s->nholds - at) * sizeof *s->holds);
    s->holds[at] =
        (struct rf_hold){.begin_us = e->begin_us, .end_us = e->end_us, .count = e->count};
    memcpy(s->holds[at].account_name, e->account, sizeof s->holds[at].account_name);
    s->nholds++;
    if (e->end_us < s->room->hold_end_us)
        s->room->hold_end_us = e->end_us;
    return RF_OK;
}

static void drop_holds(struct rf_state *s, int64_t t_us)
{
    int32_t kept = 0;

    s->room->hold_end_us = INT64_MAX;
    for (int32_t i = 0; i < s->nholds; i++) {
        if (s->holds[i].end_us <= t_us)
            continue;
        if (s->holds[i].end_us < s->room->hold_end_us)
            s->room->hold_end_us = s->holds[i].end_us;
        s->holds[kept++] = s->holds[i];
    }
    s->nholds = kept;
}

/* What has been charged, and so much more. */
static enum rf_status do_limit(struct rf_state *s, const struct rf_event *e,
                               struct rf_error *err)
{
    enum rf_status st = rf_room_account(s, err);
    struct rf_account *account;

    if (st != RF_OK)
        return st;
    account = &s->accounts[rf_account_make(s, e->account)];
    account->held_limit_us = e->held_limit_us == 0
                                 ? rf_wide_of(0)
                                 : rf_wide_plus(account->held_us, rf_wide_of(e->held_limit_us));
    account->flops_limit = e->flops_limit == 0 ? 0 : rf_sum_63(account->flops, e->flops_limit);
    s->limited = 1;
    return RF_OK;
}

/* Field by field: zeroing the whole first takes longer than all the rest of a request. */
static void fill_job(struct rf_job *job, const struct rf_event *e, int32_t account)
{
    job->submit_us = job->queued_us = e->t_us;
    job->first_grant_us = job->end_us = job->preempt_us = -1;
    job->limit_us = e->limit_us;
    job->grant_us = job->charged_us = job->held_us = 0;
    job->account = account;
    job->min = e->min;
    job->max = e->max;
    job->lease = job->place = job->extra = job->prev = job->next = -1;
    job->ndevices = job->lent = job->preemptions = job->grants = 0;
    job->state = RF_JOB_QUEUED;
    job->reason = 0;
}

static enum rf_status do_request(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    int has_extra = e->name[0] != '\0' || e->nafter > 0 || e->priority != 0 ||
                    e->deadline_us != 0 || e->held_limit_us != 0 || e->flops_limit != 0 ||
                    e->retries != 0;
    int32_t account = e->account_id >= 0 ? e->account_id : rf_state_find_account(s, e->account);
    struct rf_job *job;
    enum rf_status st = rf_room_jobs(s, 1, err);

    if (st == RF_OK && has_extra)
        st = rf_room_extra(s, err);
    if (st == RF_OK && account < 0 && (st = rf_room_account(s, err)) == RF_OK)
        account = rf_account_make(s, e->account);
    if (st != RF_OK)
        return st;
    job = &s->jobs[s->njobs++];
    fill_job(job, e, account);
    if (has_extra) {
        struct rf_job_extra *extra = rf_extra_make(s, job);

        memcpy(extra->name, e->name, sizeof extra->name);
        memcpy(extra->after, e->after, sizeof extra->after);
        extra->nafter = e->nafter;
        extra->priority = e->priority;
        extra->retries = e->retries;
        extra->deadline_us = e->deadline_us;
        extra->held_limit_us = e->held_limit_us;
        extra->flops_limit = e->flops_limit;
    }
    queue_add(s, e->job);
    for (int32_t a = account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].jobs++;
    return RF_OK;
}

static void do_deny(struct rf_state *s, const struct rf_event *e)
{
    struct rf_job *job = &s->jobs[e->job];

    queue_remove(s, e->job);
    job->state = RF_JOB_DENIED;
    job->end_us = e->t_us;
    job->reason = rf_reason_make(s, e->reason);
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].denied++;
}

/* It holds devices from now on, as many as it does now. */
static void bound_time(struct rf_state *s, const struct rf_job *job)
{
    int64_t fits_us = rf_state_fits_us(job);

    if (fits_us < s->room->fits_us)
        s->room->fits_us = fits_us;
}

static void add_used(struct rf_state *s, int32_t account, int32_t count)
{
    for (int32_t a = account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].used += count;
}

/* Puts the event's devices into an unused place. */
static enum rf_status take_place(struct rf_state *s, const struct rf_event *e, int32_t *place,
                                 struct rf_error *err)
{
    enum rf_status st = rf_room_place(s, err);

    if (st != RF_OK)
        return st;
    *place = s->room->places[s->room->nplaces - 1];
    st = rf_idset_copy(&s->held[*place], &e->devices, err);
    if (st == RF_OK)
        st = rf_idset_remove_set(&s->free, &e->devices, err);
    if (st != RF_OK)
        s->held[*place].nranges = 0;
    else
        s->room->nplaces--;
    return st;
}

static enum rf_status do_grant(struct rf_state *s, const struct rf_event *e,
                               struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    enum rf_status st = s->by_count ? RF_OK : take_place(s, e, &job->place, err);

    if (st != RF_OK) {
        job->place = -1;
        return st;
    }
    job->ndevices = rf_state_count(s, e);
    job->lent = e->lent;
    job->state = RF_JOB_RUNNING;
    job->lease = s->next_lease++;
    job->grant_us = job->charged_us = e->t_us;
    job->preempt_us = -1;
    job->reason = 0;
    job->grants++;
    if (job->first_grant_us < 0)
        job->first_grant_us = e->t_us;
    if (job->extra >= 0)
        s->extras[job->extra].checkpoint_us = -1;
    queue_remove(s, e->job);
    link_after(s, &s->running_first, &s->running_last, s->running_last, e->job);
    s->nrunning++;
    s->nfree -= job->ndevices;
    add_used(s, job->account, job->ndevices);
    bound_time(s, job);
    return RF_OK;
}

/* The device-time of a last reading. */
static void settle(struct rf_state *s, struct rf_job *job, const struct rf_event *e)
{
    job->charged_us = e->t_us;
    job->held_us += e->held_us;
    for (int32_t a = job->account; e->held_us != 0 && a >= 0; a = s->accounts[a].parent)
        rf_wide_add(&s->accounts[a].held_us, e->held_us);
}

static enum rf_status do_charge(struct rf_state *s, const struct rf_event *e,
                                struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    int more = e->busy_us != 0 || e->tokens != 0 || e->flops != 0 || e->step != 0;
    struct rf_job_extra *extra;

    if (job->extra < 0 && more && rf_room_extra(s, err) != RF_OK)
        return RF_ERR_MEMORY;
    settle(s, job, e);
    if (job->extra < 0 && !more)
        return RF_OK;
    extra = rf_extra_make(s, job);
    extra->busy_us += e->busy_us;
    extra->tokens += e->tokens;
    extra->flops += e->flops;
    extra->step = e->step;
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent) {
        s->accounts[a].busy_us += e->busy_us;
        s->accounts[a].tokens += e->tokens;
        s->accounts[a].flops += e->flops;
    }
    return RF_OK;
}

static void add_disputed(struct rf_disputed *sum, const struct rf_event *e)
{
    sum->times++;
    sum->busy_us = rf_sum_63(sum->busy_us, e->busy_us);
    sum->tokens = rf_sum_63(sum->tokens, e->tokens);
    sum->flops = rf_sum_63(sum->flops, e->flops);
}

static enum rf_status do_dispute(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];

    if (job->extra < 0 && rf_room_extra(s, err) != RF_OK)
        return RF_ERR_MEMORY;
    add_disputed(&rf_extra_make(s, job)->disputed, e);
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent)
        add_disputed(&s->accounts[a].disputed, e);
    return RF_OK;
}

static void count_job(struct rf_state *s, const struct rf_job *job, int32_t by)
{
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent) {
        s->accounts[a].jobs += by;
        s->accounts[a].used += by * job->ndevices;
    }
}

static enum rf_status do_relabel(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    enum rf_status st = rf_room_account(s, err);

    if (st != RF_OK)
        return st;
    count_job(s, job, -1);
    job->account = rf_account_make(s, e->account);
    count_job(s, job, 1);
    return RF_OK;
}

static void do_preempt(struct rf_state *s, const struct rf_event *e)
{
    struct rf_job *job = &s->jobs[e->job];

    job->state = RF_JOB_STOPPING;
    job->preempt_us = e->t_us;
    job->preemptions++;
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].preempted++;
}

static enum rf_status do_checkpoint(struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];

    if (job->extra < 0 && rf_room_extra(s, err) != RF_OK)
        return RF_ERR_MEMORY;
    rf_extra_make(s, job)->checkpoint_us = e->t_us;
    return RF_OK;
}

static enum rf_status do_resize(struct rf_state *s, const struct rf_event *e,
                                struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    int32_t count = rf_state_count(s, e);
    enum rf_status st = RF_OK;

    if (!s->by_count && e->type == RF_EVENT_GROW)
        st = move(&s->free, &s->held[job->place], &e->devices, err);
    else if (!s->by_count)
        st = move(&s->held[job->place], &s->free, &e->devices, err);
    if (st != RF_OK)
        return st;
    settle(s, job, e);
    if (e->type == RF_EVENT_GROW) {
        job->lent += e->lent;
    } else {
        job->lent = job->lent > count ? job->lent - count : 0;
        count = -count;
    }
    job->ndevices += count;
    s->nfree -= count;
    add_used(s, job->account, count);
    bound_time(s, job);
    return RF_OK;
}

/* The holder's devices are free; what becomes of the job is the caller's. */
static void let_go(struct rf_state *s, int32_t id)
{
    struct rf_job *job = &s->jobs[id];

    add_used(s, job->account, -job->ndevices);
    s->nfree += job->ndevices;
    unlink_job(s, &s->running_first, &s->running_last, id);
    s->nrunning--;
    if (job->place >= 0) {
        s->held[job->place].nranges = 0; /* its memory stays for the next */
        s->room->places[s->room->nplaces++] = job->place;
    }
    job->place = -1;
    job->ndevices = job->lent = 0;
    job->lease = -1;
    job->preempt_us = -1;
}

static void back_to_queue(struct rf_state *s, int32_t id, int64_t t_us)
{
    s->jobs[id].state = RF_JOB_QUEUED;
    s->jobs[id].queued_us = t_us;
    queue_add(s, id);
}

static enum rf_status free_devices(struct rf_state *s, const struct rf_job *job,
                                   struct rf_error *err)
{
    return job->place < 0 ? RF_OK : rf_idset_add_set(&s->free, &s->held[job->place], err);
}

static enum rf_status do_release(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    enum rf_status st = free_devices(s, job, err);

    if (st != RF_OK)
        return st;
    settle(s, job, e);
    let_go(s, e->job);
    back_to_queue(s, e->job, e->t_us);
    job->reason = rf_reason_make(s, e->reason);
    if (strcmp(e->reason, "failed") == 0) { /* it has an extra part: retries are left */
        s->extras[job->extra].retries--;
        s->extras[job->extra].retry_us = e->retry_us;
        if (e->retry_us > 0 && e->retry_us < s->retry_us)
            s->retry_us = e->retry_us;
    }
    return RF_OK;
}

static enum rf_status do_end(struct rf_state *s, const struct rf_event *e, struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    enum rf_status st = free_devices(s, job, err);

    if (st != RF_OK)
        return st;
    if (job->lease >= 0) {
        settle(s, job, e);
        let_go(s, e->job);
    } else {
        queue_remove(s, e->job);
    }
    job->state = (uint8_t)rf_end_state(e->text);
    job->end_us = e->t_us;
    job->reason = rf_reason_make(s, e->reason);
    return RF_OK;
}

/* Whoever held the leases is dead: all devices are free at once. */
static enum rf_status do_recover(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    enum rf_status st = rf_idset_copy(&s->free, &s->fleet, err);

    if (st != RF_OK)
        return st;
    while (s->nrunning > 0) {
        int32_t id = s->running_last;

        let_go(s, id);
        back_to_queue(s, id, e->t_us);
        s->jobs[id].reason = rf_reason_make(s, "recovered");
    }
    s->closed = 0;
    return RF_OK;
}

static enum rf_status take_effect(struct rf_state *s, const struct rf_event *e,
                                  struct rf_error *err)
{
    switch (e->type) {
    case RF_EVENT_OPEN:
        do_open(s, e);
        break;
    case RF_EVENT_CAPACITY:
        return do_capacity(s, e, err);
    case RF_EVENT_PLEDGE:
        return do_pledge(s, e, err);
    case RF_EVENT_POLICY:
        do_policy(s, e);
        break;
    case RF_EVENT_RESERVE:
        return do_reserve(s, e, err);
    case RF_EVENT_LIMIT:
        return do_limit(s, e, err);
    case RF_EVENT_REQUEST:
        return do_request(s, e, err);
    case RF_EVENT_DELAY:
        s->jobs[e->job].reason = rf_reason_make(s, e->reason);
        break;
    case RF_EVENT_DENY:
        do_deny(s, e);
        break;
    case RF_EVENT_GRANT:
        return do_grant(s, e, err);
    case RF_EVENT_CHARGE:
        return do_charge(s, e, err);
    case RF_EVENT_DISPUTE:
        return do_dispute(s, e, err);
    case RF_EVENT_RELABEL:
        return do_relabel(s, e, err);
    case RF_EVENT_PREEMPT:
        do_preempt(s, e);
        break;
    case RF_EVENT_CHECKPOINT:
        return do_checkpoint(s, e, err);
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
        return do_resize(s, e, err);
    case RF_EVENT_RELEASE:
        return do_release(s, e, err);
    case RF_EVENT_END:
        return do_end(s, e, err);
    case RF_EVENT_RECOVER:
        return do_recover(s, e, err);
    case RF_EVENT_CLOSE:
        s->closed = 1;
        break;
    case RF_EVENT_MEASURE:
        s->peak_flops = e->flops;
        break;
    case RF_EVENT_ROTATE:
    case RF_EVENT_HEARTBEAT:
    case RF_EVENT_NTYPES:
        break;
    }
    return RF_OK;
}

/* Some job need not wait for its retry any more: when will the next one? */
static void find_retry(struct rf_state *s, int64_t t_us)
{
    s->retry_us = INT64_MAX;
    for (int32_t i = s->queue_first; i >= 0; i = s->jobs[i].next) {
        int64_t retry_us = rf_state_job_extra(s, i)->retry_us;

        if (retry_us > t_us && retry_us < s->retry_us)
            s->retry_us = retry_us;
    }
}

enum rf_status rf_state_apply(struct rf_state *state, const struct rf_event *event,
                              struct rf_error *err)
{
    enum rf_status st = rf_state_check(state, event, err);

    if (st == RF_OK)
        st = take_effect(state, event, err);
    if (st == RF_OK) {
        if (event->t_us >= state->room->hold_end_us)
            drop_holds(state, event->t_us);
        if (event->t_us >= state->retry_us)
            find_retry(state, event->t_us);
        state->now_us = event->t_us;
        state->next_seq++;
    }
    return st;
}
