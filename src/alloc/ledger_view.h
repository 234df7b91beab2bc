/* ledger_view.h - a ledger as a tree, for proofs: what is checked once, and all its leaves. */
#ifndef RF_ALLOC_LEDGER_VIEW_H
#define RF_ALLOC_LEDGER_VIEW_H

#include "alloc/ledger.h"
#include "alloc/proof.h"

struct rf_ledger_view {
    struct rf_ledger_check check;
    struct rf_digest *leaves; /* owned, of check.entries lines; empty when the check failed */
    struct rf_vkey *keys;     /* owned: the log's, from the first to the last */
    int nkeys;
    char *heads;         /* owned: the text of the seals */
    struct rf_head last; /* the last seal; text NULL: there is none */
};

/* Verifies the ledger as rf_ledger_verify() does, which see; visit may be NULL.
 * RF_OK also when it does not hold: see view->check. The caller ends *view with
 * rf_ledger_view_clear() in any case. */
enum rf_status rf_ledger_view_open(struct rf_ledger_view *view, const char *path,
                                   const char *vkey, rf_ledger_visit *visit, void *ctx,
                                   struct rf_error *err);
void rf_ledger_view_clear(struct rf_ledger_view *view);

/* Does all of it hold? RF_NO with the problem otherwise. */
enum rf_status rf_ledger_view_sound(const struct rf_ledger_view *view, const char *path,
                                    struct rf_error *err);
/* Is this one of the log's heads: of its origin, signed by one of its keys, and over the lines
 * that are here? RF_NO says what not. */
enum rf_status rf_ledger_view_head(const struct rf_ledger_view *view,
                                   const struct rf_head *head, struct rf_error *err);
/* Which of the log's keys has signed it; NULL: none. */
const struct rf_vkey *rf_ledger_view_signer(const struct rf_ledger_view *view,
                                            const struct rf_head *head);

#endif
