/* Paired differences: pairs by seed, baselines that differ in one thing, intervals by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "report/sim_compare.h"

enum { RESAMPLES = 2000 };

static struct rf_sim_outcome row(const char *order, const char *fence, int64_t share_den,
                                 int64_t seed, double wait_s)
{
    struct rf_sim_outcome o = {.seed = seed,
                               .share = {share_den > 0, share_den > 0 ? share_den : 1},
                               .capacity_us = {1000, 0},
                               .utilization = 0.5};

    snprintf(o.scenario, sizeof o.scenario, "s");
    snprintf(o.order, sizeof o.order, "%s", order);
    snprintf(o.fence, sizeof o.fence, "%s", fence);
    snprintf(o.verdict, sizeof o.verdict, "%s", share_den > 0 ? "kept" : "");
    o.all.wait_mean_us = o.others.wait_mean_us = o.pledged.wait_mean_us = wait_s * 1e6;
    o.all.slowdown_mean = o.others.slowdown_mean = 1.0;
    return o;
}

/* The comparison of that measure between those two rows; NULL: there is none. */
static const struct rf_sim_comparison *find(const struct rf_sim_comparisons *c,
                                            const char *what, int a, int b)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->items[i].what, what) == 0 && c->items[i].a == a && c->items[i].b == b)
            return &c->items[i];
    return NULL;
}

static void differences_are_taken_between_equal_seeds(void **state)
{
    /* the seeds of the second stand in another order, and one of them is missing */
    const struct rf_sim_outcome rows[] = {
        row("fcfs", "none", 0, 1, 100), row("fcfs", "none", 0, 2, 200),
        row("fcfs", "none", 0, 3, 900), row("easy", "none", 0, 2, 150),
        row("easy", "none", 0, 1, 70)};
    struct rf_sim_comparisons c;
    const struct rf_sim_comparison *wait;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_sim_compare(&c, rows, 5, RESAMPLES, &err), RF_OK);
    wait = find(&c, "mean wait", 3, 0);
    assert_non_null(wait);
    assert_int_equal(wait->seeds, 2);
    assert_true(fabs(wait->difference - -40.0) < 1e-9); /* -50 and -30 */
    /* resampling two values gives -50, -40 or -30, the ends a quarter of the time each */
    assert_true(fabs(wait->low - -50.0) < 1e-9);
    assert_true(fabs(wait->high - -30.0) < 1e-9);
    assert_null(find(&c, "shortfall of the pledge", 3, 0)); /* nothing was promised */
    rf_sim_comparisons_clear(&c);
}

static void one_seed_has_no_interval_and_none_no_comparison(void **state)
{
    struct rf_sim_outcome rows[] = {row("fcfs", "none", 5, 1, 100),
                                    row("easy", "none", 5, 1, 70),
                                    row("sjf", "none", 5, 1, 60)};
    const struct rf_sim_comparison *wait;
    struct rf_sim_comparisons c;
    struct rf_error err;

    (void)state;
    snprintf(rows[2].failed, sizeof rows[2].failed, "out of luck");
    assert_int_equal(rf_sim_compare(&c, rows, 3, RESAMPLES, &err), RF_OK);
    wait = find(&c, "mean wait", 1, 0);
    assert_non_null(wait);
    assert_int_equal(wait->seeds, 1);
    assert_true(fabs(wait->difference - -30.0) < 1e-9);
    assert_true(isnan(wait->low) && isnan(wait->high));
    assert_null(find(&c, "mean wait", 2, 0));
    assert_non_null(find(&c, "shortfall of the pledge", 1, 0));
    rf_sim_comparisons_clear(&c);
}

static void baselines_differ_in_one_thing_only(void **state)
{
    const char *const orders[] = {"fcfs", "easy"}, *const fences[] = {"none", "floor"};
    struct rf_sim_outcome rows[8];
    struct rf_sim_comparisons c;
    struct rf_error err;
    int n = 0, waits = 0;

    (void)state;
    for (int o = 0; o < 2; o++)
        for (int f = 0; f < 2; f++)
            for (int s = 0; s < 2; s++, n++)
                rows[n] = row(orders[o], fences[f], s == 0 ? 10 : 5, 1, n);
    assert_int_equal(rf_sim_compare(&c, rows, n, RESAMPLES, &err), RF_OK);
    for (int i = 0; i < c.n; i++) {
        const struct rf_sim_outcome *a = &rows[c.items[i].a], *b = &rows[c.items[i].b];

        assert_int_equal((strcmp(a->order, b->order) != 0) + (strcmp(a->fence, b->fence) != 0) +
                             (a->share.den != b->share.den),
                         1);
        waits += strcmp(c.items[i].what, "mean wait") == 0;
    }
    assert_int_equal(waits, 12); /* four with another order, fence, share each */
    assert_non_null(find(&c, "mean wait", 7, 3));
    assert_non_null(find(&c, "mean wait", 7, 5));
    assert_non_null(find(&c, "mean wait", 7, 6));
    rf_sim_comparisons_clear(&c);
}

static void a_variant_says_what_it_is(void **state)
{
    const struct rf_sim_outcome plain = row("easy", "none", 0, 1, 0),
                                fifth = row("easy", "floor", 5, 1, 0);
    char name[RF_SIM_VARIANT_BYTES];

    (void)state;
    rf_sim_variant_name(name, &plain, 0);
    assert_string_equal(name, "easy+none");
    rf_sim_variant_name(name, &fifth, 1);
    assert_string_equal(name, "s, easy+floor 1/5");
    assert_false(rf_sim_same_variant(&plain, &fifth));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_taken_between_equal_seeds),
        cmocka_unit_test(one_seed_has_no_interval_and_none_no_comparison),
        cmocka_unit_test(baselines_differ_in_one_thing_only),
        cmocka_unit_test(a_variant_says_what_it_is)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
