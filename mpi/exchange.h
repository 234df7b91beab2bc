/* exchange.h - the ranks of a group as nn/exchange.h wants them. */
#ifndef RF_MPI_EXCHANGE_H
#define RF_MPI_EXCHANGE_H

#include "mpi/group.h"
#include "nn/exchange.h"

/* Local. group is borrowed for as long as the exchange is used; its functions are collective on
 * group, with the same count everywhere, and leave the same bits on every rank. */
struct rf_exchange rf_exchange_over(const struct rf_group *group);

#endif
