/* trace_sink.h - where the readers of single formats put the jobs they find. Internal to them.
 *
 * The sink applies the rules that all formats share (what is not a job, the limit, the
 * accounts), counts, and lets the arrays grow. A reader tells it each line once: with
 * rf_sink_add(), rf_sink_drop() or rf_sink_malformed(). */
#ifndef RF_SIM_TRACE_SINK_H
#define RF_SIM_TRACE_SINK_H

#include "sim/trace.h"

struct rf_trace_job {
    int64_t line;
    int64_t submit_us; /* of time 0, or of 1970: rf_trace_sink.dates */
    int64_t run_us, limit_us;
    int64_t min, max; /* max 0: rigid */
    int32_t account;  /* of rf_sink_account() */
};

struct rf_trace_sink {
    const char *name; /* of the file, for messages */
    const struct rf_trace_options *options;
    struct rf_trace_report *report;
    struct rf_accounts *accounts;
    struct rf_workload *w; /* its arrays have room for `room` jobs */
    int64_t room;
    int dates; /* submissions are since 1970 and become times since the first */
    struct rf_error *err;
};

/* The account of a job with these fields. */
enum rf_status rf_sink_account(struct rf_trace_sink *sink,
                               const struct rf_view fields[RF_NFIELDS], int32_t *account);
/* Takes a job, or drops it by the common rules. */
enum rf_status rf_sink_add(struct rf_trace_sink *sink, const struct rf_trace_job *job);
void rf_sink_drop(struct rf_trace_sink *sink, int64_t line, enum rf_trace_drop reason);
/* A line that is not what the format demands: RF_ERR_INPUT with its place, or, where options
 * say lenient, counted and RF_OK. `value` is quoted in the message unless it is empty. */
enum rf_status rf_sink_malformed(struct rf_trace_sink *sink, int64_t line, const char *what,
                                 struct rf_view value);
/* The file as a whole is not what it should be: RF_ERR_INPUT, lenient or not. */
enum rf_status rf_sink_refuse(struct rf_trace_sink *sink, int64_t line, const char *what);

/* One reader per format. */
enum rf_status rf_trace_swf(struct rf_trace_sink *sink, const char *text, size_t size_bytes);
enum rf_status rf_trace_csv(struct rf_trace_sink *sink, const char *text, size_t size_bytes);
enum rf_status rf_trace_sacct(struct rf_trace_sink *sink, const char *text, size_t size_bytes);
enum rf_status rf_trace_acme(struct rf_trace_sink *sink, const char *text, size_t size_bytes);
enum rf_status rf_trace_philly(struct rf_trace_sink *sink, const char *text, size_t size_bytes);

#endif
