/* promise.h - what is promised at the start, and the changes of mind that follow, as plain data.
 *
 * Configurations of runs and of simulations fill these alike; sim/world.h puts them in order of
 * time, and whoever drives the state turns them into pledge and policy events. */
#ifndef RF_ALLOC_PROMISE_H
#define RF_ALLOC_PROMISE_H

#include "alloc/event.h"
#include "alloc/terms.h"

struct rf_pledge_spec {
    char account[RF_NAME_BYTES], author[RF_NAME_BYTES];
    char fence[16], basis[16], terms[RF_TEXT_BYTES], reason[RF_TEXT_BYTES];
    struct rf_share share;
    int64_t window_us, tolerance_us;
};

struct rf_pledge_plan {
    struct rf_pledge_spec pledge;
    struct rf_terms terms;
};

/* A change of mind: at its time the pledge of `account` gets another share, or the board that
 * decides on its requests another probability (which is then `share`); or the policy changes
 * (an empty order or fence stays as it is). */
struct rf_change_spec {
    int64_t at_us; /* after the start */
    char kind[16]; /* "pledge", "board", "policy" */
    char account[RF_NAME_BYTES], author[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
    char order[16], fence[16];
    struct rf_share share;
};

/* From the start on, an account may be charged so much in all; 0: as much as it likes. */
struct rf_limit_spec {
    char account[RF_NAME_BYTES], author[RF_NAME_BYTES], reason[RF_TEXT_BYTES];
    int64_t max_device_us;
    double max_flops;
    int budget; /* what it stops has not failed: it did not fit */
};

#endif
