/* What students make of their supervisor's labels, method by method. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "align/method.h"
#include "align/noise.h"
#include "align/w2s.h"
#include "base/rng.h"

enum { N = 40 };

static const struct rf_method_options options = {.alpha = 0.5,
                                                 .warmup = 0.2,
                                                 .product_student = 1,
                                                 .product_weak = 2,
                                                 .window = 0.15,
                                                 .filter = 0.25,
                                                 .neighbours = 2};

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* Distributions over two classes, the same for the same seed. */
static void make_labels(float *prob, uint64_t seed)
{
    for (int i = 0; i < N; i++) {
        prob[2 * i] = (float)rf_rng_uniform(seed, 0, (uint64_t)i);
        prob[2 * i + 1] = 1 - prob[2 * i];
    }
}

static void the_words_of_the_configuration_are_the_rows_in_their_order(void **state)
{
    char words[400] = "";

    (void)state;
    for (int m = 0; m < RF_NMETHODS; m++)
        snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s", m > 0 ? " " : "",
                 rf_methods[m].name);
    assert_string_equal(words, RF_METHOD_WORDS);
}

static void confidence_without_weight_is_cross_entropy_to_the_bit(void **state)
{
    struct rf_method_options none = options;
    float weak[2 * N], student[2 * N], target[2 * N], p1[N];
    int32_t scratch[N];
    struct rf_method_batch batch = {.n = N,
                                    .nclass = 2,
                                    .student = student,
                                    .weak = weak,
                                    .progress = 0.9,
                                    .p1 = p1,
                                    .scratch = scratch};

    (void)state;
    make_labels(weak, 1);
    make_labels(student, 2);
    none.alpha = 0;
    rf_method_confidence(&batch, &none, target);
    assert_memory_equal(target, weak, sizeof weak);
    rf_method_confidence(&batch, &options, target);
    assert_memory_not_equal(target, weak, sizeof weak);
}

static void with_three_classes_confidence_leans_to_the_best_one(void **state)
{
    const float weak[] = {0.2F, 0.5F, 0.3F}, student[] = {0.6F, 0.3F, 0.1F};
    float target[3];
    struct rf_method_batch batch = {
        .n = 1, .nclass = 3, .student = student, .weak = weak, .progress = 0.1};

    (void)state;
    rf_method_confidence(&batch, &options, target); /* half of the warm-up: a quarter */
    assert_near((double)target[0], 0.75 * 0.2 + 0.25, 1e-6);
    assert_near((double)target[1], 0.75 * 0.5, 1e-6);
    batch.progress = 0;
    rf_method_confidence(&batch, &options, target);
    assert_memory_equal(target, weak, sizeof weak);
}

static void hard_labels_are_certain_of_the_best_class(void **state)
{
    float prob[] = {0.2F, 0.5F, 0.3F, 0.4F, 0.2F, 0.4F};
    const float want[] = {0, 1, 0, 1, 0, 0};
    struct rf_method_labels labels = {.n = 2, .nclass = 3, .prob = prob};

    (void)state;
    rf_method_harden(&labels, &options);
    assert_memory_equal(prob, want, sizeof want);
}

static void a_product_weighs_both_by_their_exponents(void **state)
{
    const float student[] = {0.25F, 0.75F, 1, 0}, weak[] = {0.5F, 0.5F, 0, 1};
    float target[4];
    const struct rf_method_batch batch = {
        .n = 2, .nclass = 2, .student = student, .weak = weak};
    struct rf_method_options squared = options;

    (void)state;
    squared.product_student = 2;
    rf_method_product(&batch, &squared, target);
    assert_near((double)target[0], 0.1, 1e-7); /* 1 : 9 */
    assert_near((double)target[1], 0.9, 1e-7);
    assert_true(target[2] == 0 && target[3] == 1); /* nothing in common: the weak label */
}

static void a_window_leaves_out_what_is_too_sure(void **state)
{
    float prob[] = {0.5F, 0.5F, 0.64F, 0.36F, 0.2F, 0.8F, 0, 1};
    unsigned char keep[] = {1, 1, 1, 1};
    const unsigned char want[] = {1, 1, 0, 0};
    struct rf_method_labels labels = {.n = 4, .nclass = 2, .prob = prob, .keep = keep};

    (void)state;
    rf_method_window(&labels, &options);
    assert_memory_equal(keep, want, sizeof want);
}

static void a_filter_leaves_out_its_share_where_label_and_opinion_differ_most(void **state)
{
    float prob[] = {1, 0, 1, 0, 0, 1, 1, 0};
    const float opinion[] = {0.9F, 0.1F, 0.2F, 0.8F, 0.1F, 0.9F, 0.2F, 0.8F};
    unsigned char keep[] = {1, 1, 1, 1};
    const unsigned char want[] = {1, 1, 1, 0}; /* of equals the one behind */
    struct rf_method_labels labels = {
        .n = 4, .nclass = 2, .prob = prob, .keep = keep, .opinion = opinion};

    (void)state;
    rf_method_filter(&labels, &options);
    assert_memory_equal(keep, want, sizeof want);
    rf_method_relabel(&labels, &options);
    assert_memory_equal(prob, opinion, sizeof opinion);
}

/* Points on a line; no example is its own neighbour. */
static void neighbours_say_the_mean_of_the_nearest_labels(void **state)
{
    const float features[] = {0, 1, 3, 10, 11};
    const float prob[] = {1, 0, 0, 1, 0.5F, 0.5F, 1, 0, 0, 1};
    const float want[] = {0.25F, 0.75F, 0.75F, 0.25F, 0.5F, 0.5F, 0.25F, 0.75F, 0.75F, 0.25F};
    float opinion[10];
    double distance[5];
    int32_t order[5];

    (void)state;
    rf_method_neighbours(features, 5, 1, prob, 2, 2, opinion, distance, order);
    for (int i = 0; i < 10; i++)
        assert_near((double)opinion[i], (double)want[i], 1e-6);
    rf_method_neighbours(features, 1, 1, prob, 2, 2, opinion, distance, order);
    assert_true(opinion[0] == 1 && opinion[1] == 0); /* alone: its own */
}

static void noise_errs_exactly_as_often_as_it_is_told(void **state)
{
    static int32_t truth[1000], best[1000], again[1000];
    static float prob[3000];
    struct rf_error err;
    int wrong = 0, shifted[3] = {0, 0, 0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        truth[i] = i % 3;
    assert_int_equal(rf_noise_labels(truth, 1000, 3, 0.7, 5, best, prob, &err), RF_OK);
    assert_int_equal(rf_noise_labels(truth, 1000, 3, 0.7, 5, again, NULL, &err), RF_OK);
    assert_memory_equal(best, again, sizeof best);
    for (int i = 0; i < 1000; i++) {
        wrong += best[i] != truth[i];
        shifted[(best[i] - truth[i] + 3) % 3]++;
        assert_near((double)prob[3 * i + best[i]], 0.7, 1e-6);
    }
    assert_int_equal(wrong, 300);
    assert_in_range(shifted[1], 110, 190);
}

/* Where classes come in turns, each half has to have some of both: by even and odd it would have one. */
static void halves_hold_both_of_two_classes_in_turns(void **state)
{
    enum { MANY = 400 };

    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        int n[2][2] = {{0}};

        for (int i = 0; i < MANY; i++)
            n[rf_method_half(seed, i)][i % 2]++;
        for (int half = 0; half < 2; half++)
            for (int c = 0; c < 2; c++)
                assert_in_range(n[half][c], MANY / 8, 3 * MANY / 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_the_configuration_are_the_rows_in_their_order),
        cmocka_unit_test(confidence_without_weight_is_cross_entropy_to_the_bit),
        cmocka_unit_test(with_three_classes_confidence_leans_to_the_best_one),
        cmocka_unit_test(hard_labels_are_certain_of_the_best_class),
        cmocka_unit_test(a_product_weighs_both_by_their_exponents),
        cmocka_unit_test(a_window_leaves_out_what_is_too_sure),
        cmocka_unit_test(a_filter_leaves_out_its_share_where_label_and_opinion_differ_most),
        cmocka_unit_test(neighbours_say_the_mean_of_the_nearest_labels),
        cmocka_unit_test(halves_hold_both_of_two_classes_in_turns),
        cmocka_unit_test(noise_errs_exactly_as_often_as_it_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
