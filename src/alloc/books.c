/* Between two events nothing changes, so the books cut time there, and sort each stretch
 * into the categories with integers only: what a share is of a stretch is the difference
 * of two rounded sums, so that the fractions of all stretches are carried on to the next. */
#include "alloc/books.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_US = INT32_MAX }; /* so long a stretch of any fleet fits in 63 bits */

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
        struct page *page = &books->pages[i];

        reserved[i] = promised(books, page, dt);
        rf_wide_add(&page->sum.reserved_us, reserved[i]);
        if (books->installed > books->fleet)
            rf_wide_add(&page->sum.down_us,
                        rf_share_take(&page->share, (books->installed - books->fleet) * dt,
                                      &page->carry_down));
        vacant += reserved[i] - least(reserved[i], page->held * dt);
        pool -= reserved[i];
    }
    pool = pool > 0 ? pool : 0;
    for (int i = 0; i < books->npages; i++)
        add_use(books, &books->pages[i], dt, reserved[i], &pool);
    lent_out = vacant - least(vacant, idle);
    rf_wide_add(&books->sum.idle_reserved_us, least(vacant, idle));
    rf_wide_add(&books->sum.idle_free_us, idle - least(vacant, idle));
    for (int i = 1; i < books->npages; i++) {
        int64_t own = reserved[i] - least(reserved[i], books->pages[i].held * dt);
        int64_t gone = least(own, lent_out);

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

/* Time passes with everything as it was after the last event. What a stretch amounts to has to
 * fit in 63 bits: cutting one that is too long changes nothing, as fractions are carried on. */
static void pass(struct rf_books *books, int64_t t_us)
{
    int64_t dt = t_us - books->now_us;

    books->now_us = t_us;
    if (!books->open)
        return;
    for (int64_t part; dt > 0; dt -= part) {
        part = least(dt, dt <= SHORT_US ? dt : INT64_MAX / ((int64_t)books->peak + 1));
        pass_stretch(books, part);
    }
}

/* ---- events ------------------------------------------------------------- */

/* To the account and all above it. */
static void add_overhead(struct rf_books *books, const struct rf_state *state, int32_t account,
                         int64_t device_us)
{
    for (; account >= 0; account = state->accounts[account].parent)
        rf_wide_add(&books->overhead_us[account], device_us);
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

        rf_wide_add(&books->sum.unread_us, rf_state_owed_us(job, event->t_us));
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
        struct rf_wide *overhead;

        books->page_of = pages != NULL ? pages : books->page_of;
        overhead = realloc(books->overhead_us, (size_t)room * sizeof *overhead);
        books->overhead_us = overhead != NULL ? overhead : books->overhead_us;
        if (pages == NULL || overhead == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: the books of %d accounts", room);
        for (int32_t a = books->room; a < room; a++)
            books->overhead_us[a] = rf_wide_of(0);
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
    books->peak = state->peak;
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
    struct rf_wide used;
    int64_t of_lent, own;
    char text[RF_WIDE_BYTES];

    pass(books, state->now_us);
    used = rf_wide_plus(sum->own_us, sum->lent_us);
    if (device_us < 0 || rf_wide_compare(used, rf_wide_of(device_us)) < 0)
        return rf_fail(
            err, RF_ERR_ARG, "overhead of %lld device-microseconds, but '%s' has used only %s",
            (long long)device_us, state->accounts[account].name, rf_wide_text(used, text));
    of_lent = least(device_us, lent ? rf_wide_narrow(sum->lent_us) : 0);
    own = rf_wide_narrow(sum->own_us);
    of_lent += device_us - of_lent > own ? device_us - of_lent - own : 0;
    rf_wide_add(&sum->lent_us, -of_lent);
    rf_wide_add(&sum->own_us, of_lent - device_us);
    rf_wide_add(&sum->overhead_us, device_us);
    rf_wide_add(&books->sum.lent_us, -of_lent);
    rf_wide_add(&books->sum.own_us, of_lent - device_us);
    rf_wide_add(&books->sum.overhead_us, device_us);
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
