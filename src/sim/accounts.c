/* A rule is matched against every field of every job, which would make a million jobs cost a
 * million regular expressions. But the answer depends on a few fields only, those that some
 * rule, or an account with %u in it, looks at, and traces have few different values there.
 * So the values of these fields, joined, are the key of a hash table of answers. */
#include "sim/accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/accounts_rule.h"

/* Beyond so many different keys answers are worked out anew: job names may all differ. */
enum { MEMORY_MAX = 1 << 17 };

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
    struct rf_rule *rules;
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

/* ---- the object ---------------------------------------------------------- */

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
    if (st == RF_OK && (!rf_rule_is_plain(fallback)))
        st = rf_fail(err, RF_ERR_CONFIG, "not a usable default account: '%.80s'", fallback);
    if (st == RF_OK)
        memcpy(a->fallback, fallback, strlen(fallback) + 1);
    if (st == RF_OK)
        a->looked_at = 1u << RF_FIELD_ACCOUNT;
    for (int i = 0; i < nrules && st == RF_OK; i++) {
        st = rf_rule_compile(&a->rules[i], &rules[i], i + 1, err);
        if (st == RF_OK)
            a->looked_at |= a->rules[a->nrules++].looks_at;
    }
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
        rf_rule_clear(&a->rules[i]);
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

static char *copy_of(struct rf_view text)
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
                                  struct rf_view value, struct rf_view name,
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
static void value_of(const struct rf_accounts *a, enum rf_field field, struct rf_view text,
                     char value[RF_VALUE_BYTES])
{
    size_t n = text.size_bytes < RF_VALUE_BYTES - 1 ? text.size_bytes : RF_VALUE_BYTES - 1;

    if (n > 0)
        memcpy(value, text.bytes, n);
    value[n] = '\0';
    for (int i = 0; i < a->nrenames; i++) {
        if (a->renames[i].field == field && strcmp(a->renames[i].value, value) == 0) {
            snprintf(value, RF_VALUE_BYTES, "%s", a->renames[i].name);
            return;
        }
    }
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

static enum rf_status work_out(struct rf_accounts *a, const struct rf_view fields[RF_NFIELDS],
                               int32_t *account, struct rf_error *err)
{
    char values[RF_NFIELDS][RF_VALUE_BYTES], name[RF_NAME_BYTES];
    const char *pattern = NULL;

    for (int f = 0; f < RF_NFIELDS; f++)
        value_of(a, (enum rf_field)f, fields[f], values[f]);
    for (int i = 0; i < a->nrules && pattern == NULL; i++)
        if (rf_rule_matches(&a->rules[i], values[a->rules[i].field]))
            pattern = a->rules[i].account;
    if (pattern == NULL)
        pattern = values[RF_FIELD_ACCOUNT][0] != '\0' ? "%a" : a->fallback;
    rf_rule_fill_in(pattern, (const char(*)[RF_VALUE_BYTES])values, name);
    return number_of(a, name, account, err);
}

/* Joins the values that matter, each behind its length; 0: out of memory. */
static size_t join(struct rf_accounts *a, const struct rf_view fields[RF_NFIELDS])
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

enum rf_status rf_accounts_find(struct rf_accounts *a, const struct rf_view fields[RF_NFIELDS],
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
