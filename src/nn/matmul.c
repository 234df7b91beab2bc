#include "nn/matmul.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <cblas.h>

/* The test build in double has no bf16. */
#ifndef RF_REAL_DOUBLE
#include "nn/bf16.h"
#endif

struct rf_matmul {
    struct rf_bf16 *bf16; /* owned, NULL: products in rf_real */
    char implementation[96];
};

static enum rf_status start_bf16(struct rf_matmul **matmul, int bf16, const rf_real *weights,
                                 size_t nweights, size_t max_operand, struct rf_error *err)
{
    enum rf_status st = RF_OK;

#ifndef RF_REAL_DOUBLE
    if (bf16)
        st =
            rf_bf16_create(&(*matmul)->bf16, RF_BF16_AUTO, weights, nweights, max_operand, err);
    if (st != RF_OK) {
        free(*matmul);
        *matmul = NULL;
    }
#else
    (void)matmul, (void)bf16, (void)weights, (void)nweights, (void)max_operand, (void)err;
#endif
    return st;
}

enum rf_status rf_matmul_create(struct rf_matmul **matmul, int bf16, const rf_real *weights,
                                size_t nweights, size_t max_operand, struct rf_error *err)
{
    *matmul = calloc(1, sizeof **matmul);
    if (*matmul == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a matrix product context");
    openblas_set_num_threads(1);
    snprintf((*matmul)->implementation, sizeof(*matmul)->implementation, "OpenBLAS %s, %s",
             sizeof(rf_real) == 4 ? "sgemm" : "dgemm", openblas_get_corename());
    return start_bf16(matmul, bf16, weights, nweights, max_operand, err);
}

void rf_matmul_destroy(struct rf_matmul *matmul)
{
    if (matmul == NULL)
        return;
#ifndef RF_REAL_DOUBLE
    rf_bf16_destroy(matmul->bf16);
#endif
    free(matmul);
}

void rf_matmul_refresh(struct rf_matmul *matmul)
{
#ifndef RF_REAL_DOUBLE
    if (matmul->bf16 != NULL)
        rf_bf16_refresh(matmul->bf16);
#else
    (void)matmul;
#endif
}

enum rf_status rf_matmul_hold(struct rf_matmul *matmul, const rf_real *names, size_t nnames,
                              const struct rf_weight *list, int n, struct rf_error *err)
{
#ifndef RF_REAL_DOUBLE
    return rf_bf16_hold(matmul->bf16, names, nnames, list, n, err);
#else
    (void)matmul, (void)names, (void)nnames, (void)list, (void)n;
    return rf_fail(err, RF_ERR_ARG, "there is no bf16 beside doubles");
#endif
}

uint16_t *rf_matmul_room(struct rf_matmul *matmul, int k)
{
#ifndef RF_REAL_DOUBLE
    return rf_bf16_room(matmul->bf16, k);
#else
    return (void)matmul, (void)k, NULL;
#endif
}

void rf_matmul_take(struct rf_matmul *matmul, int k)
{
#ifndef RF_REAL_DOUBLE
    rf_bf16_take(matmul->bf16, k);
#else
    (void)matmul, (void)k;
#endif
}

const uint16_t *rf_matmul_rows(const struct rf_matmul *matmul, size_t at)
{
#ifndef RF_REAL_DOUBLE
    return rf_bf16_rows(matmul->bf16, at);
#else
    return (void)matmul, (void)at, NULL;
#endif
}

void rf_gemm(enum rf_form form, int m, int n, int k, rf_real alpha, const rf_real *a, int lda,
             const rf_real *b, int ldb, int accumulate, rf_real *c, int ldc)
{
    CBLAS_TRANSPOSE ta = form == RF_TN ? CblasTrans : CblasNoTrans;
    CBLAS_TRANSPOSE tb = form == RF_NT ? CblasTrans : CblasNoTrans;
    rf_real beta = accumulate ? 1 : 0;

    if (m == 0 || n == 0)
        return;
    if (k == 0) {
        for (int i = 0; i < m && !accumulate; i++)
            memset(c + (size_t)i * (size_t)ldc, 0, (size_t)n * sizeof *c);
        return;
    }
#ifdef RF_REAL_DOUBLE
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
#else
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
#endif
}

void rf_matmul_multiply(struct rf_matmul *matmul, enum rf_form form, int m, int n, int k,
                        struct rf_operand a, struct rf_operand b, int accumulate, rf_real *c,
                        int ldc)
{
#ifndef RF_REAL_DOUBLE
    if (matmul->bf16 != NULL && m > 0 && n > 0 && k > 0) {
        assert(ldc == n);
        rf_bf16_multiply(matmul->bf16, form, m, n, k, a, b, accumulate, c);
        return;
    }
#else
    (void)matmul;
#endif
    rf_gemm(form, m, n, k, 1, a.real, a.ld, b.real, b.ld, accumulate, c, ldc);
}

void rf_matmul_run(struct rf_matmul *matmul, enum rf_form form, int m, int n, int k,
                   const rf_real *a, int lda, const rf_real *b, int ldb, int accumulate,
                   rf_real *c, int ldc)
{
    rf_matmul_multiply(matmul, form, m, n, k, rf_operand(a, lda), rf_operand(b, ldb),
                       accumulate, c, ldc);
}

void rf_matmul_tile(struct rf_matmul *matmul, enum rf_form form, int m, int n, int k,
                    rf_real alpha, struct rf_operand a, struct rf_operand b, int accumulate,
                    rf_real *c, int ldc)
{
#ifndef RF_REAL_DOUBLE
    if (a.half != NULL) {
        assert(alpha == 1);
        rf_bf16_tile(matmul->bf16, form, m, n, k, a, b, accumulate, c, ldc);
        return;
    }
#else
    (void)matmul;
#endif
    rf_gemm(form, m, n, k, alpha, a.real, a.ld, b.real, b.ld, accumulate, c, ldc);
}

int rf_matmul_tile_granule(const struct rf_matmul *matmul)
{
#ifndef RF_REAL_DOUBLE
    if (matmul->bf16 != NULL)
        return rf_bf16_tile_granule(matmul->bf16);
#else
    (void)matmul;
#endif
    return 1;
}

int rf_matmul_is_bf16(const struct rf_matmul *matmul)
{
    return matmul->bf16 != NULL;
}

const char *rf_matmul_implementation(const struct rf_matmul *matmul)
{
#ifndef RF_REAL_DOUBLE
    if (matmul->bf16 != NULL)
        return rf_bf16_implementation(matmul->bf16);
#endif
    return matmul->implementation;
}

size_t rf_matmul_bytes(const struct rf_matmul *matmul)
{
#ifndef RF_REAL_DOUBLE
    if (matmul->bf16 != NULL)
        return sizeof *matmul + rf_bf16_bytes(matmul->bf16);
#endif
    return sizeof *matmul;
}

size_t rf_matmul_cost(int bf16, size_t nweights, size_t max_operand)
{
    size_t bytes = sizeof(struct rf_matmul);

#ifndef RF_REAL_DOUBLE
    if (bf16)
        bytes += rf_bf16_cost(nweights, max_operand);
#else
    (void)bf16, (void)nweights, (void)max_operand;
#endif
    return bytes;
}

size_t rf_matmul_hold_cost(const struct rf_weight *list, int n)
{
#ifndef RF_REAL_DOUBLE
    return rf_bf16_hold_cost(list, n);
#else
    return (void)list, (void)n, (size_t)0;
#endif
}
