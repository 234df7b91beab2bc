/* Write-ahead is kept by the shape of a round: recording only touches memory, commit()
 * syncs once and then compares, lease by lease, what its holders have been told
 * with what they should be told. Nothing is queued, so nothing unlogged can slip out. */
#include "mpi/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "mpi/desk.h"
#include "mpi/signals.h"

/* ---- life ---- */

/* Which request a job of the ledger is: names tell. */
static int32_t find_request(const struct rf_dispatch *d, int32_t job)
{
    const char *name = rf_state_job_extra(rf_desk_state(d), job)->name;

    if (job < d->nrequests && strcmp(d->requests[job].name, name) == 0)
        return job;
    for (int32_t i = 0; i < d->nrequests; i++)
        if (strcmp(d->requests[i].name, name) == 0)
            return i;
    return -1;
}

/* The requests of the options, and which of them the ledger has already. */
static enum rf_status take_over(struct rf_dispatch *d, struct rf_error *err)
{
    const struct rf_run_options *o = d->options;
    enum rf_status st = rf_desk_room(d, o->nrequests, err);

    for (int32_t i = 0; st == RF_OK && i < o->nrequests; i++) {
        d->requests[d->nrequests] = o->requests[i];
        d->job_of[d->nrequests++] = -1;
    }
    for (int32_t id = 0; st == RF_OK && id < rf_desk_state(d)->njobs; id++) {
        int32_t plan = find_request(d, id);

        if (plan < 0)
            st = rf_fail(err, RF_ERR_CONFIG,
                         "cannot resume '%s': its job '%s' is not in the configuration",
                         o->ledger_path, rf_state_job_extra(rf_desk_state(d), id)->name);
        else
            d->job_of[plan] = id;
        d->known[id] = (struct rf_known){.plan = plan, .held = -1};
    }
    return st;
}

int rf_dispatch_devices(const struct rf_group *control, const struct rf_run_options *options)
{
    return (control->size - 1) * (options->spread > 1 ? options->spread : 1);
}

enum rf_status rf_dispatch_create(struct rf_dispatch **dispatch, const struct rf_group *control,
                                  const struct rf_run_options *options,
                                  struct rf_journal *journal, struct rf_policy *policy,
                                  struct rf_error *err)
{
    struct rf_dispatch *d = calloc(1, sizeof *d);
    size_t ndevices = (size_t)rf_dispatch_devices(control, options);
    enum rf_status st;

    *dispatch = NULL;
    if (d == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the coordinator");
    d->control = control;
    d->options = options;
    d->journal = journal;
    d->policy = policy;
    d->nworkers = control->size - 1;
    d->spread = options->spread > 1 ? options->spread : 1;
    rf_ticker_start(&d->progress, options->progress);
    d->last_event_us = d->last_seal_us = journal->now_us;
    d->idle_us = -1;
    d->changed = 1; /* a resumed run has a queue already */
    d->next_promise = (int)(journal->seen[RF_EVENT_PLEDGE] + journal->seen[RF_EVENT_POLICY] +
                            journal->seen[RF_EVENT_LIMIT]);
    d->leases = calloc(ndevices, sizeof *d->leases);
    d->ranks = calloc(ndevices, sizeof *d->ranks);
    st = rf_outbox_create(&d->outbox, control, err);
    if (st == RF_OK)
        st = take_over(d, err);
    if (st == RF_OK && (d->leases == NULL || d->ranks == NULL))
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: %zu leases", ndevices);
    if (st != RF_OK) {
        rf_dispatch_destroy(d);
        return st;
    }
    rf_desk_pace_start(d);
    rf_signals_start();
    *dispatch = d;
    return RF_OK;
}

void rf_dispatch_destroy(struct rf_dispatch *dispatch)
{
    if (dispatch == NULL)
        return;
    rf_outbox_destroy(dispatch->outbox);
    free(dispatch->requests);
    free(dispatch->job_of);
    free(dispatch->known);
    free(dispatch->owed_us);
    free(dispatch->leases);
    free(dispatch->ranks);
    free(dispatch);
}

/* ---- what the files of the desk share ---- */

struct rf_held *rf_desk_held(struct rf_dispatch *d, int32_t job)
{
    int32_t at = job >= 0 && job < rf_desk_state(d)->njobs ? d->known[job].held : -1;

    return at < 0 ? NULL : &d->leases[at];
}

void rf_desk_forget(struct rf_dispatch *d, struct rf_held *held)
{
    d->known[held->job].held = -1;
    *held = d->leases[--d->nleases];
    if (held != &d->leases[d->nleases])
        d->known[held->job].held = (int32_t)(held - d->leases);
}

void rf_desk_revoke(struct rf_dispatch *d, struct rf_held *held, enum rf_revocation why)
{
    if (held->revoke >= why)
        return;
    held->revoke = why;
    if (why >= RF_REVOKE_STOP && held->asked_us < 0)
        held->asked_us = d->journal->now_us;
    d->untold = 1;
    d->watch_us = 0;
}

static void revoke_all(struct rf_dispatch *d, enum rf_revocation why)
{
    for (int i = 0; i < d->nleases; i++)
        rf_desk_revoke(d, &d->leases[i], why);
}

void rf_desk_fail(struct rf_dispatch *d)
{
    d->failed = d->error.status;
    for (int i = d->nleases - 1; i >= 0; i--)
        if (!d->leases[i].started)
            rf_desk_forget(d, &d->leases[i]);
    revoke_all(d, RF_REVOKE_STOP);
}

void rf_desk_record(struct rf_dispatch *d, struct rf_event *event)
{
    if (d->failed)
        return;
    if (rf_journal_record(d->journal, event, &d->error) != RF_OK) {
        rf_desk_fail(d);
        return;
    }
    d->last_event_us = event->t_us;
    d->changed = 1;
    if (event->type == RF_EVENT_GRANT || event->type == RF_EVENT_RELEASE ||
        event->type == RF_EVENT_END || event->type == RF_EVENT_SHRINK ||
        event->type == RF_EVENT_GROW)
        d->moved = 1;
}

void rf_desk_words(char *to, size_t size, const char *from)
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

/* ---- what becomes of it ---- */

static void tell_start(struct rf_dispatch *d, struct rf_held *held)
{
    const struct rf_idset *devices = rf_state_devices(rf_desk_state(d), held->job);
    struct rf_message message = {.kind = RF_MESSAGE_LEASE,
                                 .job = held->job,
                                 .plan = d->known[held->job].plan,
                                 .lease = held->lease,
                                 .formation = ++d->formations,
                                 .lease_us = d->options->lease_us};
    int n = 0;

    for (int32_t r = 0; r < devices->nranges; r++)
        for (int32_t id = devices->ranges[r].begin; id < devices->ranges[r].end; id++)
            d->ranks[n++] = id;
    message.nranks = n;
    message.entries = rf_ledger_entries(d->journal->ledger);
    rf_ledger_head(d->journal->ledger, message.head);
    for (int i = 0; i < n; i++)
        rf_outbox_send(d->outbox, d->ranks[i] / d->spread, &message, d->ranks);
    held->leader = d->ranks[0] / d->spread;
    held->formation = message.formation;
    held->started = 1;
    held->spoke = 0;
    held->formed_us = held->heard_us = d->journal->now_us;
    d->watch_us = 0;
}

static void tell_revoke(struct rf_dispatch *d, struct rf_held *held)
{
    const struct rf_message message = {.kind = RF_MESSAGE_REVOKE,
                                       .job = held->job,
                                       .lease = held->lease,
                                       .formation = held->formation,
                                       .signal = held->revoke == RF_REVOKE_SIGNAL};

    rf_outbox_send(d->outbox, held->leader, &message, NULL);
    held->told = held->revoke;
}

/* Who has paused, and was not asked to do more by now, goes on. */
static void resume(struct rf_held *held)
{
    held->paused = held->started = 0;
    held->revoke = held->told = RF_REVOKE_NOT;
    held->asked_us = -1;
}

static void seal_when_due(struct rf_dispatch *d, enum rf_status *st)
{
    const struct rf_run_options *o = d->options;
    int64_t now_us = d->journal->now_us;

    if (*st != RF_OK || o->key == NULL || o->seal_us <= 0 ||
        now_us - d->last_seal_us < o->seal_us)
        return;
    *st = rf_journal_seal(d->journal, &d->error);
    d->last_seal_us = now_us;
}

static void commit(struct rf_dispatch *d)
{
    enum rf_status st = RF_OK;

    if (!d->failed)
        st = rf_journal_sync(d->journal, &d->error);
    if (!d->failed)
        seal_when_due(d, &st);
    if (st != RF_OK)
        rf_desk_fail(d);
    for (int i = 0; d->untold && i < d->nleases; i++) {
        struct rf_held *held = &d->leases[i];

        if (held->paused && held->revoke <= RF_REVOKE_PAUSE)
            resume(held);
        if (!held->started)
            tell_start(d, held);
        if (held->revoke > held->told && !held->paused)
            tell_revoke(d, held);
    }
    d->untold = 0;
}

static void beat(struct rf_dispatch *d)
{
    struct rf_event event = rf_event_make(RF_EVENT_HEARTBEAT, 0);

    if (d->options->heartbeat_us <= 0 ||
        d->journal->now_us - d->last_event_us < d->options->heartbeat_us)
        return;
    rf_desk_record(d, &event);
}

/* ---- rounds ---- */

static int take_all(struct rf_dispatch *d)
{
    struct rf_message message;
    int n = 0;

    /* At most a batch: the reply to the first should not wait for the thousandth. */
    while (n < 1000 && rf_message_poll(d->control, MPI_ANY_SOURCE, 0, &message, NULL)) {
        if (message.kind == RF_MESSAGE_SIGNAL)
            d->signalled = 1;
        else if (message.kind == RF_MESSAGE_BYE)
            d->byes++;
        else
            rf_desk_hear(d, &message);
        n++;
    }
    return n > 0;
}

/* Paused leases whose devices have to go at once: nobody is there to tell. */
static void release_paused(struct rf_dispatch *d, const char *reason)
{
    for (int i = d->nleases - 1; i >= 0; i--)
        if (d->leases[i].paused && d->leases[i].revoke > RF_REVOKE_PAUSE)
            rf_desk_release(d, &d->leases[i], reason, 0);
}

static int all_done(const struct rf_dispatch *d)
{
    return d->next_request == d->nrequests && d->nleases == 0 && rf_desk_state(d)->nqueue == 0;
}

static void show_progress(struct rf_dispatch *d)
{
    int64_t clock_us = rf_time_us();
    struct rf_pace pace;

    if (!rf_ticker_due(&d->progress, clock_us, d->moved))
        return;
    pace = rf_dispatch_pace(d);
    rf_progress_show(&d->progress, rf_desk_state(d), d->journal->tally, &pace, d->nrequests,
                     clock_us);
    d->moved = 0;
}

int rf_dispatch_round(struct rf_dispatch *dispatch, int64_t t_us)
{
    struct rf_dispatch *d = dispatch;
    int64_t entries = rf_desk_state(d)->next_seq;
    int active;

    rf_journal_at(d->journal, t_us);
    rf_outbox_sweep(d->outbox);
    active = take_all(d);
    d->signalled = d->signalled || rf_signals_seen();
    if (d->signalled)
        revoke_all(d, RF_REVOKE_SIGNAL);
    if (!d->failed && !d->signalled) {
        rf_desk_promises(d);
        rf_desk_requests(d);
        rf_desk_watch(d);
        rf_desk_decide(d);
    }
    release_paused(d, d->signalled ? "signal" : "preempted");
    beat(d);
    commit(d);
    if (!all_done(d))
        d->idle_us = -1;
    else if (d->idle_us < 0)
        d->idle_us = d->journal->now_us;
    show_progress(d);
    return active || rf_desk_state(d)->next_seq != entries;
}

int rf_dispatch_over(const struct rf_dispatch *dispatch)
{
    const struct rf_dispatch *d = dispatch;

    if (d->nleases > 0)
        return 0;
    if (d->failed || d->signalled)
        return 1;
    return all_done(d) && d->idle_us >= 0 &&
           d->journal->now_us - d->idle_us >= d->options->linger_us;
}

enum rf_status rf_dispatch_status(const struct rf_dispatch *dispatch, struct rf_error *err)
{
    const struct rf_dispatch *d = dispatch;

    if (d->failed)
        *err = d->error;
    if (d->failed || (all_done(d) && (!d->signalled || d->options->linger_us == 0)))
        return d->failed;
    return rf_fail(err, RF_AGAIN, "stopped by a signal; run again with --resume to go on");
}

enum rf_status rf_dispatch_job_failure(const struct rf_dispatch *dispatch)
{
    return dispatch->job_failure;
}

int32_t rf_dispatch_plan_of(const struct rf_dispatch *dispatch, int32_t job)
{
    return job < 0 || job >= rf_desk_state(dispatch)->njobs ? -1 : dispatch->known[job].plan;
}

void rf_dispatch_shutdown(struct rf_dispatch *dispatch)
{
    const struct rf_message message = {.kind = RF_MESSAGE_SHUTDOWN, .job = -1, .lease = -1};
    int nap_us = 0;

    rf_ticker_end(&dispatch->progress);
    for (int rank = 0; rank < dispatch->nworkers; rank++)
        rf_outbox_send(dispatch->outbox, rank, &message, NULL);
    while (dispatch->byes < dispatch->nworkers)
        if (!take_all(dispatch))
            rf_message_nap(&nap_us);
}
