/* Every backward function against central differences, in double: the library that is linked
 * here is built from the same files as the program's with RF_REAL_DOUBLE. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "nn/activation.h"
#include "nn/adamw.h"
#include "nn/attention.h"
#include "nn/embed.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/model.h"
#include "nn/norm.h"
#include "nn/rope.h"

enum { MANY = 4096 };

static void draw(double *x, size_t n, uint64_t which)
{
    for (size_t i = 0; i < n; i++)
        x[i] = rf_rng_normal(3, which, i);
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* A function of some inputs, as a scalar: its output times fixed numbers. */
struct problem {
    double (*value)(void *data);
    void *data;
};

/* The gradient of value with respect to x [n] is dx, within 1e-6 of its largest element. */
static void assert_gradient(const struct problem *p, double *x, const double *dx, size_t n)
{
    const double h = 1e-5;
    double largest = 1e-3, worst = 0;

    for (size_t i = 0; i < n; i++) {
        double keep = x[i], up, down, error;

        x[i] = keep + h;
        up = p->value(p->data);
        x[i] = keep - h;
        down = p->value(p->data);
        x[i] = keep;
        error = fabs((up - down) / (2 * h) - dx[i]);
        worst = error > worst ? error : worst;
        largest = fabs(dx[i]) > largest ? fabs(dx[i]) : largest;
    }
    if (!(worst < 1e-6 * largest))
        fail_msg("error %g beside gradients up to %g", worst, largest);
}

struct arrays {
    int n, C, O;
    double x[MANY], w[MANY], b[MANY], y[MANY], dy[MANY], mean[MANY], rstd[MANY];
    double dx[MANY], dw[MANY], db[MANY];
    struct rf_matmul *matmul;
};

static void arrays_init(struct arrays *a, int n, int C, int O)
{
    memset(a, 0, sizeof *a);
    a->n = n;
    a->C = C;
    a->O = O;
    draw(a->x, MANY, 1);
    draw(a->w, MANY, 2);
    draw(a->b, MANY, 3);
    draw(a->dy, MANY, 4);
    assert_int_equal(rf_matmul_create(&a->matmul, 0, a->w, MANY, MANY, NULL), RF_OK);
}

static double norm_value(void *data)
{
    struct arrays *a = data;

    rf_norm_forward(a->y, a->mean, a->rstd, a->x, a->w, a->b, 1e-5, a->n, a->C);
    return dot(a->y, a->dy, (size_t)(a->n * a->C));
}

static void layer_norm_backward_is_its_gradient(void **state)
{
    static struct arrays a;
    struct problem p = {norm_value, &a};

    (void)state;
    arrays_init(&a, 5, 13, 0);
    norm_value(&a);
    rf_norm_backward(a.dx, a.dw, a.db, a.dy, a.x, a.mean, a.rstd, a.w, a.n, a.C);
    assert_gradient(&p, a.x, a.dx, 65);
    assert_gradient(&p, a.w, a.dw, 13);
    assert_gradient(&p, a.b, a.db, 13);
    rf_matmul_destroy(a.matmul);
}

static double rms_value(void *data)
{
    struct arrays *a = data;

    rf_rms_forward(a->y, a->rstd, a->x, a->w, 1e-5, a->n, a->C);
    return dot(a->y, a->dy, (size_t)(a->n * a->C));
}

static void rms_norm_backward_is_its_gradient(void **state)
{
    static struct arrays a;
    struct problem p = {rms_value, &a};

    (void)state;
    arrays_init(&a, 5, 13, 0);
    rms_value(&a);
    rf_rms_backward(a.dx, a.dw, a.dy, a.x, a.rstd, a.w, a.n, a.C);
    assert_gradient(&p, a.x, a.dx, 65);
    assert_gradient(&p, a.w, a.dw, 13);
    rf_matmul_destroy(a.matmul);
}

static double swiglu_value(void *data)
{
    struct arrays *a = data;

    rf_swiglu_forward(a->y, a->x, a->n, a->C);
    return dot(a->y, a->dy, (size_t)(a->n * a->C));
}

static void swiglu_backward_is_its_gradient(void **state)
{
    static struct arrays a;
    struct problem p = {swiglu_value, &a};

    (void)state;
    arrays_init(&a, 7, 11, 0);
    rf_swiglu_backward(a.dx, a.dy, a.x, a.n, a.C);
    assert_gradient(&p, a.x, a.dx, 154);
    rf_matmul_destroy(a.matmul);
}

/* The product of a turned query and a turned key depends on how far apart they are, and turning
 * back undoes turning. */
static void turned_heads_see_distances_alone(void **state)
{
    enum { W = 6, T = 40 };
    static double table[T * W];
    double q[W], k[W], a[W], b[W], near;

    (void)state;
    assert_int_equal(rf_rope_table_size(T, W), T * W);
    rf_rope_fill(table, T, W, 10000);
    draw(q, W, 1);
    draw(k, W, 2);
    for (int32_t t = 5; t < T; t++) {
        int32_t other = t - 5, base[2] = {5, 0};

        memcpy(a, q, sizeof a);
        memcpy(b, k, sizeof b);
        rf_rope_turn(a, W, table, &base[0], 1, 1, W, 0);
        rf_rope_turn(b, W, table, &base[1], 1, 1, W, 0);
        near = dot(a, b, W);
        memcpy(a, q, sizeof a);
        memcpy(b, k, sizeof b);
        rf_rope_turn(a, W, table, &t, 1, 1, W, 0);
        rf_rope_turn(b, W, table, &other, 1, 1, W, 0);
        assert_true(fabs(dot(a, b, W) - near) < 1e-12);
        rf_rope_turn(a, W, table, &t, 1, 1, W, 1);
        for (int i = 0; i < W; i++)
            assert_true(fabs(a[i] - q[i]) < 1e-14);
    }
    /* element 1 turns by position x theta^(-1/3), with element 4 */
    memset(a, 0, sizeof a);
    a[1] = 1;
    rf_rope_turn(a, W, table, &(int32_t){3}, 1, 1, W, 0);
    assert_true(fabs(a[1] - cos(3 * pow(10000, -1.0 / 3))) < 1e-14);
    assert_true(fabs(a[4] - sin(3 * pow(10000, -1.0 / 3))) < 1e-14);
}

static double gelu_value(void *data)
{
    struct arrays *a = data;
    static double with_bias[MANY];

    memcpy(with_bias, a->x, sizeof with_bias);
    rf_gelu_forward(a->y, with_bias, a->b, a->n, a->C);
    return dot(a->y, a->dy, (size_t)(a->n * a->C));
}

static void gelu_backward_is_its_gradient(void **state)
{
    static struct arrays a;
    static double with_bias[MANY];
    struct problem p = {gelu_value, &a};

    (void)state;
    arrays_init(&a, 7, 11, 0);
    memcpy(with_bias, a.x, sizeof with_bias);
    rf_gelu_forward(a.y, with_bias, a.b, a.n, a.C);
    memcpy(a.dx, a.dy, sizeof a.dx);
    rf_gelu_backward(a.dx, a.db, with_bias, a.n, a.C);
    assert_gradient(&p, a.x, a.dx, 77);
    assert_gradient(&p, a.b, a.db, 11);
    rf_matmul_destroy(a.matmul);
}

static void gelu_has_its_published_values(void **state)
{
    double x[3] = {-1, 0.5, 3}, b[3] = {0, 0, 0}, y[3];

    (void)state;
    rf_gelu_forward(y, x, b, 1, 3);
    for (int i = 0; i < 3; i++) {
        double u = sqrt(2 / 3.14159265358979323846) * (x[i] + 0.044715 * x[i] * x[i] * x[i]);

        assert_true(fabs(y[i] - 0.5 * x[i] * (1 + tanh(u))) < 1e-14);
    }
}

static double linear_value(void *data)
{
    struct arrays *a = data;

    rf_linear_forward(a->matmul, a->y, rf_operand(a->x, a->C), a->w, a->b, a->n, a->C, a->O);
    return dot(a->y, a->dy, (size_t)(a->n * a->O));
}

static void linear_backward_is_its_gradient(void **state)
{
    static struct arrays a;
    struct problem p = {linear_value, &a};

    (void)state;
    arrays_init(&a, 6, 7, 9);
    rf_linear_backward(a.matmul, a.dx, 0, rf_operand(a.dy, a.O), a.w, a.n, a.C, a.O);
    rf_linear_gradient(a.matmul, a.dw, rf_operand(a.dy, a.O), rf_operand(a.x, a.C), a.n, a.C,
                       a.O);
    rf_bias_backward(a.db, a.dy, a.n, a.O);
    assert_gradient(&p, a.x, a.dx, 42);
    assert_gradient(&p, a.w, a.dw, 63);
    assert_gradient(&p, a.b, a.db, 9);
    rf_matmul_destroy(a.matmul);
}

/* Three sequences of 1, 6 and 9 keys; the queries are some of the positions only. */
static const int KEYS[4] = {0, 1, 7, 16}, QUERIES[4] = {0, 1, 4, 8};
static const int32_t POSITIONS[8] = {0, 0, 2, 5, 1, 4, 7, 8};

struct attending {
    struct rf_attention shape;
    double q[8 * 10], kv[16 * 20], out[8 * 10], log_sum[8 * 2], dout[8 * 10];
    double dq[8 * 10], dkv[16 * 20], scratch[2 * 9 * 16];
};

static struct rf_kept kept(double *x)
{
    return (struct rf_kept){.real = x};
}

/* Sequence by sequence. */
static void attend_backward(struct attending *a)
{
    int D = a->shape.heads * a->shape.head_width, E = a->shape.kv_heads * a->shape.head_width;

    for (int s = 0; s < a->shape.nseq; s++)
        rf_attention_backward(NULL, a->dq + a->shape.query[s] * D,
                              a->dkv + a->shape.key[s] * 2 * E, kept(a->dout), kept(a->out),
                              a->log_sum, kept(a->q), kept(a->kv), a->scratch, &a->shape, s);
}

static double attention_value(void *data)
{
    struct attending *a = data;

    rf_attention_forward(NULL, kept(a->out), a->log_sum, kept(a->q), kept(a->kv), a->scratch,
                         &a->shape);
    return dot(a->out, a->dout, 80);
}

static void attention_backward_is_its_gradient(void **state)
{
    static struct attending a;
    struct problem p = {attention_value, &a};

    (void)state;
    a.shape = (struct rf_attention){.nseq = 3,
                                    .heads = 2,
                                    .kv_heads = 2,
                                    .head_width = 5,
                                    .key = KEYS,
                                    .query = QUERIES,
                                    .position = POSITIONS,
                                    .longest = 9};
    draw(a.q, 80, 1);
    draw(a.kv, 320, 2);
    draw(a.dout, 80, 3);
    attention_value(&a);
    attend_backward(&a);
    assert_gradient(&p, a.q, a.dq, 80);
    assert_gradient(&p, a.kv, a.dkv, 320);
}

/* Both heads of queries share the one head of keys and values. */
static void grouped_attention_backward_is_its_gradient(void **state)
{
    static struct attending a;
    struct problem p = {attention_value, &a};

    (void)state;
    a.shape = (struct rf_attention){.nseq = 3,
                                    .heads = 2,
                                    .kv_heads = 1,
                                    .head_width = 5,
                                    .key = KEYS,
                                    .query = QUERIES,
                                    .position = POSITIONS,
                                    .longest = 9};
    draw(a.q, 80, 1);
    draw(a.kv, 160, 2);
    draw(a.dout, 80, 3);
    draw(a.dkv, 160, 4); /* is overwritten */
    attention_value(&a);
    attend_backward(&a);
    assert_gradient(&p, a.q, a.dq, 80);
    assert_gradient(&p, a.kv, a.dkv, 160);
}

static void attention_is_the_plain_formula(void **state)
{
    static struct attending a;

    (void)state;
    a.shape = (struct rf_attention){.nseq = 3,
                                    .heads = 2,
                                    .kv_heads = 2,
                                    .head_width = 5,
                                    .key = KEYS,
                                    .query = QUERIES,
                                    .position = POSITIONS,
                                    .longest = 9};
    draw(a.q, 80, 1);
    draw(a.kv, 320, 2);
    attention_value(&a);
    for (int s = 0; s < 3; s++)
        for (int i = QUERIES[s]; i < QUERIES[s + 1]; i++)
            for (int h = 0; h < 2; h++) {
                double want[5] = {0}, total = 0;

                for (int j = 0; j <= POSITIONS[i]; j++) {
                    const double *k = a.kv + (KEYS[s] + j) * 20 + h * 5;
                    double e = exp(dot(a.q + i * 10 + h * 5, k, 5) / sqrt(5.0));

                    total += e;
                    for (int c = 0; c < 5; c++)
                        want[c] += e * k[10 + c];
                }
                for (int c = 0; c < 5; c++)
                    assert_true(fabs(want[c] / total - a.out[i * 10 + h * 5 + c]) < 1e-12);
            }
}

static void embedding_backward_is_its_transpose(void **state)
{
    static const int32_t TOKENS[6] = {4, 9, 4, 2, 7, 5};
    static const int FIRST[4] = {0, 3, 4, 6}; /* 4 9 4, 2, 7 5 */
    double wte[4 * 3], x[18], dx[18], dwte[12] = {0};
    struct rf_embedded rows = {
        .token = TOKENS, .n = 6, .C = 3, .begin = 4, .count = 4}; /* 4 .. 7 are here */
    const struct rf_vectors vectors = {.real = wte};

    (void)state;
    draw(wte, 12, 1);
    draw(dx, 18, 2);
    rf_embed_forward(x, &vectors, &rows);
    rf_embed_backward(dwte, dx, &rows);
    assert_true(fabs(dot(x, dx, 18) - dot(wte, dwte, 12)) < 1e-12);
    assert_true(x[3] == 0 && x[9] == 0 && x[0] == wte[0] && x[12] == wte[9]);
    rows.first = FIRST;
    rows.n = 3;
    memset(dwte, 0, sizeof dwte);
    rf_embed_forward(x, &vectors, &rows);
    rf_embed_backward(dwte, dx, &rows);
    assert_true(fabs(dot(x, dx, 9) - dot(wte, dwte, 12)) < 1e-12);
    assert_true(x[1] == 2 * wte[1] && x[4] == 0 && x[8] == wte[11] + wte[5]);
}

struct entropy {
    double logits[5 * 7];
    struct rf_targets targets;
    double scale[5];
};

static double entropy_value(void *data)
{
    struct entropy *e = data;
    double work[35], top[5], sum[5], want[5], loss = 0;

    memcpy(work, e->logits, sizeof work);
    rf_loss_max(top, work, 5, 7);
    rf_loss_sums(work, sum, want, top, &e->targets, 5, 7);
    for (int r = 0; r < 5; r++)
        loss += e->scale[r] * (log(sum[r]) - want[r]);
    return loss;
}

static void check_entropy(const int32_t *target, const float *soft)
{
    struct entropy e = {.targets = {target, soft, 7, 0}, .scale = {0.3, 0.1, 0.2, 0, 0.4}};
    struct problem p = {entropy_value, &e};
    double d[35], top[5], sum[5], want[5];

    draw(e.logits, 35, 1);
    memcpy(d, e.logits, sizeof d);
    rf_loss_max(top, d, 5, 7);
    rf_loss_sums(d, sum, want, top, &e.targets, 5, 7);
    rf_loss_backward(d, sum, e.scale, &e.targets, 5, 7);
    assert_gradient(&p, e.logits, d, 35);
}

static void cross_entropy_backward_is_its_gradient(void **state)
{
    static const int32_t TARGET[5] = {6, 0, 3, 3, 1};
    float soft[35];

    (void)state;
    for (int r = 0; r < 5; r++)
        for (int c = 0; c < 7; c++)
            soft[7 * r + c] = (float)(c + 1) / 28;
    check_entropy(TARGET, NULL);
    check_entropy(NULL, soft);
}

/* ---- whole models ---------------------------------------------------------- */

struct whole {
    struct rf_plan plan;
    struct rf_model *model;
    struct rf_batch batch;
};

static const int32_t MODEL_TOKENS[3 * 6] = {1,  4, 2, 8, 5, 7, 3, 0,  9,
                                            10, 6, 6, 2, 2, 1, 3, 99, 99};

static const struct rf_model_shape SHAPES[] = {
    {.vocabulary = 11, .context = 7, .layers = 2, .heads = 3, .width = 6, .hidden = 10},
    {.family = RF_MODEL_LLAMA,
     .vocabulary = 11,
     .context = 7,
     .layers = 2,
     .heads = 4,
     .kv_heads = 2,
     .width = 8,
     .hidden = 5},
    {.family = RF_MODEL_LLAMA,
     .vocabulary = 11,
     .context = 7,
     .layers = 1,
     .heads = 3,
     .kv_heads = 1,
     .width = 12,
     .hidden = 5,
     .untied = 1},
    {.vocabulary = 11,
     .context = 7,
     .layers = 1,
     .heads = 2,
     .width = 6,
     .hidden = 4,
     .untied = 1},
};
enum { NSHAPES = sizeof SHAPES / sizeof SHAPES[0] };

static void whole_init(struct whole *w, const struct rf_model_shape *shape)
{
    struct rf_model_limits limits = {3, 6, 18, 11, 0};
    struct rf_exchange alone = rf_exchange_serial();
    rf_real *values;

    assert_int_equal(rf_plan_make(&w->plan, shape, 0, 1, NULL), RF_OK);
    assert_int_equal(rf_model_create(&w->model, &w->plan, &alone, &limits, 0, 5, NULL), RF_OK);
    /* Far from the start, where many gradients are close to zero. */
    values = rf_model_values(w->model);
    for (size_t i = 0; i < w->plan.nlocal; i++)
        values[i] += 0.3 * rf_rng_normal(8, 8, i);
    w->batch = (struct rf_batch){.B = 3, .T = 6, .tokens = MODEL_TOKENS};
}

static void whole_clear(struct whole *w)
{
    rf_model_destroy(w->model);
    rf_plan_clear(&w->plan);
}

static double whole_value(void *data)
{
    struct whole *w = data;
    struct rf_work work;

    return rf_model_predict(w->model, &w->batch, NULL, NULL, &work);
}

static void check_whole(struct whole *w)
{
    struct problem p = {whole_value, w};
    struct rf_work work;
    double loss = rf_model_learn(w->model, &w->batch, &work);

    assert_true(fabs(loss - whole_value(w)) < 1e-12);
    for (int i = 0; i < w->plan.nparams; i++) {
        const struct rf_param *q = &w->plan.params[i];

        assert_gradient(&p, rf_model_values(w->model) + q->at,
                        rf_model_gradients(w->model) + q->at,
                        (size_t)(q->extent[0] * q->extent[1]));
    }
}

static void language_model_gradients_are_right(void **state)
{
    static const int32_t ROWS[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const int32_t TARGET[16] = {4, 2, 8, 5, 7, 0, 0, 9, 10, 6, 6, 1, 2, 1, 3, 0};
    static struct whole w;

    (void)state;
    for (int i = 0; i < NSHAPES; i++) {
        whole_init(&w, &SHAPES[i]);
        w.batch.R = 16;
        w.batch.rows = ROWS;
        w.batch.range_count = 11;
        w.batch.target = TARGET;
        check_whole(&w);
        whole_clear(&w);
    }
}

static void classifier_gradients_are_right(void **state)
{
    static const int32_t ROWS[4] = {2, 5, 12, 15}; /* the second sequence is not asked at all */
    static const float SOFT[12] = {0.25F, 0.5F, 0.25F, 1, 0, 0, 0, 0.75F, 0.25F, 0.5F, 0.5F, 0};
    static const float WEIGHT[4] = {1, 0.5F, 2, 0.25F};
    static struct whole w;

    (void)state;
    for (int i = 0; i < NSHAPES; i++) {
        whole_init(&w, &SHAPES[i]);
        w.batch.R = 4;
        w.batch.rows = ROWS;
        w.batch.range_begin = 7;
        w.batch.range_count = 3;
        w.batch.soft = SOFT;
        w.batch.weight = WEIGHT;
        check_whole(&w);
        whole_clear(&w);
    }
}

/* A bag is what it holds, in any order and as often as it holds it; what follows the asked row is not in it. */
static void bags_have_no_order(void **state)
{
    static const int32_t ROWS[3] = {3, 11, 15}, TARGET[3] = {2, 0, 1};
    static struct whole w;

    (void)state;
    for (int i = 0; i < NSHAPES; i++) {
        struct rf_model_shape shape = SHAPES[i];
        int32_t tokens[18];
        double loss;

        shape.bag = 1;
        whole_init(&w, &shape);
        w.batch.R = 3;
        w.batch.rows = ROWS;
        w.batch.range_begin = 7;
        w.batch.range_count = 3;
        w.batch.target = TARGET;
        check_whole(&w);
        loss = whole_value(&w);
        memcpy(tokens, MODEL_TOKENS, sizeof tokens);
        w.batch.tokens = tokens;
        for (int t = 0; t < 4; t++)
            tokens[t] = MODEL_TOKENS[3 - t];
        tokens[4] = tokens[5] = 10;
        assert_true(fabs(whole_value(&w) - loss) < 1e-12);
        tokens[1] = tokens[2];
        assert_true(fabs(whole_value(&w) - loss) > 1e-6);
        w.batch.mean = 1;
        check_whole(&w);
        whole_clear(&w);
    }
}

/* Answers that lie apart, not in their order, are what a range is that lies together. */
static void listed_answers_are_a_range_that_lies_apart(void **state)
{
    static const int32_t ROWS[4] = {2, 5, 12, 15}, SAME[3] = {7, 8, 9}, APART[3] = {9, 2, 5};
    static const float SOFT[12] = {0.25F, 0.5F, 0.25F, 1, 0, 0, 0, 0.75F, 0.25F, 0.5F, 0.5F, 0};
    static const float WEIGHT[4] = {1, 0.5F, 2, 0.25F};
    static struct whole w;
    struct rf_work work;

    (void)state;
    for (int i = 0; i < NSHAPES; i++) {
        float prob[12], listed[12];
        int32_t best[4], listed_best[4];
        double loss, gradient = 0;

        whole_init(&w, &SHAPES[i]);
        w.batch.R = 4;
        w.batch.rows = ROWS;
        w.batch.range_begin = 7;
        w.batch.range_count = 3;
        w.batch.soft = SOFT;
        w.batch.weight = WEIGHT;
        loss = rf_model_learn(w.model, &w.batch, &work);
        for (size_t k = 0; k < w.plan.nlocal; k++)
            gradient += (double)(k % 97) * rf_model_gradients(w.model)[k];
        rf_model_predict(w.model, &w.batch, prob, best, &work);
        w.batch.range_begin = 0;
        w.batch.answers = SAME;
        assert_true(fabs(loss - rf_model_learn(w.model, &w.batch, &work)) < 1e-12);
        for (size_t k = 0; k < w.plan.nlocal; k++)
            gradient -= (double)(k % 97) * rf_model_gradients(w.model)[k];
        assert_true(fabs(gradient) < 1e-10);
        rf_model_predict(w.model, &w.batch, listed, listed_best, &work);
        assert_memory_equal(best, listed_best, sizeof best);
        for (int k = 0; k < 12; k++)
            assert_true(fabsf(prob[k] - listed[k]) < 1e-6F);
        w.batch.answers = APART;
        check_whole(&w);
        whole_clear(&w);
    }
}

/* The loss is Bradley's and Terry's: that of two scores, one for each text. */
static void two_scores_are_compared(void **state)
{
    static const int32_t ROWS[2] = {2, 12}, ANSWER[1] = {4};
    static const float SOFT[2] = {0.75F, 0.25F};
    static const int32_t SECOND[1] = {1};
    static struct whole w;
    struct rf_work work;

    (void)state;
    for (int i = 0; i < NSHAPES; i++) {
        double score[2], loss;
        float features[2 * 16], prob[2];
        int32_t best;
        const rf_real *head;

        whole_init(&w, &SHAPES[i]);
        w.batch.R = 2;
        w.batch.rows = ROWS;
        w.batch.range_count = 1;
        w.batch.answers = ANSWER;
        w.batch.joined = 2;
        w.batch.soft = SOFT;
        assert_int_equal(rf_batch_items(&w.batch), 1);
        assert_int_equal(rf_batch_classes(&w.batch), 2);
        check_whole(&w);
        rf_model_features(w.model, &w.batch, features, &work);
        head = rf_model_values(w.model) + w.plan.params[w.plan.head].at +
               ANSWER[0] * w.plan.shape.width;
        for (int k = 0; k < 2; k++) {
            score[k] = 0;
            for (int c = 0; c < w.plan.shape.width; c++)
                score[k] += (double)features[k * w.plan.shape.width + c] * head[c];
        }
        loss = 0.75 * log1p(exp(score[1] - score[0])) + 0.25 * log1p(exp(score[0] - score[1]));
        assert_true(fabs(rf_model_learn(w.model, &w.batch, &work) - loss) < 1e-5);
        rf_model_predict(w.model, &w.batch, prob, &best, &work);
        assert_true(fabs(prob[0] - 1 / (1 + exp(score[1] - score[0]))) < 1e-5);
        assert_int_equal(best, score[1] > score[0]);
        w.batch.soft = NULL;
        w.batch.target = SECOND;
        loss = log1p(exp(score[0] - score[1]));
        assert_true(fabs(rf_model_learn(w.model, &w.batch, &work) - loss) < 1e-5);
        whole_clear(&w);
    }
}

static void gradients_through_a_mean_of_rows_are_right(void **state)
{
    static const int32_t ROWS[2] = {3,
                                    17}; /* the second sequence is not asked, the third whole */
    static const int32_t TARGET[2] = {2, 0};
    static const float WEIGHT[2] = {1, 0.5F};
    static struct whole w;

    (void)state;
    for (int i = 0; i < NSHAPES; i++) {
        whole_init(&w, &SHAPES[i]);
        w.batch.mean = 1;
        w.batch.R = 2;
        w.batch.rows = ROWS;
        w.batch.range_begin = 7;
        w.batch.range_count = 3;
        w.batch.target = TARGET;
        w.batch.weight = WEIGHT;
        check_whole(&w);
        whole_clear(&w);
    }
}

/* A sequence of one token is its own mean, before the last norm: normalised here, it is the row that is asked
 * without a mean. */
static void a_mean_is_of_rows_before_their_norm(void **state)
{
    enum { WIDTH = 64 };
    static const int32_t FIRST[2] = {0, 6}, LAST[2] = {4, 9};
    float last[2 * WIDTH], mean[2 * WIDTH];
    static struct whole w;
    struct rf_work work, longer;
    int C = SHAPES[0].width;

    (void)state;
    assert_true(C <= WIDTH);
    whole_init(&w, &SHAPES[0]);
    w.batch.R = 2;
    w.batch.rows = FIRST;
    w.batch.range_count = 3;
    rf_model_features(w.model, &w.batch, last, &work);
    w.batch.mean = 1;
    rf_model_features(w.model, &w.batch, mean, &work);
    for (int r = 0; r < 2; r++) {
        const rf_real *scale = rf_model_values(w.model) + w.plan.params[w.plan.norm_w].at;
        const rf_real *shift = rf_model_values(w.model) + w.plan.params[w.plan.norm_b].at;
        double sum = 0, squares = 0;

        for (int c = 0; c < C; c++)
            sum += (double)mean[r * C + c] / C;
        for (int c = 0; c < C; c++)
            squares += pow((double)mean[r * C + c] - sum, 2) / C;
        for (int c = 0; c < C; c++)
            assert_true(fabs(((double)mean[r * C + c] - sum) / sqrt(squares + 1e-5) * scale[c] +
                             shift[c] - (double)last[r * C + c]) < 1e-5);
    }
    w.batch.rows = LAST;
    rf_model_predict(w.model, &w.batch, mean, NULL, &longer);
    assert_int_equal(longer.asked, longer.rows);
    assert_int_equal(longer.asked - longer.pooled, 2);
    whole_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layer_norm_backward_is_its_gradient),
        cmocka_unit_test(rms_norm_backward_is_its_gradient),
        cmocka_unit_test(swiglu_backward_is_its_gradient),
        cmocka_unit_test(turned_heads_see_distances_alone),
        cmocka_unit_test(grouped_attention_backward_is_its_gradient),
        cmocka_unit_test(gelu_backward_is_its_gradient),
        cmocka_unit_test(gelu_has_its_published_values),
        cmocka_unit_test(linear_backward_is_its_gradient),
        cmocka_unit_test(attention_backward_is_its_gradient),
        cmocka_unit_test(attention_is_the_plain_formula),
        cmocka_unit_test(embedding_backward_is_its_transpose),
        cmocka_unit_test(cross_entropy_backward_is_its_gradient),
        cmocka_unit_test(language_model_gradients_are_right),
        cmocka_unit_test(classifier_gradients_are_right),
        cmocka_unit_test(bags_have_no_order),
        cmocka_unit_test(gradients_through_a_mean_of_rows_are_right),
        cmocka_unit_test(a_mean_is_of_rows_before_their_norm),
        cmocka_unit_test(listed_answers_are_a_range_that_lies_apart),
        cmocka_unit_test(two_scores_are_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
