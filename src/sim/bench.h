/* bench.h - how fast simulations are, beside the bare events on the same machine in the same run.
 *
 *   simulate.fcfs.LOAD, .easy., .conservative.   jobs a second; the limit is the bare events'
 *                                                (bench_run.h)
 *   simulate.accounting    what keeping the tally of a pledge costs, as a share of the time without
 *   simulate.report        what everything that a report needs costs, on top of the tally
 *   simulate.cycle         seconds to read a trace, simulate it and write its schedule; the limit
 *                          is reading and writing as many bytes
 *   simulate.memory        bytes a job, at the peak of that cycle
 *   simulate.growth.X.N    jobs a second as X (jobs, depth of the queue, devices) grows
 *   simulate.floor.fleet100k
 *                          jobs a second: 100,000 devices, ten million jobs, a floor that lends
 *
 * Loads: lublin (HPC jobs made up), deep (26,000 wait all the time), and traces, repeated until
 * there are a million jobs. Values are medians over rounds, ratios medians of pairs: each simulation
 * has its limit measured right after it. */
#ifndef RF_SIM_BENCH_H
#define RF_SIM_BENCH_H

#include "base/error.h"
#include "base/figure.h"
#include "base/watch.h"

enum { RF_SIM_BENCH_TRACES = 16, RF_SIM_BENCH_FIGURES = 100 };

struct rf_sim_bench_options {
    int rounds;      /* 1 to 25 */
    int quick;       /* a tenth of the jobs, nothing that grows */
    int full;        /* the large fleet as well */
    const char *dir; /* where a trace and a schedule may be; they are removed */
    struct {
        const char *path; /* borrowed */
        int32_t devices;  /* 0: as the header says */
    } traces[RF_SIM_BENCH_TRACES];
    int ntraces;
    const struct rf_watch *watch; /* may be NULL */
};

/* Adds figures to figures[0 .. *n-1], at most RF_SIM_BENCH_FIGURES. */
enum rf_status rf_sim_bench(struct rf_figure *figures, int *n,
                            const struct rf_sim_bench_options *options, struct rf_error *err);

#endif
