/* held.h - the matrices of a model held row by row in bf16, and a place to bring new values to.
 *
 * Part of bf16 products (bf16.h) when no fp32 values of the weights are here. Those that are not looked up
 * need not be kept row by row where the matrix library has copies in its own layout: they share one room, which
 * has the values of one of them while they are new. */
#ifndef RF_NN_HELD_H
#define RF_NN_HELD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "nn/weights.h"

struct rf_held;

/* list [n] is copied. all: each is kept row by row. Numbers of element_bytes: 2, or 4 for fp32, which tests what needs
 * a processor with bf16. Values begin as zero. On failure *held is NULL. */
enum rf_status rf_held_create(struct rf_held **held, const struct rf_weight *list, int n,
                              int all, size_t element_bytes, struct rf_error *err);
void rf_held_destroy(struct rf_held *held);

const struct rf_weight *rf_held_list(const struct rf_held *held, int *n);
/* Where new values of weight k go, [rows][cols]: theirs for good, or theirs until room for another one is asked for. */
void *rf_held_room(const struct rf_held *held, int k);
/* The values from element `at` of the block on, to the end of their weight, row by row; NULL: they are not kept so. */
const void *rf_held_rows_at(const struct rf_held *held, size_t at);

/* Bytes held, before it is made. */
size_t rf_held_cost(const struct rf_weight *list, int n, int all, size_t element_bytes);

#endif
