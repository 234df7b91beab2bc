/* What `simulate --replay --policy FILE` takes from a configuration: the promises alone. */
#include <string.h>

#include "config/schema_promise.h"
#include "sim/scenario.h"

static const struct rf_key policy_keys[] = {RF_POLICY_ROWS(rf_scenario),
                                            RF_COST_ROWS(rf_scenario, 1, 0, 0, 0),
                                            {.key = "lease_s", .kind = RF_KEY_PASSED},
                                            {.key = "lease_silence", .kind = RF_KEY_PASSED},
                                            {.key = "seal_s", .kind = RF_KEY_PASSED},
                                            {.key = "heartbeat_s", .kind = RF_KEY_PASSED},
                                            {.key = "peak_flops", .kind = RF_KEY_PASSED},
                                            {0}};

static const struct rf_key sections[] = {
    {.key = "policy", .kind = RF_KEY_GROUP, .group = policy_keys, .required = 1},
    {.key = "pledges",
     RF_KEY_LIST_OF(rf_scenario, pledges),
     .group = rf_pledge_keys,
     .max = 256},
    {.key = "changes",
     RF_KEY_LIST_OF(rf_scenario, changes),
     .group = rf_change_keys,
     .max = 1000},
    {.key = "limits", RF_KEY_LIST_OF(rf_scenario, limits), .group = rf_limit_keys, .max = 1000},
    {.key = "run", .kind = RF_KEY_PASSED},
    {.key = "models", .kind = RF_KEY_PASSED},
    {.key = "tasks", .kind = RF_KEY_PASSED},
    {.key = "jobs", .kind = RF_KEY_PASSED},
    {.key = "experiments", .kind = RF_KEY_PASSED},
    {.key = "simulate", .kind = RF_KEY_PASSED},
    {.key = "workload", .kind = RF_KEY_PASSED},
    {.key = "fleet", .kind = RF_KEY_PASSED},
    {.key = "definitions", .kind = RF_KEY_PASSED},
    {.key = "grid", .kind = RF_KEY_PASSED},
    {0}};

/* The rest is as in a scenario that says nothing of it. */
static enum rf_status finish(void *target, rf_config_place *place, void *ctx,
                             struct rf_error *err)
{
    struct rf_scenario *s = target, rest = rf_scenario_make();
    struct rf_config_promises promises = {.pledges = s->pledges,
                                          .changes = s->changes,
                                          .limits = s->limits,
                                          .npledges = s->npledges,
                                          .nchanges = s->nchanges,
                                          .nlimits = s->nlimits};

    rest.pledges = s->pledges;
    rest.changes = s->changes;
    rest.limits = s->limits;
    rest.nlimits = s->nlimits;
    rest.npledges = s->npledges;
    rest.nchanges = s->nchanges;
    memcpy(rest.order, s->order, sizeof rest.order);
    memcpy(rest.fence, s->fence, sizeof rest.fence);
    rest.reserve_depth = s->reserve_depth;
    rest.replan = s->replan;
    rest.resize = s->resize;
    rest.half_life_us = s->half_life_us;
    rest.grace_us = s->grace_us;
    rest.checkpoint_us = s->checkpoint_us;
    rest.checkpoint_every_us = s->checkpoint_every_us;
    rest.restart_us = s->restart_us;
    *s = rest;
    for (int i = 0; i < s->npledges; i++)
        if (s->pledges[i].pledge.tolerance_us < 0)
            s->pledges[i].pledge.tolerance_us = s->grace_us;
    return rf_config_check_promises(&promises, place, ctx, err);
}

static void clear(void *target)
{
    rf_scenario_clear(target);
}

const struct rf_schema rf_config_promises = {.sections = sections,
                                             .size = sizeof(struct rf_scenario),
                                             .origin_offset =
                                                 offsetof(struct rf_scenario, origin_us),
                                             .finish = finish,
                                             .clear = clear};
