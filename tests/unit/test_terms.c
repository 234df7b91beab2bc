/* Terms of a pledge: one text for each, and nothing else is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/terms.h"

static void the_defaults_are_the_empty_text(void **unused)
{
    struct rf_terms terms = rf_terms_make();
    char text[160] = "x";

    (void)unused;
    rf_terms_format(&terms, text, sizeof text);
    assert_string_equal(text, "");
    terms.delay_us = 5;
    assert_int_equal(rf_terms_parse(&terms, "", NULL), RF_OK);
    assert_int_equal(terms.delay_us, 0);
    assert_int_equal(terms.approve.den, 2);
}

static void every_key_is_read_and_written(void **unused)
{
    static const char *const TEXTS[] = {
        "credit_cap_us=3600000000,credit_expiry_us=86400000000,burst=1/2",
        "horizon_us=126230400000000,stock_devices=40000,catch_up=2/5",
        "approve=1/3,delay_us=172800000000,budget_us=9223372036854775807", "approve=0/1",
        "stock_devices=2147483647"};

    (void)unused;
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct rf_terms terms;
        struct rf_error err;
        char text[160];

        if (rf_terms_parse(&terms, TEXTS[i], &err) != RF_OK)
            fail_msg("%s", err.text);
        rf_terms_format(&terms, text, sizeof text);
        assert_string_equal(text, TEXTS[i]);
    }
}

static void what_would_not_be_written_is_refused(void **unused)
{
    static const char *const BAD[][2] = {
        {"budget_us=1,", "should read"},
        {",budget_us=1", "unknown"},
        {"budget_us=01", "should read"},
        {"budget_us=1,budget_us=2", "should read"},
        {"delay_us=0", "should read"},
        {"approve=1/2", "should read"},
        {"approve=2/4", "should read"},
        {"burst=50%", "should read"},
        {"delay_us=5,approve=1/3", "should read"},
        {"burst=3/2", "burst is a share"},
        {"delay_us=-1", "delay_us is an integer"},
        {"delay_us=x", "delay_us is an integer"},
        {"delay_us=", "delay_us is an integer"},
        {"delay_us=9223372036854775808", "should read"},
        {"stock_devices=2147483648", "stock_devices is a number of devices"},
        {"stock_devices=100000000000000000000000000000000000000000000000000", "stock_devices"},
        {"delay", "unknown: 'delay'"},
        {" delay_us=1", "unknown"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct rf_terms terms = rf_terms_make();
        struct rf_error err = {RF_OK, ""};

        terms.delay_us = 77;
        if (rf_terms_parse(&terms, BAD[i][0], &err) != RF_ERR_INPUT)
            fail_msg("taken: %s", BAD[i][0]);
        if (strstr(err.text, BAD[i][1]) == NULL)
            fail_msg("'%s': expected '%s'", err.text, BAD[i][1]);
        assert_int_equal(terms.delay_us, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_the_empty_text),
        cmocka_unit_test(every_key_is_read_and_written),
        cmocka_unit_test(what_would_not_be_written_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
