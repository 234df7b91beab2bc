#include "mpi/protocol.h"

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

void rf_message_send_ranks(const struct rf_group *control, int to, const int *ranks, int nranks)
{
    MPI_Send(ranks, nranks, MPI_INT, to, RF_MESSAGE_RANKS, control->comm);
}

void rf_message_take_ranks(const struct rf_group *control, int from, int *ranks, int nranks)
{
    MPI_Recv(ranks, nranks, MPI_INT, from, RF_MESSAGE_RANKS, control->comm, MPI_STATUS_IGNORE);
}

void rf_message_nap(int *nap_us)
{
    struct timespec pause = {0};

    *nap_us = *nap_us == 0 ? 50 : *nap_us * 2;
    if (*nap_us > 1000)
        *nap_us = 1000;
    pause.tv_nsec = *nap_us * 1000L;
    nanosleep(&pause, NULL);
}
