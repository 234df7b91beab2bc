/* A file of a scaling point from arbitrary bytes: it is refused with words, or a study can be made of it. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "report/scale.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rf_scale_study study;
    json_error_t problem;
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &problem);
    struct rf_scale_point point;
    struct rf_error err = {RF_OK, ""};
    char *text = NULL;

    if (root == NULL)
        return 0;
    if (rf_scale_point_parse(&study.subject, &point, root, "file", &err) != RF_OK) {
        need(err.text[0] != '\0');
    } else if (rf_scale_study_make(&study, &point, 1, 1, &err) == RF_OK) {
        need(study.nrows == 1 && study.rows[0].tokens_per_s > 0);
        need(rf_traffic_bytes(&study.rows[0].planned) >= 0);
        need(rf_scale_results_text(&study, 1, 0, &text, &err) == RF_OK);
    } else {
        need(err.status == RF_ERR_ARG || err.status == RF_ERR_MEMORY);
    }
    free(text);
    json_decref(root);
    return 0;
}
