/* bench_coordinator.h - how fast the coordinator decides, how much it bears, what it costs.
 *
 * Three measurements. *Decisions*: a job ends while thousands wait; from there to the end of what the
 * policy makes of it, recorded. *Leases*: worker ranks play thousands of workers with the real
 * messages, against the real coordinator with its ledger on the disk; the time from the message
 * that a job is over to the next lease for its device. *Overhead*: the same work on the same ranks
 * with and without a coordinator. Beside them stands what no coordinator can go below: a
 * message there and back with a few hundred bytes made durable in between. */
#ifndef RF_MPI_BENCH_COORDINATOR_H
#define RF_MPI_BENCH_COORDINATOR_H

#include <stdint.h>

#include "base/error.h"
#include "base/figure.h"
#include "mpi/group.h"

struct rf_coordinator_bench {
    const char *dir;   /* where ledgers are written and removed */
    int32_t queued;    /* jobs that wait while decisions are timed */
    int32_t decisions; /* so many of them, for each order */
    int32_t leases;    /* outstanding at once */
    int32_t rate;      /* messages a second, all workers together; every tenth ends a job */
    double seconds;    /* for so long */
    int pairs, steps;  /* overhead: pairs of runs, steps of a few milliseconds in each */
};

enum { RF_COORDINATOR_FIGURES = 16 };

/* Collective on group, of at least two ranks, arguments equal everywhere: the last rank coordinates.
 * Sets *n figures, those of rank 0 are right. A message that was lost, or charged twice, is RF_NO. */
enum rf_status rf_coordinator_bench(struct rf_figure figures[RF_COORDINATOR_FIGURES], int *n,
                                    const struct rf_group *group,
                                    const struct rf_coordinator_bench *what,
                                    struct rf_error *err);

/* ---- for bench_coordinator.c and bench_leases.c ---- */

/* What came of the part with leases; the same on every rank. */
struct rf_bench_leases {
    int64_t sent, lost;    /* messages */
    int64_t turns;         /* jobs that ended and made room for another */
    double p50_us, p99_us; /* from such an end to the next lease */
    double seconds;        /* how long messages were sent */
    double rss_before,
        rss_after;  /* of the coordinator, in bytes: all leases out, and at the end */
    double first_s; /* until all leases were out */
    int64_t entries;
};

enum rf_status rf_bench_leases(struct rf_bench_leases *result, const struct rf_group *group,
                               const struct rf_coordinator_bench *what, const char *dir,
                               struct rf_error *err);

/* Local. The value below which a share of n values lies, 0 < share < 1; sorts them. */
double rf_bench_quantile(double *values, int64_t n, double share);

#endif
