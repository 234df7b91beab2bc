/* simulate.h - the parts of `ringfence simulate`. */
#ifndef RF_CLI_SIMULATE_H
#define RF_CLI_SIMULATE_H

#include "cli/options.h"
#include "mpi/group.h"
#include "report/sim_replay.h"
#include "sim/cell.h"
#include "sim/grid.h"

enum { RF_SIMULATE_CONFIGS = 16 };

/* What the command line says. */
struct rf_simulate_args {
    const char *config;   /* NULL: the scenario comes from the options below */
    char *const *configs; /* all of them: config is the first; belongs to argv */
    int nconfigs;
    const char *out;      /* run directory; NULL: the configuration's, or none */
    const char *schedule; /* NULL: not wanted; "-": stdout, as the next */
    const char *csv;
    const char *key; /* NULL: the default one */
    int force, json, check, ledger, resume;
    struct rf_text_list set;
    /* without a configuration */
    const char *trace, *order, *fence, *format, *unit, *tie, *account;
    int64_t devices, depth, seed;
    int strict, lenient, replan, compress;
    struct rf_text_list rules;
    /* of a recorded run */
    const char *replay, *policy, *vkey;
    int64_t prefix;
};

/* Reads the command line. *help: it was asked for, and has been answered. The caller ends args
 * with rf_simulate_args_clear() whatever came back. */
enum rf_status rf_simulate_args_read(struct rf_simulate_args *args, int *help, int argc,
                                     char **argv, struct rf_error *err);
void rf_simulate_args_clear(struct rf_simulate_args *args);

/* Local: the scenario that the arguments ask for; the caller ends it with rf_scenario_clear(). */
enum rf_status rf_simulate_scenario(struct rf_scenario *scenario,
                                    const struct rf_simulate_args *args, struct rf_error *err);

/* Local: the run directory, "" for none; made, with the effective configuration in it. */
enum rf_status rf_simulate_directory(char dir[RF_PATH_BYTES],
                                     const struct rf_simulate_args *args,
                                     const struct rf_scenario *scenario, struct rf_error *err);

/* Local: says on stderr what of a trace was left out, and why. */
void rf_simulate_tell_intake(const struct rf_scenario *scenario,
                             const struct rf_trace_report *report);

/* A recorded run that a scenario is simulated with. */
struct rf_simulate_recorded {
    const struct rf_replay *replay;
    int promised;       /* its own promises hold, not the scenario's */
    int same;           /* ... and its policy: the fidelity is that of this simulation */
    const char *config; /* text of the run directory's config.cfg */
    struct rf_sim_replay *report; /* gets a column, and with `same` the fidelity */
};

/* Local: one scenario, from running it to everything that is asked for. recorded may be NULL. RF_NO:
 * --check was given, and a pledge is not kept. */
enum rf_status rf_simulate_one(const struct rf_simulate_args *args,
                               const struct rf_scenario *scenario,
                               const struct rf_simulate_recorded *recorded,
                               struct rf_error *err);

/* Local: the recorded run of --replay again, under its own promises or others. */
enum rf_status rf_simulate_replay(const struct rf_simulate_args *args, struct rf_error *err);

/* Collective on world, arguments equal everywhere: the cells of n scenarios over the ranks, and
 * everything that is left of them. RF_ERR_PEER: some cells failed, the others' results are there.
 * RF_NO: --check was given, and the first pledge of a cell is not kept. */
enum rf_status rf_simulate_grid(const struct rf_group *world,
                                const struct rf_simulate_args *args,
                                const struct rf_scenario *scenarios, int n,
                                const struct rf_grid *grid, struct rf_error *err);

#endif
