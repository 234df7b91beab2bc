/* follow.h - arrivals that keep up with a fleet that grows.
 *
 * A generator knows one size of machine. Its submissions are made in fleet time, which runs C / C0
 * times as fast as the clock while the fleet has C devices instead of the C0 at time 0, and
 * are then put where the clock stood: the load stays the same as the fleet grows, with more
 * jobs of the same sizes. Growth counts, failures and maintenance do not. */
#ifndef RF_SIM_FOLLOW_H
#define RF_SIM_FOLLOW_H

#include "sim/workload.h"
#include "sim/world.h"

/* Fleet time at clock time t_us, for a fleet of `devices` at time 0. RF_ERR_CONFIG when it is
 * beyond what microseconds can count. */
enum rf_status rf_follow_fleet_time(const struct rf_world *world, int32_t devices, int64_t t_us,
                                    int64_t *fleet_us, struct rf_error *err);

/* Puts all submissions from fleet time to clock time. */
void rf_follow(struct rf_workload *workload, const struct rf_world *world, int32_t devices);

#endif
