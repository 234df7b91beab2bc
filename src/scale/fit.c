#include "scale/fit.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

enum { WORK = 1024, ROUNDS = 6 };
static const double LEAST = 0.05; /* of what was measured: no error counts more than that */

/* LAPACK: minimises |a x - b| for a of full rank; a and b are overwritten, x comes in b. */
extern void dgels_(const char *trans, const int *m, const int *n, const int *nrhs, double *a,
                   const int *lda, double *b, const int *ldb, double *work, const int *lwork,
                   int *info);

static double value_at(const struct rf_fit_data *d, const double factor[RF_FIT_TERMS], int i)
{
    double y = d->offset[i];

    for (int k = 0; k < d->terms; k++)
        y += factor[k] * d->term[i][k];
    return y;
}

/* Factors of the terms in `kept` (a set of bits), zero for the others, and the sum of squared errors, each
 * divided by its scale; INFINITY when that set does not do. */
static double solve_with(unsigned kept, const struct rf_fit_data *d, const double *scale,
                         double factor[RF_FIT_TERMS])
{
    double a[RF_FIT_ROWS * RF_FIT_TERMS], b[RF_FIT_ROWS], work[WORK], sum = 0;
    const int one = 1, lwork = WORK, n = d->n;
    int columns = 0, info = 0, which[RF_FIT_TERMS];

    memset(factor, 0, RF_FIT_TERMS * sizeof *factor);
    for (int k = 0; k < d->terms; k++)
        if ((kept >> k & 1) != 0)
            which[columns++] = k;
    if (columns > n)
        return INFINITY;
    for (int c = 0; c < columns; c++)
        for (int i = 0; i < n; i++)
            a[c * n + i] = d->term[i][which[c]] / scale[i];
    for (int i = 0; i < n; i++)
        b[i] = (d->y[i] - d->offset[i]) / scale[i];
    if (columns > 0)
        dgels_("N", &n, &columns, &one, a, &n, b, &n, work, &lwork, &info);
    for (int c = 0; c < columns; c++) {
        if (info != 0 || !isfinite(b[c]) || b[c] < 0)
            return INFINITY;
        factor[which[c]] = b[c];
    }
    for (int i = 0; i < n; i++) {
        double error = (value_at(d, factor, i) - d->y[i]) / scale[i];

        sum += error * error;
    }
    return sum;
}

/* The best of all sets of terms. */
static double solve(const struct rf_fit_data *d, const double *scale,
                    double best_factor[RF_FIT_TERMS])
{
    double best = INFINITY, sum, factor[RF_FIT_TERMS];

    for (unsigned kept = 0; kept < 1U << d->terms; kept++) {
        sum = solve_with(kept, d, scale, factor);
        if (sum < best) {
            best = sum;
            memcpy(best_factor, factor, sizeof factor);
        }
    }
    return best;
}

int rf_fit_solve(struct rf_fit *fit, const struct rf_fit_data *data)
{
    double best = INFINITY, scale[RF_FIT_ROWS];
    int spare = data->n - data->terms;

    *fit = (struct rf_fit){.terms = data->terms, .factor = {NAN, NAN, NAN}, .misfit = NAN};
    if (spare < 0 || data->n > RF_FIT_ROWS)
        return 0;
    for (int i = 0; i < data->n; i++) {
        if (!(data->y[i] > 0) || !isfinite(data->y[i]))
            return 0;
        scale[i] = data->y[i];
    }
    for (int round = 0; round < ROUNDS; round++) {
        best = solve(data, scale, fit->factor);
        if (!isfinite(best))
            return 0;
        for (int i = 0; i < data->n; i++)
            scale[i] = fmax(value_at(data, fit->factor, i), LEAST * data->y[i]);
    }
    fit->misfit = spare > 0 ? sqrt(best / spare) : 0;
    return 1;
}

double rf_fit_at(const struct rf_fit *fit, const struct rf_fit_data *data, int i)
{
    return value_at(data, fit->factor, i);
}

void rf_fit_resample(double (*factors)[RF_FIT_TERMS], int times, const struct rf_fit *fit,
                     const struct rf_fit_data *data, uint64_t seed, uint64_t stream)
{
    struct rf_fit_data drawn = *data;
    struct rf_fit again;
    double noise = 0;

    for (int i = 0; i < data->n; i++)
        noise += data->noise[i] * data->noise[i] / data->n;
    noise = fmax(sqrt(noise), fit->misfit);
    for (int t = 0; t < times; t++) {
        for (int i = 0; i < data->n; i++) {
            uint64_t at = (uint64_t)t * RF_FIT_ROWS + (uint64_t)i;

            drawn.y[i] = rf_fit_at(fit, data, i) * exp(noise * rf_rng_normal(seed, stream, at));
        }
        if (rf_fit_solve(&again, &drawn))
            memcpy(factors[t], again.factor, sizeof again.factor);
        else
            memcpy(factors[t], fit->factor, sizeof fit->factor);
    }
}
