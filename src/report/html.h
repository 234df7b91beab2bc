/* html.h - one self-contained page about a run: RUN/report.html.
 *
 * Made from RUN/results.json and RUN/ledger.jsonl (of a simulation: RUN/results.json and, where
 * there is one, RUN/series.csv) alone, so it can be made again at any time.
 * The page holds its plots as inline SVG (drawn by the program gnuplot; without it, the tables
 * remain and the page says so), a list of its sections, no script, and nothing that needs a network. */
#ifndef RF_REPORT_HTML_H
#define RF_REPORT_HTML_H

#include "base/error.h"

struct rf_text; /* report/text.h */

/* The page of a run or a simulation, whole; page starts as all zeros and is the caller's to clear,
 * whatever the status. */
enum rf_status rf_report_make(struct rf_text *page, const char *run_dir, struct rf_error *err);

/* Writes run_dir/report.html, completely or not at all. RF_ERR_INPUT when results.json or the
 * ledger or the series is missing or cannot be read; the text names the file. */
enum rf_status rf_report_write(const char *run_dir, struct rf_error *err);

#endif
