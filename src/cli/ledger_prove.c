/* ringfence ledger prove and consistency. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/ledger_verbs.h"

/* A number of an entry, in decimal. */
static enum rf_status read_seq(const char *text, int64_t *seq, struct rf_error *err)
{
    size_t n = strlen(text);

    if (n == 0 || n > 18 || strspn(text, "0123456789") != n)
        return rf_fail(err, RF_ERR_ARG, "'%.40s' is no number of an entry (the first is 0)",
                       text);
    *seq = strtoll(text, NULL, 10);
    return RF_OK;
}

static enum rf_status take_head(void *ctx, const struct rf_head *head, struct rf_error *err)
{
    struct rf_head *only = ctx;

    if (only->text != NULL)
        return rf_fail(err, RF_ERR_INPUT, "more than one head, where one is wanted");
    *only = *head;
    only->text = malloc(head->size_bytes); /* the file's text does not stay */
    if (only->text == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a head");
    memcpy((char *)only->text, head->text, head->size_bytes);
    return RF_OK;
}

static enum rf_status prove(struct rf_ledger_call *call, const struct rf_ledger_view *view,
                            const struct rf_head *head, int64_t seq, struct rf_error *err)
{
    struct rf_proof proof = {.kind = RF_PROOF_ENTRY, .index = seq, .head = *head};
    char text[RF_PROOF_BYTES];
    enum rf_status st = rf_ledger_view_head(view, head, err);

    if (st != RF_OK)
        return st;
    if (seq >= head->seal.size)
        return rf_fail(err, RF_NO, "entry %lld is not under this head, which covers %lld: %s",
                       (long long)seq, (long long)head->seal.size,
                       seq < view->check.entries ? "nobody has signed for it yet"
                                                 : "the ledger does not have it");
    rf_proof_inclusion(&proof.path, view->leaves, head->seal.size, seq);
    rf_proof_format(&proof, text);
    rf_build_integer(&call->build, call->doc, "index", seq);
    rf_build_integer(&call->build, call->doc, "hashes", proof.path.n);
    rf_ledger_add_head(&call->build, call->doc, head);
    return rf_ledger_hand_out(call, "proof", text, err);
}

enum rf_status rf_ledger_cmd_prove(struct rf_ledger_call *call, struct rf_error *err)
{
    struct rf_ledger_view view = {.nkeys = 0};
    struct rf_head head = {.text = NULL};
    int64_t seq = 0;
    enum rf_status st = read_seq(call->args[1], &seq, err);

    if (st == RF_OK)
        st = rf_ledger_call_view(call, call->args[0], &view, err);
    if (st == RF_OK && call->head != NULL)
        st = rf_ledger_for_heads(call->head, take_head, &head, err);
    if (st == RF_OK && call->head == NULL && view.last.text == NULL)
        st = rf_fail(err, RF_NO, "ledger '%s' has no seal, and so no head to prove by",
                     call->args[0]);
    if (st == RF_OK)
        st = prove(call, &view, call->head != NULL ? &head : &view.last, seq, err);
    free((char *)head.text);
    rf_ledger_view_clear(&view);
    return st;
}

/* ---- consistency ---- */

struct comparison {
    const struct rf_ledger_view *view;
    int64_t heads, largest;
};

static enum rf_status compare(void *ctx, const struct rf_head *head, struct rf_error *err)
{
    struct comparison *c = ctx;
    enum rf_status st = rf_ledger_view_head(c->view, head, err);

    c->heads++;
    if (head->seal.size > c->largest)
        c->largest = head->seal.size;
    return st;
}

enum rf_status rf_ledger_cmd_consistency(struct rf_ledger_call *call, struct rf_error *err)
{
    struct rf_ledger_view view;
    struct comparison c = {.view = &view};
    struct rf_proof proof = {.kind = RF_PROOF_EXTENSION};
    char text[RF_PROOF_BYTES];
    enum rf_status st = rf_ledger_call_view(call, call->args[1], &view, err);

    if (st == RF_OK)
        st = rf_ledger_for_heads(call->args[0], compare, &c, err);
    if (st == RF_OK && view.last.text == NULL)
        st = rf_fail(err, RF_NO, "ledger '%s' has no seal", call->args[1]);
    if (st == RF_OK && c.largest > view.last.seal.size)
        st = rf_fail(err, RF_NO, "the old head covers %lld entries, the last seal only %lld",
                     (long long)c.largest, (long long)view.last.seal.size);
    if (st == RF_OK) {
        proof.index = c.largest;
        proof.head = view.last;
        if (c.largest > 0)
            rf_proof_consistency(&proof.path, view.leaves, view.last.seal.size, c.largest);
        rf_proof_format(&proof, text);
        rf_build_integer(&call->build, call->doc, "heads", c.heads);
        rf_build_integer(&call->build, call->doc, "old_size", c.largest);
        rf_ledger_add_head(&call->build, call->doc, &view.last);
        rf_build_text(&call->build, call->doc, "proof", text);
        if (!call->json)
            printf(
                "%lld heads, the largest over %lld entries: the head over %lld extends them\n",
                (long long)c.heads, (long long)c.largest, (long long)view.last.seal.size);
        if (call->out != NULL)
            st = rf_file_write(call->out, text, strlen(text), err);
    }
    rf_ledger_view_clear(&view);
    return st;
}
