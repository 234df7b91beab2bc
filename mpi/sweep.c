/* A rank that is free sends what it has done last (nothing at first) and gets a number back, or is
 * told that there is no more. Both are small messages between it and rank 0. */
#include "mpi/sweep.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG_FREE = 1, TAG_NEXT = 2, NONE = -1 };
enum { HEAD_BYTES = 16 }; /* a number, and room so that what follows is aligned */

struct rf_sweep_hub {
    const struct rf_group *group;
    const struct rf_sweep *sweep;
    int next, told;        /* rank 0: turns handed out; ranks that know that there is no more */
    int serving;           /* rank 0: keeps take() from serving again */
    unsigned char *parcel; /* owned: a piece's number and its result */
    size_t parcel_bytes;
    enum rf_status st; /* rank 0: of take() */
    struct rf_error err;
};

/* ---- rank 0 */

static int next_piece(struct rf_sweep_hub *hub)
{
    if (hub->st != RF_OK || hub->next >= hub->sweep->n)
        return NONE;
    return hub->sweep->turns[hub->next++];
}

static void take(struct rf_sweep_hub *hub, int piece, const void *result)
{
    enum rf_status st;
    struct rf_error err;

    st = hub->sweep->take(hub->sweep->ctx, piece, result, &err);
    if (st != RF_OK && hub->st == RF_OK) {
        hub->st = st;
        hub->err = err;
    }
}

static void answer(struct rf_sweep_hub *hub, int rank)
{
    int piece, next;

    MPI_Recv(hub->parcel, (int)hub->parcel_bytes, MPI_BYTE, rank, TAG_FREE, hub->group->comm,
             MPI_STATUS_IGNORE);
    memcpy(&piece, hub->parcel, sizeof piece);
    if (piece != NONE)
        take(hub, piece, hub->parcel + HEAD_BYTES);
    next = next_piece(hub);
    hub->told += next == NONE;
    MPI_Send(&next, 1, MPI_INT, rank, TAG_NEXT, hub->group->comm);
}

void rf_sweep_serve(struct rf_sweep_hub *hub)
{
    int waits = 1;

    if (hub->group->rank != 0 || hub->group->size == 1 || hub->serving)
        return;
    hub->serving = 1;
    while (waits) {
        MPI_Status who;

        MPI_Iprobe(MPI_ANY_SOURCE, TAG_FREE, hub->group->comm, &waits, &who);
        if (waits)
            answer(hub, who.MPI_SOURCE);
    }
    hub->serving = 0;
}

/* ---- waiting politely */

static void doze(int *rounds)
{
    const struct timespec nap = {0, *rounds < 20 ? 100000 : 2000000};

    (*rounds)++;
    nanosleep(&nap, NULL);
}

static void lead(struct rf_sweep_hub *hub, void *result)
{
    int piece, rounds = 0;

    while ((piece = next_piece(hub)) != NONE) {
        hub->sweep->work(hub->sweep->ctx, piece, result, hub);
        take(hub, piece, result);
        rf_sweep_serve(hub);
    }
    while (hub->told < hub->group->size - 1) {
        int before = hub->told;

        rf_sweep_serve(hub);
        rounds = hub->told > before ? 0 : rounds;
        doze(&rounds);
    }
}

static void follow(struct rf_sweep_hub *hub)
{
    int piece = NONE;

    for (;;) {
        int answered = 0, rounds = 0;

        memcpy(hub->parcel, &piece, sizeof piece);
        MPI_Send(hub->parcel, (int)hub->parcel_bytes, MPI_BYTE, 0, TAG_FREE, hub->group->comm);
        for (;;) {
            MPI_Iprobe(0, TAG_NEXT, hub->group->comm, &answered, MPI_STATUS_IGNORE);
            if (answered)
                break;
            doze(&rounds);
        }
        MPI_Recv(&piece, 1, MPI_INT, 0, TAG_NEXT, hub->group->comm, MPI_STATUS_IGNORE);
        if (piece == NONE)
            return;
        hub->sweep->work(hub->sweep->ctx, piece, hub->parcel + HEAD_BYTES, hub);
    }
}

enum rf_status rf_sweep_run(const struct rf_group *group, const struct rf_sweep *sweep,
                            struct rf_error *err)
{
    struct rf_sweep_hub hub = {.group = group, .sweep = sweep};
    void *result = malloc(sweep->result_bytes);
    enum rf_status st = RF_OK;

    hub.parcel_bytes = HEAD_BYTES + sweep->result_bytes;
    hub.parcel = calloc(1, hub.parcel_bytes);
    if (result == NULL || hub.parcel == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: a sweep");
    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        if (group->rank == 0)
            lead(&hub, result);
        else
            follow(&hub);
        if (hub.st != RF_OK)
            *err = hub.err;
        st = rf_agree(group, hub.st, err);
    }
    free(hub.parcel);
    free(result);
    return st;
}
