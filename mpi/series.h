/* series.h - metrics.h5: the time series of a run, for h5py and whoever plots.
 *
 *   /accounts/<name>/t_s, devices      devices held from t_s on, one point per change
 *   /jobs/<name>/step, t_s, loss, lr, grad_norm
 *
 * Times are seconds since the start of the run; each data set has a "unit" attribute. */
#ifndef RF_MPI_SERIES_H
#define RF_MPI_SERIES_H

#include "report/results.h"

/* Local, one process. Written completely or not at all. */
enum rf_status rf_series_write(const char *path, const struct rf_results *results,
                               const char *ledger_path, struct rf_error *err);

#endif
