#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/generate.h"
#include "sim/generate_model.h"

#define DAY_US INT64_C(86400000000)

static const struct rf_account_rule_spec BY_TYPE[] = {{"type", "*", "", "%t"}};

static struct rf_generate_options options_of(enum rf_generate_kind kind, int32_t devices,
                                             int64_t jobs)
{
    return (struct rf_generate_options){.kind = kind,
                                        .seed = 42,
                                        .devices = devices,
                                        .jobs = jobs,
                                        .rules = BY_TYPE,
                                        .nrules = 1};
}

static void make(struct rf_workload *w, const struct rf_generate_options *options)
{
    struct rf_error err;

    if (rf_generate(w, options, &err) != RF_OK)
        fail_msg("%s", err.text);
}

static double work_of(const struct rf_workload *w)
{
    double work = 0.0;

    for (int64_t i = 0; i < w->n; i++)
        work += (double)w->run_us[i] * w->min[i];
    return work;
}

static double load_of(const struct rf_workload *w, int32_t devices)
{
    return work_of(w) / ((double)w->submit_us[w->n - 1] * devices);
}

static int is_of(const struct rf_workload *w, int64_t i, const char *type)
{
    return strcmp(w->accounts[w->account[i]], type) == 0;
}

/* ---- what holds for all -------------------------------------------------- */

static void jobs_are_possible_and_in_order(void **unused)
{
    static const int32_t DEVICES[] = {1, 2, 3, 100, 4096};

    (void)unused;
    for (int kind = 0; kind < RF_GENERATE_NKINDS; kind++) {
        for (size_t d = 0; d < sizeof DEVICES / sizeof *DEVICES; d++) {
            struct rf_generate_options options =
                options_of((enum rf_generate_kind)kind, DEVICES[d], 3000);
            struct rf_workload w;

            options.load = d % 2 == 0 ? 0.8 : 0.0;
            make(&w, &options);
            assert_int_equal(w.n, 3000);
            assert_int_equal(w.origin_us, 0);
            for (int64_t i = 0; i < w.n; i++) {
                assert_true(w.submit_us[i] >= (i > 0 ? w.submit_us[i - 1] : 0));
                assert_true(w.run_us[i] >= 1000000 && w.limit_us[i] >= w.run_us[i]);
                assert_true(w.min[i] >= 1 && w.min[i] <= DEVICES[d]);
                assert_in_range(w.account[i], 0, w.naccounts - 1);
            }
            rf_workload_clear(&w);
        }
    }
}

static void more_jobs_or_another_load_leave_each_job_what_it_is(void **unused)
{
    static const enum rf_generate_kind KINDS[] = {RF_GENERATE_SEREN, RF_GENERATE_KALOS,
                                                  RF_GENERATE_FLOOD};

    (void)unused;
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++) {
        struct rf_generate_options options = options_of(KINDS[k], 2048, 2000);
        struct rf_workload few, many;

        make(&few, &options);
        options.jobs = 5000;
        options.load = 0.5;
        make(&many, &options);
        assert_memory_equal(few.run_us, many.run_us, 2000 * sizeof *few.run_us);
        assert_memory_equal(few.min, many.min, 2000 * sizeof *few.min);
        rf_workload_clear(&few);
        rf_workload_clear(&many);
    }
}

static void a_seed_decides_everything(void **unused)
{
    (void)unused;
    for (int kind = 0; kind < RF_GENERATE_NKINDS; kind++) {
        struct rf_generate_options options = options_of((enum rf_generate_kind)kind, 512, 1000);
        struct rf_workload a, b, c;

        make(&a, &options);
        make(&b, &options);
        options.seed++;
        make(&c, &options);
        assert_memory_equal(a.submit_us, b.submit_us, 1000 * sizeof *a.submit_us);
        assert_memory_equal(a.run_us, b.run_us, 1000 * sizeof *a.run_us);
        assert_memory_equal(a.limit_us, b.limit_us, 1000 * sizeof *a.limit_us);
        assert_memory_equal(a.min, b.min, 1000 * sizeof *a.min);
        assert_memory_equal(a.account, b.account, 1000 * sizeof *a.account);
        assert_memory_not_equal(a.run_us, c.run_us, 1000 * sizeof *a.run_us);
        rf_workload_clear(&a);
        rf_workload_clear(&b);
        rf_workload_clear(&c);
    }
}

static void the_wanted_load_is_offered(void **unused)
{
    static const double LOADS[] = {0.3, 0.8, 1.5};

    (void)unused;
    for (int kind = 0; kind < RF_GENERATE_NKINDS; kind++) {
        for (size_t l = 0; l < 3; l++) {
            struct rf_generate_options options =
                options_of((enum rf_generate_kind)kind, 1024, 20000);
            struct rf_workload w;
            double load;

            options.load = LOADS[l];
            make(&w, &options);
            load = load_of(&w, 1024);
            if (fabs(load - LOADS[l]) > 0.03 * LOADS[l])
                fail_msg("%s: load %.3f instead of %.3f", rf_generate_kind_name(options.kind),
                         load, LOADS[l]);
            rf_workload_clear(&w);
        }
    }
}

static void a_horizon_ends_the_arrivals(void **unused)
{
    (void)unused;
    for (int kind = 0; kind < RF_GENERATE_NKINDS; kind++) {
        struct rf_generate_options options = options_of((enum rf_generate_kind)kind, 1024, 0);
        struct rf_workload w;

        options.horizon_us = 30 * DAY_US;
        for (options.load = 0.0; options.load < 1.0; options.load += 0.7) {
            make(&w, &options);
            assert_true(w.submit_us[w.n - 1] < options.horizon_us);
            assert_true(w.submit_us[w.n - 1] > options.horizon_us - 3 * DAY_US);
            rf_workload_clear(&w);
        }
        options.jobs = 10;
        make(&w, &options);
        assert_int_equal(w.n, 10);
        rf_workload_clear(&w);
    }
}

static void options_that_contradict_each_other_are_refused(void **unused)
{
    struct rf_generate_options bad[9];
    struct rf_workload w;
    struct rf_error err;

    (void)unused;
    for (int i = 0; i < 9; i++)
        bad[i] = options_of(RF_GENERATE_FLOOD, 100, 10);
    bad[0].jobs = 0;
    bad[1].devices = 0;
    bad[2].load = NAN;
    bad[3].load = -1.0;
    bad[4].size_min = 5;
    bad[4].size_max = 4;
    bad[5].size_max = 101;
    bad[6].rate_per_h = -1.0;
    bad[7].run_mean_us = -1;
    bad[8].fallback = "not..usable";
    for (int i = 0; i < 9; i++) {
        err.text[0] = '\0';
        assert_int_equal(rf_generate(&w, &bad[i], &err), RF_ERR_CONFIG);
        assert_string_not_equal(err.text, "");
        assert_null(w.submit_us);
    }
}

static void generators_have_names(void **unused)
{
    (void)unused;
    for (int kind = 0; kind < RF_GENERATE_NKINDS; kind++)
        assert_int_equal(
            rf_generate_kind_of(rf_generate_kind_name((enum rf_generate_kind)kind)), kind);
    assert_int_equal(rf_generate_kind_of("acme"), RF_GENERATE_SEREN);
    assert_int_equal(rf_generate_kind_of("swf"), -1);
}

/* ---- draws ----------------------------------------------------------------- */

static void gamma_draws_have_their_mean_and_variance(void **unused)
{
    static const double SHAPES[] = {1.0, 3.8351, 639.1};

    (void)unused;
    for (size_t s = 0; s < 3; s++) {
        const int n = 40000;
        double sum = 0.0, squares = 0.0, mean, variance;

        for (int i = 0; i < n; i++) {
            double x = rf_draw_gamma(1, 7, i, SHAPES[s], 0.5, 1e9);

            sum += x;
            squares += x * x;
        }
        mean = sum / n;
        variance = squares / n - mean * mean;
        assert_true(fabs(mean / (SHAPES[s] * 0.5) - 1.0) < 0.02);
        assert_true(fabs(variance / (SHAPES[s] * 0.25) - 1.0) < 0.08);
    }
    for (int i = 0; i < 1000; i++)
        assert_true(rf_draw_gamma(1, 7, i, 3.0, 1.0, 2.0) <= 2.0);
}

static void a_day_has_its_weights_and_time_goes_on(void **unused)
{
    double weights[RF_DAY_PARTS], last = -1.0;
    struct rf_day day;
    int counts[RF_DAY_PARTS] = {0};

    (void)unused;
    for (int i = 0; i < RF_DAY_PARTS; i++)
        weights[i] = 1 + i % 7;
    rf_day_set(&day, weights);
    for (int i = 0; i < 480000; i++) {
        double t = rf_day_time(&day, i * 1.8); /* ten days */

        assert_true(t > last);
        last = t;
        counts[(int)(t / 1800.0) % RF_DAY_PARTS]++;
    }
    assert_true(last < 864000.0 && last > 863000.0);
    for (int i = 0; i < RF_DAY_PARTS; i++)
        assert_true(fabs(counts[i] / 10000.0 - day.rate[i]) < 0.02);
}

/* ---- Lublin and Feitelson ------------------------------------------------- */

static void lublin_sizes_are_often_one_or_a_power_of_two(void **unused)
{
    struct rf_generate_options options = options_of(RF_GENERATE_LUBLIN, 128, 100000);
    struct rf_workload w;
    double n[2] = {0}, serial[2] = {0}, power[2] = {0};

    (void)unused;
    make(&w, &options);
    for (int64_t i = 0; i < w.n; i++) {
        int type = is_of(&w, i, "interactive");

        n[type]++;
        serial[type] += w.min[i] == 1;
        power[type] += (w.min[i] & (w.min[i] - 1)) == 0;
    }
    assert_true(fabs(serial[0] / n[0] - 0.2927) < 0.02);
    assert_true(fabs(serial[1] / n[1] - 0.1541) < 0.01);
    assert_true(power[0] / n[0] > 0.95); /* 0.2927 + 0.6686, and some by chance */
    assert_true(power[1] / n[1] > 0.77);
    rf_workload_clear(&w);
}

static void lublin_large_jobs_run_long_and_people_work_by_day(void **unused)
{
    struct rf_generate_options options = options_of(RF_GENERATE_LUBLIN, 128, 100000);
    struct rf_workload w;
    double run[2] = {0}, n[2] = {0};
    int64_t night = 0, afternoon = 0;

    (void)unused;
    make(&w, &options);
    for (int64_t i = 0; i < w.n; i++) {
        int64_t hour = w.submit_us[i] % DAY_US / INT64_C(3600000000);

        night += hour < 8;
        afternoon += hour >= 10 && hour < 18;
        assert_true(w.run_us[i] <= INT64_C(162755000000)); /* exp(12) s */
        assert_true(w.limit_us[i] == w.run_us[i] || w.limit_us[i] % 60000000 == 0);
        if (w.min[i] > 1 && is_of(&w, i, "batch")) {
            run[w.min[i] >= 64] += (double)w.run_us[i];
            n[w.min[i] >= 64]++;
        }
    }
    assert_true(run[1] / n[1] > 1.3 * run[0] / n[0]);
    assert_true(afternoon > 2 * night);
    rf_workload_clear(&w);
}

/* ---- Acme --------------------------------------------------------------------- */

struct published {
    const char *type;
    double jobs, gpu_time; /* percent */
};

static void assert_shares(enum rf_generate_kind kind, int32_t devices,
                          const struct published *types, int n)
{
    struct rf_generate_options options = options_of(kind, devices, 100000);
    struct rf_workload w;
    double all;

    make(&w, &options);
    all = work_of(&w);
    for (int t = 0; t < n; t++) {
        double jobs = 0.0, work = 0.0;

        for (int64_t i = 0; i < w.n; i++) {
            if (is_of(&w, i, types[t].type)) {
                jobs++;
                work += (double)w.run_us[i] * w.min[i];
            }
        }
        jobs *= 100.0 / (double)w.n;
        work *= 100.0 / all;
        if (fabs(jobs - types[t].jobs) > 0.6)
            fail_msg("%s: %.2f %% of the jobs, not %.2f", types[t].type, jobs, types[t].jobs);
        if (work < 0.6 * types[t].gpu_time || work > 1.7 * types[t].gpu_time)
            fail_msg("%s: %.2f %% of the time, not %.2f", types[t].type, work,
                     types[t].gpu_time);
    }
    rf_workload_clear(&w);
}

static void acme_types_have_about_their_published_shares(void **unused)
{
    static const struct published SEREN[] = {{"eval", 64.85, 6.24},  {"sft", 14.86, 6.38},
                                             {"other", 14.56, 7.56}, {"mllm", 2.95, 8.61},
                                             {"debug", 1.88, 1.71},  {"pretrain", 0.89, 69.49}};
    static const struct published KALOS[] = {{"eval", 92.83, 0.42},
                                             {"pretrain", 3.22, 95.48},
                                             {"debug", 2.70, 1.59},
                                             {"other", 1.26, 2.51}};

    (void)unused;
    assert_shares(RF_GENERATE_SEREN, 2288, SEREN, 6);
    assert_shares(RF_GENERATE_KALOS, 2416, KALOS, 4);
}

/* The share of a type's jobs with at most so many GPUs, or so many seconds where gpus is 0. */
static double at_most(const struct rf_workload *w, const char *type, int32_t gpus,
                      int64_t run_s)
{
    double n = 0.0, below = 0.0;

    for (int64_t i = 0; i < w->n; i++) {
        if (!is_of(w, i, type))
            continue;
        n++;
        below += gpus > 0 ? w->min[i] <= gpus : w->run_us[i] <= run_s * 1000000;
    }
    return below / n;
}

static void acme_sizes_and_durations_keep_their_distributions(void **unused)
{
    struct rf_generate_options options = options_of(RF_GENERATE_SEREN, 2288, 100000);
    struct rf_workload w;

    (void)unused;
    make(&w, &options);
    assert_true(fabs(at_most(&w, "eval", 0, 128) - 0.4975) < 0.01);
    assert_true(fabs(at_most(&w, "eval", 0, 1024) - 0.8880) < 0.01);
    assert_true(fabs(at_most(&w, "sft", 0, 512) - 0.7880) < 0.02);
    assert_true(fabs(at_most(&w, "pretrain", 0, 4096) - 0.8408) < 0.05);
    assert_true(fabs(at_most(&w, "pretrain", 128, 0) - 0.50) < 0.06);
    assert_true(at_most(&w, "sft", 4, 0) < 0.5 && at_most(&w, "sft", 8, 0) > 0.74);
    assert_true(fabs(at_most(&w, "debug", 4, 0) - 0.164) < 0.03);
    for (int64_t i = 0; i < w.n; i++)
        assert_true(w.min[i] % 8 == 0 || (w.min[i] <= 4 && w.min[i] != 3) ||
                    is_of(&w, i, "debug"));
    rf_workload_clear(&w);
}

/* ---- flood ------------------------------------------------------------------- */

static void floods_are_what_they_are_told(void **unused)
{
    struct rf_generate_options options = options_of(RF_GENERATE_FLOOD, 1000, 20000);
    struct rf_workload w;
    double run = 0.0;
    int32_t least = 1000, most = 0;

    (void)unused;
    options.size_min = 3;
    options.size_max = 48;
    options.run_mean_us = 600000000;
    options.rate_per_h = 30.0;
    make(&w, &options);
    for (int64_t i = 0; i < w.n; i++) {
        run += (double)w.run_us[i];
        least = w.min[i] < least ? w.min[i] : least;
        most = w.min[i] > most ? w.min[i] : most;
    }
    assert_int_equal(least, 3);
    assert_int_equal(most, 48);
    assert_true(fabs(run / (double)w.n / 600e6 - 1.0) < 0.03);
    assert_true(fabs((double)w.submit_us[w.n - 1] / (double)w.n / 120e6 - 1.0) < 0.03);
    rf_workload_clear(&w);
    options.size_min = options.size_max = 7;
    make(&w, &options);
    for (int64_t i = 0; i < w.n; i++)
        assert_int_equal(w.min[i], 7);
    rf_workload_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_possible_and_in_order),
        cmocka_unit_test(more_jobs_or_another_load_leave_each_job_what_it_is),
        cmocka_unit_test(a_seed_decides_everything),
        cmocka_unit_test(the_wanted_load_is_offered),
        cmocka_unit_test(a_horizon_ends_the_arrivals),
        cmocka_unit_test(options_that_contradict_each_other_are_refused),
        cmocka_unit_test(generators_have_names),
        cmocka_unit_test(gamma_draws_have_their_mean_and_variance),
        cmocka_unit_test(a_day_has_its_weights_and_time_goes_on),
        cmocka_unit_test(lublin_sizes_are_often_one_or_a_power_of_two),
        cmocka_unit_test(lublin_large_jobs_run_long_and_people_work_by_day),
        cmocka_unit_test(acme_types_have_about_their_published_shares),
        cmocka_unit_test(acme_sizes_and_durations_keep_their_distributions),
        cmocka_unit_test(floods_are_what_they_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
