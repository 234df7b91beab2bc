/* ringfence simulate: what a promise costs, and which rules keep it. */
#include <stdlib.h>

#include "cli/command.h"
#include "cli/simulate.h"

/* Local: the scenarios of all configurations, or the one of the command line. */
static enum rf_status read_scenarios(struct rf_scenario *scenarios, int *n,
                                     const struct rf_simulate_args *args, struct rf_error *err)
{
    struct rf_simulate_args one = *args;
    enum rf_status st = RF_OK;

    for (int i = 0; i < (args->nconfigs > 1 ? args->nconfigs : 1) && st == RF_OK; i++) {
        if (args->nconfigs > 0)
            one.config = args->configs[i];
        st = rf_simulate_scenario(&scenarios[i], &one, err);
        *n += st == RF_OK;
    }
    return st;
}

/* Local: the only cell there is. */
static enum rf_status simulate_one(const struct rf_simulate_args *args,
                                   const struct rf_scenario *scenarios,
                                   const struct rf_grid *grid, struct rf_error *err)
{
    struct rf_scenario scenario;
    enum rf_status st;

    if (args->resume)
        return rf_fail(err, RF_ERR_ARG,
                       "--resume is for ensembles, and this is one simulation");
    st = rf_grid_scenario(&scenario, grid, 0, scenarios, err);
    if (st == RF_OK)
        st = rf_simulate_one(args, &scenario, NULL, err);
    rf_grid_scenario_clear(&scenario);
    return st;
}

static enum rf_status run(const struct rf_group *world, const struct rf_simulate_args *args,
                          struct rf_error *err)
{
    struct rf_scenario *scenarios = calloc(RF_SIMULATE_CONFIGS, sizeof *scenarios);
    struct rf_grid grid = {0};
    int n = 0;
    enum rf_status st = RF_OK;

    if (scenarios == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory");
    if (st == RF_OK)
        st = read_scenarios(scenarios, &n, args, err);
    if (st == RF_OK)
        st = rf_grid_make(&grid, scenarios, n, err);
    st = rf_agree(world, st, err);
    if (st == RF_OK && grid.n > 1) {
        st = rf_simulate_grid(world, args, scenarios, n, &grid, err);
    } else if (st == RF_OK) {
        if (world->rank == 0)
            st = simulate_one(args, scenarios, &grid, err);
        st = rf_agree(world, st, err);
    }
    for (int i = 0; i < n; i++)
        rf_scenario_clear(&scenarios[i]);
    rf_grid_clear(&grid);
    free(scenarios);
    return st;
}

static enum rf_status simulate(const struct rf_group *world, int argc, char **argv,
                               struct rf_error *err)
{
    struct rf_simulate_args args;
    int help;
    enum rf_status st = rf_simulate_args_read(&args, &help, argc, argv, err);

    if (st == RF_OK && !help && args.replay != NULL)
        st = rf_agree(world, world->rank == 0 ? rf_simulate_replay(&args, err) : RF_OK, err);
    else if (st == RF_OK && !help)
        st = run(world, &args, err);
    rf_simulate_args_clear(&args);
    return st;
}

const struct rf_command rf_command_simulate = {
    .name = "simulate", .summary = "simulate jobs, fleets and promises", .run = simulate};
