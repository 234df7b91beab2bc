/* One table of keys; writing walks it, and reading compares with what writing gives. */
#include "alloc/terms.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TIME, DEVICES, SHARE };

static const struct key {
    const char *name;
    enum kind kind;
    size_t offset;
} KEYS[] = {
    {"credit_cap_us", TIME, offsetof(struct rf_terms, credit_cap_us)},
    {"credit_expiry_us", TIME, offsetof(struct rf_terms, credit_expiry_us)},
    {"burst", SHARE, offsetof(struct rf_terms, burst)},
    {"horizon_us", TIME, offsetof(struct rf_terms, horizon_us)},
    {"stock_devices", DEVICES, offsetof(struct rf_terms, stock_devices)},
    {"catch_up", SHARE, offsetof(struct rf_terms, catch_up)},
    {"approve", SHARE, offsetof(struct rf_terms, approve)},
    {"delay_us", TIME, offsetof(struct rf_terms, delay_us)},
    {"budget_us", TIME, offsetof(struct rf_terms, budget_us)},
};

enum { NKEYS = sizeof KEYS / sizeof *KEYS, VALUE_BYTES = 48, TERMS_BYTES = 512 };

struct rf_terms rf_terms_make(void)
{
    return (struct rf_terms){.burst = {1, 1}, .catch_up = {1, 1}, .approve = {1, 2}};
}

static void value_text(const struct rf_terms *terms, const struct key *key, char *buf)
{
    const char *at = (const char *)terms + key->offset;

    if (key->kind == SHARE)
        rf_share_format((const struct rf_share *)(const void *)at, buf, VALUE_BYTES);
    else
        snprintf(buf, VALUE_BYTES, "%lld",
                 key->kind == TIME ? (long long)*(const int64_t *)(const void *)at
                                   : (long long)*(const int32_t *)(const void *)at);
}

void rf_terms_format(const struct rf_terms *terms, char *buf, int size)
{
    const struct rf_terms usual = rf_terms_make();
    int used = 0;

    if (size > 0)
        buf[0] = '\0';
    for (int i = 0; i < NKEYS && used < size; i++) {
        char value[VALUE_BYTES], other[VALUE_BYTES];

        value_text(terms, &KEYS[i], value);
        value_text(&usual, &KEYS[i], other);
        if (strcmp(value, other) != 0)
            used += snprintf(buf + used, (size_t)(size - used), "%s%s=%s", used > 0 ? "," : "",
                             KEYS[i].name, value);
    }
}

static enum rf_status bad_value(const struct key *key, struct rf_error *err)
{
    static const char *const WANTED[] = {"an integer, not negative",
                                         "a number of devices, not negative",
                                         "a share between 0 and 1"};

    return rf_fail(err, RF_ERR_INPUT, "terms: %s is %s", key->name, WANTED[key->kind]);
}

static enum rf_status read_value(struct rf_terms *terms, const struct key *key,
                                 const char *text, struct rf_error *err)
{
    char *at = (char *)terms + key->offset, *end;
    int64_t value;

    if (key->kind == SHARE)
        return rf_share_parse((struct rf_share *)(void *)at, text, NULL) == RF_OK
                   ? RF_OK
                   : bad_value(key, err);
    value = strtoll(text, &end, 10); /* out of range saturates, and then differs when written */
    if (*text == '\0' || *end != '\0' || value < 0 ||
        (key->kind == DEVICES && value > INT32_MAX))
        return bad_value(key, err);
    if (key->kind == TIME)
        *(int64_t *)(void *)at = value;
    else
        *(int32_t *)(void *)at = (int32_t)value;
    return RF_OK;
}

/* One "key=value", n characters long. */
static enum rf_status read_pair(struct rf_terms *terms, const char *text, size_t n,
                                struct rf_error *err)
{
    char value[VALUE_BYTES];

    for (int i = 0; i < NKEYS; i++) {
        size_t name = strlen(KEYS[i].name);

        if (n <= name || strncmp(text, KEYS[i].name, name) != 0 || text[name] != '=')
            continue;
        if (n - name - 1 >= sizeof value)
            return bad_value(&KEYS[i], err);
        memcpy(value, text + name + 1, n - name - 1);
        value[n - name - 1] = '\0';
        return read_value(terms, &KEYS[i], value, err);
    }
    return rf_fail(err, RF_ERR_INPUT, "terms: unknown: '%.*s'", n > 40 ? 40 : (int)n, text);
}

enum rf_status rf_terms_parse(struct rf_terms *terms, const char *text, struct rf_error *err)
{
    struct rf_terms read = rf_terms_make();
    char again[TERMS_BYTES];
    const char *p = text;
    enum rf_status st = RF_OK;

    while (st == RF_OK && *p != '\0') {
        size_t n = strcspn(p, ",");

        st = read_pair(&read, p, n, err);
        p += p[n] == ',' ? n + 1 : n;
    }
    if (st != RF_OK)
        return st;
    rf_terms_format(&read, again, sizeof again);
    if (strcmp(again, text) != 0)
        return rf_fail(err, RF_ERR_INPUT, "terms: '%.60s' should read '%.60s'", text, again);
    *terms = read;
    return RF_OK;
}
