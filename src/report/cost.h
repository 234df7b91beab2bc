/* cost.h - what a row of an experiment has cost: its supervisors, students and ceilings with
 * whatever they started and learned from, each job once.
 *
 * Jobs that several rows need are in the bill of each of them, as if it had been done alone; the
 * accounts of a run add up what was really charged. */
#ifndef RF_REPORT_COST_H
#define RF_REPORT_COST_H

#include "alloc/state.h"
#include "job/plan.h"
#include "report/results.h"

/* jobs [plan->njobs]: what they left; state: what they were charged. wanted [nwanted]: the row's
 * jobs, -1 for none. Of a job that was taken from a cache the model FLOPs count that it took when
 * it ran, and the device-time of this run. RF_ERR_MEMORY. */
enum rf_status rf_row_cost(const struct rf_job_plan *plan, const struct rf_state *state,
                           const struct rf_job_result *jobs, const int32_t *wanted, int nwanted,
                           struct rf_row_cost *cost, struct rf_error *err);

/* Model FLOPs that made the model of a job: its own and those of what it started from, not those of
 * the labels it learned. NAN where a job of these is not known to have run. */
double rf_model_cost(const struct rf_job_plan *plan, const struct rf_state *state,
                     const struct rf_job_result *jobs, int32_t job);

#endif
