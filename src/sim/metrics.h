/* metrics.h - waits and slowdowns of many jobs: exact sums, percentiles, counts by size.
 *
 * Sums are kept in 128 bits and divided last, so that a mean does not depend on the order of
 * its parts. A percentile p of n values is the least value that at least p n of them do not
 * exceed (nearest rank), so it is always a value that occurred. */
#ifndef RF_SIM_METRICS_H
#define RF_SIM_METRICS_H

#include <stdint.h>

/* A sum that cannot overflow. Starts as all zeros; takes numbers >= 0. */
struct rf_sum {
    uint64_t high, low;
};

void rf_sum_add(struct rf_sum *sum, int64_t x);
void rf_sum_add_product(struct rf_sum *sum, int64_t a, int64_t b);
void rf_sum_merge(struct rf_sum *sum, const struct rf_sum *other);
double rf_sum_value(const struct rf_sum *sum);
/* sum / n, the quotient exact before it is rounded to a double; NAN when n is 0. */
double rf_sum_mean(const struct rf_sum *sum, int64_t n);

/* n values: their mean (NAN when there is none), percentiles and the largest (0 then). */
struct rf_spread {
    int64_t n;
    double mean;
    int64_t p50, p95, p99, max;
};

/* Values are >= 0; their order is lost. */
struct rf_spread rf_spread_of(int64_t *values, int64_t n);

/* Bounded slowdown in millionths, rounded to nearest: max(1, response / max(run, 10 s)), where
 * response is the time from submission to end (Feitelson & Rudolph 1998). */
int64_t rf_slowdown_millionths(int64_t response_us, int64_t run_us);

/* Waits by size: bin 0 is less than a second, then four bins to a decade; the last
 * one is open. */
enum { RF_WAIT_BINS = 34 };
int rf_wait_bin(int64_t wait_us);
int64_t rf_wait_bin_begin_us(int bin); /* the next bin's begin is this one's end */

#endif
