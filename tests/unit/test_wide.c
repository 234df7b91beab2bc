/* Sums of 128 bits, at the borders of their halves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/wide.h"

static const int64_t NUMBERS[] = {0,
                                  1,
                                  2,
                                  999,
                                  INT32_MAX,
                                  INT64_C(1) << 31,
                                  INT64_C(1) << 32,
                                  (INT64_C(1) << 32) + 1,
                                  INT64_C(1000000000000000000),
                                  INT64_MAX - 1,
                                  INT64_MAX};

enum { N = sizeof NUMBERS / sizeof *NUMBERS };

static void assert_text(struct rf_wide a, const char *text)
{
    char buf[RF_WIDE_BYTES];

    assert_string_equal(rf_wide_text(a, buf), text);
}

static void a_product_divides_back_into_its_factors(void **ctx)
{
    (void)ctx;
    for (int i = 0; i < N; i++)
        for (int k = 1; k < N; k++) {
            struct rf_wide product = rf_wide_product(NUMBERS[i], NUMBERS[k]), quotient;
            int64_t rest;

            rf_wide_add(&product, NUMBERS[k] - 1);
            quotient = rf_wide_divide(product, NUMBERS[k], &rest);
            assert_true(rest == NUMBERS[k] - 1);
            assert_int_equal(rf_wide_compare(quotient, rf_wide_of(NUMBERS[i])), 0);
        }
}

static void products_are_what_they_are_by_hand(void **ctx)
{
    struct rf_wide four_years = rf_wide_product(100000, INT64_C(126230400000000));
    struct rf_wide largest = rf_wide_product(INT64_MAX, INT64_MAX);

    (void)ctx;
    assert_text(four_years, "12623040000000000000");
    assert_true(rf_wide_double(four_years) == 12623040000000000000.0);
    assert_text(largest, "85070591730234615847396907784232501249");
    assert_text(rf_wide_product(INT64_C(1) << 32, INT64_C(1) << 32), "18446744073709551616");
}

static void sums_carry_and_differences_borrow(void **ctx)
{
    struct rf_wide sum = {UINT64_MAX, 0}, before = sum;

    (void)ctx;
    rf_wide_add(&sum, 1);
    assert_true(sum.low == 0 && sum.high == 1);
    assert_int_equal(rf_wide_compare(before, sum), -1);
    assert_int_equal(rf_wide_compare(sum, before), 1);
    rf_wide_add(&sum, -1);
    assert_int_equal(rf_wide_compare(before, sum), 0);
    rf_wide_add_product(&sum, INT64_MAX, 2);
    assert_text(sum, "36893488147419103229");
    assert_text(rf_wide_minus(before, sum), "-18446744073709551614");
    assert_true(rf_wide_double(rf_wide_minus(before, sum)) == -18446744073709551616.0);
}

static void the_lesser_and_the_greater_know_signs(void **ctx)
{
    struct rf_wide minus = rf_wide_of(-5), zero = {0, 0}, wide = {0, 1};

    (void)ctx;
    assert_text(rf_wide_least(wide, minus), "-5");
    assert_text(rf_wide_most(minus, wide), "18446744073709551616");
    assert_text(rf_wide_most(minus, zero), "0");
    assert_int_equal(rf_wide_sign(minus), -1);
    assert_int_equal(rf_wide_sign(zero), 0);
    assert_int_equal(rf_wide_sign(wide), 1);
}

static void narrowing_stops_at_the_borders_of_63_bits(void **ctx)
{
    struct rf_wide most = rf_wide_of(INT64_MAX), least = rf_wide_of(INT64_MIN);

    (void)ctx;
    assert_true(rf_wide_narrow(most) == INT64_MAX);
    assert_true(rf_wide_narrow(least) == INT64_MIN);
    assert_true(rf_wide_narrow(rf_wide_of(-1)) == -1);
    rf_wide_add(&most, 1);
    rf_wide_add(&least, -1);
    assert_true(rf_wide_narrow(most) == INT64_MAX);
    assert_true(rf_wide_narrow(least) == INT64_MIN);
    assert_text(most, "9223372036854775808");
    assert_text(least, "-9223372036854775809");
}

static void a_part_is_exact_beyond_63_bits(void **ctx)
{
    struct rf_wide total = rf_wide_product(100000, INT64_C(126230400000000));

    (void)ctx;
    assert_text(rf_wide_part(total, 1, 5), "2524608000000000000");
    assert_text(rf_wide_part(total, 1, 1), "12623040000000000000");
    assert_text(rf_wide_part(total, 0, 7), "0");
    rf_wide_add(&total, 6); /* ...006 / 7 = 1803291428571428572, rest 2 */
    assert_text(rf_wide_part(total, 1, 7), "1803291428571428572");
    assert_text(
        rf_wide_part(rf_wide_product(INT64_MAX, INT64_C(1) << 40), 999999999, 1000000000),
        "10141204791684630409048278804357");
}

static void doubles_come_back_as_they_were(void **ctx)
{
    static const double EXACT[] = {0,
                                   1,
                                   -1,
                                   4503599627370497.0,
                                   12623040000000000000.0,
                                   18446744073709551616.0,
                                   -36893488147419103232.0,
                                   1e37};

    (void)ctx;
    for (size_t i = 0; i < sizeof EXACT / sizeof *EXACT; i++)
        assert_true(rf_wide_double(rf_wide_of_double(EXACT[i])) == EXACT[i]);
    assert_text(rf_wide_of_double(2.75), "2");
    assert_text(rf_wide_of_double(18446744073709551616.0 * 3), "55340232221128654848");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_divides_back_into_its_factors),
        cmocka_unit_test(products_are_what_they_are_by_hand),
        cmocka_unit_test(sums_carry_and_differences_borrow),
        cmocka_unit_test(the_lesser_and_the_greater_know_signs),
        cmocka_unit_test(narrowing_stops_at_the_borders_of_63_bits),
        cmocka_unit_test(a_part_is_exact_beyond_63_bits),
        cmocka_unit_test(doubles_come_back_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
