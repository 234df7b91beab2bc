#include "report/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/build.h"

static const char *const COMMANDS[] = {"status", "submit", "cancel"};

enum { NCOMMANDS = sizeof COMMANDS / sizeof COMMANDS[0] };

/* ---- requests ---- */

static int command_of(const char *name)
{
    for (int i = 0; i < NCOMMANDS; i++)
        if (strcmp(name, COMMANDS[i]) == 0)
            return i;
    return -1;
}

static enum rf_status copy_config(struct rf_control_request *request, const json_t *config,
                                  struct rf_error *err)
{
    size_t n = json_string_length(config);

    if (!json_is_string(config))
        return rf_fail(err, RF_ERR_ARG, "a submission has a \"config\", a text");
    request->config = malloc(n + 1);
    if (request->config == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a submission of %zu bytes", n);
    memcpy(request->config, json_string_value(config), n);
    request->config[n] = '\0';
    request->config_bytes = n;
    return RF_OK;
}

static enum rf_status copy_job(struct rf_control_request *request, const json_t *job,
                               struct rf_error *err)
{
    size_t n = json_string_length(job);

    if (!json_is_string(job) || n == 0 || n >= sizeof request->job)
        return rf_fail(err, RF_ERR_ARG, "a cancellation has a \"job\", a text of 1 to %d bytes",
                       RF_NAME_BYTES - 1);
    memcpy(request->job, json_string_value(job), n);
    return RF_OK;
}

static enum rf_status read_request(struct rf_control_request *request, const json_t *root,
                                   struct rf_error *err)
{
    const char *name = json_string_value(json_object_get(root, "command"));
    const json_t *version = json_object_get(root, "ringfence");
    int command = name != NULL ? command_of(name) : -1;
    size_t keys = 2;
    enum rf_status st = RF_OK;

    if (!json_is_integer(version) || json_integer_value(version) != RF_CONTROL_VERSION)
        return rf_fail(err, RF_ERR_ARG,
                       "the request is not of version %d: is it from another version of "
                       "ringfence?",
                       RF_CONTROL_VERSION);
    if (command < 0)
        return rf_fail(err, RF_ERR_ARG,
                       "the request's \"command\" is not one of status, submit, "
                       "cancel");
    request->command = (enum rf_control_command)command;
    if (command == RF_CONTROL_SUBMIT)
        st = copy_config(request, json_object_get(root, "config"), err);
    else if (command == RF_CONTROL_CANCEL)
        st = copy_job(request, json_object_get(root, "job"), err);
    keys += command != RF_CONTROL_STATUS;
    if (st == RF_OK && json_object_size(root) != keys)
        st = rf_fail(err, RF_ERR_ARG, "the request has keys that '%s' does not have", name);
    return st;
}

enum rf_status rf_control_parse(struct rf_control_request *request, const char *text,
                                size_t size_bytes, struct rf_error *err)
{
    json_error_t why;
    json_t *root;
    enum rf_status st;

    *request = (struct rf_control_request){0};
    if (size_bytes > RF_CONTROL_REQUEST_BYTES)
        return rf_fail(err, RF_ERR_ARG, "the request is too long: %zu bytes", size_bytes);
    root = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(root)) {
        json_decref(root);
        return rf_fail(err, RF_ERR_ARG, "the request is no JSON object");
    }
    st = read_request(request, root, err);
    json_decref(root);
    if (st != RF_OK)
        rf_control_request_clear(request);
    return st;
}

void rf_control_request_clear(struct rf_control_request *request)
{
    free(request->config);
    *request = (struct rf_control_request){0};
}

static char *line_of(const json_t *root)
{
    return root != NULL ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
}

enum rf_status rf_control_format(const struct rf_control_request *request, char **text,
                                 struct rf_error *err)
{
    json_t *root = json_object();
    struct rf_build build = {0};

    rf_build_integer(&build, root, "ringfence", RF_CONTROL_VERSION);
    rf_build_text(&build, root, "command", COMMANDS[request->command]);
    if (request->command == RF_CONTROL_SUBMIT)
        rf_build_set(&build, root, "config",
                     json_stringn(request->config, request->config_bytes));
    if (request->command == RF_CONTROL_CANCEL)
        rf_build_text(&build, root, "job", request->job);
    *text = build.failed ? NULL : line_of(root);
    json_decref(root);
    if (build.failed && request->command == RF_CONTROL_SUBMIT)
        return rf_fail(err, RF_ERR_INPUT, "the submission is not UTF-8 text");
    return *text != NULL ? RF_OK : rf_fail(err, RF_ERR_MEMORY, "out of memory: a request");
}

enum rf_status rf_control_find_job(const struct rf_state *state, const char *job, int32_t *id,
                                   struct rf_error *err)
{
    char *end;
    long number;

    for (int32_t i = 0; i < state->njobs; i++)
        if (strcmp(rf_state_job_extra(state, i)->name, job) == 0) {
            *id = i;
            return RF_OK;
        }
    number = strtol(job, &end, 10);
    if (job[0] >= '0' && job[0] <= '9' && *end == '\0' && number < state->njobs) {
        *id = (int32_t)number;
        return RF_OK;
    }
    return rf_fail(err, RF_ERR_ARG, "this run has no job '%s'", job);
}

/* ---- answers ---- */

char *rf_control_refusal(const struct rf_error *why)
{
    struct rf_build build = {0};
    json_t *root = json_object();
    char *text;

    rf_build_set(&build, root, "ok", json_false());
    rf_build_integer(&build, root, "status", rf_exit_code(why->status));
    rf_build_text(&build, root, "error", why->text);
    text = build.failed ? NULL : line_of(root);
    json_decref(root);
    return text;
}

char *rf_control_answer(json_t *answer)
{
    char *text = NULL;

    if (answer != NULL && json_object_set_new(answer, "ok", json_true()) == 0)
        text = line_of(answer);
    json_decref(answer);
    return text;
}

/* The exit code came over the wire; the nearest status is enough. */
static enum rf_status status_of(json_int_t code)
{
    return code == 2 ? RF_ERR_ARG : code == 4 ? RF_ERR_INTERNAL : RF_ERR_PEER;
}

enum rf_status rf_control_read(json_t **answer, const char *text, struct rf_error *err)
{
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *words = json_string_value(json_object_get(root, "error"));
    enum rf_status st = RF_OK;

    *answer = NULL;
    if (json_is_true(json_object_get(root, "ok"))) {
        *answer = root;
        return RF_OK;
    }
    if (json_is_false(json_object_get(root, "ok")) && words != NULL)
        st = rf_fail(err, status_of(json_integer_value(json_object_get(root, "status"))),
                     "%.590s", words);
    else
        st = rf_fail(err, RF_ERR_PEER, "the run's answer is not understood: '%.80s'", text);
    json_decref(root);
    return st;
}
