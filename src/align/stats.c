#include "align/stats.h"

#include <math.h>
#include <stdlib.h>

double rf_stats_mean(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n > 0 ? sum / (double)n : NAN;
}

double rf_stats_variance(const double *x, size_t n)
{
    double mean = rf_stats_mean(x, n), sum = 0;

    if (n < 2)
        return 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / (double)(n - 1);
}

double rf_stats_mean_se(const double *x, size_t n)
{
    return n < 2 ? 0 : sqrt(rf_stats_variance(x, n) / (double)n);
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    if (isnan(a) || isnan(b))
        return (isnan(a) != 0) - (isnan(b) != 0);
    return (a > b) - (a < b);
}

void rf_stats_sort(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof *x, ascending);
}

double rf_stats_quantile(const double *sorted, size_t n, double q)
{
    double place = q * (double)(n - 1);
    size_t below = (size_t)place;

    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

struct rf_interval rf_stats_wilson(double p, int64_t n)
{
    const double z = 1.959963984540054, zz = z * z, count = (double)n;
    double centre = (p + zz / (2 * count)) / (1 + zz / count);
    double half = z * sqrt(p * (1 - p) / count + zz / (4 * count * count)) / (1 + zz / count);
    struct rf_interval interval = {centre - half, centre + half};

    return interval;
}

/* Sum of squared distances of the means of `outer` groups of `inner` values from mean. */
static double spread(const double *x, size_t outer, size_t inner, size_t outer_step,
                     size_t inner_step, double mean)
{
    double sum = 0;

    for (size_t i = 0; i < outer; i++) {
        double group = 0;

        for (size_t k = 0; k < inner; k++)
            group += x[i * outer_step + k * inner_step];
        group = group / (double)inner - mean;
        sum += group * group;
    }
    return sum;
}

static double over_pairs(double sum, size_t n)
{
    return n < 2 ? 0 : sum / ((double)n * (double)(n - 1));
}

double rf_stats_two_way_se(const double *x, size_t nrows, size_t ncols)
{
    double mean = rf_stats_mean(x, nrows * ncols);
    double rows = over_pairs(spread(x, nrows, ncols, ncols, 1, mean), nrows);
    double cols = over_pairs(spread(x, ncols, nrows, 1, ncols, mean), ncols);
    double each = over_pairs(spread(x, nrows * ncols, 1, 1, 1, mean), nrows * ncols);

    return sqrt(fmax(fmax(rows, cols), rows + cols - each));
}
