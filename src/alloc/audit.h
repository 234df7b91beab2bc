/* audit.h - replay a ledger through the rules and judge every pledge.
 *
 * The verdict of an audit: kept (1), broken or unprovable. A ledger that does
 * not verify is broken evidence: verdict unprovable, and the first bad line is named. */
#ifndef RF_ALLOC_AUDIT_H
#define RF_ALLOC_AUDIT_H

#include "alloc/ledger.h"
#include "alloc/observer.h"
#include "alloc/pledge.h"

struct rf_audit {
    struct rf_ledger_check ledger;
    struct rf_state *state; /* owned: as it was after the last good line */
    struct rf_tally *tally; /* owned */
    int64_t run_seed;
    enum rf_verdict verdict;
};

/* Unprovable is, too, a run that was closed, but whose last line no seal covers.
 *
 * RF_OK whenever the ledger could be read; the answer is in *audit, which the
 * caller ends with rf_audit_clear(). vkey: pinned public key, or NULL. */
enum rf_status rf_audit_ledger(struct rf_audit *audit, const char *path, const char *vkey,
                               struct rf_error *err);
/* The same, with observers who are told of each line after the tally: before it is applied also of
 * one that the rules then refuse. The audit holds them only during the call. */
enum rf_status rf_audit_watched(struct rf_audit *audit, const char *path, const char *vkey,
                                const struct rf_observer *observers, int nobservers,
                                struct rf_error *err);
void rf_audit_clear(struct rf_audit *audit);

#endif
