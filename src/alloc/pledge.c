/* A tally is an integral: between two events nothing changes, so each stretch
 * of time adds (fleet x length) and (demand x length) to the window it lies in.
 * All factors are integers, and a share is taken once per window. The factors are sums that
 * are kept up to date per pledged account, so that a stretch ends only where one of them
 * changes. What a single job could have used more is kept with the job and brought up to date
 * when the job changes; the sum over all jobs is an integral like the others. */
#include "alloc/pledge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const VERDICTS[] = {"kept", "broken", "unprovable"};

const char *rf_verdict_name(enum rf_verdict verdict)
{
    return VERDICTS[verdict];
}

enum rf_status rf_tally_create(struct rf_tally **tally, struct rf_error *err)
{
    *tally = calloc(1, sizeof **tally);
    if (*tally == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a tally");
    (*tally)->last_us = (*tally)->border_us = INT64_MAX;
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

/* Makes room for want items; the array may move. New bytes are zero. */
static enum rf_status reserve(void **array, int32_t *room, int64_t want, size_t item,
                              struct rf_error *err)
{
    int64_t next = want < 64 ? 64 : want + want / 2;
    char *moved;

    if (want <= *room)
        return RF_OK;
    moved = next > INT32_MAX ? NULL : realloc(*array, (size_t)next * item);
    if (moved == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a tally of %lld items",
                       (long long)next);
    memset(moved + (size_t)*room * item, 0, (size_t)(next - *room) * item);
    *array = moved;
    *room = (int32_t)next;
    return RF_OK;
}

/* ---- windows ----------------------------------------------------------- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* a + b, or the largest number. */
static int64_t plus(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* sum += a x b, 0 <= a, b. */
static void add_product(struct rf_wide *sum, int64_t a, int64_t b)
{
    uint64_t low = (uint64_t)a * (uint64_t)b;

    if (a > INT32_MAX || b > INT32_MAX) {
        uint64_t a0 = (uint64_t)a & 0xffffffffu, a1 = (uint64_t)a >> 32;
        uint64_t b0 = (uint64_t)b & 0xffffffffu, b1 = (uint64_t)b >> 32;
        uint64_t mid = a1 * b0 + (a0 * b0 >> 32);
        uint64_t mid2 = a0 * b1 + (mid & 0xffffffffu);

        sum->high += a1 * b1 + (mid >> 32) + (mid2 >> 32);
    }
    sum->low += low;
    sum->high += sum->low < low;
}

static void subtract(struct rf_wide *sum, int64_t a)
{
    sum->high -= sum->low < (uint64_t)a;
    sum->low -= (uint64_t)a;
}

/* The sum, or the largest number when it is larger. */
static int64_t narrow(const struct rf_wide *sum)
{
    return sum->high > 0 || sum->low > INT64_MAX ? INT64_MAX : (int64_t)sum->low;
}

/* The window that begins at turn_us. */
static enum rf_status add_window(struct rf_pledge_account *p, struct rf_error *err)
{
    if (p->nwindows == p->room) {
        int room = p->room < 16 ? 16 : p->room + p->room / 2;
        struct rf_window *more = realloc(p->windows, (size_t)room * sizeof *more);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d windows", room);
        p->windows = more;
        p->room = room;
    }
    p->windows[p->nwindows++] =
        (struct rf_window){.begin_us = p->turn_us, .end_us = p->turn_us};
    return RF_OK;
}

/* The window is over: what its jobs could have used more in it is settled. */
static void turn(struct rf_pledge_account *p)
{
    p->windows[p->nwindows - 1].backlog_us = narrow(&p->unmet);
    p->unmet = (struct rf_wide){0, 0};
    p->read_us = 0;
    p->turn_us = p->floor_us = p->next_us;
    p->next_us = plus(p->turn_us, p->pledge.window_us);
}

/* Integrates up to t_us with the sums as they stand. */
static enum rf_status bring_up(const struct rf_tally *tally, struct rf_pledge_account *p,
                               int64_t t_us, struct rf_error *err)
{
    const struct rf_tally_group *g = &tally->groups[p->group];
    int secured = p->pledge.basis[0] == 's';
    int64_t wanted = g->wanted < tally->fleet ? g->wanted : tally->fleet;

    while (p->done_us < t_us) {
        int64_t end_us = t_us < p->next_us ? t_us : p->next_us, dt = end_us - p->done_us;
        struct rf_window *w;

        if (p->nwindows == 0 || p->windows[p->nwindows - 1].begin_us != p->turn_us) {
            enum rf_status st = add_window(p, err);

            if (st != RF_OK)
                return st;
        }
        w = &p->windows[p->nwindows - 1];
        if (!tally->closed) {
            w->capacity_us += dt * (secured ? p->pledge.secured : tally->fleet);
            w->down_us += dt * tally->down;
            w->wanted_us += dt * wanted;
            w->held_us += dt * g->held;
            add_product(&p->unmet, dt, g->usable - g->held);
        }
        w->end_us = p->done_us = end_us;
        if (end_us == p->next_us)
            turn(p);
    }
    return RF_OK;
}

/* Beyond this moment it needs another window. */
static int64_t border_of(const struct rf_pledge_account *p)
{
    return p->done_us == p->turn_us ? p->turn_us : p->next_us;
}

static enum rf_status bring_up_all(struct rf_tally *tally, int64_t t_us, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    tally->border_us = INT64_MAX;
    for (int i = 0; st == RF_OK && i < tally->npledges; i++) {
        st = bring_up(tally, &tally->pledges[i], t_us, err);
        tally->border_us = earlier(tally->border_us, border_of(&tally->pledges[i]));
    }
    return st;
}

/* How far bring_up() can go without making too many windows. */
static int64_t last_of(int64_t start_us, int64_t window_us)
{
    return window_us > INT64_MAX / RF_WINDOWS_MAX ? INT64_MAX
                                                  : plus(start_us, window_us * RF_WINDOWS_MAX);
}

/* Devices held from from_us to to_us: to each window its part, as read or as not read yet. */
static void add_reading(struct rf_pledge_account *p, int64_t from_us, int64_t to_us,
                        int32_t devices, int unread)
{
    int k = p->nwindows - 1;

    for (; k >= 0 && to_us > from_us; k--) {
        struct rf_window *w = &p->windows[k];
        int64_t begin_us = later(from_us, w->begin_us);

        if (begin_us >= to_us)
            continue;
        *(unread ? &w->unread_us : &w->delivered_us) += devices * (to_us - begin_us);
        to_us = begin_us;
    }
}

/* From the last reading of any holder on, a crash leaves no evidence. */
static void mark_dark(struct rf_pledge_account *p, int64_t from_us, int64_t to_us)
{
    for (int k = p->nwindows - 1; k >= 0 && p->windows[k].end_us > from_us; k--)
        if (p->windows[k].begin_us < to_us)
            p->windows[k].unproven = 1;
}

/* ---- jobs -------------------------------------------------------------- */

static int64_t usable_of(const struct rf_job *job, int32_t fleet)
{
    return job->max < fleet ? job->max : fleet;
}

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

static int takes_part(const struct rf_state *state, const struct rf_job *job)
{
    return job->lease >= 0 ||
           (job->state == RF_JOB_QUEUED && (job->extra < 0 || rf_state_ready(state, job)));
}

static struct rf_tally_group *group_of(const struct rf_tally *tally, int32_t account)
{
    int32_t g = tally->group_of[account];

    return g < 0 ? NULL : &tally->groups[g];
}

/* Does f for every job of a pledged account that is ready or running. */
static void for_jobs(struct rf_tally *tally, const struct rf_state *state, int64_t t_us,
                     void (*f)(struct rf_tally *, struct rf_tally_group *,
                               const struct rf_job *, int32_t id, int64_t t_us))
{
    for (int list = 0; list < 2; list++)
        for (int32_t i = list == 0 ? state->running_first : state->queue_first; i >= 0;
             i = state->jobs[i].next) {
            const struct rf_job *job = &state->jobs[i];
            struct rf_tally_group *g = group_of(tally, job->account);

            if (g != NULL && takes_part(state, job))
                f(tally, g, job, i, t_us);
        }
}

/* Settled with the devices it holds and the fleet as it was. */
static void settle_job(struct rf_tally *tally, struct rf_tally_group *g,
                       const struct rf_job *job, int32_t id, int64_t t_us)
{
    for (int32_t i = g->newest; i >= 0; i = tally->pledges[i].older)
        settle(&tally->pledges[i], id, usable_of(job, tally->fleet) - job->ndevices, t_us);
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
    g->usable += usable_of(job, tally->fleet);
}

/* A job asks for devices, from t_us on. */
static void join(struct rf_tally *tally, struct rf_tally_group *g, const struct rf_job *job,
                 int32_t id, int64_t t_us)
{
    g->wanted += job->max;
    g->usable += usable_of(job, tally->fleet);
    g->widest = job->max > g->widest ? job->max : g->widest;
    for (int32_t i = g->newest; i >= 0; i = tally->pledges[i].older)
        tally->pledges[i].jobs[id] = (struct rf_unmet){0, t_us};
}

static enum rf_status bring_up_group(struct rf_tally *tally, const struct rf_tally_group *g,
                                     int64_t t_us, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int32_t i = g->newest; st == RF_OK && i >= 0; i = tally->pledges[i].older)
        st = bring_up(tally, &tally->pledges[i], t_us, err);
    return st;
}

/* ---- before ------------------------------------------------------------ */

/* What follows takes the leases away: all that depends on them is settled now. */
static enum rf_status before_recover(struct rf_tally *tally, const struct rf_state *state,
                                     const struct rf_event *event, struct rf_error *err)
{
    enum rf_status st = rf_state_check(state, event, err);

    if (st == RF_OK)
        st = bring_up_all(tally, event->t_us, err);
    if (st != RF_OK)
        return st;
    if (!tally->closed)
        for_jobs(tally, state, event->t_us, settle_job);
    tally->was.charged_us = tally->now_us;
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next)
        if (state->jobs[i].charged_us < tally->was.charged_us)
            tally->was.charged_us = state->jobs[i].charged_us;
    return RF_OK;
}

enum rf_status rf_tally_before(struct rf_tally *tally, const struct rf_state *state,
                               const struct rf_event *event, struct rf_error *err)
{
    int64_t last_us = tally->last_us;

    if (event->type == RF_EVENT_PLEDGE && event->window_us > 0)
        last_us = earlier(last_us, last_of(state->start_us, event->window_us));
    if (event->t_us > last_us)
        return rf_fail(err, RF_ERR_INPUT, "more than %d windows of a pledge", RF_WINDOWS_MAX);
    if (tally->npledges == 0)
        return RF_OK;
    if (event->type == RF_EVENT_RECOVER)
        return before_recover(tally, state, event, err);
    if (event->job >= 0 && event->job < state->njobs) {
        const struct rf_job *job = &state->jobs[event->job];

        tally->was.ndevices = job->ndevices;
        tally->was.charged_us = job->charged_us;
        tally->was.part = takes_part(state, job);
    }
    return RF_OK;
}

/* ---- after ------------------------------------------------------------- */

/* To which pledge each account belongs; again from the start when there is a new one. */
static enum rf_status know_accounts(struct rf_tally *tally, const struct rf_state *state,
                                    struct rf_error *err)
{
    void *array = tally->group_of;
    enum rf_status st =
        reserve(&array, &tally->accounts_room, state->naccounts, sizeof *tally->group_of, err);

    tally->group_of = array;
    if (st != RF_OK)
        return st;
    for (; tally->naccounts < state->naccounts; tally->naccounts++) {
        tally->group_of[tally->naccounts] = -1;
        for (int g = 0; g < tally->ngroups; g++)
            if (rf_state_within(state, tally->naccounts, tally->groups[g].account))
                tally->group_of[tally->naccounts] = g;
    }
    return RF_OK;
}

/* The account's jobs at the moment it is pledged for the first time... */
static void take_over_job(struct rf_tally *tally, struct rf_tally_group *g,
                          const struct rf_job *job, int32_t id, int64_t t_us)
{
    if (g == &tally->groups[tally->pledges[tally->npledges - 1].group])
        join(tally, g, job, id, t_us);
}

/* ... and, with each pledge, up to when its holders were read. */
static void take_over_reading(struct rf_tally *tally, struct rf_tally_group *g,
                              const struct rf_job *job, int32_t id, int64_t t_us)
{
    struct rf_pledge_account *p = &tally->pledges[tally->npledges - 1];

    (void)id;
    (void)t_us;
    if (g == &tally->groups[p->group] && job->lease >= 0)
        p->read_us += job->ndevices * (later(job->charged_us, p->turn_us) - p->turn_us);
}

static enum rf_status wait_for_others(struct rf_tally *tally, int32_t id, struct rf_error *err)
{
    void *array = tally->waiting;
    enum rf_status st =
        reserve(&array, &tally->waiting_room, tally->nwaiting + 1, sizeof *tally->waiting, err);

    tally->waiting = array;
    if (st == RF_OK)
        tally->waiting[tally->nwaiting++] = id;
    return st;
}

static enum rf_status add_group(struct rf_tally *tally, const struct rf_state *state,
                                int32_t account, struct rf_error *err)
{
    struct rf_tally_group *more =
        realloc(tally->groups, ((size_t)tally->ngroups + 1) * sizeof *more);
    enum rf_status st;

    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a pledge");
    tally->groups = more;
    tally->groups[tally->ngroups++] = (struct rf_tally_group){
        .account = account, .newest = -1, .held = state->accounts[account].used};
    tally->naccounts = 0; /* what was not pledged may be now */
    st = know_accounts(tally, state, err);
    for (int32_t i = state->queue_first; st == RF_OK && i >= 0; i = state->jobs[i].next)
        if (tally->group_of[state->jobs[i].account] == tally->ngroups - 1 &&
            !takes_part(state, &state->jobs[i]))
            st = wait_for_others(tally, i, err);
    return st;
}

/* Windows from the first up to the one that the pledge begins in. */
static enum rf_status begin_windows(struct rf_pledge_account *p, int64_t start_us, int64_t t_us,
                                    struct rf_error *err)
{
    enum rf_status st = RF_OK;

    p->turn_us = start_us;
    p->next_us = plus(start_us, p->pledge.window_us);
    while (st == RF_OK && p->turn_us < t_us) {
        st = add_window(p, err);
        if (st == RF_OK)
            p->windows[p->nwindows - 1].end_us = t_us < p->next_us ? t_us : p->next_us;
        if (st != RF_OK || p->next_us > t_us)
            break;
        turn(p);
    }
    p->done_us = p->floor_us = t_us;
    return st;
}

/* The pledge of the event, as the state has it now; p is ours to fill. */
static enum rf_status begin_pledge(struct rf_tally *tally, struct rf_pledge_account *p,
                                   const struct rf_state *state, const struct rf_event *event,
                                   struct rf_error *err)
{
    void *jobs = NULL;
    enum rf_status st;

    *p = (struct rf_pledge_account){.older = -1};
    for (int32_t i = 0; i < state->npledges; i++)
        if (strcmp(state->pledges[i].account_name, event->account) == 0)
            p->pledge = state->pledges[i];
    st = begin_windows(p, state->start_us, event->t_us, err);
    if (st == RF_OK)
        st = reserve(&jobs, &p->jobs_room, state->njobs, sizeof *p->jobs, err);
    p->jobs = jobs;
    while (p->group < tally->ngroups && tally->groups[p->group].account != p->pledge.account)
        p->group++;
    if (st == RF_OK && p->group == tally->ngroups)
        st = add_group(tally, state, p->pledge.account, err);
    return st;
}

static enum rf_status add_pledge(struct rf_tally *tally, const struct rf_state *state,
                                 const struct rf_event *event, struct rf_error *err)
{
    struct rf_pledge_account *p, *more;
    enum rf_status st = bring_up_all(tally, event->t_us, err);

    more = realloc(tally->pledges, ((size_t)tally->npledges + 1) * sizeof *more);
    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a pledge");
    tally->pledges = more;
    p = &tally->pledges[tally->npledges];
    if (st == RF_OK)
        st = begin_pledge(tally, p, state, event, err);
    else
        *p = (struct rf_pledge_account){.older = -1};
    if (st != RF_OK) {
        free(p->windows);
        free(p->jobs);
        return st;
    }
    tally->npledges++;
    p->older = tally->groups[p->group].newest;
    tally->groups[p->group].newest = tally->npledges - 1;
    if (p->older < 0)
        for_jobs(tally, state, event->t_us, take_over_job);
    for_jobs(tally, state, event->t_us, take_over_reading);
    tally->last_us = earlier(tally->last_us, last_of(state->start_us, p->pledge.window_us));
    return bring_up_all(tally, event->t_us, err);
}

/* Jobs whose last `after` job is done ask for devices from now on; jobs that are over are
 * forgotten. */
static enum rf_status look_at_waiting(struct rf_tally *tally, const struct rf_state *state,
                                      int64_t t_us, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int32_t n = 0;

    for (int32_t i = 0; st == RF_OK && i < tally->nwaiting; i++) {
        int32_t id = tally->waiting[i];
        const struct rf_job *job = &state->jobs[id];
        struct rf_tally_group *g = group_of(tally, job->account);

        if (rf_state_ready(state, job)) {
            st = bring_up_group(tally, g, t_us, err);
            join(tally, g, job, id, t_us);
        } else if (job->state == RF_JOB_QUEUED) {
            tally->waiting[n++] = id;
        }
    }
    tally->nwaiting = n;
    return st;
}

static enum rf_status after_request(struct rf_tally *tally, struct rf_tally_group *g,
                                    const struct rf_state *state, const struct rf_event *event,
                                    struct rf_error *err)
{
    const struct rf_job *job = &state->jobs[event->job];
    enum rf_status st = bring_up_group(tally, g, event->t_us, err);

    for (int32_t i = g->newest; st == RF_OK && i >= 0; i = tally->pledges[i].older) {
        struct rf_pledge_account *p = &tally->pledges[i];
        void *array = p->jobs;

        st = reserve(&array, &p->jobs_room, (int64_t)event->job + 1, sizeof *p->jobs, err);
        p->jobs = array;
    }
    if (st == RF_OK && takes_part(state, job))
        join(tally, g, job, event->job, event->t_us);
    else if (st == RF_OK)
        st = wait_for_others(tally, event->job, err);
    return st;
}

/* The job is over, done or not. A refusal does not make its demand go away, nor does an end
 * before its work is done: else whoever ends jobs could end what the account is owed. */
static void leave(struct rf_pledge_account *p, const struct rf_job *job, int64_t unmet_us)
{
    subtract(&p->unmet, unmet_us);
    if (job->state != RF_JOB_DONE && p->nwindows > 0) {
        struct rf_window *w = &p->windows[p->nwindows - 1];

        w->refused_us = plus(w->refused_us, unmet_us);
    }
}

/* What an event of a job means for one pledge: its reading, and its devices from now on. */
static void after_job(struct rf_tally *tally, struct rf_pledge_account *p,
                      const struct rf_job *job, const struct rf_event *event)
{
    int32_t n = tally->was.ndevices;
    int64_t from_us = tally->was.charged_us;
    struct rf_unmet *unmet =
        settle(p, event->job, usable_of(job, tally->fleet) - n, event->t_us);

    if (event->held_us > 0)
        add_reading(p, later(from_us, p->pledge.since_us), event->t_us, n, 0);
    p->read_us -= n * (later(from_us, p->turn_us) - p->turn_us);
    p->read_us += job->ndevices * (later(job->charged_us, p->turn_us) - p->turn_us);
    if (job->end_us >= 0)
        leave(p, job, unmet->unmet_us);
}

static enum rf_status after_capacity(struct rf_tally *tally, const struct rf_state *state,
                                     int64_t t_us, struct rf_error *err)
{
    int32_t least = state->nfleet < tally->fleet ? state->nfleet : tally->fleet;
    enum rf_status st = bring_up_all(tally, t_us, err);
    int wider = 0;

    for (int g = 0; g < tally->ngroups; g++)
        wider |= tally->groups[g].widest > least;
    if (wider)
        for_jobs(tally, state, t_us, settle_job);
    tally->fleet = state->nfleet;
    for (int g = 0; wider && g < tally->ngroups; g++)
        tally->groups[g].usable = 0;
    if (wider)
        for_jobs(tally, state, t_us, add_usable);
    return st;
}

static void after_recover(struct rf_tally *tally, const struct rf_state *state, int64_t t_us)
{
    for (int i = 0; i < tally->npledges; i++) {
        tally->pledges[i].read_us = 0;
        if (!tally->closed)
            mark_dark(&tally->pledges[i], tally->was.charged_us, t_us);
    }
    for (int g = 0; g < tally->ngroups; g++)
        tally->groups[g].held = 0;
    if (tally->closed)
        for_jobs(tally, state, t_us, skip_job);
}

static enum rf_status after_any_job(struct rf_tally *tally, const struct rf_state *state,
                                    const struct rf_event *event, struct rf_error *err)
{
    const struct rf_job *job = &state->jobs[event->job];
    enum rf_status st =
        tally->naccounts < state->naccounts ? know_accounts(tally, state, err) : RF_OK;
    struct rf_tally_group *g = st == RF_OK ? group_of(tally, job->account) : NULL;

    if (g != NULL && event->type == RF_EVENT_REQUEST)
        return after_request(tally, g, state, event, err);
    if (g != NULL && tally->was.part) {
        st = bring_up_group(tally, g, event->t_us, err);
        for (int32_t i = g->newest; st == RF_OK && i >= 0; i = tally->pledges[i].older)
            after_job(tally, &tally->pledges[i], job, event);
        g->held = state->accounts[g->account].used;
        if (job->end_us >= 0) {
            g->wanted -= job->max;
            g->usable -= usable_of(job, tally->fleet);
        }
    }
    if (st == RF_OK && tally->nwaiting > 0 && job->end_us >= 0)
        st = look_at_waiting(tally, state, event->t_us, err);
    return st;
}

static enum rf_status take_in(struct rf_tally *tally, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (event->t_us > tally->border_us)
        st = bring_up_all(tally, event->t_us, err);
    if (st != RF_OK)
        return st;
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
    case RF_EVENT_CAPACITY:
        return after_capacity(tally, state, event->t_us, err);
    case RF_EVENT_RECOVER:
        after_recover(tally, state, event->t_us);
        return RF_OK;
    case RF_EVENT_CLOSE:
        st = bring_up_all(tally, event->t_us, err);
        for_jobs(tally, state, event->t_us, settle_job);
        return st;
    default:
        return RF_OK;
    }
}

enum rf_status rf_tally_after(struct rf_tally *tally, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    int64_t dt =
        event->type == RF_EVENT_OPEN || tally->closed ? 0 : event->t_us - tally->now_us;
    enum rf_status st = RF_OK;

    tally->capacity_us += dt * tally->fleet;
    tally->used_us += dt * tally->held;
    if (tally->npledges > 0)
        st = take_in(tally, state, event, err);
    if (st == RF_OK && event->type == RF_EVENT_PLEDGE)
        st = add_pledge(tally, state, event, err);
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

/* ---- judging ----------------------------------------------------------- */

static void judge_window(struct rf_window *w, const struct rf_pledge *pledge)
{
    int64_t length = w->end_us - w->begin_us, devices, tolerance, due;
    int64_t usable_us = plus(plus(w->held_us, w->backlog_us), w->refused_us);

    w->demanded_us = usable_us < w->wanted_us ? usable_us : w->wanted_us;
    w->entitled_us = rf_share_of(&pledge->share, w->capacity_us);
    due = w->entitled_us < w->demanded_us ? w->entitled_us : w->demanded_us;
    devices = length > 0 ? w->entitled_us / length + (w->entitled_us % length > 0) : 0;
    tolerance = devices > 0 && pledge->tolerance_us > INT64_MAX / devices
                    ? INT64_MAX
                    : devices * pledge->tolerance_us;
    if (w->delivered_us >= due - tolerance)
        w->verdict = RF_KEPT;
    else if (w->unproven || w->delivered_us + w->unread_us >= due - tolerance)
        w->verdict = RF_UNPROVABLE;
    else
        w->verdict = RF_BROKEN;
}

/* Broken is worse than unprovable, which is worse than kept. */
static enum rf_verdict worse(enum rf_verdict a, enum rf_verdict b)
{
    return a == RF_BROKEN || b == RF_BROKEN ? RF_BROKEN : a > b ? a : b;
}

static void judge_pledge(struct rf_pledge_account *p)
{
    p->entitled_us = p->demanded_us = p->delivered_us = p->shortfall_us = 0;
    p->verdict = RF_KEPT;
    for (int k = 0; k < p->nwindows; k++) {
        struct rf_window *w = &p->windows[k];
        int64_t due;

        judge_window(w, &p->pledge);
        due = w->entitled_us < w->demanded_us ? w->entitled_us : w->demanded_us;
        p->entitled_us += w->entitled_us;
        p->demanded_us += w->demanded_us;
        p->delivered_us += w->delivered_us;
        p->shortfall_us += due > w->delivered_us ? due - w->delivered_us : 0;
        p->verdict = worse(p->verdict, w->verdict);
    }
}

void rf_tally_judge(struct rf_tally *tally, const struct rf_state *state)
{
    enum rf_status st = tally->npledges > 0 ? bring_up_all(tally, tally->now_us, NULL) : RF_OK;

    assert(st == RF_OK); /* every window up to now has been made */
    (void)st;
    for (int i = 0; i < tally->npledges; i++) {
        struct rf_pledge_account *p = &tally->pledges[i];

        for (int k = 0; k < p->nwindows; k++)
            p->windows[k].unread_us = 0;
        if (p->done_us > p->turn_us)
            p->windows[p->nwindows - 1].backlog_us = narrow(&p->unmet);
    }
    for (int32_t i = tally->npledges > 0 ? state->running_first : -1; i >= 0;
         i = state->jobs[i].next) {
        const struct rf_job *job = &state->jobs[i];
        const struct rf_tally_group *g = group_of(tally, job->account);

        for (int32_t k = g == NULL ? -1 : g->newest; k >= 0; k = tally->pledges[k].older)
            add_reading(&tally->pledges[k], job->charged_us, tally->now_us, job->ndevices, 1);
    }
    for (int i = 0; i < tally->npledges; i++)
        judge_pledge(&tally->pledges[i]);
}

int64_t rf_tally_received_us(const struct rf_tally *tally, const struct rf_state *state,
                             const struct rf_pledge *pledge)
{
    const struct rf_tally_group *g = group_of(tally, pledge->account);
    const struct rf_pledge_account *p;
    int32_t i = g->newest;

    while (tally->pledges[i].pledge.since_us != pledge->since_us &&
           tally->pledges[i].older >= 0)
        i = tally->pledges[i].older;
    p = &tally->pledges[i];
    if (state->now_us >= p->next_us) /* nothing has changed in the window so far */
        return g->held * ((state->now_us - state->start_us) % pledge->window_us);
    return (p->nwindows > 0 && p->windows[p->nwindows - 1].begin_us == p->turn_us
                ? p->windows[p->nwindows - 1].delivered_us
                : 0) +
           g->held * (state->now_us - p->turn_us) - p->read_us;
}
