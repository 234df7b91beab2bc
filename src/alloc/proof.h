/* proof.h - that an entry belongs to a tree head, and that one head extends another.
 *
 * Merkle audit paths and consistency proofs of RFC 6962, sections 2.1.1 and 2.1.2, checked as RFC
 * 9162, sections 2.1.3.2 and 2.1.4.2, spell it out. As files: an entry's proof is a .tlog-proof
 * (c2sp.org/tlog-proof@v1); a proof between two heads is what one sends to a witness
 * (add-checkpoint of c2sp.org/tlog-witness), so other witnesses take it as well. */
#ifndef RF_ALLOC_PROOF_H
#define RF_ALLOC_PROOF_H

#include "alloc/head.h"

enum { RF_PROOF_MAX = 63, RF_PROOF_BYTES = RF_HEAD_BYTES + 66 * RF_DIGEST_BASE64 };

struct rf_path {
    struct rf_digest hashes[RF_PROOF_MAX];
    int n;
};

/* leaves: the digests of all n leaves of the tree (rf_tree_digest_leaves()). */
struct rf_digest rf_proof_root(const struct rf_digest *leaves, int64_t n);
void rf_proof_inclusion(struct rf_path *path, const struct rf_digest *leaves, int64_t n,
                        int64_t index);
/* From the first `old` leaves to all n; 1 <= old <= n. */
void rf_proof_consistency(struct rf_path *path, const struct rf_digest *leaves, int64_t n,
                          int64_t old);

/* Is this leaf at index in the tree of that size and root? */
int rf_proof_includes(const struct rf_path *path, int64_t index, int64_t size,
                      const struct rf_digest *leaf, const struct rf_digest *root);
/* Does the tree of that size and root begin with the old one? An old size of 0 is the beginning
 * of any. */
int rf_proof_extends(const struct rf_path *path, int64_t old, const struct rf_digest *old_root,
                     int64_t size, const struct rf_digest *root);

/* ---- files ---- */

enum rf_proof_kind { RF_PROOF_ENTRY, RF_PROOF_EXTENSION };

struct rf_proof {
    enum rf_proof_kind kind;
    int64_t index; /* of the entry; or the old size */
    struct rf_path path;
    struct rf_head head; /* borrows the text it was read from */
};

/* Writes the file's text; returns its size. proof->head.text must be there. */
size_t rf_proof_format(const struct rf_proof *proof, char text[RF_PROOF_BYTES]);
/* Reads either kind; text stays borrowed. Neither path nor signatures are checked. Extra data of a
 * .tlog-proof, which nobody vouches for, is passed over. */
enum rf_status rf_proof_parse(struct rf_proof *proof, const char *text, size_t size,
                              struct rf_error *err);

#endif
