/* rope.h - rotary position embedding (Su et al. 2021), in the layout of Llama on Hugging Face.
 *
 * Within a head of width W, elements i and i + W/2 turn together, by the angle
 * position x theta^(-2 i / W). */
#ifndef RF_NN_ROPE_H
#define RF_NN_ROPE_H

#include <stddef.h>
#include <stdint.h>

#include "nn/real.h"

/* Elements of the table for positions 0 .. T-1. */
size_t rf_rope_table_size(int T, int W);
/* table [T][W]: a position's cosines, then its sines. */
void rf_rope_fill(rf_real *table, int T, int W, double theta);

/* Turns the first `heads` heads of each row, in place: forward, or back (its transpose) with
 * back = 1. x [n] rows of `stride` elements; position [n]. */
void rf_rope_turn(rf_real *restrict x, int stride, const rf_real *restrict table,
                  const int32_t *position, int n, int heads, int W, int back);

#endif
