/* A rule is matched against every field of every job, which would make a million jobs cost a
 * million regular expressions. But the answer depends on a few fields only, those that some
 * rule, or an account with %u in it, looks at, and traces have few different values there.
 * So the values of these fields, joined, are the key of a hash table of answers. */
#include "sim/accounts.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond so many different keys answers are worked out anew: job names may all differ. */
enum { MEMORY_MAX = 1 << 17, VALUE_BYTES = 256 };

struct rule {
    enum rf_field field;
    int is_regex;
    char match[RF_TEXT_BYTES];
    char account[RF_NAME_BYTES];
    regex_t regex;
};

struct entry { /* of an open-addressing table; key == NULL: free */
    char *key; /* owned */
    size_t key_bytes;
    uint64_t hash;
    int32_t value;
};

struct table {
    struct entry *entries;
    size_t room, used; /* room: a power of two, at least twice used */
};

struct rename {
    enum rf_field field;
    char *value, *name; /* owned */
};

struct rf_accounts {
    struct rule *rules;
    int nrules;
    char fallback[RF_NAME_BYTES];
    unsigned looked_at;  /* bit f: the answer depends on field f */
    struct table memory; /* joined values -> account */
    struct table names;  /* account name -> account */
    char (*accounts)[RF_NAME_BYTES];
    int32_t naccounts;
    struct rename *renames;
    int nrenames;
    char *key; /* room to join values in */
    size_t key_room;
    const struct entry *last; /* of memory: the answer before, which often holds again */
};

static const char *const FIELDS[RF_NFIELDS] = {"user", "group", "queue",
                                               "type", "name",  "account"};
static const char LETTERS[RF_NFIELDS + 1] = "ugqtna";
static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

/* ---- a table from bytes to numbers -------------------------------------- */

static uint64_t hash_of(const char *bytes, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* The entry of the key, or the free one where it would stand; room must be > 0. */
static struct entry *table_find(const struct table *t, const char *key, size_t n, uint64_t hash)
{
    size_t i = (size_t)hash & (t->room - 1);

    while (t->entries[i].key != NULL &&
           (t->entries[i].hash != hash || t->entries[i].key_bytes != n ||
            memcmp(t->entries[i].key, key, n) != 0))
        i = (i + 1) & (t->room - 1);
    return &t->entries[i];
}

static int table_grow(struct table *t)
{
    struct table more = {NULL, t->room > 0 ? 2 * t->room : 64, t->used};

    more.entries = calloc(more.room, sizeof *more.entries);
    if (more.entries == NULL)
        return 0;
    for (size_t i = 0; i < t->room; i++) {
        const struct entry *e = &t->entries[i];

        if (e->key != NULL)
            *table_find(&more, e->key, e->key_bytes, e->hash) = *e;
    }
    free(t->entries);
    *t = more;
    return 1;
}

/* Adds a key that is not there; 0: out of memory. */
static int table_add(struct table *t, const char *key, size_t n, uint64_t hash, int32_t value)
{
    char *copy = malloc(n + 1);

    if (copy == NULL || (2 * (t->used + 1) > t->room && !table_grow(t))) {
        free(copy);
        return 0;
    }
    memcpy(copy, key, n);
    copy[n] = '\0';
    *table_find(t, key, n, hash) = (struct entry){copy, n, hash, value};
    t->used++;
    return 1;
}

static void table_clear(struct table *t)
{
    for (size_t i = 0; i < t->room; i++)
        free(t->entries[i].key);
    free(t->entries);
}

/* ---- rules ---------------------------------------------------------------- */

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

static enum rf_status compile(struct rf_accounts *a, const struct rf_account_rule_spec *spec,
                              int number, struct rf_error *err)
{
    struct rule *rule = &a->rules[a->nrules];
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
    a->looked_at |= 1u << field | (unsigned)bits;
    a->nrules++;
    return RF_OK;
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

enum rf_status rf_accounts_create(struct rf_accounts **accounts,
                                  const struct rf_account_rule_spec *rules, int nrules,
                                  const char *fallback, struct rf_error *err)
{
    struct rf_accounts *a = calloc(1, sizeof *a);
    enum rf_status st = RF_OK;

    *accounts = NULL;
    if (a != NULL)
        a->rules = calloc((size_t)nrules + 1, sizeof *a->rules);
    if (a == NULL || a->rules == NULL || !table_grow(&a->memory) || !table_grow(&a->names))
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for %d account rules", nrules);
    if (st == RF_OK && (fields_of_pattern(fallback) != 0 || strlen(fallback) >= RF_NAME_BYTES))
        st = rf_fail(err, RF_ERR_CONFIG, "not a usable default account: '%.80s'", fallback);
    if (st == RF_OK)
        memcpy(a->fallback, fallback, strlen(fallback) + 1);
    if (st == RF_OK)
        a->looked_at = 1u << RF_FIELD_ACCOUNT;
    for (int i = 0; i < nrules && st == RF_OK; i++)
        st = compile(a, &rules[i], i + 1, err);
    if (st == RF_OK)
        *accounts = a;
    else
        rf_accounts_destroy(a);
    return st;
}

void rf_accounts_destroy(struct rf_accounts *a)
{
    if (a == NULL)
        return;
    for (int i = 0; i < a->nrules; i++)
        if (a->rules[i].is_regex)
            regfree(&a->rules[i].regex);
    for (int i = 0; i < a->nrenames; i++) {
        free(a->renames[i].value);
        free(a->renames[i].name);
    }
    table_clear(&a->memory);
    table_clear(&a->names);
    free(a->renames);
    free(a->rules);
    free(a->accounts);
    free(a->key);
    free(a);
}

static char *copy_of(struct rf_text text)
{
    char *copy = malloc(text.size_bytes + 1);

    if (copy != NULL) {
        if (text.size_bytes > 0)
            memcpy(copy, text.bytes, text.size_bytes);
        copy[text.size_bytes] = '\0';
    }
    return copy;
}

enum rf_status rf_accounts_rename(struct rf_accounts *a, enum rf_field field,
                                  struct rf_text value, struct rf_text name,
                                  struct rf_error *err)
{
    struct rename *more = realloc(a->renames, ((size_t)a->nrenames + 1) * sizeof *a->renames);
    struct rename entry = {field, copy_of(value), copy_of(name)};

    if (more != NULL)
        a->renames = more;
    if (more == NULL || entry.value == NULL || entry.name == NULL) {
        free(entry.value);
        free(entry.name);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the names of values");
    }
    a->renames[a->nrenames++] = entry;
    return RF_OK;
}

/* ---- from a job to its account ---------------------------------------- */

/* The value of a field as it reads after renaming, ended by NUL and cut where it is very long;
 * a NUL inside ends it early, which no sensible value notices. */
static void value_of(const struct rf_accounts *a, enum rf_field field, struct rf_text text,
                     char value[VALUE_BYTES])
{
    size_t n = text.size_bytes < VALUE_BYTES - 1 ? text.size_bytes : VALUE_BYTES - 1;

    if (n > 0)
        memcpy(value, text.bytes, n);
    value[n] = '\0';
    for (int i = 0; i < a->nrenames; i++) {
        if (a->renames[i].field == field && strcmp(a->renames[i].value, value) == 0) {
            snprintf(value, VALUE_BYTES, "%s", a->renames[i].name);
            return;
        }
    }
}

static int matches(const struct rule *rule, const char *value)
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

/* Fills a pattern in; the result is a name of an account whatever the values hold. */
static void fill_in(const char *pattern, const char values[RF_NFIELDS][VALUE_BYTES],
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

static enum rf_status number_of(struct rf_accounts *a, const char *name, int32_t *account,
                                struct rf_error *err)
{
    size_t n = strlen(name);
    uint64_t hash = hash_of(name, n);
    const struct entry *known = table_find(&a->names, name, n, hash);

    if (known->key != NULL) {
        *account = known->value;
        return RF_OK;
    }
    if (a->naccounts == RF_ACCOUNTS_MAX)
        return rf_fail(err, RF_ERR_INPUT, "more than %d accounts", RF_ACCOUNTS_MAX);
    if ((a->naccounts & (a->naccounts - 1)) == 0) {
        size_t room = a->naccounts > 0 ? 2 * (size_t)a->naccounts : 1;
        void *more = realloc(a->accounts, room * sizeof *a->accounts);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %zu accounts", room);
        a->accounts = more;
    }
    if (!table_add(&a->names, name, n, hash, a->naccounts))
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the names of accounts");
    snprintf(a->accounts[a->naccounts], RF_NAME_BYTES, "%s", name);
    *account = a->naccounts++;
    return RF_OK;
}

static enum rf_status work_out(struct rf_accounts *a, const struct rf_text fields[RF_NFIELDS],
                               int32_t *account, struct rf_error *err)
{
    char values[RF_NFIELDS][VALUE_BYTES], name[RF_NAME_BYTES];
    const char *pattern = NULL;

    for (int f = 0; f < RF_NFIELDS; f++)
        value_of(a, (enum rf_field)f, fields[f], values[f]);
    for (int i = 0; i < a->nrules && pattern == NULL; i++)
        if (matches(&a->rules[i], values[a->rules[i].field]))
            pattern = a->rules[i].account;
    if (pattern == NULL)
        pattern = values[RF_FIELD_ACCOUNT][0] != '\0' ? "%a" : a->fallback;
    fill_in(pattern, (const char(*)[VALUE_BYTES])values, name);
    return number_of(a, name, account, err);
}

/* Joins the values that matter, each behind its length; 0: out of memory. */
static size_t join(struct rf_accounts *a, const struct rf_text fields[RF_NFIELDS])
{
    size_t n = 1, at = 0;

    for (int f = 0; f < RF_NFIELDS; f++)
        if (a->looked_at >> f & 1)
            n += fields[f].size_bytes + sizeof(size_t);
    if (n > a->key_room) {
        char *more = realloc(a->key, 2 * n);

        if (more == NULL)
            return 0;
        a->key = more;
        a->key_room = 2 * n;
    }
    a->key[at++] = '\0';
    for (int f = 0; f < RF_NFIELDS; f++) {
        if ((a->looked_at >> f & 1) == 0)
            continue;
        memcpy(a->key + at, &fields[f].size_bytes, sizeof(size_t));
        at += sizeof(size_t);
        if (fields[f].size_bytes > 0)
            memcpy(a->key + at, fields[f].bytes, fields[f].size_bytes);
        at += fields[f].size_bytes;
    }
    return at;
}

enum rf_status rf_accounts_find(struct rf_accounts *a, const struct rf_text fields[RF_NFIELDS],
                                int32_t *account, struct rf_error *err)
{
    size_t n = join(a, fields);
    const struct entry *known = a->last;
    uint64_t hash;
    enum rf_status st;

    if (n == 0)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for what a job says of itself");
    if (known != NULL && known->key_bytes == n && memcmp(known->key, a->key, n) == 0) {
        *account = known->value;
        return RF_OK;
    }
    hash = hash_of(a->key, n);
    known = table_find(&a->memory, a->key, n, hash);
    if (known->key != NULL) {
        *account = known->value;
        a->last = known;
        return RF_OK;
    }
    a->last = NULL; /* the table may move */
    st = work_out(a, fields, account, err);
    if (st == RF_OK && a->memory.used < MEMORY_MAX &&
        !table_add(&a->memory, a->key, n, hash, *account))
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for the accounts of jobs");
    return st;
}

int32_t rf_accounts_count(const struct rf_accounts *accounts)
{
    return accounts->naccounts;
}

const char *rf_accounts_name(const struct rf_accounts *accounts, int32_t account)
{
    return accounts->accounts[account];
}
