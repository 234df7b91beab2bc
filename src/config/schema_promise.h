/* schema_promise.h - keys that runs and scenarios have alike: policy, pledges, changes of mind.
 *
 * Included by the tables of schema*.c only. */
#ifndef RF_CONFIG_SCHEMA_PROMISE_H
#define RF_CONFIG_SCHEMA_PROMISE_H

#include "config/schema.h"

#define RF_ORDERS "fcfs easy conservative sjf fairshare"
#define RF_FENCES "none partition floor bank stock request"

/* Thirty years and a bit; a microsecond of it is still exact in a double. */
#define RF_LONGEST_S 1e9

extern const struct rf_key rf_pledge_keys[]; /* struct rf_pledge_plan */
extern const struct rf_key rf_change_keys[]; /* struct rf_change_spec */
extern const struct rf_key rf_limit_keys[];  /* struct rf_limit_spec */

/* Rows of the group `policy`; the struct has fields of these names. */
#define RF_POLICY_ROWS(type)                                                                   \
    {.key = "order",                                                                           \
     .kind = RF_KEY_TEXT,                                                                      \
     RF_KEY_ROOM(type, order),                                                                 \
     .words = RF_ORDERS,                                                                       \
     .text = "fcfs"},                                                                          \
        {.key = "fence",                                                                       \
         .kind = RF_KEY_TEXT,                                                                  \
         RF_KEY_ROOM(type, fence),                                                             \
         .words = RF_FENCES,                                                                   \
         .text = "floor"},                                                                     \
        {.key = "reserve_depth",                                                               \
         .kind = RF_KEY_INT,                                                                   \
         RF_KEY_AT(type, reserve_depth),                                                       \
         .min = -1,                                                                            \
         .max = 1e6,                                                                           \
         .number = 1},                                                                         \
        {.key = "replan", .kind = RF_KEY_FLAG, RF_KEY_AT(type, replan), .number = 1},          \
        {.key = "half_life_s",                                                                 \
         .kind = RF_KEY_SECONDS,                                                               \
         RF_KEY_AT(type, half_life_us),                                                        \
         .min = 60,                                                                            \
         .max = RF_LONGEST_S,                                                                  \
         .number = 7 * 86400},                                                                 \
    {                                                                                          \
        .key = "resize", .kind = RF_KEY_FLAG, RF_KEY_AT(type, resize)                          \
    }

/* What stopping a job costs; the defaults are those of a run or of a scenario. */
#define RF_COST_ROWS(type, grace_s, write_s, every_s, start_s)                                 \
    {.key = "reclaim_grace_s",                                                                 \
     .kind = RF_KEY_SECONDS,                                                                   \
     RF_KEY_AT(type, grace_us),                                                                \
     .max = 30 * 86400,                                                                        \
     .number = grace_s},                                                                       \
        {.key = "checkpoint_s",                                                                \
         .kind = RF_KEY_SECONDS,                                                               \
         RF_KEY_AT(type, checkpoint_us),                                                       \
         .max = 30 * 86400,                                                                    \
         .number = write_s},                                                                   \
        {.key = "checkpoint_every_s",                                                          \
         .kind = RF_KEY_SECONDS,                                                               \
         RF_KEY_AT(type, checkpoint_every_us),                                                 \
         .max = RF_LONGEST_S,                                                                  \
         .number = every_s},                                                                   \
    {                                                                                          \
        .key = "restart_s", .kind = RF_KEY_SECONDS, RF_KEY_AT(type, restart_us),               \
        .max = 30 * 86400, .number = start_s                                                   \
    }

#endif
