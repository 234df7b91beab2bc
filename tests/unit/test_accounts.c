#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sim/accounts.h"

struct about {
    const char *field[RF_NFIELDS];
};

static const char *account_of(struct rf_accounts *accounts, const struct about *about)
{
    struct rf_view fields[RF_NFIELDS];
    int32_t account;

    for (int f = 0; f < RF_NFIELDS; f++) {
        const char *text = about->field[f] != NULL ? about->field[f] : "";

        fields[f] = (struct rf_view){text, strlen(text)};
    }
    assert_int_equal(rf_accounts_find(accounts, fields, &account, NULL), RF_OK);
    assert_true(account >= 0 && account < rf_accounts_count(accounts));
    return rf_accounts_name(accounts, account);
}

static void the_first_rule_that_matches_decides(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {
        {"user", "ann,ben", "", "lab.%u"}, {"name", "", "^eval[0-9]+$", "eval"},
        {"queue", "*", "", "q.%q"},        {"account", "cap", "", "capability.%g"},
        {"type", "a b", "", "%t%t"},
    };
    static const struct {
        struct about about;
        const char *account;
    } CASES[] = {
        {{{"ann", "", "gpu", "", "eval1", ""}}, "lab.ann"},
        {{{"an", "", "gpu", "", "eval1", ""}}, "eval"},
        {{{"ann,ben", "", "gpu", "", "eval1", ""}}, "eval"},
        {{{"cas", "", "gpu", "", "eval", "x"}}, "q.gpu"},
        {{{"cas", "g1", "", "", "eval", "cap"}}, "capability.g1"},
        {{{"cas", "", "", "", "eval", "cap"}}, "capability.none"},
        {{{"cas", "", "", "a b", "", "own.one"}}, "a_ba_b"},
        {{{"cas", "", "", "", "", "own.one"}}, "own.one"},
        {{{"cas", "", "", "", "", ""}}, "rest"},
    };
    struct rf_accounts *accounts;

    (void)unused;
    assert_int_equal(rf_accounts_create(&accounts, RULES, 5, "rest", NULL), RF_OK);
    for (int round = 0; round < 2; round++) /* the second time from memory */
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
            assert_string_equal(account_of(accounts, &CASES[i].about), CASES[i].account);
    assert_int_equal(rf_accounts_count(accounts), 8);
    rf_accounts_destroy(accounts);
    rf_accounts_destroy(NULL);
}

static void whatever_a_job_says_an_account_has_a_proper_name(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"type", "x", "", "%a.%n.%u"},
                                                        {"type", "*", "", "%a%a"}};
    static const char LETTERS[] = "ab.._ /\n\xc3\xa9%|";
    static const char NAME[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    struct rf_accounts *accounts;

    (void)unused;
    assert_int_equal(rf_accounts_create(&accounts, RULES, 2, "rest", NULL), RF_OK);
    for (uint64_t i = 0; i < 20000; i++) {
        char text[3][100];
        struct about about = {{text[0], "", "",
                               i % 3 == 0   ? "x"
                               : i % 3 == 1 ? "y"
                                            : "",
                               text[1], text[2]}};
        const char *name;
        size_t n;

        for (uint64_t f = 0; f < 3; f++) {
            n = (size_t)rf_rng_below(3, f, i, i % 10 == 0 ? 99 : 6);
            for (size_t k = 0; k < n; k++)
                text[f][k] = LETTERS[rf_rng_below(4, 100 * f + k, i, sizeof LETTERS - 1)];
            text[f][n] = '\0';
        }
        name = account_of(accounts, &about);
        n = strlen(name);
        if (n == 0 || n >= RF_NAME_BYTES || name[0] == '.' || name[n - 1] == '.' ||
            strstr(name, "..") != NULL || strspn(name, NAME) != n)
            fail_msg("'%s' from '%s' '%s' '%s'", name, text[0], text[1], text[2]);
    }
    rf_accounts_destroy(accounts);
}

static void a_value_cannot_reach_into_another_account(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"user", "*", "", "lab.%u"}};
    struct about about = {{"x.y", "", "", "", "", ""}};
    struct rf_accounts *accounts;

    (void)unused;
    assert_int_equal(rf_accounts_create(&accounts, RULES, 1, "rest", NULL), RF_OK);
    assert_string_equal(account_of(accounts, &about), "lab.x_y");
    rf_accounts_destroy(accounts);
}

static void renamed_values_read_by_their_names(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"group", "ee9e8c", "", "vc"}};
    struct about six = {{"", "6", "", "", "", ""}}, user = {{"6", "", "", "", "", ""}};
    struct rf_accounts *accounts;

    (void)unused;
    assert_int_equal(rf_accounts_create(&accounts, RULES, 1, "rest", NULL), RF_OK);
    assert_int_equal(rf_accounts_rename(accounts, RF_FIELD_GROUP, (struct rf_view){"6", 1},
                                        (struct rf_view){"ee9e8c", 6}, NULL),
                     RF_OK);
    assert_string_equal(account_of(accounts, &six), "vc");
    assert_string_equal(account_of(accounts, &user), "rest");
    rf_accounts_destroy(accounts);
}

static void bad_rules_are_refused_by_their_number(void **unused)
{
    static const struct {
        struct rf_account_rule_spec rule;
        const char *message;
    } CASES[] = {
        {{"usr", "a", "", "x"}, "account rule 2: no field 'usr'"},
        {{"user", "a", "", ""}, "account rule 2: not a usable account: ''"},
        {{"user", "a", "", "x..y"}, "account rule 2: not a usable account: 'x..y'"},
        {{"user", "a", "", ".x"}, "account rule 2: not a usable account: '.x'"},
        {{"user", "a", "", "x%z"}, "account rule 2: not a usable account: 'x%z'"},
        {{"user", "a", "", "x%"}, "account rule 2: not a usable account: 'x%'"},
        {{"user", "a", "", "x y"}, "account rule 2: not a usable account: 'x y'"},
        {{"user", "", "", "x"}, "account rule 2: needs either values to match or a pattern"},
        {{"user", "a", "b", "x"}, "account rule 2: needs either values to match or a pattern"},
        {{"user", "", "a(", "x"}, "account rule 2: bad pattern 'a('"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct rf_account_rule_spec rules[2] = {{"user", "a", "", "fine.%u"}, CASES[i].rule};
        struct rf_accounts *accounts;
        struct rf_error err;

        assert_int_equal(rf_accounts_create(&accounts, rules, 2, "rest", &err), RF_ERR_CONFIG);
        assert_null(accounts);
        if (strncmp(err.text, CASES[i].message, strlen(CASES[i].message)) != 0)
            fail_msg("'%s', expected '%s'", err.text, CASES[i].message);
    }
}

static void rules_read_from_a_command_line(void **unused)
{
    static const char *const BAD[] = {"", "user", "user=a", "=a:", ":x", "user:x", "~"};
    struct rf_account_rule_spec rule;
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_account_rule_parse(&rule, "group=6,7:alignment.%g", NULL), RF_OK);
    assert_string_equal(rule.field, "group");
    assert_string_equal(rule.match, "6,7");
    assert_string_equal(rule.pattern, "");
    assert_string_equal(rule.account, "alignment.%g");
    assert_int_equal(rf_account_rule_parse(&rule, "name~^[[:alpha:]]=x:eval", NULL), RF_OK);
    assert_string_equal(rule.field, "name");
    assert_string_equal(rule.match, "");
    assert_string_equal(rule.pattern, "^[[:alpha:]]=x");
    assert_string_equal(rule.account, "eval");
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct rf_accounts *accounts;
        enum rf_status st = rf_account_rule_parse(&rule, BAD[i], &err);

        if (st == RF_OK) /* the right shape, but nothing in it */
            st = rf_accounts_create(&accounts, &rule, 1, "rest", &err);
        if (st == RF_OK)
            fail_msg("'%s' was taken for a rule", BAD[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_matches_decides),
        cmocka_unit_test(whatever_a_job_says_an_account_has_a_proper_name),
        cmocka_unit_test(a_value_cannot_reach_into_another_account),
        cmocka_unit_test(renamed_values_read_by_their_names),
        cmocka_unit_test(bad_rules_are_refused_by_their_number),
        cmocka_unit_test(rules_read_from_a_command_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
