/* ringfence cancel: a job of a run that is going is not wanted any more. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/command.h"

static enum rf_status take_job(struct rf_control_request *request, const char *job,
                               struct rf_error *err)
{
    if (job[0] == '\0' || strlen(job) >= sizeof request->job)
        return rf_fail(err, RF_ERR_ARG, "'%.80s' is no name and no number of a job", job);
    memcpy(request->job, job, strlen(job) + 1);
    return RF_OK;
}

/* Which seed the run has, for the document; 0 where that cannot be read. */
static int64_t seed_of(const char *run_dir)
{
    struct rf_run_files files;
    int64_t seed = rf_run_files_read(&files, run_dir, NULL) == RF_OK ? files.spec.seed : 0;

    rf_run_files_clear(&files);
    return seed;
}

static enum rf_status print(const json_t *answer, struct rf_error *err)
{
    const json_t *job = json_object_get(answer, "job");
    const char *state = json_string_value(json_object_get(job, "state"));

    printf("job %lld '%s' %s\n", (long long)json_integer_value(json_object_get(job, "id")),
           json_string_value(json_object_get(job, "name")),
           state != NULL && strcmp(state, "cancelled") == 0
               ? "is cancelled"
               : "stops at its next step, with a checkpoint, and is cancelled then");
    return ferror(stdout) ? rf_fail(err, RF_ERR_IO, "cannot write to standard output") : RF_OK;
}

static enum rf_status cancel(const struct rf_group *world, int argc, char **argv,
                             struct rf_error *err)
{
    struct rf_control_request request = {.command = RF_CONTROL_CANCEL};
    struct rf_arguments args;
    int64_t begun_us = rf_time_us();
    json_t *answer = NULL;
    int json = 0;
    const struct rf_option table[] = {
        {.name = "json", .flag = &json, .help = "print one JSON document"}, {0}};
    const struct rf_command_line line = {
        .usage = "cancel RUN_DIR JOB",
        .about = "Calls off a job, by its name or its number, of a run that is going. One that "
                 "waits is cancelled at once; one that runs stops at its next step with a "
                 "checkpoint. Jobs that come after it are denied.",
        .more =
            "  ringfence cancel runs/quickstart w2s.s0.ceiling\n\n"
            "Exit codes: 0 done, 2 wrong arguments, no such job, or it is over already, 3 no\n"
            "run is going there.\n",
        .options = table,
        .min = 2,
        .max = 2};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    st = take_job(&request, args.text[1], err);
    if (st == RF_OK)
        st = rf_ask(args.text[0], &request, &answer, err);
    if (st == RF_OK)
        st = json ? rf_ask_print_json(answer, "cancel", seed_of(args.text[0]), begun_us, err)
                  : print(answer, err);
    json_decref(answer);
    return st;
}

const struct rf_command rf_command_cancel = {.name = "cancel",
                                             .summary = "call off a job of a run that is going",
                                             .serial = 1,
                                             .run = cancel};
