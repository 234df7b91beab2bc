/* kept.h - arrays of activations, in rf_real, or as bf16 where products are in bf16.
 *
 * What is multiplied in bf16 is rounded where it is made, while it is in a cache, and kept so for the
 * backward pass: half the memory and half the traffic. Kernels work in rf_real all the same: on the array
 * itself, or on a block of rows that is rounded into it afterwards, or was widened before. */
#ifndef RF_NN_KEPT_H
#define RF_NN_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "nn/matmul.h"

/* One of the two is NULL. */
struct rf_kept {
    rf_real *real;
    uint16_t *half;
};

/* The array from element `at` on. */
struct rf_kept rf_kept_from(struct rf_kept kept, size_t at);

/* Where to write the elements from `at` on: there, or into block. Then rf_kept_done(). */
rf_real *rf_kept_write(struct rf_kept kept, size_t at, rf_real *block);
/* n elements from `at` on have been written to x. */
void rf_kept_done(struct rf_kept kept, size_t at, const rf_real *x, size_t n);

/* n elements from `at` on: those, or widened into block. */
const rf_real *rf_kept_read(struct rf_kept kept, size_t at, rf_real *block, size_t n);

/* n elements from `at` on become zero, in bf16 only: what products may read behind an array's rows is to be finite. */
void rf_kept_clear(struct rf_kept kept, size_t at, size_t n);

/* to [n][C] = rows `row` of from; both are of one kind. */
void rf_kept_gather(struct rf_kept to, struct rf_kept from, const int32_t *row, int n, int C);
void rf_kept_copy(struct rf_kept to, size_t to_at, struct rf_kept from, size_t from_at,
                  size_t n);

/* As what is multiplied: rows from element `at` on, ld elements apart. */
struct rf_operand rf_kept_operand(struct rf_kept kept, size_t at, int ld);

#endif
