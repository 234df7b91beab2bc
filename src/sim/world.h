/* world.h - what changes around the jobs: the fleet, its failures, the promises.
 *
 * A world is a list of changes in order of time, made before the simulation from dates,
 * doubling times and per-node random streams, so that it is the same under every policy
 * (common random numbers). The engine turns each change into the event that a live
 * coordinator would record. */
#ifndef RF_SIM_WORLD_H
#define RF_SIM_WORLD_H

#include "alloc/promise.h"

/* In the order in which changes of one instant take effect. */
enum rf_change_kind {
    RF_CHANGE_CRASHED,     /* the recorder dies: nothing ends and nobody decides until ... */
    RF_CHANGE_CLOSED,      /* or it closes the run, after everybody has left ... */
    RF_CHANGE_RECOVERED,   /* ... it is back, and leases have died with it */
    RF_CHANGE_PLEDGE,      /* pledges[index] is made or changed */
    RF_CHANGE_POLICY,      /* policies[index] takes over (order, fence) */
    RF_CHANGE_RECORD,      /* records[index] happens, if it still can: what somebody did */
    RF_CHANGE_FAILED,      /* devices [begin, end) go down; what runs there loses its work */
    RF_CHANGE_MAINTENANCE, /* devices [begin, end) go down as planned */
    RF_CHANGE_LEFT,        /* devices [begin, end) are gone for good */
    RF_CHANGE_JOINED,      /* devices [begin, end) are new */
    RF_CHANGE_REPAIRED,    /* devices [begin, end) are back */
    RF_CHANGE_RESERVE      /* holds[index] is announced */
};

struct rf_change {
    int64_t t_us;
    enum rf_change_kind kind;
    int32_t begin, end; /* device ids */
    int32_t index;
};

struct rf_world_policy {
    char order[16], fence[16], author[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
};

/* Devices that are wanted for something at a fixed time: maintenance (account ""), or an
 * advance reservation of an account. */
struct rf_world_hold {
    char account[RF_NAME_BYTES], author[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
    int64_t begin_us, end_us;
    int32_t count;
};

struct rf_world {
    struct rf_change *changes; /* owned, as all arrays; sorted by (t_us, kind) */
    int64_t nchanges;
    struct rf_pledge_spec *pledges;
    struct rf_world_policy *policies;
    struct rf_world_hold *holds;
    struct rf_event *records; /* as a ledger has them, of jobs by index; no devices */
    int npledges, npolicies, nholds, nrecords;
    int by_id; /* which device it is matters: failures, maintenance */
};

void rf_world_clear(struct rf_world *world);
/* By time, kind, devices, index: the order in which they take effect. */
void rf_world_sort(struct rf_world *world);

#endif
