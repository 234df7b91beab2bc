/* group.h - some ranks that work together.
 *
 * Groups are made here, passed down, and freed by their maker. Errors are
 * agreed here: whatever fails on one rank is heard by all, with the words of
 * the lowest failing rank. */
#ifndef RF_MPI_GROUP_H
#define RF_MPI_GROUP_H

#include <stddef.h>
#include <mpi.h>

#include "base/error.h"

struct rf_group {
    MPI_Comm comm;
    int rank, size;
};

/* Collective on comm: a group over the same ranks, with a communicator of its own. */
void rf_group_dup(struct rf_group *group, MPI_Comm comm);

/* Collective on the n listed ranks only (ascending, the same list on each,
 * the caller among them); nobody else of parent takes part. tag tells
 * concurrent calls apart. */
void rf_group_among(struct rf_group *group, const struct rf_group *parent, const int *ranks,
                    int n, int tag);

/* Collective on parent: the ranks that name the same colour, in parent's order. */
void rf_group_split(struct rf_group *group, const struct rf_group *parent, int colour);

/* Collective on group: how many of its ranks share this rank's node, itself among them; and which of them it
 * is, in order of ranks, unless place is NULL. */
int rf_group_neighbours(const struct rf_group *group, int *place);

/* Collective on group; a zeroed group is fine. */
void rf_group_free(struct rf_group *group);

/* Collective on group. RF_OK when every rank brings RF_OK; otherwise the
 * lowest failing rank's status and words, on every rank. */
enum rf_status rf_agree(const struct rf_group *group, enum rf_status mine,
                        struct rf_error *err);

/* Collective on group: size_bytes from root to all, in pieces that fit MPI's int counts. */
void rf_group_bcast(const struct rf_group *group, void *data, size_t size_bytes, int root);

/* MPI_Waitall() without statuses, for waits that may be long: the core is left to other threads
 * meanwhile, at the price of about a tenth of a millisecond. */
void rf_group_wait(int n, MPI_Request *requests);
/* Collective on group: a barrier that waits in this way. */
void rf_group_meet(const struct rf_group *group);

#endif
