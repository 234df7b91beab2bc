#include "audit/heads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/head.h"
#include "alloc/tree.h"
#include "base/lines.h"

#define LEDGER_MAX_BYTES ((size_t)1 << 40)
enum { HEADS_MAX_BYTES = 1 << 24 };

static const char DASH[] = "\xe2\x80\x94 ";

struct head {
    int64_t size;
    struct rf_digest root;
    const char *file;
};

struct heads {
    struct head *items; /* owned */
    size_t n, room;
    struct rf_vkey *keys; /* owned */
    int nkeys;
};

static int is_signature(struct rf_view line)
{
    return line.size_bytes > sizeof DASH - 1 && memcmp(line.bytes, DASH, sizeof DASH - 1) == 0;
}

/* ---- reading ------------------------------------------------------------- */

static enum rf_status add_head(struct heads *heads, const struct rf_seal *seal,
                               const char *file, struct rf_error *err)
{
    if (heads->n == heads->room) {
        size_t room = heads->room > 0 ? 2 * heads->room : 16;
        struct head *more = realloc(heads->items, room * sizeof *more);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for the heads in '%s'", file);
        heads->items = more;
        heads->room = room;
    }
    heads->items[heads->n++] = (struct head){seal->size, seal->root, file};
    return RF_OK;
}

/* Has one of the ledger's keys signed the head? */
static int by_ledger(const struct rf_head *head, const struct rf_vkey *keys, int nkeys,
                     struct rf_error *why)
{
    rf_fail(why, RF_NO, "there is no key to check it with");
    for (int k = 0; k < nkeys; k++)
        if (rf_head_signed(head, &keys[k], why) == RF_OK)
            return 1;
    return 0;
}

/* With a witness's key: the head has to bear that signature too. */
static enum rf_status check_witness(struct rf_audit_test *t9, const struct rf_head *head,
                                    const struct rf_head_keys *keys, const char *file,
                                    struct rf_error *err)
{
    struct rf_vkey witness;
    struct rf_error why;
    int64_t time_s;

    if (keys->witness == NULL)
        return RF_OK;
    if (rf_vkey_parse_kind(&witness, keys->witness, RF_KEY_WITNESS, err) != RF_OK)
        return err->status;
    if (rf_head_cosigned(head, &witness, &time_s, &why) != RF_OK)
        return rf_audit_find(t9, -1, -1, 1e9, err,
                             "no witness: '%.40s' has not cosigned the head in '%.60s' (%.60s)",
                             witness.name, file, why.text);
    rf_audit_note(t9, "'%.40s' saw the head over %lld lines at %lld s after 1970", witness.name,
                  (long long)head->seal.size, (long long)time_s);
    return RF_OK;
}

static enum rf_status take_head(struct heads *heads, struct rf_audit_test *t9,
                                const struct rf_head *head, const struct rf_head_keys *in,
                                const char *file, struct rf_error *err)
{
    struct rf_error why;
    enum rf_status st;

    if (!by_ledger(head, heads->keys, heads->nkeys, &why))
        return rf_audit_find(t9, -1, -1, 1e9, err,
                             "another key: the head kept in '%.60s' was not signed by the "
                             "ledger's key (%.80s)",
                             file, why.text);
    st = check_witness(t9, head, in, file, err);
    return st == RF_OK ? add_head(heads, &head->seal, file, err) : st;
}

/* Notes stand one after the other, with empty lines between them. */
static enum rf_status read_heads(struct heads *heads, struct rf_audit_test *t9,
                                 const struct rf_head_keys *in, const char *file,
                                 struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0, at = 0;
    struct rf_head head;
    struct rf_error why;
    int notes = 0;
    enum rf_status st = rf_file_read(file, HEADS_MAX_BYTES, &text, &size, err);

    while (st == RF_OK) {
        while (at < size && text[at] == '\n')
            at++;
        if (at == size)
            break;
        if (rf_head_read(&head, text + at, size - at, &why) != RF_OK) {
            st = rf_fail(err, RF_ERR_INPUT, "'%s' holds no signed tree head: %s", file,
                         why.text);
            break;
        }
        st = take_head(heads, t9, &head, in, file, err);
        at += head.size_bytes;
        notes++;
    }
    if (st == RF_OK && notes == 0)
        st = rf_fail(err, RF_ERR_INPUT, "'%s' holds no signed tree head", file);
    free(text);
    return st;
}

/* ---- comparing ------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    const struct head *x = a, *y = b;

    return (x->size > y->size) - (x->size < y->size);
}

static enum rf_status compare(struct rf_audit_test *t9, const struct heads *heads,
                              const char *data, size_t size, struct rf_error *err)
{
    struct rf_lines lines = rf_lines_begin(data, size);
    struct rf_tree tree = {.size = 0};
    struct rf_view line;
    struct rf_digest root;
    int64_t fits = 0;
    enum rf_status st = RF_OK;

    for (size_t i = 0; st == RF_OK && i < heads->n; i++) {
        const struct head *head = &heads->items[i];

        while (tree.size < head->size && rf_lines_next(&lines, &line))
            rf_tree_add(&tree, line.bytes, line.size_bytes);
        t9->checked++;
        if (tree.size < head->size) {
            st =
                rf_audit_find(t9, tree.size, -1, 1e9 + (double)(head->size - tree.size), err,
                              "cut off: the head kept in '%.60s' covers %lld lines, the ledger "
                              "has %lld",
                              head->file, (long long)head->size, (long long)tree.size);
            continue;
        }
        root = rf_tree_root(&tree);
        if (rf_digest_equal(&root, &head->root))
            fits = head->size;
        else
            st = rf_audit_find(t9, fits, -1, 1e9, err,
                               "fork: lines %lld to %lld are not those that the head kept in "
                               "'%.60s' signs: they were rewritten",
                               (long long)fits + 1, (long long)head->size, head->file);
    }
    return st;
}

static enum rf_status read_keys(struct rf_vkey *keys, int *nkeys, const char *ledger,
                                const struct rf_head_keys *in, struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    size_t size;
    struct rf_error why;
    enum rf_status st = RF_OK;

    *nkeys = 0;
    if (in->first != NULL) {
        st = rf_vkey_parse(&keys[(*nkeys)++], in->first, err);
    } else if (snprintf(path, sizeof path, "%s.pub", ledger) < (int)sizeof path &&
               rf_file_read(path, RF_VKEY_BYTES, &text, &size, &why) == RF_OK) {
        *nkeys += rf_vkey_parse(&keys[*nkeys], text, &why) == RF_OK;
        free(text);
    }
    for (int i = 0; st == RF_OK && i < in->nrotated; i++)
        *nkeys += rf_vkey_parse(&keys[*nkeys], in->rotated[i], &why) == RF_OK;
    return st;
}

enum rf_status rf_audit_heads(struct rf_audit_test *t9, const char *ledger,
                              const struct rf_head_keys *in, const char *const *files,
                              int nfiles, struct rf_error *err)
{
    struct heads heads = {.keys = calloc((size_t)in->nrotated + 1, sizeof *heads.keys)};
    char *data = NULL;
    size_t size;
    enum rf_status st;

    if (heads.keys == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the keys of a ledger");
    st = read_keys(heads.keys, &heads.nkeys, ledger, in, err);
    for (int i = 0; st == RF_OK && i < nfiles; i++)
        st = read_heads(&heads, t9, in, files[i], err);
    if (st == RF_OK && heads.n > 0) {
        qsort(heads.items, heads.n, sizeof *heads.items, by_size);
        st = rf_file_read(ledger, LEDGER_MAX_BYTES, &data, &size, err);
    }
    if (st == RF_OK && heads.n > 0)
        st = compare(t9, &heads, data, size, err);
    free(data);
    free(heads.items);
    free(heads.keys);
    return st;
}

enum rf_status rf_audit_last_seal(const char *ledger, char head[RF_DIGEST_BASE64],
                                  int64_t *size, struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    size_t length;
    struct rf_view line[3] = {{NULL, 0}}, last = {NULL, 0};
    struct rf_lines lines;
    enum rf_status st;
    int at = 0;

    head[0] = '\0';
    *size = 0;
    if (snprintf(path, sizeof path, "%s.seals", ledger) >= (int)sizeof path ||
        !rf_file_exists(path))
        return RF_OK;
    st = rf_file_read(path, LEDGER_MAX_BYTES, &text, &length, err);
    if (st != RF_OK)
        return st;
    lines = rf_lines_begin(text, length);
    while (rf_lines_next(&lines, &last)) {
        if (last.size_bytes == 0 || is_signature(last)) {
            at = 0;
            continue;
        }
        if (at < 3)
            line[at] = last;
        at++;
    }
    if (line[2].bytes != NULL && line[2].size_bytes < RF_DIGEST_BASE64) {
        memcpy(head, line[2].bytes, line[2].size_bytes);
        head[line[2].size_bytes] = '\0';
        for (size_t i = 0; i < line[1].size_bytes && i < 18; i++)
            *size = 10 * *size + (line[1].bytes[i] - '0');
    }
    free(text);
    return RF_OK;
}
