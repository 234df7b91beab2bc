/* spans.h - which job held how many devices from when until when: an observer.
 *
 * For pictures of small simulations; a time series serves large ones (series.h). */
#ifndef RF_SIM_SPANS_H
#define RF_SIM_SPANS_H

#include "alloc/observer.h"

struct rf_lease_span {        /* a lease, or the part of it in which it had so many devices */
    int64_t begin_us, end_us; /* end_us: -1 while it is open */
    int32_t job, devices;
    int32_t
        stopped; /* 1: it ended before the job was done, because of a preemption or failure */
};

struct rf_spans {
    struct rf_lease_span *items; /* owned; in order of begin */
    int32_t n, room;
    int32_t *open; /* owned; by job: its span, -1: none */
    int32_t njobs;
};

/* Starts as all zeros; ended by rf_spans_clear(). */
struct rf_observer rf_spans_observer(struct rf_spans *spans);
void rf_spans_clear(struct rf_spans *spans);

#endif
