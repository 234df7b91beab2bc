/* schedule.h - what ran when: the csv file that other simulators can be compared with.
 *
 * Header id,submit,start,end,procs; one row per finished job, by id; times in seconds, with up
 * to six decimals where a time is not a whole second. All arrays are by job index; end_us < 0
 * means that the job did not finish, and leaves it out. id may be NULL: index + 1; otherwise
 * the rows are written in order of id. */
#ifndef RF_SIM_SCHEDULE_H
#define RF_SIM_SCHEDULE_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

struct rf_schedule {
    int64_t n;
    const int64_t *id, *submit_us, *start_us, *end_us; /* borrowed; times >= 0 */
    const int32_t *procs;
};

/* Writes the file, completely or not at all; "-" is stdout. */
enum rf_status rf_schedule_write(const struct rf_schedule *schedule, const char *path,
                                 struct rf_error *err);

/* BLAKE2b-256 over the same rows as five little-endian 64-bit integers each (id, submit, start,
 * end in microseconds, procs): equal exactly when the files are. */
enum rf_status rf_schedule_digest(const struct rf_schedule *schedule, struct rf_digest *digest,
                                  struct rf_error *err);

#endif
