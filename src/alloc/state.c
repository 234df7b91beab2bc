/* The one function that changes a cluster. Rules are in state_check.c; here an
 * event that passed them takes effect. Whatever may run out of memory comes
 * first, so that a refused event has changed nothing. */
#include "alloc/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/state_rules.h"

static const char *const JOB_STATES[] = {"queued", "running",   "stopping", "done",
                                         "failed", "cancelled", "denied"};

const char *rf_job_state_name(enum rf_job_state state)
{
    return JOB_STATES[state];
}

int rf_end_state(const char *word)
{
    for (int i = RF_JOB_DONE; i <= RF_JOB_CANCELLED; i++)
        if (strcmp(word, JOB_STATES[i]) == 0)
            return i;
    return -1;
}

int rf_account_contains(const char *of, const char *name)
{
    size_t n = strlen(of);

    return strncmp(of, name, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

enum rf_status rf_state_create(struct rf_state **state, struct rf_error *err)
{
    *state = calloc(1, sizeof **state);
    if (*state == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a cluster state");
    return RF_OK;
}

void rf_state_destroy(struct rf_state *state)
{
    if (state == NULL)
        return;
    for (int32_t i = 0; i < state->njobs; i++)
        rf_idset_clear(&state->jobs[i].devices);
    rf_idset_clear(&state->fleet);
    rf_idset_clear(&state->free);
    free(state->jobs);
    free(state->accounts);
    free(state->pledges);
    free(state->queue);
    free(state->running);
    free(state);
}

/* ---- looking ---------------------------------------------------------- */

int rf_state_ready(const struct rf_state *state, const struct rf_job *job)
{
    if (job->state != RF_JOB_QUEUED)
        return 0;
    for (int32_t i = 0; i < job->nafter; i++)
        if (state->jobs[job->after[i]].state != RF_JOB_DONE)
            return 0;
    return 1;
}

int rf_state_orphan(const struct rf_state *state, const struct rf_job *job)
{
    if (job->state != RF_JOB_QUEUED)
        return 0;
    for (int32_t i = 0; i < job->nafter; i++) {
        enum rf_job_state before = state->jobs[job->after[i]].state;

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

int32_t rf_state_find_account(const struct rf_state *state, const char *name)
{
    for (int32_t i = 0; i < state->naccounts; i++)
        if (strcmp(state->accounts[i].name, name) == 0)
            return i;
    return -1;
}

int rf_state_within(const struct rf_state *state, int32_t account, int32_t of)
{
    while (account >= 0 && account != of)
        account = state->accounts[account].parent;
    return account >= 0;
}

/* ---- room ------------------------------------------------------------- */

/* Makes room for `more` items beyond count; the array may move. */
static enum rf_status reserve(void **array, int32_t *room, int32_t count, int32_t more,
                              size_t item, struct rf_error *err)
{
    int64_t want = (int64_t)count + more;
    void *moved;

    if (want <= *room)
        return RF_OK;
    want = want < 16 ? 16 : want + want / 2;
    if (want > INT32_MAX)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: more than 2^31 jobs");
    moved = realloc(*array, (size_t)want * item);
    if (moved == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a cluster state");
    *array = moved;
    *room = (int32_t)want;
    return RF_OK;
}

static enum rf_status reserve_accounts(struct rf_state *s, struct rf_error *err)
{
    void *array = s->accounts;
    enum rf_status st = reserve(&array, &s->accounts_room, s->naccounts, RF_NAME_BYTES / 2,
                                sizeof *s->accounts, err);

    s->accounts = array;
    return st;
}

static enum rf_status reserve_ids(int32_t **ids, int32_t *room, int32_t count, int32_t more,
                                  struct rf_error *err)
{
    void *array = *ids;
    enum rf_status st = reserve(&array, room, count, more, sizeof **ids, err);

    *ids = array;
    return st;
}

/* The account of that name, made with all above it when new; there is room. */
static int32_t account_of(struct rf_state *s, const char *name)
{
    int32_t parent = -1;
    char part[RF_NAME_BYTES];

    for (size_t i = 0;; i++) {
        if (name[i] == '.' || name[i] == '\0') {
            int32_t found;

            part[i] = '\0';
            found = rf_state_find_account(s, part);
            if (found < 0) {
                struct rf_account *account = &s->accounts[s->naccounts];

                assert(s->naccounts < s->accounts_room);
                found = s->naccounts++;
                *account = (struct rf_account){.parent = parent};
                memcpy(account->name, part, i + 1);
            }
            parent = found;
        }
        if (name[i] == '\0')
            return parent;
        part[i] = name[i];
    }
}

/* ---- queue and running set -------------------------------------------- */

/* Ids are dense in order of request, so the place in the queue is the order of ids. */
static int32_t queue_place(const struct rf_state *s, int32_t job)
{
    int32_t lo = 0, hi = s->nqueue;

    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;

        if (s->queue[mid] < job)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void queue_add(struct rf_state *s, int32_t job)
{
    int32_t at = queue_place(s, job);

    memmove(&s->queue[at + 1], &s->queue[at], (size_t)(s->nqueue - at) * sizeof *s->queue);
    s->queue[at] = job;
    s->nqueue++;
}

static void queue_remove(struct rf_state *s, int32_t job)
{
    int32_t at = queue_place(s, job);

    assert(at < s->nqueue && s->queue[at] == job);
    s->nqueue--;
    memmove(&s->queue[at], &s->queue[at + 1], (size_t)(s->nqueue - at) * sizeof *s->queue);
}

static void running_remove(struct rf_state *s, int32_t job)
{
    int32_t at = 0;

    while (s->running[at] != job)
        at++;
    s->nrunning--;
    memmove(&s->running[at], &s->running[at + 1],
            (size_t)(s->nrunning - at) * sizeof *s->running);
}

/* ---- effects ---------------------------------------------------------- */

static void do_open(struct rf_state *s, const struct rf_event *e)
{
    s->opened = 1;
    s->start_us = e->t_us;
    s->grace_us = e->grace_us;
}

static enum rf_status do_capacity(struct rf_state *s, const struct rf_event *e,
                                  struct rf_error *err)
{
    int32_t count = rf_idset_count(&e->devices);
    enum rf_status st;

    if (e->up) {
        st = rf_idset_add_set(&s->fleet, &e->devices, err);
        if (st == RF_OK && (st = rf_idset_add_set(&s->free, &e->devices, err)) != RF_OK)
            rf_idset_remove_set(&s->fleet, &e->devices, NULL);
    } else {
        st = rf_idset_remove_set(&s->free, &e->devices, err);
        if (st == RF_OK && (st = rf_idset_remove_set(&s->fleet, &e->devices, err)) != RF_OK)
            rf_idset_add_set(&s->free, &e->devices, NULL);
    }
    if (st != RF_OK)
        return st;
    s->nfleet += e->up ? count : -count;
    s->nfree += e->up ? count : -count;
    s->peak = s->nfleet > s->peak ? s->nfleet : s->peak;
    return RF_OK;
}

static enum rf_status do_pledge(struct rf_state *s, const struct rf_event *e,
                                struct rf_error *err)
{
    struct rf_pledge *pledge = NULL;
    void *array = s->pledges;
    enum rf_status st =
        reserve(&array, &s->pledges_room, s->npledges, 1, sizeof *s->pledges, err);

    s->pledges = array;
    if (st == RF_OK)
        st = reserve_accounts(s, err);
    if (st != RF_OK)
        return st;
    for (int32_t i = 0; i < s->npledges; i++)
        if (strcmp(s->pledges[i].account_name, e->account) == 0)
            pledge = &s->pledges[i];
    if (pledge == NULL)
        pledge = &s->pledges[s->npledges++];
    *pledge = (struct rf_pledge){.account = account_of(s, e->account),
                                 .share = e->share,
                                 .window_us = e->window_us,
                                 .tolerance_us = e->tolerance_us,
                                 .since_us = e->t_us,
                                 .secured = s->nfleet};
    memcpy(pledge->account_name, e->account, sizeof pledge->account_name);
    memcpy(pledge->basis, e->basis, sizeof pledge->basis);
    memcpy(pledge->fence, e->text, sizeof pledge->fence - 1);
    return RF_OK;
}

static enum rf_status do_request(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    struct rf_job *job;
    void *array = s->jobs;
    enum rf_status st = reserve(&array, &s->jobs_room, s->njobs, 1, sizeof *s->jobs, err);

    s->jobs = array;
    if (st == RF_OK)
        st = reserve_accounts(s, err);
    if (st == RF_OK) /* room for every job, so that a release never lacks it */
        st = reserve_ids(&s->queue, &s->queue_room, s->njobs, 1, err);
    if (st != RF_OK)
        return st;
    job = &s->jobs[s->njobs++];
    *job = (struct rf_job){.account = account_of(s, e->account),
                           .min = e->min,
                           .max = e->max,
                           .limit_us = e->limit_us,
                           .nafter = e->nafter,
                           .state = RF_JOB_QUEUED,
                           .submit_us = e->t_us,
                           .queued_us = e->t_us,
                           .first_grant_us = -1,
                           .end_us = -1,
                           .lease = -1,
                           .preempt_us = -1};
    memcpy(job->name, e->name, sizeof job->name);
    memcpy(job->account_name, e->account, sizeof job->account_name);
    memcpy(job->after, e->after, sizeof job->after);
    queue_add(s, e->job);
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].jobs++;
    return RF_OK;
}

static void do_deny(struct rf_state *s, const struct rf_event *e)
{
    struct rf_job *job = &s->jobs[e->job];

    queue_remove(s, e->job);
    job->state = RF_JOB_DENIED;
    job->end_us = e->t_us;
    memcpy(job->reason, e->reason, sizeof job->reason);
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].denied++;
}

static enum rf_status do_grant(struct rf_state *s, const struct rf_event *e,
                               struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    enum rf_status st = reserve_ids(&s->running, &s->running_room, s->nrunning, 1, err);

    if (st == RF_OK)
        st = rf_idset_copy(&job->devices, &e->devices, err);
    if (st == RF_OK)
        st = rf_idset_remove_set(&s->free, &e->devices, err);
    if (st != RF_OK) {
        rf_idset_clear(&job->devices);
        return st;
    }
    job->ndevices = rf_idset_count(&e->devices);
    job->state = RF_JOB_RUNNING;
    job->lease = s->next_lease++;
    job->grant_us = job->charged_us = e->t_us;
    job->preempt_us = -1;
    job->reason[0] = '\0';
    job->grants++;
    if (job->first_grant_us < 0)
        job->first_grant_us = e->t_us;
    queue_remove(s, e->job);
    s->running[s->nrunning++] = e->job;
    s->nfree -= job->ndevices;
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].used += job->ndevices;
    return RF_OK;
}

static void do_charge(struct rf_state *s, const struct rf_event *e)
{
    struct rf_job *job = &s->jobs[e->job];

    job->charged_us = e->t_us;
    job->held_us += e->held_us;
    job->busy_us += e->busy_us;
    job->tokens += e->tokens;
    job->flops += e->flops;
    job->step = e->step;
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent) {
        s->accounts[a].held_us += e->held_us;
        s->accounts[a].busy_us += e->busy_us;
        s->accounts[a].tokens += e->tokens;
        s->accounts[a].flops += e->flops;
    }
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

/* The holder's devices are free; what becomes of the job is the caller's. */
static void let_go(struct rf_state *s, int32_t id)
{
    struct rf_job *job = &s->jobs[id];

    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent)
        s->accounts[a].used -= job->ndevices;
    s->nfree += job->ndevices;
    running_remove(s, id);
    rf_idset_clear(&job->devices);
    job->ndevices = 0;
    job->lease = -1;
    job->preempt_us = -1;
}

static void back_to_queue(struct rf_state *s, int32_t id, int64_t t_us)
{
    s->jobs[id].state = RF_JOB_QUEUED;
    s->jobs[id].queued_us = t_us;
    queue_add(s, id);
}

static enum rf_status do_release(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    enum rf_status st = rf_idset_add_set(&s->free, &job->devices, err);

    if (st != RF_OK)
        return st;
    let_go(s, e->job);
    back_to_queue(s, e->job, e->t_us);
    memcpy(job->reason, e->reason, sizeof job->reason);
    return RF_OK;
}

static enum rf_status do_end(struct rf_state *s, const struct rf_event *e, struct rf_error *err)
{
    struct rf_job *job = &s->jobs[e->job];
    enum rf_status st = rf_idset_add_set(&s->free, &job->devices, err);

    if (st != RF_OK)
        return st;
    if (job->lease >= 0)
        let_go(s, e->job);
    else
        queue_remove(s, e->job);
    job->state = (enum rf_job_state)rf_end_state(e->text);
    job->end_us = e->t_us;
    memcpy(job->reason, e->reason, sizeof job->reason);
    return RF_OK;
}

/* Whoever held the leases is dead: all devices are free at once. */
static enum rf_status do_recover(struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    struct rf_idset all = {0};
    enum rf_status st = rf_idset_copy(&all, &s->fleet, err);

    if (st != RF_OK)
        return st;
    rf_idset_clear(&s->free);
    s->free = all;
    while (s->nrunning > 0) {
        int32_t id = s->running[s->nrunning - 1];

        let_go(s, id);
        back_to_queue(s, id, e->t_us);
        memcpy(s->jobs[id].reason, "recovered", sizeof "recovered");
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
    case RF_EVENT_REQUEST:
        return do_request(s, e, err);
    case RF_EVENT_DELAY:
        memcpy(s->jobs[e->job].reason, e->reason, sizeof e->reason);
        break;
    case RF_EVENT_DENY:
        do_deny(s, e);
        break;
    case RF_EVENT_GRANT:
        return do_grant(s, e, err);
    case RF_EVENT_CHARGE:
        do_charge(s, e);
        break;
    case RF_EVENT_PREEMPT:
        do_preempt(s, e);
        break;
    case RF_EVENT_RELEASE:
        return do_release(s, e, err);
    case RF_EVENT_END:
        return do_end(s, e, err);
    case RF_EVENT_RECOVER:
        return do_recover(s, e, err);
    case RF_EVENT_CLOSE:
        s->closed = 1;
        break;
    case RF_EVENT_CHECKPOINT:
    case RF_EVENT_HEARTBEAT:
    case RF_EVENT_NTYPES:
        break;
    }
    return RF_OK;
}

enum rf_status rf_state_apply(struct rf_state *state, const struct rf_event *event,
                              struct rf_error *err)
{
    enum rf_status st = rf_state_check(state, event, err);

    if (st == RF_OK)
        st = take_effect(state, event, err);
    if (st == RF_OK) {
        state->now_us = event->t_us;
        state->next_seq++;
    }
    return st;
}
