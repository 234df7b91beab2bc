/* law.h - how speed depends on the number of ranks: four laws with few parameters.
 *
 *   amdahl     t(p) = t1 (s + (1 - s) / p)             a share s that is not parallel (Amdahl 1967);
 *                                                      work that stays the same
 *   gustafson  x(p) = x1 (s + (1 - s) p)               work that grows with p (Gustafson 1988)
 *   usl        x(p) = x1 p / (1 + a (p - 1) + b p (p - 1))   waiting in line a, agreeing b: the
 *                                                      universal scalability law (Gunther 1993)
 *   plan       t(p) = c (c1 share(p) + c2) + wire(p)   share: of the arithmetic that falls to the busiest
 *                                                      rank, by the plan; wire: what the plan says is
 *                                                      moved, by measured collectives (wire.h); c: ranks
 *                                                      per core, where there are more ranks than cores
 *
 * t is seconds per step, x tokens per second. All are sums of terms in some form, so that fit.h
 * fits them. */
#ifndef RF_SCALE_LAW_H
#define RF_SCALE_LAW_H

#include "scale/fit.h"

enum rf_law { RF_LAW_AMDAHL, RF_LAW_GUSTAFSON, RF_LAW_USL, RF_LAW_PLAN, RF_LAWS };

const char *rf_law_name(enum rf_law law);
/* How many parameters it has: fewer points than that say nothing. */
int rf_law_terms(enum rf_law law);
/* What its parameters are called, e.g. "serial share"; "" beyond the last. */
const char *rf_law_parameter(enum rf_law law, int k);

/* One point as a law sees it. */
struct rf_law_point {
    double ranks;
    double step_s, noise; /* seconds per step; relative standard error */
    double tokens;        /* per step */
    double crowd;         /* ranks per core, at least 1 */
    double share, wire_s; /* RF_LAW_PLAN */
};

/* The row of a fit that stands for a point. */
void rf_law_row(enum rf_law law, struct rf_fit_data *data, const struct rf_law_point *point);
/* Seconds per step at a point, of which step_s and noise are not looked at. */
double rf_law_step_s(enum rf_law law, const double factor[RF_FIT_TERMS],
                     const struct rf_law_point *point);
/* The law's parameters from a fit's factors, in its own terms: shares, seconds. */
void rf_law_parameters(enum rf_law law, const double factor[RF_FIT_TERMS],
                       double parameter[RF_FIT_TERMS]);

#endif
