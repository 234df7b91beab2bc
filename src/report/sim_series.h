/* sim_series.h - series.csv read back: what the page of a simulation draws. */
#ifndef RF_REPORT_SIM_SERIES_H
#define RF_REPORT_SIM_SERIES_H

#include "base/error.h"

enum { RF_CURVES_NAME_BYTES = 128 };

/* Step k is from t_s[k] to t_s[k + 1]; column c has value values[c * n + k] in it. */
struct rf_curves {
    int n, ncolumns;
    double *t_s;                         /* owned, n + 1 */
    char (*names)[RF_CURVES_NAME_BYTES]; /* owned */
    double *values;                      /* owned */
};

/* RF_ERR_INPUT names file and line. The caller ends *curves with rf_curves_clear(), whatever
 * the status. */
enum rf_status rf_curves_read(struct rf_curves *curves, const char *path, struct rf_error *err);
/* The same for a text that ends in NUL; `name` is what messages call it. */
enum rf_status rf_curves_parse(struct rf_curves *curves, const char *text, const char *name,
                               struct rf_error *err);
void rf_curves_clear(struct rf_curves *curves);

/* At most `most` steps, each made of several neighbours: their mean by length, or, for what is
 * counted (submitted, preempted, denied:...), their sum. thin is ended as curves are. */
enum rf_status rf_curves_thin(struct rf_curves *thin, const struct rf_curves *curves, int most,
                              struct rf_error *err);

/* The values of the column of that name, n of them, or NULL. */
const double *rf_curves_find(const struct rf_curves *curves, const char *name);
/* The part of the column's name behind "kind:", or NULL when it is of another kind. */
const char *rf_curves_of(const struct rf_curves *curves, int column, const char *kind);

#endif
