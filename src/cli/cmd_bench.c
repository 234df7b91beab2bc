/* ringfence bench: measured figures beside the measured limit of the same machine in the same
 * run. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/ticker.h"
#include "cli/bench.h"
#include "cli/command.h"
#include "report/build.h"
#include "report/table.h"

enum { TABLE_WIDTH = 200 };

static const struct rf_bench *const benches[] = {
    &rf_bench_gemm,        &rf_bench_train,    &rf_bench_checkpoint, &rf_bench_ledger,
    &rf_bench_coordinator, &rf_bench_simulate, &rf_bench_collectives};
enum { NBENCHES = sizeof benches / sizeof benches[0] };

static enum rf_status find(const struct rf_bench **bench, const char *name,
                           struct rf_error *err)
{
    char known[200] = "";

    for (int i = 0; i < NBENCHES; i++) {
        if (strcmp(name, benches[i]->name) == 0) {
            *bench = benches[i];
            return RF_OK;
        }
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s",
                 i == 0             ? ""
                 : i < NBENCHES - 1 ? ", "
                                    : " or ",
                 benches[i]->name);
    }
    return rf_fail(err, RF_ERR_ARG, "cannot measure '%.80s': expected %s", name, known);
}

/* ---- printing: rank 0 ------------------------------------------------------------------- */

static enum rf_status print_json(const char *bench, const struct rf_figure *figures, int n,
                                 double wall_s, struct rf_error *err)
{
    struct rf_build build = {0};
    json_t *root = json_object(), *list = json_array();

    rf_build_text(&build, root, "command", "bench");
    rf_build_text(&build, root, "version", RF_VERSION);
    rf_build_integer(&build, root, "seed", 1);
    rf_build_number(&build, root, "wall_s", wall_s);
    rf_build_text(&build, root, "bench", bench);
    for (int i = 0; i < n; i++) {
        const struct rf_figure *f = &figures[i];
        json_t *item = json_object();

        rf_build_text(&build, item, "name", f->name);
        rf_build_number(&build, item, "value", f->value);
        rf_build_text(&build, item, "unit", f->unit);
        rf_build_set(&build, item, "limit", f->limit > 0 ? json_real(f->limit) : json_null());
        rf_build_set(&build, item, "ratio", f->limit > 0 ? json_real(f->ratio) : json_null());
        rf_build_text(&build, item, "said", f->said);
        rf_build_append(&build, list, item);
    }
    rf_build_set(&build, root, "results", list);
    return rf_build_print(&build, root, err);
}

/* Bytes in billions, shares in per cent, so that columns stay readable. */
static void scale_of(const struct rf_figure *f, double *scale, const char **unit)
{
    *scale = 1;
    *unit = f->unit;
    if (strcmp(f->unit, "bytes/s") == 0) {
        *scale = 1e-9;
        *unit = "GB/s";
    } else if (strcmp(f->unit, "share") == 0) {
        *scale = 100;
        *unit = "%";
    }
}

static enum rf_status print_table(const struct rf_figure *figures, int n, struct rf_error *err)
{
    static const char *const headings[] = {"name", "value", "unit", "limit", "ratio", ""};
    struct rf_table *table;
    enum rf_status st = rf_table_create(&table, "lrlrrl", headings, err);

    for (int i = 0; st == RF_OK && i < n; i++) {
        const struct rf_figure *f = &figures[i];
        const char *unit;
        double scale;
        int digits;

        scale_of(f, &scale, &unit);
        digits = f->value * scale < 100 ? 3 : 0;
        rf_table_add(table, "%s", f->name);
        rf_table_add(table, "%.*f", digits, f->value * scale);
        rf_table_add(table, "%s", unit);
        if (f->limit > 0) {
            rf_table_add(table, "%.*f", digits, f->limit * scale);
            rf_table_add(table, "%.3f", f->ratio);
        } else {
            rf_table_add(table, "-");
            rf_table_add(table, "-");
        }
        rf_table_add(table, "%s", f->said);
    }
    if (st == RF_OK)
        st = rf_table_print(table, stdout, TABLE_WIDTH, err);
    rf_table_destroy(table);
    return st;
}

/* ---- the command ------------------------------------------------------------------------ */

/* Collective on world. */
static enum rf_status measure(const struct rf_group *world, const char *name,
                              struct rf_bench_request *request, int json, struct rf_error *err)
{
    struct rf_bar bar;
    const struct rf_bench *what = NULL;
    struct rf_figure *figures = calloc(RF_BENCH_FIGURES, sizeof *figures);
    int64_t begin_us = rf_time_us();
    int n = 0;
    enum rf_status st = find(&what, name, err); /* the same everywhere */

    if (st == RF_OK && figures == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for the figures");
    st = rf_agree(world, st, err);
    rf_bar_start(&bar, name, world->rank == 0);
    request->watch = world->rank == 0 ? &bar.watch : NULL;
    if (st == RF_OK)
        st = what->run(world, request, figures, &n, err);
    rf_bar_end(&bar);
    if (st == RF_OK && world->rank == 0 && json)
        st = print_json(name, figures, n, (double)(rf_time_us() - begin_us) / 1e6, err);
    else if (st == RF_OK && world->rank == 0)
        st = print_table(figures, n, err);
    free(figures);
    return rf_agree(world, st, err);
}

static enum rf_status bench(const struct rf_group *world, int argc, char **argv,
                            struct rf_error *err)
{
    int json = 0, small = 0, full = 0, profile = 0;
    int64_t rounds = 5, steps = 5;
    const char *dir = ".", *model = "gpt";
    struct rf_text_list traces = {0};
    struct rf_arguments args;
    struct rf_topic topics[NBENCHES + 1] = {{0}};
    const struct rf_option table[] = {
        {.name = "json", .flag = &json, .help = "print one JSON document"},
        {.name = "quick",
         .flag = &small,
         .help = "a small model, or a tenth of the jobs: a few seconds in all"},
        {.name = "dir",
         .value = "DIR",
         .text = &dir,
         .help = "where files go that are written and removed, default here"},
        {.name = "rounds",
         .value = "N",
         .integer = &rounds,
         .min = 1,
         .max = 25,
         .help = "checkpoint, simulate, collectives: pairs of measurements, default 5"},
        {.name = "steps",
         .value = "N",
         .integer = &steps,
         .max = 25,
         .help =
             "checkpoint: training steps before each save beside training, default 5; 0: no "
             "training"},
        {.name = "trace",
         .value = "FILE[:DEVICES]",
         .list = &traces,
         .help = "simulate: a trace to measure with as well, repeated to a million jobs; any "
                 "number of times"},
        {.name = "model",
         .value = "NAME",
         .text = &model,
         .help =
             "train, gemm: gpt (10.8 million parameters, the default) or gpt2 (124 million, "
             "vocabulary 50,304; two minutes)"},
        {.name = "profile",
         .flag = &profile,
         .help = "train: where the time of a step goes as well"},
        {.name = "full",
         .flag = &full,
         .help = "simulate: ten million jobs on 100,000 devices as well"},
        {0}};
    const struct rf_command_line line = {
        .usage = "bench MEASUREMENT",
        .about = "Measures how fast this machine does one thing, beside the limit that is "
                 "measured in the same run. Figures are medians over rounds.",
        .heading = "Measurements",
        .topics = topics,
        .options = table,
        .min = 1,
        .max = 1};
    enum rf_status st;

    for (int i = 0; i < NBENCHES; i++)
        topics[i] = (struct rf_topic){benches[i]->name, benches[i]->about};
    st = rf_options_parse(&line, argc, argv, &args, err);
    if (st == RF_OK && !args.help) {
        struct rf_bench_request request = {.quick = small,
                                           .full = full,
                                           .profile = profile,
                                           .model = model,
                                           .rounds = (int)rounds,
                                           .steps = (int)steps,
                                           .dir = dir,
                                           .traces = &traces};

        st = measure(world, args.text[0], &request, json, err);
    }
    rf_text_list_clear(&traces);
    return st;
}

const struct rf_command rf_command_bench = {
    .name = "bench", .summary = "measure this machine beside its own limits", .run = bench};
