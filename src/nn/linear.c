#include "nn/linear.h"

RF_CLONES
static void bias_forward(rf_real *restrict y, const rf_real *restrict b, int n, int O)
{
    for (int i = 0; i < n; i++) {
        rf_real *yi = y + (size_t)i * (size_t)O;

#pragma omp simd
        for (int o = 0; o < O; o++)
            yi[o] += b[o];
    }
}

RF_CLONES
void rf_bias_backward(rf_real *restrict db, const rf_real *restrict dy, int n, int O)
{
    for (int i = 0; i < n; i++) {
        const rf_real *di = dy + (size_t)i * (size_t)O;

#pragma omp simd
        for (int o = 0; o < O; o++)
            db[o] += di[o];
    }
}

RF_CLONES
void rf_residual_forward(rf_real *y, const rf_real *branch, const rf_real *x,
                         const int32_t *row, const rf_real *b, int n, int C)
{
    for (int i = 0; i < n; i++) {
        rf_real *yi = y + (size_t)i * (size_t)C;
        const rf_real *bi = branch + (size_t)i * (size_t)C;
        const rf_real *xi =
            x != NULL ? x + (size_t)(row != NULL ? row[i] : i) * (size_t)C : NULL;

        if (xi == NULL)
            memmove(yi, bi, (size_t)C * sizeof *yi);
        else if (b == NULL)
#pragma omp simd
            for (int c = 0; c < C; c++)
                yi[c] = bi[c] + xi[c];
        else
#pragma omp simd
            for (int c = 0; c < C; c++)
                yi[c] = bi[c] + (xi[c] + b[c]);
    }
}

void rf_linear_forward(struct rf_matmul *matmul, rf_real *restrict y, struct rf_operand x,
                       const rf_real *restrict w, const rf_real *restrict b, int n, int C,
                       int O)
{
    rf_matmul_multiply(matmul, RF_NT, n, O, C, x, rf_operand(w, C), 0, y, O);
    if (b != NULL)
        bias_forward(y, b, n, O);
}

void rf_linear_backward(struct rf_matmul *matmul, rf_real *restrict dx, int accumulate,
                        struct rf_operand dy, const rf_real *restrict w, int n, int C, int O)
{
    rf_matmul_multiply(matmul, RF_NN, n, C, O, dy, rf_operand(w, C), accumulate, dx, C);
}

void rf_linear_gradient(struct rf_matmul *matmul, rf_real *restrict dw, struct rf_operand dy,
                        struct rf_operand x, int n, int C, int O)
{
    rf_matmul_multiply(matmul, RF_TN, O, C, n, dy, x, 1, dw, C);
}
