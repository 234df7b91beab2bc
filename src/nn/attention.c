/* One (sequence, head) pair at a time: its scores fit in a cache, so they are
 * made, used and forgotten. The backward pass makes them again from the saved
 * log of each row's sum, which costs one product and saves keeping
 * heads x T x T numbers per sequence. */
#include "nn/attention.h"

#include "nn/matmul.h"

size_t rf_attention_scratch(int longest)
{
    return 2 * (size_t)longest * (size_t)longest;
}

/* Row by row: softmax over what the query sees, zero behind it. */
RF_CLONES
static void softmax_rows(rf_real *restrict s, rf_real *restrict log_sum, size_t stride,
                         const int32_t *position, int nq, int nk)
{
    for (int i = 0; i < nq; i++) {
        rf_real *row = s + (size_t)i * (size_t)nk;
        int seen = position[i] + 1;
        rf_real top = row[0], sum = 0, scale;

#pragma omp simd reduction(max : top)
        for (int j = 0; j < seen; j++)
            top = row[j] > top ? row[j] : top;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < seen; j++) {
            row[j] = rf_exp(row[j] - top);
            sum += row[j];
        }
        scale = 1 / sum;
#pragma omp simd
        for (int j = 0; j < seen; j++)
            row[j] *= scale;
        for (int j = seen; j < nk; j++)
            row[j] = 0;
        log_sum[(size_t)i * stride] = top + (rf_real)log((double)sum);
    }
}

/* s: scores become probabilities. d: their gradient becomes that of the scores. */
RF_CLONES
static void softmax_rows_backward(rf_real *restrict s, rf_real *restrict d,
                                  const rf_real *restrict log_sum, size_t stride,
                                  const rf_real *restrict dout, const rf_real *restrict out,
                                  size_t ld, int width, const int32_t *position, int nq, int nk,
                                  rf_real factor)
{
    for (int i = 0; i < nq; i++) {
        rf_real *row = s + (size_t)i * (size_t)nk, *drow = d + (size_t)i * (size_t)nk;
        const rf_real *o = out + (size_t)i * ld, *g = dout + (size_t)i * ld;
        rf_real log_i = log_sum[(size_t)i * stride], delta = 0;
        int seen = position[i] + 1;

#pragma omp simd reduction(+ : delta)
        for (int j = 0; j < width; j++)
            delta += o[j] * g[j];
#pragma omp simd
        for (int j = 0; j < seen; j++) {
            row[j] = rf_exp(row[j] - log_i);
            drow[j] = row[j] * (drow[j] - delta) * factor;
        }
        for (int j = seen; j < nk; j++)
            row[j] = drow[j] = 0;
    }
}

void rf_attention_forward(rf_real *restrict out, rf_real *restrict log_sum,
                          const rf_real *restrict q, const rf_real *restrict kv,
                          rf_real *restrict scratch, const struct rf_attention *a)
{
    int W = a->head_width, D = a->heads * W;
    rf_real factor = 1 / (rf_real)sqrt((double)W);

    for (int s = 0; s < a->nseq; s++) {
        int nq = a->query[s + 1] - a->query[s], nk = a->key[s + 1] - a->key[s];
        size_t q0 = (size_t)a->query[s], k0 = (size_t)a->key[s];

        for (int h = 0; h < a->heads; h++) {
            const rf_real *qh = q + q0 * (size_t)D + h * W;
            const rf_real *kh = kv + k0 * 2 * (size_t)D + h * W, *vh = kh + D;
            rf_real *oh = out + q0 * (size_t)D + h * W;

            rf_gemm(RF_NT, nq, nk, W, factor, qh, D, kh, 2 * D, 0, scratch, nk);
            softmax_rows(scratch, log_sum + q0 * (size_t)a->heads + h, (size_t)a->heads,
                         a->position + q0, nq, nk);
            rf_gemm(RF_NN, nq, W, nk, 1, scratch, nk, vh, 2 * D, 0, oh, D);
        }
    }
}

void rf_attention_backward(rf_real *restrict dq, rf_real *restrict dkv,
                           const rf_real *restrict dout, const rf_real *restrict out,
                           const rf_real *restrict log_sum, const rf_real *restrict q,
                           const rf_real *restrict kv, rf_real *restrict scratch,
                           const struct rf_attention *a)
{
    int W = a->head_width, D = a->heads * W;
    rf_real factor = 1 / (rf_real)sqrt((double)W);
    rf_real *s_rows = scratch, *d_rows = scratch + (size_t)a->longest * (size_t)a->longest;

    for (int s = 0; s < a->nseq; s++) {
        int nq = a->query[s + 1] - a->query[s], nk = a->key[s + 1] - a->key[s];
        size_t q0 = (size_t)a->query[s], k0 = (size_t)a->key[s];

        for (int h = 0; h < a->heads; h++) {
            size_t qat = q0 * (size_t)D + (size_t)(h * W);
            size_t kat = k0 * 2 * (size_t)D + (size_t)(h * W), vat = kat + (size_t)D;

            rf_gemm(RF_NT, nq, nk, W, factor, q + qat, D, kv + kat, 2 * D, 0, s_rows, nk);
            rf_gemm(RF_NT, nq, nk, W, 1, dout + qat, D, kv + vat, 2 * D, 0, d_rows, nk);
            softmax_rows_backward(s_rows, d_rows, log_sum + q0 * (size_t)a->heads + h,
                                  (size_t)a->heads, dout + qat, out + qat, (size_t)D, W,
                                  a->position + q0, nq, nk, factor);
            rf_gemm(RF_NN, nq, W, nk, 1, d_rows, nk, kv + kat, 2 * D, 0, dq + qat, D);
            rf_gemm(RF_TN, nk, W, nq, 1, d_rows, nk, q + qat, D, 0, dkv + kat, 2 * D);
            rf_gemm(RF_TN, nk, W, nq, 1, s_rows, nk, dout + qat, D, 0, dkv + vat, 2 * D);
        }
    }
}
