/* terms.h - what a fence needs to know about one pledge besides share, basis and window.
 *
 * In an event the terms are text: "key=value" pairs joined by ',', in the order below, only
 * those that differ from the default; durations in microseconds.
 *
 *   bank      credit_cap_us      at most so much credit, as time at the whole share (0: one window)
 *             credit_expiry_us   credit is lost when it is this old (0: never)
 *             burst              share of the fleet it may claim while it has credit ("1/1")
 *   stock     horizon_us         the draw-down lasts this long (0: until the end)
 *             stock_devices      devices secured at the date (0: the fleet when the pledge was made)
 *             catch_up           share of the fleet it may claim while in arrears ("1/1")
 *   request   approve            probability that a request is approved ("1/2")
 *             delay_us           the board's answer takes this long
 *             budget_us          device-time that the board may approve in a window (0: no limit)
 */
#ifndef RF_ALLOC_TERMS_H
#define RF_ALLOC_TERMS_H

#include "alloc/share.h"

struct rf_terms {
    int64_t credit_cap_us, credit_expiry_us;
    struct rf_share burst;
    int64_t horizon_us;
    int32_t stock_devices;
    struct rf_share catch_up;
    struct rf_share approve;
    int64_t delay_us, budget_us;
};

/* The defaults. */
struct rf_terms rf_terms_make(void);
/* Canonical text <-> terms; parse refuses whatever format would not have written. */
enum rf_status rf_terms_parse(struct rf_terms *terms, const char *text, struct rf_error *err);
void rf_terms_format(const struct rf_terms *terms, char *buf, int size);

#endif
