/* pledge_rules.h - what the files of the tally share; nobody else includes it.
 *
 * pledge.c hears of events, pledge_begin.c takes in new pledges, pledge_window.c sums up. */
#ifndef RF_ALLOC_PLEDGE_RULES_H
#define RF_ALLOC_PLEDGE_RULES_H

#include "alloc/pledge.h"

static inline int64_t rf_later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t rf_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* a + b, or the largest number. */
static inline int64_t rf_plus(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* The pledged account that the account belongs to; NULL: none. */
static inline struct rf_tally_group *rf_tally_group_of(const struct rf_tally *tally,
                                                       int32_t account)
{
    int32_t g = tally->group_of[account];

    return g < 0 ? NULL : &tally->groups[g];
}

/* Running, or queued and ready. */
static inline int rf_takes_part(const struct rf_state *state, const struct rf_job *job)
{
    return job->lease >= 0 ||
           (job->state == RF_JOB_QUEUED && (job->extra < 0 || rf_state_ready(state, job)));
}

static inline int64_t rf_usable_of(const struct rf_job *job, int32_t fleet)
{
    return job->max < fleet ? job->max : fleet;
}

/* Of the time that it went without, what the job had a use for: no more than its limit on as
 * many devices as it can use. */
static inline int64_t rf_use_of(const struct rf_job *job, int64_t unmet_us)
{
    return job->limit_us > 0 && job->limit_us <= (unmet_us - 1) / job->max
               ? job->limit_us * job->max
               : unmet_us;
}

/* Windows from the first up to the one that the pledge begins in, at t_us. */
enum rf_status rf_pledge_begin(struct rf_pledge_account *p, int64_t start_us, int64_t t_us,
                               struct rf_error *err);
/* How far a pledge's windows can go without being too many. */
int64_t rf_pledge_last_us(int64_t start_us, int64_t window_us);
/* Integrate up to t_us with the sums as they stand: one pledge, or all. A window that ends on
 * the way looks at the jobs of the state, which must be as they were up to then. */
enum rf_status rf_tally_bring_up(const struct rf_tally *tally, struct rf_pledge_account *p,
                                 const struct rf_state *state, int64_t t_us,
                                 struct rf_error *err);
enum rf_status rf_tally_bring_up_all(struct rf_tally *tally, const struct rf_state *state,
                                     int64_t t_us, struct rf_error *err);
/* Devices held from from_us to to_us: to each window its part, as read or as not read yet. */
void rf_pledge_add_reading(struct rf_pledge_account *p, int64_t from_us, int64_t to_us,
                           int32_t devices, int unread);
/* From the last reading of any holder on, a crash leaves no evidence. */
void rf_pledge_mark_dark(struct rf_pledge_account *p, int64_t from_us, int64_t to_us);

/* ---- pledge.c ---- */

/* Does f for every job of a pledged account that is ready or running. */
void rf_tally_for_jobs(struct rf_tally *tally, const struct rf_state *state, int64_t t_us,
                       void (*f)(struct rf_tally *, struct rf_tally_group *,
                                 const struct rf_job *, int32_t id, int64_t t_us));
/* A job asks for devices, from t_us on. */
void rf_tally_join(struct rf_tally *tally, struct rf_tally_group *g, const struct rf_job *job,
                   int32_t id, int64_t t_us);

/* ---- pledge_begin.c ---- */

/* Makes room for want items; the array may move. New bytes are zero. */
enum rf_status rf_tally_reserve(void **array, int32_t *room, int64_t want, size_t item,
                                struct rf_error *err);
/* To which pledge each account belongs. */
enum rf_status rf_tally_know_accounts(struct rf_tally *tally, const struct rf_state *state,
                                      struct rf_error *err);
/* The job comes after others that are not done. */
enum rf_status rf_tally_wait(struct rf_tally *tally, int32_t id, struct rf_error *err);
/* The pledge of the event, which has been applied. */
enum rf_status rf_tally_add_pledge(struct rf_tally *tally, const struct rf_state *state,
                                   const struct rf_event *event, struct rf_error *err);

#endif
