/* What a step multiplies, counted where it is multiplied: this program brings its own dgemm,
 * which the model's products then go through. rf_plan_flops() must say the same.
 *
 * Products with weights must match exactly. Attention is stated causally (4 C a key that a query sees,
 * forward; twice that backward); what is really multiplied is whole tiles, and the backward
 * pass makes the scores once more, so that count is bounded from both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cblas.h>
#include <cmocka.h>

#include "nn/attention.h"
#include "nn/model.h"

/* No other dimension is equal to the width of a head, by which attention's products are told. */
enum { HEAD = 10, HEADS = 4, WIDTH = HEAD * HEADS, HIDDEN = 56, LAYERS = 3, TOKENS = 23 };
enum { LENGTH = 3 * RF_ATTENTION_TILE + 5, SEQUENCES = 2 };

static int64_t weights, attention;

void cblas_dgemm(CBLAS_LAYOUT order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n,
                 int k, double alpha, const double *a, int lda, const double *b, int ldb,
                 double beta, double *c, int ldc)
{
    int64_t flops = 2 * (int64_t)m * n * k;

    (void)order;
    if (m == HEAD || n == HEAD || k == HEAD)
        attention += flops;
    else
        weights += flops;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;

            for (int l = 0; l < k; l++)
                sum += (ta == CblasTrans ? a[l * lda + i] : a[i * lda + l]) *
                       (tb == CblasTrans ? b[j * ldb + l] : b[l * ldb + j]);
            c[i * ldc + j] = alpha * sum + (beta != 0 ? beta * c[i * ldc + j] : 0);
        }
}

static int32_t tokens[SEQUENCES * LENGTH], rows[SEQUENCES * LENGTH], target[SEQUENCES * LENGTH];

/* Every `step`-th row is asked. */
static struct rf_batch batch_of(int step)
{
    struct rf_batch batch = {.B = SEQUENCES,
                             .T = LENGTH,
                             .tokens = tokens,
                             .rows = rows,
                             .target = target,
                             .range_count = TOKENS};

    for (int i = 0; i < SEQUENCES * LENGTH; i++)
        tokens[i] = i * 7 % TOKENS;
    for (int i = step - 1; i < SEQUENCES * LENGTH; i += step) {
        target[batch.R] = i % TOKENS;
        rows[batch.R++] = i;
    }
    return batch;
}

static int64_t causal(const struct rf_work *work)
{
    return (int64_t)4 * WIDTH * ((LAYERS - 1) * work->row_visits + work->asked_visits);
}

static void check(const struct rf_model_shape *shape, int step, int recompute)
{
    const struct rf_model_limits limits = {SEQUENCES, LENGTH, SEQUENCES * LENGTH, TOKENS,
                                           recompute};
    struct rf_exchange alone = rf_exchange_serial();
    struct rf_batch batch = batch_of(step);
    struct rf_model *model;
    struct rf_plan plan;
    struct rf_work work;
    int64_t forward, slack;

    assert_int_equal(rf_plan_make(&plan, shape, 0, 1, NULL), RF_OK);
    assert_int_equal(rf_model_create(&model, &plan, &alone, &limits, 0, 1, NULL), RF_OK);
    weights = attention = 0;
    rf_model_predict(model, &batch, NULL, NULL, &work);
    forward = rf_plan_flops(&plan, &work);
    assert_true(weights == forward - causal(&work));
    /* at most half a tile of keys too many for each query, on average, and its own length more
     * where few are asked */
    slack = (int64_t)4 * WIDTH * LAYERS * SEQUENCES * LENGTH * RF_ATTENTION_TILE * step;
    assert_true(attention >= causal(&work) && attention <= causal(&work) + slack);
    weights = attention = 0;
    rf_model_learn(model, &batch, &work);
    if (!recompute) {
        assert_true(weights == 3 * (forward - causal(&work)));
        assert_true(2 * attention >= 7 * causal(&work)); /* 1 + 2.5 */
        assert_true(2 * attention <= 7 * (causal(&work) + slack));
    } else { /* a second forward pass of all layers but the last, without their last products */
        int64_t again = (int64_t)2 * (LAYERS - 1) * SEQUENCES * LENGTH * WIDTH * HIDDEN;

        assert_true(weights > 3 * (forward - causal(&work)) + again);
        assert_true(weights < 4 * (forward - causal(&work)) - again);
    }
    rf_model_destroy(model);
    rf_plan_clear(&plan);
}

static void a_plan_counts_what_is_multiplied(void **state)
{
    struct rf_model_shape shape = {.vocabulary = TOKENS,
                                   .context = LENGTH,
                                   .layers = LAYERS,
                                   .heads = HEADS,
                                   .width = WIDTH,
                                   .hidden = HIDDEN};

    (void)state;
    check(&shape, 1, 0);
    check(&shape, 11, 0);
    check(&shape, 1, 1);
    shape.family = RF_MODEL_LLAMA;
    shape.kv_heads = 2;
    shape.untied = 1;
    check(&shape, 1, 0);
    check(&shape, 11, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_plan_counts_what_is_multiplied)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
