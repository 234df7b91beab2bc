#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "scale/study.h"

static int near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance * fabs(b);
}

/* Points of a law with given factors, with normal relative noise on them. */
static void plant(struct rf_fit_data *data, enum rf_law law, const double *factor,
                  const double *ranks, int n, double noise, uint64_t stream)
{
    *data = (struct rf_fit_data){.n = 0};
    for (int i = 0; i < n; i++) {
        struct rf_law_point p = {.ranks = ranks[i],
                                 .tokens = 1000,
                                 .crowd = 1,
                                 .share = 1 / ranks[i],
                                 .wire_s = 0.01 * (ranks[i] - 1),
                                 .noise = noise};

        p.step_s = rf_law_step_s(law, factor, &p) *
                   (1 + noise * rf_rng_normal(1, stream, (uint64_t)i));
        rf_law_row(law, data, &p);
    }
}

static const double RANKS[] = {1, 2, 4, 8, 16, 32};
enum { NRANKS = 6 };

static void planted_parameters_come_back(void **state)
{
    static const double factors[RF_LAWS][RF_FIT_TERMS] = {
        [RF_LAW_AMDAHL] = {0.1, 0.9},   /* 1 s on one rank, a tenth of it serial */
        [RF_LAW_GUSTAFSON] = {40, 160}, /* 200 tokens/s, a fifth serial */
        [RF_LAW_USL] = {1e-3, 5e-5, 1e-6},
        [RF_LAW_PLAN] = {2, 0.05}};
    static const double wanted[RF_LAWS][RF_FIT_TERMS] = {[RF_LAW_AMDAHL] = {1, 0.1},
                                                         [RF_LAW_GUSTAFSON] = {200, 0.2},
                                                         [RF_LAW_USL] = {1000, 0.05, 0.001},
                                                         [RF_LAW_PLAN] = {2, 0.05}};

    (void)state;
    for (int law = 0; law < RF_LAWS; law++) {
        struct rf_fit_data data;
        struct rf_fit fit;
        double parameter[RF_FIT_TERMS];

        plant(&data, (enum rf_law)law, factors[law], RANKS, NRANKS, 0, 0);
        assert_true(rf_fit_solve(&fit, &data));
        rf_law_parameters((enum rf_law)law, fit.factor, parameter);
        for (int k = 0; k < rf_law_terms((enum rf_law)law); k++)
            assert_true(near(parameter[k], wanted[law][k], 1e-9));
        assert_true(fit.misfit < 1e-9);
    }
}

/* Amdahl: with a serial tenth, 16 ranks are 6.4 times as fast; no number is ten times as fast. Gunther: the
 * most throughput is at sqrt((1 - a) / b) ranks. */
static void laws_say_what_their_authors_say(void **state)
{
    const double amdahl[RF_FIT_TERMS] = {0.1, 0.9}, usl[RF_FIT_TERMS] = {1, 0.05, 0.001};
    struct rf_law_point one = {.ranks = 1, .tokens = 1, .crowd = 1};
    struct rf_law_point many = one, best = one, off = one;

    (void)state;
    many.ranks = 16;
    assert_true(near(rf_law_step_s(RF_LAW_AMDAHL, amdahl, &one) /
                         rf_law_step_s(RF_LAW_AMDAHL, amdahl, &many),
                     6.4, 1e-12));
    many.ranks = 1e9;
    assert_true(rf_law_step_s(RF_LAW_AMDAHL, amdahl, &one) /
                    rf_law_step_s(RF_LAW_AMDAHL, amdahl, &many) <
                10);
    best.ranks = sqrt(0.95 / 0.001);
    for (double d = -2; d <= 2; d += 4) {
        off.ranks = best.ranks + d;
        assert_true(rf_law_step_s(RF_LAW_USL, usl, &best) <
                    rf_law_step_s(RF_LAW_USL, usl, &off));
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of 200 noisy studies, the 95 % intervals of the serial share hold the planted one in most. */
static void intervals_cover_what_was_planted(void **state)
{
    enum { STUDIES = 200, TIMES = 200 };
    static const double factor[RF_FIT_TERMS] = {0.1, 0.9};
    int covered = 0;

    (void)state;
    for (int study = 0; study < STUDIES; study++) {
        struct rf_fit_data data;
        struct rf_fit fit;
        double factors[TIMES][RF_FIT_TERMS], share[TIMES], parameter[RF_FIT_TERMS];

        plant(&data, RF_LAW_AMDAHL, factor, RANKS, NRANKS, 0.03, (uint64_t)study + 1);
        assert_true(rf_fit_solve(&fit, &data));
        rf_fit_resample(factors, TIMES, &fit, &data, 9, (uint64_t)study);
        for (int t = 0; t < TIMES; t++) {
            rf_law_parameters(RF_LAW_AMDAHL, factors[t], parameter);
            share[t] = parameter[1];
        }
        qsort(share, TIMES, sizeof *share, ascending);
        covered += share[TIMES / 40] <= 0.1 && 0.1 <= share[TIMES - 1 - TIMES / 40];
    }
    assert_in_range(covered, STUDIES * 88 / 100, STUDIES * 995 / 1000);
}

static void factors_are_never_negative(void **state)
{
    struct rf_fit_data data = {.n = 0};
    struct rf_fit fit;

    (void)state;
    for (int i = 0; i < 4;
         i++) { /* faster than in proportion: no contention can explain that */
        struct rf_law_point p = {
            .ranks = RANKS[i], .tokens = 1, .step_s = 1 / pow(RANKS[i], 1.1)};

        rf_law_row(RF_LAW_USL, &data, &p);
    }
    assert_true(rf_fit_solve(&fit, &data));
    for (int k = 0; k < 3; k++)
        assert_true(fit.factor[k] >= 0);
    assert_true(fit.misfit > 0.01);
}

static void too_few_points_say_nothing(void **state)
{
    struct rf_fit_data data = {.n = 0};
    struct rf_law_point p = {.ranks = 2, .tokens = 1, .step_s = 1};
    struct rf_fit fit;

    (void)state;
    rf_law_row(RF_LAW_AMDAHL, &data, &p);
    assert_false(rf_fit_solve(&fit, &data));
    assert_true(isnan(fit.factor[0]));
}

/* ---- messages ---------------------------------------------------------------------------- */

static void latency_and_bandwidth_come_back(void **state)
{
    struct rf_wire_sample samples[16];
    struct rf_wire wire;
    int n = 0;

    (void)state;
    for (int p = 2; p <= 8; p *= 2)
        for (int64_t bytes = 256; bytes <= 4 << 20; bytes *= 64) {
            double rounds = p == 2 ? 1 : p == 4 ? 2 : 3;

            samples[n++] = (struct rf_wire_sample){RF_WIRE_SUM, p, bytes,
                                                   2 * rounds * 5e-6 + 2.0 * (double)bytes *
                                                                           (p - 1) / p * 1e-9};
        }
    rf_wire_fit(&wire, samples, n, 1);
    assert_true(wire.known[RF_WIRE_SUM] && !wire.known[RF_WIRE_SHARD]);
    assert_true(near(wire.latency_s[RF_WIRE_SUM], 5e-6, 1e-9));
    assert_true(near(wire.byte_s[RF_WIRE_SUM], 1e-9, 1e-9));
    assert_true(near(rf_wire_one_s(&wire, RF_WIRE_SUM, 16, 3, 1e6),
                     3 * 8 * 5e-6 + 2e6 * 15 / 16 * 1e-9, 1e-9));
    assert_true(rf_wire_one_s(&wire, RF_WIRE_SUM, 1, 3, 1e6) == 0);
    assert_true(isnan(rf_wire_one_s(&wire, RF_WIRE_SHARD, 2, 1, 1)));
}

/* ---- a whole study -------------------------------------------------------------------------- */

static const struct rf_scale_subject SUBJECT = {.job = "planted",
                                                .version = "0",
                                                .shape = {.vocabulary = 256,
                                                          .context = 64,
                                                          .layers = 4,
                                                          .heads = 32,
                                                          .width = 128,
                                                          .hidden = 512},
                                                .batch = 32};

/* Steps of `first` seconds that follow Amdahl's law with a serial share. */
static struct rf_scale_point point_of(enum rf_scale_mode mode, int tensor, double first,
                                      double serial)
{
    struct rf_scale_point p = {.mode = mode,
                               .tensor = tensor,
                               .data = 1,
                               .nodes = 1,
                               .machines = 1,
                               .cores = 64,
                               .batch = SUBJECT.batch * (mode == RF_SCALE_WEAK ? tensor : 1),
                               .repeats = 5};

    for (int i = 0; i < p.repeats; i++)
        p.step_s[i] = first * (serial + (1 - serial) / tensor) * (1 + 0.001 * (i - 2));
    return p;
}

static void a_study_predicts_points_it_has_not_seen(void **state)
{
    struct rf_scale_study *study = calloc(1, sizeof *study);
    struct rf_scale_point points[5];
    struct rf_error err;
    const struct rf_scale_row *last;

    (void)state;
    assert_non_null(study);
    for (int i = 0; i < 5; i++)
        points[i] = point_of(RF_SCALE_STRONG, 1 << i, 2, 0.05);
    study->subject = SUBJECT;
    assert_int_equal(rf_scale_study_make(study, points, 5, 1, &err), RF_OK);
    last = &study->rows[4];
    assert_true(last->beyond && last->fitted && !study->rows[3].beyond);
    assert_true(near(last->held_s[RF_LAW_AMDAHL], last->step_s, 1e-6));
    assert_true(near(last->efficiency, 1 / (16 * (0.05 + 0.95 / 16)), 1e-9));
    assert_true(near(study->laws[RF_SCALE_STRONG][RF_LAW_AMDAHL].parameter[1], 0.05, 1e-6));
    assert_true(isnan(last->held_s[RF_LAW_GUSTAFSON]));
    assert_true(near(study->projections[RF_SCALE_STRONG][0].tokens_per_s[RF_LAW_AMDAHL],
                     32 * 64 / (2 * (0.05 + 0.95 / 32)), 1e-6));
    assert_false(study->crowded || study->emulated);
    free(study);
}

static void crowded_and_emulated_points_are_told(void **state)
{
    struct rf_scale_study *study = calloc(1, sizeof *study);
    struct rf_scale_point points[3];
    struct rf_error err;

    (void)state;
    assert_non_null(study);
    for (int i = 0; i < 3; i++)
        points[i] = point_of(RF_SCALE_WEAK, 1 << i, 1, 1);
    points[2].cores = 2;
    study->subject = SUBJECT;
    assert_int_equal(rf_scale_study_make(study, points, 3, 1, &err), RF_OK);
    assert_true(study->crowded && !study->emulated);
    points[2].nodes = 4;
    assert_int_equal(rf_scale_study_make(study, points, 3, 1, &err), RF_OK);
    assert_true(study->emulated);
    points[1] = points[2];
    assert_int_equal(rf_scale_study_make(study, points, 3, 1, &err), RF_ERR_ARG);
    free(study);
}

/* A repeat that met a busy machine, a hundred times as long, changes neither point nor interval much. */
static void one_bad_repeat_spoils_nothing(void **state)
{
    struct rf_scale_study *study = calloc(1, sizeof *study);
    const struct rf_scale_law *amdahl = &study->laws[RF_SCALE_STRONG][RF_LAW_AMDAHL];
    struct rf_scale_point points[4];
    struct rf_error err;

    (void)state;
    assert_non_null(study);
    for (int i = 0; i < 4; i++)
        points[i] = point_of(RF_SCALE_STRONG, 1 << i, 2, 0.05);
    points[2].step_s[4] *= 100;
    study->subject = SUBJECT;
    assert_int_equal(rf_scale_study_make(study, points, 4, 1, &err), RF_OK);
    assert_true(near(amdahl->parameter[1], 0.05, 0.01));
    assert_true(amdahl->ci[1][0] < amdahl->parameter[1]);
    assert_true(amdahl->parameter[1] < amdahl->ci[1][1]);
    assert_true(amdahl->ci[1][1] - amdahl->ci[1][0] < 0.02);
    free(study);
}

/* What the ranks of a copy have to multiply adds up to all there is. */
static void shares_of_the_arithmetic_add_up(void **state)
{
    const struct rf_model_shape shapes[] = {SUBJECT.shape,
                                            {.family = RF_MODEL_LLAMA,
                                             .vocabulary = 101,
                                             .context = 24,
                                             .layers = 3,
                                             .heads = 6,
                                             .kv_heads = 3,
                                             .width = 36,
                                             .hidden = 50,
                                             .untied = 1}};
    const struct rf_work work = {
        .rows = 48, .asked = 20, .row_visits = 400, .asked_visits = 150, .range = 101};

    (void)state;
    for (int s = 0; s < 2; s++)
        for (int size = 1; size <= 5; size++) {
            double sum = 0;

            for (int rank = 0; rank < size; rank++) {
                struct rf_plan plan;
                struct rf_error err;

                assert_int_equal(rf_plan_make(&plan, &shapes[s], rank, size, &err), RF_OK);
                sum += rf_traffic_share(&plan, &work);
                rf_plan_clear(&plan);
            }
            assert_true(near(sum, 1, 1e-12));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_parameters_come_back),
        cmocka_unit_test(laws_say_what_their_authors_say),
        cmocka_unit_test(intervals_cover_what_was_planted),
        cmocka_unit_test(factors_are_never_negative),
        cmocka_unit_test(too_few_points_say_nothing),
        cmocka_unit_test(latency_and_bandwidth_come_back),
        cmocka_unit_test(a_study_predicts_points_it_has_not_seen),
        cmocka_unit_test(crowded_and_emulated_points_are_told),
        cmocka_unit_test(one_bad_repeat_spoils_nothing),
        cmocka_unit_test(shares_of_the_arithmetic_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
