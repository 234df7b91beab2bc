/* series_parts.h - the inside of a time series: series.c watches events, series_steps.c sums. */
#ifndef RF_SIM_SERIES_PARTS_H
#define RF_SIM_SERIES_PARTS_H

#include "sim/series.h"

enum {
    RF_SERIES_UP,
    RF_SERIES_DOWN,
    RF_SERIES_USED,
    RF_SERIES_SUBMITTED,
    RF_SERIES_PREEMPTED,
    RF_SERIES_FIXED, /* columns that are always there, then three for each group, then the rest */
    RF_SERIES_BOOKS = 5,
    RF_SERIES_MOST_COLUMNS = RF_SERIES_FIXED + 3 * RF_GROUPS_MAX + RF_SERIES_BOOKS +
                             2 * RF_SERIES_PLEDGES + RF_SERIES_REASONS,
    RF_SERIES_COARSE_US = 1000 /* the unit of time where many jobs wait for many devices */
};

struct rf_series_level {
    int64_t now, sum; /* sum: over the current step, if nothing changes until its end */
};

struct rf_series_line { /* a pledge, from its event on */
    int column;
    int32_t account;
    struct rf_share share;
    int32_t secured; /* -1: of the fleet */
    struct rf_series_level base;
    int64_t carry; /* what of a device-microsecond the steps that are over leave */
};

struct rf_series_owner {
    int32_t account;
    int column;
};

struct rf_series {
    struct rf_series_table table;
    struct rf_series_level levels[RF_SERIES_MOST_COLUMNS];
    int64_t step_us, begin_us, end_us; /* of the current step */
    int most, started;
    int32_t *group_of; /* owned, by account of the state; -1: none, -2: not asked yet */
    int32_t ngroup_of;
    struct rf_series_line lines[RF_SERIES_PLEDGES];
    struct rf_series_owner owners[RF_SERIES_PLEDGES];
    int nlines, nowners;
    signed char denied_of[256], delay_of[256]; /* by reason of the state; -1: not seen yet */
    int denied_columns[RF_SERIES_REASONS], ndenied;
    const struct rf_books *books; /* borrowed; NULL: none */
    int books_column;
    struct rf_wide booked[RF_SERIES_BOOKS];
    int64_t seen_us;
    struct rf_wide capacity_us; /* devices that work, integrated up to seen_us */
    struct rf_wide capacity_first_us, capacity_last_us;
    struct { /* the event's job, before the event */
        int32_t devices;
        int waiting;
    } was;
};

/* A new column "kind:of", or "kind" when of is "". */
enum rf_status rf_series_add_column(struct rf_series *s, int mean, int64_t unit_us,
                                    const char *kind, const char *of, int *index,
                                    struct rf_error *err);

/* The level is `value` from t_us on, which lies in the current step. */
void rf_series_set_sum(const struct rf_series *s, struct rf_series_level *level, int64_t value,
                       int64_t t_us, int64_t unit_us);
void rf_series_set_level(struct rf_series *s, int column, int64_t value, int64_t t_us);
void rf_series_add_level(struct rf_series *s, int column, int64_t change, int64_t t_us);
void rf_series_count(struct rf_series *s, int column);

/* The first of a group's three columns: used, queued, waiting. */
int rf_series_used_column(int group);

/* Ends the current step at t_us and begins the next. */
void rf_series_close_step(struct rf_series *s, int64_t t_us);
/* What was counted, and booked, at the very end belongs to the step that ends there. */
void rf_series_add_last_moment(struct rf_series *s, int64_t t_us);

#endif
