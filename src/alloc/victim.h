/* victim.h - whom to stop, so that a claim gets its devices; only files of the policy include it.
 *
 * A victim is a running job of a wall that holds more than it has a right to. Jobs of everybody
 * else go first: a pledged account's borrowed devices are taken only when those are not
 * enough. Malleable jobs shrink before anybody stops, where the driver can resize.
 *
 * Stopping a job costs (writing its checkpoint, at most the grace; the work since its last
 * checkpoint, where the grace is too short to write one; starting again) x its devices. Among
 * the victims looked at (the most recently granted, as many as cover the need, as many again
 * and 32 more, 256 at most) the set of least cost is chosen: exactly, where at most 12 come
 * into question; else the best of three: by cost per device, without those that prove
 * superfluous; the cheapest job that is enough alone; and latest first. So it never costs more
 * than latest first, which is also the rule where stopping costs nothing: the most
 * recently granted job that is enough alone, else the most recently granted ones. */
#ifndef RF_ALLOC_VICTIM_H
#define RF_ALLOC_VICTIM_H

#include "alloc/policy_plan.h"

enum { RF_VICTIMS_EXACT = 12, RF_VICTIMS_MAX = 256 };

struct rf_victim {
    int64_t cost_us; /* device-microseconds */
    int32_t job, devices;
};

/* Devices that stopping every possible victim would free, as far as `need` goes. */
int32_t rf_victims_free(struct rf_plan *plan, const struct rf_wall *claimant, int32_t need);
/* Proposes to stop jobs until `need` devices come free, or nobody is left. Returns how many are
 * missing still: a job that this answer resizes already cannot be stopped in it. */
int32_t rf_victims_stop(struct rf_plan *plan, const struct rf_wall *claimant, int32_t need,
                        int32_t by);
/* Proposes to shrink malleable jobs by up to `need` devices in all; returns how many. */
int32_t rf_victims_shrink(struct rf_plan *plan, const struct rf_wall *claimant, int32_t need,
                          int32_t by);

/* What stopping the job now would cost. */
int64_t rf_victim_cost_us(const struct rf_plan *plan, int32_t job);
/* The choice alone: marks in chosen[] a set of the n victims (latest first) that frees `need`
 * devices, where stopping goes on only while less than `surplus` have been freed. Returns 0,
 * and marks nobody, when they do not make `need`. */
int rf_victims_choose(const struct rf_victim *victims, int n, int32_t need, int32_t surplus,
                      uint8_t *chosen);

#endif
