/* cmd_train.c - one training job on all ranks, without a coordinator: for performance work. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "base/ticker.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "job/record.h"
#include "mpi/job.h"
#include "mpi/mesh.h"
#include "mpi/signals.h"

struct train_options {
    const char *config, *job, *out;
    int resume, force, json;
    struct rf_text_list set;
};

static enum rf_status read_options(struct train_options *o, int *help, int argc, char **argv,
                                   struct rf_error *err)
{
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.letter = 's',
         .name = "set",
         .value = "KEY=VALUE",
         .list = &o->set,
         .help = "override a key of the configuration; any number of times"},
        {.letter = 'o',
         .name = "out",
         .value = "DIR",
         .text = &o->out,
         .help = "run directory, checkpoints below it"},
        {.letter = 'r',
         .name = "resume",
         .flag = &o->resume,
         .help = "continue from the newest checkpoint"},
        {.letter = 'f',
         .name = "force",
         .flag = &o->force,
         .help = "remove an earlier run of the same name first"},
        {.name = "json", .flag = &o->json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "train CONFIG [JOB]",
        .about =
            "Trains one job of a configuration, the first one unless it is named, with tensor "
            "parallelism over all ranks of this MPI run, without a coordinator and without a "
            "pledge. What it needs from other jobs must lie in the run directory already.",
        .options = table,
        .min = 1,
        .max = 2};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    *help = st == RF_OK && args.help;
    if (st == RF_OK && !args.help) {
        o->config = args.text[0];
        o->job = args.n > 1 ? args.text[1] : NULL;
    }
    if (st == RF_OK && o->resume && o->force)
        st = rf_fail(err, RF_ERR_ARG,
                     "--resume and --force exclude each other; see 'ringfence train --help'");
    return st;
}

static enum rf_status find_job(const struct rf_job_plan *plan, const char *name, int32_t *job,
                               struct rf_error *err)
{
    *job = 0;
    if (name == NULL)
        return RF_OK;
    for (int32_t i = 0; i < plan->njobs; i++)
        if (strcmp(plan->jobs[i].name, name) == 0) {
            *job = i;
            return RF_OK;
        }
    return rf_fail(err, RF_ERR_ARG, "there is no job '%s'; the first one is '%s'", name,
                   plan->jobs[0].name);
}

/* Local, rank 0. */
static enum rf_status print_result(const struct rf_launch *launch, int32_t job, int json,
                                   int ranks, int64_t predicted, double wall_s,
                                   struct rf_error *err)
{
    const struct rf_planned_job *plan = &launch->plan.jobs[job];
    struct rf_metrics metrics;
    json_t *document, *values = json_object();
    enum rf_status st = rf_record_metrics_read(&metrics, launch->run_dir, plan->name, err);

    rf_metrics_add(&metrics, "memory_predicted_bytes", (double)predicted);
    for (int i = 0; st == RF_OK && i < metrics.n; i++) {
        if (!json)
            printf("%-22s %.6g\n", metrics.items[i].name, metrics.items[i].value);
        json_object_set_new(values, metrics.items[i].name, json_real(metrics.items[i].value));
    }
    if (st == RF_OK && !json)
        printf("%-22s %.3f on %d ranks\n", "wall_s", wall_s, ranks);
    document = json_pack("{s:s, s:s, s:I, s:f, s:s, s:i, s:O}", "command", "train", "version",
                         RF_VERSION, "seed", (json_int_t)launch->spec.seed, "wall_s", wall_s,
                         "job", plan->name, "ranks", ranks, "metrics", values);
    if (st == RF_OK && json &&
        (document == NULL || json_dumpf(document, stdout, JSON_INDENT(2)) != 0))
        st = rf_fail(err, RF_ERR_IO, "cannot write the result");
    if (st == RF_OK && json)
        putchar('\n');
    json_decref(document);
    json_decref(values);
    return st;
}

/* Collective on world: bytes of the rank with the most, before anything is made. */
static enum rf_status predict_memory(const struct rf_group *world, struct rf_job_context *ctx,
                                     int32_t job, int64_t *most, struct rf_error *err)
{
    size_t bytes = 0;
    int apart = rf_mesh_apart(world, ctx->plan->jobs[job].train->tensor);
    enum rf_status st = rf_agree(
        world, rf_job_predict_bytes(ctx, job, world->rank, world->size, apart, &bytes, err),
        err);

    *most = (int64_t)bytes;
    MPI_Allreduce(MPI_IN_PLACE, most, 1, MPI_INT64_T, MPI_MAX, world->comm);
    if (st == RF_OK && world->rank == 0)
        rf_note("memory per rank: %.1f MiB predicted", (double)*most / (1 << 20));
    return st;
}

/* Collective on world. */
static enum rf_status train(const struct rf_group *world, struct rf_launch *launch, int32_t job,
                            int64_t *predicted, struct rf_error *err)
{
    struct rf_job_context ctx = {.plan = &launch->plan,
                                 .run_dir = launch->run_dir,
                                 .ckpt_dir = launch->ckpt_dir,
                                 .config_digest = launch->digest,
                                 .version = RF_VERSION};
    struct rf_lease *lease = NULL;
    struct rf_bar bar;
    enum rf_status st = rf_agree(world, rf_lease_solo(&lease, err), err);

    if (st == RF_OK)
        st = predict_memory(world, &ctx, job, predicted, err);
    if (st == RF_OK) {
        enum rf_outcome outcome;

        rf_signals_start();
        rf_bar_start(&bar, launch->plan.jobs[job].name, world->rank == 0);
        bar.unit = "tokens";
        ctx.watch = &bar.watch;
        outcome = rf_job_run(&ctx, world, job, lease, err);
        rf_bar_end(&bar);
        if (outcome == RF_OUTCOME_FAILED)
            st = err->status;
        else if (outcome == RF_OUTCOME_STOPPED)
            st = rf_fail(err, RF_AGAIN, "checkpointed after a signal; run again with --resume");
    }
    rf_lease_free(lease);
    rf_job_context_clear(&ctx);
    return st;
}

static enum rf_status run(const struct rf_group *world, int argc, char **argv,
                          struct rf_error *err)
{
    struct train_options o = {0};
    struct rf_launch launch = {0};
    int32_t job = 0;
    int64_t predicted = 0;
    int64_t start_us = rf_time_us();
    int help;
    enum rf_status st = read_options(&o, &help, argc, argv, err);

    if (st == RF_OK && !help)
        st = rf_launch_open(&launch, world, o.config, &o.set, o.out, err);
    if (st == RF_OK && !help)
        st = find_job(&launch.plan, o.job, &job, err);
    if (st == RF_OK && !help)
        st = rf_launch_directories(&launch, world,
                                   o.resume  ? RF_LAUNCH_RESUME
                                   : o.force ? RF_LAUNCH_FORCE
                                             : RF_LAUNCH_NEW,
                                   err);
    if (st == RF_OK && !help)
        st = train(world, &launch, job, &predicted, err);
    if (st == RF_OK && !help)
        st = rf_agree(world,
                      world->rank == 0
                          ? print_result(&launch, job, o.json, world->size, predicted,
                                         (double)(rf_time_us() - start_us) * 1e-6, err)
                          : RF_OK,
                      err);
    rf_launch_clear(&launch);
    rf_text_list_clear(&o.set);
    return st;
}

const struct rf_command rf_command_train = {
    .name = "train",
    .summary = "train one job on all ranks, without a coordinator",
    .run = run};
