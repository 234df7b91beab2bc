/* bf16.h - matrix products of bf16 operands with fp32 results, through oneDNN.
 *
 * Used by matmul.c only. Where the processor has no bf16 instructions, operands are
 * rounded to bf16 all the same and multiplied in fp32, so that results do not
 * depend on where a run happens beyond the order of sums. */
#ifndef RF_NN_BF16_H
#define RF_NN_BF16_H

#include "nn/matmul.h"

/* Operands are padded to multiples of this many rows, so that batches of any
 * number of rows share few primitives; tiles of attention to multiples of RF_BF16_TILE. What has to be rounded
 * or widened first is so RF_BF16_ROWS rows at a time. */
enum { RF_BF16_GRANULE = 128, RF_BF16_TILE = 64, RF_BF16_ROWS = 512 };

struct rf_bf16;

/* AUTO: oneDNN where the processor has bf16 instructions, else fp32 products of rounded
 * operands, which are faster than oneDNN's emulation. The other two choose, for tests. */
enum rf_bf16_path { RF_BF16_AUTO, RF_BF16_ONEDNN, RF_BF16_ROUNDED };

/* As rf_matmul_create(). */
enum rf_status rf_bf16_create(struct rf_bf16 **bf16, enum rf_bf16_path path,
                              const float *weights, size_t nweights, size_t max_operand,
                              struct rf_error *err);
void rf_bf16_destroy(struct rf_bf16 *bf16);
void rf_bf16_refresh(struct rf_bf16 *bf16);

/* As rf_matmul_hold(), rf_matmul_room(), rf_matmul_take() and rf_matmul_rows(). */
enum rf_status rf_bf16_hold(struct rf_bf16 *bf16, const float *names, size_t nnames,
                            const struct rf_weight *list, int n, struct rf_error *err);
uint16_t *rf_bf16_room(struct rf_bf16 *bf16, int k);
void rf_bf16_take(struct rf_bf16 *bf16, int k);
const uint16_t *rf_bf16_rows(const struct rf_bf16 *bf16, size_t at);

/* As rf_matmul_multiply(), with m, n and k at least 1 and c without gaps. */
void rf_bf16_multiply(struct rf_bf16 *bf16, enum rf_form form, int m, int n, int k,
                      struct rf_operand a, struct rf_operand b, int accumulate, float *c);
/* As rf_matmul_tile() and rf_matmul_tile_granule(). */
void rf_bf16_tile(struct rf_bf16 *bf16, enum rf_form form, int m, int n, int k,
                  struct rf_operand a, struct rf_operand b, int accumulate, float *c, int ldc);
int rf_bf16_tile_granule(const struct rf_bf16 *bf16);

const char *rf_bf16_implementation(const struct rf_bf16 *bf16);
size_t rf_bf16_bytes(const struct rf_bf16 *bf16);
/* The same before it is made. */
size_t rf_bf16_cost(size_t nweights, size_t max_operand);
/* And of what is held instead of nweights. */
size_t rf_bf16_hold_cost(const struct rf_weight *list, int n);

/* The nearest bf16 (ties to even) of each x, as 16 bits; NaN stays NaN. */
void rf_bf16_round(uint16_t *restrict to, const float *restrict x, size_t n);

#endif
