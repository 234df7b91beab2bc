/* summary.h - what a simulation comes to, in figures.
 *
 * A job's wait is the time from its submission to its first start; jobs that never started
 * have none. Its slowdown is that of metrics.h, from its submission to its end, and only
 * jobs that were done have one. Utilisation is the device-time that jobs held over that of
 * devices that worked, from the first submission to the last end.
 *
 * Device-time that jobs held is useful where it was the work of a job that was done, lost where
 * a job that was done needed more than that (work done twice, checkpoints, restarts), and
 * unfinished where the job was not done when the simulation ended. */
#ifndef RF_SIM_SUMMARY_H
#define RF_SIM_SUMMARY_H

#include "base/digest.h"
#include "sim/engine.h"
#include "sim/metrics.h"
#include "sim/series.h"

struct rf_sim_part {
    int64_t jobs, started, finished, denied;
    struct rf_spread wait;             /* microseconds */
    struct rf_spread slowdown;         /* millionths */
    struct rf_wide held_us, useful_us; /* device-time */
};

struct rf_sim_account { /* with all below it */
    int32_t id;         /* in the state */
    int64_t started, finished;
    double wait_mean_us; /* NAN: none started */
    struct rf_wide useful_us, lost_us, unfinished_us;
    int pledged; /* it, or one above it, has a pledge */
};

struct rf_sim_denial { /* requests of one account (not of those below it) for one reason */
    int32_t account;
    uint8_t reason; /* of the state */
    int64_t count;
    double asked_us; /* device-time: devices x limit */
};

struct rf_sim_summary {
    struct rf_sim_part all, pledged, others;
    int64_t preemptions;
    int64_t first_submit_us, last_end_us, makespan_us; /* -1, -1, 0: no jobs */
    struct rf_wide used_us, capacity_us;               /* device-time between the two */
    double utilization;                                /* NAN without */
    struct rf_sim_account *accounts; /* owned; a parent before those below it */
    int32_t naccounts;
    struct rf_sim_denial *denials; /* owned; most frequent first */
    int32_t ndenials;
    struct rf_groups groups;
    int64_t wait_bins[RF_GROUPS_MAX][RF_WAIT_BINS]; /* jobs by group and wait */
    struct rf_digest schedule;                      /* rf_schedule_digest() */
};

/* table may be NULL: utilisation then counts the devices of the fleet at time 0 and is NAN
 * when the fleet changes. On failure *summary is empty. The caller ends it with
 * rf_sim_summary_clear(). */
enum rf_status rf_sim_summary_make(struct rf_sim_summary *summary,
                                   const struct rf_workload *workload,
                                   const struct rf_sim_options *options,
                                   const struct rf_sim_result *result,
                                   const struct rf_series_table *table, struct rf_error *err);
void rf_sim_summary_clear(struct rf_sim_summary *summary);

#endif
