/* embed.h - token and position embedding, with the vocabulary's rows sliced. */
#ifndef RF_NN_EMBED_H
#define RF_NN_EMBED_H

#include <stdint.h>

#include "nn/real.h"

/* x[i] = wte[token[i] - begin] where this rank holds that row (begin .. begin+count-1), else 0:
 * summed over the ranks this is the embedding. x [n][C]   wte [count][C]. */
void rf_embed_forward(rf_real *restrict x, const rf_real *restrict wte, const int32_t *token,
                      int n, int C, int begin, int count);

/* The same with every wte rounded to bf16; and with wte in bf16. */
void rf_embed_forward_rounded(rf_real *restrict x, const rf_real *restrict wte,
                              const int32_t *token, int n, int C, int begin, int count);
void rf_embed_forward_half(rf_real *restrict x, const uint16_t *restrict wte,
                           const int32_t *token, int n, int C, int begin, int count);

/* Adds to dwte. */
void rf_embed_backward(rf_real *restrict dwte, const rf_real *restrict dx, const int32_t *token,
                       int n, int C, int begin, int count);

/* y[i] = x[row[i]]. y [n][C]. */
void rf_gather_rows(rf_real *restrict y, const rf_real *restrict x, const int32_t *row, int n,
                    int C);

/* y[row[i]] += x[i], in order. x [n][C]. */
void rf_scatter_rows(rf_real *restrict y, const rf_real *restrict x, const int32_t *row, int n,
                     int C);

#endif
