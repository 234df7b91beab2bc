#include "report/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_DIGITS = 15 };

void rf_build_set(struct rf_build *build, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        build->failed = 1;
}

void rf_build_append(struct rf_build *build, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        build->failed = 1;
}

void rf_build_text(struct rf_build *build, json_t *object, const char *key, const char *text)
{
    json_t *value = json_string(text != NULL ? text : "");

    rf_build_set(build, object, key, value != NULL ? value : json_string("(not UTF-8)"));
}

json_t *rf_build_real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

void rf_build_number(struct rf_build *build, json_t *object, const char *key, double x)
{
    rf_build_set(build, object, key, rf_build_real(x));
}

void rf_build_integer(struct rf_build *build, json_t *object, const char *key, int64_t x)
{
    rf_build_set(build, object, key, json_integer(x));
}

void rf_build_seconds(struct rf_build *build, json_t *object, const char *key, int64_t us)
{
    rf_build_set(build, object, key, json_real((double)us / 1e6));
}

void rf_build_wide_seconds(struct rf_build *build, json_t *object, const char *key,
                           struct rf_wide us)
{
    rf_build_set(build, object, key, json_real(rf_wide_double(us) / 1e6));
}

enum rf_status rf_build_dump(const struct rf_build *build, const json_t *root, char **text,
                             struct rf_error *err)
{
    char *dumped = build->failed
                       ? NULL
                       : json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(JSON_DIGITS));
    size_t length = dumped != NULL ? strlen(dumped) : 0;

    *text = dumped != NULL ? realloc(dumped, length + 2) : NULL;
    if (*text == NULL) {
        free(dumped);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the results");
    }
    memcpy(*text + length, "\n", 2);
    return RF_OK;
}

enum rf_status rf_build_print(const struct rf_build *build, json_t *root, struct rf_error *err)
{
    char *text = NULL;
    enum rf_status st = rf_build_dump(build, root, &text, err);

    if (st == RF_OK && fputs(text, stdout) == EOF)
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    free(text);
    json_decref(root);
    return st;
}
