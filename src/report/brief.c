#include "report/brief.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/build.h"
#include "report/json.h"

/* Takes key out of every object of a list. */
static void drop(json_t *list, const char *key)
{
    for (size_t i = 0; json_is_array(list) && i < json_array_size(list); i++)
        json_object_del(json_array_get(list, i), key); /* fails where it is not there: fine */
}

static enum rf_status add_run(json_t *runs, const char *dir, struct rf_error *err)
{
    char path[RF_PATH_BYTES], report[RF_PATH_BYTES];
    json_t *run = NULL;
    enum rf_status st = rf_file_join(path, dir, "results.json", err);

    if (st == RF_OK)
        st = rf_file_join(report, dir, "report.html", err);
    if (st == RF_OK)
        st = rf_json_read(&run, path, err);
    if (st != RF_OK)
        return st;
    drop(json_object_get(run, "jobs"), "curve");
    drop(json_object_get(run, "pledges"), "windows");
    json_object_del(run, "paces"); /* of a simulation */
    if (json_object_set_new(run, "run_dir", json_string(dir)) != 0 ||
        json_object_set_new(run, "report", json_string(report)) != 0)
        st = rf_fail(err, RF_ERR_INPUT, "the name of '%s' is not UTF-8", path);
    if (st == RF_OK && json_array_append(runs, run) != 0)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for the results");
    json_decref(run);
    return st;
}

static double sum_of(const json_t *runs, const char *key)
{
    double sum = 0;

    for (size_t i = 0; i < json_array_size(runs); i++)
        sum += json_number_value(json_object_get(json_array_get(runs, i), key));
    return sum;
}

static enum rf_status dump(const json_t *runs, const char *version, char **text,
                           struct rf_error *err)
{
    json_t *root = json_pack("{s:s, s:s, s:n, s:f, s:O}", "command", "report", "version",
                             version, "seed", "wall_s", sum_of(runs, "wall_s"), "runs", runs);
    struct rf_build build = {.failed = root == NULL};
    enum rf_status st = rf_build_dump(&build, root, text, err);

    json_decref(root);
    return st;
}

enum rf_status rf_report_brief(char *const *run_dirs, int n, const char *version, char **text,
                               struct rf_error *err)
{
    json_t *runs = json_array();
    enum rf_status st = RF_OK;

    *text = NULL;
    for (int i = 0; st == RF_OK && i < n; i++)
        st = add_run(runs, run_dirs[i], err);
    if (st == RF_OK)
        st = dump(runs, version, text, err);
    json_decref(runs);
    return st;
}
