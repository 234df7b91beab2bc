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
#include "nn/bf16.h"
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

static double as_bf16(float x)
{
    uint16_t r;
    uint32_t u;
    float y;

    rf_bf16_round(&r, &x, 1);
    u = (uint32_t)r << 16;
    memcpy(&y, &u, sizeof y);
    return (double)y;
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
                sum += as_bf16(form == RF_TN ? a[l * m + i] : a[i * k + l]) *
                       as_bf16(form == RF_NT ? b[j * k + l] : b[l * n + j]);
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
        {{RF_MODEL_GPT2, 5, 5, 1, 4, 8, 8, 2, 0, 0, 0}, "GPT-2 has as many kv_heads as heads"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 8, 8, 3, 0, 0, 0}, "heads 4 are not a multiple"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 12, 8, 2, 0, 0, 0}, "heads of width 3 cannot be rotated"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 8, 8, 2, 0, -1, 0}, "rope_theta"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 9, 8, 2, 0, 0, 0}, "width 9 is not a multiple"},
        {{RF_MODEL_LLAMA, 5, 5, 1, 4, 8, 8, -1, 0, 0, 0}, "kv_heads -1"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_is_within_two_units_in_the_last_place),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(bf16_products_are_those_of_rounded_operands),
        cmocka_unit_test(weights_in_their_layout_follow_each_update),
        cmocka_unit_test(bf16_operands_are_as_good_as_rounded_ones),
        cmocka_unit_test(slices_of_all_ranks_make_the_whole),
        cmocka_unit_test(shapes_that_are_no_model_are_refused),
        cmocka_unit_test(flops_follow_the_stated_convention),
        cmocka_unit_test(the_rate_warms_up_and_falls_to_its_minimum),
        cmocka_unit_test(adamw_is_the_published_update),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
