/* scenario.h - everything one simulation is made of: workload, fleet, promises, policy.
 *
 * Plain data, filled by config/ or from the command line. rf_scenario_world() makes the world
 * from it; the ensemble varies order, fence, share and seed of one scenario. Durations
 * are microseconds; dates are microseconds UTC and become simulated time by origin_us. */
#ifndef RF_SIM_SCENARIO_H
#define RF_SIM_SCENARIO_H

#include "base/file.h"
#include "sim/accounts.h"
#include "sim/world.h"

struct rf_workload_spec {
    char source[16]; /* auto swf csv sacct acme philly; lublin acme-seren acme-kalos flood */
    char path[RF_PATH_BYTES], groups[RF_PATH_BYTES];
    int lenient;
    char unit[8]; /* sacct: "gpu" or "cpu" */
    char default_account[RF_NAME_BYTES];
    struct rf_account_rule_spec *rules; /* owned */
    int nrules;
    int64_t jobs;       /* generators: how many (0: as many as fit into horizon_us) */
    int64_t horizon_us; /* generators: last submission; readers: later jobs are left out (0: all) */
    double load;        /* generators: offered load, share of the fleet at time 0 */
    int32_t flood_min, flood_max; /* flood: sizes */
    int64_t flood_run_us;         /* flood: mean run time */
    int repeat;                   /* copies one after the other; 1 */
    /* Jobs of these accounts can shrink and grow: min = max(1, size / malleable) ... size */
    char malleable_accounts[RF_TEXT_BYTES];
    int malleable;
};

struct rf_pledge_plan {
    struct rf_world_pledge pledge;
    struct rf_terms_spec {
        int64_t credit_cap_us, credit_expiry_us, horizon_us, delay_us, budget_us;
        struct rf_share burst, catch_up, approve;
        int32_t stock_devices;
    } terms;
};

/* A change of mind: at its time the pledge of `account` gets another share, or the board another
 * probability; or the policy changes. */
struct rf_change_spec {
    int64_t at_us;
    char kind[16]; /* "pledge", "board", "policy" */
    char account[RF_NAME_BYTES], author[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
    char order[16], fence[16];
    struct rf_share share;
};

struct rf_outage_spec { /* maintenance (account "") or an advance reservation; may repeat */
    char account[RF_NAME_BYTES], author[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
    int64_t at_us, length_us, notice_us; /* announced so long before */
    int64_t every_us;                    /* 0: once */
    int32_t devices;
};

struct rf_growth_spec { /* the fleet has `devices` from at_us on */
    int64_t at_us;
    int32_t devices;
};

struct rf_fleet_spec {
    int32_t devices, node; /* node: devices that fail together; 1 */
    int64_t doubling_us;   /* 0: no growth; else devices x 2^(t / doubling), in steps of step_us */
    int64_t step_us;       /* default 30 days */
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
    char (*orders)[RF_NAME_BYTES], (*fences)[RF_NAME_BYTES];
    struct rf_share *shares;
    int norders, nfences, nshares, seeds;
    int bootstrap; /* resamples for paired intervals */
};

struct rf_scenario {
    char name[RF_NAME_BYTES], about[RF_TEXT_BYTES];
    char out[RF_PATH_BYTES];
    int64_t seed, origin_us, until_us;
    char tie[8];
    struct rf_workload_spec workload;
    struct rf_fleet_spec fleet;
    char order[16], fence[16];
    int reserve_depth, replan, resize;
    int64_t half_life_us, grace_us, checkpoint_us, checkpoint_every_us, restart_us;
    int64_t slide_us[4]; /* sliding windows to judge, besides each pledge's own */
    int nslides;
    int64_t service_wait_us; /* SERVICE: P95 of waits at most this */
    struct rf_share service_denied; /* ... and at most this share of in-share requests denied */
    struct rf_pledge_plan *pledges;
    struct rf_change_spec *changes;
    int npledges, nchanges;
    struct rf_grid_spec grid;
};

/* Defaults; clear() frees all owned arrays. */
struct rf_scenario rf_scenario_make(void);
void rf_scenario_clear(struct rf_scenario *scenario);

/* The world of the scenario with its seed, from time 0 to until_us. The caller ends
 * it with rf_world_clear(). RF_ERR_CONFIG where parts contradict one another. */
enum rf_status rf_scenario_world(const struct rf_scenario *scenario, int64_t until_us,
                                 struct rf_world *world, struct rf_error *err);

#endif
