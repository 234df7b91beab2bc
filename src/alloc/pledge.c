/* A tally is an integral: between two events nothing changes, so each stretch
 * of time adds (fleet x length) and (demand x length) to the window it lies in.
 * All factors are integers, and a share is taken once per window. The factors are sums that
 * are kept up to date per pledged account, so that a stretch ends only where one of them
 * changes. What a single job could have used more is kept with the job and brought up to date
 * when the job changes; the sum over all jobs is an integral like the others. */
#include "alloc/pledge_rules.h"

#include <stdlib.h>
#include <string.h>

enum rf_status rf_tally_create(struct rf_tally **tally, struct rf_error *err)
{
    *tally = calloc(1, sizeof **tally);
    if (*tally == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a tally");
    (*tally)->last_us = (*tally)->border_us = (*tally)->fits_us = INT64_MAX;
    return RF_OK;
}

void rf_tally_destroy(struct rf_tally *tally)
{
    if (tally == NULL)
        return;
    for (int i = 0; i < tally->npledges; i++) {
        free(tally->pledges[i].windows);
        free(tally->pledges[i].jobs);
    }
    free(tally->pledges);
    free(tally->groups);
    free(tally->group_of);
    free(tally->waiting);
    free(tally);
}

/* ---- jobs -------------------------------------------------------------- */

/* Time that the job waited, or ran on fewer devices than it could use, up to t_us. */
static struct rf_unmet *settle(struct rf_pledge_account *p, int32_t id, int64_t missing,
                               int64_t t_us)
{
    struct rf_unmet *u = &p->jobs[id];

    if (u->since_us < p->floor_us)
        *u = (struct rf_unmet){0, p->floor_us};
    u->unmet_us += missing * (t_us - u->since_us);
    u->since_us = t_us;
    return u;
}

/* Does f for every job of a pledged account that is ready or running. */
void rf_tally_for_jobs(struct rf_tally *tally, const struct rf_state *state, int64_t t_us,
                       void (*f)(struct rf_tally *, struct rf_tally_group *,
                                 const struct rf_job *, int32_t id, int64_t t_us))
{
    for (int list = 0; list < 2; list++)
        for (int32_t i = list == 0 ? state->running_first : state->queue_first; i >= 0;
             i = state->jobs[i].next) {
            const struct rf_job *job = &state->jobs[i];
            struct rf_tally_group *g = rf_tally_group_of(tally, job->account);

            if (g != NULL && rf_takes_part(state, job))
                f(tally, g, job, i, t_us);
        }
}

/* Settled with the devices it holds and the fleet as it was. */
static void settle_job(struct rf_tally *tally, struct rf_tally_group *g,
                       const struct rf_job *job, int32_t id, int64_t t_us)
{
    for (int32_t i = g->newest; i >= 0; i = tally->pledges[i].older)
        settle(&tally->pledges[i], id, rf_usable_of(job, tally->fleet) - job->ndevices, t_us);
}

/* Time stood still for the job: what it could have used more starts to count again now. */
static void skip_job(struct rf_tally *tally, struct rf_tally_group *g, const struct rf_job *job,
                     int32_t id, int64_t t_us)
{
    (void)job;
    for (int32_t i = g->newest; i >= 0; i = tally->pledges[i].older)
        settle(&tally->pledges[i], id, 0, t_us);
}

static void add_usable(struct rf_tally *tally, struct rf_tally_group *g,
                       const struct rf_job *job, int32_t id, int64_t t_us)
{
    (void)id;
    (void)t_us;
    g->usable += rf_usable_of(job, tally->fleet);
}

/* A job asks for devices, from t_us on. */
void rf_tally_join(struct rf_tally *tally, struct rf_tally_group *g, const struct rf_job *job,
                   int32_t id, int64_t t_us)
{
    g->wanted += job->max;
    g->usable += rf_usable_of(job, tally->fleet);
    g->widest = job->max > g->widest ? job->max : g->widest;
    for (int32_t i = g->newest; i >= 0; i = tally->pledges[i].older)
        settle(&tally->pledges[i], id, 0, t_us); /* of an earlier try something may be there */
}

/* ... and does so no more. */
static void part(struct rf_tally *tally, struct rf_tally_group *g, const struct rf_job *job)
{
    g->wanted -= job->max;
    g->usable -= rf_usable_of(job, tally->fleet);
}

static enum rf_status bring_up_group(struct rf_tally *tally, const struct rf_tally_group *g,
                                     const struct rf_state *state, int64_t t_us,
                                     struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int32_t i = g->newest; st == RF_OK && i >= 0; i = tally->pledges[i].older)
        st = rf_tally_bring_up(tally, &tally->pledges[i], state, t_us, err);
    return st;
}

/* ---- before ------------------------------------------------------------ */

/* What follows takes the leases away: all that depends on them is settled now. */
static enum rf_status before_recover(struct rf_tally *tally, const struct rf_state *state,
                                     const struct rf_event *event, struct rf_error *err)
{
    enum rf_status st = rf_state_check(state, event, err);

    if (st == RF_OK)
        st = rf_tally_bring_up_all(tally, state, event->t_us, err);
    if (st != RF_OK)
        return st;
    if (!tally->closed)
        rf_tally_for_jobs(tally, state, event->t_us, settle_job);
    tally->was.charged_us = tally->now_us;
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next)
        if (state->jobs[i].charged_us < tally->was.charged_us)
            tally->was.charged_us = state->jobs[i].charged_us;
    return RF_OK;
}

/* Windows that are so long that the fleet's device-time in them may not fit in 63 bits. */
static enum rf_status check_long(const struct rf_tally *tally, int64_t t_us,
                                 struct rf_error *err)
{
    for (int i = 0; i < tally->npledges; i++) {
        const struct rf_pledge_account *p = &tally->pledges[i];

        if (p->pledge.window_us > tally->fits_us && t_us - p->turn_us > tally->fits_us)
            return rf_fail(err, RF_ERR_INPUT,
                           "the device-time of a window of '%s' no longer fits in 63 bits",
                           p->pledge.account_name);
    }
    return RF_OK;
}

enum rf_status rf_tally_before(struct rf_tally *tally, const struct rf_state *state,
                               const struct rf_event *event, struct rf_error *err)
{
    int64_t last_us = tally->last_us;
    enum rf_status st;

    if (event->type == RF_EVENT_PLEDGE && event->window_us > 0)
        last_us = rf_earlier(last_us, rf_pledge_last_us(state->start_us, event->window_us));
    if (event->t_us > last_us)
        return rf_fail(err, RF_ERR_INPUT, "more than %d windows of a pledge", RF_WINDOWS_MAX);
    tally->was.retry = event->t_us >= state->retry_us;
    if (tally->npledges == 0)
        return RF_OK;
    if (tally->has_long && (st = check_long(tally, event->t_us, err)) != RF_OK)
        return st;
    if (event->type == RF_EVENT_RECOVER)
        return before_recover(tally, state, event, err);
    if (event->t_us >= tally->border_us) { /* windows end with the jobs as they were */
        st = rf_state_check(state, event, err);
        if (st == RF_OK)
            st = rf_tally_bring_up_all(tally, state, event->t_us, err);
        if (st != RF_OK)
            return st;
    }
    if (event->job >= 0 && event->job < state->njobs) {
        const struct rf_job *job = &state->jobs[event->job];

        tally->was.ndevices = job->ndevices;
        tally->was.account = job->account;
        tally->was.charged_us = job->charged_us;
        tally->was.part = rf_takes_part(state, job);
    }
    return RF_OK;
}

/* ---- after ------------------------------------------------------------- */

/* Jobs whose last `after` job is done, or that need not wait for their retry any more, ask for
 * devices from now on; jobs that are over are forgotten. `but`: what the event means for this
 * one has not been looked at yet; -1: none. */
static enum rf_status look_at_waiting(struct rf_tally *tally, const struct rf_state *state,
                                      int64_t t_us, int32_t but, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int32_t n = 0;

    for (int32_t i = 0; st == RF_OK && i < tally->nwaiting; i++) {
        int32_t id = tally->waiting[i];
        const struct rf_job *job = &state->jobs[id];
        struct rf_tally_group *g = rf_tally_group_of(tally, job->account);

        if (g != NULL && id != but && rf_state_ready(state, job)) {
            st = bring_up_group(tally, g, state, t_us, err);
            rf_tally_join(tally, g, job, id, t_us);
        } else if (g != NULL && job->state == RF_JOB_QUEUED) {
            tally->waiting[n++] = id;
        }
    }
    tally->nwaiting = n;
    return st;
}

/* Room for what the job could have used more. */
static enum rf_status know_job(struct rf_tally *tally, const struct rf_tally_group *g,
                               int32_t id, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int32_t i = g->newest; st == RF_OK && i >= 0; i = tally->pledges[i].older) {
        struct rf_pledge_account *p = &tally->pledges[i];
        void *array = p->jobs;

        st = rf_tally_reserve(&array, &p->jobs_room, (int64_t)id + 1, sizeof *p->jobs, err);
        p->jobs = array;
    }
    return st;
}

static enum rf_status after_request(struct rf_tally *tally, struct rf_tally_group *g,
                                    const struct rf_state *state, const struct rf_event *event,
                                    struct rf_error *err)
{
    const struct rf_job *job = &state->jobs[event->job];
    enum rf_status st = bring_up_group(tally, g, state, event->t_us, err);

    if (st == RF_OK)
        st = know_job(tally, g, event->job, err);
    if (st == RF_OK && rf_takes_part(state, job))
        rf_tally_join(tally, g, job, event->job, event->t_us);
    else if (st == RF_OK)
        st = rf_tally_wait(tally, event->job, err);
    return st;
}

/* The job is over, done or not. A refusal does not make its demand go away, nor does an end
 * before its work is done: else whoever ends jobs could end what the account is owed. */
static void leave(struct rf_pledge_account *p, const struct rf_job *job, int64_t unmet_us)
{
    if (job->state != RF_JOB_DONE && p->nwindows > 0) {
        struct rf_window *w = &p->windows[p->nwindows - 1];

        w->refused_us = rf_plus(w->refused_us, rf_use_of(job, unmet_us));
    }
}

/* What an event of a job means for one pledge: its reading, and its devices from now on. */
static void after_job(struct rf_tally *tally, struct rf_pledge_account *p,
                      const struct rf_job *job, const struct rf_event *event)
{
    int32_t n = tally->was.ndevices;
    int64_t from_us = tally->was.charged_us;
    struct rf_unmet *unmet =
        settle(p, event->job, rf_usable_of(job, tally->fleet) - n, event->t_us);

    if (event->held_us > 0)
        rf_pledge_add_reading(p, rf_later(from_us, p->pledge.since_us), event->t_us, n, 0);
    p->read_us -= n * (rf_later(from_us, p->turn_us) - p->turn_us);
    p->read_us += job->ndevices * (rf_later(job->charged_us, p->turn_us) - p->turn_us);
    if (job->end_us >= 0)
        leave(p, job, unmet->unmet_us);
}

static enum rf_status after_capacity(struct rf_tally *tally, const struct rf_state *state,
                                     int64_t t_us, struct rf_error *err)
{
    int32_t least = state->nfleet < tally->fleet ? state->nfleet : tally->fleet;
    enum rf_status st = rf_tally_bring_up_all(tally, state, t_us, err);
    int wider = 0;

    for (int g = 0; g < tally->ngroups; g++)
        wider |= tally->groups[g].widest > least;
    if (wider)
        rf_tally_for_jobs(tally, state, t_us, settle_job);
    tally->fleet = state->nfleet;
    for (int g = 0; wider && g < tally->ngroups; g++)
        tally->groups[g].usable = 0;
    if (wider)
        rf_tally_for_jobs(tally, state, t_us, add_usable);
    return st;
}

static void after_recover(struct rf_tally *tally, const struct rf_state *state, int64_t t_us)
{
    for (int i = 0; i < tally->npledges; i++) {
        tally->pledges[i].read_us = 0;
        if (!tally->closed)
            rf_pledge_mark_dark(&tally->pledges[i], tally->was.charged_us, t_us);
    }
    for (int g = 0; g < tally->ngroups; g++)
        tally->groups[g].held = 0;
    if (tally->closed)
        rf_tally_for_jobs(tally, state, t_us, skip_job);
}

static enum rf_status after_any_job(struct rf_tally *tally, const struct rf_state *state,
                                    const struct rf_event *event, struct rf_error *err)
{
    const struct rf_job *job = &state->jobs[event->job];
    enum rf_status st =
        tally->naccounts < state->naccounts ? rf_tally_know_accounts(tally, state, err) : RF_OK;
    struct rf_tally_group *g = st == RF_OK ? rf_tally_group_of(tally, job->account) : NULL;

    if (g != NULL && event->type == RF_EVENT_REQUEST)
        return after_request(tally, g, state, event, err);
    if (g != NULL && tally->was.part) {
        st = bring_up_group(tally, g, state, event->t_us, err);
        for (int32_t i = g->newest; st == RF_OK && i >= 0; i = tally->pledges[i].older)
            after_job(tally, &tally->pledges[i], job, event);
        g->held = state->accounts[g->account].used;
        if (st == RF_OK && !rf_takes_part(state, job)) /* over, or waiting for its retry */
            part(tally, g, job);
        if (st == RF_OK && job->state == RF_JOB_QUEUED && !rf_takes_part(state, job))
            st = rf_tally_wait(tally, event->job, err);
    } else if (g != NULL && st == RF_OK && job->end_us >= 0) {
        for (int32_t i = g->newest; i >= 0; i = tally->pledges[i].older)
            leave(&tally->pledges[i], job,
                  settle(&tally->pledges[i], event->job, 0, event->t_us)->unmet_us);
    }
    if (st == RF_OK && tally->nwaiting > 0 && job->end_us >= 0)
        st = look_at_waiting(tally, state, event->t_us, -1, err);
    return st;
}

static int64_t read_of(const struct rf_tally *tally, const struct rf_pledge_account *p)
{
    int64_t read_us = rf_later(tally->was.charged_us, p->turn_us) - p->turn_us;

    return tally->was.ndevices * read_us;
}

/* The job belongs to g no more: what it went without there stays on record. */
static void leave_group(struct rf_tally *tally, struct rf_tally_group *g,
                        const struct rf_job *job, const struct rf_event *event)
{
    int64_t missing =
        tally->was.part ? rf_usable_of(job, tally->fleet) - tally->was.ndevices : 0;

    for (int32_t i = g->newest; i >= 0; i = tally->pledges[i].older) {
        struct rf_pledge_account *p = &tally->pledges[i];
        struct rf_unmet *unmet = settle(p, event->job, missing, event->t_us);

        leave(p, job, unmet->unmet_us);
        p->read_us -= read_of(tally, p);
        *unmet = (struct rf_unmet){0, event->t_us};
    }
    if (tally->was.part)
        part(tally, g, job);
}

static void enter_group(struct rf_tally *tally, struct rf_tally_group *g,
                        const struct rf_job *job, const struct rf_event *event)
{
    rf_tally_join(tally, g, job, event->job, event->t_us);
    for (int32_t i = g->newest; i >= 0; i = tally->pledges[i].older)
        tally->pledges[i].read_us += read_of(tally, &tally->pledges[i]);
}

static void wait_no_more(struct rf_tally *tally, int32_t id)
{
    int32_t n = 0;

    for (int32_t i = 0; i < tally->nwaiting; i++)
        if (tally->waiting[i] != id)
            tally->waiting[n++] = tally->waiting[i];
    tally->nwaiting = n;
}

/* A job that holds devices has been charged for them up to now. */
static enum rf_status after_relabel(struct rf_tally *tally, const struct rf_state *state,
                                    const struct rf_event *event, struct rf_error *err)
{
    const struct rf_job *job = &state->jobs[event->job];
    enum rf_status st = rf_tally_know_accounts(tally, state, err);
    struct rf_tally_group *from, *to;

    if (st != RF_OK)
        return st;
    from = rf_tally_group_of(tally, tally->was.account);
    to = rf_tally_group_of(tally, job->account);
    if (from == to)
        return RF_OK;
    wait_no_more(tally, event->job);
    if (from != NULL)
        st = bring_up_group(tally, from, state, event->t_us, err);
    if (st == RF_OK && to != NULL)
        st = bring_up_group(tally, to, state, event->t_us, err);
    if (st == RF_OK && to != NULL)
        st = know_job(tally, to, event->job, err);
    if (st == RF_OK && to != NULL && !tally->was.part)
        st = rf_tally_wait(tally, event->job, err);
    if (st == RF_OK && from != NULL)
        leave_group(tally, from, job, event);
    if (st == RF_OK && to != NULL && tally->was.part)
        enter_group(tally, to, job, event);
    if (from != NULL)
        from->held = state->accounts[from->account].used;
    if (to != NULL)
        to->held = state->accounts[to->account].used;
    return st;
}

static enum rf_status take_in(struct rf_tally *tally, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    switch (event->type) {
    case RF_EVENT_REQUEST:
    case RF_EVENT_DENY:
    case RF_EVENT_GRANT:
    case RF_EVENT_CHARGE:
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        return after_any_job(tally, state, event, err);
    case RF_EVENT_RELABEL:
        return after_relabel(tally, state, event, err);
    case RF_EVENT_CAPACITY:
        return after_capacity(tally, state, event->t_us, err);
    case RF_EVENT_RECOVER:
        after_recover(tally, state, event->t_us);
        return RF_OK;
    case RF_EVENT_CLOSE:
        st = rf_tally_bring_up_all(tally, state, event->t_us, err);
        rf_tally_for_jobs(tally, state, event->t_us, settle_job);
        return st;
    default:
        return RF_OK;
    }
}

static void look_for_long(struct rf_tally *tally, const struct rf_state *state)
{
    tally->fits_us = state->peak > 0 ? INT64_MAX / state->peak : INT64_MAX;
    tally->has_long = 0;
    for (int i = 0; i < tally->npledges; i++)
        tally->has_long |= tally->pledges[i].pledge.window_us > tally->fits_us;
}

enum rf_status rf_tally_after(struct rf_tally *tally, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    int64_t dt =
        event->type == RF_EVENT_OPEN || tally->closed ? 0 : event->t_us - tally->now_us;
    enum rf_status st = RF_OK;

    rf_wide_add_product(&tally->capacity_us, dt, tally->fleet);
    rf_wide_add_product(&tally->used_us, dt, tally->held);
    if (tally->npledges > 0 && tally->was.retry)
        st = look_at_waiting(tally, state, event->t_us, event->job, err);
    if (st == RF_OK && tally->npledges > 0)
        st = take_in(tally, state, event, err);
    if (st == RF_OK && tally->npledges > 0 && tally->was.retry)
        st = look_at_waiting(tally, state, event->t_us, -1, err);
    if (st == RF_OK && event->type == RF_EVENT_PLEDGE)
        st = rf_tally_add_pledge(tally, state, event, err);
    if (event->type == RF_EVENT_PLEDGE || event->type == RF_EVENT_CAPACITY)
        look_for_long(tally, state);
    tally->now_us = event->t_us;
    tally->fleet = state->nfleet;
    tally->down = state->ndown;
    tally->held = state->nfleet - state->nfree;
    tally->closed = state->closed;
    return st;
}

static enum rf_status observe_before(void *self, const struct rf_state *state,
                                     const struct rf_event *event, struct rf_error *err)
{
    return rf_tally_before(self, state, event, err);
}

static enum rf_status observe_after(void *self, const struct rf_state *state,
                                    const struct rf_event *event, struct rf_error *err)
{
    return rf_tally_after(self, state, event, err);
}

struct rf_observer rf_tally_observer(struct rf_tally *tally)
{
    return (struct rf_observer){tally, observe_before, observe_after};
}
