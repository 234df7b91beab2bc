/* common_room.h - memory that the ranks of a node reach in each other, and meeting there.
 *
 * An MPI shared-memory window with a piece of each rank's own, which all others may read and write,
 * and a counter beside it. Ranks that wait look at counters: for a moment without pause where each has a core, then giving the core away between two looks,
 * and when it takes longer they sleep until they are woken. */
#ifndef RF_MPI_COMMON_ROOM_H
#define RF_MPI_COMMON_ROOM_H

#include "mpi/group.h"

struct rf_common_room;

/* Collective on node, whose ranks share memory, and which must outlive the room; size_bytes may differ. Fills
 * this rank's piece with zeros. NULL, on every rank of node, when there is no such memory to be had (a
 * small /dev/shm): the caller goes without. */
struct rf_common_room *rf_common_room_create(const struct rf_group *node, size_t size_bytes);
/* Collective on node; NULL is fine. */
void rf_common_room_destroy(struct rf_common_room *room);

/* Local. This rank's own piece: 64-byte aligned. */
void *rf_common_room_own(const struct rf_common_room *room);
/* Local: whether n_bytes at p lie in this rank's piece. */
int rf_common_room_holds(const struct rf_common_room *room, const void *p, size_t n_bytes);

/* Collective on node: comes back when all ranks have come; what each wrote before is seen by all after.
 * p, in this rank's own piece, is what the others find by rf_common_room_of() until the next meeting
 * that has another p; between two of those there must be one with the same. */
void rf_common_room_meet(struct rf_common_room *room, const void *p);
/* Local: what `rank` of node came with. */
void *rf_common_room_of(const struct rf_common_room *room, int rank);

#endif
