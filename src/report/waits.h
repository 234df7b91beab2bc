/* waits.h - how often requests waited or were denied, by account and reason. */
#ifndef RF_REPORT_WAITS_H
#define RF_REPORT_WAITS_H

#include "report/timeline.h"

struct rf_wait {
    char account[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
    enum rf_event_type type; /* delay, deny or preempt */
    int64_t count,
        waited_us; /* waited: until the grant, the next reason, or the end of the ledger */
};

struct rf_waits {
    struct rf_wait *items; /* owned; in order of first appearance */
    int32_t n, room;
};

/* The caller ends *waits with rf_waits_clear(), whatever the status. */
enum rf_status rf_waits_make(struct rf_waits *waits, const struct rf_timeline *timeline,
                             struct rf_error *err);
void rf_waits_clear(struct rf_waits *waits);

#endif
