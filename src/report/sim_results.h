/* sim_results.h - everything a simulation ends with, in one struct, and the ways to print it.
 *
 * Whoever ran the simulation fills struct rf_sim_results; nothing here looks at the run
 * directory except to write into it. All pointers are borrowed. */
#ifndef RF_REPORT_SIM_RESULTS_H
#define RF_REPORT_SIM_RESULTS_H

#include <stdio.h>

#include "alloc/books.h"
#include "alloc/definition.h"
#include "report/results.h"
#include "report/sim_replay.h"
#include "sim/summary.h"

struct rf_sim_results {
    const char *name, *about; /* of the scenario; about may be NULL */
    const char *version;
    double wall_s; /* of the whole command */
    const struct rf_workload *workload;
    const struct rf_sim_options *options;
    const struct rf_sim_result *result;
    const struct rf_sim_summary *summary;
    const struct rf_series_table *series;                   /* NULL: none was kept */
    const struct rf_definitions *definitions;               /* judged; NULL: none */
    const struct rf_definition_options *definition_options; /* NULL without definitions */
    const struct rf_books *books;                           /* NULL: none */
    struct rf_ledger_result ledger;                         /* path NULL: none */
    const struct rf_sim_replay *replay;                     /* NULL: not of a recorded run */
};

/* The JSON document of `simulate` (DESIGN, keys that others rely on), indented, ending in LF.
 * The caller frees *text. Times in it are seconds since the start of the simulation, device-time
 * is device-seconds; what does not exist is null. */
enum rf_status rf_sim_results_json(const struct rf_sim_results *results, char **text,
                                   struct rf_error *err);

/* run_dir/results.json and, where a series was kept, run_dir/series.csv, each there completely
 * or not at all. rf_report_write() makes the page from them. */
enum rf_status rf_sim_results_write(const struct rf_sim_results *results, const char *run_dir,
                                    struct rf_error *err);

/* The summary for people, at most 80 columns; ASCII only. run_dir NULL: nothing was written. */
enum rf_status rf_sim_results_print(const struct rf_sim_results *results, const char *run_dir,
                                    FILE *out, struct rf_error *err);

/* One row per job, by id from 1:
 * id,account,submit,start,end,procs,wait,preemptions,state,reason
 * times in seconds; start is the first start; start, end and wait are empty where there is none.
 * path "-" is standard output, here and below; a file is there completely or not at all. */
enum rf_status rf_sim_jobs_csv(const struct rf_sim_results *results, const char *path,
                               struct rf_error *err);

/* One row per step: t_s,length_s and the columns of sim/series.h; a level as its mean over the
 * step, a count as such. */
enum rf_status rf_sim_series_csv(const struct rf_series_table *table, const char *path,
                                 struct rf_error *err);

#endif
