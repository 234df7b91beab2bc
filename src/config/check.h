/* check.h - the rules between keys: references, pairs of limits, sums.
 *
 * Types and ranges of single keys have been checked when these are asked. */
#ifndef RF_CONFIG_CHECK_H
#define RF_CONFIG_CHECK_H

#include <stddef.h>

#include "base/error.h"
#include "job/spec.h"
#include "sim/scenario.h"

/* Where a key is written: "quickstart.cfg:12" for the key path "jobs.[0].model", or for the
 * nearest group around it when the key itself is not written. */
typedef void rf_config_place(void *ctx, const char *path, char *place, size_t size);

/* "PLACE: key 'path': " and the rest of the sentence, as RF_ERR_CONFIG. */
enum rf_status rf_config_refuse(rf_config_place *place, void *ctx, const char *path,
                                struct rf_error *err, const char *fmt, ...) RF_PRINTF(5, 6);

/* A reason as the ledger has them: lower-case words joined by '-'. */
int rf_config_is_code(const char *text);

/* Fills in the defaults that depend on other keys. */
void rf_config_derive(struct rf_run_spec *spec);

enum rf_status rf_config_check(const struct rf_run_spec *spec, rf_config_place *place,
                               void *ctx, struct rf_error *err);
/* The same, both in one, for a scenario. */
enum rf_status rf_config_check_scenario(struct rf_scenario *scenario, rf_config_place *place,
                                        void *ctx, struct rf_error *err);

/* What is promised, and what becomes of it. */
struct rf_config_promises {
    const struct rf_pledge_plan *pledges;
    const struct rf_change_spec *changes;
    const struct rf_limit_spec *limits;
    int npledges, nchanges, nlimits;
};

enum rf_status rf_config_check_promises(const struct rf_config_promises *promises,
                                        rf_config_place *place, void *ctx,
                                        struct rf_error *err);

#endif
