/* A ledger on a disk that fails, and on one that loses power.
 *
 * This program has its own write, sync, rename and their like, which count their calls and fail the
 * one that they are told to. The loops fail the first, the second, the third... until a pass is
 * clean. They also remember what was written, so that the files can be put together as they might
 * be found after a power cut: all that was synced, and none, half or all of what was not. */
#define _GNU_SOURCE /* syscall() */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/ledger.h"
#include "alloc/state.h"
#include "base/file.h"

static char dir[64], path[RF_PATH_BYTES], secret[RF_PATH_BYTES], other[RF_PATH_BYTES];

/* ---- a disk that fails ------------------------------------------------- */

enum { CODES = 4, OPS = 256 };

struct op {    /* what reached the disk, in order */
    int seals; /* to the file of seals, else to the ledger */
    int sync;  /* not bytes: all of that file so far is safe */
    size_t size;
    char *bytes;
};

static struct {
    int armed;     /* calls below dir count */
    int calls, at; /* fail the at-th; 0: none */
    int code, half;
    int struck;
    int recording;
    struct op ops[OPS];
    int nops;
} disk;

/* Which file a descriptor is: 1 the ledger, 2 its seals, 3 another one below dir, 0 elsewhere. */
static int which(int fd)
{
    char name[64], at[RF_PATH_BYTES];
    ssize_t n;
    size_t length = strlen(dir);

    if (!disk.armed)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    n = syscall(SYS_readlink, name, at, sizeof at - 1);
    at[n > 0 ? n : 0] = '\0';
    if (strncmp(at, dir, length) != 0)
        return 0;
    return strcmp(at + length, "/ledger.jsonl") == 0         ? 1
           : strcmp(at + length, "/ledger.jsonl.seals") == 0 ? 2
                                                             : 3;
}

static int strikes(int counts)
{
    if (!counts || !disk.armed || ++disk.calls != disk.at)
        return 0;
    disk.struck = 1;
    errno = disk.code;
    return 1;
}

static int below(const char *name)
{
    return disk.armed && strncmp(name, dir, strlen(dir)) == 0;
}

static void keep(int file, int sync, const void *bytes, size_t size)
{
    struct op *op;

    if (!disk.recording || file == 0 || file == 3)
        return;
    assert_true(disk.nops < OPS);
    op = &disk.ops[disk.nops++];
    *op = (struct op){.seals = file == 2, .sync = sync, .size = size};
    op->bytes = malloc(size + 1);
    assert_non_null(op->bytes);
    memcpy(op->bytes, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    int file = which(fd);

    if (strikes(file > 0)) {
        if (disk.half)
            syscall(SYS_write, fd, bytes, size / 2);
        errno = disk.code;
        return -1;
    }
    keep(file, 0, bytes, size);
    return syscall(SYS_write, fd, bytes, size);
}

int fsync(int fd)
{
    int file = which(fd);

    if (strikes(file > 0))
        return -1;
    keep(file, 1, "", 0);
    return 0; /* the power is on: nobody has to wait for the disk */
}

int fdatasync(int fd)
{
    return fsync(fd);
}

int ftruncate(int fd, off_t size)
{
    return strikes(which(fd) > 0) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int rename(const char *from, const char *to)
{
    return strikes(below(to)) ? -1 : (int)syscall(SYS_rename, from, to);
}

int open(const char *name, int flags, ...)
{
    va_list more;
    mode_t mode = 0;

    va_start(more, flags);
    if (flags & O_CREAT)
        mode = va_arg(more, mode_t);
    va_end(more);
    return strikes(below(name)) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}

static void disk_fails(int at, int half)
{
    static const int CODE[CODES] = {EIO, ENOSPC, EROFS, EDQUOT};

    disk.armed = 1;
    disk.calls = disk.struck = 0;
    disk.at = at;
    disk.code = CODE[at % CODES];
    disk.half = half;
}

static void disk_is_well(void)
{
    disk.armed = disk.at = 0;
}

/* ---- a ledger ----------------------------------------------------------- */

enum { EVENTS = 9 };

static void remove_files(void)
{
    static const char *const SUFFIX[] = {"", ".seals", ".pub"};
    char name[RF_PATH_BYTES + 16];

    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, SUFFIX[i]);
        unlink(name);
    }
}

static int fresh(void **unused)
{
    (void)unused;
    disk_is_well();
    snprintf(dir, sizeof dir, "/tmp/rf-faults-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/ledger.jsonl", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    snprintf(secret, sizeof secret, "%s/seal.key", dir);
    return rf_key_generate(secret, NULL, "test.example/seal", NULL) == RF_OK ? 0 : -1;
}

static int clean(void **unused)
{
    (void)unused;
    disk_is_well();
    return rf_file_remove_tree(dir, NULL) == RF_OK ? 0 : -1;
}

/* Event number seq of a run; any that follows a crash may be a recovery. */
static struct rf_event event_of(int64_t seq, int recovers)
{
    enum rf_event_type type = seq == 0            ? RF_EVENT_OPEN
                              : recovers          ? RF_EVENT_RECOVER
                              : seq == EVENTS - 1 ? RF_EVENT_CLOSE
                                                  : RF_EVENT_HEARTBEAT;
    struct rf_event e = rf_event_make(type, 1000 + seq);

    e.seq = seq;
    snprintf(e.name, sizeof e.name, "faults");
    snprintf(e.text, sizeof e.text, "%s", seq == 0 ? "fcfs+none" : "");
    snprintf(e.version, sizeof e.version, "1");
    snprintf(e.reason, sizeof e.reason, "%s", type == RF_EVENT_CLOSE ? "done" : "");
    return e;
}

static enum rf_status replay(void *state, const struct rf_event *event, struct rf_error *err)
{
    return rf_state_apply(state, event, err);
}

/* Begins the ledger or goes on with it, to its end: three lines a sync, a seal now and then.
 * *safe: so many lines were said to be durable. */
static enum rf_status write_on(const struct rf_key *key, int64_t *safe, struct rf_error *err)
{
    struct rf_ledger *ledger = NULL;
    struct rf_state *state = NULL;
    int begun = access(path, F_OK) == 0, recovers = begun;
    int64_t cut;
    enum rf_status st = rf_state_create(&state, 0, err);

    if (st == RF_OK && begun)
        st = rf_ledger_resume(&ledger, path, key, replay, state, &cut, err);
    else if (st == RF_OK)
        st = rf_ledger_create(&ledger, path, "test.example/log", key, err);
    if (st == RF_OK)
        *safe = rf_ledger_entries(ledger);
    while (st == RF_OK && rf_ledger_entries(ledger) < EVENTS) {
        int64_t seq = rf_ledger_entries(ledger);
        struct rf_event e = event_of(seq, recovers && seq > 0);

        recovers = 0;
        st = rf_ledger_append(ledger, &e, err);
        if (st == RF_OK && (seq % 3 == 2 || seq == EVENTS - 1))
            st = rf_ledger_sync(ledger, err);
        if (st == RF_OK && (seq % 3 == 2 || seq == EVENTS - 1))
            *safe = seq + 1;
        if (st == RF_OK && (seq % 4 == 3 || seq == EVENTS - 1))
            st = rf_ledger_seal(ledger, err);
    }
    if (st == RF_OK)
        st = rf_ledger_seal(ledger, err);
    rf_ledger_close(ledger);
    rf_state_destroy(state);
    return st;
}

static struct rf_ledger_check verify(void)
{
    struct rf_ledger_check check;
    struct rf_error err = {RF_OK, ""};

    if (rf_ledger_verify(path, NULL, NULL, NULL, &check, &err) != RF_OK)
        fail_msg("%s", err.text);
    return check;
}

/* The disk is well again: the ledger is gone on with, and nothing durable is missing. */
static void mend(const struct rf_key *key, int64_t safe, int at)
{
    struct rf_ledger_check check;
    struct rf_error err = {RF_OK, ""};
    int64_t before = 0;

    disk_is_well();
    if (write_on(key, &before, &err) != RF_OK)
        fail_msg("after call %d has failed: %s", at, err.text);
    assert_true(before >= safe);
    check = verify();
    if (check.problem[0] != '\0')
        fail_msg("after call %d has failed: %s", at, check.problem);
    assert_true(check.chain_ok && check.seals_ok);
    assert_true(check.entries >= EVENTS && check.sealed_entries == check.entries);
}

static struct rf_key *load_key(void)
{
    struct rf_key *key = NULL;

    assert_int_equal(rf_key_load(&key, secret, NULL), RF_OK);
    return key;
}

/* ---- the sentences ------------------------------------------------------ */

/* Whichever call fails, with or without half of its bytes written. */
static void any_call_that_fails_while_writing_leaves_a_ledger_to_go_on_with(void **unused)
{
    struct rf_key *key = load_key();
    int passes = 0;

    (void)unused;
    for (int half = 0; half < 2; half++)
        for (int at = 1, struck = 1; struck; at++) {
            struct rf_error err = {RF_OK, ""};
            int64_t safe = 0;
            enum rf_status st;

            remove_files();
            disk_fails(at, half);
            st = write_on(key, &safe, &err);
            struck = disk.struck;
            assert_true(struck ? st == RF_ERR_IO || st == RF_ERR_INPUT : st == RF_OK);
            assert_true(st == RF_OK || err.text[0] != '\0');
            mend(key, safe, at);
            passes++;
        }
    assert_true(passes > 30);
    rf_key_free(key);
}

/* A crash in the middle of the seventh line; then the n-th call of going on fails as well. */
static void any_call_that_fails_while_resuming_leaves_a_ledger_to_go_on_with(void **unused)
{
    struct rf_key *key = load_key();
    int passes = 0;

    (void)unused;
    for (int at = 1, struck = 1; struck; at++) {
        struct rf_error err = {RF_OK, ""};
        int64_t safe = 0;
        enum rf_status st;
        int write_at = 0;

        for (int k = 1; write_at == 0; k++) { /* the write after the second sync */
            remove_files();
            disk_fails(k, 1);
            st = write_on(key, &safe, &err);
            if (disk.struck && safe == 6)
                write_at = k;
            assert_true(disk.struck);
        }
        disk_fails(at, at % 2);
        st = write_on(key, &safe, &err);
        struck = disk.struck;
        assert_true(struck ? st == RF_ERR_IO || st == RF_ERR_INPUT : st == RF_OK);
        mend(key, 6, at);
        passes++;
    }
    assert_true(passes > 5);
    rf_key_free(key);
}

/* Puts a file together: what was written by op n, the unsynced rest by a share of 0, 1/2 or 1. */
static void restore(const char *name, int seals, int n, int halves)
{
    int synced = 0, fd;

    for (int i = 0; i < n; i++)
        if (disk.ops[i].seals == seals && disk.ops[i].sync)
            synced = i;
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (int i = 0; i < n; i++) {
        const struct op *op = &disk.ops[i];
        size_t size = i < synced ? op->size : op->size * (size_t)halves / 2;

        if (op->seals == seals && !op->sync)
            assert_int_equal(write(fd, op->bytes, size), size);
        if (op->seals == seals && !op->sync && size < op->size)
            break;
    }
    close(fd);
}

/* So many lines were said to be durable when op n was done. */
static int64_t lines_synced(int n)
{
    int64_t lines = 0, pending = 0;

    for (int i = 0; i < n; i++) {
        const struct op *op = &disk.ops[i];

        if (op->seals)
            continue;
        for (size_t k = 0; k < op->size; k++)
            pending += op->bytes[k] == '\n';
        if (op->sync)
            lines = pending;
    }
    return lines;
}

static void whenever_the_power_fails_what_was_durable_is_there(void **unused)
{
    struct rf_key *key = load_key();
    char seals[RF_PATH_BYTES + 16];
    struct rf_error err;
    int64_t safe;
    int cuts = 0;

    (void)unused;
    snprintf(seals, sizeof seals, "%s.seals", path);
    disk.nops = 0;
    disk.recording = 1;
    disk_fails(0, 0);
    assert_int_equal(write_on(key, &safe, &err), RF_OK);
    disk_is_well();
    disk.recording = 0;
    assert_true(disk.nops > 10);
    for (int n = 0; n <= disk.nops; n++)
        for (int halves = 0; halves <= 2; halves++) {
            restore(path, 0, n, halves);
            restore(seals, 1, n, halves);
            mend(key, lines_synced(n), n);
            cuts++;
        }
    assert_true(cuts > 30);
    for (int i = 0; i < disk.nops; i++)
        free(disk.ops[i].bytes);
    rf_key_free(key);
}

/* The files of a run directory: whole, the old one or the new one, and nothing beside it. */
static void a_file_whose_writing_fails_is_the_old_one_or_the_new_one(void **unused)
{
    static const char OLD[] = "the old one", NEW[] = "the new one, which is longer";
    int passes = 0;

    (void)unused;
    for (int at = 1, struck = 1; struck; at++) {
        struct rf_error err = {RF_OK, ""};
        char *text = NULL;
        size_t size;
        enum rf_status st;

        disk_is_well();
        assert_int_equal(rf_file_write(other, OLD, strlen(OLD), NULL), RF_OK);
        disk_fails(at, at % 2);
        st = rf_file_write(other, NEW, strlen(NEW), &err);
        struck = disk.struck;
        disk_is_well();
        assert_true(struck ? st == RF_ERR_IO && err.text[0] != '\0' : st == RF_OK);
        assert_int_equal(rf_file_read(other, 100, &text, &size, NULL), RF_OK);
        assert_true(strcmp(text, NEW) == 0 || (struck && strcmp(text, OLD) == 0));
        free(text);
        passes++;
    }
    assert_true(passes > 4);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(unlink(secret), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing is left beside it */
    assert_int_equal(mkdtemp(memcpy(dir, "/tmp/rf-faults-XXXXXX", 22)) != NULL, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            any_call_that_fails_while_writing_leaves_a_ledger_to_go_on_with, fresh, clean),
        cmocka_unit_test_setup_teardown(
            any_call_that_fails_while_resuming_leaves_a_ledger_to_go_on_with, fresh, clean),
        cmocka_unit_test_setup_teardown(whenever_the_power_fails_what_was_durable_is_there,
                                        fresh, clean),
        cmocka_unit_test_setup_teardown(
            a_file_whose_writing_fails_is_the_old_one_or_the_new_one, fresh, clean)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
