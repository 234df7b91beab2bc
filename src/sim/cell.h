/* cell.h - one simulation, from its scenario to its figures.
 *
 * Makes the jobs and the world, runs the engine with everything that watches, judges, checks the
 * books, and sums up. It neither prints nor writes anything but the ledger. A report shows one
 * cell; an ensemble runs many of them, and can share the jobs of scenarios that differ
 * in nothing but order, fence and share. */
#ifndef RF_SIM_CELL_H
#define RF_SIM_CELL_H

#include "alloc/definition.h"
#include "sim/engine.h"
#include "sim/scenario.h"
#include "sim/series.h"
#include "sim/spans.h"
#include "sim/summary.h"
#include "sim/trace.h"

struct rf_replay;

struct rf_cell_options {
    const struct rf_workload *workload; /* borrowed; NULL: what the scenario says */
    int32_t devices;                    /* ... with it: what rf_cell_workload() gave */
    /* A recorded run, borrowed: its jobs and its fleet take the place of the scenario's, and with
     * `promised` its pledges and changes of policy too. NULL: none. */
    const struct rf_replay *replay;
    int promised;
    const struct rf_observer *watcher; /* one more that watches the engine; NULL: none */
    int detail;         /* keep series, books, definitions, and why jobs wait, for a report; */
    int judge;          /* ... or the definitions alone. What nobody asks for costs nothing. */
    int64_t spans_most; /* ... and spans, when there are at most so many jobs */
    const char *ledger_path;                  /* NULL: none */
    const struct rf_key *key;                 /* seals the ledger; NULL: no seals */
    const char *version, *config_digest;      /* for the ledger; NULL: none */
    void (*progress)(void *ctx, double done); /* may be NULL */
    void *progress_ctx;
};

/* Valid until rf_cell_clear(), as long as the scenario, a borrowed workload and the key are. It
 * points into itself, so it cannot be copied. */
struct rf_cell {
    const struct rf_workload *workload;
    struct rf_trace_report intake; /* what the trace held; all zero for one that was borrowed */
    struct rf_world world;
    struct rf_sim_options options;
    struct rf_sim_result result;
    struct rf_sim_summary summary;
    const struct rf_series_table *table; /* also where the fleet changes; else NULL */
    struct rf_definitions *definitions;  /* NULL where nothing is pledged */
    struct rf_books *books;              /* NULL without detail */
    struct rf_definition_options definition_options;
    struct rf_spans spans; /* what ran on which devices when; empty where not kept */
    /* its own */
    struct rf_workload made;
    struct rf_series *series;
    struct rf_observer observers[3];
};

/* The jobs of a scenario and the size of its fleet at time 0 (the scenario's, or what the
 * trace's header says). On success the caller ends the workload with rf_workload_clear(). The
 * report may be NULL. */
enum rf_status rf_cell_workload(struct rf_workload *workload, int32_t *devices,
                                const struct rf_scenario *scenario,
                                struct rf_trace_report *report, struct rf_error *err);

/* Runs the scenario. On failure the cell is empty but for `intake`. */
enum rf_status rf_cell_run(struct rf_cell *cell, const struct rf_scenario *scenario,
                           const struct rf_cell_options *options, struct rf_error *err);
void rf_cell_clear(struct rf_cell *cell);

#endif
