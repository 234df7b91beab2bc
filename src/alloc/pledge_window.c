/* The windows of a pledge: what is added to them as time passes, and what is made of them. */
#include <assert.h>
#include <stdlib.h>

#include "alloc/pledge_rules.h"

static const char *const VERDICTS[] = {"kept", "broken", "unprovable"};

const char *rf_verdict_name(enum rf_verdict verdict)
{
    return VERDICTS[verdict];
}

/* What the account's jobs that are there at t_us could have used more in this window. */
static int64_t backlog_of(const struct rf_tally *tally, const struct rf_pledge_account *p,
                          const struct rf_state *state, int64_t t_us)
{
    int64_t sum_us = 0;

    for (int list = 0; list < 2; list++)
        for (int32_t i = list == 0 ? state->running_first : state->queue_first; i >= 0;
             i = state->jobs[i].next) {
            const struct rf_job *job = &state->jobs[i];
            const struct rf_unmet *u = &p->jobs[i];
            int64_t missing = rf_usable_of(job, tally->fleet) - job->ndevices;
            int64_t unmet_us;

            if (tally->group_of[job->account] != p->group)
                continue;
            unmet_us = u->since_us < p->floor_us ? 0 : u->unmet_us;
            if (!tally->closed && rf_takes_part(state, job))
                unmet_us += missing * (t_us - rf_later(u->since_us, p->floor_us));
            sum_us = rf_plus(sum_us, rf_use_of(job, unmet_us));
        }
    return sum_us;
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

/* The window is over. */
static void turn(struct rf_pledge_account *p)
{
    p->read_us = 0;
    p->turn_us = p->floor_us = p->next_us;
    p->next_us = rf_plus(p->turn_us, p->pledge.window_us);
}

/* ... and what its jobs could have used more in it is settled. */
static void turn_with_jobs(const struct rf_tally *tally, struct rf_pledge_account *p,
                           const struct rf_state *state)
{
    p->windows[p->nwindows - 1].backlog_us = backlog_of(tally, p, state, p->next_us);
    turn(p);
}

/* Integrates up to t_us with the sums as they stand. */
enum rf_status rf_tally_bring_up(const struct rf_tally *tally, struct rf_pledge_account *p,
                                 const struct rf_state *state, int64_t t_us,
                                 struct rf_error *err)
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
        }
        w->end_us = p->done_us = end_us;
        if (end_us == p->next_us)
            turn_with_jobs(tally, p, state);
    }
    return RF_OK;
}

/* Beyond this moment it needs another window. */
static int64_t border_of(const struct rf_pledge_account *p)
{
    return p->done_us == p->turn_us ? p->turn_us : p->next_us;
}

enum rf_status rf_tally_bring_up_all(struct rf_tally *tally, const struct rf_state *state,
                                     int64_t t_us, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    tally->border_us = INT64_MAX;
    for (int i = 0; st == RF_OK && i < tally->npledges; i++) {
        st = rf_tally_bring_up(tally, &tally->pledges[i], state, t_us, err);
        tally->border_us = rf_earlier(tally->border_us, border_of(&tally->pledges[i]));
    }
    return st;
}

/* How far rf_tally_bring_up() can go without making too many windows. */
int64_t rf_pledge_last_us(int64_t start_us, int64_t window_us)
{
    return window_us > INT64_MAX / RF_WINDOWS_MAX
               ? INT64_MAX
               : rf_plus(start_us, window_us * RF_WINDOWS_MAX);
}

/* Devices held from from_us to to_us: to each window its part, as read or as not read yet. */
void rf_pledge_add_reading(struct rf_pledge_account *p, int64_t from_us, int64_t to_us,
                           int32_t devices, int unread)
{
    int k = p->nwindows - 1;

    for (; k >= 0 && to_us > from_us; k--) {
        struct rf_window *w = &p->windows[k];
        int64_t begin_us = rf_later(from_us, w->begin_us);

        if (begin_us >= to_us)
            continue;
        *(unread ? &w->unread_us : &w->delivered_us) += devices * (to_us - begin_us);
        to_us = begin_us;
    }
}

/* From the last reading of any holder on, a crash leaves no evidence. */
void rf_pledge_mark_dark(struct rf_pledge_account *p, int64_t from_us, int64_t to_us)
{
    for (int k = p->nwindows - 1; k >= 0 && p->windows[k].end_us > from_us; k--)
        if (p->windows[k].begin_us < to_us)
            p->windows[k].unproven = 1;
}

/* Windows from the first up to the one that the pledge begins in. */
enum rf_status rf_pledge_begin(struct rf_pledge_account *p, int64_t start_us, int64_t t_us,
                               struct rf_error *err)
{
    enum rf_status st = RF_OK;

    p->turn_us = start_us;
    p->next_us = rf_plus(start_us, p->pledge.window_us);
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

/* ---- judging ----------------------------------------------------------- */

static void judge_window(struct rf_window *w, const struct rf_pledge *pledge)
{
    int64_t length = w->end_us - w->begin_us, devices, tolerance, due;
    int64_t usable_us = rf_plus(rf_plus(w->held_us, w->backlog_us), w->refused_us);

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
    p->entitled_us = p->demanded_us = p->delivered_us = p->shortfall_us = rf_wide_of(0);
    p->verdict = RF_KEPT;
    for (int k = 0; k < p->nwindows; k++) {
        struct rf_window *w = &p->windows[k];
        int64_t due;

        judge_window(w, &p->pledge);
        due = w->entitled_us < w->demanded_us ? w->entitled_us : w->demanded_us;
        rf_wide_add(&p->entitled_us, w->entitled_us);
        rf_wide_add(&p->demanded_us, w->demanded_us);
        rf_wide_add(&p->delivered_us, w->delivered_us);
        rf_wide_add(&p->shortfall_us, due > w->delivered_us ? due - w->delivered_us : 0);
        p->verdict = worse(p->verdict, w->verdict);
    }
}

void rf_tally_judge(struct rf_tally *tally, const struct rf_state *state)
{
    enum rf_status st =
        tally->npledges > 0 ? rf_tally_bring_up_all(tally, state, tally->now_us, NULL) : RF_OK;

    assert(st == RF_OK); /* every window up to now has been made */
    (void)st;
    for (int i = 0; i < tally->npledges; i++) {
        struct rf_pledge_account *p = &tally->pledges[i];

        for (int k = 0; k < p->nwindows; k++)
            p->windows[k].unread_us = 0;
        if (p->done_us > p->turn_us)
            p->windows[p->nwindows - 1].backlog_us = backlog_of(tally, p, state, tally->now_us);
    }
    for (int32_t i = tally->npledges > 0 ? state->running_first : -1; i >= 0;
         i = state->jobs[i].next) {
        const struct rf_job *job = &state->jobs[i];
        const struct rf_tally_group *g = rf_tally_group_of(tally, job->account);

        for (int32_t k = g == NULL ? -1 : g->newest; k >= 0; k = tally->pledges[k].older)
            rf_pledge_add_reading(&tally->pledges[k], job->charged_us, tally->now_us,
                                  job->ndevices, 1);
    }
    for (int i = 0; i < tally->npledges; i++)
        judge_pledge(&tally->pledges[i]);
}

int64_t rf_tally_received_us(const struct rf_tally *tally, const struct rf_state *state,
                             const struct rf_pledge *pledge)
{
    const struct rf_tally_group *g = rf_tally_group_of(tally, pledge->account);
    const struct rf_pledge_account *p;
    int32_t i = g->newest;
    int64_t unread_us;

    while (tally->pledges[i].pledge.since_us != pledge->since_us &&
           tally->pledges[i].older >= 0)
        i = tally->pledges[i].older;
    p = &tally->pledges[i];
    if (state->now_us >= p->next_us) /* nothing has changed in the window so far */
        return g->held * ((state->now_us - state->start_us) % pledge->window_us);
    unread_us = g->held * (state->now_us - p->turn_us) - p->read_us;
    return p->nwindows > 0 && p->windows[p->nwindows - 1].begin_us == p->turn_us
               ? p->windows[p->nwindows - 1].delivered_us + unread_us
               : unread_us;
}
