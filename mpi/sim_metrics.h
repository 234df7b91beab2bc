/* sim_metrics.h - metrics.h5 of a simulation: its time series, for h5py and whoever plots.
 *
 *   /t_s, /length_s                     the steps
 *   /fleet/up, down, used; own, lent, reserved, free, overhead where books were kept
 *   /accounts/<group>/used, queued, waiting
 *   /pledges/<account>/promised, delivered; <account>#2 as changed
 *   /jobs/submitted, preempted          counts
 *   /denied/<reason>                    counts
 *
 * Levels are means over a step in devices (waiting: in jobs); sim/series.h explains them. */
#ifndef RF_MPI_SIM_METRICS_H
#define RF_MPI_SIM_METRICS_H

#include "sim/series.h"

/* Local, one process. Written completely or not at all. */
enum rf_status rf_sim_metrics_write(const char *path, const struct rf_series_table *table,
                                    struct rf_error *err);

#endif
