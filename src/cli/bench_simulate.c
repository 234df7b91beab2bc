/* `ringfence bench simulate`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/ticker.h"
#include "cli/bench.h"
#include "sim/bench.h"

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

/* Local: one core, on rank 0. */
static enum rf_status simulate_here(const struct rf_bench_request *request,
                                    struct rf_figure *figures, int *n, struct rf_error *err)
{
    struct rf_sim_bench_options o = {.rounds = request->rounds,
                                     .quick = request->quick,
                                     .full = request->full,
                                     .dir = request->dir,
                                     .watch = request->watch};
    char(*paths)[RF_PATH_BYTES] = malloc(RF_SIM_BENCH_TRACES * sizeof *paths);
    enum rf_status st = RF_OK;

    if (paths == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory");
    if (st == RF_OK && request->traces->n > RF_SIM_BENCH_TRACES)
        st = rf_fail(err, RF_ERR_ARG, "at most %d traces", RF_SIM_BENCH_TRACES);
    for (int i = 0; st == RF_OK && i < request->traces->n; i++)
        st = read_trace(&o, paths[i], request->traces->items[i], err);
    if (st == RF_OK)
        st = rf_sim_bench(figures, n, &o, err);
    free(paths);
    return st;
}

static enum rf_status simulate(const struct rf_group *world,
                               const struct rf_bench_request *request,
                               struct rf_figure *figures, int *n, struct rf_error *err)
{
    enum rf_status st = world->rank == 0 ? simulate_here(request, figures, n, err) : RF_OK;

    return rf_agree(world, st, err);
}

const struct rf_bench rf_bench_simulate = {
    .name = "simulate",
    .about =
        "millions of jobs through the simulator on one core; the limit is the same schedule "
        "carried out as bare events, without a scheduler or accounts",
    .run = simulate};
