/* When a line about work under way comes, and what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/terminal.h"
#include "base/ticker.h"

static const int64_t SECOND_US = 1000000;

static void plain_lines_come_at_the_stated_interval(void **state)
{
    struct rf_ticker t = {.mode = RF_TICKER_PLAIN};
    int lines = 0;

    (void)state;
    for (int64_t now_us = 0; now_us <= 60 * SECOND_US; now_us += SECOND_US / 4)
        if (rf_ticker_due(&t, now_us, 0)) {
            t.shown_us = now_us;
            lines++;
        }
    assert_int_equal(lines, 60 / RF_TICKER_PLAIN_S);
}

static void changes_bring_a_plain_line_once_a_second_at_most(void **state)
{
    struct rf_ticker t = {.mode = RF_TICKER_PLAIN, .shown_us = 5 * SECOND_US};

    (void)state;
    assert_false(rf_ticker_due(&t, 5 * SECOND_US + SECOND_US / 2, 1));
    assert_true(rf_ticker_due(&t, 6 * SECOND_US, 1));
    assert_false(rf_ticker_due(&t, 6 * SECOND_US, 0));
    t.mode = RF_TICKER_OFF;
    assert_false(rf_ticker_due(&t, 100 * SECOND_US, 1));
}

static void quiet_and_silent_ranks_show_nothing(void **state)
{
    struct rf_ticker t;

    (void)state;
    rf_ticker_start(&t, 0);
    assert_int_equal(t.mode, RF_TICKER_OFF);
    rf_log_start(RF_LOG_QUIET, 1);
    rf_ticker_start(&t, 1);
    assert_int_equal(t.mode, RF_TICKER_OFF);
    rf_log_start(RF_LOG_WARN, 1);
}

static void a_bar_has_rate_and_time_left(void **state)
{
    struct rf_bar bar = {.what = "two words=x", .unit = "B"};
    char line[RF_TICKER_BYTES];

    (void)state;
    rf_bar_screen(&bar, 3000000, 12000000, 2, line, sizeof line);
    assert_string_equal(line, "two words=x [======                  ]  25%  1.5 MB/s  ETA 6 s");
    rf_bar_plain(&bar, 3000000, 12000000, 2, line, sizeof line);
    assert_string_equal(line, "progress what=two_words_x percent=25.0 elapsed_s=2.0 eta_s=6.0 "
                              "unit=B rate_per_s=1.5e+06 done=3000000 total=12000000");
    bar.unit = NULL;
    rf_bar_screen(&bar, 1, 100, 600, line, sizeof line);
    assert_string_equal(line, "two words=x [                        ]   1%  ETA 16.5 h");
    rf_bar_screen(&bar, 0, 100, 600, line, sizeof line); /* no rate yet */
    assert_string_equal(line, "two words=x [                        ]   0%");
    rf_bar_plain(&bar, 0, 0, 0, line, sizeof line);
    assert_string_equal(line, "progress what=two_words_x percent=100.0 elapsed_s=0.0");
    rf_bar_plain(&bar, 5, 10, 1, line, 12); /* cut, not overrun */
    assert_int_equal(strlen(line), 11);
}

static void colour_is_where_it_was_asked_for(void **state)
{
    enum rf_colour_wish wish;
    FILE *out = tmpfile();

    (void)state;
    assert_non_null(out);
    assert_string_equal(rf_terminal_on(out, RF_SHADE_GOOD), ""); /* auto, and a file */
    assert_true(rf_terminal_colour_parse("always", &wish));
    rf_terminal_colour(wish);
    setenv("NO_COLOR", "1", 1); /* what was said on the command line goes before it */
    assert_string_equal(rf_terminal_on(out, rf_terminal_shade("broken")), "\033[31m");
    assert_string_equal(rf_terminal_off(out, RF_SHADE_BAD), "\033[0m");
    assert_string_equal(rf_terminal_off(out, RF_SHADE_NONE), "");
    assert_string_equal(rf_terminal_on(out, rf_terminal_shade("brokenhearted")), "");
    assert_true(rf_terminal_colour_parse("never", &wish));
    rf_terminal_colour(wish);
    assert_string_equal(rf_terminal_on(out, RF_SHADE_GOOD), "");
    assert_false(rf_terminal_colour_parse("sometimes", &wish));
    unsetenv("NO_COLOR");
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines_come_at_the_stated_interval),
        cmocka_unit_test(changes_bring_a_plain_line_once_a_second_at_most),
        cmocka_unit_test(quiet_and_silent_ranks_show_nothing),
        cmocka_unit_test(a_bar_has_rate_and_time_left),
        cmocka_unit_test(colour_is_where_it_was_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
