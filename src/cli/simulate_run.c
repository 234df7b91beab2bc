/* One scenario: run it, and leave what was asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/ticker.h"
#include "cli/launch.h"
#include "cli/simulate.h"
#include "config/config.h"
#include "mpi/sim_metrics.h"
#include "report/html.h"
#include "report/sim_results.h"
#include "report/sim_trace.h"
#include "sim/schedule.h"

/* What one run needs on its way. */
struct work {
    const struct rf_simulate_args *args;
    const struct rf_scenario *scenario;
    const struct rf_simulate_recorded *recorded;    /* NULL: none */
    struct rf_steps steps;                          /* ... and then: owned */
    char dir[RF_PATH_BYTES], ledger[RF_PATH_BYTES]; /* "": none */
    char digest[RF_DIGEST_HEX];
    struct rf_key *key;
    struct rf_cell cell;
    int64_t begin_us;
};

enum rf_status rf_simulate_directory(char dir[RF_PATH_BYTES],
                                     const struct rf_simulate_args *args,
                                     const struct rf_scenario *scenario, struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum rf_status st = RF_OK;

    dir[0] = '\0';
    if (args->out == NULL && args->config == NULL)
        return RF_OK;
    if (args->out == NULL)
        st = rf_file_join(dir, scenario->out, scenario->name, err);
    else if (snprintf(dir, RF_PATH_BYTES, "%s", args->out) >= RF_PATH_BYTES)
        st = rf_fail(err, RF_ERR_ARG, "the path of --out is too long");
    if (st == RF_OK)
        st = rf_config_write_scenario(scenario, &text, &size, err);
    if (st == RF_OK)
        st = rf_launch_run_directory(dir, scenario->name, args->force, text, size, err);
    free(text);
    return st;
}

void rf_simulate_tell_intake(const struct rf_scenario *scenario,
                             const struct rf_trace_report *report)
{
    const char *slash = strrchr(scenario->workload.path, '/');
    const char *name = slash != NULL ? slash + 1 : scenario->workload.path;

    if (report->kept == report->lines)
        return;
    fprintf(stderr, "%s: %lld jobs; left out:\n", name, (long long)report->kept);
    for (int r = 0; r < RF_DROP_NREASONS; r++) {
        if (report->dropped[r] == 0)
            continue;
        fprintf(stderr, "  %8lld  %-14s line", (long long)report->dropped[r],
                rf_trace_drop_name((enum rf_trace_drop)r));
        for (int i = 0; i < RF_TRACE_EXAMPLES && report->examples[r][i] > 0; i++)
            fprintf(stderr, " %lld", (long long)report->examples[r][i]);
        fprintf(stderr, "%s\n", report->dropped[r] > RF_TRACE_EXAMPLES ? " ..." : "");
    }
    if (report->dropped[RF_DROP_MALFORMED] > 0)
        fprintf(stderr, "  malformed: %s\n", report->malformed);
}

static void show(void *ctx, double done)
{
    rf_watch_show(ctx, (int64_t)(done * 1e6), 1000000);
}

static enum rf_status run(struct work *w, struct rf_error *err)
{
    struct rf_cell_options options = {.detail = w->dir[0] != '\0',
                                      .judge = w->args->schedule == NULL,
                                      .spans_most = w->dir[0] != '\0' ? RF_SIM_TRACE_JOBS : 0,
                                      .ledger_path = w->ledger[0] != '\0' ? w->ledger : NULL,
                                      .key = w->key,
                                      .version = RF_VERSION,
                                      .config_digest = w->digest,
                                      .progress = show};
    struct rf_observer watcher = rf_steps_observer(&w->steps);
    struct rf_bar bar;
    enum rf_status st;

    if (w->recorded != NULL) {
        options.replay = w->recorded->replay;
        options.promised = w->recorded->promised;
        options.watcher = &watcher;
    }
    rf_bar_start(&bar, "simulating", 1);
    options.progress_ctx = &bar.watch;
    st = rf_cell_run(&w->cell, w->scenario, &options, err);
    rf_bar_end(&bar);
    if (!rf_log_is_quiet() && w->recorded == NULL)
        rf_simulate_tell_intake(w->scenario, &w->cell.intake);
    return st;
}

/* The simulation beside what was recorded. */
static enum rf_status compare(struct work *w, struct rf_error *err)
{
    struct rf_sim_replay *report = w->recorded->report;
    enum rf_status st = RF_OK;

    if (w->recorded->same)
        st = rf_fidelity_compare(&report->fidelity, w->recorded->replay, &w->cell.result,
                                 &w->steps, err);
    report->columns[report->ncolumns++] = rf_replay_column_of(
        w->recorded->same ? "replayed" : "otherwise", &w->cell.options, &w->cell.result);
    return st;
}

static struct rf_sim_results results_of(const struct work *w)
{
    const struct rf_cell *cell = &w->cell;

    return (struct rf_sim_results){
        .name = w->scenario->name,
        .about = w->scenario->about[0] != '\0' ? w->scenario->about : NULL,
        .version = RF_VERSION,
        .wall_s = (double)(rf_time_us() - w->begin_us) / 1e6,
        .workload = cell->workload,
        .options = &cell->options,
        .result = &cell->result,
        .summary = &cell->summary,
        .series = cell->table,
        .definitions = cell->definitions,
        .definition_options = cell->definitions != NULL ? &cell->definition_options : NULL,
        .books = cell->books,
        .replay = w->recorded != NULL ? w->recorded->report : NULL};
}

static enum rf_status write_schedule(const struct work *w, struct rf_error *err)
{
    const struct rf_schedule schedule = {.n = w->cell.workload->n,
                                         .submit_us = w->cell.workload->submit_us,
                                         .start_us = w->cell.result.start_us,
                                         .end_us = w->cell.result.end_us,
                                         .procs = w->cell.workload->min};

    return rf_schedule_write(&schedule, w->args->schedule, err);
}

static enum rf_status write_directory(const struct work *w,
                                      const struct rf_sim_results *results,
                                      struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = rf_sim_results_write(results, w->dir, err);

    if (st == RF_OK)
        st = rf_file_join(path, w->dir, "metrics.h5", err);
    if (st == RF_OK)
        st = rf_sim_metrics_write(path, results->series, err);
    if (st == RF_OK && w->cell.workload->n <= RF_SIM_TRACE_JOBS) {
        st = rf_file_join(path, w->dir, "trace.json", err);
        if (st == RF_OK)
            st = rf_sim_trace_write(results, &w->cell.spans, path, err);
    }
    return st == RF_OK ? rf_report_write(w->dir, err) : st;
}

static enum rf_status print(const struct work *w, const struct rf_sim_results *results,
                            struct rf_error *err)
{
    int used = (w->args->schedule != NULL && strcmp(w->args->schedule, "-") == 0) ||
               (w->args->csv != NULL && strcmp(w->args->csv, "-") == 0);
    char *text = NULL;
    enum rf_status st;

    if (!w->args->json)
        return used && rf_log_is_quiet()
                   ? RF_OK
                   : rf_sim_results_print(results, w->dir[0] != '\0' ? w->dir : NULL,
                                          used ? stderr : stdout, err);
    st = rf_sim_results_json(results, &text, err);
    if (st == RF_OK && fputs(text, stdout) == EOF)
        st = rf_fail(err, RF_ERR_IO, "cannot print the results");
    free(text);
    return st;
}

/* Were all pledges kept, the original ones and as changed? */
static enum rf_status check_kept(const struct rf_tally *tally, struct rf_error *err)
{
    for (int i = 0; tally != NULL && i < tally->npledges; i++)
        if (tally->pledges[i].verdict != RF_KEPT)
            return rf_fail(err, RF_NO, "the pledge of '%s' is %s",
                           tally->pledges[i].pledge.account_name,
                           rf_verdict_name(tally->pledges[i].verdict));
    return RF_OK;
}

/* The ledger's path and the key that seals it. */
static enum rf_status prepare_ledger(struct work *w, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (!w->args->ledger)
        return RF_OK;
    st = rf_file_join(w->ledger, w->dir, "ledger.jsonl", err);
    if (st == RF_OK)
        st = rf_launch_key(&w->key, w->args->key != NULL ? w->args->key : "", err);
    return st;
}

static enum rf_status ignore(void *ctx, const struct rf_event *event, struct rf_error *err)
{
    (void)ctx;
    (void)event;
    (void)err;
    return RF_OK;
}

/* Reads the ledger once more, as anybody else would. */
static enum rf_status look_at_ledger(const struct work *w, struct rf_ledger_check *check,
                                     struct rf_ledger_result *result, struct rf_error *err)
{
    enum rf_status st = rf_ledger_verify(w->ledger, NULL, ignore, NULL, check, err);

    if (st == RF_OK && (!check->chain_ok || !check->seals_ok))
        return rf_fail(err, RF_ERR_INTERNAL, "the ledger does not verify: %s", check->problem);
    *result = (struct rf_ledger_result){.path = w->ledger,
                                        .entries = check->entries,
                                        .head = check->head,
                                        .sealed = check->sealed_entries == check->entries};
    return st;
}

static enum rf_status leave(struct work *w, struct rf_error *err)
{
    struct rf_sim_results results = results_of(w);
    struct rf_ledger_check ledger;
    enum rf_status st = RF_OK;

    if (w->ledger[0] != '\0')
        st = look_at_ledger(w, &ledger, &results.ledger, err);
    if (st == RF_OK && w->args->schedule != NULL)
        st = write_schedule(w, err);
    if (st == RF_OK && w->args->csv != NULL)
        st = rf_sim_jobs_csv(&results, w->args->csv, err);
    if (st == RF_OK && w->dir[0] != '\0')
        st = write_directory(w, &results, err);
    if (st == RF_OK)
        st = print(w, &results, err);
    if (st == RF_OK && w->args->check)
        st = check_kept(w->cell.result.tally, err);
    return st;
}

/* The directory of a replay, which only --out asks for. */
static enum rf_status make_directory(struct work *w, struct rf_error *err)
{
    const char *config = w->recorded->config;

    if (w->args->out == NULL)
        return RF_OK;
    if (snprintf(w->dir, sizeof w->dir, "%s", w->args->out) >= RF_PATH_BYTES)
        return rf_fail(err, RF_ERR_ARG, "the path of --out is too long");
    return rf_launch_run_directory(w->dir, w->scenario->name, w->args->force, config,
                                   strlen(config), err);
}

enum rf_status rf_simulate_one(const struct rf_simulate_args *args,
                               const struct rf_scenario *scenario,
                               const struct rf_simulate_recorded *recorded,
                               struct rf_error *err)
{
    struct work w = {
        .args = args, .scenario = scenario, .recorded = recorded, .begin_us = rf_time_us()};
    enum rf_status st = rf_config_digest_scenario(scenario, w.digest, err);

    if (st == RF_OK)
        st = recorded != NULL ? make_directory(&w, err)
                              : rf_simulate_directory(w.dir, args, scenario, err);
    if (st == RF_OK)
        st = prepare_ledger(&w, err);
    if (st == RF_OK)
        st = run(&w, err);
    if (st == RF_OK && recorded != NULL)
        st = compare(&w, err);
    if (st == RF_OK)
        st = leave(&w, err);
    rf_cell_clear(&w.cell);
    rf_steps_clear(&w.steps);
    rf_key_free(w.key);
    return st;
}
