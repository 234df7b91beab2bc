/* A few queries of one (sequence, head) pair at a time, against the keys that the last of
 * them sees: what lies behind those is never multiplied, and the scores of a
 * tile fit in a cache, so they are made, used and forgotten. The backward pass makes
 * them again from the saved log of each row's sum (Dao et al. 2022), which costs one
 * product and saves keeping heads x T x T numbers per sequence. A tile holds whole rows, so
 * that no row's sum has to be corrected later, as it has to where keys come in tiles too. */
#include "nn/attention.h"

/* Rows of scores are padded to whole blocks, so that the loops over them need no
 * remainder: with a few dozen keys the remainders would be most of the work. */
enum { BLOCK = 16, TILE = RF_ATTENTION_TILE };

static int round_up(int n, int granule)
{
    return (n + granule - 1) / granule * granule;
}

static int padded(int n)
{
    return round_up(n, BLOCK);
}

/* Where a tile is worked on: scores (or probabilities) and their gradients, and the same in bf16; some rows of a head. */
struct desk {
    rf_real *s, *d;        /* [TILE][padded keys] */
    rf_real *head, *other; /* [TILE][head_width]; bf16 only */
    struct rf_kept p, ds;  /* of s and d what is multiplied */
    int granule;           /* of rows and keys of a product */
};

static struct desk lay_out(rf_real *scratch, const struct rf_matmul *matmul, int longest, int W,
                           int bf16)
{
    size_t rows = bf16 || longest >= TILE ? TILE : (size_t)longest;
    size_t n = rows * (size_t)(bf16 ? round_up(longest, TILE) : padded(longest));
    struct desk desk = {.s = scratch, .d = scratch + n, .granule = 1};

    desk.p.real = desk.s;
    desk.ds.real = desk.d;
    if (bf16) {
        desk.p = (struct rf_kept){.half = (uint16_t *)(void *)(scratch + 2 * n)};
        desk.ds = rf_kept_from(desk.p, n);
        desk.head = scratch + 3 * n;
        desk.other = desk.head + (size_t)TILE * (size_t)W;
        desk.granule = rf_matmul_tile_granule(matmul);
    }
    return desk;
}

size_t rf_attention_scratch(int longest, int head_width, int bf16)
{
    size_t rows = longest < TILE ? (size_t)longest : TILE;

    if (!bf16)
        return 2 * rows * (size_t)padded(longest);
    return (size_t)TILE * (3 * (size_t)round_up(longest, TILE) + 2 * (size_t)head_width);
}

/* Row by row: softmax of factor x scores over what the query sees, zero behind it. s [nq][ld]. */
RF_CLONES
static void softmax_rows(rf_real *restrict s, rf_real *restrict log_sum, size_t stride,
                         const int32_t *position, int nq, int ld, rf_real factor)
{
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
        most *= factor;
        for (int j = seen; j < end;
             j++) /* adds nothing to the sum: its last place is far above */
            row[j] = (most - 87) / factor;
        for (int j = 0; j < end; j += BLOCK)
#pragma omp simd
            for (int u = 0; u < BLOCK; u++) {
                row[j + u] = rf_exp(row[j + u] * factor - most);
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
 * [nq][wide]. before: what scores are multiplied by first. */
RF_CLONES
static void softmax_rows_backward(rf_real *restrict s, rf_real *restrict d,
                                  const rf_real *restrict log_sum, size_t stride,
                                  const rf_real *restrict dout, const rf_real *restrict out,
                                  size_t ld, int width, const int32_t *position, int nq,
                                  size_t wide, rf_real before, rf_real factor)
{
    for (int i = 0; i < nq; i++) {
        rf_real *row = s + (size_t)i * wide, *drow = d + (size_t)i * wide;
        const rf_real *o = out + (size_t)i * ld, *g = dout + (size_t)i * ld;
        rf_real log_i = log_sum[(size_t)i * stride], delta = 0;
        int seen = position[i] + 1, end = padded(seen);

#pragma omp simd reduction(+ : delta)
        for (int j = 0; j < width; j++)
            delta += o[j] * g[j];
        for (int j = seen; j < end; j++)
            row[j] = drow[j] = 0;
        for (int j = 0; j < end; j += BLOCK)
#pragma omp simd
            for (int u = 0; u < BLOCK; u++) {
                row[j + u] = rf_exp(row[j + u] * before - log_i);
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

/* Query `first` and those after it, as far as a tile goes. */
struct tile {
    int first, rows; /* queries */
    int keys;        /* that they see */
    int m, k;        /* rows and keys, as multiplied */
    int ld;          /* of scores */
};

static struct tile tile_at(const struct rf_attention *a, const struct desk *desk, int s,
                           int first)
{
    int left = a->query[s + 1] - first, rows = left < TILE ? left : TILE;
    int keys = seen_by(a->position + first, rows), k = round_up(keys, desk->granule);

    return (struct tile){first, rows, keys, round_up(rows, desk->granule), k, padded(k)};
}

/* What is multiplied in bf16, once it has been worked out: with zero rows up to a whole tile. */
static void finish(const struct desk *desk, struct rf_kept to, rf_real *x, const struct tile *t)
{
    size_t n = (size_t)t->rows * (size_t)t->ld, all = (size_t)t->m * (size_t)t->ld;

    if (desk->head == NULL)
        return;
    memset(x + n, 0, (all - n) * sizeof *x);
    rf_kept_done(to, 0, x, all);
}

void rf_attention_forward(struct rf_matmul *matmul, struct rf_kept out,
                          rf_real *restrict log_sum, struct rf_kept q, struct rf_kept kv,
                          rf_real *restrict scratch, const struct rf_attention *a)
{
    int W = a->head_width, D = a->heads * W, E = a->kv_heads * W, bf16 = q.half != NULL;
    rf_real factor = 1 / (rf_real)sqrt((double)W);
    struct desk desk = lay_out(scratch, matmul, a->longest, W, bf16);

    for (int s = 0; s < a->nseq; s++)
        for (int h = 0; h < a->heads; h++) {
            size_t kat = (size_t)a->key[s] * 2 * (size_t)E + (size_t)(key_head(a, h) * W);
            struct rf_operand k = rf_kept_operand(kv, kat, 2 * E);
            struct rf_operand v = rf_kept_operand(kv, kat + (size_t)E, 2 * E);

            for (int first = a->query[s]; first < a->query[s + 1]; first += TILE) {
                struct tile t = tile_at(a, &desk, s, first);
                size_t at = (size_t)first * (size_t)D + (size_t)(h * W);
                rf_real *to = rf_kept_write(out, at, desk.head);

                rf_matmul_tile(matmul, RF_NT, t.m, t.k, W, bf16 ? 1 : factor,
                               rf_kept_operand(q, at, D), k, 0, desk.s, t.ld);
                softmax_rows(desk.s, log_sum + (size_t)first * (size_t)a->heads + h,
                             (size_t)a->heads, a->position + first, t.rows, t.ld,
                             bf16 ? factor : 1);
                finish(&desk, desk.p, desk.s, &t);
                rf_matmul_tile(matmul, RF_NN, t.m, W, t.k, 1, rf_kept_operand(desk.p, 0, t.ld),
                               v, 0, to, bf16 ? W : D);
                for (int i = 0; bf16 && i < t.rows; i++)
                    rf_kept_done(out, at + (size_t)i * (size_t)D, to + i * W, (size_t)W);
            }
        }
}

/* Rows of a head, ld elements apart: where they are, or widened into block. *gap: how far apart there. */
static const rf_real *read_head(struct rf_kept x, size_t at, int ld, int rows, int W,
                                rf_real *block, size_t *gap)
{
    *gap = x.half != NULL ? (size_t)W : (size_t)ld;
    if (x.half == NULL)
        return x.real + at;
    for (int i = 0; i < rows; i++)
        (void)rf_kept_read(x, at + (size_t)i * (size_t)ld, block + i * W, (size_t)W);
    return block;
}

void rf_attention_backward(struct rf_matmul *matmul, rf_real *restrict dq,
                           rf_real *restrict dkv, struct rf_kept dout, struct rf_kept out,
                           const rf_real *restrict log_sum, struct rf_kept q, struct rf_kept kv,
                           rf_real *restrict scratch, const struct rf_attention *a, int s)
{
    int W = a->head_width, D = a->heads * W, E = a->kv_heads * W, bf16 = q.half != NULL;
    rf_real factor = 1 / (rf_real)sqrt((double)W);
    struct desk desk = lay_out(scratch, matmul, a->longest, W, bf16);

    memset(dkv, 0, (size_t)(a->key[s + 1] - a->key[s]) * 2 * (size_t)E * sizeof *dkv);
    for (int h = 0; h < a->heads; h++) {
        size_t kat = (size_t)a->key[s] * 2 * (size_t)E + (size_t)(key_head(a, h) * W);
        struct rf_operand k = rf_kept_operand(kv, kat, 2 * E);
        struct rf_operand v = rf_kept_operand(kv, kat + (size_t)E, 2 * E);
        rf_real *dk = dkv + key_head(a, h) * W, *dv = dk + E;

        for (int first = a->query[s]; first < a->query[s + 1]; first += TILE) {
            struct tile t = tile_at(a, &desk, s, first);
            size_t at = (size_t)first * (size_t)D + (size_t)(h * W), gap;
            struct rf_operand qt = rf_kept_operand(q, at, D), gt = rf_kept_operand(dout, at, D);
            struct rf_operand p = rf_kept_operand(desk.p, 0, t.ld);
            struct rf_operand ds = rf_kept_operand(desk.ds, 0, t.ld);
            rf_real *to = dq + (size_t)(first - a->query[s]) * (size_t)D + h * W;
            const rf_real *o = read_head(out, at, D, t.rows, W, desk.head, &gap);
            const rf_real *g = read_head(dout, at, D, t.rows, W, desk.other, &gap);

            rf_matmul_tile(matmul, RF_NT, t.m, t.k, W, bf16 ? 1 : factor, qt, k, 0, desk.s,
                           t.ld);
            rf_matmul_tile(matmul, RF_NT, t.m, t.k, W, 1, gt, v, 0, desk.d, t.ld);
            softmax_rows_backward(desk.s, desk.d,
                                  log_sum + (size_t)first * (size_t)a->heads + h,
                                  (size_t)a->heads, g, o, gap, W, a->position + first, t.rows,
                                  (size_t)t.ld, bf16 ? factor : 1, factor);
            finish(&desk, desk.p, desk.s, &t);
            finish(&desk, desk.ds, desk.d, &t);
            rf_matmul_tile(matmul, RF_NN, bf16 ? t.m : t.rows, W, t.k, 1, ds, k, 0,
                           bf16 ? desk.head : to, bf16 ? W : D);
            for (int i = 0; bf16 && i < t.rows; i++)
                memcpy(to + (size_t)i * (size_t)D, desk.head + i * W, (size_t)W * sizeof *to);
            rf_matmul_tile(matmul, RF_TN, t.k, W, t.m, 1, ds, qt, 1, dk, 2 * E);
            rf_matmul_tile(matmul, RF_TN, t.k, W, t.m, 1, p, gt, 1, dv, 2 * E);
        }
    }
}
