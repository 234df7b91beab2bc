/* sim_trace.h - a small simulation as a time line that opens in Perfetto (trace events).
 *
 * A process per account; in it a slice per lease, named after the job, in as many rows as are
 * needed for jobs that ran at the same time; and how many devices its jobs held and waited for. */
#ifndef RF_REPORT_SIM_TRACE_H
#define RF_REPORT_SIM_TRACE_H

#include "report/sim_results.h"
#include "sim/spans.h"

enum { RF_SIM_TRACE_JOBS = 20000 }; /* more than that are no picture any more */

/* Writes the file, completely or not at all. */
enum rf_status rf_sim_trace_write(const struct rf_sim_results *results,
                                  const struct rf_spans *spans, const char *path,
                                  struct rf_error *err);

#endif
