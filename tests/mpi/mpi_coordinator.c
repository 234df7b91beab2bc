/* The live run with jobs that only count: who gets devices when, what the ledger
 * says about it, and how a run ends when a job, a signal or the disk ends it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "alloc/audit.h"
#include "base/file.h"
#include "check.h"
#include "mpi/coordinator.h"

enum { JOBS = 8 };

/* One run: what is asked for, and how its jobs behave. */
struct scenario {
    const struct rf_group *world;
    char dir[RF_PATH_BYTES], ledger[RF_PATH_BYTES];
    struct rf_policy_options policy;
    struct rf_event pledge;
    struct rf_request requests[JOBS];
    int64_t steps[JOBS];
    int nrequests;
    struct rf_key *key;
    int resume;
    int failing;        /* this job fails at its end; -1: none */
    int signalling;     /* this job's last rank gets a signal in its fifth step; -1: none */
    int parting;        /* this job's last rank gets one after its last step; -1: none */
    int patient, until; /* job `patient` goes on until job `until` has stopped once; -1: none */
    int64_t lease_us;
};

static int coordinates(const struct rf_group *world)
{
    return world->rank == world->size - 1;
}

/* ---- jobs that count ---- */

static void step_path(const struct scenario *s, int32_t job, char path[RF_PATH_BYTES])
{
    char name[32];

    snprintf(name, sizeof name, "job-%d.step", job);
    CHECK(rf_file_join(path, s->dir, name, NULL) == RF_OK);
}

static int64_t load_step(const struct scenario *s, const struct rf_group *group, int32_t job)
{
    char path[RF_PATH_BYTES], *text;
    size_t size_bytes;
    long long step = 0;

    step_path(s, job, path);
    if (group->rank == 0 && rf_file_exists(path)) {
        CHECK(rf_file_read(path, 100, &text, &size_bytes, NULL) == RF_OK);
        step = strtoll(text, NULL, 10);
        free(text);
    }
    MPI_Bcast(&step, 1, MPI_LONG_LONG, 0, group->comm);
    return step;
}

static void save_step(const struct scenario *s, const struct rf_group *group, int32_t job,
                      int64_t step)
{
    char path[RF_PATH_BYTES], text[32];

    if (group->rank != 0)
        return;
    step_path(s, job, path);
    snprintf(text, sizeof text, "%lld\n", (long long)step);
    CHECK(rf_file_write(path, text, strlen(text), NULL) == RF_OK);
}

/* Time does not decide whether the reclaim is seen: the victim outlasts what it makes room for.
 */
static int waits(const struct scenario *s, const struct rf_group *group, int32_t job)
{
    char path[RF_PATH_BYTES];
    int missing = 0;

    if (job != s->patient)
        return 0;
    step_path(s, s->until, path);
    if (group->rank == 0)
        missing = !rf_file_exists(path);
    MPI_Bcast(&missing, 1, MPI_INT, 0, group->comm);
    return missing;
}

static enum rf_outcome count_up(void *ctx, const struct rf_group *group, int32_t job,
                                struct rf_lease *lease, struct rf_error *err)
{
    const struct scenario *s = ctx;
    const struct timespec pause = {.tv_nsec = 1000000};
    int64_t step = load_step(s, group, job);
    enum rf_stop stop = RF_GO;

    while ((step < s->steps[job] || waits(s, group, job)) && stop == RF_GO) {
        struct rf_reading reading = {.busy_us = 500 * group->size, .tokens = 10, .flops = 100};

        nanosleep(&pause, NULL);
        reading.step = ++step;
        if (job == s->signalling && step == 5 && group->rank == group->size - 1)
            raise(SIGUSR1);
        stop = rf_lease_poll(lease, group, &reading);
    }
    if (job == s->failing) {
        rf_fail(err, RF_ERR_INPUT, "data set \"%s\" is empty", "letters");
        return RF_OUTCOME_FAILED;
    }
    if (job == s->parting && group->rank == group->size - 1)
        raise(SIGUSR1);
    save_step(s, group, job, step);
    rf_lease_checkpoint(lease, group, step,
                        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                        "job/step");
    return step < s->steps[job] || waits(s, group, job) ? RF_OUTCOME_STOPPED : RF_OUTCOME_DONE;
}

/* ---- a run ---- */

static int add_job(struct scenario *s, const char *account, int min, int max, int64_t submit_us,
                   int64_t steps)
{
    struct rf_request *r = &s->requests[s->nrequests];

    *r = (struct rf_request){.min = min, .max = max, .submit_us = submit_us};
    snprintf(r->name, sizeof r->name, "job-%d", s->nrequests);
    snprintf(r->account, sizeof r->account, "%s", account);
    s->steps[s->nrequests] = steps;
    return s->nrequests++;
}

static void add_after(struct scenario *s, int job, int before)
{
    s->requests[job].after[s->requests[job].nafter++] = before;
}

/* A folder of its own below the working directory, the same name on every rank. */
static struct scenario scenario_make(const struct rf_group *world)
{
    struct scenario s = {.world = world,
                         .failing = -1,
                         .signalling = -1,
                         .parting = -1,
                         .patient = -1,
                         .lease_us = 20000};
    char secret[RF_PATH_BYTES], public[RF_PATH_BYTES];
    struct rf_error err = {.status = RF_OK};
    enum rf_status st = RF_OK;

    snprintf(s.dir, sizeof s.dir, "mpi_coordinator.XXXXXX");
    if (world->rank == 0)
        CHECK(mkdtemp(s.dir) != NULL);
    MPI_Bcast(s.dir, (int)sizeof s.dir, MPI_BYTE, 0, world->comm);
    CHECK(rf_file_join(s.ledger, s.dir, "ledger.jsonl", NULL) == RF_OK);
    s.policy = rf_policy_options_make();
    snprintf(s.policy.fence, sizeof s.policy.fence, "floor");
    if (coordinates(world)) {
        CHECK(rf_file_join(secret, s.dir, "run.key", NULL) == RF_OK);
        CHECK(rf_file_join(public, s.dir, "run.pub", NULL) == RF_OK);
        st = rf_key_generate(secret, public, "test-run", &err);
        if (st == RF_OK)
            st = rf_key_load(&s.key, secret, &err);
        CHECK(st == RF_OK);
    }
    s.pledge = rf_event_make(RF_EVENT_PLEDGE, 0);
    snprintf(s.pledge.account, sizeof s.pledge.account, "alignment");
    snprintf(s.pledge.basis, sizeof s.pledge.basis, "fleet");
    snprintf(s.pledge.text, sizeof s.pledge.text, "floor");
    snprintf(s.pledge.author, sizeof s.pledge.author, "test");
    s.pledge.share = (struct rf_share){1, world->size > 2 ? world->size - 1 : 2};
    s.pledge.window_us = 60000000;
    s.pledge.tolerance_us = 2000000;
    rf_signals_start();
    rf_signals_forget();
    return s;
}

static void scenario_end(struct scenario *s)
{
    char command[RF_PATH_BYTES + 16];

    MPI_Barrier(s->world->comm);
    rf_key_free(s->key);
    if (s->world->rank == 0) {
        snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
        CHECK(system(command) == 0);
    }
}

static enum rf_status run(struct scenario *s, struct rf_run_outcome *outcome,
                          struct rf_error *err)
{
    struct rf_run_options o = {.run = "test-run",
                               .version = "test",
                               .config_digest = "",
                               .policy = s->policy,
                               .policy_name = "fcfs+floor",
                               .grace_us = 1000000,
                               .lease_us = s->lease_us,
                               .seal_us = 100000,
                               .heartbeat_us = 50000,
                               .pledges = &s->pledge,
                               .npledges = 1,
                               .requests = s->requests,
                               .nrequests = s->nrequests,
                               .ledger_path = s->ledger,
                               .key = s->key,
                               .resume = s->resume};
    enum rf_status st;
    int same;

    *err = (struct rf_error){.status = RF_OK};
    st = rf_coordinate(s->world, &o, count_up, s, outcome, err);
    same = (int)st;
    MPI_Bcast(&same, 1, MPI_INT, 0, s->world->comm);
    CHECK(same == (int)st);
    CHECK(outcome->status == st);
    CHECK(err->status == st);
    CHECK((outcome->state != NULL) == coordinates(s->world));
    return st;
}

/* ---- what must hold of every ledger ---- */

struct sums {
    struct rf_state *state;
    int64_t charged_us, held_us, recovers;
    char close_reason[RF_TEXT_BYTES];
};

/* Counts device-time a second time, from grants and ends alone. */
static enum rf_status add_up(void *ctx, const struct rf_event *event, struct rf_error *err)
{
    struct sums *sums = ctx;

    if (event->type == RF_EVENT_RELEASE || event->type == RF_EVENT_END) {
        const struct rf_job *job = &sums->state->jobs[event->job];

        if (job->lease >= 0)
            sums->held_us += job->ndevices * (event->t_us - job->grant_us);
    }
    sums->charged_us += event->held_us;
    if (event->type == RF_EVENT_CHARGE && event->busy_us > event->held_us)
        return rf_fail(err, RF_ERR_INPUT, "busy for longer than held");
    sums->recovers += event->type == RF_EVENT_RECOVER;
    if (event->type == RF_EVENT_CLOSE)
        snprintf(sums->close_reason, sizeof sums->close_reason, "%s", event->reason);
    return rf_state_apply(sums->state, event, err);
}

static void dependencies_were_respected(const struct rf_state *state)
{
    for (int32_t i = 0; i < state->njobs; i++) {
        const struct rf_job_extra *extra = rf_state_job_extra(state, i);

        for (int32_t k = 0; k < extra->nafter; k++)
            if (state->jobs[i].first_grant_us >= 0)
                CHECK(state->jobs[i].first_grant_us >= state->jobs[extra->after[k]].end_us);
    }
}

/* On the coordinator's rank: the file says what the outcome says, and verifies. */
static void check_ledger(const struct scenario *s, const struct rf_run_outcome *outcome,
                         const char *close_reason, int recovers)
{
    struct rf_error err = {.status = RF_OK};
    struct rf_audit audit = {0};
    struct rf_ledger_check check;
    struct sums sums = {0};
    int64_t held_us = 0;

    CHECK(rf_audit_ledger(&audit, s->ledger, NULL, &err) == RF_OK);
    CHECK(audit.ledger.chain_ok && audit.ledger.seals_ok);
    CHECK(audit.ledger.problem[0] == '\0');
    CHECK(audit.ledger.entries == outcome->entries);
    CHECK(audit.ledger.sealed_entries == outcome->entries && outcome->sealed);
    CHECK(strcmp(audit.ledger.head, outcome->head) == 0);
    rf_audit_clear(&audit);

    CHECK(rf_state_create(&sums.state, 0, &err) == RF_OK);
    CHECK(rf_ledger_verify(s->ledger, NULL, add_up, &sums, &check, &err) == RF_OK);
    CHECK(check.first_bad_seq == -1);
    for (int32_t i = 0; i < outcome->state->njobs; i++)
        held_us += outcome->state->jobs[i].held_us;
    CHECK(sums.charged_us == held_us);
    if (recovers == 0 || s->signalling >= 0)
        CHECK(sums.held_us ==
              held_us); /* nothing was lost, so every lease was charged in full */
    CHECK(sums.recovers == recovers);
    CHECK(strcmp(sums.close_reason, close_reason) == 0);
    rf_state_destroy(sums.state);

    CHECK(rf_wide_narrow(outcome->tally->used_us) <=
          rf_wide_narrow(outcome->tally->capacity_us));
    CHECK(outcome->state->nfree == outcome->state->nfleet);
    CHECK(outcome->state->nfleet == s->world->size - 1);
    dependencies_were_respected(outcome->state);
}

/* ---- the sentences ---- */

static void one_rank_is_told_what_it_needs(const struct rf_group *world)
{
    struct rf_run_options o = {.run = "alone"};
    struct rf_run_outcome outcome;
    struct rf_error err = {.status = RF_OK};

    CHECK(rf_coordinate(world, &o, count_up, NULL, &outcome, &err) == RF_ERR_ARG);
    CHECK(strstr(err.text, "at least 2 ranks") != NULL);
    rf_run_outcome_clear(&outcome);
}

static void a_solo_lease_hears_signals(const struct rf_group *world)
{
    struct rf_reading reading = {.step = 1};
    struct rf_lease *lease = NULL;

    CHECK(rf_lease_solo(&lease, NULL) == RF_OK);
    CHECK(rf_lease_poll(lease, world, &reading) == RF_GO);
    if (world->rank == world->size - 1)
        raise(SIGTERM);
    CHECK(rf_lease_poll(lease, world, &reading) == RF_STOP_SIGNAL);
    rf_lease_free(lease);
    rf_signals_forget();
    MPI_Barrier(world->comm);
}

static void a_late_owner_gets_its_share_back_and_all_finish(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    int nworkers = world->size - 1;
    int big = add_job(&s, "capability.pretraining", 1, nworkers, 0, 100);
    int owner = add_job(&s, "alignment.oversight", 1, 1, 50000, 20);
    int next = add_job(&s, "alignment", 1, nworkers, 50000, 20);
    int last = add_job(&s, "capability", 1, nworkers, 50000, 20);

    s.patient = big;
    s.until = owner;
    add_after(&s, next, owner);
    add_after(&s, last, big);
    add_after(&s, last, next);
    CHECK(run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        const struct rf_job *jobs = outcome.state->jobs;

        CHECK(outcome.state->njobs == s.nrequests);
        for (int i = 0; i < outcome.state->njobs; i++) {
            CHECK(jobs[i].state == RF_JOB_DONE);
            CHECK(rf_state_job_extra(outcome.state, i)->step >= s.steps[i]);
            CHECK(rf_state_job_extra(outcome.state, i)->tokens >= 10 * s.steps[i]);
        }
        CHECK(jobs[big].preemptions >= 1 && jobs[big].grants >= 2);
        CHECK(jobs[owner].first_grant_us < jobs[big].end_us);
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void a_failed_job_takes_only_its_dependents_along(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    int bad = add_job(&s, "alignment", 1, 1, 0, 5);
    int orphan = add_job(&s, "alignment", 1, 1, 0, 5);
    int fine = add_job(&s, "capability", 1, 1, 0, 5);

    add_after(&s, orphan, bad);
    s.failing = bad;
    CHECK(run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        const struct rf_job *jobs = outcome.state->jobs;

        CHECK(jobs[bad].state == RF_JOB_FAILED);
        CHECK(strcmp(rf_state_job_reason(outcome.state, bad), "data set 'letters' is empty") ==
              0);
        CHECK(jobs[orphan].state == RF_JOB_DENIED);
        CHECK(jobs[fine].state == RF_JOB_DONE);
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void a_job_over_its_limit_is_ended(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;
    int slow = add_job(&s, "capability", 1, 1, 0, 60000);

    s.requests[slow].limit_us = 30000;
    CHECK(run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        CHECK(outcome.state->jobs[slow].state == RF_JOB_FAILED);
        CHECK(strcmp(rf_state_job_reason(outcome.state, slow), "time-limit") == 0);
        check_ledger(&s, &outcome, "done", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void resuming_finishes_the_work(struct scenario *s, int recovers)
{
    struct rf_run_outcome outcome;
    struct rf_error err;
    int64_t entries = 0;

    rf_signals_forget();
    MPI_Barrier(s->world->comm);
    s->signalling = s->signalling >= 0 ? JOBS : -1; /* has happened */
    s->resume = 1;
    CHECK(run(s, &outcome, &err) == RF_OK);
    if (coordinates(s->world)) {
        CHECK(outcome.state->njobs == s->nrequests);
        for (int i = 0; i < outcome.state->njobs; i++) {
            CHECK(outcome.state->jobs[i].state == RF_JOB_DONE);
            CHECK(rf_state_job_extra(outcome.state, i)->step == s->steps[i]);
        }
        check_ledger(s, &outcome, "done", recovers);
        entries = outcome.entries;
    }
    rf_run_outcome_clear(&outcome);

    /* ...and once more: there is nothing left to do, and nothing is written. */
    CHECK(run(s, &outcome, &err) == RF_OK);
    if (coordinates(s->world)) {
        CHECK(outcome.entries == entries && outcome.sealed);
        CHECK(outcome.state->closed);
    }
    rf_run_outcome_clear(&outcome);
}

static void a_signal_to_one_rank_of_a_job_stops_the_run(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;

    s.signalling = add_job(&s, "capability", 1, world->size - 1, 0, 400);
    add_job(&s, "alignment", 1, 1, 0, 20);
    CHECK(run(&s, &outcome, &err) == RF_AGAIN);
    CHECK(strstr(err.text, "--resume") != NULL);
    if (coordinates(world))
        check_ledger(&s, &outcome, "signal", 0);
    rf_run_outcome_clear(&outcome);
    resuming_finishes_the_work(&s, 1);
    scenario_end(&s);
}

/* The job would take a minute; the rank that hears of the end has no job, or is the
 * coordinator. */
static void a_signal_to_a_rank_without_a_job_stops_the_run(const struct rf_group *world,
                                                           int rank)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;

    add_job(&s, "capability", 1, 1, 0, 60000);
    if (world->rank == rank)
        raise(SIGTERM);
    CHECK(run(&s, &outcome, &err) == RF_AGAIN);
    if (coordinates(world))
        check_ledger(&s, &outcome, "signal", 0);
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* Nobody in the job looks any more; the rank that was hit has to say it by itself. */
static void a_signal_after_the_last_step_is_heard(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;

    s.parting = add_job(&s, "capability", 1, world->size - 1, 0, 5);
    add_job(&s, "capability", 1, world->size - 1, 0, 60000);
    CHECK(run(&s, &outcome, &err) == RF_AGAIN);
    if (coordinates(world)) {
        CHECK(outcome.state->jobs[s.parting].state == RF_JOB_DONE);
        check_ledger(&s, &outcome, "signal", 0);
    }
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

static void an_unwritable_ledger_is_everyones_error(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;

    CHECK(rf_file_join(s.ledger, s.dir, "missing/ledger.jsonl", NULL) == RF_OK);
    add_job(&s, "capability", 1, 1, 0, 5);
    CHECK(rf_exit_code(run(&s, &outcome, &err)) == 3);
    CHECK(strstr(err.text, "missing/ledger.jsonl") != NULL);
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* The coordinator may write so many bytes and no more; readings every millisecond fill them
 * soon. */
static void a_full_disk_stops_the_run_and_loses_nothing(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rlimit before = {0}, tight;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, handler;
    struct rf_run_outcome outcome;
    struct rf_error err;

    s.lease_us = 1000;
    add_job(&s, "capability", 1, world->size - 1, 0, 200);
    add_job(&s, "alignment", 1, 1, 0, 20);
    if (coordinates(world)) {
        sigaction(SIGXFSZ, &ignore, &handler);
        CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
        tight = before;
        tight.rlim_cur = 6000;
        CHECK(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    }
    CHECK(run(&s, &outcome, &err) == RF_ERR_IO);
    CHECK(strstr(err.text, "ledger.jsonl") != NULL);
    rf_run_outcome_clear(&outcome);
    if (coordinates(world)) {
        CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
        sigaction(SIGXFSZ, &handler, NULL);
    }
    s.lease_us = 20000;
    resuming_finishes_the_work(&s, 1);
    scenario_end(&s);
}

/* The last worker does not come back; the rank before it becomes the coordinator. */
static void a_run_goes_on_with_fewer_workers(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_group fewer = {0};
    struct rf_run_outcome outcome;
    struct rf_error err;
    char secret[RF_PATH_BYTES];
    int ranks[64], n = world->size - 1 < 64 ? world->size - 1 : 64;

    s.signalling = add_job(&s, "capability", 1, world->size - 1, 0, 100);
    add_job(&s, "alignment", 1, 1, 0, 20);
    CHECK(run(&s, &outcome, &err) == RF_AGAIN);
    rf_run_outcome_clear(&outcome);
    for (int i = 0; i < n; i++)
        ranks[i] = i;
    if (world->rank < n) {
        rf_group_among(&fewer, world, ranks, n, 0);
        s.world = &fewer;
        CHECK(rf_file_join(secret, s.dir, "run.key", NULL) == RF_OK);
        if (coordinates(&fewer))
            CHECK(rf_key_load(&s.key, secret, &err) == RF_OK);
        resuming_finishes_the_work(&s, 1);
        rf_group_free(&fewer);
        s.world = world;
    }
    scenario_end(&s);
}

static void another_configuration_is_not_resumed(const struct rf_group *world)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    struct rf_error err;

    add_job(&s, "capability", 1, 1, 0, 5);
    add_job(&s, "capability", 1, 1, 0, 5);
    CHECK(run(&s, &outcome, &err) == RF_OK);
    rf_run_outcome_clear(&outcome);
    s.resume = 1;
    s.nrequests = 1;
    CHECK(run(&s, &outcome, &err) == RF_ERR_CONFIG);
    CHECK(strstr(err.text, "cannot resume") != NULL);
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    int result;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    a_solo_lease_hears_signals(&world);
    if (world.size == 1) {
        one_rank_is_told_what_it_needs(&world);
    } else {
        a_late_owner_gets_its_share_back_and_all_finish(&world);
        a_failed_job_takes_only_its_dependents_along(&world);
        a_job_over_its_limit_is_ended(&world);
        a_signal_to_one_rank_of_a_job_stops_the_run(&world);
        a_signal_to_a_rank_without_a_job_stops_the_run(&world, world.size - 1);
        a_signal_to_a_rank_without_a_job_stops_the_run(&world, world.size - 2);
        a_signal_after_the_last_step_is_heard(&world);
        an_unwritable_ledger_is_everyones_error(&world);
        a_full_disk_stops_the_run_and_loses_nothing(&world);
        another_configuration_is_not_resumed(&world);
        if (world.size > 2)
            a_run_goes_on_with_fewer_workers(&world);
    }
    rf_group_free(&world);
    result = check_result();
    MPI_Finalize();
    return result;
}
