#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "align/stats.h"

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.12g, want %.12g", got, want);
}

static void mean_and_error_are_those_of_the_textbook(void **state)
{
    const double x[] = {2, 4, 4, 4, 5, 5, 7, 9};

    (void)state;
    assert_near(rf_stats_mean(x, 8), 5, 0);
    assert_near(rf_stats_variance(x, 8), 32.0 / 7, 1e-15);
    assert_near(rf_stats_mean_se(x, 8), sqrt(32.0 / 7 / 8), 1e-15);
    assert_near(rf_stats_variance(x, 1), 0, 0);
    assert_true(isnan(rf_stats_mean(x, 0)));
}

static void quantiles_interpolate_and_end_at_the_extremes(void **state)
{
    double x[] = {40, 10, NAN, 20, 30};

    (void)state;
    rf_stats_sort(x, 5);
    assert_true(isnan(x[4]));
    assert_near(rf_stats_quantile(x, 4, 0), 10, 0);
    assert_near(rf_stats_quantile(x, 4, 1), 40, 0);
    assert_near(rf_stats_quantile(x, 4, 0.5), 25, 1e-12);
    assert_near(rf_stats_quantile(x, 4, 0.1), 13, 1e-12);
    assert_near(rf_stats_quantile(x, 1, 0.3), 10, 0);
}

/* 10 of 100: figures of the score interval as R's prop.test(correct = FALSE) prints them. */
static void wilson_interval_matches_known_figures_and_stays_inside(void **state)
{
    struct rf_interval tenth = rf_stats_wilson(0.1, 100), none = rf_stats_wilson(0, 20);

    (void)state;
    assert_near(tenth.low, 0.05522914, 1e-7);
    assert_near(tenth.high, 0.1743657, 1e-7);
    assert_near(none.low, 0, 1e-12);
    assert_true(none.high > 0.1 && none.high < 0.2);
}

static void one_column_gives_the_ordinary_standard_error(void **state)
{
    const double x[] = {1, 0, 0, 1, 1, 0, -1, 1, 0};

    (void)state;
    assert_near(rf_stats_two_way_se(x, 9, 1), rf_stats_mean_se(x, 9), 1e-15);
    assert_near(rf_stats_two_way_se(x, 1, 9), rf_stats_mean_se(x, 9), 1e-15);
}

/* The same answers in every seed are not more evidence. */
static void repeated_seeds_do_not_shrink_the_error(void **state)
{
    const double once[] = {1, 0, 0, 1, 1, 0, -1, 1, 0};
    double thrice[27];

    (void)state;
    for (int i = 0; i < 27; i++)
        thrice[i] = once[i / 3];
    assert_near(rf_stats_two_way_se(thrice, 9, 3), rf_stats_mean_se(once, 9), 1e-12);
}

/* All items alike, seeds apart: only the seeds count. */
static void differing_seeds_show_in_the_error(void **state)
{
    const double seeds[] = {0.1, 0.2, 0.6};
    double x[300];

    (void)state;
    for (int i = 0; i < 300; i++)
        x[i] = seeds[i % 3];
    assert_near(rf_stats_two_way_se(x, 100, 3), rf_stats_mean_se(seeds, 3), 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_error_are_those_of_the_textbook),
        cmocka_unit_test(quantiles_interpolate_and_end_at_the_extremes),
        cmocka_unit_test(wilson_interval_matches_known_figures_and_stays_inside),
        cmocka_unit_test(one_column_gives_the_ordinary_standard_error),
        cmocka_unit_test(repeated_seeds_do_not_shrink_the_error),
        cmocka_unit_test(differing_seeds_show_in_the_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
