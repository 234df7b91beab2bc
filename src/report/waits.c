#include "report/waits.h"

#include <stdlib.h>
#include <string.h>

/* What a job waits for at the moment. */
struct pending {
    int32_t item; /* index into waits, -1: nothing */
    int64_t since_us;
};

static enum rf_status find(struct rf_waits *waits, const struct rf_mark *mark,
                           const char *account, int32_t *found, struct rf_error *err)
{
    struct rf_wait *item;

    for (*found = 0; *found < waits->n; ++*found) {
        item = &waits->items[*found];
        if (item->type == mark->type && strcmp(item->account, account) == 0 &&
            strcmp(item->reason, mark->reason) == 0)
            return RF_OK;
    }
    if (waits->n == waits->room) {
        int32_t room = 2 * waits->room + 16;
        struct rf_wait *more = realloc(waits->items, (size_t)room * sizeof *more);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for delays and denials");
        waits->items = more;
        waits->room = room;
    }
    item = &waits->items[waits->n++];
    memset(item, 0, sizeof *item);
    item->type = mark->type;
    memcpy(item->account, account, sizeof item->account);
    memcpy(item->reason, mark->reason, sizeof item->reason);
    return RF_OK;
}

static void settle(struct rf_waits *waits, struct pending *pending, int64_t t_us)
{
    if (pending->item >= 0)
        waits->items[pending->item].waited_us += t_us - pending->since_us;
    pending->item = -1;
}

static enum rf_status take_mark(struct rf_waits *waits, const struct rf_timeline *line,
                                const struct rf_mark *mark, struct pending *pending,
                                struct rf_error *err)
{
    int32_t item;
    enum rf_status st;

    if ((mark->type != RF_EVENT_DELAY && mark->type != RF_EVENT_DENY &&
         mark->type != RF_EVENT_PREEMPT) ||
        mark->job < 0 || mark->job >= line->njobs)
        return RF_OK;
    st = find(waits, mark, line->jobs[mark->job].account, &item, err);
    if (st != RF_OK)
        return st;
    waits->items[item].count++;
    if (mark->type != RF_EVENT_PREEMPT)
        settle(waits, &pending[mark->job], mark->t_us);
    if (mark->type == RF_EVENT_DELAY)
        pending[mark->job] = (struct pending){item, mark->t_us};
    return RF_OK;
}

/* Marks and leases are each in order of time; a lease at the same time as a mark comes last. */
static enum rf_status walk(struct rf_waits *waits, const struct rf_timeline *line,
                           struct pending *pending, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int32_t m = 0, s = 0;

    while (st == RF_OK && (m < line->nmarks || s < line->nspans)) {
        if (s == line->nspans ||
            (m < line->nmarks && line->marks[m].t_us <= line->spans[s].begin_us)) {
            st = take_mark(waits, line, &line->marks[m++], pending, err);
        } else {
            settle(waits, &pending[line->spans[s].job], line->spans[s].begin_us);
            s++;
        }
    }
    return st;
}

enum rf_status rf_waits_make(struct rf_waits *waits, const struct rf_timeline *timeline,
                             struct rf_error *err)
{
    struct pending *pending = malloc(((size_t)timeline->njobs + 1) * sizeof *pending);
    enum rf_status st;

    memset(waits, 0, sizeof *waits);
    if (pending == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for delays and denials");
    for (int32_t i = 0; i < timeline->njobs; i++)
        pending[i].item = -1;
    st = walk(waits, timeline, pending, err);
    for (int32_t i = 0; i < timeline->njobs; i++)
        settle(waits, &pending[i], timeline->end_us);
    free(pending);
    return st;
}

void rf_waits_clear(struct rf_waits *waits)
{
    free(waits->items);
    memset(waits, 0, sizeof *waits);
}
