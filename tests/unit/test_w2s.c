#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "align/w2s.h"
#include "base/rng.h"

enum { BATCH = 257 };

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.12g, want %.12g", got, want);
}

static void make_batch(float *p1, float *weak, uint64_t seed)
{
    for (int i = 0; i < BATCH; i++) {
        p1[i] = (float)rf_rng_uniform(seed, 1, (uint64_t)i);
        weak[2 * i + 1] = (float)rf_rng_uniform(seed, 2, (uint64_t)i);
        weak[2 * i] = 1 - weak[2 * i + 1];
    }
}

static void alpha_zero_gives_the_weak_labels_to_the_bit(void **state)
{
    float p1[BATCH], weak[2 * BATCH], target[2 * BATCH];
    int32_t scratch[BATCH];

    (void)state;
    make_batch(p1, weak, 7);
    rf_w2s_confidence_targets(p1, weak, BATCH, 0, 0.7, 0.2, target, scratch);
    assert_memory_equal(target, weak, sizeof weak);
    rf_w2s_confidence_targets(p1, weak, BATCH, 0.5, 0, 0.2, target, scratch);
    assert_memory_equal(target, weak, sizeof weak);
}

/* With alpha 1 after the warm-up the targets are the hardened labels themselves. */
static void hardened_labels_have_the_class_share_of_the_weak_ones(void **state)
{
    float p1[BATCH], weak[2 * BATCH], target[2 * BATCH];
    int32_t scratch[BATCH];

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        double share = 0, hard = 0, lowest = 2, highest = -1;

        make_batch(p1, weak, seed);
        rf_w2s_confidence_targets(p1, weak, BATCH, 1, 1, 0.2, target, scratch);
        for (int i = 0; i < BATCH; i++) {
            share += (double)weak[2 * i + 1];
            hard += (double)target[2 * i + 1];
            assert_true(target[2 * i] + target[2 * i + 1] == 1);
            if (target[2 * i + 1] == 1 && (double)p1[i] < lowest)
                lowest = (double)p1[i];
            if (target[2 * i + 1] == 0 && (double)p1[i] > highest)
                highest = (double)p1[i];
        }
        assert_near(hard / BATCH, share / BATCH, 1.0 / BATCH);
        assert_true(lowest >= highest);
    }
}

static void ties_go_to_the_lower_index(void **state)
{
    float p1[8], weak[16], target[16];
    int32_t scratch[8];

    (void)state;
    for (int i = 0; i < 8; i++) {
        p1[i] = 0.5f;
        weak[2 * i] = 0.625f;
        weak[2 * i + 1] = 0.375f;
    }
    rf_w2s_confidence_targets(p1, weak, 8, 1, 0.5, 0.2, target, scratch);
    for (int i = 0; i < 8; i++)
        assert_true(target[2 * i + 1] == (i < 3 ? 1.0f : 0.0f));
}

static void warm_up_is_linear_and_complete(void **state)
{
    float p1[] = {0.9f, 0.1f}, weak[] = {0.5f, 0.5f, 0.5f, 0.5f}, target[4];
    int32_t scratch[2];

    (void)state;
    rf_w2s_confidence_targets(p1, weak, 2, 0.5, 0.1, 0.2, target, scratch);
    assert_near((double)target[1], 0.75 * 0.5 + 0.25, 1e-6); /* c = 0.25 */
    rf_w2s_confidence_targets(p1, weak, 2, 0.5, 0.2, 0.2, target, scratch);
    assert_near((double)target[1], 0.75, 1e-6); /* c = 0.5 */
    rf_w2s_confidence_targets(p1, weak, 2, 0.5, 0, 0, target, scratch);
    assert_near((double)target[1], 0.75, 1e-6); /* no warm-up at all */
    assert_near((double)target[3], 0.25, 1e-6);
}

/* n items, of which the first `right` are answered correctly, in each of nseeds seeds. */
static unsigned char *answers(int n, int nseeds, int right)
{
    unsigned char *items = calloc((size_t)n * (size_t)nseeds, 1);

    assert_non_null(items);
    for (int k = 0; k < nseeds; k++)
        memset(items + k * n, 1, (size_t)right);
    return items;
}

static struct rf_w2s_result evaluate(int n, int nseeds, int weak, int student, int ceiling)
{
    struct rf_w2s_items items = {n, nseeds, answers(n, nseeds, weak),
                                 answers(n, nseeds, student), answers(n, nseeds, ceiling)};
    struct rf_w2s_result result;
    struct rf_error err;

    assert_int_equal(rf_w2s_evaluate(&items, 2000, 11, &result, &err), RF_OK);
    free((void *)items.weak);
    free((void *)items.student);
    free((void *)items.ceiling);
    return result;
}

static void pgr_is_the_share_of_the_gap_that_was_closed(void **state)
{
    struct rf_w2s_result result = evaluate(1000, 3, 600, 750, 900);

    (void)state;
    assert_near(result.weak, 0.6, 1e-12);
    assert_near(result.student, 0.75, 1e-12);
    assert_near(result.ceiling, 0.9, 1e-12);
    assert_true(result.has_pgr);
    assert_near(result.pgr, 0.5, 1e-12);
    assert_true(result.void_reason[0] == '\0');
    /* 300 of 1000 items differ by one: the textbook's standard error of a proportion */
    assert_near(result.gap_se, 0.3 / sqrt(0.3 * 0.7 / 999), 1e-9);
}

/* Given 300 gap items of which half are recovered, PGR of a resample is a proportion of about
 * 300 draws: sd 0.5 / sqrt(300), so the interval is about 0.5 +- 0.0566. */
static void interval_has_the_width_that_theory_gives(void **state)
{
    struct rf_w2s_result result = evaluate(1000, 3, 600, 750, 900);

    (void)state;
    assert_near(result.pgr_low, 0.5 - 0.0566, 0.006);
    assert_near(result.pgr_high, 0.5 + 0.0566, 0.006);
}

static void student_at_either_end_gives_zero_or_one_without_spread(void **state)
{
    struct rf_w2s_result none = evaluate(500, 2, 300, 300, 450);
    struct rf_w2s_result all = evaluate(500, 2, 300, 450, 450);

    (void)state;
    assert_near(none.pgr, 0, 0);
    assert_near(none.pgr_low, 0, 0);
    assert_near(none.pgr_high, 0, 0);
    assert_near(all.pgr, 1, 0);
    assert_near(all.pgr_low, 1, 0);
    assert_near(all.pgr_high, 1, 0);
}

static void small_or_negative_gaps_are_void_and_say_why(void **state)
{
    struct rf_w2s_result small = evaluate(1000, 1, 600, 603, 606);
    struct rf_w2s_result negative = evaluate(1000, 1, 600, 590, 580);
    struct rf_w2s_result zero = evaluate(1000, 1, 600, 590, 600);

    (void)state;
    assert_false(small.has_pgr);
    assert_non_null(strstr(small.void_reason, "standard errors"));
    assert_true(small.gap_se > 2 && small.gap_se < 3);
    assert_false(negative.has_pgr);
    assert_non_null(strstr(negative.void_reason, "not above the weak supervisor"));
    assert_false(zero.has_pgr);
    assert_near(zero.gap_se, 0, 0);
}

/* Random answers: the interval depends on the seed alone, and on nothing else. */
static void bootstrap_repeats_with_its_seed(void **state)
{
    enum { N = 400, SEEDS = 3 };
    unsigned char weak[N * SEEDS], student[N * SEEDS], ceiling[N * SEEDS];
    struct rf_w2s_items items = {N, SEEDS, weak, student, ceiling};
    struct rf_w2s_result first, again, other;

    (void)state;
    for (int i = 0; i < N * SEEDS; i++) {
        weak[i] = rf_rng_uniform(1, 1, (uint64_t)i) < 0.6;
        student[i] = rf_rng_uniform(1, 2, (uint64_t)i) < 0.75;
        ceiling[i] = rf_rng_uniform(1, 3, (uint64_t)i) < 0.9;
    }
    assert_int_equal(rf_w2s_evaluate(&items, 500, 5, &first, NULL), RF_OK);
    assert_int_equal(rf_w2s_evaluate(&items, 500, 5, &again, NULL), RF_OK);
    assert_int_equal(rf_w2s_evaluate(&items, 500, 6, &other, NULL), RF_OK);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(first.pgr == other.pgr && first.pgr_low != other.pgr_low);
    assert_true(first.pgr_low < first.pgr && first.pgr < first.pgr_high);
}

static void unusable_comparisons_are_refused(void **state)
{
    unsigned char one[1] = {1};
    struct rf_w2s_items few = {1, 1, one, one, one}, noseed = {2, 0, one, one, one};
    struct rf_w2s_items fine = {2, 1, (unsigned char[]){0, 0}, (unsigned char[]){0, 1},
                                (unsigned char[]){1, 1}};
    struct rf_w2s_result result;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_w2s_evaluate(&few, 100, 0, &result, &err), RF_ERR_ARG);
    assert_int_equal(rf_w2s_evaluate(&noseed, 100, 0, &result, &err), RF_ERR_ARG);
    assert_int_equal(rf_w2s_evaluate(&fine, 99, 0, &result, &err), RF_ERR_ARG);
    assert_int_equal(rf_w2s_evaluate(&fine, 100, 0, &result, &err), RF_OK);
    assert_true(isinf(result.gap_se) && result.has_pgr); /* each item differs by the same */
}

static void gain_never_exceeds_disagreement(void **state)
{
    enum { N = 300 };
    int32_t weak[N], student[N], truth[N];

    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct rf_w2s_agreement a;
        double gain = 0;

        for (int i = 0; i < N; i++) {
            truth[i] = (int32_t)rf_rng_below(seed, 1, (uint64_t)i, 4);
            weak[i] = (int32_t)rf_rng_below(seed, 2, (uint64_t)i, 4);
            student[i] = rf_rng_below(seed, 3, (uint64_t)i, 2) != 0 ? truth[i] : weak[i];
            gain += (double)((student[i] == truth[i]) - (weak[i] == truth[i])) / N;
        }
        rf_w2s_agreement(weak, student, truth, N, &a);
        assert_true(fabs(gain) <= 1 - a.all + 1e-12);
        assert_near(gain, a.corrected - a.new_errors, 1e-12);
        assert_near(a.supervisor_right, 1, 0); /* this student only ever corrects */
    }
}

static void agreement_is_split_by_whether_the_supervisor_is_right(void **state)
{
    const int32_t truth[] = {0, 0, 0, 0, 1, 1}, weak[] = {0, 0, 1, 1, 1, 0};
    const int32_t student[] = {0, 1, 1, 0, 1, 1};
    struct rf_w2s_agreement a;

    (void)state;
    rf_w2s_agreement(weak, student, truth, 6, &a);
    assert_near(a.all, 0.5, 1e-12);
    assert_near(a.supervisor_right, 2.0 / 3, 1e-12);
    assert_near(a.supervisor_wrong, 1.0 / 3, 1e-12);
    assert_near(a.corrected, 2.0 / 6, 1e-12);
    assert_near(a.new_errors, 1.0 / 6, 1e-12);
    assert_near(a.error_correlation, 0, 1e-12); /* 3 and 2 of 6 are wrong, 1 for both */
    rf_w2s_agreement(truth, truth, truth, 6, &a);
    assert_true(isnan(a.supervisor_wrong) && isnan(a.error_correlation));
    rf_w2s_agreement(weak, weak, truth, 6, &a);
    assert_near(a.error_correlation, 1, 1e-12);
    rf_w2s_agreement(weak, student, truth, 3, &a); /* 1 and 2 of 3, 1 for both */
    assert_near(a.error_correlation, 0.5, 1e-12);
}

static void calibration_figures_match_hand_counts(void **state)
{
    const float p[] = {0.75f, 0.25f, 0.75f, 0.25f, 0.25f, 0.75f, 0.0f, 1.0f};
    const int32_t truth[] = {0, 1, 1, 1};

    (void)state;
    /* bin of .75: three items, confidence .75, two right; bin of 1: one item, right */
    assert_near(rf_w2s_ece(p, truth, 4, 2, 10), (2.25 - 2) / 4, 1e-12);
    assert_near(rf_w2s_brier(p, truth, 4, 2), (0.125 + 1.125 + 0.125 + 0) / 4, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alpha_zero_gives_the_weak_labels_to_the_bit),
        cmocka_unit_test(hardened_labels_have_the_class_share_of_the_weak_ones),
        cmocka_unit_test(ties_go_to_the_lower_index),
        cmocka_unit_test(warm_up_is_linear_and_complete),
        cmocka_unit_test(pgr_is_the_share_of_the_gap_that_was_closed),
        cmocka_unit_test(interval_has_the_width_that_theory_gives),
        cmocka_unit_test(student_at_either_end_gives_zero_or_one_without_spread),
        cmocka_unit_test(small_or_negative_gaps_are_void_and_say_why),
        cmocka_unit_test(bootstrap_repeats_with_its_seed),
        cmocka_unit_test(unusable_comparisons_are_refused),
        cmocka_unit_test(gain_never_exceeds_disagreement),
        cmocka_unit_test(agreement_is_split_by_whether_the_supervisor_is_right),
        cmocka_unit_test(calibration_figures_match_hand_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
