#include "base/digest.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct rf_hash), "hash state fits");

void rf_hash_start(struct rf_hash *hash)
{
    crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)&hash->state);
}

void rf_hash_add(struct rf_hash *hash, const void *data, size_t size_bytes)
{
    crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)&hash->state, data,
                              size_bytes);
}

struct rf_digest rf_hash_end(struct rf_hash *hash)
{
    struct rf_digest d;

    crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)&hash->state, d.bytes);
    return d;
}

struct rf_digest rf_digest_of(const void *data, size_t size_bytes)
{
    struct rf_digest d;

    crypto_hash_sha256(d.bytes, data, size_bytes);
    return d;
}

int rf_digest_equal(const struct rf_digest *a, const struct rf_digest *b)
{
    return memcmp(a->bytes, b->bytes, RF_DIGEST_BYTES) == 0;
}

void rf_digest_to_base64(const struct rf_digest *digest, char text[RF_DIGEST_BASE64])
{
    sodium_bin2base64(text, RF_DIGEST_BASE64, digest->bytes, RF_DIGEST_BYTES,
                      sodium_base64_VARIANT_ORIGINAL);
}

int rf_digest_from_base64(struct rf_digest *digest, const char *text, size_t length)
{
    char again[RF_DIGEST_BASE64];
    size_t got = 0;

    if (length != RF_DIGEST_BASE64 - 1 ||
        sodium_base642bin(digest->bytes, RF_DIGEST_BYTES, text, length, NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        got != RF_DIGEST_BYTES)
        return -1;
    rf_digest_to_base64(digest, again); /* libsodium takes some bytes above 127 for letters */
    return memcmp(again, text, length) == 0 ? 0 : -1;
}

void rf_digest_to_hex(const struct rf_digest *digest, char text[RF_DIGEST_HEX])
{
    sodium_bin2hex(text, RF_DIGEST_HEX, digest->bytes, RF_DIGEST_BYTES);
}
