/* versus.h - two runs beside one another: accuracies, gaps recovered, shares, compute bills.
 *
 * Works on results.json of runs and of simulations alike. What both have is matched by name, and
 * what only one has is shown with a dash for the other; a difference is that of b less a. No row says
 * that a difference means something: intervals stand beside those that have them. */
#ifndef RF_REPORT_VERSUS_H
#define RF_REPORT_VERSUS_H

#include <jansson.h>

#include "base/error.h"

/* One figure of both. */
struct rf_versus_row {
    const char *topic; /* "accuracy", "gap recovered", "share", "compute", "waiting", "whole" */
    char of[160];      /* whose: "oversight xent", "alignment" */
    const char *what, *unit;
    double a, b;             /* NAN: there is none */
    double a_ci[2], b_ci[2]; /* 95 %; NAN: none */
};

struct rf_versus {
    struct rf_versus_row *rows; /* owned */
    int n, failed;              /* failed: memory ran out */
    char verdicts[2][24];       /* over all pledges; "" without any */
};

/* a and b are results.json. The caller ends it with rf_versus_clear(), whatever the status. */
enum rf_status rf_versus_make(struct rf_versus *versus, const json_t *a, const json_t *b,
                              struct rf_error *err);
void rf_versus_clear(struct rf_versus *versus);

/* Writes the page about two run directories; there completely or not at all. With json not NULL
 * also the same as one document there, which the caller frees. RF_ERR_INPUT names the file that
 * cannot be read. */
enum rf_status rf_versus_write(const char *const run_dirs[2], const char *version,
                               const char *path, char **json, struct rf_error *err);

#endif
