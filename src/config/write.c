/* The effective configuration as text: the tables of schema.h once more, the other way. */
#include "config/config.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/moment.h"
#include "config/schema.h"

static void write_text(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 32 || *c == 127)
            fprintf(out, "\\x%02x", *c);
        else
            putc(*c, out);
    putc('"', out);
}

/* The shortest decimal that reads back as the same double, always with a dot or an exponent:
 * without one it would be a whole number to the reader. */
static void write_number(FILE *out, double value)
{
    char text[40];

    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
    if (strpbrk(text, ".e") == NULL)
        fputs(".0", out);
}

static void write_seconds(FILE *out, int64_t us)
{
    char text[40];
    size_t n;

    snprintf(text, sizeof text, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
    for (n = strlen(text); text[n - 1] == '0' && text[n - 2] != '.'; n--)
        text[n - 1] = '\0';
    fputs(text, out);
}

static void write_names(FILE *out, const struct rf_key *k, const char *base)
{
    const char(*names)[RF_NAME_BYTES] = (const void *)(base + k->offset);
    int n = *(const int *)(const void *)(base + k->count_offset);

    putc('[', out);
    for (int i = 0; i < n; i++) {
        fputs(i > 0 ? ", " : "", out);
        write_text(out, names[i]);
    }
    putc(']', out);
}

static void write_words(FILE *out, const struct rf_key *k, const char *base)
{
    const char *word = k->words;
    const char *comma = "";

    putc('[', out);
    for (int i = 0; *word != '\0'; i++) {
        size_t n = strcspn(word, " ");

        if (*(const int *)(const void *)(base + k->word_offsets[i])) {
            fprintf(out, "%s\"%.*s\"", comma, (int)n, word);
            comma = ", ";
        }
        word += n;
        word += *word == ' ';
    }
    putc(']', out);
}

static void write_share(FILE *out, const struct rf_share *share)
{
    char text[64];

    rf_share_format(share, text, (int)sizeof text);
    write_text(out, text);
}

/* [a, b, c] of shares or durations. */
static void write_array(FILE *out, const struct rf_key *k, const char *base)
{
    const void *from = base + k->offset;
    int n = *(const int *)(const void *)(base + k->count_offset);

    putc('[', out);
    for (int i = 0; i < n; i++) {
        fputs(i > 0 ? ", " : "", out);
        if (k->kind == RF_KEY_SHARES)
            write_share(out, (const struct rf_share *)from + i);
        else
            write_seconds(out, ((const int64_t *)from)[i]);
    }
    putc(']', out);
}

static void write_date(FILE *out, int64_t us)
{
    char text[RF_DATE_BYTES] = "";

    if (us != 0)
        rf_date_format(us, text);
    write_text(out, text);
}

static void write_group(FILE *out, const struct rf_key *keys, const char *base, int indent);

static void write_list(FILE *out, const struct rf_key *k, const char *base, int indent)
{
    const char *members;
    int n = *(const int *)(const void *)(base + k->count_offset);

    memcpy(&members, base + k->offset, sizeof members);
    putc('(', out);
    for (int i = 0; i < n; i++) {
        fprintf(out, "%s\n%*s", i > 0 ? "," : "", indent + 4, "");
        write_group(out, k->group, members + (size_t)i * k->size, indent + 4);
    }
    if (n > 0)
        fprintf(out, "\n%*s", indent, "");
    putc(')', out);
}

static void write_value(FILE *out, const struct rf_key *k, const char *base, int indent)
{
    const void *from = base + k->offset;

    switch (k->kind) {
    case RF_KEY_TEXT:
    case RF_KEY_NAME:
    case RF_KEY_ACCOUNT:
    case RF_KEY_PATH:
        write_text(out, from);
        break;
    case RF_KEY_INT:
        fprintf(out, "%d", *(const int *)from);
        break;
    case RF_KEY_LONG:
        fprintf(out, "%" PRId64 "L", *(const int64_t *)from);
        break;
    case RF_KEY_NUMBER:
        write_number(out, *(const double *)from);
        break;
    case RF_KEY_SECONDS:
    case RF_KEY_TIME:
        write_seconds(out, *(const int64_t *)from);
        break;
    case RF_KEY_DATE:
        write_date(out, *(const int64_t *)from);
        break;
    case RF_KEY_FLAG:
        fputs(*(const int *)from ? "true" : "false", out);
        break;
    case RF_KEY_SHARE:
        write_share(out, from);
        break;
    case RF_KEY_NAMES:
    case RF_KEY_ACCOUNTS:
    case RF_KEY_TEXTS:
        write_names(out, k, base);
        break;
    case RF_KEY_WORDS:
        write_words(out, k, base);
        break;
    case RF_KEY_SHARES:
    case RF_KEY_DURATIONS:
        write_array(out, k, base);
        break;
    case RF_KEY_GROUP:
        write_group(out, k->group, from, indent);
        break;
    case RF_KEY_LIST:
        write_list(out, k, base, indent);
        break;
    case RF_KEY_MEMBER:
    case RF_KEY_PASSED:
        break;
    }
}

static void write_group(FILE *out, const struct rf_key *keys, const char *base, int indent)
{
    fputs("{\n", out);
    for (const struct rf_key *k = keys; k->key != NULL; k++) {
        if (k->kind == RF_KEY_PASSED)
            continue;
        fprintf(out, "%*s%s = ", indent + 4, "", k->key);
        write_value(out, k, base, indent + 4);
        fputs(";\n", out);
    }
    fprintf(out, "%*s}", indent, "");
}

enum rf_status rf_schema_write(const struct rf_schema *schema, const void *target, char **text,
                               size_t *size_bytes, struct rf_error *err)
{
    FILE *out = open_memstream(text, size_bytes);
    int bad;

    if (out == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    fputs("# The effective configuration: every default is written out.\n", out);
    for (const struct rf_key *k = schema->sections; k->key != NULL; k++) {
        if (k->kind == RF_KEY_PASSED || k->kind == RF_KEY_MEMBER)
            continue;
        fprintf(out, "\n%s = ", k->key);
        write_value(out, k, target, 0);
        fputs(";\n", out);
    }
    bad = ferror(out);
    if (fclose(out) != 0 || bad) {
        free(*text);
        *text = NULL;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    }
    return RF_OK;
}

/* SHA-256 of the effective configuration. */
static enum rf_status digest_of(const struct rf_schema *schema, const void *target,
                                char hex[RF_DIGEST_HEX], struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    struct rf_digest digest;
    enum rf_status st = rf_schema_write(schema, target, &text, &size, err);

    if (st != RF_OK)
        return st;
    digest = rf_digest_of(text, size);
    rf_digest_to_hex(&digest, hex);
    free(text);
    return RF_OK;
}

enum rf_status rf_config_write(const struct rf_run_spec *spec, char **text, size_t *size_bytes,
                               struct rf_error *err)
{
    return rf_schema_write(&rf_config_run, spec, text, size_bytes, err);
}

enum rf_status rf_config_digest(const struct rf_run_spec *spec, char hex[RF_DIGEST_HEX],
                                struct rf_error *err)
{
    return digest_of(&rf_config_run, spec, hex, err);
}

enum rf_status rf_config_write_submission(const struct rf_run_spec *spec, char **text,
                                          size_t *size_bytes, struct rf_error *err)
{
    struct rf_run_spec own = *spec;

    own.nmodels = spec->nown_models;
    own.ntasks = spec->nown_tasks;
    return rf_schema_write(&rf_config_submission, &own, text, size_bytes, err);
}

enum rf_status rf_config_write_scenario(const struct rf_scenario *scenario, char **text,
                                        size_t *size_bytes, struct rf_error *err)
{
    return rf_schema_write(&rf_config_simulate, scenario, text, size_bytes, err);
}

enum rf_status rf_config_digest_scenario(const struct rf_scenario *scenario,
                                         char hex[RF_DIGEST_HEX], struct rf_error *err)
{
    return digest_of(&rf_config_simulate, scenario, hex, err);
}

enum rf_status rf_config_write_promises(const struct rf_scenario *scenario, char **text,
                                        size_t *size_bytes, struct rf_error *err)
{
    return rf_schema_write(&rf_config_promises, scenario, text, size_bytes, err);
}
