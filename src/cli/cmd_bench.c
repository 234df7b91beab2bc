/* ringfence bench: measured figures beside the measured limit of the same machine in the same
 * run. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_checkpoint.h"
#include "cli/bench_simulate.h"
#include "cli/command.h"
#include "cli/options.h"
#include "mpi/measure.h"

/* GPT with 10.8 million parameters, and a small one for a quick look. */
static const struct rf_measure usual = {.shape = {.vocabulary = 256,
                                                  .context = 256,
                                                  .layers = 6,
                                                  .heads = 6,
                                                  .width = 384,
                                                  .hidden = 1536},
                                        .batch = 8,
                                        .seconds = 10};
static const struct rf_measure quick = {.shape = {.vocabulary = 256,
                                                  .context = 64,
                                                  .layers = 2,
                                                  .heads = 4,
                                                  .width = 128,
                                                  .hidden = 512},
                                        .batch = 8,
                                        .seconds = 0.5};

enum { RESULTS = 4 };

struct result {
    char name[32];
    const char *unit;
    double value, limit;
    char implementation[96];
};

/* Products in one format, then training in it: two results, or one when training is not wanted.
 */
static enum rf_status measure(struct result *results, int *n, const struct rf_group *world,
                              const struct rf_measure *what, int bf16, int training,
                              struct rf_error *err)
{
    const char *format = bf16 ? "bf16" : "fp32";
    struct rf_measured products, steps;
    struct result *r = &results[*n];
    enum rf_status st = rf_measure_products(&products, world, what, bf16, err);

    if (st != RF_OK)
        return st;
    *r = (struct result){.unit = "GFLOP/s",
                         .value = products.flops_per_s / 1e9,
                         .limit = products.flops_per_s / 1e9};
    snprintf(r->name, sizeof r->name, "gemm.%s", format);
    memcpy(r->implementation, products.implementation, sizeof r->implementation);
    (*n)++;
    if (!training)
        return RF_OK;
    st = rf_measure_training(&steps, world, what, bf16, err);
    if (st != RF_OK)
        return st;
    r++;
    *r = (struct result){.unit = "tokens/s",
                         .value = steps.tokens_per_s,
                         .limit = products.flops_per_s / steps.flops_per_token};
    snprintf(r->name, sizeof r->name, "train.%s.tp%d", format, world->size);
    memcpy(r->implementation, steps.implementation, sizeof r->implementation);
    (*n)++;
    return RF_OK;
}

static enum rf_status print_json(const char *bench, const struct result *results, int n,
                                 double wall_s, struct rf_error *err)
{
    json_t *list = json_array(), *root;
    int failed = list == NULL;

    for (int i = 0; i < n; i++) {
        const struct result *r = &results[i];

        failed |= json_array_append_new(
            list, json_pack("{s:s, s:f, s:s, s:f, s:f, s:s}", "name", r->name, "value",
                            r->value, "unit", r->unit, "limit", r->limit, "ratio",
                            r->value / r->limit, "implementation", r->implementation));
    }
    root = json_pack("{s:s, s:s, s:i, s:f, s:s, s:o}", "command", "bench", "version",
                     RF_VERSION, "seed", 1, "wall_s", wall_s, "bench", bench, "results", list);
    failed |= root == NULL || json_dumpf(root, stdout, JSON_INDENT(2)) != 0;
    putchar('\n');
    json_decref(root);
    return failed ? rf_fail(err, RF_ERR_MEMORY, "cannot print the results") : RF_OK;
}

static void print_table(const struct result *results, int n)
{
    printf("%-16s %12s %-9s %12s %7s  %s\n", "name", "value", "unit", "limit", "ratio",
           "matrix products");
    for (int i = 0; i < n; i++)
        printf("%-16s %12.1f %-9s %12.1f %7.3f  %s\n", results[i].name, results[i].value,
               results[i].unit, results[i].limit, results[i].value / results[i].limit,
               results[i].implementation);
}

/* The products and steps of `bench gemm` and `bench train`. */
static enum rf_status bench_training(const struct rf_group *world, const char *what, int small,
                                     int json, struct rf_error *err)
{
    int n = 0, training = strcmp(what, "train") == 0;
    struct result results[RESULTS];
    double since = MPI_Wtime();
    enum rf_status st = RF_OK;

    for (int bf16 = 0; bf16 < 2 && st == RF_OK; bf16++)
        st = measure(results, &n, world, small ? &quick : &usual, bf16, training, err);
    if (st == RF_OK && world->rank == 0 && json)
        st = print_json(what, results, n, MPI_Wtime() - since, err);
    else if (st == RF_OK && world->rank == 0)
        print_table(results, n);
    return rf_agree(world, st, err);
}

static enum rf_status bench_simulate(const struct rf_group *world,
                                     const struct rf_bench_simulate *what, struct rf_error *err)
{
    enum rf_status st = world->rank == 0 ? rf_cli_bench_simulate(what, err) : RF_OK;

    return rf_agree(world, st, err);
}

static enum rf_status bench(const struct rf_group *world, int argc, char **argv,
                            struct rf_error *err)
{
    int json = 0, small = 0, full = 0;
    int64_t rounds = 5, steps = 5;
    const char *dir = ".";
    struct rf_text_list traces = {0};
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "json", .flag = &json, .help = "print one JSON document"},
        {.name = "quick",
         .flag = &small,
         .help = "a small model, or a tenth of the jobs: a few seconds in all"},
        {.name = "dir",
         .value = "DIR",
         .text = &dir,
         .help = "checkpoint, simulate: where the files go that are written and removed, "
                 "default here"},
        {.name = "rounds",
         .value = "N",
         .integer = &rounds,
         .min = 1,
         .max = 25,
         .help = "checkpoint, simulate: pairs of measurements, default 5"},
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
        {.name = "full",
         .flag = &full,
         .help = "simulate: ten million jobs on 100,000 devices as well"},
        {0}};
    const struct rf_command_line line = {
        .usage = "bench gemm|train\nbench checkpoint\nbench simulate",
        .about =
            "Measures matrix products (gemm), or these and whole training steps (train), in "
            "fp32 and bf16, tensor parallel over all ranks of the run. The limit of training "
            "is what the products' rate would allow; the ratio is the model FLOPs "
            "utilisation. 'checkpoint' saves, loads and verifies the state of a GPT-2 of 124 "
            "million parameters (1.7 GB, and as much again beside it), paired with plain "
            "writes "
            "and reads of as many bytes, and saves beside training. 'simulate' runs millions "
            "of "
            "jobs through the simulator on one core; the limit is the same schedule carried "
            "out as bare events, without a scheduler or accounts.",
        .options = table,
        .min = 1,
        .max = 1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    if (st == RF_OK && !args.help) {
        const char *what = args.text[0];
        const struct rf_bench_simulate simulate = {.dir = dir,
                                                   .rounds = (int)rounds,
                                                   .quick = small,
                                                   .full = full,
                                                   .json = json,
                                                   .traces = &traces};

        if (strcmp(what, "simulate") == 0)
            st = bench_simulate(world, &simulate, err);
        else if (strcmp(what, "checkpoint") == 0)
            st = rf_cli_bench_checkpoint(world, dir, (int)rounds, (int)steps, small, json, err);
        else if (strcmp(what, "train") == 0 || strcmp(what, "gemm") == 0)
            st = bench_training(world, what, small, json, err);
        else
            st = rf_fail(err, RF_ERR_ARG,
                         "cannot measure '%s': expected gemm, train, checkpoint or simulate",
                         what);
    }
    rf_text_list_clear(&traces);
    return st;
}

const struct rf_command rf_command_bench = {
    .name = "bench", .summary = "measure this machine beside its own limits", .run = bench};
