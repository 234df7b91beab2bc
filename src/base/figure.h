/* figure.h - a measured figure beside the limit measured in the same run.
 *
 * Machines are shared and noisy: values are medians over rounds, and a ratio is the median of the
 * ratios of pairs, each measured side by side. */
#ifndef RF_BASE_FIGURE_H
#define RF_BASE_FIGURE_H

struct rf_figure {
    char name[64];              /* "checkpoint.save.np2" */
    const char *unit;           /* static text: "jobs/s", "bytes/s", "s", "share" */
    double value, limit, ratio; /* medians; limit and ratio are 0 where there is no limit */
    char said[160];             /* with what, for people */
};

enum { RF_MEDIAN_MAX = 1024 };

/* Of n values, 1 to RF_MEDIAN_MAX of them, which stay as they are. */
double rf_median(const double *values, int n);

#endif
