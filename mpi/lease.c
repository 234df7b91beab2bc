#include "mpi/lease.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "mpi/protocol.h"
#include "mpi/signals.h"

struct rf_lease {
    const struct rf_group *control; /* borrowed; NULL: no coordinator */
    int coordinator;
    int32_t job, number, formation;
    int64_t lease_us, sent_us;
    int64_t entries; /* of the ledger at the start of this group, and its tree head */
    char head[RF_DIGEST_BASE64];
    struct rf_reading unsent; /* since the last message; leader only; step -1: not known yet */
    enum rf_stop stop;        /* once it says stop, it stays so */
};

enum rf_status rf_lease_solo(struct rf_lease **lease, struct rf_error *err)
{
    *lease = malloc(sizeof **lease);
    if (*lease == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a lease");
    rf_signals_start();
    rf_lease_bind(*lease, NULL, 0, &(struct rf_message){0});
    return RF_OK;
}

void rf_lease_bind(struct rf_lease *lease, const struct rf_group *control, int coordinator,
                   const struct rf_message *message)
{
    *lease = (struct rf_lease){.control = control,
                               .coordinator = coordinator,
                               .job = message->job,
                               .number = message->lease,
                               .formation = message->formation,
                               .lease_us = message->lease_us,
                               .entries = message->entries,
                               .sent_us = INT64_MIN,
                               .unsent = {.step = -1},
                               .stop = RF_GO};
    memcpy(lease->head, message->head, sizeof lease->head);
}

int64_t rf_lease_head(const struct rf_lease *lease, char head[RF_DIGEST_BASE64])
{
    memcpy(head, lease->head, sizeof lease->head);
    return lease->entries;
}

void rf_lease_free(struct rf_lease *lease)
{
    free(lease);
}

static struct rf_message message_of(const struct rf_lease *lease, enum rf_message_kind kind)
{
    return (struct rf_message){.kind = (int32_t)kind,
                               .job = lease->job,
                               .lease = lease->number,
                               .formation = lease->formation};
}

static void collect(struct rf_lease *lease, const struct rf_reading *reading)
{
    lease->unsent.busy_us += reading->busy_us;
    lease->unsent.tokens += reading->tokens;
    lease->unsent.flops += reading->flops;
    lease->unsent.step = reading->step;
}

/* The first reading goes at once: it shows that the job has begun to step. */
static void report_when_due(struct rf_lease *lease)
{
    int64_t now_us = rf_time_us();
    struct rf_message message;

    if (lease->sent_us != INT64_MIN && now_us - lease->sent_us < lease->lease_us)
        return;
    message = message_of(lease, RF_MESSAGE_METER);
    message.reading = lease->unsent;
    rf_message_send(lease->control, lease->coordinator, &message);
    lease->unsent = (struct rf_reading){.step = lease->unsent.step};
    lease->sent_us = now_us;
}

/* A revocation of an earlier group is still about when its job ended by
 * itself at the same moment; the numbers tell it apart. */
static enum rf_stop revoked(const struct rf_lease *lease)
{
    struct rf_message message;

    while (
        rf_message_poll(lease->control, lease->coordinator, RF_MESSAGE_REVOKE, &message, NULL))
        if (message.lease == lease->number && message.formation == lease->formation)
            return message.signal ? RF_STOP_SIGNAL : RF_STOP_PREEMPT;
    return RF_GO;
}

enum rf_stop rf_lease_poll(struct rf_lease *lease, const struct rf_group *group,
                           const struct rf_reading *reading)
{
    int leads = group->rank == 0 && lease->control != NULL;
    enum rf_stop before = lease->stop;
    int stop = rf_signals_seen() ? (int)RF_STOP_SIGNAL : (int)before;

    if (leads) {
        int asked = (int)revoked(lease);

        stop = asked > stop ? asked : stop;
        collect(lease, reading);
    }
    if (group->size > 1)
        MPI_Allreduce(MPI_IN_PLACE, &stop, 1, MPI_INT, MPI_MAX, group->comm);
    lease->stop = (enum rf_stop)stop;
    if (leads) {
        report_when_due(lease);
        if (stop == RF_STOP_SIGNAL && before != RF_STOP_SIGNAL) {
            struct rf_message message = message_of(lease, RF_MESSAGE_SIGNAL);

            rf_message_send(lease->control, lease->coordinator, &message);
        }
    }
    return lease->stop;
}

void rf_lease_checkpoint(struct rf_lease *lease, const struct rf_group *group, int64_t step,
                         const char *digest_hex, const char *path)
{
    struct rf_message message = message_of(lease, RF_MESSAGE_CHECKPOINT);

    if (group->rank != 0 || lease->control == NULL)
        return;
    lease->unsent.step = step; /* a job that finds its work done has not polled at all */
    message.reading.step = step;
    snprintf(message.digest, sizeof message.digest, "%s", digest_hex);
    snprintf(message.text, sizeof message.text, "%s", path);
    rf_message_send(lease->control, lease->coordinator, &message);
}

void rf_lease_finish(struct rf_lease *lease, const struct rf_group *group,
                     enum rf_outcome outcome, const struct rf_error *err)
{
    struct rf_message message = message_of(lease, RF_MESSAGE_FINAL);

    MPI_Barrier(group->comm);
    if (group->rank != 0 || lease->control == NULL)
        return;
    message.outcome = (int32_t)outcome;
    message.signal = lease->stop == RF_STOP_SIGNAL;
    message.reading = lease->unsent;
    message.status = outcome == RF_OUTCOME_FAILED ? (int32_t)err->status : RF_OK;
    if (outcome == RF_OUTCOME_FAILED)
        snprintf(message.text, sizeof message.text, "%.*s", RF_TEXT_BYTES - 1, err->text);
    rf_message_send(lease->control, lease->coordinator, &message);
}
