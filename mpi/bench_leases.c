/* A load generator: each worker rank plays thousands of workers. It takes a lease for each of them,
 * sends readings and ends at a steady rate, and looks when the next lease for a device comes.
 * Each reading and each end says "one token", so that the tokens in the ledger count the messages
 * that arrived; none may be missing and none may be there twice. */
#include "mpi/bench_coordinator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "mpi/coordinator.h"
#include "mpi/protocol.h"

enum { TURN = 10 }; /* every tenth message ends a job */

struct player {                    /* one device */
    int32_t job, lease, formation; /* job -1: holds no lease */
    int64_t step, ended_us; /* ended_us: waits for the next lease since; 0: for the first */
};

struct generator {
    const struct rf_coordinator_bench *what;
    const struct rf_group *control;
    struct rf_outbox *outbox;
    int first, ndevices, nranks; /* of this rank: device ids from first on */
    struct player *players;
    int32_t *player_of; /* by job: its device; room for njobs */
    int out, next;      /* players that hold a lease; whose turn it is */
    int told, over;
    int64_t begun_us, full_us, until_us;
    int64_t sent, turns, quiet; /* quiet: messages that say no token */
    double *waits_us;
    int64_t nwaits, waits_room;
    long coordinator; /* its pid */
    double rss_before, rss_after;
};

double rf_bench_quantile(double *values, int64_t n, double share)
{
    int64_t gap = 1;

    while (gap < n / 3)
        gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3) /* Shell's sort */
        for (int64_t i = gap; i < n; i++)
            for (int64_t k = i; k >= gap && values[k - gap] > values[k]; k -= gap) {
                double x = values[k];

                values[k] = values[k - gap];
                values[k - gap] = x;
            }
    return n > 0 ? values[(int64_t)(share * (double)(n - 1))] : 0;
}

/* Memory in use by a process of this machine; 0 when it cannot be known. */
static double resident_bytes(long pid)
{
    char path[64], line[256];
    double kb = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtod(line + 6, NULL);
    if (file != NULL)
        fclose(file);
    return kb * 1024;
}

/* ---- messages ---- */

static void tell(struct generator *g, struct player *p, enum rf_message_kind kind,
                 enum rf_outcome outcome, int signal)
{
    struct rf_message message = {.kind = (int32_t)kind,
                                 .job = p->job,
                                 .lease = p->lease,
                                 .formation = p->formation,
                                 .outcome = (int32_t)outcome,
                                 .signal = signal,
                                 .reading = {.tokens = 1, .step = ++p->step}};

    rf_outbox_send(g->outbox, g->control->size - 1, &message, NULL);
    g->sent++;
    if (kind == RF_MESSAGE_FINAL) {
        g->player_of[p->job] = -1;
        p->job = -1;
        g->out--;
    }
}

static void take_lease(struct generator *g, const struct rf_message *message)
{
    int64_t now_us;
    int device;
    struct player *p;

    rf_message_take_ranks(g->control, g->control->size - 1, &device, 1);
    now_us = rf_time_us();
    p = &g->players[device - g->first];
    if (p->ended_us > 0 && g->full_us > 0 && g->nwaits < g->waits_room)
        g->waits_us[g->nwaits++] = (double)(now_us - p->ended_us);
    *p = (struct player){
        .job = message->job, .lease = message->lease, .formation = message->formation};
    g->player_of[p->job] = device - g->first;
    g->out++;
}

static int take_messages(struct generator *g)
{
    const struct rf_message bye = {.kind = RF_MESSAGE_BYE, .job = -1, .lease = -1};
    int coordinator = g->control->size - 1, n = 0;
    struct rf_message message;

    while (n < 1000 && rf_message_poll(g->control, coordinator, 0, &message, NULL)) {
        n++;
        if (message.kind == RF_MESSAGE_LEASE) {
            take_lease(g, &message);
        } else if (message.kind == RF_MESSAGE_REVOKE && g->player_of[message.job] >= 0) {
            struct player *p = &g->players[g->player_of[message.job]];

            if (p->lease == message.lease)
                tell(g, p, RF_MESSAGE_FINAL, RF_OUTCOME_STOPPED, message.signal);
        } else if (message.kind == RF_MESSAGE_SHUTDOWN) {
            rf_outbox_send(g->outbox, coordinator, &bye, NULL);
            g->over = 1;
            break;
        }
    }
    return n > 0;
}

static void speak(struct generator *g)
{
    struct player *p = &g->players[g->next];

    g->next = (g->next + 1) % g->ndevices;
    if (p->job < 0)
        return; /* its turn comes again */
    if (g->sent % TURN == 0) {
        tell(g, p, RF_MESSAGE_FINAL, RF_OUTCOME_DONE, 0);
        p->ended_us = rf_time_us();
        g->turns++;
    } else {
        tell(g, p, RF_MESSAGE_METER, RF_OUTCOME_DONE, 0);
    }
}

/* All leases are out: from now on so many messages a second. At the end of it this rank says that
 * a signal came. */
static int keep_pace(struct generator *g)
{
    const struct rf_message signal = {.kind = RF_MESSAGE_SIGNAL, .job = -1, .lease = -1};
    int64_t now_us = rf_time_us(), before = g->sent;
    double rate = (double)g->what->rate / g->nranks;

    if (g->full_us == 0 && g->out == g->ndevices) {
        g->full_us = now_us;
        g->rss_before = resident_bytes(g->coordinator);
        g->until_us = now_us + (int64_t)(g->what->seconds * 1e6);
    }
    if (g->full_us == 0 || g->told)
        return 0;
    if (now_us >= g->until_us) {
        g->told = 1;
        g->rss_after = resident_bytes(g->coordinator);
        rf_outbox_send(g->outbox, g->control->size - 1, &signal, NULL);
        return 1;
    }
    for (int tries = 0;
         tries < 64 && (double)g->sent < rate * (double)(now_us - g->full_us) * 1e-6; tries++)
        speak(g);
    return g->sent > before;
}

static void play(void *ctx, const struct rf_group *control)
{
    struct generator *g = ctx;
    int nap_us = 0;

    g->control = control;
    g->begun_us = rf_time_us();
    if (rf_outbox_create(&g->outbox, control, NULL) != RF_OK)
        MPI_Abort(control->comm, 3); /* nobody would answer */
    while (!g->over) {
        int active = take_messages(g);

        rf_outbox_sweep(g->outbox);
        active |= !g->over && keep_pace(g);
        if (active)
            nap_us = 0;
        else
            rf_message_nap(&nap_us);
    }
    rf_outbox_destroy(g->outbox);
}

/* ---- the run ---- */

static int32_t njobs_of(const struct rf_coordinator_bench *what)
{
    int32_t turns = (int32_t)(what->rate * what->seconds / TURN) + 1;

    return what->leases + turns + what->queued;
}

static enum rf_status make_generator(struct generator *g, const struct rf_group *group,
                                     const struct rf_coordinator_bench *what,
                                     struct rf_error *err)
{
    int32_t njobs = njobs_of(what);
    long pid = (long)getpid();

    *g = (struct generator){.what = what, .nranks = group->size - 1};
    g->ndevices = what->leases / g->nranks;
    g->first = group->rank * g->ndevices;
    MPI_Bcast(&pid, 1, MPI_LONG, group->size - 1, group->comm);
    g->coordinator = pid;
    g->waits_room = what->rate * (int64_t)(what->seconds + 60);
    g->players = calloc((size_t)g->ndevices, sizeof *g->players);
    g->player_of = malloc((size_t)njobs * sizeof *g->player_of);
    g->waits_us = malloc((size_t)g->waits_room * sizeof *g->waits_us);
    if (g->players == NULL || g->player_of == NULL || g->waits_us == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d leases", g->ndevices);
    for (int i = 0; i < g->ndevices; i++)
        g->players[i].job = -1;
    for (int32_t i = 0; i < njobs; i++)
        g->player_of[i] = -1;
    return RF_OK;
}

static void clear_generator(struct generator *g)
{
    free(g->players);
    free(g->player_of);
    free(g->waits_us);
}

/* One job in four belongs to the account with the promise. */
static enum rf_status make_requests(struct rf_request **requests, int32_t n,
                                    struct rf_error *err)
{
    *requests = calloc((size_t)n, sizeof **requests);
    if (*requests == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d requests", n);
    for (int32_t i = 0; i < n; i++) {
        struct rf_request *r = &(*requests)[i];

        r->min = r->max = 1;
        r->limit_us = INT64_C(3600000000) + i % 97 * INT64_C(1000000);
        snprintf(r->name, sizeof r->name, "job-%d", i);
        snprintf(r->account, sizeof r->account, "%s",
                 i % 4 == 0 ? "alignment.oversight" : "capability.pretraining");
    }
    return RF_OK;
}

static struct rf_event promise(void)
{
    struct rf_event event = rf_event_make(RF_EVENT_PLEDGE, 0);

    snprintf(event.account, sizeof event.account, "alignment");
    snprintf(event.basis, sizeof event.basis, "fleet");
    snprintf(event.text, sizeof event.text, "floor");
    snprintf(event.author, sizeof event.author, "bench");
    snprintf(event.reason, sizeof event.reason, "declared-at-start");
    event.share = (struct rf_share){1, 5};
    event.window_us = INT64_C(60000000);
    event.tolerance_us = INT64_C(1000000);
    return event;
}

struct count {
    int64_t tokens, ends;
};

static enum rf_status count_event(void *ctx, const struct rf_event *event, struct rf_error *err)
{
    struct count *count = ctx;

    (void)err;
    count->tokens += event->type == RF_EVENT_CHARGE ? event->tokens : 0;
    count->ends += event->type == RF_EVENT_END;
    return RF_OK;
}

/* Collective: what was sent against what the ledger has. */
static enum rf_status add_up(struct rf_bench_leases *result, const struct rf_group *group,
                             const struct generator *g, const char *path, struct rf_error *err)
{
    int64_t mine[2] = {g->sent, g->turns}, all[2];
    struct rf_ledger_check check;
    struct count count = {0};
    enum rf_status st = RF_OK;

    MPI_Allreduce(mine, all, 2, MPI_INT64_T, MPI_SUM, group->comm);
    result->sent = all[0];
    result->turns = all[1];
    if (group->rank == group->size - 1)
        st = rf_ledger_verify(path, NULL, count_event, &count, &check, err);
    if (st == RF_OK && group->rank == group->size - 1) {
        if (check.problem[0] != '\0')
            st =
                rf_fail(err, RF_NO, "the ledger of the run does not verify: %s", check.problem);
        else if (count.tokens != all[0] || count.ends != all[1])
            st = rf_fail(err, RF_NO,
                         "%" PRId64 " messages were sent, %" PRId64
                         " are in the ledger; %" PRId64
                         " of them ended jobs, in the ledger %" PRId64,
                         all[0], count.tokens, all[1], count.ends);
    }
    return rf_agree(group, st, err);
}

/* Collective: the waits of all ranks, joined on every one by way of the largest quantiles: exact with
 * one rank that plays. */
static void join_figures(struct rf_bench_leases *result, const struct rf_group *group,
                         const struct generator *g)
{
    int plays = group->rank < group->size - 1;
    double mine[6] = {0}, all[6];

    if (plays) {
        mine[0] = rf_bench_quantile(g->waits_us, g->nwaits, 0.99);
        mine[1] = rf_bench_quantile(g->waits_us, g->nwaits, 0.5);
        mine[2] = g->rss_before;
        mine[3] = g->rss_after;
        mine[4] = (double)(g->full_us - g->begun_us) * 1e-6;
        mine[5] = g->what->seconds;
    }
    MPI_Allreduce(mine, all, 6, MPI_DOUBLE, MPI_MAX, group->comm);
    result->p99_us = all[0];
    result->p50_us = all[1];
    result->rss_before = all[2];
    result->rss_after = all[3];
    result->first_s = all[4];
    result->seconds = all[5];
}

enum rf_status rf_bench_leases(struct rf_bench_leases *result, const struct rf_group *group,
                               const struct rf_coordinator_bench *what, const char *dir,
                               struct rf_error *err)
{
    const struct rf_event pledge = promise();
    struct rf_run_options options = {.run = "leases",
                                     .version = "bench",
                                     .policy = rf_policy_options_make(),
                                     .policy_name = "easy+floor",
                                     .grace_us = INT64_C(60000000),
                                     .lease_us = INT64_C(30000000),
                                     .heartbeat_us = INT64_C(1000000),
                                     .lease_silence = 10,
                                     .pledges = &pledge,
                                     .npledges = 1,
                                     .nrequests = njobs_of(what)};
    struct rf_run_outcome outcome = {0};
    struct rf_request *requests = NULL;
    struct generator g = {0};
    char path[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(path, dir, "leases.jsonl", err);

    *result = (struct rf_bench_leases){0};
    snprintf(options.policy.order, sizeof options.policy.order, "easy");
    snprintf(options.policy.fence, sizeof options.policy.fence, "floor");
    if (st == RF_OK)
        st = make_generator(&g, group, what, err);
    if (st == RF_OK)
        st = make_requests(&requests, options.nrequests, err);
    st = rf_agree(group, st, err);
    options.spread = g.ndevices;
    options.requests = requests;
    options.ledger_path = path;
    if (st == RF_OK) {
        st = rf_coordinate_play(group, &options, play, &g, &outcome, err);
        st = st == RF_AGAIN ? RF_OK : st; /* a signal is how it is meant to end */
        result->entries = outcome.entries;
        MPI_Bcast(&result->entries, 1, MPI_INT64_T, group->size - 1, group->comm);
    }
    if (st == RF_OK)
        st = add_up(result, group, &g, path, err);
    if (st == RF_OK)
        join_figures(result, group, &g);
    rf_run_outcome_clear(&outcome);
    free(requests);
    clear_generator(&g);
    return st;
}
