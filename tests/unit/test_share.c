#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/share.h"

static struct rf_share share(const char *text)
{
    struct rf_share s = {0, 1};

    assert_int_equal(rf_share_parse(&s, text, NULL), RF_OK);
    return s;
}

static void equal_texts_give_equal_shares(void **unused)
{
    static const char *const FIFTHS[] = {"20%", "0.2", "1/5", "20.0%", "0.20", "2/10", "020%"};

    (void)unused;
    for (size_t i = 0; i < sizeof FIFTHS / sizeof *FIFTHS; i++) {
        struct rf_share s = share(FIFTHS[i]);

        assert_int_equal(s.num, 1);
        assert_int_equal(s.den, 5);
    }
    assert_int_equal(share("12.5%").den, 8);
    assert_int_equal(share("0%").num, 0);
    assert_int_equal(share("100%").num, 1);
    assert_int_equal(share("1").den, 1);
    assert_int_equal(share("0.000000001").den, 1000000000);
}

static void what_is_no_share_is_refused(void **unused)
{
    static const char *const BAD[] = {"",
                                      "%",
                                      "101%",
                                      "1.5",
                                      "2/1",
                                      "1/0",
                                      "-1%",
                                      "20 %",
                                      " 20%",
                                      "1/5%",
                                      "20%%",
                                      ".5",
                                      "5.",
                                      "1e-1",
                                      "1/x",
                                      "nan",
                                      "0.0000000001",
                                      "1/1000000001",
                                      "99999999999999999999%",
                                      "0.00000000000000000000000000000000000000000"};
    struct rf_error err;

    (void)unused;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct rf_share s;

        if (rf_share_parse(&s, BAD[i], &err) != RF_ERR_INPUT)
            fail_msg("'%s' was taken for a share", BAD[i]);
    }
}

static void the_text_form_comes_back(void **unused)
{
    struct rf_share s = share("12.5%");
    char text[32];

    (void)unused;
    rf_share_format(&s, text, sizeof text);
    assert_string_equal(text, "1/8");
}

static void parts_are_exact_and_rounded_down(void **unused)
{
    struct rf_share fifth = share("1/5"), third = share("1/3"),
                    odd = share("999999999/1000000000");

    (void)unused;
    assert_int_equal(rf_share_of(&fifth, 24), 4);
    assert_int_equal(rf_share_of(&fifth, 25), 5);
    assert_int_equal(rf_share_of(&third, INT64_MAX), INT64_MAX / 3);
    /* 2^63 - 1 = 9223372036 x 10^9 + 854775807, so x (1 - 10^-9) takes 9223372037 off, rounded
     * up */
    assert_int_equal(rf_share_of(&odd, INT64_MAX), INT64_MAX - INT64_C(9223372037));
    assert_int_equal(rf_share_of(&fifth, 0), 0);
}

static void below_is_exact(void **unused)
{
    struct rf_share fifth = share("1/5"), one = share("1"), zero = share("0");

    (void)unused;
    assert_true(rf_share_below(&fifth, 4, 24)); /* 4 < 4.8 */
    assert_false(rf_share_below(&fifth, 5, 24));
    assert_false(rf_share_below(&fifth, 5, 25)); /* 5 = 5 */
    assert_true(rf_share_below(&one, INT64_MAX - 1, INT64_MAX));
    assert_false(rf_share_below(&one, INT64_MAX, INT64_MAX));
    assert_false(rf_share_below(&zero, 0, INT64_MAX));
}

static void parts_taken_bit_by_bit_add_up(void **unused)
{
    static const struct rf_share SHARES[] = {
        {0, 1},       {1, 1},       {1, 5},          {1, 3},
        {1023, 1024}, {1025, 1026}, {1, 1000000000}, {999999999, 1000000000}};

    (void)unused;
    for (size_t i = 0; i < sizeof SHARES / sizeof *SHARES; i++) {
        int64_t total = 0, taken = 0, carry = 0, amount = 1;

        for (int k = 0; k < 62; k++, amount += amount / 2 + 1) {
            total += amount;
            taken += rf_share_take(&SHARES[i], amount, &carry);
            assert_int_equal(taken, rf_share_of(&SHARES[i], total));
            assert_in_range(carry, 0, SHARES[i].den - 1);
        }
        taken = rf_share_take(&SHARES[i], INT64_MAX, &(int64_t){0});
        assert_int_equal(taken, rf_share_of(&SHARES[i], INT64_MAX));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_give_equal_shares),
        cmocka_unit_test(what_is_no_share_is_refused),
        cmocka_unit_test(the_text_form_comes_back),
        cmocka_unit_test(parts_are_exact_and_rounded_down),
        cmocka_unit_test(below_is_exact),
        cmocka_unit_test(parts_taken_bit_by_bit_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
