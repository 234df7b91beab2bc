/* live_run.h - a live run with jobs that only count, for tests of the coordinator.
 *
 * A scenario says what is asked for and how its jobs behave; live_run() runs it on all ranks of
 * the world, and check_ledger() holds what it left against what must be true of every ledger. */
#ifndef TESTS_MPI_LIVE_RUN_H
#define TESTS_MPI_LIVE_RUN_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc/audit.h"
#include "base/file.h"
#include "check.h"
#include "mpi/coordinator.h"

enum { JOBS = 8 };

/* What a job says of itself in its fifth step, or does when it is asked to stop. */
enum lie { LIE_BUSY, LIE_FLOPS, LIE_TOKENS, LIE_NEGATIVE, LIE_SILENT, LIE_STAYS };

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
    const char *version; /* NULL: "test" */
    int failing;         /* this job fails at its end; -1: none */
    int signalling;      /* this job's last rank gets a signal in its fifth step; -1: none */
    int parting;         /* this job's last rank gets one after its last step; -1: none */
    int patient, until; /* job `patient` goes on until job `until` has stopped once; -1: none */
    int64_t lease_us, grace_us;
    int lease_silence;
    int64_t peak_flops;
    const struct rf_event *promises; /* after the pledge */
    int npromises;
    rf_job_body *body; /* NULL: count_up */
    int lying;         /* this job does as `lie` says; -1: none */
    enum lie lie;
    int unlucky, failures; /* this job fails so often before it goes well; -1: none */
};

static inline int coordinates(const struct rf_group *world)
{
    return world->rank == world->size - 1;
}

/* ---- jobs that count ---- */

static inline void step_path(const struct scenario *s, int32_t job, char path[RF_PATH_BYTES])
{
    char name[32];

    snprintf(name, sizeof name, "job-%d.step", job);
    CHECK(rf_file_join(path, s->dir, name, NULL) == RF_OK);
}

static inline int64_t load_step(const struct scenario *s, const struct rf_group *group,
                                int32_t job)
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

static inline void save_step(const struct scenario *s, const struct rf_group *group,
                             int32_t job, int64_t step)
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
static inline int waits(const struct scenario *s, const struct rf_group *group, int32_t job)
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

static inline void lie_low(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&pause, NULL);
}

/* What the reading says is not what was done. */
static inline void lie(const struct scenario *s, const struct rf_group *group,
                       struct rf_reading *reading)
{
    if (s->lie == LIE_BUSY)
        reading->busy_us = 3600000000LL * group->size;
    else if (s->lie == LIE_FLOPS)
        reading->flops = 1000000000000000LL;
    else if (s->lie == LIE_TOKENS)
        reading->tokens = 1000000000000000LL;
    else if (s->lie == LIE_NEGATIVE)
        reading->tokens = -5;
    else if (s->lie == LIE_SILENT)
        lie_low(400);
}

/* Counts in a file how often it has failed. */
static inline int fails_again(const struct scenario *s, const struct rf_group *group)
{
    char path[RF_PATH_BYTES], text[16], *before = NULL;
    size_t size_bytes;
    int times = 0;

    CHECK(rf_file_join(path, s->dir, "failures", NULL) == RF_OK);
    if (group->rank == 0) {
        if (rf_file_exists(path) && rf_file_read(path, 15, &before, &size_bytes, NULL) == RF_OK)
            times = atoi(before);
        free(before);
        snprintf(text, sizeof text, "%d\n", times + 1);
        CHECK(rf_file_write(path, text, strlen(text), NULL) == RF_OK);
    }
    MPI_Bcast(&times, 1, MPI_INT, 0, group->comm);
    return times < s->failures;
}

static inline enum rf_outcome count_up(void *ctx, const struct rf_group *group, int32_t job,
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
        if (job == s->lying && step == 5)
            lie(s, group, &reading);
        if (job == s->signalling && step == 5 && group->rank == group->size - 1)
            raise(SIGUSR1);
        stop = rf_lease_poll(lease, group, &reading);
    }
    if (job == s->lying && s->lie == LIE_STAYS && stop != RF_GO)
        lie_low(600);
    if (job == s->unlucky && fails_again(s, group)) {
        rf_fail(err, RF_ERR_IO, "bad luck");
        save_step(s, group, job, step);
        return RF_OUTCOME_FAILED;
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

static inline int add_job(struct scenario *s, const char *account, int min, int max,
                          int64_t submit_us, int64_t steps)
{
    struct rf_request *r = &s->requests[s->nrequests];

    *r = (struct rf_request){.min = min, .max = max, .submit_us = submit_us};
    snprintf(r->name, sizeof r->name, "job-%d", s->nrequests);
    snprintf(r->account, sizeof r->account, "%s", account);
    s->steps[s->nrequests] = steps;
    return s->nrequests++;
}

static inline void add_after(struct scenario *s, int job, int before)
{
    s->requests[job].after[s->requests[job].nafter++] = before;
}

/* A folder of its own below the working directory, the same name on every rank. */
static inline struct scenario scenario_make(const struct rf_group *world)
{
    struct scenario s = {.world = world,
                         .failing = -1,
                         .signalling = -1,
                         .parting = -1,
                         .patient = -1,
                         .lying = -1,
                         .unlucky = -1,
                         .grace_us = 1000000,
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

static inline void scenario_end(struct scenario *s)
{
    char command[RF_PATH_BYTES + 16];

    MPI_Barrier(s->world->comm);
    rf_key_free(s->key);
    if (s->world->rank == 0) {
        snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
        CHECK(system(command) == 0);
    }
}

static inline enum rf_status live_run(struct scenario *s, struct rf_run_outcome *outcome,
                                      struct rf_error *err)
{
    struct rf_event promises[8];
    struct rf_run_options o = {.run = "test-run",
                               .version = "test",
                               .config_digest = "",
                               .policy = s->policy,
                               .grace_us = s->grace_us,
                               .lease_us = s->lease_us,
                               .seal_us = 100000,
                               .heartbeat_us = 50000,
                               .lease_silence = s->lease_silence,
                               .peak_flops = s->peak_flops,
                               .peak_how = "test",
                               .pledges = promises,
                               .npledges = 1 + s->npromises,
                               .requests = s->requests,
                               .nrequests = s->nrequests,
                               .ledger_path = s->ledger,
                               .key = s->key,
                               .resume = s->resume};
    enum rf_status st;
    int same;

    if (s->version != NULL)
        snprintf(o.version, sizeof o.version, "%s", s->version);
    promises[0] = s->pledge;
    for (int i = 0; i < s->npromises; i++)
        promises[1 + i] = s->promises[i];
    snprintf(o.policy_name, sizeof o.policy_name, "%s+%s", s->policy.order, s->policy.fence);
    *err = (struct rf_error){.status = RF_OK};
    st = rf_coordinate(s->world, &o, s->body != NULL ? s->body : count_up, s, outcome, err);
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
    int64_t charged_us, held_us, recovers, shrinks, grows, disputes, retries;
    int64_t since_us[JOBS]; /* granted, or resized, at */
    char close_reason[RF_TEXT_BYTES];
};

/* Counts device-time a second time, from grants and ends alone. */
static inline enum rf_status add_up(void *ctx, const struct rf_event *event,
                                    struct rf_error *err)
{
    struct sums *sums = ctx;

    if (event->type == RF_EVENT_GRANT)
        sums->since_us[event->job] = event->t_us;
    if (event->type == RF_EVENT_RELEASE || event->type == RF_EVENT_END ||
        event->type == RF_EVENT_SHRINK || event->type == RF_EVENT_GROW) {
        const struct rf_job *job = &sums->state->jobs[event->job];

        if (job->lease >= 0)
            sums->held_us += job->ndevices * (event->t_us - sums->since_us[event->job]);
        sums->since_us[event->job] = event->t_us;
    }
    sums->shrinks += event->type == RF_EVENT_SHRINK;
    sums->grows += event->type == RF_EVENT_GROW;
    sums->disputes += event->type == RF_EVENT_DISPUTE;
    sums->retries += event->type == RF_EVENT_RELEASE && strcmp(event->reason, "failed") == 0;
    sums->charged_us += event->held_us;
    if (event->type == RF_EVENT_CHARGE && event->busy_us > event->held_us)
        return rf_fail(err, RF_ERR_INPUT, "busy for longer than held");
    sums->recovers += event->type == RF_EVENT_RECOVER;
    if (event->type == RF_EVENT_CLOSE)
        snprintf(sums->close_reason, sizeof sums->close_reason, "%s", event->reason);
    return rf_state_apply(sums->state, event, err);
}

static inline void dependencies_were_respected(const struct rf_state *state)
{
    for (int32_t i = 0; i < state->njobs; i++) {
        const struct rf_job_extra *extra = rf_state_job_extra(state, i);

        for (int32_t k = 0; k < extra->nafter; k++)
            if (state->jobs[i].first_grant_us >= 0)
                CHECK(state->jobs[i].first_grant_us >= state->jobs[extra->after[k]].end_us);
    }
}

/* On the coordinator's rank: the file says what the outcome says, and verifies. */
static inline struct sums check_ledger(const struct scenario *s,
                                       const struct rf_run_outcome *outcome,
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
    sums.state = NULL;
    return sums;
}

#endif
