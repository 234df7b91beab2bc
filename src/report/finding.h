/* finding.h - the verdict on one promise under one definition, as JSON: the same keys in a
 * simulation's results and in an audit. */
#ifndef RF_REPORT_FINDING_H
#define RF_REPORT_FINDING_H

#include "alloc/definition.h"
#include "report/build.h"

/* instead: a finding to show in place of the promise's own; NULL: its own. Times in it are seconds
 * since start_us. */
json_t *rf_finding_object(struct rf_build *build, const struct rf_promise *promise,
                          enum rf_definition definition, const struct rf_finding *instead,
                          const struct rf_definition_options *options, int64_t start_us);

#endif
