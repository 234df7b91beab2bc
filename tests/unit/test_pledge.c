/* Tallies: exact sums, split at window borders, and verdicts at their edges. */
#include "virtual_cluster.h"

static const struct work ONE[] = {
    {"job", "a.x", 2, 2, -1, 1000 * SECOND + 30 * 60 * SECOND, 2 * HOUR, 0}};

/* Two devices for an hour, from half past on: half in the first window, half in the second. */
static void time_is_split_at_window_borders(void **unused)
{
    struct cluster c;
    const struct rf_pledge_account *p;

    (void)unused;
    cluster_start(&c, "none", 10, NULL);
    c.tick_us = 7 * SECOND; /* readings that straddle the border */
    cluster_pledge(&c, "a", "1/3", "floor", HOUR, 0);
    cluster_works(&c, ONE, 1);
    cluster_run(&c, c.t_us + 100 * HOUR);
    cluster_judge(&c);
    p = &c.tally->pledges[0];
    assert_int_equal(p->nwindows, 2);
    assert_int_equal(p->windows[0].capacity_us, 10 * HOUR);
    assert_int_equal(p->windows[0].entitled_us, 10 * HOUR / 3);
    assert_int_equal(p->windows[0].demanded_us, HOUR);
    assert_int_equal(p->windows[0].delivered_us, HOUR);
    assert_int_equal(p->windows[1].capacity_us, 5 * HOUR); /* the last, shorter window */
    assert_int_equal(p->windows[1].demanded_us, HOUR);
    assert_int_equal(p->windows[1].delivered_us, HOUR);
    assert_int_equal(rf_wide_narrow(p->delivered_us), c.state->jobs[0].held_us);
    assert_int_equal(rf_wide_narrow(c.tally->used_us), 2 * HOUR);
    assert_int_equal(rf_wide_narrow(c.tally->capacity_us), 15 * HOUR);
    assert_int_equal(p->verdict, RF_KEPT);
    cluster_end(&c);
}

/* Three jobs of half an hour, one device each, one after the other on one of two devices: all
 * have ended within the window, so more devices would have been of no use in it. */
static const struct work THREE[] = {{"other", "b", 1, 1, -1, 1000 * SECOND, 9 * HOUR, 0},
                                    {"j0", "a.x", 1, 1, -1, 1000 * SECOND, HOUR / 2, 0},
                                    {"j1", "a.x", 1, 1, -1, 1000 * SECOND, HOUR / 2, 0},
                                    {"j2", "a.x", 1, 1, -1, 1000 * SECOND, HOUR / 2, 0}};

static void waiting_is_no_demand_of_a_job_that_ends_within_the_window(void **unused)
{
    /* {length of the window, demanded in the first one}: in the last case j2 is unfinished at
     * its end, and what it waited for counts */
    static const struct {
        int64_t window_us, demanded_us;
    } cases[] = {{4 * HOUR, 3 * HOUR / 2}, {5 * HOUR / 4, 5 * HOUR / 4 + HOUR}};

    (void)unused;
    for (int i = 0; i < 2; i++) {
        struct cluster c;
        const struct rf_pledge_account *p;

        cluster_start(&c, "floor", 2, NULL);
        c.tick_us = 60 * SECOND;
        cluster_pledge(&c, "a", "1/2", "floor", cases[i].window_us, 0);
        cluster_works(&c, THREE, 4);
        cluster_run(&c, c.t_us + 12 * HOUR);
        cluster_judge(&c);
        p = &c.tally->pledges[0];
        assert_int_equal(p->windows[0].demanded_us, cases[i].demanded_us);
        assert_int_equal(p->windows[0].wanted_us >= p->windows[0].demanded_us, 1);
        assert_int_equal(p->verdict, RF_KEPT);
        cluster_end(&c);
    }
}

/* The job waits an hour while another holds both devices, then runs and fails. */
static void a_job_that_fails_was_in_need_all_the_same(void **unused)
{
    static const struct work works[] = {{"other", "b", 2, 2, -1, 1000 * SECOND, 2 * HOUR, 0},
                                        {"j0", "a.x", 1, 1, -1, 1000 * SECOND, HOUR / 2, 1}};
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 2, NULL);
    c.tick_us = 60 * SECOND;
    cluster_pledge(&c, "a", "1/2", "floor", 4 * HOUR, 0);
    cluster_works(&c, works, 2);
    cluster_run(&c, c.t_us + 4 * HOUR);
    e = rf_event_make(RF_EVENT_HEARTBEAT, 1000 * SECOND + 4 * HOUR);
    cluster_emit(&c, &e);
    cluster_judge(&c);
    assert_int_equal(c.state->jobs[1].state, RF_JOB_FAILED);
    assert_int_equal(rf_wide_narrow(c.tally->pledges[0].delivered_us), HOUR / 2);
    assert_int_equal(rf_wide_narrow(c.tally->pledges[0].demanded_us), HOUR / 2 + HOUR);
    assert_int_equal(c.tally->pledges[0].verdict, RF_BROKEN);
    cluster_end(&c);
}

static void what_was_denied_was_asked_for(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 2, NULL);
    cluster_pledge(&c, "a", "1/2", "floor", HOUR, 0);
    cluster_works(&c, ONE, 1);
    c.t_us = 1000 * SECOND + 30 * 60 * SECOND;
    cluster_submit(&c);
    c.t_us += 600 * SECOND;
    e = rf_event_make(RF_EVENT_DENY, c.t_us);
    e.job = 0;
    snprintf(e.reason, sizeof e.reason, "too-large");
    cluster_emit(&c, &e);
    e = rf_event_make(RF_EVENT_HEARTBEAT, 1000 * SECOND + HOUR);
    cluster_emit(&c, &e);
    cluster_judge(&c);
    assert_int_equal(rf_wide_narrow(c.tally->pledges[0].demanded_us), 2 * 600 * SECOND);
    assert_int_equal(c.tally->pledges[0].verdict, RF_BROKEN);
    cluster_end(&c);
}

/* The job waits `wait_us` for its 2 devices, with a tolerance of 10 s x 1 device of its share.
 */
static enum rf_verdict waited(int64_t wait_us)
{
    struct cluster c;
    struct rf_event e;
    enum rf_verdict verdict;

    cluster_start(&c, "none", 2, NULL);
    cluster_pledge(&c, "a", "1/2", "floor", HOUR, 10 * SECOND);
    cluster_works(&c, ONE, 1);
    cluster_submit(&c);
    c.t_us += wait_us;
    e = rf_event_make(RF_EVENT_GRANT, c.t_us);
    e.job = e.lease = 0;
    assert_int_equal(rf_idset_add(&e.devices, 0, 2, NULL), RF_OK);
    cluster_emit(&c, &e);
    c.t_us = 1000 * SECOND + HOUR / 2;
    cluster_charge(&c, 0);
    e = rf_event_make(RF_EVENT_RELEASE, c.t_us);
    e.job = e.lease = 0;
    cluster_emit(&c, &e);
    e = rf_event_make(RF_EVENT_HEARTBEAT, 1000 * SECOND + HOUR);
    cluster_emit(&c, &e);
    cluster_judge(&c);
    verdict = c.tally->pledges[0].verdict;
    cluster_end(&c);
    return verdict;
}

static void the_tolerance_is_exact(void **unused)
{
    (void)unused;
    /* E = 1 device-hour; 2 devices until half past give it less twice the wait */
    assert_int_equal(waited(0), RF_KEPT);
    assert_int_equal(waited(5 * SECOND), RF_KEPT);
    assert_int_equal(waited(5 * SECOND + 1), RF_BROKEN);
}

static void time_without_a_reading_is_unprovable_if_it_decides(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 2, NULL);
    cluster_pledge(&c, "a", "1/2", "floor", HOUR, 0);
    cluster_works(&c, ONE, 1);
    cluster_submit(&c);
    cluster_ask(&c);
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.t_us + HOUR / 4);
    cluster_emit(&c, &e);
    cluster_judge(&c);
    assert_int_equal(c.tally->pledges[0].verdict, RF_UNPROVABLE);
    assert_int_equal(rf_tally_received_us(c.tally, c.state, &c.state->pledges[0]), HOUR / 2);
    c.t_us += HOUR / 4;
    cluster_charge(&c, 0);
    cluster_judge(&c);
    assert_int_equal(c.tally->pledges[0].verdict, RF_KEPT);
    cluster_end(&c);
}

/* A fleet that grows tenfold: a fifth of what there is, and a fifth of what was secured. */
static void the_basis_decides_what_the_share_is_of(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 10, NULL);
    cluster_pledge(&c, "a", "1/5", "floor", HOUR, 0);
    e = rf_event_make(RF_EVENT_PLEDGE, c.t_us);
    snprintf(e.account, sizeof e.account, "b");
    snprintf(e.basis, sizeof e.basis, "secured");
    snprintf(e.text, sizeof e.text, "floor");
    e.share = (struct rf_share){1, 5};
    e.window_us = HOUR;
    cluster_emit(&c, &e);
    cluster_capacity(&c, 10, 100, 1);
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.t_us + HOUR);
    cluster_emit(&c, &e);
    cluster_judge(&c);
    assert_int_equal(c.tally->pledges[0].windows[0].entitled_us, 20 * HOUR);
    assert_int_equal(c.tally->pledges[1].windows[0].entitled_us, 2 * HOUR);
    assert_int_equal(c.tally->pledges[0].verdict, RF_KEPT); /* nobody asked for anything */
    cluster_end(&c);
}

static void a_changed_pledge_is_judged_beside_the_original(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 10, NULL);
    cluster_pledge(&c, "a", "1/5", "floor", HOUR, 0);
    c.t_us += HOUR / 2;
    cluster_pledge(&c, "a", "1/10", "floor", HOUR, 0);
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.t_us + HOUR / 2);
    cluster_emit(&c, &e);
    cluster_judge(&c);
    assert_int_equal(c.tally->npledges, 2);
    assert_int_equal(rf_wide_narrow(c.tally->pledges[0].entitled_us), 2 * HOUR);
    assert_int_equal(rf_wide_narrow(c.tally->pledges[1].entitled_us),
                     HOUR / 2); /* from its own time on */
    cluster_end(&c);
}

static void nothing_is_counted_between_a_close_and_the_next_start(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 2, NULL);
    cluster_pledge(&c, "a", "1/2", "floor", HOUR, 0);
    cluster_works(&c, ONE, 1);
    cluster_submit(&c);
    e = rf_event_make(RF_EVENT_CLOSE, c.t_us);
    cluster_emit(&c, &e);
    e = rf_event_make(RF_EVENT_RECOVER, c.t_us + 5 * HOUR);
    cluster_emit(&c, &e);
    cluster_judge(&c);
    assert_int_equal(rf_wide_narrow(c.tally->capacity_us), 0);
    assert_int_equal(rf_wide_narrow(c.tally->pledges[0].demanded_us), 0);
    assert_int_equal(c.tally->pledges[0].verdict, RF_KEPT);
    cluster_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_is_split_at_window_borders),
        cmocka_unit_test(waiting_is_no_demand_of_a_job_that_ends_within_the_window),
        cmocka_unit_test(a_job_that_fails_was_in_need_all_the_same),
        cmocka_unit_test(what_was_denied_was_asked_for),
        cmocka_unit_test(the_tolerance_is_exact),
        cmocka_unit_test(time_without_a_reading_is_unprovable_if_it_decides),
        cmocka_unit_test(the_basis_decides_what_the_share_is_of),
        cmocka_unit_test(a_changed_pledge_is_judged_beside_the_original),
        cmocka_unit_test(nothing_is_counted_between_a_close_and_the_next_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
