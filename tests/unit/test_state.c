/* The rules of rf_state_apply(): what it takes, what it refuses, and in which words. */
#include "virtual_cluster.h"

static const struct work WORKS[] = {{"one", "a.x", 1, 2, -1, 0, HOUR, 0},
                                    {"two", "a", 1, 4, -1, 0, HOUR, 0},
                                    {"three", "b", 1, 1, 0, 0, HOUR, 0}};

static void submitted(struct cluster *c)
{
    cluster_start(c, "none", 4, NULL);
    cluster_works(c, WORKS, 3);
    for (int i = 0; i < 3; i++)
        cluster_submit(c);
}

static struct rf_event grant(const struct cluster *c, int32_t job, int32_t begin, int32_t end)
{
    struct rf_event e = rf_event_make(RF_EVENT_GRANT, c->t_us);

    e.job = job;
    e.lease = c->state->next_lease;
    if (end > begin)
        assert_int_equal(rf_idset_add(&e.devices, begin, end, NULL), RF_OK);
    return e;
}

/* The event is refused with these words, and nothing has changed. */
static void refused(struct cluster *c, struct rf_event *e, const char *words)
{
    struct rf_state before = *c->state;
    struct rf_error err = {RF_OK, ""};

    e->seq = c->state->next_seq;
    if (rf_state_apply(c->state, e, &err) != RF_ERR_INPUT || strstr(err.text, words) == NULL)
        fail_msg("expected a refusal with '%s', got '%s'", words, err.text);
    assert_memory_equal(&before, c->state, sizeof before);
    assert_int_equal(rf_invariant_check(c->state, &err), RF_OK);
    rf_event_clear(e);
}

static void grants_outside_the_rules_are_refused(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    submitted(&c);
    e = grant(&c, 0, 0, 3);
    refused(&c, &e, "outside min..max");
    e = grant(&c, 0, 0, 0);
    refused(&c, &e, "outside min..max");
    e = grant(&c, 0, 3, 5);
    refused(&c, &e, "a device is not free");
    e = grant(&c, 2, 0, 1);
    refused(&c, &e, "is not done");
    e = grant(&c, 7, 0, 1);
    refused(&c, &e, "not in the queue");
    e = grant(&c, 0, 0, 1);
    e.lease = 5;
    refused(&c, &e, "lease ids are dense");
    e = grant(&c, 0, 0, 1);
    e.lent = 2;
    refused(&c, &e, "lent devices");
    e = grant(&c, 0, 0, 2);
    cluster_emit(&c, &e);
    e = grant(&c, 1, 1, 3);
    refused(&c, &e, "a device is not free"); /* twice */
    e = grant(&c, 0, 2, 3);
    refused(&c, &e, "not in the queue");
    cluster_end(&c);
}

static void readings_are_exact(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    submitted(&c);
    e = grant(&c, 0, 0, 2);
    cluster_emit(&c, &e);
    c.t_us += 10;
    e = rf_event_make(RF_EVENT_CHARGE, c.t_us);
    e.job = e.lease = 0;
    e.held_us = 19;
    refused(&c, &e, "held_us is 19, but devices x time is 20");
    e = rf_event_make(RF_EVENT_END, c.t_us);
    e.job = e.lease = 0;
    snprintf(e.text, sizeof e.text, "done");
    refused(&c, &e, "held_us is 0, but devices x time is 20");
    e = rf_event_make(RF_EVENT_RELEASE, c.t_us);
    e.job = e.lease = 0;
    refused(&c, &e, "held_us is 0, but devices x time is 20");
    e = rf_event_make(RF_EVENT_CHARGE, c.t_us);
    e.job = e.lease = 0;
    e.held_us = 20;
    e.tokens = -1;
    refused(&c, &e, "not negative");
    cluster_charge(&c, 0);
    assert_int_equal(c.state->jobs[0].held_us, 20);
    assert_int_equal(
        rf_wide_narrow(c.state->accounts[rf_state_find_account(c.state, "a")].held_us), 20);
    assert_int_equal(
        rf_wide_narrow(c.state->accounts[rf_state_find_account(c.state, "a.x")].held_us), 20);
    assert_int_equal(
        rf_wide_narrow(c.state->accounts[rf_state_find_account(c.state, "b")].held_us), 0);
    cluster_end(&c);
}

static void a_released_job_goes_back_to_its_place(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    submitted(&c);
    e = grant(&c, 0, 0, 1);
    cluster_emit(&c, &e);
    assert_int_equal(c.state->queue_first, 1);
    e = rf_event_make(RF_EVENT_PREEMPT, c.t_us);
    e.job = e.lease = 0;
    snprintf(e.reason, sizeof e.reason, "reclaim");
    cluster_emit(&c, &e);
    e = rf_event_make(RF_EVENT_PREEMPT, c.t_us);
    e.job = e.lease = 0;
    snprintf(e.reason, sizeof e.reason, "reclaim");
    refused(&c, &e, "asked to stop already");
    e = rf_event_make(RF_EVENT_CLOSE, c.t_us);
    refused(&c, &e, "devices are still held");
    e = rf_event_make(RF_EVENT_RELEASE, c.t_us);
    e.job = e.lease = 0;
    snprintf(e.reason, sizeof e.reason, "preempted");
    cluster_emit(&c, &e);
    assert_int_equal(c.state->queue_first, 0);
    assert_int_equal(c.state->jobs[0].preemptions, 1);
    assert_int_equal(c.state->accounts[0].preempted, 1);
    assert_int_equal(c.state->accounts[0].used, 0);
    cluster_end(&c);
}

static void the_sequence_has_no_gap_and_time_never_goes_back(void **unused)
{
    struct cluster c;
    struct rf_event e = rf_event_make(RF_EVENT_HEARTBEAT, 5);
    struct rf_error err;

    (void)unused;
    cluster_start(&c, "none", 4, NULL);
    refused(&c, &e, "time goes back");
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.t_us);
    e.seq = 17;
    assert_int_equal(rf_state_apply(c.state, &e, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "gap in the sequence"));
    e = rf_event_make(RF_EVENT_OPEN, c.t_us);
    snprintf(e.name, sizeof e.name, "again");
    refused(&c, &e, "opened once");
    e = rf_event_make(RF_EVENT_CLOSE, c.t_us);
    cluster_emit(&c, &e);
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.t_us);
    refused(&c, &e, "the run is closed");
    e = rf_event_make(RF_EVENT_RECOVER, c.t_us);
    cluster_emit(&c, &e);
    assert_false(c.state->closed);
    cluster_end(&c);
}

static void only_free_devices_leave_the_fleet(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    submitted(&c);
    e = grant(&c, 0, 0, 2);
    cluster_emit(&c, &e);
    e = rf_event_make(RF_EVENT_CAPACITY, c.t_us);
    snprintf(e.reason, sizeof e.reason, "failed");
    assert_int_equal(rf_idset_add(&e.devices, 1, 3, NULL), RF_OK);
    refused(&c, &e, "only free devices");
    e = rf_event_make(RF_EVENT_CAPACITY, c.t_us);
    assert_int_equal(rf_idset_add(&e.devices, 2, 3, NULL), RF_OK);
    refused(&c, &e, "as the reason");
    e = rf_event_make(RF_EVENT_CAPACITY, c.t_us);
    e.up = 1;
    snprintf(e.reason, sizeof e.reason, "joined");
    assert_int_equal(rf_idset_add(&e.devices, 3, 5, NULL), RF_OK);
    refused(&c, &e, "in the fleet already");
    cluster_capacity(&c, 2, 4, 0);
    assert_int_equal(c.state->nfleet, 2);
    assert_int_equal(c.state->nfree, 0);
    cluster_end(&c);
}

static void pledge_refused(struct cluster *c, const char *account, const char *share,
                           int64_t window_us, const char *words)
{
    struct rf_event e = rf_event_make(RF_EVENT_PLEDGE, c->t_us);

    assert_int_equal(rf_share_parse(&e.share, share, NULL), RF_OK);
    snprintf(e.account, sizeof e.account, "%s", account);
    snprintf(e.basis, sizeof e.basis, "fleet");
    snprintf(e.text, sizeof e.text, "floor");
    e.window_us = window_us;
    refused(c, &e, words);
}

static void pledges_fit_into_the_whole(void **unused)
{
    struct cluster c;

    (void)unused;
    cluster_start(&c, "none", 4, NULL);
    cluster_pledge(&c, "a.x", "60%", "floor", HOUR, 0);
    pledge_refused(&c, "b", "41%", HOUR, "more than the whole");
    pledge_refused(&c, "a", "1%", HOUR, "contain one another");
    pledge_refused(&c, "a.x.y", "1%", HOUR, "contain one another");
    pledge_refused(&c, "a..x", "1%", HOUR, "an account is");
    pledge_refused(&c, "b", "1%", 0, "a window lasts");
    cluster_pledge(&c, "a.xy", "40%", "floor", HOUR, 0);
    cluster_pledge(&c, "a.x", "30%", "floor", HOUR, 0); /* a change */
    assert_int_equal(c.state->npledges, 2);
    assert_int_equal(c.tally->npledges, 3); /* judged against the original as well */
    cluster_end(&c);
}

static void requests_outside_the_rules_are_refused(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    submitted(&c);
    e = rf_event_make(RF_EVENT_REQUEST, c.t_us);
    e.job = 3;
    e.min = e.max = 1;
    snprintf(e.name, sizeof e.name, "n");
    snprintf(e.account, sizeof e.account, "a/b");
    refused(&c, &e, "an account is");
    e = rf_event_make(RF_EVENT_REQUEST, c.t_us);
    e.job = 4;
    refused(&c, &e, "job ids are dense");
    e = rf_event_make(RF_EVENT_REQUEST, c.t_us);
    e.job = 3;
    e.min = 2;
    e.max = 1;
    snprintf(e.name, sizeof e.name, "n");
    snprintf(e.account, sizeof e.account, "a");
    refused(&c, &e, "1 <= min <= max");
    e = rf_event_make(RF_EVENT_DELAY, c.t_us);
    e.job = 0;
    snprintf(e.reason, sizeof e.reason, "Because");
    refused(&c, &e, "a code");
    e = rf_event_make(RF_EVENT_DELAY, c.t_us);
    e.job = 0;
    snprintf(e.reason, sizeof e.reason, "devices-busy");
    cluster_emit(&c, &e);
    e = rf_event_make(RF_EVENT_DELAY, c.t_us);
    e.job = 0;
    snprintf(e.reason, sizeof e.reason, "devices-busy");
    refused(&c, &e, "on record already");
    cluster_end(&c);
}

/* Two devices of four up to the last microsecond that fits, though the whole fleet's time does not. */
static void the_device_time_of_a_job_that_does_not_fit_is_refused(void **unused)
{
    const int64_t last_us = INT64_MAX / 2;
    struct cluster c;
    struct rf_event e;

    (void)unused;
    submitted(&c);
    e = grant(&c, 0, 0, 2);
    cluster_emit(&c, &e);
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.state->jobs[0].grant_us + last_us + 1);
    refused(&c, &e, "the device-time of a job no longer fits in 63 bits");
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.state->jobs[0].grant_us + last_us);
    e.seq = c.state->next_seq;
    assert_int_equal(rf_state_check(c.state, &e, NULL), RF_OK);
    cluster_end(&c);
}

static void policies_change_and_reservations_pass(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 4, NULL);
    e = rf_event_make(RF_EVENT_POLICY, c.t_us);
    snprintf(e.text, sizeof e.text, "easy");
    snprintf(e.reason, sizeof e.reason, "new-leadership");
    refused(&c, &e, "order+fence");
    e = rf_event_make(RF_EVENT_POLICY, c.t_us);
    snprintf(e.text, sizeof e.text, "fcfs+floor");
    snprintf(e.reason, sizeof e.reason, "new-leadership");
    cluster_emit(&c, &e);
    assert_string_equal(c.state->fence, "floor");
    e = rf_event_make(RF_EVENT_RESERVE, c.t_us);
    e.count = 2;
    e.begin_us = c.t_us + 10;
    e.end_us = c.t_us + 10;
    snprintf(e.reason, sizeof e.reason, "maintenance");
    refused(&c, &e, "begins before it ends");
    for (int i = 0; i < 2; i++) { /* the later one first */
        e = rf_event_make(RF_EVENT_RESERVE, c.t_us);
        e.count = 2;
        e.begin_us = c.t_us + 20 - 10 * i;
        e.end_us = c.t_us + 30 - 10 * i;
        snprintf(e.reason, sizeof e.reason, "maintenance");
        cluster_emit(&c, &e);
    }
    assert_int_equal(c.state->nholds, 2);
    assert_int_equal(c.state->holds[0].begin_us, c.t_us + 10);
    c.t_us += 20;
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.t_us);
    cluster_emit(&c, &e);
    assert_int_equal(c.state->nholds, 1);
    cluster_end(&c);
}

static void devices_that_are_down_still_count_as_secured(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 4, NULL);
    e = rf_event_make(RF_EVENT_CAPACITY, c.t_us);
    snprintf(e.reason, sizeof e.reason, "failed");
    assert_int_equal(rf_idset_add(&e.devices, 1, 3, NULL), RF_OK);
    cluster_emit(&c, &e);
    assert_int_equal(c.state->nfleet, 2);
    assert_int_equal(c.state->ndown, 2);
    cluster_pledge(&c, "a", "0%", "floor", HOUR, 0); /* withdrawn before it began */
    assert_int_equal(c.state->pledges[0].secured, 4);
    e = rf_event_make(RF_EVENT_CAPACITY, c.t_us);
    e.up = 1;
    snprintf(e.reason, sizeof e.reason, "joined");
    assert_int_equal(rf_idset_add(&e.devices, 1, 2, NULL), RF_OK);
    refused(&c, &e, "joins by being repaired");
    e = rf_event_make(RF_EVENT_CAPACITY, c.t_us);
    e.up = 1;
    snprintf(e.reason, sizeof e.reason, "repaired");
    assert_int_equal(rf_idset_add(&e.devices, 2, 4, NULL), RF_OK);
    refused(&c, &e, "only devices that are down");
    e = rf_event_make(RF_EVENT_CAPACITY, c.t_us);
    e.up = 1;
    snprintf(e.reason, sizeof e.reason, "repaired");
    assert_int_equal(rf_idset_add(&e.devices, 1, 3, NULL), RF_OK);
    cluster_emit(&c, &e);
    assert_int_equal(c.state->nfree, 4);
    assert_int_equal(c.state->peak, 4);
    cluster_end(&c);
}

/* Codes run out; the free text of an end does not stop anybody. */
static void reasons_are_kept_up_to_a_number(void **unused)
{
    struct cluster c;
    struct rf_event e;
    int n = 0;

    (void)unused;
    submitted(&c);
    while (c.state->nreasons < RF_REASONS_MAX) {
        e = rf_event_make(RF_EVENT_DELAY, c.t_us);
        e.job = 0;
        snprintf(e.reason, sizeof e.reason, "reason-%d", n++);
        cluster_emit(&c, &e);
    }
    assert_string_equal(rf_state_job_reason(c.state, 0), "reason-247");
    e = rf_event_make(RF_EVENT_DELAY, c.t_us);
    e.job = 1;
    snprintf(e.reason, sizeof e.reason, "one-more");
    refused(&c, &e, "too many different reasons");
    e = rf_event_make(RF_EVENT_END, c.t_us);
    e.job = 0;
    snprintf(e.text, sizeof e.text, "failed");
    snprintf(e.reason, sizeof e.reason, "Disk on fire!");
    cluster_emit(&c, &e);
    assert_string_equal(rf_state_job_reason(c.state, 0), "see-the-ledger");
    cluster_end(&c);
}

static void names_and_readings_are_looked_up(void **unused)
{
    struct cluster c;
    struct rf_event e;
    char name[RF_NAME_BYTES];

    (void)unused;
    submitted(&c);
    assert_string_equal(rf_state_job_name(c.state, 2, name), "three");
    assert_string_equal(rf_state_job_account(c.state, 0), "a.x");
    assert_int_equal(rf_state_job_extra(c.state, 2)->nafter, 1);
    e = rf_event_make(RF_EVENT_REQUEST, c.t_us);
    e.job = 3;
    e.min = e.max = 1;
    e.account_id = 0;
    snprintf(e.account, sizeof e.account, "b");
    refused(&c, &e, "do not belong together");
    e = rf_event_make(RF_EVENT_REQUEST, c.t_us);
    e.job = 3;
    e.min = e.max = 1;
    e.account_id = 0;
    c.nsubmitted++;
    cluster_emit(&c, &e);
    assert_string_equal(rf_state_job_name(c.state, 3, name), "job3");
    assert_int_equal(c.state->jobs[3].extra, -1);
    assert_int_equal(rf_state_job_extra(c.state, 3)->checkpoint_us, -1);
    e = grant(&c, 3, 0, 1);
    cluster_emit(&c, &e);
    c.t_us += 7;
    e = rf_event_make(RF_EVENT_CHECKPOINT, c.t_us);
    e.job = 3;
    e.step = 2;
    cluster_emit(&c, &e);
    assert_int_equal(rf_state_job_extra(c.state, 3)->checkpoint_us, c.t_us);
    e = rf_event_make(RF_EVENT_END, c.t_us);
    e.job = 3;
    e.lease = 0;
    e.held_us = 7;
    snprintf(e.text, sizeof e.text, "done");
    cluster_emit(&c, &e);
    assert_int_equal(c.state->jobs[3].held_us, 7);
    cluster_end(&c);
}

/* ---- allowances, retries, disputes, other accounts ---------------------- */

static struct rf_event limit(const struct cluster *c, const char *account, int64_t held_us,
                             int64_t flops)
{
    struct rf_event e = rf_event_make(RF_EVENT_LIMIT, c->t_us);

    snprintf(e.account, sizeof e.account, "%s", account);
    snprintf(e.author, sizeof e.author, "board");
    snprintf(e.reason, sizeof e.reason, "budget");
    e.held_limit_us = held_us;
    e.flops_limit = flops;
    return e;
}

static struct rf_event of_lease(const struct cluster *c, enum rf_event_type type,
                                const char *reason)
{
    struct rf_event e = rf_event_make(type, c->t_us);

    e.job = 0;
    e.lease = c->state->jobs[0].lease;
    snprintf(e.reason, sizeof e.reason, "%s", reason);
    if (type == RF_EVENT_RELEASE)
        e.held_us = rf_state_owed_us(&c->state->jobs[0], c->t_us);
    return e;
}

static void an_account_gets_nothing_beyond_its_limit(void **unused)
{
    struct cluster c;
    struct rf_event e;
    int32_t a;

    (void)unused;
    submitted(&c);
    e = limit(&c, "a", -1, 0);
    refused(&c, &e, "a limit is not negative");
    e = limit(&c, "a.", 5, 0);
    refused(&c, &e, "an account is names");
    e = grant(&c, 0, 0, 1);
    cluster_emit(&c, &e);
    c.t_us += 10;
    cluster_charge(&c, 0);
    e = limit(&c, "a", 5, 0); /* 5 more than the 10 so far */
    cluster_emit(&c, &e);
    a = rf_state_find_account(c.state, "a");
    assert_int_equal(rf_wide_narrow(c.state->accounts[a].held_limit_us), 15);
    assert_null(rf_state_spent(c.state, &c.state->jobs[0]));
    c.t_us += 5;
    cluster_charge(&c, 0);
    assert_string_equal(rf_state_spent(c.state, &c.state->jobs[1]), "account-device-time");
    e = grant(&c, 1, 1, 2);
    refused(&c, &e, "the allowance is used up: account-device-time");
    e = of_lease(&c, RF_EVENT_GROW, "");
    assert_int_equal(rf_idset_add(&e.devices, 1, 2, NULL), RF_OK);
    refused(&c, &e, "the allowance is used up");
    e = limit(&c, "a", 0, 0);
    cluster_emit(&c, &e);
    e = grant(&c, 1, 1, 2);
    cluster_emit(&c, &e);
    e = limit(&c, "new.account", 0, 7);
    cluster_emit(&c, &e);
    a = rf_state_find_account(c.state, "new.account");
    assert_int_equal(c.state->accounts[a].flops_limit, 7);
    cluster_end(&c);
}

static struct rf_event wish(struct cluster *c)
{
    struct rf_event e = rf_event_make(RF_EVENT_REQUEST, c->t_us);

    e.job = c->state->njobs;
    e.min = e.max = 1;
    snprintf(e.account, sizeof e.account, "a");
    return e;
}

static void a_job_gets_nothing_beyond_its_limit(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    cluster_start(&c, "none", 4, NULL);
    cluster_works(&c, WORKS, 1);
    c.nsubmitted = 1;
    e = wish(&c);
    e.flops_limit = -1;
    refused(&c, &e, "is not negative");
    e = wish(&c);
    e.retries = -1;
    refused(&c, &e, "is not negative");
    e = wish(&c);
    e.flops_limit = 100;
    e.priority = -3;
    e.deadline_us = 99;
    cluster_emit(&c, &e);
    assert_int_equal(rf_state_job_extra(c.state, 0)->priority, -3);
    assert_int_equal(rf_state_job_extra(c.state, 0)->deadline_us, 99);
    e = grant(&c, 0, 0, 1);
    cluster_emit(&c, &e);
    e = of_lease(&c, RF_EVENT_CHARGE, "");
    e.flops = 100;
    cluster_emit(&c, &e);
    e = of_lease(&c, RF_EVENT_RELEASE, "preempted");
    cluster_emit(&c, &e);
    e = grant(&c, 0, 0, 1);
    refused(&c, &e, "the allowance is used up: job-flops");
    cluster_end(&c);
}

static void a_job_that_failed_is_tried_again_in_time(void **unused)
{
    struct cluster c;
    struct rf_event e;
    int64_t retry_us;

    (void)unused;
    cluster_start(&c, "none", 4, NULL);
    cluster_works(&c, WORKS, 1);
    c.nsubmitted = 1;
    e = wish(&c);
    e.retries = 1;
    cluster_emit(&c, &e);
    e = grant(&c, 0, 0, 1);
    cluster_emit(&c, &e);
    e = of_lease(&c, RF_EVENT_RELEASE, "preempted");
    e.retry_us = c.t_us + 1;
    refused(&c, &e, "only a job that failed");
    e = of_lease(&c, RF_EVENT_RELEASE, "failed");
    e.retry_us = c.t_us;
    refused(&c, &e, "lies ahead");
    e = of_lease(&c, RF_EVENT_RELEASE, "failed");
    retry_us = e.retry_us = c.t_us + 100;
    cluster_emit(&c, &e);
    assert_int_equal(c.state->retry_us, retry_us);
    assert_false(rf_state_ready(c.state, &c.state->jobs[0]));
    e = grant(&c, 0, 0, 1);
    refused(&c, &e, "not yet time");
    c.t_us = retry_us; /* time passes with events */
    e = rf_event_make(RF_EVENT_HEARTBEAT, c.t_us);
    cluster_emit(&c, &e);
    assert_int_equal(c.state->retry_us, INT64_MAX);
    assert_true(rf_state_ready(c.state, &c.state->jobs[0]));
    e = grant(&c, 0, 0, 1);
    cluster_emit(&c, &e);
    e = of_lease(&c, RF_EVENT_RELEASE, "failed");
    refused(&c, &e, "no retry left");
    cluster_end(&c);
}

static void disputed_readings_are_kept_apart(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    submitted(&c);
    e = of_lease(&c, RF_EVENT_DISPUTE, "silent");
    refused(&c, &e, "does not hold this lease");
    e = grant(&c, 0, 0, 1);
    cluster_emit(&c, &e);
    e = of_lease(&c, RF_EVENT_DISPUTE, "Not a code");
    refused(&c, &e, "lower-case words");
    for (int i = 0; i < 3;
         i++) { /* whoever claims as much as it can cannot stop the recorder */
        e = of_lease(&c, RF_EVENT_DISPUTE, "overclaimed-flops");
        e.flops = INT64_MAX;
        e.busy_us = 4;
        cluster_emit(&c, &e);
    }
    assert_int_equal(rf_state_job_extra(c.state, 0)->disputed.times, 3);
    assert_int_equal(c.state->accounts[0].disputed.busy_us, 12);
    assert_int_equal(c.state->accounts[0].disputed.flops, INT64_MAX);
    assert_int_equal(c.state->accounts[0].flops, 0);
    cluster_end(&c);
}

static void a_job_moves_to_another_account_with_what_it_is_charged_from_then_on(void **unused)
{
    struct cluster c;
    struct rf_event e;
    int32_t a, b;

    (void)unused;
    submitted(&c);
    e = grant(&c, 0, 0, 2);
    cluster_emit(&c, &e);
    c.t_us += 10;
    e = of_lease(&c, RF_EVENT_RELABEL, "wrong-account");
    snprintf(e.account, sizeof e.account, "b.new");
    refused(&c, &e, "has to be charged first");
    cluster_charge(&c, 0);
    e = of_lease(&c, RF_EVENT_RELABEL, "wrong-account");
    snprintf(e.account, sizeof e.account, "a.x");
    refused(&c, &e, "belongs to this account already");
    e = of_lease(&c, RF_EVENT_RELABEL, "wrong-account");
    snprintf(e.account, sizeof e.account, "b.new");
    cluster_emit(&c, &e);
    c.t_us += 10;
    cluster_charge(&c, 0);
    a = rf_state_find_account(c.state, "a");
    b = rf_state_find_account(c.state, "b");
    assert_int_equal(rf_wide_narrow(c.state->accounts[a].held_us), 20);
    assert_int_equal(rf_wide_narrow(c.state->accounts[b].held_us), 20);
    assert_int_equal(c.state->accounts[a].used, 0);
    assert_int_equal(c.state->accounts[b].used, 2);
    assert_string_equal(rf_state_job_account(c.state, 0), "b.new");
    e = of_lease(&c, RF_EVENT_PREEMPT, "reclaim");
    cluster_emit(&c, &e);
    e = of_lease(&c, RF_EVENT_RELABEL, "wrong-account");
    snprintf(e.account, sizeof e.account, "a");
    refused(&c, &e, "neither runs nor is in the queue");
    cluster_end(&c);
}

static void measurements_and_keys_are_checked(void **unused)
{
    struct cluster c;
    struct rf_event e;

    (void)unused;
    submitted(&c);
    e = rf_event_make(RF_EVENT_MEASURE, c.t_us);
    snprintf(e.reason, sizeof e.reason, "matrix-product");
    refused(&c, &e, "does something in a second");
    e = rf_event_make(RF_EVENT_MEASURE, c.t_us);
    snprintf(e.reason, sizeof e.reason, "matrix-product");
    e.flops = 1000;
    cluster_emit(&c, &e);
    assert_int_equal(c.state->peak_flops, 1000);
    e = rf_event_make(RF_EVENT_ROTATE, c.t_us);
    snprintf(e.text, sizeof e.text, "a+00000000+AAAA");
    refused(&c, &e, "names no public key");
    cluster_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grants_outside_the_rules_are_refused),
        cmocka_unit_test(readings_are_exact),
        cmocka_unit_test(a_released_job_goes_back_to_its_place),
        cmocka_unit_test(the_sequence_has_no_gap_and_time_never_goes_back),
        cmocka_unit_test(only_free_devices_leave_the_fleet),
        cmocka_unit_test(pledges_fit_into_the_whole),
        cmocka_unit_test(requests_outside_the_rules_are_refused),
        cmocka_unit_test(the_device_time_of_a_job_that_does_not_fit_is_refused),
        cmocka_unit_test(policies_change_and_reservations_pass),
        cmocka_unit_test(devices_that_are_down_still_count_as_secured),
        cmocka_unit_test(reasons_are_kept_up_to_a_number),
        cmocka_unit_test(names_and_readings_are_looked_up),
        cmocka_unit_test(an_account_gets_nothing_beyond_its_limit),
        cmocka_unit_test(a_job_gets_nothing_beyond_its_limit),
        cmocka_unit_test(a_job_that_failed_is_tried_again_in_time),
        cmocka_unit_test(disputed_readings_are_kept_apart),
        cmocka_unit_test(a_job_moves_to_another_account_with_what_it_is_charged_from_then_on),
        cmocka_unit_test(measurements_and_keys_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
