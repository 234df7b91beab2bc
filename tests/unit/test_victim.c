/* The choice of whom to stop, against every set there is and against the plain rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/victim.h"
#include "base/rng.h"

struct dice {
    uint64_t seed, index;
};

static int32_t roll(struct dice *d, int32_t low, int32_t high)
{
    return low + (int32_t)rf_rng_below(d->seed, rf_rng_stream("victim test", 0), d->index++,
                                       (uint64_t)(high - low + 1));
}

static int random_victims(struct dice *d, int most, struct rf_victim *v)
{
    int n = roll(d, 1, most), free_of_cost = roll(d, 0, 9) == 0;

    for (int i = 0; i < n; i++)
        v[i] = (struct rf_victim){free_of_cost ? 0 : roll(d, 0, 50), i, roll(d, 1, 9)};
    return n;
}

/* Can these jobs be stopped one after the other, in some order, each while the wall holds
 * more than its right? Tries each of them as the last one. */
static int allowed(const struct rf_victim *v, int n, int32_t surplus, const uint8_t *set)
{
    int32_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += set[i] ? v[i].devices : 0;
    for (int i = 0; i < n; i++)
        if (set[i] && sum - v[i].devices < surplus)
            return 1;
    return 0;
}

static int64_t cost(const struct rf_victim *v, int n, const uint8_t *set, int32_t *freed)
{
    int64_t sum = 0;

    *freed = 0;
    for (int i = 0; i < n; i++) {
        sum += set[i] ? v[i].cost_us : 0;
        *freed += set[i] ? v[i].devices : 0;
    }
    return sum;
}

static void few_victims_are_chosen_exactly(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < 1500; seed++) {
        struct dice d = {seed, 0};
        struct rf_victim v[RF_VICTIMS_EXACT];
        uint8_t chosen[RF_VICTIMS_EXACT], set[RF_VICTIMS_EXACT];
        int n = random_victims(&d, RF_VICTIMS_EXACT, v);
        int32_t need = roll(&d, 1, 30), surplus = roll(&d, 1, 40), freed;
        int64_t best = -1;
        int found = rf_victims_choose(v, n, need, surplus, chosen);

        for (unsigned bits = 1; bits < 1u << n; bits++) {
            int64_t c;

            for (int i = 0; i < n; i++)
                set[i] = (uint8_t)(bits >> i & 1);
            c = cost(v, n, set, &freed);
            if (freed >= need && allowed(v, n, surplus, set) && (best < 0 || c < best))
                best = c;
        }
        assert_int_equal(found, best >= 0);
        if (!found)
            continue;
        assert_int_equal(cost(v, n, chosen, &freed), best);
        assert_true(freed >= need && allowed(v, n, surplus, chosen));
    }
}

/* The most recent one that is enough alone, else the most recent. */
static int64_t plain_rule(const struct rf_victim *v, int n, int32_t need, int32_t surplus)
{
    uint8_t set[RF_VICTIMS_MAX] = {0};
    int32_t freed = 0;
    int64_t sum = 0;

    while (freed < need && freed < surplus) {
        int pick = -1;

        for (int i = n - 1; i >= 0; i--)
            if (!set[i] && v[i].devices >= need - freed)
                pick = i;
        for (int i = 0; i < n && pick < 0; i++)
            if (!set[i])
                pick = i;
        if (pick < 0)
            return -1;
        set[pick] = 1;
        freed += v[pick].devices;
        sum += v[pick].cost_us;
    }
    return freed >= need ? sum : -1;
}

static void many_victims_never_cost_more_than_latest_first(void **unused)
{
    int better = 0;

    (void)unused;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct dice d = {seed, 500};
        struct rf_victim v[RF_VICTIMS_MAX];
        uint8_t chosen[RF_VICTIMS_MAX];
        int n = random_victims(&d, seed % 2 == 0 ? RF_VICTIMS_MAX : 40, v);
        int32_t need = roll(&d, 1, 200), surplus = need + roll(&d, 0, 40), freed;
        int64_t plain = plain_rule(v, n, need, surplus), mine;

        if (!rf_victims_choose(v, n, need, surplus, chosen)) {
            assert_int_equal(plain, -1);
            continue;
        }
        mine = cost(v, n, chosen, &freed);
        assert_true(freed >= need && allowed(v, n, surplus, chosen));
        assert_true(plain < 0 || mine <= plain);
        better += mine < plain;
    }
    assert_true(better > 1000);
}

static void without_costs_the_latest_that_is_enough_alone_goes(void **unused)
{
    const struct rf_victim v[] = {{0, 5, 1}, {0, 4, 2}, {0, 3, 4}, {0, 2, 8}};
    uint8_t chosen[4];

    (void)unused;
    assert_true(rf_victims_choose(v, 4, 3, 9, chosen));
    assert_memory_equal(chosen, ((const uint8_t[]){0, 0, 1, 0}), 4);
    assert_true(rf_victims_choose(v, 4, 9, 9, chosen));
    assert_memory_equal(chosen, ((const uint8_t[]){1, 0, 0, 1}), 4);
    assert_false(rf_victims_choose(v, 4, 16, 15, chosen));
    assert_memory_equal(chosen, ((const uint8_t[]){0, 0, 0, 0}), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_victims_are_chosen_exactly),
        cmocka_unit_test(many_victims_never_cost_more_than_latest_first),
        cmocka_unit_test(without_costs_the_latest_that_is_enough_alone_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
