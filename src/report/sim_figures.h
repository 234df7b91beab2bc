/* sim_figures.h - the plots of a simulation's page, drawn by plot.h.
 *
 * Each gives *svg, which the caller frees; NULL with RF_OK when there is nothing to draw or no
 * gnuplot. json arguments are parts of results.json. */
#ifndef RF_REPORT_SIM_FIGURES_H
#define RF_REPORT_SIM_FIGURES_H

#include <jansson.h>

#include "report/sim_series.h"

/* Share of the fleet that a pledged account held, against what was promised (also after each
 * change); windows of the pledge shaded by verdict, changes of promises and policy marked. */
enum rf_status rf_sim_figure_share(const struct rf_curves *curves, const json_t *pledge,
                                   const json_t *changes, char **svg, struct rf_error *err);

/* Device-time delivered so far against the lines that it can be held to. */
enum rf_status rf_sim_figure_pace(const struct rf_curves *curves, const json_t *pace,
                                  char **svg, struct rf_error *err);
/* ... and how far behind each of them. */
enum rf_status rf_sim_figure_arrears(const json_t *pace, char **svg, struct rf_error *err);

/* Devices held by group, stacked, below the fleet; and the part of it that was in use. */
enum rf_status rf_sim_figure_use(const struct rf_curves *curves, char **svg,
                                 struct rf_error *err);
enum rf_status rf_sim_figure_utilization(const struct rf_curves *curves, char **svg,
                                         struct rf_error *err);

/* Devices that waiting jobs ask for, by group. */
enum rf_status rf_sim_figure_queue(const struct rf_curves *curves, char **svg,
                                   struct rf_error *err);

/* Where every device was, stacked up to what is installed. */
enum rf_status rf_sim_figure_books(const struct rf_curves *curves, char **svg,
                                   struct rf_error *err);

/* Part of the jobs that waited at most so long, by group; time on a logarithmic axis. */
enum rf_status rf_sim_figure_waits(const json_t *histogram, char **svg, struct rf_error *err);

/* Requests denied so far, by reason. */
enum rf_status rf_sim_figure_denials(const struct rf_curves *curves, char **svg,
                                     struct rf_error *err);

#endif
