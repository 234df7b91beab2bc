#include "sim/bench_cycle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "sim/bench_run.h"
#include "sim/schedule.h"

enum { DEVICES = 256, LINE_BYTES = 160 };
static const size_t FILE_BYTES_MAX = (size_t)1 << 40;

/* ---- memory: Linux says how much a process has, and forgets its peak when asked to */

/* "VmHWM:     1234 kB" of /proc/self/status; 0: unknown. */
static int64_t status_bytes(const char *key)
{
    char line[256];
    long long kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");

    if (f == NULL)
        return 0;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kilobytes = atoll(line + strlen(key));
    fclose(f);
    return kilobytes * 1024;
}

/* Begins a new peak; 0: that cannot be done here. */
static int64_t forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    int ok = f != NULL && fputs("5", f) >= 0;

    if (f != NULL)
        ok = fclose(f) == 0 && ok;
    return ok ? status_bytes("VmRSS:") : 0;
}

/* ---- the trace */

static enum rf_status write_trace(const struct rf_workload *w, const char *path,
                                  struct rf_error *err)
{
    char *text = malloc((size_t)w->n * LINE_BYTES + LINE_BYTES);
    size_t size;
    enum rf_status st;

    if (text == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a trace of %lld jobs",
                       (long long)w->n);
    size = (size_t)snprintf(text, LINE_BYTES, "; MaxProcs: %d\n", DEVICES);
    for (int64_t i = 0; i < w->n; i++)
        size +=
            (size_t)snprintf(text + size, LINE_BYTES,
                             "%" PRId64 " %" PRId64 " -1 %" PRId64 " %d -1 -1 %d %" PRId64
                             " -1 1 %d 1 -1 1 -1 -1 -1\n",
                             i + 1, w->submit_us[i] / 1000000, w->run_us[i] / 1000000,
                             w->min[i], w->min[i], w->limit_us[i] / 1000000, w->account[i] + 1);
    st = rf_file_write(path, text, size, err);
    free(text);
    return st;
}

static enum rf_status make_trace(const char *path, int64_t jobs, struct rf_error *err)
{
    struct rf_scenario s = rf_bench_scenario("lublin", DEVICES, jobs, 0.8);
    struct rf_bench_load load;
    enum rf_status st = rf_bench_load_make(&load, "lublin", &s, err);

    if (st == RF_OK)
        st = write_trace(&load.jobs, path, err);
    rf_bench_load_clear(&load);
    return st;
}

/* ---- the three steps */

static double since(int64_t begin_us)
{
    return (double)(rf_time_us() - begin_us) / 1e6;
}

static enum rf_status steps(struct rf_bench_cycle *c, const char *trace, const char *schedule,
                            struct rf_error *err)
{
    int64_t begin_us = rf_time_us(), before = forget_peak(), njobs = 0;
    struct rf_bench_load load;
    struct rf_sim_result result = {0};
    struct rf_sim_options options;
    enum rf_status st = rf_bench_load_read(&load, trace, 0, 1, err);

    c->read_s = since(begin_us);
    options = rf_bench_options(&load, "easy", "none");
    begin_us = rf_time_us();
    if (st == RF_OK)
        st = rf_sim_run(&load.jobs, &options, &result, err);
    c->simulate_s = since(begin_us);
    begin_us = rf_time_us();
    if (st == RF_OK) {
        const struct rf_schedule rows = {.n = njobs = load.jobs.n,
                                         .submit_us = load.jobs.submit_us,
                                         .start_us = result.start_us,
                                         .end_us = result.end_us,
                                         .procs = load.jobs.min};

        st = rf_schedule_write(&rows, schedule, err);
    }
    c->write_s = since(begin_us);
    if (before > 0 && njobs > 0)
        c->bytes_per_job = (double)(status_bytes("VmHWM:") - before) / (double)njobs;
    rf_sim_result_clear(&result);
    rf_bench_load_clear(&load);
    return st;
}

/* The trace read, and the schedule's bytes written once more, without a thought. */
static enum rf_status plain(struct rf_bench_cycle *c, const char *trace, const char *schedule,
                            struct rf_error *err)
{
    char *in = NULL, *out = NULL;
    size_t in_bytes, out_bytes = 0;
    int64_t begin_us;
    enum rf_status st = rf_file_read(schedule, FILE_BYTES_MAX, &out, &out_bytes, err);

    begin_us = rf_time_us();
    if (st == RF_OK)
        st = rf_file_read(trace, FILE_BYTES_MAX, &in, &in_bytes, err);
    if (st == RF_OK)
        st = rf_file_write(schedule, out, out_bytes, err);
    c->plain_s = since(begin_us);
    free(in);
    free(out);
    return st;
}

enum rf_status rf_bench_cycle(struct rf_bench_cycle *cycle, const char *dir, int64_t jobs,
                              struct rf_error *err)
{
    char trace[RF_PATH_BYTES], schedule[RF_PATH_BYTES];
    enum rf_status st;

    *cycle = (struct rf_bench_cycle){0};
    st = rf_file_join(trace, dir, "ringfence-bench-trace.swf", err);
    if (st == RF_OK)
        st = rf_file_join(schedule, dir, "ringfence-bench-schedule.csv", err);
    if (st != RF_OK)
        return st;
    st = make_trace(trace, jobs, err);
    if (st == RF_OK)
        st = steps(cycle, trace, schedule, err);
    if (st == RF_OK)
        st = plain(cycle, trace, schedule, err);
    unlink(trace);
    unlink(schedule);
    return st;
}
