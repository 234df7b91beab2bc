/* plot_data.h - the numbers of a plot: in its script, and from there for people and programs.
 *
 * A script carries its numbers in blocks. The first line of a block is a comment that says what
 * they are: the title of the series, then the name of each column with its unit, between tabs.
 * gnuplot passes over it; tables, descriptions and CSV files are made from it. A block without
 * that line has the axes' labels for its columns. */
#ifndef RF_REPORT_PLOT_DATA_H
#define RF_REPORT_PLOT_DATA_H

#include "report/text.h"

/* A column that only serves drawing: a place on an axis. */
#define RF_PLOT_HIDDEN "-"

/* Begins block $id. Rows follow, a line each: numbers, or texts by rf_plot_add_text() where
 * names has a word for a column of texts; then rf_plot_block_end(). */
void rf_plot_block(struct rf_text *script, const char *id, const char *title,
                   const char *const *names, int n);
/* A blank and then s as one cell, in double quotes. */
void rf_plot_add_text(struct rf_text *script, const char *s);
void rf_plot_block_end(struct rf_text *script);

/* All rows as CSV: a header with "series" and every column there is, then a line for each row,
 * empty where its block has no such column. */
void rf_plot_csv(struct rf_text *csv, const struct rf_text *script);

/* A sentence or two: the axes, and from where to where each series goes. */
void rf_plot_describe(struct rf_text *to, const struct rf_text *script);

/* The numbers folded away in HTML: a table for each block, long ones thinned to some rows, and
 * everything as CSV in a <template>, under the plot's label. */
void rf_plot_tables(struct rf_text *page, const struct rf_text *script, const char *label);

#endif
