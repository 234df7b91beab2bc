/* sim_outcome.h - the row of a cell (sim/outcome.h) as JSON, both ways. */
#ifndef RF_REPORT_SIM_OUTCOME_H
#define RF_REPORT_SIM_OUTCOME_H

#include "report/build.h"
#include "sim/outcome.h"

/* A new object; NULL or build->failed when memory ran out. Written by rf_build_dump(), means
 * have fifteen digits: whoever wants a row that was read to be the same as one that was
 * not, reads all of them. */
json_t *rf_sim_outcome_json(struct rf_build *build, const struct rf_sim_outcome *outcome);

/* RF_ERR_INPUT names the first key that is missing or of another type. */
enum rf_status rf_sim_outcome_read(struct rf_sim_outcome *outcome, const json_t *object,
                                   struct rf_error *err);

#endif
