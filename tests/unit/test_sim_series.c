/* The time series of random events, against a model that looks at every tick. */
#include "random_cluster.h"

#include "sim/series.h"

enum { TICK_US = 1000, MOST_TICKS = 40000, NACCOUNTS = 6 };

/* What the state said in each tick. */
struct model {
    int64_t t_us, n;
    int32_t up[MOST_TICKS], down[MOST_TICKS], used[MOST_TICKS];
    int32_t held[MOST_TICKS][NACCOUNTS], queued[MOST_TICKS][NACCOUNTS],
        waiting[MOST_TICKS][NACCOUNTS];
    int32_t delivered[MOST_TICKS]; /* account "a" and below */
    int64_t base[MOST_TICKS];      /* of the first pledge of "a"; -1: not made yet */
    int64_t secured;               /* its basis; -1: the fleet; -2: no pledge yet */
    struct rf_share share;
    int64_t denied, preempted, submitted;
};

static int account_of(const char *name)
{
    for (int a = 0; a < NACCOUNTS; a++)
        if (strcmp(RANDOM_ACCOUNTS[a], name) == 0)
            return a;
    return -1;
}

static void look(struct model *m, const struct rf_state *state, int64_t tick)
{
    m->up[tick] = state->nfleet;
    m->down[tick] = state->ndown;
    m->base[tick] = m->secured == -2 ? -1 : m->secured >= 0 ? m->secured : state->nfleet;
    for (int32_t j = 0; j < state->njobs; j++) {
        const struct rf_job *job = &state->jobs[j];
        int a = account_of(state->accounts[job->account].name);

        assert_true(a >= 0);
        m->used[tick] += job->ndevices;
        m->held[tick][a] += job->ndevices;
        if (strcmp(RANDOM_ACCOUNTS[a], "a") == 0 || strncmp(RANDOM_ACCOUNTS[a], "a.", 2) == 0)
            m->delivered[tick] += job->ndevices;
        if (job->state == RF_JOB_QUEUED) {
            m->queued[tick][a] += job->max;
            m->waiting[tick][a]++;
        }
    }
}

static enum rf_status model_before(void *self, const struct rf_state *state,
                                   const struct rf_event *event, struct rf_error *err)
{
    struct model *m = self;

    (void)err;
    if (m->t_us < 0)
        m->t_us = event->t_us;
    for (; m->t_us < event->t_us; m->t_us += TICK_US) {
        assert_true(m->n < MOST_TICKS);
        look(m, state, m->n++);
    }
    return RF_OK;
}

static enum rf_status model_after(void *self, const struct rf_state *state,
                                  const struct rf_event *event, struct rf_error *err)
{
    struct model *m = self;

    (void)err;
    m->denied += event->type == RF_EVENT_DENY;
    m->preempted += event->type == RF_EVENT_PREEMPT;
    m->submitted += event->type == RF_EVENT_REQUEST;
    if (event->type == RF_EVENT_PLEDGE && strcmp(event->account, "a") == 0 &&
        m->secured == -2) {
        m->secured = strcmp(event->basis, "secured") == 0 ? state->nfleet + state->ndown : -1;
        m->share = event->share;
    }
    return RF_OK;
}

static struct rf_workload workload_of(const char *const *accounts, int naccounts)
{
    struct rf_workload w;

    assert_int_equal(rf_workload_create(&w, naccounts, NULL), RF_OK);
    for (int a = 0; a < naccounts; a++) {
        w.submit_us[a] = 0;
        w.run_us[a] = w.limit_us[a] = 1000000 * (a + 1);
        w.min[a] = 1;
        assert_int_equal(rf_workload_account(&w, accounts[a], &w.account[a], NULL), RF_OK);
    }
    return w;
}

static int64_t value(const struct rf_series_table *table, const char *name, int step)
{
    const struct rf_series_column *column = rf_series_find(table, name);

    return column != NULL ? column->values[step] : 0;
}

static int64_t total(const struct rf_series_table *table, const char *name)
{
    int64_t sum = 0;

    for (int k = 0; k < table->nsteps; k++)
        sum += value(table, name, k);
    return sum;
}

/* One step of the table against the ticks that lie in it. */
static void compare_step(const struct rf_series_table *table, const struct model *m, int step,
                         int64_t *base)
{
    int64_t begin = (table->t_us[step] - table->t_us[0]) / TICK_US;
    int64_t end = (table->t_us[step + 1] - table->t_us[0]) / TICK_US;
    int64_t up = 0, down = 0, used = 0, delivered = 0, before = *base;
    int64_t held[NACCOUNTS] = {0}, queued[NACCOUNTS] = {0}, waiting[NACCOUNTS] = {0};
    char name[96];

    for (int64_t k = begin; k < end; k++) {
        up += m->up[k];
        down += m->down[k];
        used += m->used[k];
        delivered += m->secured == -2 || m->base[k] < 0 ? 0 : m->delivered[k];
        *base += m->base[k] > 0 ? m->base[k] * TICK_US : 0;
        for (int a = 0; a < NACCOUNTS; a++) {
            held[a] += m->held[k][a];
            queued[a] += m->queued[k][a];
            waiting[a] += m->waiting[k][a];
        }
    }
    assert_true(value(table, "up", step) == up * TICK_US);
    assert_true(value(table, "down", step) == down * TICK_US);
    assert_true(value(table, "used", step) == used * TICK_US);
    assert_true(value(table, "delivered:a", step) == delivered * TICK_US);
    assert_true(value(table, "promised:a", step) ==
                rf_share_of(&m->share, *base) - rf_share_of(&m->share, before));
    for (int a = 0; a < NACCOUNTS; a++) {
        snprintf(name, sizeof name, "used:%s", RANDOM_ACCOUNTS[a]);
        assert_true(value(table, name, step) == held[a] * TICK_US);
        snprintf(name, sizeof name, "queued:%s", RANDOM_ACCOUNTS[a]);
        assert_true(value(table, name, step) == queued[a]); /* in units of a tick */
        snprintf(name, sizeof name, "waiting:%s", RANDOM_ACCOUNTS[a]);
        assert_true(value(table, name, step) == waiting[a]);
    }
}

static void play(struct random_cluster *c, int events)
{
    struct rf_event last;

    random_open(c, 8);
    for (int i = 0; i < events; i++) {
        c->t_us += TICK_US * (random_below(c, 3) == 0 ? random_below(c, 12) : 0);
        if (random_below(c, 100) == 0) {
            struct rf_event e = random_event(c, RF_EVENT_RECOVER, -1);

            assert_true(random_emit(c, &e));
        }
        random_step(c);
    }
    last = random_event(c, RF_EVENT_HEARTBEAT, -1); /* the one before may have been refused */
    assert_true(random_emit(c, &last));
}

static void steps_hold_what_a_model_sees_in_each_tick(void **unused)
{
    struct model *m = malloc(sizeof *m);
    struct rf_workload w = workload_of(RANDOM_ACCOUNTS, NACCOUNTS);

    (void)unused;
    assert_non_null(m);
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct rf_series_options options = {.step_us = 7 * TICK_US,
                                            .most = seed % 2 == 0 ? 16 : 4000};
        const struct rf_series_table *table;
        struct random_cluster c;
        struct rf_series *series;
        int64_t base = 0;

        *m = (struct model){.t_us = -1, .secured = -2, .share = {0, 1}};
        random_start(&c, seed);
        c.crashes = 0;
        c.pause_us = 0;
        c.t_us = 5000;
        assert_int_equal(rf_series_create(&series, &w, &options, NULL), RF_OK);
        c.observers[0] = rf_series_observer(series);
        c.observers[1] = (struct rf_observer){m, model_before, model_after};
        c.nobservers = 2;
        play(&c, 3000);
        rf_series_finish(series, c.state);
        table = rf_series_table(series);
        assert_true(table->nsteps > 8 && table->nsteps <= options.most);
        assert_true(table->t_us[table->nsteps] == c.state->now_us);
        for (int k = 0; k < table->nsteps; k++)
            compare_step(table, m, k, &base);
        assert_true(total(table, "submitted") == m->submitted);
        assert_true(total(table, "preempted") == m->preempted);
        assert_true(total(table, "denied:because") == m->denied && m->denied > 0);
        rf_series_destroy(series);
        random_end(&c);
    }
    rf_workload_clear(&w);
    free(m);
}

/* ---- groups ---- */

static void few_accounts_are_groups_and_many_go_by_where_they_part(void **unused)
{
    static const char *const below[] = {"vc.a", "vc.b", "vc",   "vc.c", "vc.d.x", "vc.d.y",
                                        "vc.e", "vc.f", "vc.g", "vc.h", "vc.i"};
    static const char *const many[] = {"a.1", "a.2", "b", "c.x", "c.y", "d", "e",
                                       "f",   "g",   "h", "i",   "j",   "ab"};
    struct rf_workload w = workload_of(RANDOM_ACCOUNTS, NACCOUNTS);
    struct rf_groups groups;

    (void)unused;
    assert_int_equal(rf_groups_choose(&groups, &w, NULL), RF_OK);
    assert_int_equal(groups.n, NACCOUNTS);
    assert_string_equal(groups.names[0], "ab"); /* the most to do */
    assert_int_equal(rf_groups_find(&groups, "a.x"), 4);
    assert_int_equal(rf_groups_find(&groups, "unknown"), -1);
    rf_workload_clear(&w);

    w = workload_of(many, 13);
    assert_int_equal(rf_groups_choose(&groups, &w, NULL), RF_OK);
    assert_int_equal(groups.n, RF_GROUPS_MAX);
    assert_string_equal(groups.names[0], "ab");
    assert_string_equal(groups.names[RF_GROUPS_MAX - 1], "other");
    assert_string_equal(groups.names[rf_groups_find(&groups, "c.y")], "c"); /* 4 + 5 s */
    assert_string_equal(groups.names[rf_groups_find(&groups, "a.2")], "other");
    assert_string_equal(groups.names[rf_groups_find(&groups, "ab")], "ab");
    rf_workload_clear(&w);

    w = workload_of(below, 11); /* all below one root, which is no picture */
    assert_int_equal(rf_groups_choose(&groups, &w, NULL), RF_OK);
    assert_int_equal(groups.n, RF_GROUPS_MAX);
    assert_string_equal(groups.names[0], "vc.d"); /* 5 + 6 s; vc.i has 11 too */
    assert_string_equal(groups.names[1], "vc.i");
    assert_string_equal(groups.names[rf_groups_find(&groups, "vc.d.y")], "vc.d");
    assert_string_equal(groups.names[rf_groups_find(&groups, "vc.a")], "other");
    assert_string_equal(groups.names[rf_groups_find(&groups, "vc")], "other");
    rf_workload_clear(&w);
}

static void the_step_follows_from_the_length_of_the_run(void **unused)
{
    struct rf_workload w = workload_of(RANDOM_ACCOUNTS, NACCOUNTS);
    struct rf_series_options options = rf_series_options_make();
    struct rf_series *series;
    struct random_cluster c;

    (void)unused;
    options.horizon_us = INT64_C(500) * 86400 * 1000000;
    assert_int_equal(rf_series_create(&series, &w, &options, NULL), RF_OK);
    random_start(&c, 3);
    c.observers[0] = rf_series_observer(series);
    c.nobservers = 1;
    random_open(&c, 4);
    c.t_us += INT64_C(3) * 86400 * 1000000;
    random_request(&c);
    rf_series_finish(series, c.state);
    assert_int_equal(rf_series_table(series)->nsteps, 3);
    assert_true(value(rf_series_table(series), "submitted", 2) == 1); /* at the very end */
    assert_true(rf_series_value(rf_series_table(series),
                                rf_series_find(rf_series_table(series), "up"), 1) == 4.0);
    rf_series_destroy(series);
    random_end(&c);
    rf_workload_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_hold_what_a_model_sees_in_each_tick),
        cmocka_unit_test(few_accounts_are_groups_and_many_go_by_where_they_part),
        cmocka_unit_test(the_step_follows_from_the_length_of_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
