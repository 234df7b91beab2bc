#include "sim/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/bench_cycle.h"
#include "sim/bench_run.h"
#include "sim/cell.h"

enum { ROUNDS_MAX = 25 };

static const char *const ORDERS[] = {"fcfs", "easy", "conservative"};
enum { NORDERS = sizeof ORDERS / sizeof ORDERS[0] };

/* Behind a queue this deep 'conservative' is measured with a tenth of the jobs: it plans for all that
 * wait. */
enum { DEEP = 5000, DEEP_PART = 10 };

struct bench {
    const struct rf_sim_bench_options *o;
    struct rf_figure *figures; /* borrowed, with room for RF_SIM_BENCH_FIGURES */
    int n;
    int64_t million; /* jobs of a load: a million, or a tenth of it */
    int done, total; /* measurements, for the watch */
};

static struct rf_figure *add(struct bench *b, const char *name, const char *unit)
{
    struct rf_figure *f = &b->figures[b->n++];

    *f = (struct rf_figure){.unit = unit};
    snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

static int full(const struct bench *b)
{
    return b->n + NORDERS >= RF_SIM_BENCH_FIGURES;
}

static void tell(struct bench *b)
{
    b->done++;
    rf_watch_show(b->o->watch, b->done, b->total);
}

/* ---- jobs a second of one load under one order */

static enum rf_status measure(struct bench *b, const char *name,
                              const struct rf_bench_load *load, const char *order,
                              const char *fence, int64_t *deepest, struct rf_error *err)
{
    const struct rf_sim_options options = rf_bench_options(load, order, fence);
    double n = (double)load->jobs.n, rate[ROUNDS_MAX], limit[ROUNDS_MAX], ratio[ROUNDS_MAX];
    struct rf_bench_run run = {0};
    struct rf_figure *f;
    enum rf_status st = RF_OK;

    for (int i = 0; i < b->o->rounds && st == RF_OK; i++) {
        st = rf_bench_run(&run, load, &options, 1, err);
        rate[i] = n / run.run_s;
        limit[i] = n / run.bare_s;
        ratio[i] = run.bare_s / run.run_s;
    }
    tell(b);
    if (st != RF_OK)
        return st;
    f = add(b, name, "jobs/s");
    f->value = rf_median(rate, b->o->rounds);
    f->limit = rf_median(limit, b->o->rounds);
    f->ratio = rf_median(ratio, b->o->rounds);
    *deepest = run.deepest;
    snprintf(f->said, sizeof f->said,
             "%lld jobs, %d devices, %.1f years, at most %lld wait, %lld stopped",
             (long long)load->jobs.n, load->devices, (double)run.makespan_us / 31557.6e9,
             (long long)run.deepest, (long long)run.preemptions);
    return RF_OK;
}

static enum rf_status measure_orders(struct bench *b, const struct rf_bench_load *load,
                                     struct rf_error *err)
{
    struct rf_bench_load part = *load; /* a view: nothing of it is freed */
    int64_t deepest = 0;
    char name[64];
    enum rf_status st = RF_OK;

    for (int i = 0; i < NORDERS && st == RF_OK && !full(b); i++) {
        snprintf(name, sizeof name, "simulate.%s.%.36s", ORDERS[i], load->name);
        if (strcmp(ORDERS[i], "conservative") == 0 && deepest > DEEP)
            part.jobs.n = (part.jobs.n + DEEP_PART - 1) / DEEP_PART;
        st = measure(b, name, &part, ORDERS[i], "none", &deepest, err);
    }
    return st;
}

/* ---- the loads */

static enum rf_status made_up(struct bench *b, const char *name, const char *source,
                              int32_t devices, double load_of_fleet, int64_t depth,
                              struct rf_error *err)
{
    struct rf_scenario s = rf_bench_scenario(source, devices, b->million, load_of_fleet);
    struct rf_bench_load load;
    enum rf_status st = rf_bench_load_make(&load, name, &s, err);

    if (st == RF_OK) {
        rf_bench_load_deepen(&load, depth);
        st = measure_orders(b, &load, err);
    }
    rf_bench_load_clear(&load);
    return st;
}

static enum rf_status traces(struct bench *b, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int i = 0; i < b->o->ntraces && st == RF_OK; i++) {
        struct rf_bench_load load;

        st = rf_bench_load_read(&load, b->o->traces[i].path, b->o->traces[i].devices,
                                b->million, err);
        if (st == RF_OK)
            st = measure_orders(b, &load, err);
        rf_bench_load_clear(&load);
    }
    return st;
}

/* ---- what the accounts of a promise cost */

static enum rf_status time_tally(double *with_s, double *without_s,
                                 const struct rf_bench_load *load, struct rf_error *err)
{
    struct rf_sim_options options = rf_bench_options(load, "easy", "none");
    struct rf_bench_run run;
    enum rf_status st = rf_bench_run(&run, load, &options, 0, err);

    *with_s = run.run_s;
    options.tally = 0;
    if (st == RF_OK)
        st = rf_bench_run(&run, load, &options, 0, err);
    *without_s = run.run_s;
    return st;
}

static enum rf_status time_cell(double *seconds, const struct rf_scenario *s,
                                const struct rf_bench_load *load, int detail,
                                struct rf_error *err)
{
    const struct rf_cell_options options = {
        .workload = &load->jobs, .devices = load->devices, .detail = detail};
    struct rf_cell cell;
    double since = rf_bench_seconds();
    enum rf_status st = rf_cell_run(&cell, s, &options, err);

    *seconds = rf_bench_seconds() - since;
    rf_cell_clear(&cell);
    return st;
}

/* Pairs, with and without; the figures are medians of their quotients. */
static enum rf_status measure_accounts(struct bench *b, const struct rf_scenario *s,
                                       const struct rf_bench_load *load, struct rf_error *err)
{
    double tally[ROUNDS_MAX], report[ROUNDS_MAX], with_s = 0, without_s = 0;
    struct rf_figure *f;
    enum rf_status st = RF_OK;

    for (int i = 0; i < b->o->rounds && st == RF_OK; i++) {
        st = time_tally(&with_s, &without_s, load, err);
        tally[i] = with_s / without_s - 1;
        if (st == RF_OK)
            st = time_cell(&without_s, s, load, 0, err);
        if (st == RF_OK)
            st = time_cell(&with_s, s, load, 1, err);
        report[i] = with_s / without_s - 1;
    }
    tell(b);
    if (st != RF_OK)
        return st;
    f = add(b, "simulate.accounting", "share");
    f->value = rf_median(tally, b->o->rounds);
    snprintf(f->said, sizeof f->said, "what the tally of a pledge adds to 'easy', %lld jobs",
             (long long)load->jobs.n);
    f = add(b, "simulate.report", "share");
    f->value = rf_median(report, b->o->rounds);
    snprintf(f->said, sizeof f->said,
             "what definitions, books, series and reasons add to that");
    return RF_OK;
}

static enum rf_status accounts(struct bench *b, struct rf_error *err)
{
    struct rf_scenario s = rf_bench_scenario("lublin", 256, b->million, 0.8);
    struct rf_bench_load load = {0};
    enum rf_status st;

    snprintf(s.order, sizeof s.order, "easy");
    st = rf_bench_promise(&s, err);
    if (st == RF_OK)
        st = rf_bench_load_make(&load, "lublin", &s, err);
    if (st == RF_OK)
        st = measure_accounts(b, &s, &load, err);
    rf_bench_load_clear(&load);
    rf_scenario_clear(&s);
    return st;
}

/* ---- read, simulate, write */

static enum rf_status cycle(struct bench *b, struct rf_error *err)
{
    double seconds[ROUNDS_MAX], plain[ROUNDS_MAX], ratio[ROUNDS_MAX], bytes[ROUNDS_MAX];
    struct rf_bench_cycle c = {0};
    struct rf_figure *f;
    enum rf_status st = RF_OK;

    for (int i = 0; i < b->o->rounds && st == RF_OK; i++) {
        st = rf_bench_cycle(&c, b->o->dir, b->million, err);
        seconds[i] = c.read_s + c.simulate_s + c.write_s;
        plain[i] = c.plain_s;
        ratio[i] = plain[i] / seconds[i];
        bytes[i] = c.bytes_per_job;
    }
    tell(b);
    if (st != RF_OK)
        return st;
    f = add(b, "simulate.cycle", "s");
    f->value = rf_median(seconds, b->o->rounds);
    f->limit = rf_median(plain, b->o->rounds);
    f->ratio = rf_median(ratio, b->o->rounds);
    snprintf(f->said, sizeof f->said,
             "%lld jobs, 'easy'; the last: read %.2f s, simulate %.2f s, write %.2f s",
             (long long)b->million, c.read_s, c.simulate_s, c.write_s);
    if (c.bytes_per_job <= 0) /* this system does not say */
        return RF_OK;
    f = add(b, "simulate.memory", "bytes");
    f->value = rf_median(bytes, b->o->rounds);
    snprintf(f->said, sizeof f->said, "a job, at the peak of that");
    return RF_OK;
}

/* ---- how the cost grows */

static enum rf_status grow(struct bench *b, const char *what, int64_t amount, int32_t devices,
                           int64_t jobs, int64_t depth, struct rf_error *err)
{
    struct rf_scenario s = rf_bench_scenario("flood", devices, jobs, depth > 0 ? 1.0 : 0.9);
    struct rf_bench_load load;
    int64_t deepest;
    char name[64];
    enum rf_status st;

    s.workload.size_max = 16;
    st = rf_bench_load_make(&load, what, &s, err);
    rf_bench_load_deepen(&load, depth);
    snprintf(name, sizeof name, "simulate.growth.%.16s.%lld", what, (long long)amount);
    if (st == RF_OK && !full(b))
        st = measure(b, name, &load, "easy", "none", &deepest, err);
    rf_bench_load_clear(&load);
    return st;
}

static const int64_t GROWTH_JOBS[] = {62500, 250000, 1000000, 4000000};
static const int64_t GROWTH_DEPTH[] = {3000, 10000, 30000, 100000};
static const int32_t GROWTH_DEVICES[] = {100, 1000, 10000, 100000, 1000000};
enum {
    NJOBS = sizeof GROWTH_JOBS / sizeof GROWTH_JOBS[0],
    NDEPTH = sizeof GROWTH_DEPTH / sizeof GROWTH_DEPTH[0],
    NDEVICES = sizeof GROWTH_DEVICES / sizeof GROWTH_DEVICES[0]
};

static enum rf_status growth(struct bench *b, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int i = 0; i < NJOBS && st == RF_OK; i++)
        st = grow(b, "jobs", GROWTH_JOBS[i], 1000, GROWTH_JOBS[i], 0, err);
    for (int i = 0; i < NDEPTH && st == RF_OK; i++)
        st = grow(b, "depth", GROWTH_DEPTH[i], 1000, 1000000, GROWTH_DEPTH[i], err);
    for (int i = 0; i < NDEVICES && st == RF_OK; i++)
        st = grow(b, "devices", GROWTH_DEVICES[i], GROWTH_DEVICES[i], 1000000, 0, err);
    return st;
}

/* ---- the large fleet */

static enum rf_status large_fleet(struct bench *b, struct rf_error *err)
{
    const int32_t devices = 100000;
    struct rf_scenario s = rf_bench_scenario("flood", devices, 10 * b->million, 1.0);
    struct rf_bench_load load = {0};
    int64_t deepest;
    enum rf_status st;

    /* Ten million jobs of this length are 3.9 years at full load. */
    s.workload.size_max = 1024;
    s.workload.run_mean_us = INT64_C(8350) * 1000000;
    snprintf(s.order, sizeof s.order, "easy");
    snprintf(s.fence, sizeof s.fence, "floor");
    st = rf_bench_promise(&s, err);
    if (st == RF_OK)
        st = rf_bench_load_make(&load, "fleet100k", &s, err);
    if (st == RF_OK)
        st = measure(b, "simulate.floor.fleet100k", &load, "easy", "floor", &deepest, err);
    rf_bench_load_clear(&load);
    rf_scenario_clear(&s);
    return st;
}

enum rf_status rf_sim_bench(struct rf_figure *figures, int *n,
                            const struct rf_sim_bench_options *o, struct rf_error *err)
{
    struct bench b = {.o = o, .figures = figures, .million = o->quick ? 100000 : 1000000};
    enum rf_status st;

    *n = 0;
    if (o->rounds < 1 || o->rounds > ROUNDS_MAX || o->ntraces > RF_SIM_BENCH_TRACES)
        return rf_fail(err, RF_ERR_ARG, "1 to %d rounds, and at most %d traces", ROUNDS_MAX,
                       RF_SIM_BENCH_TRACES);
    b.total = NORDERS * (2 + o->ntraces) + 2 + (o->full != 0) +
              (o->quick ? 0 : NJOBS + NDEPTH + NDEVICES);
    st = cycle(&b, err); /* first, while the memory of this process is small */
    if (st == RF_OK)
        st = made_up(&b, "lublin", "lublin", 256, 0.8, 0, err);
    if (st == RF_OK)
        st = made_up(&b, "deep", "flood", 1024, 1.0, 26000, err);
    if (st == RF_OK)
        st = traces(&b, err);
    if (st == RF_OK)
        st = accounts(&b, err);
    if (st == RF_OK && !o->quick)
        st = growth(&b, err);
    if (st == RF_OK && o->full)
        st = large_fleet(&b, err);
    *n = b.n;
    return st;
}
