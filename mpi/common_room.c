#include "mpi/common_room.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 64, PAGE = 4096, LOOKS = 2000, YIELDS = 5000 };

/* What a rank shows the others, alone on its cache line. */
struct slot {
    _Atomic uint64_t meetings; /* that it has come to */
    _Atomic size_t at;         /* what it came with, from the beginning of its piece */
};

struct piece {
    struct slot *slot;
    unsigned char *data; /* right behind the slot's line */
};

struct rf_common_room {
    const struct rf_group *node; /* borrowed */
    MPI_Win window, table_window; /* MPI_WIN_NULL: there is no table */
    unsigned char *table;
    struct piece *pieces; /* owned [node->size] */
    size_t size_bytes;
    uint64_t meetings;
    int looks; /* without pause before the core is given away */
};

/* Collective. Every rank of the node succeeds, or none does. */
static int allocate(struct rf_common_room *room)
{
    MPI_Info info;
    void *base;
    int ok;

    MPI_Info_create(&info);
    MPI_Info_set(info, "alloc_shared_noncontig", "true");
    MPI_Comm_set_errhandler(room->node->comm, MPI_ERRORS_RETURN);
    ok = MPI_Win_allocate_shared((MPI_Aint)(LINE + room->size_bytes), 1, info, room->node->comm,
                                 &base, &room->window) == MPI_SUCCESS;
    MPI_Comm_set_errhandler(room->node->comm, MPI_ERRORS_ARE_FATAL);
    MPI_Info_free(&info);
    MPI_Allreduce(MPI_IN_PLACE, &ok, 1, MPI_INT, MPI_LAND, room->node->comm);
    return ok;
}

/* Collective, as above: a share of each rank's, one behind the other, so that the memory lies with those that use it. */
static int allocate_table(struct rf_common_room *room, size_t table_bytes)
{
    size_t ranks = (size_t)room->node->size;
    size_t share = ((table_bytes + ranks - 1) / ranks + PAGE - 1) / PAGE * PAGE;
    MPI_Aint size;
    void *base;
    int ok, unit;

    MPI_Comm_set_errhandler(room->node->comm, MPI_ERRORS_RETURN);
    ok = MPI_Win_allocate_shared((MPI_Aint)share, 1, MPI_INFO_NULL, room->node->comm, &base,
                                 &room->table_window) == MPI_SUCCESS;
    MPI_Comm_set_errhandler(room->node->comm, MPI_ERRORS_ARE_FATAL);
    MPI_Allreduce(MPI_IN_PLACE, &ok, 1, MPI_INT, MPI_LAND, room->node->comm);
    if (!ok) {
        room->table_window = MPI_WIN_NULL;
        return 0;
    }
    MPI_Win_lock_all(MPI_MODE_NOCHECK, room->table_window);
    memset(base, 0, share);
    MPI_Win_shared_query(room->table_window, 0, &size, &unit, &room->table);
    MPI_Win_sync(room->table_window);
    return 1;
}

/* Collective: zeroes this rank's piece, and finds the others'. */
static void furnish(struct rf_common_room *room)
{
    const struct rf_group *node = room->node;

    MPI_Win_lock_all(MPI_MODE_NOCHECK, room->window);
    for (int r = 0; r < node->size; r++) {
        MPI_Aint size;
        int unit;
        unsigned char *base;

        MPI_Win_shared_query(room->window, r, &size, &unit, &base);
        room->pieces[r] = (struct piece){(struct slot *)(void *)base, base + LINE};
    }
    memset(room->pieces[node->rank].slot, 0, LINE);
    memset(room->pieces[node->rank].data, 0, room->size_bytes);
    MPI_Win_sync(room->window);
    MPI_Barrier(node->comm);
    MPI_Win_sync(room->window);
}

static void free_window(MPI_Win *window)
{
    if (*window == MPI_WIN_NULL)
        return;
    MPI_Win_unlock_all(*window);
    MPI_Win_free(window);
}

struct rf_common_room *rf_common_room_create(const struct rf_group *node, size_t size_bytes,
                                             size_t table_bytes)
{
    struct rf_common_room *room = calloc(1, sizeof *room);
    struct piece *pieces = calloc((size_t)node->size, sizeof *pieces);
    int crowd = node->size, ok = room != NULL && pieces != NULL;

    MPI_Allreduce(MPI_IN_PLACE, &ok, 1, MPI_INT, MPI_LAND, node->comm);
    if (ok) {
        room->node = node;
        room->pieces = pieces;
        room->size_bytes = (size_bytes + LINE - 1) / LINE * LINE;
        room->looks = crowd <= sysconf(_SC_NPROCESSORS_ONLN) ? LOOKS : 0;
        room->window = room->table_window = MPI_WIN_NULL;
        ok = table_bytes == 0 || allocate_table(room, table_bytes);
        if (ok && !allocate(room)) {
            room->window = MPI_WIN_NULL;
            free_window(&room->table_window);
            ok = 0;
        }
    }
    if (!ok) {
        free(pieces);
        free(room);
        return NULL;
    }
    furnish(room);
    return room;
}

void rf_common_room_destroy(struct rf_common_room *room)
{
    if (room == NULL)
        return;
    free_window(&room->window);
    free_window(&room->table_window);
    free(room->pieces);
    free(room);
}

void *rf_common_room_own(const struct rf_common_room *room)
{
    return room->pieces[room->node->rank].data;
}

void *rf_common_room_table(const struct rf_common_room *room)
{
    return room->table;
}

int rf_common_room_holds(const struct rf_common_room *room, const void *p, size_t n_bytes)
{
    uintptr_t from = (uintptr_t)rf_common_room_own(room), at = (uintptr_t)p;

    return at >= from && n_bytes <= room->size_bytes && at - from <= room->size_bytes - n_bytes;
}

static void wait_for(const struct rf_common_room *room, _Atomic uint64_t *meetings)
{
    const struct timespec nap = {.tv_nsec = 50000};

    for (int looks = 0; atomic_load_explicit(meetings, memory_order_acquire) < room->meetings;
         looks++) {
        if (looks < room->looks)
            continue;
        if (looks < room->looks + YIELDS)
            sched_yield();
        else
            nanosleep(&nap, NULL);
    }
}

void rf_common_room_meet(struct rf_common_room *room, const void *p)
{
    struct piece *own = &room->pieces[room->node->rank];

    room->meetings++;
    atomic_store_explicit(&own->slot->at, (size_t)((const unsigned char *)p - own->data),
                          memory_order_relaxed);
    atomic_store_explicit(&own->slot->meetings, room->meetings, memory_order_release);
    for (int r = 0; r < room->node->size; r++)
        wait_for(room, &room->pieces[r].slot->meetings);
}

void *rf_common_room_of(const struct rf_common_room *room, int rank)
{
    const struct piece *piece = &room->pieces[rank];

    return piece->data + atomic_load_explicit(&piece->slot->at, memory_order_relaxed);
}
