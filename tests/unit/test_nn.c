/* The parts of nn/ that the check of gradients in double does not reach: fp32 functions, bf16
 * products, slices, the optimiser and its schedule. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "nn/adamw.h"
#include "nn/attention.h"
#include "nn/bf16.h"
#include "nn/half.h"
#include "nn/held.h"
#include "nn/plan.h"
#include "nn/primitive.h"

static void exponential_is_within_two_units_in_the_last_place(void **state)
{
    (void)state;
    for (double v = -86.9; v < 86.9; v += 0.00137) {
        float x = (float)v;
        double right = exp((double)x);
        int exponent;

        frexp(right, &exponent);
        assert_true(fabs((double)rf_exp(x) - right) < 2 * ldexp(1, exponent - 24));
    }
    assert_true(rf_exp(-1e30F) < 1e-37F && rf_exp(1e30F) > 1e37F);
    assert_true(isnan(rf_exp(NAN)) && rf_exp(0) == 1);
}

static void bf16_rounds_to_nearest_even(void **state)
{
    /* 1 + 2^-8 lies between 1 and 1 + 2^-7; 1 + 3 x 2^-8 between odd and even the other way. */
    const float x[6] = {1.0F, 1.00390625F, 1.01171875F, -1.0040F, INFINITY, NAN};
    const uint16_t want[5] = {0x3f80, 0x3f80, 0x3f82, 0xbf81, 0x7f80};
    uint16_t got[6];

    (void)state;
    rf_bf16_round(got, x, 6);
    for (int i = 0; i < 5; i++)
        assert_int_equal(got[i], want[i]);
    assert_true((got[5] & 0x7fff) > 0x7f80);
}

enum { ELEMENTS = 200 * 70, OPERAND = 256 * 256 };

static float as_bf16(float x)
{
    return rf_half_wide(rf_half_of(x));
}

/* c [m][n] against the sum over k in double of rounded operands. */
static void check_product(struct rf_bf16 *p, enum rf_form form, const float *a, const float *b,
                          int m, int n, int k, int accumulate)
{
    static float c[ELEMENTS];

    assert_true(m * n <= ELEMENTS);
    for (int i = 0; i < m * n; i++)
        c[i] = 0.5F;
    rf_bf16_multiply(p, form, m, n, k, rf_operand(a, form == RF_TN ? m : k),
                     rf_operand(b, form == RF_NT ? k : n), accumulate, c);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = accumulate ? 0.5 : 0;

            for (int l = 0; l < k; l++)
                sum += (double)as_bf16(form == RF_TN ? a[l * m + i] : a[i * k + l]) *
                       (double)as_bf16(form == RF_NT ? b[j * k + l] : b[l * n + j]);
            assert_true(fabs(sum - (double)c[i * n + j]) < 1e-4);
        }
}

static void check_path(enum rf_bf16_path path)
{
    static float weights[ELEMENTS], x[ELEMENTS];
    struct rf_bf16 *p;

    for (int i = 0; i < ELEMENTS; i++) {
        weights[i] = (float)rf_rng_normal(1, 1, (uint64_t)i);
        x[i] = (float)rf_rng_normal(1, 2, (uint64_t)i);
    }
    assert_int_equal(rf_bf16_create(&p, path, weights, ELEMENTS, OPERAND, NULL), RF_OK);
    rf_bf16_refresh(p);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        check_product(p, RF_NT, x, weights + 7, 150, 33, 21, accumulate);
        check_product(p, RF_NN, x, weights, 131, 40, 17, accumulate);
        check_product(p, RF_TN, x, x + 500, 40, 33, 150, accumulate);
        check_product(p, RF_NT, x, weights, 5, 2, 9, accumulate);
        check_product(p, RF_NT, x, weights, 144, 8, 16, accumulate);
    }
    rf_bf16_destroy(p);
}

static void bf16_products_are_those_of_rounded_operands(void **state)
{
    (void)state;
    check_path(RF_BF16_ROUNDED);
    check_path(RF_BF16_ONEDNN);
    check_path(RF_BF16_AUTO);
}

/* c [m][n] with weights from `at` on in oneDNN's layout, against the sum in double. */
static void check_weights(struct rf_primitives *p, enum rf_form form, const float *x,
                          const float *weights, size_t at, int m, int n, int k, int accumulate)
{
    static float c[ELEMENTS];

    for (int i = 0; i < m * n; i++)
        c[i] = 0.25F;
    assert_true(rf_primitives_run_weights(p, form, m, n, k, x, at, accumulate, c));
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = accumulate ? 0.25 : 0;

            for (int l = 0; l < k; l++)
                sum += (double)x[i * k + l] *
                       (double)weights[at + (size_t)(form == RF_NT ? j * k + l : l * n + j)];
            assert_true(fabs(sum - (double)c[i * n + j]) < 1e-4);
        }
}

/* In fp32, which oneDNN multiplies on every processor; bf16 takes the same way. */
static void weights_in_their_layout_follow_each_update(void **state)
{
    static float weights[ELEMENTS], x[ELEMENTS];
    struct rf_primitives *p;
    size_t held;

    (void)state;
    for (int i = 0; i < ELEMENTS; i++) {
        weights[i] = (float)rf_rng_normal(1, 1, (uint64_t)i);
        x[i] = (float)rf_rng_normal(1, 2, (uint64_t)i);
    }
    assert_int_equal(rf_primitives_create(&p, 0, weights, ELEMENTS, NULL), RF_OK);
    assert_non_null(p);
    for (int round = 0; round < 3; round++) {
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            check_weights(p, RF_NT, x, weights, 0, 128, 48, 64, accumulate);
            check_weights(p, RF_NN, x, weights, 0, 128, 48, 64, accumulate);
            check_weights(p, RF_NT, x, weights, 3072, 16, 33, 17, accumulate);
            check_weights(p, RF_NN, x, weights, 3072, 128, 33, 17, accumulate);
        }
        if (round == 0)
            held = rf_primitives_bytes(p);
        assert_true(rf_primitives_bytes(p) == held); /* one copy of each, however often */
        for (int i = 0; i < ELEMENTS; i++)
            weights[i] += (float)(i % 7);
        rf_primitives_refresh(p);
    }
    rf_primitives_destroy(p);
}

/* Two matrices that are in copies alone, one of nothing, and one that is looked up, with room between them. */
static const struct rf_weight HELD[4] = {
    {.at = 0, .rows = 48, .cols = 64, .multiplied = 1},
    {.at = 3072, .rows = 0, .cols = 9, .multiplied = 1},
    {.at = 3072, .rows = 33, .cols = 17, .multiplied = 1},
    {.at = 3648, .rows = 50, .cols = 16, .looked_up = 1, .multiplied = 1},
};

/* Puts new values of weight k into its room. */
static void bring(const struct rf_held *held, float *weights, int k, int round)
{
    float *room = rf_held_room(held, k);

    for (int64_t i = 0; i < HELD[k].rows * HELD[k].cols; i++) {
        size_t at = HELD[k].at + (size_t)i;

        room[i] = weights[at] = (float)rf_rng_normal(1, (uint64_t)round, at);
    }
}

/* Weights that are nowhere but in copies, and some that lie row by row: in fp32, as above. */
static void weights_may_be_in_copies_alone(void **state)
{
    static float weights[ELEMENTS], x[ELEMENTS], rows[ELEMENTS];
    struct rf_primitives *p;
    struct rf_held *held;
    size_t bytes = 0, none;

    (void)state;
    for (int i = 0; i < ELEMENTS; i++)
        x[i] = (float)rf_rng_normal(2, 2, (uint64_t)i);
    assert_int_equal(rf_held_create(&held, HELD, 4, 0, sizeof(float), NULL), RF_OK);
    assert_int_equal(rf_primitives_create(&p, 0, NULL, 0, NULL), RF_OK);
    rf_primitives_hold(p, held);
    none = rf_primitives_bytes(p);
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < 4; k++) { /* the room is that of one after the other */
            bring(held, weights, k, round);
            rf_primitives_take(p, k);
            assert_true((rf_held_rows_at(held, HELD[k].at) != NULL) == HELD[k].looked_up);
        }
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            check_weights(p, RF_NN, x, weights, 3072, 128, 17, 33, accumulate);
            check_weights(p, RF_NT, x, weights, 0, 128, 48, 64, accumulate);
            check_weights(p, RF_NN, x, weights, 0, 128, 64, 48, accumulate);
            check_weights(p, RF_NT, x, weights, 3072, 16, 33, 17, accumulate);
            check_weights(p, RF_NT, x, weights, 3648, 128, 50, 16, accumulate);
            check_weights(p, RF_NT, x, weights, 3648 + 5 * 16, 128, 7, 16, accumulate);
            check_weights(p, RF_NN, x, weights, 3648 + 5 * 16, 128, 16, 7, accumulate);
        }
        assert_true(rf_primitives_give(p, RF_NT, 48, 64, 0, rows));
        assert_memory_equal(rows, weights, 3072 * sizeof *rows);
        assert_true(rf_primitives_give(p, RF_NN, 17, 33, 3072, rows));
        assert_memory_equal(rows, weights + 3072, 561 * sizeof *rows);
        assert_false(rf_primitives_give(p, RF_NT, 20, 64, 0, rows)); /* a part of one */
        bytes = round == 0 ? rf_primitives_bytes(p) : bytes;
        assert_true(rf_primitives_bytes(p) == bytes);
    }
    /* two layouts at most of each, with room for their blocks, and nothing left of how they came */
    assert_true(bytes - none <= 2 * sizeof(float) * (64 * 64 + 64 * 32 + 64 * 64 + 64 * 64));
    rf_primitives_destroy(p);
    rf_held_destroy(held);
}

/* Products with what is held are, to the bit, those with weights in fp32 that round to it. */
static void held_weights_multiply_as_those_in_fp32(void **state)
{
    static float weights[ELEMENTS], names[ELEMENTS], x[ELEMENTS], c[2][ELEMENTS];
    struct rf_bf16 *plain, *holds;
    enum { M = 150 };

    (void)state;
    for (int i = 0; i < ELEMENTS; i++)
        x[i] = (float)rf_rng_normal(2, 2, (uint64_t)i);
    for (int path = RF_BF16_AUTO; path <= RF_BF16_ROUNDED; path++) {
        enum rf_bf16_path way = (enum rf_bf16_path)path;

        assert_int_equal(rf_bf16_create(&plain, way, weights, ELEMENTS, OPERAND, NULL), RF_OK);
        assert_int_equal(rf_bf16_create(&holds, way, NULL, 0, OPERAND, NULL), RF_OK);
        assert_int_equal(rf_bf16_hold(holds, names, ELEMENTS, HELD, 4, NULL), RF_OK);
        for (int k = 0; k < 4; k++) {
            uint16_t *room = rf_bf16_room(holds, k);
            size_t n = (size_t)(HELD[k].rows * HELD[k].cols);

            for (size_t i = 0; i < n; i++)
                weights[HELD[k].at + i] = (float)rf_rng_normal(3, 1, HELD[k].at + i);
            rf_bf16_round(room, weights + HELD[k].at, n);
            rf_bf16_take(holds, k);
        }
        rf_bf16_refresh(plain);
        rf_bf16_refresh(holds);
        memset(c, 0, sizeof c);
        for (int k = 0; k < 4; k++) {
            int n = (int)HELD[k].rows, cols = (int)HELD[k].cols;

            if (n == 0)
                continue;
            rf_bf16_multiply(plain, RF_NT, M, n, cols, rf_operand(x, cols),
                             rf_operand(weights + HELD[k].at, cols), 0, c[0]);
            rf_bf16_multiply(holds, RF_NT, M, n, cols, rf_operand(x, cols),
                             rf_operand(names + HELD[k].at, cols), 0, c[1]);
            assert_memory_equal(c[0], c[1], sizeof c[0]);
            assert_true(c[0][M * n - 1] != 0);
            rf_bf16_multiply(plain, RF_NN, M, cols, n, rf_operand(x, n),
                             rf_operand(weights + HELD[k].at, cols), 0, c[0]);
            rf_bf16_multiply(holds, RF_NN, M, cols, n, rf_operand(x, n),
                             rf_operand(names + HELD[k].at, cols), 0, c[1]);
            assert_memory_equal(c[0], c[1], sizeof c[0]);
        }
        assert_memory_equal(rf_bf16_rows(holds, HELD[3].at + 16), rf_bf16_room(holds, 3) + 16,
                            16 * sizeof(uint16_t));
        rf_bf16_destroy(plain);
        rf_bf16_destroy(holds);
    }
}

/* Operands that are in bf16 already, with gaps or without, make the products that they make when they are rounded on the
 * way. */
static void bf16_operands_are_as_good_as_rounded_ones(void **state)
{
    static float weights[ELEMENTS], x[ELEMENTS], dy[ELEMENTS], got[ELEMENTS], want[ELEMENTS];
    static uint16_t hx[2 * ELEMENTS], hdy[2 * ELEMENTS];
    struct rf_bf16 *p;
    enum { N = 150, C = 33, O = 21, GAP = 7 };
    const struct rf_operand w = rf_operand(weights + 5, C);
    const struct rf_operand half_x = {.half = hx, .ld = C + GAP},
                            half_dy = {.half = hdy, .ld = O};

    (void)state;
    for (int i = 0; i < ELEMENTS; i++) {
        weights[i] = (float)rf_rng_normal(1, 1, (uint64_t)i);
        x[i] = (float)rf_rng_normal(1, 2, (uint64_t)i);
        dy[i] = (float)rf_rng_normal(1, 3, (uint64_t)i);
    }
    rf_bf16_round(hdy, dy, N * O);
    for (int r = 0; r < N; r++)
        rf_bf16_round(hx + r * (C + GAP), x + r * C, C);
    for (int path = RF_BF16_AUTO; path <= RF_BF16_ROUNDED; path++) {
        assert_int_equal(
            rf_bf16_create(&p, (enum rf_bf16_path)path, weights, ELEMENTS, OPERAND, NULL),
            RF_OK);
        rf_bf16_refresh(p);
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            rf_bf16_multiply(p, RF_NN, N, C, O, half_dy, w, accumulate, got);
            rf_bf16_multiply(p, RF_NN, N, C, O, rf_operand(dy, O), w, accumulate, want);
            assert_memory_equal(got, want, N * C * sizeof *got);
            rf_bf16_multiply(p, RF_TN, O, C, N, half_dy, half_x, accumulate, got);
            rf_bf16_multiply(p, RF_TN, O, C, N, rf_operand(dy, O), rf_operand(x, C), accumulate,
                             want);
            for (int i = 0; i < O * C; i++)
                assert_true(fabsf(got[i] - want[i]) <= 1e-4F);
        }
        rf_bf16_destroy(p);
    }
}

/* Sequences of 70, 1 and 64 keys, each position a query, four heads of queries on two of keys; behind the rows
 * there are others. */
enum {
    SEQ = 3,
    ROWS = 135,
    SPARE = 128,
    HEADS = 4,
    KV = 2,
    HW = 16,
    D = HEADS * HW,
    E = 2 * KV * HW
};

struct attending {
    float q[(ROWS + SPARE) * D], kv[(ROWS + SPARE) * E], dout[(ROWS + SPARE) * D];
    float out[ROWS * D], log_sum[ROWS * HEADS], dq[ROWS * D], dkv[ROWS * E];
    uint16_t hq[(ROWS + SPARE) * D], hkv[(ROWS + SPARE) * E], hdout[(ROWS + SPARE) * D];
    uint16_t hout[(ROWS + SPARE) * D];
};

/* Forward and backward; bf16: in bf16, results in fp32 all the same. */
static void attend(struct attending *t, struct rf_matmul *matmul, int bf16)
{
    static const int start[SEQ + 1] = {0, 70, 71, 135};
    static float dkv[(ROWS + SPARE) * E];
    int32_t position[ROWS];
    struct rf_attention a = {.nseq = SEQ,
                             .heads = HEADS,
                             .head_width = HW,
                             .kv_heads = KV,
                             .key = start,
                             .query = start,
                             .position = position,
                             .longest = 70};
    struct rf_kept q = {.real = t->q}, kv = {.real = t->kv}, dout = {.real = t->dout};
    struct rf_kept out = {.real = t->out};
    float *scratch = malloc(rf_attention_scratch(70, HW, bf16) * sizeof *scratch);

    assert_non_null(scratch);
    for (int s = 0; s < SEQ; s++)
        for (int i = start[s]; i < start[s + 1]; i++)
            position[i] = i - start[s];
    if (bf16) {
        rf_bf16_round(t->hq, t->q, (ROWS + SPARE) * D);
        rf_bf16_round(t->hkv, t->kv, (ROWS + SPARE) * E);
        rf_bf16_round(t->hdout, t->dout, (ROWS + SPARE) * D);
        q = (struct rf_kept){.half = t->hq};
        kv = (struct rf_kept){.half = t->hkv};
        dout = (struct rf_kept){.half = t->hdout};
        out = (struct rf_kept){.half = t->hout};
    }
    rf_attention_forward(matmul, out, t->log_sum, q, kv, scratch, &a);
    for (int s = 0; s < SEQ; s++) {
        rf_attention_backward(matmul, t->dq + start[s] * D, dkv, dout, out, t->log_sum, q, kv,
                              scratch, &a, s);
        memcpy(t->dkv + start[s] * E, dkv,
               (size_t)((start[s + 1] - start[s]) * E) * sizeof *dkv);
    }
    if (bf16)
        (void)rf_kept_read(out, 0, t->out, ROWS * D);
    free(scratch);
}

/* Apart by a few roundings of what is itself at most about one. */
static void assert_near(const float *got, const float *want, int n)
{
    double most = 0, apart = 0;

    for (int i = 0; i < n; i++) {
        most = fmax(most, fabs((double)want[i]));
        apart = fmax(apart, fabs((double)got[i] - (double)want[i]));
    }
    if (!(apart < 0.015 * most))
        fail_msg("%g apart, where the largest is %g", apart, most);
}

static void attention_in_bf16_is_that_in_fp32(void **state)
{
    static struct attending plain, half, other;
    struct rf_matmul *matmul;
    float none = 0;

    (void)state;
    assert_int_equal(rf_matmul_create(&matmul, 1, &none, 1, 70 * 70 * HW, NULL), RF_OK);
    for (int i = 0; i < (ROWS + SPARE) * D; i++) {
        half.q[i] = as_bf16((float)rf_rng_normal(1, 1, (uint64_t)i));
        half.dout[i] = as_bf16((float)rf_rng_normal(1, 2, (uint64_t)i));
    }
    for (int i = 0; i < (ROWS + SPARE) * E; i++)
        half.kv[i] = as_bf16((float)rf_rng_normal(1, 3, (uint64_t)i));
    plain = other = half;
    for (int i = ROWS; i < ROWS + SPARE; i++) /* what lies behind is not part of it */
        for (int c = 0; c < D; c++)
            other.q[i * D + c] = other.dout[i * D + c] = other.kv[i * E + c] = 1e9F;
    attend(&plain, matmul, 0);
    attend(&half, matmul, 1);
    attend(&other, matmul, 1);
    assert_near(half.out, plain.out, ROWS * D);
    assert_near(half.dq, plain.dq, ROWS * D);
    assert_near(half.dkv, plain.dkv, ROWS * E);
    assert_memory_not_equal(half.out, plain.out, sizeof plain.out);
    assert_memory_equal(half.out, other.out, sizeof half.out);
    assert_memory_equal(half.dq, other.dq, sizeof half.dq);
    assert_memory_equal(half.dkv, other.dkv, sizeof half.dkv);
    rf_matmul_destroy(matmul);
}

static void what_is_kept_is_read_again(void **state)
{
    float real[4] = {0}, x[4] = {1, 2, 3, 4}, block[4];
    uint16_t half[4] = {0, 0, 0, 9};
    const struct rf_kept kinds[2] = {{.real = real}, {.half = half}};

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct rf_kept kept = rf_kept_from(kinds[k], 1);
        float *to = rf_kept_write(kept, 0, block);

        memcpy(to, x, 2 * sizeof *x);
        rf_kept_done(kept, 0, to, 2);
        assert_memory_equal(rf_kept_read(kinds[k], 1, block, 2), x, 2 * sizeof *x);
    }
    rf_kept_clear(kinds[1], 3, 1);
    assert_int_equal(half[3], 0);
}

/* Does `second` lie right behind `first`? */
static int joined(const struct rf_plan *plan, enum rf_layer_param first,
                  enum rf_layer_param second)
{
    int layer = plan->shape.layers - 1;
    const struct rf_param *a = &plan->params[rf_plan_layer(plan, layer, first)];

    return plan->params[rf_plan_layer(plan, layer, second)].at ==
           a->at + (size_t)(a->extent[0] * a->extent[1]);
}

static void check_slices(const struct rf_model_shape *shape)
{
    for (int size = 1; size <= 5; size++) {
        int64_t held = 0, whole = 0;

        for (int rank = 0; rank < size; rank++) {
            struct rf_plan plan;

            assert_int_equal(rf_plan_make(&plan, shape, rank, size, NULL), RF_OK);
            for (int i = 0; i < plan.nparams; i++) {
                const struct rf_param *p = &plan.params[i];

                assert_true(p->at + (size_t)(p->extent[0] * p->extent[1]) <= plan.nlocal);
                if (!p->replicated || rank == 0)
                    held += p->extent[0] * p->extent[1];
            }
            assert_true(joined(&plan, RF_K_W, RF_V_W));
            if (shape->family == RF_MODEL_LLAMA)
                assert_true(joined(&plan, RF_GATE_W, RF_FC_W));
            assert_true(plan.heads.count * plan.shape.kv_heads ==
                        plan.kv_heads.count * plan.shape.heads);
            whole = plan.nglobal;
            rf_plan_clear(&plan);
        }
        assert_true(held == whole);
    }
}

static void slices_of_all_ranks_make_the_whole(void **state)
{
    const struct rf_model_shape gpt2 = {
        .vocabulary = 11, .context = 8, .layers = 2, .heads = 2, .width = 6, .hidden = 3};
    const struct rf_model_shape llama = {.family = RF_MODEL_LLAMA,
                                         .vocabulary = 11,
                                         .context = 8,
                                         .layers = 2,
                                         .heads = 6,
                                         .kv_heads = 3,
                                         .width = 12,
                                         .hidden = 7,
                                         .untied = 1};

    (void)state;
    check_slices(&gpt2);
    check_slices(&llama);
}

static void shapes_that_are_no_model_are_refused(void **state)
{
    static const struct {
        struct rf_model_shape shape;
        const char *why;
    } wrong[] = {
        {{RF_MODEL_GPT2, 5, 5, 1, 4, 8, 8, 2, 0, 0, 0, 0}, "GPT-2 has as many kv_heads as heads"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 8, 8, 3, 0, 0, 0, 0}, "heads 4 are not a multiple"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 12, 8, 2, 0, 0, 0, 0}, "heads of width 3 cannot be rotated"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 8, 8, 2, 0, -1, 0, 0}, "rope_theta"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 9, 8, 2, 0, 0, 0, 0}, "width 9 is not a multiple"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 8, 8, -1, 0, 0, 0, 0}, "kv_heads -1"},
    };
    struct rf_plan plan;
    struct rf_error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(rf_plan_make(&plan, &wrong[i].shape, 0, 1, &err), RF_ERR_ARG);
        assert_non_null(strstr(err.text, wrong[i].why));
        rf_plan_clear(&plan);
    }
    assert_int_equal(rf_model_family_of("llama"), RF_MODEL_LLAMA);
    assert_int_equal(rf_model_family_of("gpt3"), -1);
}

static void flops_follow_the_stated_convention(void **state)
{
    struct rf_model_shape shape = {
        .vocabulary = 10, .context = 8, .layers = 2, .heads = 2, .width = 4, .hidden = 16};
    struct rf_work all = {
        .rows = 8, .asked = 8, .row_visits = 36, .asked_visits = 36, .range = 10};
    struct rf_work last = {
        .rows = 8, .asked = 1, .row_visits = 36, .asked_visits = 8, .range = 2};
    struct rf_plan plan;

    (void)state;
    assert_int_equal(rf_plan_make(&plan, &shape, 0, 1, NULL), RF_OK);
    /* per row and layer: 4 C C + 2 C H = 192 multiply-adds; output: C x range */
    assert_true(rf_plan_flops(&plan, &all) == 2 * (8 * 2 * 192 + 8 * 40) + 16 * 72);
    assert_true(rf_plan_flops(&plan, &last) ==
                2 * (8 * 192 + 8 * 32 + 160 + 8) + 16 * (36 + 8));
    rf_plan_clear(&plan);
    shape.family = RF_MODEL_LLAMA;
    shape.kv_heads = 1;
    assert_int_equal(rf_plan_make(&plan, &shape, 0, 1, NULL), RF_OK);
    /* 2 C C + 2 C K + 3 C H = 240, with keys half as wide */
    assert_true(rf_plan_flops(&plan, &all) == 2 * (8 * 2 * 240 + 8 * 40) + 16 * 72);
    rf_plan_clear(&plan);
}

static void the_rate_warms_up_and_falls_to_its_minimum(void **state)
{
    (void)state;
    assert_true(fabs(rf_cosine_rate(0, 100, 2, 0.1, 0.1) - 0.2) < 1e-12);
    assert_true(fabs(rf_cosine_rate(9, 100, 2, 0.1, 0.1) - 2) < 1e-12);
    assert_true(fabs(rf_cosine_rate(99, 100, 2, 0.1, 0.1) - 0.2) < 1e-12);
    assert_true(fabs(rf_cosine_rate(500, 100, 2, 0.1, 0.1) - 0.2) < 1e-12);
    for (int i = 10; i < 99; i++)
        assert_true(rf_cosine_rate(i + 1, 100, 2, 0.1, 0.1) <
                    rf_cosine_rate(i, 100, 2, 0.1, 0.1));
    assert_true(rf_cosine_rate(0, 1, 2, 0.1, 0) > 0);
}

static void adamw_is_the_published_update(void **state)
{
    struct rf_adamw a = {.lr = 0.01,
                         .beta1 = 0.9,
                         .beta2 = 0.95,
                         .eps = 1e-8,
                         .weight_decay = 0.1,
                         .scale = 0.5};
    float p[37], g[37], m[37] = {0}, v[37] = {0};
    double q[37], dm[37] = {0}, dv[37] = {0};

    (void)state;
    for (int i = 0; i < 37; i++)
        q[i] = (double)(p[i] = (float)rf_rng_normal(1, 1, (uint64_t)i));
    for (a.step = 1; a.step <= 5; a.step++) {
        for (int i = 0; i < 37; i++)
            g[i] = (float)rf_rng_normal(2, (uint64_t)a.step, (uint64_t)i);
        rf_adamw_update(p, g, m, v, 37, &a);
        for (int i = 0; i < 37; i++) {
            double x = 0.5 * (double)g[i];

            dm[i] = 0.9 * dm[i] + 0.1 * x;
            dv[i] = 0.95 * dv[i] + 0.05 * x * x;
            q[i] -= 0.01 *
                    (0.1 * q[i] + dm[i] / (1 - pow(0.9, (double)a.step)) /
                                      (sqrt(dv[i] / (1 - pow(0.95, (double)a.step))) + 1e-8));
            assert_true(fabs(q[i] - (double)p[i]) < 1e-5);
        }
    }
}

/* Updating and rounding in one pass gives what two give. */
static void updated_values_come_rounded_as_well(void **state)
{
    struct rf_adamw a = {.lr = 0.01,
                         .beta1 = 0.9,
                         .beta2 = 0.95,
                         .eps = 1e-8,
                         .weight_decay = 0.1,
                         .scale = 0.5};
    float p[2][37], g[37], m[2][37] = {{0}}, v[2][37] = {{0}};
    uint16_t rounded[37], after[37];

    (void)state;
    for (int i = 0; i < 37; i++)
        p[0][i] = p[1][i] = (float)rf_rng_normal(1, 1, (uint64_t)i);
    for (a.step = 1; a.step <= 5; a.step++) {
        for (int i = 0; i < 37; i++)
            g[i] = (float)rf_rng_normal(2, (uint64_t)a.step, (uint64_t)i);
        rf_adamw_update(p[0], g, m[0], v[0], 37, &a);
        rf_bf16_round(after, p[0], 37);
        rf_adamw_update_half(rounded, p[1], g, m[1], v[1], 37, &a);
        assert_memory_equal(p[0], p[1], sizeof p[0]);
        assert_memory_equal(m[0], m[1], sizeof m[0]);
        assert_memory_equal(v[0], v[1], sizeof v[0]);
        assert_memory_equal(rounded, after, sizeof after);
    }
}

/* Every matrix is listed once, tensors that are multiplied together as one, and nothing else is. */
static void matrices_are_listed_with_all_their_tensors(void **state)
{
    const struct rf_model_shape shapes[2] = {
        {.vocabulary = 11, .context = 8, .layers = 2, .heads = 2, .width = 6, .hidden = 3},
        {.family = RF_MODEL_LLAMA,
         .vocabulary = 11,
         .context = 8,
         .layers = 2,
         .heads = 6,
         .kv_heads = 3,
         .width = 12,
         .hidden = 7,
         .untied = 1}};
    const int want[2] = {1 + 2 * 5,
                         2 + 2 * 5}; /* wte, then q, kv, o, (gate) fc, proj; lm_head */
    struct rf_weight list[32];

    (void)state;
    for (int s = 0; s < 2; s++)
        for (int size = 1; size <= 4; size++)
            for (int rank = 0; rank < size; rank++) {
                size_t elements = 0, listed = 0;
                struct rf_plan plan;
                int n;

                assert_int_equal(rf_plan_make(&plan, &shapes[s], rank, size, NULL), RF_OK);
                n = rf_weights_list(list, &plan);
                assert_int_equal(n, want[s]);
                assert_int_equal(rf_weights_list(NULL, &plan), n);
                for (int i = 0; i < plan.nparams; i++) {
                    const struct rf_param *p = &plan.params[i];

                    assert_int_equal(rf_weights_has(&plan, i), p->decays && i != plan.wpe);
                    elements +=
                        rf_weights_has(&plan, i) ? (size_t)(p->extent[0] * p->extent[1]) : 0;
                }
                for (int k = 0; k < n; k++) {
                    const struct rf_param *first = &plan.params[list[k].first];

                    assert_true(list[k].at == first->at && list[k].cols == first->extent[1]);
                    assert_int_equal(list[k].looked_up,
                                     list[k].first == plan.wte || list[k].first == plan.head);
                    assert_int_equal(list[k].multiplied, s == 0 || list[k].first != plan.wte);
                    listed += (size_t)(list[k].rows * list[k].cols);
                }
                assert_true(listed == elements);
                rf_plan_clear(&plan);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_is_within_two_units_in_the_last_place),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(bf16_products_are_those_of_rounded_operands),
        cmocka_unit_test(weights_in_their_layout_follow_each_update),
        cmocka_unit_test(weights_may_be_in_copies_alone),
        cmocka_unit_test(held_weights_multiply_as_those_in_fp32),
        cmocka_unit_test(attention_in_bf16_is_that_in_fp32),
        cmocka_unit_test(what_is_kept_is_read_again),
        cmocka_unit_test(bf16_operands_are_as_good_as_rounded_ones),
        cmocka_unit_test(slices_of_all_ranks_make_the_whole),
        cmocka_unit_test(shapes_that_are_no_model_are_refused),
        cmocka_unit_test(flops_follow_the_stated_convention),
        cmocka_unit_test(the_rate_warms_up_and_falls_to_its_minimum),
        cmocka_unit_test(adamw_is_the_published_update),
        cmocka_unit_test(updated_values_come_rounded_as_well),
        cmocka_unit_test(matrices_are_listed_with_all_their_tensors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
