#include "mpi/bench_coordinator.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc/journal.h"
#include "base/file.h"
#include "mpi/coordinator.h"
#include "mpi/protocol.h"

enum { PROPOSALS = 64, DEVICES = 64, ROUND_TRIPS = 400, PAIRS_MAX = 50 };

static struct rf_figure *add(struct rf_figure *figures, int *n, const char *name,
                             const char *unit, double value, double limit)
{
    struct rf_figure *f = &figures[(*n)++];

    *f = (struct rf_figure){.unit = unit, .value = value, .limit = limit};
    f->ratio = limit > 0 ? value / limit : 0;
    snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

/* ---- the floor under every answer ---- */

/* The other side: takes a message, makes a few hundred bytes durable, answers. */
static enum rf_status answer(const struct rf_group *group, const char *dir,
                             struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    struct rf_message message = {0};
    int fd, nap_us = 0;
    enum rf_status st = rf_file_join(path, dir, "round-trips", err);

    if (st != RF_OK)
        return st;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        st = rf_fail(err, RF_ERR_IO, "cannot create '%s'", path);
    while (message.kind !=
           RF_MESSAGE_SHUTDOWN) { /* also with a file that failed: nobody may hang */
        if (!rf_message_poll(group, 0, 0, &message, NULL)) {
            rf_message_nap(&nap_us);
            continue;
        }
        nap_us = 0;
        if (st == RF_OK &&
            (write(fd, &message, sizeof message) != sizeof message || fdatasync(fd) != 0))
            st = rf_fail(err, RF_ERR_IO, "cannot write '%s'", path);
        message.kind = message.kind == RF_MESSAGE_SHUTDOWN ? message.kind : RF_MESSAGE_LEASE;
        rf_message_send(group, 0, &message);
    }
    if (fd >= 0)
        close(fd);
    return st;
}

static void ask(const struct rf_group *group, double *p99_us)
{
    double waits_us[ROUND_TRIPS];
    struct rf_message message = {.kind = RF_MESSAGE_METER};

    for (int i = 0; i <= ROUND_TRIPS; i++) {
        int64_t since_us = rf_time_us();
        int nap_us = 0;

        message.kind = i < ROUND_TRIPS ? RF_MESSAGE_METER : RF_MESSAGE_SHUTDOWN;
        rf_message_send(group, group->size - 1, &message);
        while (!rf_message_poll(group, group->size - 1, 0, &message, NULL))
            rf_message_nap(&nap_us);
        if (i < ROUND_TRIPS)
            waits_us[i] = (double)(rf_time_us() - since_us);
    }
    *p99_us = rf_bench_quantile(waits_us, ROUND_TRIPS, 0.99);
}

static enum rf_status round_trips(const struct rf_group *group, const char *dir, double *p99_us,
                                  struct rf_error *err)
{
    enum rf_status st = RF_OK;

    *p99_us = 0;
    if (group->rank == group->size - 1)
        st = answer(group, dir, err);
    else if (group->rank == 0)
        ask(group, p99_us);
    st = rf_agree(group, st, err);
    MPI_Bcast(p99_us, 1, MPI_DOUBLE, 0, group->comm);
    return st;
}

/* ---- decisions ---- */

struct desk {
    struct rf_journal journal;
    struct rf_policy *policy;
    int64_t t_us;
};

static enum rf_status watch_before(void *self, const struct rf_state *state,
                                   const struct rf_event *event, struct rf_error *err)
{
    (void)self, (void)state, (void)event, (void)err;
    return RF_OK;
}

static enum rf_status watch_after(void *self, const struct rf_state *state,
                                  const struct rf_event *event, struct rf_error *err)
{
    (void)state;
    return rf_policy_observe(self, event, err);
}

static enum rf_status begin(struct desk *desk, const char *order, const char *path,
                            struct rf_error *err)
{
    struct rf_policy_options options = rf_policy_options_make();
    struct rf_event event = rf_event_make(RF_EVENT_OPEN, 0);
    enum rf_status st = rf_journal_start(&desk->journal, err);

    snprintf(options.order, sizeof options.order, "%s", order);
    snprintf(options.fence, sizeof options.fence, "floor");
    if (st == RF_OK)
        st = rf_policy_create(&desk->policy, &options, desk->journal.state, desk->journal.tally,
                              err);
    if (st == RF_OK) {
        rf_journal_watch(&desk->journal,
                         (struct rf_observer){desk->policy, watch_before, watch_after});
        st = rf_journal_create(&desk->journal, path, "bench", NULL, err);
    }
    snprintf(event.name, sizeof event.name, "decisions");
    snprintf(event.version, sizeof event.version, "bench");
    snprintf(event.text, sizeof event.text, "%s+floor", order);
    event.grace_us = 1000000;
    if (st == RF_OK)
        st = rf_journal_record(&desk->journal, &event, err);
    event = rf_event_make(RF_EVENT_CAPACITY, 0);
    event.up = 1;
    snprintf(event.reason, sizeof event.reason, "joined");
    if (st == RF_OK)
        st = rf_idset_add(&event.devices, 0, DEVICES, err);
    if (st == RF_OK)
        st = rf_journal_record(&desk->journal, &event, err);
    rf_event_clear(&event);
    event = rf_event_make(RF_EVENT_PLEDGE, 0);
    snprintf(event.account, sizeof event.account, "alignment");
    snprintf(event.basis, sizeof event.basis, "fleet");
    snprintf(event.text, sizeof event.text, "floor");
    event.share = (struct rf_share){1, 5};
    event.window_us = INT64_C(3600000000);
    if (st == RF_OK)
        st = rf_journal_record(&desk->journal, &event, err);
    return st;
}

/* Sizes 1 to 8, limits of minutes to hours, one in four of the account with the promise. */
static enum rf_status submit(struct desk *desk, struct rf_error *err)
{
    int32_t job = desk->journal.state->njobs;
    struct rf_event event = rf_event_make(RF_EVENT_REQUEST, 0);
    uint32_t mix = (uint32_t)job * 2654435761u >> 7;

    event.job = job;
    snprintf(event.name, sizeof event.name, "job-%" PRId32, job);
    snprintf(event.account, sizeof event.account, "%s",
             mix % 4 == 0 ? "alignment.oversight" : "capability.pretraining");
    event.min = event.max = 1 + (int32_t)(mix >> 3) % 8;
    event.limit_us = INT64_C(60000000) * (1 + (mix >> 6) % 300);
    return rf_journal_record(&desk->journal, &event, err);
}

static enum rf_status carry_out(struct desk *desk, const struct rf_proposal *p,
                                struct rf_error *err)
{
    static const enum rf_event_type TYPES[] = {
        [RF_PROPOSE_GRANT] = RF_EVENT_GRANT,   [RF_PROPOSE_PREEMPT] = RF_EVENT_PREEMPT,
        [RF_PROPOSE_SHRINK] = RF_EVENT_SHRINK, [RF_PROPOSE_GROW] = RF_EVENT_GROW,
        [RF_PROPOSE_DENY] = RF_EVENT_DENY,     [RF_PROPOSE_DELAY] = RF_EVENT_DELAY};
    const struct rf_state *state = desk->journal.state;
    struct rf_event event = rf_event_make(TYPES[p->kind], 0);
    struct rf_idset rest = {0};
    enum rf_status st = RF_OK;

    event.job = p->job;
    event.by = p->by;
    event.lent = p->lent;
    snprintf(event.reason, sizeof event.reason, "%s", p->reason != NULL ? p->reason : "");
    event.lease = p->kind == RF_PROPOSE_GRANT ? state->next_lease : state->jobs[p->job].lease;
    if (p->kind == RF_PROPOSE_GRANT) {
        st = rf_idset_copy(&rest, &state->free, err);
        if (st == RF_OK)
            st = rf_idset_take(&rest, p->count, &event.devices, err);
        rf_idset_clear(&rest);
    }
    if (st == RF_OK)
        st = rf_journal_record(&desk->journal, &event, err);
    rf_event_clear(&event);
    return st;
}

static enum rf_status decide(struct desk *desk, struct rf_error *err)
{
    struct rf_proposal out[PROPOSALS];
    enum rf_status st = RF_OK;
    int n = 1;

    while (st == RF_OK && n > 0) {
        n = rf_policy_propose(desk->policy, desk->t_us, out, PROPOSALS);
        for (int i = 0; st == RF_OK && i < n; i++)
            st = carry_out(desk, &out[i], err);
    }
    return st;
}

/* The job that has run longest is over, or has stopped as it was asked to. */
static enum rf_status end_one(struct desk *desk, struct rf_error *err)
{
    const struct rf_state *state = desk->journal.state;
    const struct rf_job *job = &state->jobs[state->running_first];
    int stops = job->state == RF_JOB_STOPPING;
    struct rf_event event = rf_event_make(stops ? RF_EVENT_RELEASE : RF_EVENT_END, 0);

    event.job = state->running_first;
    event.lease = job->lease;
    event.held_us = rf_state_owed_us(job, desk->t_us);
    snprintf(event.text, sizeof event.text, "%s", stops ? "" : "done");
    snprintf(event.reason, sizeof event.reason, "%s", stops ? "preempted" : "");
    return rf_journal_record(&desk->journal, &event, err);
}

/* Each decision, from the end of a job to the last thing that the policy makes of it. */
static enum rf_status time_decisions(struct desk *desk, const struct rf_coordinator_bench *what,
                                     double *waits_us, struct rf_error *err)
{
    enum rf_status st = decide(desk, err);

    for (int32_t i = 0; st == RF_OK && i < what->decisions; i++) {
        int64_t since_us;

        desk->t_us += 1000000;
        rf_journal_at(&desk->journal, desk->t_us);
        while (st == RF_OK && desk->journal.state->nqueue < what->queued)
            st = submit(desk, err);
        if (st == RF_OK)
            st = decide(desk, err);
        if (st == RF_OK)
            st = rf_journal_sync(&desk->journal, err); /* outside: see the limit */
        since_us = rf_time_us();
        if (st == RF_OK)
            st = end_one(desk, err);
        if (st == RF_OK)
            st = decide(desk, err);
        waits_us[i] = (double)(rf_time_us() - since_us);
    }
    return st;
}

/* Local. The 99th of a hundred decisions of an order. */
static enum rf_status decisions(const char *order, const struct rf_coordinator_bench *what,
                                const char *dir, double *p99_us, double *p50_us,
                                struct rf_error *err)
{
    struct desk desk = {.t_us = 1000000};
    double *waits_us = malloc((size_t)what->decisions * sizeof *waits_us);
    char path[RF_PATH_BYTES], name[40];
    enum rf_status st;

    if (waits_us == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d decisions", what->decisions);
    snprintf(name, sizeof name, "%s.jsonl", order);
    st = rf_file_join(path, dir, name, err);
    if (st == RF_OK)
        st = begin(&desk, order, path, err);
    rf_journal_at(&desk.journal, desk.t_us);
    for (int32_t i = 0; st == RF_OK && i < what->queued + DEVICES; i++)
        st = submit(&desk, err);
    if (st == RF_OK)
        st = time_decisions(&desk, what, waits_us, err);
    if (st == RF_OK) {
        *p99_us = rf_bench_quantile(waits_us, what->decisions, 0.99);
        *p50_us = rf_bench_quantile(waits_us, what->decisions, 0.5);
    }
    desk.journal.nobservers = 0;
    rf_policy_destroy(desk.policy);
    rf_journal_clear(&desk.journal);
    free(waits_us);
    return st;
}

static enum rf_status bench_decisions(struct rf_figure *figures, int *n,
                                      const struct rf_group *group,
                                      const struct rf_coordinator_bench *what, const char *dir,
                                      double limit_us, struct rf_error *err)
{
    static const char *const ORDERS[] = {"fcfs", "easy", "sjf", "fairshare", "conservative"};
    enum rf_status st = RF_OK;

    for (size_t i = 0; st == RF_OK && i < sizeof ORDERS / sizeof *ORDERS; i++) {
        struct rf_figure *f;
        char name[64];
        double p99_us = 0, p50_us = 0;

        if (group->rank == 0)
            st = decisions(ORDERS[i], what, dir, &p99_us, &p50_us, err);
        st = rf_agree(group, st, err);
        snprintf(name, sizeof name, "coordinator.decision.%s", ORDERS[i]);
        f = add(figures, n, name, "us", p99_us, limit_us);
        snprintf(f->said, sizeof f->said, "p99 with %" PRId32 " jobs waiting, median %.0f us",
                 what->queued, p50_us);
    }
    return st;
}

/* ---- overhead ---- */

struct work {
    int steps;
    int64_t loops; /* a few milliseconds */
    volatile double sink;
};

static void compute(struct work *work, int64_t loops)
{
    double x = 1.0, y = 0.5;

    for (int64_t i = 0; i < loops; i++) {
        x = x * 0.999999 + y;
        y = y * 1.000001 - x * 1e-9;
    }
    work->sink = x + y;
}

static int64_t loops_of_ms(struct work *work, double ms)
{
    int64_t loops = 1000, took_us = 0;

    while (took_us < 20000) {
        int64_t since_us = rf_time_us();

        loops *= 2;
        compute(work, loops);
        took_us = rf_time_us() - since_us;
    }
    return (int64_t)((double)loops * ms * 1000 / (double)took_us);
}

static enum rf_outcome steps(void *ctx, const struct rf_group *group, int32_t job,
                             struct rf_lease *lease, struct rf_error *err)
{
    struct work *work = ctx;

    (void)job, (void)err;
    for (int i = 0; i < work->steps; i++) {
        int64_t since_us = rf_time_us();
        struct rf_reading reading = {.tokens = 1, .flops = 1, .step = i + 1};

        compute(work, work->loops);
        reading.busy_us = (rf_time_us() - since_us) * group->size;
        if (rf_lease_poll(lease, group, &reading) != RF_GO)
            return RF_OUTCOME_STOPPED;
    }
    return RF_OUTCOME_DONE;
}

static double cpu_s(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

/* Collective: the workers work by themselves; the last rank sleeps until they are done. */
static double alone(const struct rf_group *group, const struct rf_group *workers,
                    struct work *work, struct rf_lease *lease)
{
    struct rf_message message = {.kind = RF_MESSAGE_BYE};
    int nap_us = 0, byes = 0;
    double took = 0;

    if (group->rank == group->size - 1) {
        while (byes < group->size - 1) {
            if (rf_message_poll(group, MPI_ANY_SOURCE, 0, &message, NULL))
                byes++;
            nap_us = 1000;
            rf_message_nap(&nap_us);
        }
        return 0;
    }
    MPI_Barrier(workers->comm);
    took = MPI_Wtime();
    steps(work, workers, 0, lease, NULL);
    took = MPI_Wtime() - took;
    rf_message_send(group, group->size - 1, &message);
    return took;
}

/* What the body takes inside a lease: from its first step to its last, on the leader. */
struct timed {
    struct work *work;
    double took;
};

static enum rf_outcome timed_steps(void *ctx, const struct rf_group *group, int32_t job,
                                   struct rf_lease *lease, struct rf_error *err)
{
    struct timed *timed = ctx;
    double since;
    enum rf_outcome outcome;

    MPI_Barrier(group->comm);
    since = MPI_Wtime();
    outcome = steps(timed->work, group, job, lease, err);
    timed->took = MPI_Wtime() - since;
    return outcome;
}

/* Collective: the same under the coordinator, with the defaults of a run. */
static enum rf_status coordinated(const struct rf_group *group, struct work *work,
                                  const char *dir, int number, double *took, double *cpu,
                                  struct rf_error *err)
{
    struct rf_request request = {.name = "work",
                                 .account = "capability",
                                 .min = group->size - 1,
                                 .max = group->size - 1};
    struct rf_run_options options = {.run = "overhead",
                                     .version = "bench",
                                     .policy = rf_policy_options_make(),
                                     .policy_name = "easy+floor",
                                     .grace_us = 1000000,
                                     .lease_us = 1000000,
                                     .heartbeat_us = 1000000,
                                     .lease_silence = 10,
                                     .requests = &request,
                                     .nrequests = 1};
    struct timed timed = {.work = work};
    struct rf_run_outcome outcome = {0};
    char path[RF_PATH_BYTES], name[40];
    double before = cpu_s();
    enum rf_status st;

    snprintf(options.policy.order, sizeof options.policy.order, "easy");
    snprintf(options.policy.fence, sizeof options.policy.fence, "floor");
    snprintf(name, sizeof name, "overhead-%d.jsonl", number);
    st = rf_agree(group, rf_file_join(path, dir, name, err), err);
    options.ledger_path = path;
    if (st == RF_OK)
        st = rf_coordinate(group, &options, timed_steps, &timed, &outcome, err);
    *took = timed.took;
    *cpu = cpu_s() - before;
    MPI_Bcast(cpu, 1, MPI_DOUBLE, group->size - 1, group->comm);
    rf_run_outcome_clear(&outcome);
    return st;
}

/* Collective. The first pair is not counted. */
static enum rf_status bench_overhead(struct rf_figure *figures, int *n,
                                     const struct rf_group *group,
                                     const struct rf_group *workers,
                                     const struct rf_coordinator_bench *what, const char *dir,
                                     struct rf_error *err)
{
    double more[PAIRS_MAX + 1], cpus[PAIRS_MAX + 1];
    struct work work = {.steps = what->steps};
    struct rf_lease *lease = NULL;
    struct rf_figure *f;
    enum rf_status st = rf_agree(group, rf_lease_solo(&lease, err), err);

    if (group->rank < group->size - 1)
        work.loops = loops_of_ms(&work, 5);
    MPI_Bcast(&work.loops, 1, MPI_INT64_T, 0, group->comm);
    for (int i = 0; st == RF_OK && i <= what->pairs && i <= PAIRS_MAX; i++) {
        double without = 0, with = 0, cpu = 0;

        if (i % 2 == 0)
            without = alone(group, workers, &work, lease);
        st = coordinated(group, &work, dir, i, &with, &cpu, err);
        if (i % 2 != 0)
            without = alone(group, workers, &work, lease);
        more[i] = without > 0 ? with / without - 1 : 0;
        cpus[i] = with > 0 ? cpu / (with * (group->size - 1)) : 0;
    }
    rf_lease_free(lease);
    if (st != RF_OK)
        return st;
    f = add(figures, n, "coordinator.overhead", "share", rf_median(more + 1, what->pairs),
            0.005);
    snprintf(f->said, sizeof f->said,
             "median of %d pairs with and without; the coordinator's own processor time is "
             "%.3f %% of the workers'",
             what->pairs, rf_median(cpus + 1, what->pairs) * 100);
    return RF_OK;
}

/* ---- all of it ---- */

static void report_leases(struct rf_figure *figures, int *n, const struct rf_bench_leases *r,
                          const struct rf_coordinator_bench *what, double limit_us)
{
    struct rf_figure *f = add(figures, n, "coordinator.latency_p99", "us", r->p99_us, limit_us);

    snprintf(f->said, sizeof f->said,
             "%" PRId64 " turns with %" PRId32 " leases out and %" PRId32
             " jobs waiting, median %.0f us",
             r->turns, what->leases, what->queued, r->p50_us);
    f = add(figures, n, "coordinator.messages", "1/s",
            r->seconds > 0 ? (double)r->sent / r->seconds : 0, 0);
    snprintf(f->said, sizeof f->said,
             "%" PRId64 " sent, all of them once in a ledger of %" PRId64
             " entries; all leases out after %.1f s",
             r->sent, r->entries, r->first_s);
    f = add(figures, n, "coordinator.memory", "bytes", r->rss_after, r->rss_before);
    snprintf(f->said, sizeof f->said, "resident at the end; limit: when all leases were out");
}

/* Collective: a folder of its own, the same on every rank. */
static enum rf_status make_folder(const struct rf_group *group, const char *in,
                                  char dir[RF_PATH_BYTES], struct rf_error *err)
{
    enum rf_status st = rf_file_join(dir, in, "ringfence-bench-XXXXXX", err);

    if (st == RF_OK && group->rank == 0 && mkdtemp(dir) == NULL)
        st = rf_fail(err, RF_ERR_IO, "cannot make a folder in '%s'", in);
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        rf_group_bcast(group, dir, RF_PATH_BYTES, 0);
    return st;
}

enum rf_status rf_coordinator_bench(struct rf_figure figures[RF_COORDINATOR_FIGURES], int *n,
                                    const struct rf_group *group,
                                    const struct rf_coordinator_bench *what,
                                    struct rf_error *err)
{
    struct rf_group workers = {0};
    struct rf_bench_leases leases;
    char dir[RF_PATH_BYTES];
    int ranks[1024];
    double limit_us;
    enum rf_status st;

    *n = 0;
    if (group->size < 2 || group->size > 1024)
        return rf_fail(err, RF_ERR_ARG,
                       "bench coordinator needs 2 to 1024 ranks, the last one coordinates: "
                       "mpirun -n 3 ringfence bench coordinator");
    st = make_folder(group, what->dir, dir, err);
    if (st != RF_OK)
        return st;
    for (int i = 0; i < group->size - 1; i++)
        ranks[i] = i;
    if (group->rank < group->size - 1)
        rf_group_among(&workers, group, ranks, group->size - 1, 0);
    st = round_trips(group, dir, &limit_us, err);
    if (st == RF_OK)
        st = bench_decisions(figures, n, group, what, dir, limit_us, err);
    if (st == RF_OK)
        st = rf_bench_leases(&leases, group, what, dir, err);
    if (st == RF_OK)
        report_leases(figures, n, &leases, what, limit_us);
    if (st == RF_OK)
        st = bench_overhead(figures, n, group, &workers, what, dir, err);
    rf_group_free(&workers);
    if (group->rank == 0 && rf_file_remove_tree(dir, NULL) != RF_OK && st == RF_OK)
        st = rf_fail(err, RF_ERR_IO, "cannot remove '%s'", dir);
    return rf_agree(group, st, err);
}
