/* The definitions against a model that looks at every microsecond. */
#include "random_cluster.h"

#include "alloc/definition.h"

enum { TICKS = 6000, JOBS = 2000, HEADS = 2 };

/* An account, as first pledged (promise 0) and as changed (1); sums up to each microsecond. */
struct head {
    int32_t account;
    int64_t since_us, window_us;
    int npromises;
    struct rf_pledge terms[2];
    int64_t carry_num[2]; /* share.num x device-time since the terms were made */
    int64_t base_us[2];   /* promised by earlier terms */
    int64_t stock_num[2], stock_base_us[2], plus_num[2], plus_base_us[2];
    int32_t peak;
    int64_t promised[2][TICKS + 1], stock[2][TICKS + 1], plus[2][TICKS + 1];
    int64_t held[TICKS + 1], wanted[TICKS + 1], offered[TICKS + 1];
    uint8_t is_short[2][TICKS + 1], passes[TICKS + 1];
};

struct model {
    int64_t start_us, now_us;
    int nheads;
    struct head heads[HEADS];
    int16_t missing[JOBS][TICKS];
    int64_t left_us[JOBS]; /* when it was over; -1: not */
    uint8_t undone[JOBS];
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int asks(const struct rf_state *s, const struct rf_job *job, int32_t account)
{
    return rf_state_within(s, job->account, account) &&
           (job->lease >= 0 || rf_state_ready(s, job));
}

static int64_t promised_now(const struct head *h, int i)
{
    return h->base_us[i] + h->carry_num[i] / h->terms[i].share.den;
}

static void tick_promise(struct head *h, int i, const struct rf_state *s, int64_t k,
                         int64_t held, int64_t wanted)
{
    const struct rf_pledge *p = &h->terms[i];
    int64_t base = strcmp(p->basis, "secured") == 0 ? p->secured : s->nfleet;

    h->is_short[i][k] = held < wanted && held * p->share.den < p->share.num * base;
    h->carry_num[i] += p->share.num * base;
    h->stock_num[i] += p->share.num * p->secured;
    h->plus_num[i] += p->share.num * h->peak;
}

static void tick(struct model *m, struct head *h, const struct rf_state *s)
{
    int64_t k = m->now_us - m->start_us, held = 0, wanted = 0, unmet = 0, lent = 0;

    h->peak = (int32_t)most(h->peak, s->nfleet + s->ndown);
    h->passes[k] = !s->closed && m->now_us >= h->since_us;
    for (int32_t j = 0; h->passes[k] && j < s->njobs; j++) {
        const struct rf_job *job = &s->jobs[j];
        int64_t missing = least(job->max, s->nfleet) - job->ndevices;

        lent +=
            job->lease >= 0 && !rf_state_within(s, job->account, h->account) ? job->lent : 0;
        if (!asks(s, job, h->account))
            continue;
        held += job->ndevices;
        wanted += job->max;
        unmet += missing;
        m->missing[j][k] = (int16_t)missing;
    }
    wanted = least(wanted, s->nfleet);
    for (int i = 0; i < h->npromises; i++) {
        if (h->passes[k])
            tick_promise(h, i, s, k, held, wanted);
        h->promised[i][k + 1] = promised_now(h, i);
        h->stock[i][k + 1] = h->stock_base_us[i] + h->stock_num[i] / h->terms[i].share.den;
        h->plus[i][k + 1] = h->plus_base_us[i] + h->plus_num[i] / h->terms[i].share.den;
    }
    h->held[k + 1] = h->held[k] + held;
    h->wanted[k + 1] = h->wanted[k] + wanted;
    h->offered[k + 1] =
        h->offered[k] + (h->passes[k] ? held + most(0, s->nfree + lent - unmet) : 0);
}

static enum rf_status model_before(void *self, const struct rf_state *s,
                                   const struct rf_event *e, struct rf_error *err)
{
    struct model *m = self;

    if (rf_state_check(s, e, err) != RF_OK)
        return RF_OK;
    for (; s->opened && m->now_us < e->t_us; m->now_us++) {
        assert_true(m->now_us - m->start_us < TICKS);
        for (int i = 0; i < m->nheads; i++)
            tick(m, &m->heads[i], s);
    }
    return RF_OK;
}

static void model_pledge(struct model *m, const struct rf_state *s, const struct rf_pledge *p)
{
    struct head *h = m->heads;

    while (h < m->heads + m->nheads && h->account != p->account)
        h++;
    if (h == m->heads + m->nheads) {
        m->nheads++;
        h->account = p->account;
        h->since_us = p->since_us;
        h->window_us = p->window_us;
        h->npromises = 1;
        h->terms[0] = *p;
        h->peak = s->nfleet + s->ndown;
        return;
    }
    if (h->npromises == 1) {
        int64_t n = m->now_us - m->start_us + 1;

        h->npromises = 2;
        h->terms[1] = h->terms[0];
        h->carry_num[1] = h->carry_num[0];
        h->stock_num[1] = h->stock_num[0];
        h->plus_num[1] = h->plus_num[0];
        memcpy(h->promised[1], h->promised[0], (size_t)n * sizeof h->promised[1][0]);
        memcpy(h->stock[1], h->stock[0], (size_t)n * sizeof h->stock[1][0]);
        memcpy(h->plus[1], h->plus[0], (size_t)n * sizeof h->plus[1][0]);
        memcpy(h->is_short[1], h->is_short[0], (size_t)n);
    }
    h->base_us[1] = promised_now(h, 1);
    h->stock_base_us[1] += h->stock_num[1] / h->terms[1].share.den;
    h->plus_base_us[1] += h->plus_num[1] / h->terms[1].share.den;
    h->carry_num[1] = h->stock_num[1] = h->plus_num[1] = 0;
    h->terms[1] = *p;
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
            model_pledge(m, s, &s->pledges[i]);
    for (int i = 0; e->type == RF_EVENT_CAPACITY && i < m->nheads; i++) /* for a moment even */
        m->heads[i].peak = (int32_t)most(m->heads[i].peak, s->nfleet + s->ndown);
    if (e->type == RF_EVENT_REQUEST)
        m->left_us[e->job] = -1;
    if (e->job >= 0 && s->jobs[e->job].end_us >= 0) {
        m->left_us[e->job] = e->t_us;
        m->undone[e->job] = s->jobs[e->job].state != RF_JOB_DONE;
    }
    return RF_OK;
}

/* What is told of one stretch. */
struct told {
    int64_t promised, delivered, wanted, unmet, offered;
};

static struct told tell(const struct model *m, const struct rf_state *s, const struct head *h,
                        int i, int64_t begin_us, int64_t end_us)
{
    int64_t b = begin_us - m->start_us, e = end_us - m->start_us;
    struct told t = {h->promised[i][e] - h->promised[i][b], h->held[e] - h->held[b],
                     h->wanted[e] - h->wanted[b], 0, h->offered[e] - h->offered[b]};

    for (int32_t j = 0; j < s->njobs; j++) {
        /* At the end of the run a job that left at that moment is gone already. */
        int gone = m->left_us[j] >= 0 &&
                   (m->left_us[j] < end_us || (m->left_us[j] == end_us && end_us == m->now_us));
        int there = rf_state_within(s, s->jobs[j].account, h->account) &&
                    (!gone || (m->undone[j] && m->left_us[j] > begin_us));
        int64_t unmet = 0;

        for (int64_t k = b; there && k < e; k++)
            unmet += m->missing[j][k];
        t.unmet += s->jobs[j].limit_us > 0 ? least(unmet, s->jobs[j].limit_us * s->jobs[j].max)
                                           : unmet;
    }
    return t;
}

struct counts {
    int64_t judged, kept, not_asked, broken, promised, asked, delivered;
};

static int64_t tolerance(const struct head *h, int i, int64_t promised, int64_t length_us)
{
    return h->terms[i].tolerance_us * ((promised + length_us - 1) / length_us);
}

static void count_floor(struct counts *c, const struct head *h, int i, const struct told *t,
                        int64_t length_us)
{
    int64_t asked = least(t->wanted, t->delivered + t->unmet);
    int64_t tol = tolerance(h, i, t->promised, length_us);

    c->judged++;
    c->promised += t->promised;
    c->asked += asked;
    c->delivered += t->delivered;
    if (t->delivered >= t->promised - tol)
        c->kept++;
    else if (t->delivered >= least(t->promised, asked) - tol)
        c->not_asked++;
    else
        c->broken++;
}

/* simple: every job waits in one piece, so that D is exact; else it may be too large. */
static void compare_floor(const struct rf_finding *f, const struct counts *c, int simple)
{
    assert_int_equal(f->judged, c->judged);
    assert_int_equal(f->kept, c->kept);
    assert_int_equal(rf_wide_narrow(f->promised_us), c->promised);
    assert_int_equal(rf_wide_narrow(f->delivered_us), c->delivered);
    assert_int_equal(f->unprovable, 0);
    if (simple) {
        assert_int_equal(rf_wide_narrow(f->asked_us), c->asked);
        assert_int_equal(f->not_asked, c->not_asked);
        assert_int_equal(f->broken, c->broken);
    } else {
        assert_true(rf_wide_narrow(f->asked_us) >= c->asked);
        assert_true(f->broken >= c->broken);
    }
    assert_true((f->broken > 0) == (f->verdict == RF_FINDING_BROKEN));
    assert_true((f->broken > 0) == (f->first.begin_us >= 0));
    assert_true((f->broken > 0) == (f->worst.begin_us >= 0));
}

static void check_windows(const struct model *m, const struct rf_state *s, const struct head *h,
                          int i, const struct rf_promise *p, int simple)
{
    struct counts flow = {0}, cap = {0}, offer = {0};
    int64_t first_us = -1;

    for (int64_t b = m->start_us; b < m->now_us; b += h->window_us) {
        int64_t begin_us = most(b, h->since_us), end_us = least(b + h->window_us, m->now_us);
        struct told t;

        if (end_us <= begin_us)
            continue;
        t = tell(m, s, h, i, begin_us, end_us);
        count_floor(&flow, h, i, &t, end_us - begin_us);
        cap.kept += t.delivered <= t.promised + tolerance(h, i, t.promised, end_us - begin_us);
        if (t.delivered > t.promised + tolerance(h, i, t.promised, end_us - begin_us) &&
            first_us < 0)
            first_us = begin_us;
        offer.kept += t.offered >= t.promised - tolerance(h, i, t.promised, end_us - begin_us);
        offer.delivered += t.offered;
    }
    compare_floor(&p->findings[RF_DEFINITION_FLOW_PLEDGE], &flow, simple);
    assert_int_equal(p->findings[RF_DEFINITION_CAP].kept, cap.kept);
    assert_int_equal(p->findings[RF_DEFINITION_CAP].first.begin_us, first_us);
    assert_int_equal(p->findings[RF_DEFINITION_OFFER].kept, offer.kept);
    assert_int_equal(rf_wide_narrow(p->findings[RF_DEFINITION_OFFER].delivered_us),
                     offer.delivered);
    assert_int_equal(p->findings[RF_DEFINITION_OFFER].judged, flow.judged);
}

static void check_sliding(const struct model *m, const struct rf_state *s, const struct head *h,
                          int i, const struct rf_promise *p,
                          const struct rf_definition_options *o, int simple)
{
    for (int w = 0; w < RF_SLIDING_N; w++) {
        struct counts flow = {0};

        for (int64_t b = m->start_us; b + o->sliding_us[w] <= m->now_us; b += o->step_us) {
            struct told t;

            if (b < h->since_us)
                continue;
            t = tell(m, s, h, i, b, b + o->sliding_us[w]);
            count_floor(&flow, h, i, &t, o->sliding_us[w]);
        }
        compare_floor(&p->findings[RF_DEFINITION_FLOW_DAY + w], &flow, simple);
    }
}

static void check_whole(const struct model *m, const struct rf_state *s, const struct head *h,
                        int i, const struct rf_promise *p, int simple)
{
    struct counts period = {0}, stock = {0}, plus = {0};
    struct told t = tell(m, s, h, i, h->since_us, m->now_us);
    int64_t n = m->now_us - m->start_us, begin = h->since_us - m->start_us, arrears;

    if (m->now_us == h->since_us)
        return;
    count_floor(&period, h, i, &t, m->now_us - h->since_us);
    compare_floor(&p->findings[RF_DEFINITION_PERIOD], &period, simple);
    t.promised = h->stock[i][n];
    count_floor(&stock, h, i, &t, m->now_us - h->since_us);
    compare_floor(&p->findings[RF_DEFINITION_STOCK], &stock, simple);
    arrears = most(0, t.promised - (h->held[n] - h->held[begin]));
    assert_int_equal(rf_wide_narrow(p->findings[RF_DEFINITION_STOCK].arrears_us), arrears);
    t.promised = h->plus[i][n];
    count_floor(&plus, h, i, &t, m->now_us - h->since_us);
    compare_floor(&p->findings[RF_DEFINITION_STOCK_PLUS], &plus, simple);
}

static void check_inst(const struct model *m, const struct head *h, int i,
                       const struct rf_promise *p)
{
    int64_t spells = 0, breaches = 0, first_us = -1, n = m->now_us - m->start_us;

    for (int64_t k = h->since_us - m->start_us; k < n; k++) {
        int64_t begin = k;

        while (k < n && h->passes[k] && h->is_short[i][k])
            k++;
        if (k == begin)
            continue;
        spells++;
        /* a change of terms that lowers the tolerance counts for the shortage that it meets */
        if (k - begin > h->terms[i].tolerance_us) {
            breaches++;
            first_us = first_us < 0 ? m->start_us + begin : first_us;
        }
    }
    assert_int_equal(p->findings[RF_DEFINITION_INST].judged, spells);
    if (i > 0)
        return; /* the tolerance may have been another one */
    assert_int_equal(p->findings[RF_DEFINITION_INST].broken, breaches);
    assert_int_equal(p->findings[RF_DEFINITION_INST].first.begin_us, first_us);
}

static void run_world(uint64_t seed, int simple, int64_t broken[RF_DEFINITION_N],
                      int64_t kept[RF_DEFINITION_N])
{
    struct rf_definition_options o = rf_definition_options_make();
    struct rf_definitions *d;
    struct random_cluster c;
    struct model *m = calloc(1, sizeof *m);
    int at = 0;

    assert_non_null(m);
    o.step_us = 10 + (int64_t)seed % 7;
    for (int w = 0; w < RF_SLIDING_N; w++)
        o.sliding_us[w] = o.step_us * (1 + 4 * w);
    random_start(&c, seed);
    c.stay = 1; /* the model knows a job by its last account */
    c.crashes = 0;
    c.simple = simple;
    c.pause_us = 1 + (int64_t)seed % 9;
    assert_int_equal(rf_definitions_create(&d, &o, NULL), RF_OK);
    c.observers[c.nobservers++] = (struct rf_observer){m, model_before, model_after};
    c.observers[c.nobservers++] = rf_definitions_observer(d);
    random_open(&c, 3 + (int32_t)seed % 20);
    for (int step = 0; step < 900; step++)
        random_step(&c);
    random_read_all(&c);
    assert_int_equal(rf_definitions_judge(d, c.state, NULL), RF_OK);
    for (int k = 0; k < m->nheads; k++)
        for (int i = 0; i < m->heads[k].npromises; i++, at++) {
            const struct rf_promise *p = rf_definitions_promise(d, at);

            assert_int_equal(p->changed, i);
            check_windows(m, c.state, &m->heads[k], i, p, simple);
            check_sliding(m, c.state, &m->heads[k], i, p, &o, simple);
            check_whole(m, c.state, &m->heads[k], i, p, simple);
            check_inst(m, &m->heads[k], i, p);
            for (int f = 0; f < RF_DEFINITION_N; f++) {
                broken[f] += p->findings[f].verdict == RF_FINDING_BROKEN;
                kept[f] += p->findings[f].kept > 0;
            }
        }
    assert_int_equal(rf_definitions_npromises(d), at);
    rf_definitions_destroy(d);
    random_end(&c);
    free(m);
}

static void verdicts_equal_those_of_a_slow_model(void **unused)
{
    int64_t broken[RF_DEFINITION_N] = {0}, kept[RF_DEFINITION_N] = {0};

    (void)unused;
    for (uint64_t seed = 0; seed < 60; seed++)
        run_world(seed, seed % 2 == 0, broken, kept);
    for (int f = 0; f < RF_DEFINITION_N; f++) /* both occur */
        if (broken[f] == 0 || kept[f] == 0)
            fail_msg("definition %d: %lld broken, %lld kept", f, (long long)broken[f],
                     (long long)kept[f]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts_equal_those_of_a_slow_model)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
