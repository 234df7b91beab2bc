/* exchange.h - what a model asks of the ranks that hold its other slices.
 *
 * The arithmetic in nn/ never sees a message library: whoever runs a model on
 * several ranks hands it these functions (mpi/exchange.h does). All ranks make
 * the same calls in the same order, and every rank gets the same bits. */
#ifndef RF_NN_EXCHANGE_H
#define RF_NN_EXCHANGE_H

#include <stddef.h>

#include "nn/real.h"

struct rf_exchange {
    int rank, size;
    void *self; /* borrowed; handed to the functions, which are not called when size is 1 */
    void (*sum)(void *self, rf_real *x, size_t n);       /* in place, element by element */
    void (*sum_rows)(void *self, rf_real *x, size_t n);  /* the same; may round what it sends */
    void (*max)(void *self, rf_real *x, size_t n);       /* in place, element by element */
    void (*sum_double)(void *self, double *x, size_t n); /* in place, element by element */
    /* Memory that the ranks reach in each other, or NULL: what is summed there is not copied first. Of
     * whoever made the exchange; 64-byte aligned, zeroed. */
    void *room;
    size_t room_bytes;
};

/* One rank that holds everything. */
struct rf_exchange rf_exchange_serial(void);

void rf_exchange_sum(const struct rf_exchange *exchange, rf_real *x, size_t n);
void rf_exchange_sum_rows(const struct rf_exchange *exchange, rf_real *x, size_t n);
void rf_exchange_max(const struct rf_exchange *exchange, rf_real *x, size_t n);
void rf_exchange_sum_double(const struct rf_exchange *exchange, double *x, size_t n);

#endif
