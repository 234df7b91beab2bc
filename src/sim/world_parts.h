/* world_parts.h - the makers of a world. Internal to world*.c. */
#ifndef RF_SIM_WORLD_PARTS_H
#define RF_SIM_WORLD_PARTS_H

#include "sim/scenario.h"

/* A world that says more than this is a slip of a unit, not a plan. */
enum { RF_WORLD_MAX_CHANGES = 20000000, RF_WORLD_MAX_DEVICES = 10000000 };

struct rf_world_maker {
    const struct rf_scenario *scenario;
    int64_t until_us;
    struct rf_world *world;
    int64_t room; /* of world->changes */
    struct rf_error *err;
};

/* Adds a change, in any order; one at or after until_us is left out. */
enum rf_status rf_world_add(struct rf_world_maker *m, int64_t t_us, enum rf_change_kind kind,
                            int32_t begin, int32_t end, int32_t index);
/* Adds a hold and its announcement; the caller has room for it. */
enum rf_status rf_world_announce(struct rf_world_maker *m, const struct rf_outage_spec *outage,
                                 int64_t at_us, int32_t count);

/* Pledges at time 0 and all changes of mind. */
enum rf_status rf_world_make_promises(struct rf_world_maker *m);
/* Growth, failures and repairs, maintenance, reservations. */
enum rf_status rf_world_make_fleet(struct rf_world_maker *m);

#endif
