/* matmul.h - every matrix product of a model, behind one function.
 *
 * fp32 products go to OpenBLAS (double in the test build), bf16 products to
 * oneDNN with fp32 results and weights kept in its layout, where the processor has bf16 instructions; elsewhere
 * operands are rounded to bf16 and multiplied in fp32. All run on the calling thread: ranks
 * are the parallelism here. */
#ifndef RF_NN_MATMUL_H
#define RF_NN_MATMUL_H

#include <stddef.h>

#include "base/error.h"
#include "nn/real.h"
#include "nn/weights.h"

struct rf_matmul;

/* bf16: products in bf16. max_operand: most elements of an operand's RF_BF16_ROWS rows (bf16.h), of either
 * operand of a tile, and of 128 rows of a result. weights [nweights] is the block of parameters,
 * borrowed, whose rounded copy is kept between updates. The caller ends *matmul with
 * rf_matmul_destroy(); on failure it is NULL. */
enum rf_status rf_matmul_create(struct rf_matmul **matmul, int bf16, const rf_real *weights,
                                size_t nweights, size_t max_operand, struct rf_error *err);
void rf_matmul_destroy(struct rf_matmul *matmul);

/* To be called after the weights have changed. */
void rf_matmul_refresh(struct rf_matmul *matmul);

/* Right after it was made for bf16 with no weights: they are held here, in bf16 alone, and an operand of products is
 * one of them when its address is that of its first element in `names` [nnames], borrowed and never read. list [n]
 * is copied. On failure end the context. */
enum rf_status rf_matmul_hold(struct rf_matmul *matmul, const rf_real *names, size_t nnames,
                              const struct rf_weight *list, int n, struct rf_error *err);
/* Where new values of weight k go, [rows][cols]: good until that of another weight is asked for. */
uint16_t *rf_matmul_room(struct rf_matmul *matmul, int k);
/* They are there. Should there be no memory for them, products with them are NaN. */
void rf_matmul_take(struct rf_matmul *matmul, int k);
/* Of a weight that is looked up: its values from element `at` of the block on. */
const uint16_t *rf_matmul_rows(const struct rf_matmul *matmul, size_t at);

/* What is multiplied, as it lies in memory: rows, ld elements apart, in rf_real or in bf16, the other NULL.
 * With bf16 products rf_real is rounded first. */
struct rf_operand {
    const rf_real *real;
    const uint16_t *half;
    int ld;
};

static inline struct rf_operand rf_operand(const rf_real *x, int ld)
{
    return (struct rf_operand){.real = x, .ld = ld};
}

/* c[m][n] = or += a b, over k; each operand row-major with its leading
 * dimension: NN: a [m][k], b [k][n];  NT: a [m][k], b [n][k];  TN: a [k][m], b [k][n]. With m
 * or n zero nothing happens; with k zero, c becomes zero (or stays).
 * With bf16 products ldc is n, and behind the rows of an a in bf16 there is memory up to a multiple of 128
 * rows, whatever it holds. */
enum rf_form { RF_NN, RF_NT, RF_TN };
void rf_matmul_multiply(struct rf_matmul *matmul, enum rf_form form, int m, int n, int k,
                        struct rf_operand a, struct rf_operand b, int accumulate, rf_real *c,
                        int ldc);
/* The same of two operands in rf_real. */
void rf_matmul_run(struct rf_matmul *matmul, enum rf_form form, int m, int n, int k,
                   const rf_real *a, int lda, const rf_real *b, int ldb, int accumulate,
                   rf_real *c, int ldc);

/* A small product, without weights: c = or += alpha a b, both in rf_real or both in bf16; then alpha is 1, and m, n
 * and k had better come from few numbers: multiples of the granule where they are not always the same. */
void rf_matmul_tile(struct rf_matmul *matmul, enum rf_form form, int m, int n, int k,
                    rf_real alpha, struct rf_operand a, struct rf_operand b, int accumulate,
                    rf_real *c, int ldc);
int rf_matmul_tile_granule(const struct rf_matmul *matmul);

int rf_matmul_is_bf16(const struct rf_matmul *matmul);

/* The same in rf_real, without a context. */
void rf_gemm(enum rf_form form, int m, int n, int k, rf_real alpha, const rf_real *a, int lda,
             const rf_real *b, int ldb, int accumulate, rf_real *c, int ldc);

/* Which implementation the last product ran on, e.g. "OpenBLAS sgemm, SkylakeX". Borrowed. */
const char *rf_matmul_implementation(const struct rf_matmul *matmul);

/* Bytes held for copies. */
size_t rf_matmul_bytes(const struct rf_matmul *matmul);
/* The same before it is made. */
size_t rf_matmul_cost(int bf16, size_t nweights, size_t max_operand);
/* And of weights that are held instead. */
size_t rf_matmul_hold_cost(const struct rf_weight *list, int n);

#endif
