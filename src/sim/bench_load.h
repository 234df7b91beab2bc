/* bench_load.h - what the benchmark simulates: made-up jobs and repeated traces, with their world.
 * Internal to the benchmark. */
#ifndef RF_SIM_BENCH_LOAD_H
#define RF_SIM_BENCH_LOAD_H

#include "sim/engine.h"
#include "sim/scenario.h"

struct rf_bench_load {
    char name[40];
    struct rf_workload jobs;
    struct rf_world world;
    int32_t devices;
    int64_t until_us; /* INT64_MAX: until all jobs are over */
};

/* A plain scenario of that many made-up jobs; its lists are empty. */
struct rf_scenario rf_bench_scenario(const char *source, int32_t devices, int64_t jobs,
                                     double load);
/* Promises 20 % of the fleet to an account that about a quarter of the work belongs to. */
enum rf_status rf_bench_promise(struct rf_scenario *scenario, struct rf_error *err);

/* Jobs and world of the scenario. The caller ends it with rf_bench_load_clear(), also after a
 * failure. */
enum rf_status rf_bench_load_make(struct rf_bench_load *load, const char *name,
                                  const struct rf_scenario *scenario, struct rf_error *err);
/* The trace, as often as it takes to have at least `jobs` jobs. devices 0: as its header says. */
enum rf_status rf_bench_load_read(struct rf_bench_load *load, const char *path, int32_t devices,
                                  int64_t jobs, struct rf_error *err);
/* The first `depth` jobs wait already when the simulation begins. */
void rf_bench_load_deepen(struct rf_bench_load *load, int64_t depth);
void rf_bench_load_clear(struct rf_bench_load *load);

#endif
