/* From events to levels and counts; series_steps.c sums them up. */
#include "sim/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/series_parts.h"

static enum rf_status memory_error(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for the time series");
}

/* ---- what the state says ---- */

static int group_of(struct rf_series *s, const struct rf_state *state, int32_t account)
{
    if (account >= s->ngroup_of) {
        int32_t room = state->naccounts + 64;
        int32_t *more = realloc(s->group_of, (size_t)room * sizeof *more);

        if (more == NULL)
            return -3;
        for (int32_t a = s->ngroup_of; a < room; a++)
            more[a] = -2;
        s->group_of = more;
        s->ngroup_of = room;
    }
    if (s->group_of[account] == -2)
        s->group_of[account] = rf_groups_find(&s->table.groups, state->accounts[account].name);
    return s->group_of[account];
}

static enum rf_status move_job(struct rf_series *s, const struct rf_state *state, int32_t id,
                               int32_t devices, int waiting, struct rf_error *err)
{
    const struct rf_job *job = &state->jobs[id];
    int group = group_of(s, state, job->account);

    if (group == -3)
        return memory_error(err);
    if (group < 0)
        return RF_OK;
    if (devices != 0)
        rf_series_add_level(s, rf_series_used_column(group), devices, state->now_us);
    if (waiting != 0) {
        rf_series_add_level(s, rf_series_used_column(group) + 1, (int64_t)waiting * job->max,
                            state->now_us);
        rf_series_add_level(s, rf_series_used_column(group) + 2, waiting, state->now_us);
    }
    return RF_OK;
}

static void look_at_fleet(struct rf_series *s, const struct rf_state *state)
{
    int64_t now_us = state->now_us;

    rf_series_set_level(s, RF_SERIES_UP, state->nfleet, now_us);
    rf_series_set_level(s, RF_SERIES_DOWN, state->ndown, now_us);
    rf_series_set_level(s, RF_SERIES_USED, state->nfleet - state->nfree, now_us);
    for (int i = 0; i < s->nowners; i++)
        rf_series_set_level(s, s->owners[i].column, state->accounts[s->owners[i].account].used,
                            now_us);
    for (int i = 0; i < s->nlines; i++)
        if (s->lines[i].secured < 0 && s->lines[i].base.now != state->nfleet)
            rf_series_set_sum(s, &s->lines[i].base, state->nfleet, now_us, 1);
}

/* All jobs again: when the state has a past, after a recovery, and where one changes hands. */
static enum rf_status look_at_jobs(struct rf_series *s, const struct rf_state *state,
                                   struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int c = rf_series_used_column(0); c < rf_series_used_column(s->table.groups.n); c++)
        rf_series_set_level(s, c, 0, state->now_us);
    for (int32_t j = state->running_first; st == RF_OK && j >= 0; j = state->jobs[j].next)
        st = move_job(s, state, j, state->jobs[j].ndevices, 0, err);
    for (int32_t j = state->queue_first; st == RF_OK && j >= 0; j = state->jobs[j].next)
        st = move_job(s, state, j, 0, 1, err);
    return st;
}

static int owner_column(const struct rf_series *s, int32_t account)
{
    for (int i = 0; i < s->nowners; i++)
        if (s->owners[i].account == account)
            return s->owners[i].column;
    return -1;
}

static enum rf_status add_owner(struct rf_series *s, const struct rf_pledge *pledge,
                                struct rf_error *err)
{
    struct rf_series_owner *owner = &s->owners[s->nowners];
    enum rf_status st;

    if (owner_column(s, pledge->account) >= 0)
        return RF_OK;
    st = rf_series_add_column(s, 1, 1, "delivered", pledge->account_name, &owner->column, err);
    if (st == RF_OK) {
        owner->account = pledge->account;
        s->nowners++;
    }
    return st;
}

/* What was promised before goes on as it was: a change does not undo a promise. */
static enum rf_status add_pledge(struct rf_series *s, const struct rf_state *state,
                                 const struct rf_pledge *pledge, struct rf_error *err)
{
    struct rf_series_line *line = &s->lines[s->nlines];
    char name[RF_NAME_BYTES + 16];
    int nth = 1;
    enum rf_status st = RF_OK;

    if (s->nlines == RF_SERIES_PLEDGES)
        return RF_OK;
    for (int i = 0; i < s->nlines; i++)
        nth += s->lines[i].account == pledge->account;
    snprintf(name, sizeof name, nth > 1 ? "%s#%d" : "%s", pledge->account_name, nth);
    *line = (struct rf_series_line){
        .account = pledge->account, .share = pledge->share, .secured = -1};
    if (strcmp(pledge->basis, "secured") == 0)
        line->secured = pledge->secured;
    st = add_owner(s, pledge, err);
    if (st == RF_OK)
        st = rf_series_add_column(s, 1, 1, "promised", name, &line->column, err);
    if (st != RF_OK)
        return st;
    rf_series_set_sum(s, &line->base, line->secured >= 0 ? line->secured : state->nfleet,
                      state->now_us, 1);
    s->nlines++;
    return RF_OK;
}

/* Pledges of the state that have no line yet: made by this event, or before the series. */
static enum rf_status look_at_pledges(struct rf_series *s, const struct rf_state *state,
                                      const char *account, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int32_t i = 0; st == RF_OK && i < state->npledges; i++)
        if (account == NULL || strcmp(account, state->pledges[i].account_name) == 0)
            st = add_pledge(s, state, &state->pledges[i], err);
    return st;
}

/* ---- the observer ---- */

static void start(struct rf_series *s, int64_t t_us)
{
    s->started = 1;
    s->begin_us = s->seen_us = t_us;
    s->end_us = t_us + s->step_us;
    s->table.t_us[0] = t_us;
}

static void close_steps(struct rf_series *s, int64_t t_us)
{
    while (t_us >= s->end_us)
        rf_series_close_step(s, s->end_us);
}

/* With the fleet as it was after the last event. */
static void pass_time(struct rf_series *s, int64_t t_us)
{
    close_steps(s, t_us);
    rf_wide_add_product(&s->capacity_us, t_us - s->seen_us, s->levels[RF_SERIES_UP].now);
    s->seen_us = t_us;
}

static enum rf_status before(void *self, const struct rf_state *state,
                             const struct rf_event *event, struct rf_error *err)
{
    struct rf_series *s = self;
    int known = event->job >= 0 && event->job < state->njobs;
    enum rf_status st = RF_OK;

    if (!s->started && rf_state_check(state, event, NULL) != RF_OK)
        return RF_OK; /* it will be refused */
    if (!s->started) {
        start(s, event->t_us > state->now_us ? event->t_us : state->now_us);
        if (state->opened) {
            look_at_fleet(s, state);
            st = look_at_jobs(s, state, err);
        }
        if (st == RF_OK && state->opened)
            st = look_at_pledges(s, state, NULL, err);
    }
    if (event->t_us >= s->end_us && rf_state_check(state, event, NULL) == RF_OK)
        close_steps(s, event->t_us);
    s->was.devices = known ? state->jobs[event->job].ndevices : 0;
    s->was.waiting = known && state->jobs[event->job].state == RF_JOB_QUEUED;
    return st;
}

static enum rf_status deny(struct rf_series *s, const struct rf_state *state, int32_t id,
                           struct rf_error *err)
{
    uint8_t reason = state->jobs[id].reason;
    enum rf_status st = RF_OK;

    if (s->denied_of[reason] < 0 && s->ndenied < RF_SERIES_REASONS) {
        int last = s->ndenied == RF_SERIES_REASONS - 1;

        st = rf_series_add_column(s, 0, 1, "denied", last ? "other" : state->reasons[reason],
                                  &s->denied_columns[s->ndenied], err);
        if (st != RF_OK)
            return st;
        s->denied_of[reason] = (signed char)s->ndenied++;
    }
    rf_series_count(s, s->denied_columns[s->denied_of[reason] < 0 ? RF_SERIES_REASONS - 1
                                                                  : s->denied_of[reason]]);
    return RF_OK;
}

static void delay(struct rf_series *s, const struct rf_state *state, int32_t id)
{
    uint8_t reason = state->jobs[id].reason;
    struct rf_series_table *table = &s->table;

    if (s->delay_of[reason] < 0) {
        int next =
            table->ndelays < RF_SERIES_REASONS ? table->ndelays++ : RF_SERIES_REASONS - 1;

        s->delay_of[reason] = (signed char)next;
        snprintf(table->delays[next].reason, RF_TEXT_BYTES, "%s",
                 next == RF_SERIES_REASONS - 1 ? "other" : state->reasons[reason]);
    }
    table->delays[s->delay_of[reason]].count++;
}

static void note_ends(struct rf_series *s, const struct rf_event *event)
{
    if (event->type == RF_EVENT_REQUEST) {
        rf_series_count(s, RF_SERIES_SUBMITTED);
        if (s->table.first_submit_us < 0) {
            s->table.first_submit_us = event->t_us;
            s->capacity_first_us = s->capacity_us;
        }
    } else if (event->type == RF_EVENT_END) {
        s->table.last_end_us = event->t_us;
        s->capacity_last_us = s->capacity_us;
    }
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct rf_series *s = self;
    enum rf_status st = RF_OK;

    pass_time(s, event->t_us);
    if (event->type == RF_EVENT_PLEDGE)
        st = look_at_pledges(s, state, event->account, err);
    look_at_fleet(s, state);
    if (event->type == RF_EVENT_RECOVER || event->type == RF_EVENT_RELABEL)
        return st == RF_OK ? look_at_jobs(s, state, err) : st;
    if (st == RF_OK && event->job >= 0) {
        const struct rf_job *job = &state->jobs[event->job];

        st = move_job(s, state, event->job, job->ndevices - s->was.devices,
                      (job->state == RF_JOB_QUEUED) - s->was.waiting, err);
    }
    note_ends(s, event);
    if (event->type == RF_EVENT_PREEMPT)
        rf_series_count(s, RF_SERIES_PREEMPTED);
    else if (event->type == RF_EVENT_DELAY)
        delay(s, state, event->job);
    else if (st == RF_OK && event->type == RF_EVENT_DENY)
        st = deny(s, state, event->job, err);
    return st;
}

struct rf_observer rf_series_observer(struct rf_series *series)
{
    return (struct rf_observer){.self = series, .before = before, .after = after};
}

/* ---- beginning and end ---- */

struct rf_series_options rf_series_options_make(void)
{
    return (struct rf_series_options){.most = 1000};
}

static int64_t whole_seconds(int64_t us)
{
    return (us + 999999) / 1000000 * 1000000;
}

static int64_t step_of(const struct rf_series_options *options, const struct rf_workload *w)
{
    int64_t horizon_us = options->horizon_us;

    if (options->step_us > 0)
        return (options->step_us + RF_SERIES_COARSE_US - 1) / RF_SERIES_COARSE_US *
               RF_SERIES_COARSE_US;
    if (horizon_us <= 0)
        horizon_us = w->n > 0 ? w->submit_us[w->n - 1] : 0;
    return horizon_us / 500 > 60000000 ? whole_seconds(horizon_us / 500) : 60000000;
}

static enum rf_status add_columns(struct rf_series *s, struct rf_error *err)
{
    static const struct {
        const char *name;
        int mean;
    } fixed[RF_SERIES_FIXED] = {
        {"up", 1}, {"down", 1}, {"used", 1}, {"submitted", 0}, {"preempted", 0}};
    enum rf_status st = RF_OK;
    int c;

    for (int i = 0; st == RF_OK && i < RF_SERIES_FIXED; i++)
        st = rf_series_add_column(s, fixed[i].mean, 1, fixed[i].name, "", &c, err);
    for (int g = 0; st == RF_OK && g < s->table.groups.n; g++) {
        const char *group = s->table.groups.names[g];

        st = rf_series_add_column(s, 1, 1, "used", group, &c, err);
        if (st == RF_OK)
            st = rf_series_add_column(s, 1, RF_SERIES_COARSE_US, "queued", group, &c, err);
        if (st == RF_OK)
            st = rf_series_add_column(s, 1, RF_SERIES_COARSE_US, "waiting", group, &c, err);
    }
    return st;
}

enum rf_status rf_series_create(struct rf_series **series, const struct rf_workload *workload,
                                const struct rf_series_options *options, struct rf_error *err)
{
    struct rf_series *s = calloc(1, sizeof *s);
    enum rf_status st;

    *series = NULL;
    if (s == NULL)
        return memory_error(err);
    s->most = options->most < 2 ? 2 : options->most / 2 * 2;
    s->step_us = step_of(options, workload);
    memset(s->denied_of, -1, sizeof s->denied_of);
    memset(s->delay_of, -1, sizeof s->delay_of);
    s->table.first_submit_us = s->table.last_end_us = -1;
    s->table.t_us = calloc((size_t)s->most + 1, sizeof *s->table.t_us);
    s->table.columns = calloc(RF_SERIES_MOST_COLUMNS, sizeof *s->table.columns);
    if (s->table.t_us == NULL || s->table.columns == NULL)
        st = memory_error(err);
    else
        st = rf_groups_choose(&s->table.groups, workload, err);
    if (st == RF_OK)
        st = add_columns(s, err);
    if (st == RF_OK)
        *series = s;
    else
        rf_series_destroy(s);
    return st;
}

void rf_series_destroy(struct rf_series *series)
{
    if (series == NULL)
        return;
    for (int c = 0; c < series->table.ncolumns; c++)
        free(series->table.columns[c].values);
    free(series->table.columns);
    free(series->table.t_us);
    free(series->group_of);
    free(series);
}

enum rf_status rf_series_attach(struct rf_series *series, const struct rf_books *books,
                                struct rf_error *err)
{
    static const char *const names[RF_SERIES_BOOKS] = {"own", "lent", "reserved", "free",
                                                       "overhead"};
    enum rf_status st = RF_OK;
    int c;

    series->books_column = series->table.ncolumns;
    for (int b = 0; st == RF_OK && b < RF_SERIES_BOOKS; b++)
        st = rf_series_add_column(series, 1, 1, names[b], "", &c, err);
    if (st == RF_OK)
        series->books = books;
    return st;
}

void rf_series_finish(struct rf_series *series, const struct rf_state *state)
{
    struct rf_series_table *table = &series->table;

    if (!series->started)
        return;
    pass_time(series, state->now_us);
    if (state->nqueue > 0 || state->nrunning > 0) {
        table->last_end_us = state->now_us;
        series->capacity_last_us = series->capacity_us;
    }
    if (table->last_end_us >= 0)
        table->span_capacity_us =
            rf_wide_minus(series->capacity_last_us, series->capacity_first_us);
    if (state->now_us == series->begin_us) {
        rf_series_add_last_moment(series, state->now_us);
        return;
    }
    for (int c = 0; c < table->ncolumns; c++)
        series->levels[c].sum -= series->levels[c].now *
                                 ((series->end_us - state->now_us) / table->columns[c].unit_us);
    for (int i = 0; i < series->nlines; i++)
        series->lines[i].base.sum -=
            series->lines[i].base.now * (series->end_us - state->now_us);
    rf_series_close_step(series, state->now_us);
}
