/* promised.h - what a configuration promises and asks for, as the coordinator takes it. */
#ifndef RF_CLI_PROMISED_H
#define RF_CLI_PROMISED_H

#include "alloc/policy.h"
#include "job/plan.h"
#include "mpi/coordinator.h"

/* Limits and pledges at time 0 and all changes of mind, in order of time: t_us counts from the start of
 * the run. The caller frees *events. */
enum rf_status rf_promised_events(const struct rf_run_spec *spec, struct rf_event **events,
                                  int *n, struct rf_error *err);

/* The policy that the configuration asks for, checked. */
enum rf_status rf_promised_policy(const struct rf_run_spec *spec,
                                  struct rf_policy_options *options, struct rf_error *err);

/* A planned job as the coordinator is asked for it. */
struct rf_request rf_promised_request(const struct rf_planned_job *job);

#endif
