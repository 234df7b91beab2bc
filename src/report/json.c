#include "report/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/file.h"

static const size_t MOST_BYTES = (size_t)1 << 30;

enum rf_status rf_json_read(json_t **root, const char *path, struct rf_error *err)
{
    char *data = NULL;
    size_t size = 0;
    json_error_t problem;
    enum rf_status st;

    *root = NULL;
    st = rf_file_read(path, MOST_BYTES, &data, &size, err);
    if (st != RF_OK)
        return st;
    *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
    free(data);
    if (*root == NULL)
        return rf_fail(err, RF_ERR_INPUT, "cannot read '%s' as JSON: line %d: %s", path,
                       problem.line, problem.text);
    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return rf_fail(err, RF_ERR_INPUT, "'%s' holds no JSON object", path);
    }
    return RF_OK;
}

const char *rf_json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

double rf_json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

const json_t *rf_json_list(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_array(value) ? value : NULL;
}
