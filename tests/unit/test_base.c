#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/digest.h"
#include "base/idset.h"
#include "base/rng.h"
#include "base/slice.h"

/* ---- idset: against a plain array of flags ---------------------------- */

enum { NIDS = 40 };

static void a_set_agrees_with_plain_flags(void **unused)
{
    struct rf_idset set = {0};
    char has[NIDS] = {0}, text[256];

    (void)unused;
    for (uint64_t i = 0; i < 4000; i++) {
        int32_t begin = (int32_t)rf_rng_below(1, 0, i, NIDS);
        int32_t end = begin + 1 + (int32_t)rf_rng_below(1, 1, i, (uint64_t)(NIDS - begin));
        int add = (int)rf_rng_below(1, 2, i, 2), expected = 1, count = 0;
        struct rf_idset range = {0}, again = {0};

        for (int32_t k = begin; k < end; k++)
            expected = expected && has[k] != add;
        assert_int_equal(rf_idset_add(&range, begin, end, NULL), RF_OK);
        assert_int_equal(add ? rf_idset_add_set(&set, &range, NULL)
                             : rf_idset_remove_set(&set, &range, NULL),
                         expected ? RF_OK : RF_ERR_ARG);
        if (expected)
            memset(has + begin, add, (size_t)(end - begin));
        for (int32_t k = 0; k < NIDS; k++) {
            assert_int_equal(rf_idset_has(&set, k), has[k]);
            if (has[k])
                assert_int_equal(rf_idset_at(&set, count++), k);
        }
        assert_int_equal(rf_idset_count(&set), count);
        assert_true(rf_idset_format(&set, text, sizeof text) < sizeof text);
        assert_int_equal(rf_idset_parse(&again, text, NULL), RF_OK);
        assert_int_equal(again.nranges, set.nranges);
        rf_idset_clear(&again);
        rf_idset_clear(&range);
    }
    rf_idset_clear(&set);
}

static void take_gives_the_lowest_or_nothing(void **unused)
{
    struct rf_idset set = {0}, taken = {0};
    char text[32];

    (void)unused;
    assert_int_equal(rf_idset_parse(&set, "2-3,7,9-10", NULL), RF_OK);
    assert_int_equal(rf_idset_take(&set, 6, &taken, NULL), RF_ERR_FULL);
    assert_int_equal(rf_idset_count(&taken), 0);
    assert_int_equal(rf_idset_take(&set, 4, &taken, NULL), RF_OK);
    rf_idset_format(&taken, text, sizeof text);
    assert_string_equal(text, "2-3,7,9");
    rf_idset_format(&set, text, sizeof text);
    assert_string_equal(text, "10");
    rf_idset_clear(&set);
    rf_idset_clear(&taken);
}

static void a_set_has_one_text(void **unused)
{
    static const char *const BAD[] = {"0,1", "1,0", "3-3",   "3-2",   "01",
                                      "1,",  ",1",  "1,,2",  "-1",    "1-",
                                      "a",   "1 ",  "0-2,2", "0-2,3", "2147483647"};

    (void)unused;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct rf_idset set = {0};

        if (rf_idset_parse(&set, BAD[i], NULL) != RF_ERR_INPUT)
            fail_msg("'%s' was taken for a set", BAD[i]);
        assert_int_equal(set.nranges, 0);
    }
}

/* ---- slice ------------------------------------------------------------ */

static void slices_cover_everything_once(void **unused)
{
    (void)unused;
    for (int64_t n = 0; n < 40; n++) {
        for (int p = 1; p < 12; p++) {
            int64_t next = 0;

            for (int i = 0; i < p; i++) {
                struct rf_slice s = rf_slice(n, i, p);

                assert_int_equal(s.begin, next);
                assert_true(s.count == n / p || s.count == n / p + 1);
                next += s.count;
            }
            assert_int_equal(next, n);
        }
    }
}

/* ---- rng -------------------------------------------------------------- */

static void numbers_depend_on_seed_stream_and_index_only(void **unused)
{
    uint64_t s = rf_rng_stream("init", 3);

    (void)unused;
    assert_int_equal(rf_rng_bits(7, s, 9), rf_rng_bits(7, s, 9));
    assert_int_not_equal(rf_rng_bits(7, s, 9), rf_rng_bits(8, s, 9));
    assert_int_not_equal(rf_rng_bits(7, s, 9), rf_rng_bits(7, s, 10));
    assert_int_not_equal(s, rf_rng_stream("init", 4));
    assert_int_not_equal(s, rf_rng_stream("batch", 3));
}

static void numbers_have_the_moments_they_should(void **unused)
{
    enum { N = 20000 };
    double sum = 0, normal = 0, square = 0;

    (void)unused;
    for (uint64_t i = 0; i < N; i++) {
        double u = rf_rng_uniform(1, 2, i), z = rf_rng_normal(1, 3, i);

        assert_true(u >= 0 && u < 1);
        assert_true(rf_rng_below(1, 4, i, 7) < 7);
        sum += u;
        normal += z;
        square += z * z;
    }
    assert_true(fabs(sum / N - 0.5) < 0.02); /* more than nine standard errors */
    assert_true(fabs(normal / N) < 0.06);
    assert_true(fabs(square / N - 1) < 0.09);
}

static void a_shuffle_is_a_permutation(void **unused)
{
    int32_t order[100];
    char seen[100] = {0};
    int moved = 0;

    (void)unused;
    rf_rng_shuffle(5, 6, order, 100);
    for (int32_t i = 0; i < 100; i++) {
        assert_in_range(order[i], 0, 99);
        assert_false(seen[order[i]]);
        seen[order[i]] = 1;
        moved += order[i] != i;
    }
    assert_true(moved > 80);
}

/* ---- digest ----------------------------------------------------------- */

static void digests_are_those_of_the_standard(void **unused)
{
    struct rf_digest d = rf_digest_of("abc", 3), back;
    struct rf_hash hash;
    char hex[RF_DIGEST_HEX], base64[RF_DIGEST_BASE64];

    (void)unused;
    rf_digest_to_hex(&d, hex); /* FIPS 180-2, B.1 */
    assert_string_equal(hex,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    rf_hash_start(&hash);
    rf_hash_add(&hash, "a", 1);
    rf_hash_add(&hash, "bc", 2);
    back = rf_hash_end(&hash);
    assert_true(rf_digest_equal(&d, &back));
    rf_digest_to_base64(&d, base64);
    assert_string_equal(base64, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    memset(&back, 0, sizeof back);
    assert_int_equal(rf_digest_from_base64(&back, base64, 44), 0);
    assert_true(rf_digest_equal(&d, &back));
    base64[42] = '1'; /* the two bits that must be zero */
    assert_int_equal(rf_digest_from_base64(&back, base64, 44), -1);
    assert_int_equal(rf_digest_from_base64(&back, base64, 43), -1);
    rf_digest_to_base64(&d, base64);
    for (int i = 0; i < 44; i++) { /* some decoders take these for letters */
        base64[i] = (char)(base64[i] ^ 0x80);
        assert_int_equal(rf_digest_from_base64(&back, base64, 44), -1);
        base64[i] = (char)(base64[i] ^ 0x80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_agrees_with_plain_flags),
        cmocka_unit_test(take_gives_the_lowest_or_nothing),
        cmocka_unit_test(a_set_has_one_text),
        cmocka_unit_test(slices_cover_everything_once),
        cmocka_unit_test(numbers_depend_on_seed_stream_and_index_only),
        cmocka_unit_test(numbers_have_the_moments_they_should),
        cmocka_unit_test(a_shuffle_is_a_permutation),
        cmocka_unit_test(digests_are_those_of_the_standard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
