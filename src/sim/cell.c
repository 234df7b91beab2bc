#include "sim/cell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/follow.h"
#include "sim/generate.h"
#include "sim/intake.h"
#include "sim/replay.h"

/* When the world ends: the scenario says so wherever it would otherwise go on for ever. */
static int64_t end_of(const struct rf_scenario *s)
{
    return s->until_us > 0 ? s->until_us : INT64_MAX;
}

/* ---- the jobs */

/* What came in the first backlog_us waits when the simulation begins. */
static void shift(struct rf_workload *w, int64_t backlog_us)
{
    for (int64_t i = 0; i < w->n; i++)
        w->submit_us[i] = w->submit_us[i] > backlog_us ? w->submit_us[i] - backlog_us : 0;
}

/* Generated jobs: of a time that is as long as the backlog and the simulation; where they follow
 * the fleet that is fleet time, and the clock comes last. */
static enum rf_status make_up(struct rf_workload *w, const struct rf_scenario *s,
                              struct rf_error *err)
{
    struct rf_workload_spec spec = s->workload;
    struct rf_world world = {0};
    enum rf_status st = RF_OK;

    if (spec.follow_fleet)
        st = rf_scenario_world(s, end_of(s), &world, err);
    if (st == RF_OK && spec.horizon_us > 0)
        st = rf_follow_fleet_time(&world, s->fleet.devices, s->workload.horizon_us,
                                  &spec.horizon_us, err);
    if (spec.horizon_us > 0)
        spec.horizon_us += spec.backlog_us;
    if (st == RF_OK)
        st = rf_intake(w, &spec, s->fleet.devices, s->seed, NULL, err);
    if (st == RF_OK) {
        shift(w, spec.backlog_us);
        rf_follow(w, &world, s->fleet.devices);
    }
    rf_world_clear(&world);
    return st;
}

/* Is any job larger than the machine? */
static int has_too_large(const struct rf_workload *w, int32_t devices)
{
    for (int64_t i = 0; i < w->n; i++)
        if (w->min[i] > devices)
            return 1;
    return 0;
}

enum rf_status rf_cell_workload(struct rf_workload *workload, int32_t *devices,
                                const struct rf_scenario *scenario,
                                struct rf_trace_report *report, struct rf_error *err)
{
    struct rf_trace_report mine;
    int64_t said;
    enum rf_status st;

    *devices = scenario->fleet.devices;
    if (report == NULL)
        report = &mine;
    *report = (struct rf_trace_report){0};
    if (rf_generate_kind_of(scenario->workload.source) >= 0)
        return make_up(workload, scenario, err);
    st = rf_intake(workload, &scenario->workload, *devices, scenario->seed, report, err);
    if (st != RF_OK || *devices > 0)
        return st;
    said = report->max_procs > 0 ? report->max_procs : report->max_nodes;
    if (said < 1 || said > INT32_MAX) {
        rf_workload_clear(workload);
        return rf_fail(err, RF_ERR_CONFIG,
                       "how many devices there are is not said: neither by fleet.devices "
                       "(--devices) nor by a header of '%.400s'",
                       scenario->workload.path);
    }
    *devices = (int32_t)said;
    if (has_too_large(workload, *devices)) { /* only now it is known which jobs are */
        rf_workload_clear(workload);
        st = rf_intake(workload, &scenario->workload, *devices, scenario->seed, report, err);
    }
    return st;
}

static enum rf_status take_workload(struct rf_cell *cell, const struct rf_scenario *s,
                                    const struct rf_cell_options *o, int32_t *devices,
                                    struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (o->replay != NULL) {
        cell->workload = &o->replay->workload;
        *devices = o->replay->devices;
    } else if (o->workload != NULL) {
        cell->workload = o->workload;
        *devices = o->devices;
    } else {
        st = rf_cell_workload(&cell->made, devices, s, &cell->intake, err);
        cell->workload = &cell->made;
    }
    return st;
}

/* ---- the run */

static enum rf_tie tie_of(const char *name)
{
    return strcmp(name, "seq") == 0  ? RF_TIE_SEQ
           : strcmp(name, "tf") == 0 ? RF_TIE_TF
                                     : RF_TIE_BATCH;
}

static void set_policy(struct rf_policy_options *policy, const struct rf_scenario *s)
{
    memcpy(policy->order, s->order, sizeof policy->order);
    memcpy(policy->fence, s->fence, sizeof policy->fence);
    policy->reserve_depth = s->reserve_depth;
    policy->replan = s->replan;
    policy->resize = s->resize;
    policy->half_life_us = s->half_life_us;
    policy->seed = s->seed;
    policy->checkpoint_us = s->checkpoint_us;
    policy->checkpoint_every_us = s->checkpoint_every_us;
    policy->restart_us = s->restart_us;
}

static void set_options(struct rf_cell *cell, const struct rf_scenario *s,
                        const struct rf_cell_options *o, int32_t devices)
{
    struct rf_sim_options *options = &cell->options;

    *options = rf_sim_options_make();
    set_policy(&options->policy, s);
    /* reasons cost events, which only matter where somebody will read them */
    options->policy.explain = o->detail || o->ledger_path != NULL;
    options->tie = tie_of(s->tie);
    options->devices = devices;
    options->grace_us = s->grace_us;
    options->until_us = end_of(s);
    options->seed = s->seed;
    memcpy(options->name, s->name, sizeof options->name);
    if (o->version != NULL)
        snprintf(options->version, sizeof options->version, "%s", o->version);
    if (o->config_digest != NULL)
        snprintf(options->config, sizeof options->config, "%s", o->config_digest);
    options->ledger_path = o->ledger_path;
    options->key = o->key;
    options->world = &cell->world;
    options->progress = o->progress;
    options->progress_ctx = o->progress_ctx;
}

/* Do devices come or go? Then the capacity of the run is known only by adding it up. */
static int fleet_changes(const struct rf_world *world)
{
    for (int64_t i = 0; i < world->nchanges; i++)
        if (world->changes[i].kind >= RF_CHANGE_FAILED &&
            world->changes[i].kind <= RF_CHANGE_REPAIRED)
            return 1;
    return 0;
}

static enum rf_status make_world(struct rf_cell *cell, const struct rf_scenario *s,
                                 const struct rf_cell_options *o, struct rf_error *err)
{
    struct rf_world promises = {0};
    enum rf_status st = RF_OK;

    if (o->replay == NULL)
        return rf_scenario_world(s, end_of(s), &cell->world, err);
    if (!o->promised)
        st = rf_scenario_world(s, end_of(s), &promises, err);
    if (st == RF_OK)
        st = rf_replay_world(o->replay, o->promised ? NULL : &promises, &cell->world, err);
    rf_world_clear(&promises);
    return st;
}

static enum rf_status judge(struct rf_cell *cell, const struct rf_scenario *s,
                            struct rf_error *err)
{
    struct rf_definition_options *d = &cell->definition_options;

    *d = rf_definition_options_make();
    d->step_us = s->step_us;
    memcpy(d->sliding_us, s->slide_us, sizeof d->sliding_us);
    d->service_wait_us = s->service_wait_us;
    d->service_denied = s->service_denied;
    if (s->service_denied_us > 0)
        d->service_denied_us = s->service_denied_us;
    return rf_definitions_create(&cell->definitions, d, err);
}

/* Somebody watches only what somebody reads. */
static enum rf_status watch(struct rf_cell *cell, const struct rf_scenario *s,
                            const struct rf_cell_options *o, struct rf_error *err)
{
    struct rf_series_options series = rf_series_options_make();
    struct rf_sim_options *options = &cell->options;
    int pledged = cell->world.npledges > 0;
    enum rf_status st = RF_OK;

    options->tally =
        pledged || cell->world.npolicies > 0 || strcmp(options->policy.fence, "none") != 0;
    options->observers = cell->observers;
    series.horizon_us = s->until_us;
    if (pledged && (o->detail || o->judge))
        st = judge(cell, s, err);
    if (st == RF_OK && o->detail)
        st = rf_books_create(&cell->books, err);
    if (st == RF_OK && (o->detail || fleet_changes(&cell->world)))
        st = rf_series_create(&cell->series, cell->workload, &series, err);
    if (st == RF_OK && o->detail)
        st = rf_series_attach(cell->series, cell->books, err);
    if (st != RF_OK)
        return st;
    if (cell->series != NULL)
        cell->observers[options->nobservers++] = rf_series_observer(cell->series);
    if (o->detail && cell->workload->n <= o->spans_most)
        cell->observers[options->nobservers++] = rf_spans_observer(&cell->spans);
    if (o->watcher != NULL)
        cell->observers[options->nobservers++] = *o->watcher;
    options->definitions = cell->definitions;
    options->books = cell->books;
    return RF_OK;
}

/* Judges, checks and sums up what the run has left. */
static enum rf_status conclude(struct rf_cell *cell, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (cell->series != NULL) {
        rf_series_finish(cell->series, cell->result.state);
        cell->table = rf_series_table(cell->series);
    }
    if (cell->definitions != NULL)
        st = rf_definitions_judge(cell->definitions, cell->result.state, err);
    if (st == RF_OK && cell->books != NULL)
        st = rf_books_check(cell->books, cell->result.state, err);
    if (st == RF_OK)
        st = rf_sim_summary_make(&cell->summary, cell->workload, &cell->options, &cell->result,
                                 cell->table, err);
    return st;
}

enum rf_status rf_cell_run(struct rf_cell *cell, const struct rf_scenario *scenario,
                           const struct rf_cell_options *options, struct rf_error *err)
{
    struct rf_scenario s = *scenario; /* lists are borrowed */
    struct rf_trace_report intake;
    enum rf_status st;

    *cell = (struct rf_cell){0};
    st = take_workload(cell, scenario, options, &s.fleet.devices, err);
    if (st == RF_OK)
        st = make_world(cell, &s, options, err);
    if (st == RF_OK) {
        set_options(cell, &s, options, s.fleet.devices);
        st = watch(cell, &s, options, err);
    }
    if (st == RF_OK)
        st = rf_sim_run(cell->workload, &cell->options, &cell->result, err);
    if (st == RF_OK)
        st = conclude(cell, err);
    if (st != RF_OK) {
        intake = cell->intake;
        rf_cell_clear(cell);
        cell->intake = intake;
    }
    return st;
}

void rf_cell_clear(struct rf_cell *cell)
{
    rf_sim_summary_clear(&cell->summary);
    rf_sim_result_clear(&cell->result);
    rf_spans_clear(&cell->spans);
    rf_series_destroy(cell->series);
    rf_books_destroy(cell->books);
    rf_definitions_destroy(cell->definitions);
    rf_world_clear(&cell->world);
    rf_workload_clear(&cell->made);
    *cell = (struct rf_cell){0};
}
