/* A witness remembers: what it takes, what it refuses, in which words, and after whatever happens
 * to it. Ledgers are verified as trees (ledger_view.h) on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/anchor.h"
#include "alloc/ledger_view.h"
#include "alloc/witness.h"

enum { LEAVES = 12 };

static char dir[64], state[80];
static struct rf_key *log_key, *witness_key;
static struct rf_vkey log_vkey, witness_vkey;
static struct rf_digest leaves[LEAVES], forked[LEAVES];

static struct rf_key *make_key(enum rf_key_kind kind, const char *name)
{
    char path[96];
    struct rf_key *key = NULL;

    snprintf(path, sizeof path, "%s/key", dir);
    assert_int_equal(rf_key_generate_kind(path, NULL, name, kind, NULL), RF_OK);
    assert_int_equal(rf_key_load(&key, path, NULL), RF_OK);
    unlink(path);
    return key;
}

static int fresh(void **unused)
{
    (void)unused;
    snprintf(dir, sizeof dir, "/tmp/rf-witness-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(state, sizeof state, "%s/state", dir);
    log_key = make_key(RF_KEY_SEAL, "test.example/log");
    witness_key = make_key(RF_KEY_WITNESS, "witness.example/w");
    rf_key_vkey(log_key, &log_vkey);
    rf_key_vkey(witness_key, &witness_vkey);
    for (int i = 0; i < LEAVES; i++) {
        leaves[i] = forked[i] = rf_digest_of(&i, sizeof i);
        forked[i].bytes[5] ^= i == 4; /* another history from entry 4 on */
    }
    return 0;
}

static int clean(void **unused)
{
    (void)unused;
    rf_key_free(log_key);
    rf_key_free(witness_key);
    return rf_file_remove_tree(dir, NULL) == RF_OK ? 0 : -1;
}

static void sign(const struct rf_key *key, const struct rf_digest *of, int n,
                 char note[RF_HEAD_BYTES], struct rf_head *head)
{
    struct rf_seal seal = {
        .origin = "test.example/log", .size = n, .root = rf_proof_root(of, n)};

    assert_int_equal(rf_seal_sign(&seal, key, note, NULL), RF_OK);
    assert_int_equal(rf_head_read(head, note, strlen(note), NULL), RF_OK);
}

/* The witness is shown a head over the first n, with a proof from `old`. */
static enum rf_status show(const struct rf_digest *of, int n, int old, struct rf_error *err)
{
    struct rf_witness *w = NULL;
    char note[RF_HEAD_BYTES], out[RF_HEAD_BYTES + RF_SEAL_BYTES];
    struct rf_path path = {.n = 0};
    struct rf_head head;
    int64_t time_s = 0;
    enum rf_status st;

    sign(log_key, of, n, note, &head);
    if (old > 0)
        rf_proof_consistency(&path, of, n, old);
    assert_int_equal(rf_witness_open(&w, state, witness_key, err), RF_OK);
    st = rf_witness_see(w, &head, &log_vkey, &path, 1000 + n, out, err);
    if (st == RF_OK) {
        struct rf_witnessed seen;

        assert_int_equal(rf_head_read(&head, out, strlen(out), err), RF_OK);
        assert_int_equal(rf_head_signed(&head, &log_vkey, err), RF_OK);
        assert_int_equal(rf_head_cosigned(&head, &witness_vkey, &time_s, err), RF_OK);
        assert_int_equal(time_s, 1000 + n);
        assert_int_equal(rf_witness_recall(w, "test.example/log", &seen, err), RF_OK);
        assert_true(seen.seen && seen.head.size == n);
    }
    rf_witness_close(w);
    return st;
}

static void heads_that_grow_are_cosigned(void **unused)
{
    struct rf_error err;

    (void)unused;
    assert_int_equal(show(leaves, 3, 0, &err), RF_OK);
    assert_int_equal(show(leaves, 3, 3, &err), RF_OK); /* again, at another time */
    assert_int_equal(show(leaves, 7, 3, &err), RF_OK);
    assert_int_equal(show(leaves, 12, 7, &err), RF_OK);
}

static void a_head_that_is_older_is_refused(void **unused)
{
    struct rf_error err;

    (void)unused;
    assert_int_equal(show(leaves, 7, 0, &err), RF_OK);
    assert_int_equal(show(leaves, 6, 6, &err), RF_NO);
    assert_non_null(strstr(err.text, "covers 6 entries, and one over 7 was seen before"));
    assert_int_equal(show(leaves, 8, 7, &err), RF_OK); /* nothing was forgotten */
}

static void a_head_of_another_history_is_refused(void **unused)
{
    struct rf_error err;

    (void)unused;
    assert_int_equal(show(leaves, 7, 0, &err), RF_OK);
    assert_int_equal(show(forked, 7, 7, &err), RF_NO);
    assert_int_equal(show(forked, 9, 7, &err), RF_NO);
    assert_non_null(strstr(err.text, "does not extend the one over 7"));
    assert_int_equal(show(leaves, 9, 6, &err),
                     RF_NO); /* a proof from elsewhere proves nothing */
    assert_int_equal(show(leaves, 9, 0, &err), RF_NO);
    assert_int_equal(show(leaves, 9, 7, &err), RF_OK);
}

static void a_head_that_the_log_has_not_signed_is_refused(void **unused)
{
    struct rf_key *other = make_key(RF_KEY_SEAL, "test.example/log");
    struct rf_witness *w = NULL;
    char note[RF_HEAD_BYTES], out[RF_HEAD_BYTES + RF_SEAL_BYTES];
    struct rf_witnessed seen;
    struct rf_path path = {.n = 0};
    struct rf_head head;
    struct rf_error err;

    (void)unused;
    sign(other, leaves, 5, note, &head);
    assert_int_equal(rf_witness_open(&w, state, witness_key, &err), RF_OK);
    assert_int_equal(rf_witness_see(w, &head, &log_vkey, &path, 1, out, &err), RF_NO);
    assert_non_null(strstr(err.text, "not signed"));
    assert_int_equal(rf_witness_recall(w, "test.example/log", &seen, &err), RF_OK);
    assert_false(seen.seen);
    rf_witness_close(w);
    rf_key_free(other);
}

static void a_damaged_memory_is_not_taken_for_an_empty_one(void **unused)
{
    struct rf_digest name = rf_digest_of("test.example/log", 16);
    char hex[RF_DIGEST_HEX], path[RF_PATH_BYTES];
    struct rf_witness *w = NULL;
    struct rf_witnessed seen;
    struct rf_error err;
    char *text = NULL;
    size_t size = 0;

    (void)unused;
    assert_int_equal(show(leaves, 7, 0, &err), RF_OK);
    rf_digest_to_hex(&name, hex);
    snprintf(path, sizeof path, "%s/%s.head", state, hex);
    assert_int_equal(rf_file_read(path, 1 << 16, &text, &size, &err), RF_OK);
    assert_int_equal(rf_witness_open(&w, state, witness_key, &err), RF_OK);
    for (size_t cut = 0; cut < size; cut += 7) {
        assert_int_equal(rf_file_write(path, text, cut, &err), RF_OK);
        if (rf_witness_recall(w, "test.example/log", &seen, &err) == RF_OK)
            assert_int_equal(seen.head.size, 7); /* what is cut off are signatures */
        else
            assert_non_null(strstr(err.text, "damaged"));
    }
    rf_witness_close(w);
    free(text);
}

static void two_witnesses_do_not_share_a_memory_at_once(void **unused)
{
    struct rf_witness *w = NULL, *second = NULL;
    struct rf_error err;
    int status = 0;
    pid_t child;

    (void)unused;
    assert_int_equal(rf_witness_open(&w, state, witness_key, &err), RF_OK);
    child = fork();
    if (child == 0)
        _exit(rf_witness_open(&second, state, witness_key, &err) == RF_ERR_IO ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    rf_witness_close(w);
    assert_int_equal(rf_witness_open(&w, state, log_key, &err), RF_ERR_ARG);
    assert_null(w);
}

/* ---- a ledger as a tree ------------------------------------------------------ */

static void write_ledger(const char *path, int n)
{
    struct rf_ledger *ledger = NULL;

    assert_int_equal(rf_ledger_create(&ledger, path, "test.example/log", log_key, NULL), RF_OK);
    for (int i = 0; i < n; i++) {
        struct rf_event e =
            rf_event_make(i == 0 ? RF_EVENT_OPEN : RF_EVENT_HEARTBEAT, 1000 + i);

        e.seq = i;
        snprintf(e.name, sizeof e.name, "run");
        assert_int_equal(rf_ledger_append(ledger, &e, NULL), RF_OK);
    }
    assert_int_equal(rf_ledger_seal(ledger, NULL), RF_OK);
    rf_ledger_close(ledger);
}

static void a_ledger_tells_its_heads_from_others(void **unused)
{
    char path[96], other[96];
    struct rf_ledger_view view, shorter;
    struct rf_error err;

    (void)unused;
    snprintf(path, sizeof path, "%s/a.jsonl", dir);
    snprintf(other, sizeof other, "%s/b.jsonl", dir);
    write_ledger(path, 9);
    write_ledger(other, 5);
    assert_int_equal(rf_ledger_view_open(&view, path, NULL, NULL, NULL, &err), RF_OK);
    assert_int_equal(rf_ledger_view_sound(&view, path, &err), RF_OK);
    assert_int_equal(view.last.seal.size, 9);
    assert_int_equal(rf_ledger_view_head(&view, &view.last, &err), RF_OK);
    assert_int_equal(rf_ledger_view_open(&shorter, other, NULL, NULL, NULL, &err), RF_OK);
    assert_int_equal(rf_ledger_view_head(&view, &shorter.last, &err), RF_OK); /* same lines */
    assert_int_equal(rf_ledger_view_head(&shorter, &view.last, &err), RF_NO);
    assert_non_null(strstr(err.text, "are gone"));
    view.leaves[2].bytes[0] ^= 1;
    assert_int_equal(rf_ledger_view_head(&view, &shorter.last, &err), RF_NO);
    assert_non_null(strstr(err.text, "rewritten, or forked"));
    rf_ledger_view_clear(&view);
    rf_ledger_view_clear(&shorter);
}

static void heads_are_anchored_one_after_the_other(void **unused)
{
    char path[96], note[RF_HEAD_BYTES], line[RF_SEAL_BYTES];
    struct rf_head head, back;
    char *text = NULL;
    size_t size = 0;
    struct rf_error err;

    (void)unused;
    snprintf(path, sizeof path, "%s/heads", dir);
    sign(log_key, leaves, 3, note, &head);
    assert_int_equal(rf_anchor_file(path, note, &err), RF_OK);
    sign(log_key, leaves, 7, note, &head);
    assert_int_equal(rf_anchor_file(path, note, &err), RF_OK);
    assert_int_equal(rf_file_read(path, 1 << 16, &text, &size, &err), RF_OK);
    assert_int_equal(rf_head_read(&back, text, size, &err), RF_OK);
    assert_int_equal(back.seal.size, 3);
    assert_int_equal(text[back.size_bytes], '\n');
    assert_int_equal(
        rf_head_read(&back, text + back.size_bytes + 1, size - back.size_bytes - 1, &err),
        RF_OK);
    assert_int_equal(back.seal.size, 7);
    free(text);
    rf_anchor_line(&head, line);
    assert_non_null(strstr(line, "ringfence-head test.example/log 7 "));
    assert_null(strchr(line, '\n'));
    assert_int_equal(rf_anchor_file("/nowhere/heads", note, &err), RF_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heads_that_grow_are_cosigned, fresh, clean),
        cmocka_unit_test_setup_teardown(a_head_that_is_older_is_refused, fresh, clean),
        cmocka_unit_test_setup_teardown(a_head_of_another_history_is_refused, fresh, clean),
        cmocka_unit_test_setup_teardown(a_head_that_the_log_has_not_signed_is_refused, fresh,
                                        clean),
        cmocka_unit_test_setup_teardown(a_damaged_memory_is_not_taken_for_an_empty_one, fresh,
                                        clean),
        cmocka_unit_test_setup_teardown(two_witnesses_do_not_share_a_memory_at_once, fresh,
                                        clean),
        cmocka_unit_test_setup_teardown(a_ledger_tells_its_heads_from_others, fresh, clean),
        cmocka_unit_test_setup_teardown(heads_are_anchored_one_after_the_other, fresh, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
