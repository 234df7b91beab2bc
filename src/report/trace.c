#include "report/trace.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "report/timeline.h"

/* In the trace format a process is the fleet and a thread is a device, so every device gets a
 * row. Marks without a device (a denial) go to the fleet's own row. */
enum { FLEET = 1, REQUESTS_ROW = 0 };

struct writer {
    json_t *events; /* owned */
    int failed;
};

static void add(struct writer *writer, json_t *event)
{
    if (event == NULL || json_array_append_new(writer->events, event) != 0)
        writer->failed = 1;
}

static void add_name(struct writer *writer, const char *what, int thread, const char *name)
{
    add(writer, json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "name", what, "ph", "M", "pid",
                          FLEET, "tid", thread, "args", "name", name));
}

static void add_names(struct writer *writer, const struct rf_timeline *line)
{
    char name[RF_NAME_BYTES + 32];

    snprintf(name, sizeof name, "ringfence run %s", line->run);
    add_name(writer, "process_name", REQUESTS_ROW, name);
    add_name(writer, "thread_name", REQUESTS_ROW, "requests");
    for (int32_t d = 0; d < line->ndevices; d++) {
        snprintf(name, sizeof name, "device %d", (int)d);
        add_name(writer, "thread_name", d + 1, name);
    }
}

/* Colours that the trace viewer knows by name; equal for a whole account tree. */
static const char *colour_of(const char *account)
{
    static const char *const names[] = {"thread_state_running",
                                        "thread_state_runnable",
                                        "thread_state_iowait",
                                        "rail_animation",
                                        "rail_idle",
                                        "rail_load"};
    size_t root = strcspn(account, "."), sum = 0;

    for (size_t i = 0; i < root; i++)
        sum = sum * 31 + (unsigned char)account[i];
    return names[sum % (sizeof names / sizeof *names)];
}

static void add_span(struct writer *writer, const struct rf_timeline *line,
                     const struct rf_span *span)
{
    const struct rf_line_job *job = &line->jobs[span->job];

    for (int32_t k = 0; k < span->ndevices; k++)
        add(writer,
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:s, s:{s:s, s:i, s:i, s:s}}",
                      "name", job->name, "cat", span->account, "ph", "X", "ts",
                      (json_int_t)span->begin_us, "dur",
                      (json_int_t)(span->end_us - span->begin_us), "pid", FLEET, "tid",
                      (int)rf_idset_at(&span->devices, k) + 1, "cname",
                      colour_of(span->account), "args", "account", span->account, "lease",
                      (int)span->lease, "devices", (int)span->ndevices, "ended", span->reason));
}

/* Marks of a running job stand on its first device. */
static int row_of(const struct rf_timeline *line, const struct rf_mark *mark)
{
    for (int32_t i = line->nspans - 1; i >= 0; i--) {
        const struct rf_span *span = &line->spans[i];

        if (span->job == mark->job && span->begin_us <= mark->t_us &&
            mark->t_us <= span->end_us && span->ndevices > 0)
            return (int)rf_idset_at(&span->devices, 0) + 1;
    }
    return REQUESTS_ROW;
}

static void add_mark(struct writer *writer, const struct rf_timeline *line,
                     const struct rf_mark *mark)
{
    const char *type = rf_event_type_name(mark->type);
    int has_job = mark->job >= 0 && mark->job < line->njobs;
    int fleet = mark->type == RF_EVENT_DENY || mark->type == RF_EVENT_DELAY || !has_job;
    char name[RF_NAME_BYTES + 32];

    snprintf(name, sizeof name, "%s %s", type, has_job ? line->jobs[mark->job].name : "fleet");
    add(writer,
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:{s:s, s:I}}", "name", name, "cat",
                  type, "ph", "i", "s", fleet ? "p" : "t", "ts", (json_int_t)mark->t_us, "pid",
                  FLEET, "tid", fleet ? REQUESTS_ROW : row_of(line, mark), "args", "reason",
                  mark->reason, "step", (json_int_t)mark->step));
}

static enum rf_status write_events(struct writer *writer, const char *path,
                                   struct rf_error *err)
{
    json_t *root =
        json_pack("{s:O, s:s}", "traceEvents", writer->events, "displayTimeUnit", "ms");
    char *text = root != NULL && !writer->failed ? json_dumps(root, JSON_COMPACT) : NULL;
    enum rf_status st = text == NULL
                            ? rf_fail(err, RF_ERR_MEMORY, "out of memory for the trace")
                            : rf_file_write(path, text, strlen(text), err);

    free(text);
    json_decref(root);
    return st;
}

enum rf_status rf_trace_write(const char *ledger_path, const char *out_path,
                              struct rf_error *err)
{
    struct rf_timeline line;
    struct writer writer = {json_array(), 0};
    enum rf_status st = rf_timeline_read(&line, ledger_path, err);

    if (st == RF_OK) {
        add_names(&writer, &line);
        for (int32_t i = 0; i < line.nspans; i++)
            add_span(&writer, &line, &line.spans[i]);
        for (int32_t i = 0; i < line.nmarks; i++)
            add_mark(&writer, &line, &line.marks[i]);
        st = write_events(&writer, out_path, err);
    }
    json_decref(writer.events);
    rf_timeline_clear(&line);
    return st;
}
