/* A tally is an integral: between two events nothing changes, so each stretch
 * of time adds (fleet x length) and (demand x length) to the windows it
 * crosses. All factors are integers, and a share is taken once per window. */
#include "alloc/pledge.h"

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
    return RF_OK;
}

void rf_tally_destroy(struct rf_tally *tally)
{
    if (tally == NULL)
        return;
    for (int i = 0; i < tally->npledges; i++) {
        free(tally->pledges[i].windows);
        free(tally->pledges[i].unmet_us);
    }
    free(tally->pledges);
    free(tally);
}

/* Makes windows from the first up to the one that holds the moment before t_us. */
static enum rf_status reach(struct rf_pledge_account *p, int64_t start_us, int64_t t_us,
                            struct rf_error *err)
{
    int64_t w = p->pledge.window_us;
    int64_t want = (t_us - start_us) / w + ((t_us - start_us) % w > 0 ? 1 : 0);
    struct rf_window *more;

    if (want > RF_WINDOWS_MAX)
        return rf_fail(err, RF_ERR_INPUT, "more than %d windows of the pledge of '%s'",
                       RF_WINDOWS_MAX, p->pledge.account_name);
    if (want > p->room) {
        int room = (int)(want < 16 ? 16 : want + want / 2);

        more = realloc(p->windows, (size_t)room * sizeof *more);
        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d windows", room);
        p->windows = more;
        p->room = room;
    }
    for (; p->nwindows < want; p->nwindows++) {
        int64_t begin = start_us + p->nwindows * w;

        p->windows[p->nwindows] = (struct rf_window){.begin_us = begin, .end_us = begin};
    }
    for (int i = p->nwindows - 1; i >= 0 && p->windows[i].end_us < p->windows[i].begin_us + w;
         i--)
        if (p->windows[i].begin_us < t_us)
            p->windows[i].end_us =
                t_us < p->windows[i].begin_us + w ? t_us : p->windows[i].begin_us + w;
    return RF_OK;
}

/* What a stretch of time adds to each window that it crosses. */
struct flow {
    int64_t capacity, wanted, held, delivered; /* devices */
    int unproven;
};

static void spread(struct rf_pledge_account *p, int64_t from_us, int64_t to_us,
                   const struct flow *flow)
{
    int64_t start = p->nwindows > 0 ? p->windows[0].begin_us : 0;

    if (from_us < start)
        from_us = start;
    while (from_us < to_us) {
        int64_t k = (from_us - start) / p->pledge.window_us;
        struct rf_window *w = &p->windows[k];
        int64_t border = w->begin_us + p->pledge.window_us;
        int64_t dt = (border < to_us ? border : to_us) - from_us;

        w->capacity_us += flow->capacity * dt;
        w->wanted_us += flow->wanted * dt;
        w->held_us += flow->held * dt;
        w->delivered_us += flow->delivered * dt;
        w->unproven |= flow->unproven;
        from_us += dt;
    }
}

/* Devices that the account's ready and running jobs could use now. */
static int64_t demand_of(const struct rf_state *state, int32_t account)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < state->nrunning && sum < state->nfleet; i++) {
        const struct rf_job *job = &state->jobs[state->running[i]];

        if (rf_state_within(state, job->account, account))
            sum += job->max;
    }
    for (int32_t i = 0; i < state->nqueue && sum < state->nfleet; i++) {
        const struct rf_job *job = &state->jobs[state->queue[i]];

        if (rf_state_within(state, job->account, account) && rf_state_ready(state, job))
            sum += job->max;
    }
    return sum < state->nfleet ? sum : state->nfleet;
}

/* ---- what is left undone ----
 *
 * A job that waits and yet ends within the window took nothing from what the account could
 * use in it: its wait is no demand beyond what it received. Only jobs that are still there
 * at the window's end could have used more. */

static int takes_part(const struct rf_state *state, const struct rf_job *job, int32_t account)
{
    return rf_state_within(state, job->account, account) &&
           (job->state != RF_JOB_QUEUED || rf_state_ready(state, job));
}

static enum rf_status reserve_unmet(struct rf_pledge_account *p, int32_t njobs,
                                    struct rf_error *err)
{
    int32_t room = njobs < 64 ? 64 : 2 * njobs;
    int64_t *more;

    if (njobs <= p->unmet_room)
        return RF_OK;
    more = realloc(p->unmet_us, (size_t)room * sizeof *more);
    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the demand of %d jobs", room);
    memset(more + p->unmet_room, 0, (size_t)(room - p->unmet_room) * sizeof *more);
    p->unmet_us = more;
    p->unmet_room = room;
    return RF_OK;
}

/* Adds dt of waiting, or of running on fewer devices than it could use, to every job. */
static void add_unmet(struct rf_pledge_account *p, const struct rf_state *state, int64_t dt)
{
    for (int32_t i = 0; i < state->nrunning + state->nqueue; i++) {
        int32_t id =
            i < state->nrunning ? state->running[i] : state->queue[i - state->nrunning];
        const struct rf_job *job = &state->jobs[id];
        int64_t most = job->max < state->nfleet ? job->max : state->nfleet;

        if (most > job->ndevices && takes_part(state, job, p->pledge.account))
            p->unmet_us[id] += (most - job->ndevices) * dt;
    }
}

/* The sum over jobs that are there still; with clear, a new window begins. */
static int64_t backlog_of(struct rf_pledge_account *p, const struct rf_state *state, int clear)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < state->nrunning + state->nqueue; i++) {
        int32_t id =
            i < state->nrunning ? state->running[i] : state->queue[i - state->nrunning];

        if (id < p->unmet_room)
            sum += p->unmet_us[id];
    }
    if (clear && p->unmet_room > 0)
        memset(p->unmet_us, 0, (size_t)p->unmet_room * sizeof *p->unmet_us);
    return sum;
}

static void spread_unmet(struct rf_pledge_account *p, const struct rf_state *state,
                         int64_t from_us, int64_t to_us)
{
    int64_t start = p->windows[0].begin_us;

    while (from_us < to_us) {
        struct rf_window *w = &p->windows[(from_us - start) / p->pledge.window_us];
        int64_t border = w->begin_us + p->pledge.window_us;
        int64_t dt = (border < to_us ? border : to_us) - from_us;

        add_unmet(p, state, dt);
        w->backlog_us = backlog_of(p, state, from_us + dt == border);
        from_us += dt;
    }
}

/* From the last reading of any holder on, a crash leaves no evidence. */
static void mark_dark(struct rf_tally *tally, const struct rf_state *state, int64_t t_us)
{
    int64_t from_us = tally->now_us;
    struct flow dark = {.unproven = 1};

    for (int32_t i = 0; i < state->nrunning; i++)
        if (state->jobs[state->running[i]].charged_us < from_us)
            from_us = state->jobs[state->running[i]].charged_us;
    for (int i = 0; i < tally->npledges; i++)
        spread(&tally->pledges[i], from_us, t_us, &dark);
}

enum rf_status rf_tally_before(struct rf_tally *tally, const struct rf_state *state,
                               const struct rf_event *event, struct rf_error *err)
{
    int64_t from_us = tally->now_us, to_us = event->t_us;
    enum rf_status st = rf_state_check(state, event, err);

    if (st != RF_OK || !state->opened)
        return st;
    for (int i = 0; st == RF_OK && i < tally->npledges; i++)
        st = reach(&tally->pledges[i], state->start_us, to_us, err);
    if (st != RF_OK)
        return st;
    tally->now_us = to_us;
    if (state->closed)
        return RF_OK;
    tally->capacity_us += state->nfleet * (to_us - from_us);
    tally->used_us += (state->nfleet - state->nfree) * (to_us - from_us);
    for (int i = 0; to_us > from_us && i < tally->npledges; i++) {
        struct rf_pledge_account *p = &tally->pledges[i];
        int secured = strcmp(p->pledge.basis, "secured") == 0;
        struct flow flow = {.capacity = secured ? p->pledge.secured : state->nfleet,
                            .wanted = demand_of(state, p->pledge.account),
                            .held = state->accounts[p->pledge.account].used};

        st = reserve_unmet(p, state->njobs, err);
        if (st != RF_OK)
            return st;
        spread(p, from_us, to_us, &flow);
        spread_unmet(p, state, from_us, to_us);
    }
    if (event->type == RF_EVENT_RECOVER)
        mark_dark(tally, state, to_us);
    return RF_OK;
}

static enum rf_status add_pledge(struct rf_tally *tally, const struct rf_state *state,
                                 const struct rf_event *event, struct rf_error *err)
{
    struct rf_pledge_account *more, *p;
    size_t count = (size_t)tally->npledges + 1;

    more = realloc(tally->pledges, count * sizeof *more);
    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a pledge");
    tally->pledges = more;
    p = &tally->pledges[tally->npledges];
    *p = (struct rf_pledge_account){0};
    for (int32_t i = 0; i < state->npledges; i++)
        if (strcmp(state->pledges[i].account_name, event->account) == 0)
            p->pledge = state->pledges[i];
    tally->npledges++;
    return reach(p, state->start_us, event->t_us, err);
}

/* A reading covers the time up to now; windows that the pledge does not know get nothing. */
static void add_reading(struct rf_tally *tally, const struct rf_state *state,
                        const struct rf_event *event)
{
    const struct rf_job *job = &state->jobs[event->job];
    int64_t from_us = event->t_us - event->held_us / job->ndevices;
    struct flow flow = {.delivered = job->ndevices};

    for (int i = 0; i < tally->npledges; i++) {
        struct rf_pledge_account *p = &tally->pledges[i];

        if (rf_state_within(state, job->account, p->pledge.account))
            spread(p, from_us > p->pledge.since_us ? from_us : p->pledge.since_us, event->t_us,
                   &flow);
    }
}

/* A refusal does not make the demand go away, nor does a job's end before its work is done:
 * else whoever ends jobs could end what the account is owed. */
static void add_refused(struct rf_tally *tally, const struct rf_event *event)
{
    for (int i = 0; i < tally->npledges; i++) {
        struct rf_pledge_account *p = &tally->pledges[i];

        if (p->nwindows > 0 && event->job < p->unmet_room) {
            p->windows[p->nwindows - 1].refused_us += p->unmet_us[event->job];
            p->unmet_us[event->job] = 0;
        }
    }
}

enum rf_status rf_tally_after(struct rf_tally *tally, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    tally->now_us = event->t_us;
    if (event->type == RF_EVENT_PLEDGE)
        return add_pledge(tally, state, event, err);
    if (event->type == RF_EVENT_CHARGE)
        add_reading(tally, state, event);
    if (event->type == RF_EVENT_DENY ||
        (event->type == RF_EVENT_END && strcmp(event->text, "done") != 0))
        add_refused(tally, event);
    return RF_OK;
}

/* Device-time in the window that is held, but for which no reading has come yet. */
static int64_t owed_in(const struct rf_state *state, int32_t account, int64_t begin_us,
                       int64_t end_us)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < state->nrunning; i++) {
        const struct rf_job *job = &state->jobs[state->running[i]];
        int64_t from_us = job->charged_us > begin_us ? job->charged_us : begin_us;

        if (from_us < end_us && rf_state_within(state, job->account, account))
            sum += job->ndevices * (end_us - from_us);
    }
    return sum;
}

static void judge_window(struct rf_window *w, const struct rf_pledge *pledge, int64_t owed_us)
{
    int64_t length = w->end_us - w->begin_us, devices, tolerance, due;
    int64_t usable_us = w->held_us + w->backlog_us + w->refused_us;

    w->demanded_us = usable_us < w->wanted_us ? usable_us : w->wanted_us;
    w->entitled_us = rf_share_of(&pledge->share, w->capacity_us);
    due = w->entitled_us < w->demanded_us ? w->entitled_us : w->demanded_us;
    devices = length > 0 ? w->entitled_us / length + (w->entitled_us % length > 0) : 0;
    tolerance = devices > 0 && pledge->tolerance_us > INT64_MAX / devices
                    ? INT64_MAX
                    : devices * pledge->tolerance_us;
    if (w->delivered_us >= due - tolerance)
        w->verdict = RF_KEPT;
    else if (w->unproven || w->delivered_us + owed_us >= due - tolerance)
        w->verdict = RF_UNPROVABLE;
    else
        w->verdict = RF_BROKEN;
}

/* Broken is worse than unprovable, which is worse than kept. */
static enum rf_verdict worse(enum rf_verdict a, enum rf_verdict b)
{
    return a == RF_BROKEN || b == RF_BROKEN ? RF_BROKEN : a > b ? a : b;
}

void rf_tally_judge(struct rf_tally *tally, const struct rf_state *state)
{
    for (int i = 0; i < tally->npledges; i++) {
        struct rf_pledge_account *p = &tally->pledges[i];

        p->entitled_us = p->demanded_us = p->delivered_us = p->shortfall_us = 0;
        p->verdict = RF_KEPT;
        for (int k = 0; k < p->nwindows; k++) {
            struct rf_window *w = &p->windows[k];
            int64_t due;

            if (k == p->nwindows - 1 && w->end_us < w->begin_us + p->pledge.window_us)
                w->backlog_us =
                    backlog_of(p, state, 0); /* jobs may have ended at this moment */
            judge_window(w, &p->pledge,
                         owed_in(state, p->pledge.account, w->begin_us, w->end_us));
            due = w->entitled_us < w->demanded_us ? w->entitled_us : w->demanded_us;
            p->entitled_us += w->entitled_us;
            p->demanded_us += w->demanded_us;
            p->delivered_us += w->delivered_us;
            p->shortfall_us += due > w->delivered_us ? due - w->delivered_us : 0;
            p->verdict = worse(p->verdict, w->verdict);
        }
    }
}

int64_t rf_tally_received_us(const struct rf_tally *tally, const struct rf_state *state,
                             const struct rf_pledge *pledge)
{
    int64_t k = (state->now_us - state->start_us) / pledge->window_us;
    int64_t begin_us = state->start_us + k * pledge->window_us;
    int64_t sum = owed_in(state, pledge->account, begin_us, state->now_us);

    for (int i = 0; i < tally->npledges; i++) {
        const struct rf_pledge_account *p = &tally->pledges[i];

        if (p->pledge.account == pledge->account && p->pledge.since_us == pledge->since_us &&
            k < p->nwindows)
            return sum + p->windows[k].delivered_us;
    }
    return sum;
}
