/* books.h - where every device-microsecond went.
 *
 * While the run is open, each device-microsecond of what is installed (fleet + down devices)
 * lands in exactly one of
 *
 *   own            held by an account within its share, or on devices promised to nobody
 *   lent           held by an account beyond that: on devices that are promised to another
 *   overhead       held by a job that is asked to stop (until it lets go), and work that is
 *                  lost or done for a restart, as the driver reports it
 *   idle_reserved  held by nobody, promised to somebody
 *   idle_free      held by nobody, promised to nobody
 *   down           failed, or in maintenance
 *
 * There is one page for each pledged account with all below it, and page 0 for everybody else.
 *
 * Exactly: time is cut into stretches in which nothing changes. In a stretch of length dt, with
 * the fleet C, page i holds H_i = devices x dt, and is promised R_i = floor(p x K(end)) -
 * floor(p x K(begin)), K the device-time that its share has been taken of so far: no fraction of
 * a device is rounded away, it is paid out as soon as it amounts to a device-microsecond. The
 * share is of the fleet (basis fleet), or of min(fleet, devices secured at the date). Then
 *   within     W_i = min(H_i, R_i)
 *   pool       F   = C dt - sum of R, not below 0
 *   own_i          = W_i + what of H_i - W_i fits into the pool, page 0 first, then the others in
 *                    order of their first pledge; lent_i = H_i - own_i
 *   idle_reserved  = min(sum of R_i - W_i, C dt - sum of H); idle_free = the rest of C dt - sum of H
 *   stopping_i     = devices of stopping jobs x dt: taken from lent_i, then from own_i
 * so that the categories add up to the time installed whatever the shares are; rf_books_check()
 * adds them up, and compares what was held with the meter readings. Page i's idle_us is its part
 * R_i - W_i of what was promised and idle; what of that was lent is taken from the pages in
 * order.
 *
 * Where devices are only counted, those that failed are repaired before those in maintenance.
 * R_i begins anew, without a fraction, when the terms change.
 *
 * What is down is nobody's use; each page's down_us says how much of it its share would have
 * been. Between a close and its recover event nothing is counted. */
#ifndef RF_ALLOC_BOOKS_H
#define RF_ALLOC_BOOKS_H

#include "alloc/observer.h"

struct rf_book {
    char name[RF_NAME_BYTES];   /* the account; "" for everybody else */
    int32_t account;            /* -1: everybody else */
    struct rf_wide reserved_us; /* promised */
    struct rf_wide own_us, lent_us, overhead_us;
    struct rf_wide idle_us; /* promised, idle, and not lent to others */
    struct rf_wide down_us; /* its share of what was down: lost to failures and maintenance */
};

struct rf_books_totals {
    struct rf_wide installed_us;
    struct rf_wide own_us, lent_us, overhead_us, idle_reserved_us, idle_free_us;
    struct rf_wide down_us, failed_us, maintenance_us; /* down = failed + maintenance */
    /* Held when a recorder died: in own, lent or overhead, without a reading. */
    struct rf_wide unread_us;
};

struct rf_books;
/* The caller ends *books with rf_books_destroy(). */
enum rf_status rf_books_create(struct rf_books **books, struct rf_error *err);
void rf_books_destroy(struct rf_books *books);

/* The books are borrowed. A refused event leaves nothing behind. Costs a division for each
 * page and stretch in which something is pledged, and nothing that grows with the jobs. */
struct rf_observer rf_books_observer(struct rf_books *books);

/* So much of what the job has held is overhead, not use: work that was lost, a restart. It is
 * taken from its page's lent use when the job borrowed (`lent` of its devices), else from its own
 * use, and from the other where that is not enough. RF_ERR_ARG, and nothing changes, when the
 * page has not held so much. To be called after the observer has seen the last event. */
enum rf_status rf_books_overhead(struct rf_books *books, const struct rf_state *state,
                                 int32_t job, int64_t device_us, int lent,
                                 struct rf_error *err);

/* Sums up to t_us, which lies between the last event and the next one; changes nothing. */
void rf_books_totals(const struct rf_books *books, int64_t t_us, struct rf_books_totals *out);
int rf_books_npages(const struct rf_books *books);
void rf_books_page(const struct rf_books *books, int page, int64_t t_us, struct rf_book *out);
/* Overhead of an account and those below it. */
struct rf_wide rf_books_account_overhead_us(const struct rf_books *books, int32_t account);

/* Do the categories add up to installed x time, the pages to the totals, and what was held to the
 * meter readings? RF_ERR_INTERNAL with the figures when not. */
enum rf_status rf_books_check(const struct rf_books *books, const struct rf_state *state,
                              struct rf_error *err);

#endif
