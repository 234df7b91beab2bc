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
    /* Memory that is one and the same for all ranks, or NULL: what a rank writes there, the others read after the next
     * meeting. 64-byte aligned, zeroed, of whoever made the exchange. With it go: */
    void *table;
    size_t table_bytes;
    /* All come with partial sums x [n] that lie in the room at the same place; until the next meeting each may
     * collect elements [from, from + n) of their sum, into own x + from as well. */
    void (*lay_open)(void *self, rf_real *x, size_t n);
    void (*collect)(void *self, rf_real *to, size_t from, size_t n);
    void (*meet)(void *self);
};

/* One rank that holds everything. */
struct rf_exchange rf_exchange_serial(void);

void rf_exchange_sum(const struct rf_exchange *exchange, rf_real *x, size_t n);
void rf_exchange_sum_rows(const struct rf_exchange *exchange, rf_real *x, size_t n);
void rf_exchange_max(const struct rf_exchange *exchange, rf_real *x, size_t n);
void rf_exchange_sum_double(const struct rf_exchange *exchange, double *x, size_t n);

/* Whether ranks share the work on rows: each has some, writes them into the table, and reads all there. */
int rf_exchange_shares(const struct rf_exchange *exchange);
void rf_exchange_lay_open(const struct rf_exchange *exchange, rf_real *x, size_t n);
void rf_exchange_collect(const struct rf_exchange *exchange, rf_real *to, size_t from,
                         size_t n);
void rf_exchange_meet(const struct rf_exchange *exchange);

#endif
