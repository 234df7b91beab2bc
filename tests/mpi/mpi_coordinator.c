/* The live run with jobs that only count: who gets devices when, what the ledger
 * says about it, and how a run ends when a job, a signal or the disk ends it. */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "live_run.h"

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
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
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
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
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
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
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
    CHECK(live_run(s, &outcome, &err) == RF_OK);
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
    CHECK(live_run(s, &outcome, &err) == RF_OK);
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
    CHECK(live_run(&s, &outcome, &err) == RF_AGAIN);
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
    CHECK(live_run(&s, &outcome, &err) == RF_AGAIN);
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
    CHECK(live_run(&s, &outcome, &err) == RF_AGAIN);
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
    CHECK(rf_exit_code(live_run(&s, &outcome, &err)) == 3);
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
    CHECK(live_run(&s, &outcome, &err) == RF_ERR_IO);
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
    CHECK(live_run(&s, &outcome, &err) == RF_AGAIN);
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
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    rf_run_outcome_clear(&outcome);
    s.resume = 1;
    s.nrequests = 1;
    CHECK(live_run(&s, &outcome, &err) == RF_ERR_CONFIG);
    CHECK(strstr(err.text, "cannot resume") != NULL);
    rf_run_outcome_clear(&outcome);
    scenario_end(&s);
}

/* What this rank says on stderr from catch_words() to release_words() goes to a file. */
static int spoken_to = -1, spoken_before = -1;

static void catch_words(const char *path)
{
    fflush(stderr);
    spoken_before = dup(STDERR_FILENO);
    spoken_to = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(spoken_to >= 0 && dup2(spoken_to, STDERR_FILENO) == STDERR_FILENO);
}

static void release_words(char *words, size_t size)
{
    ssize_t n;

    fflush(stderr);
    CHECK(dup2(spoken_before, STDERR_FILENO) == STDERR_FILENO);
    n = pread(spoken_to, words, size - 1, 0);
    CHECK(n >= 0);
    words[n > 0 ? n : 0] = '\0';
    close(spoken_to);
    close(spoken_before);
}

/* Resumed by the build that began it, a run says nothing; by another one it says both names. */
static void another_build_is_named(const struct rf_group *world, const char *version)
{
    struct scenario s = scenario_make(world);
    struct rf_run_outcome outcome;
    char path[RF_PATH_BYTES], words[4096];
    struct rf_error err;

    s.signalling = add_job(&s, "capability", 1, world->size - 1, 0, 400);
    CHECK(live_run(&s, &outcome, &err) == RF_AGAIN);
    rf_run_outcome_clear(&outcome);
    rf_signals_forget();
    s.signalling = JOBS; /* has happened */
    s.resume = 1;
    s.version = version;
    CHECK(rf_file_join(path, s.dir, "words", &err) == RF_OK);
    MPI_Barrier(world->comm);
    if (coordinates(world))
        catch_words(path);
    CHECK(live_run(&s, &outcome, &err) == RF_OK);
    if (coordinates(world)) {
        release_words(words, sizeof words);
        CHECK((strstr(words, "begun by build test") != NULL) == (version != NULL));
        CHECK(version == NULL || strstr(words, version) != NULL);
    }
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
        another_build_is_named(&world, NULL);
        another_build_is_named(&world, "0.9.9-other");
        if (world.size > 2)
            a_run_goes_on_with_fewer_workers(&world);
    }
    rf_group_free(&world);
    result = check_result();
    MPI_Finalize();
    return result;
}
