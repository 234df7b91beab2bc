/* control.h - what is said over the control socket of a run: requests and answers as JSON.
 *
 * A request is one line, an object with exactly these keys:
 *
 *   {"ringfence":1,"command":"status"}
 *   {"ringfence":1,"command":"submit","config":"jobs = ( ... );"}
 *   {"ringfence":1,"command":"cancel","job":"name or id"}
 *
 * and so is the answer: {"ok":true,...} or {"ok":false,"status":N,"error":"..."}, N being the exit
 * code that the one who asked should end with. */
#ifndef RF_REPORT_CONTROL_H
#define RF_REPORT_CONTROL_H

#include <stddef.h>

#include <jansson.h>

#include "alloc/state.h"
#include "base/error.h"

enum { RF_CONTROL_VERSION = 1, RF_CONTROL_REQUEST_BYTES = 4 << 20 };

enum rf_control_command { RF_CONTROL_STATUS, RF_CONTROL_SUBMIT, RF_CONTROL_CANCEL };

struct rf_control_request {
    enum rf_control_command command;
    char *config; /* submit: owned, ends in NUL, no NUL within */
    size_t config_bytes;
    char job[RF_NAME_BYTES]; /* cancel */
};

/* Reads a request. RF_ERR_ARG says what is wrong with it; then it is empty. The caller ends it with
 * rf_control_request_clear(). */
enum rf_status rf_control_parse(struct rf_control_request *request, const char *text,
                                size_t size_bytes, struct rf_error *err);
void rf_control_request_clear(struct rf_control_request *request);
/* The same as text, one line without LF, which the caller frees. */
enum rf_status rf_control_format(const struct rf_control_request *request, char **text,
                                 struct rf_error *err);

/* The job of that name, or with that number where no job has it as its name. RF_ERR_ARG: there is
 * none. */
enum rf_status rf_control_find_job(const struct rf_state *state, const char *job, int32_t *id,
                                   struct rf_error *err);

/* {"ok":false,...} of a failure, as a line; NULL: out of memory. */
char *rf_control_refusal(const struct rf_error *why);
/* The answer is given up and becomes a line with "ok":true; NULL: out of memory. */
char *rf_control_answer(json_t *answer);

/* What came back: RF_OK and the object, which the caller ends with json_decref(), or the status
 * and the words of a refusal. RF_ERR_PEER: no answer at all. */
enum rf_status rf_control_read(json_t **answer, const char *text, struct rf_error *err);

#endif
