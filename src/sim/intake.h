/* intake.h - from what a scenario says about its jobs to the jobs.
 *
 * Reads a trace or generates, lets jobs of some accounts shrink and grow, and repeats. */
#ifndef RF_SIM_INTAKE_H
#define RF_SIM_INTAKE_H

#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/workload.h"

/* `devices` is the size of the machine (0: unknown, for traces only), `seed` is for generators.
 * On success the caller ends the workload with rf_workload_clear(); on failure it is empty.
 * RF_ERR_INPUT: the trace; RF_ERR_CONFIG: the specification. The report says what the trace
 * held and what was left out; for a generator it is all zero; it may be NULL. */
enum rf_status rf_intake(struct rf_workload *workload, const struct rf_workload_spec *spec,
                         int32_t devices, int64_t seed, struct rf_trace_report *report,
                         struct rf_error *err);

#endif
