/* measure_exchange.h - sums over ranks, by each way there is, beside what copying memory would take. */
#ifndef RF_MPI_MEASURE_EXCHANGE_H
#define RF_MPI_MEASURE_EXCHANGE_H

#include "base/figure.h"
#include "mpi/group.h"

enum { RF_MEASURE_EXCHANGE_FIGURES = 16 };

/* Collective on group, which has at least two ranks: for several sizes, bytes summed per second in shared memory
 * and by MPI_Allreduce, in pairs that take turns, medians over rounds. The limit is what all ranks at once copy
 * per second with memcpy(), a sum over p ranks having to read and to write each byte once at least. Adds to figures
 * and *n, the same on every rank. */
enum rf_status rf_measure_exchange(struct rf_figure *figures, int *n,
                                   const struct rf_group *group, int rounds,
                                   struct rf_error *err);

#endif
