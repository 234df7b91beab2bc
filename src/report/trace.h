/* trace.h - a ledger as a time line that opens in Perfetto (Chrome trace-event format).
 *
 * One row per device; a slice per lease, named after the job, in a colour of its account;
 * marks where a job was asked to stop, was checkpointed or was denied. */
#ifndef RF_REPORT_TRACE_H
#define RF_REPORT_TRACE_H

#include "base/error.h"

/* Reads the ledger (events before the first bad line count) and writes out_path, completely
 * or not at all. */
enum rf_status rf_trace_write(const char *ledger_path, const char *out_path,
                              struct rf_error *err);

#endif
