/* build.h - putting a JSON document together, and asking once whether memory sufficed. */
#ifndef RF_REPORT_BUILD_H
#define RF_REPORT_BUILD_H

#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/wide.h"

/* Starts as all zeros. Jansson's *_new() functions accept NULL and then fail, so memory errors
 * travel in one flag. */
struct rf_build {
    int failed;
};

void rf_build_set(struct rf_build *build, json_t *object, const char *key, json_t *value);
void rf_build_append(struct rf_build *build, json_t *array, json_t *value);
/* NULL is ""; what is not UTF-8 becomes a remark that says so. */
void rf_build_text(struct rf_build *build, json_t *object, const char *key, const char *text);
/* null for NAN and infinities. */
void rf_build_number(struct rf_build *build, json_t *object, const char *key, double x);
void rf_build_integer(struct rf_build *build, json_t *object, const char *key, int64_t x);
void rf_build_seconds(struct rf_build *build, json_t *object, const char *key, int64_t us);
void rf_build_wide_seconds(struct rf_build *build, json_t *object, const char *key,
                           struct rf_wide us);
json_t *rf_build_real(double x);

/* The document as text, indented, fifteen digits (every decimal figure of that length comes out
 * as it went in), ending in LF. The caller frees *text and still owns root. */
enum rf_status rf_build_dump(const struct rf_build *build, const json_t *root, char **text,
                             struct rf_error *err);
/* The same on standard output, and ends root. */
enum rf_status rf_build_print(const struct rf_build *build, json_t *root, struct rf_error *err);

#endif
