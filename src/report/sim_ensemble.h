/* sim_ensemble.h - the results of an ensemble, as JSON and for people.
 *
 * The JSON holds nothing that depends on how long anything took or on how many ranks there were:
 * the same cells give the same bytes. `wall_s` is therefore null; times are in timing.json. */
#ifndef RF_REPORT_SIM_ENSEMBLE_H
#define RF_REPORT_SIM_ENSEMBLE_H

#include <stdio.h>

#include "report/sim_compare.h"

struct rf_sim_ensemble {
    const char *name, *about, *version;
    int64_t seed;
    const struct rf_sim_outcome *rows; /* in order of the cells */
    int n;
    const struct rf_sim_comparisons *comparisons;
};

/* results.json; the caller frees *text. */
enum rf_status rf_sim_ensemble_json(const struct rf_sim_ensemble *ensemble, char **text,
                                    struct rf_error *err);
/* A table with a line per variant, means over its seeds. */
enum rf_status rf_sim_ensemble_print(const struct rf_sim_ensemble *ensemble, FILE *out,
                                     struct rf_error *err);

#endif
