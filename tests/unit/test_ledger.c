/* Ledgers: what is written is found again, and what was changed is found out. */
#include "virtual_cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/audit.h"
#include "alloc/tree.h"

static char dir[64], path[RF_PATH_BYTES], seals[RF_PATH_BYTES], public_key[RF_PATH_BYTES],
    secret[RF_PATH_BYTES];

static int fresh(void **unused)
{
    (void)unused;
    snprintf(dir, sizeof dir, "/tmp/rf-ledger-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/ledger.jsonl", dir);
    snprintf(seals, sizeof seals, "%s/ledger.jsonl.seals", dir);
    snprintf(public_key, sizeof public_key, "%s/ledger.jsonl.pub", dir);
    snprintf(secret, sizeof secret, "%s/keys/seal.key", dir);
    return rf_key_generate(secret, NULL, "test.example/seal", NULL) == RF_OK ? 0 : -1;
}

static int clean(void **unused)
{
    char keys[RF_PATH_BYTES];

    (void)unused;
    snprintf(keys, sizeof keys, "%s/keys", dir);
    unlink(path);
    unlink(seals);
    unlink(public_key);
    unlink(secret);
    rmdir(keys);
    return rmdir(dir);
}

static struct rf_key *load_key(void)
{
    struct rf_key *key = NULL;

    assert_int_equal(rf_key_load(&key, secret, NULL), RF_OK);
    return key;
}

static void append(struct rf_ledger *ledger, enum rf_event_type type)
{
    struct rf_event e = rf_event_make(type, 1000);

    e.seq = rf_ledger_entries(ledger);
    snprintf(e.name, sizeof e.name, "run \"1\"\n\xc3\xa9");
    snprintf(e.reason, sizeof e.reason, "done");
    assert_int_equal(rf_ledger_append(ledger, &e, NULL), RF_OK);
}

/* open, two heartbeats, seal, two heartbeats, close, seal: 6 lines, 2 seals. */
static void write_small(int seal_end)
{
    struct rf_key *key = load_key();
    struct rf_ledger *ledger = NULL;

    assert_int_equal(rf_ledger_create(&ledger, path, "test.example/log", key, NULL), RF_OK);
    append(ledger, RF_EVENT_OPEN);
    append(ledger, RF_EVENT_HEARTBEAT);
    append(ledger, RF_EVENT_HEARTBEAT);
    assert_int_equal(rf_ledger_seal(ledger, NULL), RF_OK);
    append(ledger, RF_EVENT_HEARTBEAT);
    append(ledger, RF_EVENT_HEARTBEAT);
    append(ledger, RF_EVENT_CLOSE);
    assert_int_equal(seal_end ? rf_ledger_seal(ledger, NULL) : rf_ledger_sync(ledger, NULL),
                     RF_OK);
    rf_ledger_close(ledger);
    rf_key_free(key);
}

static struct rf_ledger_check verify(void)
{
    struct rf_ledger_check check;
    struct rf_error err;

    assert_int_equal(rf_ledger_verify(path, NULL, NULL, NULL, &check, &err), RF_OK);
    return check;
}

static size_t load(const char *name, char *buf, size_t room)
{
    int fd = open(name, O_RDONLY);
    ssize_t n = read(fd, buf, room);

    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

static void store(const char *name, const char *buf, size_t size)
{
    int fd =
        open(name, O_WRONLY); /* without O_TRUNC, which some file systems answer with a flush */

    assert_int_equal(pwrite(fd, buf, size, 0), size);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    close(fd);
}

static void a_sealed_ledger_verifies(void **unused)
{
    struct rf_ledger_check check;

    (void)unused;
    write_small(1);
    check = verify();
    assert_string_equal(check.problem, "");
    assert_true(check.chain_ok && check.seals_ok);
    assert_int_equal(check.entries, 6);
    assert_int_equal(check.sealed_entries, 6);
    assert_int_equal(check.seals, 2);
    assert_int_equal(check.first_bad_seq, -1);
    assert_string_equal(check.key_name, "test.example/seal");
}

static void changing_any_byte_is_found_and_the_line_is_named(void **unused)
{
    static char good[8192], bad[8192];
    size_t size;

    (void)unused;
    write_small(1);
    size = load(path, good, sizeof good);
    for (size_t i = 0; i < size; i++) {
        const unsigned char flips[] = {1, 0x20, 0x80, (unsigned char)(good[i] ^ '\n'), 0xff};
        int64_t line = 0;

        for (size_t k = 0; k < i; k++)
            line += good[k] == '\n';
        for (size_t f = 0; f < sizeof flips; f++) {
            struct rf_ledger_check check;

            memcpy(bad, good, size);
            bad[i] = (char)(bad[i] ^ flips[f]);
            if (bad[i] == good[i])
                continue;
            store(path, bad, size);
            check = verify();
            if (check.first_bad_seq != line || check.chain_ok)
                fail_msg("byte %zu (line %lld) ^ %02x: found line %lld: %s", i,
                         (long long)line + 1, flips[f], (long long)check.first_bad_seq + 1,
                         check.problem);
        }
    }
}

static void changing_any_byte_of_the_seals_is_found(void **unused)
{
    static char good[8192], bad[8192];
    size_t size;

    (void)unused;
    write_small(1);
    size = load(seals, good, sizeof good);
    for (size_t i = 0; i < size; i++) {
        const unsigned char flips[] = {1, 0x20, 0x80, (unsigned char)(good[i] ^ '\n'), 0xff};

        for (size_t f = 0; f < sizeof flips; f++) {
            struct rf_ledger_check check;

            memcpy(bad, good, size);
            bad[i] = (char)(bad[i] ^ flips[f]);
            if (bad[i] == good[i])
                continue;
            store(seals, bad, size);
            check = verify();
            if (check.seals_ok)
                fail_msg("byte %zu of the seals ^ %02x was not found", i, flips[f]);
        }
    }
}

static void cutting_a_ledger_at_any_length_is_found(void **unused)
{
    static char good[8192];
    size_t size;

    (void)unused;
    write_small(1);
    size = load(path, good, sizeof good);
    for (size_t n = 0; n < size; n++) {
        struct rf_ledger_check check;
        int64_t lines = 0;

        for (size_t k = 0; k < n; k++)
            lines += good[k] == '\n';
        store(path, good, n);
        check = verify();
        assert_int_equal(check.first_bad_seq, lines); /* the seals know that it was longer */
        assert_false(check.chain_ok);
    }
}

static void cutting_the_seals_at_any_length_is_found_or_leaves_lines_unsealed(void **unused)
{
    static char good[8192];
    size_t size;

    (void)unused;
    write_small(1);
    size = load(seals, good, sizeof good);
    for (size_t n = 0; n < size; n++) {
        struct rf_ledger_check check;

        store(seals, good, n);
        check = verify();
        assert_true(!check.seals_ok || check.sealed_entries < check.entries);
    }
}

static void a_pinned_key_must_be_the_one_that_sealed(void **unused)
{
    char other[RF_VKEY_BYTES], mine[RF_VKEY_BYTES];
    struct rf_ledger_check check;
    struct rf_key *key = load_key();
    struct rf_error err;

    (void)unused;
    write_small(1);
    rf_key_public(key, mine);
    rf_key_free(key);
    assert_int_equal(rf_ledger_verify(path, mine, NULL, NULL, &check, &err), RF_OK);
    assert_true(check.seals_ok);
    unlink(secret);
    assert_int_equal(rf_key_generate(secret, NULL, "test.example/seal", NULL), RF_OK);
    key = load_key();
    rf_key_public(key, other);
    rf_key_free(key);
    assert_int_equal(rf_ledger_verify(path, other, NULL, NULL, &check, &err), RF_OK);
    assert_false(check.seals_ok);
    assert_int_equal(check.sealed_entries, 0);
    assert_int_equal(rf_ledger_verify(path, "nonsense", NULL, NULL, &check, &err),
                     RF_ERR_INPUT);
}

static void resume_cuts_a_torn_line_and_goes_on(void **unused)
{
    static char good[8192];
    struct rf_ledger *ledger = NULL;
    struct rf_key *key = load_key();
    struct rf_ledger_check check;
    struct rf_error err;
    int64_t cut = -1;
    size_t size;

    (void)unused;
    write_small(0); /* the last three lines have no seal */
    size = load(path, good, sizeof good);
    store(path, good, size - 7);
    assert_int_equal(rf_ledger_resume(&ledger, path, key, NULL, NULL, &cut, &err), RF_OK);
    assert_int_equal(rf_ledger_entries(ledger), 5);
    assert_true(cut > 7);
    append(ledger, RF_EVENT_RECOVER);
    assert_int_equal(rf_ledger_seal(ledger, &err), RF_OK);
    rf_ledger_close(ledger);
    check = verify();
    assert_string_equal(check.problem, "");
    assert_int_equal(check.entries, 6);
    assert_int_equal(check.sealed_entries, 6);
    size = load(seals, good, sizeof good); /* and a seal that was being written */
    store(seals, good, size - 20);
    assert_int_equal(rf_ledger_resume(&ledger, path, key, NULL, NULL, &cut, &err), RF_OK);
    assert_int_equal(cut, 0);
    assert_int_equal(rf_ledger_seal(ledger, &err), RF_OK);
    rf_ledger_close(ledger);
    rf_key_free(key);
    assert_int_equal(load(seals, good, sizeof good), size);
    assert_int_equal(verify().sealed_entries, 6);
}

static void resume_refuses_a_changed_ledger(void **unused)
{
    static char good[8192];
    struct rf_ledger *ledger = NULL;
    struct rf_error err;
    int64_t cut;
    size_t size;

    (void)unused;
    write_small(1);
    size = load(path, good, sizeof good);
    good[size / 2] ^= 1;
    store(path, good, size);
    assert_int_equal(rf_ledger_resume(&ledger, path, NULL, NULL, NULL, &cut, &err),
                     RF_ERR_INPUT);
    assert_null(ledger);
    assert_non_null(strstr(err.text, "line "));
}

static void a_ledger_has_one_writer(void **unused)
{
    struct rf_ledger *ledger = NULL, *second = NULL;
    struct rf_error err;
    int64_t cut;
    int status = 0;
    pid_t child;

    (void)unused;
    assert_int_equal(rf_ledger_create(&ledger, path, NULL, NULL, &err), RF_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(rf_ledger_resume(&second, path, NULL, NULL, NULL, &cut, &err) == RF_ERR_IO ? 0
                                                                                         : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(rf_ledger_create(&second, path, NULL, NULL, &err), RF_ERR_ARG);
    assert_int_equal(rf_ledger_seal(ledger, &err), RF_ERR_ARG); /* no key */
    rf_ledger_close(ledger);
}

/* A file that may not grow fails like a full disk: after a part of the line. */
static void a_failed_write_is_an_error_and_stays_one(void **unused)
{
    struct rf_ledger *ledger = NULL;
    struct rf_error err;
    struct rlimit before, small;
    enum rf_status first, second;

    (void)unused;
    assert_int_equal(rf_ledger_create(&ledger, path, NULL, NULL, &err), RF_OK);
    append(ledger, RF_EVENT_OPEN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    first = rf_ledger_sync(ledger, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    second = rf_ledger_sync(ledger, &err);
    rf_ledger_close(ledger);
    assert_int_equal(first, RF_ERR_IO);
    assert_int_equal(second, RF_ERR_IO);
    assert_int_equal(verify().torn_bytes, 100);
    assert_int_equal(verify().entries, 0);
}

static void keys_are_for_their_owner_only(void **unused)
{
    struct rf_key *key = NULL;
    struct rf_error err;
    struct stat info;

    (void)unused;
    assert_int_equal(stat(secret, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(rf_key_generate(secret, NULL, "other", &err), RF_ERR_ARG);
    assert_int_equal(chmod(secret, 0640), 0);
    assert_int_equal(rf_key_load(&key, secret, &err), RF_ERR_INPUT);
    assert_null(key);
    assert_non_null(strstr(err.text, "others than its owner"));
    assert_int_equal(rf_key_generate("/tmp/never", NULL, "a name", &err), RF_ERR_ARG);
    assert_int_equal(rf_key_generate("/tmp/never", NULL, "a+b", &err), RF_ERR_ARG);
}

static void what_cannot_be_read_back_is_not_appended(void **unused)
{
    struct rf_ledger *ledger = NULL;
    struct rf_error err;
    struct rf_event e = rf_event_make(RF_EVENT_OPEN, 0);

    (void)unused;
    assert_int_equal(rf_ledger_create(&ledger, path, NULL, NULL, &err), RF_OK);
    snprintf(e.name, sizeof e.name, "\xff");
    assert_int_equal(rf_ledger_append(ledger, &e, &err), RF_ERR_INPUT);
    assert_int_equal(rf_ledger_entries(ledger), 0);
    append(ledger, RF_EVENT_OPEN);
    assert_int_equal(rf_ledger_sync(ledger, &err), RF_OK);
    rf_ledger_close(ledger);
    assert_int_equal(verify().entries, 1);
}

/* ---- keys that change ----------------------------------------------------- */

static struct rf_key *second_key(void)
{
    char path_key[RF_PATH_BYTES];
    struct rf_key *key = NULL;

    snprintf(path_key, sizeof path_key, "%s/keys/next.key", dir);
    assert_int_equal(rf_key_generate(path_key, NULL, "test.example/next", NULL), RF_OK);
    assert_int_equal(rf_key_load(&key, path_key, NULL), RF_OK);
    unlink(path_key);
    return key;
}

static void append_rotate(struct rf_ledger *ledger, const struct rf_key *key)
{
    struct rf_event e = rf_event_make(RF_EVENT_ROTATE, 1000);

    e.seq = rf_ledger_entries(ledger);
    rf_key_public(key, e.text);
    assert_int_equal(rf_ledger_append(ledger, &e, NULL), RF_OK);
}

/* open, seal by the first key, rotate, seal by the first key, heartbeat, close, seal by the
 * second: 4 lines, 3 seals. */
static void write_rotated(struct rf_key *first, struct rf_key *second)
{
    struct rf_ledger *ledger = NULL;
    struct rf_error err;

    assert_int_equal(rf_ledger_create(&ledger, path, "test.example/log", first, NULL), RF_OK);
    append(ledger, RF_EVENT_OPEN);
    assert_int_equal(rf_ledger_seal(ledger, NULL), RF_OK);
    append_rotate(ledger, second);
    assert_int_equal(rf_ledger_seal(ledger, NULL), RF_OK);
    append(ledger, RF_EVENT_HEARTBEAT);
    assert_int_equal(rf_ledger_seal(ledger, &err), RF_ERR_ARG); /* not its turn any more */
    assert_int_equal(rf_ledger_use_key(ledger, first, &err), RF_ERR_ARG);
    assert_int_equal(rf_ledger_use_key(ledger, second, NULL), RF_OK);
    append(ledger, RF_EVENT_CLOSE);
    assert_int_equal(rf_ledger_seal(ledger, NULL), RF_OK);
    rf_ledger_close(ledger);
}

static void a_ledger_whose_key_changed_verifies_from_either_key(void **unused)
{
    struct rf_key *first = load_key(), *second = second_key(), *third = second_key();
    char vkey[RF_VKEY_BYTES];
    struct rf_ledger_check check;
    struct rf_error err;

    (void)unused;
    write_rotated(first, second);
    check = verify();
    assert_string_equal(check.problem, "");
    assert_int_equal(check.seals, 3);
    assert_int_equal(check.rotations, 1);
    assert_int_equal(check.sealed_entries, 4);
    assert_string_equal(check.key_name, "test.example/next");
    for (int i = 0; i < 3; i++) {
        rf_key_public(i == 0 ? first : i == 1 ? second : third, vkey);
        assert_int_equal(rf_ledger_verify(path, vkey, NULL, NULL, &check, &err), RF_OK);
        assert_int_equal(check.seals_ok, i < 2);
        assert_int_equal(check.sealed_entries, i < 2 ? 4 : 0);
    }
    rf_key_free(first);
    rf_key_free(second);
    rf_key_free(third);
}

static void a_changed_key_is_found_like_any_other_change(void **unused)
{
    static char good[8192], bad[8192];
    struct rf_key *first = load_key(), *second = second_key();
    const char *files[] = {path, seals};

    (void)unused;
    write_rotated(first, second);
    for (int f = 0; f < 2; f++) {
        size_t size = load(files[f], good, sizeof good);

        for (size_t i = 0; i < size; i++)
            for (int flip = 0; flip < 2; flip++) {
                struct rf_ledger_check check;

                memcpy(bad, good, size);
                bad[i] = (char)(bad[i] ^ (flip == 0 ? 1 : 0x80));
                store(files[f], bad, size);
                check = verify();
                if (check.chain_ok && check.seals_ok)
                    fail_msg("byte %zu of file %d was not found", i, f);
            }
        store(files[f], good, size);
    }
    rf_key_free(first);
    rf_key_free(second);
}

/* Whoever writes the file can append a line with his key; without the old key it stays unsealed,
 * and no seal of his is taken. */
static void a_key_that_nobody_sealed_does_not_count(void **unused)
{
    struct rf_key *key = load_key(), *forger = second_key();
    struct rf_ledger *ledger = NULL;
    struct rf_ledger_check check;
    struct rf_seal seal = {.origin = "test.example/log"};
    char note[RF_SEAL_BYTES + 1] = "\n", vkey[RF_VKEY_BYTES];
    struct rf_error err;
    int64_t cut;
    FILE *out;

    (void)unused;
    write_small(1);
    rf_key_public(key, vkey);
    assert_int_equal(rf_ledger_resume(&ledger, path, NULL, NULL, NULL, &cut, &err), RF_OK);
    append_rotate(ledger, forger);
    assert_int_equal(rf_ledger_sync(ledger, NULL), RF_OK);
    seal.size = rf_ledger_entries(ledger);
    rf_ledger_close(ledger);
    check = verify();
    assert_true(check.seals_ok && check.sealed_entries == 6 && check.entries == 7);
    assert_int_equal(rf_digest_from_base64(&seal.root, check.head, 44), 0);
    assert_int_equal(rf_seal_sign(&seal, forger, note + 1, NULL), RF_OK);
    out = fopen(seals, "a");
    fputs(note, out);
    fclose(out);
    assert_int_equal(rf_ledger_verify(path, vkey, NULL, NULL, &check, &err), RF_OK);
    assert_false(check.seals_ok);
    assert_int_equal(check.sealed_entries, 6);
    rf_key_free(key);
    rf_key_free(forger);
}

static void a_crash_while_the_key_changes_leaves_it_to_the_old_key(void **unused)
{
    struct rf_key *first = load_key(), *second = second_key();
    struct rf_ledger *ledger = NULL;
    struct rf_error err;
    int64_t cut;

    (void)unused;
    assert_int_equal(rf_ledger_create(&ledger, path, NULL, first, NULL), RF_OK);
    append(ledger, RF_EVENT_OPEN);
    assert_int_equal(rf_ledger_seal(ledger, NULL), RF_OK);
    append_rotate(ledger, second);
    assert_int_equal(rf_ledger_sync(ledger, NULL), RF_OK);
    rf_ledger_close(ledger); /* the crash */
    assert_int_equal(rf_ledger_resume(&ledger, path, second, NULL, NULL, &cut, &err),
                     RF_ERR_ARG);
    assert_int_equal(rf_ledger_resume(&ledger, path, first, NULL, NULL, &cut, &err), RF_OK);
    assert_int_equal(rf_ledger_seal(ledger, NULL), RF_OK);
    assert_int_equal(rf_ledger_use_key(ledger, second, NULL), RF_OK);
    append(ledger, RF_EVENT_HEARTBEAT);
    assert_int_equal(rf_ledger_seal(ledger, NULL), RF_OK);
    rf_ledger_close(ledger);
    assert_int_equal(rf_ledger_resume(&ledger, path, first, NULL, NULL, &cut, &err),
                     RF_ERR_ARG);
    assert_non_null(strstr(err.text, "another key"));
    assert_int_equal(rf_ledger_resume(&ledger, path, second, NULL, NULL, &cut, &err), RF_OK);
    rf_ledger_close(ledger);
    assert_int_equal(verify().sealed_entries, 3);
    rf_key_free(first);
    rf_key_free(second);
}

static void a_witness_key_seals_no_ledger(void **unused)
{
    char path_key[RF_PATH_BYTES];
    struct rf_key *key = NULL;
    struct rf_ledger *ledger = NULL;
    struct rf_error err;

    (void)unused;
    snprintf(path_key, sizeof path_key, "%s/keys/w.key", dir);
    assert_int_equal(rf_key_generate_kind(path_key, NULL, "w", RF_KEY_WITNESS, NULL), RF_OK);
    assert_int_equal(rf_key_load(&key, path_key, NULL), RF_OK);
    unlink(path_key);
    assert_int_equal(rf_ledger_create(&ledger, path, NULL, key, &err), RF_ERR_ARG);
    assert_null(ledger);
    rf_key_free(key);
}

/* ---- the tree --------------------------------------------------------- */

/* RFC 6962, 2.1, as it is written there: split at the largest power of two. */
static struct rf_digest plain_root(int first, int n)
{
    struct rf_hash hash;
    struct rf_digest left, right;
    int k = 1;

    rf_hash_start(&hash);
    if (n == 1) {
        rf_hash_add(&hash, "\0", 1);
        rf_hash_add(&hash, &first, sizeof first);
        return rf_hash_end(&hash);
    }
    while (2 * k < n)
        k *= 2;
    left = plain_root(first, k);
    right = plain_root(first + k, n - k);
    rf_hash_add(&hash, "\1", 1);
    rf_hash_add(&hash, left.bytes, sizeof left.bytes);
    rf_hash_add(&hash, right.bytes, sizeof right.bytes);
    return rf_hash_end(&hash);
}

static void the_tree_is_that_of_rfc_6962(void **unused)
{
    struct rf_tree tree = {0};
    struct rf_digest root = rf_tree_root(&tree);
    char hex[RF_DIGEST_HEX];

    (void)unused;
    rf_digest_to_hex(&root, hex);
    assert_string_equal(hex,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (int i = 0; i < 70; i++) {
        struct rf_digest expected = plain_root(0, i + 1);

        rf_tree_add(&tree, &i, sizeof i);
        root = rf_tree_root(&tree);
        assert_true(rf_digest_equal(&root, &expected));
    }
}

/* ---- audits ----------------------------------------------------------- */

static const struct work WORKS[] = {
    {"pretrain", "capability", 1, 4, -1, 1000 * SECOND, 40 * HOUR, 0},
    {"probe", "alignment.probe", 1, 4, -1, 1000 * SECOND + HOUR, 4 * HOUR, 0}};

/* A run of ten hours under a fence, on a ledger. */
static void write_run(const char *fence, int close_and_seal, int crash)
{
    struct rf_key *key = load_key();
    struct rf_ledger *ledger = NULL;
    struct rf_event e = rf_event_make(RF_EVENT_CLOSE, 0);
    struct cluster c;

    assert_int_equal(rf_ledger_create(&ledger, path, NULL, key, NULL), RF_OK);
    cluster_start(&c, fence, 4, ledger);
    cluster_pledge(&c, "alignment", "25%", fence, HOUR, 120 * SECOND);
    cluster_works(&c, WORKS, 2);
    cluster_run(&c, c.t_us + (crash ? 90 * 60 * SECOND : 40 * HOUR));
    if (crash) {
        e = rf_event_make(RF_EVENT_RECOVER, c.t_us + 1800 * SECOND);
        cluster_emit(&c, &e);
    } else {
        assert_int_equal(c.state->nrunning, 0);
        e.t_us = c.t_us;
        snprintf(e.reason, sizeof e.reason, "done");
        cluster_emit(&c, &e);
    }
    assert_int_equal(
        close_and_seal ? rf_ledger_seal(ledger, NULL) : rf_ledger_sync(ledger, NULL), RF_OK);
    rf_ledger_close(ledger);
    cluster_end(&c);
    rf_key_free(key);
}

static enum rf_verdict audit(struct rf_audit *a)
{
    struct rf_error err;

    assert_int_equal(rf_audit_ledger(a, path, NULL, &err), RF_OK);
    return a->verdict;
}

static void an_audit_finds_a_pledge_kept(void **unused)
{
    struct rf_audit a;

    (void)unused;
    write_run("floor", 1, 0);
    assert_int_equal(audit(&a), RF_KEPT);
    assert_string_equal(a.ledger.problem, "");
    assert_int_equal(a.tally->npledges, 1);
    assert_int_equal(a.state->jobs[0].state, RF_JOB_DONE);
    rf_audit_clear(&a);
}

static void an_audit_finds_a_pledge_broken(void **unused)
{
    struct rf_audit a;

    (void)unused;
    write_run("none", 1, 0);
    assert_int_equal(audit(&a), RF_BROKEN);
    rf_audit_clear(&a);
}

static void a_closed_run_without_a_last_seal_is_unprovable(void **unused)
{
    struct rf_audit a;

    (void)unused;
    write_run("floor", 0, 0);
    assert_int_equal(audit(&a), RF_UNPROVABLE);
    rf_audit_clear(&a);
}

static void a_crash_leaves_a_window_unprovable(void **unused)
{
    struct rf_audit a;

    (void)unused;
    write_run("floor", 1, 1);
    assert_int_equal(audit(&a), RF_UNPROVABLE);
    assert_int_equal(a.tally->pledges[0].windows[0].verdict, RF_KEPT);
    assert_int_equal(a.tally->pledges[0].windows[1].verdict, RF_UNPROVABLE);
    assert_int_equal(a.state->nrunning, 0);
    rf_audit_clear(&a);
}

static void a_changed_ledger_is_unprovable(void **unused)
{
    static char text[1 << 20];
    struct rf_audit a;
    size_t size;

    (void)unused;
    write_run("floor", 1, 0);
    size = load(path, text, sizeof text);
    text[size / 3] ^= 2;
    store(path, text, size);
    assert_int_equal(audit(&a), RF_UNPROVABLE);
    assert_true(a.ledger.first_bad_seq > 0);
    rf_audit_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_is_that_of_rfc_6962),
        cmocka_unit_test_setup_teardown(a_sealed_ledger_verifies, fresh, clean),
        cmocka_unit_test_setup_teardown(changing_any_byte_is_found_and_the_line_is_named, fresh,
                                        clean),
        cmocka_unit_test_setup_teardown(changing_any_byte_of_the_seals_is_found, fresh, clean),
        cmocka_unit_test_setup_teardown(cutting_a_ledger_at_any_length_is_found, fresh, clean),
        cmocka_unit_test_setup_teardown(
            cutting_the_seals_at_any_length_is_found_or_leaves_lines_unsealed, fresh, clean),
        cmocka_unit_test_setup_teardown(a_pinned_key_must_be_the_one_that_sealed, fresh, clean),
        cmocka_unit_test_setup_teardown(resume_cuts_a_torn_line_and_goes_on, fresh, clean),
        cmocka_unit_test_setup_teardown(resume_refuses_a_changed_ledger, fresh, clean),
        cmocka_unit_test_setup_teardown(a_ledger_has_one_writer, fresh, clean),
        cmocka_unit_test_setup_teardown(a_failed_write_is_an_error_and_stays_one, fresh, clean),
        cmocka_unit_test_setup_teardown(keys_are_for_their_owner_only, fresh, clean),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_back_is_not_appended, fresh, clean),
        cmocka_unit_test_setup_teardown(a_ledger_whose_key_changed_verifies_from_either_key,
                                        fresh, clean),
        cmocka_unit_test_setup_teardown(a_changed_key_is_found_like_any_other_change, fresh,
                                        clean),
        cmocka_unit_test_setup_teardown(a_key_that_nobody_sealed_does_not_count, fresh, clean),
        cmocka_unit_test_setup_teardown(a_crash_while_the_key_changes_leaves_it_to_the_old_key,
                                        fresh, clean),
        cmocka_unit_test_setup_teardown(a_witness_key_seals_no_ledger, fresh, clean),
        cmocka_unit_test_setup_teardown(an_audit_finds_a_pledge_kept, fresh, clean),
        cmocka_unit_test_setup_teardown(an_audit_finds_a_pledge_broken, fresh, clean),
        cmocka_unit_test_setup_teardown(a_closed_run_without_a_last_seal_is_unprovable, fresh,
                                        clean),
        cmocka_unit_test_setup_teardown(a_crash_leaves_a_window_unprovable, fresh, clean),
        cmocka_unit_test_setup_teardown(a_changed_ledger_is_unprovable, fresh, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
