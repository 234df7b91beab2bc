/* sim_compare.h - what an ensemble says: paired differences between policies, and means.
 *
 * A variant is a scenario under an order, a fence and a share; its cells differ in the seed. Two
 * variants are compared by the differences of their cells with equal seeds, which had the same
 * jobs and the same failures: what chance does to both drops out. The interval is the bootstrap's
 * over seeds (percentiles of the mean of resampled differences, 95 %); with few seeds it is too
 * narrow, and with one there is none.
 *
 * Compared are, within one scenario, variants that differ in one thing only: an order with the
 * first order, a fence with the first fence, a share with the first share. */
#ifndef RF_REPORT_SIM_COMPARE_H
#define RF_REPORT_SIM_COMPARE_H

#include "report/build.h"
#include "sim/outcome.h"

struct rf_sim_comparison {
    const char *what, *unit;      /* static */
    int a, b;                     /* indices of rows: the first ones of the two variants */
    int seeds;                    /* pairs */
    double difference, low, high; /* a less b; NAN: no pair, or no interval */
};

struct rf_sim_comparisons {
    struct rf_sim_comparison *items; /* owned */
    int n;
};

/* The rows may stand in any order. The caller ends it with rf_sim_comparisons_clear(). */
enum rf_status rf_sim_compare(struct rf_sim_comparisons *comparisons,
                              const struct rf_sim_outcome *rows, int n, int resamples,
                              struct rf_error *err);
void rf_sim_comparisons_clear(struct rf_sim_comparisons *comparisons);

/* "easy+floor 1/5", led by the scenario's name where `scenarios` is set. */
enum { RF_SIM_VARIANT_BYTES = 128 };
void rf_sim_variant_name(char name[RF_SIM_VARIANT_BYTES], const struct rf_sim_outcome *row,
                         int scenarios);
/* Are two rows of one variant? */
int rf_sim_same_variant(const struct rf_sim_outcome *a, const struct rf_sim_outcome *b);

#endif
