#include "sim/spans.h"

#include <stdlib.h>

static enum rf_status memory_error(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for the spans of jobs");
}

static enum rf_status make_room(struct rf_spans *spans, int32_t job, struct rf_error *err)
{
    if (spans->n == spans->room) {
        int32_t room = 2 * spans->room + 256;
        struct rf_lease_span *more = realloc(spans->items, (size_t)room * sizeof *more);

        if (more == NULL)
            return memory_error(err);
        spans->items = more;
        spans->room = room;
    }
    if (job >= spans->njobs) {
        int32_t room = 2 * job + 256;
        int32_t *more = realloc(spans->open, (size_t)room * sizeof *more);

        if (more == NULL)
            return memory_error(err);
        for (int32_t j = spans->njobs; j < room; j++)
            more[j] = -1;
        spans->open = more;
        spans->njobs = room;
    }
    return RF_OK;
}

static void close_span(struct rf_spans *spans, int32_t job, int64_t t_us, int stopped)
{
    if (job < spans->njobs && spans->open[job] >= 0) {
        spans->items[spans->open[job]].end_us = t_us;
        spans->items[spans->open[job]].stopped = stopped;
        spans->open[job] = -1;
    }
}

static void open_span(struct rf_spans *spans, const struct rf_state *state, int32_t job)
{
    spans->open[job] = spans->n;
    spans->items[spans->n++] = (struct rf_lease_span){.begin_us = state->now_us,
                                                      .end_us = -1,
                                                      .job = job,
                                                      .devices = state->jobs[job].ndevices};
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct rf_spans *spans = self;
    int begins = event->type == RF_EVENT_GRANT || event->type == RF_EVENT_SHRINK ||
                 event->type == RF_EVENT_GROW;
    int ends = event->type == RF_EVENT_RELEASE || event->type == RF_EVENT_END;

    if (event->type == RF_EVENT_RECOVER)
        for (int32_t j = 0; j < spans->njobs; j++)
            close_span(spans, j, state->now_us, 1);
    if (begins || ends)
        close_span(spans, event->job, state->now_us,
                   event->type == RF_EVENT_RELEASE ||
                       (ends && state->jobs[event->job].state != RF_JOB_DONE));
    if (!begins)
        return RF_OK;
    if (make_room(spans, event->job, err) != RF_OK)
        return RF_ERR_MEMORY;
    open_span(spans, state, event->job);
    return RF_OK;
}

struct rf_observer rf_spans_observer(struct rf_spans *spans)
{
    return (struct rf_observer){.self = spans, .after = after};
}

void rf_spans_clear(struct rf_spans *spans)
{
    free(spans->items);
    free(spans->open);
    *spans = (struct rf_spans){0};
}
