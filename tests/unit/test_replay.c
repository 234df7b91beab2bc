/* Random courses of a coordinator, with times to stop and to start again that nobody can know
 * before, failures, crashes and jobs that are called off: the replay of their ledgers has to be
 * the same course, to the microsecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/journal.h"
#include "base/rng.h"
#include "sim/fidelity.h"

enum { JOBS = 24, DEVICES = 5, START_US = 1000000007 };

struct work { /* a job as it really is */
    int64_t submit_us, left_us /* of this attempt, on its devices */;
    int64_t cancel_us; /* INT64_MAX: never */
    int32_t n, after;
    int fails; /* so often, before it goes through */
    /* this lease */
    int64_t since_us, stop_at_us, read_at_us; /* INT64_MAX: not */
    int64_t saved_us;                         /* left at the last checkpoint */
    int64_t flops_limit;
    int ends; /* it was asked to leave for good: an allowance is used up */
};

struct live {
    struct rf_journal journal;
    struct rf_policy *policy;
    struct work jobs[JOBS];
    int32_t requested;
    uint64_t seed, draws;
    int64_t now_us, crash_us, limit_us; /* limit_us: when an account gets an allowance */
    int limits; /* readings come now and then, and say how many FLOPs were done */
};

enum course { QUIET, BAD_LUCK, LIMITS };

static struct rf_policy_options options_of(uint64_t seed)
{
    static const char *const orders[] = {"fcfs", "easy", "sjf", "fairshare", "conservative"};
    static const char *const fences[] = {"floor", "bank", "none", "partition"};
    struct rf_policy_options o = rf_policy_options_make();

    snprintf(o.order, sizeof o.order, "%s", orders[seed % 5]);
    snprintf(o.fence, sizeof o.fence, "%s", fences[seed / 5 % 4]);
    return o;
}

static int64_t draw(struct live *l, int64_t least, int64_t most)
{
    return least + (int64_t)rf_rng_below(l->seed, 7, l->draws++, (uint64_t)(most - least + 1));
}

static void record(struct live *l, struct rf_event *e)
{
    struct rf_error err;

    rf_journal_at(&l->journal, START_US + l->now_us);
    if (rf_journal_record(&l->journal, e, &err) != RF_OK)
        fail_msg("%s", err.text);
    rf_event_clear(e);
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct live *l = self;

    (void)state;
    return l->policy != NULL ? rf_policy_observe(l->policy, event, err) : RF_OK;
}

static const struct rf_job *job_of(const struct live *l, int32_t i)
{
    return &l->journal.state->jobs[i];
}

/* ---- what the policy says ---- */

static void grant(struct live *l, const struct rf_proposal *p)
{
    struct rf_event e = rf_event_make(RF_EVENT_GRANT, 0);
    struct rf_idset free_now = {0};
    struct work *w = &l->jobs[p->job];
    int again = job_of(l, p->job)->grants > 0;

    e.job = p->job;
    e.lease = l->journal.state->next_lease;
    e.lent = p->lent;
    assert_int_equal(rf_idset_copy(&free_now, &l->journal.state->free, NULL), RF_OK);
    assert_int_equal(rf_idset_take(&free_now, p->count, &e.devices, NULL), RF_OK);
    rf_idset_clear(&free_now);
    record(l, &e);
    w->since_us = l->now_us + (again ? draw(l, 1, 400000) : 0);
    w->read_at_us = w->since_us + (w->left_us < 50000 ? w->left_us : 50000);
    w->stop_at_us = INT64_MAX;
    w->saved_us = w->left_us;
    w->ends = 0;
}

static void carry_out(struct live *l, const struct rf_proposal *p)
{
    struct rf_event e = rf_event_make(p->kind == RF_PROPOSE_PREEMPT ? RF_EVENT_PREEMPT
                                      : p->kind == RF_PROPOSE_DENY  ? RF_EVENT_DENY
                                                                    : RF_EVENT_DELAY,
                                      0);

    if (p->kind == RF_PROPOSE_GRANT) {
        grant(l, p);
        return;
    }
    e.job = p->job;
    snprintf(e.reason, sizeof e.reason, "%s", p->reason);
    if (p->kind == RF_PROPOSE_PREEMPT) {
        e.lease = job_of(l, p->job)->lease;
        e.by = p->by;
        l->jobs[p->job].stop_at_us = l->now_us + draw(l, 1000, 900000);
    }
    record(l, &e);
}

static void decide(struct live *l)
{
    struct rf_proposal out[16];
    int n;

    while ((n = rf_policy_propose(l->policy, START_US + l->now_us, out, 16)) > 0)
        for (int i = 0; i < n; i++)
            carry_out(l, &out[i]);
}

/* ---- what jobs do ---- */

static void charge(struct live *l, int32_t i, int64_t busy_us)
{
    struct rf_event e = rf_event_make(RF_EVENT_CHARGE, 0);
    const struct rf_job *job = job_of(l, i);

    e.job = i;
    e.lease = job->lease;
    e.held_us = rf_state_owed_us(job, START_US + l->now_us);
    e.busy_us = busy_us < e.held_us ? busy_us : e.held_us;
    if (l->limits)
        e.flops = 1000 * e.held_us;
    record(l, &e);
}

/* Whoever has used up an allowance is asked to leave for good. */
static void watch(struct live *l)
{
    const struct rf_state *s = l->journal.state;
    struct rf_event e;

    for (int32_t i = 0; l->limits && i < l->requested; i++)
        if (s->jobs[i].state == RF_JOB_RUNNING && rf_state_spent(s, &s->jobs[i]) != NULL) {
            e = rf_event_make(RF_EVENT_PREEMPT, 0);
            e.job = i;
            e.lease = s->jobs[i].lease;
            e.by = -1;
            snprintf(e.reason, sizeof e.reason, "%s", rf_state_spent(s, &s->jobs[i]));
            l->jobs[i].stop_at_us = l->now_us + draw(l, 1000, 900000);
            l->jobs[i].ends = 1;
            record(l, &e);
        }
}

static int64_t left_at(const struct work *w, int64_t t_us)
{
    int64_t worked_us = t_us > w->since_us ? t_us - w->since_us : 0;

    return w->left_us > worked_us ? w->left_us - worked_us : 0;
}

static void give_back(struct live *l, int32_t i, const char *reason, int64_t retry_us)
{
    struct rf_event e = rf_event_make(RF_EVENT_RELEASE, 0);
    const struct rf_job *job = job_of(l, i);

    e.job = i;
    e.lease = job->lease;
    e.held_us = rf_state_owed_us(job, START_US + l->now_us);
    e.retry_us = retry_us;
    snprintf(e.reason, sizeof e.reason, "%s", reason);
    record(l, &e);
}

static void end(struct live *l, int32_t i, const char *state)
{
    struct rf_event e = rf_event_make(RF_EVENT_END, 0);
    const struct rf_job *job = job_of(l, i);

    e.job = i;
    e.lease = job->lease;
    e.held_us = job->lease >= 0 ? rf_state_owed_us(job, START_US + l->now_us) : 0;
    snprintf(e.text, sizeof e.text, "%s", state);
    snprintf(e.reason, sizeof e.reason, "so-it-was");
    record(l, &e);
}

/* The work of the attempt is done: through, or failed. */
static void come_to_an_end(struct live *l, int32_t i)
{
    struct work *w = &l->jobs[i];

    if (l->limits)
        charge(l, i, 0);
    if (w->fails-- <= 0) {
        end(l, i, "done");
        return;
    }
    give_back(l, i, "failed", START_US + l->now_us + draw(l, 1, 3000000));
    w->left_us = draw(l, 1, 4000000);
}

static void stop(struct live *l, int32_t i)
{
    struct work *w = &l->jobs[i];

    if (l->limits && rf_state_owed_us(job_of(l, i), START_US + l->now_us) > 0)
        charge(l, i, 0);
    if (w->ends) {
        end(l, i, "failed");
        return;
    }
    w->left_us = left_at(w, job_of(l, i)->preempt_us - START_US);
    if (w->left_us == 0)
        w->left_us = 1;
    give_back(l, i, "preempted", 0);
}

/* When the job does something by itself. */
static int64_t next_of(const struct live *l, int32_t i)
{
    const struct work *w = &l->jobs[i];
    int64_t t_us = w->cancel_us;

    if (i >= l->requested)
        return w->submit_us;
    if (job_of(l, i)->state >= RF_JOB_DONE)
        return INT64_MAX;
    if (job_of(l, i)->state == RF_JOB_QUEUED)
        return t_us;
    if (w->read_at_us < t_us)
        t_us = w->read_at_us;
    if (w->stop_at_us < t_us)
        t_us = w->stop_at_us;
    if (w->stop_at_us == INT64_MAX && w->since_us + w->left_us < t_us)
        t_us = w->since_us + w->left_us;
    return t_us;
}

static void request(struct live *l)
{
    struct rf_event e = rf_event_make(RF_EVENT_REQUEST, 0);
    const struct work *w = &l->jobs[l->requested];

    e.job = l->requested++;
    e.min = e.max = w->n;
    e.limit_us = w->left_us + 10000000;
    e.retries = w->fails;
    e.flops_limit = w->flops_limit;
    snprintf(e.name, sizeof e.name, "j%d", e.job);
    snprintf(e.account, sizeof e.account, "%s", e.job % 3 == 0 ? "mine" : "theirs");
    if (w->after >= 0)
        e.after[e.nafter++] = w->after;
    record(l, &e);
}

static void happen(struct live *l, int32_t i)
{
    struct work *w = &l->jobs[i];

    if (i >= l->requested) {
        request(l);
    } else if (l->now_us >= w->cancel_us) {
        end(l, i, "cancelled");
    } else if (l->now_us >= w->stop_at_us) {
        stop(l, i);
    } else if (l->now_us >= w->read_at_us) {
        charge(l, i, (l->now_us - w->since_us) * w->n);
        w->read_at_us = l->limits ? l->now_us + draw(l, 1, 400000) : INT64_MAX;
    } else {
        come_to_an_end(l, i);
    }
}

/* Some of the jobs that run have a checkpoint, just before everything dies. */
static void crash(struct live *l)
{
    struct rf_event e;

    for (int32_t i = 0; i < l->requested; i++)
        if (job_of(l, i)->lease >= 0 && job_of(l, i)->state == RF_JOB_RUNNING &&
            draw(l, 0, 1) == 0 && l->jobs[i].read_at_us == INT64_MAX &&
            left_at(&l->jobs[i], l->now_us) > 0) {
            e = rf_event_make(RF_EVENT_CHECKPOINT, 0);
            e.job = i;
            l->jobs[i].saved_us = left_at(&l->jobs[i], l->now_us);
            record(l, &e);
        }
    for (int32_t i = 0; i < l->requested; i++)
        if (job_of(l, i)->lease >= 0)
            l->jobs[i].left_us = l->jobs[i].saved_us;
    l->now_us += 700001;
    e = rf_event_make(RF_EVENT_RECOVER, 0);
    record(l, &e);
    l->crash_us = INT64_MAX;
}

/* From now on one of the accounts may use so many FLOPs. */
static void limit(struct live *l)
{
    struct rf_event e = rf_event_make(RF_EVENT_LIMIT, 0);

    snprintf(e.account, sizeof e.account, "%s", l->seed % 2 == 0 ? "mine" : "theirs");
    e.flops_limit = 1000 * draw(l, 1, 30000000);
    snprintf(e.author, sizeof e.author, "me");
    snprintf(e.reason, sizeof e.reason, "so");
    record(l, &e);
    l->limit_us = INT64_MAX;
}

static void begin(struct live *l, const char *path)
{
    struct rf_policy_options options = options_of(l->seed);
    struct rf_event e = rf_event_make(RF_EVENT_OPEN, 0);
    struct rf_error err;

    assert_int_equal(rf_journal_start(&l->journal, &err), RF_OK);
    assert_int_equal(
        rf_policy_create(&l->policy, &options, l->journal.state, l->journal.tally, &err),
        RF_OK);
    rf_journal_watch(&l->journal, (struct rf_observer){.self = l, .after = after});
    if (rf_journal_create(&l->journal, path, "test", NULL, &err) != RF_OK)
        fail_msg("%s", err.text);
    snprintf(e.name, sizeof e.name, "test");
    snprintf(e.version, sizeof e.version, "0");
    snprintf(e.text, sizeof e.text, "%s+%s", options.order, options.fence);
    e.grace_us = 200000; /* which stops exceed */
    record(l, &e);
    e = rf_event_make(RF_EVENT_CAPACITY, 0);
    e.up = 1;
    snprintf(e.reason, sizeof e.reason, "joined");
    assert_int_equal(rf_idset_add(&e.devices, 0, DEVICES, &err), RF_OK);
    record(l, &e);
    e = rf_event_make(RF_EVENT_PLEDGE, 0);
    snprintf(e.account, sizeof e.account, "mine");
    snprintf(e.basis, sizeof e.basis, "fleet");
    snprintf(e.text, sizeof e.text, "%s", options.fence);
    snprintf(e.author, sizeof e.author, "me");
    snprintf(e.reason, sizeof e.reason, "so");
    e.share = (struct rf_share){2, 5};
    e.window_us = 20000000;
    e.tolerance_us = 1000000;
    record(l, &e);
}

static void draw_jobs(struct live *l, enum course course)
{
    int64_t t_us = 0;

    for (int32_t i = 0; i < JOBS; i++) {
        struct work *w = &l->jobs[i];

        t_us += draw(l, 1, 900000);
        *w = (struct work){.submit_us = t_us,
                           .left_us = draw(l, 1, 5000000),
                           .n = (int32_t)draw(l, 1, 3),
                           .after =
                               i > 0 && draw(l, 0, 3) == 0 ? (int32_t)draw(l, 0, i - 1) : -1,
                           .cancel_us = INT64_MAX};
        if (course == LIMITS && draw(l, 0, 3) == 0)
            w->flops_limit = 1000 * draw(l, 1, 8000000);
        if (course != QUIET && draw(l, 0, 5) == 0)
            w->fails = (int)draw(l, 1, 2);
        if (course == BAD_LUCK && draw(l, 0, 9) == 0)
            w->cancel_us = t_us + draw(l, 2, 6000000);
    }
    l->crash_us = course != QUIET ? draw(l, 3000000, 12000000) : INT64_MAX;
    l->limit_us = course == LIMITS ? draw(l, 1, 6000000) : INT64_MAX;
}

/* When the policy may have another answer, or a job is ready again. */
static int64_t wake_of(const struct live *l)
{
    int64_t wake_us = rf_policy_wake_us(l->policy, START_US + l->now_us);
    int64_t retry_us = l->journal.state->retry_us;

    if (retry_us > START_US + l->now_us && retry_us < wake_us)
        wake_us = retry_us;
    return wake_us == INT64_MAX ? INT64_MAX : wake_us - START_US;
}

static int is_over(const struct live *l)
{
    return l->requested == JOBS && l->journal.state->nqueue == 0 &&
           l->journal.state->nrunning == 0;
}

static void run_live(struct live *l, uint64_t seed, enum course course, const char *path)
{
    struct rf_event e;
    int asked = 0;

    *l = (struct live){.seed = seed, .limits = course == LIMITS};
    begin(l, path);
    draw_jobs(l, course);
    for (;;) {
        int64_t t_us = l->crash_us;
        int32_t who = -1;

        for (int32_t i = 0; i < JOBS; i++)
            if (next_of(l, i) < t_us && (i <= l->requested)) {
                t_us = next_of(l, i);
                who = i;
            }
        if (l->limit_us < t_us) {
            t_us = l->limit_us;
            who = -3;
        }
        if (t_us == INT64_MAX && is_over(l))
            break;
        if (t_us > l->now_us && !asked) { /* all of a moment comes first */
            decide(l);
            asked = 1;
            continue;
        }
        if (wake_of(l) < t_us) {
            t_us = wake_of(l);
            who = -2;
        }
        l->now_us = t_us > l->now_us ? t_us : l->now_us;
        if (who == -2) {
            e = rf_event_make(RF_EVENT_HEARTBEAT, 0);
            record(l, &e);
        } else if (who == -3) {
            limit(l);
        } else if (who < 0) {
            crash(l);
        } else {
            happen(l, who);
        }
        watch(l);
        asked = 0;
    }
    e = rf_event_make(RF_EVENT_CLOSE, 0);
    snprintf(e.reason, sizeof e.reason, "done");
    record(l, &e);
    assert_int_equal(rf_journal_sync(&l->journal, NULL), RF_OK);
    l->journal.nobservers = 0;
    rf_policy_destroy(l->policy);
    rf_journal_clear(&l->journal);
}

/* ---- and again ---- */

static void simulate(const struct rf_replay *replay, const struct rf_policy_options *policy,
                     struct rf_fidelity *fidelity, struct rf_sim_result *result)
{
    struct rf_sim_options options = rf_sim_options_make();
    struct rf_steps steps = {0};
    struct rf_observer watcher = rf_steps_observer(&steps);
    struct rf_world world;
    struct rf_error err = {RF_OK, ""};

    assert_int_equal(rf_replay_world(replay, NULL, &world, &err), RF_OK);
    options.policy = *policy;
    options.devices = replay->devices;
    options.grace_us = replay->grace_us;
    options.world = &world;
    options.by_id = 1;
    options.observers = &watcher;
    options.nobservers = 1;
    if (rf_sim_run(&replay->workload, &options, result, &err) != RF_OK)
        fail_msg("%s", err.text);
    assert_int_equal(rf_fidelity_compare(fidelity, replay, result, &steps, &err), RF_OK);
    rf_steps_clear(&steps);
    rf_world_clear(&world);
}

static void check_course(uint64_t seed, enum course course, int64_t most_us)
{
    struct rf_policy_options policy = options_of(seed);
    struct rf_replay_options options = {.policy = &policy};
    struct live *l = calloc(1, sizeof *l);
    struct rf_sim_result result;
    struct rf_fidelity f;
    struct rf_replay replay;
    struct rf_error err = {RF_OK, ""};
    enum rf_status st;
    char dir[] = "/tmp/ringfence-replay-XXXXXX", path[64];

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/ledger.jsonl", dir);
    assert_non_null(l);
    run_live(l, seed, course, path);
    free(l);
    st = rf_replay_read(&replay, path, &options, &err);
    unlink(path);
    rmdir(dir);
    if (st != RF_OK)
        fail_msg("seed %d: %s", (int)seed, err.text);
    assert_int_equal(replay.retake.same, replay.retake.decisions);
    assert_true(replay.retake.decisions >= JOBS / 2);
    assert_int_equal(replay.unfinished, 0);
    simulate(&replay, &policy, &f, &result);
    if (f.same != f.steps || f.steps != f.steps_simulated || f.max_us > most_us)
        fail_msg("seed %d: %d of %d and %d steps, starts differ by %d us; then recorded job %d "
                 "at %lld us (%s), simulated job %d at %lld us (%s)",
                 (int)seed, (int)f.same, (int)f.steps, (int)f.steps_simulated, (int)f.max_us,
                 f.recorded.job, (long long)f.recorded.t_us,
                 rf_event_type_name(f.recorded.type), f.simulated.job,
                 (long long)f.simulated.t_us, rf_event_type_name(f.simulated.type));
    for (int32_t i = 0; i < result.state->njobs; i++)
        assert_int_equal(result.state->jobs[i].state, replay.jobs[i].state);
    rf_sim_result_clear(&result);
    rf_replay_clear(&replay);
}

static void a_quiet_course_is_the_same_again(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < 60; seed++)
        check_course(seed, QUIET, 0);
}

/* A crash is a microsecond after the last line, and a cancellation at a request's own moment
 * one after it. */
static void failures_crashes_and_cancellations_are_the_same_again(void **unused)
{
    (void)unused;
    for (uint64_t seed = 100; seed < 220; seed++)
        check_course(seed, BAD_LUCK, 2);
}

/* Who is denied, and who is not, is a matter of when FLOPs were read. */
static void allowances_of_flops_are_used_up_at_the_same_moments(void **unused)
{
    (void)unused;
    for (uint64_t seed = 300; seed < 420; seed++)
        check_course(seed, LIMITS, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_course_is_the_same_again),
        cmocka_unit_test(failures_crashes_and_cancellations_are_the_same_again),
        cmocka_unit_test(allowances_of_flops_are_used_up_at_the_same_moments)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
