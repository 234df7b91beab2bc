/* scenario.h - everything one simulation is made of: workload, fleet, promises, policy.
 *
 * Plain data, filled by config/ or from the command line. rf_scenario_world() makes the world
 * from it; the ensemble varies order, fence, share and seed of one scenario. Durations and
 * points in time are microseconds, the latter from time 0; the reader of configurations has
 * turned dates into them by origin_us. */
#ifndef RF_SIM_SCENARIO_H
#define RF_SIM_SCENARIO_H

#include "base/file.h"
#include "sim/accounts.h"
#include "sim/world.h"

enum { RF_MALLEABLE_MAX = 16, RF_SLIDES = 3, RF_GRID_MAX = 64 };

struct rf_workload_spec {
    char source[16]; /* auto swf csv sacct acme philly; lublin acme-seren acme-kalos flood */
    char path[RF_PATH_BYTES], groups[RF_PATH_BYTES];
    int lenient;
    char unit[8]; /* of traces that count several things: auto gpus cpus nodes */
    char default_account[RF_NAME_BYTES];
    struct rf_account_rule_spec *rules; /* owned */
    int nrules;
    int64_t jobs;       /* generators: how many; 0: as many as fit into horizon_us */
    int64_t horizon_us; /* later jobs are left out; 0: none are */
    double load;        /* generators: of the fleet at time 0; 0: the model's own */
    int follow_fleet;   /* generators: ... of the fleet at each moment, as it grows */
    int64_t backlog_us; /* generators: what comes in this time waits already at time 0 */
    double rate_per_h;  /* flood without load: arrivals an hour; 0: 60 */
    int32_t size_min, size_max; /* flood: sizes; 0: as generate.h says */
    int64_t run_mean_us;        /* flood: mean run time; 0: an hour */
    int repeat;                 /* copies one after the other; 1 */
    /* Jobs of these accounts, and below them, can shrink and grow: min = ceil(size / malleable),
     * max = size. */
    char malleable_accounts[RF_MALLEABLE_MAX][RF_NAME_BYTES];
    int nmalleable_accounts, malleable;
};

struct rf_outage_spec { /* maintenance (account "") or an advance reservation; may repeat */
    char account[RF_NAME_BYTES], author[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
    int64_t at_us, length_us, notice_us; /* announced so long before */
    int64_t every_us;                    /* 0: once */
    int32_t devices; /* maintenance: those with the lowest ids, 0: all there are by then */
};

struct rf_growth_spec { /* the fleet has `devices` from at_us on */
    int64_t at_us;
    int32_t devices;
};

struct rf_fleet_spec {
    int32_t devices; /* at time 0; 0: what the trace's header says */
    int32_t node;    /* devices that fail together: node k is [k node, (k+1) node); 1 */
    int64_t
        doubling_us; /* 0: no growth; else devices x 2^(t / doubling), in steps of step_us */
    int64_t step_us; /* default 30 days */
    struct rf_growth_spec *growth;
    int ngrowth;
    int64_t mtbf_us;   /* of a node, exponential; 0: nodes do not fail */
    int64_t repair_us; /* mean, log-normal with repair_sigma */
    double repair_sigma;
    struct rf_outage_spec *outages;
    int noutages;
};

/* Which variants an ensemble runs: the product of all that is given. */
struct rf_grid_spec {
    char orders[RF_GRID_MAX][RF_NAME_BYTES], fences[RF_GRID_MAX][RF_NAME_BYTES];
    struct rf_share shares[RF_GRID_MAX]; /* of the first pledge */
    int norders, nfences, nshares, seeds;
    int bootstrap; /* resamples for paired intervals */
};

struct rf_scenario {
    char name[RF_NAME_BYTES], about[RF_TEXT_BYTES];
    char out[RF_PATH_BYTES];
    int64_t seed;
    int64_t origin_us; /* UTC of time 0; 0: unknown */
    int64_t until_us;  /* the simulation ends here; 0: when all jobs are over */
    char tie[8];
    struct rf_workload_spec workload;
    struct rf_fleet_spec fleet;
    char order[16], fence[16];
    int reserve_depth, replan, resize;
    int64_t half_life_us, grace_us, checkpoint_us, checkpoint_every_us, restart_us;
    /* How the definitions of a promise are judged (alloc/definition.h). */
    int64_t step_us, slide_us[RF_SLIDES];
    int nslides; /* RF_SLIDES */
    int64_t service_wait_us, service_denied_us;
    struct rf_share service_denied;
    struct rf_pledge_plan *pledges;
    struct rf_change_spec *changes;
    struct rf_limit_spec *limits; /* of a policy that is not simulated: `slurm plan` */
    int npledges, nchanges, nlimits;
    struct rf_grid_spec grid;
};

/* Defaults; clear() frees all owned arrays. */
struct rf_scenario rf_scenario_make(void);
void rf_scenario_clear(struct rf_scenario *scenario);

/* The world of the scenario with its seed, from time 0 to before until_us. The caller ends
 * it with rf_world_clear(). RF_ERR_CONFIG where parts contradict one another.
 *
 * Nodes fail and are repaired by streams of their own, keyed by (seed, node, how many times
 * before): a failure does not depend on policies, on other nodes or on maintenance. A node's clock
 * starts when its first device joins. What is down for several reasons at once goes down with
 * the first and comes back with the last. Maintenance is announced notice_us before it begins (at
 * time 0 when that is earlier; not at all with notice 0). Devices that leave while they are
 * down are taken away a microsecond after their repair. */
enum rf_status rf_scenario_world(const struct rf_scenario *scenario, int64_t until_us,
                                 struct rf_world *world, struct rf_error *err);

#endif
