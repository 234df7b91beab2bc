/* A few queries of one (sequence, head) pair at a time, against the keys that the last of
 * them sees: what lies behind those is never multiplied, and the scores of a
 * tile fit in a cache, so they are made, used and forgotten. The backward pass makes
 * them again from the saved log of each row's sum (Dao et al. 2022), which costs one
 * product and saves keeping heads x T x T numbers per sequence. A tile holds whole rows, so
 * that no row's sum has to be corrected later, as it has to where keys come in tiles too. */
#include "nn/attention.h"

#include "nn/matmul.h"

/* Rows of scores are padded to whole blocks, so that the loops over them need no
 * remainder: with a few dozen keys the remainders would be most of the work. */
enum { BLOCK = 16, TILE = RF_ATTENTION_TILE };

static int padded(int n)
{
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

size_t rf_attention_scratch(int longest)
{
    size_t rows = longest < TILE ? (size_t)longest : TILE;

    return 2 * rows * (size_t)padded(longest);
}

/* Row by row: softmax over what the query sees, zero behind it. s [nq][padded(nk)]. */
RF_CLONES
static void softmax_rows(rf_real *restrict s, rf_real *restrict log_sum, size_t stride,
                         const int32_t *position, int nq, int nk)
{
    int ld = padded(nk);

    for (int i = 0; i < nq; i++) {
        rf_real *row = s + (size_t)i * (size_t)ld;
        int seen = position[i] + 1, end = padded(seen);
        rf_real top[BLOCK], sum[BLOCK], most, total = 0, scale;

        for (int j = seen; j < end; j++)
            row[j] = row[0];
        for (int u = 0; u < BLOCK; u++) {
            top[u] = row[u];
            sum[u] = 0;
        }
        for (int j = BLOCK; j < end; j += BLOCK)
#pragma omp simd
            for (int u = 0; u < BLOCK; u++)
                top[u] = row[j + u] > top[u] ? row[j + u] : top[u];
        most = top[0];
        for (int u = 1; u < BLOCK; u++)
            most = top[u] > most ? top[u] : most;
        for (int j = seen; j < end; j++)
            row[j] = most - 87; /* adds nothing to the sum: its last place is far above */
        for (int j = 0; j < end; j += BLOCK)
#pragma omp simd
            for (int u = 0; u < BLOCK; u++) {
                row[j + u] = rf_exp(row[j + u] - most);
                sum[u] += row[j + u];
            }
        for (int u = 0; u < BLOCK; u++)
            total += sum[u];
        scale = 1 / total;
        for (int j = 0; j < end; j += BLOCK)
#pragma omp simd
            for (int u = 0; u < BLOCK; u++)
                row[j + u] *= scale;
        memset(row + seen, 0, (size_t)(ld - seen) * sizeof *row);
        log_sum[(size_t)i * stride] = most + (rf_real)log((double)total);
    }
}

/* s: scores become probabilities. d: their gradient becomes that of the scores. Both
 * [nq][padded(nk)]. */
RF_CLONES
static void softmax_rows_backward(rf_real *restrict s, rf_real *restrict d,
                                  const rf_real *restrict log_sum, size_t stride,
                                  const rf_real *restrict dout, const rf_real *restrict out,
                                  size_t ld, int width, const int32_t *position, int nq, int nk,
                                  rf_real factor)
{
    size_t wide = (size_t)padded(nk);

    for (int i = 0; i < nq; i++) {
        rf_real *row = s + (size_t)i * wide, *drow = d + (size_t)i * wide;
        const rf_real *o = out + (size_t)i * ld, *g = dout + (size_t)i * ld;
        rf_real log_i = log_sum[(size_t)i * stride], delta = 0;
        int seen = position[i] + 1, end = padded(seen);

#pragma omp simd reduction(+ : delta)
        for (int j = 0; j < width; j++)
            delta += o[j] * g[j];
        for (int j = seen; j < end; j++)
            row[j] = drow[j] = log_i;
        for (int j = 0; j < end; j += BLOCK)
#pragma omp simd
            for (int u = 0; u < BLOCK; u++) {
                row[j + u] = rf_exp(row[j + u] - log_i);
                drow[j + u] = row[j + u] * (drow[j + u] - delta) * factor;
            }
        memset(row + seen, 0, (wide - (size_t)seen) * sizeof *row);
        memset(drow + seen, 0, (wide - (size_t)seen) * sizeof *row);
    }
}

static int key_head(const struct rf_attention *a, int head)
{
    return head / (a->heads / a->kv_heads);
}

/* How many keys the queries of a tile see, the furthest of them. */
static int seen_by(const int32_t *position, int rows)
{
    int32_t last = 0;

    for (int i = 0; i < rows; i++)
        last = position[i] > last ? position[i] : last;
    return (int)last + 1;
}

void rf_attention_forward(rf_real *restrict out, rf_real *restrict log_sum,
                          const rf_real *restrict q, const rf_real *restrict kv,
                          rf_real *restrict scratch, const struct rf_attention *a)
{
    int W = a->head_width, D = a->heads * W, E = a->kv_heads * W;
    rf_real factor = 1 / (rf_real)sqrt((double)W);

    for (int s = 0; s < a->nseq; s++)
        for (int h = 0; h < a->heads; h++) {
            const rf_real *k = kv + (size_t)a->key[s] * 2 * (size_t)E + key_head(a, h) * W;

            for (int first = a->query[s]; first < a->query[s + 1]; first += TILE) {
                int left = a->query[s + 1] - first, rows = left < TILE ? left : TILE;
                int nk = seen_by(a->position + first, rows), ld = padded(nk);
                size_t at = (size_t)first * (size_t)D + (size_t)(h * W);

                rf_gemm(RF_NT, rows, nk, W, factor, q + at, D, k, 2 * E, 0, scratch, ld);
                softmax_rows(scratch, log_sum + (size_t)first * (size_t)a->heads + h,
                             (size_t)a->heads, a->position + first, rows, nk);
                rf_gemm(RF_NN, rows, W, nk, 1, scratch, ld, k + E, 2 * E, 0, out + at, D);
            }
        }
}

void rf_attention_backward(rf_real *restrict dq, rf_real *restrict dkv,
                           const rf_real *restrict dout, const rf_real *restrict out,
                           const rf_real *restrict log_sum, const rf_real *restrict q,
                           const rf_real *restrict kv, rf_real *restrict scratch,
                           const struct rf_attention *a)
{
    int W = a->head_width, D = a->heads * W, E = a->kv_heads * W;
    rf_real factor = 1 / (rf_real)sqrt((double)W);
    rf_real *p = scratch, *ds = scratch + rf_attention_scratch(a->longest) / 2;

    for (int s = 0; s < a->nseq; s++) {
        memset(dkv + (size_t)a->key[s] * 2 * (size_t)E, 0,
               (size_t)(a->key[s + 1] - a->key[s]) * 2 * (size_t)E * sizeof *dkv);
        for (int h = 0; h < a->heads; h++) {
            size_t kat = (size_t)a->key[s] * 2 * (size_t)E + (size_t)(key_head(a, h) * W);
            size_t vat = kat + (size_t)E;

            for (int first = a->query[s]; first < a->query[s + 1]; first += TILE) {
                int left = a->query[s + 1] - first, rows = left < TILE ? left : TILE;
                int nk = seen_by(a->position + first, rows), ld = padded(nk);
                size_t at = (size_t)first * (size_t)D + (size_t)(h * W);

                rf_gemm(RF_NT, rows, nk, W, factor, q + at, D, kv + kat, 2 * E, 0, p, ld);
                rf_gemm(RF_NT, rows, nk, W, 1, dout + at, D, kv + vat, 2 * E, 0, ds, ld);
                softmax_rows_backward(p, ds, log_sum + (size_t)first * (size_t)a->heads + h,
                                      (size_t)a->heads, dout + at, out + at, (size_t)D, W,
                                      a->position + first, rows, nk, factor);
                rf_gemm(RF_NN, rows, W, nk, 1, ds, ld, kv + kat, 2 * E, 0, dq + at, D);
                rf_gemm(RF_TN, nk, W, rows, 1, ds, ld, q + at, D, 1, dkv + kat, 2 * E);
                rf_gemm(RF_TN, nk, W, rows, 1, p, ld, dout + at, D, 1, dkv + vat, 2 * E);
            }
        }
    }
}
