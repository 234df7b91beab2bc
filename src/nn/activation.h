/* activation.h - GELU, in the form with tanh that GPT-2 uses; SwiGLU (Shazeer 2020). */
#ifndef RF_NN_ACTIVATION_H
#define RF_NN_ACTIVATION_H

#include "nn/real.h"

/* x[i][c] += b[c], then y = gelu(x), gelu(x) = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715
 * x^3))). x, y [n][C]   b [C]. x with the bias in it is what the backward twin wants. */
void rf_gelu_forward(rf_real *restrict y, rf_real *restrict x, const rf_real *restrict b, int n,
                     int C);

/* dy becomes dx in place; adds to db. x, dy [n][C]   db [C]. */
void rf_gelu_backward(rf_real *restrict dy, rf_real *restrict db, const rf_real *restrict x,
                      int n, int C);

/* y[i][c] = silu(gate[i][c]) * up[i][c], silu(x) = x / (1 + e^-x). x [n][2 C] holds a row's gate,
 * then its up; y [n][C]. */
void rf_swiglu_forward(rf_real *restrict y, const rf_real *restrict x, int n, int C);

/* dx [n][2 C] is overwritten. */
void rf_swiglu_backward(rf_real *restrict dx, const rf_real *restrict dy,
                        const rf_real *restrict x, int n, int C);

#endif
