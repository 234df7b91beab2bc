/* Between two events nothing changes, so the books cut time there, and sort each stretch
 * into the categories with integers only: what a share is of a stretch is the difference
 * of two rounded sums, so that the fractions of all stretches are carried on to the next. */
#include "alloc/books.h"

#include <stdlib.h>
#include <string.h>

/* A pledged account, or everybody else (page 0). */
struct page {
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
    struct page *pages; /* owned */
    int npages;
    int32_t *page_of;     /* owned, by account */
    int64_t *overhead_us; /* owned, by account */
    int32_t naccounts, room;
    struct rf_books_totals sum;
    int64_t now_us;
    int open;
    int32_t installed, fleet, nheld; /* since the last event */
    int32_t failed, maintenance;     /* devices that are down */
    struct rf_idset in_maintenance;  /* of these, when they are known by id; owned */
    struct {                         /* the event's job, before the event */
        int32_t devices;
        int stopping;
        int64_t preempt_us;
    } was;
};

enum rf_status rf_books_create(struct rf_books **books, struct rf_error *err)
{
    struct rf_books *b = calloc(1, sizeof *b);

    *books = b;
    if (b != NULL)
        b->pages = calloc(1, sizeof *b->pages);
    if (b == NULL || b->pages == NULL) {
        rf_books_destroy(b);
        *books = NULL;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the books");
    }
    b->npages = 1;
    b->pages[0] = (struct page){.account = -1, .sum.account = -1};
    return RF_OK;
}

void rf_books_destroy(struct rf_books *books)
{
    if (books == NULL)
        return;
    rf_idset_clear(&books->in_maintenance);
    free(books->pages);
    free(books->page_of);
    free(books->overhead_us);
    free(books);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- one stretch -------------------------------------------------------- */

/* What the page is promised of dt. */
static int64_t promised(const struct rf_books *books, struct page *page, int64_t dt)
{
    int32_t base = page->secured && page->devices < books->fleet ? page->devices : books->fleet;

    return rf_share_take(&page->share, base * dt, &page->carry);
}

/* Puts a stretch of a page's time into own, lent and overhead; pool is what nobody was promised.
 */
static void add_use(struct rf_books *books, struct page *page, int64_t dt, int64_t reserved,
                    int64_t *pool)
{
    int64_t held = page->held * dt, within = least(held, reserved);
    int64_t pooled = least(held - within, *pool), own = within + pooled, lent = held - own;
    int64_t stopping = page->stopping * dt, of_lent = least(stopping, lent);

    *pool -= pooled;
    lent -= of_lent;
    own -= stopping - of_lent;
    page->sum.own_us += own;
    page->sum.lent_us += lent;
    page->sum.overhead_us += stopping;
    books->sum.own_us += own;
    books->sum.lent_us += lent;
    books->sum.overhead_us += stopping;
}

/* Nothing is promised: what is held is own, what is not is free. */
static void pass_unpromised(struct rf_books *books, int64_t dt)
{
    int64_t pool = books->fleet * dt;

    add_use(books, &books->pages[0], dt, 0, &pool);
    books->sum.idle_free_us += pool;
}

static void pass_promised(struct rf_books *books, int64_t dt)
{
    int64_t fleet = books->fleet * dt, idle = fleet - books->nheld * dt;
    int64_t pool = fleet, vacant = 0;
    int64_t reserved[RF_PLEDGES_MAX + 1], lent_out;

    reserved[0] = 0;
    for (int i = 1; i < books->npages; i++) {
        struct page *page = &books->pages[i];

        reserved[i] = promised(books, page, dt);
        page->sum.reserved_us += reserved[i];
        if (books->installed > books->fleet)
            page->sum.down_us += rf_share_take(
                &page->share, (books->installed - books->fleet) * dt, &page->carry_down);
        vacant += reserved[i] - least(reserved[i], page->held * dt);
        pool -= reserved[i];
    }
    pool = pool > 0 ? pool : 0;
    for (int i = 0; i < books->npages; i++)
        add_use(books, &books->pages[i], dt, reserved[i], &pool);
    lent_out = vacant - least(vacant, idle);
    books->sum.idle_reserved_us += least(vacant, idle);
    books->sum.idle_free_us += idle - least(vacant, idle);
    for (int i = 1; i < books->npages; i++) {
        int64_t own = reserved[i] - least(reserved[i], books->pages[i].held * dt);
        int64_t gone = least(own, lent_out);

        lent_out -= gone;
        books->pages[i].sum.idle_us += own - gone;
    }
}

/* Time passes with everything as it was after the last event. */
static void pass(struct rf_books *books, int64_t t_us)
{
    int64_t dt = t_us - books->now_us;

    books->now_us = t_us;
    if (!books->open || dt <= 0)
        return;
    books->sum.installed_us += books->installed * dt;
    books->sum.failed_us += books->failed * dt;
    books->sum.maintenance_us += books->maintenance * dt;
    books->sum.down_us += (books->failed + books->maintenance) * dt;
    if (books->npages == 1)
        pass_unpromised(books, dt);
    else
        pass_promised(books, dt);
}

/* ---- events ------------------------------------------------------------- */

/* To the account and all above it. */
static void add_overhead(struct rf_books *books, const struct rf_state *state, int32_t account,
                         int64_t device_us)
{
    for (; account >= 0; account = state->accounts[account].parent)
        books->overhead_us[account] += device_us;
}

/* All leases end without a reading. */
static enum rf_status before_recover(struct rf_books *books, const struct rf_state *state,
                                     const struct rf_event *event, struct rf_error *err)
{
    enum rf_status st = rf_state_check(state, event, err);

    if (st != RF_OK)
        return st;
    pass(books, event->t_us);
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next) {
        const struct rf_job *job = &state->jobs[i];

        books->sum.unread_us += rf_state_owed_us(job, event->t_us);
        if (job->state == RF_JOB_STOPPING)
            add_overhead(books, state, job->account,
                         job->ndevices * (event->t_us - job->preempt_us));
    }
    return RF_OK;
}

static enum rf_status before(void *self, const struct rf_state *state,
                             const struct rf_event *event, struct rf_error *err)
{
    struct rf_books *books = self;

    if (event->type == RF_EVENT_RECOVER)
        return before_recover(books, state, event, err);
    if (event->job >= 0 && event->job < state->njobs) {
        const struct rf_job *job = &state->jobs[event->job];

        books->was.devices = job->ndevices;
        books->was.stopping = job->state == RF_JOB_STOPPING;
        books->was.preempt_us = job->preempt_us;
    }
    return RF_OK;
}

/* Which page each account belongs to. */
static enum rf_status know_accounts(struct rf_books *books, const struct rf_state *state,
                                    struct rf_error *err)
{
    if (state->naccounts > books->room) {
        int32_t room = state->naccounts + state->naccounts / 2 + 16;
        int32_t *pages = realloc(books->page_of, (size_t)room * sizeof *pages);
        int64_t *overhead;

        books->page_of = pages != NULL ? pages : books->page_of;
        overhead = realloc(books->overhead_us, (size_t)room * sizeof *overhead);
        books->overhead_us = overhead != NULL ? overhead : books->overhead_us;
        if (pages == NULL || overhead == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: the books of %d accounts", room);
        for (int32_t a = books->room; a < room; a++)
            books->overhead_us[a] = 0;
        books->room = room;
    }
    for (; books->naccounts < state->naccounts; books->naccounts++) {
        books->page_of[books->naccounts] = 0;
        for (int i = 1; i < books->npages; i++)
            if (rf_state_within(state, books->naccounts, books->pages[i].account))
                books->page_of[books->naccounts] = i;
    }
    return RF_OK;
}

/* A page of its own for what was on page 0 until now. */
static enum rf_status add_page(struct rf_books *books, const struct rf_state *state,
                               const struct rf_pledge *pledge, struct rf_error *err)
{
    struct page *more = realloc(books->pages, ((size_t)books->npages + 1) * sizeof *more);
    struct page *page;

    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a page of the books");
    books->pages = more;
    page = &books->pages[books->npages++];
    *page = (struct page){.account = pledge->account,
                          .held = state->accounts[pledge->account].used};
    page->sum.account = pledge->account;
    memcpy(page->sum.name, pledge->account_name, sizeof page->sum.name);
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next)
        if (state->jobs[i].state == RF_JOB_STOPPING &&
            rf_state_within(state, state->jobs[i].account, pledge->account))
            page->stopping += state->jobs[i].ndevices;
    books->pages[0].held -= page->held;
    books->pages[0].stopping -= page->stopping;
    books->naccounts = 0;
    return know_accounts(books, state, err);
}

static enum rf_status after_pledge(struct rf_books *books, const struct rf_state *state,
                                   const struct rf_event *event, struct rf_error *err)
{
    const struct rf_pledge *pledge = NULL;
    enum rf_status st = RF_OK;
    int i = 1;

    for (int32_t k = 0; k < state->npledges; k++)
        if (strcmp(state->pledges[k].account_name, event->account) == 0)
            pledge = &state->pledges[k];
    while (pledge != NULL && i < books->npages && books->pages[i].account != pledge->account)
        i++;
    if (pledge != NULL && i == books->npages)
        st = add_page(books, state, pledge, err);
    if (pledge == NULL || st != RF_OK)
        return st;
    books->pages[i].share = pledge->share;
    books->pages[i].secured = strcmp(pledge->basis, "secured") == 0;
    books->pages[i].devices = pledge->secured;
    books->pages[i].carry = books->pages[i].carry_down = 0;
    return RF_OK;
}

/* How many of the devices were in maintenance; they are not any more. */
static enum rf_status take_from_maintenance(struct rf_books *books,
                                            const struct rf_idset *devices, int32_t *count,
                                            struct rf_error *err)
{
    struct rf_idset found = {0};
    enum rf_status st = RF_OK;

    for (int32_t r = 0; st == RF_OK && r < devices->nranges; r++)
        for (int32_t id = devices->ranges[r].begin; st == RF_OK && id < devices->ranges[r].end;
             id++)
            if (rf_idset_has(&books->in_maintenance, id))
                st = rf_idset_add(&found, id, id + 1, err);
    *count = rf_idset_count(&found);
    if (st == RF_OK)
        st = rf_idset_remove_set(&books->in_maintenance, &found, err);
    rf_idset_clear(&found);
    return st;
}

static enum rf_status after_capacity(struct rf_books *books, const struct rf_state *state,
                                     const struct rf_event *event, struct rf_error *err)
{
    int32_t count = rf_state_count(state, event);
    int32_t kept = count < books->failed ? count : books->failed;
    int32_t maintenance = count - kept; /* of those that are repaired */
    enum rf_status st = RF_OK;

    if (strcmp(event->reason, "joined") == 0) {
        books->installed += count;
    } else if (strcmp(event->reason, "left") == 0) {
        books->installed -= count;
    } else if (strcmp(event->reason, "failed") == 0) {
        books->failed += count;
    } else if (strcmp(event->reason, "maintenance") == 0) {
        books->maintenance += count;
        if (!state->by_count)
            st = rf_idset_add_set(&books->in_maintenance, &event->devices, err);
    } else {
        if (!state->by_count)
            st = take_from_maintenance(books, &event->devices, &maintenance, err);
        books->maintenance -= maintenance;
        books->failed -= count - maintenance;
    }
    return st;
}

static void after_job(struct rf_books *books, const struct rf_state *state,
                      const struct rf_event *event)
{
    const struct rf_job *job = &state->jobs[event->job];
    struct page *page = &books->pages[books->page_of[job->account]];

    page->held += job->ndevices - books->was.devices;
    if (event->type == RF_EVENT_PREEMPT) {
        page->stopping += job->ndevices;
    } else if (books->was.stopping && job->state != RF_JOB_STOPPING) {
        page->stopping -= books->was.devices;
        add_overhead(books, state, job->account,
                     books->was.devices * (event->t_us - books->was.preempt_us));
    }
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct rf_books *books = self;
    enum rf_status st = RF_OK;

    switch (event->type) { /* what changes nothing here does not cut time either */
    case RF_EVENT_REQUEST:
        return books->naccounts < state->naccounts ? know_accounts(books, state, err) : RF_OK;
    case RF_EVENT_DENY:
    case RF_EVENT_DELAY:
    case RF_EVENT_CHARGE:
    case RF_EVENT_CHECKPOINT:
    case RF_EVENT_HEARTBEAT:
    case RF_EVENT_POLICY:
    case RF_EVENT_RESERVE:
        return RF_OK;
    default:
        break;
    }
    pass(books, event->t_us);
    switch (event->type) {
    case RF_EVENT_GRANT:
    case RF_EVENT_PREEMPT:
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        after_job(books, state, event);
        break;
    case RF_EVENT_CAPACITY:
        st = after_capacity(books, state, event, err);
        break;
    case RF_EVENT_PLEDGE:
        st = after_pledge(books, state, event, err);
        if (st == RF_OK)
            st = know_accounts(books, state, err);
        break;
    case RF_EVENT_RECOVER:
        for (int i = 0; i < books->npages; i++)
            books->pages[i].held = books->pages[i].stopping = 0;
        break;
    default:
        break;
    }
    books->fleet = state->nfleet;
    books->nheld = state->nfleet - state->nfree;
    books->open = state->opened && !state->closed;
    return st;
}

struct rf_observer rf_books_observer(struct rf_books *books)
{
    return (struct rf_observer){books, before, after};
}

enum rf_status rf_books_overhead(struct rf_books *books, const struct rf_state *state,
                                 int32_t job, int64_t device_us, int lent, struct rf_error *err)
{
    int32_t account = state->jobs[job].account;
    struct page *page = &books->pages[books->page_of[account]];
    struct rf_book *sum = &page->sum;
    int64_t of_lent;

    pass(books, state->now_us);
    of_lent = least(device_us, lent ? sum->lent_us : 0);
    if (device_us < 0 || sum->own_us + sum->lent_us < device_us)
        return rf_fail(err, RF_ERR_ARG,
                       "overhead of %lld device-microseconds, but '%s' has used only %lld",
                       (long long)device_us, state->accounts[account].name,
                       (long long)(sum->own_us + sum->lent_us));
    of_lent += device_us - of_lent > sum->own_us ? device_us - of_lent - sum->own_us : 0;
    sum->lent_us -= of_lent;
    sum->own_us -= device_us - of_lent;
    sum->overhead_us += device_us;
    books->sum.lent_us -= of_lent;
    books->sum.own_us -= device_us - of_lent;
    books->sum.overhead_us += device_us;
    add_overhead(books, state, account, device_us);
    return RF_OK;
}

/* ---- looking ------------------------------------------------------------ */

/* The books as they are at t_us, on the caller's stack. */
struct glance {
    struct rf_books books;
    struct page pages[RF_PLEDGES_MAX + 1];
};

static void look(struct glance *g, const struct rf_books *books, int64_t t_us)
{
    g->books = *books;
    g->books.pages = g->pages;
    memcpy(g->pages, books->pages, (size_t)books->npages * sizeof *g->pages);
    pass(&g->books, t_us);
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

int64_t rf_books_account_overhead_us(const struct rf_books *books, int32_t account)
{
    return account < books->naccounts ? books->overhead_us[account] : 0;
}

static enum rf_status check_pages(const struct rf_books *books, struct rf_error *err)
{
    int64_t own = 0, lent = 0, overhead = 0, idle = 0;

    for (int i = 0; i < books->npages; i++) {
        own += books->pages[i].sum.own_us;
        lent += books->pages[i].sum.lent_us;
        overhead += books->pages[i].sum.overhead_us;
        idle += books->pages[i].sum.idle_us;
    }
    if (own == books->sum.own_us && lent == books->sum.lent_us &&
        overhead == books->sum.overhead_us && idle == books->sum.idle_reserved_us)
        return RF_OK;
    return rf_fail(err, RF_ERR_INTERNAL,
                   "the pages of the books do not add up: own %lld of %lld, lent %lld of %lld, "
                   "overhead %lld of %lld, idle %lld of %lld",
                   (long long)own, (long long)books->sum.own_us, (long long)lent,
                   (long long)books->sum.lent_us, (long long)overhead,
                   (long long)books->sum.overhead_us, (long long)idle,
                   (long long)books->sum.idle_reserved_us);
}

enum rf_status rf_books_check(const struct rf_books *books, const struct rf_state *state,
                              struct rf_error *err)
{
    struct glance g;
    const struct rf_books_totals *s = &g.books.sum;
    int64_t used, all, read = books->sum.unread_us;

    look(&g, books, state->now_us);
    used = s->own_us + s->lent_us + s->overhead_us;
    all = used + s->idle_reserved_us + s->idle_free_us + s->down_us;
    for (int32_t a = 0; a < state->naccounts; a++)
        read += state->accounts[a].parent < 0 ? state->accounts[a].held_us : 0;
    for (int32_t i = state->running_first; i >= 0; i = state->jobs[i].next)
        read += rf_state_owed_us(&state->jobs[i], state->now_us);
    if (all != s->installed_us || s->down_us != s->failed_us + s->maintenance_us)
        return rf_fail(
            err, RF_ERR_INTERNAL,
            "the books do not add up: %lld device-microseconds installed, but own %lld "
            "+ lent %lld + overhead %lld + idle reserved %lld + idle free %lld + down "
            "%lld",
            (long long)s->installed_us, (long long)s->own_us, (long long)s->lent_us,
            (long long)s->overhead_us, (long long)s->idle_reserved_us,
            (long long)s->idle_free_us, (long long)s->down_us);
    if (used != read)
        return rf_fail(err, RF_ERR_INTERNAL,
                       "the books hold %lld device-microseconds in use, the readings %lld",
                       (long long)used, (long long)read);
    if (books->installed != state->nfleet + state->ndown)
        return rf_fail(err, RF_ERR_INTERNAL, "the books have %d devices, the state %d",
                       books->installed, state->nfleet + state->ndown);
    return check_pages(&g.books, err);
}
