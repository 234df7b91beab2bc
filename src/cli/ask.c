#include "cli/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/local.h"
#include "config/config.h"
#include "report/build.h"

enum { PATIENCE_US = 30000000 };

enum rf_status rf_run_files_read(struct rf_run_files *files, const char *run_dir,
                                 struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(path, run_dir, "config.cfg", err);

    *files = (struct rf_run_files){0};
    if (st == RF_OK && !rf_file_exists(path))
        return rf_fail(err, RF_ERR_ARG, "there is no run in '%.300s': no config.cfg", run_dir);
    if (st == RF_OK)
        st = rf_config_read(&files->spec, path, NULL, 0, err);
    if (st == RF_OK)
        st = rf_job_plan_expand(&files->plan, &files->spec, err);
    if (st == RF_OK)
        st = rf_submissions_read(&files->submitted, &files->plan, &files->spec, run_dir, -1,
                                 err);
    return st;
}

void rf_run_files_clear(struct rf_run_files *files)
{
    rf_job_plan_clear(&files->plan);
    rf_submissions_clear(&files->submitted);
    rf_run_spec_clear(&files->spec);
    *files = (struct rf_run_files){0};
}

enum rf_status rf_ask(const char *run_dir, const struct rf_control_request *request,
                      json_t **answer, struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL, *reply = NULL;
    enum rf_status st = rf_file_join(path, run_dir, "control.sock", err);

    *answer = NULL;
    if (st == RF_OK)
        st = rf_control_format(request, &text, err);
    if (st == RF_OK)
        st = rf_local_ask(path, text, PATIENCE_US, &reply, err);
    if (st == RF_OK)
        st = rf_control_read(answer, reply, err);
    free(text);
    free(reply);
    return st;
}

enum rf_status rf_ask_print_json(json_t *answer, const char *command, int64_t seed,
                                 int64_t begun_us, struct rf_error *err)
{
    struct rf_build build = {0};
    json_t *root = json_object();

    rf_build_text(&build, root, "command", command);
    rf_build_text(&build, root, "version", RF_VERSION);
    rf_build_integer(&build, root, "seed", seed);
    rf_build_number(&build, root, "wall_s", (double)(rf_time_us() - begun_us) / 1e6);
    json_object_del(answer, "ok");
    build.failed |= json_object_update(root, answer) != 0;
    return rf_build_print(&build, root, err);
}
