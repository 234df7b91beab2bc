#include "alloc/journal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "alloc/anchor.h"
#include "base/log.h"

enum rf_status rf_journal_start(struct rf_journal *journal, struct rf_error *err)
{
    enum rf_status st;

    *journal = (struct rf_journal){0};
    st = rf_state_create(&journal->state, 0, err);
    if (st == RF_OK)
        st = rf_tally_create(&journal->tally, err);
    return st;
}

void rf_journal_watch(struct rf_journal *journal, struct rf_observer observer)
{
    assert(journal->nobservers < RF_JOURNAL_OBSERVERS);
    journal->observers[journal->nobservers++] = observer;
}

static enum rf_status before(struct rf_journal *journal, const struct rf_event *event,
                             struct rf_error *err)
{
    enum rf_status st = rf_tally_before(journal->tally, journal->state, event, err);

    for (int i = 0; st == RF_OK && i < journal->nobservers; i++)
        st = rf_observe_before(&journal->observers[i], journal->state, event, err);
    return st;
}

static enum rf_status after(struct rf_journal *journal, const struct rf_event *event,
                            struct rf_error *err)
{
    enum rf_status st = rf_tally_after(journal->tally, journal->state, event, err);

    for (int i = 0; st == RF_OK && i < journal->nobservers; i++)
        st =
            journal->observers[i].after(journal->observers[i].self, journal->state, event, err);
    return st;
}

/* What recording and replaying have in common. */
static enum rf_status take(struct rf_journal *journal, const struct rf_event *event,
                           struct rf_error *err)
{
    enum rf_status st = before(journal, event, err);

    if (st == RF_OK)
        st = rf_state_apply(journal->state, event, err);
    if (st == RF_OK)
        st = after(journal, event, err);
    if (st != RF_OK)
        return st;
    journal->seen[event->type]++;
    if (event->type != RF_EVENT_ROTATE)
        journal->closed[0] = '\0';
    if (event->type == RF_EVENT_OPEN) {
        snprintf(journal->config, sizeof journal->config, "%s", event->digest);
        snprintf(journal->version, sizeof journal->version, "%s", event->version);
    }
    if (event->type == RF_EVENT_CLOSE)
        snprintf(journal->closed, sizeof journal->closed, "%s", event->reason);
    return RF_OK;
}

static enum rf_status replay(void *ctx, const struct rf_event *event, struct rf_error *err)
{
    return take(ctx, event, err);
}

enum rf_status rf_journal_create(struct rf_journal *journal, const char *path,
                                 const char *origin, const struct rf_key *key,
                                 struct rf_error *err)
{
    return rf_ledger_create(&journal->ledger, path, origin, key, err);
}

enum rf_status rf_journal_resume(struct rf_journal *journal, const char *path,
                                 const struct rf_key *key, struct rf_error *err)
{
    enum rf_status st =
        rf_ledger_resume(&journal->ledger, path, key, replay, journal, &journal->cut, err);

    if (st == RF_OK)
        journal->now_us = journal->state->now_us;
    return st;
}

static void warn(enum rf_status st, const struct rf_error *why)
{
    if (st != RF_OK)
        rf_warn_alone("a tree head is not kept outside: %s", why->text);
}

void rf_journal_close(struct rf_journal *journal)
{
    struct rf_error why = {RF_OK, ""};

    warn(rf_anchor_wait(&journal->anchoring, 1, &why), &why);
    rf_ledger_close(journal->ledger);
    journal->ledger = NULL;
}

void rf_journal_clear(struct rf_journal *journal)
{
    rf_journal_close(journal);
    rf_tally_destroy(journal->tally);
    rf_state_destroy(journal->state);
    *journal = (struct rf_journal){0};
}

void rf_journal_at(struct rf_journal *journal, int64_t t_us)
{
    if (t_us > journal->now_us)
        journal->now_us = t_us;
}

enum rf_status rf_journal_record(struct rf_journal *journal, struct rf_event *event,
                                 struct rf_error *err)
{
    enum rf_status st;

    event->seq = journal->state->next_seq;
    event->t_us = journal->now_us;
    st = take(journal, event, err);
    if (st == RF_OK)
        st = rf_ledger_append(journal->ledger, event, err);
    if (st == RF_OK)
        journal->unsynced = 1;
    return st;
}

enum rf_status rf_journal_sync(struct rf_journal *journal, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (journal->unsynced)
        st = rf_ledger_sync(journal->ledger, err);
    if (st == RF_OK)
        journal->unsynced = 0;
    return st;
}

void rf_journal_anchor(struct rf_journal *journal, const char *file, int slurm)
{
    journal->anchor_file = file;
    journal->anchor_slurm = slurm;
}

/* The head that was sealed last. */
static void drop_anchor(struct rf_journal *journal)
{
    const char *note = rf_ledger_last_seal(journal->ledger);
    struct rf_head head;
    struct rf_error why = {RF_OK, ""};
    enum rf_status st;

    if (journal->anchor_file != NULL)
        warn(rf_anchor_file(journal->anchor_file, note, &why), &why);
    if (!journal->anchor_slurm)
        return;
    warn(rf_anchor_wait(&journal->anchoring, 0, &why), &why);
    if (journal->anchoring != 0)
        return; /* it still works on the one before */
    st = rf_head_read(&head, note, strlen(note), &why);
    if (st == RF_OK)
        st = rf_anchor_slurm(&head, &journal->anchoring, &why);
    warn(st, &why);
}

enum rf_status rf_journal_seal(struct rf_journal *journal, struct rf_error *err)
{
    int64_t entries = rf_ledger_entries(journal->ledger);
    enum rf_status st;

    if (entries == journal->sealed_entries)
        return RF_OK;
    st = rf_ledger_seal(journal->ledger, err);
    if (st == RF_OK) {
        journal->sealed_entries = entries;
        journal->unsynced = 0;
        if (rf_ledger_last_seal(journal->ledger)[0] != '\0')
            drop_anchor(journal);
    }
    return st;
}

enum rf_status rf_journal_rotate(struct rf_journal *journal, const struct rf_key *key,
                                 struct rf_error *err)
{
    struct rf_event event = rf_event_make(RF_EVENT_ROTATE, 0);
    enum rf_status st;

    rf_key_public(key, event.text);
    st = rf_journal_record(journal, &event, err);
    if (st == RF_OK)
        st = rf_journal_seal(journal, err);
    if (st == RF_OK)
        st = rf_ledger_use_key(journal->ledger, key, err);
    return st;
}
