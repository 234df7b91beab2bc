/* norm.h - LayerNorm with weight and bias (Ba et al. 2016), RMSNorm with a weight (Zhang &
 * Sennrich 2019). */
#ifndef RF_NN_NORM_H
#define RF_NN_NORM_H

#include "nn/real.h"

/* y[i][c] = (x[i][c] - mean[i]) * rstd[i] * w[c] + b[c], with the mean and 1 / deviation of
 * row i over c (eps added to the variance), which are kept for the backward twin.
 * x, y [n][C]   mean, rstd [n]   w, b [C]; y overlaps nothing. */
void rf_norm_forward(rf_real *restrict y, rf_real *restrict mean, rf_real *restrict rstd,
                     const rf_real *restrict x, const rf_real *restrict w,
                     const rf_real *restrict b, double eps, int n, int C);

/* Adds to dx [n][C], dw and db [C]. */
void rf_norm_backward(rf_real *restrict dx, rf_real *restrict dw, rf_real *restrict db,
                      const rf_real *restrict dy, const rf_real *restrict x,
                      const rf_real *restrict mean, const rf_real *restrict rstd,
                      const rf_real *restrict w, int n, int C);

/* y[i][c] = x[i][c] * rstd[i] * w[c], with rstd[i] = 1 / sqrt(mean of x[i]^2 + eps), which is
 * kept for the backward twin. Shapes as above. */
void rf_rms_forward(rf_real *restrict y, rf_real *restrict rstd, const rf_real *restrict x,
                    const rf_real *restrict w, double eps, int n, int C);

/* Adds to dx [n][C] and dw [C]. */
void rf_rms_backward(rf_real *restrict dx, rf_real *restrict dw, const rf_real *restrict dy,
                     const rf_real *restrict x, const rf_real *restrict rstd,
                     const rf_real *restrict w, int n, int C);

#endif
