/* ringfence ledger verify, head, check-proof; and what the verbs share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc/state.h"
#include "alloc/tree.h"
#include "base/file.h"
#include "cli/ledger_verbs.h"

enum { MOST_BYTES = 1 << 24 };

/* ---- what they share ---- */

enum rf_status rf_ledger_call_key(const struct rf_ledger_call *call, char text[RF_VKEY_BYTES],
                                  const char **vkey, struct rf_error *err)
{
    struct rf_vkey key;
    enum rf_status st;

    *vkey = NULL;
    if (call->key == NULL)
        return RF_OK;
    st = rf_vkey_read(&key, call->key, RF_KEY_SEAL, err);
    if (st != RF_OK)
        return st;
    rf_vkey_format(&key, text);
    *vkey = text;
    return RF_OK;
}

enum rf_status rf_ledger_call_view(const struct rf_ledger_call *call, const char *path,
                                   struct rf_ledger_view *view, struct rf_error *err)
{
    char text[RF_VKEY_BYTES];
    const char *vkey;
    enum rf_status st = rf_ledger_call_key(call, text, &vkey, err);

    *view = (struct rf_ledger_view){.nkeys = 0};
    if (st == RF_OK)
        st = rf_ledger_view_open(view, path, vkey, NULL, NULL, err);
    return st == RF_OK ? rf_ledger_view_sound(view, path, err) : st;
}

void rf_ledger_add_head(struct rf_build *build, json_t *to, const struct rf_head *head)
{
    char root[RF_DIGEST_BASE64];

    rf_digest_to_base64(&head->seal.root, root);
    rf_build_text(build, to, "origin", head->seal.origin);
    rf_build_integer(build, to, "size", head->seal.size);
    rf_build_text(build, to, "root", root);
}

enum rf_status rf_ledger_hand_out(struct rf_ledger_call *call, const char *key,
                                  const char *text, struct rf_error *err)
{
    rf_build_text(&call->build, call->doc, key, text);
    if (call->out != NULL)
        return rf_file_write(call->out, text, strlen(text), err);
    if (!call->json && fputs(text, stdout) == EOF)
        return rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    return RF_OK;
}

static void time_text(int64_t time_s, char text[32])
{
    time_t t = (time_t)time_s;
    struct tm parts;

    if (gmtime_r(&t, &parts) == NULL || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(text, 32, "%lld", (long long)time_s);
}

enum rf_status rf_ledger_check_witnesses(struct rf_ledger_call *call,
                                         const struct rf_head *head, struct rf_error *err)
{
    json_t *list = json_array();
    struct rf_error why = {RF_OK, ""};
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < call->witnesses.n; i++) {
        json_t *item = json_object();
        struct rf_vkey vkey;
        int64_t time_s = 0;
        char when[32];

        st = rf_vkey_read(&vkey, call->witnesses.items[i], RF_KEY_WITNESS, err);
        if (st == RF_OK && rf_head_cosigned(head, &vkey, &time_s, &why) != RF_OK)
            st = rf_fail(err, RF_NO, "%s", why.text);
        if (st == RF_OK) {
            time_text(time_s, when);
            rf_build_text(&call->build, item, "name", vkey.name);
            rf_build_integer(&call->build, item, "time_s", time_s);
            if (!call->json)
                printf("  cosigned by %s at %s\n", vkey.name, when);
        }
        rf_build_append(&call->build, list, item);
    }
    rf_build_set(&call->build, call->doc, "witnesses", list);
    return st;
}

enum rf_status rf_ledger_for_heads(const char *path,
                                   enum rf_status (*f)(void *ctx, const struct rf_head *head,
                                                       struct rf_error *err),
                                   void *ctx, struct rf_error *err)
{
    struct rf_head head;
    struct rf_error why = {RF_OK, ""};
    char *text = NULL;
    size_t size = 0, at = 0;
    enum rf_status st = rf_file_read(path, MOST_BYTES, &text, &size, err);

    if (st == RF_OK && size == 0)
        st = rf_fail(err, RF_ERR_INPUT, "'%s' holds no head", path);
    while (st == RF_OK && at < size) {
        at += at > 0 && text[at] == '\n';
        if (at == size)
            break;
        if (rf_head_read(&head, text + at, size - at, &why) != RF_OK)
            st = rf_fail(err, RF_ERR_INPUT, "'%s', at byte %zu: %s", path, at, why.text);
        else
            st = f(ctx, &head, err);
        at += st == RF_OK ? head.size_bytes : 0;
    }
    free(text);
    return st;
}

/* ---- verify ---- */

static enum rf_status apply(void *ctx, const struct rf_event *event, struct rf_error *err)
{
    return rf_state_apply(ctx, event, err);
}

/* A file of heads is compared one by one; the witnesses' word is taken from the largest that all
 * of them cosigned. */
struct comparison {
    struct rf_ledger_call *call;
    const struct rf_ledger_view *view;
    int64_t heads, witnessed;
    struct rf_error why;
};

static enum rf_status compare(void *ctx, const struct rf_head *head, struct rf_error *err)
{
    struct comparison *c = ctx;
    enum rf_status st = rf_ledger_view_head(c->view, head, err);

    if (st != RF_OK)
        return st;
    c->heads++;
    if (c->call->witnesses.n > 0 && head->seal.size > c->witnessed) {
        st = rf_ledger_check_witnesses(c->call, head, &c->why);
        if (st != RF_OK && st != RF_NO)
            return rf_fail(err, st, "%s", c->why.text);
        if (st == RF_OK)
            c->witnessed = head->seal.size;
    }
    return RF_OK;
}

static enum rf_status compare_heads(struct rf_ledger_call *call,
                                    const struct rf_ledger_view *view, struct rf_error *err)
{
    struct comparison c = {.call = call, .view = view};
    enum rf_status st = RF_OK;

    if (call->head == NULL && call->witnesses.n > 0)
        return rf_fail(err, RF_ERR_ARG,
                       "--witness-key needs --head: the file with the cosigned head");
    if (call->head != NULL)
        st = rf_ledger_for_heads(call->head, compare, &c, err);
    if (st != RF_OK)
        return st;
    rf_build_integer(&call->build, call->doc, "heads", c.heads);
    rf_build_integer(&call->build, call->doc, "witnessed_entries", c.witnessed);
    if (call->witnesses.n > 0 && c.witnessed == 0)
        return rf_fail(err, RF_NO, "%s", c.why.text);
    if (!call->json && c.heads > 0)
        printf("  %lld heads of '%s' are of this ledger\n", (long long)c.heads, call->head);
    return RF_OK;
}

static void say(struct rf_ledger_call *call, const char *path, const struct rf_ledger_check *c)
{
    struct rf_build *b = &call->build;

    rf_build_text(b, call->doc, "ledger", path);
    rf_build_integer(b, call->doc, "entries", c->entries);
    rf_build_integer(b, call->doc, "sealed_entries", c->sealed_entries);
    rf_build_integer(b, call->doc, "seals", c->seals);
    rf_build_integer(b, call->doc, "rotations", c->rotations);
    rf_build_text(b, call->doc, "head", c->head);
    rf_build_text(b, call->doc, "key_name", c->key_name);
    rf_build_set(b, call->doc, "chain_ok", json_boolean(c->chain_ok));
    rf_build_set(b, call->doc, "seals_ok", json_boolean(c->seals_ok));
    rf_build_set(b, call->doc, "first_bad_seq",
                 c->first_bad_seq < 0 ? json_null() : json_integer(c->first_bad_seq));
    rf_build_integer(b, call->doc, "torn_bytes", c->torn_bytes);
    if (call->json)
        return;
    printf("%s: %lld entries, %lld of them sealed, %lld seals, %lld changes of key\n", path,
           (long long)c->entries, (long long)c->sealed_entries, (long long)c->seals,
           (long long)c->rotations);
    printf("  head %s\n", c->head);
}

enum rf_status rf_ledger_cmd_verify(struct rf_ledger_call *call, struct rf_error *err)
{
    struct rf_ledger_view view = {.nkeys = 0};
    struct rf_state *state = NULL;
    const char *path = call->args[0], *vkey = NULL;
    char text[RF_VKEY_BYTES];
    enum rf_status st = rf_ledger_call_key(call, text, &vkey, err);

    if (st == RF_OK)
        st = rf_state_create(&state, 0, err);
    if (st == RF_OK)
        st = rf_ledger_view_open(&view, path, vkey, apply, state, err);
    if (st == RF_OK) {
        say(call, path, &view.check);
        st = rf_ledger_view_sound(&view, path, err);
    }
    if (st == RF_OK)
        st = compare_heads(call, &view, err);
    if (st == RF_OK && !call->json)
        printf("  chain, tree, seals and rules hold\n");
    rf_ledger_view_clear(&view);
    rf_state_destroy(state);
    return st;
}

/* ---- head ---- */

enum rf_status rf_ledger_cmd_head(struct rf_ledger_call *call, struct rf_error *err)
{
    struct rf_ledger_view view;
    char note[RF_HEAD_BYTES];
    enum rf_status st = rf_ledger_call_view(call, call->args[0], &view, err);

    if (st == RF_OK && view.last.text == NULL)
        st = rf_fail(err, RF_NO, "ledger '%s' has no seal", call->args[0]);
    if (st == RF_OK) {
        memcpy(note, view.last.text, view.last.size_bytes);
        note[view.last.size_bytes] = '\0';
        rf_ledger_add_head(&call->build, call->doc, &view.last);
        st = rf_ledger_hand_out(call, "note", note, err);
    }
    rf_ledger_view_clear(&view);
    return st;
}

/* ---- check-proof ---- */

static enum rf_status check_entry(struct rf_ledger_call *call, const struct rf_proof *proof,
                                  const char *line, size_t size, struct rf_error *err)
{
    struct rf_bytes text = {line, size > 0 && line[size - 1] == '\n' ? size - 1 : size};
    struct rf_digest leaf;

    if (memchr(line, '\n', text.size_bytes) != NULL)
        return rf_fail(err, RF_ERR_INPUT, "'%s' is not one line, and so no entry",
                       call->args[1]);
    rf_tree_digest_leaves(&text, 1, &leaf);
    rf_build_integer(&call->build, call->doc, "index", proof->index);
    if (!rf_proof_includes(&proof->path, proof->index, proof->head.seal.size, &leaf,
                           &proof->head.seal.root))
        return rf_fail(err, RF_NO, "this line is not entry %lld under the head",
                       (long long)proof->index);
    if (!call->json)
        printf("entry %lld of %lld of '%s', under a head by '%s'\n", (long long)proof->index,
               (long long)proof->head.seal.size, proof->head.seal.origin,
               proof->head.signatures[0].name);
    return RF_OK;
}

static enum rf_status check_extension(struct rf_ledger_call *call, const struct rf_proof *proof,
                                      const char *note, size_t size, const struct rf_vkey *vkey,
                                      struct rf_error *err)
{
    struct rf_head old;
    struct rf_error why = {RF_OK, ""};

    if (rf_head_read(&old, note, size, &why) != RF_OK)
        return rf_fail(err, RF_ERR_INPUT, "'%s': %s", call->args[1], why.text);
    if (rf_head_signed(&old, vkey, &why) != RF_OK)
        return rf_fail(err, RF_NO, "old head: %s", why.text);
    if (strcmp(old.seal.origin, proof->head.seal.origin) != 0)
        return rf_fail(err, RF_NO, "the old head is of another log, '%s'", old.seal.origin);
    rf_build_integer(&call->build, call->doc, "old_size", old.seal.size);
    if (old.seal.size != proof->index ||
        !rf_proof_extends(&proof->path, old.seal.size, &old.seal.root, proof->head.seal.size,
                          &proof->head.seal.root))
        return rf_fail(err, RF_NO,
                       "the head over %lld entries is not shown to extend the one over %lld",
                       (long long)proof->head.seal.size, (long long)old.seal.size);
    if (!call->json)
        printf("the head over %lld entries of '%s' extends the one over %lld\n",
               (long long)proof->head.seal.size, old.seal.origin, (long long)old.seal.size);
    return RF_OK;
}

static enum rf_status check_read(struct rf_ledger_call *call, const struct rf_proof *proof,
                                 const char *other, size_t size, struct rf_error *err)
{
    struct rf_error why = {RF_OK, ""};
    struct rf_vkey vkey;
    enum rf_status st = rf_vkey_read(&vkey, call->key, RF_KEY_SEAL, err);

    if (st != RF_OK)
        return st;
    rf_ledger_add_head(&call->build, call->doc, &proof->head);
    if (rf_head_signed(&proof->head, &vkey, &why) != RF_OK)
        return rf_fail(err, RF_NO, "%s", why.text);
    st = proof->kind == RF_PROOF_ENTRY ? check_entry(call, proof, other, size, err)
                                       : check_extension(call, proof, other, size, &vkey, err);
    return st == RF_OK ? rf_ledger_check_witnesses(call, &proof->head, err) : st;
}

enum rf_status rf_ledger_cmd_check_proof(struct rf_ledger_call *call, struct rf_error *err)
{
    struct rf_proof proof;
    struct rf_error why = {RF_OK, ""};
    char *text = NULL, *other = NULL;
    size_t size = 0, other_size = 0;
    enum rf_status st;

    if (call->key == NULL)
        return rf_fail(err, RF_ERR_ARG,
                       "'check-proof' needs --key: a proof is worth what the key is worth");
    st = rf_file_read(call->args[0], RF_PROOF_BYTES, &text, &size, err);
    if (st == RF_OK && rf_proof_parse(&proof, text, size, &why) != RF_OK)
        st = rf_fail(err, RF_ERR_INPUT, "'%s': %s", call->args[0], why.text);
    if (st == RF_OK)
        st = rf_file_read(call->args[1], MOST_BYTES, &other, &other_size, err);
    if (st == RF_OK)
        st = check_read(call, &proof, other, other_size, err);
    free(text);
    free(other);
    return st;
}
