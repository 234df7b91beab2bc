/* heads.h - a ledger against tree heads that somebody kept elsewhere.
 *
 * Whoever holds the key can write another history and sign it again; a head that a witness, a
 * mail or a job comment kept shows it. */
#ifndef RF_AUDIT_HEADS_H
#define RF_AUDIT_HEADS_H

#include "alloc/ledger.h"
#include "audit/test.h"

/* Public keys that may have signed a head: the pinned one, or NULL for the one beside the ledger;
 * and those that the ledger rotated to. */
struct rf_head_keys {
    const char *first;
    char (*rotated)[RF_TEXT_BYTES]; /* borrowed */
    int nrotated;
    const char *witness; /* NULL: nobody else has to have signed */
};

/* Compares every signed head in the files with the ledger, in T9: cut off, or rewritten, or
 * signed by another key. Signatures of others in the same note are passed over; with a
 * witness's key, that has to be among them.
 * RF_ERR_INPUT when a file cannot be read, or holds no signed head at all. */
enum rf_status rf_audit_heads(struct rf_audit_test *t9, const char *ledger,
                              const struct rf_head_keys *keys, const char *const *files,
                              int nfiles, struct rf_error *err);

/* The head that the ledger's last seal signs, as base64, and how many lines it covers; "" and 0
 * without one. The seals have been verified before. */
enum rf_status rf_audit_last_seal(const char *ledger, char head[RF_DIGEST_BASE64],
                                  int64_t *size, struct rf_error *err);

#endif
