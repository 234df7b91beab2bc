/* The changing world, against its plainest model: what each device is at each moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "sim/scenario.h"

#define HOUR_US (INT64_C(3600) * 1000000)
#define DAY_US (24 * HOUR_US)

enum { MOST = 512 };

/* ---- a world, replayed */

enum condition { ABSENT, UP, DOWN, GONE };

/* Tells what became of each device, and refuses what cannot be: what fails must be up, what is
 * repaired must be down, what joins must be new. */
static void carry_out(enum condition *devices, const struct rf_change *change)
{
    static const struct {
        enum condition from, to;
    } steps[] = {[RF_CHANGE_FAILED] = {UP, DOWN},
                 [RF_CHANGE_MAINTENANCE] = {UP, DOWN},
                 [RF_CHANGE_LEFT] = {UP, GONE},
                 [RF_CHANGE_JOINED] = {ABSENT, UP},
                 [RF_CHANGE_REPAIRED] = {DOWN, UP}};

    if (change->kind == RF_CHANGE_PLEDGE || change->kind == RF_CHANGE_POLICY ||
        change->kind == RF_CHANGE_RESERVE)
        return;
    assert_true(change->begin < change->end);
    assert_true(change->begin >= 0 && change->end <= MOST);
    for (int32_t d = change->begin; d < change->end; d++) {
        if (devices[d] != steps[change->kind].from)
            fail_msg("device %d is %d, so change %d cannot happen at %lld", d, (int)devices[d],
                     (int)change->kind, (long long)change->t_us);
        devices[d] = steps[change->kind].to;
    }
}

static struct rf_world world_of(const struct rf_scenario *s, int64_t until_us)
{
    struct rf_world world;
    struct rf_error err = {RF_OK, ""};

    if (rf_scenario_world(s, until_us, &world, &err) != RF_OK)
        fail_msg("%s", err.text);
    for (int64_t i = 0; i < world.nchanges; i++) {
        assert_true(world.changes[i].t_us >= 0 && world.changes[i].t_us < until_us);
        if (i > 0) {
            assert_true(world.changes[i].t_us >= world.changes[i - 1].t_us);
            if (world.changes[i].t_us == world.changes[i - 1].t_us)
                assert_true(world.changes[i].kind >= world.changes[i - 1].kind);
        }
    }
    return world;
}

/* The condition of all devices just after t_us. */
static void devices_at(enum condition devices[MOST], const struct rf_world *world,
                       int32_t at_start, int64_t t_us)
{
    for (int32_t d = 0; d < MOST; d++)
        devices[d] = d < at_start ? UP : ABSENT;
    for (int64_t i = 0; i < world->nchanges && world->changes[i].t_us <= t_us; i++)
        carry_out(devices, &world->changes[i]);
}

static int32_t count(const enum condition devices[MOST], enum condition what)
{
    int32_t n = 0;

    for (int32_t d = 0; d < MOST; d++)
        n += devices[d] == what;
    return n;
}

static struct rf_scenario fleet_of(int32_t devices)
{
    struct rf_scenario s = rf_scenario_make();

    s.fleet.devices = devices;
    return s;
}

/* ---- growth */

static void a_fleet_doubles_exactly(void **state)
{
    struct rf_scenario s = fleet_of(3);
    enum condition devices[MOST];
    struct rf_world world;

    (void)state;
    s.fleet.doubling_us = 365 * DAY_US;
    s.fleet.step_us = 73 * DAY_US;
    world = world_of(&s, 1826 * DAY_US);
    assert_int_equal(world.by_id, 0);
    for (int year = 0; year <= 5; year++) {
        devices_at(devices, &world, 3, year * 365 * DAY_US);
        assert_int_equal(count(devices, UP), 3 << year);
    }
    devices_at(devices, &world, 3, 4 * 73 * DAY_US); /* 3 x 2^0.8 = 5.22 */
    assert_int_equal(count(devices, UP), 5);
    devices_at(devices, &world, 3, 73 * DAY_US - 1); /* a step is taken at its end */
    assert_int_equal(count(devices, UP), 3);
    rf_world_clear(&world);
    world = world_of(&s, 365 * DAY_US); /* what happens at the end does not happen any more */
    devices_at(devices, &world, 3, 365 * DAY_US);
    assert_int_equal(count(devices, UP), 5);
    rf_world_clear(&world);
}

static void a_fleet_grows_and_shrinks_by_dates_and_no_id_comes_again(void **state)
{
    struct rf_growth_spec growth[] = {{1 * DAY_US, 20},
                                      {2 * DAY_US, 25},
                                      {3 * DAY_US, 8},
                                      {4 * DAY_US, 30},
                                      {9 * DAY_US, 99}};
    struct rf_scenario s = fleet_of(10);
    enum condition devices[MOST];
    struct rf_world world;

    (void)state;
    s.fleet.growth = growth;
    s.fleet.ngrowth = 5;
    world = world_of(&s, 9 * DAY_US);
    for (int i = 0; i < 4; i++) {
        devices_at(devices, &world, 10, growth[i].at_us);
        assert_int_equal(count(devices, UP), growth[i].devices);
    }
    for (int32_t d = 0; d < MOST; d++) /* 8 stayed, 17 left, 22 came anew */
        assert_int_equal(devices[d], d < 8 ? UP : d < 25 ? GONE : d < 47 ? UP : ABSENT);
    rf_world_clear(&world);
}

/* ---- failures */

static void nodes_fail_and_are_repaired_as_often_as_said(void **state)
{
    struct rf_scenario s = fleet_of(400);
    enum condition devices[MOST];
    struct rf_world world;
    int64_t failures = 0, repairs = 0, down_us = 0, up_us = 0;

    (void)state;
    s.fleet.node = 4;
    s.fleet.mtbf_us = 10 * DAY_US;
    s.fleet.repair_us = 2 * DAY_US;
    s.fleet.repair_sigma = 0.5;
    world = world_of(&s, 2000 * DAY_US);
    assert_int_equal(world.by_id, 1);
    devices_at(devices, &world, 400, INT64_MAX);
    for (int64_t i = 0, t = 0, down = 0; i < world.nchanges; i++) {
        const struct rf_change *c = &world.changes[i];

        assert_int_equal(c->begin % 4, 0); /* a node as a whole */
        assert_int_equal(c->end - c->begin, 4);
        down_us += down * (c->t_us - t);
        up_us += (400 - down) * (c->t_us - t);
        t = c->t_us;
        down += c->kind == RF_CHANGE_FAILED ? 4 : -4;
        failures += c->kind == RF_CHANGE_FAILED;
        repairs += c->kind == RF_CHANGE_REPAIRED;
    }
    /* 100 nodes x 2000 days / 12 days: about 16,667; its deviation is below 1 % */
    assert_true(failures > 16000 && failures < 17300);
    assert_true(failures - repairs >= 0 && failures - repairs <= 100);
    assert_true(llabs(up_us / (failures * 4) - 10 * DAY_US) < DAY_US / 3);
    assert_true(llabs(down_us / (failures * 4) - 2 * DAY_US) < DAY_US / 12);
    rf_world_clear(&world);
}

/* Begins and lengths of the device's repairs in one number. */
static uint64_t down_times(const struct rf_world *world, int32_t device, int64_t until_us)
{
    uint64_t sum = 0;
    int64_t since = -1;

    for (int64_t i = 0; i < world->nchanges; i++) {
        const struct rf_change *c = &world->changes[i];

        if (device < c->begin || device >= c->end)
            continue;
        if (c->kind == RF_CHANGE_FAILED)
            since = c->t_us;
        else if (c->kind == RF_CHANGE_REPAIRED) {
            sum = sum * 31 + (uint64_t)(c->t_us - since);
            since = -1;
        }
    }
    return since >= 0 ? sum * 31 + (uint64_t)(until_us - since) : sum;
}

static void a_node_fails_alike_in_every_fleet_and_differently_with_every_seed(void **state)
{
    struct rf_scenario small = fleet_of(8), large = fleet_of(300), other;
    struct rf_growth_spec growth = {5 * DAY_US, 310};
    int64_t until = 400 * DAY_US;
    struct rf_world a, b, c;

    (void)state;
    small.fleet.node = large.fleet.node = 4;
    small.fleet.mtbf_us = large.fleet.mtbf_us = 20 * DAY_US;
    large.fleet.growth = &growth;
    large.fleet.ngrowth = 1;
    snprintf(large.order, sizeof large.order, "sjf");
    snprintf(large.fence, sizeof large.fence, "partition");
    other = small;
    other.seed = 2;
    a = world_of(&small, until);
    b = world_of(&large, until);
    c = world_of(&other, until);
    for (int32_t d = 0; d < 8; d++) {
        assert_true(down_times(&a, d, until) != 0);
        assert_int_equal(down_times(&a, d, until), down_times(&b, d, until));
        assert_true(down_times(&a, d, until) != down_times(&c, d, until));
    }
    assert_true(down_times(&a, 0, until) == down_times(&a, 3, until));
    assert_true(down_times(&a, 0, until) != down_times(&a, 4, until));
    for (int64_t i = 0; i < b.nchanges; i++) /* nothing fails before it has joined */
        if (b.changes[i].kind == RF_CHANGE_FAILED && b.changes[i].begin >= 300)
            assert_true(b.changes[i].t_us > growth.at_us);
    rf_world_clear(&a);
    rf_world_clear(&b);
    rf_world_clear(&c);
}

/* ---- several reasons at once */

static void random_scenario(struct rf_scenario *s, struct rf_outage_spec *outages,
                            struct rf_growth_spec *growth, uint64_t trial)
{
    uint64_t k = 0;
#define DRAW(n) ((int64_t)rf_rng_below(trial, 77, k++, (uint64_t)(n)))
    s->seed = (int64_t)trial;
    s->fleet.devices = (int32_t)(1 + DRAW(60));
    s->fleet.node = (int32_t)(1 + DRAW(6));
    s->fleet.mtbf_us = (1 + DRAW(20)) * DAY_US;
    s->fleet.repair_us = (1 + DRAW(72)) * HOUR_US;
    for (int i = 0; i < 3; i++) { /* one after the other: a list has no order of its own */
        outages[i] = (struct rf_outage_spec){.at_us = DRAW(40) * DAY_US};
        outages[i].length_us = (1 + DRAW(100)) * HOUR_US;
        outages[i].notice_us = DRAW(3) * DAY_US;
        outages[i].devices = (int32_t)DRAW(2);
    }
    outages[0].every_us = outages[0].length_us + DRAW(9) * DAY_US;
    s->fleet.outages = outages;
    s->fleet.noutages = 3;
    for (int i = 0; i < 3; i++)
        growth[i] = (struct rf_growth_spec){(10 * i + 3) * DAY_US, (int32_t)(1 + DRAW(90))};
    s->fleet.growth = growth;
    s->fleet.ngrowth = 3;
#undef DRAW
}

static void a_device_is_down_while_there_is_any_reason(void **state)
{
    int64_t until = 60 * DAY_US;

    (void)state;
    for (uint64_t trial = 0; trial < 60; trial++) {
        struct rf_outage_spec outages[3];
        struct rf_growth_spec growth[3];
        struct rf_scenario both = rf_scenario_make(), failures, maintenance;
        struct rf_world all, failed, maintained;
        int different = 0;

        random_scenario(&both, outages, growth, trial);
        failures = maintenance = both;
        failures.fleet.noutages = 0;
        maintenance.fleet.mtbf_us = 0;
        all = world_of(&both, until);
        failed = world_of(&failures, until);
        maintained = world_of(&maintenance, until);
        for (int64_t i = 0; i < 600; i++) {
            int64_t t = (int64_t)rf_rng_below(trial, 78, (uint64_t)i, (uint64_t)until);
            enum condition a[MOST], f[MOST], m[MOST];

            devices_at(a, &all, both.fleet.devices, t);
            devices_at(f, &failed, both.fleet.devices, t);
            devices_at(m, &maintained, both.fleet.devices, t);
            for (int32_t d = 0; d < MOST; d++) {
                /* who leaves while down waits for its repair, which may come later in `all` */
                int gone = f[d] == GONE || m[d] == GONE;
                enum condition want = f[d] == DOWN || m[d] == DOWN ? DOWN : f[d];

                if (gone ? a[d] != GONE && a[d] != DOWN : a[d] != want)
                    fail_msg("trial %d: device %d is %d, not %d", (int)trial, d, (int)a[d],
                             (int)want);
                different += f[d] != m[d];
            }
        }
        assert_true(different > 0 || both.fleet.devices < 3);
        rf_world_clear(&all);
        rf_world_clear(&failed);
        rf_world_clear(&maintained);
    }
}

/* ---- what is planned */

static void maintenance_is_announced_and_takes_the_lowest_ids(void **state)
{
    struct rf_outage_spec outages[] = {{.reason = "filters",
                                        .author = "site",
                                        .at_us = 2 * DAY_US,
                                        .length_us = 6 * HOUR_US,
                                        .notice_us = DAY_US,
                                        .every_us = 7 * DAY_US,
                                        .devices = 5},
                                       {.at_us = 20 * DAY_US, .length_us = HOUR_US}};
    struct rf_growth_spec growth = {10 * DAY_US, 16};
    struct rf_scenario s = fleet_of(12);
    enum condition devices[MOST];
    struct rf_world world;

    (void)state;
    s.fleet.outages = outages;
    s.fleet.noutages = 2;
    s.fleet.growth = &growth;
    s.fleet.ngrowth = 1;
    world = world_of(&s, 21 * DAY_US);
    assert_int_equal(world.by_id, 1);
    assert_int_equal(world.nholds, 3); /* days 2, 9, 16; day 20 comes unannounced */
    assert_int_equal(world.changes[0].kind, RF_CHANGE_RESERVE);
    assert_int_equal(world.changes[0].t_us, DAY_US);
    assert_int_equal(world.holds[0].count, 5);
    assert_int_equal(world.holds[1].begin_us, 9 * DAY_US);
    assert_int_equal(world.holds[1].end_us, 9 * DAY_US + 6 * HOUR_US);
    assert_string_equal(world.holds[0].account, "");
    assert_string_equal(world.holds[0].reason, "filters");
    assert_string_equal(world.holds[0].author, "site");
    devices_at(devices, &world, 12, 16 * DAY_US);
    for (int32_t d = 0; d < 16; d++)
        assert_int_equal(devices[d], d < 5 ? DOWN : UP);
    devices_at(devices, &world, 12, 16 * DAY_US + 6 * HOUR_US);
    assert_int_equal(count(devices, UP), 16);
    devices_at(devices, &world, 12, 20 * DAY_US); /* all there are by then */
    assert_int_equal(count(devices, DOWN), 16);
    rf_world_clear(&world);
}

static void a_reservation_only_announces(void **state)
{
    struct rf_outage_spec outage = {.account = "alignment",
                                    .at_us = HOUR_US,
                                    .length_us = HOUR_US,
                                    .notice_us = DAY_US,
                                    .devices = 4};
    struct rf_scenario s = fleet_of(12);
    struct rf_world world;

    (void)state;
    s.fleet.outages = &outage;
    s.fleet.noutages = 1;
    world = world_of(&s, DAY_US);
    assert_int_equal(world.nchanges, 1);
    assert_int_equal(world.changes[0].kind, RF_CHANGE_RESERVE);
    assert_int_equal(world.changes[0].t_us, 0); /* earlier than a day before is not possible */
    assert_string_equal(world.holds[0].account, "alignment");
    assert_int_equal(world.holds[0].count, 4);
    assert_int_equal(world.by_id, 0);
    rf_world_clear(&world);
}

/* ---- promises */

static void a_change_of_mind_changes_what_it_names_and_nothing_else(void **state)
{
    struct rf_pledge_plan pledges[] = {
        {.pledge = {.account = "alignment",
                    .author = "board",
                    .basis = "secured",
                    .reason = "announced",
                    .share = {1, 5},
                    .window_us = DAY_US,
                    .tolerance_us = 7},
         .terms = {.burst = {1, 1}, .catch_up = {1, 2}, .approve = {1, 2}}},
        {.pledge = {.account = "safety", .share = {1, 10}, .window_us = 2 * DAY_US},
         .terms = {.burst = {1, 1}, .catch_up = {1, 1}, .approve = {1, 2}, .delay_us = 5}}};
    struct rf_change_spec changes[] = {
        {.at_us = 9 * DAY_US,
         .kind = "pledge",
         .account = "alignment",
         .share = {0, 1},
         .author = "new leadership",
         .reason = "redirected"},
        {.at_us = 3 * DAY_US, .kind = "policy", .fence = "request", .author = "cto"},
        {.at_us = 3 * DAY_US, .kind = "board", .account = "safety", .share = {1, 4}},
        {.at_us = 5 * DAY_US, .kind = "policy", .order = "sjf"},
        {.at_us = 50 * DAY_US, .kind = "policy", .order = "easy"}};
    struct rf_scenario s = fleet_of(12);
    struct rf_world w;
    const struct rf_pledge_spec *p;

    (void)state;
    s.pledges = pledges;
    s.npledges = 2;
    s.changes = changes;
    s.nchanges = 5;
    snprintf(s.fence, sizeof s.fence, "stock");
    w = world_of(&s, 50 * DAY_US);
    assert_int_equal(w.nchanges, 6);
    assert_int_equal(w.changes[0].kind, RF_CHANGE_PLEDGE);
    assert_int_equal(w.changes[0].t_us, 0);
    p = &w.pledges[w.changes[0].index];
    assert_string_equal(p->account, "alignment");
    assert_string_equal(p->fence, "stock");
    assert_string_equal(p->terms, "catch_up=1/2");
    assert_int_equal(p->tolerance_us, 7);
    p = &w.pledges[w.changes[1].index];
    assert_string_equal(p->account, "safety");
    assert_string_equal(p->terms, "delay_us=5");
    p = &w.pledges[w.changes[2].index]; /* day 3: pledges come before policies */
    assert_int_equal(w.changes[2].kind, RF_CHANGE_PLEDGE);
    assert_string_equal(p->account, "safety");
    assert_int_equal(p->share.den, 10);
    assert_string_equal(p->terms, "approve=1/4,delay_us=5");
    assert_int_equal(w.changes[3].kind, RF_CHANGE_POLICY);
    assert_string_equal(w.policies[w.changes[3].index].fence, "request");
    assert_string_equal(w.policies[w.changes[3].index].order, "fcfs");
    assert_string_equal(w.policies[w.changes[3].index].author, "cto");
    assert_string_equal(w.policies[w.changes[4].index].order, "sjf");
    assert_string_equal(w.policies[w.changes[4].index].fence, "request");
    p = &w.pledges[w.changes[5].index];
    assert_int_equal(w.changes[5].t_us, 9 * DAY_US);
    assert_int_equal(p->share.num, 0);
    assert_string_equal(p->author, "new leadership");
    assert_string_equal(p->reason, "redirected");
    assert_string_equal(p->fence, "request");
    assert_string_equal(p->basis, "secured");
    assert_int_equal(p->window_us, DAY_US);
    rf_world_clear(&w);
}

/* ---- limits */

static void a_large_fleet_over_years_stays_small(void **state)
{
    struct rf_scenario s = fleet_of(100000);
    int64_t until = 1461 * DAY_US;
    struct rf_world world;
    struct rf_error err;

    (void)state;
    s.fleet.mtbf_us = 100000 * DAY_US; /* one failure a day */
    assert_int_equal(rf_scenario_world(&s, until, &world, &err), RF_OK);
    assert_true(world.nchanges > 2600 && world.nchanges < 3200);
    rf_world_clear(&world);
}

static void slips_of_a_unit_are_refused(void **state)
{
    struct rf_outage_spec often = {.length_us = 1, .every_us = 1},
                          much = {.at_us = HOUR_US, .length_us = 1, .devices = 13};
    struct rf_change_spec nobody = {.kind = "pledge", .account = "nobody"};
    struct rf_scenario s[6];
    static const char *const say[] = {
        "more than a million times", "13 devices is planned when the fleet has 12",
        "no pledge of 'nobody'",     "more than a million steps",
        "beyond 10000000 devices",   "devices fail or are maintained more than"};
    struct rf_world world;

    (void)state;
    for (int i = 0; i < 6; i++)
        s[i] = fleet_of(12);
    s[0].fleet.outages = &often;
    s[0].fleet.noutages = 1;
    s[1].fleet.outages = &much;
    s[1].fleet.noutages = 1;
    s[2].changes = &nobody;
    s[2].nchanges = 1;
    s[3].fleet.doubling_us = DAY_US;
    s[3].fleet.step_us = 1;
    s[4].fleet.doubling_us = DAY_US;
    s[4].fleet.step_us = DAY_US;
    s[5].fleet.mtbf_us = 1;
    s[5].fleet.repair_us = 1;
    for (int i = 0; i < 6; i++) {
        struct rf_error err = {RF_OK, ""};

        assert_int_equal(rf_scenario_world(&s[i], 100 * DAY_US, &world, &err), RF_ERR_CONFIG);
        if (strstr(err.text, say[i]) == NULL)
            fail_msg("%s", err.text);
        assert_null(world.changes);
        assert_null(world.pledges);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fleet_doubles_exactly),
        cmocka_unit_test(a_fleet_grows_and_shrinks_by_dates_and_no_id_comes_again),
        cmocka_unit_test(nodes_fail_and_are_repaired_as_often_as_said),
        cmocka_unit_test(a_node_fails_alike_in_every_fleet_and_differently_with_every_seed),
        cmocka_unit_test(a_device_is_down_while_there_is_any_reason),
        cmocka_unit_test(maintenance_is_announced_and_takes_the_lowest_ids),
        cmocka_unit_test(a_reservation_only_announces),
        cmocka_unit_test(a_change_of_mind_changes_what_it_names_and_nothing_else),
        cmocka_unit_test(a_large_fleet_over_years_stays_small),
        cmocka_unit_test(slips_of_a_unit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
