#include "sim/accounts_rule.h"

#include <stdio.h>
#include <string.h>

static const char *const FIELDS[RF_NFIELDS] = {"user", "group", "queue",
                                               "type", "name",  "account"};
static const char LETTERS[RF_NFIELDS + 1] = "ugqtna";
static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

static int field_of(const char *name)
{
    for (int f = 0; f < RF_NFIELDS; f++)
        if (strcmp(FIELDS[f], name) == 0)
            return f;
    return -1;
}

/* Which fields an account pattern holds, as bits; -1: not a usable pattern. */
static int fields_of_pattern(const char *pattern)
{
    size_t n = strlen(pattern);
    int bits = 0;

    if (n == 0 || pattern[0] == '.' || pattern[n - 1] == '.' || strstr(pattern, "..") != NULL)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const char *letter;

        if (pattern[i] != '%') {
            if (strchr(PLAIN, pattern[i]) == NULL)
                return -1;
            continue;
        }
        letter = i + 1 < n ? strchr(LETTERS, pattern[++i]) : NULL;
        if (letter == NULL)
            return -1;
        bits |= 1 << (letter - LETTERS);
    }
    return bits;
}

enum rf_status rf_rule_compile(struct rf_rule *rule, const struct rf_account_rule_spec *spec,
                               int number, struct rf_error *err)
{
    int field = field_of(spec->field), bits = fields_of_pattern(spec->account), code;
    char why[128];

    if (field < 0)
        return rf_fail(
            err, RF_ERR_CONFIG,
            "account rule %d: no field '%s' (user, group, queue, type, name, account)", number,
            spec->field);
    if (bits < 0)
        return rf_fail(err, RF_ERR_CONFIG, "account rule %d: not a usable account: '%s'",
                       number, spec->account);
    if ((spec->match[0] == '\0') == (spec->pattern[0] == '\0'))
        return rf_fail(err, RF_ERR_CONFIG,
                       "account rule %d: needs either values to match or a pattern", number);
    rule->field = (enum rf_field)field;
    rule->is_regex = spec->pattern[0] != '\0';
    memcpy(rule->match, spec->match, sizeof rule->match);
    memcpy(rule->account, spec->account, sizeof rule->account);
    if (rule->is_regex) {
        code = regcomp(&rule->regex, spec->pattern, REG_EXTENDED | REG_NOSUB);
        if (code != 0) {
            regerror(code, &rule->regex, why, sizeof why);
            return rf_fail(err, RF_ERR_CONFIG, "account rule %d: bad pattern '%s': %s", number,
                           spec->pattern, why);
        }
    }
    rule->looks_at = 1u << field | (unsigned)bits;
    return RF_OK;
}

void rf_rule_clear(struct rf_rule *rule)
{
    if (rule->is_regex)
        regfree(&rule->regex);
}

int rf_rule_is_plain(const char *account)
{
    return fields_of_pattern(account) == 0 && strlen(account) < RF_NAME_BYTES;
}

enum rf_status rf_account_rule_parse(struct rf_account_rule_spec *rule, const char *text,
                                     struct rf_error *err)
{
    size_t field = strcspn(text, "=~");
    const char *account = strrchr(text, ':');
    size_t match;
    char *to;

    memset(rule, 0, sizeof *rule);
    if (text[field] == '\0' || account == NULL || account <= text + field)
        return rf_fail(err, RF_ERR_ARG,
                       "not an account rule: '%.100s' (FIELD=VALUE,...:ACCOUNT or "
                       "FIELD~PATTERN:ACCOUNT)",
                       text);
    match = (size_t)(account - text) - field - 1;
    if (field >= sizeof rule->field || match >= sizeof rule->match ||
        strlen(account + 1) >= sizeof rule->account)
        return rf_fail(err, RF_ERR_ARG, "account rule is too long: '%.100s'", text);
    to = text[field] == '=' ? rule->match : rule->pattern;
    memcpy(rule->field, text, field);
    memcpy(to, text + field + 1, match);
    memcpy(rule->account, account + 1, strlen(account + 1));
    return RF_OK;
}

int rf_rule_matches(const struct rf_rule *rule, const char *value)
{
    const char *at = rule->match;
    size_t n = strlen(value);

    if (rule->is_regex)
        return regexec(&rule->regex, value, 0, NULL, 0) == 0;
    if (strcmp(rule->match, "*") == 0)
        return n > 0;
    for (;;) {
        size_t length = strcspn(at, ",");

        if (length == n && memcmp(at, value, n) == 0)
            return 1;
        if (at[length] == '\0')
            return 0;
        at += length + 1;
    }
}

void rf_rule_fill_in(const char *pattern, const char values[RF_NFIELDS][RF_VALUE_BYTES],
                     char account[RF_NAME_BYTES])
{
    size_t n = 0;

    for (const char *p = pattern; *p != '\0' && n < RF_NAME_BYTES - 1; p++) {
        enum rf_field field;
        const char *value;

        if (*p != '%') {
            account[n++] = *p;
            continue;
        }
        field = (enum rf_field)(strchr(LETTERS, *++p) - LETTERS);
        value = values[field][0] != '\0' ? values[field] : "none";
        for (; *value != '\0' && n < RF_NAME_BYTES - 1; value++) {
            int plain = strchr(PLAIN, *value) != NULL;
            int inner = n > 0 && account[n - 1] != '.';

            if (*value == '.' && (field != RF_FIELD_ACCOUNT || !inner))
                plain = 0;
            account[n++] = *value;
            if (!plain)
                account[n - 1] = '_';
        }
    }
    while (n > 0 && account[n - 1] == '.') /* cut, or the value ended so */
        n--;
    account[n] = '\0';
    for (char *dots = strstr(account, ".."); dots != NULL; dots = strstr(dots, ".."))
        dots[1] = '_'; /* a value that ended with '.' before the pattern's own */
}
