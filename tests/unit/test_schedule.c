#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "sim/schedule.h"

enum { N = 2000 };
static int64_t id[N], submit[N], start[N], end[N];
static int32_t procs[N];
static char path[64];

static char *written(const struct rf_schedule *s)
{
    struct rf_error err;
    char *text;
    size_t size;

    snprintf(path, sizeof path, "test_schedule.%ld.csv", (long)getpid());
    if (rf_schedule_write(s, path, &err) != RF_OK)
        fail_msg("%s", err.text);
    assert_int_equal(rf_file_read(path, 1 << 24, &text, &size, NULL), RF_OK);
    assert_int_equal(strlen(text), size);
    unlink(path);
    return text;
}

static void times_have_the_decimals_they_need(void **unused)
{
    const int64_t times[6] = {0, 1000000, 1500000, 1, 123456789012345, 99999900000};
    const int64_t ends[6] = {1000000, 1000010, -1, 100, 123456789012340, 99999999999};
    const int32_t sizes[6] = {1, 99, 1, 100, 2147483647, 10};
    struct rf_schedule s = {6, NULL, times, times, ends, sizes};
    char *text = written(&s);

    (void)unused;
    assert_string_equal(text, "id,submit,start,end,procs\n"
                              "1,0,0,1,1\n"
                              "2,1,1,1.00001,99\n"
                              "4,0.000001,0.000001,0.0001,100\n"
                              "5,123456789.012345,123456789.012345,123456789.01234,2147483647\n"
                              "6,99999.9,99999.9,99999.999999,10\n");
    free(text);
}

static struct rf_schedule random_schedule(void)
{
    for (uint64_t i = 0; i < N; i++) {
        id[i] = (int64_t)(i * 7919 % N) - 5; /* all different, in no order */
        submit[i] = (int64_t)(rf_rng_bits(1, 1, i) >> (12 + i % 40));
        start[i] = submit[i] + (int64_t)rf_rng_below(1, 2, i, 1000000000);
        end[i] = i % 11 == 0 ? -1 : start[i] + (int64_t)rf_rng_below(1, 3, i, 1000000000);
        procs[i] = (int32_t)rf_rng_below(1, 4, i, 100000);
    }
    return (struct rf_schedule){N, id, submit, start, end, procs};
}

static int64_t microseconds(char **at)
{
    int64_t us = strtoll(*at, at, 10) * 1000000, unit = 100000;

    if (**at == '.')
        for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
            us += unit * (**at - '0');
    return us;
}

static void rows_come_by_id_and_say_what_was_given(void **unused)
{
    struct rf_schedule s = random_schedule();
    char *text = written(&s), *at = strchr(text, '\n') + 1;
    int64_t last = -100, rows = 0;

    (void)unused;
    for (; *at != '\0'; rows++) {
        int64_t row = strtoll(at, &at, 10), i = 0;

        assert_true(row > last);
        last = row;
        while (id[i] != row)
            i++;
        assert_true(end[i] >= 0);
        at++;
        assert_int_equal(microseconds(&at), submit[i]);
        at++;
        assert_int_equal(microseconds(&at), start[i]);
        at++;
        assert_int_equal(microseconds(&at), end[i]);
        at++;
        assert_int_equal(strtoll(at, &at, 10), procs[i]);
        assert_int_equal(*at++, '\n');
    }
    assert_int_equal(rows, N - (N + 10) / 11);
    free(text);
}

static struct rf_digest digest_of(const struct rf_schedule *s)
{
    struct rf_digest digest;

    assert_int_equal(rf_schedule_digest(s, &digest, NULL), RF_OK);
    return digest;
}

static void the_digest_is_that_of_the_rows(void **unused)
{
    struct rf_schedule s = random_schedule(), empty = {0, NULL, NULL, NULL, NULL, NULL};
    struct rf_digest first = digest_of(&s), second;
    char hex[RF_DIGEST_HEX];

    (void)unused;
    end[1]++; /* any change of a row changes it */
    second = digest_of(&s);
    assert_false(rf_digest_equal(&first, &second));
    end[1]--;
    start[11]++; /* a job without a row does not count */
    second = digest_of(&s);
    assert_true(rf_digest_equal(&first, &second));
    for (int64_t i = 0; i < N / 2; i++) { /* nor does the order in which the rows are given */
        int64_t j = N - 1 - i, *const arrays[4] = {id, submit, start, end};
        int32_t size = procs[i];

        for (int a = 0; a < 4; a++) {
            int64_t value = arrays[a][i];

            arrays[a][i] = arrays[a][j];
            arrays[a][j] = value;
        }
        procs[i] = procs[j];
        procs[j] = size;
    }
    second = digest_of(&s);
    assert_true(rf_digest_equal(&first, &second));
    second = digest_of(&empty); /* BLAKE2b-256 of nothing */
    rf_digest_to_hex(&second, hex);
    assert_string_equal(hex,
                        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

static void a_schedule_that_cannot_be_written_leaves_nothing(void **unused)
{
    struct rf_schedule s = random_schedule();
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_schedule_write(&s, "no/such/folder/x.csv", &err), RF_ERR_IO);
    assert_non_null(strstr(err.text, "no/such/folder/x.csv"));
    assert_false(rf_file_exists("no/such/folder/x.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_the_decimals_they_need),
        cmocka_unit_test(rows_come_by_id_and_say_what_was_given),
        cmocka_unit_test(the_digest_is_that_of_the_rows),
        cmocka_unit_test(a_schedule_that_cannot_be_written_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
