#define _GNU_SOURCE /* syscall() */

#include "mpi/common_room.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

enum { LINE = 64, LOOKS = 2000, YIELD_US = 200, NAP_US = 50, SLEEP_US = 100000 };

/* What a rank shows the others, alone on its cache line. */
struct slot {
    _Atomic uint32_t meetings; /* that it has come to, modulo 2^32 */
    _Atomic uint32_t sleepers; /* who wait for that to change */
    _Atomic size_t at;         /* what it came with, from the beginning of its piece */
};

struct piece {
    struct slot *slot;
    unsigned char *data; /* right behind the slot's line */
};

struct rf_common_room {
    const struct rf_group *node; /* borrowed */
    MPI_Win window;
    struct piece *pieces; /* owned [node->size] */
    size_t size_bytes;
    uint32_t meetings;
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

struct rf_common_room *rf_common_room_create(const struct rf_group *node, size_t size_bytes)
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
        ok = allocate(room);
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
    MPI_Win_unlock_all(room->window);
    MPI_Win_free(&room->window);
    free(room->pieces);
    free(room);
}

void *rf_common_room_own(const struct rf_common_room *room)
{
    return room->pieces[room->node->rank].data;
}

int rf_common_room_holds(const struct rf_common_room *room, const void *p, size_t n_bytes)
{
    uintptr_t from = (uintptr_t)rf_common_room_own(room), at = (uintptr_t)p;

    return at >= from && n_bytes <= room->size_bytes && at - from <= room->size_bytes - n_bytes;
}

/* Until the slot's rank may have come to another meeting than `seen`, or for a while. */
static void sleep_at(struct slot *slot, uint32_t seen)
{
#ifdef __linux__
    const struct timespec most = {.tv_nsec = SLEEP_US * 1000};

    atomic_fetch_add(&slot->sleepers, 1);
    syscall(SYS_futex, &slot->meetings, FUTEX_WAIT, seen, &most, NULL, 0);
    atomic_fetch_sub(&slot->sleepers, 1);
#else
    const struct timespec nap = {.tv_nsec = NAP_US * 1000};

    (void)slot;
    (void)seen;
    nanosleep(&nap, NULL);
#endif
}

/* After the counter has changed; whoever went to sleep before is counted, whoever comes later sees it. */
static void wake(struct slot *slot)
{
#ifdef __linux__
    if (atomic_load(&slot->sleepers) > 0)
        syscall(SYS_futex, &slot->meetings, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
#else
    (void)slot;
#endif
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Giving the core away is over soon only where nobody else wants it: a busy neighbour keeps it for
 * milliseconds. So that is done for a moment, and then the rank sleeps until it is woken. */
static void wait_for(const struct rf_common_room *room, struct slot *slot)
{
    int64_t since_us = 0;
    uint32_t seen;

    for (int looks = 0; (int32_t)((seen = atomic_load(&slot->meetings)) - room->meetings) < 0;
         looks++) {
        if (looks < room->looks)
            continue;
        if (since_us == 0)
            since_us = now_us();
        if (now_us() - since_us < YIELD_US)
            sched_yield();
        else
            sleep_at(slot, seen);
    }
}

void rf_common_room_meet(struct rf_common_room *room, const void *p)
{
    struct piece *own = &room->pieces[room->node->rank];

    room->meetings++;
    atomic_store_explicit(&own->slot->at, (size_t)((const unsigned char *)p - own->data),
                          memory_order_relaxed);
    atomic_store(&own->slot->meetings, room->meetings);
    wake(own->slot);
    for (int r = 0; r < room->node->size; r++)
        wait_for(room, room->pieces[r].slot);
}

void *rf_common_room_of(const struct rf_common_room *room, int rank)
{
    const struct piece *piece = &room->pieces[rank];

    return piece->data + atomic_load_explicit(&piece->slot->at, memory_order_relaxed);
}
