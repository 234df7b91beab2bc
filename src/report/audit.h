/* audit.h - what an audit says: for people, and as one JSON document.
 *
 * Both are functions of the examination alone: the same ledger and the same other records give
 * the same bytes. Times are seconds since the run's first line, device-time is device-seconds,
 * requests are in device-hours where it says so. */
#ifndef RF_REPORT_AUDIT_H
#define RF_REPORT_AUDIT_H

#include <stdio.h>

#include <jansson.h>

#include "audit/examine.h"

/* path: as the ledger was named. */
enum rf_status rf_audit_print(const struct rf_examination *x, const char *path, FILE *out,
                              struct rf_error *err);

/* Sets the keys of one audit in an object: seed, verdict, ledger, pledges, accounts, definitions,
 * requests, gaps, changes, tests, reconciliation. */
enum rf_status rf_audit_json(json_t *to, const struct rf_examination *x, const char *path,
                             struct rf_error *err);

/* Device-time of a pledge of that JSON by window: delivered, and what had to be reached. *svg is as
 * rf_plot_draw() makes it. */
enum rf_status rf_audit_figure(const json_t *pledge, char **svg, struct rf_error *err);

/* The same as one self-contained page; there completely or not at all. */
enum rf_status rf_audit_page(const struct rf_examination *x, const char *ledger,
                             const char *version, const char *path, struct rf_error *err);

#endif
