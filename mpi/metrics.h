/* metrics.h - series of numbers into one HDF5 file, readable with h5py.
 *
 * One 1-D array per series, with a "unit" attribute; groups are made as needed. */
#ifndef RF_MPI_METRICS_H
#define RF_MPI_METRICS_H

#include <stdint.h>

#include "base/error.h"

struct rf_metric_series {
    const char *group;     /* "/jobs/strong"; its parts are made in the order of the series */
    const char *name;      /* "loss" */
    const char *unit;      /* "nats", "s"; "1" for a number without a unit */
    const double *doubles; /* one of these two, n long; both may be NULL when n is 0 */
    const int64_t *integers;
    int64_t n;
};

/* Local, one process: path is there completely, with all series, or as it was before.
 * Two series of one group and name are a defect of the caller: RF_ERR_IO says which. */
enum rf_status rf_metrics_write(const char *path, const struct rf_metric_series *series,
                                int nseries, struct rf_error *err);

#endif
