/* Priorities, deadlines, allowances and retries, as the policies see them: under every order the same
 * rules hold, and a policy that was created later, or watched all the time, says the same. */
#include "virtual_cluster.h"

#include "base/rng.h"

static const char *const ORDERS[] = {"fcfs", "easy", "conservative", "sjf", "fairshare"};
enum { NORDERS = sizeof ORDERS / sizeof *ORDERS };

static void start(struct cluster *c, const char *order, int32_t devices)
{
    struct rf_policy_options options = rf_policy_options_make();

    cluster_start(c, "none", devices, NULL);
    rf_policy_destroy(c->policy);
    snprintf(options.order, sizeof options.order, "%s", order);
    assert_int_equal(rf_policy_create(&c->policy, &options, c->state, c->tally, NULL), RF_OK);
    /* the open event named another order: events rule */
    {
        struct rf_event e = rf_event_make(RF_EVENT_POLICY, c->t_us);

        snprintf(e.text, sizeof e.text, "%s+none", order);
        snprintf(e.reason, sizeof e.reason, "test");
        cluster_emit(c, &e);
    }
}

static struct rf_event request(const struct cluster *c, int32_t min, int32_t priority)
{
    struct rf_event e = rf_event_make(RF_EVENT_REQUEST, c->t_us);

    e.job = c->state->njobs;
    snprintf(e.account, sizeof e.account, e.job % 2 == 0 ? "alignment" : "capability");
    e.min = e.max = min;
    e.limit_us = HOUR;
    e.priority = priority;
    return e;
}

static int32_t submit(struct cluster *c, struct rf_event e)
{
    cluster_emit(c, &e);
    return c->state->njobs - 1;
}

static void pass(struct cluster *c, int64_t us)
{
    struct rf_event e = rf_event_make(RF_EVENT_HEARTBEAT, c->t_us += us);

    cluster_emit(c, &e);
}

static void end(struct cluster *c, int32_t job)
{
    struct rf_event e = rf_event_make(RF_EVENT_END, c->t_us);

    e.job = job;
    e.lease = c->state->jobs[job].lease;
    e.held_us = rf_state_owed_us(&c->state->jobs[job], c->t_us);
    snprintf(e.text, sizeof e.text, "done");
    cluster_emit(c, &e);
}

/* The job that runs, when only one does. */
static int32_t runs(const struct cluster *c)
{
    assert_int_equal(c->state->nrunning, 1);
    return c->state->running_first;
}

static void higher_priorities_come_first_under_every_order(void **unused)
{
    static const int32_t PRIORITIES[] = {0, -3, 7, 0, 7, 2};
    static const int32_t EXPECTED[] = {2, 4, 5, 0, 3, 1};

    (void)unused;
    for (int k = 0; k < NORDERS; k++) {
        struct cluster c;
        int32_t busy;

        start(&c, ORDERS[k], 4);
        busy = submit(&c, request(&c, 4, 0));
        cluster_ask(&c);
        for (int i = 0; i < 6; i++) { /* of one account: fairshare has nothing else to go by */
            struct rf_event e = request(&c, 4, PRIORITIES[i]);

            snprintf(e.account, sizeof e.account, "alignment");
            submit(&c, e);
            cluster_ask(&c);
        }
        assert_int_equal(runs(&c), busy);
        for (int i = 0; i < 6; i++) {
            pass(&c, 60 * SECOND);
            end(&c, runs(&c));
            cluster_ask(&c);
            assert_int_equal(runs(&c), 1 + EXPECTED[i]);
        }
        cluster_end(&c);
    }
}

/* Whoever starts, nobody of a higher priority that needs no more was waiting. */
static void nobody_overtakes_a_higher_priority_of_the_same_size(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < 20; seed++)
        for (int k = 0; k < NORDERS; k++) {
            struct cluster c;

            start(&c, ORDERS[k], 8);
            for (int i = 0; i < 120; i++) {
                uint64_t bits = rf_rng_bits(seed, (uint64_t)k, (uint64_t)i);
                int64_t before = c.state->next_seq;

                if (bits % 3 == 0 && c.state->nrunning > 0)
                    end(&c, c.state->running_first);
                else
                    submit(&c, request(&c, 1 + (int32_t)(bits >> 8 & 1023) % 6,
                                       (int32_t)(bits >> 16 & 3) - 1));
                cluster_ask(&c);
                for (int32_t j = c.state->running_first; j >= 0; j = c.state->jobs[j].next)
                    for (int32_t w = c.state->queue_first; w >= 0; w = c.state->jobs[w].next)
                        if (c.state->jobs[j].grant_us == c.t_us &&
                            c.state->jobs[w].submit_us < c.t_us &&
                            rf_state_job_extra(c.state, w)->priority >
                                rf_state_job_extra(c.state, j)->priority &&
                            c.state->jobs[w].min <= c.state->jobs[j].min)
                            fail_msg("%s, seed %d: job %d before %d", ORDERS[k], (int)seed, j,
                                     w);
                assert_true(c.state->next_seq > before);
                pass(&c, (int64_t)(bits >> 40 & 1023) * SECOND);
            }
            cluster_end(&c);
        }
}

static void a_job_is_denied_when_its_deadline_passes_and_not_before(void **unused)
{
    (void)unused;
    for (int k = 0; k < NORDERS; k++) {
        struct rf_event e;
        struct cluster c;
        int32_t late;

        start(&c, ORDERS[k], 4);
        submit(&c, request(&c, 4, 0));
        cluster_ask(&c);
        e = request(&c, 4, 0);
        e.deadline_us = c.t_us + 100 * SECOND;
        late = submit(&c, e);
        cluster_ask(&c);
        assert_int_equal(rf_policy_wake_us(c.policy, c.t_us), e.deadline_us);
        assert_false(rf_policy_settled(c.policy));
        pass(&c, 100 * SECOND - 1);
        cluster_ask(&c);
        assert_int_equal(c.state->jobs[late].state, RF_JOB_QUEUED);
        pass(&c, 1);
        cluster_ask(&c);
        assert_int_equal(c.state->jobs[late].state, RF_JOB_DENIED);
        assert_string_equal(rf_state_job_reason(c.state, late), "deadline-passed");
        assert_int_equal(rf_policy_wake_us(c.policy, c.t_us), INT64_MAX);
        cluster_end(&c);
    }
}

static void who_has_used_up_what_was_allowed_is_denied(void **unused)
{
    (void)unused;
    for (int k = 0; k < NORDERS; k++) {
        struct rf_event limit;
        struct cluster c;
        int32_t first, second, other;

        start(&c, ORDERS[k], 4);
        limit = rf_event_make(RF_EVENT_LIMIT, c.t_us);
        snprintf(limit.account, sizeof limit.account, "alignment");
        snprintf(limit.reason, sizeof limit.reason, "test");
        limit.held_limit_us = 400 * SECOND;
        cluster_emit(&c, &limit);
        first = submit(&c, request(&c, 4, 0)); /* even: alignment */
        other = submit(&c, request(&c, 4, 0));
        second = submit(&c, request(&c, 4, 0));
        cluster_ask(&c);
        pass(&c, 101 * SECOND);
        end(&c, first);
        cluster_ask(&c);
        assert_int_equal(runs(&c), other);
        assert_int_equal(c.state->jobs[second].state, RF_JOB_DENIED);
        assert_string_equal(rf_state_job_reason(c.state, second), "account-device-time");
        cluster_end(&c);
    }
}

static void a_released_job_that_has_nothing_left_is_denied(void **unused)
{
    struct rf_event e;
    struct cluster c;
    int32_t job;

    (void)unused;
    start(&c, "easy", 4);
    e = request(&c, 4, 0);
    e.held_limit_us = 40 * SECOND;
    job = submit(&c, e);
    cluster_ask(&c);
    pass(&c, 10 * SECOND);
    e = rf_event_make(RF_EVENT_RELEASE, c.t_us);
    e.job = job;
    e.lease = 0;
    e.held_us = 40 * SECOND;
    snprintf(e.reason, sizeof e.reason, "preempted");
    cluster_emit(&c, &e);
    cluster_ask(&c);
    assert_int_equal(c.state->jobs[job].state, RF_JOB_DENIED);
    assert_string_equal(rf_state_job_reason(c.state, job), "job-device-time");
    cluster_end(&c);
}

static void a_failed_job_comes_back_when_its_time_has_come(void **unused)
{
    (void)unused;
    for (int k = 0; k < NORDERS; k++) {
        struct rf_event e;
        struct cluster c;
        int64_t retry_us;
        int32_t job;

        start(&c, ORDERS[k], 4);
        e = request(&c, 4, 0);
        e.retries = 1;
        job = submit(&c, e);
        cluster_ask(&c);
        pass(&c, 10 * SECOND);
        e = rf_event_make(RF_EVENT_RELEASE, c.t_us);
        e.job = job;
        e.lease = 0;
        e.held_us = 40 * SECOND;
        e.retry_us = retry_us = c.t_us + 5 * SECOND;
        snprintf(e.reason, sizeof e.reason, "failed");
        cluster_emit(&c, &e);
        cluster_ask(&c);
        assert_int_equal(c.state->jobs[job].state, RF_JOB_QUEUED);
        assert_int_equal(rf_policy_wake_us(c.policy, c.t_us), retry_us);
        pass(&c, 5 * SECOND);
        cluster_ask(&c);
        assert_int_equal(runs(&c), job);
        cluster_end(&c);
    }
}

/* With nobody there to use them, no lender gives devices back, whatever the share is short of. */
static void nobody_shrinks_for_an_account_without_jobs(void **unused)
{
    struct rf_policy_options options = rf_policy_options_make();
    struct rf_proposal out[8];
    struct rf_event e;
    struct cluster c;

    (void)unused;
    cluster_start(&c, "floor", 4, NULL);
    rf_policy_destroy(c.policy);
    snprintf(options.fence, sizeof options.fence, "floor");
    options.resize = 1;
    assert_int_equal(rf_policy_create(&c.policy, &options, c.state, c.tally, NULL), RF_OK);
    cluster_pledge(&c, "alignment", "50%", "floor", HOUR, 0);
    e = request(&c, 1, 0);
    snprintf(e.account, sizeof e.account, "capability");
    e.max = 4;
    e.limit_us = 0;
    submit(&c, e);
    cluster_ask(&c);
    assert_int_equal(c.state->jobs[0].ndevices, 4);
    for (int window = 0; window < 3; window++) {
        pass(&c, HOUR);
        assert_int_equal(rf_policy_propose(c.policy, c.t_us, out, 8), 0);
    }
    cluster_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(higher_priorities_come_first_under_every_order),
        cmocka_unit_test(nobody_overtakes_a_higher_priority_of_the_same_size),
        cmocka_unit_test(a_job_is_denied_when_its_deadline_passes_and_not_before),
        cmocka_unit_test(who_has_used_up_what_was_allowed_is_denied),
        cmocka_unit_test(a_released_job_that_has_nothing_left_is_denied),
        cmocka_unit_test(a_failed_job_comes_back_when_its_time_has_come),
        cmocka_unit_test(nobody_shrinks_for_an_account_without_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
