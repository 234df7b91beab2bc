/* cmd_run.c - the main job: jobs of several accounts on the ranks of this MPI run, under a pledge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_id.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/desk.h"
#include "cli/launch.h"
#include "cli/promised.h"
#include "job/leaks.h"
#include "mpi/coordinator.h"
#include "mpi/job.h"
#include "mpi/measure.h"
#include "mpi/series.h"
#include "report/collect.h"
#include "report/html.h"
#include "report/trace.h"

struct run_options {
    const char *config, *out, *key, *new_key;
    int resume, force, json;
    struct rf_text_list set;
};

static enum rf_status read_options(struct run_options *o, int *help, int argc, char **argv,
                                   struct rf_error *err)
{
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.letter = 's',
         .name = "set",
         .value = "KEY=VALUE",
         .list = &o->set,
         .help = "override a key of the configuration, e.g. policy.fence=none; any number of "
                 "times"},
        {.letter = 'o',
         .name = "out",
         .value = "DIR",
         .text = &o->out,
         .help = "run directory, checkpoints below it; default: run.out/run.name of the "
                 "configuration"},
        {.letter = 'r',
         .name = "resume",
         .flag = &o->resume,
         .help = "continue a run that was killed, or that ended with exit code 85"},
        {.letter = 'f',
         .name = "force",
         .flag = &o->force,
         .help = "remove an earlier run of the same name first"},
        {.letter = 'k',
         .name = "key",
         .value = "FILE",
         .text = &o->key,
         .help = "the secret key that seals, in place of run.key; also with --resume, after "
                 "'ringfence ledger rotate'"},
        {.name = "new-key",
         .value = "FILE",
         .text = &o->new_key,
         .help = "change the key at the start: the ledger records this one, the old one signs "
                 "for it, and this one seals from then on"},
        {.name = "json",
         .flag = &o->json,
         .help = "print results.json on stdout in place of the summary"},
        {0}};
    const struct rf_command_line line = {
        .usage = "run CONFIG",
        .about =
            "Runs the jobs and experiments of a configuration on the ranks of this MPI run: "
            "the "
            "last rank coordinates, each of the others is a device. The pledges of the "
            "configuration are enforced by its policy; every decision goes to a signed ledger.",
        .more = "Start it with at least two ranks:\n"
                "  mpirun -n 3 ringfence run configs/quickstart.cfg\n\n"
                "SIGUSR1 or SIGTERM, to any rank, checkpoints every job, seals the ledger and "
                "ends\n"
                "with exit code 85; --resume continues. Exit codes: 0 every pledge kept, 1 a "
                "pledge\n"
                "broken or unprovable, 2 wrong arguments, configuration or input, 3 files, "
                "memory or\n"
                "a job failed, 85 checkpointed, run me again.\n",
        .options = table,
        .min = 1,
        .max = 1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    *help = st == RF_OK && args.help;
    if (st == RF_OK && !args.help)
        o->config = args.text[0];
    if (st == RF_OK && o->resume && o->force)
        st = rf_fail(err, RF_ERR_ARG,
                     "--resume and --force exclude each other; see 'ringfence run --help'");
    return st;
}

/* Local: can the jobs run on so many devices, and is their data readable? Better
 * known now than when the first job has been waiting for its devices. */
static enum rf_status check_jobs(const struct rf_launch *launch, int nworkers,
                                 struct rf_error *err)
{
    for (int32_t i = 0; i < launch->plan.njobs; i++)
        if (launch->plan.jobs[i].min > nworkers)
            return rf_fail(
                err, RF_ERR_CONFIG,
                "job '%s' needs at least %d ranks, this run has %d worker%s; start it with "
                "'mpirun -n %d'",
                launch->plan.jobs[i].name, launch->plan.jobs[i].min, nworkers,
                nworkers == 1 ? "" : "s", launch->plan.jobs[i].min + 1);
    return rf_leaks_check(&launch->spec, err);
}

/* Collective: what a device can do, as configured, or as measured now. */
static enum rf_status find_peak(const struct rf_group *world, const struct rf_run_spec *spec,
                                struct rf_run_options *options, struct rf_error *err)
{
    double peak = spec->peak_flops;
    int bf16 = 0;
    enum rf_status st = RF_OK;

    for (int i = 0; i < spec->njobs; i++)
        bf16 |= spec->jobs[i].train.bf16;
    for (int i = 0; i < spec->nexperiments; i++)
        bf16 |= spec->experiments[i].weak_train.bf16 | spec->experiments[i].strong_train.bf16;
    snprintf(options->peak_how, sizeof options->peak_how, "%s",
             peak > 0 ? "configured" : "products-on-one-device");
    if (peak <= 0)
        st = rf_measure_peak(&peak, world, bf16, err);
    options->peak_flops = (int64_t)peak;
    return st;
}

/* Collective: pledges and requests as the coordinator takes them, then the run itself. */
static enum rf_status coordinate(const struct rf_group *world, struct rf_launch *launch,
                                 const struct run_options *o, struct rf_run_outcome *outcome,
                                 struct rf_error *err)
{
    const struct rf_run_spec *spec = &launch->spec;
    struct rf_submitted_job ctx = {
        .job = {.plan = &launch->plan,
                .run_dir = launch->run_dir,
                .ckpt_dir = launch->ckpt_dir,
                .cache_dir = spec->cache[0] != '\0' ? spec->cache : NULL,
                .config_digest = launch->digest,
                .version = RF_VERSION},
        .launch = launch};
    struct rf_desk desk = {.launch = launch, .nworkers = world->size - 1};
    struct rf_control_options control;
    struct rf_event *promises = NULL;
    struct rf_request *requests = calloc((size_t)launch->plan.njobs + 1, sizeof *requests);
    struct rf_key *key = NULL, *next_key = NULL;
    enum rf_status st;
    struct rf_run_options options = {.version = RF_BUILD,
                                     .seed = spec->seed,
                                     .grace_us = spec->grace_us,
                                     .lease_us = spec->lease_us,
                                     .seal_us = spec->seal_us,
                                     .heartbeat_us = spec->heartbeat_us,
                                     .linger_us = spec->linger_us,
                                     .lease_silence = spec->lease_silence,
                                     .requests = requests,
                                     .nrequests = launch->plan.njobs,
                                     .ledger_path = launch->ledger_path,
                                     .resume = o->resume,
                                     .progress = 1};

    st = rf_promised_policy(spec, &options.policy, err);
    if (st == RF_OK)
        st = rf_promised_events(spec, &promises, &options.npledges, err);
    if (st == RF_OK && requests == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: %d requests", launch->plan.njobs);
    if (st == RF_OK && world->rank == world->size - 1)
        st = rf_launch_key(&key, o->key != NULL ? o->key : spec->key, err);
    if (st == RF_OK && world->rank == world->size - 1 && o->new_key != NULL)
        st = rf_key_load(&next_key, o->new_key, err);
    if (st == RF_OK)
        st = rf_desk_open(&desk, &control, err);
    st = rf_agree(world, st, err);
    if (st == RF_OK)
        st = find_peak(world, spec, &options, err);
    if (st == RF_OK) {
        for (int32_t i = 0; i < launch->plan.njobs; i++)
            requests[i] = rf_promised_request(&launch->plan.jobs[i]);
        snprintf(options.run, sizeof options.run, "%s", spec->name);
        snprintf(options.config_digest, sizeof options.config_digest, "%s", launch->digest);
        snprintf(options.policy_name, sizeof options.policy_name, "%s+%s", spec->order,
                 spec->fence);
        options.pledges = promises;
        options.key = key;
        options.next_key = next_key;
        options.anchor_file = spec->anchor[0] != '\0' ? spec->anchor : NULL;
        options.anchor_slurm = spec->anchor_slurm;
        options.control = &control;
        st = rf_coordinate(world, &options, rf_submitted_job_run, &ctx, outcome, err);
    }
    rf_desk_close(&desk);
    rf_job_context_clear(&ctx.job);
    rf_key_free(key);
    rf_key_free(next_key);
    free(promises);
    free(requests);
    return st;
}

/* Local, rank 0: the files of the run beside its ledger, and the summary. */
static enum rf_status publish(const struct rf_launch *launch, const struct rf_collection *c,
                              const struct run_options *o, struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st = rf_results_write(&c->results, launch->run_dir, err);

    if (st == RF_OK)
        st = rf_file_join(path, launch->run_dir, "trace.json", err);
    if (st == RF_OK)
        st = rf_trace_write(launch->ledger_path, path, err);
    if (st == RF_OK)
        st = rf_file_join(path, launch->run_dir, "metrics.h5", err);
    if (st == RF_OK)
        st = rf_series_write(path, &c->results, launch->ledger_path, err);
    if (st == RF_OK)
        st = rf_report_write(launch->run_dir, err);
    if (st == RF_OK && o->json)
        st = rf_results_json(&c->results, &text, err);
    if (st == RF_OK && o->json)
        fputs(text, stdout);
    else if (st == RF_OK)
        st = rf_results_print(&c->results, launch->run_dir, stdout, err);
    free(text);
    return st;
}

/* Did a job's account run out of a budget? Then it did not fit, and its cell says so. */
static int did_not_fit(const struct rf_run_spec *spec, const struct rf_state *state,
                       int32_t job)
{
    const char *account = rf_state_job_account(state, job);
    const char *reason = rf_state_job_reason(state, job);

    if (strcmp(reason, "account-device-time") != 0 && strcmp(reason, "account-flops") != 0)
        return 0;
    for (int i = 0; i < spec->nlimits; i++) {
        size_t n = strlen(spec->limits[i].account);

        if (spec->limits[i].budget && strncmp(account, spec->limits[i].account, n) == 0 &&
            (account[n] == '\0' || account[n] == '.'))
            return 1;
    }
    return 0;
}

/* The run's answer: did all jobs end well, and was every pledge kept? job_failure says of what
 * kind a failure was, where that is known: in a resumed run it may lie before the crash. */
static enum rf_status verdict(const struct rf_collection *c, const struct rf_run_spec *spec,
                              enum rf_status job_failure, struct rf_error *err)
{
    const struct rf_state *state = c->results.state;
    char name[RF_NAME_BYTES];

    for (int32_t i = 0; i < state->njobs; i++)
        if (state->jobs[i].state == RF_JOB_FAILED && !did_not_fit(spec, state, i))
            return rf_fail(err, job_failure != RF_OK ? job_failure : RF_ERR_PEER,
                           "job '%s' failed: %s", rf_state_job_name(state, i, name),
                           rf_state_job_reason(state, i));
    for (int i = 0; i < c->results.tally->npledges; i++)
        if (c->results.tally->pledges[i].verdict != RF_KEPT)
            return RF_NO;
    return RF_OK;
}

/* Local, rank 0: what is known at the end, also of a run that a signal cut short. */
static enum rf_status conclude(struct rf_launch *launch, const struct run_options *o,
                               const struct rf_run_outcome *outcome, double wall_s,
                               struct rf_error *err)
{
    int interrupted = outcome->status == RF_AGAIN;
    struct rf_collection c = {0};
    struct rf_run_spec whole = {0};
    enum rf_status st = rf_submissions_read(&launch->submitted, &launch->plan, &launch->spec,
                                            launch->run_dir, -1, err);

    if (st == RF_OK)
        st = rf_submissions_whole(&launch->submitted, &launch->spec, &whole, err);
    if (st == RF_OK)
        st = rf_collect(&c, &whole, &launch->plan, launch->run_dir, err);
    if (st == RF_OK) {
        c.results.version = RF_VERSION;
        c.results.config = launch->digest;
        c.results.wall_s = wall_s;
        c.results.interrupted = interrupted;
        st = publish(launch, &c, o, err);
    }
    if (st == RF_OK && !interrupted)
        st = verdict(&c, &launch->spec, outcome->job_failure, err);
    rf_collection_clear(&c);
    free(whole.experiments);
    return st;
}

static enum rf_status run(const struct rf_group *world, int argc, char **argv,
                          struct rf_error *err)
{
    struct run_options o = {0};
    struct rf_launch launch = {0};
    struct rf_run_outcome outcome = {0};
    int64_t start_us = rf_time_us();
    int help, interrupted;
    enum rf_status st = read_options(&o, &help, argc, argv, err);

    if (st == RF_OK && help) {
        rf_text_list_clear(&o.set);
        return RF_OK;
    }
    if (st == RF_OK && world->size < 2)
        st = rf_fail(err, RF_ERR_ARG,
                     "run needs at least two ranks, a worker and the coordinator; start "
                     "it with 'mpirun -n 3 ringfence run %s'",
                     o.config);
    if (st == RF_OK)
        st = rf_launch_open(&launch, world, o.config, &o.set, o.out, err);
    if (st == RF_OK)
        st = rf_agree(
            world, world->rank == 0 ? check_jobs(&launch, world->size - 1, err) : RF_OK, err);
    if (st == RF_OK)
        st = rf_launch_directories(&launch, world,
                                   o.resume  ? RF_LAUNCH_RESUME
                                   : o.force ? RF_LAUNCH_FORCE
                                             : RF_LAUNCH_NEW,
                                   err);
    if (st == RF_OK && o.resume)
        st = rf_agree(world,
                      rf_submissions_read(&launch.submitted, &launch.plan, &launch.spec,
                                          launch.run_dir, -1, err),
                      err);
    if (st == RF_OK) {
        st = coordinate(world, &launch, &o, &outcome, err);
        interrupted = st == RF_AGAIN;
        if (st == RF_OK || interrupted)
            st = rf_agree(world,
                          world->rank == 0
                              ? conclude(&launch, &o, &outcome,
                                         (double)(rf_time_us() - start_us) * 1e-6, err)
                              : RF_OK,
                          err);
        if (st == RF_OK && interrupted)
            st = rf_fail(err, RF_AGAIN, "checkpointed after a signal; run again with --resume");
    }
    rf_run_outcome_clear(&outcome);
    rf_launch_clear(&launch);
    rf_text_list_clear(&o.set);
    return st;
}

const struct rf_command rf_command_run = {
    .name = "run",
    .summary = "run jobs and experiments under a pledge, on live MPI ranks",
    .run = run};
