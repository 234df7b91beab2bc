/* (1 + tanh(u)) / 2 is the logistic function of 2u, so one exponential serves
 * both the value and the derivative. */
#include "nn/activation.h"

#include <stddef.h>

#define TWICE_ROOT ((rf_real)1.5957691216057308) /* 2 sqrt(2 / pi) */
#define CUBIC ((rf_real)0.044715)

RF_CLONES
void rf_gelu_forward(rf_real *restrict y, rf_real *restrict x, const rf_real *restrict b, int n,
                     int C)
{
    for (int i = 0; i < n; i++) {
        rf_real *xi = x + (size_t)i * (size_t)C, *yi = y + (size_t)i * (size_t)C;

#pragma omp simd
        for (int c = 0; c < C; c++) {
            rf_real v = xi[c] + b[c];

            xi[c] = v;
            yi[c] = v / (1 + rf_exp(-TWICE_ROOT * v * (1 + CUBIC * v * v)));
        }
    }
}

RF_CLONES
void rf_gelu_backward(rf_real *restrict dy, rf_real *restrict db, const rf_real *restrict x,
                      int n, int C)
{
    for (int i = 0; i < n; i++) {
        const rf_real *xi = x + (size_t)i * (size_t)C;
        rf_real *di = dy + (size_t)i * (size_t)C;

#pragma omp simd
        for (int c = 0; c < C; c++) {
            rf_real v = xi[c], vv = CUBIC * v * v;
            rf_real s = 1 / (1 + rf_exp(-TWICE_ROOT * v * (1 + vv)));
            rf_real g = s + v * s * (1 - s) * TWICE_ROOT * (1 + 3 * vv);

            di[c] *= g;
            db[c] += di[c];
        }
    }
}

RF_CLONES
void rf_swiglu_forward(rf_real *restrict y, const rf_real *restrict x, int n, int C)
{
    for (int i = 0; i < n; i++) {
        const rf_real *gate = x + 2 * (size_t)i * (size_t)C, *up = gate + C;
        rf_real *yi = y + (size_t)i * (size_t)C;

#pragma omp simd
        for (int c = 0; c < C; c++)
            yi[c] = gate[c] / (1 + rf_exp(-gate[c])) * up[c];
    }
}

RF_CLONES
void rf_swiglu_backward(rf_real *restrict dx, const rf_real *restrict dy,
                        const rf_real *restrict x, int n, int C)
{
    for (int i = 0; i < n; i++) {
        const rf_real *gate = x + 2 * (size_t)i * (size_t)C, *up = gate + C;
        const rf_real *dyi = dy + (size_t)i * (size_t)C;
        rf_real *dgate = dx + 2 * (size_t)i * (size_t)C, *dup = dgate + C;

#pragma omp simd
        for (int c = 0; c < C; c++) {
            rf_real g = gate[c], s = 1 / (1 + rf_exp(-g));

            dup[c] = dyi[c] * g * s;
            dgate[c] = dyi[c] * up[c] * s * (1 + g * (1 - s));
        }
    }
}
