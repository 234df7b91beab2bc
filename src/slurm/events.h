/* events.h - when nodes were down, from what `sacctmgr -P show event` prints.
 *
 * Slurm's database keeps a row for each stretch of time in which a node could not be used, with why and
 * what the node has. Rows about the cluster as a whole are passed over. */
#ifndef RF_SLURM_EVENTS_H
#define RF_SLURM_EVENTS_H

#include "base/error.h"
#include "slurm/sacct.h"

struct rf_slurm_outage {
    int64_t begin_us, end_us; /* since 1970; end_us -1: not over */
    int64_t devices;          /* of the unit, on that node */
    int64_t line;
    int drained; /* no new jobs, while those that ran went on: how many devices that took is not said */
};

struct rf_slurm_events {           /* ended with rf_slurm_events_clear() */
    struct rf_slurm_outage *items; /* owned; as they stand in the text */
    int64_t n, room;
};

/* RF_ERR_INPUT: "FILE:LINE: what is wrong". To be cleared in any case. */
enum rf_status rf_slurm_events_read(struct rf_slurm_events *events, const char *text,
                                    size_t size_bytes, const char *file,
                                    enum rf_sacct_unit unit, struct rf_error *err);
void rf_slurm_events_clear(struct rf_slurm_events *events);

#endif
