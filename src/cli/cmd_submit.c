/* ringfence submit: more jobs for a run that is going. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/command.h"
#include "config/config.h"

struct submit_options {
    const char *run_dir, *config;
    int json;
    struct rf_text_list set;
};

static enum rf_status read_options(struct submit_options *o, int *help, int argc, char **argv,
                                   struct rf_error *err)
{
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.letter = 's',
         .name = "set",
         .value = "KEY=VALUE",
         .list = &o->set,
         .help = "override a key of the file, e.g. jobs.[0].name=again; any number of times"},
        {.name = "json", .flag = &o->json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "submit RUN_DIR FILE",
        .about =
            "Asks a run that is going for more jobs: those of FILE, a configuration with jobs "
            "and experiments, and with models and tasks where they are new. It is checked here "
            "first, and again by the coordinator, which answers when the requests are in the "
            "ledger, durably.",
        .more = "Names of jobs have to be new; models and tasks may be those of the run. An\n"
                "account has to be known to the run's configuration, or to lie below one that\n"
                "is, unless run.new_accounts is true:\n"
                "  ringfence submit runs/quickstart more.cfg\n\n"
                "Exit codes: 0 submitted, 2 wrong arguments or file, or refused, 3 no run is\n"
                "going there.\n",
        .options = table,
        .min = 2,
        .max = 2};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    *help = st == RF_OK && args.help;
    if (st == RF_OK && !args.help) {
        o->run_dir = args.text[0];
        o->config = args.text[1];
    }
    return st;
}

/* Better known now than when the first job has been waiting for its devices: is the data of new
 * tasks readable? */
static enum rf_status check_tasks(const struct rf_run_spec *spec, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < spec->nown_tasks; i++) {
        struct rf_task *task;

        st = rf_task_open(&task, &spec->tasks[i], (uint64_t)spec->seed, err);
        if (st == RF_OK)
            rf_task_close(task);
    }
    return st;
}

/* The file as the run will keep it: checked, with every default and path written out. */
static enum rf_status prepare(struct rf_run_files *files, const struct submit_options *o,
                              struct rf_control_request *request, struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    const struct rf_run_spec *spec;
    enum rf_status st = rf_run_files_read(files, o->run_dir, err);

    if (st == RF_OK)
        st = rf_file_read(o->config, RF_CONFIG_MAX_BYTES, &text, &size, err);
    if (st == RF_OK)
        st = rf_submissions_add(&files->submitted, &files->plan, &files->spec, o->run_dir, text,
                                size, o->config, &o->set, 0, err);
    free(text);
    if (st != RF_OK)
        return st;
    spec = rf_submissions_newest(&files->submitted, &files->spec);
    st = check_tasks(spec, err);
    if (st == RF_OK)
        st = rf_config_write_submission(spec, &request->config, &request->config_bytes, err);
    return st;
}

static enum rf_status print(const json_t *answer, struct rf_error *err)
{
    const json_t *jobs = json_object_get(answer, "jobs");

    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);

        printf("job %lld '%s' of %s\n",
               (long long)json_integer_value(json_object_get(job, "id")),
               json_string_value(json_object_get(job, "name")),
               json_string_value(json_object_get(job, "account")));
    }
    return ferror(stdout) ? rf_fail(err, RF_ERR_IO, "cannot write to standard output") : RF_OK;
}

static enum rf_status submit(const struct rf_group *world, int argc, char **argv,
                             struct rf_error *err)
{
    struct submit_options o = {0};
    struct rf_run_files files = {0};
    struct rf_control_request request = {.command = RF_CONTROL_SUBMIT};
    int64_t begun_us = rf_time_us();
    json_t *answer = NULL;
    int help;
    enum rf_status st = read_options(&o, &help, argc, argv, err);

    (void)world;
    if (st == RF_OK && !help) {
        st = prepare(&files, &o, &request, err);
        if (st == RF_OK)
            st = rf_ask(o.run_dir, &request, &answer, err);
        if (st == RF_OK)
            st = o.json ? rf_ask_print_json(answer, "submit", files.spec.seed, begun_us, err)
                        : print(answer, err);
    }
    json_decref(answer);
    rf_control_request_clear(&request);
    rf_run_files_clear(&files);
    rf_text_list_clear(&o.set);
    return st;
}

const struct rf_command rf_command_submit = {.name = "submit",
                                             .summary = "ask a run that is going for more jobs",
                                             .serial = 1,
                                             .run = submit};
