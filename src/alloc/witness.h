/* witness.h - a second party that remembers heads, and so notices a ledger that was rewritten.
 *
 * A witness keeps, per origin, the last head that it cosigned and the key of the log. It
 * cosigns a new head only when that extends the old one, so that two who compare heads cosigned by
 * the same witness cannot have been shown different histories. What the rules are is
 * c2sp.org/tlog-witness, add-checkpoint; here a request is a file and not a message.
 *
 * The state is a directory: one file per origin, replaced atomically under a lock, so that two
 * witnesses on one directory cannot roll it back. */
#ifndef RF_ALLOC_WITNESS_H
#define RF_ALLOC_WITNESS_H

#include "alloc/proof.h"

struct rf_witness;

/* Opens a state directory, made if need be, and waits for nobody: RF_ERR_IO when another process
 * has it open. key (kind 4) is borrowed. */
enum rf_status rf_witness_open(struct rf_witness **witness, const char *dir,
                               const struct rf_key *key, struct rf_error *err);
void rf_witness_close(struct rf_witness *witness);

/* What is remembered of an origin. */
struct rf_witnessed {
    int seen; /* 0: nothing; the rest is then zero */
    struct rf_seal head;
    struct rf_vkey vkey; /* of the log */
};
enum rf_status rf_witness_recall(const struct rf_witness *witness, const char *origin,
                                 struct rf_witnessed *seen, struct rf_error *err);

/* Sees a new head: path is the consistency proof from the head that is remembered (empty when
 * there is none). vkey: the log's key that signed it, and the one that is remembered with it;
 * who replaces a remembered key has to know that the log did. Remembers it, durably, and then
 * writes the checkpoint with the cosignature to note.
 * RF_NO says why it was refused: older, inconsistent, not signed; nothing is remembered. */
enum rf_status rf_witness_see(struct rf_witness *witness, const struct rf_head *head,
                              const struct rf_vkey *vkey, const struct rf_path *path,
                              int64_t time_s, char note[RF_HEAD_BYTES + RF_SEAL_BYTES],
                              struct rf_error *err);

#endif
