/* Scenarios from configurations: what is accepted, what is said about what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/config.h"
#include "config/moment.h"
#include "config/schema.h"

#define DAY_US (INT64_C(86400) * 1000000)

/* Line numbers matter to the tests below. */
static const char good[] =
    "simulate = { name = \"four-years\"; seed = 7; start = \"2023-07-05\"; until = \"4y\"; };\n"
    "workload = { source = \"flood\"; load = 0.9; size_max = 64; run_mean_s = \"6h\";\n"
    "    malleable = 4; malleable_accounts = [\"capability.pretraining\"];\n"
    "    rules = ( { field = \"user\"; pattern = \"^u[0-9]$\"; account = \"alignment.%u\"; } "
    ");\n"
    "    default_account = \"capability\"; };\n"
    "fleet = { devices = 1000; node = 8; doubling_s = \"1y\"; step_s = \"30d\";\n"
    "    mtbf_s = \"2y\"; repair_s = \"90m\";\n"
    "    outages = ( { at = \"2023-08-05\"; length_s = \"12h\"; every_s = \"4w\"; },\n"
    "                { account = \"alignment\"; at = 3600; length_s = 60; devices = 10; } ); "
    "};\n"
    "policy = { order = \"easy\"; fence = \"stock\"; reclaim_grace_s = \"2m\"; };\n"
    "pledges = ( { account = \"alignment\"; share = \"20%\"; basis = \"secured\";\n"
    "    window_s = \"28d\"; horizon_s = \"4y\"; } );\n"
    "changes = ( { at = \"2024-05-17\"; kind = \"pledge\"; account = \"alignment\"; share = "
    "0;\n"
    "    author = \"new leadership\"; reason = \"redirected\"; },\n"
    "    { at = \"30d\"; kind = \"policy\"; fence = \"request\"; } );\n"
    "definitions = { slide_s = [\"1d\", \"7d\", \"28d\"]; };\n"
    "grid = { fences = [\"floor\", \"stock\"]; shares = [\"5%\", \"1/5\"]; seeds = 3; };\n";

static enum rf_status parse(struct rf_scenario *s, const char *text, const char *override,
                            struct rf_error *err)
{
    return rf_config_parse_scenario(s, text, strlen(text), "day.cfg", &override,
                                    override != NULL, err);
}

static void values_and_defaults_reach_their_fields(void **state)
{
    struct rf_scenario s;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    if (parse(&s, good, NULL, &err) != RF_OK)
        fail_msg("%s", err.text);
    assert_string_equal(s.name, "four-years");
    assert_int_equal(s.origin_us, INT64_C(1688515200) * 1000000); /* date -ud 2023-07-05 +%s */
    assert_int_equal(s.until_us, 1461 * DAY_US);
    assert_string_equal(s.tie, "batch");
    assert_string_equal(s.workload.source, "flood");
    assert_int_equal(s.workload.size_max, 64);
    assert_int_equal(s.workload.run_mean_us, DAY_US / 4);
    assert_int_equal(s.workload.horizon_us, s.until_us); /* there is no other end */
    assert_int_equal(s.workload.nrules, 1);
    assert_string_equal(s.workload.rules[0].pattern, "^u[0-9]$");
    assert_int_equal(s.workload.nmalleable_accounts, 1);
    assert_string_equal(s.workload.malleable_accounts[0], "capability.pretraining");
    assert_int_equal(s.fleet.node, 8);
    assert_int_equal(s.fleet.step_us, 30 * DAY_US);
    assert_int_equal(s.fleet.repair_us, INT64_C(5400) * 1000000);
    assert_int_equal(s.fleet.noutages, 2);
    assert_int_equal(s.fleet.outages[0].at_us, 31 * DAY_US);
    assert_int_equal(s.fleet.outages[0].notice_us, 7 * DAY_US);
    assert_int_equal(s.fleet.outages[1].at_us, INT64_C(3600) * 1000000);
    assert_string_equal(s.order, "easy");
    assert_int_equal(s.grace_us, 120 * INT64_C(1000000));
    assert_int_equal(s.npledges, 1);
    assert_int_equal(s.pledges[0].pledge.share.den, 5);
    assert_int_equal(s.pledges[0].pledge.window_us, 28 * DAY_US);
    assert_int_equal(s.pledges[0].pledge.tolerance_us, 120 * INT64_C(1000000)); /* the grace */
    assert_int_equal(s.pledges[0].terms.horizon_us, 1461 * DAY_US);
    assert_int_equal(s.pledges[0].terms.approve.den, 2);
    assert_int_equal(s.pledges[0].terms.burst.num, 1);
    assert_int_equal(s.nchanges, 2);
    assert_int_equal(s.changes[0].at_us, 317 * DAY_US); /* from 2023-07-05 to 2024-05-17 */
    assert_int_equal(s.changes[0].share.num, 0);
    assert_string_equal(s.changes[0].author, "new leadership");
    assert_string_equal(s.changes[1].fence, "request");
    assert_int_equal(s.nslides, 3);
    assert_int_equal(s.slide_us[2], 28 * DAY_US);
    assert_int_equal(s.grid.nfences, 2);
    assert_string_equal(s.grid.fences[1], "stock");
    assert_int_equal(s.grid.nshares, 2);
    assert_int_equal(s.grid.shares[0].den, 20);
    assert_int_equal(s.grid.seeds, 3);
    rf_scenario_clear(&s);
}

static void what_is_left_out_is_what_a_scenario_starts_with(void **state)
{
    static const char text[] =
        "simulate = { name = \"x\"; }; workload = { path = \"/t.swf\"; };";
    struct rf_scenario s, fresh = rf_scenario_make();
    struct rf_error err = {RF_OK, ""};

    (void)state;
    snprintf(fresh.name, sizeof fresh.name, "x");
    snprintf(fresh.workload.path, sizeof fresh.workload.path, "/t.swf");
    if (parse(&s, text, NULL, &err) != RF_OK)
        fail_msg("%s", err.text);
    assert_memory_equal(&s, &fresh, sizeof s);
    rf_scenario_clear(&s);
}

static void what_is_written_reads_back_the_same(void **state)
{
    static const char *const changes[] = {
        NULL,
        "simulate.start=2020-02-29T23:59:01Z",
        "simulate.about=a \"b\" \\ c\td",
        "workload.rules=()",
        "workload.run_mean_s=0.000001",
        "pledges.alignment.budget_device_s=123456789012.75",
        "fleet.mtbf_s=999y",
        "grid.shares=(1, 0, \"1/999\")",
        "definitions.slide_s=(86400, \"1w\", \"2w\")",
    };
    struct rf_scenario s, again;
    struct rf_error err;
    char hex[2][RF_DIGEST_HEX];
    char *text[2];
    size_t size[2];

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (parse(&s, good, changes[i], &err) != RF_OK)
            fail_msg("%s", err.text);
        assert_int_equal(rf_config_write_scenario(&s, &text[0], &size[0], &err), RF_OK);
        if (rf_config_parse_scenario(&again, text[0], size[0], "/else/where.cfg", NULL, 0,
                                     &err) != RF_OK)
            fail_msg("%s", err.text);
        assert_int_equal(rf_config_write_scenario(&again, &text[1], &size[1], &err), RF_OK);
        assert_string_equal(text[0], text[1]);
        assert_memory_equal(s.pledges, again.pledges, sizeof *s.pledges);
        assert_memory_equal(s.changes, again.changes, sizeof *s.changes * 2);
        assert_memory_equal(s.fleet.outages, again.fleet.outages, sizeof *s.fleet.outages * 2);
        assert_memory_equal(&s.grid, &again.grid, sizeof s.grid);
        assert_int_equal(rf_config_digest_scenario(&s, hex[0], &err), RF_OK);
        assert_int_equal(rf_config_digest_scenario(&again, hex[1], &err), RF_OK);
        assert_string_equal(hex[0], hex[1]);
        free(text[0]);
        free(text[1]);
        rf_scenario_clear(&s);
        rf_scenario_clear(&again);
    }
}

static void overrides_reach_lists_within_groups(void **state)
{
    static const char *const overrides[] = {
        "fleet.outages.[1].devices=11",    "fleet.outages.alignment.length_s=1h",
        "workload.rules.[0].account=x.%g", "pledges.alignment.share=1/3",
        "changes.[0].at=2024-01-01",
    };
    struct rf_scenario s;
    struct rf_error err;

    (void)state;
    assert_int_equal(
        rf_config_parse_scenario(&s, good, strlen(good), "day.cfg", overrides, 5, &err), RF_OK);
    assert_int_equal(s.fleet.outages[1].devices, 11);
    assert_int_equal(s.fleet.outages[1].length_us, INT64_C(3600) * 1000000);
    assert_string_equal(s.workload.rules[0].account, "x.%g");
    assert_int_equal(s.pledges[0].pledge.share.den, 3);
    assert_int_equal(s.changes[0].at_us, 180 * DAY_US);
    rf_scenario_clear(&s);
}

/* One override that makes the good text bad, and what must be said about it. */
static const struct {
    const char *override, *message;
} bad[] = {
    {"simulate.name=a b", "key 'simulate.name': expected a name of letters"},
    {"simulate.start=2023-02-29", "key 'simulate.start': expected a date after 1970-01-01"},
    {"simulate.start=1970-01-01", "key 'simulate.start': expected a date after 1970-01-01"},
    {"simulate.start=tomorrow", "got the string 'tomorrow'"},
    {"simulate.until=2022-01-01",
     "key 'simulate.until': expected a date from 'simulate.start' on"},
    {"simulate.until=4 years",
     "key 'simulate.until': expected a number of seconds, or text such as \"30d\" with one of "
     "the units y w d h m s ms, got the string '4 years'"},
    {"simulate.until=-1", "key 'simulate.until': expected a number of seconds from 0 to"},
    {"simulate.until=40y", "key 'simulate.until': expected a number of seconds from 0 to"},
    {"simulate.start=",
     "key 'fleet.outages.[0].at': expected no date, since 'simulate.start' "},
    {"simulate.tie=random", "key 'simulate.tie': expected one of: batch seq tf"},
    {"run.name=x", "key 'run': expected one of simulate, workload, fleet, policy, pledges, "
                   "changes, definitions, grid, got 'run'"},
    {"workload.source=web", "key 'workload.source': expected one of: auto swf csv"},
    {"workload.source=swf", "key 'workload.load': expected nothing, since source \"swf\" does "
                            "not use it"},
    {"workload={source=\"sacct\";}", "key 'workload.path': expected a trace, since source"},
    {"workload.path=x.swf", "key 'workload.path': expected nothing, since source \"flood\""},
    {"workload.size_min=65", "key 'workload.size_max': expected at least size_min = 65"},
    {"workload.malleable_accounts=[]", "key 'workload.malleable_accounts': expected accounts"},
    {"workload.malleable_accounts=[\".\"]",
     "expected an array of accounts, got the string '.'"},
    {"workload.rules.[0].field=colour",
     "key 'workload.rules.[0].field': expected one of: user"},
    {"fleet.mtbf_s=1001y", "key 'fleet.mtbf_s': expected a number of seconds, or text"},
    {"workload.rules.[0].pattern=[]", "got an array"},
    {"workload.rules.[0].pattern=\"(\"", "key 'workload.rules.[0]': bad pattern '('"},
    {"workload.rules.[0].account=a..b", "key 'workload.rules.[0]': not a usable account"},
    {"workload.rules.[0].colour=x", "key 'workload.rules.[0].colour': expected one of field"},
    {"workload.rules=3", "key 'workload.rules': expected a list of at most 1000 groups"},
    {"workload.default_account=", "key 'workload.default_account': expected an account"},
    {"fleet.devices=0", "key 'fleet.devices': expected at least 1"},
    {"fleet.growth=({at=\"1y\";devices=5;})", "key 'fleet.growth': expected nothing, since the "
                                              "fleet grows by doubling_s"},
    {"fleet={devices=5;growth=({at=2;devices=5;},{at=2;devices=6;});}",
     "key 'fleet.growth.[1].at': expected a time after that of the entry before"},
    {"simulate={name=\"x\";start=\"2023-07-05\";}", "key 'workload.jobs': expected a number"},
    {"fleet.outages.[0].every_s=1h", "key 'fleet.outages.[0].every_s': expected 0 (once), or"},
    {"fleet.outages.[1].devices=0", "key 'fleet.outages.[1].devices': expected how many"},
    {"fleet.outages.[1].at=x", "key 'fleet.outages.[1].at': expected a number of seconds"},
    {"policy.order=random", "key 'policy.order': expected one of: fcfs easy"},
    {"policy.fence=moat", "key 'policy.fence': expected one of: none partition"},
    {"policy.reserve_depth=-2", "key 'policy.reserve_depth': expected a whole number from -1"},
    {"pledges.[0].share=120%", "key 'pledges.[0].share': expected a share from 0 to 1"},
    {"pledges=({account=\"a\";share=\"60%\";window_s=1;},{account=\"b\";share=\"1/2\";"
     "window_s=1;})",
     "key 'pledges.[1].share': expected shares that add up to at most 100%, got 110%"},
    {"pledges=({account=\"a\";share=\"1%\";window_s=1;},{account=\"a\";share=\"1/2\";"
     "window_s=1;})",
     "key 'pledges.[1].account': expected one pledge per account, got 'a' a second time"},
    {"pledges=({account=\"alignment\";share=\"1%\";window_s=1;stock_devices=3;})",
     "key 'pledges.[0].stock_devices': expected nothing, since basis is \"fleet\""},
    {"pledges=()", "key 'changes.[0].account': expected an account that has a pledge, got "
                   "'alignment'"},
    {"changes.[0].kind=mind", "key 'changes.[0].kind': expected one of: pledge board policy"},
    {"changes.[0].order=easy", "key 'changes.[0].order': expected nothing, since kind is"},
    {"changes.[1].fence=", "key 'changes.[1].fence': expected an order or a fence"},
    {"changes.[1].fence=flo", "key 'changes.[1].fence': expected one of: none partition"},
    {"changes.[1].order=request", "key 'changes.[1].order': expected one of: fcfs easy"},
    {"changes.[1].account=alignment", "key 'changes.[1].account': expected nothing, since a "
                                      "policy is everybody's"},
    {"changes.[0].at=2022-01-01", "key 'changes.[0].at': expected a date from"},
    {"grid.orders=[\"lifo\"]", "key 'grid.orders': expected an array of some of: fcfs easy"},
    {"grid.shares=(\"5%\", 2)", "key 'grid.shares': expected a share from 0 to 1"},
    {"grid.shares=\"5%\"", "key 'grid.shares': expected an array of at most 64 values"},
    {"pledges=({account=\"a\";share=\"1%\";window_s=1;},{account=\"a.b\";share=\"1%\";"
     "window_s=1;})",
     "key 'pledges.[1].account': expected accounts that do not lie in one another"},
    {"definitions.slide_s=[\"1x\"]", "key 'definitions.slide_s': expected a number of seconds"},
    {"definitions.slide_s=[1,2,3,4,5]", "expected an array of at most 3 values"},
    {"definitions.slide_s=[]", "key 'definitions.slide_s': expected 3 lengths, got 0"},
    {"definitions.slide_s=[\"1d\",\"2d\",\"36h\"]",
     "expected whole numbers of definitions.step_s = 86400 seconds, got 129600"},
};

static void every_mistake_is_named_with_its_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rf_scenario s;
        struct rf_error err = {RF_OK, ""};

        if (parse(&s, good, bad[i].override, &err) != RF_ERR_CONFIG)
            fail_msg("'%s' was accepted", bad[i].override);
        if (strstr(err.text, bad[i].message) == NULL)
            fail_msg("'%s' gave: %s", bad[i].override, err.text);
        if (strncmp(err.text, "--set", 5) != 0 && strncmp(err.text, "day.cfg:", 8) != 0)
            fail_msg("'%s' gave no place: %s", bad[i].override, err.text);
        assert_null(s.pledges);
    }
}

static void a_mistake_deep_in_the_file_is_named_with_its_line(void **state)
{
    struct rf_scenario s;
    struct rf_error err = {RF_OK, ""};
    char text[4096];
    char *at;

    (void)state;
    memcpy(text, good, sizeof good);
    at = strstr(text, "\"4w\"");
    memcpy(at, "\"4q\"", 4);
    assert_int_equal(parse(&s, text, NULL, &err), RF_ERR_CONFIG);
    assert_string_equal(
        err.text, "day.cfg:8: key 'fleet.outages.[0].every_s': expected a number of "
                  "seconds, or text such as \"30d\" with one of the units y w d h m s ms, "
                  "got the string '4q'");
}

static void durations_are_a_number_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } known[] = {{"4y", 1461 * DAY_US},     {"2w", 14 * DAY_US},
                 {"30d", 30 * DAY_US},      {"12h", DAY_US / 2},
                 {"90m", DAY_US / 16},      {"1.5s", 1500000},
                 {"250ms", 250000},         {"0d", 0},
                 {"1000y", 365250 * DAY_US}};
    static const char *const wrong[] = {"",   "4",     "y",    "-4y",  "4 y",
                                        "4Y", "4yy",   "1e3d", "0x4d", "1.2.3d",
                                        ".",  "1001y", "nan",  "infd"};
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!rf_duration_parse(known[i].text, &us) || us != known[i].us)
            fail_msg("'%s'", known[i].text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (rf_duration_parse(wrong[i], &us))
            fail_msg("'%s' was accepted", wrong[i]);
}

static void dates_are_days_of_the_calendar(void **state)
{
    static const char *const wrong[] = {"",
                                        "2024",
                                        "2024-13-01",
                                        "2024-00-01",
                                        "2024-02-30",
                                        "2023-02-29",
                                        "24-02-01",
                                        "1969-12-31",
                                        "2024-1-1",
                                        "2024-01-01T24:00",
                                        "2024-01-01T10",
                                        "2024-01-01x",
                                        "2024-01-01T10:00:00+02:00"};
    char text[RF_DATE_BYTES];
    int64_t us;

    (void)state;
    assert_true(rf_date_parse("1970-01-01", &us));
    assert_int_equal(us, 0);
    assert_true(rf_date_parse("2000-02-29T12:34:56Z", &us));
    assert_int_equal(us, INT64_C(951827696) * 1000000); /* date -ud ... +%s */
    assert_true(rf_date_parse("2023-07-05 09:30", &us));
    rf_date_format(us, text);
    assert_string_equal(text, "2023-07-05T09:30:00Z");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (rf_date_parse(wrong[i], &us))
            fail_msg("'%s' was accepted", wrong[i]);
    /* Every day of two centuries, one after the other, there and back. */
    for (int64_t day = 0; day < 73000; day++) {
        int64_t back = -1;

        rf_date_format(day * DAY_US, text);
        if (!rf_date_parse(text, &back) || back != day * DAY_US)
            fail_msg("%s", text);
    }
}

/* The part of the manual under one heading; cut out, so that a key counts only there. */
static char *section_of(const char *manual, const char *name)
{
    char heading[80];
    const char *at, *end;

    snprintf(heading, sizeof heading, "\n### %s\n", name);
    at = strstr(manual, heading);
    if (at == NULL) {
        fail_msg("configs/README.md has no section '%s' for scenarios", name);
        return NULL;
    }
    end = strstr(at + 1, "\n##");
    return strndup(at, end != NULL ? (size_t)(end - at) : strlen(at));
}

static void check_keys(const char *manual, const char *name, const struct rf_key *keys)
{
    char *section = section_of(manual, name);
    char entry[80];

    for (const struct rf_key *k = keys; k->key != NULL; k++) {
        snprintf(entry, sizeof entry, "\n| `%s` |", k->key);
        if (strstr(section, entry) == NULL)
            fail_msg("configs/README.md does not explain key '%s' of '%s'", k->key, name);
        if (k->kind == RF_KEY_LIST)
            check_keys(manual, k->key, k->group);
    }
    free(section);
}

static void every_key_stands_in_the_manual(void **state)
{
    struct rf_error err = {RF_OK, ""};
    char *manual = NULL;
    char *scenarios;
    size_t size;

    (void)state;
    assert_int_equal(
        rf_file_read(RF_SOURCE_DIR "/configs/README.md", 1 << 20, &manual, &size, &err), RF_OK);
    scenarios = strstr(manual, "\n# Scenarios\n");
    assert_non_null(scenarios);
    for (const struct rf_key *s = rf_config_simulate.sections; s->key != NULL; s++)
        check_keys(scenarios, s->key, s->group);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_defaults_reach_their_fields),
        cmocka_unit_test(what_is_left_out_is_what_a_scenario_starts_with),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(overrides_reach_lists_within_groups),
        cmocka_unit_test(every_mistake_is_named_with_its_key),
        cmocka_unit_test(a_mistake_deep_in_the_file_is_named_with_its_line),
        cmocka_unit_test(durations_are_a_number_and_a_unit),
        cmocka_unit_test(dates_are_days_of_the_calendar),
        cmocka_unit_test(every_key_stands_in_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
