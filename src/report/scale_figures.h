/* scale_figures.h - the plots of a scaling study, from results.json. As in figures.h, *svg is the
 * caller's, and NULL where there is nothing to draw or no gnuplot. */
#ifndef RF_REPORT_SCALE_FIGURES_H
#define RF_REPORT_SCALE_FIGURES_H

#include <jansson.h>

#include "base/error.h"

/* Tokens per second over ranks of one mode, "strong" or "weak": measured, in proportion, and by the
 * universal scalability law. */
enum rf_status rf_scale_figure_speed(const json_t *results, const char *mode, char **svg,
                                     struct rf_error *err);

/* Seconds of collectives over their bytes, one line per number of ranks, measured and by the model. */
enum rf_status rf_scale_figure_wire(const json_t *results, const char *kind, char **svg,
                                    struct rf_error *err);

#endif
