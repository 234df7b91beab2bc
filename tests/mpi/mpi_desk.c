/* What jobs may use, what they may claim, and how they change their size: live runs with jobs
 * that only count, some of which do not tell the truth. */
#include "alloc/journal.h"
#include "live_run.h"
#include "mpi/dispatch.h"
#include "mpi/protocol.h"
#include "mpi/worker.h"

static void ended(const struct rf_run_outcome *outcome, int job, enum rf_job_state state,
                  const char *reason)
{
    CHECK((enum rf_job_state)outcome->state->jobs[job].state == state);
    CHECK(strcmp(rf_state_job_reason(outcome->state, job), reason) == 0);
}

/* ---- order ---- */

static void a_higher_priority_starts_first(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    int n = world->size - 1;
    int busy = add_job(&s, "capability", n, n, 0, 5);
    int low = add_job(&s, "capability", n, n, 0, 5);
    int high = add_job(&s, "capability", n, n, 0, 5);

    add_after(&s, low, busy); /* both are ready at the same moment */
    add_after(&s, high, busy);
    s.requests[high].priority = 5;
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        const struct rf_job *jobs = outcome.state->jobs;

        CHECK(jobs[busy].end_us <= jobs[high].first_grant_us);
        CHECK(jobs[high].end_us <= jobs[low].first_grant_us);
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* Every order and every fence comes to an end, with the same jobs. */
static void every_order_and_every_fence_runs_live(const struct rf_group *world)
{
    static const char *const orders[] = {"fcfs", "easy", "conservative", "sjf", "fairshare"};
    static const char *const fences[] = {"none", "partition", "floor",
                                         "bank", "stock",     "request"};
    struct rf_run_outcome outcome;
    struct rf_error err;

    for (int i = 0; i < 6; i++) {
        struct scenario s = scenario_make(world);
        int n = world->size - 1;

        snprintf(s.policy.order, sizeof s.policy.order, "%s", orders[i % 5]);
        snprintf(s.policy.fence, sizeof s.policy.fence, "%s", fences[i]);
        snprintf(s.pledge.text, sizeof s.pledge.text, "%s", fences[i]);
        if (strcmp(fences[i], "request") == 0)
            snprintf(s.pledge.terms, sizeof s.pledge.terms, "approve=1/1,delay_us=20000");
        if (n == 1) /* half of one device is none behind a wall */
            s.pledge.share = (struct rf_share){1, 1};
        for (int k = 0; k < 4; k++) {
            int job = add_job(&s, k % 2 == 0 || n == 1 ? "alignment" : "capability", 1, 1,
                              k * 5000, 10 + 5 * k);

            s.requests[job].limit_us = 10000000;
        }
        CHECK(live_run(&s, &outcome, &err) == RF_OK);
        if (coordinates(world)) {
            for (int k = 0; k < 4; k++)
                CHECK(outcome.state->jobs[k].state == RF_JOB_DONE);
            CHECK(strcmp(outcome.state->order, orders[i % 5]) == 0);
            CHECK(strcmp(outcome.state->fence, fences[i]) == 0);
            check_ledger(&s, &outcome, "done", 0);
        }
        rf_run_outcome_clear(&outcome);
        scenario_end(&s);
    }
}

static void changes_of_mind_are_recorded_at_their_time(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_event changes[2] = {s.pledge, rf_event_make(RF_EVENT_POLICY, 60000)};
    struct rf_run_outcome outcome;
    struct rf_error err;

    changes[0].t_us = 30000;
    changes[0].share = (struct rf_share){0, 1};
    snprintf(changes[0].reason, sizeof changes[0].reason, "new-leadership");
    snprintf(changes[1].text, sizeof changes[1].text, "easy+none");
    snprintf(changes[1].author, sizeof changes[1].author, "board");
    snprintf(changes[1].reason, sizeof changes[1].reason, "simpler");
    s.promises = changes;
    s.npromises = 2;
    add_job(&s, "capability", 1, 1, 0, 120);
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        CHECK(strcmp(outcome.state->order, "easy") == 0);
        CHECK(outcome.state->pledges[0].share.num == 0);
        CHECK(outcome.state->pledges[0].since_us - outcome.state->start_us >= 30000);
        CHECK(outcome.tally->npledges == 2); /* the first one is judged as well */
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* ---- limits ---- */

static void a_job_that_failed_is_tried_again_after_a_while(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    struct sums sums;
    int job = add_job(&s, "capability", 1, world->size - 1, 0, 10);
    int gone = add_job(&s, "capability", 1, 1, 0, 5);

    s.unlucky = job;
    s.failures = 2;
    s.requests[job].retries = 3;
    s.requests[job].backoff_us = 30000;
    add_after(&s, gone, job);
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    CHECK(outcome.job_failure == RF_OK);
    if (coordinates(world)) {
        const struct rf_job *jobs = outcome.state->jobs;

        CHECK(jobs[job].state == RF_JOB_DONE && jobs[gone].state == RF_JOB_DONE);
        CHECK(jobs[job].grants == 3);
        CHECK(rf_state_job_extra(outcome.state, job)->retries == 1);
        CHECK(jobs[job].grant_us - jobs[job].first_grant_us >= 30000 + 60000);
        sums = check_ledger(&s, &outcome, "done", 0);
        CHECK(sums.retries == 2);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void what_was_allowed_is_used_up(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_event limit = rf_event_make(RF_EVENT_LIMIT, 0);
    struct rf_run_outcome outcome;
    struct rf_error err;
    int n = world->size - 1;
    int timed = add_job(&s, "capability", n, n, 0, 60000);
    int counted = add_job(&s, "capability", n, n, 0, 60000);
    int first = add_job(&s, "others.one", n, n, 0, 60000);
    int second = add_job(&s, "others.two", n, n, 0, 5);

    s.requests[timed].held_limit_us = 50000LL * n;
    s.requests[counted].flops_limit = 3000;
    snprintf(limit.account, sizeof limit.account, "others");
    snprintf(limit.author, sizeof limit.author, "test");
    snprintf(limit.reason, sizeof limit.reason, "allowance");
    limit.held_limit_us = 50000LL * n;
    s.promises = &limit;
    s.npromises = 1;
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    CHECK(outcome.job_failure == RF_ERR_PEER);
    if (coordinates(world)) {
        const struct rf_state *state = outcome.state;

        ended(&outcome, timed, RF_JOB_FAILED, "job-device-time");
        CHECK(state->jobs[timed].held_us >= 50000LL * n);
        ended(&outcome, counted, RF_JOB_FAILED, "job-flops");
        CHECK(rf_state_job_extra(state, counted)->flops >= 3000);
        ended(&outcome, first, RF_JOB_FAILED, "account-device-time");
        ended(&outcome, second, RF_JOB_DENIED, "account-device-time");
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void a_deadline_ends_who_runs_and_denies_who_waits(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    int n = world->size - 1;
    int late = add_job(&s, "capability", n, n, 0, 60000);
    int hopeless = add_job(&s, "capability", n, n, 0, 60000);

    s.requests[late].deadline_us = 600000;
    s.requests[hopeless].deadline_us = 300000;
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        const struct rf_job *jobs = outcome.state->jobs;

        ended(&outcome, late, RF_JOB_FAILED, "deadline-passed");
        CHECK(jobs[late].end_us >= jobs[late].submit_us + 600000);
        ended(&outcome, hopeless, RF_JOB_DENIED, "deadline-passed");
        CHECK(jobs[hopeless].end_us >= jobs[hopeless].submit_us + 300000);
        CHECK(jobs[hopeless].end_us < jobs[late].end_us);
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* ---- leases ---- */

/* One job claims what cannot be: on record, and the account has nothing of it. */
static void a_lie_is_disputed_and_brings_nothing(const struct rf_group *world, enum lie lie)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    struct sums sums;
    int liar = add_job(&s, "capability", 1, 1, 0, 100);

    s.lying = liar;
    s.lie = lie;
    s.lease_us = 1000; /* a reading at each step */
    s.peak_flops = 10000000;
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        const struct rf_job_extra *extra = rf_state_job_extra(outcome.state, liar);
        const struct rf_job *job = &outcome.state->jobs[liar];

        CHECK(job->state == RF_JOB_DONE);
        CHECK(extra->disputed.times == 1);
        CHECK(extra->disputed.busy_us >= (lie == LIE_BUSY ? 3600000000LL : 0));
        CHECK(extra->disputed.flops >= (lie == LIE_FLOPS ? 1000000000000000LL : 0));
        CHECK(extra->flops < 10000 && extra->tokens <= 1000);
        CHECK(extra->busy_us <= job->held_us);
        CHECK(job->held_us == job->end_us - job->grant_us);
        CHECK(outcome.state->peak_flops == 10000000);
        sums = check_ledger(&s, &outcome, "done", 0);
        CHECK(sums.disputes == 1);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void silence_is_disputed_and_charged_by_the_clock(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    int job = add_job(&s, "capability", 1, 1, 0, 100);

    s.lying = job;
    s.lie = LIE_SILENT;
    s.lease_us = 10000;
    s.lease_silence = 10; /* a tenth of a second; the job is silent for four */
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        const struct rf_job *j = &outcome.state->jobs[job];

        CHECK(j->state == RF_JOB_DONE);
        CHECK(rf_state_job_extra(outcome.state, job)->disputed.times >= 1);
        CHECK(j->held_us == j->end_us - j->grant_us);
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void a_job_that_does_not_leave_is_disputed(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    int job = add_job(&s, "capability", 1, 1, 0, 60000);

    s.lying = job;
    s.lie = LIE_STAYS;
    s.grace_us = 10000;
    s.lease_us = 5000;
    s.lease_silence = 10;
    s.requests[job].limit_us = 100000;
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        ended(&outcome, job, RF_JOB_FAILED, "time-limit");
        CHECK(rf_state_job_extra(outcome.state, job)->disputed.times >= 1);
        CHECK(outcome.state->jobs[job].held_us >= 700000);
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* The grant of the lease that a body runs under stands in the file already. */
static enum rf_outcome look_for_the_grant(void *ctx, const struct rf_group *group, int32_t job,
                                          struct rf_lease *lease, struct rf_error *err)
{
    const struct scenario *s = ctx;
    char *text = NULL, head[RF_DIGEST_BASE64], line[80];
    size_t size_bytes;

    CHECK(rf_lease_head(lease, head) > 0 && strlen(head) == 44);
    CHECK(rf_file_read(s->ledger, 1 << 24, &text, &size_bytes, err) == RF_OK);
    snprintf(line, sizeof line, "\"type\":\"grant\",\"job\":%d,", job);
    CHECK(text != NULL && strstr(text, line) != NULL);
    free(text);
    (void)group;
    return RF_OUTCOME_DONE;
}

static void nobody_gets_devices_without_a_line_in_the_ledger(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;

    for (int i = 0; i < JOBS; i++)
        add_job(&s, i % 2 == 0 ? "alignment" : "capability", 1, 1 + i % 3, 2000 * i, 1);
    s.body = look_for_the_grant;
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world))
        check_ledger(&s, &outcome, "done", 0);
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* ---- elastic jobs ---- */

/* A wide job gives devices back to a late owner without leaving, and gets them again. */
static void a_wide_job_shrinks_and_grows_under_one_lease(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    struct sums sums;
    int nworkers = world->size - 1;
    int wide = add_job(&s, "capability", 1, nworkers, 0, 2500);
    int owner = add_job(&s, "alignment", 1, 1, 500000, 50);

    s.policy.resize = 1;
    s.grace_us = 100000;
    s.patient = wide;
    s.until = owner;
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        const struct rf_job *jobs = outcome.state->jobs;

        CHECK(jobs[wide].state == RF_JOB_DONE && jobs[owner].state == RF_JOB_DONE);
        CHECK(jobs[wide].grants == 1 && jobs[wide].preemptions == 0);
        CHECK(jobs[owner].first_grant_us < jobs[wide].end_us);
        CHECK(rf_state_job_extra(outcome.state, wide)->step >= s.steps[wide]);
        sums = check_ledger(&s, &outcome, "done", 0);
        CHECK(sums.shrinks >= 1);
        CHECK(sums.grows >= 1);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void a_signal_finds_a_job_that_changes_its_size(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;

    s.signalling = add_job(&s, "capability", 1, world->size - 1, 0, 300);
    add_job(&s, "alignment", 1, 1, 3000, 20);
    s.policy.resize = 1;
    CHECK(live_run(&s, &outcome, &err) == RF_AGAIN);
    if (coordinates(world))
        check_ledger(&s, &outcome, "signal", 0);
    rf_run_outcome_clear(&outcome);
    rf_signals_forget();
    MPI_Barrier(world->comm);
    s.signalling = JOBS;
    s.resume = 1;
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        CHECK(outcome.state->jobs[0].state == RF_JOB_DONE);
        CHECK(outcome.state->jobs[1].state == RF_JOB_DONE);
        check_ledger(&s, &outcome, "done", 1);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* ---- submissions ---- */

/* A coordinator whose loop is the test's own. */
struct by_hand {
    struct rf_journal journal;
    struct rf_policy *policy;
    struct rf_dispatch *dispatch;
    struct rf_run_options options;
};

static enum rf_status before(void *self, const struct rf_state *state,
                             const struct rf_event *event, struct rf_error *err)
{
    (void)self, (void)state, (void)event, (void)err;
    return RF_OK;
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    (void)state;
    return rf_policy_observe(self, event, err);
}

static void start_by_hand(struct by_hand *h, const struct scenario *s,
                          const struct rf_group *control)
{
    struct rf_event open = rf_event_make(RF_EVENT_OPEN, 0);
    struct rf_event joined = rf_event_make(RF_EVENT_CAPACITY, 0);
    struct rf_error err;

    h->options = (struct rf_run_options){.run = "by-hand",
                                         .policy = s->policy,
                                         .lease_us = 10000,
                                         .ledger_path = s->ledger,
                                         .requests = s->requests,
                                         .nrequests = s->nrequests,
                                         .linger_us = 1000000000};
    CHECK(rf_journal_start(&h->journal, &err) == RF_OK);
    CHECK(rf_policy_create(&h->policy, &s->policy, h->journal.state, h->journal.tally, &err) ==
          RF_OK);
    rf_journal_watch(&h->journal, (struct rf_observer){h->policy, before, after});
    CHECK(rf_journal_create(&h->journal, s->ledger, "by-hand", NULL, &err) == RF_OK);
    rf_journal_at(&h->journal, rf_time_utc_us());
    snprintf(open.name, sizeof open.name, "by-hand");
    snprintf(open.version, sizeof open.version, "test");
    snprintf(joined.reason, sizeof joined.reason, "joined");
    joined.up = 1;
    CHECK(rf_idset_add(&joined.devices, 0, control->size - 1, &err) == RF_OK);
    CHECK(rf_journal_record(&h->journal, &open, &err) == RF_OK);
    CHECK(rf_journal_record(&h->journal, &joined, &err) == RF_OK);
    CHECK(rf_dispatch_create(&h->dispatch, control, &h->options, &h->journal, h->policy,
                             &err) == RF_OK);
    rf_event_clear(&joined);
}

/* Rounds until the job is in that state. */
static void round_until(struct by_hand *h, int32_t job, enum rf_job_state state)
{
    int nap_us = 0;

    while (h->journal.state->njobs <= job ||
           (enum rf_job_state)h->journal.state->jobs[job].state != state)
        if (!rf_dispatch_round(h->dispatch, rf_time_utc_us()))
            rf_message_nap(&nap_us);
}

static struct rf_request a_request(const char *name, int32_t min)
{
    struct rf_request r = {.account = "capability", .min = min, .max = min};

    snprintf(r.name, sizeof r.name, "%s", name);
    return r;
}

/* Bodies find the work of a job by its place: 0 counts for a minute, 1 and 2 are soon done. */
static void ask_for_more(struct by_hand *h, int nworkers)
{
    const struct rf_state *state = h->journal.state;
    struct rf_request two[2] = {a_request("second", 1), a_request("third", nworkers)};
    struct rf_request bad = a_request("job-0", 1);
    struct rf_pace pace;
    struct rf_error err;
    int32_t first, other;

    two[1].after[two[1].nafter++] = 1;
    two[0].effort = 3;
    two[1].effort = 4;
    round_until(h, 0, RF_JOB_RUNNING);
    CHECK(rf_dispatch_submit(h->dispatch, &bad, 1, &other, &err) == RF_ERR_ARG);
    CHECK(strstr(err.text, "there is a job 'job-0' already") != NULL);
    bad = a_request("unknown", 1);
    bad.after[bad.nafter++] = 7;
    CHECK(rf_dispatch_submit(h->dispatch, &bad, 1, &other, &err) == RF_ERR_ARG);
    bad = a_request("impossible", 0);
    CHECK(rf_dispatch_submit(h->dispatch, &bad, 1, &other, &err) == RF_ERR_INPUT);
    CHECK(state->njobs == 1 && rf_dispatch_plan_of(h->dispatch, 1) == -1);

    CHECK(rf_dispatch_submit(h->dispatch, two, 2, &first, &err) == RF_OK);
    CHECK(first == 1 && state->njobs == 3 && rf_dispatch_plan_of(h->dispatch, 2) == 2);
    CHECK(h->journal.unsynced == 0);
    pace = rf_dispatch_pace(h->dispatch);
    CHECK(rf_dispatch_planned(h->dispatch) == 3 && pace.part < 0.125);

    CHECK(rf_dispatch_cancel(h->dispatch, 9, "nobody", &err) == RF_ERR_ARG);
    CHECK(rf_dispatch_cancel(h->dispatch, 0, "no \"longer\" needed", &err) == RF_OK);
    round_until(h, 0, RF_JOB_CANCELLED);
    pace = rf_dispatch_pace(h->dispatch);
    CHECK(pace.part >= 0.125 && pace.eta_s >= 0); /* what is called off is not to be done */
    CHECK(strcmp(rf_state_job_reason(state, 0), "no 'longer' needed") == 0);
    CHECK(rf_dispatch_cancel(h->dispatch, 0, "again", &err) == RF_ERR_ARG);
    round_until(h, 2, RF_JOB_DONE);
    pace = rf_dispatch_pace(h->dispatch);
    CHECK(pace.part == 1 && pace.eta_s == 0);
    CHECK(state->jobs[1].state == RF_JOB_DONE);

    bad = a_request("never", 1); /* waits for ever, so it is cancelled where it waits */
    bad.after[bad.nafter++] = 0;
    CHECK(rf_dispatch_submit(h->dispatch, &bad, 1, &other, &err) == RF_OK);
    CHECK(rf_dispatch_cancel(h->dispatch, other, "", &err) == RF_OK);
    CHECK(state->jobs[other].state == RF_JOB_CANCELLED && h->journal.unsynced == 0);
    rf_dispatch_round(h->dispatch, rf_time_utc_us());
    CHECK(!rf_dispatch_over(h->dispatch)); /* it lingers */
    CHECK(rf_dispatch_job_failure(h->dispatch) == RF_OK);
}

static void submissions_and_cancellations_go_through_the_desk(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_group control = {0};
    struct rf_worker *worker;
    struct by_hand h = {0};
    struct rf_error err;

    add_job(&s, "capability", 1, 1, 0, 60000);
    s.requests[0].steps = 60000; /* an eighth of all there is to do */
    s.requests[0].effort = 1;
    s.steps[1] = s.steps[2] = 5;
    snprintf(s.policy.fence, sizeof s.policy.fence, "none");
    rf_group_dup(&control, world->comm);
    if (coordinates(world)) {
        start_by_hand(&h, &s, &control);
        ask_for_more(&h, world->size - 1);
        rf_dispatch_shutdown(h.dispatch);
        rf_dispatch_destroy(h.dispatch);
        rf_policy_destroy(h.policy);
        rf_journal_clear(&h.journal);
    } else {
        CHECK(rf_worker_create(&worker, &control, count_up, &s, &err) == RF_OK);
        rf_worker_serve(worker);
        rf_worker_destroy(worker);
    }
    rf_group_free(&control);
    scenario_end(&s);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    int result;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    if (world.size > 1) {
        a_higher_priority_starts_first(&world);
        every_order_and_every_fence_runs_live(&world);
        changes_of_mind_are_recorded_at_their_time(&world);
        a_job_that_failed_is_tried_again_after_a_while(&world);
        what_was_allowed_is_used_up(&world);
        a_deadline_ends_who_runs_and_denies_who_waits(&world);
        a_lie_is_disputed_and_brings_nothing(&world, LIE_BUSY);
        a_lie_is_disputed_and_brings_nothing(&world, LIE_FLOPS);
        a_lie_is_disputed_and_brings_nothing(&world, LIE_TOKENS);
        a_lie_is_disputed_and_brings_nothing(&world, LIE_NEGATIVE);
        silence_is_disputed_and_charged_by_the_clock(&world);
        a_job_that_does_not_leave_is_disputed(&world);
        nobody_gets_devices_without_a_line_in_the_ledger(&world);
        submissions_and_cancellations_go_through_the_desk(&world);
    }
    if (world.size > 2) {
        a_wide_job_shrinks_and_grows_under_one_lease(&world);
        a_signal_finds_a_job_that_changes_its_size(&world);
    }
    rf_group_free(&world);
    result = check_result();
    MPI_Finalize();
    return result;
}
