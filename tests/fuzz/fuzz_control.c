/* What is said over a control socket, on arbitrary bytes: as a request, which is taken or refused with
 * words, and what is taken comes back the same; and as an answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds)
        abort();
}

static void read_request(const char *text, size_t size)
{
    struct rf_control_request request, again;
    struct rf_error err = {RF_OK, ""};
    char *line = NULL;

    if (rf_control_parse(&request, text, size, &err) != RF_OK) {
        need(err.text[0] != '\0' && request.config == NULL);
        return;
    }
    need(rf_control_format(&request, &line, &err) == RF_OK);
    need(strchr(line, '\n') == NULL);
    need(rf_control_parse(&again, line, strlen(line), &err) == RF_OK);
    need(again.command == request.command && again.config_bytes == request.config_bytes);
    need(strcmp(again.job, request.job) == 0);
    need(request.config == NULL ||
         memcmp(again.config, request.config, request.config_bytes) == 0);
    free(line);
    rf_control_request_clear(&request);
    rf_control_request_clear(&again);
}

static void read_answer(const char *text)
{
    struct rf_error err = {RF_OK, ""};
    json_t *answer;
    enum rf_status st = rf_control_read(&answer, text, &err);

    need((st == RF_OK) == (answer != NULL));
    need(st == RF_OK || err.text[0] != '\0');
    json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    read_request(text, size);
    read_answer(text);
    free(text);
    return 0;
}
