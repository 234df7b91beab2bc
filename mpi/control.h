/* control.h - what others may ask of a coordinator while it runs: how it stands, another job, none.
 *
 * A socket (base/local.h, report/control.h) that the coordinator looks at in each turn of its
 * loop, and a file of figures that it writes now and then (report/prometheus.h). Neither ever
 * makes it wait, and where neither can be had the run goes on without. Local: the coordinator's
 * alone. */
#ifndef RF_MPI_CONTROL_H
#define RF_MPI_CONTROL_H

#include "mpi/dispatch.h"

/* What the run's owner gives. */
struct rf_control_options {
    const char *socket_path, *metrics_path; /* NULL: not wanted; borrowed */
    int64_t metrics_us;                     /* between two files of figures */
    void *ctx;
    /* Takes a submission: keeps it durably, and gives its requests, which stay the owner's. After a
     * refusal by the rules of the run it is withdrawn again. */
    enum rf_status (*submit)(void *ctx, const char *config, size_t size_bytes,
                             const struct rf_request **requests, int *n, struct rf_error *err);
    void (*withdraw)(void *ctx);
};

struct rf_control;

/* Warns, and leaves *control usable, where there can be no socket. RF_ERR_MEMORY is the only
 * failure. Everything is borrowed; options NULL: *control is NULL, which all calls take. */
enum rf_status rf_control_open(struct rf_control **control, const struct rf_run_options *run,
                               const struct rf_control_options *options,
                               struct rf_dispatch *dispatch, struct rf_journal *journal,
                               struct rf_error *err);
/* Between two rounds of the dispatch. Returns whether somebody was answered. */
int rf_control_round(struct rf_control *control);
/* Writes the figures for the last time, and removes the socket. */
void rf_control_close(struct rf_control *control);

#endif
