/* sim_plot.h - what the figures of a simulation have in common. */
#ifndef RF_REPORT_SIM_PLOT_H
#define RF_REPORT_SIM_PLOT_H

#include "report/plot.h"
#include "report/plot_data.h"
#include "report/sim_series.h"

enum { RF_SIM_PLOT_HEIGHT = 360, RF_SIM_PLOT_LOW = 330 };

#define RF_SIM_GREEN "#3a9f65"
#define RF_SIM_RED "#d9596b"
#define RF_SIM_YELLOW "#a8830f"

/* Draws the script and ends it. */
enum rf_status rf_sim_plot_finish(struct rf_text *script, const char *label, char **svg,
                                  struct rf_error *err);

/* Time from 0 to the end, in the unit that suits its length; returns that unit's seconds. */
double rf_sim_plot_time(struct rf_text *script, double end_s);

/* Begins a block of values over time, in the unit of rf_sim_plot_time(); names are those of the
 * n columns behind the time. rf_plot_block_end() ends it. */
void rf_sim_plot_block(struct rf_text *script, double end_s, const char *id, const char *title,
                       const char *const *names, int n);

/* A data block: part as a share of the devices that are up, from step `first` on, each step with
 * both its ends. Returns the largest share. */
double rf_sim_plot_shares(struct rf_text *script, const struct rf_curves *curves, double unit_s,
                          const double *part, int first, const char *id, const char *title);

/* The block $sofar: that share since the start. */
void rf_sim_plot_so_far(struct rf_text *script, const struct rf_curves *curves, double unit_s,
                        const double *part);

#endif
