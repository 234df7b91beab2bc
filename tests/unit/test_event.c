#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/event.h"

#define PREV ",\"prev\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}"

static const char *const LINES[] = {
    "{\"seq\":0,\"t_us\":5,\"type\":\"open\",\"run\":\"r \\\"q\\\" \\\\ \\u000a "
    "é\",\"version\":\"0.1\","
    "\"config\":\"\",\"seed\":-9223372036854775808,\"policy\":\"fcfs+floor\",\"grace_us\":"
    "30,\"heartbeat_us\":60,\"seal_us\":0" PREV,
    "{\"seq\":1,\"t_us\":5,\"type\":\"capacity\",\"devices\":\"0-3,7\",\"up\":1,\"reason\":"
    "\"joined\"" PREV,
    "{\"seq\":2,\"t_us\":5,\"type\":\"pledge\",\"account\":\"alignment\",\"share\":\"1/"
    "5\",\"basis\":\"fleet\","
    "\"fence\":\"floor\",\"terms\":\"\",\"window_us\":60,\"tolerance_us\":5,\"author\":"
    "\"board\",\"reason\":"
    "\"declared\"" PREV,
    "{\"seq\":3,\"t_us\":6,\"type\":\"request\",\"job\":2,\"name\":\"weak\",\"account\":"
    "\"alignment.w2s\",\"min\":1,"
    "\"max\":2,\"limit_us\":0,\"after\":[0,1],\"priority\":-2147483648,\"deadline_us\":9,"
    "\"held_limit_us\":8,\"flops_limit\":7,\"retries\":3" PREV,
    "{\"seq\":3,\"t_us\":6,\"type\":\"request\",\"job\":2,\"name\":\"weak\",\"account\":"
    "\"alignment.w2s\",\"min\":1,"
    "\"max\":2,\"limit_us\":0,\"after\":[],\"priority\":0,\"deadline_us\":0,"
    "\"held_limit_us\":0,\"flops_limit\":0,\"retries\":0" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"delay\",\"job\":0,\"reason\":\"devices-busy\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"deny\",\"job\":0,\"reason\":\"too-large\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"grant\",\"job\":0,\"lease\":0,\"devices\":\"0-1\","
    "\"lent\":1" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"charge\",\"job\":0,\"lease\":0,\"held_us\":9,\"busy_us\":"
    "8,\"tokens\":7,"
    "\"flops\":6,\"step\":5" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"preempt\",\"job\":0,\"lease\":0,\"reason\":\"reclaim\","
    "\"by\":-1" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"checkpoint\",\"job\":0,\"step\":3,\"digest\":"
    "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"path\":\"a/"
    "b\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"release\",\"job\":0,\"lease\":0,\"held_us\":0,"
    "\"reason\":\"preempted\",\"retry_us\":0" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"release\",\"job\":0,\"lease\":0,\"held_us\":0,"
    "\"reason\":\"failed\",\"retry_us\":3000000" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"limit\",\"account\":\"a.b\",\"held_limit_us\":5,"
    "\"flops_limit\":0,\"author\":\"board\",\"reason\":\"quarter-budget\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"dispute\",\"job\":0,\"lease\":0,\"reason\":"
    "\"overclaimed-busy\",\"busy_us\":9,\"tokens\":8,\"flops\":7" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"relabel\",\"job\":0,\"account\":\"b\",\"author\":"
    "\"ops\",\"reason\":\"wrong-account\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"measure\",\"flops\":90000000000,\"reason\":"
    "\"matrix-product\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"rotate\",\"vkey\":\"a+b\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"end\",\"job\":0,\"lease\":0,\"state\":\"done\","
    "\"held_us\":12,\"reason\":\"\"" PREV,
    "{\"seq\":2,\"t_us\":5,\"type\":\"policy\",\"policy\":\"easy+bank\",\"author\":\"board\","
    "\"reason\":\"new-leadership\"" PREV,
    "{\"seq\":2,\"t_us\":5,\"type\":\"reserve\",\"account\":\"\",\"count\":16,\"begin_us\":10,"
    "\"end_us\":20,\"author\":\"ops\",\"reason\":\"maintenance\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"shrink\",\"job\":0,\"lease\":0,\"devices\":\"1,3\","
    "\"held_us\":8,\"by\":2" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"grow\",\"job\":0,\"lease\":0,\"devices\":\"4\",\"held_"
    "us\":8,"
    "\"lent\":1" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"heartbeat\"" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"recover\",\"cut\":17" PREV,
    "{\"seq\":4,\"t_us\":6,\"type\":\"close\",\"reason\":\"signal\"" PREV,
};

enum { NLINES = sizeof LINES / sizeof *LINES };

static void every_type_is_read_and_written_byte_for_byte(void **unused)
{
    (void)unused;
    for (int i = 0; i < NLINES; i++) {
        struct rf_event e;
        struct rf_error err = {RF_OK, ""};
        char prev[45], text[1024];
        size_t n;

        if (rf_event_parse(&e, LINES[i], strlen(LINES[i]), prev, &err) != RF_OK)
            fail_msg("%s: %s", LINES[i], err.text);
        n = rf_event_format(&e, text, sizeof text);
        assert_int_equal(n, strlen(LINES[i]) - strlen(PREV));
        assert_memory_equal(text, LINES[i], n);
        assert_int_equal(strlen(prev), 44);
        rf_event_clear(&e);
    }
}

static void a_cut_line_is_refused_at_every_length(void **unused)
{
    (void)unused;
    for (int i = 0; i < NLINES; i++) {
        for (size_t n = 0; n < strlen(LINES[i]); n++) {
            struct rf_event e;

            assert_int_equal(rf_event_parse(&e, LINES[i], n, NULL, NULL), RF_ERR_INPUT);
            rf_event_clear(&e);
        }
    }
}

static void what_would_not_be_written_is_refused(void **unused)
{
    static const char *const BAD[] = {
        "{ \"seq\":4,\"t_us\":6,\"type\":\"heartbeat\"" PREV,
        "{\"t_us\":6,\"seq\":4,\"type\":\"heartbeat\"" PREV,
        "{\"seq\":04,\"t_us\":6,\"type\":\"heartbeat\"" PREV,
        "{\"seq\":4,\"t_us\":-0,\"type\":\"heartbeat\"" PREV,
        "{\"seq\":4,\"t_us\":6.0,\"type\":\"heartbeat\"" PREV,
        "{\"seq\":4,\"t_us\":9223372036854775808,\"type\":\"heartbeat\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"heartbeat\",\"x\":1" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"unknown\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"close\",\"reason\":\"\\u0041\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"close\",\"reason\":\"\\n\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"close\",\"reason\":\"\\u0000\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"close\",\"reason\":\"\\u001A\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"close\",\"reason\":\"\xc0\x80\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"close\",\"reason\":\"\xed\xa0\x80\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"close\",\"reason\":\"\t\"" PREV,
        "{\"seq\":1,\"t_us\":5,\"type\":\"capacity\",\"devices\":\"3,0-2\",\"up\":1" PREV,
        "{\"seq\":1,\"t_us\":5,\"type\":\"capacity\",\"devices\":\"0-2\",\"up\":"
        "3000000000" PREV,
        "{\"seq\":3,\"t_us\":6,\"type\":\"request\",\"job\":2,\"name\":\"w\",\"account\":\"a\","
        "\"min\":1,\"max\":2,"
        "\"limit_us\":0,\"after\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],\"priority\":0,"
        "\"deadline_us\":0,\"held_limit_us\":0,\"flops_limit\":0,\"retries\":0" PREV,
        /* a ledger from before there were priorities */
        "{\"seq\":3,\"t_us\":6,\"type\":\"request\",\"job\":2,\"name\":\"w\",\"account\":\"a\","
        "\"min\":1,\"max\":2,\"limit_us\":0,\"after\":[]" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"checkpoint\",\"job\":0,\"step\":3,\"digest\":\"abc\","
        "\"path\":\"p\"" PREV,
        "{\"seq\":4,\"t_us\":6,\"type\":\"heartbeat\"" PREV " ",
    };
    struct rf_error err;

    (void)unused;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct rf_event e;

        if (rf_event_parse(&e, BAD[i], strlen(BAD[i]), NULL, &err) != RF_ERR_INPUT)
            fail_msg("taken: %s", BAD[i]);
        assert_non_null(strstr(err.text, "column "));
        rf_event_clear(&e);
    }
}

static void a_short_buffer_gets_a_cut_text_and_the_full_length(void **unused)
{
    struct rf_event e = rf_event_make(RF_EVENT_HEARTBEAT, 6);
    char whole[128], part[128];
    size_t n = rf_event_format(&e, whole, sizeof whole);

    (void)unused;
    for (size_t size = 0; size <= n; size++) {
        memset(part, 'x', sizeof part);
        assert_int_equal(rf_event_format(&e, part, size), n);
        if (size > 0) {
            assert_memory_equal(part, whole, size - 1);
            assert_int_equal(part[size - 1], '\0');
        }
        assert_int_equal(part[size], 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read_and_written_byte_for_byte),
        cmocka_unit_test(a_cut_line_is_refused_at_every_length),
        cmocka_unit_test(what_would_not_be_written_is_refused),
        cmocka_unit_test(a_short_buffer_gets_a_cut_text_and_the_full_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
