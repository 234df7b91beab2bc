#include "sim/scenario.h"

#include <stdio.h>
#include <stdlib.h>

struct rf_scenario rf_scenario_make(void)
{
    const int64_t second = 1000000;
    struct rf_scenario s = {
        .seed = 1,
        .reserve_depth = 1,
        .replan = 1,
        .half_life_us = 7 * 86400 * second,
        .grace_us = 300 * second,
        .checkpoint_us = 60 * second,
        .checkpoint_every_us = 3600 * second,
        .restart_us = 120 * second,
        .step_us = 86400 * second,
        .slide_us = {86400 * second, 28 * 86400 * second, 91 * 86400 * second},
        .nslides = RF_SLIDES,
        .service_wait_us = 3600 * second,
        .service_denied = {1, 20}};

    snprintf(s.out, sizeof s.out, "runs");
    snprintf(s.tie, sizeof s.tie, "batch");
    snprintf(s.order, sizeof s.order, "fcfs");
    snprintf(s.fence, sizeof s.fence, "floor");
    snprintf(s.workload.source, sizeof s.workload.source, "auto");
    snprintf(s.workload.unit, sizeof s.workload.unit, "auto");
    snprintf(s.workload.default_account, sizeof s.workload.default_account, "default");
    s.workload.repeat = 1;
    s.workload.malleable = 1;
    s.fleet.node = 1;
    s.fleet.step_us = 30 * 86400 * second;
    s.fleet.repair_us = 4 * 3600 * second;
    s.fleet.repair_sigma = 1;
    s.grid.seeds = 1;
    s.grid.bootstrap = 10000;
    return s;
}

void rf_scenario_clear(struct rf_scenario *scenario)
{
    free(scenario->workload.rules);
    free(scenario->fleet.growth);
    free(scenario->fleet.outages);
    free(scenario->pledges);
    free(scenario->changes);
    free(scenario->limits);
    *scenario = rf_scenario_make();
}
