/* ringfence simulate: what a promise costs, and which rules keep it. */
#include "cli/command.h"
#include "cli/simulate.h"

static enum rf_status simulate(const struct rf_group *world, int argc, char **argv,
                               struct rf_error *err)
{
    struct rf_simulate_args args;
    struct rf_scenario scenario = rf_scenario_make();
    int help;
    enum rf_status st = rf_simulate_args_read(&args, &help, argc, argv, err);

    (void)world;
    if (st == RF_OK && !help)
        st = rf_simulate_scenario(&scenario, &args, err);
    if (st == RF_OK && !help)
        st = rf_simulate_one(&args, &scenario, err);
    rf_scenario_clear(&scenario);
    rf_simulate_args_clear(&args);
    return st;
}

const struct rf_command rf_command_simulate = {.name = "simulate",
                                               .summary = "simulate jobs, fleets and promises",
                                               .serial = 1,
                                               .run = simulate};
