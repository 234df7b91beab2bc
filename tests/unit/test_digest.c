/* Many digests at once are those of one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/digest.h"
#include "base/digest_lanes.h"
#include "base/rng.h"

enum { TEXTS = 70, LONGEST = 5000 };

static unsigned char *made;

static int make_text(void **unused)
{
    (void)unused;
    made = malloc(TEXTS + LONGEST);
    for (int i = 0; made != NULL && i < TEXTS + LONGEST; i++)
        made[i] = (unsigned char)rf_rng_bits(3, 1, (uint64_t)i);
    return made == NULL;
}

static int free_text(void **unused)
{
    (void)unused;
    free(made);
    return 0;
}

/* Text i starts at byte i, so none lies well in memory. */
/* Each digest is that of its text alone, and nothing behind the last is touched. */
static void same_as_alone(const struct rf_bytes *texts, int n, const struct rf_digest *many)
{
    struct rf_digest after = rf_digest_of("untouched", 9);

    for (int i = 0; i < n; i++) {
        struct rf_digest one = rf_digest_of(texts[i].data, texts[i].size_bytes);

        assert_true(rf_digest_equal(&one, &many[i]));
    }
    assert_true(rf_digest_equal(&after, &many[n]));
}

/* Once as everybody asks, and in every way that this processor has. */
static void compare(const size_t sizes[], int n)
{
    struct rf_bytes texts[TEXTS];
    struct rf_digest many[TEXTS + 1];

    for (int i = 0; i < n; i++)
        texts[i] = (struct rf_bytes){made + i, sizes[i]};
    many[n] = rf_digest_of("untouched", 9);
    rf_digest_many(texts, n, many);
    same_as_alone(texts, n, many);
#ifdef RF_HAVE_LANES
    for (int width = RF_LANES_MAX; width >= RF_LANES_NATIVE; width /= 2) {
        if (!rf_lanes_can(width))
            continue;
        memset(many, 0, (size_t)n * sizeof *many);
        rf_digest_lanes(texts, n, width, many);
        same_as_alone(texts, n, many);
    }
#endif
}

static void any_number_of_equal_texts_has_the_digests_of_each(void **unused)
{
    static const size_t edges[] = {0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 4096};
    size_t sizes[TEXTS];

    (void)unused;
    for (size_t e = 0; e < sizeof edges / sizeof edges[0]; e++)
        for (int n = 0; n <= TEXTS; n += n < 20 ? 1 : 7) {
            for (int i = 0; i < n; i++)
                sizes[i] = edges[e];
            compare(sizes, n);
        }
}

static void texts_of_all_lengths_do_not_disturb_each_other(void **unused)
{
    size_t sizes[TEXTS];

    (void)unused;
    for (uint64_t trial = 0; trial < 200; trial++) {
        int n = 1 + (int)rf_rng_below(4, 1, trial, TEXTS);

        for (int i = 0; i < n; i++)
            sizes[i] = rf_rng_below(4, 2 + trial, (uint64_t)i,
                                    trial % 3 == 0   ? 200
                                    : trial % 3 == 1 ? 64
                                                     : LONGEST);
        compare(sizes, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_equal_texts_has_the_digests_of_each),
        cmocka_unit_test(texts_of_all_lengths_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests(tests, make_text, free_text);
}
