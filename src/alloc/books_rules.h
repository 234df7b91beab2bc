/* books_rules.h - what the files of the books share; nobody else includes it.
 *
 * books.c hears of events, books_time.c sorts the time between them into categories, and
 * books_look.c shows and checks the sums. */
#ifndef RF_ALLOC_BOOKS_RULES_H
#define RF_ALLOC_BOOKS_RULES_H

#include "alloc/books.h"

/* A pledged account, or everybody else (page 0). */
struct rf_books_account {
    int32_t account;
    struct rf_share share;
    int secured;      /* the basis */
    int32_t devices;  /* secured when the pledge was made */
    int32_t stopping; /* devices of jobs that are asked to stop */
    int32_t held;
    int64_t carry;      /* what of a device-microsecond is promised so far, in 1/den */
    int64_t carry_down; /* ... and was down */
    struct rf_book sum;
};

struct rf_books {
    struct rf_books_account *pages; /* owned */
    int npages;
    int32_t *page_of;            /* owned, by account */
    struct rf_wide *overhead_us; /* owned, by account */
    int32_t naccounts, room;
    struct rf_books_totals sum;
    int64_t now_us;
    int open;
    int32_t installed, fleet, nheld; /* since the last event */
    int32_t peak;                    /* the most that was ever installed */
    int32_t failed, maintenance;     /* devices that are down */
    struct rf_idset in_maintenance;  /* of these, when they are known by id; owned */
    struct {                         /* the event's job, before the event */
        int32_t devices, account;
        int stopping;
        int64_t preempt_us;
    } was;
};

static inline int64_t rf_books_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Time passes with everything as it was after the last event. */
void rf_books_pass(struct rf_books *books, int64_t t_us);

#endif
