/* ask.h - what `submit`, `status` and `cancel` share: a run directory, and asking who runs there. */
#ifndef RF_CLI_ASK_H
#define RF_CLI_ASK_H

#include <jansson.h>

#include "cli/submissions.h"
#include "report/control.h"

/* A run's directory as an outsider reads it. */
struct rf_run_files {
    struct rf_run_spec spec;
    struct rf_job_plan plan;
    struct rf_submissions submitted;
};

/* Local, as all here. Reads config.cfg and what was submitted so far. RF_ERR_ARG: there is no run.
 * The caller ends *files with rf_run_files_clear() in any case. */
enum rf_status rf_run_files_read(struct rf_run_files *files, const char *run_dir,
                                 struct rf_error *err);
void rf_run_files_clear(struct rf_run_files *files);

/* Asks the coordinator of the run. On success the caller ends *answer with json_decref().
 * RF_ERR_PEER: nobody answers. */
enum rf_status rf_ask(const char *run_dir, const struct rf_control_request *request,
                      json_t **answer, struct rf_error *err);

/* Prints an answer as one JSON document, with command, version, seed and wall_s in it. */
enum rf_status rf_ask_print_json(json_t *answer, const char *command, int64_t seed,
                                 int64_t begun_us, struct rf_error *err);

#endif
