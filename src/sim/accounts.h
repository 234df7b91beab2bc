/* accounts.h - which account a job of a trace is charged to.
 *
 * Rules look at what the trace says about a job: its user, group, queue, type, name and the
 * account it named itself. The first rule that matches decides. A job that none matches keeps
 * the account it named, and goes to the default account when it named none.
 *
 * Answers are remembered per combination of the fields that the rules look at, so that a
 * million jobs of a few thousand users cost a few thousand matches. */
#ifndef RF_SIM_ACCOUNTS_H
#define RF_SIM_ACCOUNTS_H

#include "alloc/event.h"
#include "base/lines.h"

enum rf_field {
    RF_FIELD_USER,
    RF_FIELD_GROUP,
    RF_FIELD_QUEUE,
    RF_FIELD_TYPE,
    RF_FIELD_NAME,
    RF_FIELD_ACCOUNT,
    RF_NFIELDS
};

enum { RF_ACCOUNTS_MAX = 65536 };

struct rf_account_rule_spec {
    char field[16];            /* "user", "group", "queue", "type", "name" or "account" */
    char match[RF_TEXT_BYTES]; /* values joined by ','; "*": any but none */
    char
        pattern[RF_TEXT_BYTES]; /* ... or a POSIX extended regular expression, found anywhere */
    /* Letters, digits, '_', '-' and '.'; %u %g %q %t %n %a stand for the job's user, group,
     * queue, type, name and own account, in which any other character becomes '_'; in all but
     * %a a '.' does too, so that a value cannot reach into another part of the tree. */
    char account[RF_NAME_BYTES];
};

/* Reads "group=6,7:alignment" (values) or "name~^eval:alignment.eval" (an expression); the last
 * ':' parts the account off. RF_ERR_ARG says what is wrong. */
enum rf_status rf_account_rule_parse(struct rf_account_rule_spec *rule, const char *text,
                                     struct rf_error *err);

struct rf_accounts;

/* Compiles the rules. `fallback` is the default account. RF_ERR_CONFIG: an unknown field, a bad
 * expression or account, said with the rule's number from 1. On success the caller owns
 * *accounts. */
enum rf_status rf_accounts_create(struct rf_accounts **accounts,
                                  const struct rf_account_rule_spec *rules, int nrules,
                                  const char *fallback, struct rf_error *err);
void rf_accounts_destroy(struct rf_accounts *accounts);

/* From now on `value` of that field reads as `name`: group 6 is called ee9e8c. */
enum rf_status rf_accounts_rename(struct rf_accounts *accounts, enum rf_field field,
                                  struct rf_view value, struct rf_view name,
                                  struct rf_error *err);

/* The account of a job, by what the trace says about it (empty: nothing), as a number in order
 * of first use. RF_ERR_INPUT: more than RF_ACCOUNTS_MAX of them. */
enum rf_status rf_accounts_find(struct rf_accounts *accounts,
                                const struct rf_view fields[RF_NFIELDS], int32_t *account,
                                struct rf_error *err);
int32_t rf_accounts_count(const struct rf_accounts *accounts);
const char *rf_accounts_name(const struct rf_accounts *accounts, int32_t account);

#endif
