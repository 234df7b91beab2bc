#include "nn/norm.h"

#include <stddef.h>

RF_CLONES
void rf_norm_forward(rf_real *restrict y, rf_real *restrict mean, rf_real *restrict rstd,
                     const rf_real *restrict x, const rf_real *restrict w,
                     const rf_real *restrict b, double eps, int n, int C)
{
    for (int i = 0; i < n; i++) {
        const rf_real *xi = x + (size_t)i * (size_t)C;
        rf_real *yi = y + (size_t)i * (size_t)C;
        rf_real sum = 0, square = 0, mu, rs;

#pragma omp simd reduction(+ : sum)
        for (int c = 0; c < C; c++)
            sum += xi[c];
        mu = sum / (rf_real)C;
#pragma omp simd reduction(+ : square)
        for (int c = 0; c < C; c++)
            square += (xi[c] - mu) * (xi[c] - mu);
        rs = 1 / (rf_real)sqrt((double)(square / (rf_real)C) + eps);
#pragma omp simd
        for (int c = 0; c < C; c++)
            yi[c] = (xi[c] - mu) * rs * w[c] + b[c];
        mean[i] = mu;
        rstd[i] = rs;
    }
}

RF_CLONES
void rf_norm_backward(rf_real *restrict dx, rf_real *restrict dw, rf_real *restrict db,
                      const rf_real *restrict dy, const rf_real *restrict x,
                      const rf_real *restrict mean, const rf_real *restrict rstd,
                      const rf_real *restrict w, int n, int C)
{
    for (int i = 0; i < n; i++) {
        const rf_real *xi = x + (size_t)i * (size_t)C, *dyi = dy + (size_t)i * (size_t)C;
        rf_real *dxi = dx + (size_t)i * (size_t)C;
        rf_real mu = mean[i], rs = rstd[i], s1 = 0, s2 = 0;

#pragma omp simd reduction(+ : s1, s2)
        for (int c = 0; c < C; c++) {
            rf_real hat = (xi[c] - mu) * rs, g = dyi[c] * w[c];

            dw[c] += dyi[c] * hat;
            db[c] += dyi[c];
            s1 += g;
            s2 += g * hat;
        }
        s1 /= (rf_real)C;
        s2 /= (rf_real)C;
#pragma omp simd
        for (int c = 0; c < C; c++)
            dxi[c] += rs * (dyi[c] * w[c] - s1 - (xi[c] - mu) * rs * s2);
    }
}

RF_CLONES
void rf_rms_forward(rf_real *restrict y, rf_real *restrict rstd, const rf_real *restrict x,
                    const rf_real *restrict w, double eps, int n, int C)
{
    for (int i = 0; i < n; i++) {
        const rf_real *xi = x + (size_t)i * (size_t)C;
        rf_real *yi = y + (size_t)i * (size_t)C;
        rf_real square = 0, rs;

#pragma omp simd reduction(+ : square)
        for (int c = 0; c < C; c++)
            square += xi[c] * xi[c];
        rs = 1 / (rf_real)sqrt((double)(square / (rf_real)C) + eps);
#pragma omp simd
        for (int c = 0; c < C; c++)
            yi[c] = xi[c] * rs * w[c];
        rstd[i] = rs;
    }
}

RF_CLONES
void rf_rms_backward(rf_real *restrict dx, rf_real *restrict dw, const rf_real *restrict dy,
                     const rf_real *restrict x, const rf_real *restrict rstd,
                     const rf_real *restrict w, int n, int C)
{
    for (int i = 0; i < n; i++) {
        const rf_real *xi = x + (size_t)i * (size_t)C, *dyi = dy + (size_t)i * (size_t)C;
        rf_real *dxi = dx + (size_t)i * (size_t)C;
        rf_real rs = rstd[i], s = 0;

#pragma omp simd reduction(+ : s)
        for (int c = 0; c < C; c++) {
            rf_real hat = xi[c] * rs;

            dw[c] += dyi[c] * hat;
            s += dyi[c] * w[c] * hat;
        }
        s /= (rf_real)C;
#pragma omp simd
        for (int c = 0; c < C; c++)
            dxi[c] += rs * (dyi[c] * w[c] - xi[c] * rs * s);
    }
}
