/* Proofs of RFC 6962 against numbers that another program found (Python's hashlib, from the
 * definitions in sections 2.1 to 2.1.2), against every small change, and as files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/proof.h"
#include "alloc/tree.h"

enum { LEAVES = 40 };

static struct rf_digest leaves[LEAVES];

static int make_leaves(void **unused)
{
    (void)unused;
    for (int i = 0; i < LEAVES; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "leaf %d", i);
        struct rf_bytes bytes = {text, (size_t)n};

        rf_tree_digest_leaves(&bytes, 1, &leaves[i]);
    }
    return 0;
}

static void is_hex(struct rf_digest digest, const char *expected)
{
    char hex[RF_DIGEST_HEX];

    rf_digest_to_hex(&digest, hex);
    assert_string_equal(hex, expected);
}

/* The eight inputs that tests of certificate logs have used since RFC 6962. */
static void roots_are_those_of_the_reference_vectors(void **unused)
{
    static const char *const ROOTS[] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    static const struct rf_bytes INPUTS[] = {
        {"", 0},   {"\x00", 1}, {"\x10", 1},     {" !", 2},
        {"01", 2}, {"@ABC", 4}, {"PQRSTUVW", 8}, {"`abcdefghijklmno", 16}};
    struct rf_digest all[8];

    (void)unused;
    rf_tree_digest_leaves(INPUTS, 8, all);
    for (int n = 1; n <= 8; n++)
        is_hex(rf_proof_root(all, n), ROOTS[n - 1]);
    is_hex(rf_proof_root(all, 0),
           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void add_path(struct rf_hash *hash, const struct rf_path *path)
{
    for (int i = 0; i < path->n; i++)
        rf_hash_add(hash, path->hashes[i].bytes, RF_DIGEST_BYTES);
}

/* Every root, path and proof of the trees of 1 to 40 leaves, one after the other. */
static void all_proofs_are_those_that_another_program_makes(void **unused)
{
    struct rf_hash roots, paths, proofs;
    struct rf_path path;

    (void)unused;
    rf_hash_start(&roots);
    rf_hash_start(&paths);
    rf_hash_start(&proofs);
    for (int n = 1; n <= LEAVES; n++) {
        struct rf_digest root = rf_proof_root(leaves, n);

        rf_hash_add(&roots, root.bytes, RF_DIGEST_BYTES);
        for (int i = 0; i < n; i++) {
            rf_proof_inclusion(&path, leaves, n, i);
            add_path(&paths, &path);
        }
        for (int m = 1; m <= n; m++) {
            rf_proof_consistency(&path, leaves, n, m);
            add_path(&proofs, &path);
        }
    }
    is_hex(rf_hash_end(&roots),
           "5cf110e0eed290b4693e3aa1784960f11ae42b30dc0daf30e970e8ee008d4b67");
    is_hex(rf_hash_end(&paths),
           "b7850b9046d9fa881bb30b38d78ba37cc41cd30dbc7c106d4530d18674de14fa");
    is_hex(rf_hash_end(&proofs),
           "dc28f4912c615e1e69b21bcfab2edb89535ae37731c0bb0df85be5b0963770f0");
}

static void a_proof_of_seven_leaves_is_as_written_down(void **unused)
{
    static const char *const EXPECTED[] = {"qze6NNHf4pAV3nF6bVdkqPsCnDp6D1tkuTtUNRiFv3w=",
                                           "/F9riP+FVPdbsvnm85wxsZNtRLaSdu33sSBalVuXYeM=",
                                           "AVcbVXvHBnJlDUZ8e62DN+CafzVKcgUfI7Q6eCwPSOY="};
    struct rf_path path;
    char text[RF_DIGEST_BASE64];

    (void)unused;
    rf_proof_inclusion(&path, leaves, 7, 3);
    assert_int_equal(path.n, 3);
    for (int i = 0; i < 3; i++) {
        rf_digest_to_base64(&path.hashes[i], text);
        assert_string_equal(text, EXPECTED[i]);
    }
}

static void an_entry_is_where_it_is_and_nowhere_else(void **unused)
{
    struct rf_path path, changed;

    (void)unused;
    for (int n = 1; n <= LEAVES; n++) {
        struct rf_digest root = rf_proof_root(leaves, n);

        for (int i = 0; i < n; i++) {
            rf_proof_inclusion(&path, leaves, n, i);
            assert_true(rf_proof_includes(&path, i, n, &leaves[i], &root));
            for (int k = 0; k < LEAVES; k++) /* no other place, no other entry */
                if (k != i) {
                    assert_false(rf_proof_includes(&path, k, n, &leaves[i], &root));
                    assert_false(rf_proof_includes(&path, i, n, &leaves[k], &root));
                }
            for (int k = 0; k < path.n; k++) {
                changed = path;
                changed.hashes[k].bytes[i % RF_DIGEST_BYTES] ^= 1;
                assert_false(rf_proof_includes(&changed, i, n, &leaves[i], &root));
            }
            changed = path;
            changed.hashes[changed.n++] = leaves[0];
            assert_false(rf_proof_includes(&changed, i, n, &leaves[i], &root));
            changed.n = path.n - 1;
            assert_true(path.n == 0 || !rf_proof_includes(&changed, i, n, &leaves[i], &root));
        }
    }
}

static void a_head_extends_what_it_grew_from_and_nothing_else(void **unused)
{
    struct rf_path path, changed;

    (void)unused;
    for (int n = 1; n <= LEAVES; n++) {
        struct rf_digest root = rf_proof_root(leaves, n);

        for (int m = 1; m <= n; m++) {
            struct rf_digest old = rf_proof_root(leaves, m), other = old;

            rf_proof_consistency(&path, leaves, n, m);
            assert_true(rf_proof_extends(&path, m, &old, n, &root));
            for (int k = 1; k <= n; k++)
                assert_true(k == m || !rf_proof_extends(&path, k, &old, n, &root));
            other.bytes[0] ^= 1;
            assert_false(rf_proof_extends(&path, m, &other, n, &root));
            assert_false(rf_proof_extends(&path, m, &old, n, &other));
            for (int k = 0; k < path.n; k++) {
                changed = path;
                changed.hashes[k].bytes[m % RF_DIGEST_BYTES] ^= 1;
                assert_false(rf_proof_extends(&changed, m, &old, n, &root));
            }
            changed = path;
            changed.hashes[changed.n++] = leaves[0];
            assert_false(rf_proof_extends(&changed, m, &old, n, &root));
            changed.n = path.n - 1;
            assert_true(path.n == 0 || !rf_proof_extends(&changed, m, &old, n, &root));
        }
        path.n = 0;
        assert_true(rf_proof_extends(&path, 0, &root, n, &root)); /* nothing begins anything */
        assert_false(rf_proof_extends(&path, n + 1, &root, n, &root));
    }
}

static void leaves_may_come_in_any_portions(void **unused)
{
    (void)unused;
    for (int step = 1; step <= LEAVES; step++) {
        struct rf_tree tree = {0};
        struct rf_digest whole = rf_proof_root(leaves, LEAVES), root;

        for (int at = 0; at < LEAVES; at += step) {
            int n = LEAVES - at < step ? LEAVES - at : step;

            rf_tree_add_digests(&tree, leaves + at, n);
            assert_int_equal(tree.size, at + n);
        }
        root = rf_tree_root(&tree);
        assert_true(rf_digest_equal(&root, &whole));
    }
}

/* ---- heads, cosignatures, files ------------------------------------------- */

static struct rf_key *make_key(enum rf_key_kind kind, const char *name)
{
    char dir[] = "/tmp/rf-proof-XXXXXX", path[64];
    struct rf_key *key = NULL;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/key", dir);
    assert_int_equal(rf_key_generate_kind(path, NULL, name, kind, NULL), RF_OK);
    assert_int_equal(rf_key_load(&key, path, NULL), RF_OK);
    assert_int_equal(rf_key_kind_of(key), kind);
    unlink(path);
    rmdir(dir);
    return key;
}

/* A head over the first n leaves, signed, in note. */
static void sign_head(const struct rf_key *key, int n, char note[RF_HEAD_BYTES])
{
    struct rf_seal seal = {
        .origin = "test.example/log", .size = n, .root = rf_proof_root(leaves, n)};

    assert_int_equal(rf_seal_sign(&seal, key, note, NULL), RF_OK);
}

static void a_head_is_signed_and_cosigned_by_whom_it_says(void **unused)
{
    struct rf_key *log = make_key(RF_KEY_SEAL, "test.example/log");
    struct rf_key *other = make_key(RF_KEY_SEAL, "test.example/log");
    struct rf_key *witness = make_key(RF_KEY_WITNESS, "witness.example/w");
    struct rf_vkey log_vkey, other_vkey, witness_vkey;
    char note[RF_HEAD_BYTES];
    struct rf_head head;
    int64_t time_s = 0;

    (void)unused;
    rf_key_vkey(log, &log_vkey);
    rf_key_vkey(other, &other_vkey);
    rf_key_vkey(witness, &witness_vkey);
    sign_head(log, 7, note);
    assert_int_equal(rf_head_read(&head, note, strlen(note), NULL), RF_OK);
    assert_int_equal(head.size_bytes, strlen(note));
    assert_int_equal(head.seal.size, 7);
    assert_int_equal(rf_head_signed(&head, &log_vkey, NULL), RF_OK);
    assert_int_equal(rf_head_signed(&head, &other_vkey, NULL), RF_NO);
    assert_int_equal(rf_head_cosigned(&head, &witness_vkey, &time_s, NULL), RF_NO);
    rf_head_cosign(&head, witness, INT64_C(1679315147), note + strlen(note));
    assert_int_equal(rf_head_read(&head, note, strlen(note), NULL), RF_OK);
    assert_int_equal(head.nsignatures, 2);
    assert_int_equal(rf_head_signed(&head, &log_vkey, NULL), RF_OK);
    assert_int_equal(rf_head_cosigned(&head, &witness_vkey, &time_s, NULL), RF_OK);
    assert_int_equal(time_s, 1679315147);
    rf_key_free(log);
    rf_key_free(other);
    rf_key_free(witness);
}

/* With any byte of it changed, a cosigned head is not read, or one of its signatures is missing
 * or does not hold. */
static void changing_any_byte_of_a_cosigned_head_is_found(void **unused)
{
    struct rf_key *log = make_key(RF_KEY_SEAL, "test.example/log");
    struct rf_key *witness = make_key(RF_KEY_WITNESS, "witness.example/w");
    struct rf_vkey log_vkey, witness_vkey;
    char note[RF_HEAD_BYTES], bad[RF_HEAD_BYTES];
    struct rf_head head;
    int64_t time_s;
    size_t n;

    (void)unused;
    rf_key_vkey(log, &log_vkey);
    rf_key_vkey(witness, &witness_vkey);
    sign_head(log, 40, note);
    assert_int_equal(rf_head_read(&head, note, strlen(note), NULL), RF_OK);
    rf_head_cosign(&head, witness, 1, note + strlen(note));
    n = strlen(note);
    for (size_t i = 0; i < n; i++) {
        const unsigned char flips[] = {1, 0x20, 0x80, (unsigned char)(note[i] ^ '\n'), 0xff};

        for (size_t f = 0; f < sizeof flips; f++) {
            memcpy(bad, note, n);
            bad[i] = (char)(bad[i] ^ flips[f]);
            if (bad[i] != note[i] && rf_head_read(&head, bad, n, NULL) == RF_OK &&
                head.size_bytes == n && rf_head_signed(&head, &log_vkey, NULL) == RF_OK &&
                rf_head_cosigned(&head, &witness_vkey, &time_s, NULL) == RF_OK)
                fail_msg("byte %zu of the head ^ %02x was not found", i, flips[f]);
        }
    }
    for (size_t cut = 0; cut < n; cut++)
        assert_true(rf_head_read(&head, note, cut, NULL) != RF_OK || head.nsignatures < 2);
    rf_key_free(log);
    rf_key_free(witness);
}

static void a_proof_is_read_as_it_was_written(void **unused)
{
    struct rf_key *log = make_key(RF_KEY_SEAL, "test.example/log");
    char note[RF_HEAD_BYTES], text[RF_PROOF_BYTES], again[RF_PROOF_BYTES + 32];
    struct rf_proof proof = {.kind = RF_PROOF_ENTRY, .index = 23}, back;
    size_t n;

    (void)unused;
    sign_head(log, 40, note);
    assert_int_equal(rf_head_read(&proof.head, note, strlen(note), NULL), RF_OK);
    rf_proof_inclusion(&proof.path, leaves, 40, 23);
    n = rf_proof_format(&proof, text);
    assert_int_equal(strncmp(text, "c2sp.org/tlog-proof@v1\nindex 23\n", 32), 0);
    assert_int_equal(rf_proof_parse(&back, text, n, NULL), RF_OK);
    assert_int_equal(back.index, 23);
    assert_true(rf_proof_includes(&back.path, 23, back.head.seal.size, &leaves[23],
                                  &back.head.seal.root));
    assert_int_equal(rf_proof_format(&back, again), n);
    assert_string_equal(again, text);
    snprintf(again, sizeof again, "c2sp.org/tlog-proof@v1\nextra aGk=\n%s",
             text + strlen("c2sp.org/tlog-proof@v1\n"));
    assert_int_equal(rf_proof_parse(&back, again, strlen(again), NULL), RF_OK);
    assert_int_equal(back.index, 23);
    proof.kind = RF_PROOF_EXTENSION;
    proof.index = 23;
    rf_proof_consistency(&proof.path, leaves, 40, 23);
    n = rf_proof_format(&proof, text);
    assert_int_equal(strncmp(text, "old 23\n", 7), 0);
    assert_int_equal(rf_proof_parse(&back, text, n, NULL), RF_OK);
    assert_int_equal(back.kind, RF_PROOF_EXTENSION);
    assert_int_equal(back.path.n, proof.path.n);
    rf_key_free(log);
}

static void changing_any_byte_of_a_proof_is_found(void **unused)
{
    struct rf_key *log = make_key(RF_KEY_SEAL, "test.example/log");
    struct rf_vkey vkey;
    char note[RF_HEAD_BYTES], text[RF_PROOF_BYTES], bad[RF_PROOF_BYTES];
    struct rf_proof proof = {.kind = RF_PROOF_ENTRY, .index = 3}, back;
    size_t n;

    (void)unused;
    rf_key_vkey(log, &vkey);
    sign_head(log, 11, note);
    assert_int_equal(rf_head_read(&proof.head, note, strlen(note), NULL), RF_OK);
    rf_proof_inclusion(&proof.path, leaves, 11, 3);
    n = rf_proof_format(&proof, text);
    for (size_t i = 0; i < n; i++) {
        const unsigned char flips[] = {1, 0x20, 0x80, (unsigned char)(text[i] ^ '\n'), 0xff};

        for (size_t f = 0; f < sizeof flips; f++) {
            memcpy(bad, text, n);
            bad[i] = (char)(bad[i] ^ flips[f]);
            if (bad[i] != text[i] && rf_proof_parse(&back, bad, n, NULL) == RF_OK &&
                back.kind == RF_PROOF_ENTRY &&
                rf_head_signed(&back.head, &vkey, NULL) == RF_OK &&
                rf_proof_includes(&back.path, back.index, back.head.seal.size, &leaves[3],
                                  &back.head.seal.root))
                fail_msg("byte %zu of the proof ^ %02x was not found", i, flips[f]);
        }
    }
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(rf_proof_parse(&back, text, cut, NULL), RF_ERR_INPUT);
    rf_key_free(log);
}

static void what_is_no_proof_or_head_is_said_to_be_none(void **unused)
{
    static const char *const BAD[] = {
        "c2sp.org/tlog-proof@v1\nindex 07\n\n",
        "c2sp.org/tlog-proof@v1\nindex -1\n\n",
        "c2sp.org/tlog-proof@v1\nindex 99999999999999999999\n\n",
        "c2sp.org/tlog-proof@v2\nindex 7\n\n",
        "c2sp.org/tlog-proof@v1\n\n",
        "old\n\n",
        "old 1\nAAAA\n\n",
        "old 1\n\na\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 a AAAA\n",
        "old 1\n\na\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n",
        "old 1\n\na\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 a\n",
        "old 1\n\n\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 a AAAA\n",
        "old 1\n\na\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 a AAAA\nb\n",
        ""};
    struct rf_proof proof;
    struct rf_error err;

    (void)unused;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        err.text[0] = '\0';
        if (rf_proof_parse(&proof, BAD[i], strlen(BAD[i]), &err) != RF_ERR_INPUT)
            fail_msg("taken: %s", BAD[i]);
        assert_non_null(strstr(err.text, "not a "));
    }
}

static void keys_of_one_kind_are_not_taken_for_the_other(void **unused)
{
    struct rf_key *log = make_key(RF_KEY_SEAL, "a"), *witness = make_key(RF_KEY_WITNESS, "a");
    struct rf_vkey vkey;
    char text[RF_VKEY_BYTES];

    (void)unused;
    rf_key_public(witness, text);
    assert_int_equal(rf_vkey_parse(&vkey, text, NULL), RF_ERR_INPUT);
    assert_int_equal(rf_vkey_parse_kind(&vkey, text, RF_KEY_WITNESS, NULL), RF_OK);
    rf_key_public(log, text);
    assert_int_equal(rf_vkey_parse(&vkey, text, NULL), RF_OK);
    assert_int_equal(rf_vkey_parse_kind(&vkey, text, RF_KEY_WITNESS, NULL), RF_ERR_INPUT);
    rf_key_free(log);
    rf_key_free(witness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_the_reference_vectors),
        cmocka_unit_test(all_proofs_are_those_that_another_program_makes),
        cmocka_unit_test(a_proof_of_seven_leaves_is_as_written_down),
        cmocka_unit_test(an_entry_is_where_it_is_and_nowhere_else),
        cmocka_unit_test(a_head_extends_what_it_grew_from_and_nothing_else),
        cmocka_unit_test(leaves_may_come_in_any_portions),
        cmocka_unit_test(a_head_is_signed_and_cosigned_by_whom_it_says),
        cmocka_unit_test(changing_any_byte_of_a_cosigned_head_is_found),
        cmocka_unit_test(a_proof_is_read_as_it_was_written),
        cmocka_unit_test(changing_any_byte_of_a_proof_is_found),
        cmocka_unit_test(what_is_no_proof_or_head_is_said_to_be_none),
        cmocka_unit_test(keys_of_one_kind_are_not_taken_for_the_other),
    };

    return cmocka_run_group_tests(tests, make_leaves, NULL);
}
