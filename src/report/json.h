/* json.h - reading results.json without a crash, whatever is in it.
 *
 * Absent or of another type is "" or NAN or an empty list; the page then shows a dash. */
#ifndef RF_REPORT_JSON_H
#define RF_REPORT_JSON_H

#include <jansson.h>

#include "base/error.h"

/* Reads one JSON object from a file. The caller ends *root with json_decref(). RF_ERR_INPUT
 * names file and line. */
enum rf_status rf_json_read(json_t **root, const char *path, struct rf_error *err);

const char *rf_json_text(const json_t *object, const char *key);
double rf_json_number(const json_t *object, const char *key);
/* The array under key, or NULL, which json_array_size() and json_array_get() accept. */
const json_t *rf_json_list(const json_t *object, const char *key);

#endif
