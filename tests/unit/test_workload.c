#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sim/intake.h"

static void make(struct rf_workload *w, int64_t n, int with_max)
{
    assert_int_equal(rf_workload_create(w, n, NULL), RF_OK);
    if (with_max) {
        w->max = calloc((size_t)n, sizeof *w->max);
        assert_non_null(w->max);
    }
    for (int64_t i = 0; i < n; i++) { /* everything but the submission is the job's number */
        w->submit_us[i] = (int64_t)rf_rng_below(7, 1, (uint64_t)i, 20);
        w->run_us[i] = i + 1;
        w->limit_us[i] = i + 2;
        w->min[i] = (int32_t)i + 3;
        w->account[i] = (int32_t)i + 4;
        if (with_max)
            w->max[i] = (int32_t)i + 5;
    }
}

static void sorting_keeps_jobs_whole_and_ties_in_order(void **unused)
{
    (void)unused;
    for (int64_t n = 0; n < 70; n++) {
        const int with_max = (int)(n % 2);
        struct rf_workload w;

        make(&w, n, with_max);
        assert_int_equal(rf_workload_sort(&w, NULL), RF_OK);
        for (int64_t i = 0; i < n; i++) {
            int64_t was = w.run_us[i] - 1;

            assert_int_equal(w.submit_us[i], rf_rng_below(7, 1, (uint64_t)was, 20));
            assert_int_equal(w.limit_us[i], was + 2);
            assert_int_equal(w.min[i], was + 3);
            assert_int_equal(w.account[i], was + 4);
            if (with_max)
                assert_int_equal(w.max[i], was + 5);
            if (i > 0)
                assert_true(
                    w.submit_us[i] > w.submit_us[i - 1] ||
                    (w.submit_us[i] == w.submit_us[i - 1] && was > w.run_us[i - 1] - 1));
        }
        rf_workload_clear(&w);
    }
}

static void accounts_have_one_number_each(void **unused)
{
    struct rf_workload w;
    struct rf_error err;
    int32_t index;

    (void)unused;
    assert_int_equal(rf_workload_create(&w, 0, NULL), RF_OK);
    for (int round = 0; round < 2; round++) {
        for (int32_t a = 0; a < 100; a++) {
            char name[16];

            snprintf(name, sizeof name, "a.b%d", (int)a);
            assert_int_equal(rf_workload_account(&w, name, &index, NULL), RF_OK);
            assert_int_equal(index, a);
            assert_string_equal(w.accounts[a], name);
        }
    }
    assert_int_equal(w.naccounts, 100);
    assert_int_equal(rf_workload_account(&w, "", &index, &err), RF_ERR_INPUT);
    rf_workload_clear(&w);
    rf_workload_clear(&w); /* twice is fine */
}

static void copies_follow_one_another_by_a_second(void **unused)
{
    struct rf_workload w;
    struct rf_error err;
    int32_t index;

    (void)unused;
    make(&w, 3, 1);
    assert_int_equal(rf_workload_account(&w, "x", &index, NULL), RF_OK);
    for (int i = 0; i < 3; i++)
        w.submit_us[i] = 5000000 + i * 10;
    assert_int_equal(rf_workload_repeat(&w, 3, NULL), RF_OK);
    assert_int_equal(w.n, 9);
    assert_int_equal(w.naccounts, 1);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(w.submit_us[i], 5000000 + i % 3 * 10 + i / 3 * 1000020);
        assert_int_equal(w.run_us[i], i % 3 + 1);
        assert_int_equal(w.min[i], i % 3 + 3);
        assert_int_equal(w.max[i], i % 3 + 5);
    }
    assert_int_equal(rf_workload_repeat(&w, 1, NULL), RF_OK);
    assert_int_equal(w.n, 9);
    assert_int_equal(rf_workload_repeat(&w, 0, &err), RF_ERR_ARG);
    assert_int_equal(rf_workload_repeat(&w, INT32_MAX, &err), RF_ERR_ARG);
    assert_int_equal(w.n, 9);
    rf_workload_clear(&w);
}

static struct rf_workload_spec spec_of(const char *source, const char *path)
{
    struct rf_workload_spec spec = {.unit = "auto", .default_account = "default", .repeat = 1};

    snprintf(spec.source, sizeof spec.source, "%s", source);
    snprintf(spec.path, sizeof spec.path, "%s", path);
    return spec;
}

static void a_specification_becomes_the_jobs_it_speaks_of(void **unused)
{
    struct rf_workload_spec spec = spec_of("auto", RF_TEST_DATA "/traces/small.swf");
    struct rf_trace_report report;
    struct rf_workload w;
    struct rf_error err;

    (void)unused;
    spec.repeat = 2;
    assert_int_equal(rf_intake(&w, &spec, 64, 1, &report, &err), RF_OK);
    assert_int_equal(w.n, 10);
    assert_int_equal(report.kept, 5);
    rf_workload_clear(&w);

    spec = spec_of("flood", "");
    spec.jobs = 100;
    assert_int_equal(rf_intake(&w, &spec, 64, 1, &report, &err), RF_OK);
    assert_int_equal(w.n, 100);
    assert_int_equal(report.lines, 0);
    assert_string_equal(w.source, "flood");
    rf_workload_clear(&w);

    spec = spec_of("nonsense", "");
    assert_int_equal(rf_intake(&w, &spec, 64, 1, NULL, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "no source 'nonsense'"));
    spec = spec_of("swf", RF_TEST_DATA "/traces/small.swf");
    snprintf(spec.unit, sizeof spec.unit, "gpus!");
    assert_int_equal(rf_intake(&w, &spec, 64, 1, NULL, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "gpus!"));
}

static void malleable_jobs_keep_their_device_time(void **unused)
{
    struct rf_workload_spec spec = spec_of("flood", "");
    struct rf_account_rule_spec rules[] = {{"user", "u0,u1,u2", "", "lab.%u"},
                                           {"user", "*", "", "labour"}};
    struct rf_workload rigid, w;
    int changed = 0;

    (void)unused;
    spec.jobs = 500;
    spec.size_max = 64;
    spec.rules = rules;
    spec.nrules = 2;
    assert_int_equal(rf_intake(&rigid, &spec, 64, 1, NULL, NULL), RF_OK);
    spec.malleable = 4;
    spec.nmalleable_accounts = 1;
    snprintf(spec.malleable_accounts[0], RF_NAME_BYTES, "lab");
    assert_int_equal(rf_intake(&w, &spec, 64, 1, NULL, NULL), RF_OK);
    for (int64_t i = 0; i < w.n; i++) {
        int64_t before = rigid.run_us[i] * rigid.min[i], after = w.run_us[i] * w.min[i];

        assert_int_equal(w.max[i], rigid.min[i]);
        assert_true(after >= before && after < before + w.min[i]);
        assert_true(w.limit_us[i] >= w.run_us[i]);
        if (strncmp(w.accounts[w.account[i]], "lab.", 4) == 0)
            assert_int_equal(w.min[i], (rigid.min[i] + 3) / 4);
        else
            assert_int_equal(w.min[i], rigid.min[i]);
        changed += w.min[i] != rigid.min[i];
    }
    assert_true(changed > 10);
    rf_workload_clear(&rigid);
    rf_workload_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorting_keeps_jobs_whole_and_ties_in_order),
        cmocka_unit_test(accounts_have_one_number_each),
        cmocka_unit_test(copies_follow_one_another_by_a_second),
        cmocka_unit_test(a_specification_becomes_the_jobs_it_speaks_of),
        cmocka_unit_test(malleable_jobs_keep_their_device_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
