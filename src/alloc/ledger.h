/* ledger.h - the append-only file of events: chained, hashed into a tree, sealed.
 *
 * ledger.jsonl: one canonical line per event, each with "prev", the base64
 * SHA-256 of the line before it (without LF; 32 zero bytes for the first). The lines are
 * the leaves of an RFC 6962 Merkle tree. A seal is a C2SP tlog-checkpoint (signed note, Ed25519)
 * over (origin, size, root), appended to ledger.jsonl.seals next to the ledger, newest
 * last, separated by empty lines. One writer holds an fcntl lock. Format: LEDGER.md. */
#ifndef RF_ALLOC_LEDGER_H
#define RF_ALLOC_LEDGER_H

#include "alloc/event.h"
#include "alloc/seal.h" /* keys */
#include "base/digest.h"

struct rf_ledger;

/* Starts a new ledger (fails when the file exists) or, with resume, opens one
 * to go on: verifies it, cuts a torn last line (bytes after the last LF) and says in *cut how
 * many bytes that were; the caller appends a recover event. Events are given
 * to visit(ctx, event) in order; a ledger that does not verify is RF_ERR_INPUT.
 * origin: the first line of every seal; NULL: the key's name. key may be NULL: then
 * nothing can be sealed; otherwise it is borrowed until the close, and its public half is
 * written to <path>.pub. While a ledger is open for writing, the same process must
 * not open and close the file by another way: that would drop the lock. */
enum rf_status rf_ledger_create(struct rf_ledger **ledger, const char *path, const char *origin,
                                const struct rf_key *key, struct rf_error *err);
typedef enum rf_status rf_ledger_visit(void *ctx, const struct rf_event *event,
                                       struct rf_error *err);
enum rf_status rf_ledger_resume(struct rf_ledger **ledger, const char *path,
                                const struct rf_key *key, rf_ledger_visit *visit, void *ctx,
                                int64_t *cut, struct rf_error *err);
void rf_ledger_close(struct rf_ledger *ledger);

/* Adds the event's line to the buffer (event->seq must be the next one, and the line
 * one that rf_event_parse() takes). Nothing is durable until rf_ledger_sync(), which writes
 * and fdatasyncs what was appended. After a failed write or sync nobody knows what
 * is on the disk: every later call fails too, and resume is the way on. */
enum rf_status rf_ledger_append(struct rf_ledger *ledger, const struct rf_event *event,
                                struct rf_error *err);
enum rf_status rf_ledger_sync(struct rf_ledger *ledger, struct rf_error *err);
/* Syncs, then signs the tree head over all lines so far and stores the seal,
 * unless the last seal covers them already. RF_ERR_ARG without a key. */
enum rf_status rf_ledger_seal(struct rf_ledger *ledger, struct rf_error *err);
/* The text of the last seal that this writer made, as a note; "" before the first. */
const char *rf_ledger_last_seal(const struct rf_ledger *ledger);
/* Another key seals from now on: the one that a rotate event named, once a seal by the key
 * before it covers that event. RF_ERR_ARG: it is another key's turn. The key is borrowed. */
enum rf_status rf_ledger_use_key(struct rf_ledger *ledger, const struct rf_key *key,
                                 struct rf_error *err);

int64_t rf_ledger_entries(const struct rf_ledger *ledger);
/* base64 of the tree head over all lines so far. */
void rf_ledger_head(const struct rf_ledger *ledger, char text[RF_DIGEST_BASE64]);

/* Reading a finished or running ledger, for audit and report. Lines after the
 * last seal (sealed_entries < entries) are chained, but nobody has signed for them. */
struct rf_ledger_check {
    int64_t entries, sealed_entries, seals;
    char head[RF_DIGEST_BASE64];
    char key_name[RF_NAME_BYTES]; /* of the key in force at the end */
    int chain_ok, seals_ok;
    int64_t first_bad_seq; /* -1: none; the line number is this + 1 */
    int64_t torn_bytes;    /* after the last LF */
    int64_t rotations;     /* lines that name another key */
    char problem[400];     /* empty when all is well */
};

/* Reads the whole file, checks chain, tree and seals (against vkey when not NULL, else
 * against the public key at <path>.pub), and visits each good event in order until the first
 * bad line. Returns RF_OK even when the check found something: see *check. A visitor's
 * failure counts as a bad line. When two neighbours disagree, the line that its other
 * neighbour disagrees with as well is the bad one; a damaged seal is no bad line (first_bad_seq
 * stays -1), a missing line is: the one after the last that is there. RF_ERR_INPUT: it cannot be
 * read, or is no ledger at all: no line of it begins as a ledger's, and no seals lie beside it. */
enum rf_status rf_ledger_verify(const char *path, const char *vkey, rf_ledger_visit *visit,
                                void *ctx, struct rf_ledger_check *check, struct rf_error *err);

#endif
