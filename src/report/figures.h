/* figures.h - the plots of the report: data and a gnuplot script for each, drawn by plot.h.
 *
 * Each gives *svg, which the caller frees; NULL with RF_OK when there is nothing to draw or no
 * gnuplot. json arguments are parts of results.json. */
#ifndef RF_REPORT_FIGURES_H
#define RF_REPORT_FIGURES_H

#include <jansson.h>

#include "report/usage.h"

/* Share of the fleet that a pledged account holds: at each moment, over its window so far, and
 * the pledge; windows shaded by verdict. */
enum rf_status rf_figure_share(const json_t *pledge, const struct rf_usage *usage, char **svg,
                               struct rf_error *err);

/* Devices by account, stacked, below the size of the fleet. */
enum rf_status rf_figure_devices(const struct rf_usage *usage, char **svg,
                                 struct rf_error *err);

/* Loss against steps of the jobs of one group: rf_figure_group() says which group a job is in.
 */
enum rf_status rf_figure_loss(const json_t *jobs, const char *group, char **svg,
                              struct rf_error *err);
/* "pretraining", or the experiment's name, into group (64 bytes). */
void rf_figure_group(const json_t *job, char *group);

/* Accuracy of weak supervisor, student and ceiling per experiment, with 95 % intervals. */
enum rf_status rf_figure_accuracy(const json_t *experiments, char **svg, struct rf_error *err);

/* Performance gap recovered per experiment, with its interval; void ones are left out. */
enum rf_status rf_figure_pgr(const json_t *experiments, char **svg, struct rf_error *err);

#endif
