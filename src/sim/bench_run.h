/* bench_run.h - one timed simulation, and the bare events of the schedule that came out of it.
 * Internal to the benchmark.
 *
 * Seconds are processor time of this process: a simulation is one thread that waits for nothing, and
 * what else runs on the machine should not count. */
#ifndef RF_SIM_BENCH_RUN_H
#define RF_SIM_BENCH_RUN_H

#include "sim/bench_load.h"

struct rf_bench_run {
    double run_s;    /* the whole of rf_sim_run() */
    double bare_s;   /* the same schedule without a scheduler; 0 where not wanted */
    int64_t deepest; /* the longest the queue was; -1 where bare_s was not wanted */
    int64_t makespan_us, preemptions;
};

double rf_bench_seconds(void);

struct rf_sim_options rf_bench_options(const struct rf_bench_load *load, const char *order,
                                       const char *fence);

/* Runs the load; with_bare: then carries out the schedule that came out once more, as bare
 * events: arrivals from the sorted array, starts as known, ends through the same heap as the
 * engine's, and at each of them the job's record of 128 bytes is written. It decides nothing and
 * checks nothing: what any event-driven simulation of this schedule has to do at least. */
enum rf_status rf_bench_run(struct rf_bench_run *run, const struct rf_bench_load *load,
                            const struct rf_sim_options *options, int with_bare,
                            struct rf_error *err);

#endif
