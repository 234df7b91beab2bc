#include "mpi/protocol.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void rf_message_send(const struct rf_group *control, int to, const struct rf_message *message)
{
    MPI_Send(message, (int)sizeof *message, MPI_BYTE, to, message->kind, control->comm);
}

int rf_message_poll(const struct rf_group *control, int from, int kind,
                    struct rf_message *message, int *source)
{
    MPI_Status status;
    int there;

    MPI_Iprobe(from, kind == 0 ? MPI_ANY_TAG : kind, control->comm, &there, &status);
    if (!there)
        return 0;
    MPI_Recv(message, (int)sizeof *message, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG,
             control->comm, MPI_STATUS_IGNORE);
    if (source != NULL)
        *source = status.MPI_SOURCE;
    return 1;
}

/* ---- without waiting ---- */

struct parcel {
    struct parcel *next;
    MPI_Request request;
    char bytes[]; /* as they go */
};

struct rf_outbox {
    const struct rf_group *control; /* borrowed */
    struct parcel *first, *last;    /* owned: in the order in which they were sent */
};

enum { SWEEP = 32 }; /* look past so many that have not arrived */

enum rf_status rf_outbox_create(struct rf_outbox **outbox, const struct rf_group *control,
                                struct rf_error *err)
{
    *outbox = calloc(1, sizeof **outbox);
    if (*outbox == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: an outbox");
    (*outbox)->control = control;
    return RF_OK;
}

void rf_outbox_destroy(struct rf_outbox *outbox)
{
    while (outbox != NULL && outbox->first != NULL) {
        struct parcel *parcel = outbox->first;

        MPI_Wait(&parcel->request, MPI_STATUS_IGNORE);
        outbox->first = parcel->next;
        free(parcel);
    }
    free(outbox);
}

/* Without memory for a copy it waits for the receiver after all. */
static void post(struct rf_outbox *outbox, int to, int tag, const void *bytes, int size)
{
    struct parcel *parcel = malloc(sizeof *parcel + (size_t)size);

    if (parcel == NULL) {
        MPI_Send(bytes, size, MPI_BYTE, to, tag, outbox->control->comm);
        return;
    }
    memcpy(parcel->bytes, bytes, (size_t)size);
    parcel->next = NULL;
    MPI_Isend(parcel->bytes, size, MPI_BYTE, to, tag, outbox->control->comm, &parcel->request);
    if (outbox->last != NULL)
        outbox->last->next = parcel;
    else
        outbox->first = parcel;
    outbox->last = parcel;
}

void rf_outbox_send(struct rf_outbox *outbox, int to, const struct rf_message *message,
                    const int *ranks)
{
    post(outbox, to, message->kind, message, (int)sizeof *message);
    if (ranks != NULL)
        post(outbox, to, RF_MESSAGE_RANKS, ranks, message->nranks * (int)sizeof *ranks);
}

void rf_outbox_sweep(struct rf_outbox *outbox)
{
    struct parcel **at = &outbox->first, *before = NULL;

    for (int left = SWEEP; *at != NULL && left > 0;) {
        struct parcel *parcel = *at;
        int arrived;

        MPI_Test(&parcel->request, &arrived, MPI_STATUS_IGNORE);
        if (!arrived) {
            before = parcel;
            at = &parcel->next;
            left--;
            continue;
        }
        *at = parcel->next;
        if (outbox->last == parcel)
            outbox->last = before;
        free(parcel);
    }
}

/* ---- receiving ---- */

void rf_message_take_ranks(const struct rf_group *control, int from, int *ranks, int nranks)
{
    MPI_Recv(ranks, nranks * (int)sizeof *ranks, MPI_BYTE, from, RF_MESSAGE_RANKS,
             control->comm, MPI_STATUS_IGNORE);
}

void rf_message_nap(int *nap_us)
{
    enum { FIRST_US = 50, BRISK_US = 1000, LONGEST_US = 4000 };
    struct timespec pause = {0};

    *nap_us = *nap_us == 0         ? FIRST_US
              : *nap_us < BRISK_US ? *nap_us * 2
                                   : *nap_us + *nap_us / 64;
    if (*nap_us > LONGEST_US)
        *nap_us = LONGEST_US;
    pause.tv_nsec = *nap_us * 1000L;
    nanosleep(&pause, NULL);
}
