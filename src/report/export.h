/* export.h - what is in a page, as files of their own: its figures, their numbers, the whole.
 *
 * Works on the text of any page that was put together with page.h and markup.h, so a new kind of
 * page has these formats from its first day. */
#ifndef RF_REPORT_EXPORT_H
#define RF_REPORT_EXPORT_H

#include "base/file.h"
#include "report/text.h"

enum rf_export_kind { RF_EXPORT_SVG, RF_EXPORT_CSV };

/* Each figure of the page as dir/NN-its-label.svg, with colours for light and dark of its own, or
 * .csv, with a header that names units. The directory is made. Tells each path to `tell`. *n: how
 * many there were; of SVG, those that gnuplot could draw. */
enum rf_status rf_export_figures(const char *page, enum rf_export_kind kind, const char *dir,
                                 void (*tell)(void *ctx, const char *path), void *ctx, int *n,
                                 struct rf_error *err);

/* The page as a PDF file, by Chromium where there is one. Without it *whole is 0 and the file has
 * the figures alone, one to a page, by rsvg-convert. RF_ERR_IO: neither could be run, or failed. */
enum rf_status rf_export_pdf(const char *page, const char *path, int *whole,
                             struct rf_error *err);

#endif
