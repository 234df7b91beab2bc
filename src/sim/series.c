/* A level that changes by d at moment t of a step that ends at e adds d (e - t) to what the step
 * would have had without the change. So an event touches the columns that it changes and no
 * other, and a step starts from its levels times its length. */
#include "sim/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/metrics.h"

enum {
    UP,
    DOWN,
    USED,
    SUBMITTED,
    PREEMPTED,
    FIXED, /* columns that are always there, then three for each group, then the rest */
    BOOKS = 5,
    MOST_COLUMNS =
        FIXED + 3 * RF_GROUPS_MAX + BOOKS + 2 * RF_SERIES_PLEDGES + RF_SERIES_REASONS,
    COARSE_US = 1000 /* the unit of time where many jobs wait for many devices */
};

struct level {
    int64_t now, sum; /* sum: over the current step, if nothing changes until its end */
};

struct line { /* a pledge, from its event on */
    int column;
    int32_t account;
    struct rf_share share;
    int32_t secured; /* -1: of the fleet */
    struct level base;
    int64_t past_us; /* base, integrated over the steps that are over */
};

struct owner {
    int32_t account;
    int column;
};

struct rf_series {
    struct rf_series_table table;
    struct level levels[MOST_COLUMNS];
    int64_t step_us, begin_us, end_us; /* of the current step */
    int most, started;
    int32_t *group_of; /* owned, by account of the state; -1: none, -2: not asked yet */
    int32_t ngroup_of;
    struct line lines[RF_SERIES_PLEDGES];
    struct owner owners[RF_SERIES_PLEDGES];
    int nlines, nowners;
    signed char denied_of[256], delay_of[256]; /* by reason of the state; -1: not seen yet */
    int denied_columns[RF_SERIES_REASONS], ndenied;
    const struct rf_books *books; /* borrowed; NULL: none */
    int books_column;
    int64_t booked[BOOKS];
    int64_t seen_us, capacity_us; /* devices that work, integrated up to seen_us */
    int64_t capacity_first_us, capacity_last_us;
    struct { /* the event's job, before the event */
        int32_t devices;
        int waiting;
    } was;
};

static enum rf_status memory_error(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for the time series");
}

/* ---- columns ---- */

static enum rf_status add_column(struct rf_series *s, int mean, int64_t unit_us,
                                 const char *kind, const char *of, int *index,
                                 struct rf_error *err)
{
    struct rf_series_column *column = &s->table.columns[s->table.ncolumns];

    *column = (struct rf_series_column){.mean = mean, .unit_us = unit_us};
    snprintf(column->name, sizeof column->name, "%s%s%.63s", kind, of[0] != '\0' ? ":" : "",
             of);
    column->values = calloc((size_t)s->most + 1, sizeof *column->values);
    if (column->values == NULL)
        return memory_error(err);
    *index = s->table.ncolumns++;
    return RF_OK;
}

static void set_sum(const struct rf_series *s, struct level *level, int64_t value, int64_t t_us,
                    int64_t unit_us)
{
    int64_t left_us = s->end_us - t_us; /* most units are 1, and dividing is slow */

    level->sum += (value - level->now) * (unit_us == 1 ? left_us : left_us / unit_us);
    level->now = value;
}

static void set_level(struct rf_series *s, int column, int64_t value, int64_t t_us)
{
    if (s->levels[column].now != value)
        set_sum(s, &s->levels[column], value, t_us, s->table.columns[column].unit_us);
}

static void add_level(struct rf_series *s, int column, int64_t change, int64_t t_us)
{
    set_level(s, column, s->levels[column].now + change, t_us);
}

static void count(struct rf_series *s, int column)
{
    s->table.columns[column].values[s->table.nsteps]++;
}

static int used_column(int group)
{
    return FIXED + 3 * group;
}

/* ---- steps ---- */

/* Neighbours become one. */
static void merge_steps(struct rf_series *s)
{
    struct rf_series_table *table = &s->table;
    int half = table->nsteps / 2;

    for (int c = 0; c < table->ncolumns; c++) {
        int64_t *values = table->columns[c].values;

        for (int k = 0; k < half; k++)
            values[k] = values[2 * k] + values[2 * k + 1];
        memset(values + half, 0, (size_t)(s->most + 1 - half) * sizeof *values);
    }
    for (int k = 0; k <= half; k++)
        table->t_us[k] = table->t_us[2 * k];
    table->nsteps = half;
    s->step_us *= 2;
}

static void close_lines(struct rf_series *s, int k)
{
    for (int i = 0; i < s->nlines; i++) {
        struct line *line = &s->lines[i];
        int64_t before = rf_share_of(&line->share, line->past_us);

        line->past_us += line->base.sum;
        s->table.columns[line->column].values[k] =
            rf_share_of(&line->share, line->past_us) - before;
    }
}

static void close_books(struct rf_series *s, int64_t t_us, int k)
{
    struct rf_books_totals totals;

    if (s->books == NULL)
        return;
    rf_books_totals(s->books, t_us, &totals);
    const int64_t now[BOOKS] = {totals.own_us, totals.lent_us, totals.idle_reserved_us,
                                totals.idle_free_us, totals.overhead_us};

    for (int b = 0; b < BOOKS; b++) {
        s->table.columns[s->books_column + b].values[k] += now[b] - s->booked[b];
        s->booked[b] = now[b];
    }
}

static void close_step(struct rf_series *s, int64_t t_us)
{
    struct rf_series_table *table = &s->table;
    int k = table->nsteps++;

    for (int c = 0; c < table->ncolumns; c++)
        if (table->columns[c].mean)
            table->columns[c].values[k] = s->levels[c].sum;
    close_lines(s, k);
    close_books(s, t_us, k);
    table->t_us[table->nsteps] = t_us;
    if (table->nsteps == s->most)
        merge_steps(s);
    s->begin_us = t_us;
    s->end_us = t_us + s->step_us;
    for (int c = 0; c < table->ncolumns; c++)
        s->levels[c].sum = s->levels[c].now * (s->step_us / table->columns[c].unit_us);
    for (int i = 0; i < s->nlines; i++)
        s->lines[i].base.sum = s->lines[i].base.now * s->step_us;
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
        add_level(s, used_column(group), devices, state->now_us);
    if (waiting != 0) {
        add_level(s, used_column(group) + 1, (int64_t)waiting * job->max, state->now_us);
        add_level(s, used_column(group) + 2, waiting, state->now_us);
    }
    return RF_OK;
}

static void look_at_fleet(struct rf_series *s, const struct rf_state *state)
{
    int64_t now_us = state->now_us;

    set_level(s, UP, state->nfleet, now_us);
    set_level(s, DOWN, state->ndown, now_us);
    set_level(s, USED, state->nfleet - state->nfree, now_us);
    for (int i = 0; i < s->nowners; i++)
        set_level(s, s->owners[i].column, state->accounts[s->owners[i].account].used, now_us);
    for (int i = 0; i < s->nlines; i++)
        if (s->lines[i].secured < 0 && s->lines[i].base.now != state->nfleet)
            set_sum(s, &s->lines[i].base, state->nfleet, now_us, 1);
}

/* All jobs again: when the state has a past, and after a recovery. */
static enum rf_status look_at_jobs(struct rf_series *s, const struct rf_state *state,
                                   struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int c = used_column(0); c < used_column(s->table.groups.n); c++)
        set_level(s, c, 0, state->now_us);
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
    struct owner *owner = &s->owners[s->nowners];
    enum rf_status st;

    if (owner_column(s, pledge->account) >= 0)
        return RF_OK;
    st = add_column(s, 1, 1, "delivered", pledge->account_name, &owner->column, err);
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
    struct line *line = &s->lines[s->nlines];
    char name[RF_NAME_BYTES + 16];
    int nth = 1;
    enum rf_status st = RF_OK;

    if (s->nlines == RF_SERIES_PLEDGES)
        return RF_OK;
    for (int i = 0; i < s->nlines; i++)
        nth += s->lines[i].account == pledge->account;
    snprintf(name, sizeof name, nth > 1 ? "%s#%d" : "%s", pledge->account_name, nth);
    *line = (struct line){.account = pledge->account, .share = pledge->share, .secured = -1};
    if (strcmp(pledge->basis, "secured") == 0)
        line->secured = pledge->secured;
    st = add_owner(s, pledge, err);
    if (st == RF_OK)
        st = add_column(s, 1, 1, "promised", name, &line->column, err);
    if (st != RF_OK)
        return st;
    set_sum(s, &line->base, line->secured >= 0 ? line->secured : state->nfleet, state->now_us,
            1);
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

static void pass_time(struct rf_series *s, const struct rf_state *state, int64_t t_us)
{
    while (t_us >= s->end_us)
        close_step(s, s->end_us);
    s->capacity_us += state->nfleet * (t_us - s->seen_us);
    s->seen_us = t_us;
}

static enum rf_status before(void *self, const struct rf_state *state,
                             const struct rf_event *event, struct rf_error *err)
{
    struct rf_series *s = self;
    int known = event->job >= 0 && event->job < state->njobs;
    enum rf_status st = RF_OK;

    if (!s->started) {
        start(s, event->t_us > state->now_us ? event->t_us : state->now_us);
        if (state->opened) {
            look_at_fleet(s, state);
            st = look_at_jobs(s, state, err);
        }
        if (st == RF_OK && state->opened)
            st = look_at_pledges(s, state, NULL, err);
    }
    pass_time(s, state, event->t_us);
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

        st = add_column(s, 0, 1, "denied", last ? "other" : state->reasons[reason],
                        &s->denied_columns[s->ndenied], err);
        if (st != RF_OK)
            return st;
        s->denied_of[reason] = (signed char)s->ndenied++;
    }
    count(s, s->denied_columns[s->denied_of[reason] < 0 ? RF_SERIES_REASONS - 1
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
        count(s, SUBMITTED);
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

    if (event->type == RF_EVENT_PLEDGE)
        st = look_at_pledges(s, state, event->account, err);
    look_at_fleet(s, state);
    if (event->type == RF_EVENT_RECOVER)
        return st == RF_OK ? look_at_jobs(s, state, err) : st;
    if (st == RF_OK && event->job >= 0) {
        const struct rf_job *job = &state->jobs[event->job];

        st = move_job(s, state, event->job, job->ndevices - s->was.devices,
                      (job->state == RF_JOB_QUEUED) - s->was.waiting, err);
    }
    note_ends(s, event);
    if (event->type == RF_EVENT_PREEMPT)
        count(s, PREEMPTED);
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
        return (options->step_us + COARSE_US - 1) / COARSE_US * COARSE_US;
    if (horizon_us <= 0)
        horizon_us = w->n > 0 ? w->submit_us[w->n - 1] : 0;
    return horizon_us / 500 > 60000000 ? whole_seconds(horizon_us / 500) : 60000000;
}

static enum rf_status add_columns(struct rf_series *s, struct rf_error *err)
{
    static const struct {
        const char *name;
        int mean;
    } fixed[FIXED] = {{"up", 1}, {"down", 1}, {"used", 1}, {"submitted", 0}, {"preempted", 0}};
    enum rf_status st = RF_OK;
    int c;

    for (int i = 0; st == RF_OK && i < FIXED; i++)
        st = add_column(s, fixed[i].mean, 1, fixed[i].name, "", &c, err);
    for (int g = 0; st == RF_OK && g < s->table.groups.n; g++) {
        const char *group = s->table.groups.names[g];

        st = add_column(s, 1, 1, "used", group, &c, err);
        if (st == RF_OK)
            st = add_column(s, 1, COARSE_US, "queued", group, &c, err);
        if (st == RF_OK)
            st = add_column(s, 1, COARSE_US, "waiting", group, &c, err);
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
    s->table.columns = calloc(MOST_COLUMNS, sizeof *s->table.columns);
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
    static const char *const names[BOOKS] = {"own", "lent", "reserved", "free", "overhead"};
    enum rf_status st = RF_OK;
    int c;

    series->books_column = series->table.ncolumns;
    for (int b = 0; st == RF_OK && b < BOOKS; b++)
        st = add_column(series, 1, 1, names[b], "", &c, err);
    if (st == RF_OK)
        series->books = books;
    return st;
}

/* What was counted, and booked, at the very end belongs to the step that ends there. */
static void add_last_moment(struct rf_series *s, int64_t t_us)
{
    int k = s->table.nsteps;

    if (k == 0)
        return;
    for (int c = 0; c < s->table.ncolumns; c++)
        s->table.columns[c].values[k - 1] += s->table.columns[c].values[k];
    close_books(s, t_us, k - 1);
}

void rf_series_finish(struct rf_series *series, const struct rf_state *state)
{
    struct rf_series_table *table = &series->table;

    if (!series->started)
        return;
    pass_time(series, state, state->now_us);
    if (state->nqueue > 0 || state->nrunning > 0) {
        table->last_end_us = state->now_us;
        series->capacity_last_us = series->capacity_us;
    }
    if (table->last_end_us >= 0)
        table->span_capacity_us = series->capacity_last_us - series->capacity_first_us;
    if (state->now_us == series->begin_us) {
        add_last_moment(series, state->now_us);
        return;
    }
    for (int c = 0; c < table->ncolumns; c++)
        series->levels[c].sum -= series->levels[c].now *
                                 ((series->end_us - state->now_us) / table->columns[c].unit_us);
    for (int i = 0; i < series->nlines; i++)
        series->lines[i].base.sum -=
            series->lines[i].base.now * (series->end_us - state->now_us);
    close_step(series, state->now_us);
}

const struct rf_series_table *rf_series_table(const struct rf_series *series)
{
    return &series->table;
}

const struct rf_series_column *rf_series_find(const struct rf_series_table *table,
                                              const char *name)
{
    for (int c = 0; c < table->ncolumns; c++)
        if (strcmp(table->columns[c].name, name) == 0)
            return &table->columns[c];
    return NULL;
}

double rf_series_value(const struct rf_series_table *table,
                       const struct rf_series_column *column, int step)
{
    double length_us = (double)(table->t_us[step + 1] - table->t_us[step]);

    return column->mean ? (double)column->values[step] * (double)column->unit_us / length_us
                        : (double)column->values[step];
}
