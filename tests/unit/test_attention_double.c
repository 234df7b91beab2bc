/* Attention over several tiles of queries, in double, against the formula written out: values,
 * gradients by the chain rule, and a few of those by differences. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "nn/attention.h"

enum { W = 6, HEADS = 4, ROWS = 400, TILE = RF_ATTENTION_TILE };

struct work {
    struct rf_attention shape;
    int queries, keys;
    int32_t position[ROWS];
    double q[ROWS * HEADS * W], kv[ROWS * 2 * HEADS * W], out[ROWS * HEADS * W];
    double log_sum[ROWS * HEADS], dout[ROWS * HEADS * W];
    double dq[ROWS * HEADS * W], dkv[ROWS * 2 * HEADS * W];
    double *scratch; /* owned */
};

static void draw(double *x, size_t n, uint64_t which)
{
    for (size_t i = 0; i < n; i++)
        x[i] = rf_rng_normal(5, which, i);
}

/* Sequences of the given lengths; of each, every `step`-th position asks, and the last. */
static void set_up(struct work *w, const int *length, int nseq, int kv_heads, int step)
{
    static int key[8], query[8];

    memset(w, 0, sizeof *w);
    for (int s = 0; s < nseq; s++) {
        key[s] = w->keys;
        query[s] = w->queries;
        for (int t = 0; t < length[s]; t++)
            if (t % step == 0 || t == length[s] - 1)
                w->position[w->queries++] = t;
        w->keys += length[s];
        w->shape.longest = length[s] > w->shape.longest ? length[s] : w->shape.longest;
    }
    key[nseq] = w->keys;
    query[nseq] = w->queries;
    assert_true(w->keys <= ROWS);
    w->shape.nseq = nseq;
    w->shape.heads = HEADS;
    w->shape.kv_heads = kv_heads;
    w->shape.head_width = W;
    w->shape.key = key;
    w->shape.query = query;
    w->shape.position = w->position;
    draw(w->q, ROWS * HEADS * W, 1);
    draw(w->kv, ROWS * 2 * HEADS * W, 2);
    draw(w->dout, ROWS * HEADS * W, 3);
    draw(w->dq, ROWS * HEADS * W, 4); /* are overwritten */
    draw(w->dkv, ROWS * 2 * HEADS * W, 5);
    w->scratch = malloc(rf_attention_scratch(w->shape.longest, W, 0) * sizeof *w->scratch);
    assert_non_null(w->scratch);
}

static struct rf_kept kept(double *x)
{
    return (struct rf_kept){.real = x};
}

/* Sequence by sequence. */
static void attend_backward(struct work *w)
{
    for (int s = 0; s < w->shape.nseq; s++)
        rf_attention_backward(NULL, w->dq + w->shape.query[s] * HEADS * W,
                              w->dkv + w->shape.key[s] * 2 * w->shape.kv_heads * W,
                              kept(w->dout), kept(w->out), w->log_sum, kept(w->q), kept(w->kv),
                              w->scratch, &w->shape, s);
}

static double forward(struct work *w)
{
    double sum = 0;

    rf_attention_forward(NULL, kept(w->out), w->log_sum, kept(w->q), kept(w->kv), w->scratch,
                         &w->shape);
    for (int i = 0; i < w->queries * HEADS * W; i++)
        sum += w->out[i] * w->dout[i];
    return sum;
}

/* The plain formula for query i of sequence s and head h: its output, and what the query adds to the
 * gradients. */
static void plain(const struct work *w, int s, int i, int h, double *out, double *dq,
                  double *dkv)
{
    int E = w->shape.kv_heads * W, seen = w->position[i] + 1,
        g = h / (HEADS / w->shape.kv_heads);
    const double *q = w->q + i * HEADS * W + h * W, *dout = w->dout + i * HEADS * W + h * W;
    double p[ROWS], dp[ROWS], total = 0, mean = 0;

    for (int j = 0; j < seen; j++) {
        const double *k = w->kv + (w->shape.key[s] + j) * 2 * E + g * W;

        p[j] = 0;
        for (int c = 0; c < W; c++)
            p[j] += q[c] * k[c];
        p[j] = exp(p[j] / sqrt(W));
        total += p[j];
    }
    memset(out, 0, W * sizeof *out);
    for (int j = 0; j < seen; j++) {
        const double *v = w->kv + (w->shape.key[s] + j) * 2 * E + E + g * W;

        p[j] /= total;
        dp[j] = 0;
        for (int c = 0; c < W; c++) {
            out[c] += p[j] * v[c];
            dp[j] += dout[c] * v[c];
        }
        mean += p[j] * dp[j];
    }
    for (int j = 0; j < seen; j++) {
        int at = (w->shape.key[s] + j) * 2 * E + g * W;
        double ds = p[j] * (dp[j] - mean) / sqrt(W);

        for (int c = 0; c < W; c++) {
            dq[c] += ds * w->kv[at + c];
            dkv[at + c] += ds * q[c];
            dkv[at + E + c] += p[j] * dout[c];
        }
    }
}

static void assert_close(const double *got, const double *want, int n)
{
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) < 1e-11))
            fail_msg("element %d: %.15g instead of %.15g", i, got[i], want[i]);
}

static void check(const int *length, int nseq, int kv_heads, int step)
{
    static struct work w;
    static double dq[ROWS * HEADS * W], dkv[ROWS * 2 * HEADS * W];

    set_up(&w, length, nseq, kv_heads, step);
    memset(dq, 0, sizeof dq);
    memset(dkv, 0, sizeof dkv);
    forward(&w);
    attend_backward(&w);
    for (int s = 0; s < nseq; s++)
        for (int i = w.shape.query[s]; i < w.shape.query[s + 1]; i++)
            for (int h = 0; h < HEADS; h++) {
                double out[W];

                plain(&w, s, i, h, out, dq + i * HEADS * W + h * W, dkv);
                assert_close(w.out + i * HEADS * W + h * W, out, W);
            }
    assert_close(w.dq, dq, w.queries * HEADS * W);
    assert_close(w.dkv, dkv, w.keys * 2 * kv_heads * W);
    free(w.scratch);
}

static void tiles_are_the_plain_formula(void **state)
{
    static const int ragged[4] = {2 * TILE + 22, 1, TILE, TILE + 1};

    (void)state;
    for (int kv_heads = 1; kv_heads <= HEADS; kv_heads *= 2) {
        check(ragged, 4, kv_heads, 1);
        check(ragged, 4, kv_heads, 3);
    }
}

/* Some elements of each gradient, far apart. */
static void check_differences(struct work *w, double *x, const double *dx, int n)
{
    const double step = 1e-5;

    for (int i = 0; i < n; i += 97) {
        double keep = x[i], up, down;

        x[i] = keep + step;
        up = forward(w);
        x[i] = keep - step;
        down = forward(w);
        x[i] = keep;
        assert_true(fabs((up - down) / (2 * step) - dx[i]) < 1e-6);
    }
}

static void gradients_are_those_of_differences(void **state)
{
    static const int lengths[2] = {TILE + 30, 5};
    static struct work w;

    (void)state;
    set_up(&w, lengths, 2, 2, 1);
    forward(&w);
    attend_backward(&w);
    check_differences(&w, w.q, w.dq, w.queries * HEADS * W);
    check_differences(&w, w.kv, w.dkv, w.keys * 2 * 2 * W);
    free(w.scratch);
}

static void memory_grows_with_the_length_and_not_with_its_square(void **state)
{
    (void)state;
    assert_true(rf_attention_scratch(8192, W, 0) == 2 * TILE * 8192);
    assert_true(rf_attention_scratch(16384, W, 0) == 2 * rf_attention_scratch(8192, W, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_are_the_plain_formula),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(memory_grows_with_the_length_and_not_with_its_square),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
