/* The figures of a schedule, recomputed from the schedules of independent simulators where
 * those are at hand, and against plain sorting where not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "sim/metrics.h"

static void a_mean_is_exact_where_a_double_sum_is_not(void **state)
{
    struct rf_sum sum = {0, 0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        rf_sum_add(&sum, INT64_MAX);
    assert_true(rf_sum_mean(&sum, 1000) == (double)INT64_MAX);
    assert_true(isnan(rf_sum_mean(&sum, 0)));
    sum = (struct rf_sum){0, 0};
    rf_sum_add(&sum, INT64_C(9007199254740993)); /* 2^53 + 1 */
    rf_sum_add(&sum, 1);
    assert_true(rf_sum_mean(&sum, 2) == 4503599627370497.0);
}

static void a_product_is_added_in_full(void **state)
{
    struct rf_sum sum = {0, 0}, other = {0, 0};

    (void)state;
    rf_sum_add_product(&sum, INT64_MAX, INT64_MAX); /* 2^126 - 2^64 + 1 */
    assert_true(sum.high == (UINT64_C(1) << 62) - 1 && sum.low == 1);
    for (int64_t i = 0; i < 200; i++) {
        int64_t a = (int64_t)(rf_rng_bits(1, 2, (uint64_t)i) >> 1);

        sum = other = (struct rf_sum){0, 0};
        rf_sum_add_product(&sum, a, 13 * i);
        for (int64_t k = 0; k < 13 * i; k++)
            rf_sum_add(&other, a);
        assert_true(sum.high == other.high && sum.low == other.low);
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* The least value that at least percent of n values do not exceed, by counting. */
static int64_t plain_percentile(const int64_t *sorted, int64_t n, int64_t percent)
{
    for (int64_t i = 0; i < n; i++)
        if (100 * (i + 1) >= percent * n)
            return sorted[i];
    return -1;
}

static void percentiles_are_those_of_the_sorted_values(void **state)
{
    enum { MOST = 400 };
    int64_t values[MOST], sorted[MOST];

    (void)state;
    for (int64_t n = 1; n <= MOST; n++)
        for (int kind = 0; kind < 4; kind++) {
            struct rf_spread spread;

            for (int64_t i = 0; i < n; i++) /* random, few different, rising, all equal */
                values[i] = kind == 0   ? (int64_t)(rf_rng_bits(7, 8, (uint64_t)i) >> 20)
                            : kind == 1 ? (int64_t)rf_rng_below(7, 9, (uint64_t)i, 3)
                            : kind == 2 ? i
                                        : 42;
            memcpy(sorted, values, (size_t)n * sizeof *values);
            qsort(sorted, (size_t)n, sizeof *sorted, by_size);
            spread = rf_spread_of(values, n);
            assert_true(spread.p50 == plain_percentile(sorted, n, 50));
            assert_true(spread.p95 == plain_percentile(sorted, n, 95));
            assert_true(spread.p99 == plain_percentile(sorted, n, 99));
            assert_true(spread.max == sorted[n - 1]);
            assert_true(spread.n == n);
        }
    assert_true(isnan(rf_spread_of(values, 0).mean));
}

static void slowdown_is_bounded_by_ten_seconds(void **state)
{
    (void)state;
    assert_true(rf_slowdown_millionths(1000000, 1000000) == 1000000);
    assert_true(rf_slowdown_millionths(10000000, 1) == 1000000); /* ten seconds are nothing */
    assert_true(rf_slowdown_millionths(25000000, 1) == 2500000);
    assert_true(rf_slowdown_millionths(400000000, 300000000) == 1333333);
    assert_true(rf_slowdown_millionths(INT64_C(1) << 60, 10000000) >
                INT64_C(115292150460) * 1000000);
}

static void every_wait_falls_into_its_bin(void **state)
{
    (void)state;
    for (int bin = 0; bin < RF_WAIT_BINS; bin++) {
        int64_t begin = rf_wait_bin_begin_us(bin);

        assert_int_equal(rf_wait_bin(begin), bin);
        if (bin > 0)
            assert_int_equal(rf_wait_bin(begin - 1), bin - 1);
    }
    assert_true(rf_wait_bin_begin_us(5) == 10000000);
    assert_int_equal(rf_wait_bin(INT64_MAX), RF_WAIT_BINS - 1);
}

/* ---- schedules of other simulators ---- */

struct figures {
    int64_t jobs;
    char wait[32], slowdown[32], utilisation[32];
    long long makespan_s;
};

/* id,submit,start,end,procs after a header line; waits and slowdowns are n long. */
static void figures_of(struct figures *figures, const char *csv, int64_t devices)
{
    struct rf_sum used = {0, 0};
    struct rf_spread wait, slowdown;
    int64_t room = 1, n = 0, first = INT64_MAX, last = 0;
    int64_t *waits, *slowdowns;

    for (const char *at = csv; *at != '\0'; at++)
        room += *at == '\n';
    waits = calloc((size_t)room, sizeof *waits);
    slowdowns = calloc((size_t)room, sizeof *slowdowns);
    assert_true(waits != NULL && slowdowns != NULL);
    for (const char *line = strchr(csv, '\n'); line != NULL && line[1] != '\0';
         line = strchr(line + 1, '\n')) {
        long long submit, start, end, procs;
        char row[128]; /* sscanf() would look for the end of the whole text */

        snprintf(row, sizeof row, "%.*s", (int)strcspn(line + 1, "\n"), line + 1);
        assert_int_equal(sscanf(row, "%*d,%lld,%lld,%lld,%lld", &submit, &start, &end, &procs),
                         4);
        waits[n] = (start - submit) * 1000000;
        slowdowns[n++] =
            rf_slowdown_millionths((end - submit) * 1000000, (end - start) * 1000000);
        rf_sum_add_product(&used, end - start, procs);
        first = submit < first ? submit : first;
        last = end > last ? end : last;
    }
    wait = rf_spread_of(waits, n);
    slowdown = rf_spread_of(slowdowns, n);
    figures->jobs = n;
    figures->makespan_s = last - first;
    snprintf(figures->wait, sizeof figures->wait, "%.4f", wait.mean / 1e6);
    snprintf(figures->slowdown, sizeof figures->slowdown, "%.4f", slowdown.mean / 1e6);
    snprintf(figures->utilisation, sizeof figures->utilisation, "%.6f",
             rf_sum_value(&used) / (double)devices / (double)(last - first));
    free(waits);
    free(slowdowns);
}

static int64_t devices_of(const char *file)
{
    static const struct {
        const char *trace;
        int64_t devices;
    } machines[] = {{"kth-sp2.", 100}, {"nasa.", 128}, {"atlas.", 9216}, {"hpc2n.", 240}};

    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (strncmp(file, machines[i].trace, strlen(machines[i].trace)) == 0)
            return machines[i].devices;
    return 0;
}

/* A line of SUMMARY.csv: file,jobs,mean_wait_s,mean_bsld,utilisation,makespan_s,sha256 */
static int check_line(const char *line)
{
    char file[64], wait[32], slowdown[32], utilisation[32], path[RF_PATH_BYTES];
    long long jobs, makespan_s;
    struct figures figures;
    char *csv = NULL;
    size_t size;
    struct rf_error err;

    if (sscanf(line, "%63[^,],%lld,%31[^,],%31[^,],%31[^,],%lld,", file, &jobs, wait, slowdown,
               utilisation, &makespan_s) != 6 ||
        devices_of(file) == 0)
        return 0;
    snprintf(path, sizeof path, "%s/../oracle/%s", RF_SHARED_DATA, file);
    if (rf_file_read(path, (size_t)1 << 28, &csv, &size, &err) != RF_OK)
        return 0;
    figures_of(&figures, csv, devices_of(file));
    free(csv);
    assert_true(figures.jobs == jobs);
    assert_string_equal(figures.wait, wait);
    assert_string_equal(figures.slowdown, slowdown);
    assert_string_equal(figures.utilisation, utilisation);
    assert_true(figures.makespan_s == makespan_s);
    return 1;
}

static void figures_of_other_simulators_schedules_come_out_the_same(void **state)
{
    char path[RF_PATH_BYTES], *text = NULL;
    size_t size;
    int checked = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/../oracle/SUMMARY.csv", RF_SHARED_DATA);
    if (rf_file_read(path, (size_t)1 << 20, &text, &size, NULL) != RF_OK) {
        print_message("no oracle schedules at %s: skipped\n", path);
        skip();
    }
    for (const char *line = strchr(text, '\n'); line != NULL; line = strchr(line + 1, '\n'))
        checked += check_line(line + 1);
    free(text);
    assert_true(checked > 0);
    print_message("%d schedules give the mean wait, slowdown and utilisation on record\n",
                  checked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mean_is_exact_where_a_double_sum_is_not),
        cmocka_unit_test(a_product_is_added_in_full),
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
        cmocka_unit_test(slowdown_is_bounded_by_ten_seconds),
        cmocka_unit_test(every_wait_falls_into_its_bin),
        cmocka_unit_test(figures_of_other_simulators_schedules_come_out_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
