/* Events change what is installed, held and promised; in between, time passes (books_time.c). */
#include "alloc/books_rules.h"

#include <stdlib.h>
#include <string.h>

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
    b->pages[0] = (struct rf_books_account){.account = -1, .sum.account = -1};
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
    rf_books_pass(books, event->t_us);
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
        books->was.account = job->account;
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
    struct rf_books_account *more =
        realloc(books->pages, ((size_t)books->npages + 1) * sizeof *more);
    struct rf_books_account *page;

    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a page of the books");
    books->pages = more;
    page = &books->pages[books->npages++];
    *page = (struct rf_books_account){.account = pledge->account,
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
    struct rf_books_account *page = &books->pages[books->page_of[job->account]];

    page->held += job->ndevices - books->was.devices;
    if (event->type == RF_EVENT_PREEMPT) {
        page->stopping += job->ndevices;
    } else if (books->was.stopping && job->state != RF_JOB_STOPPING) {
        page->stopping -= books->was.devices;
        add_overhead(books, state, job->account,
                     books->was.devices * (event->t_us - books->was.preempt_us));
    }
}

static enum rf_status after_relabel(struct rf_books *books, const struct rf_state *state,
                                    const struct rf_event *event, struct rf_error *err)
{
    const struct rf_job *job = &state->jobs[event->job];
    enum rf_status st = know_accounts(books, state, err);

    if (st != RF_OK)
        return st;
    books->pages[books->page_of[books->was.account]].held -= job->ndevices;
    books->pages[books->page_of[job->account]].held += job->ndevices;
    return RF_OK;
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct rf_books *books = self;
    enum rf_status st = RF_OK;

    switch (event->type) { /* what changes nothing here does not cut time either */
    case RF_EVENT_REQUEST:
    case RF_EVENT_LIMIT:
        return books->naccounts < state->naccounts ? know_accounts(books, state, err) : RF_OK;
    case RF_EVENT_DENY:
    case RF_EVENT_DELAY:
    case RF_EVENT_CHARGE:
    case RF_EVENT_DISPUTE:
    case RF_EVENT_CHECKPOINT:
    case RF_EVENT_MEASURE:
    case RF_EVENT_ROTATE:
    case RF_EVENT_HEARTBEAT:
    case RF_EVENT_POLICY:
    case RF_EVENT_RESERVE:
        return RF_OK;
    default:
        break;
    }
    rf_books_pass(books, event->t_us);
    switch (event->type) {
    case RF_EVENT_GRANT:
    case RF_EVENT_PREEMPT:
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        after_job(books, state, event);
        break;
    case RF_EVENT_RELABEL:
        st = after_relabel(books, state, event, err);
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
    struct rf_books_account *page = &books->pages[books->page_of[account]];
    struct rf_book *sum = &page->sum;
    struct rf_wide used;
    int64_t of_lent, own;
    char text[RF_WIDE_BYTES];

    rf_books_pass(books, state->now_us);
    used = rf_wide_plus(sum->own_us, sum->lent_us);
    if (device_us < 0 || rf_wide_compare(used, rf_wide_of(device_us)) < 0)
        return rf_fail(
            err, RF_ERR_ARG, "overhead of %lld device-microseconds, but '%s' has used only %s",
            (long long)device_us, state->accounts[account].name, rf_wide_text(used, text));
    of_lent = rf_books_least(device_us, lent ? rf_wide_narrow(sum->lent_us) : 0);
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
