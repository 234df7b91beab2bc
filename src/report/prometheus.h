/* prometheus.h - how a run stands, for monitoring: the text format of Prometheus.
 *
 * Made for the textfile collector of node_exporter. Names have base units and suffixes as
 * Prometheus wants them; the figures of an account hold those of the accounts below it. */
#ifndef RF_REPORT_PROMETHEUS_H
#define RF_REPORT_PROMETHEUS_H

#include "alloc/pledge.h"
#include "alloc/state.h"
#include "base/error.h"

struct rf_metrics_source {
    const char *run, *version;
    const struct rf_state *state;
    struct rf_tally *tally; /* judged here */
    int64_t now_us;         /* UTC */
    int64_t entries, sealed_entries;
    int64_t submissions, requests; /* over the control socket */
};

/* The whole text, ending in LF, which the caller frees. */
enum rf_status rf_prometheus_text(const struct rf_metrics_source *from, char **text,
                                  struct rf_error *err);

#endif
