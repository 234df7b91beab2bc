#include "alloc/ledger_view.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/ledger_file.h"

enum { TOGETHER = 256 };

static enum rf_status add_key(struct rf_ledger_view *v, const struct rf_vkey *vkey,
                              struct rf_error *err)
{
    struct rf_vkey *more = realloc(v->keys, ((size_t)v->nkeys + 1) * sizeof *more);

    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the keys of a ledger");
    v->keys = more;
    v->keys[v->nkeys++] = *vkey;
    return RF_OK;
}

struct visitor {
    struct rf_ledger_view *view;
    rf_ledger_visit *visit;
    void *ctx;
};

static enum rf_status look(void *self, const struct rf_event *event, struct rf_error *err)
{
    struct visitor *visitor = self;
    struct rf_vkey vkey;
    enum rf_status st = RF_OK;

    if (event->type == RF_EVENT_ROTATE) {
        st = rf_vkey_parse(&vkey, event->text, err);
        if (st == RF_OK)
            st = add_key(visitor->view, &vkey, err);
    }
    return st == RF_OK && visitor->visit != NULL ? visitor->visit(visitor->ctx, event, err)
                                                 : st;
}

/* The key that the seals begin with: beside the ledger, and the one that was asked for. */
static enum rf_status first_keys(struct rf_ledger_view *v, const char *path, const char *vkey,
                                 struct rf_error *err)
{
    char beside[RF_PATH_BYTES];
    struct rf_vkey key;
    enum rf_status st = rf_ledger_beside(beside, path, ".pub", err);

    if (st == RF_OK && rf_vkey_read(&key, beside, RF_KEY_SEAL, NULL) == RF_OK)
        st = add_key(v, &key, err);
    if (st == RF_OK && vkey != NULL)
        st = rf_vkey_parse(&key, vkey, err);
    return st == RF_OK && vkey != NULL ? add_key(v, &key, err) : st;
}

static enum rf_status take_leaves(struct rf_ledger_view *v, const char *data, size_t size,
                                  struct rf_error *err)
{
    struct rf_bytes lines[TOGETHER];
    const char *at = data, *end = data + size;
    int64_t n = 0;

    v->leaves = malloc((size_t)(v->check.entries + 1) * sizeof *v->leaves);
    if (v->leaves == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the leaves of a ledger");
    while (n < v->check.entries) {
        int k = 0;

        for (; k < TOGETHER && n + k < v->check.entries; k++) {
            const char *stop = memchr(at, '\n', (size_t)(end - at));

            lines[k] = (struct rf_bytes){at, (size_t)(stop - at)};
            at = stop + 1;
        }
        rf_tree_digest_leaves(lines, k, v->leaves + n);
        n += k;
    }
    return RF_OK;
}

/* The last note among the seals; they have been checked. */
static enum rf_status take_last(struct rf_ledger_view *v, const char *path,
                                struct rf_error *err)
{
    char beside[RF_PATH_BYTES];
    size_t size = 0, at = 0;
    enum rf_status st = rf_ledger_beside(beside, path, ".seals", err);

    if (st == RF_OK)
        st = rf_ledger_slurp_path(beside, &v->heads, &size, err);
    while (st == RF_OK && at < size) {
        at += v->heads[at] == '\n';
        st = rf_head_read(&v->last, v->heads + at, size - at, err);
        at += v->last.size_bytes;
    }
    return st;
}

enum rf_status rf_ledger_view_open(struct rf_ledger_view *view, const char *path,
                                   const char *vkey, rf_ledger_visit *visit, void *ctx,
                                   struct rf_error *err)
{
    struct visitor visitor = {view, visit, ctx};
    struct rf_ledger_end end;
    char *data = NULL;
    size_t size = 0;
    enum rf_status st;

    *view = (struct rf_ledger_view){.nkeys = 0};
    st = rf_ledger_slurp_path(path, &data, &size, err);
    if (st == RF_OK)
        st = rf_ledger_resembles(path, data, size, err);
    if (st == RF_OK)
        st = first_keys(view, path, vkey, err);
    if (st == RF_OK)
        st = rf_ledger_check_data(path, data, size, vkey, look, &visitor, &view->check, &end,
                                  err);
    if (st == RF_OK && view->check.chain_ok)
        st = take_leaves(view, data, end.good_bytes, err);
    if (st == RF_OK && view->check.chain_ok && view->check.seals_ok && view->check.seals > 0)
        st = take_last(view, path, err);
    free(data);
    return st;
}

void rf_ledger_view_clear(struct rf_ledger_view *view)
{
    free(view->leaves);
    free(view->keys);
    free(view->heads);
    *view = (struct rf_ledger_view){.nkeys = 0};
}

enum rf_status rf_ledger_view_sound(const struct rf_ledger_view *view, const char *path,
                                    struct rf_error *err)
{
    const struct rf_ledger_check *c = &view->check;

    if (c->chain_ok && c->seals_ok && c->first_bad_seq < 0)
        return RF_OK;
    return rf_fail(err, RF_NO, "ledger '%s' does not verify: %s", path, c->problem);
}

const struct rf_vkey *rf_ledger_view_signer(const struct rf_ledger_view *view,
                                            const struct rf_head *head)
{
    for (int i = view->nkeys - 1; i >= 0; i--)
        if (rf_head_signed(head, &view->keys[i], NULL) == RF_OK)
            return &view->keys[i];
    return NULL;
}

enum rf_status rf_ledger_view_head(const struct rf_ledger_view *view,
                                   const struct rf_head *head, struct rf_error *err)
{
    struct rf_digest root;

    if (view->last.text != NULL && strcmp(head->seal.origin, view->last.seal.origin) != 0)
        return rf_fail(err, RF_NO, "the head is of another log, '%.80s', than the ledger, '%s'",
                       head->seal.origin, view->last.seal.origin);
    if (rf_ledger_view_signer(view, head) == NULL)
        return rf_fail(err, RF_NO, "the head is not signed by any key of the ledger");
    if (head->seal.size > view->check.entries)
        return rf_fail(err, RF_NO,
                       "the head covers %lld entries, but the ledger has only %lld: entries "
                       "that were signed for are gone",
                       (long long)head->seal.size, (long long)view->check.entries);
    root = rf_proof_root(view->leaves, head->seal.size);
    if (!rf_digest_equal(&root, &head->seal.root))
        return rf_fail(err, RF_NO,
                       "the first %lld entries are not those that the head was signed over: "
                       "the ledger was rewritten, or forked",
                       (long long)head->seal.size);
    return RF_OK;
}
