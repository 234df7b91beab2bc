#include "alloc/seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

enum { SEED_BYTES = crypto_sign_SEEDBYTES };

static_assert(RF_SIGNATURE_BYTES == crypto_sign_BYTES, "an Ed25519 signature");

static const char DASH[] = "\xe2\x80\x94 "; /* an em dash and a space start a signature line */
static const char PRIVATE[] = "PRIVATE+KEY+";

struct rf_key {
    struct rf_vkey public_key;
    unsigned char seed[SEED_BYTES];
    unsigned char secret[crypto_sign_SECRETKEYBYTES];
};

static int name_ok(const char *name, size_t n)
{
    if (n == 0 || n >= RF_NAME_BYTES)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f || name[i] == '+')
            return 0;
    return 1;
}

static void find_id(struct rf_vkey *vkey)
{
    const unsigned char middle[2] = {'\n', (unsigned char)vkey->kind};
    struct rf_hash hash;
    struct rf_digest digest;

    rf_hash_start(&hash);
    rf_hash_add(&hash, vkey->name, strlen(vkey->name));
    rf_hash_add(&hash, middle, sizeof middle);
    rf_hash_add(&hash, vkey->bytes, sizeof vkey->bytes);
    digest = rf_hash_end(&hash);
    memcpy(vkey->id, digest.bytes, sizeof vkey->id);
}

/* name+hash+base64(kind, bytes): the form that both kinds of key end in. */
static void format_key(const struct rf_vkey *vkey, const unsigned char bytes[32], char *text,
                       size_t size)
{
    unsigned char data[33] = {(unsigned char)vkey->kind};
    char encoded[sodium_base64_ENCODED_LEN(33, sodium_base64_VARIANT_ORIGINAL)];

    memcpy(data + 1, bytes, 32);
    sodium_bin2base64(encoded, sizeof encoded, data, sizeof data,
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, size, "%s+%02x%02x%02x%02x+%s", vkey->name, vkey->id[0], vkey->id[1],
             vkey->id[2], vkey->id[3], encoded);
    sodium_memzero(data, sizeof data);
    sodium_memzero(encoded, sizeof encoded);
}

/* Reads that form; returns 0, or -1 when the text is something else. */
static int parse_key(char name[RF_NAME_BYTES], enum rf_key_kind *kind, unsigned char id[4],
                     unsigned char bytes[32], const char *text)
{
    const char *plus = strchr(text, '+'), *end = text + strlen(text);
    unsigned char data[33] = {0};
    size_t got = 0, n = plus != NULL ? (size_t)(plus - text) : 0;
    int ok;

    if (end > text && end[-1] == '\n')
        end--;
    if (!name_ok(text, n) || end - plus < 10 || plus[9] != '+')
        return -1;
    memcpy(name, text, n);
    name[n] = '\0';
    ok = strspn(plus + 1, "0123456789abcdef") == 8 &&
         sodium_hex2bin(id, 4, plus + 1, 8, NULL, &got, NULL) == 0 && got == 4 &&
         sodium_base642bin(data, sizeof data, plus + 10, (size_t)(end - plus - 10), NULL, &got,
                           NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
         got == sizeof data && (data[0] == RF_KEY_SEAL || data[0] == RF_KEY_WITNESS);
    *kind = data[0] == RF_KEY_WITNESS ? RF_KEY_WITNESS : RF_KEY_SEAL;
    memcpy(bytes, data + 1, 32);
    sodium_memzero(data, sizeof data);
    return ok ? 0 : -1;
}

enum rf_status rf_vkey_parse(struct rf_vkey *vkey, const char *text, struct rf_error *err)
{
    return rf_vkey_parse_kind(vkey, text, RF_KEY_SEAL, err);
}

enum rf_status rf_vkey_parse_kind(struct rf_vkey *vkey, const char *text, enum rf_key_kind kind,
                                  struct rf_error *err)
{
    unsigned char id[4];
    char again[RF_VKEY_BYTES];
    size_t n;

    if (parse_key(vkey->name, &vkey->kind, id, vkey->bytes, text) != 0)
        return rf_fail(
            err, RF_ERR_INPUT,
            "not a public key: '%.80s' (expected name+hash+base64, as keygen prints)", text);
    find_id(vkey);
    format_key(vkey, vkey->bytes, again, sizeof again);
    n = strlen(again); /* libsodium decodes more than it encodes: only its own text counts */
    if (memcmp(id, vkey->id, sizeof id) != 0 || strncmp(again, text, n) != 0)
        return rf_fail(err, RF_ERR_INPUT, "public key '%s' is damaged: its hash does not match",
                       vkey->name);
    if (vkey->kind != kind)
        return rf_fail(err, RF_ERR_INPUT, "public key '%s' is one %s", vkey->name,
                       kind == RF_KEY_SEAL ? "of a witness, and seals no ledger"
                                           : "for seals, and not of a witness");
    return RF_OK;
}

enum rf_status rf_vkey_read(struct rf_vkey *vkey, const char *path, enum rf_key_kind kind,
                            struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    struct rf_error why;
    enum rf_status st = rf_file_read(path, 4096, &text, &size, err);

    if (st != RF_OK)
        return st;
    text[strcspn(text, "\r\n")] = '\0';
    st = rf_vkey_parse_kind(vkey, text, kind, &why);
    free(text);
    return st == RF_OK ? st : rf_fail(err, st, "'%s': %s", path, why.text);
}

void rf_vkey_format(const struct rf_vkey *vkey, char text[RF_VKEY_BYTES])
{
    format_key(vkey, vkey->bytes, text, RF_VKEY_BYTES);
}

int rf_vkey_verifies(const struct rf_vkey *vkey, const void *text, size_t size_bytes,
                     const unsigned char signature[RF_SIGNATURE_BYTES])
{
    return crypto_sign_verify_detached(signature, text, size_bytes, vkey->bytes) == 0;
}

/* ---- secret keys ------------------------------------------------------ */

void rf_key_public(const struct rf_key *key, char vkey[RF_VKEY_BYTES])
{
    format_key(&key->public_key, key->public_key.bytes, vkey, RF_VKEY_BYTES);
}

const char *rf_key_name(const struct rf_key *key)
{
    return key->public_key.name;
}

enum rf_key_kind rf_key_kind_of(const struct rf_key *key)
{
    return key->public_key.kind;
}

void rf_key_vkey(const struct rf_key *key, struct rf_vkey *vkey)
{
    *vkey = key->public_key;
}

void rf_key_sign(const struct rf_key *key, const void *text, size_t size_bytes,
                 unsigned char signature[RF_SIGNATURE_BYTES])
{
    crypto_sign_detached(signature, NULL, text, size_bytes, key->secret);
}

static enum rf_status key_alloc(struct rf_key **key, struct rf_error *err)
{
    *key = NULL;
    if (sodium_init() < 0)
        return rf_fail(err, RF_ERR_INTERNAL, "libsodium does not start");
    *key = calloc(1, sizeof **key);
    if (*key == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a key");
    (void)sodium_mlock(*key,
                       sizeof **key); /* best effort: limits on locked memory are common */
    return RF_OK;
}

void rf_key_free(struct rf_key *key)
{
    if (key == NULL)
        return;
    sodium_memzero(key, sizeof *key);
    (void)sodium_munlock(key, sizeof *key);
    free(key);
}

static void key_complete(struct rf_key *key)
{
    crypto_sign_seed_keypair(key->public_key.bytes, key->secret, key->seed);
    find_id(&key->public_key);
}

/* Makes the directory that a file is to lie in. */
static enum rf_status make_parent(const char *path, struct rf_error *err)
{
    char dir[RF_PATH_BYTES];
    char *slash;

    if (strlen(path) >= sizeof dir)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    memcpy(dir, path, strlen(path) + 1);
    slash = strrchr(dir, '/');
    if (slash == NULL || slash == dir)
        return RF_OK;
    *slash = '\0';
    return rf_file_mkdir(dir, err);
}

static enum rf_status write_secret(const char *path, const char *text, struct rf_error *err)
{
    size_t n = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int ok;

    if (fd < 0 && errno == EEXIST)
        return rf_fail(err, RF_ERR_ARG, "key '%s' exists already, and is not overwritten",
                       path);
    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot create key '%s': %s", path, strerror(errno));
    ok = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    if (close(fd) != 0 || !ok) {
        rf_fail(err, RF_ERR_IO, "cannot write key '%s': %s", path, strerror(errno));
        unlink(path);
        return RF_ERR_IO;
    }
    return RF_OK;
}

enum rf_status rf_key_generate(const char *path_secret, const char *path_public,
                               const char *name, struct rf_error *err)
{
    return rf_key_generate_kind(path_secret, path_public, name, RF_KEY_SEAL, err);
}

enum rf_status rf_key_generate_kind(const char *path_secret, const char *path_public,
                                    const char *name, enum rf_key_kind kind,
                                    struct rf_error *err)
{
    struct rf_key *key = NULL;
    char text[2 * RF_VKEY_BYTES], body[RF_VKEY_BYTES];
    enum rf_status st;

    if (!name_ok(name, strlen(name)))
        return rf_fail(err, RF_ERR_ARG,
                       "not a key name: '%.80s' (1 to %d characters, no space, no '+')", name,
                       RF_NAME_BYTES - 1);
    st = key_alloc(&key, err);
    if (st == RF_OK)
        st = make_parent(path_secret, err);
    if (st == RF_OK) {
        memcpy(key->public_key.name, name, strlen(name) + 1);
        key->public_key.kind = kind;
        randombytes_buf(key->seed, sizeof key->seed);
        key_complete(key);
        format_key(&key->public_key, key->seed, body, sizeof body);
        snprintf(text, sizeof text, "%s%s\n", PRIVATE, body);
        st = write_secret(path_secret, text, err);
    }
    if (st == RF_OK && path_public != NULL) {
        rf_key_public(key, body);
        snprintf(text, sizeof text, "%s\n", body);
        st = rf_file_write(path_public, text, strlen(text), err);
    }
    sodium_memzero(text, sizeof text);
    sodium_memzero(body, sizeof body);
    rf_key_free(key);
    return st;
}

static enum rf_status read_secret(const char *path, char *text, size_t size,
                                  struct rf_error *err)
{
    struct stat info;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot open key '%s': %s", path, strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || (info.st_mode & 077) != 0) {
        close(fd);
        return rf_fail(err, RF_ERR_INPUT,
                       "key '%s' may be read or written by others than its owner (chmod 600)",
                       path);
    }
    n = read(fd, text, size - 1);
    close(fd);
    if (n < 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot read key '%s': %s", path, strerror(errno));
    text[n] = '\0';
    return RF_OK;
}

enum rf_status rf_key_load(struct rf_key **key, const char *path_secret, struct rf_error *err)
{
    char text[2 * RF_VKEY_BYTES] = "";
    unsigned char id[4];
    enum rf_status st = key_alloc(key, err);

    if (st == RF_OK)
        st = read_secret(path_secret, text, sizeof text, err);
    if (st == RF_OK && (strncmp(text, PRIVATE, strlen(PRIVATE)) != 0 ||
                        parse_key((*key)->public_key.name, &(*key)->public_key.kind, id,
                                  (*key)->seed, text + strlen(PRIVATE)) != 0))
        st = rf_fail(err, RF_ERR_INPUT, "not a secret key: '%s'", path_secret);
    if (st == RF_OK) {
        key_complete(*key);
        if (memcmp(id, (*key)->public_key.id, sizeof id) != 0)
            st = rf_fail(err, RF_ERR_INPUT, "key '%s' is damaged: its hash does not match",
                         path_secret);
    }
    sodium_memzero(text, sizeof text);
    if (st != RF_OK) {
        rf_key_free(*key);
        *key = NULL;
    }
    return st;
}

enum rf_status rf_key_default_path(char path[RF_PATH_BYTES], struct rf_error *err)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (config != NULL && config[0] == '/')
        return rf_file_join(path, config, "ringfence/seal.key", err);
    if (home != NULL && home[0] == '/')
        return rf_file_join(path, home, ".config/ringfence/seal.key", err);
    return rf_fail(err, RF_ERR_ARG,
                   "no place for the seal key: neither XDG_CONFIG_HOME nor HOME is set");
}

/* ---- seals ------------------------------------------------------------ */

/* The signed part: three lines, each with its LF. */
static size_t format_body(const struct rf_seal *seal, char body[RF_SEAL_BYTES])
{
    char root[RF_DIGEST_BASE64];

    rf_digest_to_base64(&seal->root, root);
    return (size_t)snprintf(body, RF_SEAL_BYTES, "%s\n%" PRId64 "\n%s\n", seal->origin,
                            seal->size, root);
}

static int origin_ok(const char *origin)
{
    size_t n = strlen(origin);

    if (n == 0 || n >= RF_ORIGIN_BYTES)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)origin[i] < 0x20)
            return 0;
    return 1;
}

/* The whole signature line, from its dash to its LF. */
static void format_signature(const struct rf_vkey *vkey,
                             const unsigned char sig[RF_SIGNATURE_BYTES], char *line,
                             size_t size)
{
    unsigned char data[4 + RF_SIGNATURE_BYTES];
    char encoded[sodium_base64_ENCODED_LEN(4 + RF_SIGNATURE_BYTES,
                                           sodium_base64_VARIANT_ORIGINAL)];

    memcpy(data, vkey->id, 4);
    memcpy(data + 4, sig, RF_SIGNATURE_BYTES);
    sodium_bin2base64(encoded, sizeof encoded, data, sizeof data,
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(line, size, "%s%s %s\n", DASH, vkey->name, encoded);
}

enum rf_status rf_seal_sign(const struct rf_seal *seal, const struct rf_key *key,
                            char note[RF_SEAL_BYTES], struct rf_error *err)
{
    unsigned char sig[RF_SIGNATURE_BYTES];
    size_t n;

    if (!origin_ok(seal->origin))
        return rf_fail(err, RF_ERR_ARG, "not an origin for seals: '%.80s'", seal->origin);
    n = format_body(seal, note);
    rf_key_sign(key, note, n, sig);
    note[n++] = '\n';
    format_signature(&key->public_key, sig, note + n, RF_SEAL_BYTES - n);
    return RF_OK;
}

/* Splits off the next line; NULL when the text ends before it does. */
static const char *line_end(const char *from, const char *end)
{
    return from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;
}

/* Reads body lines into the seal; -1 when they are something else. */
static int parse_body(struct rf_seal *seal, const char *const line[4])
{
    size_t n = (size_t)(line[1] - line[0]) - 1;
    char digits[24];
    size_t ndigits = (size_t)(line[2] - line[1]) - 1;

    if (n >= RF_ORIGIN_BYTES || ndigits == 0 || ndigits >= sizeof digits)
        return -1;
    memcpy(seal->origin, line[0], n);
    seal->origin[n] = '\0';
    memcpy(digits, line[1], ndigits);
    digits[ndigits] = '\0';
    if (strspn(digits, "0123456789") != ndigits)
        return -1;
    seal->size = strtoll(digits, NULL, 10);
    return rf_digest_from_base64(&seal->root, line[2], (size_t)(line[3] - line[2]) - 1);
}

enum rf_status rf_seal_open(struct rf_seal *seal, const struct rf_vkey *vkey, const char *text,
                            size_t length, size_t *used, struct rf_error *err)
{
    const char *line[6] = {text}, *end = text + length;
    char body[RF_SEAL_BYTES], expected[RF_SEAL_BYTES];
    unsigned char data[4 + RF_SIGNATURE_BYTES];
    size_t n, got = 0, head = strlen(DASH) + strlen(vkey->name) + 1;

    for (int i = 0; i < 5; i++) {
        const char *stop = line_end(line[i], end);

        if (stop == NULL)
            return rf_fail(err, RF_ERR_FULL, "the seal is cut short");
        line[i + 1] = stop + 1;
    }
    *used = (size_t)(line[5] - text);
    if (parse_body(seal, line) != 0 || line[4] - line[3] != 1 || !origin_ok(seal->origin))
        return rf_fail(err, RF_ERR_INPUT,
                       "not a seal (origin, size, root, empty line, signature)");
    n = format_body(seal, body);
    if (n != (size_t)(line[3] - text) || memcmp(body, text, n) != 0)
        return rf_fail(err, RF_ERR_INPUT, "the seal is not in canonical form");
    snprintf(expected, sizeof expected, "%s%s ", DASH, vkey->name);
    if ((size_t)(line[5] - line[4]) <= head || memcmp(line[4], expected, head) != 0)
        return rf_fail(err, RF_ERR_INPUT, "the seal is not signed by '%s'", vkey->name);
    if (sodium_base642bin(data, sizeof data, line[4] + head,
                          (size_t)(line[5] - line[4]) - head - 1, NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        got != sizeof data || memcmp(data, vkey->id, 4) != 0)
        return rf_fail(err, RF_ERR_INPUT, "the seal's signature is by another key or damaged");
    format_signature(vkey, data + 4, expected, sizeof expected);
    if (strlen(expected) != (size_t)(line[5] - line[4]) ||
        memcmp(expected, line[4], strlen(expected)) != 0)
        return rf_fail(err, RF_ERR_INPUT, "the seal's signature is not in canonical form");
    if (!rf_vkey_verifies(vkey, body, n, data + 4))
        return rf_fail(err, RF_ERR_INPUT, "the seal's signature does not verify");
    return RF_OK;
}
