/* ringfence status: how a run stands, from its coordinator, or from its ledger when nobody
 * answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alloc/audit.h"
#include "base/file.h"
#include "base/terminal.h"
#include "cli/ask.h"
#include "cli/command.h"
#include "report/build.h"
#include "report/status.h"

enum { COLUMNS = 100, LINE_BYTES = 400 };

struct status_options {
    const char *run_dir;
    int json, follow;
    double every_s;
};

/* ---- from the ledger ---- */

/* What the ledger says of the run as a whole. */
struct heard {
    char run[RF_NAME_BYTES], closed[RF_TEXT_BYTES];
};

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct heard *heard = self;

    (void)state, (void)err;
    if (event->type == RF_EVENT_OPEN)
        memcpy(heard->run, event->name, sizeof heard->run);
    if (event->type == RF_EVENT_CLOSE)
        memcpy(heard->closed, event->reason, sizeof heard->closed);
    return RF_OK;
}

static json_t *document_of(const struct heard *heard, const struct rf_audit *audit)
{
    const struct rf_status_source source = {.run = heard->run,
                                            .source = "ledger",
                                            .state = !audit->state->closed ? "gone"
                                                     : strcmp(heard->closed, "signal") == 0
                                                         ? "interrupted"
                                                         : "done",
                                            .now_us = audit->state->now_us,
                                            .cluster = audit->state,
                                            .tally = audit->tally,
                                            .entries = audit->state->next_seq,
                                            .sealed_entries = audit->ledger.sealed_entries};

    return rf_status_object(&source);
}

static enum rf_status read_ledger(const char *run_dir, json_t **document, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    struct heard heard = {.run = "", .closed = ""};
    const struct rf_observer observer = {.self = &heard, .after = after};
    struct rf_audit audit = {.state = NULL};
    enum rf_status st = rf_file_join(path, run_dir, "ledger.jsonl", err);

    if (st == RF_OK)
        st = rf_audit_watched(&audit, path, NULL, &observer, 1, err);
    if (st == RF_OK) {
        *document = document_of(&heard, &audit);
        if (*document == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory: a status");
        else if (!audit.ledger.chain_ok || !audit.ledger.seals_ok ||
                 audit.ledger.first_bad_seq >= 0)
            fprintf(stderr, "ringfence: the ledger does not verify: %s\n",
                    audit.ledger.problem);
    }
    rf_audit_clear(&audit);
    return st;
}

/* ---- how much is left ---- */

static const struct rf_planned_job *find_job(const struct rf_job_plan *plan, const char *name)
{
    for (int32_t i = 0; i < plan->njobs; i++)
        if (strcmp(plan->jobs[i].name, name) == 0)
            return &plan->jobs[i];
    return NULL;
}

/* At the pace so far: device-time for each step, on as many devices as now. */
static void estimate(json_t *job, const struct rf_job_plan *plan)
{
    const char *name = json_string_value(json_object_get(job, "name"));
    const struct rf_planned_job *planned = name != NULL ? find_job(plan, name) : NULL;
    double step = json_number_value(json_object_get(job, "step"));
    double held_s = json_number_value(json_object_get(job, "held_s"));
    double devices = json_number_value(json_object_get(job, "devices"));
    struct rf_build build = {0};
    int steps;

    if (planned == NULL || planned->role == RF_ROLE_PROBE || planned->role == RF_ROLE_ZERO_SHOT)
        return;
    steps = planned->train->steps;
    rf_build_integer(&build, job, "steps", steps);
    if (step > 0 && held_s > 0 && devices > 0)
        rf_build_number(&build, job, "eta_s",
                        step < steps ? (steps - step) / step * held_s / devices : 0);
}

static void estimate_all(json_t *document, const struct rf_job_plan *plan)
{
    json_t *running = json_object_get(document, "running");

    for (size_t i = 0; i < json_array_size(running); i++)
        estimate(json_array_get(running, i), plan);
}

/* ---- asking ---- */

static enum rf_status look(const struct status_options *o, struct rf_run_files *files,
                           json_t **document, struct rf_error *err)
{
    const struct rf_control_request request = {.command = RF_CONTROL_STATUS};
    enum rf_status st = rf_ask(o->run_dir, &request, document, NULL);

    if (st != RF_OK)
        st = read_ledger(o->run_dir, document, err);
    if (st == RF_OK)
        st = rf_submissions_read(&files->submitted, &files->plan, &files->spec, o->run_dir, -1,
                                 err);
    if (st == RF_OK)
        estimate_all(*document, &files->plan);
    return st;
}

static int is_over(const json_t *document)
{
    const char *state = json_string_value(json_object_get(document, "state"));

    return state == NULL || strcmp(state, "running") != 0;
}

static enum rf_status print(const struct status_options *o, const struct rf_run_files *files,
                            json_t *document, int64_t begun_us, struct rf_error *err)
{
    if (o->json)
        return rf_ask_print_json(document, "status", files->spec.seed, begun_us, err);
    return rf_status_print(document, stdout, COLUMNS, NULL, err);
}

static void wait_for(double seconds)
{
    struct timespec pause = {.tv_sec = (time_t)seconds};

    pause.tv_nsec = (long)((seconds - (double)pause.tv_sec) * 1e9);
    nanosleep(&pause, NULL);
}

/* Draws over what stood there; where there is no screen, a line for each look. */
static enum rf_status show(const json_t *document, int screen, int *drawn, struct rf_error *err)
{
    char line[LINE_BYTES];
    enum rf_status st = RF_OK;

    if (screen) {
        if (*drawn > 0)
            printf("\033[%dA\033[J", *drawn);
        st = rf_status_print(document, stdout, rf_terminal_columns(STDOUT_FILENO), drawn, err);
    } else {
        rf_status_line(document, line, sizeof line);
        puts(line);
    }
    if (fflush(stdout) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    return st;
}

static enum rf_status follow(const struct status_options *o, struct rf_run_files *files,
                             struct rf_error *err)
{
    int screen = rf_terminal_is_screen(stdout), drawn = 0, over = 0;
    enum rf_status st = RF_OK;

    while (st == RF_OK && !over) {
        json_t *document = NULL;

        st = look(o, files, &document, err);
        if (st == RF_OK)
            st = show(document, screen, &drawn, err);
        over = is_over(document);
        json_decref(document);
        if (st == RF_OK && !over)
            wait_for(o->every_s);
    }
    return st;
}

/* ---- the command ---- */

static enum rf_status run(const struct status_options *o, struct rf_error *err)
{
    struct rf_run_files files = {0};
    int64_t begun_us = rf_time_us();
    json_t *document = NULL;
    enum rf_status st = rf_run_files_read(&files, o->run_dir, err);

    if (st == RF_OK && o->follow)
        st = follow(o, &files, err);
    else if (st == RF_OK)
        st = look(o, &files, &document, err);
    if (st == RF_OK && document != NULL)
        st = print(o, &files, document, begun_us, err);
    json_decref(document);
    rf_run_files_clear(&files);
    return st;
}

static enum rf_status status(const struct rf_group *world, int argc, char **argv,
                             struct rf_error *err)
{
    struct status_options o = {.every_s = 1};
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "json", .flag = &o.json, .help = "print one JSON document"},
        {.letter = 'f',
         .name = "follow",
         .flag = &o.follow,
         .help = "look again and again until the run is over; on a terminal in place, "
                 "elsewhere a line each time"},
        {.name = "every",
         .value = "SECONDS",
         .number = &o.every_s,
         .min = 0.05,
         .max = 86400,
         .help = "with --follow: how often; default 1"},
        {0}};
    const struct rf_command_line line = {
        .usage = "status RUN_DIR",
        .about = "Says how a run stands: shares against what is promised, jobs that run and "
                 "wait, and how long those that run still need at their pace so far. Asks the "
                 "run's coordinator; where nobody answers, because the run is over, was "
                 "stopped or has died, the ledger says it.",
        .more = "  ringfence status runs/quickstart --follow\n\n"
                "RUN_DIR/metrics.prom has the same figures for Prometheus (the textfile\n"
                "collector of node_exporter), written anew every five seconds.\n\n"
                "Exit codes: 0 done, 2 wrong arguments or no run there, 3 files or memory.\n",
        .options = table,
        .min = 1,
        .max = 1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    o.run_dir = args.text[0];
    if (o.json && o.follow)
        return rf_fail(err, RF_ERR_ARG,
                       "--json and --follow exclude each other; see 'ringfence status --help'");
    return run(&o, err);
}

const struct rf_command rf_command_status = {.name = "status",
                                             .summary = "how a run stands, now or as it ended",
                                             .serial = 1,
                                             .run = status};
