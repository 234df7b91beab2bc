/* The ordered list of jobs, and the profile of free devices, against plain arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/profile.h"
#include "alloc/roll.h"
#include "base/rng.h"

enum { ROOM = 3000, STEPS = 20000 };

struct dice {
    uint64_t seed, index;
};

static int32_t dice(struct dice *d, int32_t low, int32_t high)
{
    return low + (int32_t)rf_rng_below(d->seed, rf_rng_stream("roll test", 0), d->index++,
                                       (uint64_t)(high - low + 1));
}

/* ---- the list ---- */

struct plain {
    struct rf_roll_entry e[ROOM];
    int32_t n;
};

static int before(int by_time, const struct rf_roll_entry *a, const struct rf_roll_entry *b)
{
    if (by_time && a->time_us != b->time_us)
        return a->time_us < b->time_us;
    return a->job < b->job;
}

static void plain_add(struct plain *p, int by_time, struct rf_roll_entry e)
{
    int32_t at = p->n++;

    for (; at > 0 && before(by_time, &e, &p->e[at - 1]); at--)
        p->e[at] = p->e[at - 1];
    p->e[at] = e;
}

static int has(const struct plain *p, int32_t job)
{
    for (int32_t i = 0; i < p->n; i++)
        if (p->e[i].job == job)
            return 1;
    return 0;
}

static void same(const struct rf_roll *roll, const struct plain *p)
{
    struct rf_roll_place at = rf_roll_start(roll);
    struct rf_roll_entry e;
    int64_t sum = 0;

    for (int32_t i = 0; i < p->n; i++, at = rf_roll_next(roll, at)) {
        assert_true(rf_roll_at(roll, at, &e));
        assert_memory_equal(&e, &p->e[i], sizeof e);
        sum += e.need;
    }
    assert_false(rf_roll_at(roll, at, &e));
    assert_int_equal(roll->count, p->n);
    assert_int_equal(roll->sum, sum);
}

static void find_all(struct rf_roll *roll, const struct plain *p, struct dice *d)
{
    int32_t room = dice(d, 0, 40), extra = dice(d, 0, 20);
    int64_t window_us = dice(d, 0, 2) == 0 ? INT64_MAX : dice(d, 0, 100);
    struct rf_roll_place at = rf_roll_start(roll);
    struct rf_roll_entry e;

    for (int32_t i = 0; i < p->n; i++) {
        if (p->e[i].need > room || (p->e[i].time_us > window_us && p->e[i].need > extra))
            continue;
        assert_true(rf_roll_find(roll, &at, room, window_us, extra));
        assert_true(rf_roll_at(roll, at, &e));
        assert_int_equal(e.job, p->e[i].job);
        at = rf_roll_next(roll, at);
    }
    assert_false(rf_roll_find(roll, &at, room, window_us, extra));
    if (roll->count > 0)
        for (int32_t i = 0; i < p->n; i++)
            assert_true(p->e[i].need >= roll->least_need);
}

static void reach(const struct rf_roll *roll, const struct plain *p, struct dice *d)
{
    int64_t have = dice(d, 0, 50), need = dice(d, 0, 3000), got = have, sum;
    int64_t t_us = INT64_MAX, expect_us = have >= need ? INT64_MIN : INT64_MAX;

    for (int32_t i = 0; i < p->n && have < need; i++) {
        if (got >= need && p->e[i].time_us != t_us)
            break;
        t_us = p->e[i].time_us;
        got += p->e[i].need;
    }
    if (have < need && got >= need)
        expect_us = t_us;
    assert_int_equal(rf_roll_reach(roll, have, need, &sum), expect_us);
    assert_int_equal(sum, got);
}

static void a_roll_is_a_sorted_list(void **unused)
{
    static struct plain p;

    (void)unused;
    for (int by_time = 0; by_time < 2; by_time++) {
        struct rf_roll roll = {.by_time = by_time};
        struct dice d = {(uint64_t)by_time, 0};
        struct rf_roll_place at;
        int32_t next = 0;

        p.n = 0;
        for (int step = 0; step < STEPS; step++) {
            int grows = dice(&d, 0, 9) < (step / 4000 % 2 == 0 ? 7 : 3);

            if (grows && p.n < ROOM) {
                struct rf_roll_entry e = {dice(&d, 0, 60), next++, dice(&d, 1, 40)};

                if (dice(&d, 0, 4) == 0) /* one that was there before comes back */
                    e.job = dice(&d, 0, next - 1);
                if (!has(&p, e.job)) {
                    plain_add(&p, by_time, e);
                    assert_int_equal(rf_roll_add(&roll, &e, NULL), 0);
                }
            } else if (p.n > 0) {
                int32_t k = dice(&d, 0, 2) == 0 ? 0 : dice(&d, 0, p.n - 1);
                struct rf_roll_entry e = p.e[k], after;

                assert_true(rf_roll_seek(&roll, e.time_us, e.job, &at));
                memmove(&p.e[k], &p.e[k + 1], (size_t)(--p.n - k) * sizeof *p.e);
                rf_roll_remove(&roll, &at);
                assert_int_equal(rf_roll_at(&roll, at, &after), k < p.n);
                if (k < p.n)
                    assert_int_equal(after.job, p.e[k].job);
                assert_false(rf_roll_seek(&roll, e.time_us, e.job, &at));
                at = rf_roll_behind(&roll, e.time_us, e.job);
                assert_int_equal(rf_roll_at(&roll, at, &after), k < p.n);
                if (k < p.n)
                    assert_int_equal(after.job, p.e[k].job);
            }
            if (step % 16 == 0) {
                find_all(&roll, &p, &d);
                if (by_time)
                    reach(&roll, &p, &d);
            }
            if (step % 256 == 0)
                same(&roll, &p);
        }
        same(&roll, &p);
        rf_roll_clear(&roll);
    }
}

/* ---- the profile ---- */

enum { HORIZON = 200, WIDTH = 400 };

static int64_t plain_earliest(const int64_t *free, int64_t from, int64_t length, int64_t need)
{
    for (int64_t t = from; t < HORIZON + 50; t++) {
        int64_t k = t;

        while (k < WIDTH && k < t + length && free[k] >= need)
            k++;
        if (k == WIDTH || k == t + length)
            return t;
    }
    return INT64_MAX;
}

static int64_t plain_until(const int64_t *free, int64_t from, int64_t need)
{
    for (int64_t t = from; t < WIDTH; t++)
        if (free[t] < need)
            return t;
    return INT64_MAX;
}

static void a_profile_is_an_array_over_time(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct dice d = {seed, 0};
        struct rf_profile p = {0};
        int64_t free[WIDTH], now = dice(&d, 0, 5);

        for (int64_t t = 0; t < WIDTH; t++)
            free[t] = 20;
        assert_int_equal(rf_profile_start(&p, now, 20, NULL), 0);
        for (int64_t t = now, n = dice(&d, 0, 80); n > 0; n--) {
            int64_t more = dice(&d, -2, 2);

            t += dice(&d, 0, 2);
            assert_int_equal(rf_profile_extend(&p, t, more, NULL), 0);
            for (int64_t k = t; k < WIDTH; k++)
                free[k] += more;
        }
        for (int step = 0; step < 400; step++) {
            int64_t begin = dice(&d, 0, HORIZON - 1), end = begin + dice(&d, 0, 40);
            int64_t n = dice(&d, -6, 4), length = dice(&d, 1, 60), need = dice(&d, 1, 22);
            int64_t slot;

            if (dice(&d, 0, 9) == 0)
                end = INT64_MAX;
            assert_int_equal(rf_profile_add(&p, begin, end, n, NULL), 0);
            for (int64_t t = begin; t < WIDTH && t < end; t++)
                free[t] += n;
            if (dice(&d, 0, 9) == 0 && now < HORIZON / 2)
                rf_profile_advance(&p, ++now);
            for (int64_t t = now; t < WIDTH; t++)
                assert_int_equal(rf_profile_at(&p, t), free[t]);
            slot = rf_profile_earliest(&p, now, length, need, INT64_MAX);
            assert_int_equal(slot, plain_earliest(free, now, length, need));
            assert_int_equal(rf_profile_fits(&p, now, length, need), slot == now);
            assert_int_equal(rf_profile_until(&p, now, need), plain_until(free, now, need));
            if (slot == INT64_MAX || slot == now)
                continue;
            /* whoever has it, and looks for something earlier, finds nothing */
            rf_profile_add(&p, slot, slot + length, -need, NULL);
            assert_int_equal(rf_profile_earlier(&p, now, length, need, slot), slot);
            rf_profile_add(&p, slot, slot + length, need, NULL);
            /* ... unless he has had something later */
            if (rf_profile_fits(&p, slot + 3, length, need)) {
                rf_profile_add(&p, slot + 3, slot + 3 + length, -need, NULL);
                assert_int_equal(rf_profile_earlier(&p, now, length, need, slot + 3), slot);
                rf_profile_add(&p, slot + 3, slot + 3 + length, need, NULL);
            }
        }
        rf_profile_clear(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_roll_is_a_sorted_list),
        cmocka_unit_test(a_profile_is_an_array_over_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
