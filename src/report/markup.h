/* markup.h - HTML tables and figures, escaped throughout. */
#ifndef RF_REPORT_MARKUP_H
#define RF_REPORT_MARKUP_H

#include "report/text.h"

/* A table with a caption and a heading row; align: 'l' or 'r' per column. Cells follow in
 * order, between rf_markup_row() calls, then rf_markup_end(). */
void rf_markup_table(struct rf_text *page, const char *caption, const char *align,
                     const char *const *headings);
void rf_markup_row(struct rf_text *page);
/* Opens a cell for what is added next; HTML closes it. The first of a row is its heading. */
void rf_markup_open(struct rf_text *page, int number);
void rf_markup_cell(struct rf_text *page, const char *text);
/* As a verdict: the text in the colour of "kept", "broken" or anything else. */
void rf_markup_verdict(struct rf_text *page, const char *verdict);
/* `digits` after the point, then suffix; a dash when x is NAN or infinite. */
void rf_markup_number(struct rf_text *page, double x, int digits, const char *suffix);
void rf_markup_end(struct rf_text *page);

/* A figure: what rf_plot_draw() made, the caption between picture and numbers; nothing when svg
 * is NULL. */
void rf_markup_figure(struct rf_text *page, const char *svg, const char *caption);

#endif
