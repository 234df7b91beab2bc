/* stats.h - the few statistics that the research methods and the report share.
 *
 * Plain arrays in double; nothing here draws random numbers. */
#ifndef RF_ALIGN_STATS_H
#define RF_ALIGN_STATS_H

#include <stddef.h>
#include <stdint.h>

struct rf_interval {
    double low, high;
};

/* NAN for n = 0. */
double rf_stats_mean(const double *x, size_t n);
/* Unbiased (n - 1) variance; 0 for n < 2. */
double rf_stats_variance(const double *x, size_t n);
/* Standard error of the mean; 0 for n < 2. */
double rf_stats_mean_se(const double *x, size_t n);

/* Ascending, in place; NAN sorts last. */
void rf_stats_sort(double *x, size_t n);
/* The q-quantile, 0 <= q <= 1, of n >= 1 ascending values, linear between neighbours
 * (type 7 of Hyndman and Fan, as numpy and R have it). */
double rf_stats_quantile(const double *sorted, size_t n, double q);

/* 95 % Wilson score interval of a proportion p observed on n >= 1 independent items. */
struct rf_interval rf_stats_wilson(double p, int64_t n);

/* Standard error of the mean of x [nrows][ncols], clustered both ways (Cameron, Gelbach and
 * Miller 2011): with m the mean, r_i the row means and c_k the column means,
 *
 *   V_rows = sum_i (r_i - m)^2 / (R (R - 1))
 *   V_cols = sum_k (c_k - m)^2 / (C (C - 1))
 *   V_each = sum_ik (x_ik - m)^2 / (RC (RC - 1))
 *   SE     = sqrt(max(V_rows, V_cols, V_rows + V_cols - V_each))
 *
 * A term whose R or C is 1 drops out, so one column gives the ordinary standard error. */
double rf_stats_two_way_se(const double *x, size_t nrows, size_t ncols);

#endif
