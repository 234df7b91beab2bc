/* timeline.h - a ledger read back as what a picture needs: leases, marks, fleet, names.
 *
 * Times are microseconds since the first event. Nothing is judged here: shares and verdicts
 * come from results.json, and the audit replays the ledger by the rules. */
#ifndef RF_REPORT_TIMELINE_H
#define RF_REPORT_TIMELINE_H

#include "alloc/ledger.h"

/* A lease, or the part of one between two changes of its devices or of who is charged. */
struct rf_span {
    int32_t job, lease, ndevices;
    int64_t begin_us, end_us;
    struct rf_idset devices; /* owned by the timeline */
    char account[RF_NAME_BYTES];
    /* How it ended: of the release or end event, or "shrink", "grow", "relabel"; "" if it did
     * not. */
    char reason[RF_TEXT_BYTES];
};

struct rf_mark {
    enum rf_event_type type; /* delay, deny, preempt, checkpoint, capacity or recover */
    int32_t job, lease, by;
    int64_t t_us, step;
    int32_t devices; /* capacity: how many the fleet has from now on */
    char reason[RF_TEXT_BYTES];
};

struct rf_line_job {
    char name[RF_NAME_BYTES], account[RF_NAME_BYTES]; /* of now, where it was relabelled */
    int32_t span;                                     /* that it is in; -1: none */
};

struct rf_timeline {
    char run[RF_NAME_BYTES];
    int64_t start_us, end_us; /* the first event, as in the ledger; the last, since the first */
    int32_t ndevices;         /* the highest device id + 1 */
    struct rf_line_job *jobs; /* owned, as the other arrays; by job id, or in order of time */
    struct rf_span *spans;
    struct rf_mark *marks;
    int32_t njobs, nspans, nmarks, nleases;
    int32_t jobs_room, spans_room, marks_room;
    struct rf_ledger_check check; /* as rf_ledger_verify() found it */
};

/* Reads the events up to the first bad line. The caller ends *timeline with
 * rf_timeline_clear(), whatever the status. RF_ERR_INPUT when the file cannot be read. */
enum rf_status rf_timeline_read(struct rf_timeline *timeline, const char *ledger_path,
                                struct rf_error *err);
void rf_timeline_clear(struct rf_timeline *timeline);

/* Takes one event; rf_timeline_read() does this for each. For tests and other sources. */
enum rf_status rf_timeline_add(struct rf_timeline *timeline, const struct rf_event *event,
                               struct rf_error *err);

#endif
