/* digest.h - SHA-256 and base64, as libsodium gives them, in the few shapes we use. */
#ifndef RF_BASE_DIGEST_H
#define RF_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { RF_DIGEST_BYTES = 32, RF_DIGEST_BASE64 = 45, RF_DIGEST_HEX = 65 };

struct rf_digest {
    unsigned char bytes[RF_DIGEST_BYTES];
};

/* A running hash; the state is plain memory, no cleanup needed. */
struct rf_hash {
    union {
        uint64_t align;
        unsigned char room[128];
    } state;
};

void rf_hash_start(struct rf_hash *hash);
void rf_hash_add(struct rf_hash *hash, const void *data, size_t size_bytes);
struct rf_digest rf_hash_end(struct rf_hash *hash);

struct rf_digest rf_digest_of(const void *data, size_t size_bytes);

/* Some bytes in memory, borrowed. */
struct rf_bytes {
    const void *data;
    size_t size_bytes;
};
/* The digests of n texts, as rf_digest_of() gives them, up to ten times as fast. */
void rf_digest_many(const struct rf_bytes *texts, int n, struct rf_digest *digests);
/* How many texts of equal size are needed for all of that speed: 16 at most. */
int rf_digest_at_once(void);

int rf_digest_equal(const struct rf_digest *a, const struct rf_digest *b);

/* Standard base64 with padding: 44 characters and NUL. */
void rf_digest_to_base64(const struct rf_digest *digest, char text[RF_DIGEST_BASE64]);
/* 0 when text is exactly such a form, -1 otherwise. */
int rf_digest_from_base64(struct rf_digest *digest, const char *text, size_t length);
/* Lower-case hexadecimal: 64 characters and NUL. */
void rf_digest_to_hex(const struct rf_digest *digest, char text[RF_DIGEST_HEX]);

#endif
