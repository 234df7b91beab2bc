/* accounts_rule.h - one rule, compiled: does it match a value, and which account follows.
 * Internal to accounts.c. */
#ifndef RF_SIM_ACCOUNTS_RULE_H
#define RF_SIM_ACCOUNTS_RULE_H

#include <regex.h>

#include "sim/accounts.h"

enum { RF_VALUE_BYTES = 256 };

struct rf_rule {
    enum rf_field field;
    int is_regex;
    unsigned looks_at; /* bit f: field f decides, or is part of the account */
    char match[RF_TEXT_BYTES];
    char account[RF_NAME_BYTES];
    regex_t regex; /* where is_regex */
};

/* RF_ERR_CONFIG with the rule's number. On success rf_rule_clear() ends it. */
enum rf_status rf_rule_compile(struct rf_rule *rule, const struct rf_account_rule_spec *spec,
                               int number, struct rf_error *err);
void rf_rule_clear(struct rf_rule *rule);

int rf_rule_matches(const struct rf_rule *rule, const char *value);

/* Is it an account's name without any % in it? */
int rf_rule_is_plain(const char *account);
/* Fills an account in; the result is a name of an account whatever the values hold. */
void rf_rule_fill_in(const char *account, const char values[RF_NFIELDS][RF_VALUE_BYTES],
                     char name[RF_NAME_BYTES]);

#endif
