/* Reading on with kept keys and values, and drawing the next token. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "nn/decode.h"

enum { V = 29, T = 12, B = 3 };

static const struct rf_model_shape SHAPES[] = {
    {.vocabulary = V, .context = T, .layers = 2, .heads = 3, .width = 18, .hidden = 20},
    {.family = RF_MODEL_LLAMA,
     .vocabulary = V,
     .context = T,
     .layers = 2,
     .heads = 4,
     .kv_heads = 2,
     .width = 16,
     .hidden = 20,
     .untied = 1},
};
enum { NSHAPES = sizeof SHAPES / sizeof SHAPES[0] };

struct subject {
    struct rf_plan plan;
    struct rf_model *model;
    struct rf_decoder *decoder;
    int32_t tokens[B * T];
};

static void open_subject(struct subject *s, const struct rf_model_shape *shape)
{
    struct rf_model_limits limits = {B, T, B * T, V, 0};
    struct rf_exchange alone = rf_exchange_serial();
    struct rf_error err;
    rf_real *values;

    assert_int_equal(rf_plan_make(&s->plan, shape, 0, 1, &err), RF_OK);
    assert_int_equal(rf_model_create(&s->model, &s->plan, &alone, &limits, 0, 5, &err), RF_OK);
    values = rf_model_values(s->model);
    for (size_t i = 0; i < s->plan.nlocal; i++)
        values[i] += 0.3F * (float)rf_rng_normal(8, 8, i);
    rf_model_refresh(s->model);
    assert_int_equal(rf_decoder_create(&s->decoder, s->model, B, T, &err), RF_OK);
    for (int i = 0; i < B * T; i++)
        s->tokens[i] = (int32_t)rf_rng_below(4, 4, (uint64_t)i, V);
}

static void close_subject(struct subject *s)
{
    rf_decoder_destroy(s->decoder);
    rf_model_destroy(s->model);
    rf_plan_clear(&s->plan);
}

/* The distributions behind all of n tokens of sequence b at once. */
static void at_once(struct subject *s, int b, int n, float *prob)
{
    int32_t row = (int32_t)(n - 1);
    struct rf_batch batch = {.B = 1,
                             .T = n,
                             .tokens = s->tokens + (size_t)b * T,
                             .R = 1,
                             .rows = &row,
                             .range_count = V};
    struct rf_work work;

    rf_model_predict(s->model, &batch, prob, NULL, &work);
}

static void assert_same(const float *a, const float *b)
{
    for (int v = 0; v < V; v++)
        if (!(fabs((double)a[v] - (double)b[v]) < 1e-5))
            fail_msg("token %d: %g, not %g", v, (double)a[v], (double)b[v]);
}

/* In pieces of any length, some sequences pausing, the answers are those of one pass. */
static void reading_on_is_reading_at_once(void **state)
{
    static const int steps[][B] = {{4, 1, 6}, {1, 1, 1}, {0, 3, 1}, {1, 0, 2}, {6, 7, 2}};

    (void)state;
    for (int i = 0; i < NSHAPES; i++) {
        struct subject s;
        int length[B] = {0};
        float prob[B * V], want[V];

        open_subject(&s, &SHAPES[i]);
        rf_decoder_start(s.decoder, B);
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            int32_t packed[B * T];
            struct rf_work work;
            int n = 0;

            for (int b = 0; b < B; b++)
                for (int t = 0; t < steps[k][b]; t++)
                    packed[n++] = s.tokens[b * T + length[b] + t];
            rf_decoder_read(s.decoder, packed, steps[k], prob, &work);
            assert_int_equal(work.rows, n);
            for (int b = 0; b < B; b++) {
                length[b] += steps[k][b];
                if (steps[k][b] == 0)
                    continue;
                at_once(&s, b, length[b], want);
                assert_same(prob + (size_t)b * V, want);
            }
        }
        for (int b = 0; b < B; b++)
            assert_int_equal(length[b], T);
        close_subject(&s);
    }
}

static void greedy_text_is_the_most_likely_at_each_step(void **state)
{
    const struct rf_continuation how = {.max_new = 5, .stop = -1};

    (void)state;
    for (int i = 0; i < NSHAPES; i++) {
        struct subject s;
        int count[B] = {3, 10, 1}, length[B];
        int32_t prompts[14], out[B * 5];
        struct rf_work work;
        int n = 0;

        open_subject(&s, &SHAPES[i]);
        for (int b = 0; b < B; b++)
            for (int t = 0; t < count[b]; t++)
                prompts[n++] = s.tokens[b * T + t];
        rf_decoder_generate(s.decoder, B, prompts, count, &how, out, length, &work);
        assert_int_equal(length[0], 5);
        assert_int_equal(length[1], 3); /* of the context only two more are read */
        assert_int_equal(length[2], 5);
        for (int b = 0; b < B; b++)
            for (int k = 0; k < length[b]; k++) {
                float prob[V];
                int best = 0;

                at_once(&s, b, count[b] + k, prob);
                for (int v = 1; v < V; v++)
                    best = prob[v] > prob[best] ? v : best;
                assert_int_equal(out[b * 5 + k], best);
                if (count[b] + k < T)
                    s.tokens[b * T + count[b] + k] = best;
            }
        close_subject(&s);
    }
}

static void a_text_ends_at_the_stop_token(void **state)
{
    struct rf_continuation how = {.max_new = 6, .stop = -1};
    struct subject s;
    int count[1] = {2}, length[1];
    int32_t all[6], out[6], first;
    struct rf_work work;

    (void)state;
    open_subject(&s, &SHAPES[0]);
    rf_decoder_generate(s.decoder, 1, s.tokens, count, &how, all, length, &work);
    assert_int_equal(length[0], 6);
    how.stop = all[3];
    rf_decoder_generate(s.decoder, 1, s.tokens, count, &how, out, length, &work);
    first = all[0] == how.stop ? 0 : all[1] == how.stop ? 1 : all[2] == how.stop ? 2 : 3;
    assert_int_equal(length[0], first);
    assert_memory_equal(out, all, (size_t)first * sizeof *out);
    close_subject(&s);
}

static void draws_are_those_of_seed_sequence_and_position(void **state)
{
    struct rf_continuation how = {
        .sampling = {.temperature = 1, .top_k = 9, .top_p = 0.95}, .seed = 1, .max_new = 8};
    struct subject s;
    int count[B] = {2, 2, 2}, length[B];
    int32_t out[B * 8], again[B * 8], prompts[6];
    struct rf_work work;

    (void)state;
    how.stop = -1;
    open_subject(&s, &SHAPES[1]);
    for (int i = 0; i < 6; i++)
        prompts[i] = s.tokens[i % 2];
    rf_decoder_generate(s.decoder, B, prompts, count, &how, out, length, &work);
    rf_decoder_generate(s.decoder, B, prompts, count, &how, again, length, &work);
    assert_memory_equal(out, again, sizeof out);
    assert_memory_not_equal(out, out + 8, 8 * sizeof *out); /* the same prompt, other draws */
    rf_decoder_generate(s.decoder, 1, prompts, count, &how, again, length, &work);
    assert_memory_equal(out, again, 8 * sizeof *out);
    how.seed = 2;
    rf_decoder_generate(s.decoder, B, prompts, count, &how, again, length, &work);
    assert_memory_not_equal(out, again, sizeof out);
    close_subject(&s);
}

/* ---- sampling -------------------------------------------------------------- */

static const float PROB[6] = {0.1F, 0.3F, 0.05F, 0.3F, 0.2F, 0.05F};

static void frequencies(const struct rf_sampling *how, double share[6])
{
    enum { DRAWS = 20000 };
    int32_t order[6];

    memset(share, 0, 6 * sizeof *share);
    for (int i = 0; i < DRAWS; i++)
        share[rf_sample(how, PROB, 6, (i + 0.5) / DRAWS, order)] += 1.0 / DRAWS;
}

static void assert_shares(const struct rf_sampling *how, const double want[6])
{
    double share[6];

    frequencies(how, share);
    for (int v = 0; v < 6; v++)
        if (!(fabs(share[v] - want[v]) < 2e-4))
            fail_msg("token %d: %g of all draws, not %g", v, share[v], want[v]);
}

static void draws_follow_the_distribution(void **state)
{
    const double plain[6] = {0.1, 0.3, 0.05, 0.3, 0.2, 0.05};
    const double first_three[6] = {0, 0.375, 0, 0.375, 0.25, 0};
    const double sixty[6] = {0, 0.5, 0, 0.5, 0, 0};
    const double squares[6] = {0.01 / 0.235, 0.09 / 0.235, 0.0025 / 0.235,
                               0.09 / 0.235, 0.04 / 0.235, 0.0025 / 0.235};

    (void)state;
    assert_shares(&(struct rf_sampling){.temperature = 1}, plain);
    assert_shares(&(struct rf_sampling){.temperature = 1, .top_k = 3}, first_three);
    assert_shares(&(struct rf_sampling){.temperature = 1, .top_p = 0.59}, sixty);
    assert_shares(&(struct rf_sampling){.temperature = 1, .top_k = 3, .top_p = 0.59}, sixty);
    assert_shares(&(struct rf_sampling){.temperature = 0.5}, squares);
}

static void at_temperature_zero_the_likeliest_wins_the_lower_on_ties(void **state)
{
    const double greedy[6] = {0, 1, 0, 0, 0, 0};

    (void)state;
    assert_shares(&(struct rf_sampling){.temperature = 0}, greedy);
    assert_shares(&(struct rf_sampling){.temperature = 1, .top_k = 1}, greedy);
    assert_shares(&(struct rf_sampling){.temperature = 1, .top_p = 1e-9}, greedy);
}

static void a_decoder_beyond_its_model_is_refused(void **state)
{
    struct rf_decoder *decoder;
    struct rf_error err;
    struct subject s;

    (void)state;
    open_subject(&s, &SHAPES[0]);
    assert_int_equal(rf_decoder_create(&decoder, s.model, B + 1, T, &err), RF_ERR_ARG);
    assert_null(decoder);
    assert_int_equal(rf_decoder_create(&decoder, s.model, B, T + 1, &err), RF_ERR_ARG);
    close_subject(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_on_is_reading_at_once),
        cmocka_unit_test(greedy_text_is_the_most_likely_at_each_step),
        cmocka_unit_test(a_text_ends_at_the_stop_token),
        cmocka_unit_test(draws_are_those_of_seed_sequence_and_position),
        cmocka_unit_test(draws_follow_the_distribution),
        cmocka_unit_test(at_temperature_zero_the_likeliest_wins_the_lower_on_ties),
        cmocka_unit_test(a_decoder_beyond_its_model_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
