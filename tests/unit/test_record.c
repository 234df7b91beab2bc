/* What jobs leave behind comes back as it was, and damage is named with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "job/record.h"

static char dir[] = "/tmp/ringfence-record-XXXXXX";

static int make_dir(void **unused)
{
    char jobs[64];
    struct rf_error err;

    (void)unused;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(jobs, sizeof jobs, "%s/jobs", dir);
    return rf_file_mkdir(jobs, &err) == RF_OK ? 0 : -1;
}

static int remove_dir(void **unused)
{
    struct rf_error err;

    (void)unused;
    return rf_file_remove_tree(dir, &err) == RF_OK ? 0 : -1;
}

static void write_raw(const char *name, const char *text)
{
    char path[128];
    struct rf_error err;

    snprintf(path, sizeof path, "%s/jobs/%s", dir, name);
    assert_int_equal(rf_file_write(path, text, strlen(text), &err), RF_OK);
}

static void soft_labels_come_back_bit_for_bit(void **unused)
{
    struct rf_predictions p, q;
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_predictions_make(&p, 500, 3, 0, &err), RF_OK);
    for (int i = 0; i < 1500; i++)
        p.prob[i] = (float)rf_rng_uniform(1, 2, (uint64_t)i);
    assert_int_equal(rf_predictions_write(&p, dir, "soft", &err), RF_OK);
    assert_int_equal(rf_predictions_read(&q, 500, 3, 0, dir, "soft", &err), RF_OK);
    assert_memory_equal(p.prob, q.prob, 1500 * sizeof(float));
    assert_null(q.truth);
    rf_predictions_clear(&p);
    rf_predictions_clear(&q);
}

static void many_classes_keep_the_best_one_only(void **unused)
{
    struct rf_predictions p, q;
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_predictions_make(&p, 4, 1968, 1, &err), RF_OK);
    assert_null(p.prob);
    for (int i = 0; i < 4; i++) {
        p.best[i] = 400 * i;
        p.truth[i] = 1967 - i;
    }
    assert_int_equal(rf_predictions_write(&p, dir, "moves", &err), RF_OK);
    assert_int_equal(rf_predictions_read_test(&q, dir, "moves", &err), RF_OK);
    assert_int_equal(q.n, 4);
    assert_memory_equal(p.best, q.best, 4 * sizeof(int32_t));
    assert_memory_equal(p.truth, q.truth, 4 * sizeof(int32_t));
    rf_predictions_clear(&p);
    rf_predictions_clear(&q);
}

static void damaged_lines_are_named(void **unused)
{
    const char *const bad[] = {"0.5\t0.5\n0.5\n", "0.5\t0.5\n0.5\t0.5\t0\n",
                               "0.5\t0.5\nx\t0.5\n", "0.5\t0.5\n2.5\t0.5\n",
                               "0.5\t0.5\nnan\t0.5\n"};
    struct rf_predictions p;
    struct rf_error err;

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_raw("bad.labels", bad[i]);
        assert_int_equal(rf_predictions_read(&p, 2, 2, 0, dir, "bad", &err), RF_ERR_INPUT);
        assert_non_null(strstr(err.text, "bad.labels:2:"));
    }
    write_raw("bad.labels", "0.5\t0.5\n");
    assert_int_equal(rf_predictions_read(&p, 2, 2, 0, dir, "bad", &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "has 1 lines, expected 2"));
}

static void a_curve_is_cut_at_the_step_that_training_continues_from(void **unused)
{
    struct rf_curve curve = {0}, back = {0};
    struct rf_error err;

    (void)unused;
    for (int i = 1; i <= 300; i++) {
        struct rf_curve_point p = {i, 1.0 / i, 1e-3, 2.0, 1000000 + i, i == 3 ? 2.5 : NAN};

        assert_int_equal(rf_curve_add(&curve, &p, &err), RF_OK);
    }
    assert_int_equal(rf_curve_write(&curve, dir, "job", &err), RF_OK);
    assert_int_equal(rf_curve_read(&back, dir, "job", 120, &err), RF_OK);
    assert_int_equal(back.npoints, 120);
    assert_true(back.points[119].step == 120);
    assert_float_equal(back.points[119].loss, 1.0 / 120, 1e-9);
    assert_float_equal(back.points[2].validation, 2.5, 1e-12);
    assert_true(isnan(back.points[119].validation));
    rf_curve_clear(&back);
    assert_int_equal(rf_curve_read(&back, dir, "nobody", 120, &err), RF_OK);
    assert_int_equal(back.npoints, 0);
    write_raw("bad.curve", "1\t2\t3\t4\t5\n2\t2\t3\n");
    assert_int_equal(rf_curve_read(&back, dir, "bad", 9, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "bad.curve:2:"));
    rf_curve_clear(&back);
    rf_curve_clear(&curve);
}

static void metrics_come_back_by_name(void **unused)
{
    struct rf_metrics m = {0}, back;
    struct rf_error err;

    (void)unused;
    rf_metrics_add(&m, "test_accuracy", 1.0 / 3.0);
    rf_metrics_add(&m, "parameters", 79512);
    assert_int_equal(rf_record_metrics_write(&m, dir, "job", &err), RF_OK);
    assert_int_equal(rf_record_metrics_read(&back, dir, "job", &err), RF_OK);
    assert_true(rf_metrics_get(&back, "test_accuracy") == 1.0 / 3.0);
    assert_true(isnan(rf_metrics_get(&back, "no such")));
}

/* Text after a NUL would be left out without a word. */
static void a_nul_byte_is_refused(void **unused)
{
    static const char bytes[] = "1\t0.5\t0.1\t1\t10\n\0"
                                "2\t0.4\t0.1\t1\t20\n";
    struct rf_curve curve = {0};
    struct rf_predictions p;
    char path[128];
    struct rf_error err;

    (void)unused;
    snprintf(path, sizeof path, "%s/jobs/nul.curve", dir);
    assert_int_equal(rf_file_write(path, bytes, sizeof bytes - 1, &err), RF_OK);
    assert_int_equal(rf_curve_read(&curve, dir, "nul", 10, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "nul.curve' holds a NUL byte"));
    assert_int_equal(curve.npoints, 0);
    snprintf(path, sizeof path, "%s/jobs/nul.test", dir);
    assert_int_equal(rf_file_write(path, bytes, sizeof bytes - 1, &err), RF_OK);
    assert_int_equal(rf_predictions_read_test(&p, dir, "nul", &err), RF_ERR_INPUT);
    rf_curve_clear(&curve);
    rf_predictions_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soft_labels_come_back_bit_for_bit),
        cmocka_unit_test(many_classes_keep_the_best_one_only),
        cmocka_unit_test(damaged_lines_are_named),
        cmocka_unit_test(a_curve_is_cut_at_the_step_that_training_continues_from),
        cmocka_unit_test(metrics_come_back_by_name),
        cmocka_unit_test(a_nul_byte_is_refused),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
