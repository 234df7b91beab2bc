#include "alloc/head.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

static const char DASH[] = "\xe2\x80\x94 "; /* an em dash and a space start a signature line */

enum { BASE64 = sodium_base64_VARIANT_ORIGINAL, DATA_BYTES = 4 + RF_COSIGNATURE_BYTES };

/* ---- reading ------------------------------------------------------------ */

struct line {
    const char *text;
    size_t length; /* without its LF */
};

/* The next line; 0: there is no LF any more. */
static int next_line(const char **at, const char *end, struct line *line)
{
    const char *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;

    if (stop == NULL)
        return 0;
    *line = (struct line){*at, (size_t)(stop - *at)};
    *at = stop + 1;
    return 1;
}

static enum rf_status bad(struct rf_error *err, const char *what)
{
    return rf_fail(err, RF_ERR_INPUT, "not a checkpoint: %s", what);
}

static int plain(const struct line *line)
{
    for (size_t i = 0; i < line->length; i++)
        if ((unsigned char)line->text[i] < 0x20)
            return 0;
    return line->length > 0;
}

static enum rf_status read_head(struct rf_head *c, const struct line line[3],
                                struct rf_error *err)
{
    char digits[20] = "";
    size_t n = line[1].length;

    if (!plain(&line[0]) || line[0].length >= RF_ORIGIN_BYTES)
        return bad(err, "its origin is empty, too long, or has control characters");
    memcpy(c->seal.origin, line[0].text, line[0].length);
    c->seal.origin[line[0].length] = '\0';
    if (n == 0 || n >= sizeof digits)
        return bad(err, "its second line is no size");
    memcpy(digits, line[1].text, n);
    if (strspn(digits, "0123456789") != n || (n > 1 && digits[0] == '0'))
        return bad(err, "its second line is no size");
    c->seal.size = strtoll(digits, NULL, 10); /* 19 digits at most: strtoll saturates */
    if (c->seal.size == INT64_MAX)
        return bad(err, "its size does not fit in 63 bits");
    if (rf_digest_from_base64(&c->seal.root, line[2].text, line[2].length) != 0)
        return bad(err, "its third line is no root");
    return RF_OK;
}

/* A signature line; those that nobody here could have a key for are passed over. */
static enum rf_status read_signature(struct rf_head *c, const struct line *line,
                                     struct rf_error *err)
{
    size_t dash = strlen(DASH), got = 0;
    const char *name = line->text + dash, *end = line->text + line->length;
    const char *space = memchr(name, ' ', (size_t)(end - name));
    char again[sodium_base64_ENCODED_LEN(DATA_BYTES, BASE64)];
    unsigned char data[DATA_BYTES];
    struct rf_signature *s = &c->signatures[c->nsignatures];
    size_t length = space == NULL ? 0 : (size_t)(end - space) - 1;

    if (space == NULL || space == name || length == 0 || !plain(line))
        return bad(err, "a line of signature is not \"\u2014 name base64\"");
    if ((size_t)(space - name) >= RF_NAME_BYTES || length >= sizeof again)
        return RF_OK;
    if (sodium_base642bin(data, sizeof data, space + 1, length, NULL, &got, NULL, BASE64) != 0)
        return bad(err, "a signature is not base64");
    sodium_bin2base64(again, sizeof again, data, got, BASE64);
    if (strlen(again) != length || memcmp(again, space + 1, length) != 0)
        return bad(err, "a signature is not base64");
    if (got != 4 + RF_SIGNATURE_BYTES && got != DATA_BYTES)
        return RF_OK;
    if (c->nsignatures == RF_HEAD_SIGNATURES)
        return bad(err, "it has too many signatures");
    memcpy(s->name, name, (size_t)(space - name));
    s->name[space - name] = '\0';
    memcpy(s->id, data, sizeof s->id);
    s->size_bytes = got - 4;
    memcpy(s->bytes, data + 4, s->size_bytes);
    c->nsignatures++;
    return RF_OK;
}

/* Lines behind the root, which the log may have a use for, up to an empty one. */
static enum rf_status read_rest(struct rf_head *c, const char **at, const char *end,
                                struct rf_error *err)
{
    struct line line;

    for (;;) {
        c->body_bytes = (size_t)(*at - c->text);
        if (!next_line(at, end, &line))
            return bad(err, "it ends before its signatures");
        if (line.length == 0)
            return RF_OK;
        if (!plain(&line))
            return bad(err, "it has control characters");
    }
}

enum rf_status rf_head_read(struct rf_head *head, const char *text, size_t length,
                            struct rf_error *err)
{
    const char *at = text, *end = text + length;
    size_t dash = strlen(DASH);
    struct line line[3], next;
    int lines = 0;
    enum rf_status st;

    *head = (struct rf_head){.text = text};
    for (int i = 0; i < 3; i++)
        if (!next_line(&at, end, &line[i]))
            return bad(err, "it has no origin, size and root");
    st = read_head(head, line, err);
    if (st == RF_OK)
        st = read_rest(head, &at, end, err);
    while (st == RF_OK && (size_t)(end - at) > dash && memcmp(at, DASH, dash) == 0) {
        if (!next_line(&at, end, &next))
            return bad(err, "its last line has no end");
        st = read_signature(head, &next, err);
        lines++;
    }
    head->size_bytes = (size_t)(at - text);
    if (st == RF_OK && lines == 0)
        return bad(err, "it has no signature");
    if (st == RF_OK && head->size_bytes > RF_HEAD_BYTES - 1)
        return bad(err, "it is too long");
    return st;
}

/* ---- signatures --------------------------------------------------------- */

static const struct rf_signature *find(const struct rf_head *c, const struct rf_vkey *vkey,
                                       size_t size_bytes)
{
    for (int i = 0; i < c->nsignatures; i++)
        if (c->signatures[i].size_bytes == size_bytes &&
            strcmp(c->signatures[i].name, vkey->name) == 0 &&
            memcmp(c->signatures[i].id, vkey->id, sizeof vkey->id) == 0)
            return &c->signatures[i];
    return NULL;
}

enum rf_status rf_head_signed(const struct rf_head *head, const struct rf_vkey *vkey,
                              struct rf_error *err)
{
    const struct rf_signature *s = find(head, vkey, RF_SIGNATURE_BYTES);

    if (s == NULL)
        return rf_fail(err, RF_NO, "the head is not signed by '%s'", vkey->name);
    if (!rf_vkey_verifies(vkey, head->text, head->body_bytes, s->bytes))
        return rf_fail(err, RF_ERR_INPUT, "the signature of '%s' on the head does not verify",
                       vkey->name);
    return RF_OK;
}

/* What a witness signs; returns its size. */
static size_t cosigned_text(const struct rf_head *c, int64_t time_s,
                            char text[RF_HEAD_BYTES + 64])
{
    int n = snprintf(text, 64, "cosignature/v1\ntime %" PRId64 "\n", time_s);

    memcpy(text + n, c->text, c->body_bytes);
    return (size_t)n + c->body_bytes;
}

enum rf_status rf_head_cosigned(const struct rf_head *head, const struct rf_vkey *vkey,
                                int64_t *time_s, struct rf_error *err)
{
    const struct rf_signature *s = find(head, vkey, RF_COSIGNATURE_BYTES);
    char text[RF_HEAD_BYTES + 64];
    uint64_t time = 0;
    size_t n;

    if (s == NULL)
        return rf_fail(err, RF_NO, "the head is not cosigned by '%s'", vkey->name);
    for (int i = 0; i < 8; i++)
        time = time << 8 | s->bytes[i];
    *time_s = (int64_t)(time & INT64_MAX);
    n = cosigned_text(head, *time_s, text);
    if (time > INT64_MAX || !rf_vkey_verifies(vkey, text, n, s->bytes + 8))
        return rf_fail(err, RF_ERR_INPUT, "the cosignature of '%s' on the head does not verify",
                       vkey->name);
    return RF_OK;
}

void rf_head_cosign(const struct rf_head *head, const struct rf_key *key, int64_t time_s,
                    char line[RF_SEAL_BYTES])
{
    char text[RF_HEAD_BYTES + 64];
    char encoded[sodium_base64_ENCODED_LEN(DATA_BYTES, BASE64)];
    unsigned char data[DATA_BYTES];
    struct rf_vkey vkey;
    size_t n = cosigned_text(head, time_s, text);

    rf_key_vkey(key, &vkey);
    memcpy(data, vkey.id, 4);
    for (int i = 0; i < 8; i++)
        data[4 + i] = (unsigned char)((uint64_t)time_s >> (56 - 8 * i));
    rf_key_sign(key, text, n, data + 12);
    sodium_bin2base64(encoded, sizeof encoded, data, sizeof data, BASE64);
    snprintf(line, RF_SEAL_BYTES, "%s%s %s\n", DASH, vkey.name, encoded);
}
