/* plot.h - from a gnuplot script to what stands in a figure of an HTML page.
 *
 * gnuplot runs as a program, never linked. Its SVG is stripped to what a page needs: no
 * declaration, no ids; text and axes are drawn in the page's own text colour, so
 * the plots follow a dark page. Data colours are mid-tones with a contrast of more than 3 to
 * the paper of both. The numbers stand in the script, as plot_data.h has them. */
#ifndef RF_REPORT_PLOT_H
#define RF_REPORT_PLOT_H

#include "report/text.h"

/* The colour that becomes the page's text colour. */
#define RF_PLOT_INK "#010203"

/* The i-th data colour, "#rrggbb"; they repeat after eight. */
const char *rf_plot_colour(int i);

/* Starts a script: terminal, size, borders, grid, key above the plot. */
void rf_plot_start(struct rf_text *script, int height);

/* A round step that gives an axis of this length three to six marks, which never touch. */
double rf_plot_tick(double span);

/* Adds s as a gnuplot string with its quotes; control characters become '?'. */
void rf_plot_add_string(struct rf_text *script, const char *s);

/* Runs the script. *svg, which the caller frees, is an <svg> element with the label and a
 * description for screen readers, then its numbers, folded away. Where there is no gnuplot to
 * run or it drew nothing, there are the numbers alone, and NULL with RF_OK without those.
 * RF_ERR_IO and RF_ERR_MEMORY are ours. */
enum rf_status rf_plot_draw(const struct rf_text *script, const char *label, char **svg,
                            struct rf_error *err);

#endif
