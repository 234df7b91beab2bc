/* ringfence ledger rotate and anchor. */
#include <stdio.h>
#include <string.h>

#include "alloc/anchor.h"
#include "alloc/journal.h"
#include "base/file.h"
#include "cli/ledger_verbs.h"

/* A simulated ledger has a clock of its own; then the line gets the time of the one before. */
static void set_time(struct rf_journal *journal)
{
    const int64_t year_2001_us = INT64_C(978307200000000);

    if (journal->now_us > year_2001_us)
        rf_journal_at(journal, rf_time_utc_us());
}

static enum rf_status rotate(const char *path, const struct rf_key *from,
                             const struct rf_key *to, int64_t *entries, struct rf_error *err)
{
    struct rf_journal journal;
    enum rf_status st = rf_journal_start(&journal, err);

    if (st == RF_OK)
        st = rf_journal_resume(&journal, path, from, err);
    if (st == RF_OK)
        set_time(&journal);
    if (st == RF_OK && journal.cut > 0) {
        struct rf_event event = rf_event_make(RF_EVENT_RECOVER, 0);

        event.cut = journal.cut;
        st = rf_journal_record(&journal, &event, err);
    }
    if (st == RF_OK)
        st = rf_journal_rotate(&journal, to, err);
    if (st == RF_OK)
        *entries = rf_ledger_entries(journal.ledger);
    rf_journal_clear(&journal);
    return st;
}

enum rf_status rf_ledger_cmd_rotate(struct rf_ledger_call *call, struct rf_error *err)
{
    struct rf_key *from = NULL, *to = NULL;
    char vkey[RF_VKEY_BYTES] = "";
    int64_t entries = 0;
    enum rf_status st = RF_OK;

    if (call->from == NULL || call->to == NULL)
        return rf_fail(err, RF_ERR_ARG,
                       "'rotate' needs --from and --to: the secret keys before and after");
    st = rf_key_load(&from, call->from, err);
    if (st == RF_OK)
        st = rf_key_load(&to, call->to, err);
    if (st == RF_OK && rf_key_kind_of(to) != RF_KEY_SEAL)
        st = rf_fail(err, RF_ERR_ARG, "key '%s' is one of a witness, and seals no ledger",
                     call->to);
    if (st == RF_OK)
        st = rotate(call->args[0], from, to, &entries, err);
    if (st == RF_OK) {
        rf_key_public(to, vkey);
        rf_build_text(&call->build, call->doc, "vkey", vkey);
        rf_build_integer(&call->build, call->doc, "entries", entries);
        if (!call->json)
            printf("entry %lld names the new key, %s; '%s' has sealed it and seals no more\n",
                   (long long)entries - 1, vkey, rf_key_name(from));
    }
    rf_key_free(from);
    rf_key_free(to);
    return st;
}

static enum rf_status anchor(struct rf_ledger_call *call, const struct rf_head *head,
                             struct rf_error *err)
{
    char note[RF_HEAD_BYTES], line[RF_SEAL_BYTES];
    pid_t pid = 0;
    enum rf_status st = RF_OK;

    memcpy(note, head->text, head->size_bytes);
    note[head->size_bytes] = '\0';
    rf_anchor_line(head, line);
    rf_ledger_add_head(&call->build, call->doc, head);
    if (call->file != NULL)
        st = rf_anchor_file(call->file, note, err);
    if (st == RF_OK && call->slurm)
        st = rf_anchor_slurm(head, &pid, err);
    if (st == RF_OK)
        st = rf_anchor_wait(&pid, 1, err);
    if (st == RF_OK && !call->json)
        printf("%s\n", line);
    return st;
}

enum rf_status rf_ledger_cmd_anchor(struct rf_ledger_call *call, struct rf_error *err)
{
    struct rf_ledger_view view;
    enum rf_status st;

    if (call->file == NULL && !call->slurm)
        return rf_fail(err, RF_ERR_ARG, "'anchor' needs --file, --slurm, or both");
    st = rf_ledger_call_view(call, call->args[0], &view, err);
    if (st == RF_OK && view.last.text == NULL)
        st = rf_fail(err, RF_NO, "ledger '%s' has no seal", call->args[0]);
    if (st == RF_OK)
        st = anchor(call, &view.last, err);
    rf_ledger_view_clear(&view);
    return st;
}
