#include "mpi/worker.h"

#include <stdlib.h>

#include "mpi/protocol.h"
#include "mpi/signals.h"

/* The numbers of groups only grow, and those in force at one time lie closer together than this. */
enum { GROUP_TAGS = 16384 };

struct rf_worker {
    const struct rf_group *control; /* borrowed */
    int coordinator;
    rf_job_body *body;
    void *ctx;
    int *ranks;             /* owned: room for a group of all workers */
    struct rf_lease *lease; /* owned: bound anew for each job */
    int told;               /* the coordinator has heard of the signal that came here */
};

enum rf_status rf_worker_create(struct rf_worker **worker, const struct rf_group *control,
                                rf_job_body *body, void *ctx, struct rf_error *err)
{
    struct rf_worker *w = calloc(1, sizeof *w);
    enum rf_status st = RF_OK;

    *worker = NULL;
    if (w == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a worker");
    w->control = control;
    w->coordinator = control->size - 1;
    w->body = body;
    w->ctx = ctx;
    w->ranks = malloc((size_t)control->size * sizeof *w->ranks);
    if (w->ranks == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: a list of %d ranks", control->size);
    if (st == RF_OK)
        st = rf_lease_solo(&w->lease, err);
    if (st == RF_OK)
        *worker = w;
    else
        rf_worker_destroy(w);
    return st;
}

void rf_worker_destroy(struct rf_worker *worker)
{
    if (worker == NULL)
        return;
    rf_lease_free(worker->lease);
    free(worker->ranks);
    free(worker);
}

static void serve_lease(const struct rf_worker *w, const struct rf_message *message)
{
    struct rf_group group = {0};
    struct rf_error err = {.status = RF_OK, .text = "no reason given"};
    enum rf_outcome outcome;

    rf_message_take_ranks(w->control, w->coordinator, w->ranks, message->nranks);
    rf_group_among(&group, w->control, w->ranks, message->nranks,
                   message->formation % GROUP_TAGS);
    rf_lease_bind(w->lease, w->control, w->coordinator, message);
    outcome = w->body(w->ctx, &group, message->plan, w->lease, &err);
    rf_lease_finish(w->lease, &group, outcome, &err);
    rf_group_free(&group);
}

/* A signal that found this rank between jobs has nobody else to report it. */
static void tell_signal(struct rf_worker *w)
{
    const struct rf_message message = {.kind = RF_MESSAGE_SIGNAL, .job = -1, .lease = -1};

    if (w->told || !rf_signals_seen())
        return;
    rf_message_send(w->control, w->coordinator, &message);
    w->told = 1;
}

void rf_worker_serve(struct rf_worker *worker)
{
    const struct rf_message bye = {.kind = RF_MESSAGE_BYE, .job = -1, .lease = -1};
    struct rf_message message = {0};
    int nap_us = 0;

    while (message.kind != RF_MESSAGE_SHUTDOWN) {
        tell_signal(worker);
        if (!rf_message_poll(worker->control, worker->coordinator, 0, &message, NULL)) {
            rf_message_nap(&nap_us);
            continue;
        }
        nap_us = 0;
        if (message.kind == RF_MESSAGE_LEASE) /* otherwise: a revocation that came too late */
            serve_lease(worker, &message);
    }
    rf_message_send(worker->control, worker->coordinator, &bye);
}
