#include "slurm/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/value.h"

struct reading {
    struct rf_slurm_events *events;
    struct rf_sheet sheet;
    const char *file;
    enum rf_sacct_unit unit;
    int node, begin, end, state, tres; /* columns */
    struct rf_error *err;
};

static enum rf_status wrong(const struct reading *m, const char *what, struct rf_view cell)
{
    return rf_fail(m->err, RF_ERR_INPUT, "%s:%ld: %s '%.*s'", m->file, m->sheet.lines.number,
                   what, (int)(cell.size_bytes < 60 ? cell.size_bytes : 60), cell.bytes);
}

static enum rf_status add(struct reading *m, const struct rf_slurm_outage *it)
{
    struct rf_slurm_events *e = m->events;

    if (e->n == e->room) {
        int64_t room = e->room > 0 ? 2 * e->room : 64;
        struct rf_slurm_outage *more = realloc(e->items, (size_t)room * sizeof *more);

        if (more == NULL)
            return rf_fail(m->err, RF_ERR_MEMORY, "out of memory for '%s'", m->file);
        e->items = more;
        e->room = room;
    }
    e->items[e->n++] = *it;
    return RF_OK;
}

/* "DOWN", "DOWN*" and "DOWN+DRAIN" are down; POWERED_DOWN comes up when it is wanted. All else
 * that is written down here keeps new jobs away only. */
static int is_down(struct rf_view state)
{
    return state.size_bytes >= 4 && memcmp(state.bytes, "DOWN", 4) == 0;
}

static enum rf_status take_row(struct reading *m)
{
    struct rf_view begin = rf_sheet_cell(&m->sheet, m->begin);
    struct rf_view end = rf_sheet_cell(&m->sheet, m->end);
    struct rf_view state = rf_sheet_cell(&m->sheet, m->state);
    struct rf_view tres = rf_sheet_cell(&m->sheet, m->tres);
    struct rf_slurm_outage it = {
        .end_us = -1, .line = m->sheet.lines.number, .drained = !is_down(state)};

    if (rf_value_missing(rf_sheet_cell(&m->sheet, m->node)))
        return RF_OK;
    if (!rf_value_instant(begin, &it.begin_us))
        return wrong(m, "not a time of start", begin);
    if (!rf_value_missing(end) && !rf_value_instant(end, &it.end_us))
        return wrong(m, "not a time of end", end);
    it.devices = rf_sacct_count(tres, m->unit);
    if (it.devices == 0 && m->unit == RF_SACCT_NODES)
        it.devices = 1;
    if (it.devices > INT32_MAX)
        return wrong(m, "too much for a node", tres);
    return it.devices > 0 && (it.end_us < 0 || it.end_us > it.begin_us) ? add(m, &it) : RF_OK;
}

static enum rf_status read_all(struct reading *m, const char *text, size_t size_bytes)
{
    enum rf_row got = rf_sheet_begin(&m->sheet, text, size_bytes, '|');
    enum rf_status st = RF_OK;

    m->node = got == RF_ROW_OK ? rf_sheet_column(&m->sheet, "NodeName Node") : -1;
    m->begin = rf_sheet_column(&m->sheet, "TimeStart Start");
    m->end = rf_sheet_column(&m->sheet, "TimeEnd End");
    m->state = rf_sheet_column(&m->sheet, "State");
    m->tres = rf_sheet_column(&m->sheet, "TRES");
    if (m->node < 0 || m->begin < 0 || m->end < 0 || m->state < 0 || m->tres < 0)
        return rf_fail(m->err, RF_ERR_INPUT,
                       "%s: no header of sacctmgr -P show event with NodeName, TimeStart, "
                       "TimeEnd, State and TRES",
                       m->file);
    while (st == RF_OK && (got = rf_sheet_next(&m->sheet)) != RF_ROW_END)
        st = got == RF_ROW_OK ? take_row(m)
                              : rf_fail(m->err, RF_ERR_INPUT, "%s:%ld: %s", m->file,
                                        m->sheet.lines.number, m->sheet.wrong);
    return st;
}

enum rf_status rf_slurm_events_read(struct rf_slurm_events *events, const char *text,
                                    size_t size_bytes, const char *file,
                                    enum rf_sacct_unit unit, struct rf_error *err)
{
    struct reading *m = malloc(sizeof *m);
    enum rf_status st;

    *events = (struct rf_slurm_events){0};
    if (m == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", file);
    m->events = events;
    m->file = file;
    m->unit = unit;
    m->err = err;
    st = read_all(m, text, size_bytes);
    free(m);
    return st;
}

void rf_slurm_events_clear(struct rf_slurm_events *events)
{
    free(events->items);
    *events = (struct rf_slurm_events){0};
}
