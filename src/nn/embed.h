/* embed.h - token and position embedding, with the vocabulary's rows sliced. */
#ifndef RF_NN_EMBED_H
#define RF_NN_EMBED_H

#include <stdint.h>

#include "nn/real.h"

/* Which tokens the rows of x are made of, and which of these this rank has vectors for. */
struct rf_embedded {
    const int32_t *token; /* borrowed */
    const int
        *first; /* borrowed [n + 1]: row i sums token[first[i]] .. token[first[i+1] - 1]; NULL:
                             row i has token[i] alone */
    int n, C;   /* rows and their width */
    int begin, count; /* this rank holds the vectors of begin .. begin+count-1 */
};

/* The vectors of a rank's tokens, [count][C], in one of two forms. */
struct rf_vectors {
    const rf_real *real;  /* borrowed, or NULL */
    const uint16_t *half; /* borrowed, bf16; used when real is NULL */
    int rounded;          /* real, rounded to bf16 on the way */
};

/* x[i] = the sum of the vectors of its tokens that this rank holds, 0 without one: summed over the
 * ranks this is the embedding. x [n][C]. */
void rf_embed_forward(rf_real *restrict x, const struct rf_vectors *wte,
                      const struct rf_embedded *rows);

/* Adds to dwte [count][C], from dx [n][C]. */
void rf_embed_backward(rf_real *restrict dwte, const rf_real *restrict dx,
                       const struct rf_embedded *rows);

/* y[i] = x[row[i]]. y [n][C]. */
void rf_gather_rows(rf_real *restrict y, const rf_real *restrict x, const int32_t *row, int n,
                    int C);

/* y[row[i]] += x[i], in order. x [n][C]. */
void rf_scatter_rows(rf_real *restrict y, const rf_real *restrict x, const int32_t *row, int n,
                     int C);

#endif
