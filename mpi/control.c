#include "mpi/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/local.h"
#include "base/log.h"
#include "report/build.h"
#include "report/control.h"
#include "report/prometheus.h"
#include "report/status.h"

enum { CLIENTS = 8, PATIENCE_US = 5000000 };

struct rf_control {
    const struct rf_run_options *run;
    const struct rf_control_options *options;
    struct rf_dispatch *dispatch;
    struct rf_journal *journal;
    struct rf_local_server *server; /* owned; NULL: there is none */
    int64_t written_us;             /* the figures; 0: never */
    int64_t requests, submissions;
    int told; /* that the figures cannot be written */
};

/* ---- answers ---- */

static json_t *status(struct rf_control *c, struct rf_error *err)
{
    const struct rf_pace pace = rf_dispatch_pace(c->dispatch);
    const struct rf_status_source source = {.run = c->run->run,
                                            .source = "live",
                                            .state = "running",
                                            .now_us = c->journal->now_us,
                                            .cluster = c->journal->state,
                                            .tally = c->journal->tally,
                                            .pace = &pace,
                                            .planned = rf_dispatch_planned(c->dispatch),
                                            .entries = c->journal->state->next_seq,
                                            .sealed_entries = c->journal->sealed_entries};
    json_t *answer = rf_status_object(&source);

    if (answer == NULL)
        rf_fail(err, RF_ERR_MEMORY, "out of memory: a status");
    return answer;
}

static json_t *submit(struct rf_control *c, const struct rf_control_request *request,
                      struct rf_error *err)
{
    const struct rf_request *requests = NULL;
    struct rf_build build = {0};
    json_t *answer = NULL, *jobs = NULL;
    int32_t first = 0;
    int n = 0;
    enum rf_status st = c->options->submit != NULL
                            ? c->options->submit(c->options->ctx, request->config,
                                                 request->config_bytes, &requests, &n, err)
                            : rf_fail(err, RF_ERR_ARG, "this run takes no submissions");

    if (st != RF_OK)
        return NULL;
    st = rf_dispatch_submit(c->dispatch, requests, n, &first, err);
    if (st == RF_ERR_ARG || st == RF_ERR_INPUT || st == RF_ERR_CONFIG)
        c->options->withdraw(c->options->ctx);
    if (st != RF_OK)
        return NULL;
    c->submissions += n;
    answer = json_object();
    jobs = json_array();
    for (int i = 0; i < n; i++) {
        json_t *job = json_object();

        rf_build_integer(&build, job, "id", first + i);
        rf_build_text(&build, job, "name", requests[i].name);
        rf_build_text(&build, job, "account", requests[i].account);
        rf_build_append(&build, jobs, job);
    }
    rf_build_set(&build, answer, "jobs", jobs);
    if (!build.failed)
        return answer;
    json_decref(answer);
    rf_fail(err, RF_ERR_MEMORY, "out of memory: the answer to a submission that was taken");
    return NULL;
}

static json_t *cancel(struct rf_control *c, const struct rf_control_request *request,
                      struct rf_error *err)
{
    const struct rf_state *state = c->journal->state;
    struct rf_build build = {0};
    char name[RF_NAME_BYTES];
    json_t *answer, *job;
    int32_t id = -1;
    enum rf_status st = rf_control_find_job(state, request->job, &id, err);

    if (st == RF_OK)
        st = rf_dispatch_cancel(c->dispatch, id, "cancelled-by-owner", err);
    if (st != RF_OK)
        return NULL;
    answer = json_object();
    job = json_object();
    rf_build_integer(&build, job, "id", id);
    rf_build_text(&build, job, "name", rf_state_job_name(state, id, name));
    rf_build_text(&build, job, "state",
                  state->jobs[id].state == RF_JOB_CANCELLED ? "cancelled" : "stopping");
    rf_build_set(&build, answer, "job", job);
    if (!build.failed)
        return answer;
    json_decref(answer);
    rf_fail(err, RF_ERR_MEMORY, "out of memory: the answer to a cancellation that was taken");
    return NULL;
}

static void answer(void *ctx, const char *text, size_t length, char **reply)
{
    struct rf_control *c = ctx;
    struct rf_control_request request;
    struct rf_error why = {RF_OK, ""};
    json_t *said = NULL;

    c->requests++;
    if (rf_control_parse(&request, text, length, &why) == RF_OK) {
        switch (request.command) {
        case RF_CONTROL_STATUS:
            said = status(c, &why);
            break;
        case RF_CONTROL_SUBMIT:
            said = submit(c, &request, &why);
            break;
        case RF_CONTROL_CANCEL:
            said = cancel(c, &request, &why);
            break;
        }
    }
    rf_control_request_clear(&request);
    *reply = said != NULL ? rf_control_answer(said) : rf_control_refusal(&why);
}

/* ---- figures ---- */

static void write_figures(struct rf_control *c, int64_t now_us)
{
    const struct rf_metrics_source source = {.run = c->run->run,
                                             .version = c->run->version,
                                             .state = c->journal->state,
                                             .tally = c->journal->tally,
                                             .now_us = c->journal->now_us,
                                             .entries = c->journal->state->next_seq,
                                             .sealed_entries = c->journal->sealed_entries,
                                             .submissions = c->submissions,
                                             .requests = c->requests};
    struct rf_error why;
    char *text = NULL;
    enum rf_status st;

    if (c->options->metrics_path == NULL || !c->journal->state->opened)
        return;
    c->written_us = now_us;
    st = rf_prometheus_text(&source, &text, &why);
    if (st == RF_OK)
        st = rf_file_replace(c->options->metrics_path, text, strlen(text), &why);
    free(text);
    if (st != RF_OK && !c->told)
        rf_warn_alone("%s; the run goes on without", why.text);
    c->told = c->told || st != RF_OK;
}

/* ---- coming and going ---- */

enum rf_status rf_control_open(struct rf_control **control, const struct rf_run_options *run,
                               const struct rf_control_options *options,
                               struct rf_dispatch *dispatch, struct rf_journal *journal,
                               struct rf_error *err)
{
    struct rf_local_options local = {.clients = CLIENTS,
                                     .request_bytes = RF_CONTROL_REQUEST_BYTES,
                                     .patience_us = PATIENCE_US,
                                     .answer = answer};
    struct rf_control *c;
    struct rf_error why;

    *control = NULL;
    if (options == NULL)
        return RF_OK;
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a control socket");
    c->run = run;
    c->options = options;
    c->dispatch = dispatch;
    c->journal = journal;
    local.path = options->socket_path;
    local.ctx = c;
    if (options->socket_path != NULL && rf_local_open(&c->server, &local, &why) != RF_OK)
        rf_warn_alone("%s; the run goes on, but nobody can submit or ask", why.text);
    *control = c;
    return RF_OK;
}

int rf_control_round(struct rf_control *control)
{
    int64_t now_us;
    int answered = 0;

    if (control == NULL)
        return 0;
    now_us = rf_time_us();
    if (control->server != NULL)
        answered = rf_local_round(control->server, now_us);
    if (control->written_us == 0 ||
        now_us - control->written_us >= control->options->metrics_us)
        write_figures(control, now_us);
    return answered;
}

void rf_control_close(struct rf_control *control)
{
    if (control == NULL)
        return;
    rf_local_close(control->server);
    write_figures(control, rf_time_us());
    free(control);
}
