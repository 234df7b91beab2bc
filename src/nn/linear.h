/* linear.h - y = x w^T + b, with w [out][in] as everywhere here. */
#ifndef RF_NN_LINEAR_H
#define RF_NN_LINEAR_H

#include "nn/matmul.h"

/* y [n][O], x [n][C], w [O][C], b [O] or NULL; y overlaps nothing. */
void rf_linear_forward(struct rf_matmul *matmul, rf_real *restrict y, struct rf_operand x,
                       const rf_real *restrict w, const rf_real *restrict b, int n, int C,
                       int O);

/* dx [n][C] is overwritten, or added to when accumulate is set. dy [n][O]. */
void rf_linear_backward(struct rf_matmul *matmul, rf_real *restrict dx, int accumulate,
                        struct rf_operand dy, const rf_real *restrict w, int n, int C, int O);

/* dw [O][C] += dy^T x. */
void rf_linear_gradient(struct rf_matmul *matmul, rf_real *restrict dw, struct rf_operand dy,
                        struct rf_operand x, int n, int C, int O);

/* db [O] += column sums of dy [n][O]. */
void rf_bias_backward(rf_real *restrict db, const rf_real *restrict dy, int n, int O);

/* y[i] = branch[i] + (x[row[i]] + b): the end of a residual branch. y, branch [n][C], which may be y itself; b [C] or
 * NULL: 0; row [n] or NULL: x [n][C] in order; x NULL: 0, and b with it. */
void rf_residual_forward(rf_real *y, const rf_real *branch, const rf_real *x,
                         const int32_t *row, const rf_real *b, int n, int C);

#endif
