/* The books as they are at some moment, and whether they add up. */
#include "alloc/books_rules.h"

#include <string.h>

/* The books as they are at t_us, on the caller's stack. */
struct glance {
    struct rf_books books;
    struct rf_books_account pages[RF_PLEDGES_MAX + 1];
};

static void look(struct glance *g, const struct rf_books *books, int64_t t_us)
{
    g->books = *books;
    g->books.pages = g->pages;
    memcpy(g->pages, books->pages, (size_t)books->npages * sizeof *g->pages);
    rf_books_pass(&g->books, t_us);
}

void rf_books_totals(const struct rf_books *books, int64_t t_us, struct rf_books_totals *out)
{
    struct glance g;

    look(&g, books, t_us);
    *out = g.books.sum;
}

int rf_books_npages(const struct rf_books *books)
{
    return books->npages;
}

void rf_books_page(const struct rf_books *books, int page, int64_t t_us, struct rf_book *out)
{
    struct glance g;

    look(&g, books, t_us);
    *out = g.pages[page].sum;
}

struct rf_wide rf_books_account_overhead_us(const struct rf_books *books, int32_t account)
{
    return account < books->naccounts ? books->overhead_us[account] : rf_wide_of(0);
}

static int same(struct rf_wide a, struct rf_wide b)
{
    return rf_wide_compare(a, b) == 0;
}

static enum rf_status differ(struct rf_error *err, const char *what, struct rf_wide a,
                             struct rf_wide b)
{
    char first[RF_WIDE_BYTES], second[RF_WIDE_BYTES];

    return rf_fail(err, RF_ERR_INTERNAL,
                   "the books do not add up: %s, in device-microseconds: %s and %s", what,
                   rf_wide_text(a, first), rf_wide_text(b, second));
}

static enum rf_status check_pages(const struct rf_books *books, struct rf_error *err)
{
    struct rf_book all = {.account = -1};

    for (int i = 0; i < books->npages; i++) {
        const struct rf_book *page = &books->pages[i].sum;

        all.own_us = rf_wide_plus(all.own_us, page->own_us);
        all.lent_us = rf_wide_plus(all.lent_us, page->lent_us);
        all.overhead_us = rf_wide_plus(all.overhead_us, page->overhead_us);
        all.idle_us = rf_wide_plus(all.idle_us, page->idle_us);
    }
    if (!same(all.own_us, books->sum.own_us))
        return differ(err, "own by pages and in all", all.own_us, books->sum.own_us);
    if (!same(all.lent_us, books->sum.lent_us))
        return differ(err, "lent by pages and in all", all.lent_us, books->sum.lent_us);
    if (!same(all.overhead_us, books->sum.overhead_us))
        return differ(err, "overhead by pages and in all", all.overhead_us,
                      books->sum.overhead_us);
    if (!same(all.idle_us, books->sum.idle_reserved_us))
        return differ(err, "idle reserved by pages and in all", all.idle_us,
                      books->sum.idle_reserved_us);
    return RF_OK;
}

/* What was held: by the readings, by those that are still to come, and without any. */
static struct rf_wide held_of(const struct rf_books *books, const struct rf_state *state)
{
    struct rf_wide held_us = books->sum.unread_us;

    for (int32_t a = 0; a < state->naccounts; a++)
        if (state->accounts[a].parent < 0)
            held_us = rf_wide_plus(held_us, state->accounts[a].held_us);
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next)
        rf_wide_add(&held_us, rf_state_owed_us(&state->jobs[i], state->now_us));
    return held_us;
}

enum rf_status rf_books_check(const struct rf_books *books, const struct rf_state *state,
                              struct rf_error *err)
{
    struct glance g;
    const struct rf_books_totals *s = &g.books.sum;
    struct rf_wide used, all, held_us = held_of(books, state), down;

    look(&g, books, state->now_us);
    used = rf_wide_plus(rf_wide_plus(s->own_us, s->lent_us), s->overhead_us);
    all = rf_wide_plus(rf_wide_plus(used, s->idle_reserved_us),
                       rf_wide_plus(s->idle_free_us, s->down_us));
    down = rf_wide_plus(s->failed_us, s->maintenance_us);
    if (!same(all, s->installed_us))
        return differ(err, "the categories and what is installed", all, s->installed_us);
    if (!same(s->down_us, down))
        return differ(err, "down, and failed or in maintenance", s->down_us, down);
    if (!same(used, held_us))
        return differ(err, "what the books hold in use, and the readings", used, held_us);
    if (books->installed != state->nfleet + state->ndown)
        return rf_fail(err, RF_ERR_INTERNAL, "the books have %d devices, the state %d",
                       books->installed, state->nfleet + state->ndown);
    return check_pages(&g.books, err);
}
