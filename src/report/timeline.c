#include "report/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more item, which comes zeroed; NULL when there is no memory. */
static void *grow(void **items, int32_t n, int32_t *room, size_t size)
{
    char *base = *items;

    if (n == *room) {
        int32_t more = 2 * *room + 64;
        void *moved = realloc(*items, (size_t)more * size);

        if (moved == NULL)
            return NULL;
        *items = moved;
        *room = more;
        base = moved;
    }
    return memset(base + (size_t)n * size, 0, size);
}

static enum rf_status no_memory(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for the events of a ledger");
}

static enum rf_status add_job(struct rf_timeline *line, const struct rf_event *event,
                              struct rf_error *err)
{
    void *items = line->jobs;
    struct rf_line_job *job = grow(&items, line->njobs, &line->jobs_room, sizeof *job);

    line->jobs = items;
    if (job == NULL)
        return no_memory(err);
    if (event->job != line->njobs)
        return rf_fail(err, RF_ERR_INPUT, "job %d is requested out of order", (int)event->job);
    memcpy(job->name, event->name, sizeof job->name);
    memcpy(job->account, event->account, sizeof job->account);
    job->span = -1;
    line->njobs++;
    return RF_OK;
}

/* A span of a job that holds these devices from now on. */
static enum rf_status begin_span(struct rf_timeline *line, int32_t job, int32_t lease,
                                 const struct rf_idset *devices, int64_t t_us,
                                 struct rf_error *err)
{
    void *items = line->spans;
    struct rf_span *span = grow(&items, line->nspans, &line->spans_room, sizeof *span);
    enum rf_status st;

    line->spans = items;
    if (span == NULL)
        return no_memory(err);
    st = rf_idset_copy(&span->devices, devices, err);
    if (st != RF_OK)
        return st;
    span->job = job;
    span->lease = lease;
    span->ndevices = rf_idset_count(devices);
    span->begin_us = t_us;
    span->end_us = -1;
    memcpy(span->account, line->jobs[job].account, sizeof span->account);
    line->jobs[job].span = line->nspans++;
    return RF_OK;
}

static enum rf_status add_grant(struct rf_timeline *line, const struct rf_event *event,
                                int64_t t_us, struct rf_error *err)
{
    if (event->lease != line->nleases || event->job < 0 || event->job >= line->njobs)
        return rf_fail(err, RF_ERR_INPUT, "lease %d is out of order or has no job",
                       (int)event->lease);
    line->nleases++;
    return begin_span(line, event->job, event->lease, &event->devices, t_us, err);
}

/* The span that the event's job is in; NULL: none. */
static struct rf_span *span_of(struct rf_timeline *line, const struct rf_event *event)
{
    int known = event->job >= 0 && event->job < line->njobs;

    return known && line->jobs[event->job].span >= 0 ? &line->spans[line->jobs[event->job].span]
                                                     : NULL;
}

static void end_span(struct rf_timeline *line, struct rf_span *span, int64_t t_us,
                     const char *reason)
{
    span->end_us = t_us;
    snprintf(span->reason, sizeof span->reason, "%s", reason);
    line->jobs[span->job].span = -1;
}

static enum rf_status add_end(struct rf_timeline *line, const struct rf_event *event,
                              int64_t t_us, struct rf_error *err)
{
    struct rf_span *span = span_of(line, event);

    if (event->lease < 0) /* a job that ends without ever having run */
        return RF_OK;
    if (span == NULL || span->lease != event->lease)
        return rf_fail(err, RF_ERR_INPUT, "lease %d ends before it was granted",
                       (int)event->lease);
    end_span(line, span, t_us, event->reason);
    return RF_OK;
}

/* The lease goes on with other devices, or for another account. */
static enum rf_status add_change(struct rf_timeline *line, const struct rf_event *event,
                                 int64_t t_us, struct rf_error *err)
{
    struct rf_span *span = span_of(line, event);
    struct rf_idset devices = {0};
    int32_t lease;
    enum rf_status st = RF_OK;

    if (event->job < 0 || event->job >= line->njobs)
        return rf_fail(err, RF_ERR_INPUT, "job %d was never requested", (int)event->job);
    if (event->type == RF_EVENT_RELABEL)
        memcpy(line->jobs[event->job].account, event->account, sizeof event->account);
    if (span == NULL)
        return RF_OK;
    lease = span->lease;
    st = rf_idset_copy(&devices, &span->devices, err);
    if (st == RF_OK && event->type == RF_EVENT_SHRINK)
        st = rf_idset_remove_set(&devices, &event->devices, err);
    else if (st == RF_OK && event->type == RF_EVENT_GROW)
        st = rf_idset_add_set(&devices, &event->devices, err);
    end_span(line, span, t_us, rf_event_type_name(event->type));
    if (st == RF_OK)
        st = begin_span(line, event->job, lease, &devices, t_us, err);
    rf_idset_clear(&devices);
    return st;
}

static enum rf_status add_mark(struct rf_timeline *line, const struct rf_event *event,
                               int64_t t_us, struct rf_error *err)
{
    void *items = line->marks;
    struct rf_mark *mark = grow(&items, line->nmarks, &line->marks_room, sizeof *mark);

    line->marks = items;
    if (mark == NULL)
        return no_memory(err);
    mark->type = event->type;
    mark->job = event->job;
    mark->lease = event->lease;
    mark->by = event->by;
    mark->t_us = t_us;
    mark->step = event->step;
    memcpy(mark->reason, event->reason, sizeof mark->reason);
    line->nmarks++;
    return RF_OK;
}

/* The recorder died, and every lease with it; when, only the event before can say. */
static enum rf_status add_recovery(struct rf_timeline *line, const struct rf_event *event,
                                   int64_t before_us, int64_t t_us, struct rf_error *err)
{
    for (int32_t i = 0; i < line->njobs; i++)
        if (line->jobs[i].span >= 0)
            end_span(line, &line->spans[line->jobs[i].span], before_us, "recover");
    return add_mark(line, event, t_us, err);
}

static int32_t fleet_so_far(const struct rf_timeline *line)
{
    for (int32_t i = line->nmarks - 1; i >= 0; i--)
        if (line->marks[i].type == RF_EVENT_CAPACITY)
            return line->marks[i].devices;
    return 0;
}

static enum rf_status add_capacity(struct rf_timeline *line, const struct rf_event *event,
                                   int64_t t_us, struct rf_error *err)
{
    int32_t before = fleet_so_far(line), count = rf_idset_count(&event->devices);
    enum rf_status st = add_mark(line, event, t_us, err);

    if (st != RF_OK || count == 0)
        return st;
    line->marks[line->nmarks - 1].devices = event->up ? before + count : before - count;
    if (rf_idset_at(&event->devices, count - 1) >= line->ndevices)
        line->ndevices = rf_idset_at(&event->devices, count - 1) + 1;
    return RF_OK;
}

enum rf_status rf_timeline_add(struct rf_timeline *line, const struct rf_event *event,
                               struct rf_error *err)
{
    int64_t t_us, before_us = line->end_us;

    if (event->type == RF_EVENT_OPEN) {
        line->start_us = event->t_us;
        memcpy(line->run, event->name, sizeof line->run);
    }
    t_us = event->t_us - line->start_us;
    line->end_us = t_us;
    switch (event->type) {
    case RF_EVENT_REQUEST:
        return add_job(line, event, err);
    case RF_EVENT_GRANT:
        return add_grant(line, event, t_us, err);
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
    case RF_EVENT_RELABEL:
        return add_change(line, event, t_us, err);
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        return add_end(line, event, t_us, err);
    case RF_EVENT_RECOVER:
        return add_recovery(line, event, before_us, t_us, err);
    case RF_EVENT_CAPACITY:
        return add_capacity(line, event, t_us, err);
    case RF_EVENT_DELAY:
    case RF_EVENT_DENY:
    case RF_EVENT_PREEMPT:
    case RF_EVENT_CHECKPOINT:
        return add_mark(line, event, t_us, err);
    default:
        return RF_OK;
    }
}

static enum rf_status visit(void *ctx, const struct rf_event *event, struct rf_error *err)
{
    return rf_timeline_add(ctx, event, err);
}

enum rf_status rf_timeline_read(struct rf_timeline *timeline, const char *ledger_path,
                                struct rf_error *err)
{
    enum rf_status st;

    memset(timeline, 0, sizeof *timeline);
    st = rf_ledger_verify(ledger_path, NULL, visit, timeline, &timeline->check, err);
    for (int32_t i = 0; i < timeline->nspans; i++) /* a run that was cut off */
        if (timeline->spans[i].end_us < 0)
            timeline->spans[i].end_us = timeline->end_us;
    return st;
}

void rf_timeline_clear(struct rf_timeline *timeline)
{
    for (int32_t i = 0; i < timeline->nspans; i++)
        rf_idset_clear(&timeline->spans[i].devices);
    free(timeline->spans);
    free(timeline->marks);
    free(timeline->jobs);
    memset(timeline, 0, sizeof *timeline);
}
