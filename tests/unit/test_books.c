/* The books against a model that looks at every microsecond, and by hand. */
#include "random_cluster.h"

#include "alloc/books.h"

struct model {
    int64_t now_us;
    int open;
    int64_t held_us, idle_us, down_us, installed_us, stopping_us;
};

static enum rf_status model_before(void *self, const struct rf_state *s,
                                   const struct rf_event *e, struct rf_error *err)
{
    struct model *m = self;

    if (rf_state_check(s, e, err) != RF_OK)
        return RF_OK;
    for (; s->opened && m->now_us < e->t_us; m->now_us++) {
        if (s->closed)
            continue;
        m->down_us += s->ndown;
        m->installed_us += s->nfleet + s->ndown;
        m->idle_us += s->nfleet;
        for (int32_t j = 0; j < s->njobs; j++) {
            m->held_us += s->jobs[j].ndevices;
            m->idle_us -= s->jobs[j].ndevices;
            m->stopping_us += s->jobs[j].state == RF_JOB_STOPPING ? s->jobs[j].ndevices : 0;
        }
    }
    return RF_OK;
}

static enum rf_status model_after(void *self, const struct rf_state *s,
                                  const struct rf_event *e, struct rf_error *err)
{
    struct model *m = self;

    (void)s;
    (void)err;
    if (e->type == RF_EVENT_OPEN)
        m->now_us = e->t_us;
    return RF_OK;
}

static void the_books_add_up_whatever_happens(void **unused)
{
    int64_t lent = 0, reserved = 0, unread = 0, failed = 0, maintenance = 0;

    (void)unused;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct random_cluster c;
        struct rf_books *books;
        struct rf_books_totals t;
        struct rf_error err = {RF_OK, ""};
        struct model m = {0};

        random_start(&c, seed);
        c.crashes = seed % 3 == 0;
        assert_int_equal(rf_books_create(&books, NULL), RF_OK);
        c.observers[c.nobservers++] = (struct rf_observer){&m, model_before, model_after};
        c.observers[c.nobservers++] = rf_books_observer(books);
        random_open(&c, 3 + (int32_t)seed % 20);
        for (int step = 0; step < 2000; step++) {
            random_step(&c);
            if (rf_books_check(books, c.state, &err) != RF_OK)
                fail_msg("seed %d, step %d: %s", (int)seed, step, err.text);
        }
        rf_books_totals(books, c.state->now_us, &t);
        assert_int_equal(rf_wide_narrow(t.installed_us), m.installed_us);
        assert_int_equal(rf_wide_narrow(t.own_us) + rf_wide_narrow(t.lent_us) +
                             rf_wide_narrow(t.overhead_us),
                         m.held_us);
        assert_int_equal(rf_wide_narrow(t.overhead_us), m.stopping_us);
        assert_int_equal(rf_wide_narrow(t.idle_reserved_us) + rf_wide_narrow(t.idle_free_us),
                         m.idle_us);
        assert_int_equal(rf_wide_narrow(t.down_us), m.down_us);
        lent += rf_wide_narrow(t.lent_us);
        reserved += rf_wide_narrow(t.idle_reserved_us);
        unread += rf_wide_narrow(t.unread_us);
        failed += rf_wide_narrow(t.failed_us);
        maintenance += rf_wide_narrow(t.maintenance_us);
        rf_books_destroy(books);
        random_end(&c);
    }
    assert_true(lent > 0 && reserved > 0 && unread > 0 && failed > 0 && maintenance > 0);
}

/* One cluster whose events are given one by one. */
struct hand {
    struct random_cluster c;
    struct rf_books *books;
};

static void begin(struct hand *h, int32_t devices)
{
    random_start(&h->c, 1);
    h->c.t_us = 0;
    assert_int_equal(rf_books_create(&h->books, NULL), RF_OK);
    h->c.observers[h->c.nobservers++] = rf_books_observer(h->books);
    random_open(&h->c, devices);
}

static void end(struct hand *h)
{
    rf_books_destroy(h->books);
    random_end(&h->c);
}

static void pledge(struct hand *h, const char *account, int64_t num, int64_t den)
{
    struct rf_event e = random_event(&h->c, RF_EVENT_PLEDGE, -1);

    snprintf(e.account, sizeof e.account, "%s", account);
    snprintf(e.basis, sizeof e.basis, "fleet");
    snprintf(e.text, sizeof e.text, "floor");
    e.share = (struct rf_share){num, den};
    e.window_us = 1000;
    assert_true(random_emit(&h->c, &e));
}

/* A job that starts at once. */
static int32_t start(struct hand *h, const char *account, int32_t devices)
{
    int32_t job = h->c.state->njobs;
    struct rf_event e = random_event(&h->c, RF_EVENT_REQUEST, job);

    snprintf(e.account, sizeof e.account, "%s", account);
    e.min = e.max = devices;
    assert_true(random_emit(&h->c, &e));
    e = random_event(&h->c, RF_EVENT_GRANT, job);
    e.lease = h->c.state->next_lease;
    e.count = devices;
    assert_true(random_emit(&h->c, &e));
    return job;
}

static void tell(struct hand *h, enum rf_event_type type, int32_t job, const char *text)
{
    struct rf_event e = random_event(&h->c, type, job);

    snprintf(e.reason, sizeof e.reason, "because");
    snprintf(e.text, sizeof e.text, "%s", text);
    assert_true(random_emit(&h->c, &e));
}

/* Ten devices, two of them promised to "a", which leaves first both and then one idle. */
static void what_is_lent_is_what_lies_beyond_the_share(void **unused)
{
    struct hand h;
    struct rf_books_totals t;
    struct rf_book page;
    int32_t other;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "a", 1, 5);
    other = start(&h, "b", 9);
    h.c.t_us = 100;
    start(&h, "a.x", 1);
    h.c.t_us = 250;
    tell(&h, RF_EVENT_PREEMPT, other, "");
    h.c.t_us = 260;
    tell(&h, RF_EVENT_RELEASE, other, "");
    rf_books_totals(h.books, 300, &t);
    assert_int_equal(rf_wide_narrow(t.installed_us), 3000);
    assert_int_equal(rf_wide_narrow(t.own_us), 8 * 250 + 1 * 200);
    assert_int_equal(rf_wide_narrow(t.lent_us), 250);
    assert_int_equal(rf_wide_narrow(t.overhead_us),
                     90); /* nine devices that took ten microseconds to stop */
    assert_int_equal(rf_wide_narrow(t.idle_reserved_us), 1 * 100 + 1 * 40);
    assert_int_equal(rf_wide_narrow(t.idle_free_us), 8 * 40);
    rf_books_page(h.books, 1, 300, &page);
    assert_string_equal(page.name, "a");
    assert_int_equal(rf_wide_narrow(page.reserved_us), 600);
    assert_int_equal(rf_wide_narrow(page.own_us), 200);
    assert_int_equal(rf_wide_narrow(page.lent_us), 0);
    assert_int_equal(
        rf_wide_narrow(rf_books_account_overhead_us(h.books, h.c.state->jobs[other].account)),
        90);
    end(&h);
}

/* A hundredth of 24 devices is less than one, and no less than that. */
static void small_shares_are_not_rounded_away(void **unused)
{
    struct hand h;
    struct rf_book page;
    struct rf_books_totals t;

    (void)unused;
    begin(&h, 24);
    pledge(&h, "a", 1, 100);
    for (int i = 0; i < 1000; i++) {
        struct rf_event e;

        h.c.t_us += 1; /* 0.24 device-microseconds each */
        e = random_event(&h.c, RF_EVENT_HEARTBEAT, -1);
        assert_true(random_emit(&h.c, &e));
    }
    rf_books_page(h.books, 1, 1000, &page);
    assert_int_equal(rf_wide_narrow(page.reserved_us), 240);
    assert_int_equal(rf_wide_narrow(page.idle_us), 240);
    rf_books_totals(h.books, 1000, &t);
    assert_int_equal(rf_wide_narrow(t.idle_reserved_us), 240);
    end(&h);
}

static void reported_overhead_moves_from_use(void **unused)
{
    struct hand h;
    struct rf_books_totals t;
    struct rf_error err = {RF_OK, ""};
    int32_t job;

    (void)unused;
    begin(&h, 10);
    pledge(&h, "a", 1, 2);
    job = start(&h, "b.c", 7); /* two of them are lent */
    h.c.t_us = 100;
    tell(&h, RF_EVENT_END, job, "done");
    assert_int_equal(rf_books_overhead(h.books, h.c.state, job, 701, 1, &err), RF_ERR_ARG);
    assert_int_equal(rf_books_overhead(h.books, h.c.state, job, 250, 1, &err), RF_OK);
    rf_books_totals(h.books, 100, &t);
    assert_int_equal(rf_wide_narrow(t.overhead_us), 250);
    assert_int_equal(rf_wide_narrow(t.lent_us), 0);
    assert_int_equal(rf_wide_narrow(t.own_us), 450);
    assert_int_equal(rf_wide_narrow(rf_books_account_overhead_us(
                         h.books, rf_state_find_account(h.c.state, "b"))),
                     250);
    assert_int_equal(rf_books_check(h.books, h.c.state, &err), RF_OK);
    end(&h);
}

static void looking_ahead_changes_nothing(void **unused)
{
    struct hand h;
    struct rf_books_totals a, b;

    (void)unused;
    begin(&h, 3);
    pledge(&h, "a", 1, 3);
    start(&h, "b", 3);
    rf_books_totals(h.books, 1000, &a);
    rf_books_totals(h.books, 70, &b);
    assert_int_equal(rf_wide_narrow(a.own_us) + rf_wide_narrow(a.lent_us), 3000);
    assert_int_equal(rf_wide_narrow(b.own_us) + rf_wide_narrow(b.lent_us), 210);
    rf_books_totals(h.books, 0, &b);
    assert_int_equal(rf_wide_narrow(b.installed_us), 0);
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_books_add_up_whatever_happens),
        cmocka_unit_test(what_is_lent_is_what_lies_beyond_the_share),
        cmocka_unit_test(small_shares_are_not_rounded_away),
        cmocka_unit_test(reported_overhead_moves_from_use),
        cmocka_unit_test(looking_ahead_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
