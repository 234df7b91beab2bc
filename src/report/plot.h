/* plot.h - from a gnuplot script to SVG text for an HTML page.
 *
 * gnuplot runs as a program, never linked. Its SVG is stripped to what a page needs: no
 * declaration, no ids, no tooltips; text and axes are drawn in the page's own text colour, so
 * the plots follow a dark page. Data colours are mid-tones that stand out on both. */
#ifndef RF_REPORT_PLOT_H
#define RF_REPORT_PLOT_H

#include "report/text.h"

/* The colour that becomes the page's text colour. */
#define RF_PLOT_INK "#010203"

/* The i-th data colour, "#rrggbb"; they repeat after eight. */
const char *rf_plot_colour(int i);

/* Starts a script: terminal, size, borders, grid, key above the plot. */
void rf_plot_start(struct rf_text *script, int height);

/* Adds s as a gnuplot string with its quotes; control characters become '?'. */
void rf_plot_add_string(struct rf_text *script, const char *s);

/* Runs the script. *svg, which the caller frees, is an <svg> element with the label for
 * screen readers; NULL with RF_OK when there is no gnuplot to run or it drew nothing: the
 * page then goes without. RF_ERR_IO and RF_ERR_MEMORY are ours. */
enum rf_status rf_plot_draw(const struct rf_text *script, const char *label, char **svg,
                            struct rf_error *err);

#endif
