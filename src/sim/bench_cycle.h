/* bench_cycle.h - a trace from a file, through a simulation, to a schedule in a file. Internal to
 * the benchmark. */
#ifndef RF_SIM_BENCH_CYCLE_H
#define RF_SIM_BENCH_CYCLE_H

#include <stdint.h>

#include "base/error.h"

struct rf_bench_cycle {
    double read_s, simulate_s, write_s; /* by the clock on the wall */
    double plain_s;       /* reading and writing as many bytes, and nothing else */
    double bytes_per_job; /* at the peak; 0 where the system does not say */
};

/* Makes a trace of so many jobs (Standard Workload Format) in dir, measures, and removes what it
 * wrote. */
enum rf_status rf_bench_cycle(struct rf_bench_cycle *cycle, const char *dir, int64_t jobs,
                              struct rf_error *err);

#endif
