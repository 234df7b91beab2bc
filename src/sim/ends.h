/* ends.h - when running jobs will end: a heap by time, then by lease, so that the order is
 * total. Entries that became void (the job stopped earlier) are the caller's to skip. */
#ifndef RF_SIM_ENDS_H
#define RF_SIM_ENDS_H

#include <stdint.h>

#include "base/error.h"

struct rf_end {
    int64_t t_us;
    int32_t lease, job;
};

/* A heap starts as all zeros. */
struct rf_ends {
    struct rf_end *heap; /* owned; heap[0] is the first */
    int64_t n, room;
};

void rf_ends_clear(struct rf_ends *ends);
enum rf_status rf_ends_add(struct rf_ends *ends, struct rf_end end, struct rf_error *err);
/* Removes the first one; there must be one. */
struct rf_end rf_ends_take(struct rf_ends *ends);

#endif
