/* head.h - tree heads that several have signed: the log itself, and witnesses.
 *
 * A checkpoint (c2sp.org/tlog-checkpoint) is a signed note (c2sp.org/signed-note) over origin,
 * size and root. A seal (seal.h) is one with a single signature, byte by byte in one form; what
 * comes from elsewhere may have more signatures, and lines behind the root that we keep and do
 * not read. A cosignature (c2sp.org/tlog-cosignature, cosignature/v1, Ed25519, kind 4) says that
 * at a time its signer saw this head, consistent with all that it saw before. */
#ifndef RF_ALLOC_HEAD_H
#define RF_ALLOC_HEAD_H

#include "alloc/seal.h"

enum { RF_HEAD_BYTES = 8192, RF_HEAD_SIGNATURES = 16, RF_COSIGNATURE_BYTES = 72 };

/* One signature line by a name that fits, of a size that we know. */
struct rf_signature {
    char name[RF_NAME_BYTES];
    unsigned char id[4];
    unsigned char bytes[RF_COSIGNATURE_BYTES];
    size_t size_bytes;
};

struct rf_head {
    struct rf_seal seal;
    const char *text; /* borrowed: the note... */
    size_t body_bytes,
        size_bytes; /* ... of which so many bytes are signed, and so many are it */
    struct rf_signature signatures[RF_HEAD_SIGNATURES];
    int nsignatures;
};

/* Reads the note at the start of text, which stays borrowed, and checks no signature. It ends
 * before the first line that is no signature. RF_ERR_INPUT says what is wrong with it. */
enum rf_status rf_head_read(struct rf_head *head, const char *text, size_t length,
                            struct rf_error *err);

/* Has the log with this key signed it? RF_NO: there is no signature by it. RF_ERR_INPUT: there is
 * one, and it does not hold. */
enum rf_status rf_head_signed(const struct rf_head *head, const struct rf_vkey *vkey,
                              struct rf_error *err);
/* Has the witness with this key? *time_s: when, in seconds since 1970. */
enum rf_status rf_head_cosigned(const struct rf_head *head, const struct rf_vkey *vkey,
                                int64_t *time_s, struct rf_error *err);

/* The line, with its LF, that a witness adds. The caller vouches for what it says. */
void rf_head_cosign(const struct rf_head *head, const struct rf_key *key, int64_t time_s,
                    char line[RF_SEAL_BYTES]);

#endif
