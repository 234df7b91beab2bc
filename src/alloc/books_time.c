/* Between two events nothing changes, so the books cut time there, and sort each stretch
 * into the categories with integers only: what a share is of a stretch is the difference
 * of two rounded sums, so that the fractions of all stretches are carried on to the next. */
#include "alloc/books_rules.h"

enum { SHORT_US = INT32_MAX }; /* so long a stretch of any fleet fits in 63 bits */

/* What the page is promised of dt. */
static int64_t promised(const struct rf_books *books, struct rf_books_account *page, int64_t dt)
{
    int32_t base = page->secured && page->devices < books->fleet ? page->devices : books->fleet;

    return rf_share_take(&page->share, base * dt, &page->carry);
}

/* Puts a stretch of a page's time into own, lent and overhead; pool is what nobody was promised.
 */
static void add_use(struct rf_books *books, struct rf_books_account *page, int64_t dt,
                    int64_t reserved, int64_t *pool)
{
    int64_t held = page->held * dt, within = rf_books_least(held, reserved);
    int64_t pooled = rf_books_least(held - within, *pool), own = within + pooled,
            lent = held - own;
    int64_t stopping = page->stopping * dt, of_lent = rf_books_least(stopping, lent);

    *pool -= pooled;
    lent -= of_lent;
    own -= stopping - of_lent;
    rf_wide_add(&page->sum.own_us, own);
    rf_wide_add(&page->sum.lent_us, lent);
    rf_wide_add(&page->sum.overhead_us, stopping);
    rf_wide_add(&books->sum.own_us, own);
    rf_wide_add(&books->sum.lent_us, lent);
    rf_wide_add(&books->sum.overhead_us, stopping);
}

/* Nothing is promised: what is held is own, what is not is free. */
static void pass_unpromised(struct rf_books *books, int64_t dt)
{
    int64_t pool = books->fleet * dt;

    add_use(books, &books->pages[0], dt, 0, &pool);
    rf_wide_add(&books->sum.idle_free_us, pool);
}

static void pass_promised(struct rf_books *books, int64_t dt)
{
    int64_t fleet = books->fleet * dt, idle = fleet - books->nheld * dt;
    int64_t pool = fleet, vacant = 0;
    int64_t reserved[RF_PLEDGES_MAX + 1], lent_out;

    reserved[0] = 0;
    for (int i = 1; i < books->npages; i++) {
        struct rf_books_account *page = &books->pages[i];

        reserved[i] = promised(books, page, dt);
        rf_wide_add(&page->sum.reserved_us, reserved[i]);
        if (books->installed > books->fleet)
            rf_wide_add(&page->sum.down_us,
                        rf_share_take(&page->share, (books->installed - books->fleet) * dt,
                                      &page->carry_down));
        vacant += reserved[i] - rf_books_least(reserved[i], page->held * dt);
        pool -= reserved[i];
    }
    pool = pool > 0 ? pool : 0;
    for (int i = 0; i < books->npages; i++)
        add_use(books, &books->pages[i], dt, reserved[i], &pool);
    lent_out = vacant - rf_books_least(vacant, idle);
    rf_wide_add(&books->sum.idle_reserved_us, rf_books_least(vacant, idle));
    rf_wide_add(&books->sum.idle_free_us, idle - rf_books_least(vacant, idle));
    for (int i = 1; i < books->npages; i++) {
        int64_t own = reserved[i] - rf_books_least(reserved[i], books->pages[i].held * dt);
        int64_t gone = rf_books_least(own, lent_out);

        lent_out -= gone;
        rf_wide_add(&books->pages[i].sum.idle_us, own - gone);
    }
}

static void pass_stretch(struct rf_books *books, int64_t dt)
{
    int64_t failed_us = books->failed * dt, maintenance_us = books->maintenance * dt;

    rf_wide_add(&books->sum.installed_us, books->installed * dt);
    rf_wide_add(&books->sum.failed_us, failed_us);
    rf_wide_add(&books->sum.maintenance_us, maintenance_us);
    rf_wide_add(&books->sum.down_us, failed_us + maintenance_us);
    if (books->npages == 1)
        pass_unpromised(books, dt);
    else
        pass_promised(books, dt);
}

/* What a stretch amounts to has to fit in 63 bits: cutting one that is too long changes nothing,
 * as fractions are carried on. */
void rf_books_pass(struct rf_books *books, int64_t t_us)
{
    int64_t dt = t_us - books->now_us;

    books->now_us = t_us;
    if (!books->open)
        return;
    for (int64_t part; dt > 0; dt -= part) {
        part = rf_books_least(dt, dt <= SHORT_US ? dt : INT64_MAX / ((int64_t)books->peak + 1));
        pass_stretch(books, part);
    }
}
