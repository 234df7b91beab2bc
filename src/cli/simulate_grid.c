/* An ensemble: the cells of one or several scenarios over the ranks.
 *
 * Rank 0 keeps the books. As each cell comes in it is written to DIR/cells, named by the digest of
 * the cell's own configuration; --resume takes what is there. Rows go through that text on their
 * way to results.json whether they were resumed or not, so that both give the same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ticker.h"
#include "cli/launch.h"
#include "cli/simulate.h"
#include "config/config.h"
#include "mpi/sweep.h"
#include "report/duration.h"
#include "report/html.h"
#include "report/json.h"
#include "report/sim_ensemble.h"
#include "report/sim_outcome.h"
#include "sim/grid.h"

/* What comes back from a cell. */
struct answer {
    struct rf_sim_outcome row;
    double wall_s;
    int rank;
};

struct ensemble {
    const struct rf_simulate_args *args;
    const struct rf_scenario *scenarios;
    const struct rf_grid *grid;
    int rank, size;
    /* the jobs of the last cell, for the next one that has the same */
    struct rf_workload jobs;
    int32_t devices;
    int jobs_scenario; /* -1: none */
    int64_t jobs_seed;
    /* rank 0 */
    char dir[RF_PATH_BYTES], cells[RF_PATH_BYTES]; /* "": none */
    struct answer *answers;                        /* owned, by cell; rank -1: from before */
    int *missing;                                  /* owned */
    int nmissing, ndone;
    int64_t begin_us;
    struct rf_bar bar;
    char bar_text[64];
};

/* ---- one cell, on any rank */

static enum rf_status take_jobs(struct ensemble *e, int scenario, const struct rf_scenario *s,
                                struct rf_error *err)
{
    enum rf_status st;

    if (e->jobs_scenario == scenario && e->jobs_seed == s->seed)
        return RF_OK;
    rf_workload_clear(&e->jobs);
    e->jobs_scenario = -1;
    st = rf_cell_workload(&e->jobs, &e->devices, s, NULL, err);
    if (st != RF_OK)
        return st;
    e->jobs_scenario = scenario;
    e->jobs_seed = s->seed;
    return RF_OK;
}

static void serve(void *ctx, double done)
{
    (void)done;
    rf_sweep_serve(ctx);
}

static enum rf_status run(struct ensemble *e, int index, struct rf_sim_outcome *row,
                          struct rf_sweep_hub *hub, struct rf_error *err)
{
    struct rf_cell_options options = {.version = RF_VERSION, .progress = serve};
    struct rf_scenario s;
    struct rf_cell cell = {0};
    enum rf_status st = rf_grid_scenario(&s, e->grid, index, e->scenarios, err);

    if (st == RF_OK)
        st = take_jobs(e, e->grid->cells[index].scenario, &s, err);
    options.workload = &e->jobs;
    options.devices = e->devices;
    options.progress_ctx = hub;
    if (st == RF_OK)
        st = rf_cell_run(&cell, &s, &options, err);
    if (st == RF_OK)
        rf_sim_outcome_make(row, &cell.options, &cell.result, &cell.summary);
    rf_cell_clear(&cell);
    rf_grid_scenario_clear(&s);
    return st;
}

static void work(void *ctx, int piece, void *result, struct rf_sweep_hub *hub)
{
    struct ensemble *e = ctx;
    struct answer *answer = result;
    const struct rf_grid_cell *cell = &e->grid->cells[piece];
    int64_t begin_us = rf_time_us();
    struct rf_error err;

    memset(answer, 0, sizeof *answer);
    if (run(e, piece, &answer->row, hub, &err) != RF_OK) {
        memset(&answer->row, 0, sizeof answer->row);
        snprintf(answer->row.failed, sizeof answer->row.failed, "%.150s", err.text);
        memcpy(answer->row.order, cell->order, sizeof answer->row.order);
        memcpy(answer->row.fence, cell->fence, sizeof answer->row.fence);
        answer->row.share = cell->share;
        answer->row.seed = cell->seed;
    }
    snprintf(answer->row.scenario, sizeof answer->row.scenario, "%s",
             e->scenarios[cell->scenario].name);
    answer->wall_s = (double)(rf_time_us() - begin_us) / 1e6;
    answer->rank = e->rank;
}

/* ---- cells as files, on rank 0 */

static enum rf_status cell_path(char path[RF_PATH_BYTES], const struct ensemble *e, int index,
                                struct rf_error *err)
{
    char hex[RF_DIGEST_HEX], name[RF_DIGEST_HEX + 8];
    struct rf_scenario s;
    enum rf_status st = rf_grid_scenario(&s, e->grid, index, e->scenarios, err);

    if (st == RF_OK)
        st = rf_config_digest_scenario(&s, hex, err);
    if (st == RF_OK) {
        snprintf(name, sizeof name, "%s.json", hex);
        st = rf_file_join(path, e->cells, name, err);
    }
    rf_grid_scenario_clear(&s);
    return st;
}

/* The row as text. */
static enum rf_status row_text(const struct rf_sim_outcome *row, char **text,
                               struct rf_error *err)
{
    struct rf_build build = {0};
    json_t *root = json_object();
    enum rf_status st;

    rf_build_text(&build, root, "version", RF_VERSION);
    rf_build_set(&build, root, "row", rf_sim_outcome_json(&build, row));
    st = rf_build_dump(&build, root, text, err);
    json_decref(root);
    return st;
}

/* Reads a row back; RF_ERR_INPUT also when another version wrote it. */
static enum rf_status row_parse(struct rf_sim_outcome *row, const char *text,
                                struct rf_error *err)
{
    json_t *root = json_loads(text, 0, NULL);
    enum rf_status st;

    if (strcmp(rf_json_text(root, "version"), RF_VERSION) != 0)
        st = rf_fail(err, RF_ERR_INPUT, "no cell of this version");
    else
        st = rf_sim_outcome_read(row, json_object_get(root, "row"), err);
    json_decref(root);
    return st;
}

static void show(struct ensemble *e)
{
    if (!e->bar.on)
        return;
    snprintf(e->bar_text, sizeof e->bar_text, "%d of %d cells", e->ndone, e->nmissing);
    rf_watch_show(&e->bar.watch, e->ndone, e->nmissing);
}

static enum rf_status take(void *ctx, int piece, const void *result, struct rf_error *err)
{
    struct ensemble *e = ctx;
    struct answer *answer = &e->answers[piece];
    char path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st;

    memcpy(answer, result, sizeof *answer);
    e->ndone++;
    show(e);
    st = row_text(&answer->row, &text, err);
    if (st == RF_OK)
        st = row_parse(&answer->row, text, err);
    if (st == RF_OK && e->cells[0] != '\0' && answer->row.failed[0] == '\0') {
        st = cell_path(path, e, piece, err);
        if (st == RF_OK)
            st = rf_file_write(path, text, strlen(text), err);
    }
    free(text);
    return st;
}

/* Is the cell there from before? What cannot be read is done again. */
static int resume(struct ensemble *e, int index)
{
    char path[RF_PATH_BYTES], *text = NULL;
    size_t size;
    struct rf_error err;
    int there = cell_path(path, e, index, &err) == RF_OK && rf_file_exists(path) &&
                rf_file_read(path, 1 << 20, &text, &size, &err) == RF_OK &&
                row_parse(&e->answers[index].row, text, &err) == RF_OK;

    free(text);
    return there;
}

/* ---- before and after, on rank 0 */

static enum rf_status write_configs(const struct ensemble *e, int n, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int i = 0; i < n && st == RF_OK; i++) {
        char name[32] = "config.cfg", path[RF_PATH_BYTES], *text = NULL;
        size_t size;

        if (i > 0)
            snprintf(name, sizeof name, "config-%d.cfg", i + 1);
        st = rf_config_write_scenario(&e->scenarios[i], &text, &size, err);
        if (st == RF_OK)
            st = rf_file_join(path, e->dir, name, err);
        if (st == RF_OK)
            st = rf_file_write(path, text, size, err);
        free(text);
    }
    return st;
}

/* Only a directory that a run has made is gone on with. */
static enum rf_status check_mark(const char *dir, struct rf_error *err)
{
    char mark[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(mark, dir, "ringfence-run", err);

    if (st == RF_OK && !rf_file_exists(mark))
        st = rf_fail(err, RF_ERR_ARG, "'%.900s' is no run directory: nothing to resume there",
                     dir);
    return st;
}

/* The run directory: the first scenario's, or what --out says. */
static enum rf_status open_directory(struct ensemble *e, int n, struct rf_error *err)
{
    const char *out = e->args->out;
    enum rf_status st = RF_OK;

    if (e->args->resume) {
        if (out == NULL)
            st = rf_file_join(e->dir, e->scenarios[0].out, e->scenarios[0].name, err);
        else if (snprintf(e->dir, sizeof e->dir, "%s", out) >= (int)sizeof e->dir)
            st = rf_fail(err, RF_ERR_ARG, "the path of --out is too long");
    }
    if (st == RF_OK && e->args->resume && rf_file_exists(e->dir))
        st = check_mark(e->dir, err);
    else if (st == RF_OK)
        st = rf_simulate_directory(e->dir, e->args, &e->scenarios[0], err);
    if (st == RF_OK)
        st = write_configs(e, n, err);
    if (st == RF_OK)
        st = rf_file_join(e->cells, e->dir, "cells", err);
    return st == RF_OK ? rf_file_mkdir(e->cells, err) : st;
}

static enum rf_status prepare(struct ensemble *e, int n, struct rf_error *err)
{
    enum rf_status st;

    e->answers = calloc((size_t)e->grid->n, sizeof *e->answers);
    e->missing = malloc((size_t)e->grid->n * sizeof *e->missing);
    if (e->answers == NULL || e->missing == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d cells", e->grid->n);
    st = open_directory(e, n, err);
    for (int i = 0; i < e->grid->n && st == RF_OK; i++) {
        int cell = e->grid->turns[i];

        e->answers[cell].rank = -1;
        if (!e->args->resume || !resume(e, cell))
            e->missing[e->nmissing++] = cell;
    }
    return st;
}

/* How long what took, and where; apart from the results, which must not depend on it. */
static enum rf_status write_timing(const struct ensemble *e, struct rf_error *err)
{
    struct rf_build build = {0};
    json_t *root = json_object(), *cells = json_array();
    char path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st;

    rf_build_number(&build, root, "wall_s", (double)(rf_time_us() - e->begin_us) / 1e6);
    rf_build_integer(&build, root, "ranks", e->size);
    for (int i = 0; i < e->grid->n; i++) {
        json_t *cell = json_object();

        if (e->answers[i].rank < 0) { /* resumed */
            json_decref(cell);
            cell = json_null();
        } else {
            rf_build_number(&build, cell, "wall_s", e->answers[i].wall_s);
            rf_build_integer(&build, cell, "rank", e->answers[i].rank);
        }
        rf_build_append(&build, cells, cell);
    }
    rf_build_set(&build, root, "cells", cells);
    st = rf_build_dump(&build, root, &text, err);
    if (st == RF_OK)
        st = rf_file_join(path, e->dir, "timing.json", err);
    if (st == RF_OK)
        st = rf_file_write(path, text, strlen(text), err);
    json_decref(root);
    free(text);
    return st;
}

static enum rf_status write_results(const struct ensemble *e,
                                    const struct rf_sim_ensemble *results, struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st = rf_sim_ensemble_json(results, &text, err);

    if (st == RF_OK)
        st = rf_file_join(path, e->dir, "results.json", err);
    if (st == RF_OK)
        st = rf_file_write(path, text, strlen(text), err);
    if (st == RF_OK)
        st = write_timing(e, err);
    if (st == RF_OK)
        st = rf_report_write(e->dir, err);
    if (st == RF_OK && e->args->json && fputs(text, stdout) == EOF)
        st = rf_fail(err, RF_ERR_IO, "cannot print the results");
    if (st == RF_OK && !e->args->json) {
        st = rf_sim_ensemble_print(results, stdout, err);
        printf("\nresults and report in %s\n", e->dir);
    }
    free(text);
    return st;
}

/* Failed cells are an error at the end; with --check so are pledges that were not kept. */
static enum rf_status verdict(const struct ensemble *e, const struct rf_sim_outcome *rows,
                              struct rf_error *err)
{
    int failed = 0, first = 0;

    for (int i = e->grid->n - 1; i >= 0; i--)
        if (rows[i].failed[0] != '\0') {
            failed++;
            first = i;
        }
    if (failed > 0)
        return rf_fail(err, RF_ERR_PEER,
                       "%d of %d cells failed; the first: %s+%s, seed %lld: %s", failed,
                       e->grid->n, rows[first].order, rows[first].fence,
                       (long long)rows[first].seed, rows[first].failed);
    for (int i = 0; i < e->grid->n && e->args->check; i++)
        if (rows[i].verdict[0] != '\0' && strcmp(rows[i].verdict, "kept") != 0)
            return rf_fail(err, RF_NO, "the first pledge is %s under %s+%s, seed %lld",
                           rows[i].verdict, rows[i].order, rows[i].fence,
                           (long long)rows[i].seed);
    return RF_OK;
}

static enum rf_status leave(struct ensemble *e, struct rf_error *err)
{
    struct rf_sim_outcome *rows = malloc((size_t)e->grid->n * sizeof *rows);
    struct rf_sim_comparisons comparisons = {0};
    enum rf_status st;

    if (rows == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d cells", e->grid->n);
    for (int i = 0; i < e->grid->n; i++)
        rows[i] = e->answers[i].row;
    st = rf_sim_compare(&comparisons, rows, e->grid->n, e->scenarios[0].grid.bootstrap, err);
    if (st == RF_OK) {
        const struct rf_sim_ensemble results = {.name = e->scenarios[0].name,
                                                .about = e->scenarios[0].about,
                                                .version = RF_VERSION,
                                                .seed = e->scenarios[0].seed,
                                                .rows = rows,
                                                .n = e->grid->n,
                                                .comparisons = &comparisons};

        st = write_results(e, &results, err);
    }
    if (st == RF_OK)
        st = verdict(e, rows, err);
    rf_sim_comparisons_clear(&comparisons);
    free(rows);
    return st;
}

/* ---- the whole */

static enum rf_status check_args(const struct rf_simulate_args *args, struct rf_error *err)
{
    const char *option = args->schedule != NULL ? "--schedule"
                         : args->csv != NULL    ? "--csv"
                         : args->ledger         ? "--ledger"
                         : args->key != NULL    ? "--key"
                                                : NULL;

    if (args->resume && args->force)
        return rf_fail(err, RF_ERR_ARG,
                       "--resume goes on with what is there and --force removes it; not both");
    if (option == NULL)
        return RF_OK;
    return rf_fail(
        err, RF_ERR_ARG,
        "%s is for one simulation, and this is an ensemble; --set 'grid={}' makes it "
        "one",
        option);
}

enum rf_status rf_simulate_grid(const struct rf_group *world,
                                const struct rf_simulate_args *args,
                                const struct rf_scenario *scenarios, int n,
                                const struct rf_grid *grid, struct rf_error *err)
{
    struct ensemble e = {.args = args,
                         .scenarios = scenarios,
                         .grid = grid,
                         .rank = world->rank,
                         .size = world->size,
                         .jobs_scenario = -1,
                         .begin_us = rf_time_us()};
    struct rf_sweep sweep = {
        .result_bytes = sizeof(struct answer), .ctx = &e, .work = work, .take = take};
    enum rf_status st = check_args(args, err);

    if (st == RF_OK && world->rank == 0)
        st = prepare(&e, n, err);
    st = rf_agree(world, st, err);
    if (st == RF_OK) {
        rf_bar_start(&e.bar, e.bar_text, world->rank == 0);
        e.bar.unit = "cells";
        if (world->rank == 0)
            show(&e);
        sweep.turns = e.missing;
        sweep.n = e.nmissing;
        st = rf_sweep_run(world, &sweep, err);
        rf_bar_end(&e.bar);
    }
    if (st == RF_OK) {
        if (world->rank == 0)
            st = leave(&e, err);
        st = rf_agree(world, st, err);
    }
    rf_workload_clear(&e.jobs);
    free(e.answers);
    free(e.missing);
    return st;
}
