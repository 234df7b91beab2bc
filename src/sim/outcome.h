/* outcome.h - one simulation of many, as the row of figures that is kept of it.
 *
 * An ensemble runs cells: a scenario under an order, a fence and a share, with a seed. The jobs
 * of pledged accounts are one part, all others the other: what the promise delivers is read from
 * the first, what it costs from the second. */
#ifndef RF_SIM_OUTCOME_H
#define RF_SIM_OUTCOME_H

#include "sim/summary.h"

struct rf_outcome_part {
    int64_t jobs, finished, denied;
    struct rf_wide held_us, useful_us;              /* device-time */
    double wait_mean_us, slowdown_mean;             /* NAN: no job */
    int64_t wait_p50_us, wait_p95_us, slowdown_p95; /* the last in millionths */
};

struct rf_sim_outcome {
    char scenario[RF_NAME_BYTES], order[16], fence[16];
    struct rf_share share; /* of the first pledge; 0/1: none */
    int64_t seed;
    char failed[RF_TEXT_BYTES]; /* why there is no result; then nothing below counts */
    int64_t preemptions, events, makespan_us;
    struct rf_wide capacity_us, used_us;
    double utilization; /* NAN: none */
    struct rf_outcome_part all, pledged, others;
    /* the first pledge, as first made */
    char verdict[16]; /* "" without */
    struct rf_wide entitled_us, demanded_us, delivered_us, shortfall_us;
    char schedule[RF_DIGEST_HEX];
};

/* Fills everything but scenario and failed, which become "". */
void rf_sim_outcome_make(struct rf_sim_outcome *outcome, const struct rf_sim_options *options,
                         const struct rf_sim_result *result,
                         const struct rf_sim_summary *summary);

#endif
