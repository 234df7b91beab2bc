/* exchange.h - the ranks of a group as nn/exchange.h wants them, and a meter on what they move.
 *
 * Three ways to sum, by where the ranks are (MPI_Comm_split_type says which share memory):
 *
 *   shared    all ranks on one node: partial sums are read in place, out of the other ranks' memory. Each
 *             rank adds up its part of the elements, in order of ranks, and writes the sum into all ranks' memory
 *   messages  no two ranks on one node: MPI's allreduce, or, where what is sent may be rounded, bf16 to the
 *             rank that adds up a part in fp32, and bf16 back
 *   both      otherwise: each part is added up over the ranks of a node by one of them, over the nodes by
 *             messages between those, and written to the ranks of the node
 *
 * Parts are added up by one rank and handed out, so that all have the same bits, and in the same
 * order each time. */
#ifndef RF_MPI_EXCHANGE_H
#define RF_MPI_EXCHANGE_H

#include "mpi/group.h"
#include "nn/exchange.h"
#include "nn/traffic.h"

/* What a rank has moved, and how long that took it, waiting for slower ranks included. */
struct rf_meter {
    struct rf_traffic traffic;
    double seconds;
};
/* Local: one call that began at since_s by MPI_Wtime(), unless it was empty. */
void rf_meter_add(struct rf_meter *meter, enum rf_traffic_kind kind, size_t bytes,
                  double since_s);
void rf_meter_join(struct rf_meter *meter, const struct rf_meter *other);

struct rf_exchange_options {
    size_t room_bytes; /* that sums lie in (rf_exchange.room); 0: messages alone */
    int bf16;          /* sums of rows may be rounded when they are sent between nodes */
    int messages;      /* even where ranks share memory: to compare */
    int node_ranks; /* so many neighbouring ranks are taken for a node, as if others were elsewhere: to test;
                          0: those that share memory */
};

struct rf_exchanger;

/* Collective on group, which is borrowed; options are equal everywhere but for room_bytes. The caller ends
 * *exchanger with rf_exchanger_destroy(); on failure it is NULL. */
enum rf_status rf_exchanger_create(struct rf_exchanger **exchanger,
                                   const struct rf_group *group,
                                   const struct rf_exchange_options *options,
                                   struct rf_error *err);
/* Collective on the group; NULL is fine. */
void rf_exchanger_destroy(struct rf_exchanger *exchanger);

/* Local. Its functions are collective on the group, with the same count everywhere, and with data that lies
 * in the room on all ranks or on none. Good for as long as the exchanger is. */
struct rf_exchange rf_exchanger_exchange(struct rf_exchanger *exchanger);

/* Local: which way it goes, for people: "alone", "messages", "shared memory", "shared memory on 2 nodes, bf16
 * messages between them". Borrowed. */
const char *rf_exchanger_path(const struct rf_exchanger *exchanger);

/* Local: since it was made. Borrowed. */
const struct rf_meter *rf_exchanger_meter(const struct rf_exchanger *exchanger);

/* Local: bytes of this rank's own piece of shared memory. */
size_t rf_exchanger_room_bytes(const struct rf_exchanger *exchanger);

#endif
