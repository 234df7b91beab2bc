/* Write-ahead is kept by the shape of a round: record() only touches memory, commit()
 * syncs once and then compares, lease by lease, what its holders have been told
 * with what they should be told. Nothing is queued, so nothing unlogged can slip out. */
#include "mpi/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "mpi/protocol.h"
#include "mpi/signals.h"

enum { PROPOSALS = 64 };

enum revocation { REVOKE_NOT, REVOKE_PREEMPT, REVOKE_SIGNAL };

struct held {
    int32_t job, lease;
    int leader;
    int started; /* its ranks have been told to begin */
    enum revocation revoke, told;
    int over_limit;
};

struct rf_dispatch {
    const struct rf_group *control;
    const struct rf_run_options *options;
    struct rf_journal *journal;
    struct rf_policy *policy;
    struct rf_progress progress;
    struct held *leases; /* owned: those that are out, room for one per worker */
    int nleases, nworkers, byes;
    int *ranks; /* owned: room for a group of all workers */
    int64_t last_event_us, last_seal_us;
    int changed;     /* since the policy was asked */
    int64_t wake_us; /* when its answer may differ although nothing changed */
    int moved;       /* devices changed hands since the progress line was shown */
    int signalled;
    enum rf_status failed;
    struct rf_error error;
    enum rf_status job_failure; /* of the first job that failed */
};

enum rf_status rf_dispatch_create(struct rf_dispatch **dispatch, const struct rf_group *control,
                                  const struct rf_run_options *options,
                                  struct rf_journal *journal, struct rf_policy *policy,
                                  struct rf_error *err)
{
    struct rf_dispatch *d = calloc(1, sizeof *d);

    *dispatch = NULL;
    if (d == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the coordinator");
    d->control = control;
    d->options = options;
    d->journal = journal;
    d->policy = policy;
    d->nworkers = control->size - 1;
    d->progress = rf_progress_make(options->progress, rf_time_us());
    d->last_event_us = d->last_seal_us = journal->now_us;
    d->changed = 1; /* a resumed run has a queue already */
    d->leases = calloc((size_t)d->nworkers, sizeof *d->leases);
    d->ranks = calloc((size_t)d->nworkers, sizeof *d->ranks);
    if (d->leases == NULL || d->ranks == NULL) {
        rf_dispatch_destroy(d);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d leases", control->size - 1);
    }
    rf_signals_start();
    *dispatch = d;
    return RF_OK;
}

void rf_dispatch_destroy(struct rf_dispatch *dispatch)
{
    if (dispatch == NULL)
        return;
    free(dispatch->leases);
    free(dispatch->ranks);
    free(dispatch);
}

static const struct rf_state *state_of(const struct rf_dispatch *d)
{
    return d->journal->state;
}

static struct held *find(struct rf_dispatch *d, int32_t lease)
{
    for (int i = 0; i < d->nleases; i++)
        if (d->leases[i].lease == lease)
            return &d->leases[i];
    return NULL;
}

static void forget(struct rf_dispatch *d, struct held *held)
{
    *held = d->leases[--d->nleases];
}

static void revoke_all(struct rf_dispatch *d, enum revocation why)
{
    for (int i = 0; i < d->nleases; i++)
        if (d->leases[i].revoke == REVOKE_NOT)
            d->leases[i].revoke = why;
}

/* The record can no longer be kept, so what has not begun never happened, and what runs stops.
 */
static void fail(struct rf_dispatch *d)
{
    d->failed = d->error.status;
    for (int i = d->nleases - 1; i >= 0; i--)
        if (!d->leases[i].started)
            forget(d, &d->leases[i]);
    revoke_all(d, REVOKE_PREEMPT);
}

static void record(struct rf_dispatch *d, struct rf_event *event)
{
    if (d->failed)
        return;
    if (rf_journal_record(d->journal, event, &d->error) != RF_OK) {
        fail(d);
        return;
    }
    d->last_event_us = event->t_us;
    d->changed = 1;
    if (event->type == RF_EVENT_GRANT || event->type == RF_EVENT_RELEASE ||
        event->type == RF_EVENT_END)
        d->moved = 1;
}

/* ---- what jobs say ---- */

/* A job's words in the ledger: printable ASCII without quotes, never empty. */
static void plain_text(char *to, size_t size, const char *from)
{
    size_t n = 0;

    for (; n + 1 < size && from[n] != '\0'; n++) {
        char c = from[n];

        to[n] = c == '"' || c == '\\' ? '\'' : (c < ' ' || c > '~') ? '?' : c;
    }
    to[n] = '\0';
    if (n == 0)
        snprintf(to, size, "no reason given");
}

static int64_t between(int64_t x, int64_t least, int64_t most)
{
    return x < least ? least : x > most ? most : x;
}

/* The coordinator's clock counts; a job cannot have been busy for longer than it held devices.
 */
static void charge(struct rf_dispatch *d, const struct held *held,
                   const struct rf_reading *reading)
{
    struct rf_event event = rf_event_make(RF_EVENT_CHARGE, 0);

    event.job = held->job;
    event.lease = held->lease;
    event.held_us = rf_state_owed_us(&state_of(d)->jobs[held->job], d->journal->now_us);
    event.busy_us = between(reading->busy_us, 0, event.held_us);
    event.tokens = between(reading->tokens, 0, INT64_MAX);
    event.flops = between(reading->flops, 0, INT64_MAX);
    event.step =
        reading->step >= 0 ? reading->step : rf_state_job_extra(state_of(d), held->job)->step;
    record(d, &event);
}

static void take_checkpoint(struct rf_dispatch *d, const struct held *held,
                            const struct rf_message *message)
{
    struct rf_event event = rf_event_make(RF_EVENT_CHECKPOINT, 0);

    if (strlen(message->digest) != 64 || strspn(message->digest, "0123456789abcdef") != 64) {
        char name[RF_NAME_BYTES];

        rf_warn("job '%s' reported a checkpoint with the digest '%s'; not recorded",
                rf_state_job_name(state_of(d), held->job, name), message->digest);
        return;
    }
    event.job = held->job;
    event.step = between(message->reading.step, 0, INT64_MAX);
    memcpy(event.digest, message->digest, sizeof event.digest);
    plain_text(event.text, sizeof event.text, message->text);
    record(d, &event);
}

/* Why a job that stopped before its end gave its devices back. */
static const char *why_stopped(const struct rf_dispatch *d, const struct held *held,
                               const struct rf_message *message)
{
    if (held->revoke == REVOKE_SIGNAL || message->signal)
        return "signal";
    return state_of(d)->jobs[held->job].state == RF_JOB_STOPPING ? "preempted" : "stopped";
}

static void take_final(struct rf_dispatch *d, struct held *held,
                       const struct rf_message *message)
{
    int stopped = message->outcome == RF_OUTCOME_STOPPED && !held->over_limit;
    struct rf_event event = rf_event_make(stopped ? RF_EVENT_RELEASE : RF_EVENT_END, 0);

    charge(d, held, &message->reading);
    event.job = held->job;
    event.lease = held->lease;
    if (stopped) {
        snprintf(event.reason, sizeof event.reason, "%s", why_stopped(d, held, message));
    } else if (message->outcome == RF_OUTCOME_DONE) {
        snprintf(event.text, sizeof event.text, "done");
    } else {
        snprintf(event.text, sizeof event.text, "failed");
        if (d->job_failure == RF_OK)
            d->job_failure = message->outcome == RF_OUTCOME_STOPPED
                                 ? RF_ERR_PEER
                                 : (enum rf_status)message->status;
        plain_text(event.reason, sizeof event.reason,
                   message->outcome == RF_OUTCOME_STOPPED ? "time-limit" : message->text);
    }
    record(d, &event);
    forget(d, held);
    if (message->signal)
        d->signalled = 1;
}

static void take(struct rf_dispatch *d, const struct rf_message *message)
{
    struct held *held = find(d, message->lease);

    if (message->kind == RF_MESSAGE_SIGNAL)
        d->signalled = 1;
    else if (message->kind == RF_MESSAGE_BYE)
        d->byes++;
    else if (held != NULL && message->kind == RF_MESSAGE_METER)
        charge(d, held, &message->reading);
    else if (held != NULL && message->kind == RF_MESSAGE_CHECKPOINT)
        take_checkpoint(d, held, message);
    else if (held != NULL && message->kind == RF_MESSAGE_FINAL)
        take_final(d, held, message);
}

static int take_all(struct rf_dispatch *d)
{
    struct rf_message message;
    int n = 0;

    /* At most a batch: the reply to the first should not wait for the thousandth. */
    while (n < 1000 && rf_message_poll(d->control, MPI_ANY_SOURCE, 0, &message, NULL)) {
        take(d, &message);
        n++;
    }
    return n > 0;
}

/* ---- what the policy says ---- */

static void submit_due(struct rf_dispatch *d)
{
    const struct rf_run_options *o = d->options;
    int64_t elapsed_us = d->journal->now_us - state_of(d)->start_us;

    while (!d->failed && state_of(d)->njobs < o->nrequests &&
           o->requests[state_of(d)->njobs].submit_us <= elapsed_us) {
        const struct rf_request *request = &o->requests[state_of(d)->njobs];
        struct rf_event event = rf_event_make(RF_EVENT_REQUEST, 0);

        event.job = state_of(d)->njobs;
        snprintf(event.name, sizeof event.name, "%s", request->name);
        snprintf(event.account, sizeof event.account, "%s", request->account);
        event.min = request->min;
        event.max = request->max;
        event.limit_us = request->limit_us;
        event.nafter = request->nafter;
        memcpy(event.after, request->after, sizeof event.after);
        record(d, &event);
    }
}

static void grant(struct rf_dispatch *d, const struct rf_proposal *p)
{
    struct rf_event event = rf_event_make(RF_EVENT_GRANT, 0);
    struct rf_idset free_now = {0};
    enum rf_status st;

    event.job = p->job;
    event.lease = state_of(d)->next_lease;
    event.lent = p->lent;
    st = rf_idset_copy(&free_now, &state_of(d)->free, &d->error);
    if (st == RF_OK)
        st = rf_idset_take(&free_now, p->count, &event.devices, &d->error);
    if (st != RF_OK)
        fail(d);
    record(d, &event);
    if (!d->failed)
        d->leases[d->nleases++] = (struct held){
            .job = p->job, .lease = event.lease, .leader = rf_idset_at(&event.devices, 0)};
    rf_idset_clear(&free_now);
    rf_event_clear(&event);
}

static void preempt(struct rf_dispatch *d, int32_t job, int32_t by, const char *reason)
{
    struct rf_event event = rf_event_make(RF_EVENT_PREEMPT, 0);
    struct held *held = find(d, state_of(d)->jobs[job].lease);

    event.job = job;
    event.lease = state_of(d)->jobs[job].lease;
    event.by = by;
    snprintf(event.reason, sizeof event.reason, "%s", reason);
    record(d, &event);
    if (held != NULL && held->revoke == REVOKE_NOT)
        held->revoke = REVOKE_PREEMPT;
}

static void refuse(struct rf_dispatch *d, enum rf_event_type type, const struct rf_proposal *p)
{
    struct rf_event event = rf_event_make(type, 0);

    event.job = p->job;
    snprintf(event.reason, sizeof event.reason, "%s", p->reason);
    record(d, &event);
}

static void carry_out(struct rf_dispatch *d, const struct rf_proposal *p)
{
    switch (p->kind) {
    case RF_PROPOSE_GRANT:
        grant(d, p);
        break;
    case RF_PROPOSE_PREEMPT:
        preempt(d, p->job, p->by, p->reason);
        break;
    case RF_PROPOSE_DENY:
        refuse(d, RF_EVENT_DENY, p);
        break;
    case RF_PROPOSE_DELAY:
        refuse(d, RF_EVENT_DELAY, p);
        break;
    case RF_PROPOSE_SHRINK:
    case RF_PROPOSE_GROW: /* a job's ranks are fixed while it runs: options.resize is 0 */
        rf_fail(&d->error, RF_ERR_INTERNAL, "the policy would resize a job that runs");
        fail(d);
        break;
    }
}

static void decide(struct rf_dispatch *d)
{
    struct rf_proposal out[PROPOSALS];
    int64_t rounds =
        1000 + 16 * (int64_t)state_of(d)->njobs; /* far more than a sane policy needs */
    int n;

    if (!d->changed && d->journal->now_us < d->wake_us) /* it would be the same answer */
        return;
    while (!d->failed && rounds-- > 0) {
        n = rf_policy_propose(d->policy, d->journal->now_us, out, PROPOSALS);
        for (int i = 0; i < n && !d->failed; i++)
            carry_out(d, &out[i]);
        if (n == 0)
            break;
    }
    if (!d->failed && rounds < 0) {
        rf_fail(&d->error, RF_ERR_INTERNAL, "policy '%s' does not come to an end",
                d->options->policy_name);
        fail(d);
    }
    d->changed = 0;
    d->wake_us = rf_policy_wake_us(d->policy, d->journal->now_us);
}

/* A job over its time limit stops like a preempted one, but does not come back. */
static void watch_limits(struct rf_dispatch *d)
{
    for (int i = 0; i < d->nleases; i++) {
        struct held *held = &d->leases[i];
        const struct rf_job *job = &state_of(d)->jobs[held->job];

        if (held->revoke == REVOKE_NOT && job->limit_us > 0 &&
            d->journal->now_us - job->grant_us >= job->limit_us) {
            held->over_limit = 1;
            preempt(d, held->job, -1, "time-limit");
        }
    }
}

/* ---- what becomes of it ---- */

static void tell_start(struct rf_dispatch *d, struct held *held)
{
    const struct rf_idset *devices = rf_state_devices(state_of(d), held->job);
    struct rf_message message = {.kind = RF_MESSAGE_LEASE,
                                 .job = held->job,
                                 .lease = held->lease,
                                 .lease_us = d->options->lease_us};
    int n = 0;

    for (int32_t r = 0; r < devices->nranges; r++)
        for (int32_t id = devices->ranges[r].begin; id < devices->ranges[r].end; id++)
            d->ranks[n++] = id;
    message.nranks = n;
    for (int i = 0; i < n; i++) {
        rf_message_send(d->control, d->ranks[i], &message);
        rf_message_send_ranks(d->control, d->ranks[i], d->ranks, n);
    }
    held->started = 1;
}

static void tell_revoke(struct rf_dispatch *d, struct held *held)
{
    const struct rf_message message = {.kind = RF_MESSAGE_REVOKE,
                                       .job = held->job,
                                       .lease = held->lease,
                                       .signal = held->revoke == REVOKE_SIGNAL};

    rf_message_send(d->control, held->leader, &message);
    held->told = held->revoke;
}

static void commit(struct rf_dispatch *d)
{
    const struct rf_run_options *o = d->options;
    int64_t now_us = d->journal->now_us;
    enum rf_status st = RF_OK;

    if (!d->failed)
        st = rf_journal_sync(d->journal, &d->error);
    if (!d->failed && st == RF_OK && o->key != NULL && o->seal_us > 0 &&
        now_us - d->last_seal_us >= o->seal_us) {
        st = rf_journal_seal(d->journal, &d->error);
        d->last_seal_us = now_us;
    }
    if (st != RF_OK)
        fail(d);
    for (int i = 0; i < d->nleases; i++) {
        if (!d->leases[i].started)
            tell_start(d, &d->leases[i]);
        if (d->leases[i].revoke != REVOKE_NOT && d->leases[i].told == REVOKE_NOT)
            tell_revoke(d, &d->leases[i]);
    }
}

static void beat(struct rf_dispatch *d)
{
    struct rf_event event = rf_event_make(RF_EVENT_HEARTBEAT, 0);

    if (d->options->heartbeat_us <= 0 ||
        d->journal->now_us - d->last_event_us < d->options->heartbeat_us)
        return;
    record(d, &event);
}

int rf_dispatch_round(struct rf_dispatch *dispatch, int64_t t_us)
{
    struct rf_dispatch *d = dispatch;
    int64_t entries = state_of(d)->next_seq;
    int active;

    rf_journal_at(d->journal, t_us);
    active = take_all(d);
    d->signalled = d->signalled || rf_signals_seen();
    if (d->signalled)
        revoke_all(d, REVOKE_SIGNAL);
    if (!d->failed && !d->signalled) {
        submit_due(d);
        decide(d);
        watch_limits(d);
    }
    beat(d);
    commit(d);
    rf_progress_update(&d->progress, state_of(d), d->journal->tally, rf_time_us(), d->moved);
    d->moved = 0;
    return active || state_of(d)->next_seq != entries;
}

static int all_done(const struct rf_dispatch *d)
{
    if (state_of(d)->njobs < d->options->nrequests)
        return 0;
    return d->nleases == 0 && state_of(d)->nqueue == 0;
}

int rf_dispatch_over(const struct rf_dispatch *dispatch)
{
    return dispatch->nleases == 0 &&
           (dispatch->failed || dispatch->signalled || all_done(dispatch));
}

enum rf_status rf_dispatch_status(const struct rf_dispatch *dispatch, struct rf_error *err)
{
    if (dispatch->failed)
        *err = dispatch->error;
    if (dispatch->failed || all_done(dispatch))
        return dispatch->failed;
    return rf_fail(err, RF_AGAIN, "stopped by a signal; run again with --resume to go on");
}

enum rf_status rf_dispatch_job_failure(const struct rf_dispatch *dispatch)
{
    return dispatch->job_failure;
}

void rf_dispatch_shutdown(struct rf_dispatch *dispatch)
{
    const struct rf_message message = {.kind = RF_MESSAGE_SHUTDOWN, .job = -1, .lease = -1};
    int nap_us = 0;

    rf_progress_end(&dispatch->progress);
    for (int rank = 0; rank < dispatch->nworkers; rank++)
        rf_message_send(dispatch->control, rank, &message);
    while (dispatch->byes < dispatch->nworkers)
        if (!take_all(dispatch))
            rf_message_nap(&nap_us);
}
