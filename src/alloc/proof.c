#include "alloc/proof.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/tree.h"

/* ---- making --------------------------------------------------------------- */

struct rf_digest rf_proof_root(const struct rf_digest *leaves, int64_t n)
{
    struct rf_tree tree = {0};

    for (int64_t i = 0; i < n; i += INT32_MAX / 2) {
        int64_t part = n - i < INT32_MAX / 2 ? n - i : INT32_MAX / 2;

        rf_tree_add_digests(&tree, leaves + i, (int)part);
    }
    return rf_tree_root(&tree);
}

/* The largest power of two below n, n > 1: where RFC 6962 splits a tree. */
static int64_t split(int64_t n)
{
    int64_t k = 1;

    while (k < n - k)
        k *= 2;
    return k;
}

static void add(struct rf_path *path, struct rf_digest hash)
{
    assert(path->n < RF_PROOF_MAX);
    path->hashes[path->n++] = hash;
}

/* PATH(m, D[n]) of section 2.1.1, from the leaf upwards. */
void rf_proof_inclusion(struct rf_path *path, const struct rf_digest *leaves, int64_t n,
                        int64_t index)
{
    int64_t begin[64], end[64];
    int depth = 0;

    begin[0] = 0;
    end[0] = n;
    while (end[depth] - begin[depth] > 1) {
        int64_t middle = begin[depth] + split(end[depth] - begin[depth]);

        depth++;
        begin[depth] = index < middle ? begin[depth - 1] : middle;
        end[depth] = index < middle ? middle : end[depth - 1];
    }
    path->n = 0;
    for (; depth > 0; depth--) { /* the other half of what is one level up */
        int64_t from = begin[depth] == begin[depth - 1] ? end[depth] : begin[depth - 1];
        int64_t to = begin[depth] == begin[depth - 1] ? end[depth - 1] : begin[depth];

        add(path, rf_proof_root(leaves + from, to - from));
    }
}

/* SUBPROOF(m, D[n], b) of section 2.1.2. */
static void subproof(struct rf_path *path, const struct rf_digest *leaves, int64_t n, int64_t m,
                     int whole)
{
    int64_t k;

    if (m == n) {
        if (!whole)
            add(path, rf_proof_root(leaves, n));
        return;
    }
    k = split(n);
    if (m <= k) {
        subproof(path, leaves, k, m, whole);
        add(path, rf_proof_root(leaves + k, n - k));
    } else {
        subproof(path, leaves + k, n - k, m - k, 0);
        add(path, rf_proof_root(leaves, k));
    }
}

void rf_proof_consistency(struct rf_path *path, const struct rf_digest *leaves, int64_t n,
                          int64_t old)
{
    path->n = 0;
    subproof(path, leaves, n, old, 1);
}

/* ---- checking ------------------------------------------------------------- */

int rf_proof_includes(const struct rf_path *path, int64_t index, int64_t size,
                      const struct rf_digest *leaf, const struct rf_digest *root)
{
    struct rf_digest hash = *leaf;
    int64_t at = index, last = size - 1;

    if (index < 0 || index >= size)
        return 0;
    for (int i = 0; i < path->n; i++) {
        if (last == 0)
            return 0;
        if ((at & 1) != 0 || at == last) {
            hash = rf_tree_node(&path->hashes[i], &hash);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = rf_tree_node(&hash, &path->hashes[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && rf_digest_equal(&hash, root);
}

int rf_proof_extends(const struct rf_path *path, int64_t old, const struct rf_digest *old_root,
                     int64_t size, const struct rf_digest *root)
{
    struct rf_digest old_hash, hash;
    int64_t at = old - 1, last = size - 1;
    int next = 0;

    if (old < 0 || old > size)
        return 0;
    if (old == 0)
        return path->n == 0;
    if (old == size)
        return path->n == 0 && rf_digest_equal(old_root, root);
    while ((at & 1) != 0) {
        at >>= 1;
        last >>= 1;
    }
    if (at != 0 && path->n == 0)
        return 0;
    hash = old_hash = at == 0 ? *old_root : path->hashes[next++]; /* 0: a power of two */
    for (; next < path->n; next++) {
        if (last == 0)
            return 0;
        if ((at & 1) != 0 || at == last) {
            old_hash = rf_tree_node(&path->hashes[next], &old_hash);
            hash = rf_tree_node(&path->hashes[next], &hash);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = rf_tree_node(&hash, &path->hashes[next]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && rf_digest_equal(&old_hash, old_root) && rf_digest_equal(&hash, root);
}

/* ---- files ---------------------------------------------------------------- */

static const char HEADER[] = "c2sp.org/tlog-proof@v1\n";

size_t rf_proof_format(const struct rf_proof *proof, char text[RF_PROOF_BYTES])
{
    size_t n = 0;

    if (proof->kind == RF_PROOF_ENTRY)
        n = (size_t)snprintf(text, RF_PROOF_BYTES, "%sindex %" PRId64 "\n", HEADER,
                             proof->index);
    else
        n = (size_t)snprintf(text, RF_PROOF_BYTES, "old %" PRId64 "\n", proof->index);
    for (int i = 0; i < proof->path.n; i++) {
        rf_digest_to_base64(&proof->path.hashes[i], text + n);
        n += RF_DIGEST_BASE64 - 1;
        text[n++] = '\n';
    }
    text[n++] = '\n';
    memcpy(text + n, proof->head.text, proof->head.size_bytes);
    n += proof->head.size_bytes;
    text[n] = '\0';
    return n;
}

static enum rf_status bad(struct rf_error *err, const char *what)
{
    return rf_fail(err, RF_ERR_INPUT, "not a proof: %s", what);
}

/* "word number\n"; moves *at behind it. 0: there is something else. */
static int read_number(const char **at, const char *end, const char *word, int64_t *number)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t n = strlen(word), ndigits;
    char digits[20] = "";

    if (stop == NULL || (size_t)(stop - *at) <= n || memcmp(*at, word, n) != 0)
        return 0;
    ndigits = (size_t)(stop - *at) - n;
    if (ndigits >= sizeof digits)
        return 0;
    memcpy(digits, *at + n, ndigits);
    if (strspn(digits, "0123456789") != ndigits || (ndigits > 1 && digits[0] == '0'))
        return 0;
    *number = strtoll(digits, NULL, 10);
    *at = stop + 1;
    return *number < INT64_MAX;
}

/* Hashes up to an empty line. */
static enum rf_status read_path(struct rf_path *path, const char **at, const char *end,
                                struct rf_error *err)
{
    path->n = 0;
    for (;;) {
        const char *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;

        if (stop == NULL)
            return bad(err, "it ends before its head");
        if (stop == *at) {
            *at = stop + 1;
            return RF_OK;
        }
        if (path->n == RF_PROOF_MAX)
            return bad(err, "it has too many hashes");
        if (rf_digest_from_base64(&path->hashes[path->n++], *at, (size_t)(stop - *at)) != 0)
            return bad(err, "a line of its path is no hash");
        *at = stop + 1;
    }
}

enum rf_status rf_proof_parse(struct rf_proof *proof, const char *text, size_t size,
                              struct rf_error *err)
{
    const char *at = text, *end = text + size, *stop;
    size_t header = strlen(HEADER);
    enum rf_status st;

    proof->kind = size > header && memcmp(text, HEADER, header) == 0 ? RF_PROOF_ENTRY
                                                                     : RF_PROOF_EXTENSION;
    if (proof->kind == RF_PROOF_ENTRY) {
        at += header;
        if ((size_t)(end - at) > 6 && memcmp(at, "extra ", 6) == 0 &&
            (stop = memchr(at, '\n', (size_t)(end - at))) != NULL)
            at = stop + 1;
        if (!read_number(&at, end, "index ", &proof->index))
            return bad(err, "it says no index");
    } else if (size == 0 || !read_number(&at, end, "old ", &proof->index)) {
        return bad(err, "it begins neither as a .tlog-proof nor with \"old\" and a size");
    }
    st = read_path(&proof->path, &at, end, err);
    if (st == RF_OK)
        st = rf_head_read(&proof->head, at, (size_t)(end - at), err);
    if (st == RF_OK && proof->head.size_bytes != (size_t)(end - at))
        return bad(err, "something follows its head");
    return st;
}
