/* A pledge begins: windows from the start of the run on, its account, and the jobs that are there
 * already. */
#include "alloc/pledge_rules.h"

#include <stdlib.h>
#include <string.h>

/* Makes room for want items; the array may move. New bytes are zero. */
enum rf_status rf_tally_reserve(void **array, int32_t *room, int64_t want, size_t item,
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

/* To which pledge each account belongs; again from the start when there is a new one. */
enum rf_status rf_tally_know_accounts(struct rf_tally *tally, const struct rf_state *state,
                                      struct rf_error *err)
{
    void *array = tally->group_of;
    enum rf_status st = rf_tally_reserve(&array, &tally->accounts_room, state->naccounts,
                                         sizeof *tally->group_of, err);

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
        rf_tally_join(tally, g, job, id, t_us);
}

/* ... and, with each pledge, up to when its holders were read. */
static void take_over_reading(struct rf_tally *tally, struct rf_tally_group *g,
                              const struct rf_job *job, int32_t id, int64_t t_us)
{
    struct rf_pledge_account *p = &tally->pledges[tally->npledges - 1];

    (void)id;
    (void)t_us;
    if (g == &tally->groups[p->group] && job->lease >= 0)
        p->read_us += job->ndevices * (rf_later(job->charged_us, p->turn_us) - p->turn_us);
}

enum rf_status rf_tally_wait(struct rf_tally *tally, int32_t id, struct rf_error *err)
{
    void *array = tally->waiting;
    enum rf_status st = rf_tally_reserve(&array, &tally->waiting_room, tally->nwaiting + 1,
                                         sizeof *tally->waiting, err);

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
    st = rf_tally_know_accounts(tally, state, err);
    for (int32_t i = state->queue_first; st == RF_OK && i >= 0; i = state->jobs[i].next)
        if (tally->group_of[state->jobs[i].account] == tally->ngroups - 1 &&
            !rf_takes_part(state, &state->jobs[i]))
            st = rf_tally_wait(tally, i, err);
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
    st = rf_pledge_begin(p, state->start_us, event->t_us, err);
    if (st == RF_OK)
        st = rf_tally_reserve(&jobs, &p->jobs_room, state->njobs, sizeof *p->jobs, err);
    p->jobs = jobs;
    while (p->group < tally->ngroups && tally->groups[p->group].account != p->pledge.account)
        p->group++;
    if (st == RF_OK && p->group == tally->ngroups)
        st = add_group(tally, state, p->pledge.account, err);
    return st;
}

enum rf_status rf_tally_add_pledge(struct rf_tally *tally, const struct rf_state *state,
                                   const struct rf_event *event, struct rf_error *err)
{
    struct rf_pledge_account *p, *more;
    enum rf_status st = rf_tally_bring_up_all(tally, state, event->t_us, err);

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
        rf_tally_for_jobs(tally, state, event->t_us, take_over_job);
    rf_tally_for_jobs(tally, state, event->t_us, take_over_reading);
    tally->last_us =
        rf_earlier(tally->last_us, rf_pledge_last_us(state->start_us, p->pledge.window_us));
    return rf_tally_bring_up_all(tally, state, event->t_us, err);
}
