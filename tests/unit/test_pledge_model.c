/* The tally against a model that looks at every microsecond and every job. */
#include "random_cluster.h"

#include "alloc/pledge.h"

enum { TICKS = 8000, JOBS = 3000, PROMISES = 8, WINDOWS = TICKS / 7 + 2 };

struct model_window {
    int64_t capacity, down, wanted, held, backlog, refused, delivered;
    int unproven;
};

struct model {
    int64_t start_us, now_us;
    int npledges;
    struct rf_pledge pledges[PROMISES];
    struct model_window windows[PROMISES][WINDOWS];
    int64_t unmet[PROMISES][JOBS];
    int16_t held[JOBS][TICKS]; /* devices per job and microsecond, read or not */
};

static int asks(const struct rf_state *s, const struct rf_job *job, int32_t account)
{
    return rf_state_within(s, job->account, account) &&
           (job->lease >= 0 || rf_state_ready(s, job));
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A job has no use for more than its limit on as many devices as it can use. */
static int64_t use_of(const struct rf_job *job, int64_t unmet)
{
    return job->limit_us > 0 ? least(unmet, job->limit_us * job->max) : unmet;
}

/* One microsecond passes for one pledge. */
static void model_tick(struct model *m, const struct rf_state *s, int i)
{
    const struct rf_pledge *p = &m->pledges[i];
    int64_t k = (m->now_us - m->start_us) / p->window_us, wanted = 0;
    struct model_window *w = &m->windows[i][k];

    w->capacity += strcmp(p->basis, "secured") == 0 ? p->secured : s->nfleet;
    w->down += s->ndown;
    for (int32_t j = 0; j < s->njobs; j++) {
        const struct rf_job *job = &s->jobs[j];

        if (!asks(s, job, p->account))
            continue;
        wanted += job->max;
        w->held += job->ndevices;
        m->unmet[i][j] += least(job->max, s->nfleet) - job->ndevices;
    }
    w->wanted += least(wanted, s->nfleet);
    w->backlog = 0;
    for (int32_t j = 0; j < s->njobs; j++)
        w->backlog += s->jobs[j].end_us < 0 ? use_of(&s->jobs[j], m->unmet[i][j]) : 0;
    if ((m->now_us + 1 - m->start_us) % p->window_us == 0)
        memset(m->unmet[i], 0, sizeof m->unmet[i]);
}

static void model_read(struct model *m, const struct rf_state *s, const struct rf_event *e)
{
    const struct rf_job *job = &s->jobs[e->job];

    for (int64_t t = job->lease < 0 ? e->t_us : job->charged_us; t < e->t_us; t++)
        for (int i = 0; i < m->npledges; i++)
            if (t >= m->pledges[i].since_us &&
                rf_state_within(s, job->account, m->pledges[i].account))
                m->windows[i][(t - m->start_us) / m->pledges[i].window_us].delivered +=
                    m->held[e->job][t - m->start_us];
}

static void model_recover(struct model *m, const struct rf_state *s, int64_t from_us,
                          int64_t t_us)
{
    for (int32_t j = s->running_first; j >= 0; j = s->jobs[j].next)
        from_us = least(from_us, s->jobs[j].charged_us);
    for (int64_t t = from_us; t < t_us; t++)
        for (int i = 0; i < m->npledges; i++)
            m->windows[i][(t - m->start_us) / m->pledges[i].window_us].unproven = 1;
}

static enum rf_status model_before(void *self, const struct rf_state *s,
                                   const struct rf_event *e, struct rf_error *err)
{
    struct model *m = self;
    int64_t last_us = m->now_us;

    if (rf_state_check(s, e, err) != RF_OK)
        return RF_OK;
    for (; s->opened && m->now_us < e->t_us; m->now_us++) {
        assert_true(m->now_us - m->start_us < TICKS);
        for (int32_t j = s->running_first; j >= 0; j = s->jobs[j].next)
            m->held[j][m->now_us - m->start_us] = (int16_t)s->jobs[j].ndevices;
        for (int i = 0; i < m->npledges; i++)
            if (!s->closed)
                model_tick(m, s, i);
            else if ((m->now_us + 1 - m->start_us) % m->pledges[i].window_us == 0)
                memset(m->unmet[i], 0, sizeof m->unmet[i]);
    }
    if (e->type == RF_EVENT_CHARGE || e->type == RF_EVENT_SHRINK || e->type == RF_EVENT_GROW ||
        e->type == RF_EVENT_RELEASE || e->type == RF_EVENT_END)
        model_read(m, s, e);
    if (e->type == RF_EVENT_RECOVER && !s->closed)
        model_recover(m, s, last_us, e->t_us);
    return RF_OK;
}

static enum rf_status model_after(void *self, const struct rf_state *s,
                                  const struct rf_event *e, struct rf_error *err)
{
    struct model *m = self;

    (void)err;
    if (e->type == RF_EVENT_OPEN)
        m->start_us = m->now_us = e->t_us;
    for (int32_t i = 0; e->type == RF_EVENT_PLEDGE && i < s->npledges; i++)
        if (strcmp(s->pledges[i].account_name, e->account) == 0)
            m->pledges[m->npledges++] = s->pledges[i];
    for (int i = 0; i < m->npledges; i++) {
        int64_t k = (e->t_us - 1 - m->start_us) / m->pledges[i].window_us;
        int64_t unmet = e->job >= 0 ? m->unmet[i][e->job] : 0;

        int leaves = e->type == RF_EVENT_RELABEL &&
                     !rf_state_within(s, s->jobs[e->job].account, m->pledges[i].account);

        if (e->job < 0 || (s->jobs[e->job].end_us < 0 && !leaves) || unmet == 0)
            continue;
        if (s->jobs[e->job].state != RF_JOB_DONE)
            m->windows[i][k].refused += use_of(&s->jobs[e->job], unmet);
        m->unmet[i][e->job] = 0;
        if ((e->t_us - m->start_us) % m->pledges[i].window_us != 0)
            m->windows[i][k].backlog -= use_of(&s->jobs[e->job], unmet);
    }
    return RF_OK;
}

static void compare(struct rf_tally *tally, const struct model *m, const struct rf_state *s)
{
    rf_tally_judge(tally, s);
    assert_int_equal(tally->npledges, m->npledges);
    for (int i = 0; i < m->npledges; i++) {
        const struct rf_pledge_account *p = &tally->pledges[i];
        int64_t received_us = 0;

        assert_int_equal(p->nwindows, (m->now_us - m->start_us + p->pledge.window_us - 1) /
                                          p->pledge.window_us);
        for (int k = 0; k < p->nwindows; k++) {
            const struct rf_window *a = &p->windows[k];
            const struct model_window *b = &m->windows[i][k];

            assert_int_equal(a->begin_us, m->start_us + k * p->pledge.window_us);
            assert_int_equal(a->capacity_us, b->capacity);
            assert_int_equal(a->down_us, b->down);
            assert_int_equal(a->wanted_us, b->wanted);
            assert_int_equal(a->held_us, b->held);
            assert_int_equal(a->refused_us, b->refused);
            assert_int_equal(a->backlog_us, b->backlog);
            assert_int_equal(a->delivered_us, b->delivered);
            assert_int_equal(a->unproven, b->unproven);
            received_us = a->end_us < a->begin_us + p->pledge.window_us
                              ? a->delivered_us + a->unread_us
                              : 0;
        }
        for (int32_t q = 0; q < s->npledges; q++)
            if (s->pledges[q].account == p->pledge.account &&
                tally->groups[p->group].newest == i)
                assert_int_equal(rf_tally_received_us(tally, s, &s->pledges[q]), received_us);
    }
}

static void the_tally_equals_a_slow_model(void **unused)
{
    int64_t broken = 0, kept = 0, unprovable = 0, applied = 0;

    (void)unused;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct random_cluster c;
        struct rf_tally *tally;
        struct model *m = calloc(1, sizeof *m);

        assert_non_null(m);
        random_start(&c, seed);
        assert_int_equal(rf_tally_create(&tally, NULL), RF_OK);
        c.crashes = seed % 3 == 0;
        c.pause_us = 1 + (int64_t)seed % 9;
        c.observers[c.nobservers++] = (struct rf_observer){m, model_before, model_after};
        c.observers[c.nobservers++] = rf_tally_observer(tally);
        random_open(&c, 3 + (int32_t)seed % 20);
        for (int step = 0; step < 1000; step++) {
            random_step(&c);
            if (step % 10 == 0)
                compare(tally, m, c.state);
        }
        compare(tally, m, c.state);
        for (int i = 0; i < tally->npledges; i++)
            for (int k = 0; k < tally->pledges[i].nwindows; k++) {
                broken += tally->pledges[i].windows[k].verdict == RF_BROKEN;
                kept += tally->pledges[i].windows[k].verdict == RF_KEPT;
                unprovable += tally->pledges[i].windows[k].verdict == RF_UNPROVABLE;
            }
        applied += c.applied;
        rf_tally_destroy(tally);
        random_end(&c);
        free(m);
    }
    assert_true(broken > 100 && kept > 100 && unprovable > 10); /* the cases occur */
    assert_true(applied > 15000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_tally_equals_a_slow_model)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
