/* seal.h - keys, and signed tree heads as signed notes (c2sp.org/signed-note, tlog-checkpoint).
 *
 * Keys are texts of one line: "name+hash+base64" (public, a "vkey") and
 * "PRIVATE+KEY+name+hash+base64" (secret), with hash = the first four bytes,
 * in hexadecimal, of SHA-256(name, LF, kind, public key), and base64 of the byte kind
 * and the public key or the seed. The kind says what the key signs: 1 notes, 4 cosignatures
 * (c2sp.org/tlog-cosignature). Formats byte by byte: LEDGER.md. */
#ifndef RF_ALLOC_SEAL_H
#define RF_ALLOC_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/event.h"
#include "base/digest.h"
#include "base/file.h"

enum { RF_VKEY_BYTES = RF_NAME_BYTES + 64, RF_ORIGIN_BYTES = 160, RF_SEAL_BYTES = 512 };

enum rf_key_kind { RF_KEY_SEAL = 1, RF_KEY_WITNESS = 4 };
enum { RF_SIGNATURE_BYTES = 64 };

/* An Ed25519 secret key with its name (the C2SP "key name"). */
struct rf_key;

/* Makes a key pair: the secret key at path_secret (mode 0600; the directory is
 * made; RF_ERR_ARG when the file exists) and the vkey line at path_public,
 * unless that is NULL. name: not empty, without spaces and '+'. */
enum rf_status rf_key_generate(const char *path_secret, const char *path_public,
                               const char *name, struct rf_error *err);
enum rf_status rf_key_generate_kind(const char *path_secret, const char *path_public,
                                    const char *name, enum rf_key_kind kind,
                                    struct rf_error *err);
/* Reads a secret key; refuses a file that anybody but its owner may read or
 * write. The caller ends *key with rf_key_free(), which wipes it. */
enum rf_status rf_key_load(struct rf_key **key, const char *path_secret, struct rf_error *err);
void rf_key_free(struct rf_key *key);
void rf_key_public(const struct rf_key *key, char vkey[RF_VKEY_BYTES]);
const char *rf_key_name(const struct rf_key *key);
enum rf_key_kind rf_key_kind_of(const struct rf_key *key);
void rf_key_sign(const struct rf_key *key, const void *text, size_t size_bytes,
                 unsigned char signature[RF_SIGNATURE_BYTES]);

/* Where a user's key lives: $XDG_CONFIG_HOME/ringfence/seal.key, or
 * ~/.config/ringfence/seal.key. RF_ERR_ARG when neither variable is set. */
enum rf_status rf_key_default_path(char path[RF_PATH_BYTES], struct rf_error *err);

/* A public key. */
struct rf_vkey {
    char name[RF_NAME_BYTES];
    enum rf_key_kind kind;
    unsigned char id[4], bytes[32];
};

/* Reads a vkey line (a final LF is allowed); rf_vkey_parse() takes keys of seals only. */
enum rf_status rf_vkey_parse(struct rf_vkey *vkey, const char *text, struct rf_error *err);
enum rf_status rf_vkey_parse_kind(struct rf_vkey *vkey, const char *text, enum rf_key_kind kind,
                                  struct rf_error *err);
/* The same from the first line of a file. */
enum rf_status rf_vkey_read(struct rf_vkey *vkey, const char *path, enum rf_key_kind kind,
                            struct rf_error *err);
/* The line that rf_vkey_parse() reads, without LF. */
void rf_vkey_format(const struct rf_vkey *vkey, char text[RF_VKEY_BYTES]);
void rf_key_vkey(const struct rf_key *key, struct rf_vkey *vkey);
int rf_vkey_verifies(const struct rf_vkey *vkey, const void *text, size_t size_bytes,
                     const unsigned char signature[RF_SIGNATURE_BYTES]);

struct rf_seal {
    char origin[RF_ORIGIN_BYTES];
    int64_t size;
    struct rf_digest root;
};

/* Writes the note; RF_ERR_ARG when the origin is empty, too long or has a line end. */
enum rf_status rf_seal_sign(const struct rf_seal *seal, const struct rf_key *key,
                            char note[RF_SEAL_BYTES], struct rf_error *err);

/* Reads the note at the start of text and checks its signature; *used is its length.
 * RF_ERR_FULL: the text ends before the note does. RF_ERR_INPUT: not a note by this key, and
 * why. */
enum rf_status rf_seal_open(struct rf_seal *seal, const struct rf_vkey *vkey, const char *text,
                            size_t length, size_t *used, struct rf_error *err);

#endif
