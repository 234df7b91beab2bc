/* fit.h - least squares for curves of a few terms, with intervals.
 *
 * A curve is a sum of known terms with unknown factors that cannot be negative: shares of time, delays.
 * Measurements that range over orders of magnitude count by their relative errors: each row is divided
 * by what the curve says there, found in a few rounds that begin with what was measured (dividing by that alone would
 * favour measurements that came out low). LAPACK solves; of the ways to leave out terms whose factors would be negative, the
 * best is taken. */
#ifndef RF_SCALE_FIT_H
#define RF_SCALE_FIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { RF_FIT_TERMS = 3, RF_FIT_ROWS = 256 };

/* y[i] ~ offset[i] + sum over k of factor[k] x term[i][k]. */
struct rf_fit_data {
    int n, terms;
    double term[RF_FIT_ROWS][RF_FIT_TERMS];
    double y[RF_FIT_ROWS];      /* above 0 */
    double offset[RF_FIT_ROWS]; /* of what is known without a fit */
    double noise[RF_FIT_ROWS];  /* relative standard error of y[i], 0 where it is not known */
};

struct rf_fit {
    int terms;
    double factor[RF_FIT_TERMS];
    double misfit; /* root of the mean square of relative errors, over n - terms */
};

/* 0 when there are fewer rows than terms, or rows that say nothing: fit->factor is then NAN. */
int rf_fit_solve(struct rf_fit *fit, const struct rf_fit_data *data);

/* What the curve says for row i. */
double rf_fit_at(const struct rf_fit *fit, const struct rf_fit_data *data, int i);

/* Draws `times` sets of measurements as they might have come, and fits each: factors [times][RF_FIT_TERMS].
 * A measurement is the curve's value times a log-normal error, whose size is what repeats say or what
 * the curve misses, whichever is larger (the scale factor of the Particle Data Group's averages): a curve that
 * does not fit gets wide intervals. Draws depend on seed and stream alone. */
void rf_fit_resample(double (*factors)[RF_FIT_TERMS], int times, const struct rf_fit *fit,
                     const struct rf_fit_data *data, uint64_t seed, uint64_t stream);

#endif
