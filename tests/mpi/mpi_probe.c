/* A linear probe on features that a known linear rule labels, with noise in the labels. */
#include "mpi/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/noise.h"
#include "base/rng.h"
#include "check.h"

enum { WIDTH = 20, NCLASS = 3, BATCH = 16, MOST = 1203 };

static float x[MOST * WIDTH];
static int32_t truth[MOST];

/* The class is where the largest of three of the features is. */
static void make_examples(void)
{
    for (int i = 0; i < MOST; i++) {
        for (int c = 0; c < WIDTH; c++)
            x[i * WIDTH + c] = (float)rf_rng_normal(3, 0, (uint64_t)(i * WIDTH + c));
        truth[i] = 0;
        for (int c = 1; c < NCLASS; c++)
            if (x[i * WIDTH + 4 * c] > x[i * WIDTH + 4 * truth[i]])
                truth[i] = c;
    }
}

/* Soft labels that lean to the truth, or in `wrong` of the cases to the next class. */
static void make_labels(struct rf_predictions *labels, int n, double wrong)
{
    struct rf_error err;

    CHECK(rf_predictions_make(labels, n, NCLASS, 0, &err) == RF_OK);
    for (int i = 0; i < n; i++) {
        int slip = rf_rng_uniform(4, 0, (uint64_t)i) < wrong;

        labels->best[i] = (truth[i] + slip) % NCLASS;
        for (int c = 0; c < NCLASS; c++)
            labels->prob[i * NCLASS + c] = c == labels->best[i] ? 0.8F : 0.1F;
    }
}

static enum rf_probe_kind kind = RF_PROBE_RIDGE;

/* Fits to the first n examples and answers all of them. */
static enum rf_status fit_and_answer(const struct rf_group *group, int n, double wrong,
                                     struct rf_probe_fit *fit, float *prob, int32_t *best)
{
    struct rf_predictions labels;
    struct rf_probe *probe;
    struct rf_error err;
    enum rf_status st;

    make_labels(&labels, n, wrong);
    st = rf_probe_create(&probe, group, n, WIDTH, NCLASS, &err);
    CHECK(st == RF_OK);
    for (int at = 0; at < n; at += BATCH)
        rf_probe_learn(probe, at, n - at < BATCH ? n - at : BATCH, x + at * WIDTH);
    st = rf_probe_fit(probe, kind, &labels, fit, &err);
    if (st == RF_OK)
        rf_probe_answer(probe, x, MOST, NULL, prob, best);
    rf_probe_destroy(probe);
    rf_predictions_clear(&labels);
    return st;
}

static double share_right(const int32_t *best)
{
    int right = 0;

    for (int i = 0; i < MOST; i++)
        right += best[i] == truth[i];
    return (double)right / MOST;
}

static void a_probe_finds_the_rule_behind_noisy_labels(const struct rf_group *world)
{
    static float prob[MOST * NCLASS];
    static int32_t best[MOST];
    struct rf_probe_fit fit;

    CHECK(fit_and_answer(world, 903, 0, &fit, prob, best) == RF_OK);
    CHECK(share_right(best) > 0.92 && fit.agreement > 0.85);
    CHECK(fit_and_answer(world, 903, 0.2, &fit, prob, best) == RF_OK);
    CHECK(share_right(best) > 0.83); /* better than its labels */
    CHECK(fit.agreement > 0.6 && fit.agreement < 0.9);
    for (int i = 0; i < MOST; i++) {
        float sum = 0;

        for (int c = 0; c < NCLASS; c++) {
            sum += prob[i * NCLASS + c];
            CHECK(prob[i * NCLASS + c] > 0);
            CHECK(prob[i * NCLASS + c] <= prob[i * NCLASS + best[i]]);
        }
        CHECK(fabsf(sum - 1) < 1e-6F);
    }
}

static void a_probe_is_the_same_on_any_number_of_ranks(const struct rf_group *world,
                                                       const struct rf_group *self)
{
    static const int sizes[] = {1, 3, 5, 203, 400};
    static float alone[MOST * NCLASS], all[MOST * NCLASS];
    static int32_t best_alone[MOST], best_all[MOST];

    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct rf_probe_fit one, many;
        float worst = 0;

        CHECK(fit_and_answer(self, sizes[k], 0.2, &one, alone, best_alone) == RF_OK);
        CHECK(fit_and_answer(world, sizes[k], 0.2, &many, all, best_all) == RF_OK);
        CHECK(one.lambda == many.lambda);
        CHECK(sizes[k] < 5 ? isnan(many.agreement) : one.agreement == many.agreement);
        for (int i = 0; i < MOST * NCLASS; i++)
            worst = fmaxf(worst, fabsf(alone[i] - all[i]));
        CHECK(worst < 1e-6F);
        memcpy(alone, all, sizeof all);
        rf_group_bcast(world, alone, sizeof alone, 0);
        CHECK(memcmp(alone, all, sizeof all) == 0);
    }
}

/* The ridge is chosen on the held-out examples; where they do not decide, it is the strongest.
 */
static void held_out_examples_choose_the_ridge(const struct rf_group *world)
{
    static float prob[MOST * NCLASS];
    static int32_t best[MOST];
    struct rf_probe_fit many, few;

    CHECK(fit_and_answer(world, 903, 0, &many, prob, best) == RF_OK);
    CHECK(fit_and_answer(world, 4, 0, &few, prob, best) == RF_OK);
    CHECK(few.lambda == 10 && isnan(few.agreement));
    CHECK(many.lambda < 10);
}

/* Ten classes in turns, of which the fourth and the ninth show in the features and the others do
 * not: what is held out is of all of them, so agreement is that of all of them. */
static void what_is_held_out_is_of_every_class(const struct rf_group *world)
{
    enum { N = 1200, TEN = 10, LENGTH = 4 };
    static float features[N * LENGTH];
    struct rf_predictions labels;
    struct rf_probe *probe;
    struct rf_probe_fit fit;
    struct rf_error err;

    CHECK(rf_predictions_make(&labels, N, TEN, 0, &err) == RF_OK);
    for (int i = 0; i < N; i++) {
        for (int c = 0; c < LENGTH; c++)
            features[i * LENGTH + c] = (float)(rf_rng_normal(7, 0, (uint64_t)(i * LENGTH + c)) +
                                               9.0 * ((i % TEN == 4) - (i % TEN == 9)));
        labels.best[i] = i % TEN;
        for (int c = 0; c < TEN; c++)
            labels.prob[i * TEN + c] = c == i % TEN;
    }
    CHECK(rf_probe_create(&probe, world, N, LENGTH, TEN, &err) == RF_OK);
    rf_probe_learn(probe, 0, N, features);
    CHECK(rf_probe_fit(probe, RF_PROBE_LOGISTIC, &labels, &fit, &err) == RF_OK);
    CHECK(fit.agreement > 0.2 && fit.agreement < 0.45);
    rf_probe_destroy(probe);
    rf_predictions_clear(&labels);
}

static void the_loss_is_that_of_the_probabilities(const struct rf_group *world)
{
    static float prob[MOST * NCLASS];
    static int32_t best[MOST];
    struct rf_predictions labels;
    struct rf_probe *probe;
    struct rf_probe_fit fit;
    struct rf_error err;
    double loss, expected = 0;

    make_labels(&labels, 100, 0);
    CHECK(rf_probe_create(&probe, world, 100, WIDTH, NCLASS, &err) == RF_OK);
    rf_probe_learn(probe, 0, 100, x);
    CHECK(rf_probe_fit(probe, RF_PROBE_RIDGE, &labels, &fit, &err) == RF_OK);
    loss = rf_probe_answer(probe, x, MOST, truth, prob, best);
    for (int i = 0; i < MOST; i++)
        expected -= log((double)prob[i * NCLASS + truth[i]]) / MOST;
    CHECK(fabs(loss - expected) < 1e-9);
    CHECK(rf_probe_answer(probe, x, MOST, truth, NULL, best) == loss);
    rf_probe_destroy(probe);
    rf_predictions_clear(&labels);
}

/* At the best map no direction is left: with the residuals q - p, mean x (q - p) = lambda / 2 W,
 * and the mean of q - p is 0, since the intercept is free. */
static void a_logistic_probe_stands_where_its_gradient_vanishes(const struct rf_group *world)
{
    static float prob[MOST * NCLASS];
    static int32_t best[MOST];
    struct rf_predictions labels;
    struct rf_probe_fit fit;
    double rest[NCLASS] = {0}, most = 0;

    kind = RF_PROBE_LOGISTIC;
    CHECK(fit_and_answer(world, MOST, 0.2, &fit, prob, best) == RF_OK);
    CHECK(share_right(best) > 0.87);
    make_labels(&labels, MOST, 0.2);
    for (int i = 0; i < MOST; i++)
        for (int c = 0; c < NCLASS; c++)
            rest[c] +=
                ((double)labels.prob[i * NCLASS + c] - (double)prob[i * NCLASS + c]) / MOST;
    for (int c = 0; c < NCLASS; c++)
        most = fmax(most, fabs(rest[c]));
    CHECK(most < 1e-4);
    rf_predictions_clear(&labels);
    kind = RF_PROBE_RIDGE;
}

enum { MANY = 20000 };

/* Symmetric noise is averaged away: from many labels of which three in ten are wrong at random, a
 * student of the right class recovers nearly all of the gap. */
static void symmetric_noise_leaves_a_gap_recovered_of_nearly_one(const struct rf_group *world)
{
    static float features[MANY * 8], prob[MANY * 2];
    static int32_t side[MANY], best[MANY];
    struct rf_predictions labels;
    struct rf_probe *probe;
    struct rf_probe_fit fit;
    struct rf_error err;
    int right = 0;

    for (int i = 0; i < MANY; i++) {
        for (int c = 0; c < 8; c++)
            features[i * 8 + c] = (float)rf_rng_normal(5, 0, (uint64_t)(i * 8 + c));
        side[i] = features[i * 8] + features[i * 8 + 3] > 0;
    }
    CHECK(rf_predictions_make(&labels, MANY, 2, 0, &err) == RF_OK);
    CHECK(rf_noise_labels(side, MANY, 2, 0.7, 6, labels.best, labels.prob, &err) == RF_OK);
    CHECK(rf_probe_create(&probe, world, MANY, 8, 2, &err) == RF_OK);
    rf_probe_learn(probe, 0, MANY, features);
    CHECK(rf_probe_fit(probe, RF_PROBE_LOGISTIC, &labels, &fit, &err) == RF_OK);
    rf_probe_answer(probe, features, MANY, NULL, prob, best);
    for (int i = 0; i < MANY; i++)
        right += best[i] == side[i];
    CHECK(((double)right / MANY - 0.7) / (1 - 0.7) > 0.95);
    rf_probe_destroy(probe);
    rf_predictions_clear(&labels);
}

/* A feature that is not finite on one rank's example: the fit fails on all ranks. */
static void a_broken_feature_is_heard_of_by_all(const struct rf_group *world)
{
    static float prob[MOST * NCLASS];
    static int32_t best[MOST];
    struct rf_probe_fit fit;
    float kept = x[101 * WIDTH];

    x[101 * WIDTH] = NAN;
    CHECK(fit_and_answer(world, 103, 0, &fit, prob, best) == RF_ERR_INPUT);
    x[101 * WIDTH] = kept;
}

int main(int argc, char **argv)
{
    struct rf_group world, self;
    int status;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    rf_group_dup(&self, MPI_COMM_SELF);
    make_examples();
    a_probe_finds_the_rule_behind_noisy_labels(&world);
    a_probe_is_the_same_on_any_number_of_ranks(&world, &self);
    held_out_examples_choose_the_ridge(&world);
    what_is_held_out_is_of_every_class(&world);
    the_loss_is_that_of_the_probabilities(&world);
    a_logistic_probe_stands_where_its_gradient_vanishes(&world);
    symmetric_noise_leaves_a_gap_recovered_of_nearly_one(&world);
    a_broken_feature_is_heard_of_by_all(&world);
    status = check_result();
    rf_group_free(&self);
    rf_group_free(&world);
    MPI_Finalize();
    return status;
}
