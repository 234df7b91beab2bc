#include "cli/bench_simulate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/bar.h"
#include "cli/command.h"
#include "sim/bench.h"

static json_t *limited(const struct rf_sim_bench_figure *f, double value)
{
    return f->limit > 0 ? json_real(value) : json_null();
}

static enum rf_status print_json(const struct rf_sim_bench *bench, double wall_s,
                                 struct rf_error *err)
{
    json_t *list = json_array(), *root;
    int failed = list == NULL;

    for (int i = 0; i < bench->n; i++) {
        const struct rf_sim_bench_figure *f = &bench->figures[i];

        failed |= json_array_append_new(
            list, json_pack("{s:s, s:f, s:s, s:o, s:o, s:s}", "name", f->name, "value",
                            f->value, "unit", f->unit, "limit", limited(f, f->limit), "ratio",
                            limited(f, f->ratio), "said", f->said));
    }
    root =
        json_pack("{s:s, s:s, s:i, s:f, s:s, s:o}", "command", "bench", "version", RF_VERSION,
                  "seed", 1, "wall_s", wall_s, "bench", "simulate", "results", list);
    failed |= root == NULL || json_dumpf(root, stdout, JSON_INDENT(2)) != 0;
    putchar('\n');
    json_decref(root);
    return failed ? rf_fail(err, RF_ERR_MEMORY, "cannot print the results") : RF_OK;
}

static void print_table(const struct rf_sim_bench *bench)
{
    printf("%-40s %11s %-7s %11s %6s  %s\n", "name", "value", "unit", "limit", "ratio", "");
    for (int i = 0; i < bench->n; i++) {
        const struct rf_sim_bench_figure *f = &bench->figures[i];
        int small = f->value < 100;
        char limit[32] = "-", ratio[32] = "-";

        if (f->limit > 0) {
            snprintf(limit, sizeof limit, "%.*f", small ? 3 : 0, f->limit);
            snprintf(ratio, sizeof ratio, "%.3f", f->ratio);
        }
        printf("%-40s %11.*f %-7s %11s %6s  %s\n", f->name, small ? 3 : 0, f->value, f->unit,
               limit, ratio, f->said);
    }
}

/* "FILE" or "FILE:DEVICES"; the path is copied to where it can be cut. */
static enum rf_status read_trace(struct rf_sim_bench_options *o, char *path, const char *text,
                                 struct rf_error *err)
{
    int n = snprintf(path, RF_PATH_BYTES, "%s", text);
    char *colon = strrchr(path, ':'), *end = NULL;
    long devices = 0;

    if (n < 0 || n >= RF_PATH_BYTES)
        return rf_fail(err, RF_ERR_ARG, "the path of --trace is too long");
    if (colon != NULL && strchr(colon, '/') == NULL) {
        devices = strtol(colon + 1, &end, 10);
        if (end == colon + 1 || *end != '\0' || devices < 1 || devices > 10000000)
            return rf_fail(err, RF_ERR_ARG,
                           "--trace expects FILE or FILE:DEVICES with 1 to 10000000 devices, "
                           "got '%.200s'",
                           text);
        *colon = '\0';
    }
    if (!rf_file_exists(path)) /* now, and not after minutes of measuring */
        return rf_fail(err, RF_ERR_INPUT, "cannot open '%.900s'", path);
    o->traces[o->ntraces].path = path;
    o->traces[o->ntraces++].devices = (int32_t)devices;
    return RF_OK;
}

enum rf_status rf_cli_bench_simulate(const struct rf_bench_simulate *what, struct rf_error *err)
{
    struct rf_sim_bench_options o = {
        .rounds = what->rounds, .quick = what->quick, .full = what->full, .dir = what->dir};
    struct rf_sim_bench *bench = malloc(sizeof *bench);
    char(*paths)[RF_PATH_BYTES] = malloc(RF_SIM_BENCH_TRACES * sizeof *paths);
    int64_t begin_us = rf_time_us();
    struct rf_bar bar;
    enum rf_status st = RF_OK;

    if (bench == NULL || paths == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory");
    if (st == RF_OK && what->traces->n > RF_SIM_BENCH_TRACES)
        st = rf_fail(err, RF_ERR_ARG, "at most %d traces", RF_SIM_BENCH_TRACES);
    for (int i = 0; st == RF_OK && i < what->traces->n; i++)
        st = read_trace(&o, paths[i], what->traces->items[i], err);
    if (st == RF_OK) {
        rf_bar_start(&bar, "measuring", 1);
        o.watch = &bar.watch;
        st = rf_sim_bench(bench, &o, err);
        rf_bar_end(&bar);
    }
    if (st == RF_OK && what->json)
        st = print_json(bench, (double)(rf_time_us() - begin_us) / 1e6, err);
    else if (st == RF_OK)
        print_table(bench);
    free(paths);
    free(bench);
    return st;
}
