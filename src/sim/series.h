/* series.h - how a simulation went over time, summed up by steps of equal length.
 *
 * An observer. What is a level (devices held, jobs that wait) is integrated over each step, so
 * that short peaks count with their length and steps can be merged without loss; what happens
 * at a moment (a denial) is counted. There are never more than `most` steps: when they run
 * out, neighbours are merged and the step is twice as long from then on.
 *
 * Columns:
 *
 *   up, down, used                  devices of the fleet that work, that do not, that jobs hold
 *   own, lent, reserved, free, overhead    what the books say (alloc/books.h), when attached;
 *                                   what turns out to be lost counts when it does
 *   used:A, queued:A, waiting:A     per group (groups.h): devices held; devices that waiting
 *                                   jobs ask for (their max); waiting jobs
 *   promised:A, delivered:A         per pledged account: devices of the share that was promised
 *                                   first, devices held by the account and those below it
 *   promised:A#2, ...               ... the share after the first change, and so on; 0 before
 *   submitted, preempted            jobs
 *   denied:R                        requests denied, per reason */
#ifndef RF_SIM_SERIES_H
#define RF_SIM_SERIES_H

#include "alloc/books.h"
#include "alloc/observer.h"
#include "sim/groups.h"

enum { RF_SERIES_REASONS = 8, RF_SERIES_PLEDGES = 12 };

struct rf_series_column {
    char name[RF_NAME_BYTES + 32];
    int mean;        /* a level, integrated; 0: a count */
    int64_t unit_us; /* of time in the integral: 1, or 1000 where sums could grow too large */
    int64_t *values; /* owned, by step; since the run's first event */
};

/* How often a job began to wait for a reason. */
struct rf_series_delay {
    char reason[RF_TEXT_BYTES];
    int64_t count;
};

struct rf_series_table {
    int64_t *t_us; /* owned, nsteps + 1; step k is [t_us[k], t_us[k + 1]) */
    int nsteps;
    struct rf_series_column *columns; /* owned */
    int ncolumns;
    struct rf_groups groups;
    struct rf_series_delay delays[RF_SERIES_REASONS]; /* the last one takes all that is left */
    int ndelays;
    int64_t first_submit_us, last_end_us; /* -1: none */
    /* Devices that worked, integrated from the first submission to the last end of a job, or
     * to the end of the run where jobs were left. */
    struct rf_wide span_capacity_us;
};

struct rf_series_options {
    int64_t step_us;    /* 0: horizon / 500, at least a minute, in whole seconds */
    int64_t horizon_us; /* how long the run will be, about; 0: until the last submission */
    int most;           /* steps; even, at least 2 */
};

struct rf_series;

/* 0, 0, 1000 */
struct rf_series_options rf_series_options_make(void);

/* The workload is only looked at here. The caller ends *series with rf_series_destroy(). */
enum rf_status rf_series_create(struct rf_series **series, const struct rf_workload *workload,
                                const struct rf_series_options *options, struct rf_error *err);
void rf_series_destroy(struct rf_series *series);
struct rf_observer rf_series_observer(struct rf_series *series);

/* From now on the books' columns are kept too. The books are borrowed; to be called before the
 * first event. */
enum rf_status rf_series_attach(struct rf_series *series, const struct rf_books *books,
                                struct rf_error *err);

/* Ends the last step where time stands. */
void rf_series_finish(struct rf_series *series, const struct rf_state *state);

/* Valid after rf_series_finish(), until the series ends. */
const struct rf_series_table *rf_series_table(const struct rf_series *series);

/* The column of that name, or NULL; its mean over a step (levels) or the count. */
const struct rf_series_column *rf_series_find(const struct rf_series_table *table,
                                              const char *name);
double rf_series_value(const struct rf_series_table *table,
                       const struct rf_series_column *column, int step);

#endif
