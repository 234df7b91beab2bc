/* ringfence scale: how speed depends on the number of ranks.
 *
 * Each point is measured into a file of its own, and what is fitted are the files of a directory: so
 * one run over many rank counts and an array of jobs with one rank count each come to the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/figure.h"
#include "base/log.h"
#include "base/ticker.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/scale_ranks.h"
#include "mpi/job.h"
#include "mpi/scaling.h"
#include "report/scale.h"

enum { SEED = 1 };

struct scale_options {
    const char *config, *job, *ranks, *mode, *out, *fit;
    int64_t repeats;
    double seconds;
    int force, json;
    struct rf_text_list set;
};

static enum rf_status check_options(const struct scale_options *o, struct rf_error *err)
{
    if ((o->config == NULL) == (o->fit == NULL))
        return rf_fail(
            err, RF_ERR_ARG,
            "expected a configuration to measure, or --fit DIR; see 'ringfence scale "
            "--help'");
    if (strcmp(o->mode, "both") != 0 && rf_scale_mode_of(o->mode) < 0)
        return rf_fail(err, RF_ERR_ARG, "--mode: expected strong, weak or both, got '%.40s'",
                       o->mode);
    return RF_OK;
}

static enum rf_status read_options(struct scale_options *o, int *help, int argc, char **argv,
                                   struct rf_error *err)
{
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.letter = 'n',
         .name = "ranks",
         .value = "LIST",
         .text = &o->ranks,
         .help =
             "what is measured: numbers of ranks, or TENSORxDATA for so many ranks of a copy "
             "and so many copies, as in 1,2,4,2x2; default 1,2,4 ... and all ranks. One "
             "alone leaves its points in DIR and fits nothing"},
        {.name = "mode",
         .value = "MODE",
         .text = &o->mode,
         .help =
             "strong (the job's batch for all ranks), weak (the job's batch for each rank), "
             "or both, the default"},
        {.name = "job",
         .value = "NAME",
         .text = &o->job,
         .help = "which pretraining job of the configuration, default the first"},
        {.name = "repeats",
         .value = "N",
         .integer = &o->repeats,
         .min = 1,
         .max = RF_SCALE_REPEATS,
         .help = "measurements of each point, whose median counts, default 5"},
        {.name = "seconds",
         .value = "S",
         .number = &o->seconds,
         .min = 0.001,
         .max = 600,
         .help = "how long each of them takes, default 0.5; at least one step"},
        {.letter = 's',
         .name = "set",
         .value = "KEY=VALUE",
         .list = &o->set,
         .help = "override a key of the configuration; any number of times"},
        {.letter = 'o',
         .name = "out",
         .value = "DIR",
         .text = &o->out,
         .help = "where files go, default the configuration's run directory with -scale"},
        {.name = "fit",
         .value = "DIR",
         .text = &o->fit,
         .help = "measure nothing: fit the points that lie in DIR"},
        {.letter = 'f',
         .name = "force",
         .flag = &o->force,
         .help = "remove the points of an earlier study first"},
        {.name = "json", .flag = &o->json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "scale CONFIG\nscale --fit DIR",
        .about =
            "Measures training of one job over numbers of ranks, strong and weak scaling, each "
            "point several times, while the other ranks sleep, and what collectives cost. Fits "
            "a "
            "latency-bandwidth model to those, and Amdahl's, Gustafson's and the universal "
            "scalability law and the plan's own arithmetic to the points; predicts each "
            "point from the others, and projects beyond. DIR gets point-*.json, results.json, "
            "scaling.csv, extrap.jsonl (for Extra-P) and report.html.",
        .options = table,
        .min = 0,
        .max = 1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    *help = st == RF_OK && args.help;
    if (st != RF_OK || args.help)
        return st;
    o->config = args.n > 0 ? args.text[0] : NULL;
    return check_options(o, err);
}

/* ---- what is measured -------------------------------------------------------------------- */

static enum rf_status find_job(const struct rf_job_plan *plan, const char *name,
                               const struct rf_planned_job **job, struct rf_error *err)
{
    for (int32_t i = 0; i < plan->njobs; i++) {
        *job = &plan->jobs[i];
        if (name == NULL ? (*job)->role == RF_ROLE_PRETRAIN : strcmp((*job)->name, name) == 0)
            break;
        *job = NULL;
    }
    if (*job == NULL)
        return rf_fail(err, RF_ERR_ARG,
                       name != NULL ? "there is no job '%s'" : "there is no pretraining job%s",
                       name != NULL ? name : "");
    return (*job)->role == RF_ROLE_PRETRAIN
               ? RF_OK
               : rf_fail(err, RF_ERR_ARG, "job '%s' is no pretraining job", (*job)->name);
}

/* Local: the vocabulary and the context come from the job's data. */
static enum rf_status describe(struct rf_scale_subject *subject,
                               const struct rf_planned_job *job, struct rf_error *err)
{
    struct rf_task *task = NULL;
    enum rf_status st = rf_task_open(&task, job->task, job->task_seed, err);

    if (st == RF_OK && strcmp(job->model->input, "bag") == 0)
        st = rf_fail(
            err, RF_ERR_CONFIG,
            "job '%s': model '%s' reads bags of tokens, and scaling is measured with sequences",
            job->name, job->model->name);
    if (st != RF_OK) {
        rf_task_close(task);
        return st;
    }
    *subject = (struct rf_scale_subject){.shape = rf_job_model_shape(job, rf_task_info(task)),
                                         .bf16 = job->train->bf16,
                                         .tensor = job->train->tensor,
                                         .batch = job->train->batch,
                                         .micro_batch = job->train->micro_batch,
                                         .recompute = job->train->recompute,
                                         .exchange_bf16 = job->train->exchange_bf16};
    snprintf(subject->job, sizeof subject->job, "%s", job->name);
    snprintf(subject->version, sizeof subject->version, "%s", RF_VERSION);
    rf_task_close(task);
    return RF_OK;
}

/* ---- the directory: rank 0 ------------------------------------------------------------------ */

/* Several layouts are a study of their own; one alone may join others. */
static enum rf_status prepare(const char *dir, int alone, int force, struct rf_error *err)
{
    struct rf_scale_point *old = calloc(RF_SCALE_POINTS, sizeof *old);
    struct rf_scale_subject subject;
    struct rf_error none;
    int n = 0;
    enum rf_status st = old != NULL ? rf_file_mkdir(dir, err)
                                    : rf_fail(err, RF_ERR_MEMORY, "out of memory for points");

    if (st == RF_OK && !alone && rf_scale_points_read(&subject, old, &n, dir, &none) == RF_OK &&
        !force)
        st = rf_fail(
            err, RF_ERR_ARG,
            "'%s' holds the points of an earlier study; --force removes them, --out names "
            "another directory",
            dir);
    if (st == RF_OK && force)
        st = rf_scale_points_remove(dir, err);
    free(old);
    return st;
}

/* Fits what lies in dir; prints it. Points that stand alone are shown, and nothing is written. */
static enum rf_status fit(const char *dir, int write, int json, int64_t begun_us,
                          struct rf_error *err)
{
    struct rf_scale_point *points = calloc(RF_SCALE_POINTS, sizeof *points);
    struct rf_scale_study *study = calloc(1, sizeof *study);
    char *text = NULL;
    int n = 0;
    enum rf_status st = points != NULL && study != NULL
                            ? rf_scale_points_read(&study->subject, points, &n, dir, err)
                            : rf_fail(err, RF_ERR_MEMORY, "out of memory for a study");
    double wall_s;

    if (st == RF_OK)
        st = rf_scale_study_make(study, points, n, SEED, err);
    wall_s = (double)(rf_time_us() - begun_us) * 1e-6;
    if (st == RF_OK && write)
        st = rf_scale_results_write(dir, study, SEED, wall_s, err);
    if (st == RF_OK && json) {
        st = rf_scale_results_text(study, SEED, wall_s, &text, err);
        if (st == RF_OK && fputs(text, stdout) == EOF)
            st = rf_fail(err, RF_ERR_IO, "cannot print the results");
    } else if (st == RF_OK) {
        st = rf_scale_print(study, stdout, err);
    }
    if (st == RF_OK && write)
        fprintf(json ? stderr : stdout, "\n%s/report.html\n", dir);
    free(text);
    free(study);
    free(points);
    return st;
}

/* ---- the command ------------------------------------------------------------------------------ */

/* Collective on world: one layout in the modes that are wanted. */
static enum rf_status measure(const struct rf_group *world, const struct rf_scaling *what,
                              const struct scale_options *o, struct rf_scale_layout layout,
                              const char *dir, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int mode = 0; mode < RF_SCALE_MODES && st == RF_OK; mode++) {
        struct rf_scale_point point;

        if (strcmp(o->mode, "both") != 0 && rf_scale_mode_of(o->mode) != mode)
            continue;
        st = rf_scaling_measure(&point, world, what, (enum rf_scale_mode)mode, layout.tensor,
                                layout.data, err);
        if (st == RF_OK)
            rf_note("%s scaling, %d x %d ranks: %.4g ms per step",
                    rf_scale_mode_name(point.mode), layout.tensor, layout.data,
                    1e3 * rf_median(point.step_s, point.repeats));
        if (st == RF_OK && world->rank == 0)
            st = rf_scale_point_write(dir, what->subject, &point, err);
        st = rf_agree(world, st, err);
    }
    return st;
}

/* Collective on world. */
static enum rf_status scale(const struct rf_group *world, const struct scale_options *o,
                            struct rf_launch *launch, int64_t begun_us, struct rf_error *err)
{
    const struct rf_planned_job *job = NULL;
    struct rf_scale_layout layouts[RF_SCALE_LAYOUTS];
    struct rf_scale_subject subject;
    struct rf_train_options train;
    struct rf_scaling what = {&subject, &train, (int)o->repeats, o->seconds};
    char dir[RF_PATH_BYTES + 8];
    struct rf_bar bar;
    int n = 0;
    enum rf_status st = find_job(&launch->plan, o->job, &job, err);

    snprintf(dir, sizeof dir, "%s%s", launch->run_dir, o->out != NULL ? "" : "-scale");
    if (st == RF_OK)
        st =
            rf_scale_layouts_parse(layouts, &n, o->ranks, job->train->tensor, world->size, err);
    if (st == RF_OK)
        st = describe(&subject, job, err);
    if (st == RF_OK && world->rank == 0)
        st = prepare(dir, n == 1, o->force, err);
    st = rf_agree(world, st, err);
    if (st != RF_OK)
        return st;
    train = rf_job_train_options(job);
    rf_bar_start(&bar, "scale", world->rank == 0);
    for (int i = 0; i < n && st == RF_OK; i++) {
        st = measure(world, &what, o, layouts[i], dir, err);
        rf_watch_show(&bar.watch, i + 1, n);
    }
    rf_bar_end(&bar);
    if (st == RF_OK && world->rank == 0)
        st = fit(dir, n > 1, o->json, begun_us, err);
    return rf_agree(world, st, err);
}

static enum rf_status run(const struct rf_group *world, int argc, char **argv,
                          struct rf_error *err)
{
    struct scale_options o = {.mode = "both", .repeats = 5, .seconds = 0.5};
    struct rf_launch launch = {0};
    int64_t begun_us = rf_time_us();
    int help;
    enum rf_status st = read_options(&o, &help, argc, argv, err);

    if (st == RF_OK && !help && o.fit != NULL) {
        st = world->rank == 0 ? fit(o.fit, 1, o.json, begun_us, err) : RF_OK;
        st = rf_agree(world, st, err);
    } else if (st == RF_OK && !help) {
        st = rf_launch_open(&launch, world, o.config, &o.set, o.out, err);
        if (st == RF_OK)
            st = scale(world, &o, &launch, begun_us, err);
    }
    rf_launch_clear(&launch);
    rf_text_list_clear(&o.set);
    return st;
}

const struct rf_command rf_command_scale = {
    .name = "scale", .summary = "measure and fit how speed depends on the ranks", .run = run};
