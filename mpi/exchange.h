/* exchange.h - the ranks of a group as nn/exchange.h wants them, and a meter on what they move. */
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

struct rf_exchanger;

/* Collective on group, which is borrowed. The caller ends *exchanger with rf_exchanger_destroy(); on
 * failure it is NULL. */
enum rf_status rf_exchanger_create(struct rf_exchanger **exchanger,
                                   const struct rf_group *group, struct rf_error *err);
/* Collective on the group; NULL is fine. */
void rf_exchanger_destroy(struct rf_exchanger *exchanger);

/* Local. Its functions are collective on the group, with the same count everywhere, and leave the
 * same bits on every rank. Good for as long as the exchanger is. */
struct rf_exchange rf_exchanger_exchange(struct rf_exchanger *exchanger);

/* Since it was made. Borrowed. */
const struct rf_meter *rf_exchanger_meter(const struct rf_exchanger *exchanger);

#endif
